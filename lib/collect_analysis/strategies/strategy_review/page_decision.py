"""A strategy review in words: the verdict on each challenger and the decision somebody is asked to sign."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
import pandas as pd

from collect_analysis.measures.cohort import Cohort, Outcome
from collect_analysis.methods.evidence import Condition, Grade, grade, refused
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.trials.experiments import at_horizon
from collect_analysis.report import texts
from collect_analysis.report.conditions import causes, sentences
from collect_analysis.report.recording import Decision
from collect_analysis.report.texts import formats, say
from collect_analysis.strategies.experiment import plan_of
from collect_analysis.strategies.strategy_review.measures_net_value import NET
from collect_analysis.strategies.strategy_review.parameters import StrategyReview
from collect_analysis.strategies.treatment import crowded
from collect_analysis.strategies.verdict import Claim, Lasting, Verdict, judge, not_told_apart, overall

# Of the intervals that decide and that the ledger checks.


def verdicts(
    params: StrategyReview,
    found: Sequence[Condition],
    *,
    effects: pd.DataFrame,
    adjusted_effects: pd.DataFrame,
    guardrails: pd.DataFrame,
    per_minute: pd.DataFrame,
    detectable: pd.DataFrame,
    persistence: pd.DataFrame,
    per_account: pd.DataFrame,
) -> list[Verdict]:
    """What should happen with each challenger? The adjusted effect decides where covariates are declared and usable, else the plain one.

    `per_account`: the effects of `net_value.net_review`; what is left after cost may speak against an arm, never for it.
    """
    evidence = grade(plan_of(params).design, found)
    primary = at_horizon(effects[effects["outcome"] == params.primary_outcome], params.horizon_days)
    deciding = (adjusted_effects if len(adjusted_effects) else primary).set_index("arm")
    own = detectable[detectable["outcome"] == params.primary_outcome].set_index("arm")
    needed = own["needed_adjusted"].fillna(own["needed"]) if len(adjusted_effects) else own["needed"]
    ratios = per_minute.set_index("arm")["relative_low"]
    lasting = persistence[persistence["outcome"] == params.primary_outcome].set_index("arm")
    net = per_account[per_account["outcome"] == NET].dropna(subset=["low", "high"]).set_index("arm")
    claims = [
        Claim(
            arm=arm,
            **{name: float(deciding[name].get(arm, np.nan)) for name in ("value", "low", "high", "p_adjusted")},
            **{name: float(deciding[name].get(arm, np.nan)) for name in ("relative", "relative_low", "relative_high")},
            guardrails={str(row["outcome"]): row["status"] for row in guardrails[guardrails["arm"] == arm].to_dict("records")},
            needed=float(needed.get(arm, np.nan)),
            per_minute_low=float(ratios.get(arm, np.nan)) if crowded(found) else None,
            lasting=_lasting(lasting, arm),
            early=bool(params.horizon_days < lasting["late_days"].get(arm, 0)),
            net_low=net["low"].get(arm),
            net_high=net["high"].get(arm),
        )
        for arm in params.challengers
    ]
    return [judge(claim, evidence=evidence, min_grade=params.min_grade, margin=params.margin_relative) for claim in claims]


def _lasting(persistence: pd.DataFrame, arm: str) -> Lasting:
    found: Lasting = persistence["lasting"].get(arm, "")
    return found


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
    found: Sequence[Condition],
    judged: Sequence[Verdict],
    *,
    detectable: pd.DataFrame,
    persistence: pd.DataFrame,
    between: pd.DataFrame | None = None,
) -> Decision:
    """What somebody is asked to sign: the best-founded verdict over all challengers, with what it rests on and what it predicts.

    `between`: the chosen challenger against those that come near it (`readout.between`).
    """
    lang, best = params.lang, overall(judged)
    primary = cohort.outcome(params.primary_outcome, params.horizon_days)
    outcome = primary.label.get(lang, texts.value("outcome", primary.name, lang))
    in_sentence = outcome[:1].lower() + outcome[1:]
    evidence: Grade = grade(plan_of(params).design, found)
    words = _effect_words(best, in_sentence, primary, params, currency) | _early_words(best, primary, params, currency, persistence)
    answer = say(f"answer_{best.action}_{best.reason}", lang, **words, why=causes(found, lang))
    tied = not_told_apart(between) if between is not None else pd.DataFrame(columns=["base"])
    answer = " ".join([answer, *_fading_words(best, words, lang), *_tied_words(best, tied, primary, lang, currency)])
    own = detectable[(detectable["outcome"] == primary.name) & (detectable["arm"] == best.arm)]
    sizes = own["detectable_adjusted"].fillna(own["detectable"])
    least = formats.share(float(sizes.iloc[0]) if len(own) else None, lang)
    missing = " ".join(sentences(refused(found), lang))
    confidence = say("confidence_none", lang, missing=missing) if evidence == "none" else say("confidence", lang, **words, least=least)
    forecast: dict[str, object] = {}
    if best.action != "refuse":
        forecast = _forecast(best, outcome, primary, params)
    action: dict[str, object] = {"action": best.action, "arm": best.arm, "reason": best.reason}
    if len(tied):
        action["not_told_apart"] = ", ".join(tied["base"].astype(str))
    if best.reason in ("not_distinguishable", "below_margin") and np.isfinite(best.claim.needed):
        action["needed_cases"] = best.claim.needed
    question = say("question", lang, champion=params.champion, challengers=", ".join(params.challengers), experiment=params.experiment_id)
    caveats = _caveats(params, found, judged, cohort, persistence)
    return Decision(
        question=question, answer=answer, confidence=confidence, grade=evidence, caveats=caveats, forecast=forecast, action=action
    )


def _effect_words(best: Verdict, outcome: str, primary: Outcome, params: StrategyReview, currency: str) -> dict[str, str]:
    lang, claim = params.lang, best.claim

    def absolute(value: float, *, bare: bool = False) -> str:
        return formats.difference(value, primary.unit, lang, currency=currency, bare=bare)

    # Without a relative effect (nothing to be relative to) the sentences say the absolute one.
    share = np.isfinite(claim.relative_low) and np.isfinite(claim.relative_high)

    def relative(name: str) -> str:
        return (
            formats.share(getattr(claim, f"relative{name}"), lang) if share else absolute(getattr(claim, name.removeprefix("_") or "value"))
        )

    return {
        "arm": best.arm,
        "champion": params.champion,
        "outcome": outcome,
        "days": formats.number(primary.horizon_days, lang),
        "value": absolute(claim.value),
        "low": absolute(claim.low, bare=True),
        "high": absolute(claim.high),
        "relative": relative(""),
        "relative_low": relative("_low"),
        "relative_high": relative("_high"),
        "margin": formats.share(params.margin_relative, lang),
        "needed": formats.number(claim.needed, lang),
    }


def _early_words(best: Verdict, primary: Outcome, params: StrategyReview, currency: str, persistence: pd.DataFrame) -> dict[str, str]:
    """What the answer says of an early gain that was given back, or may have been."""
    own = persistence[(persistence["outcome"] == primary.name) & (persistence["arm"] == best.arm)]
    if own.empty:
        return {}
    row, lang = own.iloc[0], params.lang
    words = {
        name: formats.difference(
            abs(float(row[name])) if name.startswith("after") else float(row[name]), primary.unit, lang, currency=currency
        )
        for name in ("early", "after", "late", "late_low", "late_high")
    }
    return words | {"early_days": formats.number(row["early_days"], lang), "late_days": formats.number(row["late_days"], lang)}


def _fading_words(best: Verdict, words: Mapping[str, str], lang: str) -> list[str]:
    """That part of an early gain was given back belongs to the answer, not to the small print."""
    return [say("answer_fading", lang, **words)] if best.action == "promote" and best.claim.lasting == "fading" else []


def _tied_words(best: Verdict, tied: pd.DataFrame, primary: Outcome, lang: str, currency: str) -> list[str]:
    """Which challengers the chosen one is not told apart from, and from which by how little."""
    if tied.empty:
        return []
    nearest = tied.iloc[0]
    words = {
        name: formats.difference(float(nearest[name]), primary.unit, lang, currency=currency, bare=name == "low")
        for name in ("value", "low", "high")
    }
    others = ", ".join(tied["base"].astype(str))
    return [say("answer_tied", lang, arm=best.arm, others=others, nearest=str(nearest["base"]), **words)]


def _forecast(best: Verdict, metric: str, primary: Outcome, params: StrategyReview) -> dict[str, object]:
    """What the ledger will hold against what happens: accounts assigned from `as_of` on reach the horizon on `check_on`."""
    return {
        "metric": metric,
        "arm": best.arm,
        "base": params.champion,
        "horizon_days": primary.horizon_days,
        "value": best.claim.value,
        "low": best.claim.low,
        "high": best.claim.high,
        "unit": formats.unit_of_difference(primary.unit),
        "interval_share": CONFIDENCE,
        "check_on": params.as_of + timedelta(days=primary.horizon_days),
    }


def _caveats(
    params: StrategyReview, found: Sequence[Condition], judged: Sequence[Verdict], cohort: Cohort, persistence: pd.DataFrame
) -> tuple[str, ...]:
    """What must be said first: every unmet condition, early gains that were given back, cost, several challengers, what is not covered.

    That the primary outcome only came earlier is the answer itself where it decides.
    """
    answered = {item.arm for item in judged if item.reason == "timing"}
    faded = {item.arm for item in judged if item.reason == "fading" or (item == overall(judged) and item.action == "promote")}
    lang = params.lang
    unmet = sentences([item for item in found if not item.met], lang)
    labels = {item.name: item.label.get(lang, texts.value("outcome", item.name, lang)) for item in cohort.outcomes}
    given_back = [
        say("caveat_timing", lang, arm=row["arm"], outcome=labels[row["outcome"]], early_days=row["early_days"], late_days=row["late_days"])
        for row in persistence[persistence["lasting"] == "timing"].to_dict("records")
        if not (row["outcome"] == params.primary_outcome and row["arm"] in answered)
    ]
    shrunk = [
        say("caveat_fading", lang, arm=row["arm"], outcome=labels[row["outcome"]], early_days=row["early_days"], late_days=row["late_days"])
        for row in persistence[persistence["lasting"] == "fading"].to_dict("records")
        if not (row["outcome"] == params.primary_outcome and row["arm"] in faded)
    ]
    several = [say("caveat_several", lang, count=len(judged))] if len(judged) > 1 else []
    cost = [say("caveat_net_open", lang, arm=item.arm) for item in judged if item.action == "promote" and item.claim.net_open]
    stratified = [say("caveat_stratified", lang)] if any(item.name == "stratum_probability" for item in found) else []
    return (*unmet, *given_back, *shrunk, *cost, *several, *stratified, *([] if params.segments else [say("caveat_segments", lang)]))
