"""Faults of systems: a feed that comes late, a dialer that stands still, a score that does not move, a clock that is an hour ahead."""

from dataclasses import dataclass

import numpy as np

from collect_analysis.book.sample import contacting as c
from collect_analysis.book.sample.days import Span, day_of, is_working_day
from collect_analysis.book.sample.plants import PLANTS
from collect_analysis.book.sample.workforce import TELE, UNIT_KIND, UNITS

OUTAGE_S = (10 * 3600, 12 * 3600)
CLOCK_UNIT = "tele-2"
CLOCK_SHIFT_S = 3600


@dataclass(frozen=True)
class Faults:
    """When each fault happens, as day numbers and a month index."""

    late_day: int
    outage_day: int
    clock_day: int
    stuck_month: int


def choose_faults(span: Span) -> Faults:
    """Working days around the middle of the months that are named in the plan."""
    return Faults(
        late_day=_middle(span, PLANTS.late_feed_month_before_end),
        outage_day=_middle(span, PLANTS.outage_month_before_end),
        clock_day=_middle(span, PLANTS.clock_month_before_end),
        stuck_month=span.months - PLANTS.stuck_score_month_before_end,
    )


def _middle(span: Span, before_end: int) -> int:
    day = int(span.first[span.months - before_end]) + 14
    while not is_working_day(day_of(day)):
        day += 1
    return day


def stands_still(rows: c.Contacts, faults: Faults) -> np.ndarray:
    """Rows of the dialer's calls during the outage."""
    calls = (rows["channel"] == c.CALL) & ~rows["inbound"] & (UNIT_KIND[rows["unit"]] == TELE)
    return calls & (rows["day"] == faults.outage_day) & (rows["second"] >= OUTAGE_S[0]) & (rows["second"] < OUTAGE_S[1])


def clock_shift(rows: c.Contacts, faults: Faults) -> np.ndarray:
    """Seconds by which the local clock of each row is ahead."""
    wrong = (rows["unit"] == UNITS.index(CLOCK_UNIT)) & (rows["day"] == faults.clock_day)
    return np.where(wrong, CLOCK_SHIFT_S, 0)
