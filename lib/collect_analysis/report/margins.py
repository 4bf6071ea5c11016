"""What adds up in the tables of a run: totals and their parts, the same number in two tables, shares of one, sums so far.

Nobody declares it: a relation is looked for wherever labels suggest one, and holds if the numbers, as they were before anything was hidden,
keep it. So a table that is added tomorrow is held against all others of the run without a line. Relations that hold by accident hide a
little more than needed.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.report import row_labels

# One subject under several names.
_SAME = {"from": "bucket", "from_bucket": "bucket", "from_group": "reg_group", "product": "product_code", "portfolio": "portfolio_code"}
_SCOPES = {"portfolio": "portfolio_code", "product": "product_code", "unit": "unit_key", "agency": "unit_key", "officer": "officer_key"}
_WHOLE = frozenset({"company", "all"})
_TOTALS = frozenset({"all", "total", "company"})
# Labels that say again what another label says, or how a number is written.
_REPEATED = frozenset({"note", "unit", "unit_name", "better", "definition", "name", "level_unit", "kpi_kind", "severity", "series_name"})
# Labels that say what a number is: nobody sums over them.
_KINDS = frozenset(
    {
        "check", "comparison", "estimand", "estimator", "event", "gate", "kpi", "measure", "method", "outcome", "part", "property", "rate",
        "series", "statistic", "term", "test", "variable", "version",
    }
)  # fmt: skip
_ORDER = ("day", "date", "month", "week", "working_day", "step", "age_months", "time", "horizon_days", "look_day", "gone")
# Bounds and statistics of which nobody makes sums.
_NO_SUMS = frozenset({"low", "high", "p_value", "p_adjusted", "se", "z", "df", "chi2", "statistic", "q", "p_above", "p_best", "p_worse"})
_MOST_LABELS = 4
# Whole numbers are equal or not; what was divided differs in its last digits.
_HALF, _CLOSE = 0.5, 1e-9
# Two numbers of different names are one number if so many agree, or are so large that chance does not make them equal.
_MANY, _LARGE = 3, 1_000.0
# The names of labels.
Labels = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Rows of one table that are told by the same labels: the whole of it, or one level of its scopes."""

    table: int
    labels: pd.DataFrame
    rows: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Sums:
    """The numbers of a part summed by some labels: a row per column of numbers, a column per key; `groups` says which rows a key holds.

    `broken`: which sums hold other than whole numbers. `tied`: which of the sums are known to equal another; once is enough, equality
    passes on.
    """

    part: Part
    columns: tuple[str, ...]
    keys: pd.Index
    totals: np.ndarray
    groups: np.ndarray
    broken: np.ndarray
    tied: np.ndarray

    def cells(self, column: str, key: int, sign: int) -> list["Cell"]:
        """The cells behind a sum."""
        return [(self.part.table, int(row), column, sign) for row in self.part.rows[self.groups == key]]


# Table, row, column, coefficient.
Cell = tuple[int, int, str, int]
# Cells that sum to something anybody may know.
Relation = tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Beside:
    """Cells that sum to what their rows repeat beside them, and the places of the repeated `totals`, which are told of the whole group."""

    cells: Relation
    totals: tuple[tuple[int, int, str], ...]


def parts_of(number: int, table: pd.DataFrame, nested: Mapping[str, tuple[str, Mapping[str, str]]]) -> list[Part]:
    """The parts of recorded table `number`; `nested` maps a label to the one above it, as a unit to its sub-function."""
    names = [name for name in row_labels.labels_of(table) if name not in _REPEATED]
    labels = table[names].rename(columns=_SAME).reset_index(drop=True)
    labels = labels.loc[:, ~labels.columns.duplicated()].map(lambda item: "" if pd.isna(item) else str(item))
    whole = Part(table=number, labels=labels, rows=np.arange(len(table)))
    found = [part for level in _levels(whole) for part in _without_totals(level)]
    return [_with_above(part, nested) for part in found if len(part.rows)]


def _levels(part: Part) -> Iterator[Part]:
    labels = part.labels
    if not {"scope_type", "scope_key"} <= set(labels.columns):
        yield part
        return
    rest = labels.drop(columns=["scope_type", "scope_key"])
    for level, places in labels.groupby("scope_type").indices.items():
        own = rest.iloc[places]
        if level not in _WHOLE:
            own = own.assign(**{_SCOPES.get(str(level), str(level)): labels["scope_key"].to_numpy()[places]})
        yield Part(table=part.table, labels=own.reset_index(drop=True), rows=part.rows[places])


