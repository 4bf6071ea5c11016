"""Is one unit outside what its peers lead to expect: a prediction from the others, with the scatter that is natural between them."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]
LEAST_PEERS = 3


def log_odds(observed: ArrayLike, trials: ArrayLike) -> tuple[Floats, Floats]:
    """A share on a scale on which shares of units can be compared: log odds and their standard error.

    Formula: log((x + 1/2) / (n - x + 1/2)), variance 1/(x + 1/2) + 1/(n - x + 1/2). Shapes (k,). Undefined (NaN): no trial.
    Source: Haldane (1956), Anscombe (1956): the half takes away most of the bias and keeps none and all finite.
    """
    x, n = np.asarray(observed, dtype=float), np.asarray(trials, dtype=float)
    n = np.where(n > 0, n, np.nan)
    return np.log((x + 0.5) / (n - x + 0.5)), np.sqrt(1 / (x + 0.5) + 1 / (n - x + 0.5))


def log_rate_ratio(counts: pd.DataFrame) -> tuple[Floats, Floats]:
    """Is a rate higher in one part of a unit's cases than in the rest? The log of the ratio of two rates, and its standard error.

    Formula: log(R1/R0), R = (sum y + 1/2) / sum x; variance of log R from the residuals y - R·x of independent cases (customers),
    [sum yy - 2R sum xy + R² sum xx] / (sum y + 1/2)² · n/(n-1), at least 1/(sum y + 1/2). Columns needed, each with suffix `_1` and `_0`: n, sum_y, sum_x,
    sum_yy, sum_xx, sum_xy. Undefined (NaN): fewer than 2 cases or no exposure on a side. Source: delta method; Cochran (1977) ch. 6.
    """
    parts = []
    for side in ("1", "0"):
        n, y, x, yy, xx, xy = (counts[f"{name}_{side}"].to_numpy(float) for name in ("n", "sum_y", "sum_x", "sum_yy", "sum_xx", "sum_xy"))
        some = (n > 1) & (x > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.where(some, (y + 0.5) / x, np.nan)
            squares = np.clip(yy - 2 * rate * xy + rate**2 * xx, 0, None) * n / (n - 1)
            variance = np.maximum(squares / (y + 0.5) ** 2, 1 / (y + 0.5))
            parts.append((np.log(rate), np.where(some, variance, np.nan)))
    (top, top_variance), (rest, rest_variance) = parts
    return top - rest, np.sqrt(top_variance + rest_variance)


def log_observed_expected(cells: pd.DataFrame) -> pd.DataFrame:
    """Does a unit have more of something than its peers have in the same strata?

    Formula: E(u) = sum over strata of n(u,s)·p(-u,s), p(-u,s) the others' share in the stratum (where they have none: over all strata);
    log((O + 1/2) / (E + 1/2)), variance sum of n·p·(1-p) / (E + 1/2)² + 1/(sum of the others' O + 1/2), with p kept off 0 and 1 by the half.
    Columns needed: unit_key, stratum, observed, trials. Returns unit_key, observed, trials, expected, estimate, se; sorted by unit.
    Undefined (NaN): no peer. Source: indirect standardisation.
    """
    own = cells[["unit_key", "stratum"]].assign(o=cells["observed"].astype(float), n=cells["trials"].astype(float))
    others = own.groupby("stratum")[["o", "n"]].transform("sum") - own[["o", "n"]]
    whole = own[["o", "n"]].sum() - own.groupby("unit_key")[["o", "n"]].transform("sum")
    overall = (whole["o"] + 0.5) / (whole["n"] + 1).where(whole["n"] > 0)
    share = ((others["o"] + overall) / (others["n"] + 1)).where(others["n"] > 0, overall)
    own["e"], own["v"], own["rest"] = own["n"] * share, own["n"] * share * (1 - share), whole["o"]
    sums = own.groupby("unit_key", as_index=False).agg(
        observed=("o", "sum"), trials=("n", "sum"), expected=("e", "sum"), v=("v", "sum"), rest=("rest", "first"), known=("e", "count")
    )
    known = sums["known"] > 0
    estimate = pd.Series(np.log((sums["observed"] + 0.5) / (sums["expected"] + 0.5))).where(known)
    variance = sums["v"] / (sums["expected"] + 0.5) ** 2 + 1 / (sums["rest"] + 0.5)
    return sums[["unit_key", "observed", "trials", "expected"]].assign(estimate=estimate, se=pd.Series(np.sqrt(variance)).where(known))


def between_units(estimate: ArrayLike, se: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Where do units lie in the middle, how sure is that, and how much do they differ beyond chance?

    Formula: DerSimonian and Laird: with w = 1/se², tau² = max(0, (Q - (k-1)) / (Σw - Σw²/Σw)), Q = Σw(x - x̄)²; centre = Σw*x / Σw* with
    w* = 1/(se² + tau²), its variance 1/Σw*. Shapes: estimate (..., k), se (k,) or (..., k); returns centre, variance, tau², each (...,).
    Source: DerSimonian and Laird, Controlled Clinical Trials 7 (1986) 177. Check: statsmodels combine_effects(method_re="dl").
    """
    x = np.asarray(estimate, dtype=float)
    w = np.broadcast_to(1 / np.asarray(se, dtype=float) ** 2, x.shape)
    k, total = x.shape[-1], w.sum(axis=-1)
    mean = (w * x).sum(axis=-1) / total
    q = (w * (x - mean[..., None]) ** 2).sum(axis=-1)
    spread = total - (w**2).sum(axis=-1) / total
    tau2 = np.clip((q - (k - 1)) / spread, 0, None) if k > 1 else np.zeros_like(total)
    again = 1 / (1 / w + tau2[..., None])
    return (again * x).sum(axis=-1) / again.sum(axis=-1), 1 / again.sum(axis=-1), tau2


def peer_excess(estimate: ArrayLike, se: ArrayLike) -> tuple[Floats, Floats]:
    """How surprising is each unit, if it is one more of its peers?

    Formula: from the k-1 other units centre m, its variance v and tau² (`between_units`); t = (x - m) / sqrt(se² + tau² + v);
    p = P(T > t), T with k-3 degrees of freedom (the others less two). Small p: more than the peers lead to expect. Units far off hide each
    other: where two of few do the same, neither stands out. Shapes: estimate (..., k), se (k,); returns centre and p, both (..., k).
    Undefined (NaN): fewer than `LEAST_PEERS` other units.
    Source: prediction in a random-effects model; Higgins, Thompson and Spiegelhalter, J R Stat Soc A 172 (2009) 137.
    """
    x, s = np.asarray(estimate, dtype=float), np.asarray(se, dtype=float)
    k = x.shape[-1]
    centre, p = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    if k - 1 < LEAST_PEERS:
        return centre, p
    for unit in range(k):
        others = np.arange(k) != unit
        m, v, tau2 = between_units(x[..., others], s[others])
        centre[..., unit] = m
        p[..., unit] = stats.t.sf((x[..., unit] - m) / np.sqrt(s[unit] ** 2 + tau2 + v), k - 3)
    return centre, p
