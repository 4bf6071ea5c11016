"""A strategy review in words: its conditions, its tables' reasons, the decision somebody is asked to sign."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.decisions import fitness
from collect_analysis.decisions.fitness import Evidence, Requirement, ReviewPlan
from collect_analysis.decisions.verdict import Claim, Verdict, faded, guardrail_table, judge, overall
from collect_analysis.measures import adjusted, arms
from collect_analysis.measures.cohort import Cohort, Covariate, Outcome
from collect_analysis.methods.evidence import Condition, Grade
from collect_analysis.methods.experiments import arm_means, at_horizon, compare_arms
from collect_analysis.reporting import tables, texts
from collect_analysis.reporting.disclosure import suppress_small_cells
from collect_analysis.reporting.kinds.strategy_review import StrategyReview
from collect_analysis.reporting.results import Decision
from collect_analysis.reporting.texts import formats, say

NOT_ANSWERABLE = "not answerable: see the conditions that are not met"


def plan_of(params: StrategyReview) -> ReviewPlan:
    """What the report file declared, as the conditions are judged from it."""
    values = {item.name: getattr(params, item.name) for item in fields(ReviewPlan)}
    return ReviewPlan(**{**values, "challengers": tuple(params.challengers)})


def means_of(book: Book, cohort: Cohort, params: StrategyReview, outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Means by arm of these outcomes (`experiments.arm_means`); arms too small to be shown have none."""
    return suppress_small_cells(arm_means(arms.arm_sums(book, cohort, params.arms, outcomes)), min_cell=params.min_cell)


def conditions_of(book: Book, cohort: Cohort, params: StrategyReview, *, means: pd.DataFrame, doses: pd.DataFrame) -> list[Requirement]:
    """Which conditions does the test meet? Asks the book for what they need beside means and doses."""
    primary = cohort.outcome(params.primary_outcome, params.horizon_days)
    declared = adjusted.covariates_of(cohort, params.covariates)
    evidence = Evidence(
        facts=arms.arm_facts(book, cohort),
        shared=arms.shared_subjects(book, cohort, params.arms),
        open_share=arms.open_horizons(book, cohort, params.arms)[primary.horizon_days],
        flaws=arms.flaws(book, cohort, params.arms, [primary]),
        means=means[(means["outcome"] == primary.name) & (means["horizon_days"] == primary.horizon_days)],
        doses=doses,
        planned=cohort.planned,
        late=[item.name for item in declared if item.measured != "before"],
        incomplete=adjusted.missing_covariates(book, cohort, params.arms, [item for item in declared if item.measured == "before"]),
    )
    return fitness.requirements(plan_of(params), evidence)


def usable_covariates(cohort: Cohort, params: StrategyReview, found: Sequence[Requirement]) -> list[Covariate]:
    """The declared covariates that were measured before assignment and are known of everybody; none if no claim may be made."""
    if fitness.refused(found):
        return []
    left_out = {name for item in found if item.code.startswith("covariates_") for name in item.details["covariates"]}  # type: ignore[attr-defined]
    return [item for item in adjusted.covariates_of(cohort, params.covariates) if item.name not in left_out]


def worded(found: Sequence[Requirement], lang: str) -> list[Condition]:
    """The conditions in the language of the page, as checks and for the grade."""
    return [
        Condition(
            name=item.code,
            met=item.met,
            detail=say(f"condition_{item.code}_{'met' if item.met else 'unmet'}", lang, **_written(item, lang)),
            consequence=item.consequence,
            remedy="" if item.met else say(f"condition_{item.code}_remedy", lang, **_written(item, lang)),
        )
        for item in found
    ]


def _written(item: Requirement, lang: str) -> dict[str, str]:
    """The numbers of a condition as the language writes them."""
    written = {}
    for name, value in item.details.items():
        if isinstance(value, (list, tuple)):
            written[name] = ", ".join(str(entry) for entry in value)
        elif name.endswith("_share"):
            written[name] = formats.share(float(str(value)), lang)
        elif isinstance(value, (int, float)):
            digits = 0 if float(value).is_integer() else formats.digits_for([float(value)], 3)
            written[name] = formats.number(float(value), lang, digits=digits)
        else:
            written[name] = texts.value("outcome", str(value), lang)
    return written


