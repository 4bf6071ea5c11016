"""Value of a rule from logged draws: by hand, against planted truth, and refused where the log cannot answer."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.evidence import grade
from collect_analysis.methods.policy_value import cell_means, policy_value

# Payer rates by cell and action: the rule calls whom calls help and texts the rest.
RATES = {("low", "call"): 0.30, ("low", "text"): 0.25, ("high", "call"): 0.20, ("high", "text"): 0.30}
CALLED = {"low": 0.7, "high": 0.4}
RULE = pd.DataFrame({"cell": ["low", "high"], "action": ["call", "text"], "probability": [1.0, 1.0]})
TRUTH = 0.5 * 0.30 + 0.5 * 0.30


def log_of(seed: int, size: int = 8000, called: dict[str, float] | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    share = called or CALLED
    cell = np.where(rng.random(size) < 0.5, "low", "high")
    chance = np.where(cell == "low", share["low"], share["high"])
    call = rng.random(size) < chance
    action = np.where(call, "call", "text")
    rate = np.array([RATES[key] for key in zip(cell, action, strict=True)])
    outcome = (rng.random(size) < rate).astype(float)
    return pd.DataFrame({"cell": cell, "action": action, "propensity": np.where(call, chance, 1 - chance), "outcome": outcome})


def values(decisions: pd.DataFrame, rule: pd.DataFrame = RULE, **options) -> pd.DataFrame:
    return policy_value(decisions, rule, **options).estimates.set_index("estimator")


def test_four_decisions_by_hand() -> None:
    decisions = pd.DataFrame(
        {"cell": "a", "action": ["x", "x", "y", "y"], "propensity": [0.5, 0.25, 0.5, 0.75], "outcome": [10.0, 20.0, 30.0, 40.0]}
    )
    rule = pd.DataFrame({"cell": ["a"], "action": ["x"], "probability": [1.0]})
    result = policy_value(decisions.assign(predicted=12.0, predicted_rule=12.0), rule)
    # Weights 2, 4, 0, 0: too few payers to claim anything, but the log's own mean and size stand.
    assert result.effective_cases == pytest.approx(36 / 20)
    assert result.estimates["value"].tolist()[0] == 25
    assert result.estimates["value"].isna().tolist() == [False, True, True, True]
    # Enough of them, with propensities that fit how often x was drawn.
    many = pd.concat([decisions.assign(predicted=12.0, predicted_rule=12.0, propensity=0.5)] * 400)
    table = values(many, rule)
    assert table.loc["ips", "value"] == pytest.approx((2 * 10 + 2 * 20) / 4)
    assert table.loc["self_normalised", "value"] == pytest.approx(15)
    assert table.loc["doubly_robust", "value"] == pytest.approx(12 + (2 * (10 - 12) + 2 * (20 - 12)) / 4)
    assert table.loc["ips", "gain"] == pytest.approx(15 - 25)


def test_all_three_estimates_are_unbiased_and_their_intervals_cover() -> None:
    found = {"ips": [], "self_normalised": [], "doubly_robust": []}
    covered = {name: 0 for name in found}
    rng = np.random.default_rng(1)
    for seed in range(100):
        table = values(cell_means(log_of(seed, 2500), RULE, rng=rng))
        for name in found:
            found[name].append(table.loc[name, "value"])
            covered[name] += table.loc[name, "low"] <= TRUTH <= table.loc[name, "high"]
    for name, estimates in found.items():
        assert abs(np.mean(estimates) - TRUTH) < 3 * np.std(estimates) / np.sqrt(100)
        assert abs(covered[name] / 100 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 100)
    assert np.std(found["doubly_robust"]) < np.std(found["ips"])


def test_doubly_robust_survives_a_wrong_model_or_wrong_propensities_but_not_both() -> None:
    errors: dict[str, list[float]] = {"wrong model": [], "wrong propensities": [], "both": []}
    for seed in range(60):
        log = log_of(seed, 2500)
        keys = list(zip(log["cell"], log["action"], strict=True))
        right = {"predicted": [RATES[key] for key in keys], "predicted_rule": 0.30}
        wrong = {"predicted": log["action"].map({"call": 0.1, "text": 0.5}), "predicted_rule": log["cell"].map({"low": 0.1, "high": 0.5})}
        propensity = (log["propensity"] * np.where(log["cell"] == "low", 1.4, 0.8)).clip(upper=1)
        errors["wrong model"].append(_robust(log.assign(**wrong)) - TRUTH)
        errors["wrong propensities"].append(_robust(log.assign(**right, propensity=propensity)) - TRUTH)
        errors["both"].append(_robust(log.assign(**wrong, propensity=propensity)) - TRUTH)
    for name in ("wrong model", "wrong propensities"):
        assert abs(np.mean(errors[name])) < 3 * np.std(errors[name]) / np.sqrt(60)
    assert abs(np.mean(errors["both"])) > 5 * np.std(errors["both"]) / np.sqrt(60)


def _robust(log: pd.DataFrame) -> float:
    """The estimate itself, whether or not a condition would have it withheld."""
    weights = log["action"].eq(log["cell"].map({"low": "call", "high": "text"})) / log["propensity"]
    plain = float((log["predicted_rule"] + weights * (log["outcome"] - log["predicted"])).mean())
    table = values(log)
    assert np.isnan(table.loc["doubly_robust", "value"]) or table.loc["doubly_robust", "value"] == pytest.approx(plain)
    return plain


def test_the_rule_that_was_followed_has_the_value_that_was_seen() -> None:
    log = log_of(2)
    same = pd.DataFrame(
        [(cell, action, share if action == "call" else 1 - share) for cell, share in CALLED.items() for action in ("call", "text")],
        columns=["cell", "action", "probability"],
    )
    result = policy_value(log, same)
    np.testing.assert_allclose(result.estimates["value"].iloc[:3], log["outcome"].mean())
    assert result.estimates["gain_error"].iloc[1] == pytest.approx(0, abs=1e-12)
    assert result.effective_cases == pytest.approx(len(log))
    assert all(condition.met for condition in result.conditions)
    assert grade("quasi_experiment", result.conditions) == "B"


def test_shifting_every_outcome_shifts_the_self_normalised_value_exactly() -> None:
    log = log_of(3)
    shifted = log.assign(outcome=log["outcome"] + 5)
    assert values(shifted).loc["self_normalised", "value"] == pytest.approx(values(log).loc["self_normalised", "value"] + 5)


def test_decisions_of_one_customer_count_once_in_the_error() -> None:
    log = log_of(4).assign(unit=lambda table: np.arange(len(table)))
    twice = pd.concat([log, log])
    assert values(twice).loc["ips", "standard_error"] == pytest.approx(values(log).loc["ips", "standard_error"])
    blind = values(twice.drop(columns="unit")).loc["ips", "standard_error"]
    assert blind == pytest.approx(values(log).loc["ips", "standard_error"] / np.sqrt(2), rel=1e-3)
    predicted = cell_means(twice, RULE, rng=np.random.default_rng(1))
    # A copy in another fold would give the outcome away.
    spread = predicted.groupby("unit")["predicted"].agg(["min", "max"])
    assert (spread["min"] == spread["max"]).all()


def test_deterministic_allocation_is_refused_with_the_test_that_would_answer() -> None:
    log = log_of(5).assign(propensity=1.0)
    result = policy_value(log, RULE)
    condition = next(item for item in result.conditions if item.name == "drawn by lot")
    assert not condition.met
    assert condition.detail == "100.0% of the decisions had only one possible action."
    # Mean p, so CV² = (1-p)/p; 2 · (1.96 + 0.8416)² · CV² / 0.1².
    p = log["outcome"].mean()
    cases = 2 * (1.959964 + 0.841621) ** 2 * (1 - p) / p / 0.01
    assert f"{cases:,.0f}"[:-2] in condition.remedy
    assert result.estimates.set_index("estimator").loc["ips", "value":"gain_high"].isna().all()  # type: ignore[misc]
    assert (
        result.estimates["note"].iloc[1].startswith("drawn by lot: 100.0% of the decisions had only one possible action. To answer: draw")
    )
    assert np.isfinite(result.estimates["value"].iloc[0])


def test_an_action_never_drawn_in_its_cell_is_refused_and_named() -> None:
    log = log_of(6, called={"low": 0.7, "high": 0.4})
    untried = log[~((log["cell"] == "high") & (log["action"] == "text"))]
    result = policy_value(untried, RULE)
    condition = next(item for item in result.conditions if item.name == "every action of the rule was tried")
    assert not condition.met
    assert condition.detail.startswith("1 of 2 pairs of cell and action were never drawn (first: text in high); ")
    assert result.estimates["value"].iloc[1:].isna().all()
    visit = pd.DataFrame({"cell": ["low", "high"], "action": "visit", "probability": 1.0})
    unknown = policy_value(log, visit)
    assert unknown.effective_cases == 0
    assert [item.name for item in unknown.conditions if not item.met][:1] == ["every action of the rule was tried"]


def test_propensities_that_did_not_draw_are_found_out() -> None:
    log = log_of(7)
    unmet = [item.name for item in policy_value(log.assign(propensity=0.9), RULE).conditions if not item.met]
    assert unmet == ["propensities are those that drew"]


def test_too_few_effective_payers_are_refused_with_the_number_needed() -> None:
    result = policy_value(log_of(8, size=600), RULE)
    condition = next(item for item in result.conditions if item.name == "effective payers")
    assert not condition.met
    assert condition.remedy.startswith(f"about {600 * 200 / result.effective_payers:,.0f} decisions logged this way")


def test_cut_weights_are_said_and_pull_the_value() -> None:
    log = log_of(9, called={"low": 0.1, "high": 0.9})
    whole, cut = policy_value(log, RULE), policy_value(log, RULE, max_weight=5)
    assert not cut.conditions[-1].met
    assert "50.0% of their sum" in cut.conditions[-1].detail
    assert cut.effective_cases >= whole.effective_cases
    assert cut.estimates["value"].iloc[1] == pytest.approx(whole.estimates["value"].iloc[1] / 2)


def test_without_predictions_only_the_doubly_robust_row_is_empty() -> None:
    table = values(log_of(10))
    assert np.isnan(table.loc["doubly_robust", "value"])
    assert table.loc["doubly_robust", "note"] == "no predictions; add them with cell_means or a model of your own"
    assert np.isfinite(table.loc["ips", "value"])


def test_a_cell_mean_never_seen_falls_back_to_the_action() -> None:
    log = pd.DataFrame({"cell": ["a", "a", "b"], "action": ["x", "x", "x"], "propensity": 0.5, "outcome": [1.0, 1.0, 7.0]})
    rule = pd.DataFrame({"cell": ["a", "b"], "action": "x", "probability": 1.0})
    predicted = cell_means(log, rule, rng=np.random.default_rng(1), folds=3)
    assert predicted["predicted"].tolist() == [1, 1, 1]
    assert predicted["predicted_rule"].tolist() == [1, 1, 1]


def test_bad_logs_and_rules_are_refused_all_at_once() -> None:
    log = log_of(11, size=100)
    log.loc[2, "propensity"] = 0.0
    log.loc[3, "propensity"] = np.nan
    log.loc[4, "outcome"] = np.nan
    log.loc[5, "cell"] = "middle"
    rule = pd.DataFrame({"cell": ["low", "low", "high"], "action": ["call", "call", "text"], "probability": [1.5, -0.5, 0.9]})
    with pytest.raises(DataError) as refusal:
        policy_value(log, rule)
    fix = "An action that was taken had a probability; leave out decisions made by judgement, and say so."
    assert refusal.value.problems == (
        f"decisions.propensity: 2 of 100 rows are not above 0 and at most 1 (first: row 3). {fix}",
        "decisions.outcome: 1 of 100 rows are missing (first: row 5). Wait for the horizon, or count 0.",
        "decisions.cell: 1 of 100 rows have no row in the rule (first: row 6). A rule decides every case.",
        "rule.probability: 2 of 3 rows lie outside 0 to 1 (first: row 1). Give the share of cases that get the action.",
        "rule: 1 of 3 rows repeat a cell and action (first: row 2). Keep one.",
        "rule.probability: 1 of 3 rows belong to a cell whose shares do not sum to 1 (first: row 3). Complete them.",
    )
    with pytest.raises(DataError, match="decisions: no column propensity"):
        policy_value(log.drop(columns="propensity"), RULE)
    with pytest.raises(ParameterError, match="max_weight"):
        policy_value(log_of(1), RULE, max_weight=0)
    with pytest.raises(ParameterError, match="folds"):
        cell_means(log_of(1), RULE, rng=np.random.default_rng(1), folds=1)
