"""A test monitor in numbers: looks, validity and guardrails of a running test, as its notebook records them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.book.store import Book
from collect_analysis.measures import arms
from collect_analysis.measures.assignment import drawn_again
from collect_analysis.measures.balance import Balance
from collect_analysis.measures.cohort import Cohort, Outcome, open_cohort
from collect_analysis.methods.evidence import Condition, refused, withheld
from collect_analysis.methods.trials import interim
from collect_analysis.methods.trials.experiments import arm_means, compare_arms
from collect_analysis.methods.trials.power import risen_variance
from collect_analysis.methods.trials.sequential import conditional_power, final_bound
from collect_analysis.report.conditions import refuse_unread
from collect_analysis.report.disclosure import suppress_small_cells
from collect_analysis.strategies import fitness
from collect_analysis.strategies.experiment import NOT_ANSWERABLE, balance_of, declared_covariates, plan_of
from collect_analysis.strategies.test_monitor import decision_validity, measures_fidelity, measures_looks as looks
from collect_analysis.strategies.test_monitor.decision import PACE_DAYS, Outlook, outlook
from collect_analysis.strategies.test_monitor.parameters import TestMonitor
from collect_analysis.strategies.verdict import guardrail_table

ALPHA, POWER = 0.05, 0.8
# Of the looks a page shows the last ones; the recorded table holds all.
SHOWN_LOOKS = 12
_ALSO_CLAIMED = ("z", "naive_low", "naive_high", "information")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A running test at all its looks.

    `entered`: `looks.entries`; `days`: the looks that were possible; `effects`: `interim.monitored` of the primary outcome, challengers
    below each other; `guarded`: the same of the guardrails, with margin and status per 1,000 cases; `planned_cases`: arm -> cases when the
    test is complete; `power`: challenger -> conditional power at the margin.
    """

    primary: Outcome
    entered: pd.DataFrame
    days: Sequence[date]
    effects: pd.DataFrame
    guarded: pd.DataFrame
    planned_cases: Mapping[str, float]
    power: Mapping[str, float]

    @property
    def looked(self) -> bool:
        """Whether the horizon of anybody is over at a look."""
        return bool(self.days)


def open_running(book: Book, params: TestMonitor) -> Cohort:
    """The subjects of the test, read `read_after` days after assignment."""
    return open_cohort(book, params.experiment_id, arms=params.arms, horizon_days=params.read_after)


def doses_to_date(book: Book, params: TestMonitor) -> pd.DataFrame:
    """By how much was each challenger worked more than the champion so far, per subject, from assignment to at most the primary horizon?

    Subjects whose horizon is not over count with the work they had: all arms are equally young. Columns as `experiments.compare_arms`.
    """
    cohort = open_cohort(book, params.experiment_id, arms=params.arms, horizon_days=params.read_after, dose_days=params.horizon_days)
    sums = arms.arm_sums(book, cohort, params.arms, arms.dose_outcomes(cohort)).assign(note="")
    return compare_arms(suppress_small_cells(arm_means(sums, none_counts=True), min_cell=params.min_cell), base=params.champion)


def watch(book: Book, cohort: Cohort, params: TestMonitor) -> Watched:
    """The test at every look so far, from the sums of two queries."""
    refuse_unread(cohort.delivered, of=cohort.experiment_id)
    primary = cohort.outcome(params.primary_outcome, params.read_after)
    guards = arms.guardrail_outcomes(cohort, list(params.guardrails))
    entered = looks.entries(book, cohort, params.arms)
    every, declared = params.look_every_days, params.look_days
    days = looks.look_schedule(entered, as_of=book.as_of, horizon_days=params.read_after, every=every, declared=declared)
    wanted = [primary, *(item for item in guards if item.name != primary.name)]
    sums = looks.look_sums(book, cohort, params.arms, wanted, days=days, horizon_days=params.read_after)
    means = suppress_small_cells(arm_means(sums), min_cell=params.min_cell)
    effects = interim.effects_by_look(means, base=params.champion)
    spread = _case_variance(means, params.champion)
    planned = _planned_cases(params, effects[effects["outcome"] == primary.name], spread.get(primary.name, np.nan))
    seen = _monitored(params, effects[effects["outcome"] == primary.name], planned, spread)
    guarded = _monitored(params, effects[effects["outcome"].isin(params.guardrails)], planned, spread)
    return Watched(
        primary=primary,
        entered=entered,
        days=days,
        effects=_relative(seen),
        guarded=_with_status(guarded, params.guardrails),
        planned_cases=planned,
        power={arm: _power_at_margin(seen[seen["arm"] == arm], params, planned, spread) for arm in params.challengers},
    )


