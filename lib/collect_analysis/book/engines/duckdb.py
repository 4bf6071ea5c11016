"""DuckDB, embedded: the default, for one machine."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
import ibis.backends.sql.compilers as sc
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
import sqlglot as sg
from ibis.backends.duckdb import Backend

from collect_analysis.book.engines.base import EXACT_PRODUCTS, Engine, canonical_arrow, with_canonical
from collect_analysis.book.private_folders import PrivateFolder
from collect_analysis.book.processes import MEMORY

MOST_MEMORY = 3_000_000_000


class _Compiler(sc.duckdb.DuckDBCompiler):
    """Ibis' compiler, with exact products; `fsum` is DuckDB's own."""

    __slots__ = ()

    def visit_AggUDF(self, op: ops.AggUDF, *, where: Any, **kw: Any) -> Any:
        """Products of decimals overflow at 18 digits, debts of a milliard squared; those of 128-bit integers do not, and are as fast."""
        if op.__func_name__ != EXACT_PRODUCTS:
            return super().visit_AggUDF(op, where=where, **kw)
        left, right = (sg.cast(value, "hugeint", dialect="duckdb") for value in kw.values())
        return self.cast(self.agg.sum(left * right, where=where), dt.float64)


class _Backend(Backend):
    compiler = _Compiler()
    closed = False

    def _drop_cached_table(self, name: str) -> None:
        if not self.closed:
            super()._drop_cached_table(name)


def _most_memory() -> int:
    """Bytes the engine may use before it spills: 3 GB, or half of what the run it works for may use."""
    allowed = os.environ.get(MEMORY, "")
    return min(MOST_MEMORY, int(allowed) // 2) if allowed.isdecimal() else MOST_MEMORY


class DuckDBEngine(Engine):
    """Parquet files as views, everything else in memory and, above `memory_limit`, in a private folder for temporary files."""

    name = "duckdb"

    def __init__(self, *, memory_limit: str | None = None, threads: int | None = None) -> None:
        super().__init__()
        # What does not fit into memory is about persons: it is spilled where only this user may look, never into the folder of the caller.
        self._spill = PrivateFolder("spill")
        options = {
            "memory_limit": memory_limit or f"{_most_memory()}B",
            "preserve_insertion_order": False,
            "temp_directory": str(self._spill.path),
        }
        if threads:
            options["threads"] = threads
        self._backend = _Backend().connect(**options)

    def register_files(self, name: str, files: Iterable[Path], types: dict[str, str]) -> None:
        """As `Engine.register_files`: a view over the files."""
        paths = [str(path) for path in files]
        if not paths:
            self.register_empty(name, types)
            return
        table = self._backend.read_parquet(paths, table_name=f"{name}__files", union_by_name=True)
        self._backend.create_view(name, with_canonical(table, types, cast=False), overwrite=True)

    def register_empty(self, name: str, types: dict[str, str]) -> None:
        """As `Engine.register_empty`."""
        self._backend.create_table(name, schema=ibis.schema(types), overwrite=True)

    def register_frame(self, name: str, frame: pd.DataFrame, types: dict[str, str]) -> None:
        """As `Engine.register_frame`."""
        table = ibis.memtable(canonical_arrow(frame, types))
        self._backend.create_table(name, with_canonical(table, types, cast=True), overwrite=True)

    def scalar(self, expression: ir.Scalar) -> object:
        """As `Engine.scalar`."""
        return self._backend.to_pyarrow(expression).as_py()

    def batches(self, expression: ir.Table, *, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """As `Engine.batches`."""
        # Ibis' own way calls a DuckDB method that is going away.
        yield from self._backend.raw_sql(self._backend.compile(expression)).to_arrow_reader(rows)

    @contextmanager
    def materialized(self, expression: ir.Table) -> Iterator[ir.Table]:
        """As `Engine.materialized`: a temporary table."""
        name = self._next_name()
        self._backend.create_table(name, expression, temp=True)
        try:
            yield self._backend.table(name)
        finally:
            if not self._backend.closed:
                self._backend.drop_table(name)

    def close(self) -> None:
        """Close the connection."""
        self._backend.closed = True
        self._backend.disconnect()
        self._spill.close()

    def _arrow(self, expression: ir.Table) -> pa.Table:
        return self._backend.to_pyarrow(expression)
