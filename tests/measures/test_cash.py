"""Money nets by amount: one definition, held against a plain second one, and what each measure makes of it."""

from collections import defaultdict
from datetime import date, timedelta

import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.book.tables.debts import MOST_LINKS
from collect_analysis.measures import cash as money
from collect_analysis.measures.cohort_events import net_payments
from collect_analysis.measures.kpi_table import Facts, kpi_table
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.promises import promise_states
from collect_analysis.portfolio.kpi_period.measures_identities import identities
from hypothesis import Phase, given, settings, strategies as st

from tests.small_book import book_of

JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))
AS_OF = date(2026, 7, 31)
ENDS = "account_key, month_end, balance_minor\n" + "\n".join(f"{name}, 2026-05-31, 1000" for name in "abcd")


def paid(text: str, *, as_of: date = AS_OF, **more: str) -> Book:
    """A book of four accounts with these postings: key, account, amount, day, key of what it takes back, whether it counts."""
    rows = "payment_key, account_key, amount_minor, value_date, reversal_of, eligible\n" + text
    return book_of({"month_end": ENDS, "payment": rows, **more}, as_of=as_of)


def june(book: Book, *ids: str) -> pd.DataFrame:
    return kpi_table(Facts(book, JUNE), grains=("company",), ids=ids).set_index("kpi")


# --- the rule, one posting after the other -------------------------------------------------------------------------------------------------


def by_hand(postings: list[dict]) -> tuple[dict[str, int], dict[str, int]]:
    """Net amount of each payment that counts, and what stays of it once amounts without a link are taken from the latest before them."""
    of = {row["payment_key"]: row for row in postings}
    net = {row["payment_key"]: row["amount_minor"] for row in postings if row["reversal_of"] is None and row["eligible"]}
    for row in postings:
        at, steps = row, 0
        while at is not None and at["reversal_of"] is not None and steps <= MOST_LINKS:
            at, steps = of.get(at["reversal_of"]), steps + 1
        if row["reversal_of"] is not None and at is not None and at["payment_key"] in net:
            net[at["payment_key"]] += row["amount_minor"]
    net = {key: amount for key, amount in net.items() if amount}
    stayed = {key: max(amount, 0) for key, amount in net.items()}
    order = sorted(net, key=lambda key: (of[key]["value_date"], net[key] < 0, key))
    for place, key in enumerate(order):
        out = -net[key]
        for earlier in reversed(order[:place]):
            if out > 0 and of[earlier]["account_key"] == of[key]["account_key"]:
                taken = min(stayed[earlier], out)
                stayed[earlier] -= taken
                out -= taken
    return net, {key: amount for key, amount in stayed.items() if amount}


days = st.integers(0, 45).map(lambda day: date(2026, 5, 20) + timedelta(days=day))
posting_rows = st.lists(
    st.tuples(
        st.sampled_from("abc"), days, st.integers(-40, 60).filter(bool), st.none() | st.integers(0, 30), st.booleans() | st.just(True)
    ),
    min_size=1,
    max_size=30,
)


