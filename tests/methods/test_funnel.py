"""Funnel limits against exact probabilities and closed forms."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods import funnel, shrinkage
from scipy import stats


@pytest.mark.parametrize(("target", "cases"), [(0.08, 50), (0.08, 400), (0.5, 30), (0.02, 120)])
def test_exact_limits_are_where_the_binomial_distribution_reaches_their_level(target: float, cases: int) -> None:
    low, high = funnel.binomial_limits(target, [cases], level=0.95)
    cumulative = np.cumsum(stats.binom.pmf(np.arange(cases + 1), cases, target))
    for limit, probability in ((low[0], 0.025), (high[0], 0.975)):
        # The distribution, joined by straight lines between whole counts (and from 0 at -1), takes the value there.
        reached = np.interp(limit * cases, np.arange(-1, cases + 1), [0, *cumulative])
        assert reached == pytest.approx(probability, abs=1e-9) or limit == 0


def test_exact_limits_tend_to_the_normal_ones() -> None:
    low, high = funnel.binomial_limits(0.1, [200_000], level=0.998)
    half = stats.norm.ppf(0.999) * np.sqrt(0.1 * 0.9 / 200_000)
    assert (low[0], high[0]) == (pytest.approx(0.1 - half, rel=1e-3), pytest.approx(0.1 + half, rel=1e-3))


def test_no_cases_no_limits() -> None:
    low, high = funnel.binomial_limits(0.1, [0], level=0.95)
    assert np.isnan(low[0])
    assert np.isnan(high[0])


def test_overdispersion_widens_the_limits_by_its_root() -> None:
    low, high = funnel.binomial_limits(0.3, [100], level=0.95, phi=4.0)
    assert high[0] - low[0] == pytest.approx(2 * 1.959964 * np.sqrt(4 * 0.3 * 0.7 / 100), rel=1e-6)


def test_additive_variance_without_winsorising_is_the_method_of_moments() -> None:
    estimate, se = [28, 8, -3, 7, -1, 1, 60, 12], [15, 10, 16, 11, 9, 11, 10, 18]
    moments = shrinkage.heterogeneity(estimate, se)
    found = funnel.dispersion(estimate, se, target=moments.pooled, winsor=0.0)
    assert found.tau2 == pytest.approx(moments.tau2)
    assert found.phi == pytest.approx(moments.q / 8)


def test_one_wild_unit_does_not_widen_the_funnel_for_all() -> None:
    rng = np.random.default_rng(4)
    estimate, se = rng.normal(0, 0.1, 40), np.full(40, 0.1)
    estimate[0] = 3.0
    assert funnel.dispersion(estimate, se, target=0, winsor=0.1).phi < 1.3
    assert funnel.dispersion(estimate, se, target=0, winsor=0.0).phi > 15


def test_chance_alone_has_dispersion_near_one() -> None:
    rng = np.random.default_rng(6)
    phi = [funnel.dispersion(rng.normal(0, 0.2, 200), np.full(200, 0.2), target=0, winsor=0.0).phi for _ in range(50)]
    assert np.mean(phi) == pytest.approx(1, abs=0.05)


def test_a_count_of_a_hundred_has_the_poisson_limits_of_its_log() -> None:
    low, high = funnel.ratio_limits([100], level=0.95)
    assert (np.log(low[0]), np.log(high[0])) == (pytest.approx(-0.1959964, rel=1e-6), pytest.approx(0.1959964, rel=1e-6))


def test_every_unit_is_placed_inside_or_outside_or_undefined() -> None:
    units = pd.DataFrame({"unit_key": list("dabce"), "value": [1.5, 1.02, 1.12, 0.5, np.nan], "se_log": [0.05, 0.05, 0.05, 0.05, np.nan]})
    table = funnel.funnel_table(units, overdispersion=funnel.Dispersion(phi=1, tau2=0, units=5))
    assert table.set_index("unit_key")["place"].to_dict() == {"a": "inside", "b": "high", "c": "below", "d": "above", "e": "undefined"}
    assert units["unit_key"].tolist() == list("dabce")
