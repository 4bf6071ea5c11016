"""Executing planned runs: each in a private folder and a child process of its own, watched, verified, then published or set aside.

The one loop here starts up to `workers` children and looks after them from a single thread, so no publication is cut in half by a signal
or by another run.
"""

import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from collect_analysis import own
from collect_analysis.book.durable import write_json
from collect_analysis.book.places import SHARED, shared_folder
from collect_analysis.book.private_folders import private_folder, remove_ownerless
from collect_analysis.book.processes import machine_bytes
from collect_analysis.errors import DataError, RunError
from collect_analysis.report import notebook_files
from collect_analysis.report.kinds import KINDS
from collect_analysis.runs import provenance, publish, run_files
from collect_analysis.runs.child import LOOK_EVERY, Bounds, Child
from collect_analysis.runs.report_files import PlannedRun

if TYPE_CHECKING:
    from collect_analysis.book.person_keys import PersonKeys

SCHEMA = 1
# Of the machine's memory what runs may use together; the rest is for the system and the files it holds ready.
MEMORY_SHARE = 0.8
# A kernel with the library and a small book; less would stop every run.
LEAST_MEMORY = 1_000_000_000
State = Literal["complete", "failed", "busy", "skipped", "interrupted"]
RUNNER_LOST = {"cell": None, "type": "RunnerLost", "message": "the command that ran it was killed; run the report again"}
INTERRUPTED = {"cell": None, "type": "Interrupted", "message": "the command was interrupted; run the report again"}


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """Where a command reads and writes."""

    reports: Path
    books: Path
    policy: Path
    notebooks: Path
    rules: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many seconds one cell and one run may take, and how many bytes of memory a run may use, before they are stopped.

    `memory_bytes` None: a run may use its share of this machine's memory.
    """

    cell_seconds: int = 600
    run_seconds: int = 3600
    memory_bytes: int | None = None

    def shared_by(self, workers: int) -> "Limits":
        """The limits of runs of which so many go on at a time."""
        share = max(int(MEMORY_SHARE * machine_bytes() / workers), LEAST_MEMORY)
        return replace(self, memory_bytes=self.memory_bytes or share)


class Clock:
    """The moment a command was given, and moments after it. The system clock may jump; this one cannot."""

    def __init__(self, now: datetime) -> None:
        self.now = now.astimezone(UTC)
        self._start = time.monotonic()

    def read(self) -> datetime:
        """Now, in UTC."""
        return self.now + timedelta(seconds=time.monotonic() - self._start)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one planned run ended."""

    run: PlannedRun
    state: State
    run_id: str = ""
    seconds: float = 0.0
    folder: Path | None = None
    note: str = ""
    error: Mapping[str, Any] | None = None

    @property
    def page(self) -> Path | None:
        """The page managers may open."""
        return self.folder / run_files.PAGE if self.folder and self.state == "complete" else None


@dataclass
class StopRequest:
    """The signal that asked to stop; 0 while nobody did."""

    signal: int = 0


@dataclass(frozen=True, kw_only=True)
class Started:
    """A run under way: its run.json, its folder, its child, and the slot it holds."""

    planned: PlannedRun
    run: dict[str, Any]
    slot: publish.Slot
    folder: Path
    child: Child
    held: ExitStack


def absent_books(planned: Sequence[PlannedRun], books: Path) -> dict[str, list[PlannedRun]]:
    """Which books do the runs need that are not there?"""
    absent: dict[str, list[PlannedRun]] = {}
    for run in planned:
        if not (books / run.parameters.book / "book.json").is_file():
            absent.setdefault(run.parameters.book, []).append(run)
    return absent


def require_books(planned: Sequence[PlannedRun], books: Path) -> None:
    """Refuse before anything is started.

    Raises
    ------
    DataError
        A book is missing, with the first file that needs it; or the manifest of one is damaged.
    """
    problems = [
        f"{runs[0].file}: book '{book}' is not in {books} (needed by {len(runs)} runs); import it with `collect import`, make it with "
        "`collect sample`, or leave such reports out with --skip-absent"
        for book, runs in absent_books(planned, books).items()
    ]
    if not problems:
        for run in {run.parameters.book: run for run in planned}.values():
            try:
                provenance.inputs(books, run.parameters)
            except DataError as error:
                problems += error.problems
    if problems:
        raise DataError(problems)