# Shrinking would take minutes: every example is a book of its own. A failing one is short enough to read.
@settings(max_examples=25, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(posting_rows)
def test_the_engine_nets_as_one_by_one(rows: list[tuple]) -> None:
    """Any links at all: chains, circles, itself, to what is not there, of other accounts, before the original, too much, without a link."""
    postings = [
        {"payment_key": f"p{number:02d}", "account_key": account, "value_date": day, "amount_minor": amount, "currency": "VND",
         "reversal_of": None if of is None else f"p{of:02d}", "eligible": counts}
        for number, (account, day, amount, of, counts) in enumerate(rows)
    ]  # fmt: skip
    book = book_from_frames({"payment": pd.DataFrame(postings).astype({"reversal_of": object})}, as_of=AS_OF)
    net, stayed = by_hand(postings)
    frame = book.frame(money.kept_cash(book))
    assert dict(zip(frame["payment_key"], frame["amount_minor"], strict=True)) == net
    left = book.frame(money.payments(book))
    assert dict(zip(left["payment_key"], left["amount_minor"], strict=True)) == stayed
    # The same money in every other way to look at it.
    in_june = sum(amount for key, amount in net.items() if JUNE.start <= postings[int(key[1:])]["value_date"] <= JUNE.end)
    assert money.collected_by_hand(book, start=JUNE.start, end=JUNE.end) == in_june
    kinds = money.postings(book, start=JUNE.start, end=JUNE.end).set_index("kind")["amount_minor"]
    assert kinds.reindex(["counted", "taken_back", "paid_out"]).sum() == in_june
    by_event = book.frame(net_payments(book))
    assert by_event["amount_minor"].sum() == sum(net.values())
    every = money.postings(book, start=date(2020, 1, 1), end=AS_OF)
    assert (every["rows"].sum(), every["amount_minor"].sum()) == (len(postings), sum(row["amount_minor"] for row in postings))


def test_links_are_followed_to_the_longest_chain_the_intake_lets_in() -> None:
    chain = "".join(f"p{n}, a, {-100 if n % 2 else 100}, 2026-06-01, {f'p{n - 1}' if n else ''}, true\n" for n in range(MOST_LINKS + 1))
    assert june(paid(chain), "R1").loc["R1", "value"] == 100
    assert june(paid(chain.rsplit("p8", 1)[0]), "R1").loc["R1", "value"] == 0


# --- what measures make of it ---------------------------------------------------------------------------------------------------------------


def test_a_reversal_restates_the_day_of_its_payment_from_its_own_day_on() -> None:
    rows = "p1, a, 100, 2026-06-10, , true\np2, a, -30, 2026-07-05, p1, true\np3, a, 10, 2026-07-06, p2, true"
    # Not known yet on 30 June; 30 less from 5 July; 10 of them back on the day after. July never sees any of it.
    assert [june(paid(rows, as_of=day), "R1").loc["R1", "value"] for day in (JUNE.end, date(2026, 7, 5), AS_OF)] == [100, 70, 80]
    july = kpi_table(Facts(paid(rows), Period(date(2026, 7, 1), date(2026, 7, 31))), grains=("company",), ids=["R1"])
    assert july["value"].tolist() == [0]


def test_an_amount_below_nothing_makes_no_payer() -> None:
    """Ten of forty pay; seven get back what they paid in May, by postings that name nothing."""
    ends = "account_key, month_end, balance_minor\n" + "\n".join(f"a{n}, 2026-05-31, 1000" for n in range(40))
    rows = [f"p{n}, a{n}, 100, 2026-06-10, , true" for n in range(10)]
    rows += [f"m{n}, a{n}, 80, 2026-05-25, , true\nn{n}, a{n}, -50, 2026-06-12, , true" for n in range(20, 27)]
    book = book_of(
        {"month_end": ends, "payment": "payment_key, account_key, amount_minor, value_date, reversal_of, eligible\n" + "\n".join(rows)},
        as_of=AS_OF,
    )
    table = june(book, "R1", "R9", "R10", "R11")
    assert table.loc["R1", "value"] == 10 * 100 - 7 * 50
    assert table.loc["R9", ["numerator", "denominator"]].tolist() == [10, 40]
    assert table.loc["R11", ["numerator", "denominator"]].tolist() == [1000, 1000]
    assert table.loc["R10", "value"] == 65


def test_an_account_whose_money_went_out_again_is_no_payer_and_its_money_not_new() -> None:
    rows = "p1, a, 100, 2026-06-02, , true\np2, a, -100, 2026-06-20, , true\np3, b, 50, 2026-06-05, , true\np4, b, -20, 2026-06-08, , true"
    table = june(paid(rows), "R1", "R9", "R11")
    assert table.loc["R1", "value"] == 30
    assert table.loc["R9", "numerator"] == 1
    assert table.loc["R11", ["numerator", "denominator"]].tolist() == [30, 30]


@pytest.mark.parametrize(
    ("back", "state"),
    [
        ("p2, a, -5, 2026-06-12, p1, true", "kept"),
        ("p2, a, -11, 2026-06-12, p1, true", "partly"),
        ("p2, a, -100, 2026-06-12, p1, true", "broken"),
        ("p2, a, -100, 2026-06-12, p1, true\np3, a, 95, 2026-06-13, p2, true", "kept"),
        ("p2, a, -5, 2026-06-12, , true", "kept"),
        ("p2, a, -100, 2026-06-12, , true", "broken"),
        # Long after the window: the money did not stay.
        ("p2, a, -100, 2026-07-20, p1, true", "broken"),
    ],
)
def test_a_promise_is_judged_by_what_stayed_of_its_payment(back: str, state: str) -> None:
    promise = "account_key, made_ts, due_date, amount_minor\na, 2026-06-01 09:00:00, 2026-06-10, 100"
    book = paid(f"p1, a, 100, 2026-06-09, , true\n{back}", promise=promise)
    states = promise_states(book, JUNE, KpiWindows()).set_index("state")["promises"]
    assert states[state] == 1


def test_money_that_goes_out_is_not_dealt_to_another_promise() -> None:
    promise = (
        "account_key, made_ts, due_date, amount_minor\na, 2026-06-01 09:00:00, 2026-06-10, 100\na, 2026-06-01 10:00:00, 2026-06-20, 100"
    )
    book = paid("p1, a, 100, 2026-06-09, , true\np2, a, 100, 2026-06-15, , true\np3, a, -100, 2026-06-16, , true", promise=promise)
    states = promise_states(book, JUNE, KpiWindows()).set_index("state")["promises"]
    assert states[["kept", "broken"]].tolist() == [1, 1]


# --- the check that nothing is lost must be able to fail ------------------------------------------------------------------------------------


POSTED = """p1, a, 100, 2026-06-02, , true
p2, a, -30, 2026-06-05, p1, true
p3, b, 50, 2026-06-07, , true
p4, b, -50, 2026-06-08, p3, true
p5, b, 50, 2026-06-09, p4, true
p6, c, -8, 2026-06-10, , true"""


def no_posting_lost(book: Book) -> pd.Series:
    facts = Facts(book, JUNE)
    return identities(facts, kpi_table(facts, grains=("company", "unit"), ids=["R1"])).set_index("identity").loc["no_posting_lost"]


def test_no_posting_is_lost_where_money_nets() -> None:
    found = no_posting_lost(paid(POSTED))
    assert found[["counted", "held_against", "gap", "met"]].tolist() == [112, 112, 0, True]


@pytest.mark.parametrize(
    ("broken", "gap"),
    [
        # The whole payment goes with a part of it; a reversal taken back stays taken back.
        (lambda net: net.filter(~net.payment_key.isin(["p1", "p3"])), -120),
        # A join multiplied a row.
        (lambda net: net.union(net.filter(net.payment_key == "p3")), 50),
        # What went out was left behind.
        (lambda net: net.filter(net.amount_minor > 0), 8),
        # Reversals were not seen at all.
        (lambda net: net.mutate(amount_minor=net.amount_minor + (net.payment_key == "p1").cast("int64") * 30), 30),
    ],
)
def test_a_relation_that_loses_or_multiplies_money_fails_the_check(broken, gap: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = money.cash
    monkeypatch.setattr(money, "cash", lambda book, kept=None: kept if kept is not None else broken(sound(book)))
    found = no_posting_lost(paid(POSTED))
    assert (found["gap"], found["met"]) == (gap, False)


def test_sums_by_account_are_the_sums_by_day() -> None:
    book = paid(POSTED)
    frame = book.frame(money.cash(book))
    by_account: dict[str, int] = defaultdict(int)
    for row in frame.itertuples():
        by_account[row.account_key] += row.amount_minor
    assert by_account == {"a": 70, "b": 50, "c": -8}
