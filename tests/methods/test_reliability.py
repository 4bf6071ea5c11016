"""Reliability: published examples, independent implementations, and a planted truth."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.profiling.reliability import NO_SPREAD, TOO_FEW, intraclass, parts_for, spearman_brown, split_half
from hypothesis import given, strategies as st
from scipy import stats

# Shrout and Fleiss (1979), table 2: six targets rated by four judges.
RATINGS = pd.DataFrame([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def test_the_published_ratings_have_the_published_correlations() -> None:
    """Table 4: ICC(1,1) 0.17, ICC(3,1) 0.71, of the mean of four judges 0.44 and 0.91. Interval of ICC(3,1): McGraw and Wong's F bounds."""
    one_way, consistent = intraclass(RATINGS, consistency=False), intraclass(RATINGS)
    assert one_way.value == pytest.approx(0.17, abs=0.005)
    assert consistent.value == pytest.approx(0.71, abs=0.005)
    assert spearman_brown(one_way.value, 4) == pytest.approx(0.44, abs=0.005)
    assert spearman_brown(consistent.value, 4) == pytest.approx(0.91, abs=0.005)
    assert (one_way.low, one_way.high) == pytest.approx((-0.13, 0.72), abs=0.006)
    assert (consistent.low, consistent.high) == pytest.approx((0.34, 0.95), abs=0.006)


def test_the_variances_are_those_of_a_mixed_model() -> None:
    from statsmodels.regression.mixed_linear_model import MixedLM

    rng = np.random.default_rng(5)
    wide = pd.DataFrame(rng.normal(0, 1, 40)[:, None] + rng.normal(0, 1.2, (40, 6)))
    found = intraclass(wide, consistency=False)
    long = wide.melt(ignore_index=False, value_name="y").reset_index(names="subject")
    fitted = MixedLM(long["y"], np.ones(len(long)), groups=long["subject"]).fit(reml=True)
    assert found.between == pytest.approx(float(fitted.cov_re.iloc[0, 0]), rel=1e-4)
    assert found.within == pytest.approx(float(fitted.scale), rel=1e-4)


def test_months_that_lift_everybody_do_not_count_and_gaps_do_no_harm() -> None:
    rng = np.random.default_rng(2)
    skill, month = rng.normal(0, 1, (400, 1)), np.array([0.0, 5, -3, 9])
    wide = pd.DataFrame(skill + month + rng.normal(0, np.sqrt(0.55 / 0.45), (400, 4)))
    gaps = wide.mask(rng.random(wide.shape) < 0.3)
    assert intraclass(wide).value == pytest.approx(0.45, abs=0.06)
    assert intraclass(gaps).value == pytest.approx(0.45, abs=0.08)
    assert intraclass(wide, consistency=False).value < 0.1
    assert intraclass(gaps).occasions < 4


@pytest.mark.parametrize("truth", [0.2, 0.45])
def test_the_interval_covers_the_planted_reliability(truth: float) -> None:
    rng = np.random.default_rng(8)
    covered = 0
    for _ in range(300):
        found = intraclass(pd.DataFrame(rng.normal(0, np.sqrt(truth), (30, 1)) + rng.normal(0, np.sqrt(1 - truth), (30, 6))))
        covered += found.low <= truth <= found.high
    assert 0.92 <= covered / 300 <= 0.98


def test_split_halves_are_correlated_as_numpy_and_stepped_up_by_hand() -> None:
    rng = np.random.default_rng(3)
    skill = rng.normal(0, 1, 60)
    first, second = skill + rng.normal(0, 1, 60), skill + rng.normal(0, 1, 60)
    found = split_half(np.append(first, np.nan), np.append(second, 1.0))
    r = np.corrcoef(first, second)[0, 1]
    interval = stats.pearsonr(first, second).confidence_interval(0.95)
    assert found.value == pytest.approx(2 * r / (1 + r))
    assert (found.low, found.high) == pytest.approx([2 * b / (1 + b) for b in interval])
    assert found.subjects == 60


def test_three_months_of_the_planted_reliability_and_the_months_that_are_enough() -> None:
    """By hand: 3 x 0.45 / (1 + 2 x 0.45) = 1.35/1.9; 0.5 x 0.8 / (0.2 x 0.5) = 4; a month of 0.5 is enough by itself."""
    assert spearman_brown(0.45, 3) == pytest.approx(1.35 / 1.9)
    assert spearman_brown([-0.1, 0.0], 3).tolist() == [-0.1, 0.0]
    assert parts_for([0.2, 0.5, 0.9], wanted=0.5).tolist() == [4, 1, 1]
    assert np.isnan(parts_for([0.0, -0.2], wanted=0.5)).all()


@given(st.floats(0.01, 0.99), st.floats(0.05, 0.95))
def test_pooling_the_months_it_asks_for_is_enough_and_one_less_is_not(reliability: float, wanted: float) -> None:
    months = float(parts_for(reliability, wanted=wanted))
    assert spearman_brown(reliability, months) >= wanted - 1e-9
    assert months == 1 or spearman_brown(reliability, months - 1) < wanted + 1e-9


def test_what_has_no_spread_or_too_few_subjects_is_undefined_with_a_reason() -> None:
    assert (intraclass(RATINGS.head(4)).note, split_half([1, 2], [1, 2]).note) == (TOO_FEW, TOO_FEW)
    flat = pd.DataFrame(np.ones((6, 3)))
    assert (intraclass(flat).note, split_half(np.ones(6), np.arange(6.0)).note) == (NO_SPREAD, NO_SPREAD)
    assert np.isnan(intraclass(flat).value)
