"""The contract of a canonical table: every row of a delivery typed, every cell that does not keep the contract marked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collect_analysis.book import two_columns
from collect_analysis.book.parsing.columns import Parsed, arrow_type, parse
from collect_analysis.book.parsing.words import POINT_ZERO, word_list
from collect_analysis.book.readers.cells import Cells, TextColumn, constant_column, text_column
from collect_analysis.book.reasons import Fault, Severity, severity_of
from collect_analysis.book.schema import MINOR_DIGITS, Column, Table
from collect_analysis.book.source_format import ColumnRule, Source, TableMapping
from collect_analysis.book.source_rules import column_of, complete_rules
from collect_analysis.errors import DataError

FIRST_DAY = date(1990, 1, 1)
YEARS_AHEAD = 50  # a term or a plan may end in the future, not in 9999
MOST_SHOWN = 200


@dataclass
class Delivery:
    """One delivery typed for one canonical table, in the order it came.

    `rows` (k,) holds the canonical columns, null where empty or unfit; `lines` (k,) the line of the source; `bad` (k,) whether a row is set
    aside; `taken` (k,) the row of the source's cells each row was made of. `faults` took rows out, `noted` did not; `severities` holds what
    the mapping file declares of checks; `as_written` the days of columns that the mapping moves to an edge.
    """

    table: Table
    origin: str
    rows: pa.Table
    lines: np.ndarray
    severities: Mapping[str, Severity] = field(default_factory=dict)
    as_written: dict[str, pa.Array] = field(default_factory=dict)
    taken: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    faults: list[Fault] = field(default_factory=list)
    noted: list[Fault] = field(default_factory=list)
    bad: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    unreadable_money: int = 0
    notes: list[str] = field(default_factory=list)

    def set_aside(self, fault: Fault) -> None:
        """Take rows out, for a reason; where the reason is worth a note only, keep and tell them."""
        if not len(fault.rows):
            return
        if fault.severity == "note":
            self.noted.append(fault)
            return
        self.faults.append(fault)
        self.bad[fault.rows] = True

    def fault(self, target: str, reason: str, rows: np.ndarray, **facts: object) -> None:
        """Judge rows by a fault that shows in a typed column: refused, set aside or noted, as its severity says."""
        severity = severity_of(reason, self.severities)
        # As text in the engine: a year 10000, which a zone can make of the last day of 9999, is no date of Python's.
        there = target in self.rows.column_names
        values = self.rows[target].take(pa.array(rows)).cast(pa.string()).to_pylist() if there else [None] * len(rows)
        self.set_aside(Fault(target, "", reason, rows, [value and value[:MOST_SHOWN] for value in values], facts, severity))

    def fault_of_whole(self, reason: str, **facts: object) -> None:
        """Judge the delivery as a whole: it is refused, or noted."""
        fault = Fault.of_whole(reason, self.severities, **facts)
        (self.noted if fault.severity == "note" else self.faults).append(fault)

    @property
    def good(self) -> np.ndarray:
        """Positions of the rows that are kept, so far."""
        return np.flatnonzero(~self.bad)


def typed_rows(cells: Cells, source: Source, name: str, table: Table, *, now: datetime) -> Delivery:
    """Every row of a delivery as the mapping types it for table `name`, with the faults that a row shows by itself.

    Raises
    ------
    DataError
        A currency other than the book's (amounts of two currencies are never added up), or a source column whose type cannot become the
        canonical one without loss.
    """
    mapping = source.tables[name]
    rules = complete_rules(mapping, table, source.currency)
    blocks = list(_blocks(cells, mapping))
    starts = np.cumsum([0, *(len(block.lines) for block in blocks)])
    total = int(starts[-1])
    lines, taken = (np.concatenate([getattr(block, part) for block in blocks]) for part in ("lines", "rows"))
    delivery = Delivery(table, cells.origin, pa.table({}), lines, source.checks, taken=taken, bad=np.zeros(total, dtype=bool))
    columns: dict[str, pa.Array] = {}
    for target, rule in rules.items():
        column = column_of(table, target)
        assert column is not None  # noqa: S101 - checked when the mapping file was read
        parts = [_filled(block, column, rule, source) for block in blocks]
        columns[target] = pa.concat_arrays([parsed.values for parsed, _ in parts])
        if rule.edge:
            delivery.as_written[target] = pa.concat_arrays([parsed.as_written for parsed, _ in parts])
        for (parsed, cell), start in zip(parts, starts[:-1].tolist(), strict=True):
            _mark(delivery, column, rule, parsed, cell, start)
    delivery.rows = pa.table(columns)
    _refuse_currency(delivery, source)
    _judge_days(delivery, now, source.day_zone)
    return delivery


@dataclass(frozen=True)
class _Block:
    """Source columns by name or alias, and the line and the position of every row."""

    columns: Mapping[str, TextColumn]
    lines: np.ndarray
    rows: np.ndarray


def rows_of(cells: Cells, mapping: TableMapping) -> np.ndarray:
    """Which rows of a delivery (k,) a table takes: those whose columns hold the words of `only`."""
    taken = np.ones(cells.rows, dtype=bool)
    for name, wanted in mapping.only.items():
        column = cells.columns[name]
        is_wanted = np.isin(np.array(word_list(column), dtype=object), wanted) if len(column.words) else np.zeros(0, dtype=bool)
        taken &= np.where(column.index < 0, False, is_wanted[column.index] if len(is_wanted) else False)
    return taken


def _blocks(cells: Cells, mapping: TableMapping) -> Iterator[_Block]:
    """The rows this table is made of, once per block of a wide table."""
    rows = np.flatnonzero(rows_of(cells, mapping))
    number = text_column(pc.cast(pa.array(rows + 1), pa.string()), native=True)
    kept = {name: column if len(rows) == cells.rows else column.take(rows) for name, column in cells.columns.items()}
    base = {**kept, ROW_NUMBER: number}
    if mapping.unpivot is None:
        yield _Block(base, cells.lines[rows], rows)
        return
    for block in mapping.unpivot.blocks:
        renamed = {alias: base[column] for alias, column in block.columns.items()}
        constant = {mapping.unpivot.column: constant_column(block.value, len(rows))}
        yield _Block({**base, **renamed, **constant}, cells.lines[rows], rows)


# No source column can have this name: header names have no blanks at their ends.
ROW_NUMBER = " row number"


def wanted_columns(mapping: TableMapping, table: Table, currency: str) -> dict[str, set[str]]:
    """The source columns a table's mapping needs, each with the types of the canonical columns it fills."""
    blocks = mapping.unpivot.blocks if mapping.unpivot else []
    aliased: dict[str, set[str]] = {}
    for block in blocks:
        for alias, name in block.columns.items():
            aliased.setdefault(alias, set()).add(name)
    needed: dict[str, set[str]] = {name: set() for name in [*mapping.only, *(name for names in aliased.values() for name in names)]}
    for target, rule in complete_rules(mapping, table, currency).items():
        column = column_of(table, target)
        for named in rule.source_columns:
            if mapping.unpivot and named == mapping.unpivot.column:
                continue
            for source_column in aliased.get(named, {named}):
                fills = needed.setdefault(source_column, set())
                if column is not None and named in (rule.source, rule.debit):
                    fills.add(column.type)
    return needed