def _without_totals(part: Part) -> Iterator[Part]:
    for name in part.labels.columns:
        total = part.labels[name].isin(_TOTALS).to_numpy()
        if total.any() and not total.all():
            yield from _without_totals(_some(part, ~total))
            above = _some(part, total)
            yield from _without_totals(Part(table=above.table, labels=above.labels.drop(columns=name), rows=above.rows))
            return
    yield part


def _some(part: Part, rows: np.ndarray) -> Part:
    return Part(table=part.table, labels=part.labels[rows].reset_index(drop=True), rows=part.rows[rows])


def _with_above(part: Part, nested: Mapping[str, tuple[str, Mapping[str, str]]]) -> Part:
    labels = part.labels
    for name, (above, known) in nested.items():
        if name in labels.columns and above not in labels.columns:
            labels = labels.assign(**{above: labels[name].map(known).fillna("")})
    return Part(table=part.table, labels=labels, rows=part.rows)


def additive(table: pd.DataFrame, counts: tuple[str, ...]) -> pd.DataFrame:
    """The numbers of a table that may be parts of sums: its own, and every mean or rate times the count behind it (`rate * cases`)."""
    numbers, labels = {}, row_labels.labels_of(table)
    for name in table.columns:
        bare = str(name).removesuffix("_minor")
        if name in labels or bare in _NO_SUMS or bare.endswith(("_low", "_high")) or not _is_number(table[name]):
            continue
        values = table[name].to_numpy(dtype=float, na_value=np.nan)
        numbers[str(name)] = values
        if not np.array_equal(values[np.isfinite(values)], np.round(values[np.isfinite(values)])):
            before = str(name).startswith("previous")
            for count in ("previous_cases",) if before and "previous_cases" in table else dict.fromkeys((*counts, "denominator")):
                if count in table.columns and count != name and _is_number(table[count]):
                    numbers[f"{name} * {count}"] = values * table[count].to_numpy(dtype=float, na_value=np.nan)
    return pd.DataFrame(numbers, index=range(len(table)))


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def sums_of(part: Part, numbers: pd.DataFrame) -> dict[Labels, Sums]:
    """The numbers of a part summed by every choice of its labels: names of the labels -> sums."""
    values = numbers.to_numpy(dtype=float)[part.rows]
    told = np.flatnonzero(np.isfinite(values).any(axis=0)).tolist()
    columns = tuple(str(numbers.columns[place]) for place in told)
    values = np.nan_to_num(values)
    found = {}
    for names in _choices(list(part.labels.columns)):
        words = [part.labels[name].tolist() for name in names]
        joined = ["\x1f".join(row) for row in zip(*words, strict=True)] if words else [""] * len(part.rows)
        groups, keys = pd.factorize(np.array(joined, dtype=object))
        summed = [np.bincount(groups, weights=values[:, place], minlength=len(keys)) for place in told]
        parts = [np.bincount(groups, weights=values[:, place] != np.round(values[:, place]), minlength=len(keys)) for place in told]
        found[names] = Sums(
            part=part, columns=columns, keys=pd.Index(keys), totals=np.array(summed).reshape(len(told), len(keys)), groups=groups,
            broken=np.array(parts).reshape(len(told), len(keys)) > 0, tied=np.zeros((len(told), len(keys)), dtype=bool),
        )  # fmt: skip
    return found


def _choices(names: list[str]) -> Iterator[Labels]:
    """The labels to sum by: those that say what a number is always, the others in every combination (of many, all, all but one, or one)."""
    kinds, others = [name for name in names if name in _KINDS], [name for name in names if name not in _KINDS]
    for size in range(len(others) + 1):
        if len(others) <= _MOST_LABELS or size <= 1 or size >= len(others) - 1:
            for chosen in itertools.combinations(others, size):
                yield tuple(sorted((*kinds, *chosen)))


def equal_sums(one: Sums, other: Sums) -> Iterator[Relation]:
    """Where two parts tell the same sums: of one column under both names, or of two columns that agree too well for chance."""
    places = one.keys.get_indexer(other.keys)
    mine, theirs = places[places >= 0], np.flatnonzero(places >= 0)
    if not len(mine):
        return
    left, right = one.totals[:, None, mine], other.totals[None, :, theirs]
    whole = (left == np.round(left)).all(axis=2, keepdims=True)
    told = (left != 0) | (right != 0)
    agree = (np.abs(right - left) <= np.where(whole, _HALF, _CLOSE * np.abs(left))) & told
    for row, place in np.argwhere(agree.any(axis=2)).tolist():
        column, name = one.columns[row], other.columns[place]
        if name != column and not _no_chance(left[row, 0], agree[row, place], told[row, place]):
            continue
        for key in np.flatnonzero(agree[row, place] & ~one.tied[row, mine]):
            one.tied[row, mine[key]] = True
            cells = [*one.cells(column, mine[key], 1), *other.cells(name, theirs[key], -1)]
            if len({cell[:3] for cell in cells}) == len(cells):
                yield tuple(cells)


