"""The end of a delivery that is no data: totals, end marks, signatures, by the words that the mapping declares for them."""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# A footer is short; a word of the data taken for one would swallow what follows.
MOST_LINES = 20
# Headings of totals, whatever the case and the signs around them; an engine reads it, so no look-around.
_TOTAL = (
    r"(?i)^[\s*=.-]*((grand|sub)?[\s-]*(total|sum)s?|(tổng|tong)(\s+(cộng|cong|số|so|tiền|tien))*|(cộng|cong)(\s+(dồn|don))?|t\.?\s*cộng|"
    r"end(\s+of\s+(file|report))?|eof|trailer)[\s:.*=-]*$"
)
_END_MARK = re.compile(
    r"[*=#-]{2,}.*|(end|hết|het|eof|trailer|footer|tổng|tong|total|người lập|ngày .* tháng).*", re.IGNORECASE | re.DOTALL
)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().casefold()


def begins_footer(row: Sequence[str | None], words: Sequence[str]) -> bool:
    """Whether the first filled cell of a row begins with one of the words, whatever their case."""
    first = next((text for text in row if text is not None and text.strip()), "")
    return _plain(first).startswith(tuple(_plain(word) for word in words))


def are_totals(words: pa.StringArray) -> np.ndarray:
    """Which texts (d,) are headings of totals and no names of anything."""
    composed = words if pc.all(pc.string_is_ascii(words)).as_py() in (True, None) else pc.utf8_normalize(words, form="NFC")
    return pc.fill_null(pc.match_substring_regex(composed, _TOTAL), False).to_numpy(zero_copy_only=False)


def footer_hint(row: Sequence[str | None]) -> str:
    """What to declare if a row that is no data begins the footer; empty: it does not look like one."""
    first = next((text.strip() for text in row if text is not None and text.strip()), "")
    if not _END_MARK.fullmatch(_plain(first)):
        return ""
    word = re.split(r"[0-9:;]", first)[0].strip() or first
    return f'declare `footer: ["{word}"]` under `format` if the table ends there'


def too_long(where: str, lines: int) -> str:
    """The sentence on a footer that goes on."""
    return f"{where}: begins the footer, and {lines:,} lines or more follow it; more than {MOST_LINES} are no footer, correct `footer`"


def left_out(where: str, first: str, lines: int) -> str:
    """The note on a footer."""
    return f"{where}: the footer begins here ('{first[:40]}'), {lines:,} lines are no rows"
