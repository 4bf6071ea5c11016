"""Least squares from cross-products, so that a regression over millions of cases never leaves the engine that holds them.

Two passes: the first gives cross-products and with them coefficients; the second, with those coefficients, gives the sums of squared
residuals that robust errors need. Design of an experiment: intercept, one indicator per arm other than the base, covariates centred on
their mean over all arms and divided by their standard deviation - the intercept is then the base arm's mean at average covariates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from collect_analysis.errors import DataError
from collect_analysis.methods.multiplicity import holm

Floats = NDArray[np.float64]
# A covariate whose part that the others do not explain is under this share of its variance cannot be told from them.
SMALLEST_OWN_VARIANCE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Design:
    """The columns of the regression, in order: intercept, `arms` (not the base), `covariates` as (x - centre) / scale."""

    base: str
    arms: tuple[str, ...]
    covariates: tuple[str, ...]
    centres: tuple[float, ...]
    scales: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted regression. `inverse` is (Z'Z)⁻¹, `residual_squares` Σe²; shapes (k,), (k, k) with k columns of the design."""

    design: Design
    coefficients: Floats
    inverse: Floats
    residual_squares: float
    cases: int

    @property
    def df(self) -> int:
        """Residual degrees of freedom."""
        return self.cases - len(self.coefficients)

    @property
    def classical_covariance(self) -> Floats:
        """Covariance of the coefficients if every case varied alike: σ²(Z'Z)⁻¹; for comparison with published tables only."""
        return self.residual_squares / self.df * self.inverse


def fit_arms(products: Mapping[str, Mapping[tuple[str, str], float]], *, base: str, covariates: Sequence[str]) -> Fit:
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

    Returns
    -------
    The fit. Its arm coefficients are the covariate-adjusted effects (analysis of covariance), in the outcome's unit.

    Raises
    ------
    DataError
        A covariate is constant or a combination of the others, or there are not more cases than columns.
    Source: Freedman, Advances in Applied Mathematics 40 (2008) 180, for what such a coefficient estimates under randomisation.
    """
    names = ["1", "y", *covariates]
    sums = {arm: _symmetric(cells, names) for arm, cells in products.items()}
    total = sum(sums.values(), np.zeros((len(names), len(names))))
    cases = int(total[0, 0])
    arms = tuple(sorted(arm for arm in sums if arm != base and sums[arm][0, 0] > 0))
    columns = 1 + len(arms) + len(covariates)
    if cases <= columns:
        raise DataError(f"regression: {cases} cases for {columns} columns; declare fewer covariates or wait for more cases")
    centres = total[0, 2:] / cases
    scales = _scales(total, centres, cases, covariates)
    cross, response, squares = _normal_equations(sums, total, arms, centres, scales)
    _refuse_collinear(cross, arms, covariates)
    inverse: Floats = np.asarray(np.linalg.inv(cross), dtype=float)
    coefficients = inverse @ response
    coefficients += inverse @ (response - cross @ coefficients)  # one step of refinement
    # Back from the outcome centred on its mean: only the intercept moves.
    residual = max(float(squares - coefficients @ response), 0.0)
    coefficients[0] += total[0, 1] / cases
    design = Design(base=base, arms=arms, covariates=tuple(covariates), centres=tuple(centres), scales=tuple(scales))
    return Fit(design=design, coefficients=coefficients, inverse=inverse, residual_squares=residual, cases=cases)


def _symmetric(cells: Mapping[tuple[str, str], float], names: list[str]) -> Floats:
    matrix = [[cells[(a, b)] if (a, b) in cells else cells[(b, a)] for b in names] for a in names]
    return np.array(matrix, dtype=float)


def _scales(total: Floats, centres: Floats, cases: int, covariates: Sequence[str]) -> Floats:
    variances = np.diag(total)[2:] / cases - centres**2
    # Rounding leaves a constant covariate a variance of this order instead of 0.
    constant = [name for name, v, c in zip(covariates, variances, centres, strict=True) if v <= 1e-12 * max(c * c, 1e-300)]
    if constant:
        raise DataError(f"regression: covariate(s) {', '.join(constant)} have the same value for every case; leave them out")
    return np.sqrt(variances)


def _normal_equations(
    sums: Mapping[str, Floats], total: Floats, arms: tuple[str, ...], centres: Floats, scales: Floats
) -> tuple[Floats, Floats, float]:
    """Z'Z, Z'y and y'y of the design, the outcome centred on its mean (large means would cost digits)."""
    cases, y_mean = total[0, 0], total[0, 1] / total[0, 0]
    covariate_cross = (total[2:, 2:] - cases * np.outer(centres, centres)) / np.outer(scales, scales)
    covariate_y = (total[2:, 1] - cases * centres * y_mean) / scales
    size = 1 + len(arms) + len(centres)
    cross, response = np.zeros((size, size)), np.zeros(size)
    cross[0, 0] = cases
    cross[1 + len(arms) :, 1 + len(arms) :] = covariate_cross
    response[1 + len(arms) :] = covariate_y
    for position, arm in enumerate(arms, start=1):
        own = sums[arm]
        cross[position, position] = cross[0, position] = cross[position, 0] = own[0, 0]
        link = (own[0, 2:] - own[0, 0] * centres) / scales
        cross[position, 1 + len(arms) :] = cross[1 + len(arms) :, position] = link
        response[position] = own[0, 1] - own[0, 0] * y_mean
    return cross, response, float(total[1, 1] - cases * y_mean**2)


