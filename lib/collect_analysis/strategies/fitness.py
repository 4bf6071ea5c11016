"""Is a test fit to answer? The conditions of a strategy review, judged from aggregates; codes and numbers, no wording.

Thresholds that are the trade's (sample-ratio mismatch at p < 0.001, 5 % open horizons) are constants; what a shop declares is in the plan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from collect_analysis.measures.balance import Balance
from collect_analysis.measures.lot import Lot, lot_conditions, of_plan
from collect_analysis.methods.evidence import Condition, Design
from collect_analysis.methods.rates.strata import stratified_ratio_test
from collect_analysis.methods.trials.experiments import sample_ratio_test
from collect_analysis.strategies.treatment import capacity_conditions, dose_conditions

MISMATCH = 0.001
MOST_OPEN = 0.05
# Logged probabilities of one arm that differ by more than this are different shares, not rounding.
SAME_PROPENSITY = 1e-6
# Shares of the same plan differ by the rounding of whoever wrote them.
SAME_SHARE = 0.005
# Within a stratum each arm needs as many independent cases as a variance takes.
FEWEST_IN_STRATUM = 2


@dataclass(frozen=True, kw_only=True)
class ReviewPlan:
    """What was declared before the test was read.

    `planned_shares` win over those of table `experiment`; `min_dose_difference` is relative, of the dose named `dose`; `capacity_tolerance`
    is how much more agent time, relative to the champion, a challenger may use.
    """

    champion: str
    challengers: tuple[str, ...]
    primary_outcome: str
    horizon_days: int
    min_cell: int
    planned_shares: Mapping[str, float] = field(default_factory=dict)
    randomised: bool = True
    assigned_in_clusters: bool = False
    preregistration: str = ""
    lot_document: str = ""
    dose: str = ""
    min_dose_difference: float = 0.0
    capacity_tolerance: float = 0.1

    @property
    def arms(self) -> list[str]:
        """The arms compared, champion first."""
        return [self.champion, *self.challengers]

    @property
    def design(self) -> Design:
        """What the evidence can be at best."""
        return "randomised" if self.randomised else "raw"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the conditions are judged from: aggregates of the cohort.

    `facts`: `arms.arm_facts`; `shared`: subjects and clusters in several arms; `open_share`: share of subjects whose primary horizon is not
    over; `flaws`: `arms.flaws` of the primary outcome; `means`: `arm_means` of the primary outcome; `doses`: `compare_arms` of the doses;
    `late`, `incomplete`, `flat`: declared covariates not measured before assignment, those missing for somebody with how many, those that have
    one value only in an arm with that arm; `usable`: those that are adjusted for; `strata`: `arms.strata_facts`, `balance`:
    `balance.balance`, None where nobody asked for them; `salt`: share of the customers whose arm the registered salt gives again, the share
    it would give again by chance, and how many are in another arm; None without a salt; `reached`: arm -> share of its subjects that got any
    of the declared dose.
    """

    facts: pd.DataFrame
    shared: tuple[int, int]
    open_share: float
    flaws: pd.DataFrame
    means: pd.DataFrame
    doses: pd.DataFrame
    planned: Mapping[str, Mapping[str, object]]
    late: Sequence[str] = ()
    incomplete: Mapping[str, int] = field(default_factory=dict)
    flat: Mapping[str, str] = field(default_factory=dict)
    usable: Sequence[str] = ()
    strata: pd.DataFrame | None = None
    balance: Balance | None = None
    salt: tuple[float, float, int] | None = None
    reached: Mapping[str, float] = field(default_factory=dict)


def requirements(plan: ReviewPlan, evidence: Evidence) -> list[Condition]:
    """Which conditions does this test meet?

    Refusing: an arm nearly empty, a sample-ratio mismatch, planned shares that contradict each other, arms that one variable tells apart
    (`lot.lot_conditions`, which also caps what is not shown to be a lot), subjects or customers in several arms, certain assignment (probability 0 or 1)
    or one that differs within an arm and is not told by strata, a stratum without one of the arms, probabilities or planned shares that sum
    to more than 1, an open horizon, results before the assignment, impossible outcomes, too few payers, arms treated alike. Downgrading: unknown plan, no
    pre-registration, unknown dose where one was declared, more agent time than agreed, clusters that are not in the data. Notes: what
    was left out of the adjustment or of the comparison, and what the source does not tell.
    """
    facts = evidence.facts.set_index("arm").reindex(plan.arms)
    return [
        *_filled(plan, facts),
        *_other_arms(plan, evidence),
        _sample_ratio(plan, evidence, facts),
        *_shares_agree(plan, facts),
        *lot_conditions(_lot(plan, evidence), evidence.balance, randomised=plan.randomised, adjusted=bool(evidence.usable)),
        *_shared(evidence),
        *_chance(plan, evidence, facts),
        *_shares_sum(plan, evidence, facts),
        *_horizon(plan, evidence, facts),
        *_outcome(plan, evidence),
        *dose_conditions(evidence.doses, dose=plan.dose, least=plan.min_dose_difference, reached=evidence.reached),
        *capacity_conditions(evidence.doses, tolerance=plan.capacity_tolerance),
        _registered(plan, evidence),
        *_clusters(plan, facts),
        *_covariates(evidence),
    ]


