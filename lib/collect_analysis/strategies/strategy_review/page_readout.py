"""The tables of a strategy review that need more than means: equal covariates, ratios, lasting effects, large payers."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures import arms
from collect_analysis.measures.cohort import Cohort, Outcome
from collect_analysis.methods.evidence import Condition, refused, withheld
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.multiplicity import simultaneous_level
from collect_analysis.methods.rates.resampling import bootstrap_t
from collect_analysis.methods.trials.experiments import KEYS, arm_means, at_horizon, compare_arms, compare_ratios
from collect_analysis.methods.trials.regression import variance_reduction
from collect_analysis.report.disclosure import suppress_small_cells
from collect_analysis.strategies import adjusted, experiment, fitness, verdict
from collect_analysis.strategies.experiment import NOT_ANSWERABLE, means_of, plan_of, strata_of, usable_covariates, weights_of
from collect_analysis.strategies.strategy_review.measures_tails import tail_sums
from collect_analysis.strategies.strategy_review.parameters import StrategyReview

TAILS = [*KEYS, "arm", "method", "base_mean", "mean", "value", "low", "high", "relative", "steady", "note"]
CONCENTRATION = [*KEYS, "arm", "clusters", "cases", "value", "numerator", "denominator", "note"]
# Where there is more than one way to an estimate, the order in which they are told.
METHODS = ("plain", "bootstrap_t", "winsorised", "largest_excluded")


def explained(book: Book, cohort: Cohort, params: StrategyReview, found: Sequence[Condition]) -> pd.DataFrame:
    """How much of the outcomes at the primary horizon the usable covariates explain (`adjusted.explained`)."""
    outcomes = [item for item in cohort.outcomes if item.horizon_days == params.horizon_days]
    return adjusted.explained(book, cohort, outcomes, usable_covariates(cohort, params, found), arms=params.arms)


def between(
    book: Book,
    cohort: Cohort,
    params: StrategyReview,
    found: Sequence[Condition],
    judged: Sequence[verdict.Verdict],
    *,
    means: pd.DataFrame,
) -> pd.DataFrame:
    """Is the chosen challenger told apart from those that come near it?

    The same estimate that decides, with the chosen challenger compared to each rival (`verdict.rivals`); intervals hold together over the
    rivals (Bonferroni). Columns: outcome, unit, horizon_days, arm (the chosen one), base (the rival), value, low, high, told_apart. Empty
    where nobody is promoted or nobody comes near.
    """
    columns = [*KEYS, "arm", "base", "value", "low", "high", "told_apart"]
    others = verdict.rivals(judged)
    if not others:
        return pd.DataFrame(columns=columns)
    best, level = verdict.overall(judged).arm, simultaneous_level(CONFIDENCE, len(others))
    primary = cohort.outcome(params.primary_outcome, params.horizon_days)
    covariates = usable_covariates(cohort, params, found)
    if covariates:
        strata = strata_of(book, cohort, params)
        names = () if strata is None else sorted(set(strata["stratum"]))
        everybody = [params.champion, *others]
        # All arms shape the fit, as they do where it decides; its level is for as many, so it is set anew.
        level = 1 - (1 - level) * len(everybody)
        table = adjusted.adjusted_comparison(book, cohort, primary, covariates, base=best, arms=everybody, strata=names, level=level)
    else:
        own = means[(means["outcome"] == primary.name) & (means["horizon_days"] == primary.horizon_days)]
        table = compare_arms(own[own["arm"].isin([best, *others])], base=best, level=level)
    table = table[table["arm"].isin(others)]
    turned = {"arm": table["base"], "base": table["arm"], "value": -table["value"], "low": -table["high"], "high": -table["low"]}
    apart = table.assign(**turned)
    return apart.assign(told_apart=(apart["low"] > 0) | (apart["high"] < 0))[columns].reset_index(drop=True)


def reduction(
    book: Book, cohort: Cohort, params: StrategyReview, found: Sequence[Condition], *, effects: pd.DataFrame, at_equal: pd.DataFrame
) -> pd.DataFrame:
    """What the covariates gave: the primary effect plain, with one slope (CUPED) and with slopes of its own (Lin), and their errors.

    Columns: as `regression.variance_reduction`, with outcome, unit, horizon_days. Empty where no covariate is usable.
    """
    if at_equal.empty:
        return variance_reduction({})
    primary = at_horizon(effects[effects["outcome"] == params.primary_outcome], params.horizon_days)
    one_slope = experiment.adjusted_effect(book, cohort, params, found, interacted=False)
    table = variance_reduction({"plain": primary, "cuped": one_slope, "lin": at_equal})
    return table.assign(**{name: at_equal[name].iloc[0] for name in KEYS})


def ratio_effects(
    book: Book,
    cohort: Cohort,
    params: StrategyReview,
    found: Sequence[Condition],
    *,
    name: Literal["cash_per_agent_minute", "liquidation"],
    over: str,
) -> pd.DataFrame:
    """Cash at the primary horizon per unit of `over`, by arm (`experiments.compare_ratios`): per agent minute, or of the balance owed.

    Columns as there, and outcome (`name`), unit (minor per minute, share of the balance).
    """
    weights = weights_of(book, cohort, params)
    sums = arms.ratio_sums(book, cohort, params.arms, over=over, horizon_days=params.horizon_days, weights=weights)
    table = withheld(compare_ratios(sums, base=params.champion), found, note=NOT_ANSWERABLE)
    return table.assign(outcome=name, unit="share" if name == "liquidation" else "minor")


def persistence(book: Book, cohort: Cohort, params: StrategyReview, *, effects: pd.DataFrame) -> pd.DataFrame:
    """Does an early gain last (`verdict.persistence`)? Empty where no outcome is read at two horizons, or no claim may be made."""
    known = effects.dropna(subset=["low", "high"])
    later_cohort, later = arms.after_early(cohort)
    if known.empty or not later:
        return verdict.persistence(known.iloc[:0], known.iloc[:0])
    after = compare_arms(means_of(book, later_cohort, params, later), base=params.champion)
    return verdict.persistence(known, after)


def amounts_of(cohort: Cohort, params: StrategyReview) -> list[Outcome]:
    """The outcomes at the primary horizon that a few large payers could decide: money, and the primary outcome where it is a number."""
    return [
        item
        for item in cohort.outcomes
        if item.horizon_days == params.horizon_days
        and (item.unit == "minor" or (item.unit == "count" and item.name == params.primary_outcome))
    ]


def tails(book: Book, cohort: Cohort, params: StrategyReview, found: Sequence[Condition]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Does the answer hang on a few large payers?

    Returns the effects by `method` (plain, bootstrap_t, winsorised, largest_excluded; `verdict.tail_table`) and, per arm, how many of the
    1 % of customers with the largest amounts it holds (`cases`) and which share of its cash they brought (`value`). Both are empty where no
    outcome is an amount or no claim may be made.
    """
    outcomes = [] if refused(found) else amounts_of(cohort, params)
    weights = weights_of(book, cohort, params) if outcomes else None
    effects, shares = [pd.DataFrame(columns=TAILS)], [pd.DataFrame(columns=CONCENTRATION)]
    for item in outcomes:
        sums = tail_sums(book, cohort, params.arms, item, seed=params.seed, weights=weights)
        plain = [
            compare_arms(arm_means(own.drop(columns="method")), base=params.champion).assign(method=method)
            for method, own in sums.sums.groupby("method", sort=False)
        ]
        drawn = bootstrap_t(sums.buckets, base=params.champion, seed=params.seed)
        known = plain[0].set_index("arm")
        means = {name: drawn["arm"].map(known[name]) for name in (*KEYS, "base_mean", "mean")}
        relative = drawn["value"] / means["base_mean"].where(means["base_mean"] > 0)
        effects += [*plain, drawn.assign(method="bootstrap_t", relative=relative, **means)]
        shares.append(sums.concentration.assign(outcome=item.name, unit="share", horizon_days=item.horizon_days, note=""))
    table = pd.concat([part for part in effects if len(part)] or effects[:1], ignore_index=True)
    order = pd.DataFrame({"outcome": table["outcome"], "arm": table["arm"], "place": table["method"].map(METHODS.index)})
    table = table.iloc[order.sort_values(["outcome", "arm", "place"]).index].reset_index(drop=True)
    concentration = pd.concat([part for part in shares if len(part)] or shares[:1], ignore_index=True)
    return verdict.tail_table(table)[TAILS], suppress_small_cells(concentration[CONCENTRATION], min_cell=params.min_cell)


def few_large_payers(params: StrategyReview, effects: pd.DataFrame, concentration: pd.DataFrame) -> list[Condition]:
    """Whether the answer hangs on a few large payers (`fitness.few_large_payers`), from the two tables of `tails`."""
    shares = {}
    for outcome, own in concentration.groupby("outcome"):
        cash = float(own["denominator"].sum())
        shares[str(outcome)] = float(own["numerator"].sum(skipna=False)) / cash if cash > 0 else np.nan
    return fitness.few_large_payers(plan_of(params), effects, shares)
