"""What everything made of a book depends on besides its recipe: the book and its files, the day, the engine, the code and packages that count."""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Callable, Iterable
from datetime import date
from functools import cache
from pathlib import Path

from collect_analysis import own
from collect_analysis.book.durable import file_hash, files_below

_LIBRARY = Path(__file__).resolve().parents[1]
# What runs and tells a report makes no numbers: a changed page is no reason to count again. Whatever else is there may.
_NOT_COUNTING = frozenset({"report", "runs", "cli"})
_PACKAGES = ("duckdb", "ibis-framework", "sqlglot", "pandas", "numpy", "pyarrow", "scipy", "scikit-learn")


def origin_of(fingerprint: str, *, as_of: date, engine: str, files: Iterable[Path] = ()) -> str:
    """A hash of all that: the same origin and the same recipe make the same rows.

    `fingerprint`: of the book's contents as loaded; `files`: where they lie, for a file that was changed by hand is another one.
    """
    body = {
        "fingerprint": fingerprint, "as_of": as_of.isoformat(), "engine": engine, "files": sorted(map(file_as_it_lies, files)), "code": _code(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES}, "python": platform.python_version(),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def file_as_it_lies(path: Path) -> tuple[str, int, int]:
    """Where a file lies, its size, and when it was changed."""
    stat = path.stat()
    return str(path.resolve()), stat.st_size, stat.st_mtime_ns


@cache
def _code() -> str:
    """A hash of the code that counts: a changed definition shares nothing with the one before."""
    others = tuple(_LIBRARY / room for room in sorted(_NOT_COUNTING))
    return code_hash(lambda path: path.suffix == ".py" and not any(room in path.parents for room in others))


def code_hash(wanted: Callable[[Path], bool]) -> str:
    """A hash of the names and contents of the `wanted` files of the library and of the kinds of an analyst's own."""
    digest = hashlib.sha256()
    for folder in (_LIBRARY, *map(Path, own.__path__)):
        for path in filter(wanted, files_below(folder)):
            digest.update(f"{path.relative_to(folder).as_posix()}:{file_hash(path)}\n".encode())
    return digest.hexdigest()
