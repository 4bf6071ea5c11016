"""Agreement of assessors: worked examples, independent implementations, and what has no meaning."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.profiling.agreement import (
    NOTHING_RATED,
    NOTHING_VARIES,
    cohen_kappa,
    double_ratings_needed,
    fleiss_kappa,
    label_counts,
    rater_spread,
)

# Fourteen raters, ten cases, five labels: the worked example of the encyclopaedia entry on Fleiss' kappa, 0.210.
FOURTEEN = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip
THREE = np.array([[44, 5, 1], [7, 20, 3], [9, 5, 6]])


def test_kappa_of_fifty_proposals_is_two_fifths() -> None:
    found = cohen_kappa([[20, 5], [10, 15]])
    assert (found.observed, found.expected, found.kappa) == pytest.approx((0.7, 0.5, 0.4))


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_kappa_and_its_interval_are_those_of_an_independent_implementation(weights) -> None:
    rater = pytest.importorskip("statsmodels.stats.inter_rater")
    other = rater.cohens_kappa(THREE, wt=None if weights == "none" else weights)
    found = cohen_kappa(THREE, weights=weights)
    assert (found.kappa, found.low, found.high) == pytest.approx((other.kappa, other.kappa_low, other.kappa_upp), rel=1e-9)


def test_quadratic_kappa_is_that_of_the_learning_library() -> None:
    from sklearn.metrics import cohen_kappa_score

    first = np.repeat([0, 0, 0, 1, 1, 1, 2, 2, 2], THREE.ravel())
    second = np.repeat([0, 1, 2, 0, 1, 2, 0, 1, 2], THREE.ravel())
    assert cohen_kappa(THREE, weights="quadratic").kappa == pytest.approx(cohen_kappa_score(first, second, weights="quadratic"))


def test_changing_raters_agree_as_in_the_worked_example() -> None:
    rater = pytest.importorskip("statsmodels.stats.inter_rater")
    found = fleiss_kappa(FOURTEEN)
    assert found.kappa == pytest.approx(0.210, abs=0.0005)
    assert found.kappa == pytest.approx(rater.fleiss_kappa(np.array(FOURTEEN)))
    assert found.low < found.kappa < found.high


def test_cases_rated_once_do_not_count() -> None:
    ratings = pd.DataFrame({"case": [1, 1, 2, 2, 3], "label": ["a", "a", "a", "b", "a"]})
    found = fleiss_kappa(label_counts(ratings, case="case", label="label").to_numpy())
    assert (found.cases, found.observed) == (2, 0.5)


def test_agreement_without_data_or_without_variety_has_a_reason_and_no_number() -> None:
    for found, note in (
        (fleiss_kappa(np.empty((0, 2))), NOTHING_RATED),
        (cohen_kappa(np.zeros((2, 2))), NOTHING_RATED),
        (fleiss_kappa([[2, 0], [2, 0], [2, 0]]), NOTHING_VARIES),
        (cohen_kappa([[9, 0], [0, 0]]), NOTHING_VARIES),
    ):
        assert np.isnan(found.kappa)
        assert found.note == note


def test_as_many_double_ratings_as_planned_give_the_planned_interval() -> None:
    kappa, share = 0.6, 0.2
    needed = double_ratings_needed(kappa, [1 - share, share], half_width=0.1)
    p = np.array([1 - share, share])
    table = (kappa * np.diag(p) + (1 - kappa) * np.outer(p, p)) * needed
    found = cohen_kappa(table)
    assert found.kappa == pytest.approx(kappa)
    assert (found.high - found.low) / 2 == pytest.approx(0.1, rel=0.01)
    assert np.isnan(double_ratings_needed(0.6, [1.0, 0.0]))


def test_strict_assessors_show_as_in_an_analysis_of_variance() -> None:
    from scipy import stats

    rng = np.random.default_rng(1)
    scores = {rater: rng.normal(0.8 + 0.05 * (rater == 3), 0.1, 40) for rater in (1, 2, 3)}
    sums = pd.DataFrame(
        [{"unit_key": "u", "assessor": rater, "n": len(x), "total": x.sum(), "squares": (x**2).sum()} for rater, x in scores.items()]
    )
    found = rater_spread(sums, group="unit_key", rater="assessor")
    f, p_value = stats.f_oneway(*scores.values())
    assert (found["f"], found["p_value"]) == pytest.approx((f, p_value))
    assert np.isnan(rater_spread(sums.head(1), group="unit_key", rater="assessor")["share"])
