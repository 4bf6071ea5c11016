"""One name in several spellings: ACME, Acme and A.C.M.E. would be three agencies on every page."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collect_analysis.book.contract import Delivery
from collect_analysis.book.source_rules import column_of

# Keys of units, whose spelling decides who is paid; and what names them and everything else on pages.
UNITS = ("unit_key", "parent_key")
_NAMES = ("name", "unit_name")
# A column of so many words is no list of names.
MOST_WORDS = 5_000


def judge_spellings(delivery: Delivery, known: Mapping[str, pa.Array]) -> None:
    """Judge words of a delivery that are alike but for case, accents, blanks and signs, among each other and beside those `known` by column.

    Checks: unit_spelled_alike, spelled_alike. A spelling that is known holds, else the commonest.
    """
    for name in delivery.rows.column_names:
        column = column_of(delivery.table, name)
        if column is None or not (name in UNITS or name in _NAMES or (column.type == "code" and not column.allowed)):
            continue
        good = delivery.good
        words = delivery.rows[name].take(pa.array(good))
        counts = Counter({item["values"]: item["counts"] for item in pc.value_counts(words.drop_null()).to_pylist()})
        if 0 < len(counts) <= MOST_WORDS:
            odd = _odd(counts, set(known[name].to_pylist()) if name in known else set())
            rows = good[np.isin(words.to_numpy(zero_copy_only=False), list(odd))] if odd else good[:0]
            shown = "; ".join(f"'{word}' is like '{like}'" for word, like in sorted(odd.items())[:3])
            delivery.fault(name, "unit_spelled_alike" if name in UNITS else "spelled_alike", rows, shown=shown)


def _odd(counts: Counter[str], known: set[str]) -> dict[str, str]:
    """Words that are another spelling of a word: the word -> the spelling that holds."""
    groups: dict[str, list[str]] = {}
    for word in {*counts, *known}:
        groups.setdefault(folded(word), []).append(word)
    odd: dict[str, str] = {}
    for core, spellings in groups.items():
        if len(spellings) > 1 and any(character.isalpha() for character in core):
            holds = max(spellings, key=lambda word: (word in known, counts[word], word))
            odd |= {word: holds for word in spellings if word != holds and word in counts and word not in known}
    return odd


def folded(word: str) -> str:
    """The letters and digits of a word, without case and accents."""
    bare = unicodedata.normalize("NFD", word.replace("đ", "d").replace("Đ", "D")).casefold()
    return re.sub(r"[\W_]+", "", "".join(character for character in bare if not unicodedata.combining(character)))
