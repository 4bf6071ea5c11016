"""Pace: cumulative cash by working day, against the period before and the target spread as that period was (R15's first half)."""

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import cash
from collect_analysis.measures.periods import Period
from collect_analysis.measures.scopes import within

PACE_COLUMNS = ("series", "working_day", "date", "collected_minor", "cumulative_minor")


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
    calendar: ir.Table = book.table("calendar")
    covered = calendar.filter(within(calendar.date, period.start, period.end))
    known = book.frame(covered.select("date", "working_day").order_by(ibis.asc("date")))
    every = pd.Series(pd.date_range(period.start, period.end))
    if len(known) == len(every):
        return pd.to_datetime(known.loc[known["working_day"], "date"]).reset_index(drop=True)
    return every[every.dt.day_of_week < 5].reset_index(drop=True)
