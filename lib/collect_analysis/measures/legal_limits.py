"""Limits on contacting debtors as policy `legal_limits` states them, typed; apart from what judges contacts, so that a file is checked at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from types import MappingProxyType
from typing import Any

from collect_analysis.book.policy import PolicyVersion
from collect_analysis.book.tables.work import CHANNELS, DECISION, PARTIES
from collect_analysis.errors import DataError, nearest

RULES = ("FREQ_DAY", "HOURS", "RECALL", "PARTY")
COUNT_UNITS = ("attempt", "delivered", "connected")
# What every rule says; a word beside these is none that is read.
_PARTS = {
    "FREQ_DAY": ("limit", "count_unit", "scope", "channels", "severity"),
    "HOURS": ("from", "to", "channels", "severity"),
    "RECALL": ("end_reasons", "severity"),
    "PARTY": ("forbidden", "severity"),
}


@dataclass(frozen=True, kw_only=True)
class LegalLimits:
    """Contact limits in force from `valid_from` to the day before `valid_to` (None: no end), as `of` reads them from policy `legal_limits`.

    `most_per_day` contacts of `day_channels` per debtor or account (`day_scope`) and calendar day of the debtor, counting attempts,
    delivered or connected ones (`day_counts`); lawful hours `opens` to `closes`, both included, for `hour_channels`; no contact by a unit
    after a placement with it ended for one of `end_reasons`; no contact with `forbidden_parties`.
    """

    set_id: str
    source: str
    verified_on: date | None
    valid_from: date
    valid_to: date | None
    most_per_day: int
    day_counts: str
    day_scope: str
    day_channels: tuple[str, ...]
    opens: time
    closes: time
    hour_channels: tuple[str, ...]
    end_reasons: tuple[str, ...]
    forbidden_parties: tuple[str, ...]
    severity: MappingProxyType[str, str]

    @classmethod
    def of(cls, version: PolicyVersion) -> "LegalLimits":
        """The limits of one version of policy `legal_limits`.

        Raises
        ------
        DataError
            A rule or one of its parameters is missing, unknown or has no allowed value; all at once.
        """
        values = version.values
        problems = [f"unknown rule '{name}'; {nearest(str(name), (*RULES, 'set_id'))}" for name in values if name not in (*RULES, "set_id")]
        for rule, parts in _PARTS.items():
            given = values.get(rule)
            if not isinstance(given, Mapping):
                problems.append(f"{rule} is missing; see parameters/policy/legal_limits.yml")
                continue
            problems += [f"{rule} has no '{name}'; add it" for name in parts if name not in given]
            problems += [f"{rule}: unknown key '{name}'; {nearest(str(name), parts)}" for name in given if name not in parts]
            problems += [problem for name in parts if name in given for problem in _wrong(f"{rule}.{name}", given[name])]
        if not isinstance(values.get("set_id"), str) or not values["set_id"]:
            problems.append("set_id is missing; name the set of limits, as VN-FC")
        if not problems and _clock(values["HOURS"]["from"]) >= _clock(values["HOURS"]["to"]):
            problems.append(f"HOURS.from {values['HOURS']['from']} is not before HOURS.to {values['HOURS']['to']}; swap them")
        if problems:
            raise DataError([f"legal_limits of {version.valid_from}: {problem}" for problem in problems])
        day, hours = values["FREQ_DAY"], values["HOURS"]
        return cls(
            set_id=values["set_id"],
            source=version.source,
            verified_on=version.verified_on,
            valid_from=version.valid_from,
            valid_to=version.valid_to,
            most_per_day=day["limit"],
            day_counts=day["count_unit"],
            day_scope=day["scope"],
            day_channels=tuple(day["channels"]),
            opens=_clock(hours["from"]),
            closes=_clock(hours["to"]),
            hour_channels=tuple(hours["channels"]),
            end_reasons=tuple(values["RECALL"]["end_reasons"]),
            forbidden_parties=tuple(values["PARTY"]["forbidden"]),
            severity=MappingProxyType({rule: values[rule]["severity"] for rule in RULES}),
        )


_WORDS = {
    "FREQ_DAY.count_unit": COUNT_UNITS,
    "FREQ_DAY.scope": ("debtor", "account"),
    "FREQ_DAY.channels": CHANNELS,
    "HOURS.channels": CHANNELS,
    "RECALL.end_reasons": tuple(DECISION["end_reason"].allowed or ()),
    "PARTY.forbidden": PARTIES,
}


def _wrong(name: str, value: Any) -> list[str]:
    """What is wrong with one parameter of a rule."""
    if name == "FREQ_DAY.limit":
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        return [] if good else [f"{name} is {value!r}; write a whole number above 0"]
    if name in ("HOURS.from", "HOURS.to"):
        return [] if _is_clock(value) else [f'{name} is {value!r}; write a time of day in quotes, as "07:00:00"']
    known = ("hard", "policy") if name.endswith(".severity") else _WORDS[name]
    if name in ("FREQ_DAY.count_unit", "FREQ_DAY.scope") or name.endswith(".severity"):
        return [] if value in known else [f"{name}: {value!r} is not one of {', '.join(known)}"]
    if not isinstance(value, list) or not value:
        return [f"{name} is {value!r}; write a list of {', '.join(known)}"]
    return [f"{name} names {item!r}; known: {', '.join(known)}" for item in value if item not in known]


def _is_clock(value: Any) -> bool:
    try:
        return isinstance(value, str) and _clock(value).tzinfo is None
    except ValueError:
        return False


def _clock(value: str) -> time:
    return time.fromisoformat(value)
