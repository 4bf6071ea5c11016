"""Moves of accounts from one month end to the next, by bucket, product and vintage: counted where the data live, returned as small tables."""

import weakref
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import cash
from collect_analysis.measures.flow import EXITS, MISSING, month_pairs
from collect_analysis.measures.periods import Period, month_end, month_start
from collect_analysis.measures.placements import months_between
from collect_analysis.measures.scopes import UNASSIGNED, Directory, owed, within

Vintage = Literal["year", "quarter"]
# The lunar new year moves money from so many days before to so many after; a month with this many such days is marked.
TET_BEFORE, TET_AFTER, TET_DAYS = 14, 20, 7
NO_PRODUCT = UNASSIGNED


@dataclass(frozen=True)
class Scope:
    """What is followed: the months, buckets from `top_bucket` on as one, the grain of vintages, the portfolios (none named: all)."""

    period: Period
    top_bucket: int
    vintage: Vintage = "year"
    portfolios: tuple[str, ...] = ()

    @property
    def buckets(self) -> tuple[str, ...]:
        """The buckets as states of a chain."""
        return tuple(str(bucket) for bucket in range(self.top_bucket + 1))


class Transitions:
    """Every account open at a month end, followed to the next one; built once, kept where the data live for as long as this object.

    A re-aged account goes on from where it stands, bucket 0: `reaged` counts it apart.
    """

    def __init__(self, book: Book, scope: Scope) -> None:
        self.book, self.scope = book, scope
        self._stack = ExitStack()
        weakref.finalize(self, self._stack.close)

    @cached_property
    def ends(self) -> ir.Table:
        """The month ends followed: table `month_end` with product_code and vintage of the account; a credit balance owes nothing."""
        ends, account = self.book.table("month_end"), self.book.table("account")
        last = ibis.literal(self.scope.period.end)
        inside = ends.filter(ends.month_end <= last)
        opened = account.open_date
        by_quarter = opened.year().cast("string") + "-Q" + opened.quarter().cast("string")
        named = account.select(
            of_account="account_key",
            product_code="product_code",
            portfolio="portfolio_code",
            vintage=by_quarter if self.scope.vintage == "quarter" else opened.year().cast("string"),
        )
        joined = inside.left_join(named, [("account_key", "of_account")])
        if self.scope.portfolios:
            joined = joined.filter(joined.portfolio.isin(list(self.scope.portfolios)))
        return joined.mutate(
            balance_minor=owed(joined.balance_minor),
            product_code=ibis.coalesce(joined.product_code, NO_PRODUCT),
            vintage=ibis.coalesce(joined.vintage, UNASSIGNED),
        ).drop("of_account", "portfolio")

    @cached_property
    def moves(self) -> ir.Table:
        """One row per account and month: account_key, month (of the close), product_code, vintage, previous (bucket a month before the
        start; null: not open then), bucket, to, state (of `flow.STATES`, or missing), open_minor.
        """
        ends = self.ends
        order = ibis.window(group_by=ends.account_key, order_by=ends.month_end)
        before = {name: ends[name].lag().over(order) for name in ("month_end", "status", "bucket")}
        follows = (months_between(ends.month_end, before["month_end"]) == 1) & (before["status"] == "open")
        known = ends.mutate(previous=ibis.ifelse(follows.fill_null(False), before["bucket"], ibis.null("int64")), opened=ends.month_end)
        keep = ("opened", "previous", "product_code", "vintage")
        pairs = month_pairs(known, Directory.of(self.book, self.scope.period.end), self.scope.period, keep=keep)
        top = ibis.literal(self.scope.top_bucket)
        # An account that is open at the next month end goes on from there, re-aged or not.
        open_next = ~pairs.state.isin([*EXITS, MISSING])
        moves = pairs.select(
            "account_key",
            "product_code",
            "vintage",
            "state",
            "open_minor",
            month=close_after(pairs.opened),
            # LEAST of nothing and a number is the number on some engines: nothing must stay nothing.
            previous=ibis.ifelse(pairs.previous.isnull(), ibis.null("int64"), ibis.least(pairs.previous, top)),
            bucket=ibis.least(pairs.bucket, top),
            to=ibis.ifelse(open_next, ibis.least(pairs.next_bucket, top).cast("string"), pairs.state),
        )
        return self._stack.enter_context(self.book.materialized(moves))

    @cached_property
    def _cells(self) -> ir.Table:
        """Moves counted by everything they are told by."""
        moves = self.moves
        grouped = moves.group_by("month", "product_code", "vintage", "previous", "bucket", "to", "state").agg(
            count=moves.count(), open_minor=moves.open_minor.sum().cast("int64")
        )
        return self._stack.enter_context(self.book.materialized(grouped))

    def counted(self, *by: str) -> pd.DataFrame:
        """How many accounts went from where to where? By the columns named, then from, to, state, count, open_minor (opening balance).

        `by`: month (its last day), product_code, vintage, previous (bucket a month before `from`; rows without one are left out). `from` and
        `to`: buckets as text, `to` also an exit or `missing` (the book has no row for the next month end). `state` tells moves apart on full
        buckets, and the re-aged. Sorted. A few thousand rows.
        """
        cells = self._cells
        if "previous" in by:
            cells = cells.filter(cells.previous.notnull())
        grouped = cells.group_by([*by, "bucket", "to", "state"]).agg(
            count=cells["count"].sum().cast("int64"), open_minor=cells.open_minor.sum().cast("int64")
        )
        found = self.book.frame(grouped).rename(columns={"bucket": "from"})
        whole = [name for name in ("from", "previous") if name in found]
        found = found.assign(**{name: found[name].astype(int).astype(str) for name in whole})
        if "month" in found:
            found["month"] = _days(found["month"])
        order = [*by, "from", "to", "state"]
        return found.sort_values(order, ignore_index=True)[[*order, "count", "open_minor"]]

    def positions(self, origins: Sequence[date], *, horizon: int) -> pd.DataFrame:
        """Where did the accounts open on each of these month ends stand 1, 2, ... months later?

        Columns: origin, step (months later, up to `horizon` and the end of the period), state (bucket, exit, or missing), count. Accounts
        that entered after the origin are not in it: a projection does not know them. Step 0 is the origin itself.
        """
        rows = self._followed(origins, horizon)
        parts = [rows.select("origin", step=ibis.literal(0), state=rows.from_state)]
        for step in range(1, horizon + 1):
            gone = (rows.exit_step <= step).fill_null(False)
            state = ibis.cases((gone, rows.exit_state), (rows[f"at_{step}"].notnull(), rows[f"at_{step}"]), else_=ibis.literal(MISSING))
            parts.append(rows.filter(rows.last_step >= step).select("origin", step=ibis.literal(step), state=state))
        every = ibis.union(*parts) if len(parts) > 1 else parts[0]
        found = self.book.frame(every.group_by("origin", "step", "state").agg(count=every.count()))
        return found.assign(origin=_days(found["origin"])).sort_values(["origin", "step", "state"], ignore_index=True)

    def _followed(self, origins: Sequence[date], horizon: int) -> ir.Table:
        """One row per account and origin: from_state, exit_step, exit_state, at_1, at_2, ... (bucket), last_step."""
        ends, top = self.ends, ibis.literal(self.scope.top_bucket)
        small = ends.select("account_key", "month_end", "status", state=ibis.least(ends.bucket, top).cast("string"))
        start = small.filter(small.month_end.isin([ibis.literal(day) for day in origins]), small.status == "open")
        start = start.select(start_key="account_key", origin="month_end", from_state="state")
        joined = start.left_join(small, (start.start_key == small.account_key) & (small.month_end > start.origin))
        offset = months_between(joined.month_end, joined.origin)
        joined = joined.mutate(offset=offset)
        left = joined.status != "open"
        at = {f"at_{k}": joined.state.max(where=(joined.offset == k) & ~left) for k in range(1, horizon + 1)}
        grouped = joined.group_by("start_key", "origin", "from_state").agg(
            exit_step=joined.offset.min(where=left), exit_state=joined.status.max(where=left), **at
        )
        end = ibis.literal(self.scope.period.end)
        return self._stack.enter_context(self.book.materialized(grouped.mutate(last_step=months_between(end, grouped.origin))))

    def cash_by_bucket(self) -> pd.DataFrame:
        """What did the accounts of each bucket pay in each month? Columns: month, from, count (accounts open before it), cash_minor.

        Months whose payments were not delivered have no row.
        """
        columns = ["month", "from", "count", "cash_minor"]
        period, ends, paid = self.scope.period, self.ends, self._paid()
        held = ends.filter(ends.status == "open", ends.month_end >= ibis.literal(period.opening), ends.month_end < ibis.literal(period.end))
        held = held.mutate(month=close_after(held.month_end), bucket=ibis.least(held.bucket, ibis.literal(self.scope.top_bucket)))
        held = held.select("account_key", "month", "bucket", starts=held.month.truncate("M"))
        joined = held.left_join(paid, (held.account_key == paid.payer) & (held.starts == paid.paid_month))
        grouped = joined.group_by("month", "bucket").agg(
            count=joined.count(), cash_minor=joined.cash_minor.sum().fill_null(0).cast("int64")
        )
        found = self.book.frame(grouped).rename(columns={"bucket": "from"})
        found = found.assign(month=_days(found["month"]), **{"from": found["from"].astype(int).astype(str)})
        paid_in = self.book.months("payment")
        found = found[[day.replace(day=1) in paid_in for day in found["month"]]]
        return found.sort_values(["month", "from"], ignore_index=True)[columns]

    def cash_after(self, origins: Sequence[date], *, horizon: int) -> pd.DataFrame:
        """What did the accounts open on each of these month ends pay in the 1st, 2nd, ... month after?

        Columns: origin, step (month after it, up to `horizon` and the end of the period), cash_minor. An account counts as long as it is
        still open at the start of the month; accounts that entered after the origin are not in it. Empty where the book has no payments.
        """
        columns = ["origin", "step", "cash_minor"]
        if not self.book.has("payment"):
            return pd.DataFrame(columns=columns)
        ends, paid, last = self.ends, self._paid(), self.scope.period.end
        held = ends.filter(ends.status == "open", ends.month_end < ibis.literal(last)).select("account_key", "month_end")
        held = held.mutate(starts=close_after(held.month_end).truncate("M"))
        start = held.filter(held.month_end.isin([ibis.literal(day) for day in origins]))
        start = start.select(start_key="account_key", origin="month_end")
        with_cash = held.left_join(paid, (held.account_key == paid.payer) & (held.starts == paid.paid_month))
        with_cash = with_cash.select("account_key", "month_end", "cash_minor")
        joined = start.join(with_cash, (start.start_key == with_cash.account_key) & (with_cash.month_end >= start.origin))
        joined = joined.mutate(step=months_between(joined.month_end, joined.origin) + 1)
        near = joined.filter(joined.step <= horizon)
        found = self.book.frame(near.group_by("origin", "step").agg(cash_minor=near.cash_minor.sum().fill_null(0).cast("int64")))
        return found.assign(origin=_days(found["origin"])).sort_values(["origin", "step"], ignore_index=True)[columns]

    def delivered(self, table: pd.DataFrame, name: str) -> pd.DataFrame:
        """The rows whose month (`step` months after `origin`) was delivered in table `name`: what was not did not become 0."""
        known = self.book.months(name)
        return table[[month_start(origin, int(step)) in known for origin, step in zip(table["origin"], table["step"], strict=True)]]

    def _paid(self) -> ir.Table:
        """What each account paid in each month of the period: payer, paid_month, cash_minor."""
        period, money = self.scope.period, cash(self.book)
        inside = money.filter(within(money.value_date, period.start, period.end))
        inside = inside.mutate(paid_month=inside.value_date.truncate("M"))
        return inside.group_by(payer="account_key", paid_month="paid_month").agg(cash_minor=inside.amount_minor.sum().cast("int64"))

    def today(self) -> pd.DataFrame:
        """Who is open at the end of the period: from (bucket), product_code, count, balance_minor. Sorted."""
        ends = self.ends
        open_now = ends.filter(ends.month_end == ibis.literal(self.scope.period.end), ends.status == "open")
        open_now = open_now.mutate(bucket=ibis.least(open_now.bucket, ibis.literal(self.scope.top_bucket)))
        grouped = open_now.group_by("bucket", "product_code").agg(
            count=open_now.count(), balance_minor=open_now.balance_minor.sum().cast("int64")
        )
        found = self.book.frame(grouped).rename(columns={"bucket": "from"})
        found["from"] = found["from"].astype(int).astype(str)
        return found.sort_values(["from", "product_code"], ignore_index=True)


def tet_months(book: Book, period: Period) -> dict[date, bool]:
    """Which months (by their last day) did the lunar new year move? Those with at least 7 days from 14 before to 20 after its first day.

    Empty where the book has no calendar, or one that does not know the lunar year.
    """
    calendar = book.table("calendar")
    near = calendar.filter(within(calendar.date, period.start, period.end), calendar.tet_offset.between(-TET_BEFORE, TET_AFTER))
    month = near.mutate(month=near.date.truncate("M"))
    found = book.frame(month.group_by("month").agg(days=month.count()))
    marked = {month_end(pd.Timestamp(day).date()) for day, days in zip(found["month"], found["days"], strict=True) if days >= TET_DAYS}
    known = book.frame(calendar.agg(known=calendar.tet_offset.notnull().sum().fill_null(0)))["known"].iloc[0] > 0
    return {month_end(period.start, step): month_end(period.start, step) in marked for step in range(period.months)} if known else {}


def close_after(day: ir.DateValue) -> ir.DateValue:
    """The month end after a month end."""
    return (day + ibis.interval(days=1) + ibis.interval(months=1) - ibis.interval(days=1)).cast("date")


def _days(column: pd.Series) -> pd.Series:
    return pd.to_datetime(column).dt.date
