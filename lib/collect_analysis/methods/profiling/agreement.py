"""Do two assessors of the same case say the same: kappa for labels, weighted kappa for ordered ones, Fleiss' kappa for changing assessors."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from collect_analysis.methods.rates.levels import CONFIDENCE

Floats = NDArray[np.float64]
Weights = Literal["none", "linear", "quadratic"]
NOTHING_VARIES = "every assessment is the same: agreement beyond chance has no meaning"
NOTHING_RATED = "no case was assessed twice"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Agreement beyond chance: `kappa` with its interval, `observed` and `expected` agreement (shares), `cases` rated at least twice."""

    kappa: float
    low: float
    high: float
    observed: float
    expected: float
    cases: int
    note: str = ""


def cohen_kappa(table: ArrayLike, *, weights: Weights = "none", level: float = CONFIDENCE) -> Agreement:
    """How far do two assessors agree beyond what chance would make of their own habits?

    Formula: kappa = (po - pe) / (1 - pe) with po = sum of w·p(ij), pe = sum of w·p(i.)·p(.j); w = 1 on the diagonal and 0 elsewhere, or
    1 - |i-j|/(k-1) (linear), 1 - (i-j)²/(k-1)² (quadratic) for ordered labels. Variance for large samples without assuming kappa = 0.

    Parameters
    ----------
    table
        Counts, shape (k, k): rows what the first assessor said, columns the second, labels in the same order.

    Undefined (NaN and a note): nothing rated, or both always say the same label.
    Source: Cohen, Educational and Psychological Measurement 20 (1960) 37; weighted: Psychological Bulletin 70 (1968) 213; variance: Fleiss,
    Cohen and Everitt, Psychological Bulletin 72 (1969) 323.
    """
    counts = np.asarray(table, dtype=float)
    cases, labels = int(counts.sum()), len(counts)
    if cases == 0:
        return _undefined(cases, NOTHING_RATED)
    p = counts / cases
    apart = np.abs(np.subtract.outer(np.arange(labels), np.arange(labels))) / max(labels - 1, 1)
    w = {"none": np.eye(labels), "linear": 1 - apart, "quadratic": 1 - apart**2}[weights]
    first, second = p.sum(axis=1), p.sum(axis=0)
    observed, expected = float((w * p).sum()), float((w * np.outer(first, second)).sum())
    if np.isclose(expected, 1):
        return _undefined(cases, NOTHING_VARIES, observed=observed)
    kappa = (observed - expected) / (1 - expected)
    habit = np.add.outer(w @ second, first @ w)
    variance = (p * (w - habit * (1 - kappa)) ** 2).sum() - (kappa - expected * (1 - kappa)) ** 2
    se = float(np.sqrt(max(variance, 0.0) / cases)) / (1 - expected)
    return _interval(kappa, se, observed, expected, cases, level)


def fleiss_kappa(counts: ArrayLike, *, level: float = CONFIDENCE) -> Agreement:
    """How far do assessors agree beyond chance where not the same ones rate every case?

    Formula: with n(ij) assessments of case i that say j and n(i) of them, p(i) = sum over j of n(ij)(n(ij)-1) / (n(i)(n(i)-1)), po their
    mean, pe = sum of squares of the labels' shares; kappa = (po - pe)/(1 - pe). Interval: cases left out one at a time (jackknife).

    Parameters
    ----------
    counts
        One row per case, one column per label, shape (n, k). Cases with fewer than two assessments are left out.

    Undefined (NaN and a note): no case rated twice, or one label only; the interval with fewer than 3 cases.
    Source: Fleiss, Psychological Bulletin 76 (1971) 378; jackknife: Efron and Tibshirani (1993) ch. 11.
    """
    rated = np.asarray(counts, dtype=float)
    rated = rated[rated.sum(axis=1) >= 2] if rated.size else rated.reshape(0, 1)
    cases = len(rated)
    if cases == 0:
        return _undefined(0, NOTHING_RATED)
    size = rated.sum(axis=1)
    pairs = (rated * (rated - 1)).sum(axis=1) / (size * (size - 1))
    observed, totals = float(pairs.mean()), rated.sum(axis=0)
    expected = float(((totals / totals.sum()) ** 2).sum())
    if np.isclose(expected, 1):
        return _undefined(cases, NOTHING_VARIES, observed=observed)
    kappa = (observed - expected) / (1 - expected)
    if cases < 3:
        return Agreement(kappa=kappa, low=np.nan, high=np.nan, observed=observed, expected=expected, cases=cases)
    rest = totals - rated
    without_expected = ((rest / rest.sum(axis=1, keepdims=True)) ** 2).sum(axis=1)
    without_observed = (pairs.sum() - pairs) / (cases - 1)
    usable = without_expected < 1
    without = (without_observed[usable] - without_expected[usable]) / (1 - without_expected[usable])
    se = float(np.sqrt((cases - 1) / cases * ((without - without.mean()) ** 2).sum()))
    return _interval(kappa, se, observed, expected, cases, level)


