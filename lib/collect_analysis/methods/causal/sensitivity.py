"""How strong would something nobody measured have to be to explain an effect away?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
PREVALENCE_GAPS = (0.05, 0.10, 0.20, 0.30, 0.50)


def e_value(ratio: ArrayLike) -> Floats:
    """How strongly must an unmeasured driver go with both treatment and outcome to make a ratio of `ratio` out of nothing?

    Formula: E = R + sqrt(R·(R-1)), a ratio below 1 being inverted first. Both associations are ratios, beyond the covariates; a weaker
    driver cannot explain the ratio, a driver that strong can. Shapes: (k,). Undefined (NaN): a ratio not above 0.
    For yes/no outcomes R is a ratio of shares; for outcomes that cannot be negative a ratio of means.
    Source: VanderWeele & Ding, Annals of Internal Medicine 167 (2017) 268; ratio of means: Ding & VanderWeele, Epidemiology 27 (2016) 368.
    Check: 3.9 -> 7.26; its bound 1.8 -> 3.0.
    """
    given = np.asarray(ratio, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(given < 1, 1 / given, given)
        return np.where(given > 0, above + np.sqrt(above * (above - 1)), np.nan)


def e_value_of_interval(ratio: float, low: float, high: float) -> float:
    """E-value of the bound nearer to 1: how strong a driver moves the interval onto "no effect". 1 where it holds 1 already; NaN if unknown."""
    if not np.isfinite([ratio, low, high]).all():
        return float("nan")
    if low <= 1 <= high:
        return 1.0
    return float(e_value(low if ratio > 1 else high))


def driver_table(value: float, low: float, high: float, *, base_mean: float, gaps: Sequence[float] = PREVALENCE_GAPS) -> pd.DataFrame:
    """If an unmeasured yes/no driver were more common in one arm, how much must it change the outcome to explain the effect?

    Formula: bias = δ·γ, with δ the difference of its share between the arms and γ its effect on the outcome, both beyond the covariates and
    γ alike in both arms; so γ = effect / δ makes the effect nought, γ = bound nearer to nought / δ lets the interval reach nought.

    Returns
    -------
    gap (δ, share), outcome_change (γ for the effect, in the outcome's unit), outcome_change_relative (γ / base mean), bound_change,
    bound_change_relative (the same for the interval's bound; 0 where it holds nought). Signs dropped: only the size counts.
    Undefined (NaN): no effect given; relative where the base mean is not above zero.
    Source: VanderWeele & Arah, Epidemiology 22 (2011) 42.
    """
    delta = np.asarray(gaps, dtype=float)
    nearer = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    nearer = nearer if np.isfinite([value, low, high]).all() else float("nan")
    base = base_mean if base_mean > 0 else float("nan")
    change, bound = abs(value) / delta, nearer / delta
    return pd.DataFrame(
        {
            "gap": delta,
            "outcome_change": change,
            "outcome_change_relative": change / base,
            "bound_change": bound,
            "bound_change_relative": bound / base,
        }
    )
