"""New entries: how many debts come in a month, to whom, and what they bring in their first months."""

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.engine import sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.measures.cash import cash
from collect_analysis.measures.periods import month_end
from collect_analysis.measures.placements import months_between
from collect_analysis.measures.scopes import UNASSIGNED, owed

SUMS = ["accounts", "balance_minor", "cash_minor", "squares"]


def inflow(book: Book, first_month: date, last_month: date, *, ages: int = 1) -> pd.DataFrame:
    """What came in each month, to which unit, and what did it pay in the month of entry and the months after it?

    An entry is an account at its first month end (the opening stock of the book is no entry); it belongs to the unit of that month end.
    Columns: month (of entry), unit_key, age (0: the month of entry, up to `ages` - 1), accounts, balance_minor (on entry), cash_minor (of
    that age), squares (sum of squared cash per account). A month and age that is not over on `as_of` has no row. Sorted.
    """
    ends = book.table("month_end")
    opened = ends.month_end.min().as_scalar()
    order = ibis.row_number().over(group_by=ends.account_key, order_by=ends.month_end)
    first = ends.mutate(place=order).filter(lambda rows: (rows.place == 0) & (rows.month_end > opened))
    start = first.month_end.truncate("M").cast("date")
    known = first.mutate(month=start).filter(start >= ibis.literal(first_month), start <= ibis.literal(last_month))
    account = book.table("account").select(of_account="account_key", on_entry="original_minor")
    joined = known.left_join(account, known.account_key == account.of_account)
    entries = joined.select(
        "account_key",
        "month",
        unit_key=ibis.coalesce(joined.unit_key, UNASSIGNED),
        balance_minor=ibis.coalesce(joined.on_entry, owed(joined.balance_minor)),
    )
    with book.materialized(entries) as rows:
        parts = [_of_age(book, rows, age) for age in range(ages)]
    found = pd.concat(parts, ignore_index=True)
    found["month"] = pd.to_datetime(found["month"]).dt.date
    over = [month_end(month, age) <= book.as_of for month, age in zip(found["month"], found["age"], strict=True)]
    return found[over].sort_values(["month", "unit_key", "age"], ignore_index=True)[["month", "unit_key", "age", *SUMS]]


def _of_age(book: Book, entries: ir.Table, age: int) -> pd.DataFrame:
    money = cash(book)
    joined = entries.inner_join(money, "account_key")
    paid = joined.filter(months_between(joined.value_date, joined.month) == age)
    paid = paid.group_by(paying="account_key").agg(cash_minor=paid.amount_minor.sum().cast("int64"))
    rows = entries.left_join(paid, entries.account_key == paid.paying)
    rows = rows.mutate(cash_minor=rows.cash_minor.fill_null(0))
    table = rows.group_by("month", "unit_key").agg(
        accounts=rows.count(),
        balance_minor=rows.balance_minor.sum().cast("int64"),
        cash_minor=rows.cash_minor.sum().cast("int64"),
        squares=sum_of_products(rows.cash_minor, rows.cash_minor),
    )
    return book.frame(table).assign(age=age)


def days_with_cash(book: Book, first: date, last: date) -> pd.DataFrame:
    """What did each day bring, and what kind of day was it?

    Columns: date, cash (minor units, 0 where nothing came or the day is ahead of `as_of`), working_day, salary_window, tet_offset (from table
    `calendar`; where it does not cover a day, Monday to Friday are working days and nothing else is known), in_calendar (flag). Sorted.
    """
    counted = cash(book)
    inside = counted.filter(counted.value_date >= ibis.literal(first), counted.value_date <= ibis.literal(last))
    paid = book.frame(inside.group_by(date=inside.value_date).agg(cash=inside.amount_minor.sum().cast("int64")))
    calendar = book.table("calendar")
    wanted = calendar.filter(calendar.date >= ibis.literal(first), calendar.date <= ibis.literal(last))
    known = book.frame(wanted.select("date", "working_day", "salary_window", "tet_offset"))
    for table in (paid, known):
        table["date"] = pd.to_datetime(table["date"]).dt.date
    every = pd.DataFrame({"date": pd.date_range(first, last).date})
    table = every.merge(paid, on="date", how="left", validate="one_to_one").merge(known, on="date", how="left", validate="one_to_one")
    weekday = pd.to_datetime(table["date"]).dt.day_of_week
    table["in_calendar"] = table["working_day"].notna()
    table["working_day"] = table["working_day"].where(table["in_calendar"], weekday < 5).astype(bool)
    table["salary_window"] = table["salary_window"].eq(True)
    table["tet_offset"] = table["tet_offset"].astype(float)
    table["cash"] = table["cash"].fillna(0.0).astype(float)
    return table.sort_values("date", ignore_index=True)
