"""From text cells to typed values: one column at a time, every cell that does not fit marked, none guessed."""

import hashlib
import hmac
import os
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

import numpy as np
import pandas as pd

from collect_analysis.book.schema import Column
from collect_analysis.book.source_format import ColumnRule, FiscalQuarter, TextCells
from collect_analysis.book.source_rules import EPOCHS
from collect_analysis.errors import WorkplaceError

PSEUDONYM_KEY = "COLLECT_PSEUDONYM_KEY"
LEAST_KEY = 16
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_SCIENTIFIC = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
_LEAST_DAY, _MOST_INTEGER = pd.Timestamp("1900-01-02"), 2**63
_TRUE, _FALSE = ("true", "1", "yes", "t"), ("false", "0", "no", "f")


@dataclass(frozen=True)
class Parsed:
    """A typed column: `column` (None where empty or unfit), and a reason per cell that does not fit, by row position."""

    column: pd.Series
    unfit: dict[int, str]


def words(cells: pd.Series, rule: ColumnRule, form: TextCells) -> tuple[pd.Series, dict[int, str]]:
    """The steps that treat a cell as text: trim, NFC, missing, strip, case, codes, slug, pseudonym, prefix."""
    missing = set(form.missing if rule.missing is None else rule.missing)
    unfit: dict[int, str] = {}
    distinct: dict[str, tuple[str | None, str]] = {}
    result: list[str | None] = []
    for position, raw in enumerate(cells):
        if raw is None:
            result.append(rule.default)
            continue
        if raw not in distinct:
            distinct[raw] = _word(raw, rule, missing)
        word, reason = distinct[raw]
        result.append(word)
        if reason:
            unfit[position] = reason
    return pd.Series(result, index=cells.index, dtype=object), unfit


def _word(raw: str, rule: ColumnRule, missing: set[str]) -> tuple[str | None, str]:
    text = unicodedata.normalize("NFC", raw).strip()
    if text == "" or text in missing:
        return rule.default, ""
    for part in rule.strip:
        text = text.replace(part, "")
    text = text.strip()
    text = text.upper() if rule.upper else text.lower() if rule.lower else text
    if rule.codes:
        if text not in rule.codes and rule.others != "keep":
            return None, "unknown code: add it under `codes` in the mapping file, or mend the source"
        text = rule.codes.get(text, text)
    if _UNSEEN.search(text):
        return None, "holds characters that cannot be seen: mend the source"
    if rule.slug:
        bare = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
        text = re.sub(r"[^a-z0-9]+", "-", bare.encode("ascii", "ignore").decode().lower()).strip("-")
        if not text:
            return None, "nothing is left of the name: give it a code"
    if rule.pseudonym:
        text = _pseudonym(text)
    return rule.prefix + text, ""


def _pseudonym(text: str) -> str:
    key = os.environ.get(PSEUDONYM_KEY, "")
    if len(key) < LEAST_KEY:
        raise WorkplaceError(
            f"environment variable {PSEUDONYM_KEY} holds no key of at least {LEAST_KEY} characters; set it outside the workbench"
        )
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]


def typed(cells: pd.Series, column: Column, rule: ColumnRule, form: TextCells) -> Parsed:
    """The cells as values of the column's type."""
    reader = _READERS.get(column.type, _read_word)
    values: list[object] = []
    unfit: dict[int, str] = {}
    seen: dict[str, tuple[object, str]] = {}
    for position, text in enumerate(cells):
        if text is None:
            values.append(None)
            continue
        if text not in seen:
            seen[text] = reader(text, column, rule, form)
        value, reason = seen[text]
        reason = reason or _range(value, column)
        values.append(None if reason else value)
        if reason:
            unfit[position] = reason
    return Parsed(pd.Series(values, index=cells.index, dtype=object), unfit)


def _range(value: object, column: Column) -> str:
    if column.allowed and value not in column.allowed:
        return f"not one of {', '.join(column.allowed)}: map it under `codes` in the mapping file"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if column.low is not None and value < column.low:
            return f"below {column.low:g}: mend the source"
        if column.high is not None and value > column.high:
            return f"above {column.high:g}: mend the source"
    return ""


def _read_word(text: str, column: Column, rule: ColumnRule, form: TextCells) -> tuple[object, str]:
    if column.type == "key" and re.fullmatch(r"\d+(\.\d+)?[eE]\+?\d+", text):
        return None, "an id in scientific notation has lost digits: deliver it as text"
    return text, ""


def _decimal(text: str, rule: ColumnRule, form: TextCells, pattern: re.Pattern[str]) -> Decimal | None:
    grouping = form.grouping if rule.grouping is None else rule.grouping
    point = rule.decimal or form.decimal
    negative = rule.parentheses and text.startswith("(") and text.endswith(")")
    bare = text[1:-1] if negative else text
    if grouping and grouping in bare:
        whole = bare.lstrip("+-").split(point)[0]
        if not re.fullmatch(rf"\d{{1,3}}({re.escape(grouping)}\d{{3}})+", whole):
            return None
        bare = bare.replace(grouping, "")
    bare = bare.replace(point, ".") if point != "." and "." not in bare else bare if point == "." else "?"
    if not pattern.fullmatch(bare) or len(bare) > 40:
        return None
    try:
        number = Decimal(bare)
    except InvalidOperation:
        return None
    return -number if negative else number


