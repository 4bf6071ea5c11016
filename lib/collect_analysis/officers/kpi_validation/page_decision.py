"""Which KPIs may judge people, in the language of the page."""

import pandas as pd

from collect_analysis.methods.evidence import grade
from collect_analysis.officers.kpi_validation import decision as decisions
from collect_analysis.officers.kpi_validation.page import Study, named
from collect_analysis.officers.kpi_validation.parameters import KpiValidation
from collect_analysis.report.conditions import sentences
from collect_analysis.report.recording import Decision
from collect_analysis.report.texts import formats, say

_NAMED = 3
# Headings of the recommended action; a gate alone is something else elsewhere.
_HEADED = {decisions.GATE: "gate_only"}


def decision_of(case: Study, params: KpiValidation, signs: pd.DataFrame) -> Decision:
    """The verdicts on all KPIs as the decision somebody signs."""
    lang, judged = params.lang, case.judged
    counts = {action: int((judged["action"] == action).sum()) for action in decisions.VERDICTS}
    start, end = formats.day(params.period_start, lang), formats.day(params.period_end, lang)
    if not case.answerable:
        refusing = [item for item in case.found if not item.met and item.consequence == "refuse"]
        answer = say("kv_answer_refused", lang, why=" ".join(sentences(refusing, lang)))
    else:
        first = judged[judged["action"] == decisions.ADOPT].sort_values("predicts", ascending=False, kind="stable")
        kpis = ", ".join(named(kpi, lang) for kpi in first["kpi"])
        parts = [say("kv_answer_adopted" if kpis else "kv_answer_none", lang, all=len(judged), kpis=kpis, **counts)]
        parts += [say("kv_answer_rest", lang, **counts)]
        parts += [say("kv_answer_unknown", lang, **counts)] if counts["unknown"] else []
        parts += [_one(row, lang) for row in first.head(_NAMED).to_dict("records")]
        answer = " ".join(parts)
    action: dict[str, object] = {
        _HEADED.get(name, name): [named(kpi, lang) for kpi in judged.loc[judged["action"] == name, "kpi"]]
        for name in (decisions.ADOPT, decisions.WEIGH_LOW, decisions.GATE, decisions.DROP)
        if counts[name]
    }
    return Decision(
        question=say("kv_question", lang, start=start, end=end),
        answer=answer,
        confidence=say("kv_confidence" if case.answerable else "kv_confidence_refused", lang, months=params.pool_months),
        grade=grade("adjusted", case.found),
        caveats=_caveats(case, signs, lang),
        forecast={},
        action=action if case.answerable else {},
    )


def _one(row: dict, lang: str) -> str:
    numbers = {name: formats.number(row[name], lang, digits=2) for name in ("reliability", "predicts", "predicts_low", "predicts_high")}
    return say("kv_answer_one", lang, kpi=named(row["kpi"], lang), share=formats.share(row["share"], lang, digits=0), **numbers)


def _caveats(case: Study, signs: pd.DataFrame, lang: str) -> tuple[str, ...]:
    said = [say("kv_caveat_chance", lang, kpis=len(case.judged), by_chance=formats.number(len(case.judged) * 0.025, lang, digits=1))]
    own = case.judged[(case.judged["word"] != "none") & case.judged["action"].isin([decisions.ADOPT, decisions.WEIGH_LOW])]
    if len(own):
        said.append(say("kv_caveat_own_word", lang, kpis=", ".join(named(kpi, lang) for kpi in own["kpi"])))
    if bool(signs.loc[signs["sign"] == "stuffing", "beyond"].any()):
        said.append(say("kv_caveat_stuffing", lang))
    return (*said, say("kv_caveat_measured", lang))
