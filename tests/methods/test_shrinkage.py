"""Shrinkage against published classics, an independent integration, and planted truth."""

import numpy as np
import pytest
from collect_analysis.methods.profiling import shrinkage
from scipy import integrate, stats

SCHOOLS = ([28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18])


def test_gamma_poisson_moments_of_six_agencies() -> None:
    fit = shrinkage.gamma_poisson((120, 95, 210, 60, 33, 310), (100, 100, 200, 80, 30, 300))
    assert fit.mean == pytest.approx(1.02222, abs=5e-6)
    assert fit.variance == pytest.approx(0.0047531, abs=5e-8)
    assert fit.table["value"].tolist() == pytest.approx([1.0786, 0.9993, 1.0356, 0.9484, 1.0317, 1.0287], abs=5e-5)


def test_units_that_do_not_differ_all_get_the_common_ratio() -> None:
    fit = shrinkage.gamma_poisson([10, 20, 30], [10, 20, 30])
    assert fit.variance == 0
    assert fit.table["value"].tolist() == [1, 1, 1]
    assert (fit.table["low"] < 1).all()


def test_expected_counts_of_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        shrinkage.gamma_poisson([1, 2], [0, 3])


def test_eight_schools_show_no_excess_scatter() -> None:
    found = shrinkage.heterogeneity(*SCHOOLS)
    assert (found.pooled, found.pooled_se) == (pytest.approx(7.7, abs=0.05), pytest.approx(4.1, abs=0.05))
    assert found.tau2 == 0
    assert found.df == 7


def test_eight_schools_posterior_is_the_published_one() -> None:
    draws = shrinkage.NormalUnits(*SCHOOLS, prior_sd=50).draws(count=40_000, seed=1)
    low, median, high = np.quantile(draws, [0.025, 0.5, 0.975], axis=0)
    # Bayesian Data Analysis, table 5.3 (200 draws there, flat prior for tau).
    assert median == pytest.approx([10, 8, 7, 8, 5, 6, 10, 8], abs=1.0)
    assert low[[0, 6]] == pytest.approx([-2, -1], abs=1.5)
    assert high[[0, 6]] == pytest.approx([31, 26], abs=1.5)


def test_the_grid_agrees_with_an_independent_integration() -> None:
    estimate, se, scale = np.array([0.10, -0.05, 0.02, 0.20]), np.array([0.05, 0.04, 0.10, 0.15]), 0.2

    def weight(tau: float) -> tuple[float, float]:
        total = se**2 + tau**2
        centre = (estimate / total).sum() / (1 / total).sum()
        # The centre is integrated out analytically from the joint normal density of the estimates.
        density = np.exp(stats.norm.logpdf(estimate, centre, np.sqrt(total)).sum()) / np.sqrt((1 / total).sum())
        first = (estimate[0] * tau**2 + centre * se[0] ** 2) / total[0]
        return density * stats.halfnorm.pdf(tau, scale=scale), first

    whole = integrate.quad(lambda tau: weight(tau)[0], 0, 0.8)[0]
    mean = integrate.quad(lambda tau: np.prod(weight(tau)), 0, 0.8)[0] / whole
    table = shrinkage.NormalUnits(estimate, se, prior_sd=scale).table()
    assert table.loc[0, "value"] == pytest.approx(mean, abs=2e-4)


def test_closed_forms_agree_with_the_draws() -> None:
    units = shrinkage.NormalUnits([0.10, -0.05, 0.02, 0.20], [0.05, 0.04, 0.10, 0.15], prior_sd=0.2)
    table, draws = units.table(), units.draws(count=100_000, seed=2)
    assert table["value"].to_numpy() == pytest.approx(draws.mean(axis=0), abs=1e-3)
    assert table["sd"].to_numpy() == pytest.approx(draws.std(axis=0), abs=1e-3)
    assert table["p_above"].to_numpy() == pytest.approx((draws > 0).mean(axis=0), abs=5e-3)
    assert table["low"].to_numpy() == pytest.approx(np.quantile(draws, 0.025, axis=0), abs=3e-3)


def test_the_same_seed_gives_the_same_draws() -> None:
    units = shrinkage.NormalUnits([0.1, 0.2], [0.1, 0.1], prior_sd=0.2)
    assert (units.draws(count=50, seed=9) == units.draws(count=50, seed=9)).all()


def test_an_uncertain_unit_moves_further_to_the_centre_than_a_certain_one() -> None:
    table = shrinkage.NormalUnits([0.3, 0.3, -0.1, -0.2], [0.02, 0.3, 0.05, 0.05], prior_sd=0.2).table()
    assert table.loc[0, "value"] > table.loc[1, "value"] > 0
    assert table.loc[1, "sd"] > table.loc[0, "sd"]


def test_intervals_cover_planted_truth_for_six_units() -> None:
    rng = np.random.default_rng(3)
    hits = []
    for _ in range(120):
        truth = rng.normal(0, 0.06, 6)
        se = rng.uniform(0.03, 0.09, 6)
        table = shrinkage.NormalUnits(rng.normal(truth, se), se, prior_sd=0.2).table()
        hits += ((table["low"] <= truth) & (truth <= table["high"])).tolist()
    assert 0.93 <= np.mean(hits) <= 0.98


def test_ranks_come_with_the_range_they_could_have() -> None:
    # Two units that cannot be told apart and one far behind.
    draws = np.random.default_rng(1).normal([1.0, 1.0, -9.0], 0.5, size=(20_000, 3))
    table = shrinkage.rank_table(draws)
    assert table["p_best"].sum() == pytest.approx(1)
    assert table["p_best"].tolist()[:2] == pytest.approx([0.5, 0.5], abs=0.02)
    assert table[["rank_low", "rank_high"]].to_numpy().tolist() == [[1, 2], [1, 2], [3, 3]]
    assert table.loc[2, "p_worst"] == 1


def test_shrinking_needs_four_units() -> None:
    with pytest.raises(ValueError, match="at least 4"):
        shrinkage.james_stein([1, 2, 3], 1.0)
