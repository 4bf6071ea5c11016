"""A test design assembled from history, draw and parameters: its size, its conditions, what it can detect, the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from collect_analysis.book.presence import delivered
from collect_analysis.book.store import Book
from collect_analysis.measures import arms, assignment
from collect_analysis.measures.assignment import Draw, DrawPlan
from collect_analysis.measures.cohort import AMOUNT, PAYER, Outcome, open_cohort
from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.methods.rates.levels import ERROR
from collect_analysis.methods.trials import aa_test, test_plan
from collect_analysis.methods.trials.assignment import standardised_differences
from collect_analysis.strategies import adjusted
from collect_analysis.strategies.test_design import decision, measures_history
from collect_analysis.strategies.test_design.decision import Design, DesignFacts, DesignVerdict
from collect_analysis.strategies.test_design.measures_history import History, Population
from collect_analysis.strategies.test_design.parameters import TestDesign

NOT_ANSWERABLE = "not answerable: see the conditions that are not met"
# Months of enrolment, or parts of the population, that the grid of sizes shows beside the declared one.
_MONTHS = (1, 2, 3, 6, 9, 12, 18, 24)
_PARTS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
_SPLITS = (0.5, 0.4, 0.3, 0.2, 0.1, 0.05)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large the test would be: accounts it would have, as many as it could have in the same time, those that enter per month, those
    assigned on the first day (0: all as they enter); its shares; what looks and clusters cost.
    """

    available: float
    largest: float
    per_month: float
    at_once: float
    share: float
    base_share: float
    level: float
    inflation: float
    treated_effect: float

    @property
    def how(self) -> dict[str, float]:
        """What every table of what is detectable takes beside the size."""
        return {"level": self.level, "inflation": self.inflation, "treated_effect": self.treated_effect}


def population_of(params: TestDesign) -> Population:
    """Whom the report file describes."""
    return Population(
        source=params.source,
        portfolios=tuple(params.portfolios),
        products=tuple(params.products),
        buckets=tuple(params.buckets),
        regions=tuple(params.regions),
        min_balance_minor=params.min_balance_minor,
        max_balance_minor=params.max_balance_minor,
    )


def history_of(book: Book, params: TestDesign) -> History:
    """What the book, or a supplied cohort where the report file names one, tells of the population.

    Raises
    ------
    DataError
        There is neither, a filter or covariate is unknown, or the primary outcome is; nothing tells which arm of the supplied cohort stands for
        the champion.
    """
    if params.history_experiment_id:
        cohort = open_cohort(book, params.history_experiment_id, arms=[], horizon_days=params.horizon_days)
        cohort = replace(cohort, outcomes=tuple(item for item in cohort.outcomes if item.horizon_days == params.horizon_days))
        arm = measures_history.arm_as_now(book, cohort, champion=params.champion, named=params.history_arm)
        found = measures_history.supplied_history(book, cohort, arm=arm, covariates=params.covariates)
    else:
        found = measures_history.open_history(
            book,
            population_of(params),
            horizon_days=params.horizon_days,
            months=params.history_months,
            covariates=params.covariates,
        )
    # Both refuse by name what history does not hold.
    found.cohort.outcome(params.primary_outcome, params.horizon_days)
    adjusted.covariates_of(found.cohort, params.covariates)
    return found


def outcomes_of(found: History, params: TestDesign) -> list[Outcome]:
    """The outcomes planned for, the primary one first."""
    return sorted(found.cohort.outcomes, key=lambda item: (item.name != params.primary_outcome, item.name))


def used_covariates(found: History, params: TestDesign) -> list[str]:
    """The declared covariates that history knows of everybody."""
    known = {item.name for item in found.cohort.covariates if item.measured == "before"}
    return [name for name in params.covariates if name in known and name not in found.gaps]


