"""CSV files by declared format: no sniffing, every structural fault with its line."""

import gzip
import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

from collect_analysis.book.readers.cells import Cells, text_column
from collect_analysis.book.readers.csv_rows import CsvRows, Lines
from collect_analysis.book.readers.files import MEBIBYTE, OpenFile, held_still
from collect_analysis.book.source_format import CsvFormat
from collect_analysis.errors import DataError

# Bytes that Vietnamese text has in these code pages and plain Western text has not.
_TCVN3 = frozenset([0xA8, 0xA9, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBB, 0xBC, 0xBD, 0xBE])
_CP1258 = frozenset([0xCC, 0xD0, 0xD2, 0xDE, 0xEC, 0xF0, 0xF2, 0xF5, 0xFD])


def read_csv_file(path: Path, name: str, form: CsvFormat, wanted: Sequence[str]) -> Cells:
    """The cells of a CSV file with a header line; `name` is how messages call it, `wanted` the columns it must have.

    Raises
    ------
    DataError
        Not a regular file, larger than `max_mb` (expanded), changed while read, zero bytes, not of the declared encoding or compression,
        a header that lacks a wanted column, a line with more or fewer cells than the header that is no declared footer, a quote not closed or
        followed by text, a line break inside a cell unless declared, the header repeated further down. Each sentence names file and line.
    """
    with held_still(path, name, max_mb=form.max_mb) as file:
        if file.size == 0:
            raise DataError(f"{name}: is empty (zero bytes); deliver the file again")
        rows = _read(file, form, wanted)
    table = rows.table
    columns = {field: text_column(table[field]) for field in table.column_names}
    return Cells(
        columns, rows.lines, name, file.content_hash, tuple(rows.notes), tuple(rows.footer), whole=rows.whole, header=tuple(rows.header)
    )


def _read(file: OpenFile, form: CsvFormat, wanted: Sequence[str]) -> CsvRows:
    try:
        with _expanded(file, form) as binary:
            _refuse_other_encoding(file.name, binary, form)
            text = io.TextIOWrapper(binary, encoding="utf-8-sig" if form.encoding == "utf-8" else form.encoding, newline="")
            rows = CsvRows(file.name, form, wanted)
            rows.read(Lines(text))
            return rows
    except UnicodeDecodeError:
        raise DataError(_encoding_sentence(file, form)) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{file.name}: is no whole gzip file ({error}); deliver it again, or correct `compression`") from None


class _Capped(io.RawIOBase):
    """A stream that refuses to give more than its cap: a small file may expand without end."""

    def __init__(self, inner: BinaryIO, name: str, max_mb: int) -> None:
        self._inner, self._name, self._max_mb, self._given = inner, name, max_mb, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self._inner.read(len(buffer))
        self._given += len(data)
        if self._given > self._max_mb * MEBIBYTE:
            raise DataError(
                f"{self._name}: expands to more than {self._max_mb:,} MiB; split it, or raise `max_mb` in the mapping file knowingly"
            )
        buffer[: len(data)] = data
        return len(data)


def _expanded(file: OpenFile, form: CsvFormat) -> io.BufferedReader:
    file.handle.seek(0)
    inner = cast(BinaryIO, gzip.GzipFile(fileobj=file.handle)) if form.compression == "gzip" else file.handle
    return io.BufferedReader(_Capped(inner, file.name, form.max_mb), MEBIBYTE)


def _refuse_other_encoding(name: str, binary: io.BufferedReader, form: CsvFormat) -> None:
    """Refuse what the first bytes show to be something else; a single-byte encoding would read any file without complaint."""
    head = binary.peek(MEBIBYTE)
    if head.startswith(b"\x1f\x8b"):
        raise DataError(f"{name}: is a gzip file; declare `compression: gzip`")
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise DataError(f"{name}: is a zip file or workbook, not a CSV file; declare `kind: excel`, or deliver text")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and form.encoding != "utf-16":
        raise DataError(f"{name}, line 1: is not {form.encoding}; it looks like UTF-16, save it as UTF-8 or declare `encoding: utf-16`")
    if form.encoding in ("utf-8", "utf-16"):
        return
    whole = head[: head.rfind(b"\n") + 1]
    try:
        looks = not whole.decode("utf-8").isascii()
    except UnicodeDecodeError:
        looks = False
    if looks:
        raise DataError(f"{name}: is declared {form.encoding} and reads as UTF-8; declare `encoding: utf-8`")


def _encoding_sentence(file: OpenFile, form: CsvFormat) -> str:
    """The first line that is not of the declared encoding, and what it looks like."""
    with _expanded(file, form) as binary:
        for number, line in enumerate(binary, 1):
            try:
                line.decode(form.encoding)
            except UnicodeDecodeError as error:
                where = f"{file.name}, line {number}: byte 0x{line[error.start]:02X} is not {form.encoding}"
                return f"{where}; it looks like {_guess(line)}, save it as UTF-8 or declare `encoding`"
    return f"{file.name}: is not {form.encoding} throughout; save it as UTF-8 or correct `encoding`"


def _guess(line: bytes) -> str:
    if b"\0" in line:
        return "UTF-16"
    high = [byte for byte in line if byte >= 0x80]
    if high and sum(byte in _TCVN3 for byte in high) > len(high) / 2:
        return "TCVN3 (convert it first)"
    if any(byte in _CP1258 for byte in high):
        return "Windows Vietnamese (cp1258)"
    return "Windows Western (cp1252)"
