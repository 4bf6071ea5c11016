"""Excel sheets: what is read, and every way a spreadsheet spoils data, refused with its cell."""

import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest
from collect_analysis.book.readers.cells import Cells
from collect_analysis.book.readers.excel_files import read_excel_sheet
from collect_analysis.book.source_format import ExcelFormat
from collect_analysis.errors import DataError
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

WANTED = ("id", "amount", "day")


def book(rows: list[list[object]], sheet: str = "cash") -> Workbook:
    workbook = Workbook()
    page = workbook.active
    page.title = sheet
    for row in rows:
        page.append(row)
    return workbook


def read(folder: Path, workbook: Workbook, **options) -> Cells:
    workbook.save(folder / "f.xlsx")
    return read_excel_sheet(folder / "f.xlsx", "f.xlsx", ExcelFormat(kind="excel", **{"sheet": "cash", **options}), WANTED)


def refusal(folder: Path, workbook: Workbook, **options) -> str:
    with pytest.raises(DataError) as refused:
        read(folder, workbook, **options)
    assert refused.value.exit_code == 3
    return str(refused.value)


def column(cells: Cells, name: str) -> list[str | None]:
    return [cells.columns[name].cell(row) for row in range(cells.rows)]


HEADER = ["id", "amount", "day"]


def test_typed_cells_become_exact_texts(tmp_path: Path) -> None:
    cells = read(tmp_path, book([HEADER, ["007", 1234.56, date(2026, 6, 1)], [12, 5, datetime(2026, 6, 2, 13, 5)], ["x", None, None]]))
    assert column(cells, "id") == ["007", "12", "x"]
    assert column(cells, "amount") == ["1234.56", "5", None]
    assert column(cells, "day") == ["2026-06-01", "2026-06-02 13:05:00", None]
    assert [cells.columns[name].native for name in HEADER] == [False, True, True]
    assert list(cells.lines) == [2, 3, 4]


def test_a_header_row_further_down_is_declared(tmp_path: Path) -> None:
    rows = [["Báo cáo thu hồi"], [], HEADER, ["1", 2, date(2026, 6, 1)]]
    cells = read(tmp_path, book(rows), header_row=3)
    assert (column(cells, "id"), list(cells.lines)) == (["1"], [4])
    assert refusal(tmp_path, book(rows)) == (
        "f.xlsx, sheet 'cash', row 3: holds every column that the mapping file names, the declared row does not; declare `header_row: 3`"
    )
    told = refusal(tmp_path, book([["Báo cáo thu hồi"], HEADER[:2]]))
    assert "f.xlsx, sheet 'cash', row 1: there is no column 'id', which the mapping file names; known: Báo cáo thu hồi" in told


def test_b39_numbers_a_spreadsheet_has_rounded_are_refused_with_their_cell(tmp_path: Path) -> None:
    told = refusal(tmp_path, book([HEADER, ["1", 2, None], [1234567890123456789, 2, None]]))
    assert "sheet 'cash', cell A3: a number of more than 15 digits, the last ones are lost; store ids as text" in told


def test_b40_days_beside_texts_are_refused_and_both_calendars_read(tmp_path: Path) -> None:
    told = refusal(tmp_path, book([HEADER, ["1", 2, date(2026, 6, 1)], ["2", 2, "01/06/2026"]]))
    assert "cell C3: column 'day' holds days and this text '01/06/2026'; make all of them days" in told
    told = refusal(tmp_path, book([HEADER, ["1", 2, date(2026, 6, 1)], ["2", 2, 45000]]))
    assert "cell C3: column 'day' holds days and this number '45000'" in told
    old = book([HEADER, ["1", 2, date(2026, 6, 1)]])
    old.epoch = CALENDAR_MAC_1904
    assert column(read(tmp_path, old), "day") == ["2026-06-01"]


def test_b41_formulas_without_value_and_errors_are_refused_with_their_cell(tmp_path: Path) -> None:
    told = refusal(tmp_path, book([HEADER, ["1", "=1+1", None], ["2", "#N/A", None]]))
    assert "cell B2: holds a formula without a stored value; open and save the workbook, or paste values" in told
    assert "cell B3: holds the error #N/A; mend the sheet" in told


def test_b42_merged_cells_hidden_rows_and_sheets_and_second_tables_are_refused(tmp_path: Path) -> None:
    rows: list[list[object]] = [HEADER, ["1", 2, None], ["2", 3, None]]
    merged = book(rows)
    merged.active.merge_cells("A2:B2")
    assert "cells A2:B2: are merged; deliver one value a cell" in refusal(tmp_path, merged)
    hidden = book(rows)
    hidden.active.row_dimensions[3].hidden = True
    assert "row 3: is hidden, perhaps by a filter; show it or remove it" in refusal(tmp_path, hidden)
    sheet = book(rows)
    sheet.create_sheet("other")
    sheet["cash"].sheet_state = "hidden"
    assert "sheet 'cash': is hidden" in refusal(tmp_path, sheet)
    assert "row 4: is empty and row 5 is not; one sheet holds one table" in refusal(tmp_path, book([*rows, [], ["9", 5, None]]))
    told = refusal(tmp_path, book([*rows, [], ["total", 5, None]]))
    assert 'row 4: is empty and row 5 is not; declare `footer: ["total"]` under `format` if the table ends there' in told
    assert "row 3: has cells beyond the last named column" in refusal(tmp_path, book([HEADER, ["1", 2, None], ["2", 3, None, "note"]]))
    assert "has no sheet 'june'; its sheets are cash" in refusal(tmp_path, book(rows), sheet="june")


def test_b44_what_is_no_plain_workbook_is_refused(tmp_path: Path) -> None:
    def told(content: bytes) -> str:
        (tmp_path / "f.xlsx").write_bytes(content)
        with pytest.raises(DataError) as refused:
            read_excel_sheet(tmp_path / "f.xlsx", "f.xlsx", ExcelFormat(kind="excel", sheet="cash"), WANTED)
        return str(refused.value)

    assert "encrypted, or an older format renamed" in told(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    book([HEADER]).save(tmp_path / "good.xlsx")
    for extra, sentence in (
        ("xl/vbaProject.bin", "holds macros"),
        ("xl/externalLinks/externalLink1.xml", "takes values from other workbooks"),
    ):
        content = (tmp_path / "good.xlsx").read_bytes()
        (tmp_path / "f.xlsx").write_bytes(content)
        with zipfile.ZipFile(tmp_path / "f.xlsx", "a") as archive:
            archive.writestr(extra, "x")
        assert sentence in told((tmp_path / "f.xlsx").read_bytes())
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    assert "a zip file and no .xlsx workbook" in told((tmp_path / "z.zip").read_bytes())


def test_b36_a_workbook_that_expands_without_end_is_refused(tmp_path: Path) -> None:
    book([HEADER]).save(tmp_path / "f.xlsx")
    with zipfile.ZipFile(tmp_path / "f.xlsx", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/big.bin", b"\0" * 3_000_000)
    with pytest.raises(DataError, match="expands to more than 1 MiB"):
        read_excel_sheet(tmp_path / "f.xlsx", "f.xlsx", ExcelFormat(kind="excel", sheet="cash", max_mb=1), WANTED)
