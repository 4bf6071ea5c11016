"""From arrays to Parquet files of canonical tables: compact text columns, fixed order of columns, a hash per table."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from collect_analysis.book.arrow_types import ARROW
from collect_analysis.book.schema import ENGINE_TYPES, Table
from collect_analysis.book.store import Load
from collect_analysis.book.tables import TABLES

ROW_GROUP = 250_000


def serials(prefix: str, count: int, *, width: int, first: int = 1) -> pa.Array:
    """Keys `prefix` + running number with leading zeros, so that they sort as numbers do."""
    size = len(prefix) + width
    text = np.empty((count, size), dtype=np.uint8)
    text[:, : len(prefix)] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    rest = np.arange(first, first + count, dtype=np.int64)
    for place in range(width):
        text[:, size - 1 - place] = 48 + rest % 10
        rest //= 10
    offsets = np.arange(count + 1, dtype=np.int32) * size
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text.tobytes()))


def pick(labels: pa.Array | tuple[str, ...] | list[str], index: np.ndarray) -> pa.Array:
    """Text column: `labels[index]`, empty where the index is negative."""
    values = labels if isinstance(labels, pa.Array) else pa.array(labels, type=pa.string())
    held = np.ascontiguousarray(index, dtype=np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(held, mask=held < 0), values)


def constant(label: str, count: int) -> pa.Array:
    """Text column that says the same everywhere."""
    return pick((label,), np.zeros(count, dtype=np.int32))


def days(values: np.ndarray, *, empty: np.ndarray | None = None) -> pa.Array:
    """Date column from day numbers; empty where `empty` is true."""
    return pa.array(np.ascontiguousarray(values, dtype=np.int32), mask=empty).cast(pa.date32())


def seconds(values: np.ndarray, *, empty: np.ndarray | None = None) -> pa.Array:
    """Timestamp column from seconds since 1970-01-01; empty where `empty` is true."""
    return pa.array(np.asarray(values, dtype=np.int64) * 1_000_000, mask=empty).cast(pa.timestamp("us"))


def whole(values: np.ndarray, *, empty: np.ndarray | None = None) -> pa.Array:
    """Integer or money column; empty where `empty` is true."""
    return pa.array(np.asarray(values, dtype=np.int64), mask=empty)


def real(values: np.ndarray) -> pa.Array:
    """Number column; NaN becomes empty."""
    held = np.asarray(values, dtype=np.float64)
    return pa.array(held, mask=np.isnan(held))


def flags(values: np.ndarray, *, empty: np.ndarray | None = None) -> pa.Array:
    """Flag column; empty where `empty` is true."""
    return pa.array(np.asarray(values, dtype=bool), mask=empty)


def write(folder: Path, name: str, columns: Mapping[str, object], *, now: str) -> Load:
    """Write one canonical table and return its load; columns not given are empty, unknown ones are a fault of the caller."""
    spec = TABLES[name]
    unknown = set(columns) - set(spec.column_names)
    if unknown:
        raise KeyError(f"{name} has no column {', '.join(sorted(unknown))}")
    table = _arrow(spec, columns)
    path = folder / name / f"{name}-sample.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    unique = spec.key[0] if len(spec.key) == 1 else ""
    # Without the Arrow schema the file holds plain Parquet types: every reader sees text, not an encoding of it.
    pq.write_table(
        table,
        path,
        compression="zstd",
        store_schema=False,
        row_group_size=ROW_GROUP,
        use_dictionary=[field.name for field in table.schema if field.name != unique and pa.types.is_dictionary(field.type)],
    )
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    money = sum(int(pc.sum(table[column]).as_py() or 0) for column in spec.money_columns)
    return Load(
        load_id=f"{name}-sample",
        table=name,
        source="sample",
        origin="synthetic sample shop",
        content_hash=digest,
        file=f"{name}/{path.name}",
        rows_read=table.num_rows,
        rows_kept=table.num_rows,
        money_read_minor=money,
        money_kept_minor=money,
        loaded_at=now,
    )


def _arrow(spec: Table, columns: Mapping[str, object]) -> pa.Table:
    count = len(next(iter(columns.values())))  # type: ignore[arg-type]
    arrays = []
    for column in spec.columns:
        kind = ARROW[ENGINE_TYPES[column.type]]
        given = columns.get(column.name)
        if given is None:
            arrays.append(pa.nulls(count, kind))
        elif isinstance(given, pa.Array):
            arrays.append(given if pa.types.is_dictionary(given.type) else given.cast(kind))
        else:
            arrays.append(pa.array(given, type=kind))
    return pa.table(arrays, names=list(spec.column_names))
