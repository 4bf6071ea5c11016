"""Which looks count, what their boundaries say, and that looking every day fools nobody."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import ParameterError
from collect_analysis.methods.trials import interim
from collect_analysis.methods.trials.experiments import arm_means
from collect_analysis.methods.trials.sequential import boundaries, conditional_power, final_bound, first_crossing
from scipy import stats

from tests.bench.calibration_looks import estimated, exact


def effects(values: list[float], errors: list[float], cases: int = 1_000) -> pd.DataFrame:
    days = [date(2026, 1, 5) + timedelta(days=7 * number) for number in range(len(values))]
    return pd.DataFrame(
        {"look_day": days, "arm": "b", "cases": cases, "base_cases": cases, "positive": 100, "value": values, "se": errors, "note": ""}
    )


def test_an_effect_at_a_look_is_the_difference_of_the_means_of_that_look() -> None:
    rng = np.random.default_rng(1)
    rows, expected = [], []
    for look in range(3):
        samples = {arm: rng.poisson(2 + (arm == "b"), 50 + 10 * look).astype(float) for arm in "ab"}
        for arm, y in samples.items():
            sums = {"clusters": y.size, "cases": y.size, "positive": (y > 0).sum(), "sum_y": y.sum(), "sum_y2": y @ y, "sum_yy": y @ y}
            keys = {"look_day": date(2026, 1, 1 + look), "outcome": "x", "unit": "count", "horizon_days": 30, "arm": arm, "note": ""}
            rows.append({**keys, **sums, "sum_yn": y.sum(), "sum_nn": y.size})
        a, b = samples["a"], samples["b"]
        expected.append([b.mean() - a.mean(), np.sqrt(a.var(ddof=1) / a.size + b.var(ddof=1) / b.size)])
    found = interim.effects_by_look(arm_means(pd.DataFrame(rows)), base="a")
    np.testing.assert_allclose(found[["value", "se"]].to_numpy(), expected, rtol=1e-10)


def test_boundaries_of_planned_looks_are_the_published_ones() -> None:
    table = interim.monitored(effects([0.0] * 5, list(1 / np.sqrt(np.arange(1, 6)))), planned_information=5.0, rule="obrien_fleming")
    np.testing.assert_allclose(table["bound"], [4.8769, 3.3570, 2.6803, 2.2898, 2.0310], atol=1e-4)
    assert interim.naive_error(table) == pytest.approx(0.1417, abs=1e-4)


def test_small_looks_and_looks_without_news_are_shown_and_not_tested() -> None:
    table = effects([3.0, 3.0, 3.0, 3.0, 3.0], [1.0, 0.8, 0.8, 0.5, 0.4])
    table.loc[0, "cases"] = 99
    found = interim.monitored(table, planned_information=4.0, rule="pocock")
    assert found["used"].tolist() == [False, True, False, True, False]
    assert found["note"].tolist() == [interim.TOO_EARLY, "", interim.NOTHING_NEW, "", interim.COMPLETE]
    assert found["crossed"].tolist() == ["", "up", "up", "up", "up"]
    assert found.loc[~found["used"], ["low", "high", "bound"]].isna().all(axis=None)


def test_a_crossing_keeps_the_side_on_which_it_happened() -> None:
    found = interim.monitored(effects([-5.0, 0.5], [1.0, 0.7]), planned_information=4.0, rule="always_valid")
    assert found["crossed"].tolist() == ["down", "down"]


def test_without_a_plan_no_look_has_a_boundary() -> None:
    found = interim.monitored(effects([5.0], [1.0]), planned_information=float("nan"), rule="pocock")
    assert found["note"].tolist() == [interim.NO_PLAN]
    assert found["crossed"].tolist() == [""]
    assert np.isnan(interim.naive_error(found))


def test_no_look_at_all_is_an_empty_table() -> None:
    assert interim.monitored(effects([], []), planned_information=4.0, rule="pocock").empty


def test_conditional_power_is_the_share_of_simulated_tests_that_end_above_the_bound() -> None:
    z, fraction, drift = 1.2, 0.4, 2.8
    bound = boundaries([0.4, 1.0])["z"].iloc[-1]
    rest = np.random.default_rng(2).normal(drift * (1 - fraction), np.sqrt(1 - fraction), 400_000)
    simulated = (z * np.sqrt(fraction) + rest >= bound).mean()
    assert conditional_power(z, fraction, drift=drift, bound=bound) == pytest.approx(simulated, abs=4 * np.sqrt(0.25 / 400_000))
    assert final_bound([0.4], planned_information=100.0) == pytest.approx(bound)


def test_conditional_power_averages_to_the_power_of_the_whole_test() -> None:
    drift, fraction, bound = 2.8, 0.3, 1.959964
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    z = drift * np.sqrt(fraction) + nodes
    mean = sum(w * conditional_power(value, fraction, drift=drift, bound=bound) for value, w in zip(z, weights, strict=True))
    assert mean / weights.sum() == pytest.approx(stats.norm.sf(bound - drift), abs=1e-9)
    both = first_crossing([bound], [1.0], drift=drift).item()
    assert mean / weights.sum() == pytest.approx(both, abs=1e-5)


def test_conditional_power_is_certain_at_full_information_and_undefined_without_an_effect() -> None:
    assert conditional_power(2.5, 1.0, drift=1.0, bound=2.0) == 1.0
    assert conditional_power(1.5, 1.1, drift=1.0, bound=2.0) == 0.0
    assert np.isnan(conditional_power(1.5, 0.5, drift=float("nan"), bound=2.0))
    with pytest.raises(ParameterError, match="fraction must be above 0"):
        conditional_power(1.0, 0.0, drift=1.0, bound=2.0)


def test_a_manager_who_looks_every_day_is_not_misled() -> None:
    found = exact(4_000, seed=7).set_index("case")["rate"]
    error = 3 * np.sqrt(0.05 * 0.95 / 4_000)
    for case in ("obrien_fleming, daily looks", "pocock, daily looks", "always_valid, daily looks"):
        assert found[case] <= 0.05 + error
    # Boundaries that spend the error rate use it up; the plain bound multiplies it.
    assert found["pocock, daily looks"] >= 0.05 - error
    assert found["plain interval, daily looks"] > 0.25


def test_a_manager_who_looks_at_accounts_every_week_is_not_misled() -> None:
    found = estimated(40, seed=8).set_index("case")["rate"]
    error = 3 * np.sqrt(0.05 * 0.95 / 40)
    for case in ("obrien_fleming, accounts, weekly looks", "pocock, accounts, weekly looks", "always_valid, accounts, weekly looks"):
        assert found[case] <= 0.05 + error
    assert found["plain interval, accounts, weekly looks"] > 0.05
