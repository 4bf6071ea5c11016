"""Days, daily cash and cells that pace reads, by hand; the planted Tet of the sample shop."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, open_book
from collect_analysis.measures import pace, pace_days
from collect_analysis.measures.pace import ENTERED, NOT_HELD, Cut
from collect_analysis.measures.recovery import targets
from collect_analysis.methods.forecast.completion import fit_curve
from collect_analysis.portfolio.pace.measures_outlook import company_forecast, explain, outlook, scope_forecasts

from tests.small_book import book_of

TABLES = {
    "account": """account_key, open_date, product_code
        a, 2026-01-01, card
        b, 2026-01-01, card
        c, 2026-01-01, loan
        new, 2026-06-03, card
        gone, 2026-01-01, card""",
    "month_end": """account_key, month_end, status, bucket, unit_key
        a, 2026-05-31, open, 1, u1
        b, 2026-05-31, open, 1, u1
        c, 2026-05-31, open, 9, u2
        gone, 2026-05-31, recalled, 2, u2
        a, 2026-06-30, open, 2, u2
        new, 2026-06-30, open, 1, u2""",
    "payment": """account_key, amount_minor, value_date, posted_utc
        a, 10, 2026-06-01, 2026-06-01 08:00
        a, 20, 2026-06-02, 2026-06-04 08:00
        c, 1000, 2026-06-02, 2026-06-02 08:00
        new, 7, 2026-06-04, 2026-06-04 08:00
        gone, 5, 2026-06-05, 2026-06-05 08:00
        b, 400, 2026-06-20, 2026-06-20 08:00""",
}


def book(day: date) -> Book:
    return book_of(TABLES, as_of=day)


def test_cash_is_by_the_holder_when_the_month_began_and_entrants_by_their_first_month_end() -> None:
    daily = pace.daily_cash(book(date(2026, 6, 30)), start=date(2026, 6, 1), end=date(2026, 6, 30))
    rows = daily[["date", "unit_key", "entered", "collected_minor"]].to_numpy().tolist()
    assert rows == [
        [date(2026, 6, 1), "u1", False, 10],
        [date(2026, 6, 2), "u1", False, 20],
        [date(2026, 6, 2), "u2", False, 1000],
        [date(2026, 6, 4), "u2", True, 7],
        [date(2026, 6, 5), "unassigned", True, 5],
        [date(2026, 6, 20), "u1", False, 400],
    ]
    assert daily["late_minor"].tolist() == [0, 20, 0, 0, 0, 0]


def test_in_the_middle_of_a_month_nobody_holds_what_came_in() -> None:
    daily = pace.daily_cash(book(date(2026, 6, 10)), start=date(2026, 6, 1), end=date(2026, 6, 10))
    assert daily["collected_minor"].sum() == 1042
    assert daily.loc[daily["date"] == date(2026, 6, 4), "unit_key"].tolist() == ["unassigned"]


def test_cells_count_each_account_and_each_payment_once() -> None:
    cells = pace.cells(book(date(2026, 6, 10)), Cut(date(2026, 6, 10)), large_minor=1000)
    found = cells.set_index(["unit_key", "bucket"])[list(pace.CELL_NUMBERS)].to_dict("index")
    assert found == {
        ("u1", 1): {"accounts": 2, "payers": 1, "ordinary_minor": 30, "large_accounts": 0, "large_minor": 0},
        ("u2", 9): {"accounts": 1, "payers": 0, "ordinary_minor": 0, "large_accounts": 1, "large_minor": 1000},
        ("unassigned", ENTERED): {"accounts": 1, "payers": 1, "ordinary_minor": 7, "large_accounts": 0, "large_minor": 0},
        ("unassigned", NOT_HELD): {"accounts": 1, "payers": 1, "ordinary_minor": 5, "large_accounts": 0, "large_minor": 0},
    }


def test_allotting_keeps_the_sum() -> None:
    table = pd.DataFrame({"unit_key": ["u1", "unassigned"], "day": [1, 1], "cash": [10, 9]})
    shares = pd.Series({"u1": 2 / 3, "u2": 1 / 3})
    spread = pace.allotted(table, shares, entered=pd.Series([False, True]), numbers=("cash",)).set_index("unit_key")["cash"]
    assert spread.to_dict() == pytest.approx({"u1": 16, "u2": 3})


def test_the_kind_of_a_day_comes_from_the_calendar() -> None:
    days = "\n".join(
        f"2026-02-{day:02d}, {'false' if day in (1, 7, 8, 14, 15, 16, 17, 21, 22, 28) else 'true'}, {'tet' if day in (16, 17) else ''}, "
        f"{day - 17}, {'true' if 5 <= day <= 10 else 'false'}"
        for day in range(1, 29)
    )
    small = book_of({"calendar": f"date, working_day, holiday, tet_offset, salary_window\n{days}"}, as_of=date(2026, 2, 10))
    table = pace_days.features(pace_days.calendar_days(small, date(2026, 2, 1), date(2026, 2, 28))).set_index("date")
    kinds = {
        name: [day.day for day in table.index[table[name] > 0]]
        for name in table.columns
        if name.startswith(("tet_", "sal", "clos", "open", "after"))
    }
    assert kinds["salary"] == [5, 6, 7, 8, 9, 10]
    assert kinds["after_salary"] == [11, 12, 13]
    assert kinds["opening"] == [1, 2, 3]
    assert kinds["closing"] == [25, 26]
    assert kinds["closing_last"] == [27, 28]
    assert kinds["tet_week"] == list(range(17, 24))
    assert kinds["tet_before_1"] == list(range(10, 17))
    assert set(table.loc[date(2026, 2, 10) : date(2026, 2, 20), "tet"]) == {date(2026, 2, 17)}


def test_without_a_calendar_monday_to_friday_are_worked_and_nothing_is_known_of_tet() -> None:
    days = pace_days.calendar_days(book(date(2026, 6, 30)), date(2026, 6, 1), date(2026, 6, 7))
    assert days["working_day"].tolist() == [True] * 5 + [False] * 2
    assert not days["listed"].any()
    assert pace_days.features(days)["tet"].isna().all()


@pytest.fixture(scope="module")
def sample(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 5, 18), folder=sample_book)


def test_the_planted_season_of_tet_is_found(sample_book: Path) -> None:
    known = outlook(open_book("sample", as_of=date(2026, 6, 30), folder=sample_book), history_months=24, reference_months=3)
    curve = fit_curve(known.months)
    season = dict(zip((name.isoformat()[:7] for name in known.months.names), curve.season(known.months), strict=True))
    truth = json.loads((sample_book / "sample" / "truth.json").read_text())["tet"]["month_factor"]
    ordinary = [month for month, factor in truth.items() if factor == 1.0]
    # May 2026 and the like hold no week of Tet: exactly 1. Tet months lie within what 20,000 accounts in two years allow.
    assert all(season[month] == pytest.approx(1.0, abs=0.03) for month in ordinary)
    moved = {month: factor for month, factor in truth.items() if factor != 1.0}
    assert np.corrcoef([season[month] for month in moved], list(moved.values()))[0, 1] > 0.8
    assert max(abs(season[month] - factor) for month, factor in moved.items()) < 0.2


def test_forecasts_of_units_add_up_to_the_company_and_the_bridge_to_the_cent(sample: Book) -> None:
    known = outlook(sample, history_months=24, reference_months=3)
    curve, made = company_forecast(known, tet_spread=0.25)
    table = scope_forecasts(known, curve, made, level=0.8, tet_spread=0.25)
    for scope in ("sub_function", "unit"):
        own = table[table["scope_type"] == scope]
        assert own["value"].sum() == pytest.approx(made.value)
        assert own["paid_minor"].sum() == pytest.approx(known.paid_minor)
    explained = explain(known, curve, reference_months=3, top_bucket=7, quantile=0.995, order="shapley")
    assert sum(explained.totals.values()) == explained.actual_minor - explained.start_minor
    assert explained.actual_minor == known.paid_minor
    signed = targets(sample, pace.whole(date(2026, 5, 1)), grains=["company"]).query("kpi == 'R1'")["target"].iloc[0]
    assert explained.plan_minor == round(signed * made.complete)
    assert (explained.units["actual_minor"].sum()) == pytest.approx(explained.actual_minor)


def test_on_the_last_day_the_forecast_is_the_cash_of_the_month(sample_book: Path) -> None:
    ended = open_book("sample", as_of=date(2026, 5, 31), folder=sample_book)
    known = outlook(ended, history_months=12, reference_months=2)
    _, made = company_forecast(known, tet_spread=0.25)
    assert made.value == known.paid_minor
    assert known.allotted_share == 0
