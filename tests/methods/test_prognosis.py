"""Predictions judged on cases not seen: against scikit-learn, scipy and statsmodels, by hand, and on planted truths."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from collect_analysis.errors import DataError
from collect_analysis.methods.profiling import prognosis
from collect_analysis.methods.profiling.prognosis import (
    Encoder,
    area_under_curve,
    calibration_slope,
    calibration_table,
    cluster_error,
    fit_prognosis,
    judge_prognosis,
    partial_effects,
    permutation_importance,
)
from hypothesis import given, strategies as st
from scipy import special, stats
from sklearn import inspection, metrics


def drawn(n: int = 3_000, seed: int = 5) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """`a` drives the outcome, `kind` a little, `noise` not at all; two cases a customer."""
    rng = np.random.default_rng(seed)
    x = pd.DataFrame({"a": rng.normal(size=n), "noise": rng.normal(size=n), "kind": rng.choice(["card", "loan"], n)})
    x.loc[rng.random(n) < 0.05, "noise"] = np.nan
    y = (rng.random(n) < special.expit(-1 + 1.2 * x["a"] + 0.6 * (x["kind"] == "card"))).astype(int)
    return x, y.to_numpy(), np.arange(n) // 2


@pytest.fixture(scope="module")
def fitted():
    x, y, cluster = drawn()
    half = cluster % 2 == 0
    model = fit_prognosis(x[half], y[half], seed=1)
    later = x[~half].reset_index(drop=True)
    return model, later, y[~half], cluster[~half], model.predict(later)


def test_scores_are_those_of_scikit_learn(fitted) -> None:
    _, _, y, cluster, p = fitted
    table = judge_prognosis(y, p, cluster).set_index("measure")["value"]
    assert table["auc"] == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-12)
    assert table["brier"] == pytest.approx(metrics.brier_score_loss(y, p), abs=1e-12)
    assert table["log_loss"] == pytest.approx(metrics.log_loss(y, p), abs=1e-9)
    assert table["brier"] < table["brier_base"]


def test_the_error_of_the_area_is_delongs() -> None:
    # Independent: the structural components of DeLong (1988), by comparing every pair.
    rng = np.random.default_rng(4)
    y, score = rng.integers(0, 2, 60), rng.integers(0, 9, 60).astype(float)
    pairs = (score[y == 1][:, None] > score[y == 0]) + 0.5 * (score[y == 1][:, None] == score[y == 0])
    v10, v01 = pairs.mean(axis=1), pairs.mean(axis=0)
    # Population variances: the library's factor G/(G-1) runs over all cases, DeLong's over each class.
    expected = np.sqrt(v10.var() / len(v10) + v01.var() / len(v01)) * np.sqrt(60 / 59)
    area, influence = area_under_curve(y, score)
    assert area == pytest.approx(pairs.mean(), abs=1e-12)
    assert area == pytest.approx(stats.mannwhitneyu(score[y == 1], score[y == 0]).statistic / pairs.size, abs=1e-12)
    assert cluster_error(influence, np.arange(60)) == pytest.approx(expected, rel=1e-12)


def test_cases_of_one_customer_count_once() -> None:
    y, score = np.array([0, 1, 1, 0, 1, 0]), np.array([0.1, 0.9, 0.4, 0.5, 0.8, 0.3])
    once = cluster_error(area_under_curve(y, score)[1], np.arange(6))
    twice = cluster_error(area_under_curve(np.repeat(y, 2), np.repeat(score, 2))[1], np.repeat(np.arange(6), 2))
    assert twice == pytest.approx(once, rel=1e-12)


def test_the_calibration_slope_is_that_of_a_logistic_regression(fitted) -> None:
    _, _, y, _, p = fitted
    slope, influence = calibration_slope(y, p)
    own = sm.Logit(y, sm.add_constant(special.logit(p))).fit(disp=0, cov_type="HC0")
    assert slope == pytest.approx(own.params[1], rel=1e-8)
    n = len(y)
    assert cluster_error(influence, np.arange(n)) == pytest.approx(own.bse[1] * np.sqrt(n / (n - 1)), rel=1e-6)


def test_calibration_groups_by_hand() -> None:
    p = [0.1, 0.1, 0.2, 0.3, 0.6, 0.6, 0.8, 0.9]
    table = calibration_table([0, 0, 0, 1, 1, 0, 1, 1], p, groups=4)
    assert list(table["cases"]) == [2, 2, 2, 2]
    assert list(table["value"]) == [0.0, 0.5, 0.5, 1.0]
    assert list(table["predicted"]) == pytest.approx([0.1, 0.25, 0.6, 0.85])
    assert list(table["numerator"]) == [0, 1, 1, 2]


def test_equal_predictions_stay_in_one_group() -> None:
    assert list(calibration_table([0, 1] * 10, [0.3] * 20)["cases"]) == [20]


def test_importance_is_that_of_scikit_learn_and_noise_has_none(fitted) -> None:
    model, later, y, cluster, _ = fitted
    table = permutation_importance(model, later, y, cluster, rng=np.random.default_rng(1), repeats=8).set_index("factor")
    assert list(table.index[:2]) == ["a", "kind"]
    assert table.loc["noise", "low"] < 0.002
    assert table.loc["a", "low"] > 0.05
    with prognosis.one_thread():
        own = inspection.permutation_importance(
            model.fitted, model.encoder.numbers(later), y, scoring="roc_auc", n_repeats=8, random_state=3, n_jobs=1
        )
    assert table.loc[list(later.columns), "value"].to_numpy() == pytest.approx(own["importances_mean"], abs=0.02)


def test_the_partial_effect_is_the_mean_prediction_at_the_value() -> None:
    x, y, cluster = drawn(1_600)
    table = partial_effects(x[:800], y[:800], cluster[:800], x[800:], rng=np.random.default_rng(2), seed=1)
    model = fit_prognosis(x[:800], y[:800], seed=1)
    card = table[(table["factor"] == "kind") & (table["category"] == "card")].iloc[0]
    assert card["value"] == pytest.approx(model.predict(x[800:].assign(kind="card")).mean(), abs=1e-12)
    rising = table[table["factor"] == "a"]
    assert rising["value"].iloc[-1] - rising["value"].iloc[0] > 0.3
    assert rising["low"].iloc[-1] > rising["high"].iloc[0]
    assert (table["low"] >= 0).all()
    assert (table["high"] <= 1).all()


def test_the_same_input_gives_the_same_bits() -> None:
    x, y, cluster = drawn(800)
    first, second = (partial_effects(x, y, cluster, x, rng=np.random.default_rng(1), seed=1) for _ in range(2))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30))
def test_turning_the_order_round_mirrors_the_area(pairs: list[tuple[bool, int]]) -> None:
    y, score = np.array([int(yes) for yes, _ in pairs]), np.array([float(value) for _, value in pairs])
    area, influence = area_under_curve(y, score)
    mirrored, _ = area_under_curve(y, -score)
    if len(set(y)) < 2:
        assert np.isnan(area)
        return
    assert area + mirrored == pytest.approx(1)
    assert influence.sum() == pytest.approx(0, abs=1e-9)


def test_one_class_cannot_be_predicted_nor_judged() -> None:
    x, _, cluster = drawn(100)
    with pytest.raises(DataError, match="all 100 cases have the same outcome"):
        fit_prognosis(x, np.zeros(100), seed=1)
    table = judge_prognosis(np.zeros(100), np.linspace(0.1, 0.9, 100), cluster).set_index("measure")
    assert np.isnan(table.loc["auc", "value"])
    assert table.loc["auc", "note"] == "one outcome only: nothing to judge"


def test_categories_beyond_the_most_frequent_are_one_and_unknown_ones_missing() -> None:
    x = pd.DataFrame({"c": [f"k{place:02d}" for place in range(40) for _ in range(40 - place)]})
    encoder = Encoder.of(x)
    assert len(encoder.categories["c"]) == prognosis.MOST_CATEGORIES + 1
    codes = encoder.numbers(pd.DataFrame({"c": ["k00", "k39", None]}))[:, 0]
    assert codes[0] == 0
    assert codes[1] == encoder.categories["c"].index(prognosis.OTHER)
    assert np.isnan(codes[2])