def _refuse_collinear(cross: Floats, arms: tuple[str, ...], covariates: Sequence[str]) -> None:
    """Refuse a covariate that the columns before it explain wholly (Cholesky: its own part is its pivot)."""
    scaled = cross / np.sqrt(np.outer(np.diag(cross), np.diag(cross)))
    for size in range(1, len(scaled) + 1):
        part = scaled[:size, :size]
        own = 1.0 if size == 1 else float(part[-1, -1] - part[-1, :-1] @ np.linalg.solve(part[:-1, :-1], part[:-1, -1]))
        if own < SMALLEST_OWN_VARIANCE:
            name = covariates[size - 2 - len(arms)] if size > 1 + len(arms) else arms[size - 2]
            raise DataError(f"regression: '{name}' is a combination of the columns before it; leave it out")


def robust_covariance(fit: Fit, meat: Floats, *, clusters: int | None = None) -> Floats:
    """How sure are the coefficients, without assuming that every case varies alike or is independent?

    Formula: (Z'Z)⁻¹ M (Z'Z)⁻¹. Independent cases (`clusters` None): M = Σ zz'e²/(1-h), h the leverage z'(Z'Z)⁻¹z (HC2). Clusters: M = Σ
    over clusters of (Σze)(Σze)', times G/(G-1)·(n-1)/(n-k) (CR1). Shapes (k, k).
    Source: MacKinnon & White (1985); Liang & Zeger (1986). Without covariates HC2 is the two-sample variance s²/n + s0²/n0.
    """
    factor = 1.0
    if clusters is not None:
        factor = clusters / (clusters - 1) * (fit.cases - 1) / fit.df
    return factor * fit.inverse @ meat @ fit.inverse


def adjusted_effects(
    fit: Fit, covariance: Floats, *, method: Literal["classical", "hc2", "cr1"] = "hc2", clusters: int | None = None, level: float = 0.95
) -> pd.DataFrame:
    """By how much does each arm differ from the base arm at equal covariates?

    Formula: the arm's coefficient ± t·se, t with n-k degrees of freedom (clusters: G-1). Relative effect R = effect / intercept by the
    delta method with their covariance. Several arms: `p_adjusted` by Holm.

    Returns
    -------
    arm, base, base_mean (adjusted), value, low, high, se, df, p_value, p_adjusted, relative, relative_low, relative_high, method, note.
    Undefined (NaN, note): relative effect where the adjusted base mean is not above zero.
    """
    positions = range(1, 1 + len(fit.design.arms))
    effect = np.array([fit.coefficients[position] for position in positions])
    se = np.sqrt(np.array([covariance[position, position] for position in positions]))
    across = np.array([covariance[0, position] for position in positions])
    df = fit.df if clusters is None else clusters - 1
    t = stats.t.ppf((1 + level) / 2, df)
    base_mean, base_variance = fit.coefficients[0], covariance[0, 0]
    defined = base_mean > 0
    relative = effect / base_mean if defined else np.full(effect.shape, np.nan)
    half = t * np.sqrt(np.clip(se**2 - 2 * relative * across + relative**2 * base_variance, 0, None)) / abs(base_mean)
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
            "df": float(df),
            "p_value": p_value,
            "p_adjusted": holm(p_value),
            "relative": relative,
            "relative_low": relative - half,
            "relative_high": relative + half,
            "method": method,
            "note": "" if defined else "mean of the base arm is not above zero: no relative effect",
        }
    )
