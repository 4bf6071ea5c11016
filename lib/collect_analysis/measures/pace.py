"""Pace: cash by working day against the period before and the target (R15's first half); cash by day, unit, bucket and product."""

from dataclasses import dataclass
from datetime import date, timedelta

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import cash
from collect_analysis.measures.pace_days import calendar_days
from collect_analysis.measures.periods import Period, month_end, month_start
from collect_analysis.measures.scopes import UNASSIGNED, count_of, within

PACE_COLUMNS = ("series", "working_day", "date", "collected_minor", "cumulative_minor")
# Buckets of accounts that were not open when the month began: they came in later, or nobody held them.
ENTERED, NOT_HELD = -1, -2
CELL_KEYS = ("unit_key", "bucket", "product_code")
CELL_NUMBERS = ("accounts", "payers", "ordinary_minor", "large_accounts", "large_minor")
DAILY_COLUMNS = ("date", "unit_key", "entered", "collected_minor", "payments", "largest_minor", "late_minor")
# From this many days between value date and posting on, money came late.
LATE_DAYS = 1


def pace(book: Book, period: Period, *, target_minor: float | None = None) -> pd.DataFrame:
    """How did the cash of the period come in, against the period before and against the target?

    Money of a day without work counts on the next working day of the period (on the last one after it). Working days come from table
    `calendar`; without it, Monday to Friday. Columns: series (current, previous, target), working_day (1, 2, ...), date (none for the
    target), collected_minor, cumulative_minor. The target is spread over the working days as the cash of the period before was, by share of
    working days gone; it is left out where there is no target or no cash before. Sorted by series, then working day.
    """
    current, before = _daily(book, period), _daily(book, period.previous)
    series = [current.assign(series="current"), before.assign(series="previous")]
    total = int(before["collected_minor"].sum()) if len(before) else 0
    if target_minor and total > 0 and len(current):
        gone = current["working_day"] / current["working_day"].max()
        share = np.interp(gone, [0, *(before["working_day"] / before["working_day"].max())], [0, *(before["cumulative_minor"] / total)])
        plan = current[["working_day"]].assign(series="target", cumulative_minor=share * target_minor)
        plan["collected_minor"] = plan["cumulative_minor"].diff().fillna(plan["cumulative_minor"])
        series.append(plan)
    present = [part.astype({"collected_minor": float, "cumulative_minor": float}) for part in series if len(part)]
    return pd.concat(present, ignore_index=True)[list(PACE_COLUMNS)] if present else pd.DataFrame(columns=list(PACE_COLUMNS))


def _daily(book: Book, period: Period) -> pd.DataFrame:
    """Cash per working day, cumulated; empty where the book has no cash in the period."""
    counted = cash(book)
    inside = counted.filter(within(counted.value_date, period.start, period.end))
    paid = book.frame(inside.group_by(date=inside.value_date).agg(collected_minor=inside.amount_minor.sum().cast("int64")))
    if paid.empty:
        return pd.DataFrame(columns=["working_day", "date", "collected_minor", "cumulative_minor"])
    days = working_days(book, period)
    place = np.minimum(np.searchsorted(days.to_numpy(), pd.to_datetime(paid["date"]).to_numpy()), len(days) - 1)
    table = pd.DataFrame({"date": days, "collected_minor": np.bincount(place, weights=paid["collected_minor"], minlength=len(days))})
    table["collected_minor"] = table["collected_minor"].round().astype("int64")
    table["cumulative_minor"] = table["collected_minor"].cumsum()
    return table.assign(working_day=np.arange(1, len(days) + 1))[["working_day", "date", "collected_minor", "cumulative_minor"]]


def working_days(book: Book, period: Period) -> pd.Series:
    """The working days of a period, in order: those of table `calendar` where it covers the period, else Monday to Friday."""
    days = calendar_days(book, period.start, period.end)
    working = days["working_day"] if days["listed"].all() else days["date"].dt.day_of_week < 5
    return days.loc[working, "date"].reset_index(drop=True)


def _month_number(day: ir.DateValue) -> ir.IntegerValue:
    return day.year() * 12 + day.month()


