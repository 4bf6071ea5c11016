"""How strong an unmeasured driver must be: VanderWeele & Ding's published values, and the bias formula by hand."""

import numpy as np
import pytest
from collect_analysis.methods.causal.sensitivity import driver_table, e_value, e_value_of_interval


def test_e_value_is_the_published_one() -> None:
    # VanderWeele & Ding (2017): breastfeeding, RR 3.9 (95 % interval 1.8 to 8.7) -> 7.26 and 3.0.
    assert float(e_value(3.9)) == pytest.approx(7.26, abs=0.005)
    assert e_value_of_interval(3.9, 1.8, 8.7) == pytest.approx(3.0, abs=1e-12)
    # The same paper: leukaemia RR 0.8 (0.71 to 0.91) -> 1.81 and 1.43.
    assert float(e_value(0.80)) == pytest.approx(1.81, abs=0.005)
    assert e_value_of_interval(0.80, 0.71, 0.91) == pytest.approx(1.43, abs=0.005)


def test_e_value_does_not_care_which_arm_is_called_the_base() -> None:
    ratios = np.array([1.1, 1.5, 2.0, 5.0])
    np.testing.assert_allclose(e_value(ratios), e_value(1 / ratios))
    assert (np.diff(e_value(ratios)) > 0).all()


def test_an_interval_that_holds_one_needs_no_driver_and_an_unknown_ratio_has_no_e_value() -> None:
    assert e_value_of_interval(1.2, 0.9, 1.6) == 1.0
    assert np.isnan(e_value_of_interval(float("nan"), 0.9, 1.6))
    assert np.isnan(e_value(np.array([0.0, -1.0]))).all()


def test_driver_of_twice_the_gap_needs_half_the_effect_on_the_outcome() -> None:
    table = driver_table(0.06, 0.02, 0.10, base_mean=0.30, gaps=(0.1, 0.2)).set_index("gap")
    # By hand: 0.06 / 0.1 = 0.6, relative to 0.30 twofold; the bound 0.02 / 0.1 = 0.2.
    assert table.loc[0.1].tolist() == pytest.approx([0.6, 2.0, 0.2, 2 / 3])
    assert (table.loc[0.2] * 2).tolist() == pytest.approx(table.loc[0.1].tolist())
    assert (driver_table(-0.06, -0.10, -0.02, base_mean=0.3)["outcome_change"] > 0).all()


def test_driver_table_of_an_interval_over_nought_says_no_driver_is_needed() -> None:
    table = driver_table(0.06, -0.02, 0.10, base_mean=0.0)
    assert (table["bound_change"] == 0).all()
    assert table["outcome_change_relative"].isna().all()
