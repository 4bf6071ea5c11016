"""Did chance decide who got which arm? What was known before the draw must differ between the arms by no more than chance.

Tested over all variables at once, with the variance that drawing lots among the clusters (customers) would give, not that of a model.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, stats

Floats = NDArray[np.float64]
# A direction that holds less of the (standardised) variance than this repeats other variables.
_REPEATED = 1e-8


@dataclass(frozen=True, kw_only=True)
class Moments:
    """The clusters of one arm, (n, x) the number of cases of a cluster and the sums of their variables.

    `clusters`: how many; `sums`: Σ(n, x), shape (1 + k,); `products`: Σ(n, x)(n, x)', shape (1 + k, 1 + k).
    """

    clusters: int
    sums: Floats
    products: Floats


@dataclass(frozen=True, kw_only=True)
class JointBalance:
    """The joint test: `chi2` on `df` degrees of freedom and its `p_value`; NaN where there is nothing to test."""

    chi2: float
    df: float
    p_value: float


def joint_balance(strata: Iterable[Mapping[str, Moments]]) -> JointBalance:
    """Do the arms differ in anything that was known before, by more than drawing lots would give?

    Formula: in each stratum e = x - n·(mean of the stratum) of every cluster; T the sums of e per arm over all strata, for all arms but
    one; under the lot E T = 0 and Cov(T_a, T_b) = Σ_strata S·(δ_ab·n_a - n_a·n_b/N), S = Σee'/(N-1), n clusters; χ² = T'Cov⁻T with the
    rank of Cov as degrees of freedom. Two arms, one stratum, one case a cluster: (N-1)·R² of the regression of the arm on the variables.
    Takes arm -> moments per stratum (one stratum: nothing was stratified); every stratum names the same arms.

    Undefined (NaN): one arm, no variable that differs between clusters.
    Source: Hansen & Bowers, Statistical Science 23 (2008) 219; for several arms the permutation form of Pillai's trace, (N-1)·V.
    """
    cells = [dict(arms) for arms in strata]
    names = sorted({arm for arms in cells for arm in arms})[1:]
    width = len(next(iter(cells[0].values())).sums) - 1 if cells and cells[0] else 0
    if not names or not width:
        return JointBalance(chi2=float("nan"), df=float("nan"), p_value=float("nan"))
    total, covariance = np.zeros(len(names) * width), np.zeros((len(names) * width,) * 2)
    for arms in cells:
        drawn, own = _stratum(arms, names)
        total += drawn
        covariance += own
    scale = np.sqrt(np.diag(covariance))
    usable = scale > 0
    if not usable.any():
        return JointBalance(chi2=float("nan"), df=float("nan"), p_value=float("nan"))
    standard = covariance[np.ix_(usable, usable)] / np.outer(scale[usable], scale[usable])
    inverse, df = linalg.pinvh(standard, rtol=_REPEATED, return_rank=True)
    distance = total[usable] / scale[usable]
    chi2 = float(distance @ inverse @ distance)
    return JointBalance(chi2=chi2, df=float(df), p_value=float(stats.chi2.sf(chi2, df)))


def _stratum(arms: Mapping[str, Moments], names: list[str]) -> tuple[Floats, Floats]:
    """T of the arms named and its covariance, from one stratum."""
    everything = list(arms.values())
    clusters = sum(item.clusters for item in everything)
    sums, products = sum(item.sums for item in everything), sum(item.products for item in everything)
    width = len(everything[0].sums) - 1
    if clusters < 2:
        return np.zeros(len(names) * width), np.zeros((len(names) * width,) * 2)
    mean = np.asarray(sums)[1:] / np.asarray(sums)[0]
    centred = np.column_stack([-mean, np.eye(width)])
    spread = centred @ products @ centred.T / (clusters - 1)
    nobody = Moments(clusters=0, sums=np.zeros(width + 1), products=np.zeros((width + 1,) * 2))
    own = [arms.get(name, nobody) for name in names]
    size = np.array([float(item.clusters) for item in own])
    lot = np.diag(size) - np.outer(size, size) / clusters
    return np.concatenate([centred @ item.sums for item in own]), np.kron(lot, spread)


def distance_p_value(distance: float, cases: float, base_cases: float) -> float:
    """How likely is a largest distance between two arms' distribution functions (Kolmogorov-Smirnov) at least this large, by lot?

    The one-sample distribution at the harmonic number of cases; too large rather than too small where values repeat. Undefined (NaN): an
    arm without cases.
    Source: Smirnov (1948); Simard & L'Ecuyer, Journal of Statistical Software 39 (2011) 11.
    """
    if not (cases > 0 and base_cases > 0):
        return float("nan")
    return float(stats.kstwo.sf(distance, max(1, round(cases * base_cases / (cases + base_cases)))))
