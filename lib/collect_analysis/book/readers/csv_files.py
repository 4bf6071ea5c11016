"""CSV files by declared format: no sniffing, every structural fault with its line."""

import csv
import gzip
import hashlib
import io
import stat
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from collect_analysis.book.readers.cells import Cells
from collect_analysis.book.source_format import CsvFormat
from collect_analysis.errors import DataError

MOST_PROBLEMS = 10
MEBIBYTE = 1024 * 1024


def read_csv_file(path: Path, form: CsvFormat) -> Cells:
    """The cells of a CSV file with a header line.

    Raises
    ------
    DataError
        Not a regular file, larger than `max_mb` when expanded, empty, not the declared encoding, header with blanks at its ends or the same
        name twice, a line with more or fewer cells than the header, a quote not closed, a line break inside a cell, the header repeated.
    """
    raw = regular_bytes(path, form.max_mb)
    content_hash = hashlib.sha256(raw).hexdigest()
    data = _expanded(path, raw, form)
    if not data.strip():
        raise DataError(f"{path.name}: is empty; deliver the file again, or declare the source `optional: true`")
    rows, lines = _rows(path.name, _decoded(path, data, form.encoding), form.delimiter)
    header = rows[0]
    columns = list(zip(*rows[1:], strict=True)) or [()] * len(header)
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in zip(header, columns, strict=True)})
    return Cells(frame, np.asarray(lines[1:], dtype=np.int64), path.name, content_hash)


def regular_bytes(path: Path, max_mb: int) -> bytes:
    """The bytes of a regular file that does not change while it is read."""
    before = path.stat()
    if not stat.S_ISREG(before.st_mode):
        raise DataError(f"{path.name}: is not a regular file; name a file")
    if before.st_size > max_mb * MEBIBYTE:
        raise DataError(f"{path.name}: is larger than {max_mb} MiB; split it, or raise `max_mb` in the mapping file knowingly")
    raw = path.read_bytes()
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(raw) != before.st_size:
        raise DataError(f"{path.name}: changed while it was read; wait until it is delivered whole and import it again")
    return raw


def _expanded(path: Path, raw: bytes, form: CsvFormat) -> bytes:
    if form.compression == "none":
        return raw
    try:
        with gzip.open(io.BytesIO(raw)) as handle:
            data = handle.read(form.max_mb * MEBIBYTE + 1)
    except (OSError, EOFError) as error:
        raise DataError(f"{path.name}: is no whole gzip file ({error}); deliver it again") from error
    if len(data) > form.max_mb * MEBIBYTE:
        raise DataError(f"{path.name}: expands to more than {form.max_mb} MiB; split it, or raise `max_mb` in the mapping file knowingly")
    return data


def _decoded(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        guess = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in data[:100] else "cp1258 or cp1252"
        raise DataError(
            f"{path.name}, line {line}: is not {encoding}; it looks like {guess}, declare `encoding` in the mapping file"
        ) from None


def _rows(name: str, text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    problems: list[str] = []
    try:
        for row in reader:
            before = lines[-1] if lines else 0
            if reader.line_num != before + 1 and not any("line break" in problem for problem in problems):
                problems.append(f"{name}, line {before + 1}: a cell holds a line break, or a quote is not closed; mend the delivery")
            if rows and len(row) != len(rows[0]):
                problems.append(
                    f"{name}, line {reader.line_num}: has {len(row)} cells, the header {len(rows[0])}; mend or complete the line"
                )
            elif rows and row == rows[0]:
                problems.append(f"{name}, line {reader.line_num}: repeats the header; two files were joined, deliver them apart")
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        problems.append(f"{name}, line {reader.line_num}: {error}; a quote is not closed or stands inside a cell")
    problems = _header_problems(name, rows[0] if rows else []) + problems
    if problems:
        more = [f"{name}: and {len(problems) - MOST_PROBLEMS} more such lines"] if len(problems) > MOST_PROBLEMS else []
        raise DataError(problems[:MOST_PROBLEMS] + more)
    return rows, lines


def _header_problems(name: str, header: list[str]) -> list[str]:
    problems = [
        f"{name}, line 1: column name {cell!r} has blanks at its ends or is empty; mend the header"
        for cell in header
        if cell != cell.strip() or not cell
    ]
    problems += [
        f"{name}, line 1: column '{cell}' stands {count} times; name each once" for cell, count in Counter(header).items() if count > 1
    ]
    return problems
