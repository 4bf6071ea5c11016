"""What was closed and is open again counts on both sides; what is overpaid owes nothing; an account is with one unit at a time."""

from datetime import date

import pandas as pd
import pytest
from collect_analysis.measures import account_months, pace, placements
from collect_analysis.measures.flow import month_ends
from collect_analysis.measures.kpi_table import Facts, by_bucket, kpi_table
from collect_analysis.measures.periods import Period
from collect_analysis.measures.provision import exposures
from collect_analysis.measures.reopened import lasting_exits, reopened
from collect_analysis.measures.sustained_cure import after_cure
from collect_analysis.measures.transitions import Scope, Transitions
from collect_analysis.portfolio.kpi_period.measures_identities import identities

from tests.small_book import book_of

JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))
SPRING = Period(date(2026, 4, 1), date(2026, 6, 30))
AS_OF = date(2026, 6, 30)
# a stays open; b bounces in June; c is closed for two months and comes back; d is closed for good; e is delivered as closed every month.
ENDS = """account_key, month_end, status, bucket, balance_minor, unit_key, reg_group
a, 2026-03-31, open, 1, 100, t1, 2
a, 2026-04-30, open, 1, 100, t1, 2
a, 2026-05-31, open, 1, 100, t1, 2
a, 2026-06-30, open, 1, 100, t1, 2
b, 2026-03-31, open, 1, 800, t1, 2
b, 2026-04-30, open, 1, 700, t1, 2
b, 2026-05-31, paid_off, 0, 0, t1, 1
b, 2026-06-30, open, 2, 650, t2, 2
c, 2026-03-31, open, 1, 300, t1, 2
c, 2026-04-30, recalled, 1, 300, t1, 2
c, 2026-06-30, open, 1, 320, t1, 2
d, 2026-04-30, open, 1, 50, t1, 2
d, 2026-05-31, paid_off, 0, 0, t1, 1
e, 2026-04-30, open, 1, 60, t1, 2
e, 2026-05-31, written_off, 1, 60, t1, 2
e, 2026-06-30, written_off, 1, 60, t1, 2"""
ACCOUNTS = "account_key, original_minor\na, 900\nb, 5000\nc, 400\nd, 70\ne, 80"
PAID = """account_key, amount_minor, value_date
a, 1, 2026-04-05
a, 1, 2026-05-05
a, 10, 2026-06-05
b, 50, 2026-06-20
c, 8, 2026-06-20"""


def shop(**more: str):
    return book_of({"month_end": ENDS, "account": ACCOUNTS, "payment": PAID, **more}, as_of=AS_OF)


def kpis(book, period: Period, *ids: str, grains: tuple[str, ...] = ("company", "unit")) -> pd.DataFrame:
    return kpi_table(Facts(book, period), ids=ids, grains=grains).set_index(["kpi", "scope_key"])


def test_an_account_open_again_is_received_again_with_what_it_owed_before_it_was_closed() -> None:
    table = kpis(shop(), JUNE, "R3", "R9", "R1")
    # Opening: a 100; b comes back with the 700 of April, not with the 5,000 of its entry; c with the 300 of March. d and e stay closed.
    assert table.loc[("R3", "all"), ["numerator", "denominator"]].tolist() == [68, 1100]
    assert table.loc[("R9", "all"), ["numerator", "denominator"]].tolist() == [3, 3]
    assert table.loc[("R3", "t2"), ["numerator", "denominator"]].tolist() == [50, 700]
    assert ("R1", "unassigned") not in table.index


def test_an_account_closed_and_open_again_within_a_period_is_there_once() -> None:
    table = kpis(shop(), SPRING, "R9", "R3")
    # Open at the end of March: a, b, c; d and e came in April (with the balance of their entry: 70, 80).
    assert table.loc[("R9", "all"), "denominator"] == 5
    assert table.loc[("R3", "all"), "denominator"] == 100 + 800 + 300 + 70 + 80


@pytest.mark.parametrize("period", [JUNE, SPRING])
def test_the_count_by_hand_of_those_assigned_knows_them(period: Period) -> None:
    facts = Facts(shop(), period)
    found = identities(facts, kpi_table(facts, ids=["R9", "R1"], grains=("company", "unit"))).set_index("identity")
    assert found.loc[["assigned_stay", "no_posting_lost", "cash_adds_up"], "met"].all()


