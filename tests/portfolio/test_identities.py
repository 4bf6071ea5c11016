"""The identities of a KPI period: they hold on a sound book, and each opens where what it guards against happens."""

from datetime import date

import pandas as pd
import pytest
from collect_analysis.measures.kpi_table import Facts, compared, kpi_table
from collect_analysis.measures.periods import Period
from collect_analysis.portfolio.kpi_period.measures_identities import COLUMNS, NEEDS, identities

from tests.small_book import book_of

JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))
IDS = ("F1", "F3", "F4", "F5", "F6", "R1", "R2", "R9", "C4", "C8", "C12", "Q6", "W9")
TABLES = {
    "month_end": """account_key, month_end, bucket, status, unit_key, balance_minor
a, 2026-04-30, 1, open, t1, 100
a, 2026-05-31, 1, open, t1, 100
a, 2026-06-30, 2, open, t1, 100
b, 2026-05-31, 1, open, t2, 200
b, 2026-06-30, 1, recalled, t2, 200
c, 2026-06-30, 1, open, t2, 300""",
    "payment": "account_key, amount_minor, value_date\na, 70, 2026-06-04\nz, 5, 2026-06-05\na, 9, 2026-05-10",
    "contact": """account_key, local_ts, result, party_role, verified, unit_key
a, 2026-06-02 09:00:00, answered, debtor, true, t1
b, 2026-06-02 09:00:00, no_answer, none, false, t2
a, 2026-05-20 09:00:00, no_answer, none, false, t1
a, 2026-05-10 09:00:00, no_answer, none, false, t1""",
    "unit_day": "officer_key, unit_key, date, logged_min\no1, t1, 2026-06-01, 400\no1, t1, 2026-06-02, 0",
    "promise": """account_key, made_ts, due_date, amount_minor, unit_key
a, 2026-06-02 09:00:00, 2026-06-05, 50, t1
b, 2026-06-02 09:00:00, 2026-06-29, 50, t2""",
    "decision": "account_key, unit_key, from_date, to_date, end_reason, balance_minor\na, t1, 2026-03-01, , , 100\nb, t2, 2026-03-01, 2026-06-20, recall, 200",
    "ticket": """ticket_key, opened_ts, due_ts, closed_ts, account_key
k1, 2026-06-01 09:00:00, 2026-06-02 09:00:00, 2026-06-02 08:00:00, a
k2, 2026-06-01 09:00:00, 2026-06-02 09:00:00, , b""",
}


@pytest.fixture(scope="module")
def facts() -> Facts:
    return Facts(book_of(TABLES, as_of=date(2026, 6, 30)), JUNE)


@pytest.fixture(scope="module")
def kpis(facts: Facts) -> pd.DataFrame:
    return compared(facts, grains=("company", "unit"), ids=IDS)


def by_name(facts: Facts, kpis: pd.DataFrame) -> pd.DataFrame:
    return identities(facts, kpis).set_index("identity")


