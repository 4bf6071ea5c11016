"""What must be done with the record of officers' work, in the language of the page: people look, nothing is decided by the count."""

from collect_analysis.book.store import Book
from collect_analysis.methods.evidence import grade, refused
from collect_analysis.officers.officer_record_audit.decision import AuditVerdict, as_by_chance
from collect_analysis.officers.officer_record_audit.page import Record
from collect_analysis.officers.officer_record_audit.parameters import OfficerRecordAudit
from collect_analysis.report import texts
from collect_analysis.report.conditions import causes
from collect_analysis.report.recording import Decision
from collect_analysis.report.texts import formats, say

_NAMED = 4


def decision_of(book: Book, record: Record, verdict: AuditVerdict, params: OfficerRecordAudit) -> Decision:
    """The audit as the decision somebody signs: which records people look at, which faults the owner of a system mends."""
    lang = params.lang
    start, end = formats.day(params.period_start, lang), formats.day(params.period_end, lang)
    parts = []
    if refused(record.found):
        parts.append(say("answer_refuse_not_answerable", lang, why=causes(record.found, lang)))
    elif verdict.review:
        listed = _listed(verdict.types, lang)
        parts.append(say("ra_answer", lang, records=formats.number(verdict.review, lang), types=listed))
    else:
        parts.append(say("ra_answer_none", lang))
    if verdict.system:
        parts.append(say("ra_answer_system", lang, types=_listed(verdict.system, lang)))
    caveats = [say("ra_caveat_human", lang)]
    if verdict.review and verdict.money_minor > 0:
        money = formats.money(verdict.money_minor, book.currency, lang, compact=True)
        caveats.append(say("ra_caveat_money", lang, money=money, days=params.money_days))
    caveats.append(say("ra_caveat_chance", lang, by_chance=formats.number(verdict.by_chance, lang, digits=1)))
    times = as_by_chance(record.types)
    if times is not None:
        numbers = {name: formats.number(value, lang) for name, value in zip(("observed", "expected"), times, strict=True)}
        caveats.append(say("ra_caveat_random_times", lang, **numbers))
    untested = ", ".join(_type(name, lang) for name in verdict.untestable)
    missing = (say("ra_caveat_untestable", lang, types=untested),) if untested else ()
    action = {"review": [f"{_type(name, lang)}: {formats.number(count, lang)}" for name, count in verdict.types]}
    action |= {"mend": [f"{_type(name, lang)}: {formats.number(count, lang)}" for name, count in verdict.system]}
    return Decision(
        question=say("ra_question", lang, start=start, end=end),
        answer=" ".join(parts),
        confidence=say("ra_confidence", lang),
        grade=grade("raw", record.found),
        caveats=(*caveats, *missing),
        missing=missing,
        forecast={},
        action={name: items for name, items in action.items() if items},
    )


def _listed(types: tuple[tuple[str, int], ...], lang: str) -> str:
    first = [f"{_type(name, lang)} ({formats.number(count, lang)})" for name, count in types[:_NAMED]]
    rest = len(types) - _NAMED
    return "; ".join([*first, *([say("ra_and_more", lang, types=rest)] if rest > 0 else [])])


def _type(name: str, lang: str) -> str:
    text = texts.value("ra_type", name, lang)
    return text[:1].lower() + text[1:]
