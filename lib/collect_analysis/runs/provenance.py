"""What a run stands on, as hashes: data, policy, notebook, code, packages. Equal hashes, equal results."""

import hashlib
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import collect_analysis
from collect_analysis.book.durable import file_hash, files_below
from collect_analysis.book.origin import code_hash
from collect_analysis.report.parameters import ReportParameters

PACKAGES = (
    "duckdb", "ibis-framework", "ipykernel", "matplotlib", "nbclient", "numpy", "pandas", "papermill", "pyarrow", "scipy", "seaborn",
)  # fmt: skip
LIBRARY = Path(collect_analysis.__file__).parent
NOT_CODE = (".pyc",)


def inputs(books: Path, parameters: ReportParameters) -> dict[str, Any]:
    """Which data the run reads: book, fingerprint, rows per table.

    Raises
    ------
    DataError
        The book is not there or its manifest is damaged.
    """
    from collect_analysis.book.store import read_manifest

    manifest = read_manifest(books / parameters.book)
    rows: dict[str, int] = {}
    for load in manifest.active_loads:
        rows[load.table] = rows.get(load.table, 0) + load.rows_kept
    return {
        "book": parameters.book,
        "fingerprint": manifest.fingerprint,
        "synthetic": manifest.synthetic,
        "currency": manifest.currency,
        "as_of": parameters.as_of.isoformat(),
        "rows": dict(sorted(rows.items())),
    }


def policy(folder: Path) -> dict[str, str]:
    """SHA-256 of every policy file, by name."""
    return {path.relative_to(folder).as_posix(): file_hash(path) for path in files_below(folder) if path.suffix in (".yml", ".yaml")}


def code() -> dict[str, Any]:
    """The library's version, a hash of its files and of the kinds of an analyst's own, and the commit where it lies in a git checkout."""
    sha256 = code_hash(lambda path: path.suffix not in NOT_CODE)
    commit = _git("rev-parse", "HEAD") if _git("ls-files", "--error-unmatch", "__init__.py") else None
    dirty = bool(_git("status", "--porcelain", "--", ".")) if commit else None
    return {"version": collect_analysis.__version__, "sha256": sha256, "commit": commit, "dirty": dirty}


def _git(*arguments: str) -> str | None:
    """What git says in the library's folder; None where there is no git or no repository."""
    try:
        done = subprocess.run(["git", *arguments], cwd=LIBRARY, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603, S607
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def packages() -> dict[str, str]:
    """Versions of Python and of the packages that make the numbers."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def key(run: Mapping[str, Any]) -> str:
    """Hash of all a run's results depend on."""
    parts = {part: run[part] for part in ("report", "parameters", "notebook_sha256", "policy")}
    parts |= {"fingerprint": run["inputs"]["fingerprint"], "code": run["code"]["sha256"], "packages": run["packages"]}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
