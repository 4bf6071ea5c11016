"""Counts over expected counts against exact probabilities of other libraries, and by simulation."""

import numpy as np
import pytest
from collect_analysis.methods.rates import count_ratios
from hypothesis import given, strategies as st
from scipy import stats
from statsmodels.stats.rates import test_poisson_2indep as poisson_2indep


@pytest.mark.parametrize(
    ("observed", "expected", "low", "high"),
    # Garwood (1936), as printed in tables of exact limits of a Poisson mean: 10 events 4.795 to 18.391; none 0 to 3.689; 3: 0.619 to 8.767.
    [(10, 5, 4.795, 18.391), (0, 1, 0.0, 3.689), (3, 2, 0.619, 8.767), (100, 50, 81.36, 121.63)],
)
def test_exact_limits_of_a_count_are_the_published_ones(observed: float, expected: float, low: float, high: float) -> None:
    found = count_ratios.ratio_interval(observed, expected)
    assert [float(bound) * expected for bound in found] == pytest.approx([low, high], abs=0.006)


@pytest.mark.parametrize(("observed", "size"), [(7, 20), (0, 12), (40, 15)])
def test_a_ratio_to_a_counted_expectation_has_the_p_value_of_the_exact_conditional_test(observed: int, size: int) -> None:
    # The unit has exposure 1 and so have the others, so that what it is expected to have is what they have.
    found = float(count_ratios.ratio_p_value(observed, size, size=size))
    other = poisson_2indep(observed, 1, size, 1, method="exact-cond", alternative="larger").pvalue
    fewer = poisson_2indep(observed, 1, size, 1, method="exact-cond", alternative="smaller").pvalue
    assert found == pytest.approx(min(1.0, 2 * min(other, fewer)), rel=1e-9)


@given(observed=st.integers(0, 300), expected=st.floats(0.5, 300), size=st.one_of(st.just(np.inf), st.floats(2, 1e5)))
def test_the_interval_leaves_one_out_exactly_where_the_p_value_says_so(observed: int, expected: float, size: float) -> None:
    low, high = (float(bound) for bound in count_ratios.ratio_interval(observed, expected, size=size))
    p_value = float(count_ratios.ratio_p_value(observed, expected, size=size))
    if abs(p_value - 0.05) > 1e-6:
        assert (p_value < 0.05) == (low > 1 or high < 1)


@given(observed=st.integers(0, 200), expected=st.floats(0.2, 200), size=st.one_of(st.just(np.inf), st.floats(0.5, 1e4)))
def test_tails_are_those_of_the_distributions(observed: int, expected: float, size: float) -> None:
    other = stats.poisson(expected) if np.isinf(size) else stats.nbinom(size, size / (size + expected))
    at_most, at_least = count_ratios.tails(observed, expected, size=size)
    assert float(at_most) == pytest.approx(other.cdf(observed), rel=1e-7, abs=1e-12)
    assert float(at_least) == pytest.approx(other.sf(observed - 1), rel=1e-7, abs=1e-12)


@given(observed=st.integers(0, 400), expected=st.floats(0.2, 300), size=st.one_of(st.just(np.inf), st.floats(2, 1e4)))
def test_a_count_lies_outside_the_limits_exactly_where_its_tail_is_rare(observed: int, expected: float, size: float) -> None:
    low, high = (float(limit) * expected for limit in count_ratios.limits(expected, level=0.95, size=size))
    at_most, at_least = (float(tail) for tail in count_ratios.tails(observed, expected, size=size))
    if min(abs(at_most - 0.025), abs(at_least - 0.025)) > 1e-7:
        assert (at_least <= 0.025) == (observed >= high)
        assert (at_most <= 0.025) == (observed <= low and (observed > 0 or at_most <= 0.025))


def test_wald_limits_on_the_log_flag_more_units_that_do_as_their_peers_than_exact_ones() -> None:
    rng = np.random.default_rng(2)
    expected = rng.uniform(1, 12, 20_000)
    observed = rng.poisson(expected)
    p_value = count_ratios.ratio_p_value(observed, expected)
    some = np.maximum(observed, 1)
    wald = np.exp(np.log(some / expected) - 1.959964 / np.sqrt(some)) > 1
    exact = (p_value < 0.05) & (observed > expected)
    # At least one in forty above by an exact test; by the log-Wald limit nearly twice as many.
    assert exact.mean() < 0.025
    assert wald.mean() > 1.7 * exact.mean()


def test_nothing_expected_is_undefined_and_nothing_observed_is_not() -> None:
    assert all(np.isnan(bound) for bound in count_ratios.ratio_interval(3, 0))
    assert np.isnan(count_ratios.ratio_p_value(3, 0))
    assert np.isnan(count_ratios.scores(0, np.nan))
    assert np.isfinite(count_ratios.scores([0, 500], [30, 2])).all()
    # P(none of 5) = 0.0067, twice that.
    assert float(count_ratios.ratio_p_value(0, 5)) == pytest.approx(2 * np.exp(-5))


def test_scores_of_units_that_do_as_their_peers_are_standard_normal() -> None:
    rng = np.random.default_rng(3)
    expected = rng.uniform(3, 60, 20_000)
    z = count_ratios.scores(rng.poisson(expected), expected)
    assert (z.mean(), z.std()) == (pytest.approx(0, abs=0.02), pytest.approx(1, abs=0.03))


def test_a_sum_is_as_sure_as_its_effective_count() -> None:
    # 25 payments of 4: sum 100, variance 25·16.
    assert float(count_ratios.effective_count(100, 400)) == 25
    assert np.isinf(count_ratios.effective_count(100, 0))
