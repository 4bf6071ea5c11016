"""Promises, duplicates and reversals, recomputed row by row from the written tables, equal the truth to the unit."""

from collections import Counter, defaultdict

import pandas as pd
import pytest

GRACE = 3


@pytest.fixture(scope="module")
def judged(frame, cash) -> pd.DataFrame:
    """Every promise with what was paid for it: payments in order, each to the first unkept promise it fits, by plain loops over dates."""
    promise = frame("promise").sort_values(["due_date", "made_ts", "promise_key"])
    waiting = defaultdict(list)
    for row in promise.itertuples():
        waiting[row.account_key].append(
            {
                "key": row.promise_key,
                "made": row.made_ts.date(),
                "until": row.due_date + pd.Timedelta(days=GRACE),
                "promised": row.amount_minor,
                "paid": 0,
            }
        )
    for row in cash.sort_values(["account_key", "value_date", "payment_key"]).itertuples():
        day = row.value_date.date()
        fits = [one for one in waiting.get(row.account_key, []) if one["made"] <= day <= one["until"] and one["paid"] < one["promised"]]
        if fits:
            unkept = [one for one in fits if one["paid"] < 0.9 * one["promised"] - 1e-6]
            (unkept or fits)[0]["paid"] += row.amount_minor
    rows = pd.DataFrame([one for several in waiting.values() for one in several]).set_index("key")
    return promise.set_index("promise_key").join(rows[["paid", "until"]])


def state_of(row) -> str:
    if 10 * row.paid >= 9 * row.amount_minor:
        return "kept"
    return "partly" if row.paid > 0 else "broken"


def test_kept_partly_and_broken_promises_equal_the_truth_in_every_due_month(judged, truth) -> None:
    as_of = pd.Timestamp(truth["as_of"]).date()
    due = judged[judged["until"] <= as_of]
    found: dict[str, Counter] = defaultdict(Counter)
    for row in due.itertuples():
        month = found[row.due_date.strftime("%Y-%m")]
        month[state_of(row)] += 1
        month["due"] += 1
        month["due_minor"] += row.amount_minor
        month["paid_minor"] += min(row.paid, row.amount_minor)
    planted = truth["promises"]["by_due_month"]
    assert {month: {name: counts[name] for name in planted[month]} for month, counts in found.items()} == planted
    assert len(judged) - len(due) == truth["promises"]["total"]["not_due"]


def test_no_promise_is_undecided_on_as_of(judged, truth) -> None:
    as_of = pd.Timestamp(truth["as_of"]).date()
    assert not ((judged["due_date"] <= as_of) & (judged["until"] > as_of)).any()


def test_counting_a_payment_for_every_promise_it_fits_would_be_wrong(frame, cash, truth) -> None:
    pairs = frame("promise").merge(cash, on="account_key", suffixes=("_promised", "_paid"))
    made, until = pairs["made_ts"].dt.normalize(), pd.to_datetime(pairs["due_date"]) + pd.Timedelta(days=GRACE)
    fits = pairs[(pairs["value_date"] >= made) & (pairs["value_date"] <= until)]
    paid = fits.groupby("promise_key").agg(paid=("amount_minor_paid", "sum"), promised=("amount_minor_promised", "first"))
    naive = int((10 * paid["paid"] >= 9 * paid["promised"]).sum())
    kept = truth["promises"]["total"]["kept"]
    assert naive > 1.02 * kept
    assert (fits.groupby("payment_key").size() > 1).sum() > 0.02 * len(frame("promise"))


def test_the_edges_of_a_kept_promise_are_in_the_book(judged, cash) -> None:
    # Exactly at the threshold and one unit below it; on the last day of grace and the day after.
    whole = judged[judged["paid"] > 0]
    gap = whole["paid"] * 10 - whole["amount_minor"] * 9
    assert ((gap >= 0) & (gap < 10)).sum() > 50
    assert ((gap < 0) & (gap >= -10)).sum() > 20
    pairs = judged.reset_index().merge(cash, on="account_key", suffixes=("", "_paid"))
    late = (pairs["value_date"] - pd.to_datetime(pairs["due_date"])).dt.days
    assert (late == GRACE).sum() > 50
    assert (late == GRACE + 1).sum() > 20


def test_what_the_source_reports_of_promises_is_not_the_answer(judged) -> None:
    states = judged.apply(state_of, axis=1)
    reported = judged["status_as_reported"]
    wrong = (reported == "kept") & (states != "kept")
    assert wrong.sum() > 0.03 * len(judged)


def test_a_promise_came_from_a_conversation_at_its_time(frame) -> None:
    joined = frame("promise").merge(
        frame("contact")[["event_key", "account_key", "local_ts", "verified", "unit_key"]], on="event_key", suffixes=("", "_call")
    )
    assert len(joined) == len(frame("promise"))
    assert (joined["made_ts"] == joined["local_ts"]).all()
    assert (joined["account_key"] == joined["account_key_call"]).all()
    assert joined["verified"].all()
    assert frame("promise")["event_key"].is_unique


def test_two_payments_in_a_hundred_were_sent_twice_and_do_not_count(frame, truth) -> None:
    payment = frame("payment")
    same = ["account_key", "amount_minor", "value_date", "channel", "reference"]
    again = payment[payment["reversal_of"].isna()].sort_values("payment_key").duplicated(same)
    copies = payment.loc[again[again].index]
    planted = truth["payments"]
    assert (len(copies), int(copies["amount_minor"].sum())) == (planted["duplicates"], planted["duplicates_minor"])
    assert not copies["eligible"].any()
    assert len(copies) == (~payment["eligible"]).sum()
    assert len(copies) / planted["genuine"] == pytest.approx(0.02, abs=0.001)


def test_five_payments_in_a_thousand_were_taken_back(frame, truth) -> None:
    payment = frame("payment").set_index("payment_key")
    back = payment[payment["reversal_of"].notna()]
    planted = truth["payments"]
    assert (len(back), int(back["amount_minor"].sum())) == (planted["reversals"], planted["reversals_minor"])
    original = payment.loc[back["reversal_of"]]
    assert (original["amount_minor"].to_numpy() == -back["amount_minor"].to_numpy()).all()
    assert (original["account_key"].to_numpy() == back["account_key"].to_numpy()).all()
    days = pd.to_datetime(back["value_date"]).to_numpy() - pd.to_datetime(original["value_date"]).to_numpy()
    assert days.min() >= pd.Timedelta(0)
    assert days.max() <= pd.Timedelta(days=3)
    assert len(back) / planted["genuine"] == pytest.approx(0.005, abs=0.0005)


def test_the_money_that_counts_equals_the_truth(frame, cash, truth) -> None:
    planted = truth["payments"]
    assert (len(cash), int(cash["amount_minor"].sum())) == (planted["genuine"], planted["genuine_minor"])
    assert len(frame("payment")) == planted["rows"] == planted["genuine"] + planted["duplicates"] + 2 * planted["reversals"]
