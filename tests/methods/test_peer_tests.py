"""A unit against its peers: independent implementations, calibration, and what cannot be told."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.profiling.peer_tests import (
    between_units,
    log_observed_expected,
    log_odds,
    log_rate_ratio,
    peer_excess,
)
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects


def test_the_middle_of_units_is_that_of_a_random_effects_meta_analysis() -> None:
    x, se = np.array([0.1, 0.3, -0.2, 0.6, 0.25]), np.array([0.1, 0.15, 0.2, 0.12, 0.3])
    other = combine_effects(x, se**2, method_re="dl")
    centre, variance, tau2 = between_units(x, se)
    assert tau2 == pytest.approx(other.tau2)
    assert centre == pytest.approx(other.mean_effect_re)
    assert variance == pytest.approx(other.var_eff_w_re)


def test_a_unit_is_predicted_from_the_others_with_their_scatter() -> None:
    x, se = np.array([1.2, 0.1, 0.3, -0.2, 0.25]), np.array([0.1, 0.1, 0.15, 0.2, 0.12])
    others = combine_effects(x[1:], se[1:] ** 2, method_re="dl")
    t = (x[0] - others.mean_effect_re) / np.sqrt(se[0] ** 2 + others.tau2 + others.var_eff_w_re)
    centre, p = peer_excess(x, se)
    assert centre[0] == pytest.approx(others.mean_effect_re)
    assert p[0] == pytest.approx(stats.t.sf(t, 2))
    assert (p[1:] > 0.5).sum() >= 2


def test_three_units_are_no_peers() -> None:
    assert np.isnan(peer_excess(np.array([9.0, 0.0, 0.1]), np.full(3, 0.1))[1]).all()


@pytest.mark.parametrize("tau", [0.0, 0.3])
def test_units_that_are_all_alike_are_called_odd_no_more_often_than_stated(tau: float) -> None:
    rng = np.random.default_rng(4)
    se = np.array([0.08, 0.1, 0.12, 0.1, 0.15, 0.2])
    drawn = rng.normal(0.0, np.sqrt(se**2 + tau**2), (4000, 6))
    _, p = peer_excess(drawn, se)
    assert (p <= 0.05).mean() < 0.065
    assert (p <= 0.005).mean() < 0.011


def test_log_odds_stay_finite_and_agree_with_the_textbook_in_the_middle() -> None:
    value, se = log_odds([0, 300, 10], [10, 1000, 10])
    assert np.isfinite(value).all()
    assert value[1] == pytest.approx(np.log(300 / 700), abs=2e-3)
    assert se[1] == pytest.approx(np.sqrt(1 / 300 + 1 / 700), rel=2e-3)
    assert np.isnan(log_odds([0], [0])[0]).all()


def test_a_rate_ratio_has_the_error_of_a_bootstrap_of_customers() -> None:
    rng = np.random.default_rng(5)
    # Customers differ: counts are far more scattered than Poisson.
    sides = [(rng.poisson(rng.gamma(1.0, mean, 400)), rng.uniform(20, 90, 400)) for mean in (4.0, 2.0)]

    def told(pairs) -> pd.DataFrame:
        row = {}
        for side, (y, x) in zip(("1", "0"), pairs, strict=True):
            sums = {"n": len(y), "sum_y": y.sum(), "sum_x": x.sum(), "sum_yy": y @ y, "sum_xx": x @ x, "sum_xy": x @ y}
            row |= {f"{name}_{side}": float(value) for name, value in sums.items()}
        return pd.DataFrame([row])

    value, se = log_rate_ratio(told(sides))
    again = []
    for _ in range(400):
        picks = [rng.integers(0, 400, 400) for _ in sides]
        again.append(log_rate_ratio(told([(y[pick], x[pick]) for (y, x), pick in zip(sides, picks, strict=True)]))[0][0])
    assert se[0] == pytest.approx(np.std(again), rel=0.12)
    assert abs(value[0] - np.log(2)) < 4 * se[0]


def test_more_than_the_others_in_the_same_strata_is_counted_stratum_by_stratum() -> None:
    cells = pd.DataFrame(
        {
            "unit_key": ["a", "a", "b", "b", "c", "c"], "stratum": ["s", "t"] * 3,
            "observed": [10, 80, 30, 8, 30, 8], "trials": [100, 100, 300, 10, 300, 10],
        }
    )  # fmt: skip
    table = log_observed_expected(cells).set_index("unit_key")
    # The others have 10 % in s and 80 % in t, drawn a little to their share over all: a has about that many, though 4 times their raw share.
    assert table.loc["a", "expected"] == pytest.approx(10 + 80, abs=4)
    assert abs(table.loc["a", "estimate"]) < 0.05
