"""How new officers do against what joiners before them did at the same time since hire (W8)."""

import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.account_months import window_of
from collect_analysis.measures.expected import observed_expected
from collect_analysis.measures.periods import KpiWindows, Period, month_start

NO_COMPARABLE = "no comparable joiner in the months before"
NOTHING_EXPECTED = "nothing was expected of joiners at this time since hire"
COLUMNS = ("tenure_months", "officers", "numerator", "denominator", "observed_expected", "comparable", "value", "cases", "note")


def ramp(book: Book, period: Period, windows: KpiWindows) -> pd.DataFrame:
    """Do joiners ramp as those before them did?

    Formula: observed over expected of officers in their k-th month since hire, over that of all officers in their k-th month in the
    `expected_months` before the period. Officers hired within `ramp_months`. Columns: tenure_months (k, 0 is the month of hire), officers,
    numerator (collected, capped, minor units), denominator (expected), observed_expected, comparable (that of the months before), value
    (ramp index), cases (accounts), note. Sorted. Undefined: nothing expected of one of the two. Who left is not in later months.
    """
    last = month_start(period.end)
    window = window_of(book, period.start, last, reference_months=windows.expected_months)
    months = windows.expected_months
    now = _by_tenure(observed_expected(book, period.start, last, reference_months=months), windows)
    if window.reference_first < period.start:
        past = observed_expected(book, window.reference_first, month_start(period.start, -1), reference_months=months)
        before = _by_tenure(past, windows).set_index("tenure_months")["observed_expected"]
    else:
        before = pd.Series(dtype=float)
    table = now.assign(comparable=now["tenure_months"].map(before).astype(float))
    table["value"] = table["observed_expected"] / table["comparable"].where(table["comparable"] > 0)
    table["note"] = ""
    table.loc[table["value"].isna(), "note"] = NO_COMPARABLE
    table.loc[table["observed_expected"].isna(), "note"] = NOTHING_EXPECTED
    return table[list(COLUMNS)]


def _by_tenure(rows: pd.DataFrame, windows: KpiWindows) -> pd.DataFrame:
    new = rows[(rows["tenure_months"] >= 0) & (rows["tenure_months"] <= windows.ramp_months)]
    sums = new.groupby("tenure_months", as_index=False).agg(
        officers=("officer_key", "nunique"),
        numerator=("capped_minor", "sum"),
        denominator=("expected_minor", "sum"),
        cases=("accounts", "sum"),
    )
    sums["tenure_months"] = sums["tenure_months"].astype("int64")
    sums["observed_expected"] = sums["numerator"] / sums["denominator"].where(sums["denominator"] > 0)
    return sums
