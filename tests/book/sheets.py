"""Workbooks for the tests of the Excel reader: written by openpyxl, then changed in their XML where a writer would not do it."""

import zipfile
from collections.abc import Callable
from pathlib import Path

from openpyxl import Workbook

SHEET = "xl/worksheets/sheet1.xml"


def workbook(rows: list[list[object]], *, sheet: str = "cash", formats: dict[str, str] | None = None) -> Workbook:
    """A workbook with one sheet; `formats` gives cells a number format."""
    book = Workbook()
    page = book.active
    page.title = sheet
    for row in rows:
        page.append(row)
    for cell, code in (formats or {}).items():
        page[cell].number_format = code
    return book


def saved(book: Workbook, path: Path, change: Callable[[str], str] | None = None, *, part: str = SHEET) -> Path:
    """The workbook as a file; `change` rewrites the XML of one part of it."""
    book.save(path)
    if change is None:
        return path
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    before = parts[part].decode()
    parts[part] = change(before).encode()
    assert parts[part].decode() != before
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path
