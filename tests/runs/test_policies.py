"""Policy files are checked whole, every version of every file, before a kernel starts."""

import re
import shutil
from datetime import date
from pathlib import Path

import pytest
import yaml
from collect_analysis.book.policy import policy
from collect_analysis.measures.periods import KpiWindows
from collect_analysis.report.kinds import KINDS
from collect_analysis.runs import policies
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.conftest import PROJECT
from tests.small_project import NOW, SmallProject

OURS = PROJECT / "parameters" / "policy"
ASKS = re.compile(r'(?:policy|in_force)\("(\w+)"')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OURS, tmp_path / "policy"))


def change(folder: Path, topic: str, old: str, new: str) -> Path:
    path = folder / f"{topic}.yml"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new), encoding="utf-8")
    return folder


def test_the_policies_of_the_repository_are_right() -> None:
    assert policies.problems_in(OURS) == []


@pytest.mark.parametrize(
    ("topic", "old", "new", "told"),
    [
        ("placement", "floor: 0.10", "floor: 1.10", "floor is 1.1; write a share from 0 to 1"),
        ("placement", "floor: 0.10", "flor: 0.10", "unknown key share.flor"),
        ("placement", "grades: [A, B]", "grades: AB", "grades is 'AB'; write a list of A, B, C, D"),
        ("placement", "grades: [A, B]", "grades: [A, E]", "write a list of A, B, C, D"),
        ("placement", "prior_sd: 0.2", "prior_sd: -0.2", "prior_sd is -0.2; write a number above 0"),
        ("placement", "conduct_months: 12", "conduct_months: 12.5", "conduct_months is 12.5; write a whole number of months"),
        ("placement", "recall_threshold: 0.10", "recall_treshold: 0.10", "unknown key 'recall_treshold'; did you mean 'recall_threshold'?"),
        ("placement", "quiet_days: 90", "quiet_days: soon", "recall.quiet_days is 'soon'"),
        ("placement", "complaints_per_10k: 50", 'complaints_per_10k: "50"', "gate complaints_per_10k is '50'; write a number"),
        ("placement", "conduct: 25", "conduct: 35", "do not sum to 100"),
        ("kpi_windows", "grace_days: 3", "grace_day: 3", "unknown window 'grace_day'"),
        ("kpi_windows", "kept_threshold: 0.9", "kept_threshold: 90", "kept_threshold is 90"),
        ("scorecard", "level: 0.95", "level: 95", "level is 95; write a number between 0 and 1"),
        ("legal_limits", "limit: 5", 'limit: "5"', "FREQ_DAY.limit is '5'; write a whole number above 0"),
        ("legal_limits", "limit: 5", "limit: 0", "FREQ_DAY.limit is 0"),
        ("legal_limits", 'from: "07:00:00"', 'from: "22:00:00"', "HOURS.from 22:00:00 is not before HOURS.to 21:00:00"),
        ("legal_limits", 'from: "07:00:00"', "from: seven", "HOURS.from is 'seven'; write a time of day"),
        ("legal_limits", "forbidden: [relative, third_party]", "forbidden: relative", "PARTY.forbidden is 'relative'; write a list"),
        ("legal_limits", "forbidden: [relative, third_party]", "forbidden: [cousin]", "PARTY.forbidden names 'cousin'"),
        ("legal_limits", "end_reasons: [recall, return, paid, sold]", "end_reasons: [recal]", "RECALL.end_reasons names 'recal'"),
        ("legal_limits", "      PARTY:", "      FREQ_DAYS: {limit: 9}\n      PARTY:", "unknown rule 'FREQ_DAYS'; did you mean 'FREQ_DAY'?"),
    ],
)
def test_d5_every_value_is_checked_and_named_with_file_and_version(folder: Path, topic: str, old: str, new: str, told: str) -> None:
    problems = policies.problems_in(change(folder, topic, old, new))
    assert any(told in problem for problem in problems), problems
    assert all(problem.startswith(f"{topic}.yml, version of 20") for problem in problems)


