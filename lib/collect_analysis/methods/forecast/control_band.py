"""Within which band does a rate move from month to month, and which month lies outside of it?"""

from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]
# Fewer ordinary months than this say too little about how much a month differs from another.
FEWEST_MONTHS = 6
TOO_FEW = "fewer than {fewest} ordinary months beside it to know how much months differ"
NOTHING_OPEN = "no account in this month"
# Two sides of 3 standard deviations, and of 95 %.
OUTER, INNER = 0.9973, 0.95
BAND_COLUMNS = ["centre", "band_low", "band_high", "watch_low", "watch_high", "months_used", "months_differ", "side"]
_QN = 2.2219
_QN_SMALL = {2: 0.399, 3: 0.994, 4: 0.512, 5: 0.844, 6: 0.611, 7: 0.857, 8: 0.669, 9: 0.872}


def qn_scale(values: ArrayLike) -> float:
    """A standard deviation that a few unlike values do not move.

    Formula: 2.2219·d·{|x_i - x_j|; i < j}_(k), k = (h choose 2), h = n//2 + 1, d the factor for small n. Shape (n,).
    Undefined (NaN): fewer than 2 values. Source: Rousseeuw & Croux, JASA 88 (1993) 1273; Croux & Rousseeuw, COMPSTAT (1992) 411 for d.
    """
    x = np.asarray(values, dtype=float)
    n = x.size
    if n < 2:
        return float("nan")
    gaps = np.sort(np.abs(x[:, None] - x[None, :])[np.triu_indices(n, 1)])
    half = n // 2 + 1
    factor = _QN_SMALL.get(n) or (n / (n + 1.4) if n % 2 else n / (n + 3.8))
    return float(_QN * factor * gaps[half * (half - 1) // 2 - 1])


def control_bands(rates: pd.DataFrame, *, by: list[str]) -> pd.DataFrame:
    """Which month of each series moved more than months do?

    `rates` has the columns of `by`, month, numerator, denominator and unlike (flag: a month that is known to be unlike the others, such as
    the lunar new year; it is shown and judged, but says nothing about ordinary months).
    Formula (Laney's p' chart, made robust): the centre is the median of the ordinary months' rates; z = (rate - centre)/√(centre(1 -
    centre)/n); months differ by s = max(1, Qn of z) times what chance alone would give; the band is centre ± t·s·√(centre(1 - centre)/n)·
    √(1 + π/2m), t the quantile with 0.8(m - 1) degrees of freedom (the efficiency of Qn) over the m ordinary months used. A month is judged
    by the other months: it is not among those used for its own band. Adds value, centre, band_low, band_high (99.73 %), watch_low,
    watch_high (95 %), months_used, months_differ (s), side (above, below, high, low, inside, or empty), note.
    Undefined (NaN + note): nobody in the month's denominator, or fewer than 6 ordinary months beside it.
    Source: Laney, Quality Engineering 14 (2002) 531; `qn_scale`.
    """
    parts = [_series(part.sort_values("month")) for _, part in rates.groupby(by, sort=True)]
    if not parts:
        return rates.assign(value=pd.Series(dtype=float), **{name: pd.Series(dtype=float) for name in BAND_COLUMNS}, note="")
    return pd.concat(parts, ignore_index=True)


def _series(part: pd.DataFrame) -> pd.DataFrame:
    count, total = part["numerator"].to_numpy(float), part["denominator"].to_numpy(float)
    value = np.divide(count, total, out=np.full_like(count, np.nan), where=total > 0)
    usable = ~part["unlike"].to_numpy(bool) & (total > 0)
    bands = [_band(value, total, usable, place) for place in range(len(value))]
    table = pd.concat([part.reset_index(drop=True).assign(value=value), pd.DataFrame(bands)], axis=1)
    return table.assign(side=_side(table), note=table["note"])


def _band(value: Floats, total: Floats, usable: NDArray[np.bool_], place: int) -> dict[str, object]:
    others = usable.copy()
    others[place] = False
    used = int(others.sum())
    empty = dict.fromkeys(("centre", "band_low", "band_high", "watch_low", "watch_high", "months_differ"), np.nan)
    if not total[place] > 0:
        return {**empty, "months_used": used, "note": NOTHING_OPEN}
    if used < FEWEST_MONTHS:
        return {**empty, "months_used": used, "note": TOO_FEW.format(fewest=FEWEST_MONTHS)}
    centre = float(np.median(value[others]))
    chance = np.sqrt(centre * (1 - centre) / np.where(total > 0, total, np.nan))
    if not chance[place] > 0:
        # Nothing ever happened in ordinary months: what chance allows is not known from a rate of 0 or 1.
        bounds = {"band_low": centre, "band_high": centre, "watch_low": centre, "watch_high": centre}
        return {"centre": centre, **bounds, "months_differ": np.nan, "months_used": used, "note": ""}
    differ = max(1.0, qn_scale((value[others] - centre) / chance[others]))
    spread = differ * chance[place] * np.sqrt(1 + np.pi / 2 / used)
    found: dict[str, object] = {"centre": centre, "months_differ": differ, "months_used": used, "note": ""}
    for name, level in (("band", OUTER), ("watch", INNER)):
        half = _reach(level, used) * spread
        found |= {f"{name}_low": max(centre - half, 0.0), f"{name}_high": min(centre + half, 1.0)}
    return found


@cache
def _reach(level: float, used: int) -> float:
    """How many standard deviations `level` lies within, when they were estimated from so many months."""
    return float(stats.t.ppf((1 + level) / 2, 0.8 * (used - 1)))


def _side(table: pd.DataFrame) -> NDArray[np.str_]:
    value = table["value"]
    return np.select(
        [
            table["centre"].isna(),
            value > table["band_high"],
            value < table["band_low"],
            value > table["watch_high"],
            value < table["watch_low"],
        ],
        ["", "above", "below", "high", "low"],
        default="inside",
    )
