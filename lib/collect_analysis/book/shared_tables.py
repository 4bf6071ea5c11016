"""Small tables that the reports of a batch share: found by what they were made from, so that none outlives a change of it.

A key holds the contents of the book and its files as they lie there, the day, the engine, the library's code and what the caller adds. A
table is put into place whole; two workers that make the same one at once write the same rows. What is damaged or cannot be kept is made
again.
"""

import hashlib
import importlib.metadata
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from collect_analysis.book.durable import file_hash, files_below
from collect_analysis.book.places import SHARED

_LIBRARY = Path(__file__).resolve().parents[1]
# The parts that make numbers; a word on a page is no reason to count again.
_COUNTING = ("book", "methods", "measures")
_PACKAGES = ("duckdb", "ibis-framework", "pandas", "numpy", "pyarrow")


class SharedTables:
    """The tables kept in `folder` of what `origin` describes."""

    def __init__(self, folder: Path, origin: Mapping[str, object]) -> None:
        self._folder = folder
        self._origin = {**origin, "code": _code(), "packages": {name: importlib.metadata.version(name) for name in _PACKAGES}}

    def table(self, what: Mapping[str, object], make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """The table of exactly this origin and `what` (words and numbers that fix its rows); made and kept if it is not there."""
        text = json.dumps({"origin": self._origin, "what": what}, sort_keys=True, default=str)
        path = self._folder / f"{hashlib.sha256(text.encode()).hexdigest()}.parquet"
        with suppress(OSError, pa.ArrowInvalid):
            return pq.read_table(path, page_checksum_verification=True).to_pandas()
        made = make()
        # Sharing saves time; a full disk costs only that.
        with suppress(OSError):
            self._keep(path, pa.Table.from_pandas(made, preserve_index=False))
        return made

    def _keep(self, path: Path, rows: pa.Table) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        try:
            pq.write_table(rows, temporary, write_page_checksum=True)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def shared_tables(origin: Mapping[str, object], files: Iterable[Path]) -> SharedTables | None:
    """The tables shared by those who name the same folder in COLLECT_SHARED; None where nobody shares.

    `files`: those of the book, whose size and time of change are part of the origin: a file that was changed by hand is another one.
    """
    folder = os.environ.get(SHARED)
    if not folder:
        return None
    stated = sorted((str(path.resolve()), (stat := path.stat()).st_size, stat.st_mtime_ns) for path in files)
    return SharedTables(Path(folder), {**origin, "files": stated})


@cache
def _code() -> str:
    """A hash of the code that counts: a changed definition shares nothing with the one before."""
    digest = hashlib.sha256()
    for path in (path for part in _COUNTING for path in files_below(_LIBRARY / part)):
        if path.suffix == ".py":
            digest.update(f"{path.relative_to(_LIBRARY).as_posix()}:{file_hash(path)}\n".encode())
    return digest.hexdigest()
