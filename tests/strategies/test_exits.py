"""Days to payment and to cure from the book by hand, and published survival numbers from supplied cohorts."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.measures.cohort import open_cohort
from collect_analysis.methods.survival import competing
from collect_analysis.methods.survival.survival import kaplan_meier, log_rank
from collect_analysis.strategies.strategy_review import measures_exits

from tests.small_book import book_of

AS_OF = date(2026, 6, 30)
ARMS = ["champion", "new"]
PAY = """account_key, amount_minor, value_date, payment_key, reversal_of
a1, 50, 2026-01-06, p1,
a1, 50, 2026-01-20, p2,
a2, 70, 2026-01-11, p3,
a2, -70, 2026-01-21, p4, p3
a2, 70, 2026-02-10, p5,
a3, 90, 2026-02-05, p6,
a6, 10, 2026-04-06, p7,
a8, 30, 2025-12-30, p8,
a8, 30, 2026-04-01, p9,"""
ENDS = """account_key, month_end, status, bucket, reaged
a1, 2025-12-31, open, 2,
a1, 2026-01-31, open, 0,
a2, 2025-12-31, open, 2,
a2, 2026-02-28, open, 0, true
a3, 2025-12-31, open, 2,
a3, 2026-01-31, recalled, 3,
a4, 2025-12-31, open, 2,
a4, 2026-02-28, paid_off, 2,
a5, 2025-12-31, open, 2,
a5, 2026-02-28, recalled, 2,
a6, 2025-12-31, open, 2,
a7, 2025-12-31, open, 0,
a7, 2026-01-31, open, 0,
a8, 2025-12-31, open, 2,
a8, 2026-04-30, open, 0,"""


@pytest.fixture
def small() -> Book:
    """Eight accounts assigned on 1 January, half to each arm; a5 and a7 are one customer's."""
    arms = dict(
        zip([f"a{n}" for n in range(1, 9)], ["new", "new", "new", "new", "champion", "champion", "champion", "champion"], strict=True)
    )
    rows = [f"{key}, experiment, e, {arm}, 2026-01-01, , , c{key if key != 'a7' else 'a5'}" for key, arm in arms.items()]
    # The unit handed a5 back on 10 February (the day after is the first without it); a3 only moved to another unit before its recall.
    rows += ["a5, placement, , , 2025-12-01, 2026-02-11, recall, ca5", "a3, placement, , , 2025-12-01, 2026-01-15, move, ca3"]
    head = "account_key, kind, experiment_id, arm, from_date, to_date, end_reason, customer_key"
    return book_of({"decision": "\n".join([head, *rows]), "payment": PAY, "month_end": ENDS}, as_of=AS_OF)


def listed(table: pd.DataFrame) -> list[tuple]:
    return [tuple(row) for row in table[["arm", "time", "end", "count"]].to_numpy()]


def test_the_first_payment_that_stayed_counts_unless_the_account_left_before(small: Book) -> None:
    cohort = open_cohort(small, "e", arms=ARMS, horizon_days=90)
    found = measures_exits.payment_exits(small, cohort, ARMS, horizon_days=90)
    assert listed(found.counts) == [
        ("champion", 40, "recalled", 1),  # a5, on the day its unit handed it back
        ("champion", 90, "censored", 2),  # a6 paid on day 95, a7 never
        ("champion", 90, "paid", 1),  # a8, on the last day; what it paid before assignment does not count
        ("new", 5, "paid", 1),
        ("new", 30, "recalled", 1),  # a3 paid on day 35, after it had left
        ("new", 40, "paid", 1),  # a2: the payment of day 10 did not stay
        ("new", 58, "paid_off", 1),  # a4 was closed without a payment that counts
    ]
    assert listed(found.waiting) == [
        ("champion", 90, "censored", 3), ("champion", 90, "paid", 1),
        ("new", 5, "paid", 1), ("new", 40, "paid", 1), ("new", 90, "censored", 2),
    ]  # fmt: skip
    assert found.design["clusters"].tolist() == [3, 4]