def correlations(book: Book, found: History, params: TestDesign) -> pd.DataFrame:
    """How closely does each covariate, and all together, go with each outcome? outcome, covariates, correlation, variance_kept (1 - ρ²)."""
    names = used_covariates(found, params)
    outcomes = outcomes_of(found, params)
    columns = ["outcome", "covariates", "correlation", "variance_kept"]
    if not names or not found.months:
        return pd.DataFrame(columns=columns)
    products = measures_history.products_of(book, found.cohort, outcomes, [item for item in found.cohort.covariates if item.name in names])
    rows = []
    for item in outcomes:
        groups = [[name] for name in names] + ([names] if len(names) > 1 else [])
        for group in groups:
            rho = test_plan.explained(products, item.name, group)
            rows.append({"outcome": item.name, "covariates": ", ".join(group), "correlation": rho, "variance_kept": 1 - rho**2})
    return pd.DataFrame(rows, columns=columns)


def planning_values(sums: pd.DataFrame, related: pd.DataFrame, found: History, params: TestDesign) -> pd.DataFrame:
    """What every size stands on, columns `test_plan.PLANNED`: one row per outcome, the primary one first; NaN where history is silent."""
    means = test_plan.pooled_means(sums).set_index("outcome")
    strongest = related.groupby("outcome")["correlation"].max()
    rows = []
    for item in outcomes_of(found, params):
        known = means.loc[item.name] if item.name in means.index else None
        row: dict[str, object] = {"outcome": item.name, "unit": item.unit, "horizon_days": item.horizon_days}
        row |= {name: float(str(known[name])) if known is not None else np.nan for name in ("value", "cv", "design_effect")}
        row["correlation"] = float(strongest.get(item.name, 0.0))
        rows.append({**row, "note": str(known["note"]) if known is not None else "no past cohort whose horizon is over"})
    return pd.DataFrame(rows, columns=test_plan.PLANNED)


def payers_of(sums: pd.DataFrame, params: TestDesign) -> float:
    """How many past cases had a result above zero in the primary outcome?"""
    own = sums[(sums["outcome"] == params.primary_outcome) & (sums["note"].fillna("") == "")]
    return float(own["positive"].sum())


def clusters_of(book: Book, found: History, sums: pd.DataFrame, params: TestDesign) -> pd.DataFrame:
    """What do whole customers, and whole officers, cost? `test_plan.cluster_facts` with the kind of cluster in `treated_by`."""
    parts = [test_plan.cluster_facts(test_plan.pooled_means(sums)).assign(treated_by="customer")]
    officers = measures_history.by_officer(found.cohort)
    if officers is not None and found.months:
        worked = arms.arm_sums(book, officers, found.months, officers.outcomes)
        parts.append(test_plan.cluster_facts(test_plan.pooled_means(worked[worked["cases"] > 0])).assign(treated_by="officer"))
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    columns = ["treated_by", "outcome", "groups", "size", "seen_size", "icc", "design_effect"]
    return table[columns].sort_values(["treated_by", "outcome"], ignore_index=True)


def size_of(found: History, clusters: pd.DataFrame, params: TestDesign) -> Size:
    """How large would the test be, and what do its looks and its clusters cost?

    With several challengers the level is shared among them (0.05 / challengers each), as an adjustment for several comparisons asks.
    """
    shares = params.planned_shares
    # A supplied history with dates tells how many came; without dates only how many there were.
    enters = found.per_month > 0 if params.history_experiment_id else params.source == "entry"
    largest = found.per_month * params.enrol_months if enters else found.available
    return Size(
        available=largest * params.test_share,
        largest=largest,
        per_month=found.per_month * params.test_share,
        at_once=0.0 if enters else found.available,
        share=min(shares[arm] for arm in params.challengers),
        base_share=shares[params.champion],
        level=1 - ERROR / len(params.challengers),
        inflation=test_plan.looks_inflation(params.looks, spending=params.spending, power=params.power),
        treated_effect=_treated_effect(clusters, params),
    )


