"""The steps that treat a cell as text: trim, NFC, missing, strip, case, codes, slug, pseudonym, prefix."""

import hashlib
import hmac
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collect_analysis.book.readers.cells import TextColumn
from collect_analysis.book.schema import Column
from collect_analysis.book.source_format import ColumnRule, Format
from collect_analysis.errors import WorkplaceError

PSEUDONYM_KEY = "COLLECT_PSEUDONYM_KEY"
LEAST_KEY = 16
# Control, zero-width and direction characters; Arrow's expressions (RE2) and Python's spell code points differently.
_UNSEEN_CLASS = r"[\x00-\x1f\x7f-\x9f\x{ad}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{2069}\x{feff}]"
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
# 1.23E+18, 1,23E+18: what a spreadsheet makes of an id.
_DAMAGED_ID = r"^[0-9]+[.,][0-9]+[eE]\+?[0-9]+$|^[0-9]+[eE]\+[0-9]+$"
# A float holds whole numbers of 15 digits and tells no longer ones apart; a mapping that strips ".0" says that its ids are such numbers.
_INEXACT_ID, POINT_ZERO = r"|^-?[0-9]{16,}|[eE]", ".0"


@dataclass(frozen=True)
class Words:
    """Distinct texts (d,) after the steps, null where empty; `reasons` (d,) marks unfit ones, `trimmed` and `composed` (d,) changed ones."""

    texts: pa.StringArray
    reasons: np.ndarray
    trimmed: np.ndarray
    composed: np.ndarray


def prepared(cells: TextColumn, column: Column, rule: ColumnRule, form: Format) -> Words:
    """The distinct texts of a column after the text steps of its rule."""
    missing = form.missing if rule.missing is None else rule.missing
    trimmed = pc.utf8_trim_whitespace(cells.words)
    composed = trimmed if pc.all(pc.string_is_ascii(trimmed)).as_py() in (True, None) else pc.utf8_normalize(trimmed, form="NFC")
    empty = pc.or_(pc.equal(composed, ""), pc.is_in(composed, value_set=pa.array(missing, pa.string())))
    texts = pc.if_else(empty, pa.scalar(None, pa.string()), composed)
    reasons = np.full(len(texts), "", dtype=object)
    if column.type == "text":
        # The lines of a note become one line.
        texts = pc.replace_substring_regex(pc.replace_substring_regex(texts, r"[\t\r\n]+", " "), _UNSEEN_CLASS, "")
    elif column.type in ("key", "code"):
        reasons[_true(pc.match_substring_regex(texts, _UNSEEN_CLASS))] = "key_characters"
    if column.type == "key" and (cells.is_inexact or not cells.native):
        damaged = _DAMAGED_ID + _INEXACT_ID if cells.is_inexact else _DAMAGED_ID
        reasons[_true(pc.match_substring_regex(texts, damaged)) & (reasons == "")] = "damaged_id"
    if rule.strip or rule.upper or rule.lower or rule.codes or rule.slug or rule.pseudonym:
        texts = _stepped(texts, reasons, column, rule)
    if rule.prefix:
        texts = pc.binary_join_element_wise(rule.prefix, texts, "")
    changed = (_true(pc.not_equal(trimmed, cells.words)), _true(pc.not_equal(composed, trimmed)))
    return Words(texts, reasons, *changed)


def _stepped(texts: pa.StringArray, reasons: np.ndarray, column: Column, rule: ColumnRule) -> pa.StringArray:
    """The steps done word by word; `reasons` is marked in place."""
    # Codes of a key join name variants, so other names pass; codes of anything else are the whole list.
    keep = rule.others == "keep" or (rule.others is None and column.type == "key")
    secret = _secret() if rule.pseudonym else b""
    done: list[str | None] = []
    for place, text in enumerate(texts.to_pylist()):
        if text is None or reasons[place]:
            done.append(None)
            continue
        word, reason = _step(text, rule, keep=keep)
        reasons[place] = reason
        done.append(hmac.new(secret, word.encode(), hashlib.sha256).hexdigest()[:32] if rule.pseudonym and not reason else word)
    return pa.array(done, pa.string())


def _step(text: str, rule: ColumnRule, *, keep: bool) -> tuple[str, str]:
    text = _without(text, rule.strip)
    text = text.upper() if rule.upper else text.lower() if rule.lower else text
    if rule.codes:
        if text not in rule.codes and not keep:
            return text, "unknown_code"
        text = rule.codes.get(text, text)
    if rule.slug:
        text = slug(text)
        if not text:
            return text, "no_name_left"
    return text, ""


def _without(text: str, parts: Sequence[str]) -> str:
    for part in parts:
        text = text.removeprefix(part).removesuffix(part).strip()
    return text


def without_parts(words: pa.StringArray, parts: Sequence[str]) -> pa.StringArray:
    """Texts without the parts that a mapping strips from their two ends."""
    return pa.array([_without(word, parts) for word in words.to_pylist()], pa.string()) if parts else words


def word_list(cells: TextColumn) -> list[str]:
    """The distinct texts of a column, trimmed and composed."""
    return [unicodedata.normalize("NFC", word.strip()) for word in cells.words.to_pylist()]


def slug(text: str) -> str:
    """A name as a key: lower case, without accents, runs of anything but letters and digits as one hyphen."""
    bare = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", bare.lower()).strip("-")


def _secret() -> bytes:
    key = os.environ.get(PSEUDONYM_KEY, "")
    if len(key) < LEAST_KEY:
        raise WorkplaceError(
            f"environment variable {PSEUDONYM_KEY} holds no key of at least {LEAST_KEY} characters; set it outside the workbench"
        )
    return key.encode()


def pseudonym_key_mark() -> str:
    """A mark of the pseudonym key in use, which does not tell the key: keys made with another key are other keys."""
    return hmac.new(_secret(), b"which key is this", hashlib.sha256).hexdigest()[:16]


def _true(mask: pa.BooleanArray) -> np.ndarray:
    return pc.fill_null(mask, False).to_numpy(zero_copy_only=False)
