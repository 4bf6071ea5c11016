"""The decision on a test design in words: run, enlarge, lengthen, change the metric, do not test."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from collect_analysis.methods.evidence import Condition, Grade, grade, refused
from collect_analysis.report import texts
from collect_analysis.report.conditions import causes, sentences
from collect_analysis.report.recording import Decision
from collect_analysis.report.texts import formats, say
from collect_analysis.strategies.test_design.decision import DesignVerdict
from collect_analysis.strategies.test_design.measures_history import History
from collect_analysis.strategies.test_design.page import Size
from collect_analysis.strategies.test_design.parameters import TestDesign


def decision_of(
    params: TestDesign, found: Sequence[Condition], plan: pd.DataFrame, size: Size, verdict: DesignVerdict, *, past: History
) -> Decision:
    """What somebody is asked to sign before the test; no forecast, for nothing was tested.

    The sizes are a raw reading of history, so their grade is D or none; what the test's own result could reach is said in words.
    """
    lang = params.lang
    best: Grade = grade("randomised", found)
    words = _words(params, plan, size, verdict) | {"best": best}
    missing = " ".join(sentences(refused(found), lang))
    confidence = say("design_confidence_none", lang, missing=missing) if best == "none" else say("design_confidence", lang, **words)
    action: dict[str, object] = {"action": verdict.action, "reason": verdict.reason}
    if np.isfinite(verdict.needed):
        action["accounts_needed"] = verdict.needed
    if np.isfinite(verdict.weeks) and verdict.action in ("run", "lengthen", "do_not_test"):
        action["enrol_weeks"] = round(verdict.weeks, 1)
    return Decision(
        question=say("design_question", lang, **words),
        answer=say(f"design_answer_{verdict.action}_{verdict.reason}", lang, **words, why=causes(found, lang)),
        confidence=confidence,
        grade=grade("raw", found),
        caveats=_caveats(params, found, plan, size, past),
        action=action,
    )


def _words(params: TestDesign, plan: pd.DataFrame, size: Size, verdict: DesignVerdict) -> dict[str, str]:
    lang = params.lang
    own = plan[(plan["outcome"] == params.primary_outcome) & plan["adjusted"]].iloc[0]
    plain = plan[(plan["outcome"] == params.primary_outcome) & ~plan["adjusted"]].iloc[0]
    outcome = texts.value("outcome", params.primary_outcome, lang)
    metric = texts.value("outcome", verdict.metric, lang)

    def count(value: float) -> str:
        return formats.number(float(np.ceil(value)) if np.isfinite(value) else None, lang)

    return {
        "experiment": params.experiment_id,
        "challengers": ", ".join(params.challengers),
        "champion": params.champion,
        "outcome": outcome[:1].lower() + outcome[1:],
        "metric": metric[:1].lower() + metric[1:],
        "days": formats.number(params.horizon_days, lang),
        "detectable": formats.share(verdict.detectable, lang),
        "plain": formats.share(float(plain["detectable"]), lang),
        "margin": formats.share(verdict.margin, lang),
        "accounts": formats.number(float(np.floor(size.available)), lang),
        "largest": formats.number(float(np.floor(size.largest)), lang),
        "needed": count(verdict.needed),
        "equal_needed": count(verdict.equal_needed),
        "weeks": count(verdict.weeks),
        "most_weeks": formats.number(params.most_weeks, lang),
        "months": formats.number(params.enrol_months, lang),
        "per_month": formats.number(size.per_month, lang),
        "power": formats.share(params.power, lang, digits=0),
        "base": formats.with_unit(float(own["history_mean"]), str(own["unit"]), lang),
    }


def _caveats(params: TestDesign, found: Sequence[Condition], plan: pd.DataFrame, size: Size, past: History) -> tuple[str, ...]:
    """Every unmet condition, then what the size stands on and what it does not."""
    lang = params.lang
    unmet = sentences([item for item in found if not item.met], lang)
    extra = []
    if len(params.challengers) > 1:
        extra.append(say("design_caveat_several", lang, count=len(params.challengers)))
    if params.looks > 1:
        extra.append(say("design_caveat_looks", lang, looks=params.looks, more=formats.share(size.inflation - 1, lang)))
    if params.treated_by == "officer":
        extra.append(say("design_caveat_officers", lang, effect=formats.number(size.treated_effect, lang, digits=2)))
    if params.draw == "blocks":
        extra.append(say("design_caveat_blocks", lang))
    if (plan.loc[plan["outcome"] == params.primary_outcome, "unit"] == "minor").any():
        extra.append(say("design_caveat_more_payers", lang))
    if past.arm:
        extra.append(say("design_caveat_arm", lang, arm=past.arm, experiment=params.history_experiment_id))
    return (*unmet, *extra, say("design_caveat_history", lang))
