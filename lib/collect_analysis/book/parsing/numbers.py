"""Numbers from text by declared format: amounts exactly, in whole minor units; real numbers as finite floats.

A number whose value hangs on a sign that nobody declared is not read: 900.000 is 900 where the point is a decimal sign, 900000 where it
groups digits.
"""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collect_analysis.book.source_format import ColumnRule, Format, declared_signs

# Well above any balance and well below 64 bits, so that no sum of a book overflows what adds it up.
MOST = 10**16
_QUICK_DIGITS, _QUICK_PLACES = 16, 6
_MOST_LENGTH = 60
# Python's own precision of 28 digits would round longer texts unseen.
_EXACT = Context(prec=120)


# Three digits after the only separator: a fraction, or a thousand.
_EITHER = r"^[+-]?[1-9][0-9]{0,2}[.][0-9]{3}$"
_MINUS = "\u2212"


@dataclass(frozen=True, kw_only=True)
class Style:
    """How numbers are written: decimal sign, grouping sign, negative amounts in parentheses, with the minus behind or as U+2212.

    `declared`: the mapping says which signs; else a number that could be read with either is not read.
    """

    decimal: str = "."
    grouping: str = ""
    parentheses: bool = False
    trailing_minus: bool = False
    unicode_minus: bool = False
    declared: bool = True

    @property
    def facts(self) -> dict[str, object]:
        """What a sentence about an unreadable number says of the style."""
        return {"decimal": self.decimal, "grouping": self.grouping}

    @property
    def pattern(self) -> str:
        """The expression a number of this style matches, without its sign."""
        point = re.escape(self.decimal)
        group = "[ \u00a0\u202f]" if self.grouping == " " else re.escape(self.grouping)
        whole = f"([0-9]+|[0-9]{{1,3}}({group}[0-9]{{3}})+)" if self.grouping else "[0-9]+"
        return f"{whole}({point}[0-9]+)?"


def style_of(rule: ColumnRule, form: Format, native: bool) -> Style:
    """The style of a column: its rule's, else the file's; cells that are numbers in the source are written with a point."""
    if native:
        return Style()
    decimal, grouping = declared_signs(rule, form)
    return Style(
        decimal=decimal or ("," if grouping == "." else "."),
        grouping=grouping or "",
        parentheses=rule.parentheses,
        trailing_minus=rule.trailing_minus,
        unicode_minus=rule.unicode_minus,
        declared=decimal is not None or grouping is not None,
    )


def whole_numbers(texts: pa.StringArray, style: Style, *, scale: int, rounding: bool) -> tuple[pa.Int64Array, np.ndarray]:
    """Integers = text x scale, by exact decimal arithmetic.

    Returns
    -------
    The integers (d,), null where the text is null or unfit, and the reasons (d,): unreadable_number, either_number (no sign is declared and
    the text can be read in two ways), too_fine (a fraction is left and `rounding` is false; else it is rounded half to even), too_large.
    """
    plain, reasons = _plain(texts, style, exponent=False)
    if not style.declared:
        reasons[_true(pc.match_substring_regex(plain, _EITHER))] = "either_number"
    quick = _true(pc.match_substring_regex(plain, f"^-?[0-9]{{1,{_QUICK_DIGITS}}}([.][0-9]{{1,{_QUICK_PLACES}}})?$"))
    exact = pc.cast(pc.if_else(pa.array(quick), plain, pa.scalar(None, pa.string())), pa.decimal128(24, _QUICK_PLACES))
    scaled = pc.multiply(exact, pa.scalar(Decimal(scale), pa.decimal128(9, 0)))
    rounded = pc.round(scaled, 0, "half_to_even")
    fine = _true(pc.not_equal(rounded, scaled)) & (not rounding)
    large = _true(pc.greater_equal(pc.abs(rounded), pa.scalar(Decimal(MOST), rounded.type)))
    reasons[fine & (reasons == "")] = "too_fine"
    reasons[large & (reasons == "")] = "too_large"
    values = pc.cast(pc.if_else(pa.array(reasons == ""), rounded, pa.scalar(None, rounded.type)), pa.int64())
    slow = np.flatnonzero(~quick & (reasons == "") & plain.is_valid().to_numpy(zero_copy_only=False))
    return (_slowly(values, plain, slow, reasons, scale=scale, rounding=rounding) if len(slow) else values), reasons


