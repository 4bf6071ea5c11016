"""A canonical column from two source columns: a fiscal quarter, a day and its time, credit and debit, an amount and its mark."""

from collections.abc import Callable, Mapping
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collect_analysis.book.parsing.columns import Parsed
from collect_analysis.book.parsing.times import fiscal_edge
from collect_analysis.book.parsing.words import word_list
from collect_analysis.book.readers.cells import TextColumn, joined_column
from collect_analysis.book.source_format import ColumnRule, FiscalQuarter, Mark

Reading = Callable[[TextColumn], Parsed]


def fiscal_quarter(columns: Mapping[str, TextColumn], part: FiscalQuarter, missing: list[str]) -> tuple[Parsed, TextColumn]:
    """The first or last day of the quarter that a year and a quarter name, and the cells as one column."""
    cell, parts = joined_column(columns[part.year], columns[part.quarter])
    years, quarters = word_list(columns[part.year]), word_list(columns[part.quarter])
    found: list[date | None] = []
    reasons = np.full(len(parts), "", dtype=object)
    for place, (year, quarter) in enumerate(parts.tolist()):
        words = [years[year] if year >= 0 else None, quarters[quarter] if quarter >= 0 else None]
        empty = all(word is None or word in missing for word in words)
        found.append(None if empty else fiscal_edge(words[0], words[1], part))
        if found[-1] is None and not empty:
            reasons[place] = "unreadable_quarter"
    return _spread(pa.array(found, pa.date32()), reasons, cell), cell


def _spread(values: pa.Array, reasons: np.ndarray, cell: TextColumn) -> Parsed:
    empty = cell.index < 0
    index = np.where(empty, 0, cell.index)
    return Parsed(values.take(pa.array(index, mask=empty)), np.where(empty, "", reasons[index]), {})


def day_and_time(columns: Mapping[str, TextColumn], rule: ColumnRule) -> TextColumn:
    """A day and the time of it as one column of moments."""
    return joined_column(columns[str(rule.source)], columns[str(rule.time)])[0]


def credit_less_debit(credit: TextColumn, debit: TextColumn, read: Reading) -> tuple[Parsed, TextColumn]:
    """What came in less what went out; a row that has both is no single posting."""
    cell, _ = joined_column(credit, debit)
    plus, minus = read(credit), read(debit)
    values = pc.subtract(pc.fill_null(plus.values, 0), pc.fill_null(minus.values, 0))
    values = pc.if_else(pc.or_(plus.values.is_valid(), minus.values.is_valid()), values, pa.scalar(None, values.type))
    both = pc.and_(pc.not_equal(pc.fill_null(plus.values, 0), 0), pc.not_equal(pc.fill_null(minus.values, 0), 0))
    reasons = np.where(plus.reasons != "", plus.reasons, minus.reasons)
    reasons = np.where((reasons == "") & both.to_numpy(zero_copy_only=False), "both_sides", reasons)
    values = pc.if_else(pa.array(reasons == ""), values, pa.scalar(None, values.type))
    changed = {what: count + minus.changed.get(what, 0) for what, count in plus.changed.items()}
    return Parsed(values, reasons, {**minus.facts, **plus.facts}, changed), cell


def marked(amount: TextColumn, beside: TextColumn, mark: Mark, read: Reading) -> tuple[Parsed, TextColumn]:
    """An amount with the sign that its mark gives it."""
    cell, _ = joined_column(amount, beside)
    parsed = read(amount)
    words = np.array([*word_list(beside), None], dtype=object)[beside.index]
    minus, plus = np.isin(words, mark.minus), np.isin(words, mark.plus)
    filled = parsed.values.is_valid().to_numpy(zero_copy_only=False)
    below = pc.fill_null(pc.less(parsed.values, 0), False).to_numpy(zero_copy_only=False)
    reasons = np.where((parsed.reasons == "") & filled & ~minus & ~plus, "unknown_mark", parsed.reasons)
    reasons = np.where((reasons == "") & below, "signed_twice", reasons)
    values = pc.if_else(pa.array(minus), pc.negate(parsed.values), parsed.values)
    values = pc.if_else(pa.array((reasons == "") | (reasons == "out_of_range")), values, pa.scalar(None, values.type))
    facts = {**parsed.facts, "plus": " or ".join(mark.plus), "minus": " or ".join(mark.minus)}
    return Parsed(values, reasons, facts, parsed.changed), cell
