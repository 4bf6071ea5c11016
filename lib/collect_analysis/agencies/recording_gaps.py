"""Months in which nothing of a unit was recorded though much was to be expected: payments on its placements, and its contacts."""

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from collect_analysis.book.store import Book
from collect_analysis.measures.periods import month_end, months_from
from collect_analysis.measures.placements import Panel, of_panel, payments_on
from collect_analysis.measures.scopes import within
from collect_analysis.methods.profiling.silence import COLUMNS, silent_groups

PAYMENT, CONTACT = "payment", "contact"
GAP_COLUMNS = ("table", "unit_key", "month", *COLUMNS)


def silent_months(book: Book, panel: Panel) -> pd.DataFrame:
    """In which whole months, up to the book's day, was no payment on a unit's placements recorded, or no contact of it?

    `methods.silence.silent_groups` of units and months; exposure: placements of the panel that ran in the month. Contacts only where the book
    has any; a month without any contact of any unit is the business of `book.presence`. Columns: GAP_COLUMNS (table: payment or contact; month:
    its first day). Sorted; empty where nothing was placed.
    """
    base = of_panel(book, panel)
    months = [month for month in months_from(panel.start, book.as_of) if month_end(month) <= book.as_of]
    if not months:
        return pd.DataFrame(columns=list(GAP_COLUMNS))
    held = book.frame(_running(base, months))
    end = month_end(months[-1])
    paid = payments_on(book, base)
    paid = paid.filter(within(paid.value_date, months[0], end)).mutate(month=lambda rows: rows.value_date.truncate("M"))
    counts = {PAYMENT: book.frame(paid.group_by("unit_key", "month").agg(observed=paid.count()))}
    if book.has(CONTACT):
        made = book.table(CONTACT)
        made = made.filter(made.unit_key.notnull(), within(made.local_ts, months[0], end)).mutate(month=made.local_ts.date().truncate("M"))
        counts[CONTACT] = book.frame(made.group_by("unit_key", "month").agg(observed=made.count()))
    parts = [_silent(held, seen).assign(table=table) for table, seen in counts.items()]
    return pd.concat(parts, ignore_index=True)[list(GAP_COLUMNS)]


def _running(base: ir.Table, months: list[date]) -> ir.Table:
    """How many placements of each unit ran in each month: unit_key, month, exposure."""
    days = pd.DataFrame({"month": months, "over": [month_end(month) for month in months]})
    spans = ibis.memtable(pa.Table.from_pandas(days, preserve_index=False))
    joined = base.inner_join(spans, [base.from_date <= spans.over])
    joined = joined.filter(joined.to_date.isnull() | (joined.to_date > joined.month))
    return joined.group_by("unit_key", "month").agg(exposure=joined.count())


def _silent(held: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
    for table in (held, seen):
        table["month"] = pd.to_datetime(table["month"])
    counts = held.merge(seen, on=["unit_key", "month"], how="left", validate="one_to_one").fillna({"observed": 0})
    return silent_groups(counts, group=["unit_key"], part=["month"])
