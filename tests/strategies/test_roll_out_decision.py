"""How large a test by lot must be, read from what an analysis without lots saw: clusters of a roll-out, cases near a cut-off."""

import numpy as np
import pytest
from collect_analysis.strategies.quasi_experiment.decision_cut_off import needed_for_test
from collect_analysis.strategies.quasi_experiment.decision_roll_out import CLUSTERS_A_SIDE, clusters_for
from statsmodels.stats.power import TTestIndPower


@pytest.mark.parametrize(("error", "clusters", "target"), [(0.01, 40, 0.02), (0.02, 20, 0.05), (0.004, 200, 0.005)])
def test_clusters_needed_have_the_power_of_the_t_test(error: float, clusters: int, target: float) -> None:
    needed = clusters_for(error, clusters, target)
    # Two sides of k/2 clusters with this spread have the error sd·√(4/k).
    spread = error * np.sqrt(clusters) / 2
    power = TTestIndPower().power(target / spread, needed / 2, 0.05)
    assert 0.80 <= power <= 0.82


def test_few_clusters_need_more_than_the_normal_formula_says() -> None:
    normal = 20 * (2.801585 * 0.02 / 0.05) ** 2
    assert clusters_for(0.02, 20, 0.05) == pytest.approx(normal + 2.5, abs=1.0)


def test_a_test_by_lot_has_enough_clusters_on_either_side_for_an_interval() -> None:
    assert clusters_for(0.001, 20, 1.0) == 2 * CLUSTERS_A_SIDE
    assert np.isnan(clusters_for(np.nan, 20, 1.0))
    assert np.isnan(clusters_for(0.1, 20, 0.0))


def test_cases_near_a_cut_off_are_planned_by_the_exact_size_of_two_shares() -> None:
    # 400 untreated cases, 40 with a result: 10 % against 11 %, R: power.prop.test -> 14,750.8 per arm.
    assert needed_for_test({"cases": 400, "sum_y": 40, "sum_y2": 40}, unit="share", margin=0.1) == 14_751