def show(
    table: pd.DataFrame,
    params: StrategyReview,
    cohort: Cohort,
    *,
    columns: Sequence[str],
    percent: Sequence[str] = (),
    by_unit: Sequence[str] = (),
    currency: str = "",
    reason: str = "",
) -> tables.ShownTable:
    """A recorded table of effects as a manager reads it, or the `reason` (a key of the catalogue) why there is none.

    The primary outcome comes first, the arm is named where there are several challengers, supplied outcomes are called as their mapping
    labels them, and `value` is headed as the difference it is.
    """
    if table.empty and reason:
        return tables.show(pd.DataFrame({"note": [say(reason, params.lang)]}), lang=params.lang)
    shown = named(table, params, cohort).rename(columns={"value": "difference"})
    if len(params.challengers) == 1:
        columns = [name for name in columns if name != "arm"]
    return tables.show(shown, lang=params.lang, columns=columns, percent=percent, by_unit=by_unit, currency=currency)


def named(table: pd.DataFrame, params: StrategyReview, cohort: Cohort) -> pd.DataFrame:
    """The table with the primary outcome first, and supplied outcomes by the label of their mapping."""
    if "outcome" not in table.columns:
        return table
    ordered = table.iloc[np.argsort(table["outcome"].ne(params.primary_outcome).to_numpy(), kind="stable")].reset_index(drop=True)
    labels = {item.name: item.label[params.lang] for item in cohort.outcomes if params.lang in item.label}
    return ordered.assign(outcome=ordered["outcome"].replace(labels)) if labels else ordered


def allocation_table(params: StrategyReview, facts: pd.DataFrame) -> pd.DataFrame:
    """Who was planned and who came: arm, role, share (planned), cases, clusters, actual (share), first_assigned, last_assigned."""
    plan = plan_of(params)
    shares = fitness.planned_shares(plan, facts)
    table = facts.set_index("arm").reindex(plan.arms).rename_axis("arm").reset_index()
    table["role"] = table["role"].fillna("").mask(lambda role: role == "", ["champion", *["challenger"] * len(params.challengers)])
    planned = pd.Series([shares[arm] for arm in plan.arms])
    total = table["clusters"].sum()
    table = table.assign(share=planned / planned.sum(), actual=table["clusters"] / total if total else np.nan)
    return table[["arm", "role", "share", "cases", "clusters", "actual", "first_assigned", "last_assigned"]]


def guardrails_of(book: Book, cohort: Cohort, params: StrategyReview, found: Sequence[Requirement]) -> pd.DataFrame:
    """Did anything the report file guards get worse? (`verdict.guardrail_table`), a row per guardrail and challenger."""
    outcomes = arms.guardrail_outcomes(cohort, list(params.guardrails))
    effects = compare_arms(means_of(book, cohort, params, outcomes), base=params.champion)
    own_horizon = {item.name: item.horizon_days for item in reversed(outcomes)}
    effects = effects[effects["horizon_days"] == effects["outcome"].map(own_horizon)]
    return guardrail_table(fitness.claimable(effects, found, note=NOT_ANSWERABLE), params.guardrails).reset_index(drop=True)


def verdicts(
    params: StrategyReview,
    found: Sequence[Requirement],
    *,
    effects: pd.DataFrame,
    adjusted_effects: pd.DataFrame,
    guardrails: pd.DataFrame,
    per_minute: pd.DataFrame,
    detectable: pd.DataFrame,
) -> list[Verdict]:
    """What should happen with each challenger? The adjusted effect decides where covariates are declared and usable, else the plain one."""
    evidence = fitness.grade_of(plan_of(params), found)
    primary = at_horizon(effects[effects["outcome"] == params.primary_outcome], params.horizon_days)
    deciding = (adjusted_effects if len(adjusted_effects) else primary).set_index("arm")
    needed = detectable[detectable["outcome"] == params.primary_outcome].set_index("arm")["needed"]
    crowded = any(item.code == "capacity_alike" and not item.met for item in found)
    ratios = per_minute.set_index("arm")["relative_low"]
    claims = [
        Claim(
            arm=arm,
            **{name: float(deciding[name].get(arm, np.nan)) for name in ("value", "low", "high", "p_adjusted")},
            **{name: float(deciding[name].get(arm, np.nan)) for name in ("relative", "relative_low", "relative_high")},
            guardrails={str(row["outcome"]): row["status"] for row in guardrails[guardrails["arm"] == arm].to_dict("records")},
            needed=float(needed.get(arm, np.nan)),
            per_minute_low=float(ratios.get(arm, np.nan)) if crowded else None,
            faded=any(faded(effects, arm=arm, outcome=outcome) for outcome in effects["outcome"].unique()),
        )
        for arm in params.challengers
    ]
    return [judge(claim, evidence=evidence, min_grade=params.min_grade, margin=params.margin_relative) for claim in claims]


