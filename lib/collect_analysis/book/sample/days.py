"""The shop's calendar: months, working days, public holidays and the lunar new year, and how money and work spread over days."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from collect_analysis.errors import ParameterError

# First day of the lunar year in Vietnam, and the day of the Hung Kings (10th of the third lunar month).
TET = {
    2022: date(2022, 2, 1), 2023: date(2023, 1, 22), 2024: date(2024, 2, 10), 2025: date(2025, 1, 29),
    2026: date(2026, 2, 17), 2027: date(2027, 2, 6), 2028: date(2028, 1, 26), 2029: date(2029, 2, 13),
}  # fmt: skip
HUNG_KINGS = {
    2022: date(2022, 4, 10), 2023: date(2023, 4, 29), 2024: date(2024, 4, 18), 2025: date(2025, 4, 7),
    2026: date(2026, 4, 26), 2027: date(2027, 4, 16), 2028: date(2028, 4, 4), 2029: date(2029, 4, 23),
}  # fmt: skip
TET_HOLIDAY_OFFSETS = range(-1, 4)
EPOCH = date(1970, 1, 1)
SALARY_DAYS = (5, 10)
# Money around the lunar new year: bonuses come in before it, purses are empty after it.
BEFORE_TET = (-14, -1, 1.5)
AT_TET = (0, 6, 0.15)
AFTER_TET = (7, 20, 0.65)


def number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def day_of(value: int) -> date:
    """The day with this number."""
    return EPOCH + timedelta(days=int(value))


def holidays(year: int) -> dict[date, str]:
    """Public holidays of Vietnam in a year."""
    found = {
        date(year, 1, 1): "new_year",
        HUNG_KINGS[year]: "hung_kings",
        date(year, 4, 30): "reunification",
        date(year, 5, 1): "labour",
        date(year, 9, 1): "national",
        date(year, 9, 2): "national",
    }
    return found | {TET[year] + timedelta(days=offset): "tet" for offset in TET_HOLIDAY_OFFSETS}


def tet_offset(day: date) -> int:
    """Days from the nearest first day of a lunar year."""
    return min(((day - tet).days for tet in TET.values()), key=abs)


@dataclass(frozen=True)
class Span:
    """The months of the shop, as day numbers; `first[t]` and `last[t]` bound month t, month -1 is the opening stock."""

    first: np.ndarray
    last: np.ndarray
    pay_weight: np.ndarray
    work_weight: np.ndarray
    season: np.ndarray

    @property
    def months(self) -> int:
        """Number of months."""
        return len(self.first)

    @property
    def start(self) -> int:
        """First day of the first month."""
        return int(self.first[0])

    @property
    def end(self) -> int:
        """Last day of the last month: `as_of`."""
        return int(self.last[-1])

    def name(self, month: int) -> str:
        """Month as 2025-03."""
        return f"{day_of(self.first[month]):%Y-%m}"

    def month_of(self, days: np.ndarray) -> np.ndarray:
        """Month index of day numbers within the span; a day before the start gives -1."""
        return np.searchsorted(self.first, days, side="right") - 1

    def draw(self, weight: np.ndarray, since: np.ndarray, until: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """A day from `since` to `until` (inclusive, within the span) with chance in proportion to `weight`; -1 where all weigh nothing."""
        cumulative = np.concatenate([[0.0], np.cumsum(weight)])
        low, high = cumulative[since - self.start], cumulative[until - self.start + 1]
        found = np.searchsorted(cumulative, low + uniform * (high - low), side="right") - 1 + self.start
        return np.where((until >= since) & (high > low), np.clip(found, since, until), -1)


def span_of(as_of: date, months: int) -> Span:
    """The `months` whole months that end on `as_of`.

    Raises
    ------
    ParameterError
        `as_of` is not the last day of a month, or the lunar calendar of those years is not known here.
    """
    problems = []
    if (as_of + timedelta(days=1)).day != 1:
        problems.append(f"as_of {as_of} is not the last day of a month; a sample shop ends with a whole month")
    firsts = []
    year, month = as_of.year, as_of.month
    for _ in range(months):
        firsts.append(date(year, month, 1))
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    if firsts[-1].year - 1 < min(TET) or as_of.year + 1 > max(TET):
        problems.append(f"the lunar calendar is known for {min(TET)}-{max(TET)}; choose months from {min(TET) + 1} to {max(TET) - 1}")
    if problems:
        raise ParameterError(problems)
    first = np.array([number(day) for day in reversed(firsts)], dtype=np.int64)
    last = np.append(first[1:] - 1, number(as_of))
    days = [day_of(value) for value in range(int(first[0]), int(last[-1]) + 1)]
    plain = np.array([_money_weight(day) for day in days])
    moved = plain * np.array([_tet_factor(day) for day in days])
    ends = last - first[0] + 1
    months_of = np.repeat(np.arange(len(first)), np.diff(np.concatenate([[0], ends])))
    season = np.bincount(months_of, moved) / np.bincount(months_of, plain)
    return Span(first=first, last=last, pay_weight=moved, work_weight=np.array([_work_weight(day) for day in days]), season=season)


def is_working_day(day: date) -> bool:
    """Monday to Friday without public holidays."""
    return day.weekday() < 5 and day not in holidays(day.year)


def _money_weight(day: date) -> float:
    weekday = (1.0, 1.0, 1.0, 1.0, 1.1, 0.7, 0.45)[day.weekday()]
    salary = 2.2 if SALARY_DAYS[0] <= day.day <= SALARY_DAYS[1] else 1.0
    closing = 1.35 if (day + timedelta(days=3)).month != day.month else 1.0
    return weekday * salary * closing * (0.4 if day in holidays(day.year) else 1.0)


def _tet_factor(day: date) -> float:
    offset = tet_offset(day)
    for low, high, factor in (BEFORE_TET, AT_TET, AFTER_TET):
        if low <= offset <= high:
            return factor
    return 1.0


def _work_weight(day: date) -> float:
    if day in holidays(day.year):
        return 0.0
    return (1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0)[day.weekday()]
