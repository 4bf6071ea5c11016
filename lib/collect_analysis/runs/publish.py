"""How a run becomes what managers see: a private folder, verification, one atomic step; or evidence of a failure, kept apart.

`reports/.staging/<run id>/` while it runs, `reports/<kind>/<name>/<slot>/<run id>/` once verified, `current` pointing at one of them,
`reports/.failed/<kind>/<name>/<slot>/<run id>/` otherwise. A slot is locked by whoever runs it; the lock ends with the process.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collect_analysis.book.durable import file_hash, files_below, owned_folder, sync, sync_tree, write_json
from collect_analysis.errors import RunError, WorkplaceError
from collect_analysis.report import notebook_files
from collect_analysis.report.parameters import PATH_PART
from collect_analysis.report.run_folder import SCRATCH
from collect_analysis.runs import run_index
from collect_analysis.runs.run_files import NOTEBOOK, RESULTS, RUN, DamagedRun, ResultsShape, read_run, shape_problem
from collect_analysis.runs.run_index import CURRENT

STAGING, FAILED, LOCKS = ".staging", ".failed", ".locks"
OUTCOME, LOG = "outcome.json", "worker.log"
NEXT = ".next"
RESULTS_SCHEMA = 1


class SlotBusy(WorkplaceError):
    """Another process is running this slot."""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Where the runs of one report kind, name and slot lie under the reports folder."""

    reports: Path
    report: str
    name: str
    slot: str

    def __post_init__(self) -> None:
        for part in (self.report, self.name, self.slot):
            if not PATH_PART.fullmatch(part):
                raise RunError(f"{part!r} cannot name a folder")

    @property
    def label(self) -> str:
        """kind/name/slot."""
        return f"{self.report}/{self.name}/{self.slot}"

    @property
    def published(self) -> Path:
        """Folder of the published runs."""
        return self.reports / self.report / self.name / self.slot

    @property
    def failed(self) -> Path:
        """Folder of the failed runs."""
        return self.reports / FAILED / self.report / self.name / self.slot

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the slot; the lock is the operating system's, so it ends with the process however that dies.

        Raises
        ------
        SlotBusy
            Another process holds it.
        """
        path = self.reports / LOCKS / self.report / self.name / f"{self.slot}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SlotBusy(f"{self.label} is being run by another process; wait for it") from None
            yield


def prepare(reports: Path) -> None:
    """Make the reports folder ready to write into.

    Raises
    ------
    WorkplaceError
        It cannot be written.
    """
    try:
        owned_folder(reports)
        for folder in (STAGING, LOCKS):
            owned_folder(reports / folder)
        with _staging_locked(reports):
            pass
    except OSError as error:
        raise WorkplaceError(
            f"cannot write into the reports folder {reports} ({error.strerror}); give the right to write, or name another with --reports"
        ) from error


@contextlib.contextmanager
def _staging_locked(reports: Path) -> Iterator[None]:
    """While a staging folder gets its run.json, nobody tidies; so a staging folder without one has no owner."""
    with (reports / STAGING / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def stage(slot: Slot, *, run_id: str, notebook: bytes, run: dict[str, Any]) -> tuple[str, Path]:
    """Make the private folder of a run, with the notebook to execute and its run.json; returns the run id (with a counter if taken)."""
    with _staging_locked(slot.reports):
        free, counter = run_id, 1
        while any((place / free).exists() for place in (slot.reports / STAGING, slot.published, slot.failed)):
            counter += 1
            free = f"{run_id}-{counter}"
        folder = slot.reports / STAGING / free
        folder.mkdir()
        write_json(folder / RUN, {**run, "run_id": free})
        (folder / NOTEBOOK).write_bytes(notebook)
    return free, folder


def verify(folder: Path, *, report: str, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """The results of a finished run. Success is never read from the notebook alone: a killed kernel leaves every cell "completed".

    Raises
    ------
    RunError
        No results, results of another run, a file they name is missing, or the notebook holds an error or an unexecuted cell.
    """
    results = _json(folder / RESULTS, "the notebook ended without record.finish()")
    expected = {"schema": RESULTS_SCHEMA, "report": report, "name": name, "parameters": parameters}
    problems = [
        f"{RESULTS}: {key} is {results.get(key)!r}, expected {value!r}" for key, value in expected.items() if results.get(key) != value
    ]
    if not results.get("decision"):
        problems.append(f"{RESULTS} holds no decision")
    elif problem := shape_problem(results, ResultsShape):
        problems.append(f"{RESULTS}: {problem}")
    for part in ("tables", "figures"):
        named = results.get(part)
        if not isinstance(named, dict):
            problems.append(f"{RESULTS}: {part} is missing")
            continue
        problems += [f"{RESULTS} names {file}, which is not in the run folder" for file in named.values() if not _is_inside(folder, file)]
    notebook = _json(folder / NOTEBOOK, "the executed notebook is missing")
    error = notebook_files.first_error(notebook)
    if error:
        problems.append(f"cell {error.cell} of the notebook shows {error.type}: {error.message}")
    unfinished = notebook_files.unfinished_cell(notebook)
    if unfinished:
        problems.append(f"cell {unfinished} of the notebook was not executed")
    if problems:
        raise RunError(problems)
    return results


def _json(path: Path, absent: str) -> dict[str, Any]:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{absent}; there is no {path.name}") from None
    except ValueError as error:
        raise RunError(f"{path.name} is not JSON ({error})") from None
    if not isinstance(body, dict):
        raise RunError(f"{path.name} is not a JSON object")
    return body


def _is_inside(folder: Path, file: object) -> bool:
    if not isinstance(file, str):
        return False
    path = folder / file
    return path.is_file() and not path.is_symlink() and path.resolve().is_relative_to(folder.resolve())


def seal(folder: Path, run: dict[str, Any]) -> dict[str, Any]:
    """Write run.json with the hash of every other file, and force the folder to the disk."""
    sealed = {**run, "files": {path.relative_to(folder).as_posix(): file_hash(path) for path in files_below(folder) if path.name != RUN}}
    write_json(folder / RUN, sealed)
    sync_tree(folder)
    return sealed


def publish(slot: Slot, folder: Path) -> tuple[Path, str]:
    """Move a sealed run to its place and point `current` at it; returns the place and, where `current` stayed, why.

    A reader sees the old run or the new one. A run that knows the data of an earlier day than the current one does is kept and does not
    replace it. `.next` is laid before the move, so that a crash between move and swap is completed by `reconcile`.
    """
    place = slot.published / folder.name
    slot.published.mkdir(parents=True, exist_ok=True)
    newer = _current_as_of(slot)
    kept_back = newer > read_run(folder)["inputs"]["as_of"]
    if not kept_back:
        _point(slot.published / NEXT, folder.name)
    os.rename(folder, place)
    if not kept_back:
        os.replace(slot.published / NEXT, slot.published / CURRENT)
    sync(slot.published)
    if not kept_back:
        _index(slot, place)
    return place, f"not current: the current run knows the data of {newer}" if kept_back else ""


def _index(slot: Slot, place: Path) -> None:
    run = run_index.described(place, (slot.report, slot.name, slot.slot))
    if run:
        run_index.remember(slot.reports, run)


def _point(link: Path, target: str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _current_as_of(slot: Slot) -> str:
    try:
        return str(read_run(slot.published / CURRENT)["inputs"]["as_of"])
    except DamagedRun:
        return ""


def set_aside(slot: Slot, folder: Path, run: dict[str, Any]) -> Path:
    """Keep a failed run as evidence, where managers never look; what they see stays as it is."""
    shutil.rmtree(folder / SCRATCH, ignore_errors=True)
    write_json(folder / RUN, {**run, "files": {}})
    place = slot.failed / folder.name
    place.parent.mkdir(parents=True, exist_ok=True)
    os.rename(folder, place)
    return place


def reconcile(reports: Path, *, lost: Callable[[dict[str, Any]], dict[str, Any]]) -> list[str]:
    """Tidy what a killed runner left: unfinished runs become failed ones, a run moved but not yet current becomes current.

    `lost(run)` turns the run.json of an unfinished run into that of a failed one. Runs of living processes are left alone. Returns what was
    tidied.
    """
    tidied = []
    with _staging_locked(reports):
        for folder in sorted(path for path in (reports / STAGING).iterdir() if path.is_dir()):
            try:
                run = read_run(folder)
                slot = Slot(reports=reports, report=run["report"], name=run["name"], slot=run["slot"])
            except RunError:
                shutil.rmtree(folder)
                continue
            with contextlib.suppress(SlotBusy), slot.locked():
                set_aside(slot, folder, lost(run))
                tidied.append(f"{slot.label}/{folder.name}")
    links = (folder / NEXT for folder in sorted(reports.glob("[!.]*/[!.]*/[!.]*")))
    for link in (link for link in links if link.is_symlink()):
        report, name, day = link.relative_to(reports).parts[:3]
        slot = Slot(reports=reports, report=report, name=name, slot=day)
        with contextlib.suppress(SlotBusy), slot.locked():
            if link.exists():
                os.replace(link, slot.published / CURRENT)
                tidied.append(f"{slot.label}/{CURRENT}")
            else:
                link.unlink(missing_ok=True)
    run_index.tidy(reports)
    return tidied