def test_cure_is_a_current_month_end_or_paid_off_of_those_who_were_overdue(small: Book) -> None:
    cohort = open_cohort(small, "e", arms=ARMS, horizon_days=90)
    found = measures_exits.cure_exits(small, cohort, ARMS, horizon_days=90)
    assert listed(found.counts) == [
        ("champion", 40, "recalled", 1),
        ("champion", 90, "censored", 2),  # a8 was cured after the horizon
        ("new", 30, "cured", 1),
        ("new", 30, "recalled", 1),
        ("new", 58, "cured", 1),  # a4, paid off
        ("new", 90, "censored", 1),  # a2 was made current by restructuring
    ]
    assert found.left_out == 1  # a7 was current on the day of assignment
    assert found.reason == ""


def test_days_not_yet_over_are_followed_to_the_day_of_the_book(small: Book) -> None:
    early = Book(small.manifest, small._engine, as_of=date(2026, 1, 31))
    cohort = open_cohort(early, "e", arms=ARMS, horizon_days=90)
    found = measures_exits.payment_exits(early, cohort, ARMS, horizon_days=90)
    assert found.counts["time"].max() == 30
    assert found.counts.set_index(["arm", "end"])["count"].to_dict() == {
        ("champion", "censored"): 4, ("new", "censored"): 2, ("new", "paid"): 1, ("new", "recalled"): 1,
    }  # fmt: skip


def test_customers_with_several_accounts_widen_what_is_known() -> None:
    cases = [("a", day, "paid") for day in range(1, 31)] + [("b", day, "paid") for day in range(11, 41)]
    twice = pd.DataFrame([row for row in cases for _ in range(2)], columns=["arm", "exit_days", "exit_cause"])
    twice["customer_key"] = [f"c{number // 2}" for number in range(len(twice))]
    found = supplied_exits(twice, horizon=60)
    # Two accounts of a customer end on one day: each says nothing the other does not, exactly (2·30 - 1) / (30 - 1) less a count.
    assert found.design["design_effect"].tolist() == pytest.approx([59 / 29] * 2)
    assert supplied_exits(twice.drop(columns="customer_key"), horizon=60).design["design_effect"].tolist() == [1, 1]


def test_a_book_without_payments_or_month_ends_says_what_is_missing(small: Book) -> None:
    bare = book_of({"decision": "account_key, kind, experiment_id, arm, from_date\nx, experiment, e, new, 2026-01-01"}, as_of=AS_OF)
    cohort = open_cohort(bare, "e", arms=["new"], horizon_days=90)
    assert measures_exits.payment_exits(bare, cohort, ["new"], horizon_days=90).reason == measures_exits.NO_PAYMENTS
    assert measures_exits.cure_exits(bare, cohort, ["new"], horizon_days=90).reason == measures_exits.NO_MONTH_ENDS


def supplied(frame: pd.DataFrame) -> Book:
    keys = [f"s{number}" for number in range(len(frame))]
    return book_from_frames({"cohort": frame.assign(experiment_id="e", subject_key=keys, outcome_x=1.0)}, as_of=AS_OF)


def supplied_exits(frame: pd.DataFrame, *, horizon: int) -> measures_exits.Exits:
    book, arms = supplied(frame), sorted(set(frame["arm"]))
    return measures_exits.payment_exits(book, open_cohort(book, "e", arms=arms, horizon_days=horizon), arms, horizon_days=horizon)


def test_a_supplied_cohort_is_cut_at_the_horizon_and_read_by_its_own_causes() -> None:
    frame = pd.DataFrame({"arm": ["a", "a", "b", "b"], "exit_days": [3, 99, 7, 60], "exit_cause": ["paid", "paid", "recalled", "censored"]})
    found = supplied_exits(frame, horizon=60)
    assert listed(found.counts) == [("a", 3, "paid", 1), ("a", 60, "censored", 1), ("b", 7, "recalled", 1), ("b", 60, "censored", 1)]
    assert listed(found.waiting) == [("a", 3, "paid", 1), ("a", 60, "censored", 1), ("b", 60, "censored", 2)]


def test_who_was_lost_sight_of_before_the_horizon_leaves_only_the_test_among_those_still_there() -> None:
    frame = pd.DataFrame({"arm": ["a", "a", "b", "b"], "exit_days": [3, 20, 7, 60], "exit_cause": ["paid", "censored", "recalled", "paid"]})
    assert supplied_exits(frame, horizon=60).waiting.empty


