"""A check of agencies for gaming: its tables, the map of findings, and the decision in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from collect_analysis.agencies import gates, integrity_verdict as decisions
from collect_analysis.agencies.agency_integrity import figures
from collect_analysis.agencies.agency_integrity.parameters import AgencyIntegrity
from collect_analysis.agencies.integrity import TESTS
from collect_analysis.book.presence import absent, delivered
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError, nearest
from collect_analysis.methods.evidence import Condition, grade, refused, withheld
from collect_analysis.report import tables, texts
from collect_analysis.report.conditions import causes
from collect_analysis.report.recording import Decision
from collect_analysis.report.texts import formats, say

# What each section of the page is about.
WORK = ("cherry_picking", "hoarding", "unverified")
MONEY = ("old_money", "remitted_late", "not_remitted", "few_remitted")
TIMES = ("burst", "after_hours", "same_second", "duplicate_event", "round_start", "round_talk")
PROMISES = ("backdated", "promise_after_payment", "promise_without_rpc")
FOUND = (decisions.STRONG, decisions.WEAK)
_WORST_FIRST = (decisions.STRONG, decisions.WEAK, decisions.NONE, decisions.NOT_JUDGED)
_SHOWN = [
    "unit_name", "ig_test", "ig_finding", "ig_value", "ig_value_low", "ig_value_high", "ig_usual", "ig_p", "ig_seen", "ig_of", "ig_money_minor",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Integrity:
    """What was counted and judged: one row per test and agency; false alarms of agencies that all work alike; conditions."""

    tests: pd.DataFrame
    alarms: pd.DataFrame
    names: dict[str, str]
    found: list[Condition]


def integrity_of(book: Book, params: AgencyIntegrity) -> Integrity:
    """Counts and judges every test of every agency.

    Raises
    ------
    DataError
        `units` names one the book does not know or that held no placement; a policy is missing.
    """
    register = gates.register(book)
    names = dict(zip(register["unit_key"], register["unit_name"], strict=True))
    unknown = [unit for unit in params.units if unit not in names]
    if unknown:
        raise DataError([f"units: the book has no unit '{unit}'; {nearest(unit, sorted(names))}" for unit in unknown])
    facts = decisions.facts_of(book, params.rules)
    judged = decisions.judged(facts, params.thresholds)
    alarms = decisions.false_alarms(facts, judged, params.thresholds, draws=params.draws, seed=params.seed)
    found = decisions.conditions(judged, least_cases=params.least_cases)
    found.append(delivered(absent(book, ("contact", "payment", "promise"), params.rules.period.month_starts), consequence="note"))
    return Integrity(tests=withheld(judged, found, note=""), alarms=alarms, names=names, found=found)


def measured(tests: pd.DataFrame) -> pd.DataFrame:
    """The value of every test as it is recorded, by test and agency."""
    return tests.assign(numerator=tests["observed"].where(tests["unit"] == "share"), denominator=tests["cases"])[
        ["test", "unit_key", "value", "low", "high", "numerator", "denominator", "unit", "note"]
    ]


def alarms_measured(alarms: pd.DataFrame) -> pd.DataFrame:
    """The rate of false alarms as it is recorded, by test."""
    return alarms.assign(numerator=alarms["strong"] + alarms["weak"], denominator=alarms["trials"], unit="share", note="")


def found_shown(tests: pd.DataFrame, found: Integrity, params: AgencyIntegrity, book: Book) -> tables.ShownTable | tables.Absent:
    """The findings, strong ones first."""
    rows = tests[tests["finding"].isin(FOUND)]
    if rows.empty:
        return tables.Absent(say("ig_nothing", params.lang))
    order = rows.assign(place=(rows["finding"] != decisions.STRONG).astype(int)).sort_values(["place", "unit_key"], kind="stable")
    headed = order.drop(columns="note").rename(columns={
        "test": "ig_test", "value": "ig_value", "usual": "ig_usual", "low": "ig_value_low", "high": "ig_value_high", "p_adjusted": "ig_p",
        "finding": "ig_finding", "observed": "ig_seen", "trials": "ig_of", "money_minor": "ig_money_minor",
    })  # fmt: skip
    headed.insert(0, "unit_name", [found.names.get(key, key) for key in order["unit_key"]])
    by_unit = ["ig_value", "ig_usual", "ig_value_low", "ig_value_high"]
    columns = [name for name in _SHOWN if name != "ig_money_minor" or headed[name].notna().any()]
    return tables.show(headed.reset_index(drop=True), lang=params.lang, columns=columns, by_unit=by_unit, currency=book.currency)


def section_shown(
    tests: pd.DataFrame, names: Sequence[str], found: Integrity, params: AgencyIntegrity
) -> tables.ShownTable | tables.Absent:
    """What was seen in the tests of one section, a row per agency and one for the agency in the middle; not judged: a dash.

    Tests the book cannot be asked are in a table of their own.
    """
    rows = tests[tests["test"].isin(names) & (tests["reason"] != decisions.NOT_ASKED)]
    if rows.empty:
        return tables.Absent(say("ig_not_asked", params.lang))
    seen = rows.assign(value=rows["value"].where(rows["finding"] != decisions.NOT_JUDGED), test="ig_" + rows["test"])
    columns = list(dict.fromkeys(seen["test"]))
    wide = seen.set_index(["unit_key", "test"])["value"].unstack()[columns]  # noqa: PD010 - one value per cell
    place = rows["finding"].map({code: rank for rank, code in enumerate(_WORST_FIRST)})
    worst = place.groupby(rows["unit_key"]).min().map(dict(enumerate(_WORST_FIRST)))
    shown = wide.assign(ig_finding=worst).reset_index()
    shown.insert(0, "unit_name", [found.names.get(key, key) for key in shown["unit_key"]])
    middle = pd.DataFrame([{"unit_name": say("ig_middle", params.lang), **wide.median(), "ig_finding": None}])
    percent = list(dict.fromkeys(seen.loc[seen["unit"] == "share", "test"]))
    both = pd.concat([shown.drop(columns="unit_key"), middle], ignore_index=True)
    return tables.show(both, lang=params.lang, columns=["unit_name", *columns, "ig_finding"], percent=percent)


def map_drawn(tests: pd.DataFrame, found: Integrity, params: AgencyIntegrity):
    """The figure of all tests and agencies, one mark each."""
    drawn = tests.assign(
        unit_name=[found.names.get(key, key) for key in tests["unit_key"]],
        label=[texts.value("ig_test", test, params.lang) for test in tests["test"]],
    )
    return figures.findings_map(drawn, lang=params.lang)


def picking_drawn(tests: pd.DataFrame, found: Integrity, params: AgencyIntegrity):
    """The figure of cherry-picking: how many times the attention of the rest the most valuable accounts get."""
    rows = tests[(tests["test"] == "cherry_picking") & tests["value"].notna()].reset_index(drop=True)
    drawn = rows.assign(label=[found.names.get(key, key) for key in rows["unit_key"]], odd=rows["finding"].isin(FOUND))
    return figures.attention(drawn, lang=params.lang)


def alarms_shown(alarms: pd.DataFrame, params: AgencyIntegrity) -> tables.ShownTable:
    """How often honest agencies would be given a finding, by test."""
    headed = alarms.rename(columns={
        "test": "ig_test", "judged": "ig_judged", "strong": "ig_strong", "weak": "ig_weak", "trials": "ig_trials", "value": "ig_rate",
        "low": "ig_rate_low", "high": "ig_rate_high",
    })  # fmt: skip
    percent = ["ig_rate", "ig_rate_low", "ig_rate_high"]
    columns = ["ig_test", "ig_judged", "ig_trials", "ig_strong", "ig_weak", *percent]
    return tables.show(headed, lang=params.lang, columns=columns, percent=percent)


def silent_table(tests: pd.DataFrame) -> pd.DataFrame:
    """Tests that were not judged, with the reason and for how many agencies: test, reason, agencies, note."""
    rows = tests[tests["finding"] == decisions.NOT_JUDGED]
    grouped = rows.groupby(["test", "reason", "note"], sort=False, as_index=False)
    return grouped.agg(agencies=("unit_key", "nunique"))[["test", "reason", "agencies", "note"]]


def silent_shown(silent: pd.DataFrame, params: AgencyIntegrity) -> tables.ShownTable | tables.Absent:
    """What was not judged, and why."""
    if silent.empty:
        return tables.Absent(say("ig_all_judged", params.lang))
    headed = silent.rename(columns={"test": "ig_test", "reason": "ig_reason", "agencies": "ig_agencies"})
    return tables.show(headed, lang=params.lang, columns=["ig_test", "ig_reason", "ig_agencies"])


def decision_of(found: Integrity, params: AgencyIntegrity, book: Book) -> Decision:
    """The check as the decision somebody signs: whom to audit, on which questions."""
    lang, verdict = params.lang, decisions.verdict(found.tests)
    start, end = formats.day(params.period_start, lang), formats.day(params.period_end, lang)
    parts = [say("ig_answer_audit", lang, units=_named(verdict.audit, found, lang))] if verdict.audit else [_nothing(verdict, lang)]
    if refused(found.found):
        parts = [say("answer_refuse_not_answerable", lang, why=causes(found.found, lang))]
    if verdict.look:
        parts.append(say("ig_answer_look", lang, units=_named(verdict.look, found, lang)))
    any_test = found.alarms[found.alarms["test"] == "any"].iloc[0]
    rate = formats.share(float(any_test["value"]), lang) if any_test["trials"] else formats.UNDEFINED
    caveats = [say("ig_caveat_question", lang), say("ig_caveat_alarms", lang, rate=rate)]
    if verdict.audit and verdict.money_minor > 0:
        caveats.append(say("ig_caveat_money", lang, money=formats.money(verdict.money_minor, book.currency, lang, compact=True)))
    missing = (
        (say("ig_caveat_not_asked", lang, tests=", ".join(_test(test, lang) for test in verdict.not_asked)),) if verdict.not_asked else ()
    )
    action = {
        "audit": [say("ig_action", lang, unit=found.names.get(unit, unit), tests=_tests(tests, lang)) for unit, tests in verdict.audit],
        "look_at": [say("ig_action", lang, unit=found.names.get(unit, unit), tests=_tests(tests, lang)) for unit, tests in verdict.look],
    }
    judged = {"judged": formats.number(verdict.judged, lang), "units": formats.number(verdict.units, lang), "tests": len(TESTS)}
    return Decision(
        question=say("ig_question", lang, start=start, end=end),
        answer=" ".join(parts),
        confidence=say("ig_confidence", lang, **judged),
        grade=grade("raw", found.found),
        caveats=(*caveats, *missing, say("ig_caveat_together", lang)),
        missing=missing,
        forecast={},
        action={name: items for name, items in action.items() if items},
    )


def _nothing(verdict: decisions.IntegrityVerdict, lang: str) -> str:
    """Nothing to audit: in all that was asked, or in what could be asked."""
    asked = len(TESTS) - len(verdict.not_asked)
    return say("ig_answer_none_of_asked" if verdict.not_asked else "ig_answer_none", lang, asked=asked, tests=len(TESTS))


def _named(pairs: Sequence[tuple[str, tuple[str, ...]]], found: Integrity, lang: str) -> str:
    return "; ".join(f"{found.names.get(unit, unit)} ({_tests(tests, lang)})" for unit, tests in pairs)


def _tests(tests: Sequence[str], lang: str) -> str:
    return ", ".join(_test(test, lang) for test in tests)


def _test(test: str, lang: str) -> str:
    text = texts.value("ig_test", test, lang)
    return text[:1].lower() + text[1:]