def verdict_table(found: Sequence[Verdict]) -> pd.DataFrame:
    """One row per challenger: arm, action, reason, relative, relative_low, relative_high, p_adjusted."""
    columns = ["relative", "relative_low", "relative_high", "p_adjusted"]
    rows = [
        {"arm": item.arm, "action": item.action, "reason": item.reason, **{key: getattr(item.claim, key) for key in columns}}
        for item in found
    ]
    return pd.DataFrame(rows, columns=["arm", "action", "reason", *columns])


def decision_of(
    params: StrategyReview,
    cohort: Cohort,
    currency: str,
    found: Sequence[Requirement],
    judged: Sequence[Verdict],
    *,
    detectable: pd.DataFrame,
) -> Decision:
    """What somebody is asked to sign: the best-founded verdict over all challengers, with what it rests on and what it predicts."""
    lang, best = params.lang, overall(judged)
    primary = cohort.outcome(params.primary_outcome, params.horizon_days)
    outcome = primary.label.get(lang, texts.value("outcome", primary.name, lang))
    in_sentence = outcome[:1].lower() + outcome[1:]
    evidence: Grade = fitness.grade_of(plan_of(params), found)
    words = _effect_words(best, in_sentence, primary, params, currency)
    answer = say(f"answer_{best.action}_{best.reason}", lang, **words)
    own = detectable[(detectable["outcome"] == primary.name) & (detectable["arm"] == best.arm)]
    least = formats.share(float(own["detectable"].iloc[0]) if len(own) else None, lang)
    missing = " ".join(f"{item.detail} {item.remedy}".strip() for item in worded(fitness.refused(found), lang))
    confidence = say("confidence_none", lang, missing=missing) if evidence == "none" else say("confidence", lang, **words, least=least)
    forecast: dict[str, object] = {}
    if best.action != "refuse":
        numbers = {"value": best.claim.value, "low": best.claim.low, "high": best.claim.high, "unit": primary.unit}
        forecast = {"metric": outcome, "arm": best.arm, "base": params.champion, "horizon_days": primary.horizon_days, **numbers}
    action: dict[str, object] = {"action": best.action, "arm": best.arm, "reason": best.reason}
    if best.reason in ("not_distinguishable", "below_margin") and np.isfinite(best.claim.needed):
        action["needed_cases"] = best.claim.needed
    question = say("question", lang, champion=params.champion, challengers=", ".join(params.challengers), experiment=params.experiment_id)
    caveats = _caveats(params, found, judged)
    return Decision(
        question=question, answer=answer, confidence=confidence, grade=evidence, caveats=caveats, forecast=forecast, action=action
    )


def _effect_words(best: Verdict, outcome: str, primary: Outcome, params: StrategyReview, currency: str) -> dict[str, str]:
    lang, claim = params.lang, best.claim

    def absolute(value: float) -> str:
        return formats.with_unit(value, primary.unit, lang, currency=currency)

    def relative(value: float) -> str:
        return formats.share(value, lang)

    return {
        "arm": best.arm,
        "champion": params.champion,
        "outcome": outcome,
        "days": formats.number(primary.horizon_days, lang),
        "value": absolute(claim.value),
        "low": absolute(claim.low),
        "high": absolute(claim.high),
        "relative": relative(claim.relative),
        "relative_low": relative(claim.relative_low),
        "relative_high": relative(claim.relative_high),
        "margin": relative(params.margin_relative),
        "needed": formats.number(claim.needed, lang),
    }


def _caveats(params: StrategyReview, found: Sequence[Requirement], judged: Sequence[Verdict]) -> tuple[str, ...]:
    """What must be said first: every unmet condition, effects that fade, the number of challengers, what the answer does not cover."""
    lang = params.lang
    unmet = [f"{item.detail} {item.remedy}".strip() for item in worded([item for item in found if not item.met], lang)]
    fading = [say("caveat_faded", lang, arm=item.arm) for item in judged if item.claim.faded]
    several = [say("caveat_several", lang, count=len(judged))] if len(judged) > 1 else []
    return (*unmet, *fading, *several, say("caveat_segments", lang))
