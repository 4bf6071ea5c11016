"""Funnel plots: which units lie outside what chance, and the usual scatter between units, would give."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Dispersion:
    """Scatter of the units beyond chance: `phi` (mean winsorised z²; 1 is chance alone), `tau2` (variance between units)."""

    phi: float
    tau2: float
    units: int


def dispersion(estimate: ArrayLike, se: ArrayLike, *, target: float, winsor: float = 0.10) -> Dispersion:
    """How much do units scatter around the target beyond chance, without letting the extreme ones decide?

    Formula: z = (x - target)/s, winsorised at its `winsor` and 1 - `winsor` quantiles; phi = mean z²;
    tau² = max(0, (k·phi - (k-1)) / (Σw - Σw²/Σw)) with w = 1/s². Shapes: (k,) both, without NaN.
    Undefined (NaN): no unit; tau² is 0 with one unit. Source: Spiegelhalter, Statistics in Medicine 24 (2005) 1185, and Qual Saf Health
    Care 14 (2005) 347.
    """
    x, s = np.asarray(estimate, dtype=float), np.asarray(se, dtype=float)
    k = x.size
    if k == 0:
        return Dispersion(phi=float("nan"), tau2=float("nan"), units=0)
    z = (x - target) / s
    z = np.clip(z, *np.quantile(z, [winsor, 1 - winsor]))
    phi = float((z**2).mean())
    w = s**-2
    spread = float(w.sum() - (w**2).sum() / w.sum())
    tau2 = max(0.0, (k * phi - (k - 1)) / spread) if k > 1 else 0.0
    return Dispersion(phi=phi, tau2=tau2, units=k)


def ratio_limits(effective_cases: ArrayLike, *, level: float, tau2: float = 0.0, phi: float = 1.0) -> tuple[Floats, Floats]:
    """Between which values does an O/E index lie if the unit does as its peers?

    Formula: exp(±z·sqrt(phi/n + tau²)), n the effective number of cases (1 / se² of the log index: a count of n independent events has it).
    Use `phi` (multiplicative) or `tau2` (additive) for the usual scatter between units, not both. Shapes: (k,) -> low, high (k,).
    Undefined (NaN): n not above 0.
    """
    n = np.asarray(effective_cases, dtype=float)
    z = stats.norm.ppf((1 + level) / 2)
    half = z * np.sqrt(phi / np.where(n > 0, n, np.nan) + tau2)
    return np.exp(-half), np.exp(half)


def binomial_limits(target: float, cases: ArrayLike, *, level: float, phi: float = 1.0) -> tuple[Floats, Floats]:
    """Between which values does a share of counted cases lie if the unit's true share is `target`?

    With phi = 1 exact: the interpolated binomial quantiles (r - a)/n, r the smallest count with cumulative probability over p and
    a = (F(r) - p)/(F(r) - F(r-1)). With over-dispersion normal: target ± z·sqrt(phi·target(1-target)/n), kept within 0-1.
    Shapes: cases (k,) -> low, high (k,). Undefined (NaN): no cases. Source: Spiegelhalter, Statistics in Medicine 24 (2005) 1185, A.1.
    """
    n = np.asarray(cases, dtype=float)
    n = np.where(n > 0, n, np.nan)
    if phi != 1.0:
        half = stats.norm.ppf((1 + level) / 2) * np.sqrt(phi * target * (1 - target) / n)
        return np.clip(target - half, 0, None), np.clip(target + half, None, 1)
    return _exact_quantile(target, n, (1 - level) / 2), _exact_quantile(target, n, (1 + level) / 2)


def _exact_quantile(target: float, n: Floats, probability: float) -> Floats:
    whole = np.where(np.isnan(n), 1, n)
    r = stats.binom.ppf(probability, whole, target)
    upper, at = stats.binom.cdf(r, whole, target), stats.binom.pmf(r, whole, target)
    share = (r - (upper - probability) / at) / whole
    return np.where(np.isnan(n), np.nan, np.clip(share, 0, 1))


def funnel_table(units: pd.DataFrame, *, overdispersion: Dispersion, inner: float = 0.95, outer: float = 0.998) -> pd.DataFrame:
    """Which units lie outside the funnel?

    `units`: unit_key, value (O/E), se_log. Adds effective_cases (1/se_log²), z (log value over its spread with the additive tau²),
    inner_low, inner_high, outer_low, outer_high, and `place`: above or below (outside the outer limits), high or low (between inner and
    outer), inside, or undefined. Sorted by unit_key. Undefined: value or se_log missing.
    """
    table = units.sort_values("unit_key", ignore_index=True).copy()
    table["effective_cases"] = table["se_log"].where(table["se_log"] > 0) ** -2
    table["inner_low"], table["inner_high"] = ratio_limits(table["effective_cases"], level=inner, tau2=overdispersion.tau2)
    table["outer_low"], table["outer_high"] = ratio_limits(table["effective_cases"], level=outer, tau2=overdispersion.tau2)
    with np.errstate(divide="ignore", invalid="ignore"):
        table["z"] = np.log(table["value"].where(table["value"] > 0)) / np.sqrt(table["se_log"] ** 2 + overdispersion.tau2)
    table["place"] = np.select(
        [
            table["z"].isna(),
            table["value"] > table["outer_high"],
            table["value"] < table["outer_low"],
            table["value"] > table["inner_high"],
            table["value"] < table["inner_low"],
        ],
        ["undefined", "above", "below", "high", "low"],
        default="inside",
    )
    return table


def limit_curve(table: pd.DataFrame, *, inner: float = 0.95, outer: float = 0.998, points: int = 80) -> pd.DataFrame:
    """The funnel's lines between the smallest and the largest unit of `table` (effective_cases, and tau2 as in every row).

    Columns: effective_cases, inner_low, inner_high, outer_low, outer_high. Undefined: empty without a unit of known size.
    """
    sizes = table["effective_cases"].dropna()
    if sizes.empty:
        return pd.DataFrame(columns=["effective_cases", "inner_low", "inner_high", "outer_low", "outer_high"])
    at = np.geomspace(sizes.min() * 0.7, sizes.max() * 1.2, points)
    tau2 = float(table["tau2"].iloc[0])
    inner_low, inner_high = ratio_limits(at, level=inner, tau2=tau2)
    outer_low, outer_high = ratio_limits(at, level=outer, tau2=tau2)
    return pd.DataFrame(
        {"effective_cases": at, "inner_low": inner_low, "inner_high": inner_high, "outer_low": outer_low, "outer_high": outer_high}
    )
