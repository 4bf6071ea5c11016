"""Who is on the page: agencies without placements, renamed ones, unknown ones; currencies; money before a placement."""

from datetime import date

import pandas as pd
import pytest
from collect_analysis.agencies import checks
from collect_analysis.agencies.units import noted_units, payments_before, refuse_mixed_currencies
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.errors import DataError

from tests.measures.test_placements import PANEL, payment, placement


def unit(key: str, name: str, start: str = "2024-01-01", end: str | None = None, kind: str = "agency") -> dict:
    until = date.fromisoformat(end) if end else None
    return {"unit_key": key, "valid_from": date.fromisoformat(start), "valid_to": until, "name": name, "unit_type": kind}


def shop(units: list[dict], placements: list[dict], money: list[dict] | None = None, **more: pd.DataFrame) -> Book:
    frames = {"unit": pd.DataFrame(units), "decision": pd.DataFrame(placements), "payment": pd.DataFrame(money or []), **more}
    return book_from_frames(frames, as_of=date(2026, 6, 30))


def test_idle_renamed_and_unknown_units_are_named() -> None:
    units = [
        unit("a", "Old Name", end="2026-02-01"),
        unit("a", "New Name", start="2026-02-01"),
        unit("b", "Idle"),
        unit("t", "Team", kind="team"),
    ]
    ends = pd.DataFrame(
        [{"account_key": "acc-1", "month_end": date(2026, 1, 31), "status": "open", "bucket": 4, "balance_minor": 900, "unit_key": "ghost"}]
    )
    book = shop(units, [placement("1", "a", 1000), placement("2", "stranger", 1000)], month_end=ends)
    table = noted_units(book, PANEL)
    found = [tuple(row) for row in table[["unit_key", "unit_name", "finding", "where_seen", "rows"]].itertuples(index=False)]
    assert found == [
        ("b", "Idle", "no_placements", "decision", 0),
        ("a", "Old Name → New Name", "renamed", "unit", 2),
        ("ghost", "ghost", "unknown_unit", "month_end", 1),
        ("stranger", "stranger", "unknown_unit", "decision", 1),
    ]
    condition = checks._known_units(table)
    assert (condition.met, condition.consequence) == (False, "note")
    assert condition.details == {"unknown": ["ghost", "stranger"], "idle": ["Idle"], "renamed": ["Old Name → New Name"]}


def test_nothing_is_noted_where_all_is_well() -> None:
    assert noted_units(shop([unit("a", "A")], [placement("1", "a", 1000)]), PANEL).empty


def test_mixed_currencies_are_refused_by_name() -> None:
    money = [
        payment("p1", "1", 100, "2026-01-31"),
        payment("p2", "1", 7, "2026-01-31", currency="USD"),
        payment("p3", "1", 7, "2026-02-01"),
    ]
    with pytest.raises(DataError, match=r"payment mixes currencies: USD \(1 rows\), VND \(2 rows\); the book is in VND"):
        refuse_mixed_currencies(shop([unit("a", "A")], [placement("1", "a", 1000)], money))
    assert refuse_mixed_currencies(shop([unit("a", "A")], [placement("1", "a", 1000)], money[:1]))["rows"].tolist() == [1]


def test_money_of_the_month_before_the_first_day_is_counted_and_belongs_to_nobody() -> None:
    money = [payment("p1", "1", 100, "2026-01-14"), payment("p2", "1", 50, "2026-01-15"), payment("p3", "1", 70, "2025-12-31")]
    book = shop([unit("a", "A")], [placement("1", "a", 1000)], money)
    assert payments_before(book, PANEL) == {"payments": 1, "amount_minor": 100}
    assert not checks._after_placement(payments_before(book, PANEL)).met
