"""Tables as managers read them: labelled, aligned, in their language, everything escaped.

`show` turns a finished table into strings once. What travels in the executed notebook is that data (its own MIME type), never trusted HTML:
the page and JupyterLab both build their HTML from it with `html_of`.
"""

import html
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from collect_analysis.book.schema import MINOR_DIGITS
from collect_analysis.report import texts
from collect_analysis.report.disclosure import refuse_personal
from collect_analysis.report.texts import formats

MIME = "application/vnd.collect-analysis.table+json"
ABSENT_MIME = "application/vnd.collect-analysis.absent+json"
MOST_ROWS = 200
_SHORT = 26
# A unit and the blank between it and the number.
_UNIT_BEFORE, _UNIT_AFTER = re.compile(r"[^\W\d]+ (?=[\d−<])"), re.compile(r" \D.*$|(?<=\d) %$")
# Columns that hold a difference of two numbers wherever they stand; `low` and `high` beside them are its bounds.
DIFFERENCES = frozenset(
    {
        "difference", "effect", "gain", "gain_low", "early", "after", "after_low", "late", "late_low", "naive_low", "detectable_amount",
        "per_sd", "shrunk", "shrunk_low", "over_none", "over_none_low", "over_all", "over_all_low",
    }
)  # fmt: skip
_NOT_GROUPED = ("year", "month", "version")


@dataclass(frozen=True)
class Column:
    """One column as shown: its heading, whether its cells are numbers (right-aligned), its cells."""

    label: str
    numeric: bool
    cells: tuple[str, ...]