def _openings(ends: ir.Table) -> ir.Table:
    """Accounts open when a month began, by the number of that month: opening_account, opening_month, opening_unit, opening_bucket."""
    still_open = ends.filter(ends.status == "open")
    number = _month_number(still_open.month_end) + 1
    return still_open.select(opening_account="account_key", opening_month=number, opening_unit="unit_key", opening_bucket="bucket")


def _closings(ends: ir.Table) -> ir.Table:
    """Accounts at the end of a month: closing_account, closing_month, closing_unit, closing_open (1 where still open)."""
    still_open = (ends.status == "open").cast("int64")
    return ends.select(
        closing_account="account_key", closing_month=_month_number(ends.month_end), closing_unit="unit_key", closing_open=still_open
    )


def daily_cash(book: Book, *, start: date, end: date) -> pd.DataFrame:
    """What came in on each day, by the unit that held the account?

    An account belongs to its holder when the month began; one that came in later to its first holder at a month end, or to nobody
    (`unassigned`) while that month is not over. Columns: date, unit_key, entered (the account was not open when the month began),
    collected_minor, payments, largest_minor (largest posting), late_minor (posted `LATE_DAYS` days or more after the value date). Sorted.
    """
    counted = cash(book)
    inside = counted.filter(within(counted.value_date, start, end)).mutate(number=_month_number(counted.value_date))
    ends = book.table("month_end")
    ends = ends.filter(within(ends.month_end, month_start(start, -1), month_end(end)))
    first, last = _openings(ends), _closings(ends)
    held = inside.left_join(first, [inside.account_key == first.opening_account, inside.number == first.opening_month])
    held = held.left_join(last, [held.account_key == last.closing_account, held.number == last.closing_month])
    lag = held.posted_utc.cast("date").delta(held.value_date, unit="day")
    told = held.select(
        date=held.value_date,
        unit_key=ibis.coalesce(held.opening_unit, held.closing_unit, ibis.literal(UNASSIGNED)),
        entered=held.opening_account.isnull(),
        amount_minor=held.amount_minor,
        late_minor=ibis.ifelse(lag >= LATE_DAYS, held.amount_minor, 0).fill_null(0),
    )
    table = told.group_by("date", "unit_key", "entered").agg(
        collected_minor=told.amount_minor.sum().cast("int64"),
        payments=count_of(told.amount_minor > 0),
        largest_minor=told.amount_minor.max(),
        late_minor=told.late_minor.sum().cast("int64"),
    )
    frame = book.frame(table)
    frame["date"] = pd.to_datetime(frame["date"]).dt.date
    return frame.sort_values(["date", "unit_key", "entered"], ignore_index=True)[list(DAILY_COLUMNS)]


def large_ticket(book: Book, *, start: date, end: date, quantile: float) -> int:
    """From what sum of one account in one month on is it a large ticket: the `quantile` of those sums in whole months; 0 without cash."""
    counted = cash(book)
    inside = counted.filter(within(counted.value_date, start, end)).mutate(number=_month_number(counted.value_date))
    sums = inside.group_by("account_key", "number").agg(paid_minor=inside.amount_minor.sum().cast("int64"))
    sums = sums.filter(sums.paid_minor > 0)
    found = book.scalar(sums.paid_minor.cast("float64").quantile(quantile))
    return 0 if found is None or not np.isfinite(float(str(found))) else int(np.ceil(float(str(found))))


@dataclass(frozen=True)
class Cut:
    """A month from its first day up to and with `until`."""

    until: date

    @property
    def start(self) -> date:
        """First day of the month."""
        return month_start(self.until)


