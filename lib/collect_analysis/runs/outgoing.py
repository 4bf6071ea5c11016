"""The last look at a run before it is published: no byte that would leave may hold a key, a phone number or a mail address of a person.

Everything is read as words: cells and headings of tables, drawings, labels, checks, sentences, what cells of the notebook printed, the page,
documents. Words are compared with the keys of the book that the run read (`book.person_keys`). Three rules keep ordinary words and numbers
apart from keys, and are the limits of this look:

- a key is searched from four characters on if it holds a digit, from eight letters on otherwise;
- a key of digits alone is told from a number by chance: it counts as found where an ordinary number would be a key less than once in a
  million times, alone (a book of 200,000 keys of twelve digits) or as a whole column of such numbers (keys of six digits: from ten rows on);
- a file that cannot be read as text is not published.

Operational lists (`lists/`) are made for persons, stay private and are not looked at.
"""

import csv
import html
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from collect_analysis.book.durable import files_below
from collect_analysis.book.person_keys import LEAST_LENGTH, LEAST_LETTERS, PersonKeys
from collect_analysis.errors import DisclosureError
from collect_analysis.report import operational_lists
from collect_analysis.runs.publish import LOG
from collect_analysis.runs.run_files import RUN

# How rarely an ordinary number may be a key by chance, so that one that is counts as a key.
BY_CHANCE = 1e-6
_MOST_WORDS = 6
_MOST_BETWEEN = 1
_SHOWN = 12
_WORD = re.compile(r"[^\W_]+")
_DATA = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+")
_STYLE = re.compile(r"<style\b.*?</style>", re.DOTALL)
# What of a drawing can be read: text, comments (letters drawn as lines carry theirs), names of parts.
_DRAWN = re.compile(r">([^<]+)(?=<)|<!--(.*?)-->|\sid=\"([^\"]*)\"", re.DOTALL)
_PHONE = re.compile(r"(?<![\w.,])(?:\+84|0)[35789]\d{1,2}([ .-]?)\d{3}\1\d{3,4}(?!\w)")
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+\.[a-z]{2,}", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Place:
    """What stands at one place of a file: `texts`, every word of which is looked at, and the `cells` of a column, judged together."""

    file: str
    where: str
    texts: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()


def refuse_persons(folder: Path, run: Mapping[str, Any], keys: PersonKeys, *, audience: str) -> None:
    """Refuse a finished run that tells who somebody is; officers are told to the audience `team_leads`.

    Raises
    ------
    DisclosureError
        Files, places and columns with what stands there, how often, never the words themselves.
    """
    found = list(_found(folder, run, keys, officers=audience != "team_leads"))
    if found:
        more = f" (and at {len(found) - _SHOWN} more places)" if len(found) > _SHOWN else ""
        raise DisclosureError(
            f"the run would tell persons: {'; '.join(found[:_SHOWN])}{more}. Nothing was published: record groups, not persons; "
            "lists that operations work from go through record.operational_list"
        )


def _found(folder: Path, run: Mapping[str, Any], keys: PersonKeys, *, officers: bool) -> Iterator[str]:
    asked: dict[str, list[Place]] = {}
    counted: dict[Place, list[str]] = {}
    words_of = cache(lambda line: tuple(_words(line, keys)))
    for place in places(folder, run):
        if any("@" in text and _MAIL.search(text) for text in place.texts):
            yield f"{place.file}, {place.where}: a mail address"
        if any(_PHONE.search(text) for text in place.texts):
            yield f"{place.file}, {place.where}: a phone number"
        for word in {word for text in place.texts for line in text.splitlines() for word in words_of(line)}:
            asked.setdefault(word, []).append(place)
        if (numbers := _numbers(place, keys)) and keys.among(numbers, officers=officers) == numbers:
            counted[place] = numbers
    for word in keys.among(list(asked), officers=officers):
        for place in asked[word]:
            counted.setdefault(place, []).append(word)
    for place, words in counted.items():
        times = "1 key" if len(words) == 1 else f"{len(words)} keys"
        yield f"{place.file}, {place.where}: {times} of {keys.column_of(words[0])}"


def _words(line: str, keys: PersonKeys) -> Iterator[str]:
    """The words of a line, alone and up to six together, that may be keys."""
    words = list(_WORD.finditer(line.lower()))
    for first, start in enumerate(words):
        joined, end = "", start.start()
        for word in words[first : first + _MOST_WORDS]:
            if word.start() - end > _MOST_BETWEEN:
                break
            joined, end = (f"{joined}-{word.group()}" if joined else word.group()), word.end()
            if _may_be_key(joined, keys):
                yield joined


def _may_be_key(word: str, keys: PersonKeys) -> bool:
    if word.isdigit():
        return 0 < keys.density(len(word)) < BY_CHANCE
    if any(letter.isdigit() for letter in word):
        return len(word) >= LEAST_LENGTH
    return len(word) >= LEAST_LETTERS


