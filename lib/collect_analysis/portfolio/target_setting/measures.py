"""What a target is set from: the accounts at hand and what they should bring, entries, past months, days, minutes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.cash import cash
from collect_analysis.measures.expected import DEFAULT_FACTORS, expected_by_account_cell, observed_expected
from collect_analysis.measures.periods import KpiWindows, Period, month_end, month_start
from collect_analysis.measures.scopes import within
from collect_analysis.methods.forecast import season
from collect_analysis.methods.forecast.recovery_forecast import Past
from collect_analysis.portfolio.target_setting import measures_capacity
from collect_analysis.portfolio.target_setting.measures_inflow import days_with_cash, inflow

# The first months of a book know too little of when anybody paid before.
FIRST_MONTHS_LEFT_OUT = 2
FEWEST_MONTHS = 4
SUMS = ["accounts", "opening_minor", "cash_minor", "expected_cash_minor", "variance_cash_minor"]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a target of `months` is set from, all known on the last month end, the day before `opening`.

    `stock`: one row per month, unit_key, officer_key, sub_function: accounts, opening_minor, expected_cash_minor, expected_minor (capped),
    variance_cash_minor. `officers`: past months of officers (`expected.observed_expected`). `past`: see `recovery_forecast.Past`. `days`: of
    past and period, with kinds. `minutes`, `units`, `tenure`: see `measures.capacity`. `reference_months`: behind the rates of `stock`.
    `cap_minor`: what one account counts at most in what an officer carries.
    """

    months: tuple[date, ...]
    opening: date
    stock: pd.DataFrame
    officers: pd.DataFrame
    past: Past
    days: pd.DataFrame
    minutes: pd.DataFrame
    units: pd.DataFrame
    tenure: pd.DataFrame
    reference_months: int
    cap_minor: int


def read_inputs(
    book: Book,
    period: Period,
    *,
    reference_months: int,
    level_months: int,
    history_months: int,
    cap_quantile: float,
    windows: KpiWindows,
    factors: Sequence[str] = DEFAULT_FACTORS,
) -> Inputs:
    """Everything a target of `period` is set from.

    Raises
    ------
    DataError
        The period does not lie after the last month end, or the book has fewer than `FEWEST_MONTHS` usable months.
    """
    opening, first = _history(book, period, history_months)
    last = month_start(opening, -1)
    months = tuple(month_start(period.start, ahead) for ahead in range(period.months))
    parts = []
    for month in months:
        ahead = (month.year - opening.year) * 12 + month.month - opening.month + 1
        told = expected_by_account_cell(
            book, opening, ahead=ahead, factors=factors, reference_months=reference_months, cap_quantile=cap_quantile
        )
        parts.append(told.assign(month=month))
    officers = observed_expected(
        book, first, last, factors=factors, reference_months=reference_months, cap_quantile=cap_quantile, calibrate=False, leave_out=False
    )
    officers["month"] = pd.to_datetime(officers["month"]).dt.date
    units = officers.groupby(["month", "unit_key", "sub_function"], as_index=False)[SUMS].sum()
    units = units.rename(columns={"variance_cash_minor": "variance_minor"})
    days = days_with_cash(book, first, period.end)
    kinds = season.day_kinds(days).assign(cash=days["cash"], in_calendar=days["in_calendar"])
    effects = season.day_effects(kinds[kinds["date"] < opening])
    ages = len(months) + (months[0].year - opening.year) * 12 + months[0].month - opening.month
    past = Past(
        units=units,
        entries=inflow(book, first, last, ages=ages),
        parts=season.month_parts(kinds, effects),
        effects=effects,
        window=level_months,
    )
    return Inputs(
        months=months,
        opening=opening,
        stock=pd.concat(parts, ignore_index=True),
        officers=officers,
        past=past,
        days=kinds.assign(working_day=days["working_day"]),
        minutes=measures_capacity.unit_months(book, first, last, windows=windows),
        units=measures_capacity.unit_facts(book, last),
        tenure=measures_capacity.officer_tenure(book, months[0]),
        reference_months=reference_months,
        cap_minor=ticket_cap(book, month_start(opening, -reference_months), last, quantile=cap_quantile),
    )


def ticket_cap(book: Book, first_month: date, last_month: date, *, quantile: float) -> int:
    """Beyond which amount is a month of one account a large ticket? The `quantile` of what payers paid in a month; 0 without payers."""
    counted = cash(book)
    inside = counted.filter(within(counted.value_date, first_month, month_end(last_month)))
    paid = inside.group_by("account_key", month=inside.value_date.truncate("M")).agg(paid=inside.amount_minor.sum())
    paid = paid.filter(paid.paid > 0)
    return int(float(str(book.scalar(paid.paid.cast("float64").quantile(quantile).fill_null(0.0)))))


def _history(book: Book, period: Period, history_months: int) -> tuple[date, date]:
    """The month that opens after the last month end, and the first past month used."""
    ends = book.table("month_end").month_end
    found = book.frame(book.table("month_end").agg(first=ends.min(), last=ends.max())).iloc[0]
    if pd.isna(found["last"]):
        raise DataError(f"book '{book.manifest.name}' has no month ends as of {book.as_of}; a target needs table month_end")
    start, last_end = (pd.Timestamp(found[name]).date() for name in ("first", "last"))
    if month_end(last_end) != last_end:
        raise DataError(f"the last month end of book '{book.manifest.name}' is {last_end}, which is no last day of a month")
    opening = month_start(last_end, 1)
    problems = []
    if period.start < opening:
        problems.append(
            f"the period starts on {period.start}, but the book knows the month end {last_end}: a target is set before its period; "
            f"choose a period from {opening} on, or an earlier as_of"
        )
    earliest = month_start(start, 1 + FIRST_MONTHS_LEFT_OUT)
    first = max(earliest, month_start(opening, -history_months))
    known = (opening.year - first.year) * 12 + opening.month - first.month
    if known < FEWEST_MONTHS:
        problems.append(
            f"book '{book.manifest.name}' has {max(known, 0)} usable months before {opening} (its first {FIRST_MONTHS_LEFT_OUT + 1} only "
            f"show who paid before); at least {FEWEST_MONTHS} are needed: load earlier month ends and payments"
        )
    if problems:
        raise DataError(problems)
    return opening, first


def top_down_of(book: Book, period: Period, *, role: str) -> float | None:
    """The number of the debt transferor for exactly this period: the highest version of R1 for the company that `role` put in; None: none."""
    target = book.table("target")
    wanted = target.filter(
        target.kpi == "R1", target.scope_type == "company", target.approver_role == role,
        target.period_start == period.start, target.period_end == period.end,
    )  # fmt: skip
    found = book.frame(wanted.select("version", "value")).sort_values("version")
    return float(found["value"].iloc[-1]) if len(found) else None


def next_version(book: Book, period: Period) -> int:
    """The version that a new target of this period gets: one more than the highest there is, whatever its status."""
    target = book.table("target")
    same = target.filter(target.kpi == "R1", target.period_start == period.start)
    return int(str(book.scalar(same.version.max().fill_null(0)))) + 1
