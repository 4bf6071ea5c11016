"""Weighted polynomial fits near a point, as weights on the outcomes: what estimates at a cut-off are made of.

`x` is the signed distance from the point (the point is 0), one side of it at a time.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Makes a pilot bandwidth for the triangular kernel out of a spread: Calonico, Cattaneo & Titiunik, Stata Journal 14 (2014) 909.
PILOT_FACTOR = 2.576


def triangular(x: Floats, bandwidth: float) -> Floats:
    """Kernel weight of each case: 1 at the point, 0 from the bandwidth on."""
    return np.clip(1 - np.abs(x / bandwidth), 0.0, None)


def fit_weights(x: Floats, *, order: int, bandwidth: float, coefficient: int) -> Floats:
    """With which weights do outcomes add up to one coefficient of a local polynomial at 0?

    Formula: e_v' (X'KX)⁻¹ X'K, X = powers 0..order of x, K triangular; the weighted sum of outcomes estimates derivative v / v!.
    Shapes: x (n,), result (n,), 0 outside the bandwidth. Raises numpy.linalg.LinAlgError: fewer distinct x inside than coefficients.
    Source: Fan & Gijbels, Local Polynomial Modelling (1996) chapter 3.
    """
    kernel = triangular(x, bandwidth)
    # Powers of x / bandwidth keep the matrix well conditioned, whatever the unit of x.
    powers = (x[:, None] / bandwidth) ** np.arange(order + 1)
    gram = (powers * kernel[:, None]).T @ powers
    unit = np.zeros(order + 1)
    unit[coefficient] = 1.0
    return kernel * (powers @ np.linalg.solve(gram, unit)) / bandwidth**coefficient


def neighbour_residuals(x: Floats, y: Floats, *, matches: int = 3) -> Floats:
    """How far does each outcome lie from those of its nearest neighbours in x? Their squares estimate the variance at x.

    Formula: √(J/(J+1))·(y_i - mean of the J nearest), J = `matches`, or more where distances tie. Shapes: (n,), result (n,), order kept.
    Undefined: fewer than matches + 1 cases. Source: Abadie & Imbens, Econometrica 74 (2006) 235; Calonico, Cattaneo & Titiunik,
    Econometrica 82 (2014) 2295.
    """
    order = np.argsort(x, kind="stable")
    value, outcome = x[order], y[order] - y.mean()
    place = np.arange(len(value))
    near = place[:, None] + np.concatenate([np.arange(-matches, 0), np.arange(1, matches + 1)])
    distance = np.abs(value[np.clip(near, 0, len(value) - 1)] - value[:, None])
    distance[(near < 0) | (near >= len(value))] = np.inf
    # A hair more than the distance, so that neighbours at exactly that distance are not lost to rounding.
    radius = np.partition(distance, matches - 1, axis=1)[:, matches - 1] * (1 + 1e-12) + 1e-12 * np.abs(value).max()
    first, last = np.searchsorted(value, value - radius, side="left"), np.searchsorted(value, value + radius, side="right")
    sums = np.concatenate([[0.0], np.cumsum(outcome)])
    count = last - first - 1
    others = (sums[last] - sums[first] - outcome) / count
    residuals = np.empty(len(value))
    residuals[order] = np.sqrt(count / (count + 1)) * (outcome - others)
    return residuals


def pilot_spread(x: Floats) -> float:
    """The smaller of standard deviation and interquartile range / 1.349: a spread that outliers do not stretch."""
    quarters = np.quantile(x, [0.25, 0.75], method="averaged_inverted_cdf")
    spreads = [value for value in (float(x.std(ddof=1)), float(quarters[1] - quarters[0]) / 1.349) if value > 0]
    return min(spreads, default=0.0)


def reach(x: Floats, distinct: int) -> float:
    """How far from 0 one must go to see this many distinct values of x; just beyond it."""
    values = np.unique(np.abs(x))
    return float(values[min(distinct, len(values)) - 1]) * (1 + 1e-6)
