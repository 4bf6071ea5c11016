"""Options several commands share, and what they come to: option, else environment variable, else the project around the current folder."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from collect_analysis.book.places import project_folder
from collect_analysis.errors import ParameterError

Command = TypeVar("Command", bound=Callable[..., Any])

folder = click.Path(path_type=Path, file_okay=False)
reports = click.option("--reports", "reports", type=folder, help="Reports folder (else COLLECT_REPORTS, else reports/ of the project).")
books = click.option("--books", "books", type=folder, help="Folder of the books (else COLLECT_BOOKS, else .books/ of the project).")
now = click.option("--now", "now", metavar="ISO", help="The moment to act at, as 2026-06-30T08:00:00+07:00 (else the system clock).")
as_json = click.option("--json", "as_json", is_flag=True, help="Write one versioned JSON object to standard output.")
dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
skip_absent = click.option("--skip-absent", is_flag=True, help="Leave out, and list, what is not here.")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A folder, and where its value comes from."""

    name: str
    value: Path
    origin: str


def setting(name: str, given: Path | None, *, variable: str, default: str) -> Setting:
    """A folder: the option, else the variable, else `default` in the project."""
    if given is not None:
        return Setting(name=name, value=given.absolute(), origin=f"--{name}")
    if os.environ.get(variable):
        return Setting(name=name, value=Path(os.environ[variable]).absolute(), origin=variable)
    return Setting(name=name, value=project_folder() / default, origin="project")


def reports_setting(given: Path | None) -> Setting:
    """The reports folder."""
    return setting("reports", given, variable="COLLECT_REPORTS", default="reports")


def books_setting(given: Path | None) -> Setting:
    """The folder of the books."""
    return setting("books", given, variable="COLLECT_BOOKS", default=".books")


def policy_setting() -> Setting:
    """The folder of the policy files."""
    return setting("policy", None, variable="COLLECT_POLICY", default="parameters/policy")


def moment(text: str | None) -> datetime:
    """The moment of the command. This is the one place that reads the clock; everything else is told the time.

    Raises
    ------
    ParameterError
        Not an ISO date or time.
    """
    if text is None:
        return datetime.now().astimezone()
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise ParameterError(f"--now is {text!r}; write it as 2026-06-30T08:00:00+07:00") from None
    return told if told.tzinfo else told.astimezone()
