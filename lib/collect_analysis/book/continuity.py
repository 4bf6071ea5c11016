"""A delivery beside the former ones: rows that are gone, amounts of another size, columns that came or went, days without a delivery."""

import itertools
import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet

from collect_analysis.book.contract import Delivery
from collect_analysis.book.crosschecks import joined
from collect_analysis.book.readers.cells import Cells
from collect_analysis.book.store import Load

# A median payment does not move by this factor from one delivery to the next; a wrong scale moves it by ten at least.
JUMP = 5
# A restated delivery corrects rows; one that lacks so many of them was cut, or is another delivery under the same name.
MOST_GONE = 0.1
MOST_SHOWN = 5
_DAY = re.compile(r"(?<![0-9])(20[0-9]{2})[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12][0-9]|3[01])(?![0-9])")
_DAY_FIRST = re.compile(r"(?<![0-9])(0[1-9]|[12][0-9]|3[01])[-_.](0[1-9]|1[0-2])[-_.](20[0-9]{2})(?![0-9])")
_MONTH = re.compile(r"(?<![0-9])(20[0-9]{2})[-_.]?(0[1-9]|1[0-2])(?![0-9])")
LEAST_SERIES = 3


def median_of(money: np.ndarray) -> int | None:
    """The median amount of the rows that carry one, whatever its sign; None where none does."""
    amounts = np.abs(money[money != 0])
    return int(np.median(amounts)) if len(amounts) else None


def compare_money(delivery: Delivery, money: np.ndarray, former: Load | None) -> None:
    """Tell the money of a delivery beside the former one's. Checks: money_jump; money_beside_former where the two are of one size."""
    median = median_of(money)
    if former is None or not median or not former.money_median_minor:
        return
    factor = median / former.money_median_minor
    delivery.fault_of_whole(
        "money_jump" if factor >= JUMP or factor <= 1 / JUMP else "money_beside_former",
        rows=len(money),
        total=int(money.sum()),
        median=median,
        factor=factor,
        former=former.origin,
        former_rows=former.rows_kept,
        former_total=former.money_kept_minor,
        former_median=former.money_median_minor,
    )


def compare_columns(delivery: Delivery, cells: Cells, former: Load | None) -> None:
    """Tell the columns of a source that came or went since the former delivery. Checks: new_column, column_gone."""
    if former is None or not former.columns:
        return
    for reason, names in (
        ("new_column", [name for name in cells.header if name not in former.columns]),
        ("column_gone", [name for name in former.columns if name not in cells.header]),
    ):
        if names:
            delivery.fault_of_whole(
                reason, columns=", ".join(f"'{name}'" for name in names[:MOST_SHOWN]), count=len(names), former=former.origin
            )


def rows_gone(key: Sequence[str], former: Path, now: Iterable[Path]) -> int:
    """How many rows of a former delivery are in none of the files that a table now has, by their key."""
    columns = list(key)
    left = joined(pyarrow.parquet.read_table(former, columns=columns))
    for path in now:
        there = joined(pyarrow.parquet.read_table(path, columns=columns))
        left = left.filter(pc.invert(pc.is_in(left, value_set=there)))
        if not len(left):
            break
    return len(left)


def missing_days(names: Iterable[str], every: str | None, closed: Iterable[date] = ()) -> tuple[str, list[str]]:
    """The days, weeks or months between the first and the last delivery of a series that have none, and what the series is.

    The day or month stands in each delivery's name. `every` (day, working_day, week, month) says how often one comes; None: as most of them
    do, where there are `LEAST_SERIES` and a gap is the exception. `closed` are days without work.
    """
    found = [_stamp(name) for name in names]
    stamps = {stamp for stamp in found if stamp is not None}
    if len(stamps) < (2 if every else LEAST_SERIES) or None in found:
        return "", []
    if all(len(stamp) == 2 for stamp in stamps) or every == "month":
        return "month", _missing_months({stamp[:2] for stamp in stamps})
    days = sorted(date(*stamp) for stamp in stamps if len(stamp) == 3)
    step = every or _step(days)
    if step == "week":
        there = {day.isocalendar()[:2] for day in days}
        weeks = [days[0] + timedelta(days=7 * n) for n in range((days[-1] - days[0]).days // 7 + 1)]
        return step, [f"week {day:%G-W%V}" for day in weeks if day.isocalendar()[:2] not in there]
    idle = {weekday for weekday in (5, 6) if step == "working_day" or not any(day.weekday() == weekday for day in days)}
    if not step or (every == "day"):
        idle = set()
    wanted = [days[0] + timedelta(days=n) for n in range((days[-1] - days[0]).days + 1)] if step else []
    lacking = set(wanted) - set(days) - set(closed)
    return step, [day.isoformat() for day in sorted(lacking) if day.weekday() not in idle]


def _stamp(name: str) -> tuple[int, ...] | None:
    if match := _DAY.search(name):
        parts: tuple[str, ...] = match.groups()
    elif match := _DAY_FIRST.search(name):
        parts = match.groups()[::-1]
    elif match := _MONTH.search(name):
        return tuple(map(int, match.groups()))
    else:
        return None
    year, month, day = map(int, parts)
    try:
        date(year, month, day)
    except ValueError:
        return None
    return year, month, day


def _step(days: list[date]) -> str:
    """What most of the gaps of a series are; empty: no series."""
    gaps = [(after - before).days for before, after in itertools.pairwise(days)]
    usual = max(set(gaps), key=gaps.count)
    if gaps.count(usual) <= len(gaps) / 2:
        return ""
    if usual == 1:
        return "day"
    return "week" if usual == 7 else ""


def _missing_months(there: set[tuple[int, ...]]) -> list[str]:
    numbers = {year * 12 + month - 1 for year, month in there}
    return [f"{number // 12}-{number % 12 + 1:02d}" for number in range(min(numbers), max(numbers)) if number not in numbers]
