"""Bootstrap of a ratio of sums that share their cases: buckets of independent cases are drawn again where they live."""

import numpy as np
import pandas as pd

from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.resampling import FEWEST_BUCKETS

FEW_BUCKETS = "fewer than 20 independent groups of customers: no bootstrap"
COLUMNS = ("unit_key", "value", "low", "high", "se_log", "buckets", "note")


def bootstrap_ratio(sums: pd.DataFrame, buckets: pd.DataFrame, *, seed: int, draws: int = 2_000, level: float = CONFIDENCE) -> pd.DataFrame:
    """Between which values does observed over expected lie, when a few large payments make it lopsided?

    Formula: a draw gives every bucket a Poisson(1) weight w and O* = O + Σ(w - 1)·o, E* = E + Σ(w - 1)·e with o, e the bucket's residuals of
    observed and expected; low and high are the quantiles of O*/E*. Buckets hold whole customers, so that what one customer paid to a unit
    and to its peers moves together. Strata are taken as fixed, as in `profiling.observed_expected`.

    Parameters
    ----------
    sums
        unit_key, observed, expected.
    buckets
        unit_key, bucket, observed and expected (residuals of the bucket; units of the outcome).
    seed, draws
        Same seed, same interval; every unit sees the same weights.

    Returns
    -------
    unit_key, value (O/E), low, high, se_log (standard deviation of the log ratio over draws), buckets, note; sorted by unit.
    Undefined (NaN and note): fewer than 20 buckets, or nothing observed or expected.
    Source: Efron & Tibshirani (1993) ch. 13; Poisson weights on buckets: Chamandy et al., "Estimating uncertainty for massive data streams",
    Google (2012).
    """
    numbers = np.sort(buckets["bucket"].unique())
    weights = np.random.default_rng(seed).poisson(1.0, (draws, len(numbers))) - 1.0
    place = {bucket: column for column, bucket in enumerate(numbers)}
    rows = []
    for unit in sums.sort_values("unit_key").to_dict("records"):
        own = buckets[buckets["unit_key"] == unit["unit_key"]].sort_values("bucket")
        row = {
            "unit_key": unit["unit_key"],
            "value": np.nan,
            "low": np.nan,
            "high": np.nan,
            "se_log": np.nan,
            "buckets": len(own),
            "note": "",
        }
        if len(own) < FEWEST_BUCKETS or not (unit["observed"] > 0 and unit["expected"] > 0):
            rows.append({**row, "note": FEW_BUCKETS})
            continue
        columns = own["bucket"].map(place).to_numpy()
        # Sums term by term in a fixed order: a matrix product may share them among threads.
        observed = unit["observed"] + (weights[:, columns] * own["observed"].to_numpy()).sum(axis=1)
        expected = unit["expected"] + (weights[:, columns] * own["expected"].to_numpy()).sum(axis=1)
        ratio = observed[(observed > 0) & (expected > 0)] / expected[(observed > 0) & (expected > 0)]
        low, high = np.quantile(ratio, [(1 - level) / 2, (1 + level) / 2])
        value = unit["observed"] / unit["expected"]
        rows.append({**row, "value": value, "low": low, "high": high, "se_log": float(np.log(ratio).std(ddof=1))})
    return pd.DataFrame(rows, columns=list(COLUMNS))
