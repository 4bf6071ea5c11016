"""What a rule would have brought, judged from decisions whose probabilities were logged: estimates from sums, never from decisions.

A decision drew `action` with probability `propensity` in a cell (the row of the rule that decides it, and a stratum); its weight is the
rule's probability of that action / propensity. Sums per row, stratum, action and fold are enough for every estimate; the spread comes from
the squares and products of influences, summed by independent unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.multiplicity import holm
from collect_analysis.methods.rates.rates import relative_interval

Floats = NDArray[np.float64]

ESTIMATORS = ("ips", "self_normalised", "doubly_robust")
CELL = ["row", "stratum", "fold", "action"]
# What `policy_sums` must hold per row, stratum, fold and action (w: weight as used, full_w: before any cut, p: outcome other than 0).
SUMS = ["n", "sum_y", "payers", "sum_w", "sum_ww", "sum_wy", "payers_w", "payers_ww", "full_w", "cut", "certain"]
# Fewer cases of an action than this in the other folds of a cell and the next wider mean is taken.
MODEL_CASES = 20
# Differences whose spread is a smaller part than this of the outcome's own are rounding: variances cancel to half the digits.
_ROUNDING = 1e-6
_UNITS_TO_TELL = 50


@dataclass(frozen=True, kw_only=True)
class Points:
    """Value of a rule per decision by each estimator, beside what was done (`logged`); NaN where no weight is above 0."""

    cases: float
    weight: float
    logged: float
    ips: float
    self_normalised: float
    doubly_robust: float


def effective(total: float, squares: float) -> float:
    """How many decisions drawn by the rule itself would tell as much: (Σw)²/Σw²; 0 without weight. Source: Kong (1992)."""
    return total**2 / squares if squares > 0 else 0.0


def cell_means(sums: pd.DataFrame, chances: pd.DataFrame) -> pd.DataFrame:
    """The outcome expected in each cell, learnt from the other folds: the model of the doubly robust estimate.

    Mean of the action in the row and stratum; with fewer than 20 cases there in the row, then anywhere, then of all actions together.
    Takes `sums` (CELL and SUMS) and the rule: row, action, probability. Returns CELL, predicted (for the action drawn) and predicted_rule
    (Σ probability · mean of that action), one row per row of `sums`.
    """
    found, chance = sums[CELL].copy(), chances.set_index(["row", "action"])["probability"]
    by_row = {row: part.droplevel("row") for row, part in chance.groupby(level="row")}
    for fold in sorted(sums["fold"].unique()):
        own = sums["fold"] == fold
        model = _Means(sums[~own] if not own.all() else sums)
        cells = [(row, stratum) for row, stratum in zip(sums.loc[own, "row"], sums.loc[own, "stratum"], strict=True)]
        wanted = {
            (row, stratum): float(sum(share * model.of(row, stratum, action) for action, share in by_row[row].items() if share > 0))
            for row, stratum in set(cells)
        }
        found.loc[own, "predicted"] = [
            model.of(row, stratum, action) for (row, stratum), action in zip(cells, sums.loc[own, "action"], strict=True)
        ]
        found.loc[own, "predicted_rule"] = [wanted[cell] for cell in cells]
    return found


class _Means:
    """Mean outcome by cell and action, with the wider means to fall back on."""

    def __init__(self, sums: pd.DataFrame) -> None:
        levels = (["row", "stratum", "action"], ["row", "action"], ["action"])
        self.levels = [_mean_of(sums, keys) for keys in levels]
        total = float(sums["n"].sum())
        self.overall = float(sums["sum_y"].sum()) / total if total else float("nan")

    def of(self, row: object, stratum: object, action: object) -> float:
        for level, key in zip(self.levels, ((row, stratum, action), (row, action), action), strict=True):
            if key in level:
                return level[key]
        return self.overall


def _mean_of(sums: pd.DataFrame, keys: list[str]) -> dict[object, float]:
    totals = sums.groupby(keys, sort=True)[["n", "sum_y"]].sum()
    enough = totals[totals["n"] >= MODEL_CASES]
    return dict(zip(enough.index, (enough["sum_y"] / enough["n"]).astype(float), strict=True))


def policy_points(sums: pd.DataFrame, predictions: pd.DataFrame) -> Points:
    """What would a decision have brought on average, had the rule been in force?

    Formula: ips Σwy/n; self_normalised Σwy/Σw; doubly_robust mean(q(rule) + w·(y - q(action))), q the outcome expected in the cell
    (`cell_means`, or a model of your own with the same columns). Population: the logged decisions.
    Source: Dudík, Langford & Li, ICML (2011); Swaminathan & Joachims, NeurIPS (2015) for self-normalised.
    """
    cases, weight = float(sums["n"].sum()), float(sums["sum_w"].sum())
    weighted = float(sums["sum_wy"].sum())
    q = sums[CELL].merge(predictions, on=CELL, how="left", validate="one_to_one")
    model = float((sums["n"].to_numpy() * q["predicted_rule"].to_numpy()).sum())
    correction = weighted - float((sums["sum_w"].to_numpy() * q["predicted"].to_numpy()).sum())
    undefined = float("nan")
    return Points(
        cases=cases,
        weight=weight,
        logged=float(sums["sum_y"].sum()) / cases if cases else undefined,
        ips=weighted / cases if weight > 0 else undefined,
        self_normalised=weighted / weight if weight > 0 else undefined,
        doubly_robust=(model + correction) / cases if weight > 0 else undefined,
    )


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Squares and products of influences summed over independent units: `matrix` (k, k) in the order of `names`; how many `units`."""

    names: Sequence[tuple[str, str]]
    matrix: Floats
    units: int

    def error(self, combination: Mapping[tuple[str, str], float]) -> float:
        """Standard error of a combination of estimates, with the factor units / (units - 1); NaN with fewer than 2 units."""
        if self.units < 2:
            return float("nan")
        a = np.array([combination.get(name, 0.0) for name in self.names])
        used = np.flatnonzero(a)
        variance = float(a[used] @ self.matrix[np.ix_(used, used)] @ a[used])
        return float(np.sqrt(max(variance, 0.0) * self.units / (self.units - 1)))


