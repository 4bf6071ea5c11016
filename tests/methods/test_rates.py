"""Intervals of rates and of their differences, against published numbers and an independent implementation."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.rates.rates import (
    interval_difference,
    interval_quotient,
    newcombe_difference,
    poisson_interval,
    rate_table,
    ratio_interval,
    relative_interval,
    wilson_interval,
)
from hypothesis import given, strategies as st
from statsmodels.stats.proportion import proportion_confint


def test_eight_of_two_hundred_is_two_to_eight_per_cent() -> None:
    low, high = wilson_interval([8], [200])
    assert (round(low[0] * 100, 2), round(high[0] * 100, 2)) == (2.04, 7.69)


@pytest.mark.parametrize(("x", "n"), [(0, 5), (5, 5), (1, 3), (30, 1000)])
def test_wilson_is_the_one_of_statsmodels(x: int, n: int) -> None:
    low, high = wilson_interval([x], [n])
    assert (low[0], high[0]) == pytest.approx(proportion_confint(x, n, method="wilson"), abs=1e-12)


def test_a_share_of_nothing_has_no_interval() -> None:
    assert np.isnan(np.concatenate(wilson_interval([0, 3], [0, 2]))).all()


def test_newcombes_published_example() -> None:
    difference, low, high = newcombe_difference([56], [70], [48], [80])
    assert [round(float(value[0]), 4) for value in (difference, low, high)] == [0.2, 0.0524, 0.3339]


def test_the_difference_of_two_figures_is_newcombes_where_they_are_shares() -> None:
    bounds = [np.array([56 / 70]), *wilson_interval([56], [70]), np.array([48 / 80]), *wilson_interval([48], [80])]
    assert np.allclose(interval_difference(*bounds), newcombe_difference([56], [70], [48], [80]))


def test_the_difference_of_normal_figures_adds_their_variances() -> None:
    difference, low, high = interval_difference([10.0], [7.0], [13.0], [4.0], [0.0], [8.0])
    assert (difference[0], low[0], high[0]) == (6, 1, 11)


def test_a_ratio_with_a_constant_denominator_has_the_interval_of_the_mean() -> None:
    y = np.array([3.0, 5, 8, 1, 9])
    low, high = ratio_interval(count=5, sum_y=y.sum(), sum_x=5, sum_yy=(y**2).sum(), sum_xx=5, sum_xy=y.sum())
    half = 1.959963984540054 * y.std(ddof=1) / np.sqrt(5)
    assert (low, high) == pytest.approx((y.mean() - half, y.mean() + half))


def test_a_rate_of_nothing_is_undefined_with_its_reason() -> None:
    table = rate_table(pd.DataFrame({"numerator": [0, 1], "denominator": [0, 4]}), undefined="no promise")
    assert table["note"].tolist() == ["no promise", ""]
    assert np.isnan(table["value"][0])
    assert table["value"][1] == 0.25


def test_poisson_limits_are_those_of_the_tables() -> None:
    """Garwood's table: 0 -> 0 to 3.69, 1 -> 0.0253 to 5.57, 10 -> 4.80 to 18.39."""
    low, high = poisson_interval([0, 1, 10], [1, 1, 1])
    assert [round(value, 4) for value in low] == [0, 0.0253, 4.7954]
    assert [round(value, 4) for value in high] == [3.6889, 5.5716, 18.3904]
    assert np.isnan(poisson_interval([1], [0])[0]).all()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 900), st.integers(0, 900))
def test_the_quotient_holds_one_where_the_difference_holds_zero(x: int, x0: int, more: int, more0: int) -> None:
    n, n0 = x + more + 1, x0 + more0 + 1
    _, low, high = newcombe_difference([x], [n], [x0], [n0])
    own, base = wilson_interval([x], [n]), wilson_interval([x0], [n0])
    under, over = interval_quotient([x / n], *own, [x0 / n0], *base)
    assert under[0] <= x / n / (x0 / n0) <= over[0]
    assert (low[0] > 1e-12) == (under[0] > 1 + 1e-12)
    assert (high[0] < -1e-12) == (over[0] < 1 - 1e-12)
    # The bound solves its own equation: the interval of own - R·base touches zero there.
    for ratio, gap in ((under[0], interval_difference([x / n], *own, [under[0] * x0 / n0], *[under[0] * item for item in base])),
                       (over[0], interval_difference([x / n], *own, [over[0] * x0 / n0], *[over[0] * item for item in base]))):  # fmt: skip
        assert min(abs(gap[1][0]), abs(gap[2][0])) < 1e-9 * max(ratio, 1)


def test_nothing_counted_begins_at_zero_and_an_unknown_base_has_no_quotient() -> None:
    base = wilson_interval([20], [100])
    under, over = interval_quotient([0.0], *wilson_interval([0], [100]), [0.2], *base)
    assert under[0] == 0
    assert 0 < over[0] < 0.5
    assert np.isnan(interval_quotient([0.2], *base, [0.0], *wilson_interval([0], [50]))).all()


def test_a_relative_interval_of_a_base_that_may_be_zero_is_undefined() -> None:
    low, high = relative_interval([1.0, 1.0], [0.04, 0.04], [2.0, 2.0], [0.01, 1.1], [-0.01, -1.1], 1.96)
    assert np.isfinite([low[0], high[0]]).all()
    assert np.isnan([low[1], high[1]]).all()