def test_a_sound_book_keeps_every_identity_and_shows_both_ways_to_count(facts: Facts, kpis: pd.DataFrame) -> None:
    found = by_name(facts, kpis)
    assert list(found.index) == list(NEEDS)
    assert found["met"].all()
    counted = found["counted"].to_dict()
    # Open: a, b; c entered. All cash 75, of which 70 follow a conversation. Placed 100 + 200, one recalled. Two promises, one undecided.
    assert counted == {
        "flow_adds_up": 2, "assigned_stay": 3, "cash_adds_up": 75, "no_posting_lost": 75, "attribution_adds_up": 75, "placed_stay": 300,
        "promises_add_up": 2, "one_payment_one_promise": 70, "attempts_counted_once": 2, "overdue_in_time_rate": 2,
        # Two contacts in June, one in the 14 days before; a and b are followed; two scheduled days. May: 9 paid, a overdue, and tried.
        "contacts_as_held": 3, "followed_as_held": 2, "overdue_as_held": 2, "days_as_held": 2, "cash_before_as_held": 9,
        "overdue_before_as_held": 1, "attempts_before_as_held": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kpi", "column", "identity"),
    [
        ("F5", "numerator", "flow_adds_up"),
        ("R9", "denominator", "assigned_stay"),
        ("R1", "value", "cash_adds_up"),
        ("R1", "value", "no_posting_lost"),
        ("C12", "numerator", "attribution_adds_up"),
        ("R2", "denominator", "placed_stay"),
        ("C8", "denominator", "promises_add_up"),
        ("C4", "denominator", "attempts_counted_once"),
        ("Q6", "denominator", "overdue_in_time_rate"),
        ("F1", "denominator", "overdue_as_held"),
        ("W9", "denominator", "days_as_held"),
        ("R1", "previous", "cash_before_as_held"),
        ("F1", "previous_cases", "overdue_before_as_held"),
        ("C4", "previous_cases", "attempts_before_as_held"),
    ],
)
def test_a_number_off_by_one_opens_its_identity(facts: Facts, kpis: pd.DataFrame, kpi: str, column: str, identity: str) -> None:
    wrong = kpis.copy()
    wrong.loc[(wrong["kpi"] == kpi) & (wrong["scope_type"] == "company"), column] += 1
    found = by_name(facts, wrong)
    assert not found.loc[identity, "met"]
    assert abs(found.loc[identity, "gap"]) == 1


def test_a_payment_dealt_to_two_promises_is_found(facts: Facts, kpis: pd.DataFrame) -> None:
    due = facts["due"]
    twice = Facts(facts.book, JUNE)
    twice.kept._made[twice.recipe("due").key] = due.mutate(paid_minor=due.paid_minor * 2)
    found = by_name(twice, kpis)
    assert found.loc["one_payment_one_promise", ["counted", "held_against", "met"]].tolist() == [140, 70, False]


EMPTIED = {
    "contacts": {"attempts_counted_once", "contacts_as_held"},
    "work": {"attempts_counted_once"},
    "ends": {"assigned_stay", "followed_as_held", "overdue_as_held"},
    "holders": {"assigned_stay"},
    "pairs": {"followed_as_held", "overdue_as_held"},
    "flow": {"overdue_as_held"},
    "money": {"no_posting_lost", "attribution_adds_up", "cash_before_as_held"},
    "cash": {"assigned_stay", "no_posting_lost"},
    "placed": {"placed_stay"},
    "due": {"promises_add_up"},
    "promises": {"promises_add_up"},
    "attributed": {"attribution_adds_up"},
    "hours": {"days_as_held"},
    "tickets": {"overdue_in_time_rate"},
}
EMPTIED_BEFORE = {
    "contacts": {"attempts_before_as_held"},
    "ends": {"overdue_before_as_held"},
    "flow": {"overdue_before_as_held"},
    "cash": {"cash_before_as_held"},
}


@pytest.mark.parametrize(("name", "before"), [*[(name, False) for name in EMPTIED], *[(name, True) for name in EMPTIED_BEFORE]], ids=str)
def test_a_relation_that_lost_its_rows_is_caught_whatever_it_was_lost_by(facts: Facts, name: str, before: bool) -> None:
    hurt = Facts(facts.book, JUNE)
    whose = hurt.previous if before else hurt
    # What a fault nobody thought of would leave in the place of the relation.
    hurt.kept._made[whose.recipe(name).key] = (facts.previous if before else facts)[name].filter(False)
    found = by_name(hurt, compared(hurt, grains=("company", "unit"), ids=IDS))
    assert set(found.index[~found["met"]]) == (EMPTIED_BEFORE if before else EMPTIED)[name]


def test_identities_are_about_the_tables_a_book_has() -> None:
    lean = Facts(book_of({"month_end": TABLES["month_end"]}, as_of=date(2026, 6, 30)), JUNE)
    found = identities(lean, kpi_table(lean, grains=("company",), ids=["F1", "F3", "F4", "F5", "F6"]))
    assert found["identity"].tolist() == ["flow_adds_up", "followed_as_held", "overdue_as_held"]
    assert list(found.columns) == list(COLUMNS)
