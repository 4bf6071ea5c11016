"""What has to be placed next and what an account of it brings: by hand, and the interval against its formula on drawn customers."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.agencies.placement_plan.measures_flow import ALL, FEW_CUSTOMERS, credible, held_now, recent_flow, worth_of_account
from collect_analysis.book.store import Book, open_book
from collect_analysis.measures import placements
from collect_analysis.measures.placements import Panel

from tests.small_book import book_of

AS_OF = date(2026, 6, 30)
PANEL = Panel(start=date(2026, 1, 1), end=AS_OF, horizon=2)
PLACED = """account_key, unit_key, from_date, to_date, balance_minor, segment, placement_no
a, x, 2026-04-01, , 100, s, 1
b, x, 2026-06-30, , 200, s, 1
c, y, 2026-05-15, 2026-06-01, 400, s, 1
d, y, 2026-05-15, , 800, s, 2
e, x, 2026-05-15, , 1600, r | high?, 1
f, y, 2026-06-15, 2026-07-01, 3200, , 
g, x, 2026-03-31, , 6400, s, 1
"""  # noqa: W291


def flow_book(placed: str = PLACED, **tables: str) -> Book:
    return book_of({"payment": "account_key, amount_minor, value_date\n", **tables, "decision": placed}, as_of=AS_OF)


def test_the_flow_of_the_last_months_by_stratum_number_and_unit() -> None:
    table = recent_flow(flow_book(), PANEL, months=3)
    # April to June; what was placed on the last of March is out, what ended since is still part of the flow.
    assert table.to_numpy().tolist() == [
        [ALL, 0, "y", 1, 3200, pytest.approx(1 / 3)],
        ["r | high?", 1, "x", 1, 1600, pytest.approx(1 / 3)],
        ["s", 1, "x", 2, 300, pytest.approx(2 / 3)],
        ["s", 1, "y", 1, 400, pytest.approx(1 / 3)],
        ["s", 2, "y", 1, 800, pytest.approx(1 / 3)],
    ]
    assert recent_flow(flow_book(), PANEL, months=1)["per_month"].sum() == 2


def test_nothing_placed_is_an_empty_flow() -> None:
    early = Panel(start=date(2020, 1, 1), end=date(2020, 12, 31), horizon=2)
    assert recent_flow(flow_book(), early, months=3).empty
    assert worth_of_account(pd.DataFrame()).empty


def test_units_hold_what_has_not_ended_and_whose_debt_is_open() -> None:
    assert held_now(flow_book()).to_dict() == {"x": 4, "y": 2}
    # a was written off in April and b recalled by the transferor in June; d was closed in April and stands open again since May; g came before
    # the panel.
    ends = """account_key, month_end, status
