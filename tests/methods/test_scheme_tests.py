"""Cliffs, spread and luck of a pay rule: exact places, published forms, and pure luck named as such."""

import numpy as np
import pytest
from collect_analysis.methods.profiling import scheme_tests
from hypothesis import given, settings, strategies as st


def test_every_jump_of_a_step_rule_is_found_where_it_is() -> None:
    steps = {0.85: 40.0, 1.0: 60.0, 1.15: 60.0}

    def rule(a: np.ndarray) -> np.ndarray:
        return sum((height * (a >= start - 1e-12) for start, height in steps.items()), np.zeros(a.shape))

    found = scheme_tests.jumps(rule)
    assert found["at"].tolist() == list(steps)
    assert found["jump"].tolist() == pytest.approx(list(steps.values()))
    assert found["before"].tolist() == pytest.approx([0.0, 40.0, 100.0])


def test_a_line_has_no_jump_however_steep() -> None:
    assert scheme_tests.jumps(lambda a: 1e9 * np.clip(a - 0.85, 0, None)).empty


def test_a_bend_is_told_with_both_slopes() -> None:
    found = scheme_tests.kinks(lambda a: np.where(a < 1, 100 * a, 100 + 150 * (a - 1)), [0.9, 1.0])
    assert found["at"].tolist() == [1.0]
    assert found.loc[0, ["slope_before", "slope_after"]].tolist() == pytest.approx([100.0, 150.0])


@pytest.mark.parametrize(("values", "expected"), [([1, 3], 0.25), ([2, 2, 2], 0.0), ([0, 0, 0, 8], 0.75)])
def test_gini_of_small_examples_by_hand(values: list[float], expected: float) -> None:
    assert scheme_tests.gini(values) == pytest.approx(expected)


def test_gini_of_nothing_is_undefined() -> None:
    assert np.isnan(scheme_tests.gini([0.0, 0.0]))
    assert np.isnan(scheme_tests.gini([]))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0.01, 1e6), min_size=2, max_size=30), st.floats(0.1, 1e4))
def test_gini_does_not_depend_on_the_currency_and_equals_mean_difference(values: list[float], scale: float) -> None:
    x = np.array(values)
    # The definition: half the mean absolute difference over the mean.
    direct = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert scheme_tests.gini(x) == pytest.approx(direct, abs=1e-9)
    assert scheme_tests.gini(x * scale) == pytest.approx(direct, abs=1e-9)


def test_equal_skill_makes_all_of_pay_luck_and_no_noise_makes_none() -> None:
    rng = np.random.default_rng(1)
    expected = np.full(200, 8.0)
    seen = [scheme_tests.seen_ratios(np.ones((100, 200)), expected, rng=rng) for _ in range(2)]
    assert scheme_tests.luck_share(*seen) > 0.98
    skill = rng.normal(1, 0.2, 200)
    assert scheme_tests.luck_share(skill, skill) == pytest.approx(0.0)


def test_the_luck_share_is_noise_over_all_variance() -> None:
    # Var of skill 0.04, noise 1/E = 0.05: luck 0.05 / 0.09.
    rng = np.random.default_rng(2)
    true = rng.gamma(25.0, 0.04, size=(400, 100))
    first, second = (scheme_tests.seen_ratios(true, 20.0, rng=rng) for _ in range(2))
    assert scheme_tests.luck_share(first, second) == pytest.approx(0.05 / 0.09, abs=0.02)


def test_seen_ratios_have_the_mean_and_the_variance_of_a_count() -> None:
    drawn = scheme_tests.seen_ratios(np.full(200_000, 1.2), 10.0, rng=np.random.default_rng(3))
    assert drawn.mean() == pytest.approx(1.2, abs=0.005)
    assert drawn.var() == pytest.approx(0.12, rel=0.02)


def test_redrawn_totals_centre_on_the_total_and_repeat_with_their_seed() -> None:
    amounts = np.column_stack([np.arange(50.0), np.arange(50.0) + 10])
    drawn = scheme_tests.redrawn_totals(amounts, columns=3, draws=4_000, rng=np.random.default_rng(4))
    assert drawn.mean() == pytest.approx(3 * amounts.sum() / 2, rel=0.01)
    again = scheme_tests.redrawn_totals(amounts, columns=3, draws=4_000, rng=np.random.default_rng(4))
    assert np.array_equal(drawn, again)