def test_d5_versions_of_the_past_and_of_the_future_are_checked_too(folder: Path) -> None:
    path = folder / "kpi_windows.yml"
    later = '  - {valid_from: 2099-01-01, inherits: 2000-01-01, source: later, values: {grace_days: "7"}}\n'
    path.write_text(path.read_text(encoding="utf-8") + later, encoding="utf-8")
    (problem,) = policies.problems_in(folder)
    assert problem.startswith("kpi_windows.yml, version of 2099-01-01: ")
    path.write_text(path.read_text(encoding="utf-8").replace('"7"', "7"), encoding="utf-8")
    assert policies.problems_in(folder) == []
    values = policy("kpi_windows", on=date(2099, 1, 1), folder=folder)
    assert KpiWindows.of(values) == KpiWindows(grace_days=7)


def test_d5_all_problems_of_all_files_are_told_at_once_and_nothing_is_started(tmp_path: Path, folder: Path) -> None:
    project = SmallProject(tmp_path / "project")
    project.write_report()
    change(folder, "placement", "floor: 0.10", "floor: 7.0")
    change(folder, "scorecard", "within: 0.10", "within: ten")
    done = project.collect("run", "parameters", "--now", NOW, COLLECT_POLICY=str(folder))
    assert (done.returncode, done.stdout) == (2, "")
    assert "placement.yml, version of 2015-01-01: policy placement: floor is 7.0" in done.stderr
    assert "scorecard.yml, version of 2015-01-01: policy scorecard: within is 'ten'" in done.stderr
    assert not project.reports.exists()


def test_d5_a_policy_that_a_report_needs_and_is_not_in_force_is_told_before_anything_starts(tmp_path: Path, folder: Path) -> None:
    project = SmallProject(tmp_path / "project")
    project.write_report()
    change(folder, "kpi_windows", "valid_from: 2000-01-01", "valid_from: 2026-07-01")
    late = project.collect("run", "parameters", "--now", NOW, COLLECT_POLICY=str(folder))
    assert late.returncode == 2
    assert "policy 'kpi_windows' has no version in force on 2026-06-30 (the first is valid from 2026-07-01)" in late.stderr
    (folder / "kpi_windows.yml").unlink()
    gone = project.collect("run", "parameters", "--now", NOW, COLLECT_POLICY=str(folder))
    assert gone.returncode == 2
    assert "there is no policy 'kpi_windows'" in gone.stderr
    assert not project.reports.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_kind_is_said_to_read_is_what_its_modules_ask_for(kind: str) -> None:
    said = set(KINDS[kind].policies)
    asked = {topic for path in KINDS.folders[kind].glob("*.py") for topic in ASKS.findall(path.read_text(encoding="utf-8"))}
    # What a kind asks for through its subject is not seen here; the limits on contacts some ask for only where the book has contacts.
    of_subject = {topic for path in KINDS.folders[kind].parent.glob("*.py") for topic in ASKS.findall(path.read_text(encoding="utf-8"))}
    assert said <= asked | of_subject | {"kpi_windows"}
    assert asked - said <= {"legal_limits"}


anything = (
    st.none() | st.booleans() | st.integers(-3, 99) | st.floats(-2, 99) | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2)
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_d5_whatever_stands_in_place_of_a_value_is_a_problem_told_or_a_value_that_is_taken(data: st.DataObject, tmp_path: Path) -> None:
    topic = data.draw(st.sampled_from(["kpi_windows", "legal_limits", "placement", "scorecard"]))
    content = yaml.safe_load((OURS / f"{topic}.yml").read_text(encoding="utf-8"))
    where = content["versions"][0]["values"]
    while True:
        key = data.draw(st.sampled_from(sorted(where)))
        if not (isinstance(where[key], dict) and data.draw(st.booleans())):
            break
        where = where[key]
    where[key] = data.draw(anything)
    version = policies.PolicyVersion(
        topic=topic, valid_from=date(2020, 1, 1), valid_to=None, source="test", verified_on=None, values=content["versions"][0]["values"]
    )
    for problem in policies._told(lambda: policies._READERS[topic](version)):
        assert isinstance(problem, str)
