"""What to declare so that unread cells would be read: tried on the cells, each offer with the reading it would give. Nothing is ever adopted."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from collect_analysis.book.parsing.numbers import Style, read_as_decimals
from collect_analysis.book.parsing.times import days, moments

# A hint is for a person: enough cells to tell one form from another, two offers to choose from.
MOST_TRIED, MOST_OFFERED = 500, 2
_SIGNS = ((".", ","), (",", "."), (".", ""), (",", ""), (".", " "), (",", " "), (".", "'"))
_UNITS = ("VND", "VNĐ", "vnđ", "vnd", "đồng", "đ", "₫", "USD", "EUR", "US$", "$", "€", "%")
_DAYS = ("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d", "%Y.%m.%d", "%d %b %Y", "%d-%b-%Y")
_CLOCKS = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")


def number_hint(texts: Sequence[str], style: Style) -> str:
    """Declarations under which every one of the texts is a number, and what the first would be; else what to look at."""
    tried = pa.array([text.strip() for text in texts[:MOST_TRIED]], pa.string())
    offers = []
    for declaration, candidate in _styles(style):
        found = read_as_decimals(tried, candidate)
        if None not in found:
            offers.append(f"`{declaration}` reads {texts[0]} as {found[0]:f}")
    if not offers and (unit := _unit(tried, style)):
        offers = [f"`strip: ['{unit}']` takes the unit off"] if unit != "%" else ["`percent: true` reads it as a share"]
    return " or ".join(offers[:MOST_OFFERED]) or "correct the declaration, or the source"


def _styles(style: Style) -> Iterator[tuple[str, Style]]:
    yield "trailing_minus: true", replace(style, trailing_minus=True)
    yield "unicode_minus: true", replace(style, unicode_minus=True)
    yield "parentheses: true", replace(style, parentheses=True)
    for decimal, grouping in _SIGNS:
        if (decimal, grouping) != (style.decimal, style.grouping):
            yield f'decimal: "{decimal}", grouping: "{grouping}"', replace(style, decimal=decimal, grouping=grouping)


def _unit(texts: pa.StringArray, style: Style) -> str:
    for unit in _UNITS:
        bare = pa.array([text.as_py().removeprefix(unit).removesuffix(unit).strip() for text in texts], pa.string())
        if not bare.equals(texts) and None not in read_as_decimals(bare, style):
            return unit
    return ""


def day_hint(texts: Sequence[str]) -> str:
    """Declarations under which every one of the texts is a day; else what to look at."""
    tried = pa.array(list(texts[:MOST_TRIED]), pa.string())
    offers = [f'`date: "{pattern}"`' for pattern in (*_DAYS, "excel_1900") if _all_read(days(tried, pattern, edge=None)[1])]
    if not offers and (days(tried, None, edge=None, drop_time=True)[1] == "day_of_no_zone").any():
        return "declare `to_zone`, the zone whose days are meant, as Asia/Ho_Chi_Minh, and `drop_time: true` where they are not at midnight"
    if not offers and _all_read(days(tried, None, edge=None, drop_time=True)[1]):
        offers = ["`drop_time: true`, which leaves the time of the day away"]
    if not offers:
        both = (f"{day} {clock}" for day in _DAYS for clock in _CLOCKS)
        offers = [f'`date: "{pattern}"`, which leaves the time away' for pattern in both if _all_read(days(tried, pattern, edge=None)[1])]
    return _or(offers, "correct `date` of the mapping file, or the source")


def moment_hint(texts: Sequence[str]) -> str:
    """Declarations under which every one of the texts is a moment; else what to look at."""
    tried = pa.array(list(texts[:MOST_TRIED]), pa.string())
    patterns = [f"{day} {clock}" for day in _DAYS for clock in _CLOCKS] + ["epoch_s", "epoch_ms"]
    offers = [f'`timestamp: "{pattern}"`' for pattern in patterns if _all_read(_moment_reasons(tried, pattern))]
    if not offers and any(_all_read(days(tried, pattern, edge=None)[1]) for pattern in (None, *_DAYS)):
        offers = ["`time: <column>`, if the time of the day stands in another column"]
    return _or(offers, "correct `timestamp` of the mapping file, or the source")


def _moment_reasons(texts: pa.StringArray, pattern: str) -> np.ndarray:
    return moments(texts, pattern, zone=None, to_zone=None, utc=False)[1]


def _all_read(reasons: np.ndarray) -> bool:
    return not (reasons != "").any()


def _or(offers: list[str], otherwise: str) -> str:
    if not offers:
        return otherwise
    return f"declare {' or '.join(offers[:MOST_OFFERED])}" + (": the cells fit both, ask the sender" if len(offers) > 1 else "")
