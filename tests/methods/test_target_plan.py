"""Targets from a forecast: hand examples for shares, sums and reconciliation, chances of sums, fairness with a planted truth."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import ParameterError
from collect_analysis.methods.forecast.target_plan import (
    Spread,
    all_reached,
    allocate,
    explained_by_mix,
    forecast,
    largest_remainder,
    ramped,
    reach,
    rebased,
    reconcile,
    simulate,
)
from hypothesis import given, settings, strategies as st
from scipy import stats

NONE = Spread(common=0.0, freedom=10, unit=0.0)


def test_ten_seats_by_largest_remainder() -> None:
    # 10 x (47, 16, 15.8, 12, 6.1, 3.1) / 100: floors 4 1 1 1 0 0, the three left go to remainders 0.70, 0.61, 0.60.
    assert largest_remainder(10, [47, 16, 15.8, 12, 6.1, 3.1], list("abcdef")).tolist() == [5, 2, 1, 1, 1, 0]


def test_equal_remainders_are_served_by_key_not_by_order_of_rows() -> None:
    assert largest_remainder(1, [1, 1, 1], ["c", "a", "b"]).tolist() == [0, 1, 0]
    assert largest_remainder(7, [0, 0], ["b", "a"]).tolist() == [3, 4]
    assert largest_remainder(2, [1.1125369292536007e-308], ["a"]).tolist() == [2]
    assert largest_remainder(3, [5e-324, 5e-324, 1e-323], ["a", "b", "c"]).sum() == 3


@pytest.mark.parametrize("weights", [[], [1.0, -1.0], [float("nan")]])
def test_what_cannot_be_shared_is_refused(weights: list[float]) -> None:
    with pytest.raises(ParameterError, match="each a number of 0 or more"):
        largest_remainder(10, weights, [str(place) for place in range(len(weights))])


LEAVES = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sampled_from("uvw"), st.floats(0, 1e9)), min_size=1, max_size=12
).map(lambda rows: pd.DataFrame([(sub, sub + unit, f"o{place}", value) for place, (sub, unit, value) in enumerate(rows)],
                                columns=["sub_function", "unit_key", "officer_key", "expected"]))  # fmt: skip
LEVELS = ("sub_function", "unit_key", "officer_key")


@settings(max_examples=25)
@given(LEAVES, st.integers(0, 10**11), st.sampled_from([1, 1000, 100_000]), st.randoms())
def test_an_allocation_adds_up_exactly_and_does_not_depend_on_the_order_of_rows(leaves, total, step, random) -> None:
    found = allocate(total, leaves, levels=LEVELS, step=step)
    assert found["target"].sum() == total
    assert (found["target"] >= 0).all()
    order = list(leaves.index)
    random.shuffle(order)
    pd.testing.assert_frame_equal(found, allocate(total, leaves.loc[order], levels=LEVELS, step=step))


@settings(max_examples=25)
@given(LEAVES, st.integers(1, 10**9))
def test_doubling_what_is_expected_doubles_targets(leaves, total) -> None:
    once, twice = allocate(total, leaves, levels=LEVELS), allocate(2 * total, leaves, levels=LEVELS)
    # One step of rounding at each of three levels.
    assert (twice["target"] - 2 * once["target"]).abs().max() <= 6
    doubled = allocate(total, leaves.assign(expected=2 * leaves["expected"]), levels=LEVELS)
    pd.testing.assert_series_equal(doubled["target"], once["target"])


def two_units(sd: float = 10.0) -> pd.DataFrame:
    return pd.DataFrame({"unit_key": ["a", "b"], "expected": [100.0, 100.0], "sd": [sd, sd], "target": [104.0, 104.0]})


def test_the_chance_of_a_sum_is_that_of_the_sum_of_independent_parts() -> None:
    leaves = two_units()
    drawn = simulate(leaves, unit="unit_key", spread=NONE, draws=60_000, seed=1)
    # The sum of two of SD 10 has SD 14.1: P(sum >= 208) = P(z >= 8 / 14.1), a little less as the parts are lognormal.
    total = reach(drawn, leaves, [])["p_reach"].iloc[0]
    assert total == pytest.approx(stats.norm.sf(8 / np.hypot(10, 10)), abs=0.02)
    each = reach(drawn, leaves, ["unit_key"])["p_reach"]
    log_sd = np.sqrt(np.log(1.01))
    assert each.to_numpy() == pytest.approx(stats.lognorm.sf(104, log_sd, scale=100 * np.exp(-(log_sd**2) / 2)), abs=0.006)
    assert all_reached(drawn, leaves, ["unit_key"]) == pytest.approx(float(each.prod()), abs=0.01)
    # Not the product: the whole may land although a part does not.
    assert total > each.prod() + 0.1


def test_what_all_share_makes_the_parts_move_together() -> None:
    leaves = two_units(sd=1e-9)
    drawn = simulate(leaves, unit="unit_key", spread=Spread(common=0.05, freedom=1000, unit=0.0), draws=20_000, seed=1)
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(1.0)
    total = forecast(drawn, leaves, []).iloc[0]
    assert total["p80"] == pytest.approx(total["sum_p80"])
    assert total["p80"] == pytest.approx(200 * np.exp(0.05 * stats.norm.ppf(0.8)), rel=0.003)


def test_the_good_result_of_a_team_is_less_than_the_sum_of_good_results() -> None:
    leaves = two_units()
    total = forecast(simulate(leaves, unit="unit_key", spread=NONE, draws=20_000, seed=1), leaves, []).iloc[0]
    assert total["p80"] == pytest.approx(200 + np.hypot(10, 10) * stats.norm.ppf(0.8), abs=0.4)
    assert total["sum_p80"] == pytest.approx(200 + 20 * stats.norm.ppf(0.8), abs=0.4)
    assert total["p20"] < total["p50"] < total["p80"] < total["sum_p80"]


def test_the_same_seed_gives_the_same_draws() -> None:
    first, again = (simulate(two_units(), unit="unit_key", spread=NONE, draws=50, seed=7) for _ in range(2))
    assert (first == again).all()


def test_reconciliation_by_hand() -> None:
    units = pd.DataFrame({"unit_key": ["a", "b", "c"], "p50": [100.0, 60.0, 40.0], "limit": [np.nan, 55.0, 90.0]})
    found = reconcile(units, stretch=1.05, top_down=240.0)
    assert found["wanted"].tolist() == pytest.approx([105, 63, 42])
    assert found["target"].tolist() == pytest.approx([105, 55, 42])
    assert found["limited"].tolist() == [False, True, False]
    assert found["top_down"].tolist() == pytest.approx([120, 72, 48])
    assert found["gap"].tolist() == pytest.approx([15, 17, 6])
    assert reconcile(units, stretch=1.0)["gap"].isna().all()


def test_a_target_is_rebased_only_beyond_the_threshold() -> None:
    targets = pd.DataFrame({"target": [1000, 1000, 1000], "expected": [500.0, 500.0, 0.0], "expected_gone": [25.0, 50.0, 0.0]})
    found = rebased(targets, threshold=0.05, step=10)
    assert found["new_target"].tolist() == [1000, 900, 1000]
    assert found["rebased"].tolist() == [False, True, False]
    assert np.isnan(found["gone_share"].iloc[2])


def test_newcomers_carry_their_share() -> None:
    assert ramped([1, 1, 1, 1], [0, 1, 5, float("nan")], [0.5, 0.7]).tolist() == [0.5, 0.7, 1.0, 1.0]


def test_headcount_targets_are_explained_by_the_portfolio_and_targets_by_expected_recovery_are_not() -> None:
    rng = np.random.default_rng(3)
    team, expected = np.repeat(np.arange(10), 20), np.exp(rng.normal(0, 0.3, 200))
    cash = expected * np.exp(rng.normal(0, 0.25, 200))
    mix = np.stack([expected, rng.normal(size=200)], axis=1)
    by_head, p_head = explained_by_mix(cash, mix, team, draws=199, seed=1)
    by_expected, p_expected = explained_by_mix(cash / expected, mix, team, draws=199, seed=1)
    assert by_head > 0.4
    assert p_head == pytest.approx(1 / 200)
    assert by_expected < 0.04
    assert p_expected > 0.05


def test_skill_that_changes_the_portfolio_is_held_constant() -> None:
    rng = np.random.default_rng(5)
    team, skill = np.repeat(np.arange(10), 20), rng.normal(0, 0.3, 200)
    mix = (-skill + rng.normal(0, 0.1, 200))[:, None]
    attained = skill + rng.normal(0, 0.2, 200)
    assert explained_by_mix(attained, mix, team, draws=199, seed=1)[1] < 0.01
    assert explained_by_mix(attained, mix, team, held=skill, draws=199, seed=1)[1] > 0.05


def test_p_values_of_fair_targets_are_uniform() -> None:
    rng = np.random.default_rng(11)
    found = [explained_by_mix(rng.normal(size=40), rng.normal(size=(40, 2)), np.arange(40) % 4, draws=99, seed=1)[1] for _ in range(200)]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_too_few_officers_have_no_fairness() -> None:
    assert np.isnan(explained_by_mix([1.0, 2.0], [[1.0], [2.0]], ["a", "a"], draws=9, seed=1)).all()
