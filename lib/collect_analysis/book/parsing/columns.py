"""One source column as a canonical one: the text steps, the reading of its type, its allowed values and its range."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collect_analysis.book.arrow_types import ARROW
from collect_analysis.book.parsing import hints, numbers, times
from collect_analysis.book.parsing.words import Words, prepared
from collect_analysis.book.readers.cells import TextColumn, constant_column
from collect_analysis.book.reasons import REASONS
from collect_analysis.book.schema import ENGINE_TYPES, Column
from collect_analysis.book.source_format import ColumnRule, Format

TRUE, FALSE = ("true", "1"), ("false", "0")
MOST_NAMED = 20


@dataclass(frozen=True)
class Parsed:
    """A typed column of a delivery.

    `values` (k,) of the column's Arrow type, null where empty or unfit; `reasons` (k,) the reason's name, empty where the cell fits;
    `facts` what the reasons' sentences need; `changed` counts the cells changed in passing, by what was done to them. `as_written` (k,)
    holds the days before `edge` moved them, where it did.
    """

    values: pa.Array
    reasons: np.ndarray
    facts: dict[str, object]
    changed: Mapping[str, int] = field(default_factory=dict)
    as_written: pa.Array | None = None


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type a canonical column is stored as."""
    return ARROW[ENGINE_TYPES[column.type]]


def parse(cells: TextColumn, column: Column, rule: ColumnRule, form: Format, *, scale: int) -> Parsed:
    """The cells of one source column as values of a canonical column, by the steps of `rule`; `scale` is minor units per unit of the text."""
    if cells.typed is not None:
        return _of_both(*(parse(part, column, rule, form, scale=scale) for part in cells.parts()), of_text=cells.parts()[1].index >= 0)
    words = prepared(cells, column, rule, form)
    values, reasons, facts = _READERS[column.type](words, column, rule, form, cells.native, scale)
    reasons = np.where(words.reasons != "", words.reasons, reasons)
    values, reasons = _in_range(values, reasons, column)
    facts |= _range_facts(column)
    # An amount out of range is still an amount: it stays, so that money read adds up; its row is set aside.
    values = pc.if_else(pa.array((reasons == "") | (reasons == "out_of_range")), values, pa.scalar(None, values.type))
    empty = cells.index < 0
    index = pa.array(np.where(empty, 0, cells.index), mask=empty)
    spread = values.take(index) if len(values) else pa.nulls(len(cells.index), values.type)
    marks = np.where(empty, "", reasons[np.where(empty, 0, cells.index)]) if len(values) else np.full(len(cells.index), "")
    if rule.default is not None:
        spread = _filled(spread, marks, column, rule, form, scale)
    counts = np.bincount(cells.index[~empty], minlength=len(words.texts))
    changed = {"trimmed of blanks": words.trimmed, "composed to one Unicode form (NFC)": words.composed}
    if column.type == "timestamp":
        changed["cut to the microsecond"] = times.too_fine(words.texts)
    as_written = None
    if rule.edge:
        as_written = _as_written(words, column, rule, form, cells.native).take(index) if len(values) else spread
    return Parsed(spread, marks, facts, {what: int(counts[rows].sum()) for what, rows in changed.items()}, as_written)


def _as_written(words: Words, column: Column, rule: ColumnRule, form: Format, native: bool) -> pa.Array:
    """The days of a column before they are moved to an edge; as moved where no day is written."""
    unmoved = rule.model_copy(update={"edge": None}) if native or times.has_day(rule.date) else rule
    return _read_date(words, column, unmoved, form, native, 1)[0]


def _of_both(typed: Parsed, text: Parsed, *, of_text: np.ndarray) -> Parsed:
    """A column in which typed cells and texts stand: each read as what it is."""
    changed = {what: count + text.changed.get(what, 0) for what, count in typed.changed.items()}
    values = pc.if_else(pa.array(of_text), text.values, typed.values)
    return Parsed(values, np.where(of_text, text.reasons, typed.reasons), {**typed.facts, **text.facts}, changed)


