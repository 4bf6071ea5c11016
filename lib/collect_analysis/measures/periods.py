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
    def month_starts(self) -> tuple[date, ...]:
        """First days of its months."""
        return months_from(self.start, self.end)

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


def months_from(first: date, last: date) -> tuple[date, ...]:
    """First days of the months from that of `first` to that of `last`."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return tuple(month_start(first, number) for number in range(count))


def months_of(first: date, last: date) -> list[date]:
    """First days of the months from that of `first` to that of `last`."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [month_start(first, place) for place in range(count)]


_LEAST = {
    0: ("grace_days", "attribution_days", "liquidation_months", "arrangement_days", "new_money_days", "discount_rate", "self_pay_days",
        "target_intensity", "ramp_months", "recall_hours", "remit_days"),
    1: ("sustained_months", "expected_months", "full_time_minutes", "landing_months"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class KpiWindows:
    """Windows, thresholds and populations of the KPI definitions; every one of them is part of a KPI's definition hash.

    `kept_threshold`: a promise is kept when this share of it was paid; `grace_days` after its day. `attribution_days`: cash belongs to the
    last right-party contact within so many days. `liquidation_months`: age at which batches are compared. `attempt_channels`: what counts
    as an attempt to speak with the debtor. `occupancy_excludes`: sub-functions that do not wait for calls. `sla_owner_sides`: whose tickets
    are ours to close in time. `sustained_months`: a cure lasts if no month end within so many shows the account overdue. `arrangement_days`:
    within so many an arrangement counts as broken. `provision_rates`: of the five regulatory groups. `human_channels`: a conversation in
    one of them is human contact. `new_money_days`: money is new if the account paid nothing in so many days before. `expected_months`: the
    months before the period that expected recovery is taken from. `discount_rate`: a year. `message_channels`: what counts as a message.
    `self_pay_days`: a payment follows a message within so many days. `full_time_minutes`: of one officer on a working day.
    `target_intensity`: attempts an account should get in a period. `ramp_months`: months since hire in which an officer is new.
    `recall_hours`, `remit_days`: within so many a recall must be done, an agency's cash remitted. `landing_months`: the months before whose
    pace forecasts the month.
    """

    kept_threshold: float = 0.9
    grace_days: int = 3
    attribution_days: int = 14
    liquidation_months: int = 3
    attempt_channels: tuple[str, ...] = ("call", "voicebot", "visit")
    occupancy_excludes: tuple[str, ...] = ("field", "legal", "agency")
    sla_owner_sides: tuple[str, ...] = ("amc", "agency")
    sustained_months: int = 3
    arrangement_days: int = 90
    provision_rates: tuple[float, ...] = (0.0, 0.05, 0.2, 0.5, 1.0)
    human_channels: tuple[str, ...] = ("call", "visit")
    new_money_days: int = 30
    expected_months: int = 12
    discount_rate: float = 0.12
    message_channels: tuple[str, ...] = ("sms", "app", "email")
    self_pay_days: int = 3
    full_time_minutes: int = 480
    target_intensity: float = 3.0
    ramp_months: int = 6
    recall_hours: int = 24
    remit_days: int = 2
    landing_months: int = 6

    def __post_init__(self) -> None:
        problems = []
        if not 0 < self.kept_threshold <= 1 or round(self.kept_threshold * 10_000) / 10_000 != self.kept_threshold:
            problems.append(f"kept_threshold is {self.kept_threshold}; write a share above 0 and up to 1 with at most four decimals")
        for least, names in _LEAST.items():
            problems += [f"{name} is {getattr(self, name)}; write {least} or more" for name in names if getattr(self, name) < least]
        rates = self.provision_rates
        if len(rates) != 5 or list(rates) != sorted(rates) or not all(isinstance(r, int | float) and 0 <= r <= 1 for r in rates):
            problems.append(f"provision_rates is {list(rates)}; write five shares from 0 to 1, of group 1 to 5, none below the one before")
        allowed = {
            "attempt_channels": CHANNELS,
            "human_channels": CHANNELS,
            "message_channels": CHANNELS,
            "occupancy_excludes": SUB_FUNCTIONS,
            "sla_owner_sides": TICKET["owner_side"].allowed,
        }
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
