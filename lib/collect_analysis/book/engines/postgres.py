"""PostgreSQL: a book that lives in a schema of the shop's database, for shops whose data fit there."""

import hashlib
import io
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import ibis.backends.sql.compilers as sc
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import sqlglot.expressions as sge
from ibis.backends.postgres import Backend
from psycopg import sql

from collect_analysis.book.durable import file_hash
from collect_analysis.book.engines.base import COMPENSATED, EXACT_PRODUCTS, Engine, canonical_arrow
from collect_analysis.book.origin import file_as_it_lies
from collect_analysis.errors import WorkplaceError

VARIABLE = "COLLECT_POSTGRES"
_SETTINGS = {"timezone": "UTC", "datestyle": "ISO", "extra_float_digits": "1", "jit": "off", "work_mem": "64MB"}
_SQL_TYPES = {
    "string": "text",
    "date": "date",
    "timestamp(6)": "timestamp",
    "int64": "bigint",
    "float64": "double precision",
    "boolean": "boolean",
}


class _Compiler(sc.postgres.PostgresCompiler):
    """Ibis' compiler where PostgreSQL would count differently from the others."""

    __slots__ = ()

    def visit_AggUDF(self, op: ops.AggUDF, *, where: Any, **kw: Any) -> Any:
        """A compensated sum is an exact one here: the shortest text of a number is exact, its direct cast keeps 15 digits."""
        if op.__func_name__ == EXACT_PRODUCTS:
            left, right = (self.cast(value, dt.Decimal()) for value in kw.values())
            return self.cast(self.agg.sum(left * right, where=where), dt.float64)
        if op.__func_name__ == COMPENSATED:
            (value,) = kw.values()
            return self.cast(self.agg.sum(self._exact(value), where=where), dt.float64)
        return super().visit_AggUDF(op, where=where, **kw)

    def visit_Cast(self, op: ops.Cast, *, arg: Any, to: dt.DataType) -> Any:
        """A flag becomes a whole number only by way of `integer`."""
        if op.arg.dtype.is_boolean() and to.is_numeric() and to != dt.int32:
            arg = self.cast(arg, dt.int32)
        return super().visit_Cast(op, arg=arg, to=to)

    def visit_HexDigest(self, op: ops.HexDigest, *, arg: Any, how: str) -> Any:
        """Ibis has no rule for it here; the server has both hashes."""
        if how == "md5":
            return self.f.md5(arg)
        if how == "sha256":
            return self.f.encode(self.f.sha256(self.f.convert_to(arg, "UTF8")), "hex")
        raise NotImplementedError(f"no hash {how}; use md5 or sha256")

    def visit_NonNullLiteral(self, op: ops.Literal, *, value: Any, dtype: dt.DataType) -> Any:
        """A number with a point is a decimal here; in Ibis it is a float."""
        if dtype.is_floating() and math.isfinite(value):
            return self.cast(sge.convert(value), dt.float64)
        return super().visit_NonNullLiteral(op, value=value, dtype=dtype)

    def visit_StringFind(self, op: ops.StringFind, **kw: Any) -> Any:
        """A position is four bytes here and eight in Ibis, which then drops the cast that arithmetic needs."""
        return self.cast(super().visit_StringFind(op, **kw), dt.int64)

    def visit_StringLength(self, op: ops.StringLength, *, arg: Any) -> Any:
        """As a position."""
        return self.cast(self.f.length(arg), dt.int64)

    def visit_Round(self, op: ops.Round, *, arg: Any, digits: Any) -> Any:
        """Halves go away from zero, as money does; PostgreSQL rounds floating-point halves to even."""
        rounded = self.f.round(self._exact(arg) if op.arg.dtype.is_floating() else arg, *(() if digits is None else (digits,)))
        return self.cast(rounded, op.dtype)

    def _exact(self, value: Any) -> Any:
        return self.cast(self.cast(value, dt.string), dt.Decimal())


class _Backend(Backend):
    compiler = _Compiler()

    def create_table(self, name: str, /, obj: Any = None, **options: Any) -> ir.Table:
        """With statistics, without which the server plans badly."""
        table = super().create_table(name, obj, **options)
        self.con.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(name)))
        return table

    def _drop_cached_table(self, name: str) -> None:
        if not self.con.closed:
            super()._drop_cached_table(name)


