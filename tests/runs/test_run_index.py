"""The index beside the runs: a memory that may be lost, old, cut or written by two, and is never believed against the files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from collect_analysis.runs import run_index
from collect_analysis.runs.publish import publish, read_run, reconcile, seal
from collect_analysis.runs.run_index import INDEX

from tests.small_project import KIND, RUN_ID_TIME, SLOT, SmallProject

FIRST, SECOND = f"{RUN_ID_TIME}-aaaaaaaa", f"{RUN_ID_TIME}-bbbbbbbb"
KEY = (KIND, "shop", SLOT)


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    return SmallProject(tmp_path)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The run folders that were opened."""
    opened: list[str] = []
    real = run_index.read_run
    monkeypatch.setattr(run_index, "read_run", lambda folder: opened.append(folder.name) or real(folder))
    return opened


def lines(project: SmallProject) -> list[dict]:
    return [json.loads(line) for line in (project.reports / INDEX).read_text().splitlines()]


def test_publishing_writes_what_a_list_says(project: SmallProject, reads: list[str]) -> None:
    project.published(FIRST)
    (line,) = lines(project)
    assert (line["run_id"], line["answer"], line["grade"], line["measures"]) == (FIRST, "Keep it.", "C", ["kept_rate:C8"])
    reads.clear()
    assert run_index.walk(project.reports, run_index.read(project.reports))[KEY].run_id == FIRST
    assert reads == []


def test_the_last_line_of_a_slot_counts_and_a_run_kept_back_has_none(project: SmallProject) -> None:
    project.published(FIRST)
    project.published(SECOND, as_of="2026-07-01")
    project.published(f"{RUN_ID_TIME}-cccccccc", as_of="2026-06-01")
    assert [line["run_id"] for line in lines(project)] == [FIRST, SECOND]
    assert run_index.read(project.reports)[KEY].run_id == SECOND


@pytest.mark.parametrize(
    "damage",
    [
        lambda index: index.unlink(),
        lambda index: index.write_bytes(index.read_bytes()[:-40]),
        lambda index: index.write_bytes(b"\xff\n[]\n{}\nnull\n" + b"[" * 1_200 + b"\n"),
        lambda index: index.write_text(
            json.dumps({**json.loads(index.read_text()), "answer": "Drop it.", "state": [1, 2, 3, 4, 5, 6]}) + "\n"
        ),
        lambda index: index.write_text(json.dumps({**json.loads(index.read_text()), "more": 1}) + "\n"),
    ],
    ids=["lost", "cut", "odd", "old", "of-another-version"],
)
def test_whatever_happens_to_the_index_the_list_is_right_and_the_next_run_mends_it(project: SmallProject, damage) -> None:
    project.published(FIRST)
    before = (project.reports / INDEX).read_bytes()
    damage(project.reports / INDEX)
    (found,) = run_index.walk(project.reports, run_index.read(project.reports)).values()
    assert (found.run_id, found.answer, found.damaged) == (FIRST, "Keep it.", "")
    reconcile(project.reports, lost=dict)
    assert (project.reports / INDEX).read_bytes() == before


def test_a_line_cut_by_a_kill_does_not_take_the_next_one_with_it(project: SmallProject) -> None:
    project.published(FIRST)
    with (project.reports / INDEX).open("ab") as index:
        index.write(b'{"report": "kpi_per')
    project.published(SECOND)
    assert run_index.read(project.reports)[KEY].run_id == SECOND


def test_a_run_changed_by_hand_is_read_anew(project: SmallProject, reads: list[str]) -> None:
    first, second = project.published(FIRST), project.published(SECOND)
    known = run_index.walk(project.reports, {})
    (second.parent / ".other").symlink_to(FIRST)
    (second.parent / ".other").replace(second.parent / "current")
    assert run_index.walk(project.reports, known)[KEY].run_id == FIRST
    os.utime(first / "run.json")
    reads.clear()
    known = run_index.walk(project.reports, {KEY: known[KEY]})
    assert (known[KEY].run_id, reads) == (FIRST, [FIRST])


def test_a_removed_run_is_no_longer_listed(project: SmallProject) -> None:
    place = project.published(FIRST)
    known = run_index.walk(project.reports, {})
    (place.parent / "current").unlink()
    assert run_index.walk(project.reports, known) == {}
    reconcile(project.reports, lost=dict)
    assert (project.reports / INDEX).read_bytes() == b""


def test_lines_that_count_for_nothing_do_not_pile_up(project: SmallProject) -> None:
    for number in range(7):
        project.published(f"{RUN_ID_TIME}-{number:08x}")
    assert len(lines(project)) == 7
    reconcile(project.reports, lost=dict)
    assert [line["run_id"] for line in lines(project)] == [f"{RUN_ID_TIME}-00000006"]


def test_an_index_that_cannot_be_written_does_not_fail_the_run(project: SmallProject) -> None:
    slot, folder = project.staged(FIRST)
    (project.reports / INDEX).mkdir()
    seal(folder, {**read_run(folder), "state": "complete", "finished": "2026-07-01T01:00:02+00:00", "seconds": 2.0})
    assert publish(slot, folder)[0].is_dir()
    assert list(run_index.walk(project.reports, run_index.read(project.reports))) == [KEY]
    reconcile(project.reports, lost=dict)


WRITER = """
import sys
from pathlib import Path
from collect_analysis.runs import publish
from tests.small_project import KIND, SLOT, SmallProject
project = SmallProject.__new__(SmallProject)
project.root, project.reports = Path(sys.argv[1]), Path(sys.argv[1]) / "reports"
slot = publish.Slot(reports=project.reports, report=KIND, name="shop", slot=SLOT)
publish.prepare(project.reports)
number = 0
while number < 6:
    try:
        with slot.locked():
            project.published(f"20260701T010000Z-{sys.argv[2] * 4}{number:04x}")
            number += 1
    except publish.SlotBusy:
        continue
    publish.reconcile(project.reports, lost=dict)
"""


def test_two_commands_publish_and_tidy_at_once_and_no_run_is_lost(project: SmallProject) -> None:
    """Each writer publishes into the same slot: the index must end on the run that is current, and hold whole lines only."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(project.root), mark], env=environment) for mark in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    current = os.readlink(project.current())
    assert run_index.walk(project.reports, run_index.read(project.reports))[KEY].run_id == current
    assert {line["slot"] for line in lines(project)} == {SLOT}