def cells(book: Book, cut: Cut, *, large_minor: int) -> pd.DataFrame:
    """What did a month start with and bring up to a day, by unit, bucket and product?

    Inventory: accounts open when the month began; those that came in by the day, or were closed and are open again at the end of the month,
    stand in bucket `ENTERED`, with their holder at the end of the month where it is over; cash of accounts that nobody held stands in
    `NOT_HELD`, where accounts are those that paid. Accounts whose cash up to the day reaches `large_minor` are large tickets and in no other
    number of cash or payers.
    Columns: unit_key, bucket, product_code, accounts, payers, ordinary_minor, large_accounts, large_minor. Sorted.
    """
    counted = cash(book)
    inside = counted.filter(within(counted.value_date, cut.start, cut.until))
    paid = inside.group_by("account_key").agg(paid_minor=inside.amount_minor.sum().cast("int64"))
    ends = book.table("month_end")
    # By the day itself: a computed month would make the engine read all of the largest table.
    opening = ends.filter(ends.month_end == ibis.literal(cut.start - timedelta(days=1)))
    first, closed = _openings(opening), opening.filter(opening.status != "open").select(closed_account="account_key")
    last = _closings(ends.filter(ends.month_end == ibis.literal(month_end(cut.start))))
    account = book.table("account").select("account_key", "open_date", "product_code")
    joined = account.left_join(first, [account.account_key == first.opening_account])
    joined = joined.left_join(last, [joined.account_key == last.closing_account])
    payer = paid.select(payer="account_key", paid_minor="paid_minor")
    joined = joined.left_join(payer, [joined.account_key == payer.payer])
    joined = joined.left_join(closed, [joined.account_key == closed.closed_account])
    again = joined.closed_account.notnull() & (joined.closing_open == 1).fill_null(False)
    opened = within(joined.open_date, cut.start, cut.until) | again
    place = ibis.cases((joined.opening_account.notnull(), joined.opening_bucket), (opened, ENTERED), else_=NOT_HELD)
    rows = joined.select(
        unit_key=ibis.coalesce(joined.opening_unit, joined.closing_unit, ibis.literal(UNASSIGNED)),
        bucket=place.cast("int64"),
        product_code=joined.product_code,
        paid_minor=joined.paid_minor,
        large=(joined.paid_minor >= large_minor).fill_null(False) if large_minor > 0 else ibis.literal(False),
    )
    rows = rows.filter((rows.bucket != NOT_HELD) | rows.paid_minor.notnull())
    ordinary = rows.paid_minor.notnull() & ~rows.large
    table = rows.group_by(*CELL_KEYS).agg(
        accounts=rows.count(),
        payers=count_of(ordinary & (rows.paid_minor > 0)),
        ordinary_minor=ibis.ifelse(ordinary, rows.paid_minor, 0).sum().cast("int64"),
        large_accounts=count_of(rows.large),
        large_minor=ibis.ifelse(rows.large, rows.paid_minor, 0).sum().cast("int64"),
    )
    return book.frame(table).sort_values(list(CELL_KEYS), ignore_index=True)


def entrant_shares(daily: pd.DataFrame, *, start: date, end: date) -> pd.Series:
    """Which share of the cash of accounts that came in during a month goes to each unit? By unit_key; whole past months, holders known."""
    part = daily[daily["entered"] & (daily["date"] >= start) & (daily["date"] <= end) & (daily["unit_key"] != UNASSIGNED)]
    sums = part.groupby("unit_key")["collected_minor"].sum().astype(float)
    return sums / sums.sum() if len(sums) and sums.sum() > 0 else pd.Series(dtype=float)


def allotted(table: pd.DataFrame, shares: pd.Series, *, entered: pd.Series, numbers: tuple[str, ...]) -> pd.DataFrame:
    """The table with what came in during the month spread over units by `shares`; unchanged without shares. Numbers become floats."""
    if shares.empty or not entered.any():
        return table.astype(dict.fromkeys(numbers, float))
    kept, open_rows = table[~entered], table[entered]
    keys = [name for name in table.columns if name not in (*numbers, "unit_key")]
    pooled = open_rows.groupby(keys, as_index=False, dropna=False, sort=True)[list(numbers)].sum()
    parts = [pooled.assign(unit_key=str(unit), **{name: pooled[name] * share for name in numbers}) for unit, share in shares.items()]
    spread = pd.concat([kept.astype(dict.fromkeys(numbers, float)), *parts], ignore_index=True)[list(table.columns)]
    order = [name for name in table.columns if name not in numbers]
    return spread.groupby(order, as_index=False, dropna=False, sort=True)[list(numbers)].sum()


def whole(month: date) -> Period:
    """The calendar month of a day as a period."""
    return Period(month_start(month), month_end(month))