def _filled(plan: ReviewPlan, facts: pd.DataFrame) -> list[Condition]:
    clusters = facts["clusters"].fillna(0).astype(int)
    least = str(clusters.idxmin())
    values = {"arm": least, "clusters": int(clusters.min()), "min_cell": plan.min_cell}
    return [Condition(name="arms_filled", met=bool((clusters >= plan.min_cell).all()), consequence="refuse", details=values)]


def _other_arms(plan: ReviewPlan, evidence: Evidence) -> list[Condition]:
    """Arms of the experiment that the report file does not name: said, so that nobody takes a part for the whole."""
    other = evidence.facts[~evidence.facts["arm"].isin(plan.arms)]
    if other.empty:
        return []
    values = {"arms": sorted(map(str, other["arm"])), "cases": int(other["cases"].sum())}
    return [Condition(name="all_arms_compared", met=False, consequence="note", details=values)]


def _sample_ratio(plan: ReviewPlan, evidence: Evidence, facts: pd.DataFrame) -> Condition:
    found = allocation(plan, evidence.facts, evidence.strata)
    if np.isnan(found["p_value"]):
        return Condition(name="plan_known", met=False, consequence="downgrade")
    return Condition(name="sample_ratio", met=found["p_value"] >= MISMATCH, consequence="refuse", details=found)


def _shares_agree(plan: ReviewPlan, facts: pd.DataFrame) -> list[Condition]:
    """The shares of the report file are those of the registered plan, else of the log; nothing is said where only one of them tells."""
    known = facts["share"].astype(float)
    known = known if known.notna().all() else _logged_shares(facts)
    if not plan.planned_shares or known.isna().any() or not known.sum() > 0:
        return []
    said = pd.Series({arm: plan.planned_shares[arm] for arm in plan.arms})
    apart = (said / said.sum() - known / known.sum()).abs()
    arm = str(apart.idxmax())
    values = {"arm": arm, "said_share": float(said[arm] / said.sum()), "known_share": float(known[arm] / known.sum())}
    return [Condition(name="shares_agree", met=bool(apart.max() <= SAME_SHARE), consequence="refuse", details=values)]


def _logged_shares(facts: pd.DataFrame) -> pd.Series:
    """The logged probability of each arm where it is the same within the arm, else NaN."""
    return facts["propensity_low"].where(facts["propensity_high"] - facts["propensity_low"] <= SAME_PROPENSITY).astype(float)


def _lot(plan: ReviewPlan, evidence: Evidence) -> Lot:
    lot = of_plan(evidence.facts, evidence.planned, plan.arms, [plan.preregistration, plan.lot_document])
    if evidence.salt is None:
        return lot
    reproduced, by_chance, moved = evidence.salt
    return replace(lot, reproduced=reproduced, by_chance=by_chance, moved=moved)


def allocation(plan: ReviewPlan, facts: pd.DataFrame, strata: pd.DataFrame | None = None) -> dict[str, float]:
    """The sample-ratio test of the compared arms: independent cases against planned shares; NaN where nobody planned any.

    Where the probabilities of assignment differ between strata (`strata`: `arms.strata_facts`) within every stratum against them.
    """
    if assignment_strata(plan, facts, strata):
        assert strata is not None  # noqa: S101 - there are none without it
        return stratified_ratio_test(strata.assign(share=strata["propensity_low"]))
    by_arm = facts.set_index("arm").reindex(plan.arms)
    shares = planned_shares(plan, facts)
    clusters = by_arm["clusters"].fillna(0).astype(float)
    return sample_ratio_test(dict(zip(plan.arms, clusters, strict=True)), {arm: share for arm, share in shares.items() if share == share})


def assignment_strata(plan: ReviewPlan, facts: pd.DataFrame, strata: pd.DataFrame | None) -> list[str]:
    """The strata within which the arms must be compared: probabilities differ within an arm, but not within an arm of one stratum.

    Empty where one probability holds in every arm, and where strata do not tell the probabilities apart.
    """
    if strata is None or strata.empty or not _varying(facts.set_index("arm").reindex(plan.arms)):
        return []
    spread = strata["propensity_high"] - strata["propensity_low"]
    told = strata.loc[strata["cases"] > 0, "propensity_low"].notna().all()
    return sorted(set(strata["stratum"].astype(str))) if told and not (spread > SAME_PROPENSITY).any() else []


