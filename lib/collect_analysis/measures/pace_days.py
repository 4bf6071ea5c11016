"""Days as pace reads them: working days, salary days and the weeks around the lunar new year, from table `calendar`."""

from datetime import date

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.periods import month_start
from collect_analysis.measures.scopes import within

# Weeks around the first day of the lunar year, by days from it: what a month gains before Tet it loses at Tet and after.
TET_WEEKS = {"tet_before_2": (-14, -8), "tet_before_1": (-7, -1), "tet_week": (0, 6), "tet_after_1": (7, 13), "tet_after_2": (14, 20)}
# Days right after the salary window, in which late payers still follow.
AFTER_SALARY_DAYS = 3
# Working days at the end of a month that are told apart, the last one by itself.
CLOSING_DAYS, OPENING_DAYS = 3, 2
DAY_COLUMNS = ("date", "working_day", "holiday", "tet_offset", "salary_window", "listed")


def calendar_days(book: Book, start: date, end: date) -> pd.DataFrame:
    """Every day from `start` to `end` with what table `calendar` says of it; where it says nothing, Monday to Friday are working days.

    Columns: date, working_day, holiday (flag: a public holiday), tet_offset (days from the lunar new year; missing: not known),
    salary_window, listed (the calendar holds the day).
    """
    calendar = book.table("calendar")
    part = calendar.filter(within(calendar.date, start, end))
    known = book.frame(part.select("date", "working_day", "holiday", "tet_offset", "salary_window"))
    known["date"] = pd.to_datetime(known["date"])
    every = pd.DataFrame({"date": pd.date_range(start, end)}).merge(known.assign(listed=True), on="date", how="left", validate="one_to_one")
    listed = every["listed"].eq(True)
    weekday = every["date"].dt.day_of_week < 5
    working = every["working_day"].eq(True).where(listed, weekday)
    return pd.DataFrame(
        {
            "date": every["date"],
            "working_day": working.astype(bool),
            "holiday": every["holiday"].notna() | (listed & weekday & ~working),
            "tet_offset": pd.to_numeric(every["tet_offset"]).astype(float),
            "salary_window": every["salary_window"].eq(True),
            "listed": listed,
        }
    )


def features(days: pd.DataFrame) -> pd.DataFrame:
    """What kind of day is each, so that months are compared by salary days, month end and Tet instead of by the number of the day?

    `days` are whole months of `calendar_days`. Columns: month (first day), date, working_day, tet (the lunar new year of the day's week, else
    missing), and features 0 or 1: weekday_1 ... weekday_6 (Monday is the base), holiday, salary, after_salary, opening, closing, closing_last
    (the last working day and all after it), and the weeks of `TET_WEEKS`.
    """
    stamp = days["date"]
    month = stamp.dt.to_period("M")
    table = pd.DataFrame(
        {"month": [month_start(day.date()) for day in stamp], "date": stamp.dt.date, "working_day": days["working_day"].astype(bool)}
    )
    in_tet = days["tet_offset"].between(min(low for low, _ in TET_WEEKS.values()), max(high for _, high in TET_WEEKS.values()))
    new_year = stamp - pd.to_timedelta(days["tet_offset"].fillna(0), unit="D")
    table["tet"] = new_year.dt.date.where(in_tet)
    for number in range(1, 7):
        table[f"weekday_{number}"] = (stamp.dt.day_of_week == number).astype(float)
    table["holiday"] = days["holiday"].astype(float)
    table["salary"] = days["salary_window"].astype(float)
    recent = days["salary_window"].astype(float).shift(1, fill_value=0).rolling(AFTER_SALARY_DAYS, min_periods=1).max()
    table["after_salary"] = ((recent > 0) & ~days["salary_window"]).astype(float)
    worked = days["working_day"].astype(int)
    gone = worked.groupby(month).cumsum()
    left = worked.groupby(month).transform("sum") - gone
    table["opening"] = (gone <= OPENING_DAYS).astype(float)
    table["closing"] = ((left < CLOSING_DAYS) & (left > 0)).astype(float)
    table["closing_last"] = (left == 0).astype(float)
    for name, (low, high) in TET_WEEKS.items():
        table[name] = days["tet_offset"].between(low, high).astype(float)
    return table


def with_cash(featured: pd.DataFrame, cash: pd.Series, *, known_until: date) -> pd.DataFrame:
    """The days of `features` with column cash_minor: that of `cash` (indexed by date), 0 on days without any, missing after `known_until`."""
    amount = featured["date"].map(cash).astype(float).fillna(0.0)
    return featured.assign(cash_minor=np.where(featured["date"] <= known_until, amount, np.nan))
