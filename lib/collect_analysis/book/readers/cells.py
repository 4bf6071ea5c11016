"""What every reader returns: one delivery as text cells, each distinct text of a column held once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class TextColumn:
    """One column of a delivery.

    `words` (d,) holds each distinct text once, `index` (k,) the word of every row, -1 where the source holds nothing. `native`: the source
    has typed cells, so numbers are written with a point and days as 2026-06-30 whatever the mapping declares of texts; `type` is its name
    there. `typed` (d,), where typed cells and texts stand in one column, says which words came from typed cells.
    """

    words: pa.StringArray
    index: np.ndarray
    native: bool = False
    type: str = "text"
    typed: np.ndarray | None = None

    @property
    def is_inexact(self) -> bool:
        """Whether its cells are binary fractions."""
        return self.type.startswith(("float", "double", "half", "real"))

    def take(self, rows: np.ndarray) -> "TextColumn":
        """The column at the given row positions."""
        return replace(self, index=self.index[rows])

    def parts(self) -> tuple["TextColumn", "TextColumn"]:
        """The cells that are typed, and those that are texts; each part holds nothing where the other holds something."""
        is_typed = np.zeros(len(self.words), dtype=bool) if self.typed is None else self.typed
        of_row = is_typed[self.index] & (self.index >= 0) if len(is_typed) else np.zeros(len(self.index), dtype=bool)
        typed = TextColumn(self.words, np.where(of_row, self.index, -1), True, self.type)
        return typed, TextColumn(self.words, np.where(of_row, -1, self.index), False, self.type)

    def cell(self, row: int) -> str | None:
        """The text at a row position."""
        return None if self.index[row] < 0 else self.words[int(self.index[row])].as_py()


def text_column(cells: pa.ChunkedArray | pa.Array | Sequence[str | None], *, native: bool = False, type_name: str = "text") -> TextColumn:
    """A column from its cells; an empty text is nothing."""
    array = cells if isinstance(cells, pa.Array | pa.ChunkedArray) else pa.array(cells, pa.string())
    chunked = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    coded = chunked.dictionary_encode().combine_chunks()
    coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
    words = coded.dictionary
    index = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
    empty = pc.index(words, "").as_py()
    if empty >= 0:
        index = np.where(index == empty, -1, index).astype(np.int32)
    return TextColumn(words, index, native, type_name)


def joined_column(left: TextColumn, right: TextColumn) -> tuple[TextColumn, np.ndarray]:
    """Two columns side by side as one, a blank between their texts, and for each of its words (d, 2) the words of both it is made of, or -1.

    It is native if both are; a row with nothing in both holds nothing.
    """
    width = len(right.words) + 1
    pairs, index = np.unique((left.index.astype(np.int64) + 1) * width + right.index + 1, return_inverse=True)
    parts = np.stack([pairs // width - 1, pairs % width - 1], axis=1)
    texts = [[word.strip() for word in column.words.to_pylist()] for column in (left, right)]
    words = [" ".join(side[place] for side, place in zip(texts, pair, strict=True) if place >= 0) for pair in parts.tolist()]
    index = np.where((parts == -1).all(axis=1)[index], -1, index).astype(np.int32)
    return TextColumn(pa.array(words, pa.string()), index, left.native and right.native, left.type), parts


def mixed_column(cells: Sequence[str | None], typed: Sequence[bool]) -> TextColumn:
    """A column of a sheet, whose cells are typed one by one."""
    kinds = {is_typed for cell, is_typed in zip(cells, typed, strict=True) if cell}
    if len(kinds) < 2:
        return text_column(cells, native=kinds != {False}, type_name="cell")
    # The same text may stand as a number and as a text: one word each.
    spelled = [None if not cell else f"{'+' if is_typed else '-'}{cell}" for cell, is_typed in zip(cells, typed, strict=True)]
    column = text_column(spelled, type_name="cell")
    is_typed = pc.starts_with(column.words, "+").to_numpy(zero_copy_only=False)
    return replace(column, words=pc.utf8_slice_codeunits(column.words, 1), typed=is_typed)


def constant_column(word: str | None, rows: int, *, native: bool = True) -> TextColumn:
    """A column that holds the same text in every row."""
    return TextColumn(pa.array([word or ""], pa.string()), np.full(rows, -1 if word is None else 0, dtype=np.int32), native)


def hours_minutes_seconds(count: int, per_second: int) -> str:
    """A duration, given in parts of a second, as 36:05:09 or 36:05:09.250."""
    seconds, rest = divmod(abs(count), per_second)
    fraction = f".{rest:0{len(str(per_second)) - 1}d}" if rest else ""
    return f"{'-' if count < 0 else ''}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}"


@dataclass(frozen=True)
class Cells:
    """One delivery as text.

    `lines` (k,) is the line or row of the source each row came from; `origin` names the file or table; `content_hash` is the SHA-256 of what
    was delivered; `notes` are sentences about oddities that were let pass; `footer` the lines below the table, by column;
    `whole` is false where nothing shows that the last line came whole; `header` names every column of the source, also those not read.
    """

    columns: Mapping[str, TextColumn]
    lines: np.ndarray
    origin: str
    content_hash: str
    notes: tuple[str, ...] = field(default=())
    footer: tuple[Mapping[str, str], ...] = field(default=())
    whole: bool = True
    header: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.lines)