def _varying(facts: pd.DataFrame) -> list[str]:
    """The arms within which the logged probability differs."""
    return [str(arm) for arm in facts.index[(facts["propensity_high"] - facts["propensity_low"]) > SAME_PROPENSITY]]


def planned_shares(plan: ReviewPlan, facts: pd.DataFrame, strata: pd.DataFrame | None = None) -> dict[str, float]:
    """The planned share of each compared arm: as the report file says, else table `experiment`, else the logged probability; else NaN.

    Of a stratified assignment: the mean of the strata's probabilities, weighted by their independent cases.
    """
    if assignment_strata(plan, facts, strata):
        assert strata is not None  # noqa: S101 - there are none without it
        size = strata.groupby("stratum")["clusters"].transform("sum")
        expected = (strata["propensity_low"] * size).groupby(strata["arm"]).sum() / strata["clusters"].sum()
        return {arm: float(expected.get(arm, np.nan)) for arm in plan.arms}
    by_arm = facts.set_index("arm").reindex(plan.arms)
    told = by_arm["share"].astype(float).fillna(_logged_shares(by_arm))
    return {arm: float(plan.planned_shares.get(arm, share)) for arm, share in zip(plan.arms, told, strict=True)}


def _shared(evidence: Evidence) -> list[Condition]:
    subjects, clusters = evidence.shared
    return [
        Condition(
            name="one_arm_each", met=not (subjects or clusters), consequence="refuse", details={"subjects": subjects, "clusters": clusters}
        )
    ]


def _chance(plan: ReviewPlan, evidence: Evidence, facts: pd.DataFrame) -> list[Condition]:
    low, high = facts["propensity_low"], facts["propensity_high"]
    if low.isna().all():
        return [Condition(name="probability_logged", met=False, consequence="note")]
    certain = [str(arm) for arm in facts.index[(low <= 0) | (high >= 1)]]
    varying = _varying(facts)
    values = {"arms": certain or varying, "low": float(low.min()), "high": float(high.max())}
    found = [Condition(name="assigned_by_chance", met=not certain, consequence="refuse", details=values)]
    missing = int(facts["without_propensity"].fillna(0).sum())
    if missing:
        found.append(Condition(name="probability_complete", met=False, consequence="note", details={"cases": missing}))
    names = assignment_strata(plan, evidence.facts, evidence.strata)
    if not names:
        return [*found, Condition(name="one_probability", met=not varying, consequence="refuse", details=values)]
    return [*found, *_within_strata(evidence.strata, names)]


def _within_strata(strata: pd.DataFrame | None, names: list[str]) -> list[Condition]:
    assert strata is not None  # noqa: S101 - there are no names without it
    thin = strata.iloc[int(strata["clusters"].to_numpy().argmin())].to_dict()
    values = {"stratum": str(thin["stratum"]), "arm": str(thin["arm"]), "clusters": int(thin["clusters"]), "strata": len(names)}
    filled = bool((strata["clusters"] >= FEWEST_IN_STRATUM).all())
    return [
        Condition(name="stratum_probability", met=True, consequence="note", details={"strata": len(names)}),
        Condition(name="strata_filled", met=filled, consequence="refuse", details=values),
    ]


def _shares_sum(plan: ReviewPlan, evidence: Evidence, facts: pd.DataFrame) -> list[Condition]:
    """Shares of arms, planned or logged, cannot sum to more than 1; nothing is said where they do not."""
    planned, logged = float(facts["share"].astype(float).sum()), [0.0]
    if assignment_strata(plan, evidence.facts, evidence.strata):
        assert evidence.strata is not None  # noqa: S101 - there are none without it
        logged = evidence.strata.groupby("stratum")["propensity_low"].sum().tolist()
    elif not _varying(facts) and (facts["propensity_high"] < 1).all():
        logged = [float(facts["propensity_low"].sum())]
    over = {"shares_sum": planned, "probabilities_sum": max(logged)}
    return [
        Condition(name=name, met=False, consequence="refuse", details={"sum": total})
        for name, total in over.items()
        if total > 1 + SAME_PROPENSITY
    ]


