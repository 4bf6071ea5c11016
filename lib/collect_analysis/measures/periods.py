"""The period a KPI is about, and the windows its definition uses."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

from collect_analysis.book.tables.service import TICKET
from collect_analysis.book.tables.work import CHANNELS, SUB_FUNCTIONS
from collect_analysis.errors import DataError, ParameterError


@dataclass(frozen=True)
class Period:
    """Whole calendar months, both days inclusive: a partial month compared with a whole one is no comparison.

    Raises
    ------
    ParameterError
        `start` is no first day of a month, or `end` is not the last day of the same or a later month.
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        problems = []
        if self.start.day != 1:
            problems.append(f"the period starts on {self.start}; a KPI period starts on the first day of a month")
        if (self.end + timedelta(days=1)).day != 1:
            problems.append(f"the period ends on {self.end}; a KPI period ends on the last day of a month")
        if self.end < self.start:
            problems.append(f"the period ends on {self.end}, before it starts on {self.start}")
        if problems:
            raise ParameterError(problems)

    @property
    def opening(self) -> date:
        """The month end before the period: what is open then is what the period works on."""
        return self.start - timedelta(days=1)

    @property
    def months(self) -> int:
        """Number of months."""
        return (self.end.year - self.start.year) * 12 + self.end.month - self.start.month + 1

    @property
    def previous(self) -> "Period":
        """The period of as many months just before."""
        return Period(month_start(self.start, -self.months), self.opening)


def month_start(day: date, months: int = 0) -> date:
    """First day of the month that lies `months` after the month of `day`."""
    number = day.year * 12 + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def month_end(day: date, months: int = 0) -> date:
    """Last day of the month that lies `months` after the month of `day`."""
    return month_start(day, months + 1) - timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class KpiWindows:
    """Windows, thresholds and populations of the KPI definitions; every one of them is part of a KPI's definition hash.

    `kept_threshold`: a promise is kept when this share of it was paid; `grace_days` after its day. `attribution_days`: cash belongs to the
    last right-party contact within so many days. `liquidation_months`: age at which batches are compared. `attempt_channels`: what counts
    as an attempt to speak with the debtor. `occupancy_excludes`: sub-functions that do not wait for calls. `sla_owner_sides`: whose tickets
    are ours to close in time.
    """

    kept_threshold: float = 0.9
    grace_days: int = 3
    attribution_days: int = 14
    liquidation_months: int = 3
    attempt_channels: tuple[str, ...] = ("call", "voicebot", "visit")
    occupancy_excludes: tuple[str, ...] = ("field", "legal", "agency")
    sla_owner_sides: tuple[str, ...] = ("amc", "agency")

    def __post_init__(self) -> None:
        problems = []
        if not 0 < self.kept_threshold <= 1 or round(self.kept_threshold * 10_000) / 10_000 != self.kept_threshold:
            problems.append(f"kept_threshold is {self.kept_threshold}; write a share above 0 and up to 1 with at most four decimals")
        for name in ("grace_days", "attribution_days", "liquidation_months"):
            if getattr(self, name) < 0:
                problems.append(f"{name} is {getattr(self, name)}; write 0 or more")
        allowed = {"attempt_channels": CHANNELS, "occupancy_excludes": SUB_FUNCTIONS, "sla_owner_sides": TICKET["owner_side"].allowed}
        for name, known in allowed.items():
            unknown = sorted(set(getattr(self, name)) - set(known))
            if unknown:
                problems.append(f"{name} names {', '.join(unknown)}; known: {', '.join(known)}")
        if problems:
            raise DataError(problems)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "KpiWindows":
        """The windows from the values of policy `kpi_windows`; a window the policy does not name keeps its default.

        Raises
        ------
        DataError
            An unknown name, a wrong type, a value out of range; all at once.
        """
        kinds = {field.name: type(field.default) for field in fields(cls)}
        given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        problems = [f"kpi_windows: unknown window '{name}'; known: {', '.join(kinds)}" for name in sorted(set(given) - set(kinds))]
        for name in sorted(set(given) & set(kinds)):
            wanted = (int, float) if kinds[name] is float else (kinds[name],)
            if not isinstance(given[name], wanted) or isinstance(given[name], bool):
                problems.append(f"kpi_windows: {name} is {values[name]!r}; write it as {getattr(cls, name)!r} is written")
        if problems:
            raise DataError(problems)
        return cls(**given)
