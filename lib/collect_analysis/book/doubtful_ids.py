"""Ids that a delivery shows by itself to be doubtful: headings of totals, fractions, words for nothing, lost zeros."""

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collect_analysis.book.contract import Delivery
from collect_analysis.book.parsing.words import without_parts
from collect_analysis.book.readers.cells import Cells, TextColumn
from collect_analysis.book.readers.footers import are_totals
from collect_analysis.book.source_format import Source, TableMapping
from collect_analysis.book.source_rules import column_of

# What programs write where they have nothing; as an id it joins everything that has none.
_NOTHING = ("null", "\\n", "none", "nan", "n/a", "#n/a", "na", "nil", "undefined", "(null)", "(blank)", "-", "--", "?")
_FRACTION = r"^-?(0|[1-9][0-9]*)[.,][0-9]+$"
# 8001.0: what a column of floats makes of an id; whether it had leading zeros, only the sender knows.
_WHOLE = r"^-?(0|[1-9][0-9]*)[.,]0+$"
_NAMES = ("name", "unit_name")


def judge_ids(delivery: Delivery, cells: Cells, source: Source) -> None:
    """Judge the ids of a delivery as the source spells them, before a mapping makes pseudonyms of them.

    Checks: total_row, fraction_id, whole_number_id, word_for_nothing, id_text_and_number, id_lost_zeros, ids_differ_by_zeros.
    """
    mapping = source.tables[delivery.table.name]
    for target, rule in mapping.rules.items():
        column = column_of(delivery.table, target)
        if column is None or rule.source is None or rule.source not in cells.columns or _is_alias(rule.source, mapping):
            continue
        spelled = cells.columns[rule.source].take(delivery.taken)
        if column.type == "key" or target in _NAMES:
            _judge_totals(delivery, target, spelled)
        if column.type != "key":
            continue
        if rule.missing is None:
            _judge(delivery, target, "word_for_nothing", spelled, _are_nothing(spelled, [*source.format.missing, *rule.codes]))
        if not rule.codes:
            bare = replace(spelled, words=without_parts(pc.utf8_trim_whitespace(spelled.words), rule.strip))
            whole = _matching(bare.words, _WHOLE)
            _judge(delivery, target, "whole_number_id", bare, whole, **_ending(bare.words, whole))
            _judge(delivery, target, "fraction_id", bare, _matching(bare.words, _FRACTION) & ~whole)
            _judge_zeros(delivery, target, bare)


def _is_alias(name: str, mapping: TableMapping) -> bool:
    return mapping.unpivot is not None and name in {mapping.unpivot.column, *mapping.unpivot.blocks[0].columns}


def _judge(delivery: Delivery, target: str, reason: str, spelled: TextColumn, words: np.ndarray, **facts: object) -> None:
    """A fault of the rows that hold one of the marked words (d,), with the first of them."""
    if words.any():
        rows = np.flatnonzero((spelled.index >= 0) & words[spelled.index])
        delivery.fault(target, reason, rows, **facts)


def _ending(words: pa.StringArray, whole: np.ndarray) -> dict[str, object]:
    """What the mapping may strip from ids that were made whole numbers: .0 of 8001.0."""
    return {"ending": re.sub(r"^-?[0-9]+", "", words[int(np.flatnonzero(whole)[0])].as_py())} if whole.any() else {}


def _matching(words: pa.StringArray, pattern: str) -> np.ndarray:
    return pc.fill_null(pc.match_substring_regex(pc.utf8_trim_whitespace(words), pattern), False).to_numpy(zero_copy_only=False)


def _judge_totals(delivery: Delivery, target: str, spelled: TextColumn) -> None:
    totals = are_totals(spelled.words)
    if totals.any():
        _judge(delivery, target, "total_row", spelled, totals, word=spelled.words[int(np.flatnonzero(totals)[0])].as_py().strip())


def _are_nothing(spelled: TextColumn, declared: list[str]) -> np.ndarray:
    plain = pc.utf8_trim_whitespace(spelled.words)
    nothing = pc.is_in(pc.utf8_lower(plain), value_set=pa.array(_NOTHING, pa.string()))
    return pc.and_not(nothing, pc.is_in(plain, value_set=pa.array(declared, pa.string()))).to_numpy(zero_copy_only=False)


def _judge_zeros(delivery: Delivery, target: str, spelled: TextColumn) -> None:
    """Ids that differ by leading zeros only; in a sheet, where one of them is a number, it has lost them."""
    plain = pc.utf8_trim_whitespace(spelled.words)
    typed = np.zeros(len(plain), dtype=bool) if spelled.typed is None else spelled.typed
    if typed.any():
        _judge(delivery, target, "id_text_and_number", spelled, typed)
    bare = without_zeros(plain)
    padded = pc.and_(pc.is_valid(bare), pc.not_equal(bare, plain))
    if not pc.any(padded).as_py():
        return
    padded_texts = pc.and_(padded, pa.array(~typed))
    alike = pc.is_in(bare, value_set=bare.filter(padded_texts))
    short = pc.fill_null(pc.and_(alike, pc.equal(bare, plain)), False).to_numpy(zero_copy_only=False)
    _judge(delivery, target, "id_lost_zeros", spelled, short & typed, where="the delivery")
    twice = pc.value_counts(bare.filter(pc.and_(pc.is_valid(bare), pa.array(~typed)))) if (~typed).any() else None
    if twice is not None:
        several = twice.field("values").filter(pc.greater(twice.field("counts"), 1))
        same = pc.fill_null(pc.is_in(bare, value_set=several), False).to_numpy(zero_copy_only=False)
        _judge(delivery, target, "ids_differ_by_zeros", spelled, same & ~typed & pc.is_valid(bare).to_numpy(zero_copy_only=False))


def without_zeros(words: pa.StringArray) -> pa.StringArray:
    """Ids of digits without their leading zeros; null where an id is no number."""
    digits = pc.match_substring_regex(words, "^[0-9]+$")
    return pc.if_else(digits, pc.replace_substring_regex(words, "^0+([0-9])", r"\1"), pa.scalar(None, pa.string()))
