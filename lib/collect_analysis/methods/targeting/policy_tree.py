"""Whom to treat, as a rule table of two or three levels: learned from effect scores, judged on cases it never saw.

A deep model could follow every wrinkle; what an operation can install, explain and audit is a short table of conditions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from collect_analysis.errors import ParameterError
from collect_analysis.methods.profiling.prognosis import Encoder, cluster_error
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.targeting.uplift import group_effect

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
# Cut points tried per number; more would only follow noise.
BINS = 16
DEEPEST = 3


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One typed condition: `low` <= factor < `high` (None: open), or for categories one of `codes`; `unknown`: also where it is missing."""

    factor: str
    low: float | None = None
    high: float | None = None
    codes: tuple[str, ...] = ()
    unknown: bool = False

    def holds(self, x: pd.DataFrame) -> NDArray[np.bool_]:
        """For which rows of a table of factors does it hold?"""
        column = x[self.factor]
        missing = column.isna().to_numpy()
        if self.codes or not pd.api.types.is_numeric_dtype(column):
            inside = column.astype(object).where(column.notna()).isin(self.codes).to_numpy()
        else:
            numbers = column.to_numpy(dtype=float, na_value=np.nan)
            above = numbers >= self.low if self.low is not None else ~missing
            inside = above & (numbers < self.high if self.high is not None else ~missing)
        return np.where(missing, self.unknown, inside)

    def joined(self, other: "Clause") -> "Clause":
        """Both conditions on the same factor as one."""
        bounds = (
            [item for item in (self.low, other.low) if item is not None],
            [item for item in (self.high, other.high) if item is not None],
        )
        codes = tuple(item for item in self.codes if item in other.codes)
        low, high = max(bounds[0], default=None), min(bounds[1], default=None)
        return Clause(factor=self.factor, low=low, high=high, codes=codes, unknown=self.unknown and other.unknown)

    def with_neighbour(self, other: "Clause") -> "Clause | None":
        """Either condition as one, None where they do not meet."""
        unknown = self.unknown or other.unknown
        if self.codes or other.codes:
            return Clause(factor=self.factor, codes=tuple(sorted({*self.codes, *other.codes})), unknown=unknown)
        for below, above in ((self, other), (other, self)):
            if below.high is not None and below.high == above.low and not (below.low is None and above.high is None):
                return Clause(factor=self.factor, low=below.low, high=above.high, unknown=unknown)
        return None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A row of the rule table: where all `clauses` hold, treat or do not."""

    clauses: tuple[Clause, ...]
    treat: bool


@dataclass(frozen=True, kw_only=True)
class PolicyTree:
    """A rule table in which exactly one rule holds for every case; a category never seen before goes with the last."""

    rules: tuple[Rule, ...]

    def rule_of(self, x: pd.DataFrame) -> Codes:
        """Which rule holds for each row? Places in `rules`, shape (cases,)."""
        found = np.full(len(x), len(self.rules) - 1, dtype=np.intp)
        for place, rule in enumerate(self.rules):
            held = np.ones(len(x), dtype=bool)
            for clause in rule.clauses:
                held &= clause.holds(x)
            found[held] = place
        return found

    def treats(self, x: pd.DataFrame) -> NDArray[np.bool_]:
        """Is each row to be treated?"""
        return np.array([rule.treat for rule in self.rules])[self.rule_of(x)]


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """One way to put the cases in order by one factor: `codes` below a cut are its left side. `points`: what stands at each cut."""

    factor: str
    codes: Codes
    size: int
    numbers: tuple[float, ...] = ()
    categories: tuple[str | None, ...] = ()
    unknown_left: bool = True

    def clause(self, cut: int, *, left: bool) -> Clause:
        if self.categories:
            side = self.categories[:cut] if left else self.categories[cut:]
            known = tuple(sorted(item for item in side if item is not None))
            unknown = None in side or (left and None not in self.categories)
            return Clause(factor=self.factor, codes=known, unknown=unknown)
        point = self.numbers[cut - 1]
        if left:
            return Clause(factor=self.factor, high=point, unknown=self.unknown_left)
        return Clause(factor=self.factor, low=point, unknown=not self.unknown_left)


def learn_policy_tree(x: pd.DataFrame, scores: ArrayLike, *, depth: int = 2, min_leaf: int = 100) -> PolicyTree:
    """Which short rule table treats those for whom it pays and leaves the others?

    Formula: maximise Σ over cases treated of the effect score. Two levels are searched exactly (every pair of up to 15 cuts a factor;
    categories in the order of their mean score), a third is added to each side of the best two. A split must leave `min_leaf` cases on both
    sides; sides that come to the same decision are one rule. Scores may be net of what a treatment must bring to be worth it.
    Raises ParameterError: depth not 1 to 3, or fewer cases than `min_leaf`.
    Source: Athey & Wager, Econometrica 89 (2021) 133; exact search: Zhou, Athey & Wager, Operations Research 71 (2023) 148.
    """
    score = np.asarray(scores, dtype=float)
    if depth not in range(1, DEEPEST + 1):
        raise ParameterError(f"a policy tree has 1 to {DEEPEST} levels, not {depth}; deeper rules cannot be explained or checked")
    if len(score) < min_leaf:
        raise ParameterError(f"a policy tree needs at least {min_leaf} cases, got {len(score)}; learn from more cases or lower min_leaf")
    rules = _grow(_Grid(x), score, np.arange(len(score)), depth, min_leaf, ())
    return PolicyTree(rules=_merged([replace(rule, clauses=_tidy(rule.clauses)) for rule in rules]))


def _grow(grid: "_Grid", score: Floats, rows: Codes, depth: int, min_leaf: int, path: tuple[Clause, ...]) -> list[Rule]:
    leaf = [Rule(clauses=path, treat=bool(score[rows].sum() > 0))]
    if depth == 0 or len(rows) < 2 * min_leaf:
        return leaf
    axes = grid.axes(rows, score[rows])
    found = _best_split(axes, score[rows], min_leaf, look_ahead=depth > 1)
    if found is None:
        return leaf
    axis, cut = axes[found[0]], found[1]
    inside = axis.codes < cut
    sides = [
        _grow(grid, score, rows[inside if left else ~inside], depth - 1, min_leaf, (*path, axis.clause(cut, left=left)))
        for left in (True, False)
    ]
    # Two sides that say the same are one rule.
    if len({rule.treat for side in sides for rule in side}) == 1:
        return [replace(leaf[0], treat=sides[0][0].treat)]
    return [*sides[0], *sides[1]]


class _Grid:
    """The cut points of every factor, chosen once from all cases, so that each level searches the same ones."""

    def __init__(self, x: pd.DataFrame) -> None:
        self.encoder = Encoder.of(x)
        self.numbers = self.encoder.numbers(x)
        self.ordered = [axis for place, name in enumerate(self.encoder.factors) for axis in self._number_axes(place, name)]

    def _number_axes(self, place: int, name: str) -> list[_Axis]:
        column = self.numbers[:, place]
        missing = np.isnan(column)
        if name in self.encoder.categories or missing.all():
            return []
        points = np.unique(column[~missing])[1:]
        if len(points) >= BINS:
            spread = np.unique(np.quantile(column[~missing], np.arange(1, BINS) / BINS, method="inverted_cdf"))
            points = spread[spread > column[~missing].min()]
        codes, cuts = np.searchsorted(points, column, side="right"), tuple(map(float, points))
        size = len(points) + 1
        # Missing values go with the low side, and where there are any also with the high side.
        found = [_Axis(factor=name, codes=np.where(missing, 0, codes), size=size, numbers=cuts)]
        if missing.any():
            found.append(_Axis(factor=name, codes=np.where(missing, len(points), codes), size=size, numbers=cuts, unknown_left=False))
        return [axis for axis in found if size > 1]

    def axes(self, rows: Codes, score: Floats) -> list[_Axis]:
        """The axes of some of the cases; categories are put in order anew."""
        found = [replace(axis, codes=axis.codes[rows]) for axis in self.ordered]
        for place, name in enumerate(self.encoder.factors):
            if name in self.encoder.categories:
                found.append(_category_axis(name, self.encoder.categories[name], self.numbers[rows, place], score))
        return [axis for axis in found if axis.size > 1]


def _category_axis(name: str, known: Sequence[str], column: Floats, score: Floats) -> _Axis:
    """Categories in the order of their mean score: no other order of them has a better cut (Breiman et al. 1984, section 4.2.2)."""
    filled = np.where(np.isnan(column), len(known), column).astype(np.intp)
    counts = np.bincount(filled, minlength=len(known) + 1)
    sums = np.bincount(filled, weights=score, minlength=len(known) + 1)
    present = [place for place in range(len(known) + 1) if counts[place]]
    absent = [place for place in range(len(known)) if not counts[place]]
    order = [*absent, *sorted(present, key=lambda place: (sums[place] / counts[place], place))]
    rank = np.zeros(len(known) + 1, dtype=np.intp)
    rank[order] = np.arange(len(order))
    labels = tuple(known[place] if place < len(known) else None for place in order)
    return _Axis(factor=name, codes=rank[filled], size=len(order), categories=labels)


def _best_split(axes: Sequence[_Axis], score: Floats, min_leaf: int, *, look_ahead: bool) -> tuple[int, int] | None:
    """Axis and cut with the largest Σ max(0, Σ score) over the leaves below it, None where no cut beats a leaf."""
    whole = max(float(score.sum()), 0.0)
    best, best_gain = None, whole + 1e-9 * float(np.abs(score).sum())
    for place, axis in enumerate(axes):
        gains = _cut_gains(axis, score, min_leaf)
        if look_ahead:
            # Each side takes the axis that serves it best.
            sides = np.max([_side_gains(axis, other, score, min_leaf) for other in axes], axis=0)
            gains = np.where(np.isfinite(gains), sides.sum(axis=0), gains)
        cut = int(gains.argmax())
        if gains[cut] > best_gain:
            best, best_gain = (place, cut + 1), float(gains[cut])
    return best


def _cut_gains(axis: _Axis, score: Floats, min_leaf: int) -> Floats:
    """Σ max(0, side) for every cut of one axis, -inf where a side is too small."""
    left = np.bincount(axis.codes, weights=score, minlength=axis.size).cumsum()
    count = np.bincount(axis.codes, minlength=axis.size).cumsum()
    gain = np.maximum(left[:-1], 0) + np.maximum(left[-1] - left[:-1], 0)
    return np.where((count[:-1] >= min_leaf) & (count[-1] - count[:-1] >= min_leaf), gain, -np.inf)


def _side_gains(first: _Axis, second: _Axis, score: Floats, min_leaf: int) -> Floats:
    """For every cut of the first axis, what cutting its left and its right side along the second (or not at all) brings; shape (2, cuts)."""
    joint = first.codes * second.size + second.codes
    shape = (first.size, second.size)
    sums = np.bincount(joint, weights=score, minlength=first.size * second.size).reshape(shape).cumsum(axis=0)
    counts = np.bincount(joint, minlength=first.size * second.size).reshape(shape).cumsum(axis=0)
    gains = []
    for part, number in ((sums[:-1], counts[:-1]), (sums[-1] - sums[:-1], counts[-1] - counts[:-1])):
        low, below = part.cumsum(axis=1), number.cumsum(axis=1)
        total, cases = low[:, -1:], below[:, -1:]
        split = np.maximum(low[:, :-1], 0) + np.maximum(total - low[:, :-1], 0)
        split = np.where((below[:, :-1] >= min_leaf) & (cases - below[:, :-1] >= min_leaf), split, -np.inf)
        gains.append(np.maximum(split.max(axis=1), np.maximum(total[:, 0], 0)))
    return np.array(gains)


def _tidy(clauses: Sequence[Clause]) -> tuple[Clause, ...]:
    """One clause per factor, in the order of the path."""
    merged: dict[str, Clause] = {}
    for clause in clauses:
        merged[clause.factor] = merged[clause.factor].joined(clause) if clause.factor in merged else clause
    return tuple(merged.values())


def _merged(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Neighbours that say the same as one rule, until there are none."""
    kept = list(rules)
    for first in range(len(kept)):
        for second in range(first + 1, len(kept)):
            joined = _joined(kept[first], kept[second])
            if joined is not None:
                return _merged([*kept[:first], joined, *kept[first + 1 : second], *kept[second + 1 :]])
    return tuple(kept)


