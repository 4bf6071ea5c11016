"""Where the period will land: what was collected to date over the share usually collected by this working day (R15)."""

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import cash
from collect_analysis.measures.pace import working_days
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.scopes import within

NO_PACE = "no month before to take the pace from"
COLUMNS = (
    "working_day", "working_days", "numerator", "denominator", "value", "low", "high", "straight_minor", "periods", "note",
)  # fmt: skip


def landing(book: Book, period: Period, windows: KpiWindows) -> pd.DataFrame:
    """What will the period bring, at the pace of the periods before it?

    Formula: collected to date / mean share complete at the same share of working days gone, over the periods of equal length within the last
    `landing_months` months. To date: up to the book's `as_of`, or the whole period. One row. Columns: working_day (working days gone),
    working_days (of the period), numerator (collected to date), denominator (mean share complete), value (forecast), low, high (with the
    largest and the smallest share of a period before: a range, no interval), straight_minor (collected / days gone x days: biased where cash
    bunches), periods (how many gave the pace), note. Undefined: no period before had cash, or no share of it came in by this day.
    """
    today = min(book.as_of, period.end)
    before = [period.previous]
    while before[-1].months * (len(before) + 1) <= windows.landing_months:
        before.append(before[-1].previous)
    money = cash(book)
    inside = money.filter(within(money.value_date, before[-1].start, today))
    daily = book.frame(inside.group_by(date=inside.value_date).agg(amount=inside.amount_minor.sum().cast("int64")))
    paid = pd.Series(daily["amount"].to_numpy(dtype=float), index=pd.to_datetime(daily["date"])).sort_index()
    days = working_days(book, period)
    gone = int((days <= pd.Timestamp(today)).sum())
    collected = float(paid[paid.index >= pd.Timestamp(period.start)].sum())
    shares = [share for share in (_complete(book, paid, each, gone / len(days)) for each in before) if share == share]
    mean = float(np.mean(shares)) if shares else float("nan")
    known = bool(shares) and mean > 0
    row = {
        "working_day": gone,
        "working_days": len(days),
        "numerator": collected,
        "denominator": mean,
        "value": collected / mean if known else float("nan"),
        "low": collected / max(shares) if known else float("nan"),
        "high": collected / min(shares) if known and min(shares) > 0 else float("nan"),
        "straight_minor": collected / gone * len(days) if gone else float("nan"),
        "periods": len(shares),
        "note": "" if known else NO_PACE,
    }
    return pd.DataFrame([row], columns=list(COLUMNS))


def _complete(book: Book, paid: pd.Series, period: Period, share_gone: float) -> float:
    """Which share of the cash of a period had come in when this share of its working days was gone? NaN where it had none."""
    own = paid[(paid.index >= pd.Timestamp(period.start)) & (paid.index <= pd.Timestamp(period.end))]
    if own.sum() <= 0:
        return float("nan")
    days = working_days(book, period)
    # Money of a day without work counts on the next working day, on the last one after it.
    place = np.minimum(np.searchsorted(days.to_numpy(), own.index.to_numpy()), len(days) - 1)
    cumulative = np.bincount(place, weights=own.to_numpy(), minlength=len(days)).cumsum() / own.sum()
    return float(np.interp(share_gone * len(days), np.arange(len(days) + 1), [0.0, *cumulative]))
