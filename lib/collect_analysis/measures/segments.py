"""Pre-declared segments of a cohort: which level each subject is in, and the sums of an outcome by arm and level."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.presence import require
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.arms import arm_sums, subjects_of
from collect_analysis.measures.cohort import BOOK_MONEY, Cohort, Outcome
from collect_analysis.methods.rates.levels import MOST_LEVELS, level_names
from collect_analysis.methods.trials.experiments import KEYS, SUMS

STRATUM, UNKNOWN = "stratum", "unknown"
# What an account is, known when it entered the book.
ACCOUNT_SEGMENTS = ("product_code", "portfolio_code", "region_code")
# Where a cohort from the book has what it may be parted by from.
_NEEDS = {"bucket": ("month_end",), **{name: (f"account.{name}",) for name in ACCOUNT_SEGMENTS}}
SUM_COLUMNS = ["segment", "level", "lower", "upper", "level_unit", *KEYS, "arm", *SUMS, "note"]


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One declared way to part the subjects: `column` of `cohort.table`, numbers by `cuts` (a level holds its lower cut), else by its codes.

    `late`: it was measured after assignment, or nobody declared when; such a segment is no segment.
    """

    name: str
    column: str
    cuts: tuple[float, ...] = ()
    numeric: bool = False
    money: bool = False
    late: bool = False


def declared_segments(cohort: Cohort, names: Sequence[str], cuts: Mapping[str, Sequence[float]]) -> list[Segment]:
    """The segments a report declared, in order: a covariate, `stratum`, or (book) product_code, portfolio_code, region_code.

    Raises
    ------
    DataError
        The cohort has nothing of that name; numbers have no cut points; codes have some. All problems at once.
    """
    covariates = {item.name: item for item in cohort.covariates}
    codes = {STRATUM: STRATUM} if cohort.supplied else {STRATUM: STRATUM, **{name: name for name in ACCOUNT_SEGMENTS}}
    found, problems = [], []
    for name in names:
        own = tuple(cuts.get(name, ()))
        if name in codes:
            if own:
                problems.append(f"segment '{name}' is made of codes; take it out of segment_cuts")
            found.append(Segment(name=name, column=codes[name]))
        elif name in covariates:
            item = covariates[name]
            if not own:
                problems.append(f"segment '{name}' is a number; declare its cut points, as segment_cuts: {{{name}: [10, 20]}}")
            money = name in BOOK_MONEY or item.column.endswith("_minor")
            found.append(Segment(name=name, column=item.column, cuts=own, numeric=True, money=money, late=item.measured != "before"))
        else:
            known = ", ".join(sorted([*covariates, *codes]))
            problems.append(f"experiment '{cohort.experiment_id}' has no segment '{name}'; it has {known}")
    if problems:
        raise DataError(problems)
    return found


def segment_sums(book: Book, cohort: Cohort, arms: Sequence[str], outcome: Outcome, segments: Sequence[Segment]) -> pd.DataFrame:
    """The sums behind the mean of an outcome in every level of every segment: what `experiments.arm_means` takes, level by level.

    Columns: segment, level, lower, upper (cut points; NaN: open or codes), level_unit (minor, count, code), and those of `arms.arm_sums`.
    Subjects of whom the segment is not known are the level `unknown`, where there are any.

    Raises
    ------
    DataError
        Segments measured after assignment, a segment that is known of nobody, or more than 6 levels together, all named.
    """
    late = [item.name for item in segments if item.late]
    if late:
        raise DataError(
            f"segment(s) {', '.join(late)} are not declared as measured before assignment; the strategy itself moves subjects there"
        )
    if not segments:
        return pd.DataFrame(columns=SUM_COLUMNS)
    table = subjects_of(_with_account(book, cohort, segments), arms)
    parts, found = [], {}
    for place, item in enumerate(segments):
        table = table.mutate(**{f"segment__{place}": _level(table[item.column], item)})
        found[item.name] = levels = _levels(book, table[f"segment__{place}"], item)
        parts += [(item, f"segment__{place}", level) for level in levels]
    _refuse_many(cohort, found)
    sums = []
    for item, column, level in parts:
        own = replace(cohort, table=table.filter(table[column] == level))
        lower, upper = _bounds(item, level)
        unit = "code" if not item.numeric else "minor" if item.money else "count"
        rows = arm_sums(book, own, arms, [outcome])
        sums.append(rows.assign(segment=item.name, level=level, lower=lower, upper=upper, level_unit=unit))
    return pd.concat(sums, ignore_index=True)[SUM_COLUMNS]


def _with_account(book: Book, cohort: Cohort, segments: Sequence[Segment]) -> Cohort:
    wanted = [item.name for item in segments if item.name in ACCOUNT_SEGMENTS and item.name not in cohort.table.columns]
    if not wanted:
        return cohort
    account = book.table("account").select("account_key", *wanted)
    return replace(cohort, table=cohort.table.left_join(account, cohort.table["subject_key"] == account["account_key"]).drop("account_key"))


def _level(column: ir.Column, item: Segment) -> ir.StringColumn:
    """The level of a subject; unknown is a level of its own."""
    if not item.numeric:
        return column.cast("string").fill_null(UNKNOWN)
    number = column.cast("float64")
    known = number.notnull() & ~number.isnan()
    names = level_names(item.cuts)
    below = [(number < cut, ibis.literal(name)) for cut, name in zip(item.cuts, names, strict=False)]
    return known.ifelse(ibis.cases(*below, else_=ibis.literal(names[-1])), UNKNOWN)


def _levels(book: Book, column: ir.Column, item: Segment) -> list[str]:
    present = set(book.frame(column.name("level").as_table().distinct())["level"])
    if not present - {UNKNOWN}:
        require(book, _NEEDS.get(item.name, ()), asks=f"segment '{item.name}'")
        raise DataError(f"segment '{item.name}' is known of nobody in this experiment; take it out of segments")
    if item.numeric:
        # A declared level nobody is in stays: it was asked for.
        return [*level_names(item.cuts), *([UNKNOWN] if UNKNOWN in present else [])]
    return [*sorted(present - {UNKNOWN}), *([UNKNOWN] if UNKNOWN in present else [])]


def _refuse_many(cohort: Cohort, found: Mapping[str, Sequence[str]]) -> None:
    total = sum(len(levels) for levels in found.values())
    if total > MOST_LEVELS:
        named = "; ".join(f"{name}: {', '.join(levels[:12])}{' ...' if len(levels) > 12 else ''}" for name, levels in found.items())
        raise DataError(
            f"experiment '{cohort.experiment_id}': the segments have {total} levels together, at most {MOST_LEVELS} ({named}); "
            "declare fewer segments or fewer cut points: the best of many segments is mostly luck"
        )


def _bounds(item: Segment, level: str) -> tuple[float, float]:
    if not item.numeric or level == UNKNOWN:
        return np.nan, np.nan
    edges = [np.nan, *item.cuts, np.nan]
    place = level_names(item.cuts).index(level)
    return edges[place], edges[place + 1]
