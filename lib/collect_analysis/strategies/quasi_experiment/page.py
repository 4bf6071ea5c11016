"""A quasi-experiment in words: each section asks the design's own module; the decision is worded here for all of them."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.methods.evidence import Grade, grade, refused
from collect_analysis.report import conditions, tables, texts
from collect_analysis.report.conditions import causes, sentences
from collect_analysis.report.recording import Decision
from collect_analysis.report.texts import formats, say
from collect_analysis.strategies.quasi_experiment import page_cut_off, page_overlap, page_roll_out
from collect_analysis.strategies.quasi_experiment.decision import Effect, Proposal, propose
from collect_analysis.strategies.quasi_experiment.parameters import QuasiExperiment
from collect_analysis.strategies.quasi_experiment.study import Study

DESIGNS: dict[str, ModuleType] = {"cut_off": page_cut_off, "roll_out": page_roll_out, "overlap": page_overlap}

# Where these stand in a table of effects they are differences.
_EFFECT = ("value", "low", "high")


def study(book: Book, params: QuasiExperiment) -> Study:
    """What does the design of this report find? Asks the book once; the sections below read what came out."""
    found: Study = DESIGNS[params.design].study(book, params)
    return found


def effect_figure(found: Study, params: QuasiExperiment) -> Any:
    """The picture in which the effect, or that there is none, can be seen."""
    return DESIGNS[params.design].effect_figure(found, params)


def choices_figure(found: Study, params: QuasiExperiment) -> Any:
    """The effect under other choices, one line each."""
    return DESIGNS[params.design].choices_figure(found, params)


def show(table: pd.DataFrame, name: str, found: Study, params: QuasiExperiment, *, currency: str) -> tables.ShownTable | tables.Absent:
    """A recorded table of the study as a manager reads it, `name` as in `Study.shown`; or why there is none."""
    if table.empty:
        return tables.Absent(say(f"no_{name}", params.lang))
    how = found.shown[name]
    written = table.assign(unit=found.unit) if how.by_unit and "unit" not in table.columns else table
    differences = how.by_unit if name in ("effects", "choices", "naive") else ()
    return tables.show(
        written,
        lang=params.lang,
        columns=how.columns,
        percent=how.percent,
        by_unit=how.by_unit,
        differences=[item for item in differences if item in _EFFECT],
        currency=currency,
    )


def condition_table(found: Study, params: QuasiExperiment) -> pd.DataFrame:
    """What must hold, whether it does, and what follows if not, the unmet first: check, met, detail (and what would help), consequence."""
    worded = sorted(conditions.worded(found.conditions, params.lang), key=lambda item: item.met)
    rows = [(item.name, item.met, f"{item.detail} {item.remedy}".strip(), item.consequence) for item in worded]
    return pd.DataFrame(rows, columns=["check", "met", "detail", "consequence"])


def labels_of(found: Study) -> list[str]:
    """The columns that tell the effects of a study apart."""
    return [name for name in ("estimand", "at") if name in found.effects.columns]


def proposal_table(found: Study, params: QuasiExperiment) -> pd.DataFrame:
    """The proposal as a table of one row: action, reason, grade."""
    proposal = proposal_of(found, params)
    return pd.DataFrame([{"action": proposal.action, "reason": proposal.reason, "grade": evidence_of(found)}])


def evidence_of(found: Study) -> Grade:
    """The grade of the claim: the design's best, less what its conditions cost."""
    return grade(found.design, found.conditions)


def proposal_of(found: Study, params: QuasiExperiment) -> Proposal:
    """What is proposed for the rule until a proper test has read out."""
    return propose(found.answer, evidence=evidence_of(found), min_grade=params.min_grade, favourable=params.favourable)


def decision_of(found: Study, params: QuasiExperiment, currency: str) -> Decision:
    """What somebody is asked to sign: a provisional rule, what it rests on, and the test that would settle it."""
    lang, evidence, proposal = params.lang, evidence_of(found), proposal_of(found, params)
    words = _words(found, params, currency)
    answer = _said(f"answer_{proposal.action}_{proposal.reason}", lang, {**words, "why": causes(found.conditions, lang)})
    missing = " ".join(sentences(refused(found.conditions), lang))
    confidence = say("confidence_none", lang, missing=missing) if evidence == "none" else _said(f"confidence_{params.design}", lang, words)
    forecast: dict[str, object] = {}
    if proposal.action != "refuse":
        numbers = {
            "value": found.answer.value,
            "low": found.answer.low,
            "high": found.answer.high,
            "unit": formats.unit_of_difference(found.unit),
        }
        forecast = {"metric": words["outcome_title"], "horizon_days": params.horizon_days, **numbers}
    unmet = sentences([item for item in found.conditions if not item.met], lang)
    return Decision(
        question=_said(f"question_{params.design}", lang, words),
        answer=answer,
        confidence=confidence,
        grade=evidence,
        caveats=(*unmet, say(f"caveat_{params.design}", lang)),
        forecast=forecast,
        action={"action": proposal.action, "reason": proposal.reason, "proper_test": words["proper_test"]},
    )


def _words(found: Study, params: QuasiExperiment, currency: str) -> dict[str, str]:
    lang, effect = params.lang, found.answer
    title = found.labels.get(lang, texts.value("outcome", found.outcome, lang))
    subject = {name: str(value) for name, value in found.test.items()}
    return {
        **subject,
        "rule": _rule_name(params),
        "outcome": title[:1].lower() + title[1:],
        "outcome_title": title,
        "days": formats.number(params.horizon_days, lang),
        "proper_test": _said(f"proper_test_{params.design}", lang, subject),
        **_numbers(effect, found.unit, lang, currency),
    }


def _said(key: str, lang: str, words: Mapping[str, str]) -> str:
    """The sentence `key`; parts that a study leaves empty leave no gap."""
    return " ".join(say(key, lang, **words).split())


def _rule_name(params: QuasiExperiment) -> str:
    if params.ruleset_id:
        return say("rule_set_named", params.lang, name=params.ruleset_id)
    return params.experiment_id or say("the_change", params.lang)


def _numbers(effect: Effect, unit: str, lang: str, currency: str) -> dict[str, str]:
    """The effect as sentences need it; without an interval the p-value of the randomisation test stands for it."""
    interval = say(
        "interval_of" if effect.low == effect.low else "interval_none",
        lang,
        low=formats.difference(effect.low, unit, lang, currency=currency, bare=True),
        high=formats.difference(effect.high, unit, lang, currency=currency),
        p_value=formats.number(effect.p_value, lang, digits=3),
    )
    relative = effect.value / effect.base if effect.base == effect.base and effect.base else None
    return {
        "value": formats.difference(effect.value, unit, lang, currency=currency),
        "interval": interval,
        "base": formats.with_unit(effect.base, unit, lang, currency=currency),
        "relative": formats.share(relative, lang),
    }
