"""Least squares from cross-products, so that a regression over millions of cases never leaves the engine that holds them.

Two passes: the first gives cross-products per arm and with them coefficients; the second, with those coefficients, gives the sums of squared
residuals per arm that robust errors need. Design of an experiment: intercept, one indicator per arm other than the base, covariates centred
on their mean over all arms and divided by their standard deviation, and (unless told otherwise) each of them once more for every arm - the
intercept is then the base arm's mean and an indicator the arm's effect, both at average covariates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from collect_analysis.errors import DataError
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.multiplicity import holm, simultaneous_level
from collect_analysis.methods.rates.rates import relative_interval

Floats = NDArray[np.float64]
# A covariate whose part that the others do not explain is under this share of its variance cannot be told from them.
SMALLEST_OWN_VARIANCE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Design:
    """The columns of the regression, in order: intercept, `arms` (not the base), `covariates` as (x - centre) / scale, and where
    `interacted` the covariates of each of `arms`.
    """

    base: str
    arms: tuple[str, ...]
    covariates: tuple[str, ...]
    centres: tuple[float, ...]
    scales: tuple[float, ...]
    interacted: bool

    @property
    def size(self) -> int:
        """How many columns."""
        own = len(self.covariates)
        return 1 + len(self.arms) + own + (len(self.arms) * own if self.interacted else 0)

    def columns_of(self, arm: str) -> Floats:
        """The columns of a case of `arm` from its own (1, covariates): z = (1, x)·S; shape (1 + covariates, columns)."""
        own, first = len(self.covariates), 1 + len(self.arms)
        selection = np.zeros((1 + own, self.size))
        selection[0, 0] = 1.0
        selection[1:, first : first + own] = np.eye(own)
        if arm != self.base:
            place = self.arms.index(arm)
            selection[0, 1 + place] = 1.0
            if self.interacted:
                start = first + own * (1 + place)
                selection[1:, start : start + own] = np.eye(own)
        return selection


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted regression. `inverse` is (Z'Z)⁻¹, `residual_squares` Σe²; shapes (k,), (k, k) with k columns of the design; `arm_cases`
    how many cases each arm has.
    """

    design: Design
    coefficients: Floats
    inverse: Floats
    residual_squares: float
    arm_cases: Mapping[str, int] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        """All cases."""
        return sum(self.arm_cases.values())

    @property
    def df(self) -> int:
        """Residual degrees of freedom."""
        return self.cases - len(self.coefficients)

    @property
    def classical_covariance(self) -> Floats:
        """Covariance of the coefficients if every case varied alike: σ²(Z'Z)⁻¹; for comparison with published tables only."""
        return self.residual_squares / self.df * self.inverse

    def line_of(self, arm: str) -> Floats:
        """What predicts a case of `arm` from its own (1, standardised covariates); shape (1 + covariates,)."""
        return self.design.columns_of(arm) @ self.coefficients

    def leverage_of(self, arm: str) -> Floats:
        """The matrix whose form in (1, standardised covariates) is the leverage of a case of `arm`; shape (1 + covariates, same)."""
        selection = self.design.columns_of(arm)
        return selection @ self.inverse @ selection.T


def fit_arms(
    products: Mapping[str, Mapping[tuple[str, str], float]], *, base: str, covariates: Sequence[str], interacted: bool = True
) -> Fit:
    """Which coefficients do arms and covariates get in a regression of the outcome?

    Parameters
    ----------
    products
        Per arm the sums of products of every pair of ("1", "y", each covariate), one order of each pair: `("1", "1")` is the number of
        cases, `("x", "y")` is Σxy.
    base
        The arm compared with.
    covariates
        Their names, in the order of the design.
    interacted
        Each arm has slopes of its own (Lin): never less precise than the difference of means in large samples, whatever the truth looks
        like. False: one slope for all arms (analysis of covariance; its slopes are the θ of CUPED).

    Returns
    -------
    The fit. Its arm coefficients are the effects at average covariates, in the outcome's unit.

    Raises
    ------
    DataError
        A covariate is constant or a combination of the others (over all arms, or within one where slopes are its own), or there are not more
        cases than columns.
    Source: Lin, Annals of Applied Statistics 7 (2013) 295; Freedman, Advances in Applied Mathematics 40 (2008) 180, for what one slope for
    all arms gets wrong; Deng et al., WSDM 2013 (CUPED).
    """
    names = ["1", "y", *covariates]
    sums = {arm: _symmetric(cells, names) for arm, cells in products.items() if cells[("1", "1")] > 0 or arm == base}
    total = sum(sums.values(), np.zeros((len(names), len(names))))
    cases = int(total[0, 0])
    arms = tuple(sorted(arm for arm in sums if arm != base))
    _refuse_few(sums, base=base, arms=arms, covariates=covariates, interacted=interacted)
    centres = total[0, 2:] / cases
    scales = _scales(total, centres, cases, covariates)
    design = Design(base=base, arms=arms, covariates=tuple(covariates), centres=tuple(centres), scales=tuple(scales), interacted=interacted)
    cross, response, squares = _normal_equations(sums, total, design)
    inverse: Floats = np.asarray(np.linalg.inv(cross), dtype=float)
    coefficients = inverse @ response
    coefficients += inverse @ (response - cross @ coefficients)  # one step of refinement
    # Back from the outcome centred on its mean: only the intercept moves.
    residual = max(float(squares - coefficients @ response), 0.0)
    coefficients[0] += total[0, 1] / cases
    arm_cases = {arm: int(own[0, 0]) for arm, own in sums.items()}
    return Fit(design=design, coefficients=coefficients, inverse=inverse, residual_squares=residual, arm_cases=arm_cases)