def _slowly(
    values: pa.Int64Array, plain: pa.StringArray, rows: np.ndarray, reasons: np.ndarray, *, scale: int, rounding: bool
) -> pa.Int64Array:
    """The few numbers with many digits, one by one."""
    found = values.to_pylist()
    for row in rows:
        number = _EXACT.multiply(Decimal(plain[int(row)].as_py()), Decimal(scale))
        whole = number.to_integral_value(ROUND_HALF_EVEN, _EXACT)
        if whole != number and not rounding:
            reasons[row] = "too_fine"
        elif abs(whole) >= MOST:
            reasons[row] = "too_large"
        else:
            found[row] = int(whole)
    return pa.array(found, pa.int64())


def real_numbers(texts: pa.StringArray, style: Style) -> tuple[pa.FloatArray, np.ndarray]:
    """Finite floats, an exponent allowed; reasons as `whole_numbers`.

    Where no sign is declared, another number of the column that has a point and can be read in one way only tells what the point is.
    """
    plain, reasons = _plain(texts, style, exponent=True)
    either = _true(pc.match_substring_regex(plain, _EITHER))
    if not style.declared and not (_true(pc.match_substring(plain, ".")) & ~either).any():
        reasons[either] = "either_number"
    values = pc.cast(plain, pa.float64())
    endless = ~_true(pc.is_finite(values)) & plain.is_valid().to_numpy(zero_copy_only=False)
    reasons[endless] = "too_large"
    return values, reasons


def _plain(texts: pa.StringArray, style: Style, *, exponent: bool) -> tuple[pa.StringArray, np.ndarray]:
    """Texts of the style as digits with a point and a minus sign, null where they are none of the style."""
    power = "([eE][+-]?[0-9]{1,3})?" if exponent else ""
    texts = _leading_minus(texts, style)
    shape = f"[+-]?{style.pattern}{power}"
    shape = f"^({shape}|\\({style.pattern}\\))$" if style.parentheses else f"^{shape}$"
    fits = _true(pc.match_substring_regex(texts, shape))
    valid = texts.is_valid().to_numpy(zero_copy_only=False)
    # Longer texts are no amount; exact arithmetic on them would only cost time.
    short = _true(pc.less_equal(pc.utf8_length(texts), _MOST_LENGTH))
    reasons = np.where(valid & ~fits, "unreadable_number", "").astype(object)
    reasons[fits & ~short] = "too_large"
    plain = pc.if_else(pa.array(fits & short), texts, pa.scalar(None, pa.string()))
    plain = pc.replace_substring_regex(plain, r"^\((.*)\)$", r"-\1") if style.parentheses else plain
    if style.grouping:
        plain = pc.replace_substring_regex(plain, "[ \u00a0\u202f]" if style.grouping == " " else re.escape(style.grouping), "")
    if style.decimal != ".":
        plain = pc.replace_substring(plain, style.decimal, ".")
    return pc.replace_substring_regex(plain, r"^\+", ""), reasons


def _leading_minus(texts: pa.StringArray, style: Style) -> pa.StringArray:
    """Texts with the minus signs of the style written as a hyphen in front."""
    if style.unicode_minus:
        texts = pc.replace_substring(texts, _MINUS, "-")
    return pc.replace_substring_regex(texts, r"^([^-+]*[0-9]) ?-$", r"-\1") if style.trailing_minus else texts


def exact_sum(values: pa.Array) -> int:
    """The sum of integers without overflow, as a Python integer; empty cells add nothing."""
    numbers = pc.fill_null(values.drop_null(), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return (int((numbers >> 32).sum()) << 32) + int((numbers & 0xFFFFFFFF).sum())


def read_as_decimals(texts: pa.StringArray, style: Style) -> list[Decimal | None]:
    """Texts as exact numbers of a style; None where they are none."""
    plain, _ = _plain(texts, style, exponent=False)
    return [None if text is None else Decimal(text) for text in plain.to_pylist()]


def readings(text: str) -> tuple[str, str]:
    """The two numbers that a text with one point may be: with a decimal point, with a point that groups digits."""
    return text.lstrip("+").rstrip("0").rstrip("."), text.lstrip("+").replace(".", "")


def exact_total(texts: pa.StringArray, counts: np.ndarray, style: Style) -> tuple[Decimal, int]:
    """The sum of the numbers written in a column, and how many cells are no number: for control totals.

    `texts` (d,) are distinct and may be null, `counts` (d,) how often each stands.
    """
    total, unreadable = Decimal(0), 0
    with localcontext(_EXACT):
        for number, empty, count in zip(read_as_decimals(texts, style), texts.is_null().to_pylist(), counts.tolist(), strict=True):
            if number is not None:
                total += number * count
            elif not empty:
                unreadable += count
    return total, unreadable


def _true(mask: pa.BooleanArray) -> np.ndarray:
    return pc.fill_null(mask, False).to_numpy(zero_copy_only=False)