def _no_chance(values: np.ndarray, agree: np.ndarray, told: np.ndarray) -> bool:
    """Whether numbers of two names that agree do so wherever they are told, and are so many or so large that it is no chance."""
    if not (agree == told).all():
        return False
    seen = np.unique(values[agree])
    return len(seen) >= _MANY or bool((np.abs(seen) >= _LARGE).all())


def shares_of_one(sums: Sums) -> Iterator[Relation]:
    """Where shares add up to one: the last of them is what the others leave. They are called shares, or add up so in every group."""
    many = np.bincount(sums.groups, minlength=len(sums.keys)) > 1
    for row, column in enumerate(sums.columns):
        one = np.abs(sums.totals[row] - 1) <= _CLOSE
        named = "share" in column or "propensity" in column
        if not named and not (one[many].all() and many.sum() >= _MANY):
            continue
        for key in np.flatnonzero(one & many & sums.broken[row]):
            yield tuple(sums.cells(column, int(key), 1))


def totals_beside(sums: Sums, numbers: pd.DataFrame) -> Iterator[Beside]:
    """Where each row repeats the total of its group beside it, or two numbers that differ by it: the opening and the closing of a bridge."""
    values = numbers[list(sums.columns)].to_numpy(dtype=float)[sums.part.rows]
    for key in range(len(sums.keys)):
        places = np.flatnonzero(sums.groups == key)
        if len(places) < 2:
            continue
        same = [column for column in range(values.shape[1]) if np.ptp(values[places, column]) == 0]
        held = [(column,) for column in same] + list(itertools.permutations(same, 2))
        for beside in held:
            total = values[places[0], beside[0]] - (values[places[0], beside[1]] if len(beside) > 1 else 0.0)
            if abs(total) < _LARGE:
                continue
            for column in np.flatnonzero(np.abs(sums.totals[:, key] - total) <= _CLOSE * np.abs(total)):
                if column not in beside:
                    yield Beside(
                        cells=tuple(sums.cells(sums.columns[column], key, 1)),
                        totals=tuple(
                            (sums.part.table, int(row), sums.columns[place]) for place in beside for row in sums.part.rows[places]
                        ),
                    )


def sums_so_far(part: Part, numbers: pd.DataFrame) -> Iterator[Relation]:
    """Where one column is the sum so far of another: each step is a difference of two rows."""
    order = next((name for name in _ORDER if name in part.labels.columns), None)
    if order is None or len(part.rows) < _MANY:
        return
    others = [name for name in part.labels.columns if name != order]
    groups = part.labels.groupby(others).ngroup().to_numpy() if others else np.zeros(len(part.rows), dtype=int)
    values = numbers.to_numpy(dtype=float)[part.rows]
    for column in range(values.shape[1]):
        run = pd.Series(np.nan_to_num(values[:, column])).groupby(groups).cumsum().to_numpy()
        for total in range(values.shape[1]):
            if total != column and run.any() and np.allclose(values[:, total], run, rtol=_CLOSE, atol=0, equal_nan=False):
                names = str(numbers.columns[total]), str(numbers.columns[column])
                for number in np.unique(groups):
                    rows = part.rows[groups == number]
                    for before, row in itertools.pairwise(rows):
                        yield (
                            (part.table, int(row), names[0], 1), (part.table, int(before), names[0], -1), (part.table, int(row), names[1], -1)
                        )  # fmt: skip


def left_over(whole: Sums, parts: Sums, counts: tuple[str, ...], *, min_cell: int) -> Iterator[tuple[int, int]]:
    """Where the parts of one table leave out a few people of its whole: the keys of both, for a total less its parts tells those few."""
    if whole.part.table != parts.part.table or len(parts.part.rows) <= len(whole.part.rows):
        return
    places = whole.keys.get_indexer(parts.keys)
    for count in counts:
        if count in whole.columns and count in parts.columns:
            mine, theirs = whole.totals[whole.columns.index(count)], parts.totals[parts.columns.index(count)]
            for key, place in enumerate(places):
                if place >= 0 and 0 < mine[place] - theirs[key] < min_cell:
                    yield int(place), key
            return
