"""Excel sheets: one table below its header row; whatever a spreadsheet may have spoilt is refused with its cell."""

import math
import re
import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from collect_analysis.book.readers import footers
from collect_analysis.book.readers.cells import Cells, TextColumn, hours_minutes_seconds, mixed_column
from collect_analysis.book.readers.excel_layout import Layout, column_letters, read_layout
from collect_analysis.book.readers.files import MEBIBYTE, OpenFile, held_still
from collect_analysis.book.readers.headers import composed, header_hint, header_problems
from collect_analysis.book.readers.number_formats import shown_id, unlike_amount
from collect_analysis.book.source_format import ExcelFormat
from collect_analysis.errors import DataError

MOST_PROBLEMS = 10
# From here on a spreadsheet rounds whole numbers.
MOST_EXACT = 10**15
# Day 0 of durations longer than a day, which a format without day and year shows as hours; by calendar of the workbook.
_DAY_0 = {1900: datetime(1899, 12, 31), 1904: datetime(1904, 1, 1)}
_BESIDE_LETTERS = re.compile(r'\[[^\]]*\]|"[^"]*"|\\.')
_CLOCK = {"time", "duration"}
_IDS = frozenset(["key", "code", "text"])
_AMOUNTS = frozenset(["money", "integer"])
Types = Mapping[str, Collection[str]]


def read_excel_sheet(path: Path, name: str, form: ExcelFormat, wanted: Sequence[str], types: Types | None = None) -> Cells:
    """The cells of one sheet; `name` is how messages call the file, `wanted` the columns it must have, `types` what they fill.

    Rows are read as far as there are any, whatever the sheet says of its size. A number that fills an id is read as its format shows it.

    Raises
    ------
    DataError
        Not an .xlsx workbook (encrypted, .xls renamed), cut off or damaged, macros or links to other workbooks, no such sheet or a hidden
        one; from the header row on merged cells or hidden rows, a header that is not in `header_row`, and in wanted
        columns a formula without a stored value, an error, a number of 16 digits, an id or an amount that its format shows as something
        else, days mixed with texts or numbers; rows after an empty one that are no declared footer. Each sentence names sheet and cell.
    """
    with held_still(path, name, max_mb=form.max_mb) as file:
        _refuse_workbook(file, form)
        sheet = _Sheet(file.name, form, wanted, types or {})
        sheet.read(file)
        columns = {field: _column(cells) for field, cells in sheet.rows.items()}
        return Cells(
            columns,
            np.asarray(sheet.lines, dtype=np.int64),
            name,
            file.content_hash,
            tuple(sheet.notes),
            tuple(sheet.footer),
            header=tuple(sheet.header),
        )


def _refuse_workbook(file: OpenFile, form: ExcelFormat) -> None:
    if not zipfile.is_zipfile(file.handle):
        raise DataError(f"{file.name}: is no .xlsx workbook (encrypted, or an older format renamed); save it as .xlsx without a password")
    with zipfile.ZipFile(file.handle) as archive:
        names = archive.namelist()
        if "xl/workbook.xml" not in names:
            raise DataError(f"{file.name}: is a zip file and no .xlsx workbook; deliver the workbook itself")
        if any(name.endswith("vbaProject.bin") for name in names):
            raise DataError(f"{file.name}: holds macros; save it as .xlsx without them")
        if any(name.startswith("xl/externalLinks/") for name in names):
            raise DataError(f"{file.name}: takes values from other workbooks; paste them as values")
        if sum(item.file_size for item in archive.infolist()) > form.max_mb * MEBIBYTE:
            raise DataError(
                f"{file.name}: expands to more than {form.max_mb:,} MiB; split it, or raise `max_mb` in the mapping file knowingly"
            )
    file.handle.seek(0)


class _Cell(NamedTuple):
    """What kind of cell it is (text, number, day, time, duration, flag, or none) and its text."""

    kind: str
    text: str | None


_EMPTY = _Cell("", None)