class PostgresEngine(Engine):
    """The tables of a book in a schema of their own, copied there once; what a run builds lives in temporary tables.

    `label` names the contents of the book: the same contents are copied once, whoever opens them. The connection text comes from
    environment variable COLLECT_POSTGRES and is never told.

    Raises
    ------
    WorkplaceError
        The variable is not set, or the server cannot be reached or refuses.
    """

    name = "postgres"

    def __init__(self, *, label: str = "") -> None:
        super().__init__()
        text = os.environ.get(VARIABLE)
        if not text:
            raise WorkplaceError(
                f"environment variable {VARIABLE} is not set; it holds the connection text of the database the book lives in"
            )
        try:
            self._connection = psycopg.connect(text, connect_timeout=10, client_encoding="utf8", autocommit=True)
        except psycopg.Error as error:
            raise WorkplaceError(
                f"the database of {VARIABLE} answered {type(error).__name__}; check that it runs and the connection text"
            ) from None
        for setting, value in _SETTINGS.items():
            self._connection.execute("SELECT set_config(%s, %s, false)", (setting, value))
        self._schema = f"book_{label[:24]}" if label else ""
        self._backend = _Backend.from_connection(self._connection)
        self._tables: dict[str, ir.Table] = {}

    def register_files(self, name: str, files: Iterable[Path], types: dict[str, str]) -> None:
        """As `Engine.register_files`: a table of the book's schema, copied from the files unless it is there."""
        paths = list(files)
        if not paths:
            self.register_empty(name, types)
            return
        schemas = [pq.read_schema(path) for path in paths]
        extra = {field.name: field.type for schema in schemas for field in schema if field.name not in types}
        columns = {**types, **{column: ibis.dtype(ibis.schema(pa.schema([(column, kind)]))[column]) for column, kind in extra.items()}}
        columns = {column: str(kind).removeprefix("!") for column, kind in columns.items()}
        if self._schema:
            # Another layout of the same contents, a file changed by hand, another way to copy: each is another table.
            made_from = (columns, [file_as_it_lies(path) for path in paths], file_hash(Path(__file__)))
            layout = hashlib.sha256(repr(made_from).encode()).hexdigest()[:12]
            self._remember(name, columns, self._copied(f"{name}_{layout}", paths, columns))
            return
        self._create(sql.Identifier(name), columns)
        for path in paths:
            self._copy(sql.Identifier(name), pq.read_table(path), columns)
        self._remember(name, columns)

    def register_empty(self, name: str, types: dict[str, str]) -> None:
        """As `Engine.register_empty`: a temporary table."""
        self._create(sql.Identifier(name), types)
        self._remember(name, types)

    def register_frame(self, name: str, frame: pd.DataFrame, types: dict[str, str]) -> None:
        """As `Engine.register_frame`: a temporary table."""
        arrow = canonical_arrow(frame, types)
        found = ibis.memtable(arrow).schema()
        columns = {column: types.get(column) or str(found[column]) for column in arrow.column_names}
        self._create(sql.Identifier(name), columns)
        self._copy(sql.Identifier(name), arrow, columns)
        self._connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(name)))
        self._remember(name, columns)

    def table(self, name: str) -> ir.Table:
        """As `Engine.table`."""
        return self._tables[name]

    @contextmanager
    def materialized(self, expression: ir.Table) -> Iterator[ir.Table]:
        """As `Engine.materialized`: a temporary table."""
        name = self._next_name()
        table = self._backend.create_table(name, expression, temp=True)
        try:
            yield table
        finally:
            if not self._connection.closed:
                self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))

    def close(self) -> None:
        """Close the connection: temporary tables go with it, the book's schema stays."""
        self._connection.close()

    def _arrow(self, expression: ir.Table) -> pa.Table:
        self._backend._run_pre_execute_hooks(expression)
        schema = expression.schema()
        rows = self._connection.execute(self._backend.compile(expression)).fetchall()
        columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
        arrays = [_array(column, schema[name]) for name, column in zip(schema, columns, strict=True)]
        return pa.Table.from_arrays(arrays, schema=schema.to_pyarrow())

    def _copied(self, name: str, paths: Sequence[Path], columns: dict[str, str]) -> str:
        """Copy files into a table of the book's schema unless it is there; its name."""
        target = sql.Identifier(self._schema, name)
        with self._connection.transaction():
            # Two runs that open a new book at once must not copy it twice.
            self._connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (self._schema,))
            self._connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self._schema)))
            there = self._connection.execute("SELECT to_regclass(%s)", (target.as_string(self._connection),)).fetchone()
            if not there or not there[0]:
                self._create(target, columns, kind="TABLE")
                for path in paths:
                    self._copy(target, pq.read_table(path), columns)
                self._connection.execute(sql.SQL("ANALYZE {}").format(target))
        return name

    def _create(self, target: sql.Identifier, columns: dict[str, str], *, kind: str = "TEMPORARY TABLE") -> None:
        parts = [sql.SQL("{} " + _SQL_TYPES[type_]).format(sql.Identifier(column)) for column, type_ in columns.items()]
        self._connection.execute(sql.SQL("CREATE " + kind + " {} ({})").format(target, sql.SQL(", ").join(parts)))

    def _copy(self, target: sql.Identifier, arrow: pa.Table, columns: dict[str, str]) -> None:
        """Rows go as CSV, in which an empty text is quoted and an empty cell is not."""
        wanted = [column for column in columns if column in arrow.column_names and not pa.types.is_null(arrow[column].type)]
        arrow = arrow.select(wanted).cast(ibis.schema({column: columns[column] for column in wanted}).to_pyarrow())
        names = sql.SQL(", ").join(sql.Identifier(column) for column in wanted)
        with (
            self._connection.cursor() as cursor,
            cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(target, names)) as copy,
        ):
            for batch in arrow.to_batches(max_chunksize=50_000):
                buffer = io.BytesIO()
                pyarrow.csv.write_csv(pa.Table.from_batches([batch]), buffer, pyarrow.csv.WriteOptions(include_header=False))
                copy.write(buffer.getvalue())

    def _remember(self, name: str, columns: dict[str, str], copied: str = "") -> None:
        space = ops.Namespace(database=self._schema if copied else None)
        table = ops.DatabaseTable(copied or name, schema=ibis.schema(columns), source=self._backend, namespace=space)
        self._tables[name] = table.to_expr()


def _array(column: Sequence[Any], kind: dt.DataType) -> pa.Array:
    """Whole numbers and floats may arrive as decimals: the server adds up in those."""
    if kind.is_floating():
        column = [None if value is None else float(value) for value in column]
    elif kind.is_integer():
        column = [int(value) if isinstance(value, Decimal | bool) else value for value in column]
    return pa.array(column, type=kind.to_pyarrow())
