"""The one place that knows which engine runs: Ibis expressions on DuckDB."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from collect_analysis.errors import DataError

# A result that a person or a page can use is small; more rows than this means somebody is pulling facts into a frame.
MAX_RESULT_ROWS = 200_000


class Engine:
    """A connection that holds canonical tables as views or in-memory tables and runs expressions over them."""

    def __init__(self, *, memory_limit: str = "3GB", threads: int | None = None) -> None:
        options = {"memory_limit": memory_limit, "preserve_insertion_order": False}
        if threads:
            options["threads"] = threads
        self._backend = ibis.duckdb.connect(**options)
        self._numbers = count(1)

    def register_files(self, name: str, files: Iterable[Path], types: dict[str, str]) -> None:
        """Make `name` the union of Parquet `files`; columns a file lacks are empty, `types` fixes the canonical ones."""
        paths = [str(path) for path in files]
        if not paths:
            self.register_empty(name, types)
            return
        table = self._backend.read_parquet(paths, table_name=f"{name}__files", union_by_name=True)
        present = set(table.columns)
        missing = {column: ibis.null(kind).name(column) for column, kind in types.items() if column not in present}
        table = table.mutate(**missing) if missing else table
        extra = [column for column in table.columns if column not in types]
        self._backend.create_view(name, table.select(*types, *extra), overwrite=True)

    def register_empty(self, name: str, types: dict[str, str]) -> None:
        """Make `name` an empty table of the given types."""
        self._backend.create_table(name, schema=ibis.schema(types), overwrite=True)

    def register_frame(self, name: str, frame: pd.DataFrame, types: dict[str, str]) -> None:
        """Make `name` an in-memory table from a frame; canonical columns are cast to `types`, absent ones are empty."""
        source = frame.reindex(columns=[*types, *(c for c in frame.columns if c not in types)])
        # Through Arrow: Ibis reads a pandas option that pandas 3 warns of when it infers types from a frame itself.
        table = ibis.memtable(pa.Table.from_pandas(source, preserve_index=False))
        casts = {column: table[column].cast(kind) for column, kind in types.items()}
        self._backend.create_table(name, table.mutate(**casts), overwrite=True)

    def table(self, name: str) -> ir.Table:
        """The registered table or view `name`."""
        return self._backend.table(name)

    def frame(self, expression: ir.Table) -> pd.DataFrame:
        """Run an expression that returns a small table.

        Raises
        ------
        DataError
            The result has more rows than a report can use: aggregate in the expression instead.
        """
        arrow = self._backend.to_pyarrow(expression.limit(MAX_RESULT_ROWS + 1))
        if arrow.num_rows > MAX_RESULT_ROWS:
            raise DataError(f"a measure returned more than {MAX_RESULT_ROWS:,} rows; aggregate where the data live instead of pulling rows")
        return arrow.to_pandas()

    def scalar(self, expression: ir.Scalar) -> object:
        """Run an expression that returns one value; None where it is undefined."""
        return self._backend.to_pyarrow(expression).as_py()

    def batches(self, expression: ir.Table, *, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """Run an expression whose rows leave piece by piece, for an operational list: never all of them in memory.

        The expression must rest on tables of this engine (registered or cached ones).
        """
        # Ibis' own way calls a DuckDB method that is going away.
        yield from self._backend.raw_sql(self._backend.compile(expression)).to_arrow_reader(rows)

    @contextmanager
    def materialized(self, expression: ir.Table) -> Iterator[ir.Table]:
        """Run an expression once and keep its rows where the data live, for several expressions that read it; gone afterwards."""
        name = f"materialized__{next(self._numbers)}"
        self._backend.create_table(name, expression, temp=True)
        try:
            yield self._backend.table(name)
        finally:
            self._backend.drop_table(name)

    def close(self) -> None:
        """Close the connection."""
        self._backend.disconnect()


def sum_of_products(left: ir.NumericColumn, right: ir.NumericColumn) -> ir.NumericScalar:
    """Sum of products, the same to the last bit whatever the order of rows: exact for money and counts, compensated for numbers.

    Parallel floating-point sums depend on how the work was split; the same inputs must give the same results file.
    """
    if left.type().is_integer() and right.type().is_integer():
        # 18 digits hold any sum of money, and their product is exact in 36; wider decimals are five times slower, and Spark rounds them.
        exact = left.cast("decimal(18,0)") * right.cast("decimal(18,0)")
        return exact.sum().cast("float64")
    return compensated_sum(left.cast("float64") * right.cast("float64"))


@ibis.udf.agg.builtin(name="fsum", signature=(("float64",), "float64"))
def compensated_sum(value):
    """Kahan-compensated sum: errors of order 1e-16 of the sum instead of growing with the number of rows."""