def label_counts(ratings: pd.DataFrame, *, case: str, label: str) -> pd.DataFrame:
    """One row per case, one column per label: how many assessors said it. What `fleiss_kappa` reads."""
    return pd.crosstab(ratings[case], ratings[label])


def double_ratings_needed(kappa: float, shares: ArrayLike, *, half_width: float = 0.1, level: float = CONFIDENCE) -> float:
    """How many cases must two assessors both rate so that the interval of kappa is kappa ± half_width?

    Formula: (z / half_width)² · Var1(kappa), the variance of one case for assessors who both use the labels with these `shares` and agree
    with this `kappa`. Undefined (NaN): one label.
    Source: the variance of Fleiss, Cohen and Everitt (1969), as in `cohen_kappa`.
    """
    p = np.asarray(shares, dtype=float)
    p = p / p.sum()
    joint = kappa * np.diag(p) + (1 - kappa) * np.outer(p, p)
    expected = float((p**2).sum())
    if np.isclose(expected, 1):
        return float("nan")
    habit = np.add.outer(p, p)
    variance = (joint * (np.eye(len(p)) - habit * (1 - kappa)) ** 2).sum() - (kappa - expected * (1 - kappa)) ** 2
    z = stats.norm.ppf((1 + level) / 2)
    return float(np.ceil((z / half_width) ** 2 * variance / (1 - expected) ** 2))


def rater_spread(sums: pd.DataFrame, *, group: str, rater: str) -> dict[str, float]:
    """Do assessors differ in how strict they are, on cases of one group that were dealt to them as they came?

    Formula: analysis of variance of raters within groups from sums: F = between / within mean square; share = intraclass correlation of
    raters, (B - W) / (B + (n0 - 1)·W). Columns needed: group, rater, n, total, squares. Returns f, p_value, share, largest (the largest distance
    of a rater's mean from that of the groups assessed), raters. Undefined (NaN): fewer than two raters in every group.
    Source: one-way analysis of variance; Donner, International Statistical Review 54 (1986) 67.
    """
    cells = sums[sums["n"] > 0]
    several = cells.groupby(group)[rater].transform("nunique") > 1
    cells = cells[several].copy()
    nothing = dict.fromkeys(("f", "p_value", "share", "largest"), float("nan")) | {"raters": float(sums[rater].nunique())}
    if cells.empty:
        return nothing
    whole = cells.groupby(group)[["n", "total"]].transform("sum")
    mean = cells["total"] / cells["n"]
    gap = mean - whole["total"] / whole["n"]
    df1 = len(cells) - cells[group].nunique()
    df2 = float(cells["n"].sum()) - len(cells)
    between = float((cells["n"] * gap**2).sum()) / df1
    within = float((cells["squares"] - cells["total"] ** 2 / cells["n"]).sum()) / df2 if df2 > 0 else float("nan")
    if not within > 0:
        return nothing
    size = float((cells["n"] - cells["n"] ** 2 / whole["n"]).sum()) / df1
    by_rater = cells.assign(pull=gap * cells["n"]).groupby(rater)[["pull", "n"]].sum()
    return nothing | {
        "f": between / within,
        "p_value": float(stats.f.sf(between / within, df1, df2)),
        "share": (between - within) / (between + (size - 1) * within),
        "largest": float((by_rater["pull"] / by_rater["n"]).abs().max()),
    }


def _interval(kappa: float, se: float, observed: float, expected: float, cases: int, level: float) -> Agreement:
    half = float(stats.norm.ppf((1 + level) / 2)) * se
    return Agreement(
        kappa=kappa, low=max(kappa - half, -1.0), high=min(kappa + half, 1.0), observed=observed, expected=expected, cases=cases
    )


def _undefined(cases: int, note: str, *, observed: float = float("nan")) -> Agreement:
    nothing = float("nan")
    return Agreement(kappa=nothing, low=nothing, high=nothing, observed=observed, expected=nothing, cases=cases, note=note)