LOGGED = ("", "logged")
_RELATIVE = ("relative", "relative_low", "relative_high")


def estimate_table(points: Mapping[str, Points], spread: Spread, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """Every estimate of every rule with its interval, beside what was done.

    Columns: rule ("" for what was done), estimator (logged in the first row, then per rule ips, self_normalised, doubly_robust), value, se,
    low, high, gain (value - logged), gain_se, gain_low, gain_high, relative (gain / logged), relative_low, relative_high (Fieller; NaN
    unless logged > 0).
    """
    z = float(stats.norm.ppf((1 + level) / 2))
    logged = next(iter(points.values())).logged
    rows: list[dict[str, object]] = [{"rule": "", "estimator": "logged", **_interval("", logged, spread.error({LOGGED: 1.0}), z)}]
    for rule, point in points.items():
        for estimator in ESTIMATORS:
            own, value = (rule, estimator), float(getattr(point, estimator))
            row = {"rule": rule, "estimator": estimator, **_interval("", value, spread.error({own: 1.0}), z)}
            rows.append(row | _difference("gain", value, logged, (own, LOGGED), spread, z))
    columns = ["rule", "estimator", "value", "se", "low", "high", "gain", "gain_se", "gain_low", "gain_high"]
    return pd.DataFrame(rows, columns=[*columns, *_RELATIVE])


def _interval(name: str, value: float, error: float, z: float) -> dict[str, object]:
    before = f"{name}_" if name else ""
    return {name or "value": value, f"{before}se": error, f"{before}low": value - z * error, f"{before}high": value + z * error}


def _difference(
    name: str, value: float, base: float, pair: tuple[tuple[str, str], tuple[str, str]], spread: Spread, z: float
) -> dict[str, object]:
    """A difference, absolute and relative to the base."""
    own, other = pair
    found = _interval(name, value - base, spread.error({own: 1.0, other: -1.0}), z)
    if not base > 0:
        return found
    squares = [spread.error(parts) ** 2 for parts in ({own: 1.0, other: -1.0}, {other: 1.0}, {own: 1.0})]
    covariance = (squares[2] - squares[0] - squares[1]) / 2
    low, high = relative_interval(value - base, squares[0], base, squares[1], covariance, z)
    return {**found, "relative": value / base - 1, "relative_low": float(low), "relative_high": float(high)}


def contrast_table(
    points: Mapping[str, Points],
    spread: Spread,
    pairs: Sequence[tuple[str, str]],
    *,
    estimator: str = "doubly_robust",
    level: float = CONFIDENCE,
) -> pd.DataFrame:
    """By how much would one rule bring more than another? A row per pair (rule, against); against "" is what was done.

    Columns: rule, against, base (value of the other), value (the difference), se, low, high, relative, relative_low, relative_high
    (Fieller; NaN unless base > 0), p_value (two-sided, normal), p_adjusted (Holm over the pairs). A difference without spread is a rule that
    decides alike: p 1.
    """
    z = float(stats.norm.ppf((1 + level) / 2))
    rows = []
    for rule, against in pairs:
        own, other = (rule, estimator), (against, estimator) if against else LOGGED
        base = float(getattr(points[against], estimator)) if against else points[rule].logged
        found = _difference("", float(getattr(points[rule], estimator)), base, (own, other), spread, z)
        value, error = float(str(found["value"])), float(str(found["se"]))
        alike = error <= _ROUNDING * spread.error({LOGGED: 1.0})
        p = 1.0 if alike else float(2 * stats.norm.sf(abs(value / error))) if np.isfinite(error) else float("nan")
        rows.append({"rule": rule, "against": against, "base": base, **found, "p_value": p})
    table = pd.DataFrame(rows, columns=["rule", "against", "base", "value", "se", "low", "high", *_RELATIVE, "p_value"])
    return table.assign(p_adjusted=holm(table["p_value"]) if len(table) else np.nan)


def weight_averages(rows: pd.DataFrame) -> pd.DataFrame:
    """Do weights average 1, as they do with the propensities that really drew?

    Takes per row of the rule (and row 0 for all together): row, n, excess (Σ(w - 1)), squares (Σ of squared excess by independent unit),
    units. Adds mean, p_value (two-sided; without spread 1 where the mean is 1, else 0; NaN for a row of fewer than 50 units, too few to tell)
    and p_adjusted (Holm).
    """
    table = rows.copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        table["mean"] = 1 + table["excess"] / table["n"]
        centred = table["squares"] - table["excess"] ** 2 / table["units"]
        error = np.sqrt(np.maximum(centred, 0) * table["units"] / (table["units"] - 1))
        p = 2 * stats.norm.sf(np.abs(table["excess"]) / error)
    exact = ~(error > 1e-9 * table["n"])
    told = (table["units"] >= _UNITS_TO_TELL) | (table["row"] == 0)
    table["p_value"] = np.where(told, np.where(exact, np.isclose(table["mean"], 1).astype(float), p), np.nan)
    return table.assign(p_adjusted=holm(table["p_value"]))