@dataclass(frozen=True)
class ShownTable:
    """A table ready to be read; the last line of a notebook cell displays it."""

    columns: tuple[Column, ...]
    caption: str = ""
    footnote: str = ""

    def as_data(self) -> dict[str, Any]:
        """The table as JSON types: what the executed notebook carries and the page reads."""
        return asdict(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": self.as_text(), "text/html": html_of(self.as_data()), MIME: self.as_data()}

    def as_text(self) -> str:
        """The table as aligned text, for a terminal."""
        widths = [max(map(len, (column.label, *column.cells))) for column in self.columns]
        aligned = [
            [text.rjust(width) if column.numeric else text.ljust(width) for text in (column.label, *column.cells)]
            for column, width in zip(self.columns, widths, strict=True)
        ]
        lines = ["  ".join(row).rstrip() for row in zip(*aligned, strict=True)]
        return "\n".join([*([self.caption] if self.caption else []), *lines, *([self.footnote] if self.footnote else [])])


@dataclass(frozen=True)
class Absent:
    """Stands where a table would: the `reason`, in the page's language, why these data cannot fill it."""

    reason: str

    def as_text(self) -> str:
        """The reason, for a terminal."""
        return self.reason

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": self.reason, ABSENT_MIME: {"reason": self.reason}}


def show(
    table: pd.DataFrame,
    *,
    lang: str,
    columns: Sequence[str] | None = None,
    percent: Collection[str] = (),
    by_unit: Collection[str] = (),
    differences: Collection[str] = (),
    currency: str = "",
    caption: str = "",
    compact: bool = False,
    scaled: bool = False,
    called: Mapping[str, str] | None = None,
) -> ShownTable:
    """How does a manager read this table?

    Shows `columns` in that order (all of them if None). A column `*_minor` is money of `currency`, one named in `percent` a percentage, one
    named in `by_unit` is written in the unit its row names in column `unit` (share, minor, count ...; money in three digits if `compact`),
    shares in a column of differences (DIFFERENCES, and those named in `differences`) in percentage points. Whole numbers are grouped, days
    written as the language writes them, codes and notes translated, undefined cells a dash. A pair `low`, `high` (or `x_low`, `x_high`)
    becomes one column "interval"; it is written as its `value` (or `x`) is. A `note` column is shown where a row has a note. More than 200
    rows are cut, and the footnote says so. `scaled`: the money columns of a table that is read, not signed, are written in one short unit
    (VND million), which their headings name. `called`: columns that have another name here.

    Raises
    ------
    DisclosureError
        A column is personal data.
    KeyError
        A named column is not in the table.
    """
    # Officers are for some audiences: what may leave was decided when the table was recorded.
    refuse_personal(table, name=caption or "shown", audience="team_leads")
    names = [str(name) for name in (table.columns if columns is None else columns)]
    if columns is not None and "note" in table.columns and "note" not in names:
        names.append("note")
    part = table.head(MOST_ROWS).reset_index(drop=True)
    bounds = {"low", "high"} if DIFFERENCES & set(names) else set()
    writer = _Writer(
        part, percent=percent, by_unit=by_unit, differences={*differences, *bounds}, lang=lang, currency=currency, compact=compact,
        called=called or {},
    )  # fmt: skip
    if scaled:
        writer.scale_money([name for name in names if name.endswith("_minor")])
    built = [writer.column(name, names) for name in names]
    footnote = texts.say("table_cut", lang, shown=MOST_ROWS, rows=formats.number(len(table), lang)) if len(table) > MOST_ROWS else ""
    return ShownTable(tuple(column for column in built if column is not None), caption, footnote)


def html_of(data: dict[str, Any]) -> str:
    """The HTML of a shown table from its data, every text escaped: a `div.table` that scrolls by itself around one `table`."""
    heads = "".join(f'<th scope="col"{_align(column)}>{_escaped(column["label"])}</th>' for column in data["columns"])
    rows = zip(*(column["cells"] for column in data["columns"]), strict=True)
    body = "".join(f"<tr>{''.join(_cell(column, text) for column, text in zip(data['columns'], row, strict=True))}</tr>" for row in rows)
    caption = f"<caption>{_escaped(data['caption'])}</caption>" if data["caption"] else ""
    footnote = f'<p class="footnote">{_escaped(data["footnote"])}</p>' if data["footnote"] else ""
    # tabindex makes the box scrollable from the keyboard.
    opening = '<div class="table" tabindex="0"><table>'
    return f"{opening}{caption}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>{footnote}"


class _Writer:
    """Writes the cells of one table."""

    def __init__(
        self,
        table: pd.DataFrame,
        *,
        percent: Collection[str],
        by_unit: Collection[str],
        differences: Collection[str],
        lang: str,
        currency: str,
        compact: bool,
        called: Mapping[str, str],
    ) -> None:
        self.table, self.percent, self.by_unit, self.differences = (
            table,
            frozenset(percent),
            frozenset(by_unit),
            DIFFERENCES | frozenset(differences),
        )
        self.lang, self.currency, self.compact, self.called = lang, currency, compact, called
        self.money, self.money_digits = formats.Scale(10.0 ** MINOR_DIGITS.get(currency, 2), currency), MINOR_DIGITS.get(currency, 2)

    def scale_money(self, names: Sequence[str]) -> None:
        """Write the money columns `names` in the largest unit that leaves three of four amounts at one or more."""
        amounts = self.table[list(names)].abs().to_numpy(dtype=float).ravel()
        amounts = amounts[np.isfinite(amounts) & (amounts > 0)]
        if amounts.size:
            small = float(np.quantile(amounts, 0.25))
            self.money = formats.money_scale(small, self.currency, self.lang)
            self.money_digits = formats.digits_for([small / self.money.divisor], 3, most=2)

    def column(self, name: str, names: Sequence[str]) -> Column | None:
        """Column `name` as shown, None where another column shows it or it says nothing."""
        low_of, high_of = _other_bound(name, "high", "low"), _other_bound(name, "low", "high")
        if low_of in names:
            return None
        if name == "note":
            notes = tuple(texts.phrase(text, self.lang) for text in self.table[name].fillna("").astype(str))
            return Column(texts.label(name, self.lang), False, notes) if any(notes) else None
        if high_of is not None and high_of in names:
            return self._interval(name, high_of)
        cells, numeric = self.cells(self.table[name], name)
        return Column(self._heading(name), numeric, cells)

    def _interval(self, low: str, high: str) -> Column:
        point = low.removesuffix("_minor").removesuffix("low").removesuffix("_")
        # The bounds are written as their point is; both at once, so that they get the same number of digits.
        both = pd.concat([self.table[low], self.table[high]])
        like = next((name for name in (low, high) if name in self.percent | self.by_unit), None)
        written, _ = self.cells(both, like or (low if low.endswith("_minor") else point or "value"))
        half = len(self.table)
        joined = tuple(_joined(left, right) for left, right in zip(written[:half], written[half:], strict=True))
        interval = self.called.get(low) or texts.label("interval", self.lang)
        heading = f"{texts.label(point, self.lang)}: {interval.lower()}" if point else interval
        return Column(f"{heading} ({self.money.unit})" if low.endswith("_minor") and self.currency else heading, True, joined)

    def _heading(self, name: str) -> str:
        heading = self.called.get(name) or texts.label(name, self.lang)
        return f"{heading} ({self.money.unit})" if name.endswith("_minor") and self.currency else heading

    def cells(self, values: pd.Series, name: str) -> tuple[tuple[str, ...], bool]:
        """The cells, written as column `name` is, and whether they are numbers."""
        lang = self.lang
        if name in self.by_unit:
            units = self.table["unit"].reindex(values.index)
            if name in self.differences:
                units = units.map(lambda unit: formats.unit_of_difference(str(unit)))
            pairs = zip(values, units, strict=True)
            return tuple(
                formats.with_unit(_number(item), str(unit), lang, currency=self.currency, compact=self.compact) for item, unit in pairs
            ), True
        if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
            return tuple(_text(item, name, lang) for item in values), _all_numbers(values)
        floats = [float(item) if pd.notna(item) else float("nan") for item in values]
        if name.endswith("_minor"):
            return tuple(formats.number(item / self.money.divisor, lang, digits=self.money_digits) for item in floats), True
        if name in self.percent:
            digits = formats.digits_for([item * 100 for item in floats], 2, least=1, most=3)
            return tuple(formats.share(item, lang, digits=digits) for item in floats), True
        whole = all(item.is_integer() for item in floats if np.isfinite(item))
        if whole and name.endswith(_NOT_GROUPED):
            return tuple(str(int(item)) if np.isfinite(item) else formats.UNDEFINED for item in floats), True
        digits = 0 if whole else formats.digits_for(floats, 3, most=3)
        return tuple(formats.number(item, lang, digits=digits) for item in floats), True


def _other_bound(name: str, edge: str, other: str) -> str | None:
    """Of `net_low_minor` (edge low, other high): `net_high_minor`; None where the name is no such bound."""
    bare = name.removesuffix("_minor")
    if bare != edge and not bare.endswith(f"_{edge}"):
        return None
    return bare.removesuffix(edge) + other + name[len(bare) :]


def _joined(left: str, right: str) -> str:
    """`2.0 %` and `7.7 %` as `2.0 … 7.7 %`, `VND 5` and `VND 9` as `VND 5 … 9`: what both begin or end with stands once."""
    if left == right == formats.UNDEFINED:
        return left
    before, after = _UNIT_BEFORE.match(right), _UNIT_AFTER.search(right)
    first = left.removesuffix(after.group()) if after else left
    second = right[before.end() :] if before and left.startswith(before.group()) else right
    return f"{first} … {second}"


def _number(item: object) -> float | None:
    return None if _missing(item) else float(item)  # type: ignore[arg-type]


def _all_numbers(values: Iterable[object]) -> bool:
    present = [item for item in values if not _missing(item)]
    return bool(present) and all(isinstance(item, (int, float, np.number)) and not isinstance(item, bool) for item in present)


def _missing(item: object) -> bool:
    return item is None or item is pd.NaT or item is pd.NA or (isinstance(item, float) and np.isnan(item))


def _text(item: object, name: str, lang: str) -> str:
    if _missing(item):
        return formats.UNDEFINED
    if isinstance(item, (bool, np.bool_)):
        return texts.say("yes" if item else "no", lang)
    if isinstance(item, date):
        return formats.day(item, lang)
    if isinstance(item, (int, float, np.number)):
        number = float(item)
        return formats.number(number, lang, digits=0 if number.is_integer() else formats.digits_for([number], 3, most=3))
    return texts.value(name, str(item), lang)


def _align(column: dict[str, Any]) -> str:
    if column["numeric"]:
        return ' class="number"'
    # Names and days stay on one line; only sentences are broken.
    return ' class="short"' if all(len(text) <= _SHORT for text in column["cells"]) else ""


def _cell(column: dict[str, Any], text: str) -> str:
    return f"<td{_align(column)}>{_escaped(text)}</td>"


def _escaped(text: object) -> str:
    return html.escape(str(text), quote=True)
