"""A KPI period's identities as checks, and the decision somebody is asked to take, in the language of the page."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd

from collect_analysis.book.presence import NO_ROWS
from collect_analysis.book.tables import TABLES
from collect_analysis.measures import cash, placements
from collect_analysis.measures.kpi_table import Facts, lacking
from collect_analysis.measures.kpis import KPIS
from collect_analysis.measures.periods import month_start
from collect_analysis.measures.scopes import COMPANY, UNASSIGNED
from collect_analysis.methods.evidence import Condition, Grade
from collect_analysis.portfolio.kpi_period.decision import PeriodVerdict
from collect_analysis.portfolio.kpi_period.parameters import KpiPeriod
from collect_analysis.report import texts
from collect_analysis.report.recording import Decision
from collect_analysis.report.scope_names import scope_names
from collect_analysis.report.texts import formats, say

FIRST_NAMED, FIRST_REVIEWED = 3, 6
# From this share of the cash on, money that nobody holds or that follows no contact is worth a word.
WORTH_A_WORD = 0.02


_LISTED = re.compile(r", (?![^(]*\))")
_MONTHLY = tuple(name for name, table in TABLES.items() if table.every_month)
# Counted in money; the others in cases.
_MONEY = ("cash_adds_up", "no_posting_lost", "attribution_adds_up", "placed_stay", "one_payment_one_promise", "cash_before_as_held")


def identities(facts: Facts, sums: pd.DataFrame, *, lang: str) -> list[Condition]:
    """Do the numbers of the page add up? Those that must are blocking; suspicious postings are a note.

    `sums` is the table of `measures.identities.identities`.
    """
    found: list[Condition] = []
    for row in _rows(sums):
        code = str(row["identity"])
        numbers = {name: row[name] for name in ("counted", "held_against", "gap")}
        told = {
            name: _money(abs(value) if name == "gap" else value, facts, lang)
            if code in _MONEY
            else formats.number(abs(value), lang, digits=0)
            for name, value in numbers.items()
        }
        found.append(_condition(code, row["met"], lang, **told, scopes=int(row["scopes"])))
    if facts.book.has("payment"):
        again = cash.repeated_postings(facts.book, start=facts.period.start, end=facts.period.end).iloc[0]
        amount = _money(float(again["amount_minor"]), facts, lang)
        found.append(_condition("no_repeated_postings", again["rows"] == 0, lang, "note", rows=int(again["rows"]), amount=amount))
    if facts.book.has("decision"):
        age = facts.windows.liquidation_months
        twice = placements.shared(facts.book, start=month_start(facts.period.start, -age), end=facts.period.end)
        found.append(_condition("one_unit_at_a_time", twice["placements"] == 0, lang, "note", **twice))
    return found


def _condition(code: str, met: bool, lang: str, consequence: str = "refuse", **values: object) -> Condition:
    return Condition(
        name=say(f"kpi_check_{code}", lang),
        met=bool(met),
        detail=say(f"kpi_check_{code}_{'met' if met else 'unmet'}", lang, **values),
        consequence=consequence,  # type: ignore[arg-type]
    )


def decision_of(
    facts: Facts, params: KpiPeriod, verdict: PeriodVerdict, found: list[Condition], *, kpis: pd.DataFrame, states: pd.DataFrame
) -> Decision:
    """What the period asks of whom: money against target, who missed what beyond chance, what broke a hard rule."""
    lang = params.lang
    blocked = [item for item in found if not item.met and item.consequence == "refuse"]
    grade: Grade = "none" if blocked else "D"
    missing = _missing(facts, kpis, lang)
    start, end = formats.day(params.period_start, lang), formats.day(params.period_end, lang)
    parts = [_money_sentence(facts, verdict, kpis, lang), *_attention_sentences(facts, verdict, lang)]
    if verdict.hard_breaches:
        parts.append(say("kpi_answer_hard_breaches", lang, contacts=formats.number(verdict.hard_breaches, lang)))
    names = scope_names(facts.book, lang)
    act_on = [_missed(row, names, facts, lang) for row in _rows(verdict.attention.head(FIRST_REVIEWED))]
    if blocked:
        parts, act_on = [say("answer_refuse_not_answerable", lang, why=" ".join(item.detail for item in blocked))], []
    return Decision(
        question=say("kpi_question", lang, start=start, end=end),
        answer=" ".join(parts),
        confidence=say("kpi_confidence_blocked" if blocked else "kpi_confidence", lang),
        grade=grade,
        caveats=(*missing, *_caveats(facts, verdict, kpis, states, lang)),
        missing=missing,
        forecast={},
        action={"review": act_on} if act_on else {},
    )


def _money_sentence(facts: Facts, verdict: PeriodVerdict, kpis: pd.DataFrame, lang: str) -> str:
    company = {row["kpi"]: row for row in _rows(kpis[kpis["scope_type"] == "company"])}
    if pd.isna(company["R1"]["value"]):
        why, rolled = texts.phrase(company["R1"]["note"], lang), company["F1"]
        if pd.isna(rolled["value"]):
            return say("kpi_answer_nothing", lang, why=why, flow=texts.phrase(rolled["note"], lang))
        return say("kpi_answer_flow_only", lang, why=why, **{name: _share(rolled[name], lang) for name in ("value", "low", "high")})
    numbers = {name: _share(getattr(verdict, name), lang) for name in ("attained", "low", "high")}
    collected, target = _money(verdict.collected_minor, facts, lang), _money(verdict.target_minor, facts, lang)
    return say(f"kpi_answer_money_{verdict.money}", lang, collected=collected, target=target, **numbers)


def _attention_sentences(facts: Facts, verdict: PeriodVerdict, lang: str) -> list[str]:
    if verdict.judged == 0:
        return []
    rows = verdict.attention
    if rows.empty:
        return [say("kpi_answer_none_missed", lang, judged=verdict.judged)]
    # The company's attainment is told in the sentence before.
    names = scope_names(facts.book, lang)
    told = rows[(rows["scope_type"] != "company") | (rows["kpi"] != "R14")]
    first = [_missed(row, names, facts, lang) for row in _rows(told.head(FIRST_NAMED))]
    listed = {"missed": len(rows), "judged": verdict.judged, "first": ", ".join(first)}
    return [say("kpi_answer_missed" if first else "kpi_answer_missed_alone", lang, **listed)]


def _missed(row: dict[str, Any], names: Callable[[str, str], str], facts: Facts, lang: str) -> str:
    """Who missed which target, with the value that came."""
    return say(
        "kpi_answer_one_attained" if row["kpi"] == "R14" else "kpi_answer_one_missed",
        lang,
        scope=names(row["scope_type"], row["scope_key"]),
        kpi=KPIS[row["kpi"]].name(lang),
        value=formats.with_unit(row["value"], row["unit"], lang, currency=facts.book.currency, compact=True),
    )


def _missing(facts: Facts, kpis: pd.DataFrame, lang: str) -> tuple[str, ...]:
    """What the book lacks for the period, and for the one before."""
    said = []
    # Months stand in brackets behind their table.
    named = {name for note in kpis["note"] if note.startswith(NO_ROWS) for name in _LISTED.split(note.removeprefix(NO_ROWS))}
    if named:
        said.append(say("kpi_caveat_lacking", lang, tables=", ".join(sorted(named))))
    before = [lacking(facts.previous, [name], ends=_ends(facts.previous)) for name in _MONTHLY if facts.book.has(name)]
    if any(before):
        said.append(say("kpi_caveat_lacking_before", lang, tables=", ".join(why.removeprefix(NO_ROWS) for why in before if why)))
    return tuple(said)


def _caveats(facts: Facts, verdict: PeriodVerdict, kpis: pd.DataFrame, states: pd.DataFrame, lang: str) -> tuple[str, ...]:
    """What must be said first: what got worse, what is undecided or nobody's, what the numbers do not prove."""
    said = []
    if len(verdict.attention):
        chance = formats.number(verdict.by_chance, lang, digits=1)
        said.append(say("kpi_caveat_chance", lang, judged=verdict.judged, by_chance=chance))
    if len(verdict.worse):
        worse = ", ".join(KPIS[kpi].name(lang) for kpi in verdict.worse["kpi"])
        said.append(say("kpi_caveat_worse", lang, kpis=worse))
    if "state" in states:
        undecided = states.loc[states["state"] == "undecided", "promises"].sum()
        if undecided:
            said.append(say("kpi_caveat_undecided", lang, promises=formats.number(int(undecided), lang)))
    cash_rows = kpis[(kpis["kpi"] == "R1") & kpis["scope_key"].isin([COMPANY, UNASSIGNED]) & kpis["scope_type"].isin(["company", "unit"])]
    amounts = cash_rows.set_index("scope_key")["value"]
    if UNASSIGNED in amounts and amounts[UNASSIGNED] > WORTH_A_WORD * amounts[COMPANY]:
        said.append(say("kpi_caveat_unassigned", lang, amount=_money(float(amounts[UNASSIGNED]), facts, lang)))
    return (*said, say("kpi_caveat_raw", lang))


def _ends(facts: Facts) -> tuple[date, date]:
    return facts.period.opening, facts.period.end


def _rows(table: pd.DataFrame) -> list[dict[Any, Any]]:
    return table.to_dict("records")


def _money(value: float, facts: Facts, lang: str) -> str:
    return formats.money(float(value), facts.book.currency, lang, compact=True)


def _share(value: object, lang: str) -> str:
    return formats.share(float(str(value)), lang)
