"""Commission by tariff, tier and day, to the unit; net-back per amount placed."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.agencies import comparison
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.errors import DataError
from collect_analysis.measures import economics, placements
from collect_analysis.measures.placements import Panel

PANEL = Panel(start=date(2026, 1, 1), end=date(2026, 1, 31), horizon=3)


def tariff(tariff_id: str, kind: str, rate: float, *, tier: float = 0, start: str = "2025-01-01", end: str | None = None) -> dict:
    item = "collected" if kind == "commission" else "vat"
    day = date.fromisoformat(end) if end else None
    return {
        "tariff_id": tariff_id, "kind": kind, "item": item, "tier_from": tier, "valid_from": date.fromisoformat(start), "valid_to": day,
        "amount_minor": None, "rate": rate, "currency": "VND",
    }  # fmt: skip


TARIFFS = [
    tariff("t1", "commission", 0.20),
    tariff("t1", "commission", 0.30, tier=2),
    tariff("t2", "commission", 0.10, end="2026-03-01"),
    tariff("t2", "commission", 0.15, start="2026-03-01"),
    tariff("tax", "tax", 0.10),
]


def book(tariffs: list[dict] = TARIFFS) -> Book:
    units = [
        {"unit_key": key, "valid_from": date(2024, 1, 1), "name": key.upper(), "unit_type": "agency", "tariff_id": used}
        for key, used in (("a", "t1"), ("b", "t2"), ("c", None))
    ]
    made = [
        {
            "decision_key": f"d{key}", "account_key": key, "customer_key": key, "kind": "placement", "decided_utc": pd.Timestamp("2026-01-02"),
            "unit_key": key, "segment": "s", "placement_no": 1, "from_date": date(2026, 1, 2), "balance_minor": 10_000, "propensity": 0.5,
        }
        for key in "abc"
    ]  # fmt: skip
    paid = [
        ("a", 1000, "2026-01-20"),
        ("a", 501, "2026-03-10"),
        ("b", 1000, "2026-02-28"),
        ("b", 1000, "2026-03-01"),
        ("c", 77, "2026-02-01"),
    ]
    payments = [
        {"payment_key": f"p{n}", "account_key": key, "amount_minor": amount, "currency": "VND", "value_date": date.fromisoformat(day), "eligible": True}
        for n, (key, amount, day) in enumerate(paid)
    ]  # fmt: skip
    frames = {"unit": units, "decision": made, "payment": payments, "tariff": tariffs}
    return book_from_frames({name: pd.DataFrame(rows) for name, rows in frames.items()}, as_of=date(2026, 6, 30))


def net() -> pd.DataFrame:
    charged = economics.commission(book(), PANEL, age=3)
    return economics.net_back(charged, comparison.curves(placements.stratum_sums(book(), PANEL, age=3))).set_index("unit_key")


def test_commission_follows_the_tier_of_the_month_and_the_tariff_of_the_day() -> None:
    table = net()
    # a: 20 % of 1,000 and, from month 2, 30 % of 501 = 150.3; b: 10 % until February, 15 % from 1 March.
    assert table["commission_minor"].to_dict()["a"] == 200 + 150
    assert table["commission_minor"].to_dict()["b"] == 100 + 150
    assert table["tax_minor"].to_dict()["a"] == 20 + 15
    assert table.loc["a", "net_minor"] == 1501 - 350 - 35
    assert table.loc["a", "value"] == pytest.approx(1116 / 10_000)
    assert table.loc["a", "commission_rate"] == pytest.approx(385 / 1501)


def test_money_without_a_tariff_has_no_net_back() -> None:
    table = net()
    assert np.isnan(table.loc["c", "value"])
    assert table.loc["c", "note"] == economics.NO_TARIFF
    assert table.loc["c", "collected_minor"] == 77


def test_the_net_shift_is_the_log_of_what_is_kept_over_what_all_keep() -> None:
    shift = economics.net_shift(net().reset_index())
    kept = {"a": 1116 / 1501, "b": (2000 - 250 - 25) / 2000}
    pooled = (1116 + 1725) / 3501
    assert shift["a"] == pytest.approx(np.log(kept["a"] / pooled))
    assert shift["b"] == pytest.approx(np.log(kept["b"] / pooled))
    assert np.isnan(shift["c"])


def test_overlapping_tariffs_are_refused_with_the_fix() -> None:
    with pytest.raises(DataError, match=r"2 payments meet several commission tariffs.*valid_to"):
        economics.commission(book([*TARIFFS, tariff("t1", "commission", 0.25, start="2025-06-01")]), PANEL, age=3)


def test_all_money_is_priced_or_named() -> None:
    charged = economics.commission(book(), PANEL, age=3)
    assert charged["collected_minor"].sum() == 1000 + 501 + 2000 + 77
