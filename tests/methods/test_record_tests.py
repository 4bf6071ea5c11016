"""Tests of records against chance: independent implementations, calibration, and what cannot be tested."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.profiling.record_tests import count_excess, digit_test, rank_correlation, share_excess
from scipy import stats


def test_an_excess_share_is_tested_exactly_and_over_the_family() -> None:
    table = share_excess(pd.DataFrame({"observed": [30, 17, 0], "trials": [900, 900, 0]}), chance=1 / 60)
    exact = [stats.binomtest(seen, 900, 1 / 60, alternative="greater").pvalue for seen in (30, 17)]
    assert table["p_value"].tolist()[:2] == pytest.approx(exact)
    assert table["p_adjusted"][0] == pytest.approx(2 * exact[0])
    assert table["beyond"].tolist() == [True, False, False]
    assert table["expected"].tolist() == pytest.approx([15, 15, 0])
    assert table["note"].tolist() == ["", "", "nothing to test"]


def test_one_of_what_never_happens_is_beyond_chance() -> None:
    table = count_excess(pd.DataFrame({"observed": [1, 0, 12], "expected": [0.0, 0.0, 10.0], "trials": [50, 50, 50]}))
    assert table["beyond"].tolist() == [True, False, False]
    assert table["p_value"][2] == pytest.approx(stats.poisson.sf(11, 10))


def test_digits_are_tested_as_by_pearson() -> None:
    counts = [130, 95, 102, 99, 88, 101, 97, 96, 93, 99]
    found = digit_test(counts)
    # (30² + 5² + 2² + 1² + 12² + 1² + 3² + 4² + 7² + 1²) / 100
    assert (found["statistic"], found["p_value"]) == pytest.approx((11.5, stats.chi2.sf(11.5, 9)))
    assert found["first"] == pytest.approx(0.13)
    assert np.isnan(digit_test([0] * 10)["p_value"])


def test_even_digits_are_called_uneven_one_time_in_twenty() -> None:
    rng = np.random.default_rng(2)
    called = [digit_test(rng.multinomial(500, [0.1] * 10))["p_value"] < 0.05 for _ in range(1000)]
    assert 0.03 < np.mean(called) < 0.07


def test_one_cell_gives_the_rank_correlation_and_cells_do_not_mix() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=60)
    table = pd.DataFrame({"unit": "a", "who": range(60), "x": x, "y": 0.6 * x + rng.normal(size=60)})
    found = rank_correlation(table, x="x", y="y", within=["unit"], person="who")
    assert found["value"] == pytest.approx(stats.spearmanr(table["x"], table["y"]).statistic)
    assert found["low"] < found["value"] < found["high"]
    # A unit that is better at everything says nothing of people.
    apart = pd.DataFrame({"unit": np.repeat(["a", "b"], 200), "who": range(400), "x": rng.normal(size=400), "y": rng.normal(size=400)})
    apart.loc[200:, ["x", "y"]] += 10
    assert abs(rank_correlation(apart, x="x", y="y", within=["unit"], person="who")["value"]) < 0.15


def test_too_few_persons_have_no_correlation() -> None:
    table = pd.DataFrame({"unit": "a", "who": [1, 2, 1, 2], "x": [1.0, 2, 3, 4], "y": [1.0, 2, 3, 4]})
    assert np.isnan(rank_correlation(table, x="x", y="y", within=["unit"], person="who")["value"])
