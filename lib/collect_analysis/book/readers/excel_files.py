"""Excel sheets: one table below its header row; whatever a spreadsheet may have spoilt is refused with its cell."""

import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path

import numpy as np

from collect_analysis.book.readers.cells import Cells, TextColumn, text_column
from collect_analysis.book.readers.files import MEBIBYTE, OpenFile, held_still
from collect_analysis.book.readers.headers import header_problems
from collect_analysis.book.source_format import ExcelFormat
from collect_analysis.errors import DataError

MOST_PROBLEMS = 10
# From here on a spreadsheet rounds whole numbers.
MOST_EXACT = 10**15
_MERGED = re.compile(rb'<mergeCell [^>]*ref="([A-Z0-9:]+)"')
_HIDDEN_ROW = re.compile(rb'<row [^>]*?r="([0-9]+)"[^>]*? hidden="(?:1|true)"')


def read_excel_sheet(path: Path, name: str, form: ExcelFormat, wanted: Sequence[str]) -> Cells:
    """The cells of one sheet; `name` is how messages call the file, `wanted` the columns it must have.

    Raises
    ------
    DataError
        Not an .xlsx workbook (encrypted, .xls renamed), macros or links to other workbooks, no such sheet or a hidden one, merged cells,
        hidden rows, a header that is not in `header_row`, a formula without a stored value, an error, a whole number of 15 digits or more,
        days mixed with texts or numbers in one column, rows after an empty one. Each sentence names sheet and cell.
    """
    with held_still(path, name, max_mb=form.max_mb) as file:
        _refuse_workbook(file, form)
        rows, lines = _rows(file, form, wanted)
        columns = {field: _column(cells) for field, cells in rows.items()}
        return Cells(columns, np.asarray(lines, dtype=np.int64), name, file.content_hash)


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


def _rows(file: OpenFile, form: ExcelFormat, wanted: Sequence[str]) -> tuple[dict[str, list[tuple[str, str | None]]], list[int]]:
    """Kind and text of every cell below the header, by column, and the row numbers."""
    from openpyxl import load_workbook

    values = load_workbook(file.handle, read_only=True, data_only=True)
    formulas = load_workbook(file.handle, read_only=True, data_only=False)
    try:
        if form.sheet not in values.sheetnames:
            raise DataError(f"{file.name}: has no sheet '{form.sheet}'; its sheets are {', '.join(values.sheetnames)}")
        sheet = values[form.sheet]
        where = f"{file.name}, sheet '{form.sheet}'"
        if getattr(sheet, "sheet_state", "visible") != "visible":
            raise DataError(f"{where}: is hidden; show it, so that a person has seen what is loaded")
        _refuse_layout(file, sheet, where)
        pairs = zip(sheet.iter_rows(), formulas[form.sheet].iter_rows(), strict=True)
        return _table(where, form.header_row, pairs, wanted)
    finally:
        values.close()
        formulas.close()


def _refuse_layout(file: OpenFile, sheet, where: str) -> None:
    file.handle.seek(0)
    with zipfile.ZipFile(file.handle) as archive:
        body = archive.read(sheet._worksheet_path)
    merged = [area.decode() for area in _MERGED.findall(body)]
    hidden = [row.decode() for row in _HIDDEN_ROW.findall(body)]
    problems = [f"{where}, cells {area}: are merged; deliver one value a cell" for area in merged[:MOST_PROBLEMS]]
    problems += [f"{where}, row {row}: is hidden; show it or remove it" for row in hidden[:MOST_PROBLEMS]]
    if problems:
        raise DataError(problems)


def _table(where: str, header_row: int, pairs: Iterator[tuple], wanted: Sequence[str]):
    problems: list[str] = []
    header: list[str] = []
    rows: dict[str, list[tuple[str, str | None]]] = {}
    lines: list[int] = []
    blank = 0
    for number, (cells, formulas) in enumerate(pairs, 1):
        if number < header_row:
            continue
        if number == header_row:
            header = _header(cells)
            problems = header_problems(f"{where}, row {number}", header, wanted)
            if problems:
                raise DataError(problems[:MOST_PROBLEMS])
            rows = {name: [] for name in header}
            continue
        read = [_cell(where, cell, formula, problems) for cell, formula in zip(cells, formulas, strict=True)]
        if all(text is None for _, text in read):
            blank = blank or number
            continue
        if blank:
            problems.append(f"{where}, row {blank}: is empty and row {number} is not; one sheet holds one table, remove what stands below")
        if any(text is not None for _, text in read[len(header) :]):
            problems.append(f"{where}, row {number}: has cells beyond the last named column; name them or remove them")
        if len(problems) >= MOST_PROBLEMS:
            break
        for place, name in enumerate(header):
            rows[name].append(read[place] if place < len(read) else ("", None))
        lines.append(number)
    problems += _mixed(where, rows, lines, wanted)
    if not header:
        problems.append(f"{where}: ends before row {header_row}, which `header_row` names; correct it")
    if problems:
        raise DataError(problems[:MOST_PROBLEMS])
    return rows, lines


def _header(cells) -> list[str]:
    header = ["" if cell.value is None else str(cell.value) for cell in cells]
    while header and not header[-1]:
        header.pop()
    return header


def _cell(where: str, cell, formula, problems: list[str]) -> tuple[str, str | None]:
    """What kind of cell it is, and its text."""
    value = cell.value
    if value is None:
        if isinstance(formula.value, str) and formula.data_type == "f":
            problems.append(
                f"{where}, cell {formula.coordinate}: holds a formula without a stored value; open and save the workbook, or paste values"
            )
        return "", None
    if cell.data_type == "e":
        problems.append(f"{where}, cell {cell.coordinate}: holds the error {value}; mend the sheet")
        return "text", str(value)
    if isinstance(value, bool):
        return "flag", "true" if value else "false"
    if isinstance(value, datetime):
        return "day", value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, date):
        return "day", value.isoformat()
    if isinstance(value, int | float):
        return "number", _number(where, cell, value, problems)
    return "text", str(value)


def _number(where: str, cell, value: int | float, problems: list[str]) -> str:
    if abs(value) >= MOST_EXACT:
        problems.append(f"{where}, cell {cell.coordinate}: a number of more than 15 digits, the last ones are lost; store ids as text")
    return str(int(value)) if value == int(value) else repr(value)


def _mixed(where: str, rows: dict[str, list[tuple[str, str | None]]], lines: list[int], wanted: Sequence[str]) -> list[str]:
    """Columns in which days stand beside texts or numbers: which is a day and which is not would be a guess."""
    problems = []
    for place, (name, cells) in enumerate(rows.items()):
        kinds = [kind for kind, _ in cells]
        if name in wanted and "day" in kinds and {"text", "number", "flag"} & set(kinds):
            other = next(position for position, kind in enumerate(kinds) if kind in ("text", "number", "flag"))
            at = f"{_letters(place)}{lines[other]}"
            problems.append(
                f"{where}, cell {at}: column '{name}' holds days and this {kinds[other]} {cells[other][1]!r}; make all of them days"
            )
    return problems


def _letters(place: int) -> str:
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _column(cells: list[tuple[str, str | None]]) -> TextColumn:
    """A column of typed cells is native; one text in it makes it a column of texts, read as the mapping declares."""
    return text_column([text for _, text in cells], native=not any(kind == "text" for kind, _ in cells), type_name="cell")
