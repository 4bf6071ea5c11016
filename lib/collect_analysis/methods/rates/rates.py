"""Rates, their intervals, their undefined reasons: the one place where a numerator meets a denominator."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from collect_analysis.methods.rates.levels import CONFIDENCE

Floats = NDArray[np.float64]


def wilson_interval(numerator: ArrayLike, denominator: ArrayLike, *, level: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Between which values does a share of counted cases plausibly lie?

    Formula: (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n). Shapes: both inputs (k,), both results (k,), shares 0-1.
    Undefined (NaN): denominator 0, or numerator outside 0..denominator.
    Source: Wilson, JASA 22 (1927) 209. Check: 8 of 200 -> 2.04 % to 7.69 %.
    """
    x, n = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    z = stats.norm.ppf((1 + level) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = x / n
        centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    valid = (n > 0) & (x >= 0) & (x <= n)
    # At 0 of n and n of n the bound is exactly 0 or 1; rounding would leave it a hair inside.
    low = np.where(x == 0, 0.0, centre - half)
    high = np.where(x == n, 1.0, centre + half)
    return np.where(valid, low, np.nan), np.where(valid, high, np.nan)


def poisson_interval(events: ArrayLike, exposure: ArrayLike, *, level: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Between which values does a mean number of rare events per case plausibly lie?

    Formula: χ²(α/2; 2k)/2n and χ²(1-α/2; 2k+2)/2n, exact for a Poisson count k over n cases. Shapes: inputs (k,), results (k,).
    Undefined (NaN): no exposure. Source: Garwood, Biometrika 28 (1936) 437. Check: 0 events -> 0 to 3.6889, 10 -> 4.7954 to 18.3904.
    """
    k, n = np.asarray(events, dtype=float), np.asarray(exposure, dtype=float)
    tail = (1 - level) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(k > 0, stats.chi2.ppf(tail, 2 * k) / 2, 0.0) / n
        high = stats.chi2.isf(tail, 2 * k + 2) / 2 / n
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def newcombe_difference(
    numerator: ArrayLike, denominator: ArrayLike, base_numerator: ArrayLike, base_denominator: ArrayLike, *, level: float = CONFIDENCE
) -> tuple[Floats, Floats, Floats]:
    """By how much does a share differ from another, with an interval that stays honest for small counts?

    Formula: p1-p0 with bounds from the two Wilson intervals (method 10). Shapes: inputs (k,); returns difference, low, high, each (k,).
    Undefined (NaN): where either interval is. Source: Newcombe, Statistics in Medicine 17 (1998) 873.
    Check: 56/70 against 48/80 -> 0.2000 (0.0524 to 0.3339).
    """
    x1, n1 = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    x0, n0 = np.asarray(base_numerator, dtype=float), np.asarray(base_denominator, dtype=float)
    low1, high1 = wilson_interval(x1, n1, level=level)
    low0, high0 = wilson_interval(x0, n0, level=level)
    with np.errstate(divide="ignore", invalid="ignore"):
        p1, p0 = x1 / n1, x0 / n0
    undefined = np.isnan(low1) | np.isnan(low0)
    return interval_difference(np.where(undefined, np.nan, p1), low1, high1, p0, low0, high0)


def interval_difference(
    value: ArrayLike, low: ArrayLike, high: ArrayLike, base_value: ArrayLike, base_low: ArrayLike, base_high: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """By how much does a figure differ from another, where each has an interval of its own?

    Formula: d = value - base; low = d - sqrt((value-low)² + (base_high-base)²), high = d + sqrt((high-value)² + (base-base_low)²), for
    independent figures. With Wilson intervals this is `newcombe_difference`. Shapes: inputs (k,); returns difference, low, high, each (k,).
    Undefined (NaN): where a value is; the interval also where a bound is. Source: Zou & Donner, Statistics in Medicine 27 (2008) 1693.
    """
    v1, l1, u1 = (np.asarray(item, dtype=float) for item in (value, low, high))
    v0, l0, u0 = (np.asarray(item, dtype=float) for item in (base_value, base_low, base_high))
    difference = v1 - v0
    return difference, difference - np.sqrt((v1 - l1) ** 2 + (u0 - v0) ** 2), difference + np.sqrt((u1 - v1) ** 2 + (v0 - l0) ** 2)


def relative_interval(
    effect: ArrayLike, effect_variance: ArrayLike, base: ArrayLike, base_variance: ArrayLike, covariance: ArrayLike, quantile: ArrayLike
) -> tuple[Floats, Floats]:
    """Between which values does a relative effect R = effect / base lie, both of them uncertain?

    Formula (Fieller): all R with (effect - R·base)² <= q²·(Var(effect) - 2R·Cov + R²·Var(base)). It holds 0 exactly where the interval effect
    ± q·se does, so that a relative and an absolute sentence cannot contradict each other; for two independent arms the effect is m - m0, its
    variance v + v0 and the covariance -v0. Shapes: inputs (k,); returns low, high, each (k,).
    Undefined (NaN): the base is not told from zero (base <= q·its standard error): every R would be possible.
    Source: Fieller, JRSS B 16 (1954) 175.
    """
    d, v, b, vb, c, q = (np.asarray(item, dtype=float) for item in (effect, effect_variance, base, base_variance, covariance, quantile))
    with np.errstate(divide="ignore", invalid="ignore"):
        a, middle, end = b**2 - q**2 * vb, d * b - q**2 * c, d**2 - q**2 * v
        root = np.sqrt(np.clip(middle**2 - a * end, 0, None))
        low, high = (middle - root) / a, (middle + root) / a
    defined = (b > 0) & (a > 0)
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)


def interval_quotient(
    value: ArrayLike, low: ArrayLike, high: ArrayLike, base_value: ArrayLike, base_low: ArrayLike, base_high: ArrayLike
) -> tuple[Floats, Floats]:
    """Between which values does the quotient of two figures lie, where each has an interval of its own?

    Formula: the bounds at which `interval_difference` of value and R·base would touch zero: low solves (v - R·b)² = (v-low)² + R²·(base_high-b)²,
    high (v - R·b)² = (high-v)² + R²·(b-base_low)². It holds 1 exactly where the interval of the difference holds 0. Shapes: inputs (k,);
    returns low, high, each (k,). For independent figures that cannot be negative.
    Undefined (NaN): base interval not above zero (the upper bound has no end), or a bound is.
    Source: Donner & Zou, Statistical Methods in Medical Research 21 (2012) 347 (MOVER-R).
    """
    v, l1, u1 = (np.asarray(item, dtype=float) for item in (value, low, high))
    b, l0, u0 = (np.asarray(item, dtype=float) for item in (base_value, base_low, base_high))
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(np.clip((v * b) ** 2 - (b**2 - (u0 - b) ** 2) * (v**2 - (v - l1) ** 2), 0, None))
        under = (v**2 - (v - l1) ** 2) / (v * b + root)
        root = np.sqrt(np.clip((v * b) ** 2 - (b**2 - (b - l0) ** 2) * (v**2 - (u1 - v) ** 2), 0, None))
        over = (v * b + root) / (b**2 - (b - l0) ** 2)
    # Nothing counted: the quotient begins at 0.
    under = np.where(v == 0, 0.0, under)
    defined = (l0 > 0) & np.isfinite(u0)
    return np.where(defined, under, np.nan), np.where(defined, over, np.nan)


def ratio_interval(
    *,
    count: ArrayLike,
    sum_y: ArrayLike,
    sum_x: ArrayLike,
    sum_yy: ArrayLike,
    sum_xx: ArrayLike,
    sum_xy: ArrayLike,
    level: float = CONFIDENCE,
) -> tuple[Floats, Floats]:
    """Between which values does a ratio of sums lie (money over money, events over accounts)?

    Formula: R = Σy/Σx, Var(R) = [Σy² - 2RΣxy + R²Σx²] / (Σx)² · n/(n-1); R ± z·sqrt(Var). The sums run over independent units (customers),
    not over events. Shapes: all inputs (k,); returns low, high, each (k,).
    Undefined (NaN): fewer than 2 units, or Σx = 0. Source: delta method; Cochran, Sampling Techniques (1977) ch. 6.
    """
    n, y, x = (np.asarray(value, dtype=float) for value in (count, sum_y, sum_x))
    yy, xx, xy = (np.asarray(value, dtype=float) for value in (sum_yy, sum_xx, sum_xy))
    z = stats.norm.ppf((1 + level) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = y / x
        variance = np.clip(yy - 2 * ratio * xy + ratio**2 * xx, 0, None) / x**2 * n / (n - 1)
        half = z * np.sqrt(variance)
    valid = (n > 1) & (x != 0)
    return np.where(valid, ratio - half, np.nan), np.where(valid, ratio + half, np.nan)


def rate_table(counts: pd.DataFrame, *, undefined: str, level: float = CONFIDENCE) -> pd.DataFrame:
    """Turn counted numerators and denominators into a rate table.

    Adds `value` = numerator / denominator, `low`, `high` (Wilson where the numerator counts cases of the denominator, else left as they
    are if given, else NaN) and `note` (the reason `undefined` where the denominator is 0 or missing). Inputs are not modified.
    Columns needed: numerator, denominator.
    """
    table = counts.copy()
    numerator, denominator = table["numerator"].astype(float), table["denominator"].astype(float)
    defined = denominator > 0
    table["value"] = numerator / denominator.where(defined)
    if "low" not in table.columns:
        table["low"], table["high"] = wilson_interval(numerator, denominator, level=level)
    note = table["note"] if "note" in table.columns else pd.Series("", index=table.index)
    table["note"] = note.fillna("").where(defined, undefined)
    return table
