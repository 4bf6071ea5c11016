"""What a canonical table is: typed columns, keys, allowed values, declared once and printable."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["key", "text", "code", "date", "timestamp", "integer", "money", "number", "flag"]

# One canonical type per kind of column; every engine stores exactly these.
ENGINE_TYPES: dict[ColumnType, str] = {
    "key": "string",
    "text": "string",
    "code": "string",
    "date": "date",
    "timestamp": "timestamp(6)",
    "integer": "int64",
    "money": "int64",
    "number": "float64",
    "flag": "boolean",
}

# Digits after the point of one major unit; every currency not named has two, XXX (no currency) none. Source: ISO 4217, list one.
MINOR_DIGITS = {
    "VND": 0,
    "JPY": 0,
    "KRW": 0,
    "CLP": 0,
    "ISK": 0,
    "PYG": 0,
    "UGX": 0,
    "XAF": 0,
    "XOF": 0,
    "XXX": 0,
    "BHD": 3,
    "JOD": 3,
    "KWD": 3,
}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a canonical table.

    `money` is an integer in the currency's minor unit; its name ends in `_minor`. `timestamp` carries no zone: `*_utc` is UTC, `local_ts`
    the debtor's wall clock. `required` means the cell may not be empty. `allowed` lists the codes; `low` and `high` are inclusive.
    `edge` says which edge of its month a day is: a source that writes another day (the last working one) joins no other month end.
    `personal` marks keys of persons and anything that is personal data even if pseudonymous: it never leaves through a result.
    """

    name: str
    type: ColumnType
    doc: str
    required: bool = True
    allowed: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    edge: Literal["", "start", "end"] = ""
    personal: bool = False

    @property
    def seconds(self) -> int:
        """Seconds in the unit of a column of durations, which ends its name (`talk_s`, `logged_min`); 0: it holds no duration."""
        return {"s": 1, "min": 60}.get(self.name.rpartition("_")[2], 0)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Two columns of a table between which something holds; an empty `end`: it still does.

    `of` names whose intervals must not overlap (empty: they may). `end_included`: the day in `end` is the last one, else the day after.
    """

    start: str
    end: str
    of: tuple[str, ...] = ()
    end_included: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """One canonical table.

    `key` names the columns that identify a row. `known_on` is the date or timestamp column by which the table is cut at `as_of` (None: not
    cut). `open_prefixes` allow further number columns whose names start so (a cohort's outcomes and covariates, a unit's channels).
    `intervals`: from when to when a row holds, or two days of it that follow each other. `every_month`: a desk at work has rows in each; a
    month without any was not delivered, and reads as unknown, not as 0.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    known_on: str | None = None
    open_prefixes: tuple[str, ...] = ()
    intervals: tuple[Interval, ...] = ()
    every_month: bool = False

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the declared columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def money_columns(self) -> tuple[str, ...]:
        """Names of the declared money columns, in order."""
        return tuple(column.name for column in self.columns if column.type == "money")

    @property
    def personal_columns(self) -> tuple[str, ...]:
        """Names of the columns that hold personal data, in order."""
        return tuple(column.name for column in self.columns if column.personal)

    def is_open_column(self, name: str) -> bool:
        """Whether `name` is a further column this table admits by prefix; such a column is money if it ends in `_minor`, else a number."""
        return any(name.startswith(prefix) and name != prefix for prefix in self.open_prefixes)

    def engine_types(self) -> dict[str, str]:
        """Column name -> engine type, for the declared columns."""
        return {column.name: ENGINE_TYPES[column.type] for column in self.columns}


def dictionary(tables: dict[str, Table]) -> Iterator[dict[str, str]]:
    """The data dictionary: one row per column with table, grain, type, key, allowed values and meaning."""
    for table in tables.values():
        for column in table.columns:
            yield {
                "table": table.name,
                "grain": table.grain,
                "column": column.name,
                "type": column.type,
                "key": "yes" if column.name in table.key else "",
                "required": "yes" if column.required else "",
                "allowed": " | ".join(column.allowed),
                "personal": "yes" if column.personal else "",
                "meaning": column.doc,
            }
