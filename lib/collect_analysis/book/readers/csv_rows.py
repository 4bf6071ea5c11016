"""The rows of a delimited text: header, rows of as many cells, footer; every line that is none of them told with its number."""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from collect_analysis.book.readers import footers
from collect_analysis.book.readers.headers import composed, header_hint, header_problems
from collect_analysis.book.source_format import CsvFormat
from collect_analysis.errors import DataError

MOST_PROBLEMS = 10
CHUNK_ROWS = 5_000
MOST_CELL = 131_072  # characters, the csv module's own limit
# A note of that many lines is one; more are rows that a quote not closed has swallowed.
MOST_BREAKS = 50
_BREAK = re.compile(r"\r\n|\r|\n")


class Lines:
    """Lines of a text, remembering whether the last one was ended."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.ended = True

    def __iter__(self) -> Iterator[str]:
        line = "\n"
        for line in self._lines:
            yield line
        self.ended = line.endswith(("\n", "\r"))


@dataclass
class CsvRows:
    """One delimited text while it is read; `read` fills the rest or raises."""

    name: str
    form: CsvFormat
    wanted: Sequence[str]
    header: list[str] = field(default_factory=list)
    batches: list[pa.RecordBatch] = field(default_factory=list)
    numbers: list[np.ndarray] = field(default_factory=list)
    footer: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    whole: bool = True
    _written: list[str] = field(default_factory=list)
    _blank: int = 0
    _closed: bool = False

    @property
    def table(self) -> pa.Table:
        """The rows as texts."""
        return pa.Table.from_batches(self.batches, schema=pa.schema([(column, pa.string()) for column in self.header]))

    @property
    def lines(self) -> np.ndarray:
        """The line on which each row begins."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *self.numbers])

    def read(self, lines: Lines) -> None:
        """Read header, rows and footer.

        Raises
        ------
        DataError
            With every line that is none of them.
        """
        text = iter(lines)
        above = sum(1 for _ in itertools.islice(text, self.form.header_row - 1))
        reader = csv.reader(text, delimiter=self.form.delimiter, strict=True)
        try:
            self._read_header(reader, above)
            self._read_body(reader, above)
        except csv.Error as error:
            raise DataError(f"{self.name}, line {above + reader.line_num}: {_csv_sentence(str(error))}") from None
        if self.problems:
            if not lines.ended and f"line {above + reader.line_num}: has" in self.problems[-1]:
                self.problems[-1] += "; the file ends without a line break: it is cut off, deliver it again"
            raise DataError(self.problems[:MOST_PROBLEMS])
        # What stands above a footer was ended.
        self.whole = lines.ended or self._closed
        if not self.whole:
            self.notes.append(f"{self.name}: does not end with a line break; compare its rows with the sender's count")

    def _read_header(self, reader, above: int) -> None:
        where = f"{self.name}, line {self.form.header_row}"
        self._written = next(reader, [])
        if not any(cell.strip() for cell in self._written):
            raise DataError(f"{where}: there is no header; deliver the file again with its column names")
        self.header = composed(self._written)
        problems = header_problems(where, self.header, self.wanted)
        if len(self.header) == 1 and len(self.wanted) > 1:
            problems.append(f"{where}: one column only; the delimiter is declared as {self.form.delimiter!r}, check `delimiter`")
        if problems:
            raise DataError(header_hint(self.name, "line", _ahead(reader, above), self.wanted) or problems[:MOST_PROBLEMS])

    def _read_body(self, reader, above: int) -> None:
        start = above + reader.line_num
        while len(self.problems) < MOST_PROBLEMS and (rows := list(itertools.islice(reader, CHUNK_ROWS))):
            below = self._below(rows, reader)
            if self._blank and any(rows):
                self.problems.append(_blank_sentence(self.name, self._blank))
            while rows and not rows[-1]:
                rows.pop()
                self._blank = self._blank or start + len(rows) + 1
            self._take(rows, start, breaks=above + reader.line_num - start != len(rows) + len(below) and not self._blank)
            if below:
                self._end(below, start + sum(1 + self._breaks(row) for row in rows) + 1)
                return
            start = above + reader.line_num

    def _below(self, rows: list[list[str]], reader) -> list[list[str]]:
        """The footer, taken off the rows, with what follows it in the file."""
        if not self.form.footer:
            return []
        at = next((place for place, row in enumerate(rows) if footers.begins_footer(row, self.form.footer)), None)
        if at is None:
            return []
        below = (rows[at:] + list(itertools.islice(reader, footers.MOST_LINES)))[: footers.MOST_LINES + 1]
        del rows[at:]
        return below

    def _take(self, rows: list[list[str]], start: int, *, breaks: bool) -> None:
        """Keep the rows of a chunk, of which `start` is the line before the first, or tell which are none."""
        if breaks or {len(row) for row in rows} - {len(self.header)} or self._written in rows:
            self.problems += self._line_problems(rows, start)
        if self.problems or not rows:
            return
        schema = pa.schema([(column, pa.string()) for column in self.header])
        self.batches.append(pa.record_batch([pa.array(cells, pa.string()) for cells in zip(*rows, strict=True)], schema=schema))
        more = np.array([self._breaks(row) for row in rows[:-1]]) if breaks else np.zeros(len(rows) - 1, dtype=np.int64)
        self.numbers.append(start + 1 + np.concatenate([[0], np.cumsum(more + 1)]).astype(np.int64))

    def _end(self, below: list[list[str]], line: int) -> None:
        where = f"{self.name}, line {line}"
        self._closed = True
        if len(below) > footers.MOST_LINES:
            self.problems.append(footers.too_long(where, len(below) - 1))
        filled = [row for row in below if any(cell.strip() for cell in row)]
        self.footer = [dict(zip(self.header, row, strict=True)) for row in filled if len(row) == len(self.header)]
        self.notes.append(footers.left_out(where, next(cell for cell in filled[0] if cell.strip()), len(filled)))

    @staticmethod
    def _breaks(row: list[str]) -> int:
        return sum(len(_BREAK.findall(cell)) for cell in row)

    def _line_problems(self, rows: list[list[str]], start: int) -> list[str]:
        """Every line of a chunk that is no row; `start` is the line before its first."""
        problems = []
        line = start
        for row in rows:
            line += 1
            breaks = self._breaks(row)
            where = f"{self.name}, line {line}"
            if breaks and (not self.form.line_breaks or breaks > MOST_BREAKS):
                problems.append(
                    f"{where}: a cell holds a line break, or a quote is not closed; deliver one row on one line"
                    + (", or declare `line_breaks: true` under `format` if notes may have several lines" if breaks <= MOST_BREAKS else "")
                )
            elif row == self._written:
                problems.append(f"{where}: repeats the header; two files were joined, deliver them apart")
            elif not row:
                problems.append(_blank_sentence(self.name, line))
            elif len(row) != len(self.header):
                fix = footers.footer_hint(row) or "mend the line, or check `delimiter`"
                problems.append(f"{where}: has {len(row)} cells, the header {len(self.header)}; {fix}")
            line += breaks
        return problems


def _ahead(reader, above: int) -> Iterator[tuple[int, list[str]]]:
    """The lines below, as far as they can be read: where a header is looked for, quotes may not match."""
    while True:
        try:
            row = next(reader)
        except (StopIteration, csv.Error):
            return
        yield above + reader.line_num, composed(row)


def _blank_sentence(name: str, line: int) -> str:
    return f"{name}, line {line}: is blank and more lines follow; remove it"


def _csv_sentence(error: str) -> str:
    if "field larger" in error:
        return f"a cell has more than {MOST_CELL:,} characters; a quote is not closed, or the file is no table"
    if "unexpected end" in error:
        return "a quote is not closed before the file ends; mend the delivery"
    if "expected after" in error:
        return "text follows a closing quote; double the quotes inside a cell, or mend the delivery"
    return f"{error}; mend the delivery"
