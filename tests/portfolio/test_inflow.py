"""New entries and hours by hand."""

from datetime import date

import pytest
from collect_analysis.book.store import Book
from collect_analysis.measures.periods import KpiWindows
from collect_analysis.portfolio.target_setting.measures_capacity import officer_tenure, unit_facts, unit_months
from collect_analysis.portfolio.target_setting.measures_inflow import days_with_cash, inflow

from tests.small_book import book_of

TABLES = {
    "account": """account_key, original_minor
        a, 100
        b, 200
        c, 300""",
    # a stands in the opening stock: it is no entry.
    "month_end": """account_key, month_end, balance_minor, unit_key
        a, 2026-03-31, 100, t1
        a, 2026-04-30, 100, t1
        b, 2026-04-30, 150, t1
        b, 2026-05-31, 150, t2
        c, 2026-05-31, 300, t2""",
    "payment": """account_key, amount_minor, value_date
        a, 10, 2026-04-05
        b, 20, 2026-04-10
        b, 30, 2026-04-20
        b, 40, 2026-05-10
        c, 50, 2026-05-12""",
    "unit": """unit_key, sub_function, capacity_accounts
        t1, tele,
        ag, agency, 700""",
    "officer": """officer_key, unit_key, hire_month
        o1, t1, 2026-02-01
        o2, t1,""",
    "unit_day": """officer_key, unit_key, date, logged_min
        o1, t1, 2026-04-01, 100
        o2, t1, 2026-04-01, 200
        o1, t1, 2026-05-04, 60""",
    "contact": """account_key, local_ts, unit_key, officer_key, result, party_role, verified
        a, 2026-04-01T10:00, t1, o1, answered, debtor, true
        a, 2026-04-02T10:00, t1, o1, no_answer, none, false
        a, 2026-04-02T11:00, t1, , no_answer, none, false""",
    "calendar": """date, working_day, salary_window, tet_offset
        2026-04-05, false, true, 47
        2026-04-10, true, true, 52""",
}


@pytest.fixture(scope="module")
def book() -> Book:
    return book_of(TABLES, as_of=date(2026, 5, 31))


def test_entries_and_what_they_paid_by_age(book: Book) -> None:
    found = inflow(book, date(2026, 4, 1), date(2026, 5, 1), ages=2)
    rows = [tuple(row) for row in found.drop(columns="month").itertuples(index=False)]
    # b: 50 in April, 40 in May; c: 50 in May, its June is not over.
    assert rows == [("t1", 0, 1, 200, 50, 2500.0), ("t1", 1, 1, 200, 40, 1600.0), ("t2", 0, 1, 300, 50, 2500.0)]


def test_days_know_their_cash_and_kind_and_what_the_calendar_does_not_cover(book: Book) -> None:
    table = days_with_cash(book, date(2026, 4, 4), date(2026, 4, 10)).set_index("date")
    assert table["cash"].tolist() == [0, 10, 0, 0, 0, 0, 20]
    assert table["in_calendar"].sum() == 2
    # A Saturday without calendar is free; the Sunday and the Friday are as the calendar says.
    assert not table.loc[date(2026, 4, 4), "working_day"]
    assert table.loc[date(2026, 4, 10), "salary_window"]
    assert table["tet_offset"].notna().sum() == 2


def test_hours_and_work_of_units_by_month(book: Book) -> None:
    found = unit_months(book, date(2026, 4, 1), date(2026, 5, 1), windows=KpiWindows())
    rows = [tuple(row) for row in found.drop(columns="month").itertuples(index=False)]
    assert rows == [("t1", 300, 2, 2, 1), ("t1", 60, 1, 0, 0)]


def test_units_and_tenure_as_they_stand(book: Book) -> None:
    facts = unit_facts(book, date(2026, 5, 31)).set_index("unit_key")
    assert facts.loc["ag", "capacity_accounts"] == 700
    tenure = officer_tenure(book, date(2026, 6, 1)).set_index("officer_key")["tenure_months"]
    assert tenure["o1"] == 4
    assert tenure.isna()["o2"]
