"""Value of a rule from sums: by hand, its model, its comparisons, and what tells that the probabilities did not draw."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.targeting.policy_value import (
    CELL,
    LOGGED,
    SUMS,
    Spread,
    cell_means,
    contrast_table,
    effective,
    estimate_table,
    policy_points,
    weight_averages,
)
from scipy import stats


def sums_of(rows: list[tuple]) -> pd.DataFrame:
    """Row, stratum, fold, action, cases, outcome sum and weight per case."""
    table = pd.DataFrame(rows, columns=[*CELL, "n", "sum_y", "w"])
    table = table.assign(sum_w=table["n"] * table["w"], sum_ww=table["n"] * table["w"] ** 2, sum_wy=table["sum_y"] * table["w"])
    return table.drop(columns="w").reindex(columns=[*CELL, *SUMS], fill_value=0.0)


def rule_of(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["row", "action", "probability"])


CALL = rule_of((1, "call", 1.0))
# Two folds of 100 cases; the text cases weigh nothing under the rule.
TWO_FOLDS = sums_of(
    [
        (1, "", 0, "call", 50, 20, 2.0), (1, "", 0, "text", 50, 5, 0.0),
        (1, "", 1, "call", 50, 30, 2.0), (1, "", 1, "text", 50, 5, 0.0),
    ]
)  # fmt: skip


def test_two_folds_by_hand() -> None:
    model = cell_means(TWO_FOLDS, CALL).set_index(["fold", "action"])
    # Each fold is told what the other one found: 30/50 and 20/50.
    assert model.loc[(0, "call"), ["predicted", "predicted_rule"]].tolist() == [0.6, 0.6]
    assert model.loc[(1, "call"), ["predicted", "predicted_rule"]].tolist() == [0.4, 0.4]
    assert model.loc[(0, "text"), ["predicted", "predicted_rule"]].tolist() == [0.1, 0.6]
    points = policy_points(TWO_FOLDS, cell_means(TWO_FOLDS, CALL))
    assert points.logged == pytest.approx(60 / 200)
    assert points.ips == pytest.approx(100 / 200)
    assert points.self_normalised == pytest.approx(100 / 200)
    # 0.5 on average, corrected by 2·(20 - 50·0.6) + 2·(30 - 50·0.4) = 0.
    assert points.doubly_robust == pytest.approx(0.5)


def test_the_model_falls_back_from_cell_to_row_to_action_to_all() -> None:
    sums = sums_of(
        [
            (1, "a", 0, "call", 10, 9, 1.0), (1, "b", 0, "call", 30, 6, 1.0), (2, "a", 0, "call", 60, 6, 1.0),
            (1, "a", 1, "call", 5, 0, 1.0), (1, "b", 1, "call", 5, 0, 1.0), (2, "b", 1, "text", 5, 0, 1.0), (2, "b", 1, "call", 5, 0, 1.0),
            (3, "b", 1, "call", 5, 0, 1.0),
        ]
    )  # fmt: skip
    rule = rule_of((1, "call", 1.0), (2, "text", 0.5), (2, "call", 0.5), (3, "call", 1.0))
    found = cell_means(sums, rule)
    found = found[found["fold"] == 1].set_index(["row", "stratum", "action"])["predicted"]
    assert found.to_dict() == pytest.approx(
        {
            (1, "b", "call"): 6 / 30,
            (1, "a", "call"): 15 / 40,
            (2, "b", "call"): 6 / 60,
            (3, "b", "call"): 21 / 100,
            (2, "b", "text"): 21 / 100,
        }
    )


def test_without_weight_nothing_is_claimed() -> None:
    sums = TWO_FOLDS.assign(sum_w=0.0, sum_wy=0.0, sum_ww=0.0)
    points = policy_points(sums, cell_means(sums, CALL))
    assert np.isnan([points.ips, points.self_normalised, points.doubly_robust]).all()
    assert points.logged == pytest.approx(0.3)


def test_effective_cases_are_those_of_kong() -> None:
    assert effective(6, 20) == pytest.approx(36 / 20)
    assert effective(0, 0) == 0


def spread_of(*influences: tuple[tuple[str, str], list[float]]) -> Spread:
    values = np.array([item for _, item in influences])
    return Spread(names=[name for name, _ in influences], matrix=values @ values.T, units=values.shape[1])


def test_errors_of_combinations_are_those_of_the_combined_influences() -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=40) for _ in range(2))
    a, b = a - a.mean(), b - b.mean()
    spread = spread_of((LOGGED, list(a)), (("r", "ips"), list(b)))
    # An influence is value / units, so that its error is the standard deviation times the root of the units.
    expected = np.std(2 * b - a, ddof=1) * np.sqrt(40)
    assert spread.error({("r", "ips"): 2.0, LOGGED: -1.0}) == pytest.approx(expected)


def test_the_relative_gain_has_fiellers_interval() -> None:
    points = {"r": policy_points(TWO_FOLDS, cell_means(TWO_FOLDS, CALL))}
    names = [LOGGED, ("r", "ips"), ("r", "self_normalised"), ("r", "doubly_robust")]
    matrix = np.diag([4e-4, 9e-4, 9e-4, 9e-4])
    matrix[0, 1:] = matrix[1:, 0] = 1e-4
    row = estimate_table(points, Spread(names=names, matrix=matrix, units=10**9)).set_index("estimator").loc["ips"]
    ratio = 0.5 / 0.3
    assert row["relative"] == pytest.approx(ratio - 1)
    ratios = 1 + np.array([row["relative_low"], row["relative_high"]])
    away = (0.5 - ratios * 0.3) / np.sqrt(9e-4 - 2 * ratios * 1e-4 + ratios**2 * 4e-4)
    assert away == pytest.approx(stats.norm.ppf(0.975) * np.array([1, -1]))
    assert row["gain_se"] == pytest.approx(np.sqrt(9e-4 - 2e-4 + 4e-4))


def test_a_rule_that_decides_alike_differs_by_nothing() -> None:
    points = {"r": policy_points(TWO_FOLDS, cell_means(TWO_FOLDS, CALL))}
    own = [0.1, -0.1, 0.05, -0.05]
    spread = spread_of((LOGGED, own), (("r", "doubly_robust"), own))
    assert contrast_table(points, spread, [("r", "")])["p_value"].tolist() == [1.0]


def test_weights_that_do_not_average_one_are_told_and_small_rows_are_not_judged() -> None:
    rng = np.random.default_rng(2)
    fair, unfair = 2.0 * rng.integers(0, 2, 4000) - 1, 1.3 * 2.0 * rng.integers(0, 2, 4000) - 1
    rows = [
        {"row": number, "n": len(item), "excess": item.sum(), "squares": (item**2).sum(), "units": len(item)}
        for number, item in enumerate([np.concatenate([fair, unfair]), fair, unfair, np.array([1.0, 1.0, 1.0])])
    ]
    table = weight_averages(pd.DataFrame(rows)).set_index("row")
    assert (table.loc[[0, 2], "p_adjusted"] < 0.001).all()
    assert table.loc[1, "p_adjusted"] > 0.05
    assert np.isnan(table.loc[3, "p_adjusted"])
    error = unfair.std(ddof=1) * np.sqrt(4000)
    assert table.loc[2, "p_value"] == pytest.approx(2 * stats.norm.sf(abs(unfair.sum()) / error))
