"""`collect import` and `collect sample`: how data enter."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collect_analysis.cli import options, output
from collect_analysis.cli.unexpected import refusal_of
from collect_analysis.errors import CollectError, ParameterError
from collect_analysis.report.parameters import ISO_DAY

if TYPE_CHECKING:
    from collect_analysis.book.intake import ImportReport

SAMPLE = "sample"
SAMPLE_ACCOUNTS = 200_000
# The day the notebooks' own defaults look back from.
SAMPLE_AS_OF = "2026-06-30"


@click.command("import")
@click.argument("sources", metavar="SOURCE.yml...", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.books
@options.now
@options.skip_absent
@options.dry_run
@options.as_json
def import_sources(sources: tuple[Path, ...], books: Path | None, now: str | None, skip_absent: bool, dry_run: bool, as_json: bool) -> int:
    """Load sources into their books, as their mapping files say; a folder stands for every mapping file in it."""
    at = options.moment(now)
    folder = options.books_setting(books).value
    files = mapping_files(sources)
    from collect_analysis.book.intake import import_source
    from collect_analysis.portfolio.target_sheet_files import SIGNED

    reports: list[ImportReport] = []
    refused: list[CollectError] = []
    for file in files:
        try:
            report = import_source(
                file, books=folder, now=at, skip_absent=skip_absent, dry_run=dry_run, signed=SIGNED, progress=output.message
            )
            reports.append(report)
        except CollectError as error:
            refused.append(error)
        except Exception as error:  # One delivery, whatever is wrong with it, does not keep the others out.
            unforeseen = refusal_of(error)
            refused.append(type(unforeseen)(f"source {file.stem}: {problem}" for problem in unforeseen.problems))
    code = refused[0].exit_code if refused else 0
    _show_imports(reports, refused, dry_run=dry_run, code=code, as_json=as_json)
    return code


def mapping_files(paths: Sequence[Path]) -> list[Path]:
    """The mapping files named, and those in the folders named, each readable and sound.

    Raises
    ------
    ParameterError
        All problems of all files; nothing is loaded then.
    """
    from collect_analysis.book.sources import read_source

    files: list[Path] = []
    problems: list[str] = []
    for path in paths:
        found = sorted(path.glob("*.yml")) if path.is_dir() else [path]
        if not found:
            problems.append(f"{path}: no mapping file (*.yml) in this folder")
        files += found
    for file in files:
        try:
            read_source(file)
        except ParameterError as error:
            problems += error.problems
    if problems:
        raise ParameterError(problems)
    return files


def _show_imports(reports: list["ImportReport"], refused: list[CollectError], *, dry_run: bool, code: int, as_json: bool) -> None:
    if as_json:
        told = [{**report.as_json(), "state": _state(report, dry_run=dry_run)} for report in reports]
        errors = [{"type": type(error).__name__, "problems": list(error.problems)} for error in refused]
        output.emit({"command": "import", "dry_run": dry_run, "imports": told, "errors": errors, "exit_code": code})
    else:
        rows: list[tuple[object, ...]] = []
        for report in reports:
            state = _state(report, dry_run=dry_run)
            loads = [(load.table, f"{load.rows_read:,}", f"{load.rows_kept:,}", f"{load.rows_quarantined:,}") for load in report.loads]
            rows += [(report.source, report.book, state, *load) for load in loads or [("", "", "", "")]]
        output.table(("source", "book", "state", "table", "read", "kept", "quarantined"), rows)
    for report in reports:
        for reason, count in report.reasons:
            output.message(f"{report.source}: quarantined {count:,}: {reason}")
        for sentence in (*report.warnings, *report.notes):
            output.message(f"{report.source}: {sentence}")
        if report.absent:
            output.message(f"absent: {report.absent}")
    for error in refused:
        for problem in error.problems:
            output.message(f"error: {problem}")
    if any(report.loads for report in reports) and not dry_run:
        output.message("next: collect run parameters")


def _state(report: "ImportReport", *, dry_run: bool) -> str:
    if report.absent:
        return "absent"
    if report.loads:
        return "would load" if dry_run else "loaded"
    return "unchanged"


@click.command("sample")
@options.books
@click.option("--accounts", type=int, default=SAMPLE_ACCOUNTS, show_default=True, help="Debts in the book.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of all randomness: same seed, same files.")
@click.option("--as-of", "as_of", default=SAMPLE_AS_OF, show_default=True, metavar="DAY", help="Last day of the last month.")
@click.option("--months", type=int, default=24, show_default=True, help="Whole months up to that day.")
@options.now
@options.dry_run
@options.as_json
def sample(books: Path | None, accounts: int, seed: int, as_of: str, months: int, now: str | None, dry_run: bool, as_json: bool) -> None:
    """Make the book 'sample': a synthetic shop with planted truths, replacing the one there."""
    at = options.moment(now)
    day = _day("--as-of", as_of)
    folder = options.books_setting(books).value / SAMPLE
    asked = {"book": SAMPLE, "folder": str(folder), "accounts": accounts, "seed": seed, "as_of": day.isoformat(), "months": months}
    if dry_run:
        _tell("sample", asked, as_json=as_json)
        return
    from collect_analysis.book.sample import make_sample

    with _progress() as progress:
        made = make_sample(folder, accounts=accounts, seed=seed, as_of=day, months=months, now=at.isoformat(), progress=progress)
    rows = sum(load.rows_kept for load in made.active_loads)
    _tell("sample", {**asked, "rows": rows, "fingerprint": made.fingerprint}, as_json=as_json)
    output.message("next: collect run parameters")


def _day(name: str, text: str) -> date:
    try:
        if ISO_DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ParameterError(f"{name} is {text!r}; write a day as 2026-06-30")


def _tell(command: str, facts: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        output.emit({"command": command, **facts})
    else:
        output.table(tuple(facts), [tuple(facts.values())])


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None] | None]:
    """A bar with the time left on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("sample shop", total=1.0)
        yield lambda what, share: bar.update(task, completed=share, description=what)
