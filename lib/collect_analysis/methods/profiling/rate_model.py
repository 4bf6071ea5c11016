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
MOST_STEPS, ENOUGH = 50, 1e-9
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


def fit_rates(design: Floats, exposure: Floats, outcome: Floats, *, unit: float, start: Rates | None = None) -> Rates:
    """Which rate per unit of exposure does each level bring, if levels multiply?

    Formula: outcome ~ exposure · exp(design · b), b solves Σ design·(y - exposure·exp(design·b)) / unit = PULL·b (not for the intercept):
    the score of a Poisson regression, which is consistent for the mean whatever the distribution of amounts; a tiny pull keeps the effect of
    a level that never paid finite. Newton steps, halved while the fit gets worse.
    Shapes: design (m, p), exposure and outcome (m,) sums over cells. `unit` is a typical payment, in units of the outcome.
    Undefined (ValueError): nothing observed, or no exposure.
    Source: Gourieroux, Monfort and Trognon, Econometrica 52 (1984) 681 (pseudo maximum likelihood).
    """
    used = exposure > 0
    x, e, y = design[used], exposure[used] / unit, outcome[used] / unit
    if not used.any() or not y.sum() > 0:
        raise ValueError("a rate needs exposure and something observed")
    effects = np.zeros(x.shape[1])
    effects[0] = np.log(y.sum() / e.sum())
    effects = effects if start is None else start.effects.copy()
    pull = np.full(x.shape[1], PULL)
    pull[0] = 0.0

    def loss(at: Floats) -> float:
        linear = x @ at
        return float((e * np.exp(linear) - y * linear).sum() + 0.5 * (pull * at**2).sum())

    best = loss(effects)
    for _ in range(MOST_STEPS):
        mean = e * np.exp(x @ effects)
        step = np.linalg.solve((x * mean[:, None]).T @ x + np.diag(pull), x.T @ (y - mean) - pull * effects)
        size = 1.0
        while not loss(effects + size * step) <= best + ENOUGH and size > ENOUGH:
            size /= 2
        effects, best = effects + size * step, min(best, loss(effects + size * step))
        if np.abs(step).max() < ENOUGH:
            break
    return Rates(effects=effects)


def effect_covariance(rates: Rates, design: Floats, exposure: Floats, squares: Floats) -> Floats:
    """How uncertain are the effects? Sandwich covariance (p, p).

    Formula: A⁻¹ B A⁻¹ with A = Σ design·design'·exposure·rate, B = Σ design·design'·squares; `squares` (m,) are the sums over independent cases
    of (y - rate·x)² in each cell. Shapes as in `fit_rates`. Source: White, Econometrica 50 (1982) 1.
    """
    information = (design * (exposure * rates.of(design))[:, None]).T @ design
    spread = (design * squares[:, None]).T @ design
    inverse = np.linalg.pinv(information, hermitian=True)
    return inverse @ spread @ inverse
