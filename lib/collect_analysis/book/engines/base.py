"""What every engine can do: hold canonical tables and run Ibis expressions over them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from collect_analysis.errors import DataError

# A result that a person or a page can use is small; more rows than this means somebody is pulling facts into a frame.
MAX_RESULT_ROWS = 200_000
# What sums that do not depend on the order of rows are called in an expression; each engine says how it adds.
COMPENSATED = "fsum"
EXACT_PRODUCTS = "sum_of_exact_products"


class Engine(ABC):
    """A connection that holds canonical tables and runs expressions over them.

    An engine keeps its tables by name, stores timestamps without a zone, and returns the same numbers as any other: whole numbers to the
    unit, ratios to 1e-9.
    """

    name: str
    _backend: Any

    def __init__(self) -> None:
        self._numbers = count(1)

    @abstractmethod
    def register_files(self, name: str, files: Iterable[Path], types: dict[str, str]) -> None:
        """Make `name` the union of Parquet `files`; columns a file lacks are empty, `types` fixes the canonical ones."""

    @abstractmethod
    def register_empty(self, name: str, types: dict[str, str]) -> None:
        """Make `name` an empty table of the given types."""

    @abstractmethod
    def register_frame(self, name: str, frame: pd.DataFrame, types: dict[str, str]) -> None:
        """Make `name` an in-memory table from a frame; canonical columns are cast to `types`, absent ones are empty."""

    @abstractmethod
    def materialized(self, expression: ir.Table) -> AbstractContextManager[ir.Table]:
        """Run an expression once and keep its rows where the data live, for several expressions that read it; gone afterwards."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    @abstractmethod
    def _arrow(self, expression: ir.Table) -> pa.Table:
        """The rows of an expression."""

    def table(self, name: str) -> ir.Table:
        """The registered table `name`."""
        table: ir.Table = self._backend.table(name)
        return table

    def frame(self, expression: ir.Table) -> pd.DataFrame:
        """Run an expression that returns a small table.

        Raises
        ------
        DataError
            The result has more rows than a report can use: aggregate in the expression instead.
        """
        arrow = self._arrow(expression.limit(MAX_RESULT_ROWS + 1))
        if arrow.num_rows > MAX_RESULT_ROWS:
            raise DataError(f"a measure returned more than {MAX_RESULT_ROWS:,} rows; aggregate where the data live instead of pulling rows")
        return arrow.to_pandas()

    def scalar(self, expression: ir.Scalar) -> object:
        """Run an expression that returns one value; None where it is undefined."""
        return self._arrow(expression.as_table())[0][0].as_py()

    def batches(self, expression: ir.Table, *, rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """Run an expression whose rows leave piece by piece, for an operational list: never all of them in memory.

        The expression must rest on tables of this engine (registered or cached ones).
        """
        yield from self._arrow(expression).to_batches(max_chunksize=rows)

    def _next_name(self) -> str:
        return f"materialized__{next(self._numbers)}"


def canonical_arrow(frame: pd.DataFrame, types: dict[str, str]) -> pa.Table:
    """A frame with the canonical columns first, as Arrow; absent columns are empty. Through Arrow: pandas 3 types stay out of the engines."""
    given = pa.Table.from_pandas(frame, preserve_index=False)
    schema = ibis.schema(types).to_pyarrow()
    # Typed, because an empty column of numbers cannot become one of days.
    columns = {name: given[name] if name in frame.columns else pa.nulls(len(frame), schema.field(name).type) for name in types}
    return pa.table({**columns, **{name: given[name] for name in given.column_names if name not in types}})


def with_canonical(table: ir.Table, types: dict[str, str], *, cast: bool) -> ir.Table:
    """The canonical columns of `types` first, those that lack empty; the others behind. `cast`: also where they are there."""
    present = set(table.columns)
    columns = {name: _canonical(table, name, kind, cast=cast) if name in present else ibis.null(kind) for name, kind in types.items()}
    extra = [name for name in table.columns if name not in types]
    return table.select(*[value.name(name) for name, value in columns.items()], *extra)


def _canonical(table: ir.Table, name: str, kind: str, *, cast: bool) -> ir.Value:
    return table[name].cast(kind) if cast else table[name]