def _horizon(plan: ReviewPlan, evidence: Evidence, facts: pd.DataFrame) -> list[Condition]:
    if int(facts["without_date"].sum()) and facts["first_assigned"].isna().all():
        return [Condition(name="dates_known", met=False, consequence="note", details={"days": plan.horizon_days})]
    values = {"days": plan.horizon_days, "open_share": evidence.open_share, "most_share": MOST_OPEN}
    return [Condition(name="horizon_over", met=evidence.open_share <= MOST_OPEN, consequence="refuse", details=values)]


def _outcome(plan: ReviewPlan, evidence: Evidence) -> list[Condition]:
    counts = {name: int(evidence.flaws[name].sum()) for name in ("missing", "negative", "not_yes_no")}
    shown = {**counts, "outcome": plan.primary_outcome}
    means = evidence.means
    fewest = means.iloc[int(means["positive"].to_numpy().argmin())] if len(means) else None
    unsigned = fewest is not None and (fewest["unit"] != "count" or fewest["sum_y2"] == 0)
    few = fewest is not None and unsigned and fewest["positive"] < 2
    values = {"arm": str(fewest["arm"]) if fewest is not None else "", "positive": int(fewest["positive"]) if fewest is not None else 0}
    return [
        *results_in_time(evidence.flaws, plan.primary_outcome),
        Condition(name="outcome_sound", met=not any(counts.values()), consequence="refuse", details=shown),
        Condition(name="payers_enough", met=not few, consequence="refuse", details=values),
    ]


def results_in_time(flaws: pd.DataFrame, outcome: str) -> list[Condition]:
    """Refused where a result is dated before the assignment (`arms.flaws`, column early); nothing where none is, or none is dated."""
    early = int(flaws["early"].max())
    details = {"early": early, "outcome": outcome}
    return [Condition(name="outcome_after_assignment", met=False, consequence="refuse", details=details)] if early else []


def _registered(plan: ReviewPlan, evidence: Evidence) -> Condition:
    rows = [evidence.planned[arm] for arm in plan.arms if arm in evidence.planned]
    logged = bool(rows) and all(row.get("prereg_hash") for row in rows)
    metric = {str(row["primary_metric"]) for row in rows if row.get("primary_metric")} or {plan.primary_outcome}
    horizon = {int(str(row["horizon_days"])) for row in rows if row.get("horizon_days")} or {plan.horizon_days}
    as_declared = metric == {plan.primary_outcome} and horizon == {plan.horizon_days}
    values = {
        "outcome": plan.primary_outcome,
        "days": plan.horizon_days,
        "registered_outcome": ", ".join(sorted(metric)),
        "registered_days": ", ".join(str(days) for days in sorted(horizon)),
    }
    if not (logged or plan.preregistration):
        return Condition(name="registered", met=False, consequence="downgrade")
    return Condition(name="read_as_registered", met=as_declared, consequence="downgrade", details=values)


def _clusters(plan: ReviewPlan, facts: pd.DataFrame) -> list[Condition]:
    if not plan.assigned_in_clusters:
        return []
    return [Condition(name="clusters_known", met=bool(facts["clusters"].sum() < facts["cases"].sum()), consequence="downgrade")]


def _covariates(evidence: Evidence) -> list[Condition]:
    found = []
    if evidence.late:
        found.append(Condition(name="covariates_before", met=False, consequence="note", details={"covariates": list(evidence.late)}))
    if evidence.incomplete:
        values = {"covariates": list(evidence.incomplete), "missing": max(evidence.incomplete.values())}
        found.append(Condition(name="covariates_complete", met=False, consequence="note", details=values))
    flat = {name: arm for name, arm in evidence.flat.items() if name not in evidence.incomplete}
    if flat:
        values = {"covariates": list(flat), "arms": sorted(set(flat.values()))}
        found.append(Condition(name="covariates_vary", met=False, consequence="note", details=values))
    return found


def few_large_payers(plan: ReviewPlan, tails: pd.DataFrame, top_share: Mapping[str, float]) -> list[Condition]:
    """Does the answer about money hang on a few large payers?

    Takes what `verdict.tail_table` returns and, per outcome, the share of the cash that the largest payers brought. Not met where another way
    to treat large amounts turns the sign of an effect or whether it can be told from zero: a grade less if the primary outcome is that
    amount, else a note. Nothing is said where no outcome is an amount.
    """
    known = tails[tails["steady"] != ""]
    if known.empty:
        return []
    changed = known[known["steady"] != "holds"]
    own = set(changed["outcome"]) or set(known["outcome"])
    outcome = plan.primary_outcome if plan.primary_outcome in own else sorted(own)[0]
    decides = plan.primary_outcome in set(changed["outcome"])
    values = {"outcome": outcome, "top_share": top_share.get(outcome, float("nan"))}
    return [Condition(name="few_large_payers", met=changed.empty, consequence="downgrade" if decides else "note", details=values)]
