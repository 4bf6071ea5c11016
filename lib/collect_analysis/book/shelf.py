"""The files of a book on disk: locked while they change, written whole, forced to the disk before the manifest names them."""

import errno
import fcntl
import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from collect_analysis.book.contract import Delivery
from collect_analysis.book.durable import owned_folder, sync
from collect_analysis.book.parsing.numbers import exact_sum
from collect_analysis.book.schema import Table
from collect_analysis.errors import WorkplaceError

LOCK = ".lock"
# Facts are read by account and time; other tables by their key.
_ORDER = {"payment": ("account_key", "value_date", "payment_key"), "contact": ("account_key", "local_ts", "event_key")}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the book in `folder` alone.

    Raises
    ------
    WorkplaceError
        Another process holds it, or the folder cannot be written.
    """
    try:
        owned_folder(folder)
        handle = (folder / LOCK).open("w")
    except OSError as error:
        raise WorkplaceError(f"{folder}: cannot be written ({error.strerror}); check the rights, or set COLLECT_BOOKS") from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise WorkplaceError(f"book '{folder.name}' is busy: another import holds it; try again when that has ended") from None
        yield


def in_order(table: Table, rows: pa.Table) -> pa.Table:
    """The rows sorted: facts by account and time, other tables by key, so that equal rows give equal files."""
    order = [*_ORDER.get(table.name, ()), *table.key]
    return rows.sort_by([(name, "ascending") for name in dict.fromkeys(order)])


def content_hash(rows: pa.Table) -> str:
    """Hash of what the rows say, the same whatever wrote them."""
    sink = _HashSink()
    pyarrow.csv.write_csv(rows, sink)
    return sink.digest.hexdigest()


class _HashSink:
    """A file that keeps only the hash of what is written to it."""

    closed = False

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""


def quarantine_rows(delivery: Delivery, load_id: str, money: np.ndarray) -> pa.Table:
    """Every fault of a delivery: where, what stood there, why, the fix. `money_minor` stands on a row's first fault only."""
    places = [(int(row), number, place) for number, fault in enumerate(delivery.faults) for place, row in enumerate(fault.rows)]
    places.sort()
    first = np.ones(len(places), dtype=bool)
    first[1:] = [after[0] != before[0] for before, after in itertools.pairwise(places)]
    faults = [delivery.faults[number] for _, number, _ in places]
    rows = [row for row, _, _ in places]
    return pa.table(
        {
            "load_id": pa.array([load_id] * len(places), pa.string()),
            "table": pa.array([delivery.table.name] * len(places), pa.string()),
            "file": pa.array([delivery.origin] * len(places), pa.string()),
            "line": pa.array(delivery.lines[rows], pa.int64()),
            "row": pa.array([row + 1 for row in rows], pa.int64()),
            "column": pa.array([fault.target for fault in faults], pa.string()),
            "source_column": pa.array([fault.source_column for fault in faults], pa.string()),
            "value": pa.array([delivery.faults[number].values[place] for _, number, place in places], pa.string()),
            "reason": pa.array([fault.reason for fault in faults], pa.string()),
            "sentence": pa.array([fault.sentence for fault in faults], pa.string()),
            "fix": pa.array([fault.fix for fault in faults], pa.string()),
            "money_minor": pa.array(np.where(first, money[rows], 0), pa.int64()),
        }
    )


def write_rows(path: Path, rows: pa.Table) -> None:
    """Put a Parquet file into place, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            pyarrow.parquet.write_table(rows, temporary, compression="zstd")
            sync(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        sync(path.parent)
    except OSError as error:
        raise WorkplaceError(f"{path}: cannot be written ({error.strerror or error}); check space and rights") from error


def move(staged: Path, path: Path) -> None:
    """Move a file into place by one step and force the folder to the disk."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(staged, path)
        sync(path.parent)
    except OSError as error:
        raise WorkplaceError(f"{path}: cannot be written ({error.strerror}); check space and rights") from error


def columns_in(files: Iterable[Path], columns: list[str]) -> pa.Table:
    """Columns of the Parquet files of a table, one below the other."""
    return pa.concat_tables([pyarrow.parquet.read_table(path, columns=columns) for path in files])


def keys_in(files: Iterable[Path], column: str) -> pa.Array:
    """The values of a key column in Parquet files of a table."""
    chunks = [chunk for path in files for chunk in pyarrow.parquet.read_table(path, columns=[column])[column].chunks]
    return pa.chunked_array(chunks, pa.string()).combine_chunks()


def money_of(delivery: Delivery) -> np.ndarray:
    """The money a row carries (k,), in minor units: its required money columns, or all of them where none is required; empty cells are 0."""
    names = [column.name for column in delivery.table.columns if column.type == "money" and column.required]
    names = [name for name in names if name in delivery.rows.column_names]
    names = names or [name for name in delivery.rows.column_names if name.endswith("_minor")]
    total = np.zeros(delivery.rows.num_rows, dtype=np.int64)
    for name in names:
        total += delivery.rows[name].fill_null(0).to_numpy()
    return total


def money_sum(money: np.ndarray) -> int:
    """The sum of a money array as a Python integer: it cannot overflow."""
    return exact_sum(pa.array(money, pa.int64()))
