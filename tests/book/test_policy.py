"""Dated policy: the version of the day, and every problem of a file at once."""

import re
from datetime import date
from pathlib import Path

import pytest
from collect_analysis.book.policy import in_force, policy, versions
from collect_analysis.errors import DataError

TWO = """\
topic: speed
versions:
  - valid_from: 2026-02-01
    source: board paper 7
    verified_on: 2026-01-20
    values: {limit: 5}
  - valid_from: 2025-01-01
    source: board paper 3
    values: {limit: 4}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "speed.yml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(("day", "limit"), [(date(2025, 1, 1), 4), (date(2026, 1, 31), 4), (date(2026, 2, 1), 5), (date(2030, 1, 1), 5)])
def test_the_version_of_the_day_is_read(tmp_path: Path, day: date, limit: int) -> None:
    assert policy("speed", on=day, folder=write(tmp_path, TWO)) == {"limit": limit}


def test_a_period_across_a_change_has_both_versions_cut_to_it(tmp_path: Path) -> None:
    found = in_force("speed", start=date(2026, 1, 15), end=date(2026, 2, 14), folder=write(tmp_path, TWO))
    assert [(version.valid_from, version.valid_to, version.values["limit"]) for version in found] == [
        (date(2026, 1, 15), date(2026, 2, 1), 4),
        (date(2026, 2, 1), None, 5),
    ]


def test_a_day_before_the_first_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no version in force on 2024-12-31 \(the first is valid from 2025-01-01\)"):
        policy("speed", on=date(2024, 12, 31), folder=write(tmp_path, TWO))


def test_a_missing_file_is_named_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no policy 'speed'.*COLLECT_POLICY"):
        policy("speed", on=date(2026, 1, 1), folder=tmp_path)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = "topic: sped\nversions:\n  - {valid_from: soon, values: {a: 1}}\n  - {valid_from: 2026-01-01, source: x, vals: {}}\n"
    with pytest.raises(DataError) as error:
        versions("speed", folder=write(tmp_path, text))
    told = "\n".join(error.value.problems)
    assert "topic is 'sped'" in told
    assert "version 1: valid_from is 'soon'" in told
    assert "version 1: source is missing" in told
    assert "version 2: unknown key 'vals'" in told
    assert "version 2: values is missing" in told


def test_two_versions_of_one_day_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two versions are valid from 2025-01-01"):
        versions("speed", folder=write(tmp_path, TWO.replace("2026-02-01", "2025-01-01")))


@pytest.mark.parametrize("topic", ["kpi_windows", "legal_limits"])
def test_the_policies_of_the_repository_are_in_force_over_the_sample_shop(topic: str) -> None:
    found = in_force(topic, start=date(2024, 7, 1), end=date(2026, 6, 30))
    assert found
    assert all(version.source for version in found)


def test_every_legal_limit_says_when_its_source_was_checked() -> None:
    assert all(version.verified_on is not None for version in versions("legal_limits"))


HEIR = """\
topic: speed
versions:
  - valid_from: 2025-01-01
    source: board paper 3
    values:
      limit: 4
      roads: {town: 3, country: {wet: 5, dry: 9}}
      days: [mon, tue]
  - valid_from: 2026-02-01
    inherits: 2025-01-01
    source: board paper 7
    values:
      roads: {country: {wet: 4}}
      days: [wed]
"""


def test_d5_a_version_may_change_one_number_of_the_one_before_it(tmp_path: Path) -> None:
    folder = write(tmp_path, HEIR)
    assert policy("speed", on=date(2026, 2, 1), folder=folder) == {
        "limit": 4,
        "roads": {"town": 3, "country": {"wet": 4, "dry": 9}},
        "days": ["wed"],
    }
    assert policy("speed", on=date(2026, 1, 31), folder=folder)["roads"]["country"] == {"wet": 5, "dry": 9}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("inherits: 2025-01-01", "inherits: 2024-01-01", "inherits '2024-01-01', but the version before it is 2025-01-01; name that one"),
        ("inherits: 2025-01-01", "inherits: true", "inherits True, but the version before it is 2025-01-01"),
        (
            "    source: board paper 3",
            "    inherits: 2024-01-01\n    source: board paper 3",
            "the version of 2025-01-01 inherits '2024-01-01', but there is no version before it; write all its values",
        ),
        (
            "versions:\n",
            "versions:\n  - {valid_from: 2025-06-01, source: board paper 5, values: {limit: 6}}\n",
            "the version of 2026-02-01 inherits '2025-01-01', but the version before it is 2025-06-01; name that one",
        ),
    ],
    ids=["unknown", "not-a-day", "first", "not-the-one-before"],
)
def test_d5_what_is_inherited_is_named_and_is_the_version_before(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(DataError, match=re.escape(told)):
        versions("speed", folder=write(tmp_path, HEIR.replace(old, new, 1)))
