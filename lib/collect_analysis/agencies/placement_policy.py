"""What policy `placement` says of panels, gates and recalls, typed; apart from what measures them, so that a file is checked at once."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from collect_analysis.errors import DataError


@dataclass(frozen=True, kw_only=True)
class GateLimits:
    """Limits of the conduct gates, as rates: a unit fails where even the lower bound of its rate lies over the limit.

    `complaints_per_10k` accounts placed; `breaches_per_1000` and `third_party_per_1000` (contacts with people who owe nothing) outbound
    contacts; `critical_qa_share` of assessed contacts.
    """

    complaints_per_10k: float
    breaches_per_1000: float
    critical_qa_share: float
    third_party_per_1000: float

    def __post_init__(self) -> None:
        wrong = [
            f"gate limit {item.name} is {getattr(self, item.name)}; write a number from 0"
            for item in fields(self)
            if getattr(self, item.name) < 0
        ]
        if wrong:
            raise DataError(wrong)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "GateLimits":
        """The limits from the mapping `gates` of policy `placement`.

        Raises
        ------
        DataError
            A limit is missing, unknown or no number.
        """
        names = [item.name for item in fields(cls)]
        problems = [f"policy placement: gates has no '{name}'; add it" for name in names if name not in values]
        problems += [f"policy placement: unknown gate '{name}'; known: {', '.join(names)}" for name in values if name not in names]
        numbers = (isinstance(value, int | float) and not isinstance(value, bool) for value in values.values())
        problems += [
            f"policy placement: gate {name} is {values[name]!r}; write a number" for name, ok in zip(values, numbers, strict=True) if not ok
        ]
        if problems:
            raise DataError(problems)
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class AuditRule:
    """What stands between an agency and a larger share until it is cleared: findings of the last `months` months of a period.

    `unowed_lines_share`: largest share of the lines of its invoices for which nothing was owed.
    """

    months: int
    unowed_lines_share: float

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "AuditRule":
        """The rule from the mapping `audit` of policy `placement`.

        Raises
        ------
        DataError
            A value is missing, unknown, or out of range; all at once.
        """
        names = [item.name for item in fields(cls)]
        problems = [f"policy placement: audit has no '{name}'; add it" for name in names if name not in values]
        problems += [f"policy placement: unknown key audit.{name}; known: {', '.join(names)}" for name in values if name not in names]
        months, share = values.get("months", 1), values.get("unowed_lines_share", 0)
        if not isinstance(months, int) or isinstance(months, bool) or months < 1:
            problems.append(f"policy placement: audit.months is {months!r}; write a whole number above 0")
        if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share <= 1:
            problems.append(f"policy placement: audit.unowed_lines_share is {share!r}; write a share from 0 to 1")
        if problems:
            raise DataError(problems)
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class RecallRule:
    """When an account comes back: after `quiet_days` without payment and without right-party contact, or after `oldest_months` on placement.

    `cooldown_months`: it may be placed again from the first day of the month so many months later.
    """

    quiet_days: int
    oldest_months: int
    cooldown_months: int

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "RecallRule":
        """The rule from the mapping `recall` of policy `placement`.

        Raises
        ------
        DataError
            A value is missing, unknown or no whole number above 0.
        """
        names = [item.name for item in fields(cls)]
        problems = [f"policy placement: recall has no '{name}'; add it" for name in names if name not in values]
        problems += [f"policy placement: unknown key recall.{name}; known: {', '.join(names)}" for name in values if name not in names]
        problems += [
            f"policy placement: recall.{name} is {values[name]!r}; write a whole number above 0"
            for name in names
            if name in values and (not isinstance(values[name], int) or isinstance(values[name], bool) or values[name] < 1)
        ]
        if problems:
            raise DataError(problems)
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class PanelPolicy:
    """How a panel of agencies is looked at.

    `share_now_months`: the share now is that of what was placed in the last so many months. `prior_sd`: scale of the spread between units on
    the log index, before the data speak. `conduct_months`: months whose conduct is judged. `recall_threshold`: an inventory smaller by this
    share than opening + placed - collected was taken back.
    """

    share_now_months: int
    prior_sd: float
    conduct_months: int
    recall_threshold: float

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "PanelPolicy":
        """The numbers that stand at the top of policy `placement`.

        Raises
        ------
        DataError
            A number is missing, of the wrong type or out of range; all at once.
        """
        names = [item.name for item in fields(cls)]
        problems = [f"policy placement has no '{name}'; add it" for name in names if name not in values]
        for name in (name for name in names if name in values):
            value, months = values[name], name.endswith("_months")
            number = isinstance(value, int if months else int | float) and not isinstance(value, bool)
            if months and not (number and value >= 1):
                problems.append(f"policy placement: {name} is {value!r}; write a whole number of months above 0")
            elif name == "prior_sd" and not (number and value > 0):
                problems.append(f"policy placement: {name} is {value!r}; write a number above 0")
            elif name == "recall_threshold" and not (number and 0 <= value <= 1):
                problems.append(f"policy placement: {name} is {value!r}; write a share from 0 to 1")
        if problems:
            raise DataError(problems)
        return cls(**{name: values[name] for name in names})
