"""A count says whether it is complete, a forecast has a band with its level, a claim alone is graded."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from collect_analysis.methods.evidence import Condition
from collect_analysis.report import statements, texts
from collect_analysis.report.kinds import KINDS
from collect_analysis.report.recording import Decision, RunRecorder, summary
from collect_analysis.runs import page

COUNTS = {"kpi_period", "commission_invoice", "officer_record_audit", "agency_integrity", "test_design"}
FORECASTS = {"pace", "target_setting", "portfolio_flow", "incentive_scheme"}


def recorded(kind: str, grade: Any, *, missing: tuple[str, ...] = (), absent: str = "") -> dict[str, Any]:
    """results.json of a run of `kind` that records one decision."""
    record = RunRecorder(SimpleNamespace(report=kind, name="n", lang="en", audience="managers", min_cell=10, as_json=dict))
    record.conditions([Condition(name="delivered", met=not absent, detail=absent, consequence="note", caveat=True)])
    record.decide(Decision(question="q", answer="a", confidence="c", grade=grade, caveats=missing, missing=missing))
    body: dict[str, Any] = record.as_json()
    return body


def test_every_kind_declares_what_its_decision_is() -> None:
    assert all("statement" in vars(model) for model in KINDS.values())
    assert {kind for kind in KINDS if statements.statement_of(kind) == "count"} == COUNTS
    assert {kind for kind in KINDS if statements.statement_of(kind) == "forecast"} == FORECASTS


@pytest.mark.parametrize("lang", texts.LANGUAGES)
@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("grade", ["A", "B", "C", "D", "none"])
def test_only_a_claim_shows_a_grade(kind: str, grade: str, lang: str) -> None:
    box = statements.box(recorded(kind, grade)["decision"], kind, lang)
    graded = texts.say("page_grade", lang, grade=grade) == box["grade_title"]
    assert graded == (grade != "none" and kind not in COUNTS | FORECASTS)
    assert (box["grade"] == "none") == (grade == "none")
    assert box["grade_meaning"] != texts.say("grade_D", lang) or (graded and grade == "D")


def test_a_count_is_complete_or_says_what_is_missing() -> None:
    whole = recorded("kpi_period", "D")
    assert statements.box(whole["decision"], "kpi_period", "en")["grade_title"] == "Counted, complete"
    assert "-> a (counted, complete)" in summary(whole)
    for lacking in (recorded("kpi_period", "D", missing=("No contacts.",)), recorded("kpi_period", "D", absent="No contacts.")):
        box = statements.box(lacking["decision"], "kpi_period", "en")
        assert (box["grade_title"], box["grade_meaning"]) == ("Counted, incomplete", "missing: No contacts.")
        assert "-> a (counted, incomplete)" in summary(lacking)
        # What is missing stays among the caveats too, for whoever reads results.json as before.
        assert lacking["decision"]["caveats"] == ["No contacts."]


def test_the_grade_stays_in_the_results_and_the_statement_stands_beside_it() -> None:
    for kind in ("kpi_period", "pace", "strategy_review"):
        decision = recorded(kind, "D")["decision"]
        assert (decision["grade"], decision["statement"]) == ("D", KINDS[kind].statement)
    old = {"grade": "D", "answer": "a"}
    assert statements.box(old, "kpi_period", "en")["grade"] == "complete"
    assert statements.box(old, "strategy_review", "en")["grade"] == "D"


@pytest.mark.parametrize(
    ("kind", "key", "level", "lang", "read"),
    [
        ("pace", "interval_share", 0.8, "en", "USD 5.00 (80 % band: USD 4.00 … USD 6.00)"),
        ("pace", "interval_share", 0.9, "vi", "5,00 USD (khoảng dự báo 90 %: 4,00 USD … 6,00 USD)"),
        ("target_setting", "level", 0.6, "en", "USD 5.00 (60 % band: USD 4.00 … USD 6.00)"),
        ("strategy_review", "interval_share", 0.95, "en", "USD 5.00 (95 % interval: USD 4.00 … USD 6.00)"),
    ],
)
def test_the_band_of_a_forecast_is_named_with_its_level(kind: str, key: str, level: float, lang: str, read: str) -> None:
    entries = dict(page._Writer(lang, "USD", kind).items({"value": 500, "low": 400, "high": 600, "unit": "minor", key: level}))
    assert list(entries.values()) == [read]


def test_no_band_is_called_at_least_and_at_most() -> None:
    bounds = [
        entry["en"]
        for _, place, entry in texts.entries()
        if place.startswith("labels.") and place.endswith(("low", "high", "low_minor", "high_minor"))
    ]
    assert bounds
    assert not [name for name in bounds if name.lower() in ("at least", "at most")]


def test_the_page_of_a_count_says_that_it_is_one() -> None:
    template = (Path(page.TEMPLATES) / "page.html.j2").read_text(encoding="utf-8")
    assert "decision.evidence" in template
    box = statements.box(recorded("commission_invoice", "D")["decision"], "commission_invoice", "vi")
    assert box["evidence"] == "Số liệu thống kê"
