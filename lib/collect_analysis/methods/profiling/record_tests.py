"""Is there more of something in a record than chance would make: counts against a stated chance, digits against uniform ones."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.multiplicity import holm

NOTHING_TO_TEST = "nothing to test"


def share_excess(table: pd.DataFrame, *, chance: float, level: float = CONFIDENCE) -> pd.DataFrame:
    """Who has more of something than the share that chance gives?

    Formula: expected = trials·chance; p = P(X >= observed), X ~ Binomial(trials, chance), exact, one-sided; p_adjusted by Holm over the rows;
    `beyond` where p_adjusted <= 1 - level. Columns needed: observed, trials. Adds value (share), expected, excess, p_value, p_adjusted,
    beyond, note. Undefined (NaN and a note): no trial.
    """
    out = table.copy()
    seen, trials = out["observed"].to_numpy(float), out["trials"].to_numpy(float)
    some = trials > 0
    out["value"] = np.where(some, seen / np.where(some, trials, 1.0), np.nan)
    out["expected"] = trials * chance
    p_value = np.where(some, stats.binom.sf(seen - 1, trials, chance), np.nan)
    return _judged(out, p_value, level)


def count_excess(table: pd.DataFrame, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """Who has more events than chance is expected to make?

    Formula: p = P(X >= observed), X ~ Poisson(expected), one-sided; p_adjusted by Holm over the rows; `beyond` where p_adjusted <= 1 - level.
    With expected 0 (what an honest record never shows) a single event is beyond. Columns needed: observed, expected, trials. Adds value
    (share of trials), excess, p_value, p_adjusted, beyond, note. Undefined (NaN and a note): no trial.
    """
    out = table.copy()
    seen, expected, trials = (out[name].to_numpy(float) for name in ("observed", "expected", "trials"))
    some = trials > 0
    out["value"] = np.where(some, seen / np.where(some, trials, 1.0), np.nan)
    p_value = np.where(seen > 0, stats.poisson.sf(seen - 1, expected), 1.0)
    return _judged(out, np.where(some & np.isfinite(expected), p_value, np.nan), level)


def _judged(out: pd.DataFrame, p_value: ArrayLike, level: float) -> pd.DataFrame:
    out["excess"] = out["observed"] - out["expected"]
    out["p_value"] = np.asarray(p_value, dtype=float)
    out["p_adjusted"] = holm(out["p_value"].to_numpy(float))
    out["beyond"] = (out["p_adjusted"] <= 1 - level).to_numpy()
    out["note"] = np.where(out["p_value"].isna(), NOTHING_TO_TEST, "")
    return out


def digit_test(counts: ArrayLike) -> dict[str, float]:
    """Are the digits of a record as even as those of a clock?

    Formula: chi² = sum of (n(d) - N/k)² / (N/k) over the k digits, k-1 degrees of freedom. Input: counts per digit, shape (k,).
    Returns statistic, df, p_value, first (share of digit 0), even (1/k), largest (largest excess over even, in shares).
    Undefined (NaN): nothing counted. Source: Pearson (1900); as a test of invented records: Mosimann et al., Accountability in Research 4
    (1995) 31.
    """
    n = np.asarray(counts, dtype=float)
    total, even = float(n.sum()), 1 / len(n)
    if total == 0:
        return dict.fromkeys(("statistic", "p_value", "first", "largest"), float("nan")) | {"df": float(len(n) - 1), "even": even}
    found = stats.chisquare(n)
    return {
        "statistic": float(found.statistic),
        "df": float(len(n) - 1),
        "p_value": float(found.pvalue),
        "first": float(n[0] / total),
        "even": even,
        "largest": float(n.max() / total - even),
    }


def rank_correlation(
    pairs: pd.DataFrame, *, x: str, y: str, within: list[str], person: str, draws: int = 400, seed: int = 1, level: float = CONFIDENCE
) -> dict[str, float]:
    """Does who is high on `x` come out high on `y`, among those compared with each other?

    Formula: ranks of x and of y within each cell of `within` (ties share their mean rank), centred and divided by the size of the cell; the
    correlation of all of them together. Interval: persons drawn again with all their rows, percentiles. Returns value, low, high, pairs,
    persons. Undefined (NaN): fewer than 3 persons, or nothing varies. Cells with fewer than 3 rows are left out.
    Source: Spearman (1904), pooled over strata; bootstrap of persons: Davison and Hinkley (1997) 3.8.
    """
    rows = pairs.dropna(subset=[x, y]).reset_index(drop=True)
    size = rows.groupby(within)[x].transform("size") if len(rows) else pd.Series(dtype=float)
    rows = rows[size >= 3].reset_index(drop=True)
    nothing = {"value": np.nan, "low": np.nan, "high": np.nan, "pairs": float(len(rows)), "persons": float(rows[person].nunique())}
    if rows[person].nunique() < 3:
        return nothing
    grouped = rows.groupby(within)
    count = grouped[x].transform("size").to_numpy(float)
    left, right = (((grouped[name].rank() - (count + 1) / 2) / count).to_numpy(float) for name in (x, y))
    codes = np.unique(rows[person].astype(str), return_inverse=True)[1]
    sums = np.column_stack([np.bincount(codes, item) for item in (left * right, left * left, right * right)])

    def correlation(total):
        with np.errstate(divide="ignore", invalid="ignore"):
            return total[..., 0] / np.sqrt(total[..., 1] * total[..., 2])

    value = float(correlation(sums.sum(axis=0)))
    if not np.isfinite(value):
        return nothing
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=draws).astype(float)
    low, high = np.nanquantile(correlation(weights @ sums), [(1 - level) / 2, (1 + level) / 2])
    return nothing | {"value": value, "low": float(low), "high": float(high)}
