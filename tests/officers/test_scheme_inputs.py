"""What pay schemes are simulated on: money taken back after its month, cures that last, and gates month by month, by hand."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.policy import in_force, policy
from collect_analysis.book.store import Book
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.officers.incentive_scheme.measures import lasting_cures, officer_months, taken_back
from collect_analysis.officers.pooling import Pooling

from tests.small_book import book_of

AS_OF = date(2026, 6, 30)
SPRING = Period(date(2026, 3, 1), date(2026, 6, 30))
ACCOUNTS = "account_key\n" + "\n".join(f"a{number}" for number in range(6))
ENDS = """account_key, month_end, bucket, balance_minor, unit_key, officer_key, status
a0, 2026-02-28, 1, 1000, u, o1, open
a0, 2026-03-31, 0, 1000, u, o2, open
a0, 2026-04-30, 0, 1000, u, o2, open
a0, 2026-05-31, 0, 1000, u, o2, open
a0, 2026-06-30, 0, 1000, u, o2, open
a1, 2026-02-28, 2, 1000, u, o1, open
a1, 2026-03-31, 0, 1000, u, o1, open
a1, 2026-04-30, 0, 1000, u, o1, open
a1, 2026-05-31, 1, 1000, u, o1, open
a1, 2026-06-30, 2, 1000, u, o1, open
a2, 2026-02-28, 1, 1000, u, o1, open
a2, 2026-03-31, 1, 1000, u, o2, open
a2, 2026-04-30, 1, 1000, u, o2, open
a2, 2026-05-31, 0, 1000, u, o2, open
a2, 2026-06-30, 0, 1000, u, o2, open
"""
PAID = """payment_key, account_key, value_date, amount_minor, reversal_of
p1, a0, 2026-03-30, 100,
r1, a0, 2026-04-02, -100, p1
p2, a1, 2026-03-10, 70,
r2, a1, 2026-03-12, -70, p2
p3, a2, 2026-04-20, 50,
r3, a2, 2026-06-29, -50, p3
p4, a2, 2026-05-05, 30,
p5, a0, 2026-05-06, 40,
p6, a1, 2026-06-07, 20,
"""


@pytest.fixture
def book() -> Book:
    return book_of(
        {
            "account": ACCOUNTS,
            "month_end": ENDS,
            "payment": PAID,
            "unit": "unit_key\nu",
            "officer": "officer_key, unit_key\no1, u\no2, u",
            "target": "scope_type, scope_key, period_start, period_end, version, status, value\n"
            "officer, o2, 2026-05-01, 2026-05-31, 1, approved, 200\nofficer, o2, 2026-05-01, 2026-05-31, 2, approved, 250\n"
            "officer, o2, 2026-05-01, 2026-05-31, 3, draft, 900\nofficer, o1, 2026-04-01, 2026-06-30, 1, approved, 700",
            "qa": "event_key, officer_key, unit_key, assessed_on, score, critical_fail\n"
            "e1, o1, u, 2026-05-03, 0.9, true\ne2, o1, u, 2026-05-20, 0.9, false\ne3, o2, u, 2026-06-20, 0.9, false",
            "contact": "account_key, local_ts, officer_key, unit_key, party_role, result\n"
            "a0, 2026-05-04T10:30:00, o2, u, relative, answered\na0, 2026-05-05T10:00:00, o2, u, debtor, answered\n"
            "a1, 2026-06-05T10:00:00, o1, u, debtor, answered",
        },
        as_of=AS_OF,
    )


def test_only_money_taken_back_after_its_month_is_told_with_the_days(book: Book) -> None:
    found = taken_back(book, SPRING)
    # p1 came while o1 held the account; p2 came and went in March; p3 went 70 days later.
    assert found[["officer_key", "days", "amount_minor"]].to_numpy().tolist() == [["o1", 3, 100.0], ["o2", 70, 50.0]]
    assert found["month"].tolist() == [date(2026, 3, 1), date(2026, 4, 1)]


def test_money_taken_back_in_part_and_given_back_is_told_by_its_own_amounts() -> None:
    posted = """payment_key, account_key, value_date, amount_minor, reversal_of
p1, a0, 2026-03-30, 100,
r1, a0, 2026-04-02, -40, p1
b1, a0, 2026-04-09, 40, r1
r2, a0, 2026-05-04, -25, p1
r3, a0, 2026-03-31, -5, p1"""
    found = taken_back(book_of({"account": ACCOUNTS, "month_end": ENDS, "payment": posted}, as_of=AS_OF), SPRING)
    # r3 came within the month of the payment; b1 gave back what r1 took.
    assert found[["officer_key", "days", "amount_minor"]].to_numpy().tolist() == [["o1", 3, 40.0], ["o1", 10, -40.0], ["o1", 35, 25.0]]


def test_a_cure_lasts_if_the_account_is_not_overdue_so_many_months_later(book: Book) -> None:
    # March: a0 and a1 cured while o1 held them; two months later a1 is overdue again. a2 was cured in May: June is only one month later.
    two = lasting_cures(book, SPRING, months=2)
    assert two.to_numpy().tolist() == [[date(2026, 3, 1), "o1", 1.0, 2.0]]
    one = lasting_cures(book, SPRING, months=1)
    assert one.to_numpy().tolist() == [[date(2026, 3, 1), "o1", 2.0, 2.0], [date(2026, 5, 1), "o2", 1.0, 1.0]]


def test_gates_and_targets_belong_to_the_month_and_the_officer(book: Book) -> None:
    table = officer_months(
        book, Pooling(last_month=date(2026, 6, 1), pool_months=1, history_months=2), factors=("bucket",), reference_months=2,
        cap_quantile=1.0, windows=KpiWindows.of(policy("kpi_windows", on=AS_OF)),
        limits=[LegalLimits.of(version) for version in in_force("legal_limits", start=SPRING.start, end=AS_OF)],
    ).set_index(["month", "officer_key"])  # fmt: skip
    may, june = date(2026, 5, 1), date(2026, 6, 1)
    assert table.loc[(may, "o1"), ["critical_n", "critical_d"]].tolist() == [1.0, 2.0]
    assert table.loc[(june, "o2"), "critical_d"] == 1.0
    # A relative may not be told of the debt; the other two calls reached the debtor.
    assert table.loc[(may, "o2"), "breaches"] == 1.0
    assert table.loc[(june, "o1"), "breaches"] == 0.0
    # The highest approved version counts; a target of another period is none of the month.
    assert table.loc[(may, "o2"), "target_minor"] == 250.0
    assert np.isnan(table.loc[(may, "o1"), "target_minor"])
    assert table["cash_minor"].sum() == 90
    assert isinstance(table, pd.DataFrame)
