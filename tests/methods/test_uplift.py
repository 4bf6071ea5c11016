"""Effect scores, Qini curve and heterogeneity test: by hand, against statsmodels, and on planted truths."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from collect_analysis.errors import DataError
from collect_analysis.methods.targeting import policy_tree, uplift
from collect_analysis.methods.targeting.uplift import (
    effect_scores,
    heterogeneity_test,
    qini,
    qini_coefficient,
    qini_curve,
    uplift_calibration,
)
from hypothesis import given, strategies as st

from tests.bench import calibration_drivers

# Ten cases, half of them treated: the first five do what the treatment wants only if treated, the last five whatever is done.
TREATED = np.array([1, 0, 1, 0, 1, 0, 1, 0, 1, 0])
PAID = np.array([1, 0, 1, 0, 1, 1, 1, 1, 1, 1])
ORDER = np.arange(10, 0, -1.0)


def scores_by_hand() -> np.ndarray:
    # Inverse propensity at 1/2: 2y if treated, -2y if not.
    return np.array([2, 0, 2, 0, 2, -2, 2, -2, 2, -2.0])


def test_scores_without_a_model_are_inverse_propensity() -> None:
    found = effect_scores(PAID, TREATED, np.full(10, 0.5), np.zeros(10), np.zeros(10))
    assert list(found) == list(scores_by_hand())
    # Mean of the scores: difference of means, 5/5 - 3/5.
    assert found.mean() == pytest.approx(0.4)


def test_qini_of_a_perfect_order_by_hand() -> None:
    # Σ score·(1/2 - place)/10 with places .05, .15, ..., .95:
    # 2·(.45) + 2·(.25) + 2·(.05) - 2·(-.05) + 2·(-.15) - 2·(-.25) + 2·(-.35) - 2·(-.45) = 2.0 -> 0.20
    assert qini_coefficient(scores_by_hand(), ORDER) == pytest.approx(0.20)
    # As the area between the curve (gain per case: 0, .2, .2, .4, .4, .6, .4, .6, .4, .6, .4) and the line to .4, by trapezes.
    gains = np.concatenate([[0], np.cumsum(scores_by_hand()) / 10])
    assert np.trapezoid(gains - np.linspace(0, 0.4, 11), dx=0.1) == pytest.approx(0.20)


def test_the_curve_is_the_gain_of_the_first_cases_and_ends_at_the_effect() -> None:
    curve = qini_curve(scores_by_hand(), ORDER, np.arange(10)).set_index("treated")
    assert curve.loc[0.0, "value"] == 0
    assert curve.loc[0.5, "value"] == pytest.approx(0.6)
    assert curve.loc[1.0, "value"] == pytest.approx(0.4)
    assert curve.loc[0.5, "random"] == pytest.approx(0.2)


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 4)), min_size=3, max_size=40))
def test_qini_turns_its_sign_with_the_order_and_ties_are_worth_nothing(pairs: list[tuple[float, int]]) -> None:
    score, order = np.array([pair[0] for pair in pairs]), np.array([float(pair[1]) for pair in pairs])
    assert qini_coefficient(score, order) == pytest.approx(-qini_coefficient(score, -order), abs=1e-9)
    assert qini_coefficient(score, np.ones(len(score))) == pytest.approx(0, abs=1e-9)


def test_a_random_order_is_worth_nothing() -> None:
    rng = np.random.default_rng(2)
    score = rng.normal(0.3, 2, 4_000)
    found = [qini_coefficient(score, rng.random(4_000)) for _ in range(200)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(200)
    assert abs(np.mean(found)) < 0.005


def test_the_bootstrap_error_is_that_of_a_mean() -> None:
    # For an order drawn before, the coefficient is a mean of score·(1/2 - place), centred: its error is known.
    rng = np.random.default_rng(3)
    score, order = rng.normal(size=3_000), rng.random(3_000)
    found = qini(score, order, np.arange(3_000), rng=np.random.default_rng(1))
    assert found["se"] == pytest.approx(np.sqrt(1 / 12 / 3_000), rel=0.12)
    assert found["low"] < found["value"] < found["high"]


def test_customers_are_drawn_whole() -> None:
    rng = np.random.default_rng(3)
    score, order = rng.normal(size=1_000), rng.random(1_000)
    alone = qini(score, order, np.arange(1_000), rng=np.random.default_rng(1))["se"]
    twice = qini(np.repeat(score, 2), np.repeat(order, 2), np.repeat(np.arange(1_000), 2), rng=np.random.default_rng(1))["se"]
    assert twice == pytest.approx(alone, rel=0.03)


def test_the_heterogeneity_test_is_a_regression_with_errors_by_customer() -> None:
    rng = np.random.default_rng(4)
    cluster = np.arange(900) // 3
    predicted = rng.normal(size=900)
    score = 0.2 + 0.7 * predicted + rng.normal(size=300)[cluster] + rng.normal(size=900)
    own = sm.OLS(score, sm.add_constant(predicted)).fit(cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": False})
    found = heterogeneity_test(score, predicted, cluster)
    assert found["value"] == pytest.approx(own.params[1], rel=1e-10)
    assert found["se"] == pytest.approx(own.bse[1] * np.sqrt(300 / 299), rel=1e-8)


def test_fifths_hold_the_mean_scores() -> None:
    table = uplift_calibration(scores_by_hand(), ORDER, np.arange(10))
    assert list(table["value"]) == [0, 0, 0, 1, 1]
    assert list(table["cases"]) == [2] * 5


def test_one_prediction_for_all_leaves_nothing_to_rank() -> None:
    found = qini(scores_by_hand(), np.ones(10), np.arange(10), rng=np.random.default_rng(1))
    assert np.isnan(found["low"])
    assert found["note"] == uplift.ONE_PREDICTION
    assert np.isnan(heterogeneity_test(scores_by_hand(), np.ones(10), np.arange(10))["p_value"])


def test_a_probability_of_one_is_refused() -> None:
    with pytest.raises(DataError, match="2 of 10 cases were treated with probability 0 or 1"):
        effect_scores(PAID, TREATED, np.array([1.0, 0.0] + [0.5] * 8), np.zeros(10), np.zeros(10))


def test_an_arm_without_cases_is_refused() -> None:
    x = pd.DataFrame({"a": np.arange(50.0)})
    with pytest.raises(DataError, match="no treated case to learn from"):
        uplift.learn_uplift(x, np.zeros(50), np.zeros(50), np.full(50, 0.5), np.arange(50), rng=np.random.default_rng(1), seed=1)


def test_planted_heterogeneity_is_found_and_judged() -> None:
    rng = np.random.default_rng(11)
    data = calibration_drivers.cohort(rng, planted=True, cases=16_000)
    found = calibration_drivers.judged(data, rng, depth=1)
    assert qini(found["scores"], found["predicted"], found["cluster"], rng=rng)["low"] > 0
    assert heterogeneity_test(found["scores"], found["predicted"], found["cluster"])["p_value"] < 0.001
    (first, second) = found["tree"].rules
    assert (first.treat, second.treat) == (False, True)
    assert second.clauses[0].factor == "score"
    assert second.clauses[0].low == pytest.approx(calibration_drivers.CUT, abs=0.12)
    row = found["values"].set_index("policy").loc["tree"]
    truth = float((found["chosen"] * data["effect"][data["judging"]]).mean())
    assert row["over_none_low"] < truth < row["over_none_high"]
    assert row["over_all_low"] > 0
    assert policy_tree.rule_effects(found["tree"], data["x"][data["judging"]], found["scores"], found["cluster"])["high"].iloc[0] < 0.02


def test_false_positives_and_coverage_are_near_their_level() -> None:
    table = calibration_drivers.run(8, seed=1).set_index("case")
    assert (table.loc[table["wanted"] == "0.04-0.06", "low"] <= 0.05).all()
    assert (table.loc[table["wanted"] == "0.93-0.97", "high"] >= 0.95).all()