def unfit_constant(word: str, column: Column, rule: ColumnRule, form: Format) -> str:
    """Why a constant of the mapping does not fit its column, in the words of a quarantine reason; empty where it fits."""
    parsed = _constant(word, column, rule, form, scale=rule.scale or 1)
    reason = str(parsed.reasons[0])
    return REASONS[reason].sentence.format(**parsed.facts) if reason else ""


def _constant(word: str, column: Column, rule: ColumnRule, form: Format, *, scale: int) -> Parsed:
    plain = ColumnRule.model_validate({"value": word, "prefix": rule.prefix, "zone": rule.zone, "to_zone": rule.to_zone, "missing": []})
    return parse(constant_column(word, 1), column, plain, form, scale=scale)


def _filled(values: pa.Array, marks: np.ndarray, column: Column, rule: ColumnRule, form: Format, scale: int) -> pa.Array:
    """Empty cells take the declared default, which is read like a constant; cells that do not fit stay empty."""
    default = _constant(str(rule.default), column, rule, form, scale=scale).values[0]
    return pc.if_else(pa.array(marks == ""), pc.fill_null(values, default), values)


def _in_range(values: pa.Array, reasons: np.ndarray, column: Column) -> tuple[pa.Array, np.ndarray]:
    if column.allowed:
        wrong = pc.invert(pc.is_in(values, value_set=pa.array(column.allowed, pa.string())))
        reasons = np.where(_true(wrong) & _valid(values) & (reasons == ""), "not_allowed", reasons)
    for bound, beyond in ((column.low, pc.less), (column.high, pc.greater)):
        if bound is not None:
            reasons = np.where(_true(beyond(values, bound)) & (reasons == ""), "out_of_range", reasons)
    return values, reasons


def _range_facts(column: Column) -> dict[str, object]:
    facts: dict[str, object] = {}
    if column.allowed:
        facts["allowed"] = ", ".join(column.allowed[:MOST_NAMED])
    if column.low is not None or column.high is not None:
        facts["low"] = "" if column.low is None else f"{column.low:g}"
        facts["high"] = "" if column.high is None else f"{column.high:g}"
    return facts


def _true(mask: pa.BooleanArray) -> np.ndarray:
    return pc.fill_null(mask, False).to_numpy(zero_copy_only=False)


def _valid(values: pa.Array) -> np.ndarray:
    return values.is_valid().to_numpy(zero_copy_only=False)


Read = tuple[pa.Array, np.ndarray, dict[str, object]]


def _read_words(words: Words, column: Column, rule: ColumnRule, form: Format, native: bool, scale: int) -> Read:
    return words.texts, np.full(len(words.texts), "", dtype=object), {}


def _read_money(words: Words, column: Column, rule: ColumnRule, form: Format, native: bool, scale: int) -> Read:
    style = numbers.style_of(rule, form, native)
    values, reasons = numbers.whole_numbers(words.texts, style, scale=scale, rounding=rule.round)
    return values, reasons, {**_number_facts(words, reasons, style), "unit": "the smallest unit of the currency"}


def _read_integer(words: Words, column: Column, rule: ColumnRule, form: Format, native: bool, scale: int) -> Read:
    if rule.duration is not None:
        form_of = "h:mm:ss" if native else rule.duration
        values, reasons = times.durations(words.texts, form_of, unit=column.seconds, rounding=rule.round)
        return values, reasons, {"pattern": form_of, "unit": f"a whole number of {column.name.rpartition('_')[2]}"}
    style = numbers.style_of(rule, form, native)
    values, reasons = numbers.whole_numbers(words.texts, style, scale=1, rounding=rule.round)
    return values, reasons, {**_number_facts(words, reasons, style), "unit": "a whole number"}


def _read_number(words: Words, column: Column, rule: ColumnRule, form: Format, native: bool, scale: int) -> Read:
    if rule.equals is not None or rule.ends_with is not None or rule.true_words:
        flags, reasons, facts = _read_flag(words, column, rule, form, native, scale)
        return pc.cast(pc.cast(flags, pa.int8()), pa.float64()), reasons, facts
    style = numbers.style_of(rule, form, native)
    texts = pc.utf8_rtrim_whitespace(pc.utf8_rtrim(words.texts, "%")) if rule.percent else words.texts
    values, reasons = numbers.real_numbers(texts, style)
    return pc.divide(values, 100.0) if rule.percent else values, reasons, _number_facts(words, reasons, style)


