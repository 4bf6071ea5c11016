"""How far a figure of one period tells something lasting of a person or unit: split halves, intraclass correlation, pooling."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from collect_analysis.methods.rates.levels import CONFIDENCE

Floats = NDArray[np.float64]
# Fewer persons than this say nothing of a correlation between persons.
LEAST_SUBJECTS = 5
TOO_FEW = f"fewer than {LEAST_SUBJECTS} have two values"
NO_SPREAD = "all values are the same"


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Share of the variance of a figure that lies between subjects: `value` with `low`, `high`; `subjects`, `occasions` (mean per subject).

    `between`, `within`: the variances it is made of. Undefined (NaN) where `note` says why.
    """

    value: float
    low: float
    high: float
    subjects: int
    occasions: float
    between: float
    within: float
    note: str = ""


def intraclass(values: pd.DataFrame, *, level: float = CONFIDENCE, consistency: bool = True) -> Reliability:
    """How alike are values of one subject on different occasions, compared with values of different subjects?

    Formula: (B - W) / (B + (n0 - 1)·W) with the mean squares B between subjects and W within, n0 = (N - Σn²/N) / (k - 1). With `consistency`
    the means of occasions are taken away first (a good month lifts everybody) and W loses their degrees of freedom: ICC(3,1) for a full table;
    without it ICC(1,1). Interval from F = B/W on these degrees of freedom: (F/q - 1) / (F/q + n0 - 1); exact for a full table of normal values.
    May be negative: then it is as good as 0.

    Parameters
    ----------
    values
        One row per subject, one column per occasion; NaN where there is none. Subjects with fewer than two values are left out.
    level
        Of the interval.
    consistency
        Whether what is common to an occasion is left out of account.

    Undefined (NaN and a note): fewer than `LEAST_SUBJECTS` subjects, no spread at all.
    Source: Shrout and Fleiss, Psychological Bulletin 86 (1979) 420; McGraw and Wong, Psychological Methods 1 (1996) 30.
    Check: their six targets and four judges -> ICC(1,1) 0.17, ICC(3,1) 0.71.
    """
    table = values.astype(float)
    table = table[table.notna().sum(axis=1) >= 2].dropna(axis=1, how="all")
    counts = table.notna().sum(axis=1).to_numpy(dtype=float)
    k, total = len(table), float(counts.sum())
    if k < LEAST_SUBJECTS:
        return _undefined(k, total / k if k else 0.0, TOO_FEW)
    centred = table - table.mean() if consistency else table
    means = centred.mean(axis=1)
    grand = float(np.nansum(centred.to_numpy()) / total)
    lost = table.shape[1] - 1 if consistency else 0
    between = float((counts * (means.to_numpy() - grand) ** 2).sum() / (k - 1))
    within = float(np.nansum((centred.sub(means, axis=0) ** 2).to_numpy()) / (total - k - lost))
    size = (total - float((counts**2).sum()) / total) / (k - 1)
    if between + within <= 0:
        return _undefined(k, total / k, NO_SPREAD)
    value = (between - within) / (between + (size - 1) * within)
    low, high = _interval(between, within, size, k - 1, total - k - lost, level)
    return Reliability(
        value=value,
        low=low,
        high=high,
        subjects=k,
        occasions=total / k,
        between=max(0.0, (between - within) / size),
        within=within,
    )


def _undefined(subjects: int, occasions: float, note: str) -> Reliability:
    unknown = float("nan")
    return Reliability(
        value=unknown, low=unknown, high=unknown, subjects=subjects, occasions=occasions, between=unknown, within=unknown, note=note
    )


def _interval(between: float, within: float, size: float, df1: float, df2: float, level: float) -> tuple[float, float]:
    if within <= 0:
        return 1.0, 1.0
    f = between / within
    at_most, at_least = f / stats.f.ppf((1 + level) / 2, df1, df2), f * stats.f.ppf((1 + level) / 2, df2, df1)
    return (at_most - 1) / (at_most + size - 1), (at_least - 1) / (at_least + size - 1)


def split_half(first: ArrayLike, second: ArrayLike, *, level: float = CONFIDENCE) -> Reliability:
    """Do two halves of a period (odd and even months, say) say the same of a subject?

    Formula: Pearson correlation of the halves, stepped up to the whole period by Spearman-Brown with factor 2; interval by Fisher's z of the
    correlation, stepped up likewise. Shapes: (k,) both; subjects without both are left out.
    Undefined (NaN and a note): fewer than `LEAST_SUBJECTS` subjects, a half without spread.
    Source: Spearman, British Journal of Psychology 3 (1910) 271; Brown, ibid. 296.
    """
    x, y = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if x.size < LEAST_SUBJECTS:
        return _undefined(int(x.size), 2.0, TOO_FEW)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return _undefined(int(x.size), 2.0, NO_SPREAD)
    found = stats.pearsonr(x, y)
    value, low, high = (float(spearman_brown(item, 2)) for item in (found.statistic, *found.confidence_interval(level)))
    return Reliability(value=value, low=low, high=high, subjects=int(x.size), occasions=2.0, between=np.nan, within=np.nan)


def spearman_brown(reliability: ArrayLike, factor: ArrayLike) -> Floats:
    """How reliable is a figure made from `factor` times as many equal parts (months, cases)?

    Formula: factor·r / (1 + (factor - 1)·r); `factor` may be below 1. A reliability not above 0 stays as it is: more of nothing is nothing.
    Shapes: broadcast. Source: Spearman (1910), Brown (1910). Check: 0.45 of one month -> 0.711 of three.
    """
    r, times = np.asarray(reliability, dtype=float), np.asarray(factor, dtype=float)
    return np.where(r > 0, times * r / (1 + (times - 1) * r), r)


def parts_for(reliability: ArrayLike, *, wanted: float) -> Floats:
    """How many equal parts make a figure reliable enough, if one part has `reliability`?

    Formula: wanted·(1 - r) / (r·(1 - wanted)), rounded up. Undefined (NaN): reliability not above 0, for no number of parts would do.
    Source: Spearman-Brown solved for the factor. Check: 0.2 of one month needs 4 months for 0.5.
    """
    r = np.asarray(reliability, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = wanted * (1 - r) / (r * (1 - wanted))
    # What the last binary digit adds is no month.
    return np.where(r > 0, np.maximum(np.ceil(np.round(needed, 9)), 1.0), np.nan)