a, 2026-04-30, written_off
b, 2026-06-30, recalled
d, 2026-04-30, paid_off
d, 2026-05-31, open
g, 2026-06-30, open
"""
    assert held_now(flow_book(month_end=ends)).to_dict() == {"x": 2, "y": 2}


def test_on_a_month_end_the_accounts_held_are_those_of_the_stock(sample_book: Path) -> None:
    book = open_book("sample", as_of=AS_OF, folder=sample_book)
    ends = book.table("month_end")
    stock = book.frame(ends.filter(ends.month_end == AS_OF, ends.status == "open").select("unit_key", "account_key"))
    of_stock = stock.groupby("unit_key")["account_key"].nunique()
    held = held_now(book)
    assert set(held.index) >= {"ag-a", "ag-f"}
    assert held.to_dict() == of_stock[held.index].to_dict()
    # A page that counts placements says so: they run on where the debt was closed.
    inventory = placements.inventory(book, Panel(start=date(2024, 7, 1), end=AS_OF, horizon=5)).set_index("unit_key")
    assert inventory["open_accounts"].to_dict() == held[inventory.index].to_dict()
    assert (inventory["active_accounts"] > inventory["open_accounts"]).any()


def sums(rows: list[tuple[str, str, int, int, int, float, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["unit_key", "stratum", "age_months", "n", "accounts", "sum_y", "sum_yy"])


def test_an_account_is_worth_what_came_in_over_all_units_and_months_by_the_last_age() -> None:
    table = worth_of_account(
        sums(
            [
                ("x", "s | 1 | 2026-01", 0, 2, 3, 1.0, 1.0),
                ("x", "s | 1 | 2026-01", 1, 2, 3, 30.0, 500.0),
                ("y", "s | 1 | 2026-02", 1, 2, 2, 10.0, 100.0),
                ("y", "r | high? | 2 | 2026-02", 1, 1, 1, 7.0, 49.0),
                ("y", "? | 0 | 2026-02", 1, 3, 4, 3.0, 9.0),
            ]
        )
    ).set_index("group")
    assert table[["accounts", "cash_minor", "value"]].T.to_dict("list") == {
        "r | high?": [1, 7, 7],
        "s": [5, 40, 8],
        ALL: [10, 50, 5],
    }
    # Four customers of s: variance (600 - 40²/4) / 3, of the sum four times that, of an account its root over five.
    spread = 1.959964 * np.sqrt(4 * (600 - 400) / 3) / 5
    assert table.loc["s", ["low", "high"]].tolist() == pytest.approx([max(8 - spread, 0), 8 + spread])
    assert table["note"].to_dict() == {"r | high?": FEW_CUSTOMERS, "s": "", ALL: ""}
    assert table.loc["r | high?", ["low", "high"]].isna().all()


def test_a_stratum_is_believed_as_far_as_its_accounts_carry_it() -> None:
    worth = pd.DataFrame(
        {"group": ["few", "many", ALL], "accounts": [10, 90, 100], "value": [0.0, 100.0, 90.0], "scatter": [400.0, 1600.0, 1500.0]}
    )
    table = credible(worth).set_index("group")
    # s² = (10·400 + 90·1600)/100 = 1480; a = (10·90² + 90·10² - 1480) / (100 - 82) = 88520/18; Z of few 10/(10 + 1480·18/88520).
    weight = 10 / (10 + 1480 * 18 / 88520)
    assert table.loc["few", "value"] == pytest.approx((1 - weight) * 90)
    assert table.loc["few", "raw"] == 0
    assert table.loc[ALL, "value"] == 90
    # Strata that differ by less than chance are all worth the mean.
    alike = credible(worth.assign(scatter=1e6)).set_index("group")
    assert alike.loc[["few", "many"], "value"].tolist() == pytest.approx([90, 90])


def test_the_interval_of_an_account_s_worth_holds_the_truth_as_often_as_it_says() -> None:
    rng, truth, hits = np.random.default_rng(3), 0.2 * 500.0, 0
    for _ in range(300):
        y = (rng.random(400) < 0.2) * rng.gamma(2.0, 250.0, 400)
        row = worth_of_account(sums([("x", "s | 1 | 2026-01", 2, 400, 400, y.sum(), (y**2).sum())])).iloc[0]
        hits += row["low"] <= truth <= row["high"]
    assert 0.91 <= hits / 300 <= 0.98


def test_the_sample_shop_s_worth_is_its_cash_over_its_accounts(sample_book: Path) -> None:
    book = open_book("sample", as_of=AS_OF, folder=sample_book)
    panel = Panel(start=date(2025, 1, 1), end=AS_OF, horizon=5)
    table = worth_of_account(placements.stratum_sums(book, panel, age=5)).set_index("group")
    results = placements.results_at(book, panel, age=5)
    frame = book.frame(results.select("stratum", "cash_minor"))
    groups = frame.groupby(frame["stratum"].str.slice(0, -len(" | 1 | 2025-01")))["cash_minor"].agg(["sum", "count"])
    assert table.loc[ALL, ["cash_minor", "accounts"]].tolist() == [groups["sum"].sum(), groups["count"].sum()]
    named = table.drop(index=ALL)
    assert (named["cash_minor"] == groups["sum"].reindex(named.index)).all()
    assert (named["accounts"] == groups["count"].reindex(named.index)).all()
    assert len(named) == len(groups)
