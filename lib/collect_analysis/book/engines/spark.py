"""Spark: the same expressions where the data are too many for one machine."""

import math
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import ibis
import ibis.backends.sql.compilers as sc
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
import sqlglot.expressions as sge

from collect_analysis.book.engines.base import COMPENSATED, EXACT_PRODUCTS, Engine, canonical_arrow, with_canonical
from collect_analysis.book.private_folders import PrivateFolder
from collect_analysis.errors import WorkplaceError

VARIABLE = "COLLECT_SPARK_MASTER"
DEFAULT_MASTER = "local[*]"
# PySpark 4.3 does not know pandas 3 and says so once; nothing here goes through pandas.
_WARNED_OF = "PySpark does not yet fully support pandas"
_SETTINGS = {
    "spark.app.name": "collect",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.driver.memory": "2g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}
# Neumaier's sum over sorted numbers: the same to the last bit however the rows were split. A group's numbers come together in one place.
_COMPENSATED = """
CREATE OR REPLACE TEMPORARY FUNCTION compensated_of(numbers ARRAY<DOUBLE>) RETURNS DOUBLE RETURN
  IF(size(numbers) = 0, CAST(NULL AS DOUBLE), aggregate(
    array_sort(numbers),
    named_struct('s', 0D, 'c', 0D),
    (a, x) -> named_struct('s', a.s + x, 'c', a.c + IF(abs(a.s) >= abs(x), (a.s - (a.s + x)) + x, (x - (a.s + x)) + a.s)),
    a -> a.s + a.c))
"""


class _Compiler(sc.pyspark.PySparkCompiler):
    """Ibis' compiler where Spark would count differently from the others."""

    __slots__ = ()

    def visit_AggUDF(self, op: ops.AggUDF, *, where: Any, **kw: Any) -> Any:
        """See `_COMPENSATED`; 18 digits hold any sum of money, and their product is exact in 37."""
        if op.__func_name__ == EXACT_PRODUCTS:
            left, right = (self.cast(value, dt.Decimal(18, 0)) for value in kw.values())
            return self.cast(self.agg.sum(left * right, where=where), dt.float64)
        if op.__func_name__ == COMPENSATED:
            (value,) = kw.values()
            return self.f.anon.compensated_of(self.agg.collect_list(value, where=where))
        return super().visit_AggUDF(op, where=where, **kw)

    def visit_NonNullLiteral(self, op: ops.Literal, *, value: Any, dtype: dt.DataType) -> Any:
        """A number with a point is a decimal here, and decimal arithmetic rounds."""
        if dtype.is_floating() and math.isfinite(value):
            return self.cast(sge.convert(value), dt.float64)
        return super().visit_NonNullLiteral(op, value=value, dtype=dtype)

    def visit_StringFind(self, op: ops.StringFind, **kw: Any) -> Any:
        """A position is four bytes here and eight in Ibis, which then drops the cast that arithmetic needs."""
        return self.cast(super().visit_StringFind(op, **kw), dt.int64)

    def visit_StringLength(self, op: ops.StringLength, *, arg: Any) -> Any:
        """As a position."""
        return self.cast(self.f.length(arg), dt.int64)


@contextmanager
def _unwarned() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_WARNED_OF, category=FutureWarning)
        yield


def _backend_class() -> Any:
    from ibis.backends.pyspark import Backend

    class _Backend(Backend):
        compiler = _Compiler()

        def _register_in_memory_table(self, op: ops.InMemoryTable) -> None:
            arrow = op.data.to_pyarrow(op.schema)
            self._session.createDataFrame(arrow).createOrReplaceTempView(op.name)

        def _create_cached_table(self, name: str, expr: ir.Table) -> ir.Table:
            """Checkpointed, because a plan that grows with every step ends in one that cannot be planned."""
            rows = self._session.sql(self.compile(expr)).localCheckpoint(eager=True)
            rows.createOrReplaceTempView(name)
            self._cached_dataframes[name] = rows
            return ops.DatabaseTable(name, schema=expr.schema(), source=self, namespace=ops.Namespace()).to_expr()

        def _drop_cached_table(self, name: str) -> None:
            self._session.catalog.dropTempView(name)
            self._cached_dataframes.pop(name, None)

    return _Backend


