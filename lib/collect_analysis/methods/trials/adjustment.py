"""What would one arm have brought the other's cases, where nobody drew lots: a cross-fitted doubly robust comparison of two arms.

It is right when either the model of who is treated or the model of the outcome is right, and everything that drove both was measured. The
first can be looked at (`overlap`), the second never can (`sensitivity`).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from collect_analysis.errors import ParameterError
from collect_analysis.methods.causal.nuisance import Bools, Comparison, Floats, Nuisance
from collect_analysis.methods.rates.levels import CONFIDENCE

Target = Literal["treated", "everybody"]
EFFECT_COLUMNS = ["method", "cases", "clusters", "base_mean", "value", "low", "high", "se", "df", "p_value"]
EFFECT_COLUMNS += ["relative", "relative_low", "relative_high", "ratio", "ratio_low", "ratio_high", "note"]
BASE_NOT_POSITIVE = "mean of the base arm is not above zero: no relative effect"
NOTHING_LEFT = "no cases left in one arm after trimming"


@dataclass(frozen=True, kw_only=True)
class Weighing:
    """How the cases stand for the target: `kept` (n,) cases inside the overlap region, `weights` (n,) 0 outside, `target` (n,) share of
    each case in the target population (1 or 0).
    """

    target: Bools
    kept: Bools
    weights: Floats

    @property
    def kept_share(self) -> float:
        """Share of the target that the effect is about; NaN without a target."""
        return float((self.target & self.kept).sum() / self.target.sum()) if self.target.any() else float("nan")


def weigh(treated: Bools, propensity: Floats, *, target: Target, trim: float) -> Weighing:
    """Who stands for whom?

    Formula, with e the propensity and a the trim: target `everybody` keeps a <= e <= 1-a, weights 1/e and 1/(1-e); target `treated` keeps
    e <= 1-a (below it there are others to compare with, however rare the treatment), weights 1 for the treated and e/(1-e) for the others.
    Raises ParameterError: trim outside 0 to 0.5. Source: Crump et al., Biometrika 96 (2009) 187; Hirano, Imbens & Ridder (2003).
    """
    if not 0 <= trim < 0.5:
        raise ParameterError(f"trim is {trim:g}; choose a propensity from 0 to below 0.5")
    if target == "treated":
        kept, weights = propensity <= 1 - trim, np.where(treated, 1.0, propensity / (1 - propensity))
        whom = treated
    else:
        kept, weights = (propensity >= trim) & (propensity <= 1 - trim), np.where(treated, 1 / propensity, 1 / (1 - propensity))
        whom = np.ones(len(treated), dtype=bool)
    return Weighing(target=whom, kept=kept, weights=np.where(kept, weights, 0.0))


def naive_effect(comparison: Comparison, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """By how much do the two arms differ as they are? One row, columns EFFECT_COLUMNS; clustered errors; a raw comparison, no effect."""
    treated = comparison.treated
    n1, n0 = int(treated.sum()), int((~treated).sum())
    if not n1 or not n0:
        return _no_effect("naive", comparison, NOTHING_LEFT)
    above, below = float(comparison.outcome[treated].mean()), float(comparison.outcome[~treated].mean())
    n = len(treated)
    of_treated = np.where(treated, n / n1 * (comparison.outcome - above), 0.0)
    of_base = np.where(treated, 0.0, n / n0 * (comparison.outcome - below))
    return _effect_row("naive", above, below, of_treated, of_base, comparison.clusters, level=level)


def doubly_robust(
    comparison: Comparison, nuisance: Nuisance, *, target: Target = "treated", trim: float = 0.05, level: float = CONFIDENCE
) -> pd.DataFrame:
    """What did the treatment change on average in the target, once those who got it are compared with their like?

    Formula (weights normalised to 1 within each arm, over the kept cases): everybody, mean(m1 - m0) + Σw1(y - m1) - Σw0(y - m0);
    treated, mean over the treated of (y - m0) - Σw0(y - m0). SE from each case's influence, summed by cluster: sqrt(G/(G-1)·Σ(Σψ)²)/n;
    Student's t, G-1 degrees of freedom. Relative effect and ratio of means by the delta method (the ratio on the log scale).

    Returns
    -------
    One row: method (doubly_robust), cases (kept), clusters, base_mean (expected outcome of the target without treatment), value, low,
    high, se, df, p_value, relative, relative_low, relative_high, ratio, ratio_low, ratio_high, note.

    Undefined (NaN and note): an arm without kept cases; relative and ratio where the base mean is not above zero.
    Source: Robins, Rotnitzky & Zhao (1994); Chernozhukov et al. (2018); normalised weights: Busso, DiNardo & McCrary (2014).
    """
    weighing = weigh(comparison.treated, nuisance.propensity, target=target, trim=trim)
    kept = weighing.kept
    treated = comparison.treated[kept]
    if not treated.any() or treated.all():
        return _no_effect("doubly_robust", comparison, NOTHING_LEFT)
    y, weights, whom = comparison.outcome[kept], weighing.weights[kept], weighing.target[kept]
    above = _mean_outcome(y, nuisance.if_treated[kept], np.where(treated, weights, 0.0), whom, observed=target == "treated")
    below = _mean_outcome(y, nuisance.if_untreated[kept], np.where(treated, 0.0, weights), whom, observed=False)
    return _effect_row("doubly_robust", above[0], below[0], above[1], below[1], comparison.clusters[kept], level=level)


def _mean_outcome(y: Floats, expected: Floats, weights: Floats, whom: Bools, *, observed: bool) -> tuple[float, Floats]:
    """Mean outcome of the target in one arm, and each case's influence on it. `observed`: the target is in that arm, so its mean is seen."""
    n = len(y)
    share = whom.mean()
    if observed:
        mean = float(y[whom].mean())
        return mean, np.where(whom, (y - mean) / share, 0.0)
    predicted = float(expected[whom].mean())
    scale = weights.mean()
    correction = float((weights * (y - expected)).sum() / (n * scale))
    influence = np.where(whom, (expected - predicted) / share, 0.0) + weights / scale * (y - expected - correction)
    return predicted + correction, influence


