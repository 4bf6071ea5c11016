"""Bootstrap from sums of buckets: independent cases are thrown into buckets where they live, and the buckets are drawn again."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from collect_analysis.methods.rates.levels import CONFIDENCE

Floats = NDArray[np.float64]
# Fewer filled buckets than this in an arm say too little about how its mean varies.
FEWEST_BUCKETS = 20
FEW_BUCKETS = "fewer than 20 independent groups in an arm: no bootstrap"
_CHUNK = 100


def bootstrap_t(buckets: pd.DataFrame, *, base: str, seed: int, draws: int = 999, level: float = CONFIDENCE) -> pd.DataFrame:
    """Between which values does the difference of two means lie, when a few large values make their distribution lopsided?

    Formula: a draw gives every bucket a Poisson(1) weight w, m* = Σwy/Σwn per arm, v* = Σw(y - m*n)²/(Σwn)²·B/(B-1), and
    t* = ((m* - m0*) - (m - m0)) / √(v* + v0*); the interval is (m - m0) - q·√(v + v0) at the upper and lower quantile q of t*. Buckets that
    hold many independent cases keep what a lopsided mean is about: third moments of independent cases add up.

    Parameters
    ----------
    buckets
        One row per arm and bucket: arm, bucket, n (cases), y (sum of the outcome). A cluster lies wholly in one bucket.
    base
        The arm compared with.
    seed, draws
        Same seed, same interval.

    Returns
    -------
    arm, value, low, high, se, buckets (of the arm), note; a row per arm other than the base.
    Undefined (NaN and a note): fewer than 20 buckets in an arm.
    Source: Efron & Tibshirani (1993) ch. 12; Hall, Annals of Statistics 16 (1988) 927; Poisson weights on buckets: Chamandy et al.,
    "Estimating uncertainty for massive data streams", Google (2012).
    """
    names = sorted(str(arm) for arm in set(buckets["arm"]))
    order = [base, *(arm for arm in names if arm != base)]
    sampled = {
        arm: _resampled(buckets[buckets["arm"] == arm], np.random.default_rng([seed, place]), draws) for place, arm in enumerate(order)
    }
    m0, v0, drawn0, spread0, count0 = sampled[base]
    rows = []
    for arm in order[1:]:
        m, v, drawn, spread, count = sampled[arm]
        se = float(np.sqrt(v + v0))
        row = {"arm": arm, "value": m - m0, "low": np.nan, "high": np.nan, "se": se, "buckets": count, "note": ""}
        if min(count, count0) < FEWEST_BUCKETS or not se > 0:
            rows.append({**row, "note": FEW_BUCKETS})
            continue
        t = ((drawn - drawn0) - (m - m0)) / np.sqrt(spread + spread0)
        upper, lower = np.quantile(t[np.isfinite(t)], [(1 + level) / 2, (1 - level) / 2])
        rows.append({**row, "low": m - m0 - upper * se, "high": m - m0 - lower * se})
    return pd.DataFrame(rows, columns=["arm", "value", "low", "high", "se", "buckets", "note"])


def _resampled(own: pd.DataFrame, rng: np.random.Generator, draws: int) -> tuple[float, float, Floats, Floats, int]:
    """Mean and variance of one arm, the same of every draw, and how many buckets it has."""
    own = own.sort_values("bucket")
    n, y = own["n"].to_numpy(float), own["y"].to_numpy(float)
    count = len(n)
    moments = np.column_stack([np.ones(count), n, y, n * n, n * y, y * y])
    if count < 2:
        return float("nan"), float("nan"), np.full(draws, np.nan), np.full(draws, np.nan), count
    mean, variance = _mean(moments.sum(axis=0, keepdims=True))
    sums = [rng.poisson(1.0, (size, count)) @ moments for size in _sizes(draws)]
    drawn, spread = _mean(np.concatenate(sums))
    return float(mean[0]), float(variance[0]), drawn, spread, count


def _sizes(draws: int) -> list[int]:
    return [min(_CHUNK, draws - done) for done in range(0, draws, _CHUNK)]


def _mean(sums: Floats) -> tuple[Floats, Floats]:
    count, n, y, nn, ny, yy = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = y / n
        spread = np.clip(yy - 2 * mean * ny + mean**2 * nn, 0, None) / n**2 * count / (count - 1)
    return mean, spread
