import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from collect_analysis.errors import RunError, WorkplaceError
from collect_analysis.runs import publish
from collect_analysis.runs.publish import Slot, SlotBusy, reconcile, verify

from tests.small_project import KIND, RESULTS, RUN_ID_TIME, SLOT, SmallProject

FIRST, SECOND = f"{RUN_ID_TIME}-aaaaaaaa", f"{RUN_ID_TIME}-bbbbbbbb"


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    return SmallProject(tmp_path)


def check(folder: Path) -> dict:
    return verify(folder, report=KIND, name="shop", parameters={"lang": "en", "audience": "managers"})


def lost(run: dict) -> dict:
    return {**run, "state": "failed", "error": {"cell": None, "type": "RunnerLost", "message": ""}}


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_cell(folder: Path, **changes: object) -> None:
    content = json.loads((folder / "notebook.ipynb").read_text())
    content["cells"][1] |= changes
    (folder / "notebook.ipynb").write_text(json.dumps(content))


def test_a_whole_run_is_verified(project: SmallProject) -> None:
    assert check(project.staged()[1]) == RESULTS


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda folder: (folder / "results.json").unlink(), "ended without record.finish", id="no-results"),
        pytest.param(lambda folder: (folder / "results.json").write_text('{"schema": 1'), "results.json is not JSON", id="half-written"),
        pytest.param(lambda folder: (folder / "results.json").write_text("[]"), "not a JSON object", id="no-object"),
        pytest.param(lambda folder: edit(folder / "results.json", schema=2), "schema is 2, expected 1", id="schema"),
        pytest.param(lambda folder: edit(folder / "results.json", name="other"), "name is 'other', expected 'shop'", id="other-report"),
        pytest.param(
            lambda folder: edit(folder / "results.json", parameters={"lang": "vi", "audience": "managers"}),
            "parameters is {'lang': 'vi', 'audience': 'managers'}",
            id="parameters",
        ),
        pytest.param(lambda folder: edit(folder / "results.json", decision=None), "holds no decision", id="no-decision"),
        pytest.param(lambda folder: edit(folder / "results.json", tables=None), "tables is missing", id="no-tables"),
        pytest.param(lambda folder: (folder / "tables" / "kept.csv").unlink(), "names tables/kept.csv, which is not", id="lost-table"),
        pytest.param(
            lambda folder: edit(folder / "results.json", figures={"x": "../kept.csv"}), "names ../kept.csv, which is not", id="S4-outside"
        ),
        pytest.param(
            lambda folder: edit(folder / "results.json", figures={"x": str(folder.parent / "kept.csv")}), "which is not", id="S4-absolute"
        ),
        pytest.param(lambda folder: (folder / "notebook.ipynb").write_text(""), "notebook.ipynb is not JSON", id="no-notebook"),
        pytest.param(
            lambda folder: edit_cell(folder, execution_count=None), "cell 2 of the notebook was not executed", id="F2-not-executed"
        ),
        pytest.param(
            lambda folder: edit_cell(folder, outputs=[{"output_type": "error", "ename": "KeyError", "evalue": "x"}]),
            "shows KeyError: x",
            id="error",
        ),
    ],
)
def test_f2_what_is_not_whole_is_not_a_success(project: SmallProject, change, expected: str) -> None:
    _, folder = project.staged()
    (folder.parent / "kept.csv").write_text("beside the run\n")
    change(folder)
    with pytest.raises(RunError, match=expected):
        check(folder)


def test_a_linked_table_is_not_in_the_run_folder(project: SmallProject) -> None:
    _, folder = project.staged()
    (folder / "tables" / "kept.csv").rename(folder.parent / "kept.csv")
    (folder / "tables" / "kept.csv").symlink_to(folder.parent / "kept.csv")
    with pytest.raises(RunError, match="which is not in the run folder"):
        check(folder)


def test_published_runs_stay_and_current_points_at_the_last(project: SmallProject) -> None:
    first, second = project.published(FIRST), project.published(SECOND)
    assert os.readlink(project.current()) == SECOND
    assert {path.name for path in first.parent.iterdir()} == {FIRST, SECOND, "current"}
    assert not list((project.reports / ".staging").glob("2*"))
    assert (project.current() / "page.html").read_bytes() == (second / "page.html").read_bytes()


def test_n4_run_json_holds_the_hash_of_every_file(project: SmallProject) -> None:
    folder = project.published()
    run = json.loads((folder / "run.json").read_text())
    assert set(run["files"]) == {"notebook.ipynb", "page.html", "results.json", "tables/kept.csv"}
    assert all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in run["files"].items())


