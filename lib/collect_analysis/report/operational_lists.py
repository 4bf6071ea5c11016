"""Lists that operations work from: rows about persons, written beside a run for those who may open its folder, never shown, never served.

A page names such a list, its rows and its hash. Its file is readable by the owner of the run folder alone, lies under `lists/`, and is no
recorded table, so that the pages have no address for it.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

FOLDER = "lists"
_OWNER_ONLY = 0o600


@dataclass(frozen=True, kw_only=True)
class OperationalList:
    """What may be said of a list: its file in the run folder (empty if not written), its rows, the SHA-256 of its bytes."""

    name: str
    file: str
    rows: int
    sha256: str


class _Sink:
    """A file that hashes what passes, and keeps it if there is a handle."""

    closed = False

    def __init__(self, handle: int | None) -> None:
        self.digest = hashlib.sha256()
        self._handle = handle

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        view = memoryview(data)
        while self._handle is not None and view:
            view = view[os.write(self._handle, view) :]
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""


def write_list(name: str, batches: Iterable[pa.RecordBatch], *, run_folder: Path | None) -> OperationalList:
    """Write the rows as CSV into the run folder, piece by piece; without a folder only count and hash them.

    The hash is that of the file, so it is the same for the same rows in the same order whether or not the file is written. Text that a
    spreadsheet would run as a formula cannot stand in keys and codes of the contract, so the bytes are not changed.

    Raises
    ------
    FileExistsError
        The run folder has such a list already: lists are never replaced.
    """
    path = run_folder / FOLDER / f"{name}.csv" if run_folder else None
    handle = None
    if path:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    sink, rows = _Sink(handle), 0
    try:
        writer = None
        for batch in batches:
            writer = writer or pyarrow.csv.CSVWriter(sink, batch.schema)
            writer.write_batch(batch)
            rows += batch.num_rows
        if writer:
            writer.close()
        if handle is not None:
            os.fsync(handle)
    finally:
        if handle is not None:
            os.close(handle)
    return OperationalList(name=name, file=f"{FOLDER}/{name}.csv" if path else "", rows=rows, sha256=sink.digest.hexdigest())
