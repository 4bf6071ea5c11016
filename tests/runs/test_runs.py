import json
from pathlib import Path

import pytest
from collect_analysis.errors import ParameterError
from collect_analysis.runs import publish, runs

from tests.small_project import KIND, RUN_ID_TIME, SLOT, SmallProject

FIRST, SECOND, THIRD = (f"{RUN_ID_TIME}-{letter * 8}" for letter in "abc")


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    return SmallProject(tmp_path)


def fail(project: SmallProject, run_id: str, **more: object) -> Path:
    slot, folder = project.staged(run_id, **more)
    error = {"cell": 2, "type": "ValueError", "message": "x"}
    return publish.set_aside(slot, folder, {**publish.read_run(folder), "state": "failed", "error": error})


def test_all_runs_are_listed_and_current_is_marked(project: SmallProject) -> None:
    project.published(FIRST, started="2026-07-01T01:00:00+00:00")
    project.published(SECOND, started="2026-07-01T02:00:00+00:00")
    fail(project, THIRD, started="2026-07-01T03:00:00+00:00")
    project.staged("20260701T040000Z-dddddddd")
    found = runs.all_runs(project.reports)
    assert [(run.run_id, run.state, run.current) for run in found] == [
        (FIRST, "complete", False),
        (SECOND, "complete", True),
        (THIRD, "failed", False),
    ]
    assert [run.run_id for run in runs.shown_runs(found)] == [SECOND, THIRD]


def test_a_failure_before_the_current_run_is_history(project: SmallProject) -> None:
    fail(project, FIRST, started="2026-07-01T01:00:00+00:00")
    project.published(SECOND, started="2026-07-01T02:00:00+00:00")
    assert [run.run_id for run in runs.shown_runs(runs.all_runs(project.reports))] == [SECOND]


def test_a_slot_that_only_failed_is_shown(project: SmallProject) -> None:
    fail(project, FIRST)
    assert [run.run_id for run in runs.shown_runs(runs.all_runs(project.reports))] == [FIRST]


def test_a_run_whose_run_json_cannot_be_read_is_listed_as_damaged(project: SmallProject) -> None:
    folder = project.published(FIRST)
    (folder / "run.json").write_text("{")
    (run,) = runs.all_runs(project.reports)
    assert (run.run_id, run.state, run.current) == (FIRST, "damaged", True)


@pytest.mark.parametrize("wanted", [f"{KIND}/shop/{SLOT}", f"{KIND}/shop"])
def test_of_a_slot_that_only_failed_the_last_failure_is_meant(project: SmallProject, wanted: str) -> None:
    fail(project, FIRST, started="2026-07-01T01:00:00+00:00")
    fail(project, SECOND, started="2026-07-01T02:00:00+00:00")
    assert runs.find(project.reports, wanted).run_id == SECOND
    project.published(THIRD, started="2026-06-30T00:00:00+00:00")
    assert runs.find(project.reports, wanted).run_id == THIRD


def test_a_run_is_found_by_id_by_slot_and_by_name(project: SmallProject) -> None:
    project.published(FIRST)
    project.published(SECOND)
    slot = f"{KIND}/shop/{SLOT}"
    wanted = {FIRST: FIRST, f"{slot}/{FIRST}": FIRST, slot: SECOND, f"{KIND}/shop": SECOND}
    assert {text: runs.find(project.reports, text).run_id for text in wanted} == wanted


@pytest.mark.parametrize("text", ["../x", "/a/b", "", "..", "%2e%2e", f"{KIND}/../{KIND}", "x\0", f"{KIND}/sho"])
def test_s4_a_text_that_names_no_run_finds_nothing(project: SmallProject, text: str) -> None:
    project.published(FIRST)
    with pytest.raises(ParameterError, match="there is no run"):
        runs.find(project.reports, text)


def test_a_misspelt_run_gets_a_hint(project: SmallProject) -> None:
    project.published(FIRST)
    with pytest.raises(ParameterError, match=f"did you mean '{FIRST}'"):
        runs.find(project.reports, f"{RUN_ID_TIME}-aaaaaaab")


def test_no_reports_at_all_says_how_to_make_some(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="collect run"):
        runs.find(tmp_path / "absent", "x")


def compared(project: SmallProject) -> dict:
    return runs.compare(runs.find(project.reports, FIRST), runs.find(project.reports, SECOND))


def test_w7_equal_runs_differ_in_nothing(project: SmallProject) -> None:
    project.published(FIRST)
    project.published(SECOND)
    found = compared(project)
    assert not any(found["moved"].values())
    assert [row["difference"] for row in found["measures"]] == [0]


@pytest.mark.parametrize(
    ("change", "cause", "moved"),
    [
        ({"parameters": {"lang": "vi", "audience": "managers"}}, "parameters", {"lang": ["en", "vi"]}),
        ({"notebook_sha256": "n2"}, "notebook", {"notebook_sha256": ["n1", "n2"]}),
        ({"policy": {"law.yml": "p1"}}, "policy", {"law.yml": [None, "p1"]}),
        ({"packages": {"numpy": "2.5"}}, "packages", {"numpy": ["2.4", "2.5"]}),
        ({"code": {"version": "0.1.0", "sha256": "c2", "commit": None, "dirty": True}}, "code", {"sha256": ["c1", "c2"]}),
    ],
    ids=["parameters", "notebook", "policy", "packages", "code"],
)
def test_w7_what_moved_is_named_and_nothing_else(project: SmallProject, change: dict, cause: str, moved: dict) -> None:
    project.published(FIRST)
    project.published(SECOND, **change)
    assert {key: value for key, value in compared(project)["moved"].items() if value} == {cause: moved}


def test_w7_moved_data_are_named(project: SmallProject) -> None:
    first, second = project.published(FIRST), project.published(SECOND)
    run = publish.read_run(second)
    (second / "run.json").write_text(json.dumps({**run, "inputs": {**run["inputs"], "fingerprint": "f2"}}))
    assert first.is_dir()
    assert compared(project)["moved"]["data"] == {"fingerprint": ["f1", "f2"]}


def test_numbers_stand_side_by_side_and_undefined_has_no_difference(project: SmallProject) -> None:
    project.published(FIRST, value=0.5)
    project.published(SECOND, value=0.75)
    (row,) = compared(project)["measures"]
    assert (row["name"], row["kpi"], row["before"]["value"], row["after"]["value"], row["difference"]) == (
        "kept_rate",
        "C8",
        0.5,
        0.75,
        0.25,
    )
    project.published(THIRD, value=None)
    (row,) = runs.compare(runs.find(project.reports, FIRST), runs.find(project.reports, THIRD))["measures"]
    assert (row["after"]["value"], row["difference"]) == (None, None)


def test_a_failed_run_has_nothing_to_compare(project: SmallProject) -> None:
    project.published(FIRST)
    fail(project, SECOND)
    with pytest.raises(ParameterError, match="is failed: it has no results"):
        compared(project)