def test_r15_newer_data_win_over_a_later_finish(project: SmallProject) -> None:
    project.published(FIRST, as_of="2026-06-30")
    older = project.published(SECOND, as_of="2026-06-15")
    assert older.is_dir()
    assert os.readlink(project.current()) == FIRST
    newest = project.published(f"{RUN_ID_TIME}-cccccccc", as_of="2026-07-01")
    assert os.readlink(project.current()) == newest.name


def test_a_taken_run_id_gets_a_counter(project: SmallProject) -> None:
    assert [project.published(FIRST).name for _ in range(3)] == [FIRST, f"{FIRST}-2", f"{FIRST}-3"]


def test_s4_a_slot_is_never_a_path(project: SmallProject) -> None:
    for part in ("..", "../x", "/x", "a/b", "", ".hidden", "a..b", "x\n", "x\0"):
        with pytest.raises(RunError, match="cannot name a folder"):
            Slot(reports=project.reports, report=KIND, name=part, slot=SLOT)


def test_r14_a_slot_is_held_by_one(project: SmallProject) -> None:
    publish.prepare(project.reports)
    slot = Slot(reports=project.reports, report=KIND, name="shop", slot=SLOT)
    with slot.locked():
        with pytest.raises(SlotBusy, match="another process"), slot.locked():
            pass
        with Slot(reports=project.reports, report=KIND, name="other", slot=SLOT).locked():
            pass
    with slot.locked():
        pass


def test_r33_a_reports_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkplaceError, match=r"cannot write into the reports folder .*file/reports"):
        publish.prepare(tmp_path / "file" / "reports")


def test_r2_a_run_without_its_runner_becomes_a_failed_one(project: SmallProject) -> None:
    page = project.published(FIRST) / "page.html"
    _, folder = project.staged(SECOND)
    assert reconcile(project.reports, lost=lost) == [f"{KIND}/shop/{SLOT}/{SECOND}"]
    evidence = project.reports / ".failed" / KIND / "shop" / SLOT / SECOND
    assert json.loads((evidence / "run.json").read_text())["error"]["type"] == "RunnerLost"
    assert (evidence / "notebook.ipynb").is_file()
    assert not folder.exists()
    assert (project.current() / "page.html").read_bytes() == page.read_bytes()


def test_r16_a_run_whose_runner_lives_is_left_alone(project: SmallProject) -> None:
    slot, folder = project.staged(SECOND)
    with slot.locked():
        assert reconcile(project.reports, lost=lost) == []
    assert folder.is_dir()


def test_a_staging_folder_without_run_json_is_removed(project: SmallProject) -> None:
    _, folder = project.staged()
    (folder / "run.json").unlink()
    assert reconcile(project.reports, lost=lost) == []
    assert not folder.exists()


KILL_AT = """
import os, sys
from pathlib import Path
from collect_analysis.runs import publish
point, reports = sys.argv[1], Path(sys.argv[2])
folder = reports / ".staging" / {second!r}
slot = publish.Slot(reports=reports, report={kind!r}, name="shop", slot={slot!r})
function, when = point.split()
genuine = getattr(os, function)
def killed(*arguments):
    if when == "after":
        genuine(*arguments)
    os.kill(os.getpid(), 9)
setattr(os, function, killed)
publish.publish(slot, folder)
"""


@pytest.mark.fault
@pytest.mark.parametrize("point", ["symlink before", "symlink after", "rename before", "rename after", "replace before", "replace after"])
def test_r12_r13_a_kill_while_publishing_leaves_the_old_or_the_new_run(project: SmallProject, point: str) -> None:
    project.published(FIRST)
    slot, folder = project.staged(SECOND)
    publish.seal(folder, {**publish.read_run(folder), "state": "complete"})
    script = KILL_AT.format(second=SECOND, kind=KIND, slot=SLOT)
    done = subprocess.run([sys.executable, "-c", script, point, str(project.reports)], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    moved = point in ("rename after", "replace before", "replace after")

    def whole() -> str:
        shown = project.current().resolve()
        run = publish.read_run(shown)
        assert all(hashlib.sha256((shown / name).read_bytes()).hexdigest() == digest for name, digest in run["files"].items())
        return shown.name

    assert whole() == (SECOND if point == "replace after" else FIRST)
    reconcile(project.reports, lost=lost)
    assert whole() == (SECOND if moved else FIRST)
    assert not (slot.published / publish.NEXT).is_symlink()
    assert (slot.failed / SECOND).is_dir() is not moved
