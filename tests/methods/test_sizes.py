"""What a planned test can detect: the published tables, and what holds whatever the numbers."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.trials import test_plan as sizes
from collect_analysis.methods.trials.power import NOT_EVEN_ALL, amount_cv, cases_for, relative_mde, share_cv
from collect_analysis.methods.trials.sequential import boundaries


def planned(payers: float, *, correlation: float = 0.5, design_effect: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "outcome": ["payer_rate", "cash"],
            "unit": ["share", "minor"],
            "horizon_days": 90,
            "value": [payers, payers * 1e6],
            "cv": [float(share_cv(payers)), float(amount_cv(payers, 1.2))],
            "design_effect": design_effect,
            "correlation": correlation,
            "note": "",
        }
    )


def test_the_plan_says_for_each_outcome_what_its_own_test_finds() -> None:
    plan = sizes.plan_table(planned(0.05), cases=5_000, share=0.5, base_share=0.5, margin=0.1).set_index(["outcome", "adjusted"])
    # statsmodels (R's formula): 5 % against 6.872 % has power 0.8 with 2,500 an arm, 37.4 % more.
    assert plan.loc[("payer_rate", False), "detectable"] == pytest.approx(0.3744, abs=0.0001)
    assert plan.loc[("cash", False), "detectable"] == pytest.approx(float(relative_mde(amount_cv(0.05, 1.2), 2_500, 2_500, unit="minor")))
    # Half of the standard deviation explained: as if three quarters of the variance were there.
    fewer = cases_for(share_cv(0.05), 0.1, unit="share", share=0.5, base_share=0.5) * 0.75
    assert plan.loc[("payer_rate", True), "accounts_needed"] == np.ceil(fewer)


def test_a_test_too_small_for_any_rise_says_so_and_what_it_needs() -> None:
    plan = sizes.plan_table(planned(0.6), cases=10, share=0.5, base_share=0.5, margin=0.1).set_index(["outcome", "adjusted"])
    row = plan.loc[("payer_rate", False)]
    assert (row["note"], row["margin_found"], np.isnan(row["detectable"])) == (NOT_EVEN_ALL, False, True)
    assert row["accounts_needed"] > 10


def test_officers_with_400_accounts_and_a_likeness_of_one_percent_cost_4_99() -> None:
    assert float(sizes.design_effect(400, 0.01)) == pytest.approx(4.99)
    plain = sizes.plan_table(planned(0.1), cases=20_000, share=0.5, base_share=0.5, margin=0.1)
    treated = sizes.plan_table(planned(0.1), cases=20_000, share=0.5, base_share=0.5, margin=0.1, treated_effect=4.99)
    assert treated["accounts_needed"].to_numpy() == pytest.approx(plain["accounts_needed"].to_numpy() * 4.99, rel=1e-4)


def test_ninety_ten_needs_2_78_times_an_even_split_of_a_small_effect() -> None:
    table = sizes.splits(planned(0.1), [0.5, 0.1], cases=20_000, margin=0.001).set_index(["outcome", "small_share"])
    assert table.loc[("cash", 0.1), "times"] == pytest.approx(2.78, abs=0.005)
    assert table.loc[("cash", 0.5), "times"] == 1
    # A large rise makes the small arm vary more, so that its smallness costs more.
    large = sizes.splits(planned(0.1), [0.1], cases=20_000, margin=0.5).set_index(["outcome", "small_share"])
    assert large.loc[("cash", 0.1), "times"] > 2.85


def test_planned_looks_cost_what_keeps_the_power() -> None:
    inflation = sizes.looks_inflation(5, spending="pocock")
    # Independent: the path of z over five looks simulated at the inflated size crosses its bounds with the power planned.
    bounds = boundaries(np.arange(1, 6) / 5, spending="pocock")["z"].to_numpy()
    steps = np.random.default_rng(3).normal(size=(200_000, 5)) / np.sqrt(5)
    fractions = np.arange(1, 6) / 5
    z = (np.cumsum(steps, axis=1) + 2.801585 * np.sqrt(inflation) * fractions) / np.sqrt(fractions)
    assert (np.abs(z) > bounds).any(axis=1).mean() == pytest.approx(0.8, abs=0.004)
    # Jennison & Turnbull (2000), tables 2.2 and 2.4 for constant bounds: Pocock 1.228, O'Brien-Fleming 1.028; spending types lie close.
    assert inflation == pytest.approx(1.228, abs=0.03)
    assert sizes.looks_inflation(5) == pytest.approx(1.028, abs=0.01)
    assert sizes.looks_inflation(1) == 1.0


def test_multiple_correlation_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 3)) + 7
    y = x @ [0.5, -1, 0.2] + rng.normal(size=400) * 2
    columns = {"1": np.ones(400), "y": y, "a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "flat": np.full(400, 3.0)}
    products = {(left, right): float(columns[left] @ columns[right]) for left in columns for right in columns}
    design = np.column_stack([np.ones(400), x])
    fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    expected = np.sqrt(1 - ((y - fitted) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    assert sizes.explained(products, "y", ["a", "b", "c"]) == pytest.approx(expected, rel=1e-9)
    assert sizes.explained(products, "y", ["a"]) == pytest.approx(abs(np.corrcoef(y, x[:, 0])[0, 1]), rel=1e-9)
    assert sizes.explained(products, "y", ["flat"]) == 0.0
    assert np.isnan(sizes.explained(products, "flat", ["a"]))


def cohort_sums(values: list[float]) -> pd.DataFrame:
    y = np.array(values)
    money = {"outcome": "cash", "unit": "minor", "sum_y": y.sum(), "sum_y2": (y**2).sum(), "sum_yy": (y**2).sum(), "sum_yn": y.sum()}
    paid = float((y > 0).sum())
    payer = {"outcome": "payer", "unit": "share", "sum_y": paid, "sum_y2": paid, "sum_yy": paid, "sum_yn": paid}
    shared = {"horizon_days": 30, "arm": "2026-01", "clusters": len(y), "cases": len(y), "positive": paid, "sum_nn": len(y), "note": ""}
    return pd.DataFrame([{**shared, **money}, {**shared, **payer}])


def test_history_of_a_cohort_by_hand() -> None:
    # Ten accounts, three pay 100, 200, 300: rate 30 %, 60 per account, 200 per payer, standard deviation 100, so CV 0.5.
    (row,) = sizes.history_table(cohort_sums([100, 200, 300] + [0] * 7), amount="cash", payers="payer").to_dict("records")
    assert row["value"] == pytest.approx(0.3)
    assert (row["amount"], row["per_payer"], row["cv_payers"]) == pytest.approx((60, 200, 0.5))
    assert (row["numerator"], row["denominator"]) == (3, 10)


def test_cohorts_pool_by_their_sums_and_an_open_one_is_left_out() -> None:
    first, second = cohort_sums([10, 0, 0, 0]), cohort_sums([10, 30, 0, 0]).assign(arm="2026-02")
    late = cohort_sums([500, 500, 500, 500]).assign(arm="2026-03", note="the horizon is not over")
    means = sizes.pooled_means(pd.concat([first, second, late])).set_index("outcome")
    assert means.loc["cash", "value"] == pytest.approx(50 / 8)
    assert means.loc["payer", "value"] == pytest.approx(3 / 8)
    assert means.loc["payer", "cases"] == 8


def test_weeks_count_from_what_the_first_day_gives() -> None:
    month = 365.25 / 12 / 7
    assert sizes.weeks_to_enrol(1_000, 250) == pytest.approx(4 * month)
    assert sizes.weeks_to_enrol(1_000, 250, at_once=500) == pytest.approx(2 * month)
    assert sizes.weeks_to_enrol(1_000, float("nan"), at_once=1_000) == 0
    assert np.isnan(sizes.weeks_to_enrol(1_000, 0))


def test_larger_tests_detect_less_and_take_longer() -> None:
    table = sizes.grid(planned(0.1), [1_000, 4_000, 16_000], per_month=500, share=0.5, base_share=0.5, margin=0.1)
    own = table[table["outcome"] == "payer_rate"]
    # Half the change takes four times the cases, and a little less: the smaller rise adds less to the variance.
    assert (own["detectable"].iloc[:-1].to_numpy() / own["detectable"].iloc[1:].to_numpy() > 2).all()
    assert own["detectable"].iloc[1] == pytest.approx(own["detectable"].iloc[0] / 2, rel=0.15)
    assert own["enrol_weeks"].is_monotonic_increasing
    assert (own["detectable_adjusted"] < own["detectable"]).all()
    assert list(table["outcome"].unique()) == ["payer_rate", "cash"]
