"""Overlap, rules that decide alone, balance: by hand, and refusals where there is nobody to compare with."""

import numpy as np
import pytest
from collect_analysis.methods.causal.nuisance import Comparison, cross_fitted
from collect_analysis.methods.causal.overlap import (
    arms_enough,
    balance_table,
    balanced,
    constant_covariates,
    effective_cases,
    overlap_enough,
    overlap_table,
    ruled_share,
    share_by_lot,
    weight_table,
)
from collect_analysis.methods.evidence import grade, refused
from collect_analysis.methods.trials.adjustment import weigh

from tests.bench.calibration_overlap import planted


def made(treated, x, outcome=None) -> Comparison:
    n = len(treated)
    return Comparison(
        treated=np.asarray(treated, dtype=bool),
        outcome=np.ones(n) if outcome is None else np.asarray(outcome, dtype=float),
        covariates=np.asarray(x, dtype=float).reshape(n, -1),
        names=tuple("abc"[: np.asarray(x).reshape(n, -1).shape[1]]),
        clusters=np.arange(n),
    )


def ruled(cases: int, *, shown: bool) -> Comparison:
    """A rule treats every balance of 20 and more; `shown`: the covariates hold the balance the rule reads."""
    rng = np.random.default_rng(8)
    balance = rng.uniform(5, 40, cases)
    near = balance + rng.normal(0, 4, cases)
    return made(balance >= 20, balance if shown else near, rng.normal(size=cases))


def test_allocation_by_a_rule_is_refused_though_a_smooth_model_sees_overlap() -> None:
    cases = ruled(3000, shown=True)
    chance = cross_fitted(cases, folds=3).propensity
    weighing = weigh(cases.treated, chance, target="everybody", trim=0.01)
    share = ruled_share(cases.treated, cases.covariates, target="everybody")
    assert share == 1.0
    names = {item.name for item in refused(overlap_enough(weighing, ruled=share, trim=0.01))}
    assert "comparison_not_by_rule" in names


def test_arms_that_chance_mixes_overlap_and_no_rule_decides() -> None:
    cases, truth = planted(3000, np.random.default_rng(9))
    weighing = weigh(cases.treated, truth["chance"], target="everybody", trim=0.05)
    share = ruled_share(cases.treated, cases.covariates, target="everybody")
    found = overlap_enough(weighing, ruled=share, trim=0.05)
    assert all(item.met for item in found)
    assert share < 0.05


def test_overlap_of_less_than_four_fifths_of_the_target_is_refused() -> None:
    treated = np.repeat([True, False], 100)
    chance = np.where(np.arange(200) % 100 < 79, 0.5, 0.999)
    found = overlap_enough(weigh(treated, chance, target="treated", trim=0.05), ruled=0.0, trim=0.05)
    assert [item.name for item in refused(found)] == ["comparison_overlap"]
    assert grade("adjusted", found) == "none"
    kept = np.where(np.arange(200) % 100 < 80, 0.5, 0.999)
    assert not refused(overlap_enough(weigh(treated, kept, target="treated", trim=0.05), ruled=0.0, trim=0.05))


def test_standardised_differences_are_those_by_hand() -> None:
    cases = made([1, 1, 0, 0, 0, 0], [[2], [4], [0], [2], [2], [4]])
    # Means 3 and 2, variances 1 and 2: (3 - 2) / sqrt(1.5). Weights 0, 0, 0, 1 on the others: (3 - 4) / sqrt(1.5).
    chance = np.array([0.5, 0.5, 0.0, 0.0, 0.0, 0.5])
    table = balance_table(cases, weigh(cases.treated, chance, target="treated", trim=0.0)).iloc[0]
    assert table["difference_before"] == pytest.approx(1 / np.sqrt(1.5))
    assert table["difference_after"] == pytest.approx(-1 / np.sqrt(1.5))


def test_weighting_by_the_true_chance_balances_and_imbalance_costs_a_grade() -> None:
    cases, truth = planted(20_000, np.random.default_rng(10))
    table = balance_table(cases, weigh(cases.treated, truth["chance"], target="treated", trim=0.01))
    assert table["difference_before"].abs().min() > 0.3
    assert balanced(table).met
    unlike = balanced(table.assign(difference_after=[0.02, -0.11]))
    assert not unlike.met
    assert unlike.details["covariates"] == ["x1"]
    assert grade("adjusted", [unlike]) == "D"


def test_histogram_counts_everybody_once() -> None:
    cases, truth = planted(1000, np.random.default_rng(11))
    table = overlap_table(cases.treated, truth["chance"], bins=10)
    assert table["treated"].sum() == cases.treated.sum()
    assert table["untreated"].sum() == (~cases.treated).sum()
    assert table["treated_share"].sum() == pytest.approx(1)


def test_effective_cases_are_all_with_equal_weights_and_one_with_one_weight() -> None:
    assert effective_cases(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_cases(np.array([5.0, 0, 0])) == pytest.approx(1)
    assert effective_cases(np.zeros(3)) == 0
    cases, truth = planted(500, np.random.default_rng(12))
    table = weight_table(cases, weigh(cases.treated, truth["chance"], target="treated", trim=0.0)).set_index("role")
    assert table.loc["treated", "effective"] == pytest.approx(cases.treated.sum())
    assert table.loc["untreated", "effective"] < table.loc["untreated", "cases"]


def test_arms_of_fewer_than_fifty_and_outcomes_of_fewer_than_ten_are_refused() -> None:
    treated = np.repeat([True, False], [49, 500])
    few = made(treated, np.arange(549), np.arange(549) % 2)
    assert [item.name for item in refused(arms_enough(few))] == ["comparison_arms_enough"]
    rare = made(np.repeat([True, False], [100, 500]), np.arange(600), np.arange(600) < 9)
    assert [item.name for item in refused(arms_enough(rare))] == ["comparison_outcomes_enough"]
    # All but a few pay: as little to learn from.
    common = made(np.repeat([True, False], [100, 500]), np.arange(600), np.arange(600) >= 9)
    assert refused(arms_enough(common))


def test_a_covariate_with_one_value_is_named() -> None:
    cases = made([1, 0, 1], [[1, 2], [1, 3], [1, 4]])
    assert constant_covariates(cases) == ["a"]
    assert cases.without({"a"}).names == ("b",)


def test_share_drawn_by_lot_gives_the_two_arms_that_the_test_needs() -> None:
    # By hand: x(1-x)·1,000 = 90 -> x = 0.1, as two arms of 180 each (1/180 + 1/180 = 1/100 + 1/900).
    assert share_by_lot(1000, 180) == pytest.approx(0.1)
    assert share_by_lot(1000, 500) == pytest.approx(0.5)
    assert np.isnan(share_by_lot(1000, 501))