def _number_facts(words: Words, reasons: np.ndarray, style: numbers.Style) -> dict[str, object]:
    """What the sentences about numbers that are not read need: the declared signs, the two readings of the first, what would read them."""
    facts: dict[str, object] = dict(style.facts)
    if either := _texts(words, reasons, "either_number"):
        facts["fraction"], facts["whole"] = numbers.readings(either[0])
    if unread := _texts(words, reasons, "unreadable_number"):
        facts["hint"] = hints.number_hint(unread, style)
    return facts


def _texts(words: Words, reasons: np.ndarray, reason: str) -> list[str]:
    """The distinct texts with a reason of their own."""
    rows = np.flatnonzero((reasons == reason) & (words.reasons == ""))[: hints.MOST_TRIED]
    return words.texts.take(pa.array(rows)).to_pylist()


def _read_flag(words: Words, column: Column, rule: ColumnRule, form: Format, native: bool, scale: int) -> Read:
    none = np.full(len(words.texts), "", dtype=object)
    if rule.equals is not None:
        return pc.equal(words.texts, rule.equals), none, {}
    if rule.ends_with is not None:
        return pc.ends_with(words.texts, rule.ends_with), none, {}
    yes, no = (rule.true_words, rule.false_words) if rule.true_words else (TRUE, FALSE)
    is_yes = pc.is_in(words.texts, value_set=pa.array(yes, pa.string()))
    is_no = pc.is_in(words.texts, value_set=pa.array(no, pa.string()))
    known = _true(pc.or_(is_yes, is_no)) | ~_valid(words.texts)
    values = pc.if_else(words.texts.is_valid(), is_yes, pa.scalar(None, pa.bool_()))
    return values, np.where(known, "", "unreadable_flag").astype(object), {"true": " or ".join(yes), "false": " or ".join(no)}


def _read_date(words: Words, column: Column, rule: ColumnRule, form: Format, native: bool, scale: int) -> Read:
    pattern = _pattern(words, rule.date, native)
    values, reasons = times.days(words.texts, pattern, edge=rule.edge, drop_time=rule.drop_time, to_zone=rule.to_zone)
    facts: dict[str, object] = {"pattern": pattern or "2026-06-30"}
    if unread := _texts(words, reasons, "unreadable_date"):
        facts["hint"] = hints.day_hint(unread)
    return values, reasons, facts


def _read_timestamp(words: Words, column: Column, rule: ColumnRule, form: Format, native: bool, scale: int) -> Read:
    pattern = _pattern(words, rule.timestamp, native)
    values, reasons = times.moments(words.texts, pattern, zone=rule.zone, to_zone=rule.to_zone, utc=column.name.endswith("_utc"))
    facts: dict[str, object] = {"pattern": pattern or "2026-06-30 13:05:00", "zone": rule.zone or ""}
    if unread := _texts(words, reasons, "unreadable_timestamp"):
        facts["hint"] = hints.moment_hint(unread)
    if (reasons == "other_epoch").any():
        facts["other"] = times.other_epoch(words.texts, str(pattern))
    return values, reasons, facts


def _pattern(words: Words, declared: str | None, native: bool) -> str | None:
    """The form of days and moments: as declared; typed cells that are days or moments came as ISO texts, other typed cells as declared."""
    iso = native and pc.all(pc.match_substring_regex(words.texts, "^[0-9]{4}-[0-9]{2}-[0-9]{2}")).as_py() is not False
    return None if iso else declared


Reader = Callable[[Words, Column, ColumnRule, Format, bool, int], Read]
_READERS: dict[str, Reader] = {
    "key": _read_words,
    "text": _read_words,
    "code": _read_words,
    "money": _read_money,
    "integer": _read_integer,
    "number": _read_number,
    "flag": _read_flag,
    "date": _read_date,
    "timestamp": _read_timestamp,
}
