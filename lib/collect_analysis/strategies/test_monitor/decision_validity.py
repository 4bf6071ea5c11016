"""Is a running test still valid? Conditions from aggregates: weeks of assignment, doses over time, crossings, losses; no wording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.rates.multiplicity import holm
from collect_analysis.methods.rates.rates import wilson_interval
from collect_analysis.methods.trials.experiments import compare_ratios, sample_ratio_test
from collect_analysis.strategies.fitness import MISMATCH, Evidence, ReviewPlan, requirements

WEEK = 7
# A week whose dose departs from the weeks before with this adjusted p-value has drifted.
DRIFT = 0.01
# A review waits for the horizon and for payers; a monitor says instead when a look is possible.
_OF_A_REVIEW = ("horizon_over", "payers_enough", "dates_known")


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What the conditions of a running test are judged from, beside those of a review.

    `weeks`: `weekly_allocation`; `doses`: `dose_by_week`; `crossings`, `losses`: tables of `measures.fidelity` with rates; `first_look`: the
    day the first horizon is over (None: nobody has a day of assignment); `looked`: a look has been possible; `closed`: the boundaries need a
    planned amount of information, `planned`: it was declared.
    """

    weeks: pd.DataFrame
    doses: pd.DataFrame
    crossings: pd.DataFrame
    losses: pd.DataFrame
    max_contamination: float
    first_look: date | None
    looked: bool
    closed: bool
    planned: bool
    reading_days: int


def running_requirements(plan: ReviewPlan, evidence: Evidence, watch: Watch) -> list[Condition]:
    """Which conditions does this running test meet?

    Those of a review (`fitness.requirements`) but for its horizon and payers; more accounts in several arms than declared refuse, fewer
    downgrade. Refusing beside them: a week of assignment off the plan, contamination above the declared share, no look possible yet, no
    planned information for boundaries that need one. Downgrading: subjects that are no longer found, a reading shorter than the primary
    horizon. Notes: arms that accounts leave unequally, a dose that drifts.
    """
    known = [item for item in requirements(plan, evidence) if item.name not in _OF_A_REVIEW]
    softened = [replace(item, consequence="downgrade") if item.name == "one_arm_each" else item for item in known]
    return [
        *softened,
        *_weeks(watch),
        *_contained(watch),
        *_losses(watch),
        *_steady(watch),
        *_looks(plan, watch),
    ]


