"""What partners owe besides recovery, counted by hand: cash passed on, recalls obeyed, answers; and honest reasons where the book is silent."""

from datetime import date

import pandas as pd
import pytest
from collect_analysis.agencies.agency_evaluation.measures_service import NO_FEEDS, NO_LIMITS, NO_RECALLS, NO_REMITTANCE, NO_TICKETS, service
from collect_analysis.book.policy import in_force
from collect_analysis.errors import ParameterError
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.placements import Panel

from tests.small_book import book_of

PANEL = Panel(start=date(2026, 4, 1), end=date(2026, 6, 30), horizon=2)
PLACED = """account_key, unit_key, from_date, to_date, balance_minor, end_reason, end_requested_ts, ended_ts
a1, x, 2026-04-01, , 100, , ,
a2, x, 2026-04-01, 2026-05-01, 100, recall, 2026-04-30 08:00:00, 2026-05-01 07:00:00
a3, x, 2026-04-01, 2026-05-02, 100, recall, 2026-04-30 08:00:00, 2026-05-02 08:00:00
b1, y, 2026-04-01, , 100, , ,
"""
PAID = """account_key, amount_minor, value_date, source, remitted_on
a1, 300, 2026-05-10, agency, 2026-05-11
a1, 100, 2026-05-20, agency, 2026-05-25
a2, 100, 2026-04-10, agency,
a1, 900, 2026-05-21, transferor,
b1, 500, 2026-05-10, transferor,
"""
LOG = """account_key, local_ts, unit_key
a1, 2026-05-10 09:00:00, x
a2, 2026-05-05 09:00:00, x
a2, 2026-05-09 09:00:00, x
b1, 2026-05-09 09:00:00, y
"""
TICKETS = """type, unit_key, account_key, opened_ts, due_ts, closed_ts, owner_side
complaint, x, a1, 2026-05-01 09:00:00, 2026-05-06 09:00:00, 2026-05-04 09:00:00, agency
complaint, x, a1, 2026-05-01 09:00:00, 2026-05-06 09:00:00, 2026-05-09 09:00:00, agency
dispute, x, a1, 2026-05-01 09:00:00, 2026-05-11 09:00:00, , agency
"""
FEEDS = """load_id, source, business_date, expected_ts, arrived_ts, rows, control_rows, amount_minor, control_minor, status
1, x, 2026-05-01, 2026-05-02 06:00:00, 2026-05-02 05:00:00, 5, 5, 9, 9, loaded
2, x, 2026-05-02, 2026-05-03 06:00:00, 2026-05-03 05:00:00, 5, 6, 9, 9, loaded
"""


def found(**changes: str) -> pd.DataFrame:
    tables = {
        "account": "account_key\na1\na2\na3\nb1\n", "unit": "unit_key\nx\ny\n", "decision": PLACED, "payment": PAID, "contact": LOG,
        "ticket": TICKETS, **changes,
    }  # fmt: skip
    book = book_of({name: text for name, text in tables.items() if text}, as_of=date(2026, 6, 30))
    limits = [LegalLimits.of(version) for version in in_force("legal_limits", start=PANEL.start, end=PANEL.end)]
    return service(book, PANEL, limits=limits).set_index(["unit_key", "measure"])


def numbers(table: pd.DataFrame, *key: str) -> list[float]:
    return table.loc[key, ["numerator", "denominator", "value"]].tolist()


def test_every_measure_of_service_counts_what_it_says() -> None:
    table = found()
    # Passed on after 1 and 5 days; within two days of 500 due: 300. What was never passed on is not in time.
    assert numbers(table, "x", "remittance_days_mean") == [6, 2, 3]
    assert table.loc[("x", "remittance_days_p90"), "value"] == 5
    assert numbers(table, "x", "remitted_in_time") == [300, 500, 0.6]
    assert numbers(table, "x", "recalls_in_time") == [1, 2, 0.5]
    # Two of three contacts on an account recalled before; the last one eight days after it.
    assert numbers(table, "x", "contacts_after_recall") == [2, 3, pytest.approx(20_000 / 3)]
    assert numbers(table, "x", "days_to_stop") == [8, 1, 8]
    # One in time of two closed and one open past its due time.
    assert numbers(table, "x", "answered_in_time") == [1, 3, pytest.approx(1 / 3)]
    assert numbers(table, "x", "complaint_days_mean") == [11, 2, 5.5]
    assert table.loc[("x", "dispute_days_mean"), "note"] == "no dispute closed"
    # Nothing went wrong at y, and where nothing happened nothing is told.
    assert numbers(table, "y", "contacts_after_recall") == [0, 1, 0]
    assert table.loc[("y", "remitted_in_time"), "note"] == "no cash fell due"


def test_a_book_that_does_not_carry_it_says_so_instead_of_zero() -> None:
    placed = "account_key, unit_key, from_date, balance_minor\na1, x, 2026-04-01, 100\n"
    paid = "account_key, amount_minor, value_date, source\na1, 300, 2026-05-10, agency\n"
    table = found(decision=placed, payment=paid, contact="", ticket="").loc["x"]
    assert table["value"].isna().all()
    assert table["note"].to_dict() == {
        **dict.fromkeys(["remittance_days_mean", "remittance_days_p90", "remitted_in_time"], NO_REMITTANCE),
        "recalls_in_time": NO_RECALLS,
        **dict.fromkeys(["contacts_after_recall", "days_to_stop"], NO_LIMITS),
        **dict.fromkeys(
            ["answered_in_time", "complaint_days_mean", "complaint_days_p90", "dispute_days_mean", "dispute_days_p90"], NO_TICKETS
        ),
        "file_error_rate": NO_FEEDS,
    }


def test_deliveries_of_a_unit_are_held_against_their_control_totals(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests import small_book

    monkeypatch.setitem(small_book.FILLED, "feed_manifest", {})
    assert numbers(found(feed_manifest=FEEDS), "x", "file_error_rate") == [1, 2, 0.5]


def test_a_panel_that_is_not_of_whole_months_is_refused() -> None:
    book = book_of({"account": "account_key\na1\n", "decision": PLACED}, as_of=date(2026, 6, 30))
    with pytest.raises(ParameterError, match="first day of a month"):
        service(book, Panel(start=date(2026, 4, 2), end=date(2026, 6, 30), horizon=2))