def test_which_accounts_are_open_again_and_which_exits_last() -> None:
    book = shop()
    again = book.frame(reopened(book, AS_OF)).sort_values("again_key")
    assert again["again_key"].tolist() == ["b", "c"]
    assert again["restored_minor"].tolist() == [700, 300]
    assert book.frame(reopened(book, date(2026, 5, 31))).empty
    gone = book.frame(lasting_exits(book.table("month_end"))).sort_values(["account_key", "month_end"])
    assert gone["account_key"].tolist() == ["d", "e", "e"]


def test_expected_recovery_holds_them_in_its_population() -> None:
    book = shop()
    window = account_months.window_of(book, date(2026, 6, 1), date(2026, 6, 1), reference_months=1)
    with account_months.account_months(book, window, factors=("bucket",), cap_quantile=1.0) as (rows, _):
        frame = book.frame(rows.filter(rows.asked)).set_index("account_key")
    assert frame["opening_minor"].to_dict() == {"a": 100, "b": 700, "c": 300}
    assert frame["cash_minor"].to_dict() == {"a": 10, "b": 50, "c": 8}


def test_provision_lets_them_in_anew_and_still_adds_up() -> None:
    transitions = Transitions(shop(), Scope(period=SPRING, top_bucket=7))
    cells = exposures(transitions)
    june = cells[cells["month"] == JUNE.end]
    assert june.loc[june["kind"] == "entered", "count"].sum() == 2
    assert june["close_minor"].sum() == 100 + 650 + 320


def test_a_cure_ended_by_a_cheque_that_bounced_is_no_closed_account() -> None:
    ends = """account_key, month_end, status, bucket, balance_minor
a, 2026-03-31, open, 1, 100
a, 2026-04-30, open, 0, 90
a, 2026-05-31, paid_off, 0, 0
a, 2026-06-30, open, 1, 90"""
    after = after_cure(Transitions(book_of({"month_end": ends}, as_of=AS_OF), Scope(period=SPRING, top_bucket=7)), follow=2)
    assert after[["end", "time"]].to_numpy().tolist() == [["relapsed", 2]]


# --- what is overpaid -----------------------------------------------------------------------------------------------------------------------


def test_credit_balances_weigh_nothing_and_are_undefined_alone() -> None:
    ends = """account_key, month_end, bucket, balance_minor
a, 2026-05-31, 1, 100
a, 2026-06-30, 2, 100
b, 2026-05-31, 1, -60
b, 2026-06-30, 1, -60
c, 2026-05-31, 3, -10
c, 2026-06-30, 3, -10"""
    book = book_of({"month_end": ends, "payment": "account_key, amount_minor, value_date\na, 5, 2026-06-05"}, as_of=AS_OF)
    table = kpis(book, JUNE, "F1-balance", "F3-balance", "F2", "R3", grains=("company",))
    assert table.loc[("F1-balance", "all"), ["numerator", "denominator"]].tolist() == [100, 100]
    assert table.loc[("F3-balance", "all"), ["numerator", "denominator"]].tolist() == [0, 100]
    assert table.loc[("R3", "all"), "denominator"] == 100
    three = by_bucket(Facts(book, JUNE), top_bucket=7).set_index(["kpi", "scope_key"]).loc[("F1-balance", "3")]
    assert (three["denominator"], pd.isna(three["value"]), three["note"] != "") == (0, True, True)
    assert book.frame(month_ends(book, JUNE.opening, JUNE.end))["balance_minor"].min() == 0


# --- one unit at a time ---------------------------------------------------------------------------------------------------------------------


PLACED = """decision_key, account_key, unit_key, from_date, to_date, balance_minor
d1, a, ag-a, 2026-03-01, , 100
d2, a, ag-b, 2026-03-10, , 100
d3, b, ag-b, 2026-03-01, 2026-03-20, 200
d4, b, ag-a, 2026-03-20, , 200
d5, c, ag-b, 2026-02-01, , 50
d6, c, ag-a, 2026-03-05, , 40
d7, e, ag-b, 2026-03-03, , 30
d8, e, ag-a, 2026-03-03, , 30"""


