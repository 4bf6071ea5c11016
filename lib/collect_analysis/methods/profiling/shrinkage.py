"""How far to believe a unit's own figure: empirical and hierarchical Bayes for many units of one kind."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from collect_analysis.methods.rates.levels import CONFIDENCE, RANKS

Floats = NDArray[np.float64]
SD_POINTS = 400
SD_REACH = 4.0


@dataclass(frozen=True, kw_only=True)
class Heterogeneity:
    """Whether units differ by more than chance: Q ~ chi-squared(df) if they do not; `tau2` is the variance between them."""

    pooled: float
    pooled_se: float
    q: float
    df: int
    p_value: float
    tau2: float


def heterogeneity(estimate: ArrayLike, se: ArrayLike) -> Heterogeneity:
    """Do the units differ by more than chance?

    Formula: pooled = Σ(x/s²)/Σ(1/s²); Q = Σ(x-pooled)²/s²; tau² = max(0, (Q-df) / (Σw - Σw²/Σw)), w = 1/s². Shapes: (k,) both, without NaN.
    Undefined (NaN): no unit; with one unit Q is 0 on 0 degrees. Source: Cochran, Biometrics 10 (1954) 101; DerSimonian and Laird,
    Controlled Clinical Trials 7 (1986) 177. Check: eight schools, rounded -> pooled 7.7 (4.1).
    """
    x, w = np.asarray(estimate, dtype=float), np.asarray(se, dtype=float) ** -2
    if x.size == 0:
        return Heterogeneity(pooled=np.nan, pooled_se=np.nan, q=np.nan, df=0, p_value=np.nan, tau2=np.nan)
    pooled = float((w * x).sum() / w.sum())
    q, df = float((w * (x - pooled) ** 2).sum()), int(x.size - 1)
    spread = float(w.sum() - (w**2).sum() / w.sum())
    tau2 = max(0.0, (q - df) / spread) if df else 0.0
    p_value = float(stats.chi2.sf(q, df)) if df else float("nan")
    return Heterogeneity(pooled=pooled, pooled_se=float(w.sum() ** -0.5), q=q, df=df, p_value=p_value, tau2=tau2)


def james_stein(estimate: ArrayLike, variance: float) -> tuple[float, Floats]:
    """How far do equally certain estimates shrink towards their mean?

    Formula: factor = max(0, 1 - (k-3)·variance / Σ(x-mean)²); shrunk = mean + factor·(x-mean). Shapes: estimate (k,); returns the factor
    (share of its distance from the mean that a unit keeps) and the shrunken estimates (k,).
    Undefined (ValueError): fewer than four units. Source: Efron and Morris, JASA 70 (1975) 311. Check: batting averages -> 0.209.
    """
    x = np.asarray(estimate, dtype=float)
    if x.size < 4:
        raise ValueError(f"shrinking towards the mean needs at least 4 units, not {x.size}")
    deviation = x - x.mean()
    squares = float((deviation**2).sum())
    factor = max(0.0, 1 - (x.size - 3) * variance / squares) if squares > 0 else 0.0
    return factor, x.mean() + factor * deviation


@dataclass(frozen=True, kw_only=True)
class GammaPoisson:
    """Counts over expected counts with gamma-distributed true ratios: their `mean`, `variance` (0: units do not differ) and the result."""

    mean: float
    variance: float
    table: pd.DataFrame


def gamma_poisson(observed: ArrayLike, expected: ArrayLike, *, level: float = CONFIDENCE, better_than: float = 1.0) -> GammaPoisson:
    """What is each unit's true ratio of events to expected events, given how all units scatter?

    Formula (moments): mean θ = ΣO/ΣE; variance v = max(0, [ΣE(O/E-θ)² - kθ]/ΣE); posterior Gamma(O+θ²/v, E+θ/v).
    Shapes: (k,) both. `table`: value (posterior mean), low, high, p_above (probability of a ratio over `better_than`).
    With v = 0 every unit gets θ and the interval of θ itself, Gamma(ΣO+1/2, ΣE).
    Undefined (ValueError): an expected count not above 0. Source: Clayton and Kaldor, Biometrics 43 (1987) 671.
    """
    o, e = np.asarray(observed, dtype=float), np.asarray(expected, dtype=float)
    if o.size == 0 or not (e > 0).all():
        raise ValueError("expected counts must be above 0; leave out units nothing was expected of")
    mean = float(o.sum() / e.sum())
    variance = max(0.0, float(((e * (o / e - mean) ** 2).sum() - o.size * mean) / e.sum()))
    if variance > 0:
        shape, scale = o + mean**2 / variance, 1 / (e + mean / variance)
        value = shape * scale
    else:
        shape, scale = np.full(o.size, o.sum() + 0.5), np.full(o.size, 1 / e.sum())
        value = np.full(o.size, mean)
    posterior = stats.gamma(shape, scale=scale)
    table = pd.DataFrame({"value": value, "low": posterior.ppf((1 - level) / 2), "high": posterior.ppf((1 + level) / 2)})
    return GammaPoisson(mean=mean, variance=variance, table=table.assign(p_above=posterior.sf(better_than)))


class NormalUnits:
    """True values of units that scatter normally, given estimates with known standard errors.

    Model: estimate ~ N(θ, s²), θ ~ N(μ, τ²), μ flat, τ half-normal with scale `prior_sd`. τ is not fixed at one estimate but averaged over
    (a grid of its posterior): with the handful of units of a panel a plug-in τ claims too much. Shapes: `estimate`, `se` (k,), no NaN.
    `prior_sd` is in the units of the estimate: on a log index 0.2 says that most units lie within a factor 1.5 of each other.
    Source: Gelman et al., Bayesian Data Analysis, 3rd ed., 5.4. Check: eight schools.
    """

    def __init__(self, estimate: ArrayLike, se: ArrayLike, *, prior_sd: float) -> None:
        self.estimate, self.se = np.asarray(estimate, dtype=float), np.asarray(se, dtype=float)
        if self.estimate.size == 0 or not (np.isfinite(self.estimate) & (self.se > 0)).all():
            raise ValueError("every unit needs a finite estimate and a standard error above 0")
        self._sd = np.linspace(0, SD_REACH * prior_sd, SD_POINTS)
        total = self.se**2 + self._sd[:, None] ** 2
        precision = 1 / total
        self._centre_variance = 1 / precision.sum(axis=1)
        self._centre = (precision * self.estimate).sum(axis=1) * self._centre_variance
        misfit = ((self.estimate - self._centre[:, None]) ** 2 * precision).sum(axis=1)
        log_weight = 0.5 * (np.log(self._centre_variance) + np.log(precision).sum(axis=1) - misfit) + stats.norm.logpdf(self._sd / prior_sd)
        weight = np.exp(log_weight - log_weight.max())
        self._weight = weight / weight.sum()
        self._pull = self.se**2 / total

    @property
    def between_sd(self) -> float:
        """Posterior mean of the standard deviation between units."""
        return float(self._weight @ self._sd)

    def table(self, *, level: float = CONFIDENCE, above: float = 0.0) -> pd.DataFrame:
        """Each unit's true value: value (posterior mean), sd, low, high, p_above (probability of more than `above`); one row per unit."""
        mean = self._centre[:, None] * self._pull + self.estimate * (1 - self._pull)
        variance = (1 - self._pull) * self.se**2 + self._pull**2 * self._centre_variance[:, None]
        value = self._weight @ mean
        sd = np.sqrt(self._weight @ (variance + mean**2) - value**2)
        spread = np.sqrt(variance)

        def quantile(unit: int, probability: float) -> float:
            def excess(point: float) -> float:
                return float(self._weight @ stats.norm.cdf(point, mean[:, unit], spread[:, unit])) - probability

            reach = 12 * sd[unit]
            return float(optimize.brentq(excess, value[unit] - reach, value[unit] + reach, xtol=1e-12))

        bounds = [[quantile(unit, (1 + side * level) / 2) for unit in range(value.size)] for side in (-1, 1)]
        p_above = self._weight @ stats.norm.sf(above, mean, spread)
        return pd.DataFrame({"value": value, "sd": sd, "low": bounds[0], "high": bounds[1], "p_above": p_above})

    def draws(self, *, count: int, seed: int) -> Floats:
        """Joint draws of the units' true values, shape (count, k), from a generator seeded with `seed`."""
        rng = np.random.default_rng(seed)
        at = rng.choice(self._sd.size, size=count, p=self._weight)
        centre = self._centre[at] + np.sqrt(self._centre_variance[at]) * rng.standard_normal(count)
        pull = self._pull[at]
        mean = centre[:, None] * pull + self.estimate * (1 - pull)
        return mean + np.sqrt((1 - pull) * self.se**2) * rng.standard_normal(mean.shape)


def rank_table(draws: Floats, *, level: float = RANKS) -> pd.DataFrame:
    """Which rank could each unit hold, and how likely is it the best?

    `draws` (count, k) of true values, more is better. Columns, one row per unit: p_best, p_worst, rank_low, rank_high (rank 1 is best;
    the ranks between which the unit lies with probability `level`). Undefined: no unit.
    """
    ranks = (-draws).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable") + 1
    bounds = np.quantile(ranks, [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf").astype(int)
    return pd.DataFrame(
        {
            "p_best": (ranks == 1).mean(axis=0),
            "p_worst": (ranks == draws.shape[1]).mean(axis=0),
            "rank_low": bounds[0],
            "rank_high": bounds[1],
        }
    )
