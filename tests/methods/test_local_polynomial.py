"""Weights of local fits against weighted least squares, neighbour residuals against a loop over all cases."""

import numpy as np
import pytest
from collect_analysis.methods.causal.local_polynomial import fit_weights, neighbour_residuals, pilot_spread, reach


@pytest.mark.parametrize(("order", "coefficient"), [(1, 0), (2, 0), (2, 2), (3, 1)])
def test_the_weights_give_the_coefficients_of_weighted_least_squares(order: int, coefficient: int) -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    x = rng.uniform(0, 10, 200)
    y = np.sin(x) + rng.normal(size=200)
    kernel = np.clip(1 - x / 6, 0, None)
    fit = sm.WLS(y, x[:, None] ** np.arange(order + 1), weights=kernel).fit()
    weights = fit_weights(x, order=order, bandwidth=6.0, coefficient=coefficient)
    assert weights @ y == pytest.approx(fit.params[coefficient], rel=1e-8)
    assert (weights[x >= 6] == 0).all()


def test_the_unit_of_the_running_variable_does_not_matter() -> None:
    x = np.linspace(1, 10, 40)
    dong = fit_weights(x * 1e9, order=2, bandwidth=8e9, coefficient=0)
    np.testing.assert_allclose(dong, fit_weights(x, order=2, bandwidth=8.0, coefficient=0), atol=1e-12)


def test_residuals_are_those_of_a_search_through_all_cases() -> None:
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.normal(size=60), np.round(rng.normal(size=60), 1)])
    y = rng.normal(size=120) + 1e6
    expected = []
    for place in range(len(x)):
        distance = np.delete(np.abs(x - x[place]), place)
        near = distance <= np.sort(distance)[2] + 1e-9
        expected.append(np.sqrt(near.sum() / (near.sum() + 1)) * (y[place] - np.delete(y, place)[near].mean()))
    np.testing.assert_allclose(neighbour_residuals(x, y), expected, atol=1e-8)


def test_squared_residuals_estimate_the_planted_variance() -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, 20_000)
    residuals = neighbour_residuals(x, np.exp(x) + rng.normal(0, 2, 20_000))
    assert (residuals**2).mean() == pytest.approx(4, rel=0.03)


def test_the_spread_is_not_stretched_by_outliers_and_survives_heaps() -> None:
    x = np.random.default_rng(4).normal(size=10_000)
    assert pilot_spread(x) == pytest.approx(1, abs=0.03)
    assert pilot_spread(np.append(x, [1e6] * 10)) == pytest.approx(1, abs=0.03)
    assert pilot_spread(np.array([0.0] * 90 + [1.0] * 10)) == pytest.approx(np.std([0.0] * 90 + [1.0] * 10, ddof=1))
    assert pilot_spread(np.ones(5)) == 0


def test_the_reach_lies_just_beyond_the_last_value_wanted() -> None:
    assert reach(np.array([-5.0, -1, -1, -3]), 2) == pytest.approx(3, rel=1e-5)
    assert reach(np.array([-5.0, -1, -1, -3]), 2) > 3
