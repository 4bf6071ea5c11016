"""Days that stand for a month must be its first or last day: measures join them by the day, and another one joins nothing."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from collect_analysis.book.contract import Delivery
from collect_analysis.book.parsing.times import at_edge
from collect_analysis.book.reasons import Fault
from collect_analysis.book.schema import Table
from collect_analysis.errors import DataError

MOST_DAYS = 6
# Moved to the end of its own month such a day would stand a month too late.
_NEXT_DAY = "; a 1st may mean the end of the month before: ask the sender"
_WORDS = {"start": "first", "end": "last"}


def judge_edges(delivery: Delivery, accounts: Collection[Path]) -> None:
    """Judge the days of a delivery that are meant as an edge of their month and lie elsewhere, with days, portfolios and rows.

    `accounts`: the files of table `account` so far, for which portfolio writes which day.
    """
    for column, edge in _edges(delivery.table, delivery.rows.column_names):
        good = delivery.good
        days = delivery.rows[column].take(pa.array(good))
        off = [day for day in pc.unique(days).to_pylist() if day is not None and day != at_edge(day, edge)]
        rows = good[pc.is_in(days, value_set=pa.array(off, pa.date32())).to_numpy()] if off else good[:0]
        told = _told(delivery, delivery.rows[column], rows, accounts)
        reason = "off_month_end" if column == "month_end" else "off_period_edge"
        hint = _NEXT_DAY if edge == "end" and any(day.day == 1 for day in off) else ""
        delivery.fault(column, reason, rows, days=told, edge=edge, which=_WORDS[edge], hint=hint)
        _tell_moved(delivery, column, edge, accounts)


def refuse_off_edge(name: str, table: Table, frame: pd.DataFrame) -> None:
    """Refuse a frame whose days do not stand at the edge of their month that the table means.

    Raises
    ------
    DataError
        Which column, which days, in how many rows.
    """
    for column, edge in _edges(table, list(frame.columns)):
        days = pd.to_datetime(frame[column]).dt.date
        off = Counter(day for day in days if not pd.isna(day) and day != at_edge(day, edge))
        if off:
            raise DataError(f"table {name}: {column} is not the {_WORDS[edge]} day of its month: {_listed(off)}; move it there")


def _edges(table: Table, columns: Iterable[str]) -> Iterator[tuple[str, str]]:
    there = set(columns)
    yield from ((column.name, column.edge) for column in table.columns if column.edge and column.name in there)


def _tell_moved(delivery: Delivery, column: str, edge: str, accounts: Collection[Path]) -> None:
    """Note the days that the mapping moved to the edge."""
    if column not in delivery.as_written:
        return
    written = delivery.as_written[column]
    moved = np.flatnonzero(
        pc.fill_null(pc.not_equal(written, delivery.rows[column].combine_chunks()), False).to_numpy(zero_copy_only=False)
    )
    rows = moved[~delivery.bad[moved]]
    if len(rows):
        facts: dict[str, object] = {"days": _told(delivery, written, rows, accounts), "which": _WORDS[edge]}
        shown: list[str | None] = [str(day) for day in written.take(pa.array(rows)).to_pylist()]
        delivery.set_aside(Fault(column, "", "moved_to_edge", rows, shown, facts, "note"))


def _told(delivery: Delivery, column: pa.Array | pa.ChunkedArray, rows: np.ndarray, accounts: Collection[Path]) -> str:
    """Which days, of which portfolios, in how many rows."""
    days = [str(day) for day in column.take(pa.array(rows)).to_pylist()]
    if not accounts or "account_key" not in delivery.rows.column_names or not len(rows):
        return _listed(Counter(days))
    known = pa.concat_tables([pyarrow.parquet.read_table(path, columns=["account_key", "portfolio_code"]) for path in accounts])
    place = pc.index_in(delivery.rows["account_key"].take(pa.array(rows)), value_set=known["account_key"].combine_chunks())
    codes = known["portfolio_code"].take(place).to_pylist()
    return _listed(Counter(f"{day} in portfolio {code or 'unknown'}" for day, code in zip(days, codes, strict=True)))


def _listed(found: Counter[str] | Counter[date]) -> str:
    listed = [f"{day} ({count:,} rows)" for day, count in sorted(found.items(), key=lambda item: str(item[0]))]
    more = f" and {len(listed) - MOST_DAYS:,} more" if len(listed) > MOST_DAYS else ""
    return f"{', '.join(listed[:MOST_DAYS])}{more}"