@pytest.mark.parametrize(
    ("column", "reason"),
    [({"exit_days": [1, None, 3, 4]}, "1 subjects have no end of observation"), ({"exit_days": None}, "does not tell when and how")],
)
def test_ends_that_are_not_told_are_named(column: dict, reason: str) -> None:
    frame = pd.DataFrame({"arm": list("aabb"), "exit_days": [1, 2, 3, 4], "exit_cause": "paid"}).assign(**column)
    found = supplied_exits(frame.assign(exit_days=frame["exit_days"].astype("Int64")), horizon=60)
    assert reason in found.reason
    assert found.counts.empty


def test_remission_of_6mp_through_a_supplied_cohort_is_the_published_table(shared_data: Path) -> None:
    pairs = pd.read_csv(shared_data / "time_to_event" / "drug6mp.csv")
    drug = pd.DataFrame({"arm": "6mp", "exit_days": pairs["t2"], "exit_cause": pairs["relapse"].map({1: "relapse", 0: "censored"})})
    placebo = pd.DataFrame({"arm": "placebo", "exit_days": pairs["t1"], "exit_cause": "relapse"})
    found = supplied_exits(pd.concat([drug, placebo], ignore_index=True), horizon=365)
    assert found.event == "relapse"
    curve = kaplan_meier(found.counts, by=["arm"]).query("arm == '6mp'").set_index("time")["value"]
    # Klein & Moeschberger, table 4.1.
    assert curve.to_dict() == pytest.approx({6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}, abs=5e-4)
    assert log_rank(found.counts, group="arm").statistic == pytest.approx(16.79, abs=5e-3)
    test = competing.pace_test(found.counts, found.waiting, group="arm", end="relapse", effects={})
    assert (test.statistic, test.method) == (pytest.approx(16.79, abs=5e-3), "cause_specific")


def test_competing_ends_of_the_transplant_data_are_the_published_counts(shared_data: Path) -> None:
    patients = pd.read_csv(shared_data / "multistate_and_competing" / "ebmt3.csv")
    recovered = (patients["prstat"] == 1) & (patients["prtime"] <= patients["rfstime"])
    frame = pd.DataFrame({"arm": np.where(patients["tcd"] == "TCD", "tcd", "no_tcd")})
    frame["exit_days"] = np.where(recovered, patients["prtime"], patients["rfstime"]).round().astype(int)
    frame["exit_cause"] = np.select([recovered, patients["rfsstat"] == 1], ["recovered", "relapsed"], "censored")
    found = supplied_exits(frame, horizon=10_000)
    assert found.counts.groupby("end")["count"].sum().to_dict() == {"recovered": 1169, "relapsed": 458, "censored": 577}
    curves = competing.incidence_curves(found.counts, group="arm", effects={})
    total = curves.groupby(["arm", "time"])["value"].sum() + curves.groupby(["arm", "time"])["event_free"].first()
    np.testing.assert_allclose(total, 1, atol=1e-12)
    wrong = competing.overstated(curves, found.counts, group="arm", end="recovered")
    assert (wrong["overstated"] > 0.02).all()


def test_aids_before_si_is_overstated_by_one_minus_kaplan_meier(shared_data: Path) -> None:
    persons = pd.read_csv(shared_data / "multistate_and_competing" / "aidssi.csv")
    frame = pd.DataFrame({"arm": "all", "exit_days": (persons["time"] * 365.25).round().astype(int), "exit_cause": persons["cause"]})
    frame = frame.assign(exit_cause=frame["exit_cause"].replace({"event-free": "censored"}))
    half = frame.assign(arm=np.where(frame.index % 2, "x", "y"))
    found = supplied_exits(half, horizon=10_000)
    assert found.counts.groupby("end")["count"].sum().to_dict() == {"AIDS": 114, "SI": 108, "censored": 107}
    whole = found.counts.assign(arm="all").groupby(["arm", "time", "end"], as_index=False)["count"].sum()
    curves = competing.incidence_curves(whole, group="arm", effects={})
    assert competing.overstated(curves, whole, group="arm", end="AIDS")["overstated"].iloc[0] > 0.1