def _treated_effect(clusters: pd.DataFrame, params: TestDesign) -> float:
    """The design effect where whole officers are treated: from the report file, else what history shows of the primary outcome."""
    if params.treated_by == "customer":
        return 1.0
    own = clusters[(clusters["treated_by"] == "officer") & (clusters["outcome"] == params.primary_outcome)]
    size = params.officer_accounts or (float(own["seen_size"].iloc[0]) if len(own) else 1.0)
    icc = params.officer_icc or (max(float(own["icc"].iloc[0]), 0.0) if len(own) else 0.0)
    return float(test_plan.design_effect(size, icc))


def draw_of(book: Book, found: History, params: TestDesign) -> Draw | None:
    """The draw of those who can be assigned now; None where nobody can."""
    if found.current is None or found.available < 1:
        return None
    return assignment.draw(book, found.current, draw_plan(params))


def draw_plan(params: TestDesign) -> DrawPlan:
    """How the report file wants customers drawn, champion first."""
    return DrawPlan(
        experiment_id=params.experiment_id,
        salt=params.salt,
        shares={arm: params.planned_shares[arm] for arm in params.arms},
        mode=params.draw,
        strata=tuple(params.strata),
        balance_cuts=tuple(params.balance_cuts),
        score_cuts=tuple(params.score_cuts),
        test_share=params.test_share,
    )


def false_positives_of(book: Book, found: History, params: TestDesign) -> pd.DataFrame:
    """`aa_test.false_positives` over the past cohorts, the primary outcome first: draw, join, metric as in the test itself."""
    outcomes = outcomes_of(found, params)
    empty = aa_test.false_positives(pd.DataFrame(columns=["outcome", "horizon_days", "p_value"]))
    if not found.months:
        return empty
    bucket = assignment.hash_buckets(found.cohort.table["cluster_key"], params.salt)
    sums = measures_history.bucket_sums(book, found.cohort, outcomes, bucket)
    if sums.empty:
        return empty
    drawn = aa_test.redraws(sums, draw_plan(params).shares, base=params.champion, draws=params.aa_draws, seed=params.seed)
    rates = aa_test.false_positives(drawn)
    return rates.iloc[np.argsort(rates["outcome"].ne(params.primary_outcome).to_numpy(), kind="stable")].reset_index(drop=True)


def base_share_of(sums: pd.DataFrame, params: TestDesign) -> float:
    """Share of past cases with a result in the primary outcome; NaN where it is no yes/no outcome or history is silent."""
    means = test_plan.pooled_means(sums)
    own = means[(means["outcome"] == params.primary_outcome) & (means["unit"] == "share")]
    return float(own["value"].iloc[0]) if len(own) else float("nan")


def conditions_of(
    book: Book, found: History, drawn: Draw | None, params: TestDesign, *, sums: pd.DataFrame, false_positives: pd.DataFrame
) -> list[Condition]:
    """Which conditions does the design meet?"""
    supplied = found.current is None and bool(params.history_experiment_id)
    counts = assignment.arm_counts(book, drawn) if drawn else None
    facts = DesignFacts(
        horizon_days=params.horizon_days,
        min_cell=params.min_cell,
        customers=None if supplied else int(counts["customers"].sum()) if counts is not None else 0,
        cohorts=len(found.months),
        months_known=found.months_known,
        supplied=supplied,
        payers=payers_of(sums, params),
        base_share=base_share_of(sums, params),
        margin=params.margin_relative,
        false_positives=false_positives,
        strata=assignment.strata_table(book, drawn) if drawn else None,
        balance=balance_of(book, drawn, params) if drawn else None,
        block=drawn.block if drawn else 1,
        several=assignment.in_several_arms(book, drawn) if drawn else 0,
        gaps=found.gaps,
    )
    whole = (
        found.cohort.delivered if params.history_experiment_id else (delivered(*measures_history.gaps_of(book), consequence="downgrade"),)
    )
    return [*decision.requirements(facts), *whole]


