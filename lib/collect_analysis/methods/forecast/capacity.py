"""What minutes bring: how the yield of accounts rises, ever less, with the time spent on them, and whether time suffices."""

import numpy as np
import pandas as pd
from scipy import stats

from collect_analysis.methods.rates.levels import CONFIDENCE

# Below this spread of log minutes per account within units, a curve through them would be a line through one point.
LEAST_VARIATION = 0.05
FEWEST_ROWS = 12
TOO_LITTLE = "minutes per account hardly varied: nothing can be said of more or fewer minutes"
TOO_FEW = "too few unit-months"
NOT_RISING = "no yield of more minutes can be seen"


def yield_curves(history: pd.DataFrame, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """How does the yield of accounts change with the minutes spent on each?

    Formula: log(observed / expected) = unit + month + b x log(minutes per account) + e, by sub-function; yield is proportional to
    minutes^b. A b between 0 and 1 is a yield that rises ever less (b = 1/2: square root; b near 0: logarithm); an estimate outside is
    moved to the nearer end, its interval is not. Standard error over units (months of one unit are alike), t with units - 1 degrees of freedom.
    Minutes were not drawn by lot: whoever gives hard accounts more time makes the curve look flat. It is a raw comparison.

    Parameters
    ----------
    history
        One row per `unit_key` and `month`: sub_function, accounts, minutes, observed, expected.

    Returns
    -------
    sub_function, units, rows, minutes_per_account (mean), variation (standard deviation of log minutes per account within unit and month),
    value (b), se, low, high, note. Sorted. Undefined (NaN and note): too few rows or units, minutes that hardly varied.
    """
    usable = history[(history["accounts"] > 0) & (history["minutes"] > 0) & (history["observed"] > 0) & (history["expected"] > 0)]
    rows = [_curve(str(name), part, level) for name, part in usable.groupby("sub_function", sort=True)]
    columns = ["sub_function", "units", "rows", "minutes_per_account", "variation", "value", "se", "low", "high", "note"]
    return pd.DataFrame(rows, columns=columns)


def _curve(name: str, part: pd.DataFrame, level: float) -> dict[str, object]:
    units, months = part["unit_key"].to_numpy(), part["month"].to_numpy()
    minutes = np.log((part["minutes"] / part["accounts"]).to_numpy(dtype=float))
    ratio = np.log((part["observed"] / part["expected"]).to_numpy(dtype=float))
    several = len(np.unique(units)) > 1
    x, y = (_without(values, units, months if several else None) for values in (minutes, ratio))
    count, varied = len(np.unique(units)), float(x.std())
    found: dict[str, object] = {
        "sub_function": name,
        "units": count,
        "rows": len(part),
        "minutes_per_account": float(part["minutes"].sum() / part["accounts"].sum()),
        "variation": varied,
        **dict.fromkeys(("value", "se", "low", "high"), float("nan")),
    }
    if len(part) < FEWEST_ROWS:
        return {**found, "note": TOO_FEW}
    if varied < LEAST_VARIATION:
        return {**found, "note": TOO_LITTLE}
    slope = float(x @ y / (x @ x))
    se, freedom = _slope_error(x, y - slope * x, units)
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * se
    low, high = slope - half, slope + half
    return {**found, "value": float(np.clip(slope, 0.0, 1.0)), "se": se, "low": low, "high": high, "note": NOT_RISING if low <= 0 else ""}


def _without(values: np.ndarray, units: np.ndarray, months: np.ndarray | None) -> np.ndarray:
    """What is left of values after effects of units and, where there are several units, of months, by least squares: exact in gappy tables."""
    groups = [units] if months is None else [units, months]
    design = np.column_stack([(group[:, None] == np.unique(group)).astype(float) for group in groups])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def _slope_error(x: np.ndarray, residual: np.ndarray, units: np.ndarray) -> tuple[float, float]:
    """Standard error over units; of one unit, over its months."""
    _, code = np.unique(units, return_inverse=True)
    count = int(code.max()) + 1
    if count > 1:
        scores = np.bincount(code, x * residual)
        return float(np.sqrt((scores**2).sum() * count / (count - 1)) / (x @ x)), count - 1.0
    freedom = max(len(x) - 2.0, 1.0)
    return float(np.sqrt((residual**2).sum() / freedom / (x @ x))), freedom


def capacity_index(units: pd.DataFrame) -> pd.DataFrame:
    """Is there time for the work that the period needs (W10)?

    Formula: accounts x attempts per account / (attempts per hour x hours); where a unit has no hours but a limit of accounts, accounts over
    that limit. Above 1: the work does not fit.
    `units`: accounts, intensity (attempts per account), attempts_per_hour, hours, capacity_accounts. Column added: capacity_index, NaN
    where neither is known.
    """
    table = units.copy()
    able = table["attempts_per_hour"] * table["hours"]
    by_hours = table["accounts"] * table["intensity"] / able.where(able > 0)
    limit = table["capacity_accounts"].astype(float)
    table["capacity_index"] = by_hours.fillna(table["accounts"] / limit.where(limit > 0))
    return table


def capacity_limit(p50: pd.Series, index: pd.Series, elasticity: pd.Series) -> pd.Series:
    """What can a unit bring whose work does not fit its hours?

    Formula: index > 1: P50 x (1 / index)^b with the known elasticity b of its yield; with b unknown P50, which leaves no stretch to a unit
    that lacks time. NaN: the work fits, or the index is not known: no limit.
    """
    short = index > 1
    limit = p50 * (1 / index.where(short)) ** elasticity.fillna(0.0)
    return limit.where(short)