def _alpha(params: TestMonitor) -> float:
    """Each of several challengers gets its share of the error rate, so that all together keep it."""
    return ALPHA / len(params.challengers)


def _case_variance(means: pd.DataFrame, base: str) -> dict[str, float]:
    """Variance of one case in the base arm at the latest look, with what clusters cost, per outcome."""
    own = means[means["arm"] == base]
    if own.empty:
        return {}
    latest = own[own["look_day"] == own["look_day"].max()]
    return {str(row["outcome"]): float(row["variance"] * row["cases"]) for row in latest.to_dict("records")}


def _planned_cases(params: TestMonitor, effects: pd.DataFrame, variance: float) -> dict[str, float]:
    """Cases per arm of the complete test: as declared, else those that give the declared information.

    Where an always-valid interval needs none, it is made narrowest at the cases that would find the margin in four of five tries.
    """
    if params.planned_cases:
        return {arm: float(params.planned_cases[arm]) for arm in params.arms}
    information = params.planned_information
    if not information and params.spending == "always_valid" and params.margin_relative and len(effects):
        least = params.margin_relative * abs(float(effects["base_mean"].dropna().iloc[-1])) if effects["base_mean"].notna().any() else 0.0
        information = ((stats.norm.isf(_alpha(params) / 2) + stats.norm.ppf(POWER)) / least) ** 2 if least else 0.0
    return dict.fromkeys(params.arms, 2 * variance * information if information and variance > 0 else np.nan)


def _monitored(params: TestMonitor, effects: pd.DataFrame, planned: Mapping[str, float], spread: Mapping[str, float]) -> pd.DataFrame:
    """`interim.monitored` of every outcome and challenger, below each other."""
    parts = []
    for (outcome, arm), own in effects.groupby(["outcome", "arm"], sort=True):
        information = interim.information_of_cases(spread.get(str(outcome), np.nan), planned, base=params.champion, arm=str(arm))
        fewest = max(interim.FEWEST_CASES, params.min_cell)
        parts.append(interim.monitored(own, planned_information=information, rule=params.spending, alpha=_alpha(params), fewest=fewest))
    if parts:
        return pd.concat(parts, ignore_index=True)
    return interim.monitored(effects, planned_information=np.nan, rule=params.spending)


def _relative(table: pd.DataFrame) -> pd.DataFrame:
    base = table["base_mean"].astype(float)
    return table.assign(relative=table["value"].astype(float) / base.where(base > 0))


def _with_status(guarded: pd.DataFrame, margins: Mapping[str, float]) -> pd.DataFrame:
    """Guardrails at every look, per 1,000 cases: kept, open, breached or unknown by their sequential interval; a breach stays."""
    judged = guardrail_table(guarded, margins)
    table = judged.assign(**{name: guarded[name].to_numpy() for name in ("look_day", "unit", "fraction", "used")})
    for _, own in table.groupby(["outcome", "arm"]):
        broken = np.logical_or.accumulate((own["status"] == "breached").to_numpy())
        table.loc[own.index[broken], "status"] = "breached"
    return table


