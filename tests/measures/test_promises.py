"""Kept promises: one payment serves one promise, exactly; against a plain second implementation, and against the sample shop's truth."""

import json
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.errors import DataError
from collect_analysis.measures.periods import KpiWindows, Period, month_end
from collect_analysis.measures.promises import due_promises, promise_states
from hypothesis import Phase, given, settings, strategies as st

from tests.small_book import book_of

JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))
WINDOWS = KpiWindows()
AS_OF = date(2026, 7, 31)


def settled(book: Book, period: Period = JUNE, windows: KpiWindows = WINDOWS) -> dict[str, tuple[int, str]]:
    with due_promises(book, period, windows) as due:
        frame = book.frame(due)
    return {row.promise_key: (int(row.covered_minor), row.state) for row in frame.itertuples()}


def by_hand(promises: list[dict], payments: list[dict], *, as_of: date, windows: KpiWindows = WINDOWS) -> dict[str, tuple[int, str]]:
    """The rule, one payment after the other, over the whole history of each account."""
    paid = dict.fromkeys((promise["promise_key"] for promise in promises), 0)
    kept = {}
    order = sorted(promises, key=lambda promise: (promise["due_date"], promise["made_ts"], promise["promise_key"]))
    for payment in sorted(payments, key=lambda payment: (payment["value_date"], payment["payment_key"])):
        fits = [
            promise
            for promise in order
            if promise["account_key"] == payment["account_key"]
            and promise["made_ts"].date() <= payment["value_date"] <= promise["due_date"] + timedelta(days=windows.grace_days)
            and paid[promise["promise_key"]] < promise["amount_minor"]
        ]
        unkept = [promise for promise in fits if paid[promise["promise_key"]] * 10 < promise["amount_minor"] * 9]
        for promise in (unkept or fits)[:1]:
            paid[promise["promise_key"]] += payment["amount_minor"]
    for promise in promises:
        got, key = paid[promise["promise_key"]], promise["promise_key"]
        late = promise["due_date"] + timedelta(days=windows.grace_days) > as_of
        state = "kept" if got * 10 >= promise["amount_minor"] * 9 else "partly" if got else "broken"
        kept[key] = (min(got, promise["amount_minor"]), "undecided" if late else state)
    return kept


days = st.integers(0, 75).map(lambda day: date(2026, 5, 1) + timedelta(days=day))
promise_rows = st.lists(st.tuples(st.sampled_from("abcdef"), days, st.integers(0, 12), st.integers(1, 30)), min_size=10, max_size=40)
payment_rows = st.lists(st.tuples(st.sampled_from("abcdef"), days, st.integers(1, 30)), min_size=10, max_size=60)


# Shrinking would take minutes: every example is a book of its own. A failing one is short enough to read.
@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(promise_rows, payment_rows)
def test_the_engine_settles_promises_as_one_by_one(promised: list[tuple], paid: list[tuple]) -> None:
    promises = [
        {
            "promise_key": f"q{number}",
            "account_key": account,
            "made_ts": datetime(made.year, made.month, made.day, 9 + number % 3),
            "due_date": made + timedelta(days=wait),
            "amount_minor": amount,
        }
        for number, (account, made, wait, amount) in enumerate(promised)
    ]
    payments = [
        {
            "payment_key": f"p{number:02d}",
            "account_key": account,
            "value_date": day,
            "amount_minor": amount,
            "currency": "VND",
            "eligible": True,
        }
        for number, (account, day, amount) in enumerate(paid)
    ]
    book = book_from_frames({"promise": pd.DataFrame(promises), "payment": pd.DataFrame(payments)}, as_of=AS_OF)
    known = [payment for payment in payments if payment["value_date"] <= AS_OF]
    expected = by_hand(promises, known, as_of=AS_OF)
    in_june = {promise["promise_key"] for promise in promises if JUNE.start <= promise["due_date"] <= JUNE.end}
    assert settled(book) == {key: expected[key] for key in in_june}


def test_the_sample_shop_gives_its_true_answers_to_the_unit(sample_book: Path) -> None:
    book = open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)
    truth = json.loads((sample_book / "sample" / "truth.json").read_text(encoding="utf-8"))["promises"]
    windows = KpiWindows(kept_threshold=truth["threshold"], grace_days=truth["grace_days"])
    whole = Period(date(2024, 7, 1), date(2026, 6, 30))
    with due_promises(book, whole, windows) as due:
        frame = book.frame(due)
    frame = frame[frame["state"] != "undecided"]
    month = pd.to_datetime(frame["due_date"]).dt.strftime("%Y-%m")
    for name, expected in truth["by_due_month"].items():
        inside = month == name
        states = Counter(frame.loc[inside, "state"])
        assert {state: states[state] for state in ("kept", "partly", "broken")} == {
            state: expected[state] for state in ("kept", "partly", "broken")
        }
        assert int(frame.loc[inside, "promised_minor"].sum()) == expected["due_minor"]
        assert int(frame.loc[inside, "covered_minor"].sum()) == expected["paid_minor"]


