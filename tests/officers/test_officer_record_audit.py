"""An audit of the record as it is read: who sees officers, what is said in both languages, what is never said."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from collect_analysis.book.store import Book, open_book
from collect_analysis.errors import DisclosureError, ParameterError
from collect_analysis.officers.officer_record_audit import decision as decisions, figures, page, page_decision
from collect_analysis.officers.officer_record_audit.parameters import OfficerRecordAudit
from collect_analysis.report.conditions import worded
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import RunRecorder


def parameters(**changes: Any) -> OfficerRecordAudit:
    values = {"name": "r", "book": "b", "as_of": "2026-06-30", "period_start": "2026-06-01", "period_end": "2026-06-30"}
    return validate(OfficerRecordAudit, {**values, **changes}, where="test")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"period_start": "2026-06-02"}, "starts on the first day of a month"),
        ({"period_end": "2026-07-31"}, "after as_of 2026-06-30"),
        ({"short_rpcs": 10}, "did you mean 'short_rpc_s'"),
        ({"visit_gap_min": 0}, "visit_gap_min is 0"),
    ],
)
def test_a_wrong_report_file_is_refused_with_the_fix(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        parameters(**changes)


@pytest.fixture(scope="module")
def book(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)


@pytest.fixture(scope="module")
def audit(book: Book) -> page.Record:
    return page.record_of(book, parameters())


def test_without_contacts_nobody_says_that_the_record_is_clean(book: Book, audit: page.Record) -> None:
    nothing = decisions.conditions(contacts=0, sheets=0, rated_twice=0, assessed=0, needed=0.0, untestable=())
    clean = audit.types.assign(status="clean", review=0)
    decision = page_decision.decision_of(book, replace(audit, found=nothing), decisions.verdict(clean), parameters())
    assert (decision.grade, decision.answer) == ("none", "No answer. The book has no contact in the period.")


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_the_page_speaks_its_language_and_asks_for_people(book: Book, audit: page.Record, lang: str) -> None:
    params = parameters(lang=lang)
    decision = page_decision.decision_of(book, audit, decisions.verdict(audit.types), params)
    shown = [
        page.types_shown(audit.types, params, book), page.clock_shown(audit.clock, params, book),
        page.completeness_shown(audit.completeness, params, book),
        page.agreement_shown(page.agreement_table(book, params, audit.rated), params),
    ]  # fmt: skip
    said = [
        decision.question,
        decision.answer,
        decision.confidence,
        *decision.caveats,
        *(item.detail for item in worded(audit.found, lang)),
    ]
    text = "\n".join([*said, *(table.as_text() for table in shown)])
    assert not any(mark in text for mark in ("{", "}", "nan", "ra_"))
    assert {"en": "No sanction may follow", "vi": "Không được xử lý kỷ luật tự động"}[lang] in decision.caveats[0]
    assert figures.digits(page.digit_table(audit.digits), lang=lang).get_xlabel()
    assert page.chance_drawn(audit.types, params).get_xlabel()


def test_the_planted_clock_is_a_fault_of_a_system(book: Book, audit: page.Record) -> None:
    clock = audit.types.set_index("type").loc["clock"]
    assert (clock["status"], clock["review"]) == ("system", 0)
    assert "local time off the zone" in page_decision.decision_of(book, audit, decisions.verdict(audit.types), parameters()).answer


def test_single_officers_are_told_to_team_leads_only(audit: page.Record) -> None:
    some = audit.officers[audit.officers["type"] == "overlap"].head(2).assign(beyond=True)
    leads = page.officers_told(some, parameters(audience="team_leads"))
    assert "officer_key" in leads
    assert "officer_key" not in page.officers_told(some, parameters())
    with pytest.raises(DisclosureError, match="officer_key"):
        RunRecorder(parameters()).table("officers", leads, people=1_000)
    RunRecorder(parameters(audience="team_leads")).table("officers", leads, people=1_000)


def test_no_officer_is_listed_for_what_a_system_did(audit: page.Record) -> None:
    assert (audit.officers.loc[audit.officers["type"] == "clock", "beyond"]).any()
    assert not set(page.officers_told(audit.officers, parameters(audience="team_leads"))["type"]) & set(decisions.OF_SYSTEMS)


def test_a_count_of_the_record_is_recorded_with_what_it_is_of(audit: page.Record) -> None:
    record = RunRecorder(parameters())
    record.measures("record_findings", page.measured(audit.types), by=["type"], people="denominator")
    for name in ("types", "units", "clock", "completeness"):
        assert len(record.table(name, getattr(audit, name), people=1_000)) == len(getattr(audit, name))
    assert len(record.as_json()["measures"]) == len(page.measured(audit.types)) > 0  # type: ignore[arg-type]
