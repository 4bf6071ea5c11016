"""CSV files by declared format: no sniffing, every structural fault with its line."""

import csv
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa

from collect_analysis.book.readers.cells import Cells, text_column
from collect_analysis.book.readers.files import MEBIBYTE, OpenFile, held_still
from collect_analysis.book.readers.headers import header_problems
from collect_analysis.book.source_format import CsvFormat
from collect_analysis.errors import DataError

MOST_PROBLEMS = 10
CHUNK_ROWS = 5_000
MOST_CELL = 131_072  # characters, the csv module's own limit
_BREAK = re.compile(r"\r\n|\r|\n")
# Bytes that Vietnamese text has in these code pages and plain Western text has not.
_TCVN3 = frozenset([0xA8, 0xA9, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBB, 0xBC, 0xBD, 0xBE])
_CP1258 = frozenset([0xCC, 0xD0, 0xD2, 0xDE, 0xEC, 0xF0, 0xF2, 0xF5, 0xFD])


def read_csv_file(path: Path, name: str, form: CsvFormat, wanted: Sequence[str]) -> Cells:
    """The cells of a CSV file with a header line; `name` is how messages call it, `wanted` the columns it must have.

    Raises
    ------
    DataError
        Not a regular file, larger than `max_mb` (expanded), changed while read, zero bytes, not of the declared encoding or compression,
        a header that lacks a wanted column, a line with more or fewer cells than the header, a quote not closed or followed by text, a line
        break inside a cell, the header repeated further down. Each sentence names file and line.
    """
    with held_still(path, name, max_mb=form.max_mb) as file:
        if file.size == 0:
            raise DataError(f"{name}: is empty (zero bytes); deliver the file again")
        table, lines, notes = _read(file, form, wanted)
    columns = {field: text_column(table[field]) for field in table.column_names}
    return Cells(columns, lines, name, file.content_hash, notes)


def _read(file: OpenFile, form: CsvFormat, wanted: Sequence[str]) -> tuple[pa.Table, np.ndarray, tuple[str, ...]]:
    try:
        with _expanded(file, form) as binary:
            _refuse_other_encoding(file.name, binary, form)
            text = io.TextIOWrapper(binary, encoding="utf-8-sig" if form.encoding == "utf-8" else form.encoding, newline="")
            tail = _Tail(text)
            table, lines = _rows(file.name, tail, form.delimiter, wanted)
            note = f"{file.name}: does not end with a line break; compare its rows with the sender's count"
            return table, lines, () if tail.ended else (note,)
    except UnicodeDecodeError:
        raise DataError(_encoding_sentence(file, form)) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{file.name}: is no whole gzip file ({error}); deliver it again, or correct `compression`") from None


class _Tail:
    """Lines of a text, remembering whether the last one was ended."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.ended = True

    def __iter__(self) -> Iterator[str]:
        line = "\n"
        for line in self._lines:
            yield line
        self.ended = line.endswith(("\n", "\r"))


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


def _rows(name: str, lines: "_Tail", delimiter: str, wanted: Sequence[str]) -> tuple[pa.Table, np.ndarray]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    problems: list[str] = []
    try:
        header = next(reader, [])
        if not any(cell.strip() for cell in header):
            raise DataError(f"{name}, line 1: there is no header; deliver the file again with its column names")
        problems += header_problems(f"{name}, line 1", header, wanted)
        if len(header) == 1 and len(wanted) > 1:
            problems.append(f"{name}, line 1: one column only; the delimiter is declared as {delimiter!r}, check `delimiter`")
        if problems:
            raise DataError(problems[:MOST_PROBLEMS])
        return _body(name, reader, lines, header)
    except csv.Error as error:
        raise DataError(f"{name}, line {reader.line_num}: {_csv_sentence(str(error))}") from None


def _csv_sentence(error: str) -> str:
    if "field larger" in error:
        return f"a cell has more than {MOST_CELL:,} characters; a quote is not closed, or the file is no table"
    if "unexpected end" in error:
        return "a quote is not closed before the file ends; mend the delivery"
    if "expected after" in error:
        return "text follows a closing quote; double the quotes inside a cell, or mend the delivery"
    return f"{error}; mend the delivery"


def _body(name: str, reader, tail: "_Tail", header: list[str]) -> tuple[pa.Table, np.ndarray]:
    schema = pa.schema([(column, pa.string()) for column in header])
    batches: list[pa.RecordBatch] = []
    problems: list[str] = []
    first = start = reader.line_num
    blank = 0
    while len(problems) < MOST_PROBLEMS and (rows := list(itertools.islice(reader, CHUNK_ROWS))):
        if blank and any(rows):
            problems.append(_blank_sentence(name, blank))
        while rows and not rows[-1]:
            rows.pop()
            blank = blank or start + len(rows) + 1
        broken = reader.line_num - start != len(rows) and not blank
        if broken or {len(row) for row in rows} - {len(header)} or header in rows:
            problems += _line_problems(name, rows, start, header)
        if not problems and rows:
            batches.append(pa.record_batch([pa.array(cells, pa.string()) for cells in zip(*rows, strict=True)], schema=schema))
        start = reader.line_num
    if problems:
        if not tail.ended and f"line {reader.line_num}: has" in problems[-1]:
            problems[-1] += "; the file ends without a line break: it is cut off, deliver it again"
        raise DataError(problems[:MOST_PROBLEMS])
    table = pa.Table.from_batches(batches, schema=schema)
    return table, np.arange(first + 1, first + 1 + table.num_rows, dtype=np.int64)


def _line_problems(name: str, rows: list[list[str]], start: int, header: list[str]) -> list[str]:
    """Every line of a chunk that is no row; `start` is the line before its first."""
    problems = []
    line = start
    for row in rows:
        line += 1
        breaks = sum(len(_BREAK.findall(cell)) for cell in row)
        if breaks:
            problems.append(f"{name}, line {line}: a cell holds a line break, or a quote is not closed; deliver one row on one line")
        elif row == header:
            problems.append(f"{name}, line {line}: repeats the header; two files were joined, deliver them apart")
        elif not row:
            problems.append(_blank_sentence(name, line))
        elif len(row) != len(header):
            problems.append(f"{name}, line {line}: has {len(row)} cells, the header {len(header)}; mend the line, or check `delimiter`")
        line += breaks
    return problems


def _blank_sentence(name: str, line: int) -> str:
    return f"{name}, line {line}: is blank and more lines follow; remove it"


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
