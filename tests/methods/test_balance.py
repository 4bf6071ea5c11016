"""The joint test of balance: published numbers, the regression it stands for, and the lot itself."""

import numpy as np
import pytest
import statsmodels.api as sm
from collect_analysis.methods.trials.balance import Moments, distance_p_value, joint_balance
from scipy import stats
from statsmodels.multivariate.manova import MANOVA

# Nuclear plants without partial turnkey guarantees (Cox & Snell, Applied Statistics, 1981): capacity, time to a construction permit plus
# construction, and whether at an existing site. Names as in the documentation of the R package optmatch, which prints the test.
NAMES = ["H", "I", "A", "J", "B", "K", "L", "M", "C", "N", "O", "P", "Q", "R", "S", "T", "U", "D", "V", "E", "W", "F", "X", "G", "Y", "Z"]
CAPACITY = [687, 1065, 1065, 1065, 1065, 514, 822, 457, 822, 792, 560, 790, 530, 1050, 850, 778, 845, 530, 1090, 1050, 913, 828, 786, 821]
CAPACITY += [538, 1130]
TIME = [46, 73, 85, 67, 78, 51, 50, 59, 55, 71, 64, 47, 62, 52, 65, 67, 60, 76, 67, 59, 70, 57, 59, 58, 44, 57]
PLANTS = np.column_stack([CAPACITY, TIME]).astype(float)
EXISTING = np.array([name in "ABCDEFG" for name in NAMES])
# The seven pairs of the matching on capacity that the same page judges.
PAIRS = {"A": "I", "B": "J", "C": "S", "D": "Q", "E": "R", "F": "U", "G": "L"}


def moments(x: np.ndarray, clusters: np.ndarray | None = None) -> Moments:
    """The sums over the clusters of an arm (each case its own where none are given)."""
    keys = np.arange(len(x)) if clusters is None else clusters
    rows = np.array([[float((keys == key).sum()), *x[keys == key].sum(axis=0)] for key in np.unique(keys)]).reshape(-1, x.shape[1] + 1)
    return Moments(clusters=len(rows), sums=rows.sum(axis=0), products=rows.T @ rows)


def by_arm(x: np.ndarray, arm: np.ndarray) -> dict[str, Moments]:
    return {str(name): moments(x[arm == name]) for name in np.unique(arm)}


def test_the_nuclear_plants_give_the_published_test() -> None:
    found = joint_balance([by_arm(PLANTS, EXISTING)])
    assert (round(found.chi2, 2), found.df, round(found.p_value, 3)) == (2.71, 2, 0.258)
    capacity, time = (joint_balance([by_arm(PLANTS[:, [column]], EXISTING)]).chi2 ** 0.5 for column in (0, 1))
    assert (round(capacity, 2), round(time, 2)) == (0.86, 1.61)


def test_the_matched_plants_give_the_published_test_within_pairs() -> None:
    pairs = [[NAMES.index(name) for name in pair] for pair in PAIRS.items()]
    found = joint_balance([by_arm(PLANTS[pair], EXISTING[pair]) for pair in pairs])
    assert (round(found.chi2, 2), found.df, round(found.p_value, 4)) == (6.73, 2, 0.0345)


def test_two_arms_are_the_regression_of_the_arm() -> None:
    rng = np.random.default_rng(3)
    x, arm = rng.normal(size=(300, 4)), rng.random(300) < 0.4
    explained = sm.OLS(arm.astype(float), sm.add_constant(x)).fit().rsquared
    assert joint_balance([by_arm(x, arm)]).chi2 == pytest.approx(299 * explained, rel=1e-9)


def test_several_arms_are_pillais_trace() -> None:
    rng = np.random.default_rng(4)
    x, arm = rng.normal(size=(240, 3)), rng.integers(0, 4, 240)
    dummies = np.column_stack([np.ones(240), *((arm == name).astype(float) for name in (1, 2, 3))])
    table = MANOVA(x, dummies).mv_test([("arm", np.eye(4)[1:])]).results["arm"]["stat"]
    found = joint_balance([by_arm(x, arm)])
    assert found.df == 9
    assert found.chi2 == pytest.approx(239 * float(table.loc["Pillai's trace", "Value"]), rel=1e-9)


def test_a_variable_that_repeats_others_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    x, arm = rng.normal(size=(200, 2)), rng.random(200) < 0.5
    twice = np.column_stack([x, x @ [2.0, -1.0], np.ones(200)])
    plain, repeated = joint_balance([by_arm(x, arm)]), joint_balance([by_arm(twice, arm)])
    assert (repeated.df, repeated.chi2) == (2, pytest.approx(plain.chi2, rel=1e-6))


def test_p_values_of_drawn_lots_are_uniform_also_where_customers_hold_several_accounts() -> None:
    rng = np.random.default_rng(6)
    size = rng.integers(1, 5, 240)
    customer = np.repeat(np.arange(240), size)
    own = rng.normal(size=(240, 3))
    x = own[customer] + 0.3 * rng.normal(size=(len(customer), 3))
    p_values, by_case = [], []
    for _ in range(600):
        lot = rng.permutation(240) < 120
        arm = lot[customer]
        p_values.append(joint_balance([{"a": moments(x[arm], customer[arm]), "b": moments(x[~arm], customer[~arm])}]).p_value)
        by_case.append(joint_balance([by_arm(x, arm)]).p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    # Counting accounts as if each had been drawn would refuse far too many lots.
    assert np.mean(np.array(by_case) < 0.05) > 0.15


def test_without_arms_or_variables_there_is_no_test() -> None:
    alone = joint_balance([{"a": moments(np.ones((5, 1)))}])
    same = joint_balance([{"a": moments(np.ones((5, 1))), "b": moments(np.ones((5, 1)))}])
    assert np.isnan([alone.p_value, same.p_value, joint_balance([]).p_value]).all()


def test_the_distance_has_the_p_value_of_smirnov() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=900), rng.normal(0.1, 1, size=700)
    expected = stats.ks_2samp(a, b, method="asymp")
    assert distance_p_value(expected.statistic, 900, 700) == pytest.approx(expected.pvalue, rel=1e-9)
    assert np.isnan(distance_p_value(0.5, 0, 10))