def weekly_allocation(entered: pd.DataFrame, shares: Mapping[str, float], arms: Sequence[str]) -> pd.DataFrame:
    """Did every arm get who was planned, week by week, so that the day something broke shows?

    Formula: per week the share of each arm among the customers that came in (Wilson) and the chi-square test against the planned shares
    (`sample_ratio_test`), p-values adjusted over the weeks (Holm). Takes `looks.entries`.
    Columns: week (its first day), arm, numerator (clusters), denominator, planned, value, low, high, p_value, p_adjusted.
    Undefined (NaN): the p-values where nobody planned.
    """
    columns = ["week", "arm", "numerator", "denominator", "planned", "value", "low", "high", "p_value", "p_adjusted"]
    if entered.empty:
        return pd.DataFrame(columns=columns)
    first = entered["day"].min()
    weeks = entered["day"].map(lambda day: first + timedelta(days=(day - first).days // WEEK * WEEK))
    counts = entered.assign(week=weeks).pivot_table(index="week", columns="arm", values="clusters", aggfunc="sum", fill_value=0)
    counts = counts.reindex(columns=list(arms), fill_value=0)
    told = {arm: shares.get(arm, np.nan) for arm in arms}
    known = {arm: share for arm, share in told.items() if share == share}
    p_values = [sample_ratio_test({arm: float(row[arm]) for arm in arms}, known)["p_value"] for row in counts.to_dict("records")]
    adjusted = holm(p_values)
    total, all_planned = counts.sum(axis=1), sum(known.values())
    parts = []
    for arm in arms:
        low, high = wilson_interval(counts[arm], total)
        planned = told[arm] / all_planned if len(known) == len(told) else np.nan
        own = {
            "week": list(counts.index),
            "arm": arm,
            "numerator": counts[arm],
            "denominator": total,
            "planned": planned,
            "value": counts[arm] / total,
        }
        parts.append(pd.DataFrame({**own, "low": low, "high": high, "p_value": p_values, "p_adjusted": adjusted}))
    return pd.concat(parts, ignore_index=True).sort_values(["week", "arm"], ignore_index=True)[columns]


def dose_by_week(sums: pd.DataFrame, *, base: str) -> pd.DataFrame:
    """Were the arms worked as differently as before in every week, or did the difference drift?

    Formula: per week and dose the ratio of arm and base (`compare_ratios`); each week's relative difference against the mean of the weeks
    before weighted by precision, z = (r - r_before)/√(v + v_before), p-values adjusted over weeks (Holm); the first week has none. A dose
    that the base arm gets in no week is followed by its absolute difference.
    Takes `fidelity.weekly_doses`.
    Columns: outcome, week, arm, cases (smaller arm), base_mean, mean (per account and week), value (difference), relative, relative_low,
    relative_high, p_adjusted, drifted (adjusted p under 1 %), note. Undefined (NaN): a week without account-days; relative: one without dose
    in the base arm.
    """
    columns = ["outcome", "week", "arm", "cases", "base_mean", "mean", "value", "relative", "relative_low", "relative_high"]
    columns += ["p_adjusted", "drifted", "note"]
    parts = []
    for (outcome, _), own in sums.groupby(["outcome", "week"], sort=True):
        if len(own) > 1 and base in set(own["arm"]):
            parts.append(compare_ratios(own, base=base).assign(outcome=str(outcome), week=own["week"].iloc[0], cases=own["cases"].min()))
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True)
    table["p_adjusted"] = np.nan
    for _, own in table.groupby(["outcome", "arm"]):
        table.loc[own.index, "p_adjusted"] = holm(_departures(own))
    table["drifted"] = table["p_adjusted"] < DRIFT
    return table.sort_values(["outcome", "arm", "week"], ignore_index=True)[columns]


def _departures(own: pd.DataFrame) -> np.ndarray:
    """Two-sided p-value of each week's difference against the precision-weighted mean of the weeks before it."""
    names = ("value", "low", "high") if _new(own) else ("relative", "relative_low", "relative_high")
    value, low, high = (own[name].to_numpy(dtype=float) for name in names)
    error = (high - low) / (2 * stats.norm.isf(0.025))
    usable = np.isfinite(value) & (error > 0)
    weight = np.where(usable, 1 / np.where(usable, error, 1.0) ** 2, 0.0)
    weighted = np.where(usable, weight * np.where(usable, value, 0.0), 0.0)
    before = np.cumsum(weight) - weight
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.abs(value - (np.cumsum(weighted) - weighted) / before) / np.sqrt(error**2 + 1 / before)
    return np.where(usable & (before > 0), 2 * stats.norm.sf(z), np.nan)


def _new(own: pd.DataFrame) -> bool:
    """Whether the base arm got the dose in no week, so that there is nothing to be relative to."""
    known = own["base_mean"].dropna()
    return bool(len(known) and (known == 0).all())


def rates_by_arm(counts: pd.DataFrame) -> pd.DataFrame:
    """Counted crossings or losses as shares of the arm: adds value and share (the same number), low, high (Wilson)."""
    low, high = wilson_interval(counts["numerator"], counts["denominator"])
    share = counts["numerator"] / counts["denominator"].where(counts["denominator"] > 0)
    return counts.assign(value=share, share=share, low=low, high=high)


def _weeks(watch: Watch) -> list[Condition]:
    tested = watch.weeks.dropna(subset=["p_adjusted"])
    if tested.empty:
        return []
    broken = tested[tested["p_adjusted"] < MISMATCH]
    row = broken.iloc[0] if len(broken) else tested.iloc[int(tested["p_adjusted"].to_numpy().argmin())]
    values = {"week": row["week"], "p_value": float(row["p_adjusted"]), "weeks": int(tested["week"].nunique())}
    return [Condition(name="weeks_as_planned", met=broken.empty, consequence="refuse", details=values)]


def _contained(watch: Watch) -> list[Condition]:
    filled = watch.crossings.dropna(subset=["value"])
    if filled.empty:
        return []
    worst = filled.iloc[int(filled["value"].to_numpy().argmax())]
    values = {"arm": str(worst["arm"]), "most_share": float(worst["value"]), "tolerated_share": watch.max_contamination}
    return [Condition(name="contained", met=bool(worst["value"] <= watch.max_contamination), consequence="refuse", details=values)]


def _losses(watch: Watch) -> list[Condition]:
    """Subjects nobody finds any more break the comparison; those that left as recalled or sold stay in it with what they paid."""
    filled = watch.losses[watch.losses["denominator"] > 0]
    missing = int(filled["no_longer_found"].sum())
    found = [Condition(name="subjects_found", met=not missing, consequence="downgrade", details={"missing": missing})]
    left, stayed = filled["left"].to_numpy(dtype=float), (filled["denominator"] - filled["left"]).to_numpy(dtype=float)
    if len(filled) < 2 or np.isnan(left).any() or not left.sum() or not stayed.sum():
        return found
    p_value = float(stats.chi2_contingency(np.vstack([left, stayed]), correction=False).pvalue)
    shares = pd.Series(left / filled["denominator"].to_numpy(dtype=float), index=filled["arm"])
    values = {
        "arm": str(shares.idxmax()),
        "most_share": float(shares.max()),
        "least_share": float(shares.min()),
        "p_value": p_value,
    }
    return [*found, Condition(name="losses_alike", met=p_value >= MISMATCH, consequence="note", details=values)]


def _steady(watch: Watch) -> list[Condition]:
    found = []
    doses = [own for _, own in watch.doses.groupby(["outcome", "arm"])] if len(watch.doses) else []
    for name, wanted in (("dose_steady", False), ("new_dose_steady", True)):
        parts = [own for own in doses if _new(own) == wanted]
        tested = pd.concat(parts).dropna(subset=["p_adjusted"]) if parts else watch.doses.iloc[:0]
        if tested.empty:
            continue
        drifted = tested[tested["drifted"]].sort_values("week")
        row = drifted.iloc[0] if len(drifted) else tested.iloc[0]
        number = {"value": float(row["value"])} if wanted else {"relative_share": float(row["relative"])}
        values = {"dose": str(row["outcome"]), "arm": str(row["arm"]), "week": row["week"], **number}
        found.append(Condition(name=name, met=drifted.empty, consequence="note", details=values))
    return found


def _looks(plan: ReviewPlan, watch: Watch) -> list[Condition]:
    found = []
    if watch.first_look is None:
        return [Condition(name="dates_known", met=False, consequence="refuse", details={"days": watch.reading_days})]
    if watch.closed:
        found.append(Condition(name="information_planned", met=watch.planned, consequence="refuse"))
    values = {"days": watch.reading_days, "first": watch.first_look}
    found.append(Condition(name="look_possible", met=watch.looked, consequence="refuse", details=values))
    if watch.reading_days < plan.horizon_days:
        short = {"days": watch.reading_days, "horizon": plan.horizon_days}
        found.append(Condition(name="read_at_horizon", met=False, consequence="downgrade", details=short))
    return found
