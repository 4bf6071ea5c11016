"""Which factors may be used, which conditions hold, which action follows, and the tree as a rule table."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.targeting.policy_tree import Clause, PolicyTree, Rule
from collect_analysis.strategies.drivers import decision
from collect_analysis.strategies.drivers.decision import Flags
from collect_analysis.strategies.drivers.measures import Factor, Subjects
from collect_analysis.strategies.rules import parse_rule


def subjects(n: int = 400, **changes) -> Subjects:
    base = {
        "x": pd.DataFrame({"score": np.arange(n, dtype=float)}), "units": {"score": "number"}, "y": (np.arange(n) % 2).astype(float),
        "treated": np.arange(n) // 2 % 2 == 1, "cluster": np.arange(n), "day": np.full(n, np.nan), "judging": np.arange(n) // 4 % 2 == 1,
        "population": n,
    }  # fmt: skip
    return Subjects(**{**base, **changes})


def test_factors_are_refused_by_name_and_reason() -> None:
    declared = [("score", "before"), ("opened", "after"), ("undeclared", ""), ("sex", "before"), ("home_religion", "before")]
    declared += [("province", "before"), ("flat", "before")]
    factors = [Factor(name=name, column=name, measured=measured) for name, measured in declared]
    flags = {name: Flags(actionable=False, lawful=name != "province") for name, _ in declared}
    x = pd.DataFrame({name: [1.0, 2.0] for name, measured in declared if measured == "before"}).assign(flat=1.0)
    table = decision.factor_table(factors, flags, protected=["sex", "Religion"], x=x).set_index("factor")
    assert table["standing"].to_dict() == {
        "score": "used", "opened": "after", "undeclared": "after", "sex": "protected", "home_religion": "protected",
        "province": "unlawful", "flat": "constant",
    }  # fmt: skip
    assert not table.loc["sex", "lawful"]
    found = {item.name: item for item in decision.factor_conditions(table.reset_index())}
    assert found["factors_before"].details["factors"] == ["opened", "undeclared"]
    assert found["factors_lawful"].details["factors"] == ["sex", "home_religion", "province"]
    assert found["factors_vary"].details["factors"] == ["flat"]
    assert found["factors_left"].met


def test_the_latest_accounts_are_judged() -> None:
    day = np.repeat([20_000.0, 20_010, 20_020, 20_030], [40, 30, 20, 10])
    judged, first = decision.later_part(subjects(100, day=day), 0.3)
    assert first == 20_020
    assert judged.sum() == 30


@pytest.mark.parametrize("day", [np.full(100, 20_000.0), np.where(np.arange(100) == 3, np.nan, 20_000.0 + np.arange(100))])
def test_without_days_a_half_by_hash_is_judged(day: np.ndarray) -> None:
    given = subjects(100, day=day)
    judged, first = decision.later_part(given, 0.3)
    assert first is None
    assert (judged == given.judging).all()


def test_one_class_too_few_payers_and_no_lot_are_refused() -> None:
    given = subjects()
    assert all(item.met for item in decision.prognosis_conditions(given, given.judging, 1.0))
    one_class = decision.prognosis_conditions(subjects(y=np.ones(400)), given.judging, None)
    assert [item.name for item in one_class if not item.met] == ["both_outcomes", "judged_later"]
    assert one_class[0].details["count"] == 0
    few = decision.uplift_conditions(subjects(y=np.zeros(400)), randomised=False, champion="a", challenger="b")
    assert [item.name for item in few if not item.met] == ["given_by_lot", "payers_in_halves"]
    assert decision.uplift_conditions(subjects(population=9_999), randomised=True, champion="a", challenger="b")[2].details == {
        "cases": 400,
        "population": 9_999,
    }


@pytest.mark.parametrize(
    ("qini_low", "effect", "over_all", "over_none", "action"),
    [
        (0.01, (0.1, 0.2), 0.001, 0.1, "select"),
        (0.01, (0.1, 0.2), -0.001, 0.1, "rank"),
        (0.01, (0.1, 0.2), 0.001, -0.1, "rank"),
        (-0.01, (0.1, 0.2), 0.001, 0.1, "all"),
        (-0.01, (-0.2, -0.1), 0.001, 0.1, "none"),
        (-0.01, (-0.1, 0.1), 0.001, 0.1, "open"),
        (float("nan"), (0.1, 0.2), -0.1, 0.1, "all"),
    ],
)
def test_choosing_is_proposed_only_where_it_is_shown_to_pay(qini_low, effect, over_all, over_none, action) -> None:
    options = {"qini_low": qini_low, "effect": effect, "over_all_low": over_all, "over_none_low": over_none}
    assert decision.choose([], **options) == action
    assert decision.choose([Condition(name="given_by_lot", met=False)], **options) == "refuse"


def test_the_tree_is_a_rule_that_reads_back_and_decides_alike() -> None:
    tree = PolicyTree(
        rules=(
            Rule(clauses=(Clause(factor="score", high=450.0, unknown=True), Clause(factor="product", codes=("card",))), treat=False),
            Rule(clauses=(Clause(factor="score", high=450.0, unknown=True), Clause(factor="product", codes=("loan",), unknown=True)), treat=True),
            Rule(clauses=(Clause(factor="score", low=450.0),), treat=True),
        )
    )  # fmt: skip
    rule = decision.as_rule(tree, name="e", champion="champion", challenger="new")
    rows = decision.written_rows(rule)
    assert rows[0] == {"when": {"score": {"to": 450.0, "missing": True}, "product": ["card"]}, "then": "champion"}
    assert rows[-1] == {"then": "new"}
    assert parse_rule("e", rows) == rule
    x = pd.DataFrame({"score": [1.0, 1, 1, 500, np.nan], "product": ["card", "loan", None, "card", "card"]})
    cases = [{key: item for key, item in row.items() if item == item} for row in x.to_dict("records")]
    decided = [next(iter(rule.rows[rule.row_of(case) - 1].chances)) == "new" for case in cases]
    assert decided == list(tree.treats(x)) == [False, True, True, True, False]
