"""Whom a rule would change, and the test that would tell: by hand, against published sample sizes."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.trials.power import share_cv
from collect_analysis.strategies.rule_value.decision import changed, changes, design_test

COUNTS = pd.DataFrame({"row": [1, 1, 2], "action": ["call", "text", "text"], "n": [30.0, 70.0, 50.0]})
RULE = pd.DataFrame({"row": [1, 2, 2], "action": ["call", "text", "visit"], "probability": [1.0, 0.8, 0.2]})


def facts(**values) -> pd.DataFrame:
    table = pd.DataFrame(
        {"row": [1, 2], "cases": [100.0, 50.0], "clusters": [100.0, 50.0], "payers": [10.0, 10.0], "value": [0.1, 0.2],
         "cv": share_cv([0.1, 0.2]), "design_effect": [1.0, 1.0], "per_week": [20.0, 10.0]}
    )  # fmt: skip
    return table.assign(**values)


def fleiss(base: float, *, rise: float = 0.1) -> float:
    """Cases per arm for a rise of a share, by the formula of Fleiss that R has."""
    other, middle = base * (1 + rise), base * (1 + rise / 2)
    spread = 1.959964 * (2 * middle * (1 - middle)) ** 0.5 + 0.841621 * (base * (1 - base) + other * (1 - other)) ** 0.5
    return (spread / (other - base)) ** 2


def test_who_changes_is_counted_once() -> None:
    table = changes("r", COUNTS, RULE).set_index(["row", "action"])
    assert table["difference"].to_dict() == pytest.approx({(1, "call"): 70, (1, "text"): -70, (2, "text"): -10, (2, "visit"): 10})
    assert table.loc[(1, "text"), ["share", "rule_share", "rule_cases"]].tolist() == pytest.approx([0.7, 0.0, 0.0])
    assert changed(table.reset_index()) == pytest.approx(80)


def test_a_rule_that_says_what_is_done_changes_nobody() -> None:
    same = pd.DataFrame({"row": [1, 1, 2], "action": ["call", "text", "text"], "probability": [0.3, 0.7, 1.0]})
    table = changes("r", COUNTS, same)
    assert changed(table) == pytest.approx(0)
    assert design_test("r", facts(), table, unit="share", margin=0.1, weeks=26).empty


def test_the_test_draws_between_the_rule_and_what_it_replaces() -> None:
    table = design_test("r", facts(), changes("r", COUNTS, RULE), unit="share", margin=0.1, weeks=10_000).set_index("row")
    assert table["arms"].to_dict() == {1: "call / text", 2: "text / visit", 0: "rule / as_now"}
    # R: power.prop.test(p1 = 0.10, p2 = 0.11, power = 0.8) 14,750.8; p1 = 0.20, p2 = 0.22 6,509.3; the rows mixed pay 2/15.
    assert table["needed"].to_dict() == pytest.approx({1: 14_751, 2: np.ceil(fleiss(0.2)), 0: np.ceil(fleiss(2 / 15))})
    assert table.loc[1, "weeks_all"] == np.ceil(2 * 14_751 / 20)
    # 29,502 cases at 20 a week in 10,000 weeks: 15 % of them.
    assert table.loc[1, "random_share"] == pytest.approx(2 * 14_751 / 200_000)
    assert table.loc[1, "weeks_share"] == 10_000
    assert table["changing"].to_dict() == pytest.approx({1: 70, 2: 10, 0: 80})


def test_the_random_share_is_at_least_a_twentieth_and_at_most_all() -> None:
    few = design_test("r", facts(per_week=[0.1, 0.1]), changes("r", COUNTS, RULE), unit="share", margin=0.1, weeks=26)
    assert (few["random_share"] == 1).all()
    many = design_test("r", facts(per_week=[1e6, 1e6]), changes("r", COUNTS, RULE), unit="share", margin=0.5, weeks=26)
    assert (many["random_share"] == 0.05).all()


def test_without_entry_rate_or_payers_the_plan_says_so() -> None:
    known = facts(per_week=np.nan, cv=[np.nan, 2.0], value=[0.0, 0.2], payers=[0, 10])
    table = design_test("r", known, changes("r", COUNTS, RULE), unit="minor", margin=0.1, weeks=26).set_index("row")
    assert table[["weeks_all", "random_share", "weeks_share"]].isna().all(axis=None)
    assert np.isnan(table.loc[1, "needed"])
    # Row 1 pays nothing: the rows together have mean 1/15 and square sums of row 2 alone.
    squares = 50 * 0.2**2 * (1 + 4) / 150
    cv = np.sqrt(squares - (1 / 15) ** 2) * 15
    assert table.loc[0, "needed"] == np.ceil((1.959964 + 0.841621) ** 2 * (cv**2 + 1.1 * (cv**2 - 0.1)) / 0.01)


def test_customers_with_several_debts_cost_cases() -> None:
    plain, clustered = (
        design_test("r", facts(design_effect=[effect] * 2), changes("r", COUNTS, RULE), unit="share", margin=0.1, weeks=26)["needed"].iloc[
            0
        ]
        for effect in (1.0, 1.5)
    )
    assert clustered == pytest.approx(1.5 * plain, rel=1e-3)
