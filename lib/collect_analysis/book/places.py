"""Where things lie: found from an environment variable, else from the project around the current folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collect_analysis.book.private_folders import private_folder
from collect_analysis.errors import WorkplaceError

# Names the folder of the tables that the reports of a batch share (see `shared_tables`).
SHARED = "COLLECT_SHARED"


_CHECKOUT = Path(__file__).resolve().parents[3]


def project_folder() -> Path:
    """The nearest folder, from the current one upwards, that holds `parameters/`.

    Raises
    ------
    WorkplaceError
        There is none.
    """
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "parameters").is_dir():
            return folder
    raise WorkplaceError(
        "no folder from here upwards holds `parameters/`; change into the project, or say where books, reports, policy, rules and notebooks "
        "lie (COLLECT_BOOKS, COLLECT_REPORTS, COLLECT_POLICY, COLLECT_RULES, COLLECT_NOTEBOOKS)"
    )


def books_folder() -> Path:
    """Folder that holds the books: `COLLECT_BOOKS`, else `.books` in the project."""
    given = os.environ.get("COLLECT_BOOKS")
    return Path(given) if given else project_folder() / ".books"


def policy_folder() -> Path:
    """Folder that holds the dated policy files: `COLLECT_POLICY`, else `parameters/policy` in the project."""
    given = os.environ.get("COLLECT_POLICY")
    return Path(given) if given else project_folder() / "parameters" / "policy"


def rules_folder() -> Path:
    """Folder that holds the rule tables: `COLLECT_RULES`, else `parameters/rules` in the project."""
    given = os.environ.get("COLLECT_RULES")
    return Path(given) if given else _of_project("parameters/rules")


def notebooks_folder() -> Path:
    """Folder that holds the notebooks: `COLLECT_NOTEBOOKS`, else `notebooks` in the project."""
    given = os.environ.get("COLLECT_NOTEBOOKS")
    return Path(given) if given else _of_project("notebooks")


def lock_file() -> Path:
    """The file that says which packages belong here."""
    return _of_project("requirements.lock")


def _of_project(name: str) -> Path:
    """Something of the project around the current folder, else of the checkout that this library runs from: a scheduler calls from anywhere."""
    try:
        return project_folder() / name
    except WorkplaceError:
        if not (_CHECKOUT / name).exists():
            raise
        return _CHECKOUT / name


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Where a batch keeps its tables: the folder of COLLECT_SHARED, else one of its own that is gone afterwards."""
    given = os.environ.get(SHARED)
    if given:
        yield Path(given)
        return
    with private_folder("shared") as own:
        yield own