def scale_of(rule: ColumnRule, currency: str) -> int:
    """Minor units per unit of the source's amounts: declared, else what ISO 4217 says of the currency."""
    return rule.scale or 10 ** MINOR_DIGITS.get(currency, 2)


def _filled(block: _Block, column: Column, rule: ColumnRule, source: Source) -> tuple[Parsed, TextColumn]:
    if rule.fiscal_quarter is not None:
        return two_columns.fiscal_quarter(block.columns, rule.fiscal_quarter, source.format.missing)

    def read(cell: TextColumn) -> Parsed:
        return parse(cell, column, rule, source.format, scale=scale_of(rule, source.currency))

    if rule.row_number:
        cell = block.columns[ROW_NUMBER]
    elif rule.value is not None:
        cell = constant_column(rule.value, len(block.lines))
    else:
        cell = block.columns[str(rule.source)]
        _refuse_type(cell, column, rule, source)
    if rule.debit is not None:
        return two_columns.credit_less_debit(cell, block.columns[rule.debit], read)
    if rule.mark is not None:
        return two_columns.marked(cell, block.columns[rule.mark.source], rule.mark, read)
    if rule.time is not None:
        cell = two_columns.day_and_time(block.columns, rule)
    return read(cell), cell


def _refuse_type(cell: TextColumn, column: Column, rule: ColumnRule, source: Source) -> None:
    """A typed source column must not lose anything on its way: binary fractions are no money, fractions are no ids, moments no days."""
    if cell.is_inexact and column.type == "money" and not rule.round:
        raise DataError(
            f"source {source.source}: column '{rule.source}' is {cell.type}, binary fractions, and {column.name} is money; "
            "deliver it as decimal or text, or declare `round: true`"
        )
    if cell.is_inexact and column.type in ("key", "code") and POINT_ZERO not in rule.strip:
        raise DataError(
            f"source {source.source}: column '{rule.source}' is {cell.type} and {column.name} is an id; deliver it as text, "
            f'or declare `strip: ["{POINT_ZERO}"]` if the ids are whole numbers without leading zeros'
        )


