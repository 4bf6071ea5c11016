"""The contract of a canonical table: which rows of a delivery keep it, and why the others do not. Nothing vanishes."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd

from collect_analysis.book.parsing import fiscal_edge, typed, words
from collect_analysis.book.readers import Cells
from collect_analysis.book.schema import ENGINE_TYPES, Column, Table
from collect_analysis.book.source_format import ColumnRule, Source, TableMapping
from collect_analysis.book.source_rules import column_of, complete_rules
from collect_analysis.errors import DataError

QUARANTINE = ("file", "line", "column", "value", "reason")
MOST_SHOWN = 200


@dataclass(frozen=True)
class Sorted:
    """A delivery sorted into one canonical table: read = kept + quarantined, by rows and by money.

    `quarantined` has one row per fault: file, line, column, value, reason; a row of the delivery may have several.
    """

    kept: pd.DataFrame
    quarantined: pd.DataFrame
    rows_read: int
    rows_quarantined: int
    money_read_minor: int
    money_kept_minor: int


def sort_rows(cells: Cells, source: Source, name: str, table: Table, *, today: date) -> Sorted:
    """Type every row of a delivery by the mapping of table `name` and set aside those that do not keep the contract.

    Raises
    ------
    DataError
        The delivery lacks a column that a rule names.
    """
    mapping = source.tables[name]
    frame, lines = _selected(cells, mapping)
    rules = complete_rules(mapping, table, source.currency)
    faults: list[tuple[int, str, object, str]] = []
    columns: dict[str, pd.Series] = {}
    for target, rule in rules.items():
        column = column_of(table, target)
        assert column is not None  # noqa: S101 - checked when the mapping file was read
        values, raw, unfit = _filled(frame, column, rule, source)
        columns[target] = values
        faults += [(position, target, raw.iloc[position], reason) for position, reason in unfit.items()]
        if column.required:
            empty = values.isna().to_numpy(copy=True)
            empty[list(unfit)] = False
            faults += [(int(p), target, None, "is empty and may not be: mend the source") for p in np.flatnonzero(empty)]
    typed_rows = pd.DataFrame(columns, index=frame.index)
    faults += _whole_row_faults(typed_rows, table, source, today, known={fault[0] for fault in faults})
    bad = sorted({fault[0] for fault in faults})
    kept = typed_rows.drop(index=bad)
    money = next((column for column in typed_rows.columns if column.endswith("_minor")), None)
    quarantined = pd.DataFrame(
        [
            (cells.origin, int(lines[p]), column, None if value is None else str(value)[:MOST_SHOWN], reason)
            for p, column, value, reason in sorted(faults, key=lambda f: (f[0], f[1]))
        ],
        columns=list(QUARANTINE),
    )
    return Sorted(
        kept=_as_declared(kept, table),
        quarantined=quarantined,
        rows_read=len(typed_rows),
        rows_quarantined=len(bad),
        money_read_minor=_sum(typed_rows, money),
        money_kept_minor=_sum(kept, money),
    )


def _sum(rows: pd.DataFrame, money: str | None) -> int:
    return sum(int(value) for value in rows[money].dropna()) if money else 0


def _selected(cells: Cells, mapping: TableMapping) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows this table is made of: filtered by `only`, wide months made long."""
    _require(cells, set(mapping.only), mapping)
    frame, lines = cells.frame, cells.lines
    for column, wanted in mapping.only.items():
        chosen = frame[column].isin(wanted).to_numpy()
        frame, lines = frame[chosen], lines[chosen]
    if mapping.unpivot is not None:
        blocks = []
        for block in mapping.unpivot.blocks:
            _require(cells, set(block.columns.values()), mapping)
            renamed = {alias: frame[column] for alias, column in block.columns.items()}
            blocks.append(frame.assign(**renamed, **{mapping.unpivot.column: block.value}))
        frame, lines = pd.concat(blocks, ignore_index=True), np.tile(lines, len(blocks))
    needed = {rule.source for rule in mapping.rules.values() if rule.source}
    needed |= {
        part for rule in mapping.rules.values() if rule.fiscal_quarter for part in (rule.fiscal_quarter.year, rule.fiscal_quarter.quarter)
    }
    _require(Cells(frame, lines, cells.origin, cells.content_hash), needed, mapping)
    return frame.reset_index(drop=True), lines


