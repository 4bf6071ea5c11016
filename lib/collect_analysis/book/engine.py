"""The one place that knows which engine runs, and the sums that give the same result on all of them."""

import os

import ibis
import ibis.expr.types as ir

from collect_analysis.book.engines.base import COMPENSATED, EXACT_PRODUCTS, MAX_RESULT_ROWS, Engine
from collect_analysis.errors import ParameterError, nearest

__all__ = ["ENGINES", "MAX_RESULT_ROWS", "Engine", "compensated_sum", "open_engine", "sum_of_products"]

VARIABLE = "COLLECT_ENGINE"
ENGINES = ("duckdb", "spark", "postgres")


def open_engine(*, label: str = "", kind: str | None = None) -> Engine:
    """The engine that environment variable COLLECT_ENGINE names (duckdb, spark, postgres; default duckdb), or `kind`.

    `label` names the contents of the book that will live on it.

    Raises
    ------
    ParameterError
        There is no such engine.
    WorkplaceError
        What it needs is missing: a package, Java, a database.
    """
    wanted = kind or os.environ.get(VARIABLE) or ENGINES[0]
    # Each brings heavy packages of its own: only the one that runs is imported.
    if wanted == "duckdb":
        from collect_analysis.book.engines.duckdb import DuckDBEngine

        return DuckDBEngine()
    if wanted == "spark":
        from collect_analysis.book.engines.spark import SparkEngine

        return SparkEngine()
    if wanted == "postgres":
        from collect_analysis.book.engines.postgres import PostgresEngine

        return PostgresEngine(label=label)
    raise ParameterError(f"{VARIABLE} is '{wanted}', which is no engine; {nearest(wanted, ENGINES)}")


def sum_of_products(left: ir.NumericColumn, right: ir.NumericColumn) -> ir.NumericScalar:
    """Sum of products, the same to the last bit whatever the order of rows: exact for money and counts, compensated for numbers.

    Parallel floating-point sums depend on how the work was split; the same inputs must give the same results file.
    """
    if left.type().is_integer() and right.type().is_integer():
        return _sum_of_exact_products(left.cast("int64"), right.cast("int64"))
    return compensated_sum(left.cast("float64") * right.cast("float64"))


@ibis.udf.agg.builtin(name=COMPENSATED, signature=(("float64",), "float64"))
def compensated_sum(value):
    """Compensated sum: errors of order 1e-16 of the sum instead of growing with the number of rows."""


@ibis.udf.agg.builtin(name=EXACT_PRODUCTS, signature=(("int64", "int64"), "float64"))
def _sum_of_exact_products(left, right):
    """Sum of products of whole numbers, rounded once at the end."""
