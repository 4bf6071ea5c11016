"""What stands between an agency and a larger share: findings of the integrity check, lines billed for nothing; as their own pages judge them."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.agencies import audit_gates, gates as partners, integrity_verdict, invoice_check
from collect_analysis.agencies.audit_gates import AuditFacts
from collect_analysis.agencies.invoice_lines import NOT_OWED
from collect_analysis.agencies.placement_policy import AuditRule
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.measures.periods import Period

RULE = AuditRule(months=3, unowed_lines_share=0.01)
QUARTER = Period(date(2026, 4, 1), date(2026, 6, 30))


def judged(findings: dict[tuple[str, str], str]) -> pd.DataFrame:
    return pd.DataFrame([{"unit_key": unit, "test": test, "finding": finding} for (unit, test), finding in findings.items()])


def facts(findings: dict[tuple[str, str], str], lines: dict[str, tuple[int, int]], *, checkable: bool = True) -> AuditFacts:
    rows = [{"unit_key": unit, "billed": billed, "unowed": unowed} for unit, (unowed, billed) in lines.items()]
    return AuditFacts(
        period=QUARTER, tests=judged(findings), lines=pd.DataFrame(rows, columns=["unit_key", "billed", "unowed"]), checkable=checkable
    )


def status(table: pd.DataFrame) -> dict[tuple[str, str], str]:
    return {(row["unit_key"], row["gate"]): row["status"] for row in table.to_dict("records")}


def test_a_strong_finding_asks_for_an_audit_and_a_weak_one_for_a_look() -> None:
    found = {
        ("a", "hoarding"): "strong",
        ("a", "burst"): "weak",
        ("b", "burst"): "weak",
        ("c", "burst"): "none",
        ("d", "burst"): "not_judged",
    }
    table = audit_gates.audit_gates(facts(found, {}), ["a", "b", "c", "d", "e"], RULE)
    told = {unit: state for (unit, gate), state in status(table).items() if gate == "integrity"}
    assert told == {"a": "audit", "b": "watch", "c": "pass", "d": "no_data", "e": "no_data"}
    own = table[table["gate"] == "integrity"].set_index("unit_key")
    assert own.loc["a", ["numerator", "denominator"]].tolist() == [2, 2]
    assert (own.loc["d", "note"], own.loc["e", "note"]) == (audit_gates.NOT_ASKED, audit_gates.NOT_HELD)


def test_lines_billed_for_nothing_are_held_against_the_limit_with_their_interval() -> None:
    # 21 of 565: 3.7 %, 2.4 % at least. 5 of 400: 1.25 %, 0.5 % at least. 3 of 400: under the limit of one in a hundred.
    lines = {"twice": (21, 565), "some": (5, 400), "few": (3, 400), "clean": (0, 300)}
    table = audit_gates.audit_gates(facts({("twice", "x"): "none"}, lines), [*sorted(lines), "none"], RULE)
    told = {unit: state for (unit, gate), state in status(table).items() if gate == "billing"}
    assert told == {"twice": "audit", "some": "watch", "few": "pass", "clean": "pass", "none": "no_data"}
    row = table[(table["unit_key"] == "twice") & (table["gate"] == "billing")].iloc[0]
    assert (row["value"], row["low"]) == (pytest.approx(21 / 565), pytest.approx(0.0244, abs=0.0002))
    unchecked = audit_gates.audit_gates(facts({("twice", "x"): "none"}, lines, checkable=False), sorted(lines), RULE)
    billing = unchecked[unchecked["gate"] == "billing"]
    assert set(billing["status"]) == {"no_data"}
    assert set(billing["note"]) == {audit_gates.NOT_CHECKED}


def test_the_worst_gate_of_a_unit_is_its_standing_and_an_audit_weighs_more_than_a_watch() -> None:
    table = pd.DataFrame(
        {"unit_key": ["a"] * 3 + ["b"] * 2, "gate": ["x", "integrity", "y", "integrity", "z"],
         "status": ["watch", "audit", "pass", "audit", "fail"]}
    )  # fmt: skip
    found = partners.standing(table).set_index("unit_key")
    assert (found.loc["a", "status"], found.loc["a", "gates"]) == ("audit", "integrity")
    assert (found.loc["b", "status"], found.loc["b", "gates"]) == ("fail", "z")


def test_the_months_are_the_last_of_the_period_or_all_of_a_shorter_one() -> None:
    assert audit_gates.audit_period(Period(date(2024, 7, 1), date(2026, 6, 30)), RULE) == QUARTER
    assert audit_gates.audit_period(Period(date(2026, 5, 1), date(2026, 6, 30)), RULE) == Period(date(2026, 5, 1), date(2026, 6, 30))


def test_a_book_without_placements_or_invoices_asks_nothing() -> None:
    found = audit_gates.audit_facts(book_from_frames({}, as_of=date(2026, 6, 30)), QUARTER)
    table = audit_gates.audit_gates(found, ["a"], RULE)
    assert status(table) == {("a", "billing"): "no_data", ("a", "integrity"): "no_data"}
    assert table.set_index("gate")["note"].to_dict() == {"billing": audit_gates.NO_INVOICE, "integrity": audit_gates.NOT_HELD}


@pytest.fixture(scope="module")
def book(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)


def test_the_gates_say_what_the_pages_of_the_same_months_say(book: Book) -> None:
    found = audit_gates.audit_facts(book, QUARTER)
    units = sorted(found.tests["unit_key"].unique())
    gates = status(audit_gates.audit_gates(found, units, RULE))
    audited = {unit for unit, _ in integrity_verdict.verdict(found.tests).audit}
    assert {unit for unit in units if gates[(unit, "integrity")] == "audit"} == audited
    billed = invoice_check.check(book, start=QUARTER.start, end=QUARTER.end, policy=invoice_check.Policy())
    reasons = invoice_check.by_reason(billed.result.parts)
    lines = reasons[reasons["reason"].isin(NOT_OWED)].groupby("unit_key")["found"].sum()
    assert found.lines.set_index("unit_key")["unowed"].reindex(lines.index).to_dict() == lines.to_dict()
    # Planted: D bills payments twice, B bills for accounts it does not hold.
    assert {unit for unit in units if gates[(unit, "billing")] in ("audit", "watch")} >= {"ag-b", "ag-d"}
    assert gates[("ag-a", "billing")] == "pass"