def clustered_covariance(influences: Floats, clusters: NDArray[np.int64]) -> tuple[Floats, int]:
    """Covariance of means whose influences per case are the columns of (n, k), and the number of clusters: G/(G-1)·Σ(Σψ)(Σψ)'/n²."""
    codes, position = np.unique(clusters, return_inverse=True)
    groups = len(codes)
    sums = np.column_stack([np.bincount(position, weights=column, minlength=groups) for column in influences.T])
    if groups < 2:
        return np.full((influences.shape[1],) * 2, np.nan), groups
    return sums.T @ sums * groups / (groups - 1) / len(influences) ** 2, groups


def _effect_row(
    method: str, above: float, below: float, of_above: Floats, of_below: Floats, clusters: NDArray[np.int64], *, level: float
) -> pd.DataFrame:
    covariance, groups = clustered_covariance(np.column_stack([of_above, of_below]), clusters)
    t = float(stats.t.ppf((1 + level) / 2, groups - 1)) if groups > 1 else float("nan")
    value = above - below
    se = float(np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]))
    row = {
        "method": method, "cases": len(of_above), "clusters": groups, "base_mean": below, "value": value, "low": value - t * se,
        "high": value + t * se, "se": se, "df": groups - 1, "p_value": float(2 * stats.t.sf(abs(value / se), groups - 1)) if se else np.nan,
    }  # fmt: skip
    note = "" if below > 0 else BASE_NOT_POSITIVE
    if below > 0:
        slope = np.array([1 / below, -above / below**2])
        half = t * float(np.sqrt(slope @ covariance @ slope))
        row |= {"relative": value / below, "relative_low": value / below - half, "relative_high": value / below + half}
    if below > 0 and above > 0:
        ratio, log_half = above / below, half * below / above
        row |= {"ratio": ratio, "ratio_low": ratio * np.exp(-log_half), "ratio_high": ratio * np.exp(log_half)}
    return pd.DataFrame([row | {"note": note}]).reindex(columns=EFFECT_COLUMNS)


def _no_effect(method: str, comparison: Comparison, note: str) -> pd.DataFrame:
    row = {"method": method, "cases": 0, "clusters": 0, "note": note}
    return pd.DataFrame([row]).reindex(columns=EFFECT_COLUMNS)
