"""How numbers, money and days are written in English and Vietnamese."""

import math
from datetime import date, datetime
from typing import NamedTuple

from collect_analysis.book.schema import MINOR_DIGITS
from collect_analysis.report.texts import own as unit_word, say

UNDEFINED = "–"
# Thousands and decimal sign; Vietnamese writes 1.234,5.
_SIGNS = {"en": (",", "."), "vi": (".", ",")}
_SCALES = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))


class Scale(NamedTuple):
    """The unit a chart's money axis is drawn in: divide minor units by `divisor`, name the axis `unit`."""

    divisor: float
    unit: str


def number(value: float | None, lang: str, *, digits: int = 0) -> str:
    """A number with grouped thousands; what would round to zero without being zero is written `< 0.1`, undefined as a dash."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    smallest = 10.0**-digits
    text = f"{value:,.{digits}f}"
    if value != 0 and float(text.replace(",", "")) == 0:
        return f"< {_signed(f'{smallest:.{digits}f}', lang)}" if value > 0 else f"> −{_signed(f'{smallest:.{digits}f}', lang)}"
    return _signed(text, lang).replace("-", "−")


def share(value: float | None, lang: str, *, digits: int = 1) -> str:
    """A share 0-1 as a percentage."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    return f"{number(value * 100, lang, digits=digits)} %"


def money(minor: float | None, currency: str, lang: str, *, compact: bool = False) -> str:
    """Money from minor units, with its currency; `compact` writes three significant digits (VND 1.23 billion, 1,23 tỷ VND)."""
    if minor is None or not math.isfinite(minor):
        return UNDEFINED
    digits = MINOR_DIGITS.get(currency, 2)
    major = minor / 10**digits
    if compact:
        for factor, word in _SCALES:
            # From 999.5 on, three digits would read 1,000 of the unit below.
            if abs(major) >= factor * 0.9995:
                scaled = float(f"{major / factor:.3g}")
                text = f"{number(scaled, lang, digits=digits_for([scaled], 3))} {say(word, lang)}"
                return f"{currency} {text}" if lang == "en" else f"{text} {currency}"
        digits = 0 if abs(major) >= 1000 else digits
    text = number(major, lang, digits=digits)
    return f"{currency} {text}" if lang == "en" else f"{text} {currency}"


def money_scale(most_minor: float, currency: str, lang: str) -> Scale:
    """In which unit should an axis of money up to `most_minor` be drawn?"""
    major = 10 ** MINOR_DIGITS.get(currency, 2)
    for factor, word in _SCALES:
        if abs(most_minor) / major >= factor:
            return Scale(major * factor, f"{currency} {say(word, lang)}" if lang == "en" else f"{say(word, lang)} {currency}")
    return Scale(float(major), currency)


def day(value: date | str | None, lang: str) -> str:
    """A day: 2026-06-30 in English, 30/06/2026 in Vietnamese; a time of day stays where there is one."""
    if value is None or value == "":
        return UNDEFINED
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    form = "%d/%m/%Y" if lang == "vi" else "%Y-%m-%d"
    if isinstance(moment, datetime) and (moment.hour or moment.minute):
        form += " %H:%M"
    return moment.strftime(form)


def any_day(text: str, lang: str) -> str:
    """A text that is an ISO day as the language writes days; any other text as it is."""
    try:
        return day(text, lang) if len(text) == len("2026-06-30") else text
    except ValueError:
        return text


def slot(text: str, lang: str) -> str:
    """A slot as read: one day, or a period of two."""
    return " – ".join(any_day(part, lang) for part in text.split("--"))


def with_unit(value: float | None, unit: str, lang: str, *, currency: str = "", compact: bool = False) -> str:
    """A recorded number in its unit: a share as %, minor units as money (`compact`: three digits), else the number and the unit's name."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    if unit == "share":
        return share(value, lang, digits=digits_for([value * 100], 2, least=1))
    if unit == "points":
        return say("points_short", lang, number=_points(value, lang))
    if unit in ("minor", "money", currency) and unit:
        return money(value, currency, lang, compact=compact)
    # Two digits for what is near one, so that a column of ratios lines up.
    digits = 0 if float(value).is_integer() and abs(value) >= 10 else 2 if 0.1 <= abs(value) < 100 else digits_for([value], 3)
    text = number(value, lang, digits=0 if unit == "count" and float(value).is_integer() else digits)
    after = unit_word("unit_after", unit, lang) or unit
    return f"{text} {after}" if unit and unit not in ("count", "ratio", "index") else text


def difference(value: float | None, unit: str, lang: str, *, currency: str = "", compact: bool = False, bare: bool = False) -> str:
    """A difference of two numbers in `unit`, in a sentence: of shares in percentage points, which are no percentages of anything.

    `bare` leaves out the words "percentage points", for the first of two numbers that share them.
    """
    if unit != "share" or value is None or not math.isfinite(value):
        return with_unit(value, unit, lang, currency=currency, compact=compact)
    return _points(value, lang) if bare else say("points_long", lang, number=_points(value, lang))


def unit_of_difference(unit: str) -> str:
    """The unit of a difference of two numbers in `unit`: points for shares."""
    return "points" if unit == "share" else unit


def _points(share: float, lang: str) -> str:
    return number(share * 100, lang, digits=digits_for([share * 100], 2, least=1))


def digits_for(values: list[float], significant: int, *, least: int = 0, most: int = 4) -> int:
    """Digits after the point that show the largest of `values` with `significant` digits."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if largest == 0:
        return least
    before = math.floor(math.log10(largest)) + 1
    return min(max(significant - before, least), most)


def _signed(text: str, lang: str) -> str:
    group, point = _SIGNS[lang]
    return text.translate({ord(","): group, ord("."): point})
