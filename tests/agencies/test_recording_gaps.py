"""Months in which an agency's payments or contacts were not delivered: found and named, in a shop where the others' were."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.agencies import checks
from collect_analysis.agencies.recording_gaps import silent_months
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.measures import placements
from collect_analysis.measures.placements import Panel

AS_OF = date(2026, 6, 30)
PANEL = Panel(start=date(2026, 1, 1), end=date(2026, 3, 31), horizon=2)
MONTHS = pd.date_range("2026-01-01", "2026-06-01", freq="MS")


def shop(*, without: tuple[str, pd.Timestamp] | None = None, contacts: bool = True) -> Book:
    """Three agencies with 200 accounts each, placed on 5 January; a fifth of them pays, and half are called, every month."""
    rng = np.random.default_rng(5)
    decisions, payments, calls = [], [], []
    for unit in ("a", "b", "c"):
        for number in range(200):
            key = f"{unit}{number:03d}"
            decisions.append(
                {"decision_key": f"d{key}", "account_key": key, "customer_key": key, "kind": "placement", "unit_key": unit,
                 "from_date": date(2026, 1, 5), "balance_minor": 1_000, "propensity": 1 / 3, "segment": "s", "placement_no": 1}
            )  # fmt: skip
            for month in MONTHS:
                delivered = without is None or (unit, month) != without
                if delivered and rng.random() < 0.2:
                    day = (month + pd.Timedelta(days=14)).date()
                    payments.append({"payment_key": f"p{len(payments)}", "account_key": key, "amount_minor": 50, "value_date": day})
                if contacts and delivered and rng.random() < 0.5:
                    at = month + pd.Timedelta(days=9, hours=10)
                    calls.append({"contact_key": f"c{len(calls)}", "account_key": key, "unit_key": unit, "local_ts": at, "channel": "call"})
    paid = pd.DataFrame(payments).assign(currency="VND", eligible=True)
    frames = {"decision": pd.DataFrame(decisions), "payment": paid}
    if contacts:
        frames["contact"] = pd.DataFrame(calls).assign(direction="out")
    return book_from_frames(frames, as_of=AS_OF)


def test_a_month_that_an_agency_did_not_deliver_is_named_and_the_comparison_refused() -> None:
    gaps = silent_months(shop(without=("b", MONTHS[3])), PANEL)
    assert list(zip(gaps["table"], gaps["unit_key"], gaps["month"], strict=True)) == [
        ("payment", "b", MONTHS[3]), ("contact", "b", MONTHS[3])
    ]  # fmt: skip
    # 200 placements at the others' rate of a fifth.
    assert gaps["expected"].iloc[0] == pytest.approx(40, abs=8)
    cash, contacts = checks.recorded(gaps, {"b": "Agency B"})
    assert (cash.name, cash.met, cash.consequence) == ("agency_cash_recorded", False, "refuse")
    assert cash.details["where"] == "Agency B (2026-04)"
    assert (contacts.met, contacts.consequence) == (False, "note")


def test_a_whole_delivery_has_no_gap_and_a_book_without_contacts_asks_nothing_of_them() -> None:
    assert silent_months(shop(), PANEL).empty
    assert set(silent_months(shop(without=("a", MONTHS[2]), contacts=False), PANEL)["table"]) == {"payment"}


def test_the_sample_shop_has_no_gap(sample_book: Path) -> None:
    book = open_book("sample", as_of=AS_OF, folder=sample_book)
    panel = Panel(start=date(2024, 7, 1), end=AS_OF, horizon=5)
    assert silent_months(book, panel).empty
    assert len(placements.inventory(book, panel))