def _power_at_margin(own: pd.DataFrame, params: TestMonitor, planned: Mapping[str, float], spread: Mapping[str, float]) -> float:
    """Chance to cross upwards at full information, were the effect as large as the margin; NaN without a look that counts."""
    used = own[own["used"]]
    if used.empty:
        return float("nan")
    row = used.iloc[-1]
    variance, mean, margin = spread[str(row["outcome"])], float(row["base_mean"]), params.margin_relative
    information = interim.information_of_cases(variance, planned, base=params.champion, arm=str(row["arm"]))
    bound = final_bound(used["fraction"], planned_information=information, rule=params.spending, alpha=_alpha(params))
    # Were the effect as large as the margin, the arm would vary more than the base does.
    cv = np.sqrt(variance) / mean if mean > 0 else float("nan")
    growth = float(risen_variance(cv, margin, unit=str(row["unit"]))) / cv**2
    drift = (
        margin * mean * np.sqrt(interim.information_of_cases(variance, planned, base=params.champion, arm=str(row["arm"]), growth=growth))
    )
    return conditional_power(float(row["z"]), float(row["fraction"]), drift=drift, bound=bound)


def weekly_allocation(cohort: Cohort, book: Book, params: TestMonitor, watched: Watched) -> pd.DataFrame:
    """Who came in week by week, against the plan (`validity.weekly_allocation`)."""
    shares = fitness.planned_shares(plan_of(params), arms.arm_facts(book, cohort))
    return decision_validity.weekly_allocation(watched.entered, shares, params.arms)


def weekly_doses(book: Book, cohort: Cohort, params: TestMonitor) -> pd.DataFrame:
    """How differently the arms were worked week by week (`validity.dose_by_week`); weeks with few accounts have no number."""
    table = decision_validity.dose_by_week(
        measures_fidelity.weekly_doses(book, cohort, params.arms, days=params.read_after), base=params.champion
    )
    claims = ["base_mean", "mean", "value", "relative", "relative_low", "relative_high"]
    few = table["cases"] < max(interim.FEWEST_CASES, params.min_cell)
    return table.assign(**{name: table[name].astype(float).mask(few) for name in claims})


def crossings(book: Book, cohort: Cohort, params: TestMonitor) -> pd.DataFrame:
    """Who met another arm, as shares of the arm."""
    found = measures_fidelity.crossings(book, cohort, params.arms, treatments=params.treatments, days=params.horizon_days)
    return decision_validity.rates_by_arm(found)


def losses(book: Book, cohort: Cohort, params: TestMonitor) -> pd.DataFrame:
    """Who was lost, as shares of the arm."""
    column = cohort.outcome(params.primary_outcome, params.read_after).column
    found = measures_fidelity.losses(book, cohort, params.arms, outcome_column=column, days=params.horizon_days)
    return decision_validity.rates_by_arm(found)


def conditions_of(
    book: Book,
    cohort: Cohort,
    params: TestMonitor,
    watched: Watched,
    *,
    doses: pd.DataFrame,
    weeks: pd.DataFrame,
    weekly: pd.DataFrame,
    crossed: pd.DataFrame,
    lost: pd.DataFrame,
    alike: Balance | None = None,
) -> list[Condition]:
    """Which conditions does the running test meet? (`validity.running_requirements`)"""
    evidence = fitness.Evidence(
        facts=arms.arm_facts(book, cohort),
        shared=arms.shared_subjects(book, cohort, params.arms),
        open_share=0.0,
        flaws=arms.flaws(book, cohort, params.arms, [watched.primary]),
        means=pd.DataFrame(),
        doses=doses,
        planned=cohort.planned,
        usable=declared_covariates(book, cohort, params)["usable"],
        balance=alike or balance_of(book, cohort, params),
        salt=drawn_again(book, cohort, params.arms),
        reached=arms.reached_shares(book, cohort, params.arms, params.dose),
    )
    ahead = timetable(book, params, watched)
    seen = decision_validity.Watch(
        weeks=weeks,
        doses=weekly,
        crossings=crossed,
        losses=lost,
        max_contamination=params.max_contamination,
        first_look=ahead.first_look if ahead else None,
        looked=watched.looked,
        closed=params.spending != "always_valid",
        planned=params.planned,
        reading_days=params.read_after,
    )
    return [*decision_validity.running_requirements(plan_of(params), evidence, seen), *cohort.delivered]