@dataclass
class _Sheet:
    """One sheet while it is read."""

    name: str
    form: ExcelFormat
    wanted: Sequence[str]
    types: Types
    header: list[str] = field(default_factory=list)
    rows: dict[str, list[_Cell]] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    footer: list[dict[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def where(self) -> str:
        """How messages call the sheet."""
        return f"{self.name}, sheet '{self.form.sheet}'"

    def read(self, file: OpenFile) -> None:
        """Read header, rows and footer, or refuse with every problem found."""
        with warnings.catch_warnings(), _opened(file) as workbook:
            # Charts, validations and the like, of which the parser warns, are no data.
            warnings.simplefilter("ignore")
            sheet = self._sheet(workbook)
            with zipfile.ZipFile(file.handle) as archive:
                layout = read_layout(archive, sheet._worksheet_path, self.where, first=self.form.header_row)
            if getattr(sheet, "sheet_state", "visible") != "visible":
                raise DataError(f"{self.where}: is hidden; show it, so that a person has seen what is loaded")
            rows = _rows(sheet, self.where)
            self._read_header(rows, layout)
            self._read_rows(rows)
        self._refuse_layout(layout)
        self._refuse_mixed()
        if self.problems:
            raise DataError(self.problems[:MOST_PROBLEMS])

    def _sheet(self, workbook: Any) -> Any:
        names = dict(zip(composed(workbook.sheetnames), workbook.sheetnames, strict=True))
        if self.form.sheet not in names:
            raise DataError(f"{self.name}: has no sheet '{self.form.sheet}'; its sheets are {', '.join(names)}")
        return workbook[names[self.form.sheet]]

    def _read_header(self, rows: Iterator[tuple[int, tuple]], layout: Layout) -> None:
        number, cells = next(((number, cells) for number, cells in rows if number >= self.form.header_row), (0, ()))
        if number != self.form.header_row:
            raise DataError(f"{self.where}: ends before row {self.form.header_row}, which `header_row` names; correct it")
        self.header = _header(cells)
        problems = header_problems(f"{self.where}, row {number}", self.header, self.wanted)
        if problems:
            ahead = ((place, _header(row)) for place, row in rows)
            merged = self._merged(layout, number, number)
            raise DataError(merged or header_hint(self.where, "row", ahead, self.wanted) or problems[:MOST_PROBLEMS])
        self.rows = {name: [] for name in self.header}

    def _read_rows(self, rows: Iterator[tuple[int, tuple]]) -> None:
        blank = 0
        for number, cells in rows:
            read = [self._cell(place, cell) for place, cell in enumerate(cells)]
            texts = [cell.text for cell in read]
            if not any(text is not None for text in texts):
                blank = blank or number
                continue
            if self.form.footer and footers.begins_footer(texts, self.form.footer):
                self._read_footer(number, texts, rows)
                return
            if blank:
                hint = footers.footer_hint(texts) or "one sheet holds one table, remove what stands below"
                self.problems.append(f"{self.where}, row {blank}: is empty and row {number} is not; {hint}")
            if any(text is not None for text in texts[len(self.header) :]):
                self.problems.append(f"{self.where}, row {number}: has cells beyond the last named column; name them or remove them")
            if len(self.problems) >= MOST_PROBLEMS:
                return
            for place, name in enumerate(self.header):
                self.rows[name].append(read[place] if place < len(read) else _EMPTY)
            self.lines.append(number)

    def _read_footer(self, number: int, texts: list[str | None], rows: Iterator[tuple[int, tuple]]) -> None:
        below = [texts]
        for _, cells in rows:
            below.append([None if cell.value is None else str(cell.value) for cell in cells])
            if len(below) > footers.MOST_LINES:
                self.problems.append(footers.too_long(f"{self.where}, row {number}", len(below) - 1))
                return
        filled = [row for row in below if any(row)]
        self.footer = [dict(zip(self.header, [text or "" for text in row], strict=False)) for row in filled]
        first = next(text for text in texts if text is not None)
        self.notes.append(footers.left_out(f"{self.where}, row {number}", first, len(filled)))

    def _cell(self, place: int, cell: Any) -> _Cell:
        """A cell by its kind; a fault counts in a wanted column only."""
        value = cell.value
        if value is None:
            return _EMPTY
        name = self.header[place] if place < len(self.header) else ""
        if cell.data_type == "e":
            self._fault(name, cell, f"holds the error {value}; mend the sheet")
            return _Cell("text", str(value))
        if isinstance(value, bool):
            return _Cell("flag", "true" if value else "false")
        if isinstance(value, int | float):
            return _Cell("number", self._number(name, cell, value))
        if isinstance(value, date | time | timedelta):
            if "key" in self.types.get(name, ()):
                self._fault(name, cell, "an id stored as a day or a time; store ids as text")
            return _moment(value, cell.number_format)
        return _Cell("text", str(value))

    def _number(self, name: str, cell: Any, value: int | float) -> str:
        types = set(self.types.get(name, ()))
        if not math.isfinite(value):
            self._fault(name, cell, "a number larger than any that a sheet can hold; correct it")
            return ""
        if abs(value) >= MOST_EXACT:
            self._fault(name, cell, "a number of more than 15 digits, the last ones are lost; store ids as text")
        elif types & _IDS and value == int(value):
            shown = shown_id(int(value), cell.number_format)
            if shown is not None:
                return shown
            self._fault(name, cell, f"an id stored as a number and shown as {cell.number_format!r}, not as its digits; store ids as text")
        elif types & _AMOUNTS and (unit := unlike_amount(cell.number_format)):
            self._fault(name, cell, f"a number shown with '{unit}', so that a person reads another amount; store the amount itself")
        return str(int(value)) if value == int(value) else repr(value)

    def _fault(self, name: str, cell: Any, text: str) -> None:
        if name in self.wanted and len(self.problems) < MOST_PROBLEMS:
            self.problems.append(f"{self.where}, cell {cell.coordinate}: {text}")

    def _refuse_layout(self, layout: Layout) -> None:
        """Refuse what the table hides or joins; what lies above its header or below its last row is no part of it."""
        first, last = self.form.header_row, self.lines[-1] if self.lines else self.form.header_row
        hidden = [row for row in layout.hidden_rows if first <= row <= last]
        places = {self.header.index(name) + 1: name for name in self.wanted}
        unseen = sorted(place for place in places if any(low <= place <= high for low, high in layout.hidden_columns))
        unsaved = [(row, column) for column in places for row in layout.unsaved.get(column, []) if first < row <= last]
        self.problems += self._merged(layout, first, last)
        self.problems += [f"{self.where}, row {row}: is hidden, perhaps by a filter; show it or remove it" for row in hidden]
        self.notes += [
            f"{self.where}, column {column_letters(place)}: '{places[place]}' is hidden in the sheet, and read" for place in unseen
        ]
        self.problems += [
            f"{self.where}, cell {column_letters(column)}{row}: holds a formula without a stored value; open and save the workbook, or paste values"
            for row, column in unsaved
        ]

    def _merged(self, layout: Layout, first: int, last: int) -> list[str]:
        touching = [area for area, top, bottom in layout.merged if top <= last and bottom >= first]
        return [f"{self.where}, cells {area}: are merged; deliver one value a cell" for area in touching]

    def _refuse_mixed(self) -> None:
        """Columns in which days or times stand beside texts or numbers: which is which would be a guess."""
        for place, (name, cells) in enumerate(self.rows.items()):
            kinds = {cell.kind for cell in cells}
            for clock, alike in (("day", {"day"}), ("time", _CLOCK), ("duration", _CLOCK)):
                if name not in self.wanted or clock not in kinds:
                    continue
                odd = [n for n, cell in enumerate(cells) if cell.kind not in ("", *alike) and cell.text not in self.form.missing]
                if odd:
                    at, found = f"{column_letters(place + 1)}{self.lines[odd[0]]}", cells[odd[0]]
                    self.problems.append(
                        f"{self.where}, cell {at}: column '{name}' holds {clock}s and this {found.kind} {found.text!r}; make all of them {clock}s"
                    )
                    break


@contextmanager
def _opened(file: OpenFile) -> Iterator[Any]:
    """A workbook open for reading its values."""
    from openpyxl import load_workbook

    try:
        workbook = load_workbook(file.handle, read_only=True, data_only=True)
    except MemoryError:
        raise
    except Exception as error:  # Whatever the parser stumbles over is the delivery's fault.
        raise _damaged(file.name, error) from None
    try:
        yield workbook
    finally:
        workbook.close()


def _rows(sheet: Any, where: str) -> Iterator[tuple[int, tuple]]:
    """Row numbers and cells of a sheet, as far as there are any."""
    try:
        sheet.reset_dimensions()
        yield from enumerate(sheet.iter_rows(), 1)
    except MemoryError:
        raise
    except Exception as error:
        raise _damaged(where, error) from None


def _damaged(where: str, error: Exception) -> DataError:
    said = (str(error).splitlines() or [""])[0]
    return DataError(
        f"{where}: cannot be read as a workbook ({type(error).__name__}: {said[:120]}); it is cut off or damaged, deliver it again"
    )


def _header(cells: Sequence[Any]) -> list[str]:
    header = list(composed("" if cell.value is None else str(cell.value) for cell in cells))
    while header and not header[-1]:
        header.pop()
    return header


def _moment(value: date | time | timedelta, code: str) -> _Cell:
    """A day, a moment, a time of the day or a duration; hours beyond a day come as the first days of 1900."""
    if isinstance(value, datetime):
        if value.year not in _DAY_0 or {"y", "d"} & set(_BESIDE_LETTERS.sub("", code.lower())):
            return _Cell("day", value.date().isoformat() if value.time() == time() else value.isoformat(sep=" "))
        value = value - _DAY_0[value.year]
    if isinstance(value, timedelta):
        return _Cell("duration", hours_minutes_seconds(round(value / timedelta(milliseconds=1)), 1_000))
    return _Cell("time" if isinstance(value, time) else "day", value.isoformat())


def _column(cells: list[_Cell]) -> TextColumn:
    """A column of typed cells is native; where texts stand among them, each is read as what it is."""
    return mixed_column([cell.text for cell in cells], [cell.kind != "text" for cell in cells])
