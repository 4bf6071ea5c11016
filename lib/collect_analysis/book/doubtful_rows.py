"""Rows that a delivery shows by itself to be doubtful: a last line that may be cut, a total that differs, a bucket that contradicts its days."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collect_analysis.book.contract import Delivery
from collect_analysis.book.parsing.numbers import exact_total, read_as_decimals, style_of
from collect_analysis.book.parsing.words import prepared
from collect_analysis.book.readers.cells import Cells, text_column
from collect_analysis.book.source_format import ColumnRule, Source
from collect_analysis.book.source_rules import column_of

# What a cut leaves readable: 123456 becomes 123; a date or a listed word does not.
_CUT_UNSEEN = ("key", "money", "integer", "number")
DAYS_OF_BUCKET = 30
# Months of 31 days, and a bucket kept until the next night: a neighbouring bucket is no contradiction.
DAYS_OF_GRACE = 31


def judge_rows(delivery: Delivery, cells: Cells, source: Source) -> None:
    """Judge the rows of a delivery. Checks: cut_line, footer_total_differs, bucket_contradicts_dpd."""
    rules = source.tables[delivery.table.name].rules
    _judge_last_line(delivery, cells, source, rules)
    _judge_footer(delivery, cells, source, rules)
    if {"dpd", "bucket"} <= set(delivery.rows.column_names):
        _judge_buckets(delivery)


def _judge_last_line(delivery: Delivery, cells: Cells, source: Source, rules: dict[str, ColumnRule]) -> None:
    """The last row, where its line is not ended and a cut in its last cell would not show: unless the sender states the sum of that column."""
    last = cells.header[-1] if cells.header else ""
    if cells.whole or last in source.control.totals:
        return
    for target, rule in rules.items():
        column = column_of(delivery.table, target)
        if column is not None and column.type in _CUT_UNSEEN and last in rule.source_columns and not rule.codes:
            delivery.fault(target, "cut_line", np.flatnonzero(delivery.taken == cells.rows - 1))
            return


def _judge_footer(delivery: Delivery, cells: Cells, source: Source, rules: dict[str, ColumnRule]) -> None:
    """The sum of a column beside the total below it."""
    for target, rule in rules.items():
        column = column_of(delivery.table, target)
        if column is None or column.type != "money" or rule.source is None or rule.source not in cells.columns:
            continue
        written = cells.columns[rule.source]
        style = style_of(rule, source.format, written.native)
        below = text_column([row.get(rule.source) for row in cells.footer], native=written.native)
        stated = [number for number in read_as_decimals(prepared(below, column, rule, source.format).texts, style) if number is not None]
        if not stated:
            continue
        counts = np.bincount(written.index[written.index >= 0], minlength=len(written.words))
        total, _ = exact_total(prepared(written, column, rule, source.format).texts, counts, style)
        if total != stated[0]:
            delivery.fault_of_whole("footer_total_differs", column=rule.source, found=_plain(total), stated=_plain(stated[0]))


def _plain(number: Decimal) -> str:
    return f"{number:,f}"


def _judge_buckets(delivery: Delivery) -> None:
    """Open rows whose days past due lie beyond a neighbour of their bucket; the highest bucket has no upper end."""
    good = delivery.good
    rows = delivery.rows.take(pa.array(good))
    filled = pc.and_(rows["dpd"].is_valid(), rows["bucket"].is_valid())
    if "status" in rows.column_names:
        filled = pc.and_(filled, pc.fill_null(pc.equal(rows["status"], "open"), False))
    dpd, bucket = (pc.fill_null(rows[name], 0).to_numpy() for name in ("dpd", "bucket"))
    highest = bucket.max(initial=0)
    low = np.where(bucket > 0, DAYS_OF_BUCKET * (bucket - 1) + 1, 0) - DAYS_OF_GRACE
    high = np.where(bucket < max(highest, 1), DAYS_OF_BUCKET * bucket + DAYS_OF_GRACE, np.iinfo(np.int64).max)
    wrong = filled.to_numpy() & ((dpd < low) | (dpd > high))
    days = pc.unique(pa.array(dpd[wrong])).to_pylist()[:3]
    delivery.fault("bucket", "bucket_contradicts_dpd", good[wrong], days=", ".join(map(str, days)))
