"""Promises falling due and which payments kept them (C8-C11): one payment serves one promise, exactly.

The rule. The payments of an account that stayed (`cash.payments`) are taken in order of value date and key. Each goes, whole, to one
promise: of those in whose window (from the day it was made to `grace_days` after the day promised) its value date lies and which are not
paid in full, the first that is not kept yet, else the first; first means earliest day promised, then earliest made, then key. A promise is
kept when what it got reaches the threshold. The rule is sequential, so promises are cut into groups whose windows touch: a group of one needs
a sum, a larger group is settled payment by payment, all groups side by side in the engine.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import payments
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.scopes import Directory, within

STATES = ("kept", "partly", "renegotiated", "broken", "undecided")
_GROUP = ("account_key", "group")


@contextmanager
def due_promises(book: Book, period: Period, windows: KpiWindows, money: ir.Table | None = None) -> Iterator[ir.Table]:
    """Which promises fell due in the period, and what was paid towards each?

    One row per promise of more than nothing whose day lies in the period. Columns: promise_key, account_key, unit_key, officer_key,
    due_date, promised_minor, covered_minor (what was paid towards it, at most what was promised), paid_minor (not capped), state: kept;
    renegotiated where it was not kept, the source says so and another promise of the account was made by its day; partly, broken; or
    undecided while the grace has not passed on the book's `as_of`. `money` is the table of `cash.kept_cash` where it is kept. Use as
    `with due_promises(...) as promises:`.
    """
    grouped, paid_in = _groups(book, period, windows, money)
    with book.materialized(grouped) as promises, book.materialized(_payments(promises, paid_in)) as payments:
        alone = promises.filter(promises.members == 1)
        paid = payments.group_by(*_GROUP).agg(paid_minor=payments.amount_minor.sum().cast("int64"))
        joined = alone.left_join(paid, list(_GROUP))
        simple = joined.select(*[alone[name] for name in alone.columns if name != "members"], paid_minor=paid.paid_minor.fill_null(0))
        with _settled(book, promises.filter(promises.members > 1).drop("members"), payments, windows) as contested:
            yield _with_state(book, simple.union(contested.select(*simple.columns)), period, windows)


def promise_facts(due: ir.Table, directory: Directory) -> ir.Table:
    """Promises that fell due and are decided, with the scopes of who took them: due, kept, broken (0 or 1), promised_minor,
    covered_minor, paid_minor.

    `due` is the table of `due_promises`.
    """
    decided = due.filter(due.state != "undecided")
    columns = decided.select(
        "account_key",
        "unit_key",
        "officer_key",
        "promised_minor",
        due=ibis.literal(1, "int64"),
        kept=(decided.state == "kept").cast("int64"),
        broken=(decided.state == "broken").cast("int64"),
        covered_minor="covered_minor",
        paid_minor="paid_minor",
    )
    return directory.describe(columns)


def promise_states(book: Book, period: Period, windows: KpiWindows) -> pd.DataFrame:
    """How do the promises falling due stand? See `states_of`."""
    with due_promises(book, period, windows) as due:
        return states_of(book, due)


def states_of(book: Book, due: ir.Table) -> pd.DataFrame:
    """How do the promises falling due stand? The states exclude each other and add up to all of them.

    `due` is the table of `due_promises`. Columns: state (see `STATES`), promises, promised_minor, covered_minor. One row
    per state, also where it is empty.
    """
    table = due.group_by("state").agg(
        promises=due.count(),
        promised_minor=due.promised_minor.sum().cast("int64"),
        covered_minor=due.covered_minor.sum().cast("int64"),
    )
    return book.frame(table).set_index("state").reindex(STATES, fill_value=0).rename_axis("state").reset_index()


def _groups(book: Book, period: Period, windows: KpiWindows, money: ir.Table | None) -> tuple[ir.Table, ir.Table]:
    """Promises in groups whose windows touch, for groups with a promise due in the period; and the money of their accounts."""
    promise = book.table("promise")
    promise = promise.filter(promise.amount_minor > 0)
    accounts = promise.filter(within(promise.due_date, period.start, period.end)).select("account_key").distinct()
    mine = promise.semi_join(accounts, "account_key")
    following = mine.made_ts.date().lead().over(ibis.window(group_by=mine.account_key, order_by=[mine.made_ts, mine.promise_key]))
    window = mine.select(
        "promise_key",
        "account_key",
        "unit_key",
        "officer_key",
        "made_ts",
        "due_date",
        promised_minor=mine.amount_minor,
        made_day=mine.made_ts.date(),
        until=(mine.due_date + ibis.interval(days=windows.grace_days)).cast("date"),
        replaced=((mine.status_as_reported == "renegotiated") & (following <= mine.due_date)).fill_null(False),
    )
    order = [window.made_day, window.until, window.promise_key]
    before = ibis.window(group_by=window.account_key, order_by=order, rows=(None, -1))
    marked = window.mutate(reach=window.until.max().over(before))
    starts = (marked.reach.isnull() | (marked.made_day > marked.reach)).cast("int64")
    marked = marked.mutate(starts=starts)
    running = ibis.cumulative_window(group_by=marked.account_key, order_by=[marked.made_day, marked.until, marked.promise_key])
    grouped = marked.mutate(group=marked.starts.sum().over(running)).drop("reach", "starts")
    whole = ibis.window(group_by=[grouped.account_key, grouped.group])
    due_here = within(grouped.due_date, period.start, period.end).cast("int64").max().over(whole)
    grouped = grouped.mutate(members=grouped.count().over(whole), due_here=due_here)
    paid_in = payments(book, money).semi_join(accounts, "account_key").select("payment_key", "account_key", "value_date", "amount_minor")
    return grouped.filter(grouped.due_here == 1).drop("due_here"), paid_in


def _payments(promises: ir.Table, money: ir.Table) -> ir.Table:
    """Payments that lie in the span of a group, numbered in the order in which they are dealt out."""
    spans = promises.group_by(*_GROUP).agg(first=promises.made_day.min(), last=promises.until.max(), members=promises.members.max())
    inside = money.inner_join(spans, "account_key")
    inside = inside.filter(inside.value_date >= inside.first, inside.value_date <= inside.last)
    turn = ibis.row_number().over(group_by=[inside.account_key, inside.group], order_by=[inside.value_date, inside.payment_key])
    return inside.select(*_GROUP, "value_date", "amount_minor", "members", turn=turn)


@contextmanager
def _settled(book: Book, promises: ir.Table, payments: ir.Table, windows: KpiWindows) -> Iterator[ir.Table]:
    """Deal out the payments of groups of several promises, one payment of every group per round."""
    contested = payments.filter(payments.members > 1)
    rounds = book.scalar(contested.turn.max())
    with ExitStack() as kept:
        state = kept.enter_context(book.materialized(promises.mutate(paid_minor=ibis.literal(0, "int64"))))
        for turn in range(0 if rounds is None else int(str(rounds)) + 1):
            state = kept.enter_context(book.materialized(_round(state, contested.filter(contested.turn == turn), windows)))
        yield state


def _round(state: ir.Table, payments: ir.Table, windows: KpiWindows) -> ir.Table:
    """The state of the promises after one more payment of every group."""
    pairs = payments.select(*_GROUP, "value_date", "amount_minor").inner_join(state, list(_GROUP))
    open_to = pairs.filter(pairs.value_date >= pairs.made_day, pairs.value_date <= pairs.until, pairs.paid_minor < pairs.promised_minor)
    order = [is_kept(open_to, windows).cast("int64"), open_to.due_date, open_to.made_ts, open_to.promise_key]
    place = ibis.row_number().over(group_by=[open_to.account_key, open_to.group], order_by=order)
    chosen = open_to.mutate(place=place).filter(lambda rows: rows.place == 0).select("promise_key", got_minor="amount_minor")
    joined = state.left_join(chosen, "promise_key")
    return joined.select(
        *[state[name] for name in state.columns if name != "paid_minor"], paid_minor=state.paid_minor + chosen.got_minor.fill_null(0)
    )


def is_kept(promise: ir.Table, windows: KpiWindows) -> ir.BooleanColumn:
    """Whether what was paid reaches the threshold of what was promised; in whole numbers, so that 90 % of 10 is 9."""
    parts = round(windows.kept_threshold * 10_000)
    return promise.paid_minor * 10_000 >= promise.promised_minor * parts


def _with_state(book: Book, promises: ir.Table, period: Period, windows: KpiWindows) -> ir.Table:
    due = promises.filter(within(promises.due_date, period.start, period.end))
    state = ibis.cases(
        (due.until > ibis.literal(book.as_of), "undecided"),
        (is_kept(due, windows), "kept"),
        (due.replaced, "renegotiated"),
        (due.paid_minor > 0, "partly"),
        else_="broken",
    )
    covered = ibis.least(due.paid_minor, due.promised_minor)
    names = ("promise_key", "account_key", "unit_key", "officer_key", "due_date", "promised_minor", "paid_minor")
    return due.select(*names, covered_minor=covered, state=state)
