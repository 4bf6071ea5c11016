"""A KPI validation as it is read, in both languages, and what a wrong report file is told."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from collect_analysis.book.store import Book, open_book
from collect_analysis.errors import ParameterError
from collect_analysis.officers.kpi_validation import page, page_decision
from collect_analysis.officers.kpi_validation.parameters import KpiValidation
from collect_analysis.report.conditions import worded
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import NoPeople, RunRecorder


def parameters(**changes: Any) -> KpiValidation:
    values = {
        "name": "r",
        "book": "b",
        "as_of": "2026-06-30",
        "period_start": "2026-03-01",
        "period_end": "2026-06-30",
        "kpis": ["R9", "C4", "C8"],
        "draws": 50,
    }
    return validate(KpiValidation, {**values, **changes}, where="test")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kpis": ["R9", "XX"]}, "unknown KPI XX"),
        ({"kpis": ["Q6"]}, "Q6 cannot be told of an officer"),
        ({"period_end": "2026-06-29"}, "ends on the last day of a month"),
        ({"period_end": "2026-07-31"}, "after as_of 2026-06-30"),
        ({"least_reliability": 0.8}, "above good_reliability"),
        ({"least_share": 0.5}, "above good_share"),
        ({"pool_month": 3}, "did you mean 'pool_months'"),
    ],
)
def test_a_wrong_report_file_is_refused_with_the_fix(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        parameters(**changes)


@pytest.fixture(scope="module")
def book(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)


@pytest.fixture(scope="module")
def case(book: Book) -> page.Study:
    return page.study(book, parameters())


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_the_page_speaks_its_language(book: Book, case: page.Study, lang: str) -> None:
    params = parameters(lang=lang)
    signs = page.signs(book, case, params)
    decision = page_decision.decision_of(case, params, signs)
    shown = [
        page.verdict_table(case.judged, params), page.reliability_shown(case.reliability, params),
        page.control_shown(case.control, params), page.gaming_shown(case.judged, params), page.signs_shown(signs, params),
    ]  # fmt: skip
    said = [decision.question, decision.answer, decision.confidence, *decision.caveats, *(item.detail for item in worded(case.found, lang))]
    text = "\n".join([*said, *(table.as_text() for table in shown)])
    assert not any(mark in text for mark in ("{", "}", "nan", "None", "kv_"))
    assert ("controllable share" in text) == (lang == "en")
    assert decision.grade == "C"
    for axes in (page.sources_drawn(case.control, params), page.prediction_drawn(case.judged, params)):
        assert axes.get_xlabel()


def test_no_officer_leaves(case: page.Study) -> None:
    record = RunRecorder(parameters())
    for name in ("judged", "reliability", "control", "overlaps"):
        assert "officer_key" not in record.table(name, getattr(case, name), people=1_000)
    record.measures("kpi_worth", page.measured(case.judged), by=["kpi", "property"], people=NoPeople("shares of variance between officers"))


def test_two_months_are_refused_without_a_number(book: Book) -> None:
    params = parameters(period_start="2026-05-01", kpis=["C4"])
    short = page.study(book, params)
    assert not short.answerable
    assert short.judged[["reliability", "share", "predicts"]].isna().all().all()
    assert set(short.judged["action"]) == {"unknown"}
    decision = page_decision.decision_of(short, params, page.signs(book, short, params))
    assert decision.grade == "none"
    assert "at least 4 months" in decision.answer
    assert decision.action == {}
