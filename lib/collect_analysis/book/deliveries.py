"""The deliveries of a source: its files, or its database table, read one by one as text cells and checked against control totals."""

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

from collect_analysis.book.contract import wanted_columns
from collect_analysis.book.parsing.numbers import exact_total, style_of
from collect_analysis.book.parsing.words import prepared
from collect_analysis.book.places import project_folder
from collect_analysis.book.readers.cells import Cells
from collect_analysis.book.readers.files import held_still
from collect_analysis.book.source_format import ColumnRule, CsvFormat, ExcelFormat, PostgresFormat, Source
from collect_analysis.book.source_rules import NUMERIC, column_of, open_column
from collect_analysis.book.tables import TABLES
from collect_analysis.errors import DataError


@dataclass(frozen=True)
class Place:
    """Where a delivery lies: its file (None: a database table), the name that messages and the manifest give it, the file's SHA-256."""

    path: Path | None
    name: str
    content_hash: str = ""


@dataclass(frozen=True)
class Located:
    """The deliveries of a source, and sentences on files beside them that are none."""

    places: list[Place]
    notes: list[str]


# Files that programs leave beside a delivery, by the start of their names.
_BESIDE = {
    "~$": "the mark of a workbook that is open in Excel: save and close it there, what was changed since is not in the delivery",
    ".~lock.": "the mark of a file that is open in an office program: close it there, what was changed since is not in the delivery",
    "._": "what macOS keeps beside a file it copies; it holds no rows",
}


def locate(source: Source) -> Located:
    """The deliveries of a source, by name; none if nothing is here.

    Raises
    ------
    DataError
        A file lies outside the folder, is not a regular file or cannot be read.
    """
    form = source.format
    if isinstance(form, PostgresFormat):
        return Located([Place(None, form.table)], [])
    folder = source_folder(source)
    if folder is None or not folder.is_dir():
        return Located([], [])
    found, notes = [], []
    # Names may be spelled with composed or decomposed letters, whatever the mapping file's are.
    spellings = {unicodedata.normalize(form_of, source.files or "") for form_of in ("NFC", "NFD")}
    for path in sorted({path for spelling in spellings for path in folder.glob(spelling)}):
        name = _spelled(path.relative_to(folder))
        if beside := next((what for start, what in _BESIDE.items() if path.name.startswith(start)), ""):
            notes.append(f"{name}: passed over, it is {beside}")
            continue
        if not path.parent.resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{name}: leads out of the folder of {_variable(source)}; deliver the file itself")
        max_mb = form.max_mb
        with held_still(path, name, max_mb=max_mb) as file:
            found.append(Place(path, name, file.content_hash))
    return Located(found, notes)


def _spelled(path: Path) -> str:
    """A file's name as text, bytes of it that are no UTF-8 as backslash escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def source_folder(source: Source) -> Path | None:
    """The folder of a source's files: its environment variable's, else the default; None if neither is given."""
    assert source.location is not None  # noqa: S101 - checked when the mapping file was read
    given = os.environ.get(source.location.variable) or source.location.default
    if given is None:
        return None
    return Path(given) if Path(given).is_absolute() else project_folder() / given


def absent_sentence(source: Source) -> str:
    """What is not here, and which variable says where it would be."""
    where = source_folder(source)
    folder = f"folder {where}" if where else "no folder"
    return f"source {source.source}: no file '{source.files}' in {folder}; set {_variable(source)} to the folder that holds it"


def _variable(source: Source) -> str:
    return source.location.variable if source.location else ""


def read_delivery(source: Source, place: Place, above: Sequence[str] = ()) -> Cells:
    """One delivery as text cells, with the columns the mapping, the control totals and what stands `above` them need."""
    types: dict[str, set[str]] = {name: set() for name in (*source.control.totals, *above)}
    for name, mapping in source.tables.items():
        for column, fills in wanted_columns(mapping, TABLES[name], source.currency).items():
            types.setdefault(column, set()).update(fills)
    wanted = sorted(types)
    form = source.format
    if isinstance(form, PostgresFormat):
        from collect_analysis.book.readers.postgres_tables import read_postgres_table

        return read_postgres_table(form, wanted)
    assert place.path is not None  # noqa: S101 - only a database has no file
    if isinstance(form, CsvFormat):
        from collect_analysis.book.readers.csv_files import read_csv_file

        return read_csv_file(place.path, place.name, form, wanted)
    if isinstance(form, ExcelFormat):
        from collect_analysis.book.readers.excel_files import read_excel_sheet

        return read_excel_sheet(place.path, place.name, form, wanted, types)
    from collect_analysis.book.readers.parquet_files import read_parquet_file

    return read_parquet_file(place.path, place.name, form, wanted)


def _number_rule(source: Source, name: str) -> ColumnRule:
    """How the mapping reads the numbers of a source column; one that fills no number is read as the format says."""
    for table, mapping in source.tables.items():
        for target, rule in mapping.rules.items():
            column = column_of(TABLES[table], target)
            if column is not None and column.type in NUMERIC and name in (rule.source, rule.debit):
                return rule
    return ColumnRule.model_validate({"from": name, "parentheses": True})


class Control:
    """Adds up what the sender stated of the whole delivery while its files are read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._rows = 0
        self._totals = {column: Decimal(0) for column in source.control.totals}
        self._unreadable = dict.fromkeys(source.control.totals, 0)
        self._rules = {column: _number_rule(source, column) for column in source.control.totals}

    def add(self, cells: Cells) -> None:
        """Count one file."""
        self._rows += cells.rows
        form = self._source.format
        for name in self._totals:
            column, rule = cells.columns[name], self._rules[name]
            counts = np.bincount(column.index[column.index >= 0], minlength=len(column.words))
            words = prepared(column, open_column(name), rule, form)
            total, unreadable = exact_total(words.texts, counts, style_of(rule, form, column.native))
            self._totals[name] += total
            self._unreadable[name] += unreadable

    def problems(self) -> list[str]:
        """Where rows or a total differ from what the sender stated, with both figures."""
        name, stated = self._source.source, self._source.control
        differing = []
        if stated.rows is not None and self._rows != stated.rows:
            differing.append(
                f"source {name}: {self._rows:,} rows were delivered and {stated.rows:,} stated; deliver it whole, or correct control.rows"
            )
        for column, text in stated.totals.items():
            found, lost = self._totals[column], self._unreadable[column]
            if found != Decimal(text):
                beside = f" ({lost:,} cells are no number)" if lost else ""
                differing.append(
                    f"source {name}: '{column}' adds up to {found:f}{beside} and {text} is stated; deliver it whole, or correct control.totals"
                )
        return differing