def _symmetric(cells: Mapping[tuple[str, str], float], names: list[str]) -> Floats:
    matrix = [[cells[(a, b)] if (a, b) in cells else cells[(b, a)] for b in names] for a in names]
    return np.array(matrix, dtype=float)


def _refuse_few(sums: Mapping[str, Floats], *, base: str, arms: Sequence[str], covariates: Sequence[str], interacted: bool) -> None:
    counts = {arm: int(sums[arm][0, 0]) for arm in (base, *arms)} if base in sums else {base: 0}
    columns = 1 + len(covariates) + (0 if interacted else len(arms))
    groups = counts if interacted else {"all arms": sum(counts.values())}
    for name, cases in groups.items():
        if cases <= columns:
            raise DataError(f"regression: {cases} cases for {columns} columns ({name}); adjust for fewer covariates")


def _scales(total: Floats, centres: Floats, cases: int, covariates: Sequence[str]) -> Floats:
    variances = np.diag(total)[2:] / cases - centres**2
    # Rounding leaves a constant covariate a variance of this order instead of 0.
    constant = [name for name, v, c in zip(covariates, variances, centres, strict=True) if v <= 1e-12 * max(c * c, 1e-300)]
    if constant:
        raise DataError(f"regression: covariate(s) {', '.join(constant)} have the same value for every case; leave them out")
    return np.sqrt(variances)


def _normal_equations(sums: Mapping[str, Floats], total: Floats, design: Design) -> tuple[Floats, Floats, float]:
    """Z'Z, Z'y and y'y of the design, the outcome centred on its mean (large means would cost digits)."""
    cases, y_mean = total[0, 0], total[0, 1] / total[0, 0]
    # (1, y, x) -> (1, y - mean, (x - centre) / scale).
    shift = np.diag([1.0, 1.0, *(1 / np.array(design.scales))])
    shift[0, 1:] = [-y_mean, *(-np.array(design.centres) / np.array(design.scales))]
    cross, response, squares = np.zeros((design.size, design.size)), np.zeros(design.size), 0.0
    pooled = np.zeros((len(design.covariates), len(design.covariates)))
    within = {}
    for arm, own in sums.items():
        moved = shift.T @ own @ shift
        x = np.delete(moved, 1, axis=0)
        selection = design.columns_of(arm)
        cross += selection.T @ np.delete(x, 1, axis=1) @ selection
        response += selection.T @ x[:, 1]
        squares += float(moved[1, 1])
        within[arm] = moved[2:, 2:] - np.outer(moved[0, 2:], moved[0, 2:]) / moved[0, 0]
        pooled += within[arm]
    _refuse_collinear(pooled, np.full(len(pooled), cases), design.covariates, "")
    if design.interacted:
        for arm, own_part in within.items():
            _refuse_collinear(own_part, np.full(len(own_part), sums[arm][0, 0]), design.covariates, f" within arm '{arm}'")
    return cross, response, squares


def _refuse_collinear(within: Floats, size: Floats, covariates: Sequence[str], where: str) -> None:
    """Refuse a covariate that the arms or the covariates before it explain wholly: standardised, its variance is of order `size`."""
    for count in range(1, len(within) + 1):
        part = within[:count, :count]
        own = float(part[-1, -1])
        if count > 1:
            own -= float(part[-1, :-1] @ np.linalg.solve(part[:-1, :-1], part[:-1, -1]))
        if own < SMALLEST_OWN_VARIANCE * size[count - 1]:
            raise DataError(f"regression: '{covariates[count - 1]}' is a combination of the columns before it{where}; leave it out")


def robust_covariance(fit: Fit, squares: Mapping[str, Floats], *, clusters: Mapping[str, int] | None = None) -> Floats:
    """How sure are the coefficients, without assuming that every case varies alike or is independent?

    Formula: (Z'Z)⁻¹ M (Z'Z)⁻¹. Independent cases (`clusters` None): M = Σ zz'e²/(1-h), h the leverage z'(Z'Z)⁻¹z (HC2). Clusters: M = Σ
    over clusters of (Σze)(Σze)', times G/(G-1)·(n-1)/(n-k) (CR1). `squares` holds the same sums per arm, of the arm's own (1, standardised
    covariates), shape (1 + covariates, same); `clusters` how many clusters each arm has, none of them in two arms. Result (k, k).
    Source: MacKinnon & White (1985); Liang & Zeger (1986). Without covariates HC2 is the two-sample variance s²/n + s0²/n0.
    """
    meat = np.zeros((fit.design.size, fit.design.size))
    for arm, own in squares.items():
        selection = fit.design.columns_of(arm)
        meat += selection.T @ own @ selection
    factor = 1.0
    if clusters is not None:
        groups = sum(clusters.values())
        factor = groups / (groups - 1) * (fit.cases - 1) / fit.df
    return factor * fit.inverse @ meat @ fit.inverse


