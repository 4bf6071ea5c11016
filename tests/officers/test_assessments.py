"""Assessments of contacts: who was rated twice, and how patterns become agreement."""

from datetime import date

import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.measures.periods import Period
from collect_analysis.methods.profiling.agreement import fleiss_kappa
from collect_analysis.officers.officer_record_audit.measures_assessments import assessed, patterns, strictness

JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))


def book() -> Book:
    # Contacts 1-4 rated by two assessors, contact 5 by one, contact 6 before the period.
    said = {1: (True, True), 2: (False, False), 3: (False, True), 4: (False, False), 5: (False,), 6: (True, True)}
    rows = [
        {"qa_key": f"{event}-{place}", "event_key": f"e{event}", "unit_key": "u", "assessor_key": f"who-{place}", "form_version": "f",
         "assessed_on": date(2026, 5, 1) if event == 6 else date(2026, 6, 5), "score": 0.85 - 0.2 * place, "critical_fail": failed}
        for event, fails in said.items()
        for place, failed in enumerate(fails)
    ]  # fmt: skip
    return book_from_frames({"qa": pd.DataFrame(rows)}, as_of=date(2026, 6, 30))


def test_what_was_assessed_twice_is_counted_and_told_by_pattern() -> None:
    assert assessed(book(), JUNE) == {"contacts": 5, "assessments": 9, "assessors": 2, "rated_twice": 4, "failed": 3}
    seen = patterns(book(), JUNE)
    assert sorted(seen[["passed", "failed", "cases"]].to_numpy().tolist()) == [[0, 2, 1], [1, 1, 1], [2, 0, 2]]
    repeated = seen.loc[seen.index.repeat(seen["cases"])]
    # Three of four agree; 5 of 8 passed: expected (25 + 9) / 64.
    assert fleiss_kappa(repeated[["passed", "failed"]].to_numpy()).kappa == pytest.approx((0.75 - 34 / 64) / (1 - 34 / 64))


def test_assessors_are_numbers_not_names() -> None:
    table = strictness(book(), JUNE)
    assert table["assessor"].tolist() == [1, 2]
    assert table["n"].tolist() == [5, 4]
    assert (table["total"] / table["n"]).tolist() == pytest.approx([0.85, 0.65])


def test_a_book_without_assessments_has_none() -> None:
    empty = book_from_frames({}, as_of=date(2026, 6, 30))
    assert assessed(empty, JUNE)["assessments"] == 0
    assert patterns(empty, JUNE).empty
    assert strictness(empty, JUNE).empty
