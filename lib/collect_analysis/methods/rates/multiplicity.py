"""Several tests at once: p-values that stay honest when a family of questions is asked of the same data."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from collect_analysis.errors import DataError

Floats = NDArray[np.float64]


def holm(p_values: ArrayLike) -> Floats:
    """Which effects of a declared family stand, with at most `level` risk that even one of them is false?

    Formula: with p sorted upwards, adjusted p(i) = max over j <= i of min(1, (m - j + 1)·p(j)); an effect stands where adjusted p <= level.
    Shapes: input (k,), result (k,) in the same order. A NaN (question without an answer) stays NaN and is not counted in m.
    Raises DataError: a p-value outside 0-1.
    Source: Holm, Scandinavian Journal of Statistics 6 (1979) 65. Use it for the confirmatory family.
    """
    values, answered = _checked(p_values)
    family = values[answered]
    order = np.argsort(family, kind="stable")
    steps = family[order] * np.arange(len(family), 0, -1)
    adjusted = np.full(values.shape, np.nan)
    adjusted[np.flatnonzero(answered)[order]] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Which effects of an exploratory family stand, when a share `level` of false ones among them is tolerable?

    Formula: with p sorted upwards, adjusted p(i) = min over j >= i of min(1, m/j·p(j)); an effect stands where adjusted p <= level.
    Shapes: input (k,), result (k,) in the same order. A NaN (question without an answer) stays NaN and is not counted in m.
    Raises DataError: a p-value outside 0-1.
    Source: Benjamini & Hochberg, Journal of the Royal Statistical Society B 57 (1995) 289; independent or positively dependent tests.
    """
    values, answered = _checked(p_values)
    adjusted = np.full(values.shape, np.nan)
    adjusted[answered] = stats.false_discovery_control(values[answered])
    return adjusted


def simultaneous_level(level: float, questions: int) -> float:
    """At which level must each of `questions` intervals be drawn so that all of them hold together with probability `level`?

    Formula: 1 - (1 - level)/k (Bonferroni); fewer than 2 questions leave the level as it is. Intervals that go with Holm's tests are wider
    than needed by little and always hold.
    Source: Dunn, Journal of the American Statistical Association 56 (1961) 52.
    """
    return 1 - (1 - level) / max(questions, 1)


def _checked(p_values: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    values = np.atleast_1d(np.asarray(p_values, dtype=float))
    wrong = np.flatnonzero((values < 0) | (values > 1))
    if wrong.size:
        raise DataError(
            f"p-values: {wrong.size} of {values.size} lie outside 0 to 1 (first: {values[wrong[0]]:g} at position {wrong[0] + 1}). "
            "Pass p-values, not test statistics."
        )
    return values, ~np.isnan(values)
