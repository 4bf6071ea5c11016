"""Law and policy as dated parameters: which version was in force on a day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from collect_analysis.book.places import policy_folder
from collect_analysis.book.yaml_files import read_yaml
from collect_analysis.errors import DataError

_KEYS = {"valid_from", "inherits", "source", "verified_on", "values"}


@dataclass(frozen=True, kw_only=True)
class PolicyVersion:
    """One version of a policy: valid from `valid_from` to the day before `valid_to` (None: still in force)."""

    topic: str
    valid_from: date
    valid_to: date | None
    source: str
    verified_on: date | None
    values: dict[str, Any]


def versions(topic: str, *, folder: Path | None = None) -> tuple[PolicyVersion, ...]:
    """Every version of a policy, oldest first, each ending where the next begins.

    Reads `<folder>/<topic>.yml` (folder: default `policy_folder()`): `{topic, versions: [{valid_from, source, verified_on, values}]}`. A
    version that `inherits` the first day of the version before it says only what changes: mappings key by key, everything else whole.

    Raises
    ------
    DataError
        The file is missing, names another topic, a version lacks its first day, its source or its values, or inherits from another than the
        version before it; all problems at once.
    ParameterError
        The file is not the YAML that `read_yaml` reads.
    """
    path = (folder or policy_folder()) / f"{topic}.yml"
    if not path.is_file():
        raise DataError(f"there is no policy '{topic}': {path} is missing; add it, or set COLLECT_POLICY to the folder that holds it")
    content = read_yaml(path)
    problems = _problems(topic, content, path.name)
    if problems:
        raise DataError(problems)
    stated = sorted(content["versions"], key=lambda raw: raw["valid_from"])
    if problems := _wrong_heirs(stated, path.name):
        raise DataError(problems)
    found: list[PolicyVersion] = []
    for raw in stated:
        version = _version(topic, raw)
        found.append(replace(version, values=_merged(found[-1].values, version.values)) if "inherits" in raw else version)
    ends = [version.valid_from for version in found[1:]]
    return tuple(replace(version, valid_to=end) for version, end in zip(found, [*ends, None], strict=True))


def policy(topic: str, *, on: date, folder: Path | None = None) -> dict[str, Any]:
    """The values of policy `topic` in force on the day `on`.

    Raises
    ------
    DataError
        As `versions`, or no version is in force on that day.
    """
    return in_force(topic, start=on, end=on, folder=folder)[0].values


def in_force(topic: str, *, start: date, end: date, folder: Path | None = None) -> tuple[PolicyVersion, ...]:
    """The versions in force from `start` to `end` (both inclusive), each cut to those days: an act is judged by the rule of its day.

    Raises
    ------
    DataError
        As `versions`, or some of these days have no version.
    """
    known = versions(topic, folder=folder)
    if known[0].valid_from > start:
        raise DataError(
            f"policy '{topic}' has no version in force on {start} (the first is valid from {known[0].valid_from}); "
            "add the version of that time"
        )
    met = [version for version in known if version.valid_from <= end and (version.valid_to is None or version.valid_to > start)]
    return tuple(replace(version, valid_from=max(version.valid_from, start)) for version in met)


def _problems(topic: str, content: Any, name: str) -> list[str]:
    if not isinstance(content, Mapping) or not isinstance(content.get("versions"), list) or not content["versions"]:
        return [f"{name}: a policy file holds `topic` and a list `versions`; see parameters/policy/kpi_windows.yml"]
    problems = [] if content.get("topic") == topic else [f"{name}: topic is {content.get('topic')!r}; write '{topic}', the file's stem"]
    days = []
    for number, raw in enumerate(content["versions"], 1):
        where = f"{name}: version {number}"
        if not isinstance(raw, Mapping):
            problems.append(f"{where} is not a mapping; give it valid_from, source and values")
            continue
        problems += [f"{where}: unknown key '{key}'; known: {', '.join(sorted(_KEYS))}" for key in sorted(set(raw) - _KEYS)]
        if _day(raw.get("valid_from")) is None:
            problems.append(f"{where}: valid_from is {raw.get('valid_from')!r}; write a day as 2026-01-01")
        if "verified_on" in raw and _day(raw["verified_on"]) is None:
            problems.append(f"{where}: verified_on is {raw['verified_on']!r}; write a day as 2026-01-01")
        if not isinstance(raw.get("source"), str) or not raw["source"].strip():
            problems.append(f"{where}: source is missing; say who decided it and where it is written")
        if not isinstance(raw.get("values"), Mapping):
            problems.append(f"{where}: values is missing; write the parameters under it")
        days.append(_day(raw.get("valid_from")))
    twice = sorted({str(day) for day in days if day is not None and days.count(day) > 1})
    return [*problems, *(f"{name}: two versions are valid from {day}; keep one" for day in twice)]


def _wrong_heirs(stated: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """Versions, oldest first, that inherit from another than the one before them: what lies between would be undone without a word."""
    problems = []
    for place, raw in enumerate(stated):
        before = stated[place - 1]["valid_from"] if place else None
        if "inherits" in raw and raw["inherits"] != before:
            fix = f"the version before it is {before}; name that one" if before else "there is no version before it; write all its values"
            problems.append(f"{name}: the version of {raw['valid_from']} inherits {raw['inherits']!r}, but {fix}")
    return problems


def _merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Values with changes: a mapping is changed key by key, anything else is replaced."""
    merged = dict(before)
    for key, value in changes.items():
        old = before.get(key)
        merged[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _version(topic: str, raw: Mapping[str, Any]) -> PolicyVersion:
    first = _day(raw["valid_from"])
    assert first is not None  # noqa: S101 - checked by _problems
    return PolicyVersion(
        topic=topic,
        valid_from=first,
        valid_to=None,
        source=raw["source"],
        verified_on=_day(raw.get("verified_on")),
        values=dict(raw["values"]),
    )


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None
