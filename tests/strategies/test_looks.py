"""A running test at its looks: by hand, and against the same book opened on the day of the look."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.errors import DataError
from collect_analysis.measures import arms
from collect_analysis.measures.cohort import Cohort, open_cohort
from collect_analysis.methods.trials.experiments import SUMS
from collect_analysis.strategies.test_monitor import measures_fidelity, measures_looks

START, AS_OF = date(2026, 1, 1), date(2026, 3, 1)
ARMS = ["champion", "new"]


def on(days: int) -> date:
    return START + timedelta(days=days)


@pytest.fixture
def small() -> Book:
    """c1 holds two accounts of arm new; a2 comes in three weeks after a1; a payment of a4 is taken back after its first look."""
    rows = [
        ("a1", "c1", "new", 0),
        ("a2", "c1", "new", 21),
        ("a3", "c2", "new", 0),
        ("a4", "c3", "champion", 0),
        ("a5", "c4", "champion", 9),
    ]
    decision = pd.DataFrame(
        [
            {"decision_key": f"d{key}", "account_key": key, "customer_key": customer, "arm": arm, "from_date": on(day)}
            for key, customer, arm, day in [*rows, ("a5", "c4", "new", 30)]
        ]
    ).assign(kind="experiment", experiment_id="e", propensity=0.5, decided_utc=pd.Timestamp(START))
    decision["decision_key"] = "d" + decision.index.astype(str)
    money = [
        ("p1", "a1", 100, 2, None),
        ("p2", "a2", 40, 25, None),
        ("p3", "a4", 60, 3, None),
        ("p4", "a4", -60, 20, "p3"),
        ("p5", "a5", 7, 20, None),
    ]
    payment = pd.DataFrame(
        [
            {"payment_key": key, "account_key": account, "amount_minor": amount, "value_date": on(day), "reversal_of": back}
            for key, account, amount, day, back in money
        ]
    ).assign(currency="VND", eligible=True)
    talk = [("a1", 0, 60, "offer"), ("a1", 8, 30, None), ("a4", 1, 120, "offer"), ("a5", 10, 60, None)]
    contact = pd.DataFrame(
        [
            {
                "event_key": f"k{place}",
                "account_key": key,
                "local_ts": pd.Timestamp(on(day)) + pd.Timedelta(hours=9),
                "talk_s": seconds,
                "template": kind,
            }
            for place, (key, day, seconds, kind) in enumerate(talk)
        ]
    ).assign(
        customer_key="c", direction="out", channel="call", result="answered", party_role="debtor", verified=True, officer_key="o", wrap_s=0
    )
    contact["ts_utc"] = contact["local_ts"]
    month_end = pd.DataFrame(
        {"account_key": ["a3"], "month_end": [date(2026, 1, 31)], "status": "recalled", "bucket": 1, "balance_minor": 0}
    )
    account = pd.DataFrame(
        {"account_key": ["a1", "a2", "a3", "a4"], "customer_key": "c", "portfolio_code": "p", "product_code": "card"}
    ).assign(debt_status="on_balance", open_date=date(2025, 1, 1), original_minor=1, currency="VND", is_restructured=False)
    frames = {"decision": decision, "payment": payment, "contact": contact, "month_end": month_end, "account": account}
    return book_from_frames(frames, as_of=AS_OF)


@pytest.fixture
def cohort(small: Book) -> Cohort:
    return open_cohort(small, "e", arms=ARMS, horizon_days=10)


def at(sums: pd.DataFrame, day: int, arm: str) -> list[float]:
    own = sums[(sums["look_day"] == on(day)) & (sums["arm"] == arm)]
    return own[["clusters", "cases", "positive", "sum_y", "sum_y2", "sum_yy", "sum_yn", "sum_nn"]].iloc[0].tolist()


def test_a_look_counts_whose_horizon_was_over_and_what_was_known_then(small: Book, cohort: Cohort) -> None:
    cash = cohort.outcome("cash_per_account", 10)
    sums = measures_looks.look_sums(small, cohort, ARMS, [cash], days=[on(14), on(21), on(35)], horizon_days=10)
    assert at(sums, 14, "new") == [2, 2, 1, 100, 100**2, 100**2, 100, 2]
    # The reversal of day 20 was not known on day 14 and is on day 21; a5 has come to its horizon on day 19, but its cash came on day 20.
    assert at(sums, 14, "champion") == [1, 1, 1, 60, 3600, 3600, 60, 1]
    assert at(sums, 21, "champion") == [2, 2, 0, 0, 0, 0, 0, 2]
    # a2 joins its customer's other account.
    assert at(sums, 35, "new") == [2, 3, 2, 140, 100**2 + 40**2, 140**2, 280, 5]


def test_payers_go_up_and_down_with_what_was_known(small: Book, cohort: Cohort) -> None:
    sums = measures_looks.look_sums(small, cohort, ARMS, [cohort.outcome("payer_rate", 10)], days=[on(14), on(21)], horizon_days=10)
    assert at(sums, 14, "champion") == [1, 1, 1, 1, 1, 1, 1, 1]
    assert at(sums, 21, "champion") == [2, 2, 0, 0, 0, 0, 0, 2]


def test_looks_begin_when_the_first_horizon_is_over_and_end_today(small: Book, cohort: Cohort) -> None:
    entered = measures_looks.entries(small, cohort, ARMS)
    assert entered[["arm", "cases", "clusters"]].to_numpy().tolist() == [
        ["champion", 1, 1], ["champion", 1, 1], ["new", 2, 2], ["new", 1, 0],
    ]  # fmt: skip
    schedule = {"as_of": on(30), "horizon_days": 10, "every": 7}
    assert measures_looks.look_schedule(entered, **schedule) == [on(14), on(21), on(28)]
    assert measures_looks.look_schedule(entered, **{**schedule, "as_of": on(9)}) == []
    assert measures_looks.look_schedule(entered, **schedule, declared=[on(5), on(12), on(29), on(90)]) == [on(12), on(29)]
    with pytest.raises(DataError, match=r"look_days: 1 of 2 lie before the first assignment on 2026-01-01 \(first: 2025-12-31\)"):
        measures_looks.look_schedule(entered, **schedule, declared=[on(-1), on(12)])


def test_without_looks_there_are_no_sums(small: Book, cohort: Cohort) -> None:
    assert measures_looks.look_sums(small, cohort, ARMS, [cohort.outcome("payer_rate", 10)], days=[], horizon_days=10).empty


def test_a_look_is_the_book_as_it_was_on_that_day(sample_book: Path) -> None:
    both = ["champion", "challenger"]
    book = open_book("sample", as_of=date(2026, 4, 30), folder=sample_book)
    cohort = open_cohort(book, "exp-timing", arms=both, horizon_days=30)
    entered = measures_looks.entries(book, cohort, both)
    days = measures_looks.look_schedule(entered, as_of=book.as_of, horizon_days=30, every=7)
    wanted = [*cohort.outcomes, *(item for item in cohort.doses if item.name in ("complaints", "agent_minutes"))]
    sums = measures_looks.look_sums(book, cohort, both, wanted, days=days, horizon_days=30)
    day = days[len(days) // 2]
    then = open_book("sample", as_of=day, folder=sample_book)
    opened = open_cohort(then, "exp-timing", arms=both, horizon_days=30)
    opened = replace(opened, table=opened.table.filter(opened.table["assigned_on"] <= day - timedelta(days=30)))
    expected = arms.arm_sums(then, opened, both, wanted).sort_values(["outcome", "arm"])
    found = sums[sums["look_day"] == day].sort_values(["outcome", "arm"])
    assert expected["cases"].min() > 50
    np.testing.assert_allclose(found[SUMS].astype(float), expected[SUMS].astype(float), rtol=1e-9)


def test_supplied_outcomes_are_read_when_their_horizon_is_over() -> None:
    frame = pd.DataFrame(
        {
            "experiment_id": "e", "subject_key": list("uvwx"), "arm": ["new", "new", "champion", "champion"], "outcome_paid": [1.0, 1.0, 0.0, 1.0],
            "assigned_on": [on(0), on(20), on(0), on(3)],
        }
    )  # fmt: skip
    book = book_from_frames({"cohort": frame}, as_of=AS_OF, roles={"cohort.outcome_paid": {"kind": "binary", "horizon_days": 10}})
    cohort = open_cohort(book, "e", arms=ARMS, horizon_days=10)
    sums = measures_looks.look_sums(book, cohort, ARMS, [cohort.outcome("paid", 10)], days=[on(12), on(30)], horizon_days=10)
    assert at(sums, 12, "new")[:4] == [1, 1, 1, 1]
    assert at(sums, 12, "champion")[:4] == [1, 1, 0, 0]
    assert at(sums, 30, "new")[:4] == [2, 2, 2, 2]
    assert measures_fidelity.weekly_doses(book, cohort, ARMS, days=10).empty


def test_weekly_doses_are_per_account_week(small: Book, cohort: Cohort) -> None:
    doses = measures_fidelity.weekly_doses(small, cohort, ARMS, days=10)
    first = doses[(doses["week"] == START) & (doses["arm"] == "new")].set_index("outcome")
    # Two accounts in their first days all week: two account-weeks, one contact of a minute.
    assert first.loc["outbound_contacts", ["cases", "clusters", "sum_y", "sum_x"]].tolist() == [2, 2, 1, 2]
    assert first.loc["agent_minutes", "sum_y"] == 1
    second = doses[(doses["week"] == on(7)) & (doses["arm"] == "new") & (doses["outcome"] == "agent_minutes")].iloc[0]
    # Days 7 to 10 of two accounts: eight account-days.
    assert [second["sum_y"], second["sum_x"]] == pytest.approx([0.5, 8 / 7])


def test_crossings_are_moves_shared_customers_and_the_other_arms_treatment(small: Book, cohort: Cohort) -> None:
    found = measures_fidelity.crossings(small, cohort, ARMS, treatments={"new": ["offer"]}, days=10).set_index("arm")
    # a5 was decided into the other arm later; a4 got the offer that only the new arm may get.
    assert found.loc["champion", ["cases", "moved", "shared", "met_treatment", "numerator"]].tolist() == [2, 1, 0, 1, 2]
    assert found.loc["new", "numerator"] == 0
    unasked = measures_fidelity.crossings(small, cohort, ARMS, treatments={}, days=10).set_index("arm")
    assert np.isnan(unasked.loc["champion", "met_treatment"])
    assert unasked.loc["champion", "numerator"] == 1


def test_losses_are_accounts_that_left_or_are_not_found(small: Book, cohort: Cohort) -> None:
    found = measures_fidelity.losses(small, cohort, ARMS, outcome_column="payer_d10", days=30).set_index("arm")
    assert found.loc["new", ["cases", "no_longer_found", "left", "numerator"]].tolist() == [3, 0, 1, 1]
    assert found.loc["champion", ["cases", "no_longer_found", "left", "numerator"]].tolist() == [2, 1, 0, 1]


def test_a_supplied_cohort_without_days_has_no_entries_and_no_looks() -> None:
    frame = pd.DataFrame({"experiment_id": "e", "subject_key": list("abcd"), "arm": ["champion", "new"] * 2, "outcome_paid": [0, 1, 1, 0]})
    book = book_from_frames({"cohort": frame}, as_of=AS_OF)
    entered = measures_looks.entries(book, open_cohort(book, "e", arms=ARMS, horizon_days=30), ARMS)
    assert entered.empty
    assert list(entered.columns) == ["arm", "day", "cases", "clusters"]
    assert measures_looks.look_schedule(entered, as_of=AS_OF, horizon_days=30, every=7) == []