def answerable(planned: pd.DataFrame, found: Sequence[Condition]) -> pd.DataFrame:
    """The planning values, or without them where a refusing condition is not met: no size may be read off a guess."""
    if not refused(found):
        return planned
    return planned.assign(value=np.nan, cv=np.nan, design_effect=np.nan, correlation=0.0, note=NOT_ANSWERABLE)


def plan_of(planned: pd.DataFrame, size: Size, params: TestDesign) -> pd.DataFrame:
    """The first table shown (`test_plan.plan_table`) with the weeks to enrol what the margin needs, in column `enrol_weeks`."""
    table = _plan(planned, size, params, share=size.share, base_share=size.base_share)
    weeks = [test_plan.weeks_to_enrol(needed, size.per_month, at_once=size.at_once) for needed in table["accounts_needed"]]
    return table.assign(enrol_weeks=weeks)


def _plan(planned: pd.DataFrame, size: Size, params: TestDesign, *, share: float, base_share: float) -> pd.DataFrame:
    return test_plan.plan_table(
        planned,
        cases=size.available,
        share=share,
        base_share=base_share,
        margin=params.margin_relative,
        power=params.power,
        **size.how,
    )


def grid_of(planned: pd.DataFrame, size: Size, params: TestDesign) -> pd.DataFrame:
    """`test_plan.grid` over months of enrolment (entries) or parts of the population (stock), and the sizes the report file names."""
    if size.at_once:
        sizes = [size.largest * part for part in {*_PARTS, params.test_share}]
    else:
        sizes = [size.per_month * months for months in {*_MONTHS, params.enrol_months}]
    sizes = [float(np.floor(item)) for item in [*sizes, *map(float, params.sizes)] if item >= 1]
    return test_plan.grid(
        planned,
        sizes,
        per_month=size.per_month,
        at_once=size.at_once,
        share=size.share,
        base_share=size.base_share,
        margin=params.margin_relative,
        power=params.power,
        **size.how,
    )


def splits_of(planned: pd.DataFrame, size: Size, params: TestDesign) -> pd.DataFrame:
    """`test_plan.splits` at the size of the test."""
    how = {"power": params.power, **size.how}
    return test_plan.splits(planned, _SPLITS, cases=size.available, margin=params.margin_relative, **how)


def verdict_of(plan: pd.DataFrame, planned: pd.DataFrame, size: Size, found: Sequence[Condition], params: TestDesign) -> DesignVerdict:
    """Run, enlarge, lengthen, change the metric, do not test, or no answer: `plan` of `plan_of`, from the `planned` values it stands on."""
    even = _plan(planned, size, params, share=1 / len(params.arms), base_share=1 / len(params.arms))
    equal = even.loc[(even["outcome"] == params.primary_outcome) & even["adjusted"], "accounts_needed"]
    design = Design(
        outcome=params.primary_outcome,
        available=size.available,
        largest=size.largest,
        per_month=size.per_month,
        at_once=size.at_once,
        most_weeks=params.most_weeks,
        equal_needed=float(equal.iloc[0]),
    )
    return decision.judge(plan, design, found)


def history_of_months(sums: pd.DataFrame) -> pd.DataFrame:
    """What past cohorts paid (`test_plan.history_table`)."""
    names = set(sums["outcome"])
    money = next((str(name) for name in sums.loc[sums["unit"] == "minor", "outcome"]), AMOUNT)
    payers = next((str(name) for name in sums.loc[sums["unit"] == "share", "outcome"]), PAYER)
    return test_plan.history_table(sums, amount=money if money in names else "", payers=payers if payers in names else "")


def balance_of(book: Book, drawn: Draw, params: TestDesign) -> pd.DataFrame:
    """Are the arms alike (`assignment.standardised_differences`)?"""
    return standardised_differences(assignment.balance_sums(book, drawn), base=params.champion)