def test_a_month_alone_gives_what_the_whole_history_gives(sample_book: Path) -> None:
    book = open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)
    truth = json.loads((sample_book / "sample" / "truth.json").read_text(encoding="utf-8"))["promises"]["by_due_month"]
    for first in (date(2024, 7, 1), date(2026, 2, 1), date(2026, 5, 1)):
        states = promise_states(book, Period(first, month_end(first)), WINDOWS).set_index("state")
        assert states.loc["kept", "promises"] == truth[f"{first:%Y-%m}"]["kept"]
        assert states["promises"].sum() == truth[f"{first:%Y-%m}"]["due"]


TWO_PROMISES = """promise_key, account_key, made_ts, due_date, amount_minor
q1, a, 2026-06-01 09:00:00, 2026-06-10, 100
q2, a, 2026-06-02 09:00:00, 2026-06-12, 100"""


def test_one_payment_does_not_keep_two_promises() -> None:
    book = book_of({"promise": TWO_PROMISES, "payment": "account_key, amount_minor, value_date\na, 100, 2026-06-09"}, as_of=AS_OF)
    assert settled(book) == {"q1": (100, "kept"), "q2": (0, "broken")}


def test_the_next_payment_serves_the_promise_that_is_not_kept_yet() -> None:
    paid = "account_key, amount_minor, value_date\na, 95, 2026-06-09\na, 100, 2026-06-10"
    book = book_of({"promise": TWO_PROMISES, "payment": paid}, as_of=AS_OF)
    assert settled(book) == {"q1": (95, "kept"), "q2": (100, "kept")}


def test_the_rest_of_a_kept_promise_counts_for_it() -> None:
    one = "\n".join(TWO_PROMISES.splitlines()[:2])
    paid = "account_key, amount_minor, value_date\na, 90, 2026-06-08\na, 10, 2026-06-09"
    assert settled(book_of({"promise": one, "payment": paid}, as_of=AS_OF)) == {"q1": (100, "kept")}


def test_a_reversed_payment_keeps_nothing() -> None:
    paid = """payment_key, account_key, amount_minor, value_date, reversal_of
p1, a, 100, 2026-06-09,
p2, a, -100, 2026-06-11, p1"""
    assert settled(book_of({"promise": TWO_PROMISES, "payment": paid}, as_of=AS_OF)) == {"q1": (0, "broken"), "q2": (0, "broken")}


def test_a_promise_is_undecided_until_its_grace_is_over() -> None:
    tables = {"promise": TWO_PROMISES, "payment": "account_key, amount_minor, value_date\na, 500, 2026-06-09"}
    assert settled(book_of(tables, as_of=date(2026, 6, 14))) == {"q1": (100, "kept"), "q2": (0, "undecided")}
    assert settled(book_of(tables, as_of=date(2026, 6, 15))) == {"q1": (100, "kept"), "q2": (0, "broken")}


def test_a_promise_due_before_the_period_takes_its_payment_first() -> None:
    promises = """promise_key, account_key, made_ts, due_date, amount_minor
q1, a, 2026-05-25 09:00:00, 2026-05-31, 100
q2, a, 2026-05-26 09:00:00, 2026-06-02, 100"""
    book = book_of({"promise": promises, "payment": "account_key, amount_minor, value_date\na, 100, 2026-06-01"}, as_of=AS_OF)
    assert settled(book) == {"q2": (0, "broken")}


def test_states_exclude_each_other_and_add_up() -> None:
    tables = {"promise": TWO_PROMISES, "payment": "account_key, amount_minor, value_date\na, 150, 2026-06-09\na, 40, 2026-06-10"}
    states = promise_states(book_of(tables, as_of=AS_OF), JUNE, WINDOWS)
    assert states["promises"].tolist() == [1, 1, 0, 0, 0]
    assert states["promised_minor"].sum() == 200
    assert states["covered_minor"].tolist() == [100, 40, 0, 0, 0]


def test_a_threshold_with_more_than_four_decimals_is_refused() -> None:
    with pytest.raises(DataError, match="kept_threshold"):
        KpiWindows(kept_threshold=0.90001)
