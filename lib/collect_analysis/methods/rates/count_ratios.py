"""Counts over expected counts: exact intervals, exact tails, and the limits within which a unit lies that does as its peers.

Money is counted, too: a sum with variance V is as sure as a count of sum²/V results (`effective_count`), a typical result being V/sum. What is
exact for counts is then as good for money as its typical result describes it. An expectation that is itself read from results is as sure as
a count, its `size` = expected² / variance; without a size it is known. Scatter between units that do alike makes it less sure, too.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from collect_analysis.methods.rates.levels import CONFIDENCE

Floats = NDArray[np.float64]
_LEAST = 1e-300


def effective_count(total: ArrayLike, variance: ArrayLike) -> Floats:
    """As sure as how many independent results is a sum? total² / variance; infinite where it does not vary. Shapes (k,)."""
    sum_, spread = np.asarray(total, dtype=float), np.asarray(variance, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, sum_**2 / spread, np.inf)


def ratio_interval(
    observed: ArrayLike, expected: ArrayLike, *, size: ArrayLike = np.inf, level: float = CONFIDENCE
) -> tuple[Floats, Floats]:
    """Between which values does a true ratio to the expected count lie, if so many were observed?

    Formula: expectation known: χ²(α/2; 2O)/2E and χ²(1-α/2; 2O+2)/2E, Garwood's exact limits of a Poisson mean. Read from `size` S results:
    the exact limits of the ratio of two Poisson means, S/E·O/(S+1)·F(α/2; 2O, 2S+2) and (O+1)/E·F(1-α/2; 2O+2, 2S). Shapes (k,); counts
    need not be whole. The lower limit of nothing observed is 0. Undefined (NaN): nothing expected.
    Source: Garwood, Biometrika 28 (1936) 437; Przyborowski & Wilenski, Biometrika 31 (1940) 313. Check: 10 of 5 -> 0.959 to 3.678.
    """
    o, e, s = _together(observed, expected, size)
    below, above = (1 - level) / 2, (1 + level) / 2
    shrunk = np.where(np.isinf(s), 1.0, 1 - 1 / (s + 1))
    low = np.where(o > 0, shrunk * o / e * _fisher(below, o, s + 1), 0.0)
    return np.where(np.isnan(e), np.nan, low), (o + 1) / e * _fisher(above, o + 1, s)


def _fisher(probability: float, results: Floats, against: Floats) -> Floats:
    """Quantile of F with 2·results and 2·against degrees of freedom; of χ² over its degrees where `against` is infinite."""
    degrees = 2 * np.maximum(results, _LEAST)
    finite = np.where(np.isinf(against), 1.0, against)
    return np.where(np.isinf(against), stats.chi2.ppf(probability, degrees) / degrees, stats.f.ppf(probability, degrees, 2 * finite))


def ratio_p_value(observed: ArrayLike, expected: ArrayLike, *, size: ArrayLike = np.inf) -> Floats:
    """How surprising is a count, more or less, if the true ratio is 1? Twice the smaller tail of the test behind `ratio_interval`.

    At most 0.05 exactly where the 95 % interval leaves 1 out. Shapes (k,). Undefined (NaN): nothing expected.
    """
    o, e, s = _together(observed, expected, size)
    known = np.isinf(s)
    finite = np.where(known, 1.0, s)
    with np.errstate(divide="ignore", invalid="ignore"):
        more = np.where(
            known, stats.chi2.cdf(2 * e, 2 * o), stats.f.cdf((finite + 1) * e / (finite * o), 2 * np.maximum(o, _LEAST), 2 * finite + 2)
        )
        fewer = np.where(known, stats.chi2.sf(2 * e, 2 * o + 2), stats.f.sf(e / (o + 1), 2 * o + 2, 2 * finite))
    more = np.where(o > 0, more, 1.0)
    return np.where(np.isnan(e), np.nan, np.minimum(1.0, 2 * np.minimum(more, fewer)))


def tails(observed: ArrayLike, expected: ArrayLike, *, size: ArrayLike = np.inf) -> tuple[Floats, Floats]:
    """How likely are so few or fewer, so many or more, in a unit that does as its peers?

    Formula: the expectation known: Poisson; scattering as a count of `size` does: negative binomial with that size, variance
    E + E²/size. Tails by the incomplete gamma and beta functions, exact for whole counts and smooth between them. Shapes (k,) -> at most, at
    least. Undefined (NaN): nothing expected.
    """
    o, e, s = _together(observed, expected, size)
    known, finite = np.isinf(s), np.where(np.isinf(s), 1.0, s)
    share = e / (e + finite)
    at_most = np.where(known, special.gammaincc(o + 1, e), special.betainc(finite, o + 1, 1 - share))
    some = np.maximum(o, _LEAST)
    at_least = np.where(known, special.gammainc(some, e), special.betainc(some, finite, share))
    return at_most, np.where(o > 0, at_least, np.where(np.isnan(e), np.nan, 1.0))


def scores(observed: ArrayLike, expected: ArrayLike, *, size: ArrayLike = np.inf) -> Floats:
    """How far from its expectation is each count, on the scale of a standard normal? The normal quantile of its mid-p-value.

    Finite for any count, nothing observed included. Shapes (k,). Source: Lancaster, JASA 56 (1961) 223.
    """
    at_most, at_least = tails(observed, expected, size=size)
    lower, upper = (at_most + 1 - at_least) / 2, (at_least + 1 - at_most) / 2
    return np.where(lower < upper, stats.norm.ppf(np.maximum(lower, _LEAST)), stats.norm.isf(np.maximum(upper, _LEAST)))


def limits(expected: ArrayLike, *, level: float, size: ArrayLike = np.inf) -> tuple[Floats, Floats]:
    """Between which ratios O/E does a unit lie with probability `level` or more, if it does as its peers?

    The largest count of which so few or fewer, the smallest of which so many or more come with probability (1 - level)/2 (`tails`), over E: a
    unit lies outside exactly where that test says so. 0 where not even nothing observed would be surprising. Shapes (k,) -> low, high.
    """
    nothing, e, s = _together(0.0, expected, size)
    known, finite, rare = np.isinf(s), np.where(np.isinf(s), 1.0, s), (1 - level) / 2
    share = e / (e + finite)
    fewest = np.where(known, special.gdtrib(1.0, 1 - rare, e), special.btdtrib(finite, rare, 1 - share)) - 1
    most = np.where(known, special.gdtrib(1.0, rare, e), special.btdtria(rare, finite, share))
    return np.where(tails(nothing, e, size=s)[0] > rare, 0.0, fewest / e), most / e


def _together(observed: ArrayLike, expected: ArrayLike, size: ArrayLike) -> tuple[Floats, Floats, Floats]:
    e = np.asarray(expected, dtype=float)
    o, e, s = np.broadcast_arrays(np.asarray(observed, dtype=float), np.where(e > 0, e, np.nan), np.asarray(size, dtype=float))
    return o, e, s
