"""Minutes and what they hold: hours, attempts and right-party contacts of a unit by month, and the limit of accounts of a partner."""

from datetime import date

import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.contact import contacts_of, is_attempt, is_right_party
from collect_analysis.measures.periods import KpiWindows, month_end
from collect_analysis.measures.scopes import count_of, within

COUNTS = ["minutes", "officers", "attempts", "right_party"]


def unit_months(book: Book, first_month: date, last_month: date, *, windows: KpiWindows) -> pd.DataFrame:
    """How much time did each unit have in each month, and what did it do with it?

    Columns: month (first day), unit_key, minutes (logged, of table `unit_day`), officers (with a day in the month), attempts, right_party
    (contacts of the unit's officers). A unit without days has no row. Sorted.
    """
    start, end = first_month, month_end(last_month)
    day = book.table("unit_day")
    day = day.filter(within(day.date, start, end))
    day = day.mutate(month=day.date.truncate("M").cast("date"))
    spent = book.frame(
        day.group_by("month", "unit_key").agg(minutes=day.logged_min.sum().cast("int64"), officers=day.officer_key.nunique())
    )
    contact = contacts_of(book, start, end)
    contact = contact.filter(contact.officer_key.notnull())
    contact = contact.mutate(month=contact.local_ts.truncate("M").cast("date"))
    done = book.frame(
        contact.group_by("month", "unit_key").agg(
            attempts=count_of(is_attempt(contact, windows)), right_party=count_of(is_right_party(contact))
        )
    )
    for table in (spent, done):
        table["month"] = pd.to_datetime(table["month"]).dt.date
    found = spent.merge(done, on=["month", "unit_key"], how="left", validate="one_to_one")
    found[COUNTS] = found[COUNTS].fillna(0).astype("int64")
    return found.sort_values(["month", "unit_key"], ignore_index=True)


def unit_facts(book: Book, day: date) -> pd.DataFrame:
    """Sub-function and limit of accounts of every unit valid on a day. Columns: unit_key, sub_function, capacity_accounts (NaN: none)."""
    unit = book.table("unit")
    valid = unit.filter(unit.valid_from <= day, (unit.valid_to > day) | unit.valid_to.isnull())
    found = book.frame(
        valid.group_by("unit_key").agg(sub_function=valid.sub_function.max(), capacity_accounts=valid.capacity_accounts.max())
    )
    return found.sort_values("unit_key", ignore_index=True)


def officer_tenure(book: Book, month: date) -> pd.DataFrame:
    """Whole months from the month of hire to `month`. Columns: officer_key, tenure_months (NaN: month of hire unknown). Sorted."""
    officer = book.table("officer")
    hired = book.frame(officer.group_by("officer_key").agg(hired=officer.hire_month.min()))
    day = pd.to_datetime(hired["hired"])
    hired["tenure_months"] = (month.year - day.dt.year) * 12 + (month.month - day.dt.month).astype(float)
    return hired.sort_values("officer_key", ignore_index=True)[["officer_key", "tenure_months"]]
