"""`collect run`: from report files to published pages."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from collect_analysis.book.places import notebooks_folder, rules_folder
from collect_analysis.cli import options, output
from collect_analysis.errors import DisclosureError
from collect_analysis.runs import report_files
from collect_analysis.runs.report_files import PlannedRun
from collect_analysis.runs.runner import Clock, Limits, Outcome, StopRequest, Workplace, absent_books, require_books, run_all

BUSY = 5
HEADER = ("report", "slot", "state", "seconds", "page")


@click.command("run")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.reports
@options.books
@options.now
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Runs at a time.")
@click.option("--cell-timeout", type=click.IntRange(1), default=Limits.cell_seconds, show_default=True, help="Seconds one cell may take.")
@click.option("--deadline", type=click.IntRange(1), default=Limits.run_seconds, show_default=True, help="Seconds one run may take.")
@click.option("--memory", type=click.FloatRange(0.1), metavar="GB", help="Memory one run may use (else its share of this machine's).")
@options.skip_absent
@options.dry_run
@options.as_json
def run(
    files: tuple[Path, ...],
    reports: Path | None,
    books: Path | None,
    now: str | None,
    workers: int,
    cell_timeout: int,
    deadline: int,
    memory: float | None,
    skip_absent: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Run report FILES (or all below a folder) and publish their pages."""
    at = options.moment(now)
    place = Workplace(
        reports=options.reports_setting(reports).value,
        books=options.books_setting(books).value,
        policy=options.policy_setting().value,
        notebooks=notebooks_folder(),
        rules=rules_folder(),
    )
    planned = report_files.plan(files, today=at.date(), notebooks=place.notebooks)
    skipped = _absent(planned, place.books) if skip_absent else []
    left_out = {outcome.run.label for outcome in skipped}
    chosen = [item for item in planned if item.label not in left_out]
    require_books(chosen, place.books)
    if chosen:
        from collect_analysis.runs.policies import require_policies

        require_policies([item.parameters for item in chosen], place.policy)
    if dry_run:
        _show_plan(chosen, skipped, as_json=as_json)
        return 0
    stop = StopRequest()
    limits = Limits(cell_seconds=cell_timeout, run_seconds=deadline, memory_bytes=round(memory * 1e9) if memory else None)
    with _signals(stop), _progress(len(chosen)) as on_finish:
        done = run_all(chosen, workplace=place, clock=Clock(at), workers=workers, limits=limits, stop=stop, on_finish=on_finish)
    code = exit_code(done, stop)
    _show(planned, [*done, *skipped], at=at, code=code, as_json=as_json)
    return code


def exit_code(outcomes: list[Outcome], stop: StopRequest) -> int:
    """130 or 143 interrupted; 4 if a run would have told what must not leave; 1 if one failed; 5 if one was busy elsewhere; else 0."""
    if stop.signal:
        return 128 + stop.signal
    states = {outcome.state for outcome in outcomes}
    if any(outcome.error and outcome.error["type"] == DisclosureError.__name__ for outcome in outcomes):
        return DisclosureError.exit_code
    return 1 if "failed" in states else BUSY if "busy" in states else 0


def _absent(planned: list[PlannedRun], books: Path) -> list[Outcome]:
    return [
        Outcome(run=item, state="skipped", note=f"book '{book}' not imported")
        for book, runs in absent_books(planned, books).items()
        for item in runs
    ]


@contextmanager
def _signals(stop: StopRequest) -> Iterator[None]:
    """The first SIGINT or SIGTERM asks to stop, the second one ends the process at once."""

    def ask(number: int, frame: object) -> None:
        stop.signal = number
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Outcome], None]]:
    """A bar with the time left on a terminal; else one line per finished run."""
    finished: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        finished.append(outcome)
        output.message(f"[{len(finished)}/{total}] {outcome.state} {outcome.run.label} {outcome.seconds:.1f} s")

    if not (total and sys.stderr.isatty()):
        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)

        def advance(outcome: Outcome) -> None:
            finished.append(outcome)
            left = (bar.tasks[task].elapsed or 0.0) / len(finished) * (total - len(finished))
            bar.update(task, advance=1, description=f"about {timedelta(seconds=round(left))} left" if left else "")

        yield advance


def _show_plan(chosen: list[PlannedRun], skipped: list[Outcome], *, as_json: bool) -> None:
    states = [(item, "would run") for item in chosen] + [(outcome.run, f"skipped: {outcome.note}") for outcome in skipped]
    if as_json:
        rows = [{**_identity(item), "state": state, "parameters": item.parameters.as_json()} for item, state in states]
        output.emit({"command": "run", "dry_run": True, "runs": rows})
        return
    output.table(
        ("report", "slot", "state", "file"), [(f"{item.report}/{item.name}", item.slot, state, item.file) for item, state in states]
    )


def _show(planned: list[PlannedRun], outcomes: list[Outcome], *, at: datetime, code: int, as_json: bool) -> None:
    order = {item.label: position for position, item in enumerate(planned)}
    outcomes = sorted(outcomes, key=lambda outcome: order[outcome.run.label])
    if as_json:
        output.emit({"command": "run", "now": at.isoformat(), "runs": [_as_json(outcome) for outcome in outcomes], "exit_code": code})
    else:
        output.table(HEADER, [_row(outcome) for outcome in outcomes])
    for outcome in outcomes:
        if outcome.error:
            cell = f"cell {outcome.error['cell']}: " if outcome.error["cell"] else ""
            output.message(f"{outcome.state} {outcome.run.label}: {cell}{outcome.error['type']}: {outcome.error['message']}")
            if outcome.folder:
                output.message(f"  evidence: {output.shorter(outcome.folder)}")
        elif outcome.note and outcome.state != "skipped":
            output.message(f"{outcome.state} {outcome.run.label}: {outcome.note}")
    if any(outcome.page for outcome in outcomes):
        output.message("next: collect serve")


def _row(outcome: Outcome) -> tuple[object, ...]:
    state = f"skipped: {outcome.note}" if outcome.state == "skipped" else outcome.state
    seconds = f"{outcome.seconds:.1f}" if outcome.run_id else ""
    return (
        f"{outcome.run.report}/{outcome.run.name}",
        outcome.run.slot,
        state,
        seconds,
        output.shorter(outcome.page) if outcome.page else "",
    )


def _identity(item: PlannedRun) -> dict[str, Any]:
    return {"report": item.report, "name": item.name, "slot": item.slot, "file": str(item.file)}


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        **_identity(outcome.run),
        "state": outcome.state,
        "run_id": outcome.run_id,
        "seconds": outcome.seconds,
        "folder": str(outcome.folder) if outcome.folder else None,
        "page": str(outcome.page) if outcome.page else None,
        "note": outcome.note,
        "error": outcome.error,
    }
