"""The check of agencies for gaming as it is read: both languages, what is refused, what is never said of people."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from collect_analysis.agencies.agency_integrity import page
from collect_analysis.agencies.agency_integrity.parameters import AgencyIntegrity
from collect_analysis.book.store import Book, open_book
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.report.conditions import worded
from collect_analysis.report.disclosure import PERSONAL
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import RunRecorder


def parameters(**changes: Any) -> AgencyIntegrity:
    values = {"name": "r", "book": "b", "as_of": "2026-06-30", "period_start": "2026-04-01", "period_end": "2026-06-30", "draws": 50}
    return validate(AgencyIntegrity, {**values, **changes}, where="test")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"period_start": "2026-04-02"}, "starts on the first day of a month"),
        ({"period_end": "2026-07-31"}, "after as_of 2026-06-30"),
        ({"audit_dates": ["2026-05-01", "2025-05-01"]}, r"1 of 2 audit_dates lie outside the period \(first: 2025-05-01\)"),
        ({"audit_date": []}, "did you mean 'audit_dates'"),
        ({"top_share": 0.0}, "top_share is 0.0"),
        ({"least_cases": 1}, "least_cases is 1"),
    ],
)
def test_a_wrong_report_file_is_refused_with_the_fix(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        parameters(**changes)


@pytest.fixture(scope="module")
def book(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)


@pytest.fixture(scope="module")
def checked(book: Book) -> page.Integrity:
    return page.integrity_of(book, parameters())


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_the_page_speaks_its_language_and_asks_for_people(book: Book, checked: page.Integrity, lang: str) -> None:
    params = parameters(lang=lang)
    decision = page.decision_of(checked, params, book)
    sections = (page.WORK, page.MONEY, page.TIMES, page.PROMISES)
    shown = [
        page.found_shown(checked.tests, checked, params, book), page.alarms_shown(checked.alarms, params),
        page.silent_shown(page.silent_table(checked.tests), params),
        *(page.section_shown(checked.tests, names, checked, params) for names in sections),
    ]  # fmt: skip
    said = [
        decision.question,
        decision.answer,
        decision.confidence,
        *decision.caveats,
        *(item.detail for item in worded(checked.found, lang)),
    ]
    text = "\n".join([*said, *(table.as_text() for table in shown)])
    assert not any(mark in text for mark in ("{", "}", "nan", "ig_", "not_asked", "cherry_picking"))
    assert {"en": "never a verdict on people", "vi": "không phải kết luận về con người"}[lang] in decision.caveats[0]
    assert "Agency D" in decision.answer
    assert list(decision.action) == ["audit"]
    assert page.map_drawn(checked.tests, checked, params).get_legend()
    assert page.picking_drawn(checked.tests, checked, params).get_xlabel()


def test_every_test_has_a_section(checked: page.Integrity) -> None:
    assert {*page.WORK, *page.MONEY, *page.TIMES, *page.PROMISES} == set(checked.tests["test"])


def test_what_is_recorded_names_no_person(checked: page.Integrity) -> None:
    record = RunRecorder(parameters())
    record.measures("integrity_tests", page.measured(checked.tests), by=["test", "unit_key"], people="denominator")
    record.measures("false_alarms", page.alarms_measured(checked.alarms), by=["test"], people=1_000)
    shown = record.table("tests", checked.tests, people="cases")
    told = record.as_json()["measures"]
    assert told
    assert not PERSONAL & {*shown.columns, *(name for item in told for name in item["by"])}  # type: ignore[union-attr]


def test_an_unknown_unit_is_refused_with_the_nearest(book: Book) -> None:
    with pytest.raises(DataError, match="did you mean 'ag-a'"):
        page.integrity_of(book, parameters(units=["ag-aa"]))


def test_where_no_test_can_be_judged_there_is_no_answer(book: Book) -> None:
    params = parameters(least_cases=10_000)
    none = page.integrity_of(book, params)
    decision = page.decision_of(none, params, book)
    assert (decision.grade, decision.action) == ("none", {})
    assert decision.answer == "No answer. No test of the 6 agencies could be judged."


def test_with_two_agencies_nothing_is_claimed_against_the_other(book: Book) -> None:
    two = page.integrity_of(book, parameters(units=["ag-a", "ag-d"]))
    peers = two.tests[(two.tests["kind"] == "peers") & (two.tests["reason"] != "not_asked")]
    assert set(peers["reason"]) == {"few_peers"}
    assert {item.name: item.met for item in two.found}["ig_peers"] is False
    assert "Nothing to audit" in page.decision_of(two, parameters(), book).answer