def _require(cells: Cells, needed: set[str], mapping: TableMapping) -> None:
    from collect_analysis.errors import nearest

    present = [str(column) for column in cells.frame.columns]
    lost = sorted(needed - set(present))
    if lost:
        raise DataError(
            [f"{cells.origin}: has no column '{column}', which the mapping file names; {nearest(column, present)}" for column in lost]
        )


def _filled(frame: pd.DataFrame, column: Column, rule: ColumnRule, source: Source) -> tuple[pd.Series, pd.Series, dict[int, str]]:
    if rule.fiscal_quarter is not None:
        part = rule.fiscal_quarter
        pairs = [fiscal_edge(year, quarter, part) for year, quarter in zip(frame[part.year], frame[part.quarter], strict=True)]
        values = pd.Series([value for value, _ in pairs], index=frame.index, dtype=object)
        return values, frame[part.quarter], {position: reason for position, (_, reason) in enumerate(pairs) if reason}
    if rule.row_number:
        raw = pd.Series([str(number) for number in range(1, len(frame) + 1)], index=frame.index, dtype=object)
    elif rule.value is not None:
        raw = pd.Series([rule.value] * len(frame), index=frame.index, dtype=object)
    else:
        raw = frame[rule.source]
    text, unfit = words(raw, rule, source.format)
    parsed = typed(text, column, rule, source.format)
    return parsed.column, raw, {**parsed.unfit, **unfit}


def _whole_row_faults(
    rows: pd.DataFrame, table: Table, source: Source, today: date, *, known: set[int]
) -> list[tuple[int, str, object, str]]:
    faults: list[tuple[int, str, object, str]] = []
    if table.known_on and table.known_on in rows:
        for position, value in enumerate(rows[table.known_on]):
            day = value.date() if isinstance(value, datetime) else value
            if isinstance(day, date) and day > today:
                faults.append((position, table.known_on, value, f"lies after {today}: mend the source"))
    if "currency" in rows:
        wrong = rows["currency"].notna() & (rows["currency"] != source.currency)
        faults += [
            (int(p), "currency", rows["currency"].iloc[p], f"is not {source.currency}, the book's: load it into a book of its own")
            for p in np.flatnonzero(wrong)
        ]
    key = [column for column in table.key if column in rows]
    good = rows.drop(index=sorted(known))
    again = good.index[good.duplicated(subset=key, keep="first")]
    faults += [(int(p), key[0], rows[key[0]].iloc[p], f"the key {', '.join(key)} came before: deliver each row once") for p in again]
    return faults


def _as_declared(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Declared columns first, each of its type, sorted: accounts first where there are any, then the key."""
    full = rows.reindex(columns=[*table.column_names, *(column for column in rows.columns if column not in table.column_names)]).astype(
        object
    )
    full = full.where(full.notna(), None)
    order = list(dict.fromkeys([column for column in ("account_key", table.known_on) if column in table.column_names] + list(table.key)))
    return full.sort_values(order, ignore_index=True, kind="stable", na_position="first") if len(full) else full


def arrow_schema(table: Table, rows: pd.DataFrame):
    """The Arrow schema of a canonical table's rows."""
    import pyarrow as pa

    kinds = {
        "string": pa.string(),
        "date": pa.date32(),
        "timestamp(6)": pa.timestamp("us"),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "boolean": pa.bool_(),
    }
    columns = {name: column_of(table, name) for name in rows.columns}
    return pa.schema([(name, kinds[ENGINE_TYPES[column.type]]) for name, column in columns.items() if column is not None])