def _numbers(place: Place, keys: PersonKeys) -> list[str]:
    """The cells of a column, if all are digits alone and chance would hardly make all of them keys."""
    cells = sorted({cell for cell in place.cells if cell})
    chance = 1.0
    for cell in cells:
        if not (cell.isascii() and cell.isdigit()):
            return []
        chance *= keys.density(len(cell))
    return cells if cells and chance < BY_CHANCE else []


def places(folder: Path, run: Mapping[str, Any]) -> Iterator[Place]:
    """Everything of a finished run folder that would leave, as words with their places; `run` is what run.json will hold.

    Raises
    ------
    DisclosureError
        A file cannot be read as text.
    """
    yield from _strings(RUN, run)
    for path in files_below(folder):
        name = path.relative_to(folder).as_posix()
        if name in (RUN, LOG) or name.startswith(f"{operational_lists.FOLDER}/"):
            continue
        try:
            yield from _READERS.get(path.suffix, _plain)(name, path)
        except (ValueError, csv.Error, zipfile.BadZipFile) as error:
            raise DisclosureError(f"{name} cannot be read as text, so nobody knows whom it tells ({type(error).__name__})") from None


def _plain(name: str, path: Path) -> Iterator[Place]:
    yield Place(file=name, where="text", texts=(path.read_text(encoding="utf-8"),))


def _page(name: str, path: Path) -> Iterator[Place]:
    text = _STYLE.sub("", _DATA.sub("", path.read_text(encoding="utf-8")))
    yield Place(file=name, where="page", texts=(html.unescape(text),))


def _drawing(name: str, path: Path) -> Iterator[Place]:
    yield Place(file=name, where="drawing", texts=_drawn(path.read_text(encoding="utf-8")))


def _drawn(svg: str) -> tuple[str, ...]:
    return tuple(html.unescape("".join(parts)) for parts in _DRAWN.findall(_DATA.sub("", svg)))


def _table(name: str, path: Path) -> Iterator[Place]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    yield Place(file=name, where="headings", texts=tuple(rows[0]) if rows else ())
    for heading, cells in zip(rows[0] if rows else (), zip(*rows[1:], strict=True), strict=False):
        yield from _column(name, f"column '{heading}'", cells)


def _column(name: str, where: str, cells: tuple[str, ...]) -> Iterator[Place]:
    """A column as a whole; its cells one by one only where they are words, not numbers."""
    numbers = all(not cell or _is_number(cell) for cell in cells)
    yield Place(file=name, where=where, texts=() if numbers else cells, cells=cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _json(name: str, path: Path) -> Iterator[Place]:
    yield from _strings(name, json.loads(path.read_text(encoding="utf-8")))


def _strings(name: str, body: Any, where: str = "") -> Iterator[Place]:
    """Every key and text of a JSON value with the way to it; labels of measures and cells of shown tables are columns."""
    if isinstance(body, str):
        yield Place(
            file=name, where=where.lstrip(".") or "text", texts=_drawn(body) if body.lstrip().startswith(("<svg", "<?xml")) else (body,)
        )
    elif isinstance(body, Mapping):
        yield Place(file=name, where=f"names in {where.lstrip('.') or 'the file'}", texts=tuple(map(str, body)))
        for key, item in body.items():
            yield from _strings(name, item, f"{where}.{key}")
    elif isinstance(body, list | tuple):
        if body and all(isinstance(item, str) for item in body):
            # A notebook holds long texts as lists of lines: a drawing, what a cell printed.
            lines = any(item.endswith("\n") for item in body)
            yield from _strings(name, "".join(body), where) if lines else _column(name, where.lstrip("."), tuple(body))
        else:
            if where == ".measures":
                yield from _labels(name, body)
            for number, item in enumerate(body):
                yield from _strings(name, item, f"{where}[{number}]")


def _labels(name: str, measures: list[Any] | tuple[Any, ...]) -> Iterator[Place]:
    cells: dict[tuple[str, str], list[str]] = {}
    for measure in measures:
        for label, item in measure.get("by", {}).items():
            cells.setdefault((str(measure.get("name")), str(label)), []).append(str(item))
    for (measure, label), items in cells.items():
        yield from _column(name, f"measure '{measure}', label '{label}'", tuple(items))


def _workbook(name: str, path: Path) -> Iterator[Place]:
    with zipfile.ZipFile(path) as book:
        for part in book.namelist():
            if part.endswith(".xml"):
                yield Place(file=name, where=part, texts=_drawn(book.read(part).decode("utf-8")))


_READERS = {".html": _page, ".svg": _drawing, ".csv": _table, ".json": _json, ".ipynb": _json, ".xlsx": _workbook}
