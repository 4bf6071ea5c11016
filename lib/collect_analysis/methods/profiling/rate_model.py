"""Rates of cells as a product of level effects: what a balance of this kind brings, learned from sums over cells alone.

A cell is one combination of the levels of several factors; `design` holds one row per cell with the intercept and the level effects.
Sums of a matrix product depend on how threads share it: call within `prognosis.one_thread()` where the last bit must be the same everywhere.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
MOST_STEPS, ENOUGH = 50, 1e-12
# Of a level that never paid, the rate would be 0 and its effect without bound: so much of a payment is held against every effect.
PULL = 0.01


@dataclass(frozen=True, kw_only=True)
class Rates:
    """A fitted product of level effects: `effects` (p,) on the log scale, the first of them the intercept."""

    effects: Floats

    def of(self, design: Floats) -> Floats:
        """Expected outcome per unit of exposure of every cell, (m,)."""
        return np.exp(design @ self.effects)


def design_of(levels: pd.DataFrame) -> tuple[Floats, list[tuple[str, str]]]:
    """The design of cells, one row per row of `levels` (one text column per factor), and the name (factor, level) of every effect.

    The first column is the intercept; the first level of each factor, in the order of text, is what the others are measured from.
    """
    columns, names = [np.ones(len(levels))], [("", "")]
    for factor in levels.columns:
        known = sorted(levels[factor].unique())
        columns += [(levels[factor] == level).to_numpy(dtype=float) for level in known[1:]]
        names += [(str(factor), str(level)) for level in known[1:]]
    return np.column_stack(columns), names


def fit_rates(design: Floats, exposure: Floats, outcome: Floats, *, unit: float) -> Rates:
    """Which rate per unit of exposure does each level bring, if levels multiply?

    Formula: outcome ~ exposure · exp(design · b), b solves Σ design·(y - exposure·exp(design·b)) / unit = PULL·b (not for the intercept):
    the score of a Poisson regression, which is consistent for the mean whatever the distribution of amounts; a tiny pull keeps the effect of
    a level that never paid finite. Fitted by scikit-learn's PoissonRegressor, which takes sums of cells as weights.
    Shapes: design (m, p), exposure and outcome (m,) sums over cells. `unit` is a typical payment, in units of the outcome.
    Undefined (ValueError): nothing observed, or no exposure.
    Source: Gourieroux, Monfort and Trognon, Econometrica 52 (1984) 681 (pseudo maximum likelihood).
    """
    used = exposure > 0
    x, e, y = design[used], exposure[used] / unit, outcome[used] / unit
    if not used.any() or not y.sum() > 0:
        raise ValueError("a rate needs exposure and something observed")
    if x.shape[1] == 1:
        return Rates(effects=np.log([y.sum() / e.sum()]))
    from sklearn.linear_model import PoissonRegressor

    # It minimises a mean over the weights: so much less must be held against the effects.
    model = PoissonRegressor(alpha=PULL / e.sum(), solver="newton-cholesky", tol=ENOUGH, max_iter=MOST_STEPS)
    model.fit(x[:, 1:], y / e, sample_weight=e)
    return Rates(effects=np.array([model.intercept_, *model.coef_]))


def effect_covariance(rates: Rates, design: Floats, exposure: Floats, squares: Floats) -> Floats:
    """How uncertain are the effects? Sandwich covariance (p, p).

    Formula: A⁻¹ B A⁻¹ with A = Σ design·design'·exposure·rate, B = Σ design·design'·squares; `squares` (m,) are the sums over independent cases
    of (y - rate·x)² in each cell. Shapes as in `fit_rates`. Source: White, Econometrica 50 (1982) 1.
    """
    information = (design * (exposure * rates.of(design))[:, None]).T @ design
    spread = (design * squares[:, None]).T @ design
    inverse = np.linalg.pinv(information, hermitian=True)
    return inverse @ spread @ inverse
