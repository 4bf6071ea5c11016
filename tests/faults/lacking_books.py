"""Books that lack something: a table, the rows of a month, what a source need not fill. Made from the sample shop, file by file."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from collect_analysis.book.tables import TABLES

# Tables of which a month may not have been delivered: what is counted by month.
MONTHLY = ("month_end", "payment", "contact")
# What a desk in its first month has nothing of from before.
FACTS = ("month_end", "payment", "contact", "promise", "unit_day", "qa", "ticket", "invoice_line")


@dataclass(frozen=True)
class Lack:
    """Something a book lacks: its name, and which rows and columns of the tables in `of` stay."""

    name: str
    of: tuple[str, ...]
    left: Callable[[str, pa.Table], pa.Table]


def lacking(whole: Path, folder: Path, lack: Lack) -> None:
    """Write into `folder` the book that lies in `whole`, without what it shall lack; files that stay as they are are linked."""
    manifest = json.loads((whole / "book.json").read_text(encoding="utf-8"))
    kept = []
    for load in manifest["loads"]:
        file = folder / load["file"]
        file.parent.mkdir(parents=True)
        if load["table"] not in lack.of:
            file.symlink_to(whole / load["file"])
            kept.append(load)
            continue
        rows = lack.left(load["table"], pq.read_table(whole / load["file"]))
        if len(rows):
            pq.write_table(rows, file)
            kept.append({**load, "rows_read": len(rows), "rows_kept": len(rows), "content_hash": f"{load['content_hash']}-{lack.name}"})
    (folder / "book.json").write_text(json.dumps({**manifest, "loads": kept}), encoding="utf-8")


def lacks_of(start: date, end: date, *, first: date) -> Iterator[Lack]:
    """Everything a report about `start` to `end` may find missing in a book whose months begin with `first`."""
    yield from tables()
    months = {"first": first, "before": start - timedelta(days=1), "middle": start + (end - start) / 2, "last": end}
    for table in MONTHLY:
        for name, day in months.items():
            yield Lack(f"{table} of the {name} month", (table,), without_month(day))
        yield Lack(f"{table} but the last month", (table,), since(end.replace(day=1)))
    yield Lack("all but the last month", FACTS, since(end.replace(day=1)))
    yield from optional_columns()


def tables() -> Iterator[Lack]:
    """Each table in turn, and those loaded of which nothing is known on the day of the report."""
    for name in TABLES:
        yield Lack(name, (name,), lambda _, rows: rows.slice(0, 0))
    for name in (*MONTHLY, "decision", "promise"):
        yield Lack(f"{name} known in time", (name,), _from_later)


def optional_columns() -> Iterator[Lack]:
    """For each table, all the columns that a source need not fill."""
    for table in TABLES.values():
        optional = [column.name for column in table.columns if not column.required]
        if optional:
            yield Lack(f"{table.name}: optional columns", (table.name,), without_values(*optional))


def without_values(*columns: str) -> Callable[[str, pa.Table], pa.Table]:
    """The table with nothing in these columns."""

    def left(_: str, rows: pa.Table) -> pa.Table:
        for name in set(columns) & set(rows.column_names):
            place = rows.column_names.index(name)
            rows = rows.set_column(place, rows.schema.field(place), pa.nulls(len(rows), rows.schema.field(place).type))
        return rows

    return left


def without_month(day: date) -> Callable[[str, pa.Table], pa.Table]:
    """The table without the rows of the month of a day."""
    return lambda table, rows: rows.filter(pc.invert(pc.equal(_months(table, rows), day.strftime("%Y-%m"))))


def since(day: date) -> Callable[[str, pa.Table], pa.Table]:
    """The table from a day on."""
    return lambda table, rows: rows.filter(pc.greater_equal(_months(table, rows), day.strftime("%Y-%m")))


def _months(table: str, rows: pa.Table) -> pa.Array:
    return pc.strftime(pc.cast(rows[TABLES[table].known_on], pa.timestamp("us")), format="%Y-%m")


def _from_later(table: str, rows: pa.Table) -> pa.Table:
    """One row, which nobody can know yet."""
    known_on = TABLES[table].known_on
    place = rows.column_names.index(known_on)
    field = rows.schema.field(place)
    return rows.slice(0, 1).set_column(place, field, pa.array([date(2027, 1, 31)]).cast(pa.timestamp("us")).cast(field.type))