def test_of_two_placements_at_once_the_one_that_began_first_counts_with_balance_and_cash() -> None:
    paid = (
        "account_key, amount_minor, value_date\na, 10, 2026-04-05\nb, 20, 2026-04-05\nc, 5, 2026-04-05\ne, 3, 2026-03-15\nd, 1, 2026-06-20"
    )
    book = shop(decision=PLACED, payment=paid)
    table = kpis(book, JUNE, "R2", "R8")
    # March: a with ag-a; b with ag-b, then with ag-a from the day it left; c was with ag-b since February; e from one day: d7 before d8.
    assert table.loc[("R2", "all"), ["numerator", "denominator"]].tolist() == [10 + 20 + 3, 100 + 200 + 200 + 30]
    assert table.loc[("R2", "ag-a"), ["numerator", "denominator"]].tolist() == [30, 300]
    assert table.loc[("R2", "ag-b"), ["numerator", "denominator"]].tolist() == [3, 230]
    facts = Facts(book, JUNE)
    found = identities(facts, kpi_table(facts, ids=["R2"], grains=("company",))).set_index("identity")
    assert found.loc["placed_stay", ["counted", "held_against", "met"]].tolist() == [530, 530, True]
    assert placements.shared(book, start=date(2026, 3, 1), end=date(2026, 3, 31)) == {"placements": 3, "accounts": 3}
    # Agencies are not compared while a payment stands in two placements, also where one of them is older than the panel (c).
    for first in (date(2026, 2, 1), date(2026, 3, 1)):
        assert placements.unusable(book, placements.Panel(start=first, end=date(2026, 3, 31), horizon=3))["overlapping"] == 3
    assert placements.unusable(book, placements.Panel(start=date(2026, 2, 1), end=date(2026, 2, 28), horizon=3))["overlapping"] == 1


# --- plans ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["2026-01-28", "2026-01-29", "2026-01-30", "2026-01-31", "2025-08-31", "2025-11-30", "2024-01-29"])
@pytest.mark.parametrize("later", range(8))
def test_instalments_fall_due_at_calendar_months_from_the_first_one(first: str, later: int) -> None:
    start = pd.Timestamp(first)
    month = (start + pd.DateOffset(months=later)).date()
    last = (pd.Timestamp(month) + pd.offsets.MonthEnd(0)).date()
    # Independent: every due day from the first one, by pandas.
    due = sum((start + pd.DateOffset(months=k)).date() <= last for k in range(6))
    plan = f"account_key, type, from_date, covered_minor, settled_minor, n_instalments, status\na, plan, {first}, 600, 600, 6, active"
    ends = f"account_key, month_end, balance_minor\na, {last.replace(day=1) - pd.Timedelta(days=1)}, 600".replace(" 00:00:00", "")
    book = book_of({"month_end": ends, "arrangement": plan, "payment": f"account_key, amount_minor, value_date\na, 1, {first}"}, as_of=last)
    facts = Facts(book, Period(last.replace(day=1), last))
    assert int(book.frame(facts["plans"])["due_minor"].sum()) == due * 100


def test_the_pace_of_a_month_takes_them_for_accounts_that_came_in() -> None:
    book = shop(account=ACCOUNTS.replace("original_minor", "original_minor, open_date").replace("0\n", "0, 2026-01-05\n") + ", 2026-01-05")
    table = pace.cells(book, pace.Cut(AS_OF), large_minor=0)
    came_in = table[table["bucket"] == pace.ENTERED]
    # b, closed at the end of May and open again; c had no row in May and is nobody's as before.
    assert came_in[["unit_key", "accounts", "payers", "ordinary_minor"]].to_numpy().tolist() == [["t2", 1, 1, 50]]


def test_money_that_went_out_makes_no_payer_in_a_month_of_pace() -> None:
    paid = "account_key, amount_minor, value_date\na, -10, 2026-06-05"
    table = pace.cells(shop(payment=paid), pace.Cut(AS_OF), large_minor=0)
    assert (table["payers"].sum(), table["ordinary_minor"].sum()) == (0, -10)