def claims(table: pd.DataFrame, found: Sequence[Condition]) -> pd.DataFrame:
    """Looks without a number that would be a claim where a condition refuses."""
    if not refused(found):
        return table
    empty = withheld(table, found, note=NOT_ANSWERABLE)
    empty[[name for name in _ALSO_CLAIMED if name in empty.columns]] = np.nan
    if "crossed" in empty.columns:
        empty = empty.assign(crossed="", naive_crossed=False)
    return empty.assign(status="unknown") if "status" in empty.columns else empty


def timetable(book: Book, params: TestMonitor, watched: Watched) -> Outlook | None:
    """When the next look is, and when the planned information is expected (`monitoring.outlook`); None where no assignment has a day.

    Where everybody who came in has been read and nobody comes in any more, the next look is at the primary horizon.
    """
    if watched.entered.empty:
        return None
    declared = watched.planned_cases if params.planned else {}
    found = outlook(
        watched.entered,
        arms=params.arms,
        as_of=book.as_of,
        horizon_days=params.read_after,
        every=params.look_every_days,
        declared=params.look_days,
        planned=declared,
    )
    last = watched.entered["day"].max()
    if params.look_days or found.open_cases or last > book.as_of - timedelta(days=PACE_DAYS):
        return found
    horizon_on = last + timedelta(days=params.horizon_days)
    return replace(found, next_look=horizon_on if horizon_on > book.as_of else None)


def peeking(effects: pd.DataFrame, params: TestMonitor) -> pd.DataFrame:
    """What the plain interval would have said at these looks, and how often it would be wrong.

    Columns: arm, tested_looks, naive_first, valid_first (the day each first told the arms apart; empty: never), wrongly (probability that the
    plain bound at these looks calls an effect where there is none), allowed (at most that of the boundary), note.
    """
    rows = []
    for arm in params.challengers:
        own = effects[effects["arm"] == arm]
        used = int(own["used"].sum())
        rows.append(
            {
                "arm": arm,
                "tested_looks": used,
                "naive_first": _first_day(own, own["naive_crossed"]),
                "valid_first": _first_day(own, own["crossed"] != ""),
                "wrongly": interim.naive_error(own, alpha=_alpha(params)) if used else np.nan,
                "allowed": _alpha(params),
                "note": "" if used else interim.NO_LOOK,
            }
        )
    return pd.DataFrame(rows)


def _first_day(own: pd.DataFrame, flags: pd.Series) -> date | None:
    days = own.loc[flags.to_numpy(dtype=bool), "look_day"]
    return days.iloc[0] if len(days) else None


def wrong_alarms(peeked: pd.DataFrame) -> pd.DataFrame:
    """The two probabilities of `peeking` as rows: arm, rule (plain, boundary), value, note."""
    parts = [peeked.assign(rule=name, value=peeked[column]) for name, column in (("plain", "wrongly"), ("boundary", "allowed"))]
    return pd.concat(parts, ignore_index=True)[["arm", "rule", "value", "note"]]


def relative_measures(effects: pd.DataFrame) -> pd.DataFrame:
    """The relative difference of each outcome and arm with its interval, as value, low, high."""
    keys = effects[["outcome", "arm", "note"]]
    return keys.assign(value=effects["relative"], low=effects["relative_low"], high=effects["relative_high"])


def latest(table: pd.DataFrame, *, looks: int = SHOWN_LOOKS) -> pd.DataFrame:
    """The rows of the last looks that brought something new, newest first."""
    fresh = table[table["note"] != interim.NOTHING_NEW]
    days = sorted(set(fresh["look_day"]))[-looks:]
    return fresh[fresh["look_day"].isin(days)].sort_values("look_day", ascending=False, kind="stable", ignore_index=True)


def newest(table: pd.DataFrame) -> pd.DataFrame:
    """Each outcome and arm at its last look that was tested, or at the last one where none was."""
    ordered = table.sort_values(["outcome", "arm", "used", "look_day"], kind="stable")
    return ordered.groupby(["outcome", "arm"], sort=True).tail(1).reset_index(drop=True)
