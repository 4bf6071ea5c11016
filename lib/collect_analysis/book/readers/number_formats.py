"""What a person sees of a number in a sheet: an id with its zeros and hyphens, an amount in thousands, a share in percent."""

import re
from functools import cache

# Quoted text, an escaped sign, padding, a bracket (colour, currency, condition), one sign.
_TOKEN = re.compile(r'"([^"]*)"|\\(.)|[_*].|\[([^\]]*)\]|(.)')
_PLAIN = ("General", "@", "0", "#", "")
# Signs that a format shows as they are.
_SHOWN = frozenset(" -+()/:'{}$")
_CURRENCY = re.compile(r"\$|₫|€|£|¥|(?:VN[DĐ]|USD|EUR|đồng|đ|d)\b", re.IGNORECASE)


@cache
def _tokens(code: str) -> tuple[tuple[str, str], ...] | None:
    """The first section of a format as (literal, text) and (digit, 0 or #); None: it shows something else than the digits of a number."""
    tokens = []
    for quoted, escaped, bracket, sign in _TOKEN.findall(code):
        if sign == ";":
            break
        if sign in ("0", "#", "?"):
            tokens.append(("digit", sign))
        elif quoted or escaped or sign in _SHOWN:
            tokens.append(("literal", quoted or escaped or sign))
        elif (bracket and bracket[0] in "<>=") or sign:
            return None
    return tuple(tokens)


def shown_id(number: int, code: str) -> str | None:
    """A whole number as the format shows it; None where it shows no plain id (grouped, rounded, a day, a share).

    0000000000 shows 12000 as 0000012000, 000-000 shows 1234 as 001-234.
    """
    if code in _PLAIN:
        return str(number)
    tokens = _tokens(code)
    if tokens is None or number < 0 or not any(kind == "digit" for kind, _ in tokens):
        return None
    digits = str(number)
    shown: list[str] = []
    first = next(place for place, (kind, _) in enumerate(tokens) if kind == "digit")
    for place in range(len(tokens) - 1, -1, -1):
        kind, text = tokens[place]
        if kind == "literal":
            shown.append(text)
        elif place == first:
            shown.append(digits or ("0" if text == "0" else ""))
        else:
            shown.append(digits[-1:] or ("0" if text == "0" else ""))
            digits = digits[:-1]
    return "".join(reversed(shown)).strip()


@cache
def unlike_amount(code: str) -> str:
    """What a format adds to an amount so that a person reads another: a percent sign, thousands or millions; empty: nothing."""
    literals = []
    for quoted, escaped, bracket, sign in _TOKEN.findall(code):
        if sign == "%":
            return "%"
        literals.append(quoted or escaped or (bracket[1:].split("-")[0] if bracket.startswith("$") else ""))
    said = _CURRENCY.sub("", "".join(literals)).strip(" -.,()+/")
    return said if any(character.isalpha() or character == "%" for character in said) else ""
