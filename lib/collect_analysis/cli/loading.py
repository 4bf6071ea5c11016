"""`collect import` and `collect sample`: how data enter."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import click

from collect_analysis.cli import options, output
from collect_analysis.errors import ParameterError
from collect_analysis.reporting.parameters import ISO_DAY

SAMPLE = "sample"
SAMPLE_ACCOUNTS = 200_000
# The day the notebooks' own defaults look back from.
SAMPLE_AS_OF = "2026-06-30"


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
