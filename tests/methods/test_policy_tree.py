"""Policy trees: by hand, against a search of every pair of cuts, and as a rule table in which one row holds for each case."""

import itertools

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import ParameterError
from collect_analysis.methods.targeting.policy_tree import Clause, PolicyTree, Rule, learn_policy_tree, policy_values, rule_effects


def gain(tree: PolicyTree, x: pd.DataFrame, score: np.ndarray) -> float:
    return float(score[tree.treats(x)].sum())


def test_one_cut_by_hand() -> None:
    x = pd.DataFrame({"dpd": [1.0, 2, 3, 4, 5, 6], "noise": [1.0, 1, 2, 2, 1, 1]})
    tree = learn_policy_tree(x, [-1, -2, -1, 3, 1, 2], depth=1, min_leaf=1)
    assert tree.rules == (
        Rule(clauses=(Clause(factor="dpd", high=4.0, unknown=True),), treat=False),
        Rule(clauses=(Clause(factor="dpd", low=4.0),), treat=True),
    )


def test_categories_become_sets() -> None:
    x = pd.DataFrame({"product": ["card", "loan", "od", "card", "loan", "od"]})
    tree = learn_policy_tree(x, [2, -1, 1, 2, -1, 1], depth=1, min_leaf=1)
    assert {rule.treat: rule.clauses[0].codes for rule in tree.rules} == {False: ("loan",), True: ("card", "od")}


def test_missing_values_go_where_they_belong() -> None:
    x = pd.DataFrame({"months": [1.0, 2, 3, 4, np.nan, np.nan]})
    late = learn_policy_tree(x, [-1, -1, 1, 1, 2, 2], depth=1, min_leaf=1)
    assert [rule.clauses[0].unknown for rule in late.rules] == [False, True]
    early = learn_policy_tree(x, [1, 1, -1, -1, 2, 2], depth=1, min_leaf=1)
    assert [rule.clauses[0].unknown for rule in early.rules] == [True, False]


def test_where_nobody_is_to_be_left_out_there_is_one_row() -> None:
    x = pd.DataFrame({"a": np.arange(500.0)})
    assert learn_policy_tree(x, np.full(500, 0.1)).rules == (Rule(clauses=(), treat=True),)
    assert learn_policy_tree(x, np.full(500, -0.1)).rules == (Rule(clauses=(), treat=False),)


def best_of_two_levels(x: np.ndarray, score: np.ndarray, min_leaf: int) -> float:
    """Every tree of two levels over every cut, one after the other."""

    def leaf(rows: np.ndarray) -> float:
        return max(0.0, float(score[rows].sum()))

    def cuts(rows: np.ndarray):
        for column in range(x.shape[1]):
            for point in np.unique(x[:, column]):
                left, right = rows & (x[:, column] < point), rows & (x[:, column] >= point)
                if left.sum() >= min_leaf and right.sum() >= min_leaf:
                    yield left, right

    def one(rows: np.ndarray) -> float:
        return max([leaf(rows), *(leaf(left) + leaf(right) for left, right in cuts(rows))])

    everybody = np.ones(len(x), dtype=bool)
    return max([leaf(everybody), *(one(left) + one(right) for left, right in cuts(everybody))])


@pytest.mark.parametrize("seed", range(6))
def test_two_levels_are_searched_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(rng.integers(0, 6, (120, 3)).astype(float), columns=["a", "b", "c"])
    score = rng.normal(size=120)
    tree = learn_policy_tree(x, score, depth=2, min_leaf=8)
    assert gain(tree, x, score) == pytest.approx(best_of_two_levels(x.to_numpy(), score, 8), abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_exactly_one_row_holds_for_each_case_and_deeper_is_never_worse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = pd.DataFrame({"a": rng.normal(size=400), "b": rng.integers(0, 4, 400).astype(float), "c": rng.choice(["u", "v", "w"], 400)})
    x.loc[rng.random(400) < 0.1, "a"] = np.nan
    x.loc[rng.random(400) < 0.1, "c"] = None
    score = rng.normal(size=400)
    gains = []
    for depth in (1, 2, 3):
        tree = learn_policy_tree(x, score, depth=depth, min_leaf=20)
        held = np.array(
            [np.logical_and.reduce([clause.holds(x) for clause in rule.clauses] or [np.ones(400, bool)]) for rule in tree.rules]
        )
        assert (held.sum(axis=0) == 1).all()
        assert (tree.rule_of(x) == held.argmax(axis=0)).all()
        assert len(tree.rules) <= 2**depth
        gains.append(gain(tree, x, score))
    assert all(low <= high + 1e-9 for low, high in itertools.pairwise(gains))


def test_neighbouring_rows_that_say_the_same_are_one() -> None:
    x = pd.DataFrame({"a": np.arange(400.0)})
    score = np.where((x["a"] < 100) | (x["a"] >= 300), 1.0, -1.0)
    tree = learn_policy_tree(x, score, depth=3, min_leaf=20)
    assert [(rule.clauses[0].low, rule.clauses[0].high, rule.treat) for rule in tree.rules] == [
        (None, pytest.approx(100, abs=13), True),
        (pytest.approx(100, abs=13), pytest.approx(300, abs=13), False),
        (pytest.approx(300, abs=13), None, True),
    ]


def test_effects_of_rows_and_values_of_policies_by_hand() -> None:
    x = pd.DataFrame({"a": [1.0, 1, 2, 2]})
    tree = PolicyTree(
        rules=(Rule(clauses=(Clause(factor="a", high=2.0),), treat=False), Rule(clauses=(Clause(factor="a", low=2.0),), treat=True))
    )
    effects = rule_effects(tree, x, [-1, 0, 1, 3], np.arange(4))
    assert list(effects["value"]) == [-0.5, 2.0]
    assert list(effects["cases"]) == [2, 2]
    values = policy_values([1, 1, 0, 0], [-1, 0, 1, 3], tree.treats(x), np.arange(4)).set_index("policy")
    assert list(values["value"]) == [0.5, 1.25, 1.5]
    assert values.loc["tree", "over_none"] == 1.0
    assert values.loc["tree", "over_all"] == 0.25
    assert values.loc["tree", "treated"] == 0.5
    # Influences (0, 0, 1, 3) - 1 over 4: sqrt(6)/4·sqrt(4/3).
    half = 1.959964 * np.sqrt(6) / 4 * np.sqrt(4 / 3)
    assert values.loc["tree", "over_none_high"] == pytest.approx(1 + half, rel=1e-6)


def test_bad_requests_are_refused() -> None:
    x = pd.DataFrame({"a": np.arange(50.0)})
    with pytest.raises(ParameterError, match="1 to 3 levels, not 4"):
        learn_policy_tree(x, np.zeros(50), depth=4)
    with pytest.raises(ParameterError, match="at least 100 cases, got 50"):
        learn_policy_tree(x, np.zeros(50))