def _mark(delivery: Delivery, column: Column, rule: ColumnRule, parsed: Parsed, cell: TextColumn, start: int) -> None:
    marks = parsed.reasons
    if column.required:
        marks = np.where((marks == "") & parsed.values.is_null().to_numpy(zero_copy_only=False), "missing", marks)
    hidden = rule.pseudonym
    named = ", ".join(rule.source_columns)
    out_beside = column.type == "money" and column.low is None and rule.debit is None
    facts = {**parsed.facts, "beside": ", or `debit: <column>` if what goes out stands in a column of its own" if out_beside else ""}
    for reason in sorted(set(np.unique(marks.astype(str)).tolist()) - {""}):
        rows = np.flatnonzero(marks == reason)
        values = [_shown(cell.cell(int(row)), hidden) for row in rows]
        severity = severity_of(reason, delivery.severities)
        delivery.set_aside(Fault(column.name, named, reason, rows + start, values, facts, severity))
        if column.type == "money" and reason not in ("missing", "out_of_range"):
            delivery.unreadable_money += len(rows)
    for what, count in parsed.changed.items():
        if count and rule.source:
            delivery.notes.append(f"{delivery.origin}: {count:,} cells of '{rule.source}' were {what}")


def _shown(value: str | None, hidden: bool) -> str | None:
    if value is None:
        return None
    return f"withheld: {len(value)} characters" if hidden else value[:MOST_SHOWN]


def _refuse_currency(delivery: Delivery, source: Source) -> None:
    if "currency" not in delivery.rows.column_names:
        return
    wrong = pc.fill_null(pc.not_equal(delivery.rows["currency"], source.currency), False).to_numpy()
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        found = delivery.rows["currency"][first].as_py()
        raise DataError(
            f"{delivery.origin}, line {delivery.lines[first]}: currency is '{found}' ({int(wrong.sum()):,} rows), the book's is {source.currency}; "
            "amounts of two currencies are not added up, load each currency into a book of its own"
        )


def _today(now: datetime, zone: str | None) -> date:
    """The day it is in a zone; where that is not known the latest day it is anywhere. A moment without zone is the shop's own."""
    if now.tzinfo is None:
        return now.date()
    return now.astimezone(ZoneInfo(zone) if zone else timezone(timedelta(hours=14))).date()


def _judge_days(delivery: Delivery, now: datetime, zone: str | None) -> None:
    """Set aside what lies before 1990 or too far ahead; what is known on a day, and every moment in UTC, must not lie after `now`.

    A day is judged by the shop's zone: on a server in UTC the morning of Hanoi is still the day before.
    """
    last = date(now.year + YEARS_AHEAD, 12, 31)
    for name in delivery.rows.column_names:
        column = column_of(delivery.table, name)
        if column is None or column.type not in ("date", "timestamp"):
            continue
        day = pc.cast(delivery.rows[name], pa.date32(), safe=False)
        outside = pc.or_(pc.less(day, pa.scalar(FIRST_DAY)), pc.greater(day, pa.scalar(last)))
        delivery.fault(name, "date_out_of_range", _rows(outside), low=FIRST_DAY, high=last)
        if name == delivery.table.known_on or name.endswith("_utc"):
            # The end of a running month lies ahead, what a source writes of it must not.
            written = pc.cast(delivery.as_written.get(name, day), pa.date32(), safe=False)
            today = _today(now, "UTC" if name.endswith("_utc") else zone)
            after = pc.and_(pc.greater(written, pa.scalar(today)), pc.invert(outside))
            delivery.fault(name, "after_now", _rows(after), now=today)


def _rows(mask: pa.ChunkedArray) -> np.ndarray:
    return np.flatnonzero(pc.fill_null(mask, False).to_numpy())


def empty_columns(table: Table, rows: pa.Table) -> pa.Table:
    """The rows with every declared column, of its type and in order, and the open columns after them."""
    count = rows.num_rows
    names = [*table.column_names, *(name for name in rows.column_names if name not in table.column_names)]
    arrays = []
    for name in names:
        column = column_of(table, name)
        assert column is not None  # noqa: S101 - checked when the mapping file was read
        arrays.append(rows[name].cast(arrow_type(column)) if name in rows.column_names else pa.nulls(count, arrow_type(column)))
    return pa.table(dict(zip(names, arrays, strict=True)))
