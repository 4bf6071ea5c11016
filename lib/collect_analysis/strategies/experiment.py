"""What every notebook about one experiment says the same way: who was planned and came, the conditions, the tables, the guardrails."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures import arms
from collect_analysis.measures.assignment import drawn_again
from collect_analysis.measures.balance import DAY_ZERO, Balance, balance
from collect_analysis.measures.cohort import BOOK_MONEY, Cohort, Covariate, Outcome
from collect_analysis.methods.evidence import Condition, refused, withheld
from collect_analysis.methods.rates.strata import post_stratified_means, stratum_weights
from collect_analysis.methods.trials.experiments import arm_means, at_horizon, compare_arms, with_rare_events
from collect_analysis.report import tables
from collect_analysis.report.disclosure import SUPPRESSED, suppress_small_cells
from collect_analysis.report.texts import formats, say
from collect_analysis.strategies import adjusted, fitness
from collect_analysis.strategies.fitness import Evidence, ReviewPlan
from collect_analysis.strategies.parameters import DeclaredExperiment
from collect_analysis.strategies.verdict import guardrail_table

# What the balance table's columns are headed as: codes of other columns would be translated otherwise.
_HEADED = {"variable": "covariate", "level": "known_level"}
NOT_ANSWERABLE = "not answerable: see the conditions that are not met"


def plan_of(params: DeclaredExperiment) -> ReviewPlan:
    """What the report file declared, as the conditions are judged from it."""
    values = {item.name: getattr(params, item.name) for item in fields(ReviewPlan)}
    return ReviewPlan(**{**values, "challengers": tuple(params.challengers)})


def means_of(
    book: Book, cohort: Cohort, params: DeclaredExperiment, outcomes: Sequence[Outcome], *, none_counts: bool = False
) -> pd.DataFrame:
    """Means by arm of these outcomes (`experiments.arm_means`); arms too small to be shown have none.

    Where the probabilities of assignment differ between strata, the means are those at the same mix of strata (`strata.post_stratified_means`).
    """
    within = strata_of(book, cohort, params) is not None and len(outcomes) > 0
    sums = arms.arm_sums(book, cohort, params.arms, outcomes, by_stratum=within)
    means = post_stratified_means if within else arm_means
    return suppress_small_cells(means(sums, none_counts=none_counts), min_cell=params.min_cell)


def fewest(arms_told: pd.DataFrame) -> int:
    """How many cases the smallest arm has (`cases`): what a contrast of whole arms rests on at least."""
    return int(arms_told["cases"].min()) if len(arms_told) else 0


def doses_of(book: Book, cohort: Cohort, params: DeclaredExperiment) -> pd.DataFrame:
    """How differently each challenger was worked (`experiments.compare_arms` of the doses); an arm that got none has a mean of 0."""
    return compare_arms(means_of(book, cohort, params, arms.dose_outcomes(cohort), none_counts=True), base=params.champion)


def strata_of(book: Book, cohort: Cohort, params: DeclaredExperiment) -> pd.DataFrame | None:
    """Who is in each arm of each stratum (`arms.strata_facts`), where arms must be compared within strata; else None."""
    facts = arms.arm_facts(book, cohort)
    strata = _strata(book, cohort, params, facts)
    return strata if fitness.assignment_strata(plan_of(params), facts, strata) else None


def _strata(book: Book, cohort: Cohort, params: DeclaredExperiment, facts: pd.DataFrame) -> pd.DataFrame | None:
    spread = (facts["propensity_high"] - facts["propensity_low"]).where(facts["arm"].isin(params.arms))
    return arms.strata_facts(book, cohort, params.arms) if (spread > fitness.SAME_PROPENSITY).any() else None


def weights_of(book: Book, cohort: Cohort, params: DeclaredExperiment) -> Mapping[tuple[str, str], float] | None:
    """What a case of each stratum and arm counts where arms must be compared within strata (`strata.stratum_weights`); else None."""
    strata = strata_of(book, cohort, params)
    return None if strata is None else stratum_weights(strata)


def conditions_of(
    book: Book, cohort: Cohort, params: DeclaredExperiment, *, means: pd.DataFrame, doses: pd.DataFrame, alike: Balance | None = None
) -> list[Condition]:
    """Which conditions does the test meet? Asks the book for what they need beside means, doses and balance (`alike`, where it is known)."""
    primary = cohort.outcome(params.primary_outcome, params.horizon_days)
    facts = arms.arm_facts(book, cohort)
    evidence = Evidence(
        facts=facts,
        shared=arms.shared_subjects(book, cohort, params.arms),
        open_share=arms.open_horizons(book, cohort, params.arms)[primary.horizon_days],
        flaws=arms.flaws(book, cohort, params.arms, [primary]),
        means=means[(means["outcome"] == primary.name) & (means["horizon_days"] == primary.horizon_days)],
        doses=doses,
        planned=cohort.planned,
        **declared_covariates(book, cohort, params),
        strata=_strata(book, cohort, params, facts),
        balance=alike or balance_of(book, cohort, params),
        salt=drawn_again(book, cohort, params.arms),
        reached=arms.reached_shares(book, cohort, params.arms, params.dose),
    )
    return [*fitness.requirements(plan_of(params), evidence), *cohort.delivered]


def declared_covariates(book: Book, cohort: Cohort, params: DeclaredExperiment) -> dict[str, Any]:
    """What is wrong with the declared covariates, and which of them can be adjusted for: late, incomplete, flat, usable of `Evidence`."""
    declared = adjusted.covariates_of(cohort, params.covariates)
    before = [item for item in declared if item.measured == "before"]
    incomplete = adjusted.missing_covariates(book, cohort, params.arms, before)
    flat = adjusted.flat_covariates(book, cohort, params.arms, before)
    usable = [item.name for item in before if item.name not in incomplete and item.name not in flat]
    late = [item.name for item in declared if item.measured != "before"]
    return {"late": late, "incomplete": incomplete, "flat": flat, "usable": usable}


def balance_of(book: Book, cohort: Cohort, params: DeclaredExperiment) -> Balance:
    """How alike the arms were before assignment (`balance.balance`), within strata where the assignment was stratified."""
    strata = strata_of(book, cohort, params)
    names = [] if strata is None else sorted(set(strata["stratum"].astype(str)))
    weights = None if strata is None else stratum_weights(strata)
    return balance(book, cohort, params.arms, min_cell=params.min_cell, strata=names, weights=weights)


def balance_table(alike: Balance, params: DeclaredExperiment) -> pd.DataFrame:
    """The table of a balance as it may leave: without the shares of levels that few subjects of an arm have.

    Where one level of a code alone is hidden, so is the next smallest: the shares of an arm sum to 1.
    """
    table = alike.table
    both = [table[mean].astype(float) * table[cases] for mean, cases in (("mean", "cases"), ("base_mean", "base_cases"))]
    counted = pd.concat([item.where((item > 0.5) & (table["level"] != "")) for item in both], axis=1).min(axis=1)
    hidden = counted < params.min_cell - 0.5
    for _, own in table[table["level"] != ""].groupby(["variable", "arm"]):
        left = counted[own.index][~hidden[own.index]].dropna()
        if hidden[own.index].sum() == 1 and len(left):
            hidden |= hidden.index == left.idxmin()
    numbers = {name: table[name].astype(float).mask(hidden) for name in ("mean", "base_mean", "standardised")}
    return table.assign(**numbers, note=np.where(hidden, SUPPRESSED.format(min_cell=params.min_cell), ""))


def balance_measures(alike: Balance) -> pd.DataFrame:
    """The joint test and the largest differences as rows: statistic (chi2, largest_difference, largest_distance), value, note."""
    table, joint = alike.table, alike.joint
    degrees = f"p {joint.p_value:.4g} on {joint.df:.0f} degrees of freedom" if joint.p_value == joint.p_value else ""
    rows = [
        ("chi2", joint.chi2, degrees),
        ("largest_difference", float(table["standardised"].abs().max()), ""),
        ("largest_distance", float(table["distance"].max()), ""),
    ]
    return pd.DataFrame(rows, columns=["statistic", "value", "note"])


def show_balance(table: pd.DataFrame, params: DeclaredExperiment, cohort: Cohort, currency: str) -> tables.ShownTable:
    """The balance table as a manager reads it: days as days, levels of codes as shares, of each code the level that differs most."""
    if table.empty:
        return tables.show(pd.DataFrame({"note": [say("no_balance_known", params.lang)]}), lang=params.lang)
    largest = table["standardised"].abs().fillna(0).groupby([table["variable"], table["arm"]]).transform("max")
    shown = table[(table["kind"] != "code") | (table["standardised"].abs() >= largest)].copy()
    money = frozenset() if cohort.supplied else BOOK_MONEY
    for name in ("mean", "base_mean"):
        shown[name] = [
            _written(value, row, money, params.lang, currency) for value, row in zip(shown[name], shown.to_dict("records"), strict=True)
        ]
    columns = ["variable", *(["level"] if (shown["level"] != "").any() else []), "arm", "base_mean", "mean", "standardised", "distance"]
    columns = [name for name in columns if name != "arm" or len(params.challengers) > 1]
    named = [_HEADED.get(name, name) for name in columns]
    return tables.show(shown.rename(columns=_HEADED), lang=params.lang, columns=named)


def _written(value: float, row: Mapping[Hashable, Any], money: Collection[str], lang: str, currency: str) -> str:
    """The mean of a variable: of a day the day, of a code the share, else the number."""
    if pd.isna(value):
        return formats.UNDEFINED
    if row["level"]:
        return formats.share(value, lang)
    if row["kind"] == "day":
        return formats.day(DAY_ZERO + timedelta(days=round(value)), lang)
    unit = "minor" if row["variable"] in money or str(row["variable"]).endswith("_minor") else "count"
    return formats.with_unit(value, unit, lang, currency=currency, compact=True)


def usable_covariates(cohort: Cohort, params: DeclaredExperiment, found: Sequence[Condition]) -> list[Covariate]:
    """The declared covariates that were measured before assignment, are known of everybody and vary; none if no claim may be made."""
    if refused(found):
        return []
    left_out = {name for item in found if item.name.startswith("covariates_") for name in item.details["covariates"]}  # type: ignore[attr-defined]
    return [item for item in adjusted.covariates_of(cohort, params.covariates) if item.name not in left_out]


def show(
    table: pd.DataFrame,
    params: DeclaredExperiment,
    cohort: Cohort,
    *,
    columns: Sequence[str],
    percent: Sequence[str] = (),
    by_unit: Sequence[str] = (),
    currency: str = "",
    reason: str = "",
    optional: Sequence[str] = (),
) -> tables.ShownTable:
    """A recorded table of effects as a manager reads it, or the `reason` (a key of the catalogue) why there is none.

    The primary outcome comes first, the arm is named where there are several challengers, supplied outcomes are called as their mapping
    labels them, and `value` is headed as the difference it is. Columns named in `optional` are shown where a row has something in them.
    """
    if table.empty and reason:
        return tables.show(pd.DataFrame({"note": [say(reason, params.lang)]}), lang=params.lang)
    shown = named(table, params, cohort).rename(columns={"value": "difference"})
    if len(params.challengers) == 1:
        columns = [name for name in columns if name != "arm"]
    columns = [name for name in columns if name not in optional or shown[name].notna().any()]
    return tables.show(shown, lang=params.lang, columns=columns, percent=percent, by_unit=by_unit, currency=currency)


def named(table: pd.DataFrame, params: DeclaredExperiment, cohort: Cohort) -> pd.DataFrame:
    """The table with the primary outcome first, and supplied outcomes by the label of their mapping."""
    if "outcome" not in table.columns:
        return table
    ordered = table.iloc[np.argsort(table["outcome"].ne(params.primary_outcome).to_numpy(), kind="stable")].reset_index(drop=True)
    labels = {item.name: item.label[params.lang] for item in cohort.outcomes if params.lang in item.label}
    return ordered.assign(outcome=ordered["outcome"].replace(labels)) if labels else ordered


def allocation_table(params: DeclaredExperiment, facts: pd.DataFrame, strata: pd.DataFrame | None = None) -> pd.DataFrame:
    """Who was planned and who came: arm, role, share (planned), cases, clusters, actual (share), first_assigned, last_assigned.

    With `strata` (`strata_of`) a row per stratum and arm, shares those within the stratum, and `stratum` as the first column.
    """
    plan = plan_of(params)
    shares = fitness.planned_shares(plan, facts, strata)
    table = facts.set_index("arm").reindex(plan.arms).rename_axis("arm").reset_index()
    table["role"] = table["role"].fillna("").mask(lambda role: role == "", ["champion", *["challenger"] * len(params.challengers)])
    columns = ["arm", "role", "share", "cases", "clusters", "actual", "first_assigned", "last_assigned"]
    if strata is None:
        planned = pd.Series([shares[arm] for arm in plan.arms])
        total = table["clusters"].sum()
        return table.assign(share=planned / planned.sum(), actual=table["clusters"] / total if total else np.nan)[columns]
    told = table[["arm", "role", "first_assigned", "last_assigned"]]
    place = {arm: position for position, arm in enumerate(plan.arms)}
    joined = strata.merge(told, on="arm").sort_values(["stratum", "arm"], key=lambda item: item.replace(place), ignore_index=True)
    of_stratum = joined.groupby("stratum")
    share = joined["propensity_low"] / of_stratum["propensity_low"].transform("sum")
    return joined.assign(share=share, actual=joined["clusters"] / of_stratum["clusters"].transform("sum"))[["stratum", *columns]]


def guardrails_of(book: Book, cohort: Cohort, params: DeclaredExperiment, found: Sequence[Condition]) -> pd.DataFrame:
    """Did anything the report file guards get worse? (`verdict.guardrail_table`), a row per guardrail and challenger."""
    outcomes = arms.guardrail_outcomes(cohort, list(params.guardrails))
    effects = with_rare_events(compare_arms(means_of(book, cohort, params, outcomes, none_counts=True), base=params.champion))
    own_horizon = {item.name: item.horizon_days for item in reversed(outcomes)}
    effects = effects[effects["horizon_days"] == effects["outcome"].map(own_horizon)]
    table = guardrail_table(withheld(effects, found, note=NOT_ANSWERABLE), params.guardrails)
    return pd.concat([table, _untold(cohort, params)], ignore_index=True) if set(cohort.untold) & set(params.guardrails) else table


def _untold(cohort: Cohort, params: DeclaredExperiment) -> pd.DataFrame:
    """A row per guardrail that the book cannot tell of and challenger: unknown, with the reason."""
    return pd.DataFrame(
        [
            {
                "outcome": name,
                "horizon_days": params.horizon_days,
                "arm": arm,
                "margin": margin,
                "status": "unknown",
                "note": cohort.untold[name],
            }
            for name, margin in params.guardrails.items()
            for arm in params.challengers
            if name in cohort.untold
        ]
    )


def adjusted_effect(
    book: Book, cohort: Cohort, params: DeclaredExperiment, found: Sequence[Condition], *, interacted: bool = True
) -> pd.DataFrame:
    """The primary effect at equal covariates (`adjusted.adjusted_comparison`), within strata where the assignment was stratified."""
    strata = strata_of(book, cohort, params)
    return adjusted.adjusted_comparison(
        book,
        cohort,
        cohort.outcome(params.primary_outcome, params.horizon_days),
        usable_covariates(cohort, params, found),
        base=params.champion,
        arms=params.challengers,
        strata=() if strata is None else sorted(set(strata["stratum"])),
        interacted=interacted,
    )


def deciding_effect(book: Book, cohort: Cohort, params: DeclaredExperiment, found: Sequence[Condition]) -> pd.DataFrame:
    """The primary effect as every report about a test says it, a row per challenger, columns as `experiments.compare_arms`.

    At equal covariates where covariates are declared and usable, else the plain difference of all who were assigned.
    """
    primary = cohort.outcome(params.primary_outcome, params.horizon_days)
    means = at_horizon(means_of(book, cohort, params, [primary]), params.horizon_days)
    plain = withheld(compare_arms(means, base=params.champion), found, note=NOT_ANSWERABLE)
    at_equal = adjusted_effect(book, cohort, params, found)
    if at_equal.empty:
        return plain
    counted = plain.set_index("arm")[["cases", "base_cases"]]
    told = at_equal.merge(counted, left_on="arm", right_index=True)
    return told.assign(mean=told["base_mean"] + told["value"])
