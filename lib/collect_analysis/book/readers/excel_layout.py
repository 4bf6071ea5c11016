"""What a sheet shows and hides: read from its XML in one pass, before any cell is believed."""

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from collect_analysis.errors import DataError

_AREA = re.compile(r"([A-Z]{1,3})([0-9]{1,7})(?::([A-Z]{1,3})([0-9]{1,7}))?")
_TRUE = ("1", "true")
# A person needs the first few.
MOST_KEPT = 10


@dataclass
class Layout:
    """What lies in a sheet beside its values, rows and columns counted from 1.

    `merged` areas as written with their first and last row; `hidden_rows`; `hidden_columns` as first and last; `unsaved` the first rows of a
    column that hold formulas without a stored value.
    """

    merged: list[tuple[str, int, int]] = field(default_factory=list)
    hidden_rows: list[int] = field(default_factory=list)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    unsaved: dict[int, list[int]] = field(default_factory=dict)


def read_layout(archive: zipfile.ZipFile, path: str, where: str, *, first: int) -> Layout:
    """The layout of the sheet stored at `path` of a workbook, from row `first` on.

    Raises
    ------
    DataError
        The XML of the sheet is cut off or broken, declares entities, or its rows do not stand in order.
    """
    pass_over = _Pass(where, first)
    try:
        with archive.open(path) as stream:
            pass_over.parser.ParseFile(stream)
    except expat.ExpatError as error:
        raise DataError(f"{where}: is cut off or damaged ({error}); deliver the workbook again") from None
    return pass_over.layout


class _Pass:
    """The handlers of one pass over a sheet."""

    def __init__(self, where: str, first: int) -> None:
        self.layout = Layout()
        self._where, self._first = where, first
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler, self.parser.EndElementHandler = self.start, self.end
        self.parser.EntityDeclHandler = self.entity
        self._row = self._column = 0
        self._all_hidden = self._formula = self._valued = False

    def entity(self, *_: object) -> None:
        raise DataError(f"{self._where}: declares entities, which no workbook needs; save it anew")

    def start(self, name: str, said: Mapping[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "c":
            self._column = column_number(said["r"]) if "r" in said else self._column + 1
            self._formula, self._valued = False, said.get("t") == "str"
        elif name == "f":
            self._formula = True
        elif name == "v" and self._formula:
            # A value that was never computed may stand there empty; a text that is empty says so by its type.
            self.parser.CharacterDataHandler = self.value
        elif name == "row":
            self._start_row(said)
        elif name == "mergeCell":
            self._merge(said.get("ref", ""))
        elif name == "col" and (said.get("hidden") in _TRUE or said.get("width") == "0"):
            self.layout.hidden_columns.append((int(said.get("min", 0)), int(said.get("max", 0))))
        elif name == "sheetFormatPr":
            self._all_hidden = said.get("zeroHeight") in _TRUE

    def value(self, text: str) -> None:
        self._valued = self._valued or bool(text.strip())

    def end(self, name: str) -> None:
        self.parser.CharacterDataHandler = None
        if name.rpartition(":")[2] == "c" and self._formula and not self._valued and self._row > self._first:
            rows = self.layout.unsaved.setdefault(self._column, [])
            if len(rows) < MOST_KEPT:
                rows.append(self._row)

    def _start_row(self, said: Mapping[str, str]) -> None:
        number = int(float(said["r"])) if "r" in said else self._row + 1
        if number <= self._row:
            raise DataError(f"{self._where}: row {number} stands after row {self._row}; save the workbook anew in Excel")
        self._row, self._column = number, 0
        hidden = said.get("hidden", "1" if self._all_hidden else "") in _TRUE or said.get("ht") == "0"
        if hidden and number >= self._first and len(self.layout.hidden_rows) < MOST_KEPT:
            self.layout.hidden_rows.append(number)

    def _merge(self, area: str) -> None:
        found = _AREA.fullmatch(area)
        if found:
            self.layout.merged.append((area, int(found[2]), int(found[4] or found[2])))


def column_number(reference: str) -> int:
    """The number of a column, from 1, of a reference such as AB12."""
    number = 0
    for letter in reference:
        if not letter.isalpha():
            break
        number = number * 26 + ord(letter.upper()) - 64
    return number


def column_letters(number: int) -> str:
    """The letters of a column counted from 1."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