def adjusted_effects(
    fit: Fit,
    covariance: Floats,
    *,
    method: Literal["classical", "hc2", "cr1"] = "hc2",
    clusters: Mapping[str, int] | None = None,
    level: float = CONFIDENCE,
) -> pd.DataFrame:
    """By how much does each arm differ from the base arm at equal covariates?

    Formula: the arm's coefficient ± t·se. Degrees of freedom: with slopes of its own each arm is a regression of its own, so Welch's
    (v + v0)²/(v²/d + v0²/d0) from the variances of the two adjusted means and d = n - 1 - covariates of each arm (clusters: G - 1); with one
    slope n - k (clusters: G - 1). Relative effect R = effect / intercept with Fieller's interval. Several arms:
    `p_adjusted` by Holm, intervals that hold together (Bonferroni).

    Returns
    -------
    arm, base, base_mean (adjusted), value, low, high, se, df, p_value, p_adjusted, relative, relative_low, relative_high, level (of one
    interval), method, note.
    Undefined (NaN, note): relative effect where the adjusted base mean is not above zero.
    """
    positions = range(1, 1 + len(fit.design.arms))
    effect = np.array([fit.coefficients[position] for position in positions])
    se = np.sqrt(np.array([covariance[position, position] for position in positions]))
    across = np.array([covariance[0, position] for position in positions])
    df = _degrees(fit, covariance, clusters)
    each = simultaneous_level(level, len(effect))
    t = stats.t.ppf((1 + each) / 2, df)
    base_mean, base_variance = fit.coefficients[0], covariance[0, 0]
    defined = base_mean > 0
    relative = effect / base_mean if defined else np.full(effect.shape, np.nan)
    relative_low, relative_high = relative_interval(effect, se**2, base_mean, base_variance, across, t)
    p_value = 2 * stats.t.sf(np.abs(effect / se), df)
    return pd.DataFrame(
        {
            "arm": list(fit.design.arms),
            "base": fit.design.base,
            "base_mean": base_mean,
            "value": effect,
            "low": effect - t * se,
            "high": effect + t * se,
            "se": se,
            "df": df,
            "p_value": p_value,
            "p_adjusted": holm(p_value),
            "relative": relative,
            "relative_low": relative_low,
            "relative_high": relative_high,
            "level": each,
            "method": method,
            "note": "" if defined else "mean of the base arm is not above zero: no relative effect",
        }
    )


def _degrees(fit: Fit, covariance: Floats, clusters: Mapping[str, int] | None) -> Floats:
    design = fit.design
    if not design.interacted:
        alike = fit.df if clusters is None else sum(clusters.values()) - 1
        return np.full(len(design.arms), float(alike))
    own = {}
    for arm in (design.base, *design.arms):
        mean = design.columns_of(arm)[0]
        free = fit.arm_cases[arm] - 1 - len(design.covariates) if clusters is None else clusters[arm] - 1
        own[arm] = float(mean @ covariance @ mean), max(free, 1)
    v0, d0 = own[design.base]
    return np.array([(own[arm][0] + v0) ** 2 / (own[arm][0] ** 2 / own[arm][1] + v0**2 / d0) for arm in design.arms])


def variance_reduction(steps: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """How much of the uncertainty did the covariates take out?

    Parameters
    ----------
    steps
        Method -> effects (arm, value, low, high, relative, relative_low, relative_high, se) of the same arms; the first is the difference of
        means that the others are held against.

    Returns
    -------
    method, arm, value, low, high, relative, relative_low, relative_high, se, reduction (1 - (se / se of the first)², realised: below 0 where
    a covariate cost more than it gave), multiplier (1 / (1 - reduction): by what the number of cases would have to be multiplied to be as
    sure without covariates). Sorted by arm, methods in the order given. Undefined (NaN): where a standard error is.
    """
    if not steps:
        return pd.DataFrame(columns=["method", *_REDUCTION])
    first = next(iter(steps.values())).set_index("arm")["se"].astype(float)
    tables = []
    for place, (method, effects) in enumerate(steps.items()):
        left = (effects["se"].astype(float) / effects["arm"].map(first)) ** 2
        tables.append(effects.assign(method=method, place=place, reduction=1 - left, multiplier=1 / left.where(left > 0)))
    joined = pd.concat([table for table in tables if len(table)], ignore_index=True) if any(map(len, tables)) else tables[0]
    return joined.sort_values(["arm", "place"], ignore_index=True)[["method", *_REDUCTION]]


_REDUCTION = ["arm", "value", "low", "high", "relative", "relative_low", "relative_high", "se", "reduction", "multiplier"]
