"""Do cases pile up on one side of a cut-off? If somebody can move them across it, the two sides are not comparable."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.causal.local_polynomial import PILOT_FACTOR, pilot_spread, reach, triangular

Floats = NDArray[np.float64]
MIN_DISTINCT = 20
_NEAREST = 50


@dataclass(frozen=True, kw_only=True)
class DensityTest:
    """Density just below and just above a cut-off, and whether they differ. NaN with a reason in `note` where there is no answer."""

    below: float
    above: float
    statistic: float
    p_value: float
    bandwidth: float
    cases_below: int
    cases_above: int
    note: str = ""


def density_test(
    running: ArrayLike, *, cutoff: float, cutoff_belongs_to: str = "above", bandwidths: tuple[float, float] | None = None
) -> DensityTest:
    """Is the density of the running variable the same just below and just above the cut-off?

    Formula: on each side the empirical distribution function of all cases is fitted by a local cubic (triangular kernel); its slope at
    the cut-off is the density; statistic (above - below) / SE, SE by the influence of each case on fit and distribution function.
    The bandwidth is the one best (mean squared error) for a local quadratic, so that the cubic removes its bias: pilot fits give its
    bias and variance, shrunk by the error of the bias. `bandwidths` (below, above) replaces it; the result then names the larger.
    It sees a jump of the density over a stretch; what happens right at the cut-off `balance_test` sees.
    Shapes: running (n,). Undefined (NaN + note): fewer than 20 distinct values on a side.
    Raises DataError: a running variable that is not finite; ParameterError: an unknown side.
    Source: Cattaneo, Jansson & Ma, JASA 115 (2020) 1449 (estimator and variance); the bandwidth rule is this module's own.
    """
    if cutoff_belongs_to not in ("above", "below"):
        raise ParameterError(f"cutoff_belongs_to must be above or below, not '{cutoff_belongs_to}'.")
    x = _centred(running, cutoff)
    sides = _sides(x, cutoff_belongs_to)
    thin = [name for name, side in zip(("below", "above"), sides, strict=True) if len(np.unique(side.x)) < MIN_DISTINCT]
    if thin:
        return DensityTest(
            below=np.nan,
            above=np.nan,
            statistic=np.nan,
            p_value=np.nan,
            bandwidth=np.nan,
            cases_below=len(sides[0].x),
            cases_above=len(sides[1].x),
            note=f"fewer than {MIN_DISTINCT} distinct values {' and '.join(thin)} the cut-off",
        )
    widths = bandwidths or (_bandwidth(sides),) * 2
    below, above = (side.fit(3, width, 1) for side, width in zip(sides, widths, strict=True))
    statistic = (above.value - below.value) / float(np.sqrt(((above.influence - below.influence) ** 2).sum()))
    inside = [int((np.abs(side.x) < width).sum()) for side, width in zip(sides, widths, strict=True)]
    return DensityTest(
        below=below.value,
        above=above.value,
        statistic=statistic,
        p_value=float(2 * stats.norm.sf(abs(statistic))),
        bandwidth=max(widths),
        cases_below=inside[0],
        cases_above=inside[1],
    )


@dataclass(frozen=True, kw_only=True)
class BalanceTest:
    """The cases closest to a cut-off, and whether both sides have their half. NaN with a reason in `note` where there is no answer."""

    below: int
    above: int
    window: float
    p_value: float
    note: str = ""


def balance_test(running: ArrayLike, *, cutoff: float) -> BalanceTest:
    """Do as many of the closest cases lie below the cut-off as above? Finds holes and piles too narrow for a density fit.

    Formula: the nearest max(50, 1.5·√n) cases, those exactly at the cut-off left out, are split by a fair coin if nobody moves them;
    exact two-sided binomial test. So few that the slope of a smooth density does not show.
    Shapes: running (n,). Undefined (NaN + note): fewer than 50 cases off the cut-off, or values so coarse that more than twice the cases
    lie at equal distances. Raises DataError: a running variable that is not finite.
    Source: Cattaneo, Frandsen & Titiunik, Journal of Causal Inference 3 (2015) 1; the size of the window is this module's own.
    """
    x = _centred(running, cutoff)
    x = x[x != 0]
    distances = np.sort(np.abs(x))
    wanted = max(_NEAREST, int(1.5 * np.sqrt(len(x))))
    if len(x) < wanted:
        return BalanceTest(below=int((x < 0).sum()), above=int((x > 0).sum()), window=np.nan, p_value=np.nan, note="too few cases")
    window = float(distances[wanted - 1])
    inside = x[np.abs(x) <= window]
    below, above = int((inside < 0).sum()), int((inside > 0).sum())
    if below + above > 2 * wanted:
        return BalanceTest(below=below, above=above, window=window, p_value=np.nan, note="values too coarse for a narrow window")
    return BalanceTest(below=below, above=above, window=window, p_value=float(stats.binomtest(below, below + above).pvalue))


def _centred(running: ArrayLike, cutoff: float) -> Floats:
    x = np.sort(np.asarray(running, dtype=float)) - cutoff
    if not np.isfinite(x).all():
        raise DataError(f"running variable: {int((~np.isfinite(x)).sum())} of {x.size} values are missing. Leave those cases out.")
    return x


@dataclass(frozen=True)
class _Fit:
    value: float
    influence: Floats  # of each case, both sides: the variance is the sum of squares
    next_power: float  # what one unit of the next power of x adds to the value: the constant of the bias


@dataclass(frozen=True)
class _Side:
    """All cases in order of x, the share of them up to each, and which lie on this side."""

    all_x: Floats
    distribution: Floats
    member: NDArray[np.bool_]

    @property
    def x(self) -> Floats:
        return self.all_x[self.member]

    def fit(self, order: int, bandwidth: float, coefficient: int) -> _Fit:
        """Coefficient of a local polynomial through the distribution function."""
        inside = self.member & (np.abs(self.all_x) < bandwidth)
        x, share, total = self.all_x[inside], self.distribution[inside], len(self.all_x)
        kernel = triangular(x, bandwidth)
        powers = (x[:, None] / bandwidth) ** np.arange(order + 1)
        solved = np.linalg.solve((powers * kernel[:, None]).T @ powers, (powers * kernel[:, None]).T)
        weights, fitted = solved[coefficient] / bandwidth**coefficient, powers @ (solved @ share)
        # A case moves the distribution function at and after its place (wherever it lies), and the fit at its place.
        influence = np.zeros(total)
        influence[inside] = weights
        influence = (np.cumsum(influence[::-1])[::-1] - weights @ fitted) / total
        influence[inside] += weights * (share - fitted)
        return _Fit(float(weights @ share), influence, float(weights @ x ** (order + 1)))


def _sides(x: Floats, cutoff_belongs_to: str) -> tuple[_Side, _Side]:
    share = np.searchsorted(x, x, side="right") / len(x)
    below = x <= 0 if cutoff_belongs_to == "below" else x < 0
    return _Side(x, share, below), _Side(x, share, ~below)


def _bandwidth(sides: tuple[_Side, _Side]) -> float:
    """Bandwidth with the least mean squared error of the difference of two local quadratic densities."""
    x = sides[0].all_x
    spread, size = PILOT_FACTOR * pilot_spread(x), len(x)
    least = max(reach(side.x, MIN_DISTINCT) for side in sides)
    pilot, wide = max(spread * size ** (-1 / 5), least), max(spread * size ** (-1 / 9), least)
    below, above = (side.fit(2, pilot, 1) for side in sides)
    thirds = [side.fit(3, wide, 3) for side in sides]
    variance = ((above.influence - below.influence) ** 2).sum()
    bias = above.next_power * thirds[1].value - below.next_power * thirds[0].value
    doubt = 3 * ((above.next_power * thirds[1].influence - below.next_power * thirds[0].influence) ** 2).sum()
    return max(float((variance * pilot**5 / (4 * (bias**2 + doubt))) ** (1 / 5)), least)