def run_all(
    planned: Sequence[PlannedRun],
    *,
    workplace: Workplace,
    clock: Clock,
    workers: int = 1,
    limits: Limits | None = None,
    stop: StopRequest | None = None,
    on_finish: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Execute planned runs and publish those that are whole; the outcomes come in the order planned.

    A failing run never stops the others. After a stop request the children are killed, their runs kept as interrupted, and nothing more
    starts.

    Raises
    ------
    WorkplaceError
        The reports folder cannot be written.
    """
    stop = stop or StopRequest()
    publish.prepare(workplace.reports)
    publish.reconcile(workplace.reports, lost=lambda run: ended(run, state="failed", error=RUNNER_LOST, at=clock.read()))
    remove_ownerless()
    with shared_folder() as shared, private_folder("batch") as temporary:
        bench = Bench(
            workplace=workplace,
            clock=clock,
            limits=(limits or Limits()).shared_by(workers),
            temporary=temporary,
            # One report alone would count more than it needs for nobody.
            shared=shared if len(planned) > 1 else None,
        )
        return _all_ended(planned, bench, workers=workers, stop=stop, on_finish=on_finish)


def _all_ended(
    planned: Sequence[PlannedRun], bench: "Bench", *, workers: int, stop: StopRequest, on_finish: Callable[[Outcome], None]
) -> list[Outcome]:
    """The loop of `run_all`."""
    waiting = deque(enumerate(planned))
    active: dict[int, Started] = {}
    outcomes: dict[int, Outcome] = {}

    def take(position: int, outcome: Outcome) -> None:
        outcomes[position] = outcome
        on_finish(outcome)

    while waiting or active:
        while waiting and len(active) < workers and not stop.signal:
            position, run = waiting.popleft()
            started = bench.start(run)
            if isinstance(started, Outcome):
                take(position, started)
            else:
                active[position] = started
        for position in [position for position, run in active.items() if stop.signal or run.child.is_over()]:
            take(position, bench.finish(active.pop(position), stop))
        if stop.signal:
            while waiting:
                position, run = waiting.popleft()
                take(position, Outcome(run=run, state="interrupted", note="not started"))
        elif active:
            time.sleep(LOOK_EVERY)
    return [outcomes[position] for position in sorted(outcomes)]


def ended(run: Mapping[str, Any], *, state: State, at: datetime, error: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The run.json of a run that ended."""
    seconds = (at - datetime.fromisoformat(run["started"])).total_seconds()
    return {
        **run,
        "state": state,
        "finished": at.isoformat(timespec="milliseconds"),
        "seconds": round(max(seconds, 0.0), 3),
        "error": error,
    }


class Bench:
    """Starts and finishes single runs. What all of them share (code, packages, policy) is read once."""

    def __init__(self, *, workplace: Workplace, clock: Clock, limits: Limits, temporary: Path, shared: Path | None = None) -> None:
        self._place = workplace
        self._temporary = temporary
        self._tables = shared
        self._clock = clock
        self._limits = limits
        self._known: tuple[tuple[str, str], PersonKeys] | None = None
        self._shared = {"policy": provenance.policy(workplace.policy), "code": provenance.code(), "packages": provenance.packages()}

    def start(self, planned: PlannedRun) -> Started | Outcome:
        """Take the slot, lay out the private folder and start the child; an outcome where that is not possible."""
        slot = publish.Slot(reports=self._place.reports, report=planned.report, name=planned.name, slot=planned.slot)
        with ExitStack() as held:
            try:
                held.enter_context(slot.locked())
                run, notebook = self._describe(planned)
                run_id = f"{self._clock.now:%Y%m%dT%H%M%SZ}-{provenance.key(run)[:8]}"
                run_id, folder = publish.stage(slot, run_id=run_id, notebook=notebook, run=run)
                place = self._place
                bounds = Bounds(seconds=self._limits.run_seconds, memory_bytes=self._limits.memory_bytes)
                read = {
                    "COLLECT_BOOKS": place.books, "COLLECT_POLICY": place.policy, "COLLECT_RULES": place.rules, SHARED: self._tables,
                    "COLLECT_KINDS": next(map(Path, own.__path__), None),
                }  # fmt: skip
                child = Child(folder, read=read, bounds=bounds, temporary=self._temporary)
            except publish.SlotBusy as error:
                return Outcome(run=planned, state="busy", note=str(error))
            except (OSError, DataError) as error:
                return Outcome(run=planned, state="failed", error=_told(error))
            return Started(planned=planned, run={**run, "run_id": run_id}, slot=slot, folder=folder, child=child, held=held.pop_all())

    def _describe(self, planned: PlannedRun) -> tuple[dict[str, Any], bytes]:
        notebook = KINDS.notebook(planned.report, self._place.notebooks).read_bytes()
        run = {
            "schema": SCHEMA,
            "run_id": "",
            "report": planned.report,
            "name": planned.name,
            "slot": planned.slot,
            "state": "running",
            "started": self._clock.read().isoformat(timespec="milliseconds"),
            "finished": None,
            "seconds": None,
            "parameters": planned.parameters.as_json(),
            "limits": asdict(self._limits),
            "inputs": provenance.inputs(self._place.books, planned.parameters),
            "notebook_sha256": hashlib.sha256(notebook).hexdigest(),
            **self._shared,
            "files": {},
            "error": None,
        }
        return run, notebook

    def finish(self, started: Started, stop: StopRequest) -> Outcome:
        """Publish the run if it is whole, else set it aside with its error; the slot is free afterwards."""
        with started.held:
            if stop.signal:
                started.child.kill()
                error: Mapping[str, Any] | None = INTERRUPTED
            else:
                error = started.child.error()
            started.child.close()
            _forget_run_dir(started.folder / run_files.NOTEBOOK)
            if error is None:
                try:
                    return self._publish(started)
                except Exception as problem:
                    # Whatever goes wrong here, a full disk or a page that cannot be drawn, is this run's failure and nobody else's.
                    error = _told(problem)
            return self._set_aside(started, "interrupted" if stop.signal else "failed", error)

    def _publish(self, started: Started) -> Outcome:
        from collect_analysis.runs import outgoing
        from collect_analysis.runs.page import render_page

        run = ended(started.run, state="complete", at=self._clock.read())
        publish.verify(started.folder, report=run["report"], name=run["name"], parameters=run["parameters"])
        if provenance.inputs(self._place.books, started.planned.parameters) != run["inputs"]:
            raise RunError(f"book '{run['inputs']['book']}' changed while the report ran; run it again")
        render_page(started.folder, run)
        outgoing.refuse_persons(started.folder, run, self._keys(run["inputs"]), audience=run["parameters"]["audience"])
        publish.seal(started.folder, run)
        place, note = publish.publish(started.slot, started.folder)
        return Outcome(run=started.planned, state="complete", run_id=run["run_id"], seconds=run["seconds"], folder=place, note=note)

    def _keys(self, inputs: Mapping[str, Any]) -> "PersonKeys":
        """The keys of persons of the book a run read; kept for the runs that read the same."""
        from collect_analysis.book.person_keys import person_keys

        contents = (inputs["book"], inputs["fingerprint"])
        if self._known is None or self._known[0] != contents:
            self._known = (contents, person_keys(self._place.books / inputs["book"]))
        return self._known[1]

    def _set_aside(self, started: Started, state: State, error: Mapping[str, Any]) -> Outcome:
        run = ended(started.run, state=state, at=self._clock.read(), error=error)
        folder: Path | None = None
        with suppress(OSError):  # on a full disk the error in the outcome is all there is
            folder = publish.set_aside(started.slot, started.folder, run)
        return Outcome(run=started.planned, state=state, run_id=run["run_id"], seconds=run["seconds"], folder=folder, error=error)


def _told(error: Exception) -> dict[str, Any]:
    return {"cell": None, "type": type(error).__name__, "message": str(error)}


def _forget_run_dir(path: Path) -> None:
    """Take the private folder's path out of the executed notebook; one that cannot be read is left as evidence."""
    with suppress(OSError, ValueError):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook_files.forget_run_dir(notebook)
        write_json(path, notebook)