class SparkEngine(Engine):
    """Parquet files and frames as views of a session of its own; COLLECT_SPARK_MASTER names the cluster (default: this machine).

    Raises
    ------
    WorkplaceError
        PySpark or Java is missing, or Spark does not start.
    """

    name = "spark"

    def __init__(self) -> None:
        super().__init__()
        self._views: set[str] = set()
        with _unwarned():
            try:
                backend = _backend_class()
            except ImportError:
                raise WorkplaceError("Spark needs the package pyspark 4.3: pip install pyspark==4.3.0") from None
            self._session = _session()
            self._backend = backend().connect(self._session)
            self._backend.register_options()
            self._session.sql(_COMPENSATED)

    def register_files(self, name: str, files: Iterable[Path], types: dict[str, str]) -> None:
        """As `Engine.register_files`: a view over the files."""
        paths = [str(path) for path in files]
        if not paths:
            self.register_empty(name, types)
            return
        self._session.read.parquet(*paths, mergeSchema=True).createOrReplaceTempView(f"{name}__files")
        self._backend.create_view(name, with_canonical(self._backend.table(f"{name}__files"), types, cast=True), overwrite=True)
        self._views |= {name, f"{name}__files"}

    def register_empty(self, name: str, types: dict[str, str]) -> None:
        """As `Engine.register_empty`."""
        self._view(name, ibis.schema(types).to_pyarrow().empty_table())

    def register_frame(self, name: str, frame: pd.DataFrame, types: dict[str, str]) -> None:
        """As `Engine.register_frame`."""
        arrow = canonical_arrow(frame, types)
        known = ibis.schema(types).to_pyarrow()
        kinds = [known.field(field.name) if field.name in types else field for field in arrow.schema]
        self._view(name, arrow.cast(pa.schema(kinds)))

    @contextmanager
    def materialized(self, expression: ir.Table) -> Iterator[ir.Table]:
        """As `Engine.materialized`."""
        name = self._next_name()
        with _unwarned():
            self._backend._run_pre_execute_hooks(expression)
            table = self._backend._create_cached_table(name, expression)
        try:
            yield table
        finally:
            self._backend._drop_cached_table(name)

    def close(self) -> None:
        """Forget the views; the session of the process stays for the next book."""
        for name in self._views:
            self._session.catalog.dropTempView(name)
        self._views.clear()

    def _view(self, name: str, arrow: pa.Table) -> None:
        with _unwarned():
            self._session.createDataFrame(arrow).createOrReplaceTempView(name)
        self._views.add(name)

    def _arrow(self, expression: ir.Table) -> pa.Table:
        with _unwarned():
            self._backend._run_pre_execute_hooks(expression)
            rows = self._session.sql(self._backend.compile(expression)).toArrow()
        return rows.cast(expression.schema().to_pyarrow())


@cache
def _private_folder() -> PrivateFolder:
    """The folder of this process' Spark, gone when the process has ended."""
    return PrivateFolder("spark")


def _session() -> Any:
    """A session of its own within the one Spark of the process."""
    builder = import_module("pyspark.sql").SparkSession.builder.master(os.environ.get(VARIABLE, DEFAULT_MASTER))
    own = _private_folder().path
    # What does not fit into memory is about persons: Spark, too, spills it where only this user may look.
    places = {"spark.sql.warehouse.dir": str(own / "warehouse"), "spark.local.dir": str(own / "local")}
    for name, value in {**_SETTINGS, **places}.items():
        builder = builder.config(name, value)
    if not os.environ.get(VARIABLE):
        builder = builder.config("spark.sql.shuffle.partitions", str(os.cpu_count() or 1))
    try:
        return builder.getOrCreate().newSession()
    except Exception as error:  # PySpark has no one class for a gateway that does not start
        raise WorkplaceError(
            f"Spark did not start ({type(error).__name__}); it needs Java 17, for example openjdk-17-jre-headless"
        ) from None
