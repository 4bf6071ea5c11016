"""How often would the whole pipeline find a difference where there is none? Draws repeated on sums of hash buckets.

Assigning customers by a salted hash puts each into one of 10,000 buckets and gives whole buckets to arms. Which customers share a bucket is
chance, independent of what they pay; so shuffling whole buckets over the arms has the same distribution of arms' sums as hashing every
customer again with another salt, and everything the comparison needs (counts, sums, sums of squares per customer) adds up over buckets.
The engine therefore passes over the customers once, and a re-draw is a sum of bucket sums.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from collect_analysis.methods.rates.levels import ERROR
from collect_analysis.methods.rates.rates import wilson_interval
from collect_analysis.methods.trials.assignment import BUCKETS, bucket_limits
from collect_analysis.methods.trials.experiments import SUMS, arm_means, compare_arms

# The rate is out of range only where chance of the draws cannot explain it: one such run in a hundred would be a false alarm.
RANGE_LEVEL = 0.99


def redraws(sums: pd.DataFrame, shares: Mapping[str, float], *, base: str, draws: int, seed: int) -> pd.DataFrame:
    """What would `draws` assignments by other salts have found on a past cohort that nobody treated?

    Parameters
    ----------
    sums
        One row per outcome and bucket: outcome, unit, horizon_days, bucket (0-9999) and `experiments.SUMS`; buckets without customers may
        be missing.
    shares
        Arm -> share.
    base
        The arm compared with.
    draws, seed
        How many re-draws, and the seed of the shuffles.

    Returns
    -------
    One row per outcome and draw: outcome, unit, horizon_days, draw, p_value (smallest over the challengers, adjusted by Holm where there are
    several), value (largest difference in size); NaN where a draw left an arm with nothing to compare.
    """
    limits = bucket_limits(shares)
    shuffle = np.argsort(np.random.default_rng(seed).random((draws, BUCKETS)), axis=1)
    # position[d, b]: where bucket b lies in draw d; an arm owns a range of positions.
    position = np.empty_like(shuffle)
    np.put_along_axis(position, shuffle, np.broadcast_to(np.arange(BUCKETS), shuffle.shape), axis=1)
    parts = []
    for outcome in sorted(sums["outcome"].unique()):
        own = sums[sums["outcome"] == outcome]
        unit = str(own["unit"].iloc[0])
        filled = own.set_index("bucket")[SUMS].reindex(range(BUCKETS), fill_value=0.0).to_numpy(dtype=float)
        for arm, (first, after) in limits.items():
            inside = ((position >= first) & (position < after)).astype(float)
            totals = pd.DataFrame(inside @ filled, columns=SUMS)
            parts.append(totals.assign(outcome=outcome, unit=unit, horizon_days=np.arange(draws), arm=arm))
    drawn = pd.concat(parts, ignore_index=True)
    effects = compare_arms(arm_means(drawn), base=base)
    days = sums.groupby("outcome")["horizon_days"].first()
    column = "p_adjusted" if len(shares) > 2 else "p_value"
    found = effects.groupby(["outcome", "unit", "horizon_days"], as_index=False).agg(p_value=(column, "min"), value=("value", "max"))
    found = found.rename(columns={"horizon_days": "draw"})
    return found.assign(horizon_days=found["outcome"].map(days))[["outcome", "unit", "horizon_days", "draw", "p_value", "value"]]


def false_positives(found: pd.DataFrame, *, alpha: float = ERROR) -> pd.DataFrame:
    """In which share of the re-draws did arms that were treated alike come out different?

    Returns outcome, horizon_days, value (share), low, high (Wilson, 95 %), range_low, range_high (Wilson, 99 %), numerator, denominator
    (draws that could be compared), in_range (`alpha` lies in the wide interval), note. Undefined (NaN): no draw could be compared.
    """
    rows = []
    for (outcome, days), own in found.groupby(["outcome", "horizon_days"], sort=True):
        usable = own["p_value"].dropna()
        hits, number = float((usable < alpha).sum()), float(len(usable))
        low, high = wilson_interval(hits, number)
        wide_low, wide_high = wilson_interval(hits, number, level=RANGE_LEVEL)
        rows.append(
            {
                "outcome": outcome,
                "horizon_days": days,
                "value": hits / number if number else np.nan,
                "low": float(low),
                "high": float(high),
                "range_low": float(wide_low),
                "range_high": float(wide_high),
                "numerator": hits,
                "denominator": number,
                "in_range": bool(number and wide_low <= alpha <= wide_high),
                "note": "" if number else "no draw could be compared",
            }
        )
    columns = ["outcome", "horizon_days", "value", "low", "high", "range_low", "range_high", "numerator", "denominator", "in_range", "note"]
    return pd.DataFrame(rows, columns=columns)