def _joined(one: Rule, other: Rule) -> Rule | None:
    """Two rules that differ in one condition and decide alike, as one; else None."""
    mine, theirs = ({clause.factor: clause for clause in rule.clauses} for rule in (one, other))
    if one.treat != other.treat or set(mine) != set(theirs):
        return None
    apart = [factor for factor in mine if mine[factor] != theirs[factor]]
    both = mine[apart[0]].with_neighbour(theirs[apart[0]]) if len(apart) == 1 else None
    if both is None:
        return None
    return Rule(clauses=tuple(both if factor == apart[0] else clause for factor, clause in mine.items()), treat=one.treat)


def rule_effects(tree: PolicyTree, x: pd.DataFrame, scores: ArrayLike, cluster: ArrayLike, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """What is the effect of the treatment where each rule holds, on cases that the tree was not learned from?

    Columns: rule (from 1), treat, cases, value (mean effect score), low, high (errors by cluster); one row per rule. NaN where no case is.
    """
    score, found = np.asarray(scores, dtype=float), tree.rule_of(x)
    z = float(stats.norm.ppf((1 + level) / 2))
    rows = []
    for place, rule in enumerate(tree.rules):
        own = found == place
        mean, error = group_effect(score, own, cluster)
        shown = {"rule": place + 1, "treat": rule.treat, "cases": int(own.sum())}
        rows.append({**shown, "value": mean, "low": mean - z * error, "high": mean + z * error})
    return pd.DataFrame(rows)


def policy_values(
    untreated_scores: ArrayLike, effect_scores: ArrayLike, chosen: ArrayLike, cluster: ArrayLike, *, level: float = CONFIDENCE
) -> pd.DataFrame:
    """What does each way of choosing bring per case: treating nobody, everybody, those whom the tree chooses?

    Formula: mean(s0 + π·s), s0 the score of the outcome without treatment (m0 + (1-T)(y - m0)/(1-e)), s the effect score, π the choice;
    inverse propensity, with an outcome model only to narrow the interval. Rows (policy): none, all, tree. Columns: policy, treated (share),
    cases, value, low, high, over_none, over_none_low, over_none_high, over_all, over_all_low, over_all_high (NaN against
    itself); errors by cluster.
    Source: Dudík, Langford & Li, ICML (2011).
    """
    base, effect = np.asarray(untreated_scores, dtype=float), np.asarray(effect_scores, dtype=float)
    tree, n, z = np.asarray(chosen, dtype=float), len(base), float(stats.norm.ppf((1 + level) / 2))

    def mean(values: Floats) -> tuple[float, float, float]:
        value = float(values.mean())
        half = z * cluster_error((values - value) / n, cluster)
        return value, value - half, value + half

    rows = []
    for policy, share in (("none", np.zeros(n)), ("all", np.ones(n)), ("tree", tree)):
        row: dict[str, object] = {"policy": policy, "treated": float(share.mean()), "cases": n}
        parts = {"": base + share * effect, "over_none": share * effect, "over_all": (share - 1) * effect}
        for name, values in parts.items():
            # A policy is not compared with itself.
            value, low, high = mean(values) if name != f"over_{policy}" else (float("nan"),) * 3
            prefix = f"{name}_" if name else ""
            row |= {name or "value": value, f"{prefix}low": low, f"{prefix}high": high}
        rows.append(row)
    return pd.DataFrame(rows)