def _read_money(text: str, column: Column, rule: ColumnRule, form: TextCells) -> tuple[object, str]:
    number = _decimal(text, rule, form, _NUMBER)
    if number is None:
        return None, "no amount in the declared format: declare `decimal` and `grouping`, or mend the source"
    return _whole(number * (rule.scale or 1), rule, "finer than the currency's smallest unit")


def _read_integer(text: str, column: Column, rule: ColumnRule, form: TextCells) -> tuple[object, str]:
    number = _decimal(text, rule, form, _NUMBER)
    return (None, "no whole number: mend the source") if number is None else _whole(number, rule, "not a whole number")


def _whole(number: Decimal, rule: ColumnRule, otherwise: str) -> tuple[object, str]:
    whole = number.to_integral_value(rounding=ROUND_HALF_EVEN)
    if whole != number and not rule.round:
        return None, f"{otherwise}: mend the source, or declare `round: true`"
    return (int(whole), "") if abs(whole) < _MOST_INTEGER else (None, "too large: mend the source")


def _read_number(text: str, column: Column, rule: ColumnRule, form: TextCells) -> tuple[object, str]:
    if rule.equals is not None or rule.ends_with is not None or rule.true_words:
        value, reason = _read_flag(text, column, rule, form)
        return (None if value is None else float(bool(value))), reason
    number = _decimal(text, rule, form, _SCIENTIFIC)
    if number is None or not np.isfinite(float(number)):
        return None, "no number in the declared format: declare `decimal` and `grouping`, or mend the source"
    return float(number), ""


def _read_flag(text: str, column: Column, rule: ColumnRule, form: TextCells) -> tuple[object, str]:
    if rule.equals is not None:
        return text == rule.equals, ""
    if rule.ends_with is not None:
        return text.endswith(rule.ends_with), ""
    yes, no = (rule.true_words, rule.false_words) if rule.true_words else (_TRUE, _FALSE)
    if text in yes or text in no:
        return text in yes, ""
    return None, f"neither {' or '.join(yes)} nor {' or '.join(no)}: declare `true` and `false` words"


def _read_date(text: str, column: Column, rule: ColumnRule, form: TextCells) -> tuple[object, str]:
    moment = _moment(text, rule.date or "%Y-%m-%d", exact=rule.date is None, width=10)
    if moment is None:
        return None, f"no day written as {rule.date or '2026-06-30'}: declare `date`, or mend the source"
    if rule.edge:
        period = moment.to_period("M")
        moment = period.start_time if rule.edge == "start" else period.end_time.normalize()
    return moment.date(), ""


def _read_timestamp(text: str, column: Column, rule: ColumnRule, form: TextCells) -> tuple[object, str]:
    if rule.timestamp in EPOCHS:
        number = _decimal(text, rule, form, _NUMBER)
        moment = None if number is None else pd.Timestamp(int(number), unit="s" if rule.timestamp == "epoch_s" else "ms")
    elif rule.timestamp:
        moment = _moment(text, rule.timestamp, exact=False, width=0)
    else:
        try:
            moment = pd.Timestamp(text) if re.match(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}", text) else None
        except ValueError:
            moment = None
    if moment is None or moment < _LEAST_DAY.tz_localize(moment.tz):
        return None, "no moment in the declared format: declare `timestamp`, or mend the source"
    if moment.tz is None and rule.zone:
        try:
            moment = moment.tz_localize(rule.zone, ambiguous="raise", nonexistent="raise")
        except ValueError:
            return None, f"does not exist, or exists twice, in {rule.zone}: deliver it with its offset"
    if moment.tz is not None:
        moment = moment.tz_convert(rule.to_zone or "UTC").tz_localize(None)
    return moment.to_pydatetime(), ""


def _moment(text: str, pattern: str, *, exact: bool, width: int) -> pd.Timestamp | None:
    if exact and len(text) != width:
        return None
    try:
        moment = pd.to_datetime(text, format=pattern, exact=True)
    except ValueError:
        return None
    return moment if moment is not pd.NaT and moment >= _LEAST_DAY else None


def fiscal_edge(year: str | None, quarter: str | None, rule: FiscalQuarter) -> tuple[object, str]:
    """First or last day of a quarter of a fiscal year that is named after the year in which it ends."""
    if not (year and quarter and re.fullmatch(r"\d{2}|\d{4}", year) and re.fullmatch(r"[1-4]", quarter)):
        return None, "no fiscal quarter: year of two or four digits and quarter 1 to 4 are needed"
    full = int(year) + 2000 if len(year) == 2 else int(year)
    start_year = full - 1 if rule.first_month > 1 else full
    first = pd.Period(year=start_year, month=rule.first_month, freq="M") + 3 * (int(quarter) - 1)
    return (first.start_time.date() if rule.edge == "start" else (first + 2).end_time.date()), ""


Reader = Callable[[str, Column, ColumnRule, TextCells], tuple[object, str]]
_READERS: dict[str, Reader] = {
    "money": _read_money,
    "integer": _read_integer,
    "number": _read_number,
    "flag": _read_flag,
    "date": _read_date,
    "timestamp": _read_timestamp,
}
