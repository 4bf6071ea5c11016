"""From when to when a row holds: an end before its beginning, and intervals of one thing that overlap."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from collect_analysis.book.contract import Delivery
from collect_analysis.book.schema import Interval

_FOR_EVER = np.datetime64("9999-12-31", "D")


def judge_intervals(delivery: Delivery, files: Iterable[Path]) -> None:
    """Judge the intervals of a delivery, in it and beside those the book has (`files` of its table).

    Checks: ends_before_it_begins; overlapping_intervals, of every row of the delivery that overlaps another of the same thing: which of the
    two holds on the days they share is unknown.
    """
    for interval in delivery.table.intervals:
        if {interval.start, interval.end} <= set(delivery.rows.column_names):
            starts, ends = (pc.cast(delivery.rows[name], pa.timestamp("us")) for name in (interval.start, interval.end))
            if pa.types.is_date(delivery.rows[interval.end].type):
                starts = pc.floor_temporal(starts, unit="day")
            wrong = pc.fill_null(pc.less(ends, starts), False).to_numpy()
            delivery.fault(interval.end, "ends_before_it_begins", np.flatnonzero(wrong & ~delivery.bad), start=interval.start)
        if interval.of and interval.start in delivery.rows.column_names:
            _judge_overlaps(delivery, interval, files)


def _judge_overlaps(delivery: Delivery, interval: Interval, files: Iterable[Path]) -> None:
    good = delivery.good
    columns = [*interval.of, interval.start, interval.end]
    there = [name for name in columns if name in delivery.rows.column_names]
    mine = delivery.rows.select(there).take(pa.array(good)).append_column("row", pa.array(good, pa.int64()))
    held = [pyarrow.parquet.read_table(path, columns=columns) for path in files]
    held = [table.append_column("row", pa.array(np.full(table.num_rows, -1), pa.int64())) for table in held]
    rows = pa.concat_tables([mine, *held], promote_options="default").to_pandas(date_as_object=False)
    rows = rows.dropna(subset=[*interval.of, interval.start])
    ends = rows[interval.end] if interval.end in rows else pd.Series(pd.NaT, index=rows.index)
    rows["until"] = ends.to_numpy("datetime64[D]") + np.timedelta64(int(interval.end_included), "D")
    rows["until"] = np.where(np.isnat(rows["until"].to_numpy("datetime64[D]")), _FOR_EVER, rows["until"].to_numpy("datetime64[D]"))
    rows = rows[rows["until"] > rows[interval.start]].sort_values([*interval.of, interval.start], kind="stable")
    meets = _meeting(rows, list(interval.of), interval.start)
    found = np.sort(rows.loc[meets & (rows["row"] >= 0), "row"].to_numpy(dtype=np.int64))
    delivery.fault(interval.start, "overlapping_intervals", found, of=", ".join(interval.of), end=interval.end)


def _meeting(rows: pd.DataFrame, of: list[str], start: str) -> pd.Series:
    """Which rows, sorted by thing and start, overlap another: they begin before one of those above ends, or end after one below begins."""
    until = rows["until"].astype("datetime64[s]")
    groups = [rows[name] for name in of]
    reach = until.groupby(groups).cummax().groupby(groups).shift()
    next_start = rows[start].groupby(groups).shift(-1)
    return (rows[start] < reach) | (next_start < until)
