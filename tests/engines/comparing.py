"""What a measure says, flattened into cells that can be compared, whatever it returns."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from collect_analysis.book.store import Book

RATIO = 1e-9
Cells = dict[str, Any]


def told(result: Any, *books: Book) -> Cells:
    """Every number and word of a result by its place; an expression is told by its row count and what its columns add up to."""
    cells: Cells = {}
    _tell("", result, books, cells)
    return cells


def differences(left: Cells, right: Cells) -> list[str]:
    """Where two results differ: whole numbers by anything, others by more than 1e-9 of their size."""
    found = [f"{place}: only on one side" for place in left.keys() ^ right.keys()]
    found += [
        f"{place}: {left[place]!r} is {right[place]!r}" for place in left.keys() & right.keys() if not _same(left[place], right[place])
    ]
    return sorted(found)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        whole = one.is_integer() and other.is_integer() and abs(one) < 2**53
        return (
            one == other
            or (math.isnan(one) and math.isnan(other))
            or (not whole and math.isclose(one, other, rel_tol=RATIO, abs_tol=1e-12))
        )
    return bool(one == other)


def _tell(place: str, value: Any, books: Sequence[Book], cells: Cells) -> None:
    if isinstance(value, ir.Table):
        _tell(place, _summary(value, books), books, cells)
    elif isinstance(value, ir.Expr | Book):
        return
    elif isinstance(value, pd.DataFrame):
        _tell_frame(place, value, books, cells)
    elif isinstance(value, pd.Series):
        _tell_frame(place, value.rename("value").reset_index(), books, cells)
    elif isinstance(value, Mapping):
        cells[f"{place} items"] = float(len(value))
        for key, item in value.items():
            _tell(f"{place}[{key}]", item, books, cells)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            _tell(f"{place}.{field.name}", getattr(value, field.name), books, cells)
    elif isinstance(value, np.ndarray):
        _tell(place, pd.DataFrame(value.reshape(len(value), -1)), books, cells)
    elif isinstance(value, list | tuple):
        cells[f"{place} items"] = float(len(value))
        for number, item in enumerate(value):
            _tell(f"{place}[{number}]", item, books, cells)
    else:
        cells[place] = _cell(value)


def _tell_frame(place: str, frame: pd.DataFrame, books: Sequence[Book], cells: Cells) -> None:
    """Rows are put in one order by what is not a fraction, so that equal rows meet."""
    frame = frame.reset_index(drop=list(frame.index.names) == [None])
    keys = frame.apply(lambda column: column.map(lambda cell: _sortable(_cell(cell))))
    ordered = frame.iloc[keys.sort_values(list(keys.columns), kind="stable").index.to_numpy()] if len(frame) > 1 else frame
    cells[f"{place} rows"] = float(len(frame))
    for column in ordered.columns:
        for number, value in enumerate(ordered[column]):
            _tell(f"{place}[{number}].{column}", value, books, cells)


def _cell(value: Any) -> Any:
    if value is None or value is pd.NaT or value is pd.NA:
        return float("nan")
    if isinstance(value, bool | np.bool_ | int | float | np.integer | np.floating):
        return float(value)
    return str(value)[:10] if hasattr(value, "year") and str(value)[10:] in ("", " 00:00:00") else str(value)


def _sortable(cell: Any) -> str:
    return f"{cell:.6e}" if isinstance(cell, float) else str(cell)


def _summary(table: ir.Table, books: Sequence[Book]) -> pd.DataFrame:
    """Rows, filled cells and totals of a relation that never leaves the engine."""
    sums: dict[str, ir.Value] = {"rows": table.count()}
    for name, kind in table.schema().items():
        column = table[name]
        sums[f"{name} filled"] = column.count()
        if kind.is_integer() or kind.is_boolean():
            sums[f"{name} total"] = column.cast("int64").sum().cast("int64")
        elif kind.is_floating():
            sums[f"{name} total"] = column.sum()
        elif kind.is_string():
            sums[f"{name} kinds"] = column.nunique()
        else:
            sums[f"{name} first"], sums[f"{name} last"] = column.min(), column.max()
    (book,) = [each for each in books if each._engine._backend is table.get_backend()]
    return book.frame(table.aggregate(**sums))


__all__ = ["differences", "told"]
