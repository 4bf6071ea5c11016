"""What the commands say: data on standard output, messages on standard error, nothing in it that a terminal would obey."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from collect_analysis.errors import CollectError

SCHEMA = 1
LARGE = 100_000


def message(text: str) -> None:
    """Tell a person something."""
    click.echo(plain(text), err=True)


def refusal(error: CollectError, *, as_json: bool) -> int:
    """Tell every problem, and return the exit code."""
    for problem in error.problems:
        message(f"error: {problem}")
    if as_json:
        emit({"error": {"type": type(error).__name__, "problems": list(error.problems)}, "exit_code": error.exit_code})
    return error.exit_code


def emit(body: Mapping[str, Any]) -> None:
    """Write a versioned JSON object for another program."""
    click.echo(json.dumps({"schema": SCHEMA, **body}, ensure_ascii=False, indent=1, default=str))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows under a header, columns aligned."""
    texts = [[*header], *([_cell(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(header))]
    for row in texts:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def number(value: object) -> str:
    """A recorded number as text: whole and large numbers grouped, others with six significant digits, a dash where undefined."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= LARGE else f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def plain(text: str) -> str:
    """Text without control characters: what comes from data or a notebook may hold anything."""
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)


def shorter(path: Path) -> str:
    """A path as seen from here, where it lies below."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _cell(value: object) -> str:
    return " ".join(plain(str(value)).split())
