"""What a planned test can detect: the published tables, and what holds whatever the numbers."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods import test_plan as sizes
from collect_analysis.methods.power import amount_cv, relative_mde, share_cv, two_proportion_sample_size
from collect_analysis.methods.sequential import boundaries
from hypothesis import given
from hypothesis import strategies as st

# Payers, then payer rate and amount per account (CV 1.2 among payers) at 2,500, 10,000 and 50,000 an arm, then the amount with ρ 0.5:
# two-sided 5 %, power 80 %.
TABLE = [
    (0.05, 34.5, 54.8, 17.3, 27.4, 7.7, 12.3, 10.6),
    (0.10, 23.8, 38.3, 11.9, 19.2, 5.3, 8.6, 7.4),
    (0.20, 15.8, 26.5, 7.9, 13.3, 3.5, 5.9, 5.1),
    (0.40, 9.7, 17.9, 4.9, 8.9, 2.2, 4.0, 3.5),
]


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


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]:.0%} payers")
def test_the_first_table_shown_is_the_published_one_to_the_printed_digit(row: tuple[float, ...]) -> None:
    payers, *expected = row
    found = []
    for size in (2_500, 10_000, 50_000):
        plan = sizes.plan_table(planned(payers), cases=2 * size, share=0.5, base_share=0.5, margin=0.1)
        found += list(plan.loc[~plan["adjusted"], "detectable"])
    plan = sizes.plan_table(planned(payers), cases=100_000, share=0.5, base_share=0.5, margin=0.1).set_index(["outcome", "adjusted"])
    found.append(plan.loc[("cash", True), "detectable"])
    # The reference rounds z to 2.80, so a figure that ends near a half may print the neighbouring digit.
    exact = [round(100 * value, 1) for value in found]
    with_rounded_z = [round(100 * value * 2.80 / 2.801585, 1) for value in found]
    assert all(wanted in pair for wanted, *pair in zip(expected, exact, with_rounded_z, strict=True))


@pytest.mark.parametrize(
    ("base", "other", "power", "expected"),
    [(0.50, 0.75, 0.9, 76.707), (0.10, 0.11, 0.8, 14_750.8), (0.04, 0.044, 0.8, 39_474.8), (0.20, 0.21, 0.8, 25_582.2)],
)
def test_two_proportions_need_the_published_numbers(base: float, other: float, power: float, expected: float) -> None:
    assert two_proportion_sample_size(base, other, power=power) == pytest.approx(expected, rel=2e-5)
    # Planned by the variation of the champion alone, the need differs by what the rise adds to the variance, no more.
    relative = other / base - 1
    needed = float(sizes.cases_needed(share_cv(base), relative, share=0.5, base_share=0.5, power=power)) / 2
    assert needed == pytest.approx(expected, rel=0.35)


def test_officers_with_400_accounts_and_a_likeness_of_one_percent_cost_4_99() -> None:
    assert float(sizes.design_effect(400, 0.01)) == pytest.approx(4.99)
    plain = sizes.plan_table(planned(0.1), cases=20_000, share=0.5, base_share=0.5, margin=0.1)
    treated = sizes.plan_table(planned(0.1), cases=20_000, share=0.5, base_share=0.5, margin=0.1, treated_effect=4.99)
    assert treated["accounts_needed"].to_numpy() == pytest.approx(plain["accounts_needed"].to_numpy() * 4.99, rel=1e-4)


def test_ninety_ten_needs_2_78_times_an_even_split() -> None:
    table = sizes.splits(planned(0.1), [0.5, 0.1], cases=20_000, margin=0.1).set_index(["outcome", "small_share"])
    assert table.loc[("cash", 0.1), "times"] == pytest.approx(2.78, abs=0.005)
    needed = table["accounts_needed"]
    assert needed[("cash", 0.1)] / needed[("cash", 0.5)] == pytest.approx(1 / (4 * 0.9 * 0.1), rel=1e-4)


@given(st.floats(0.2, 6), st.floats(0.01, 0.5), st.floats(0.05, 0.5), st.floats(0, 0.9), st.floats(1, 5))
def test_the_accounts_needed_detect_the_margin_exactly(cv: float, margin: float, share: float, rho: float, effect: float) -> None:
    cases = float(sizes.cases_needed(cv, margin, share=share, base_share=1 - share, design_effect=effect, correlation=rho))
    found = float(relative_mde(cv, cases * share, cases * (1 - share), design_effect=effect, correlation=rho))
    assert found == pytest.approx(margin, rel=1e-9)


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
    assert own["detectable"].to_numpy() == pytest.approx(own["detectable"].iloc[0] / np.array([1, 2, 4]))
    assert own["enrol_weeks"].is_monotonic_increasing
    assert (own["detectable_adjusted"] < own["detectable"]).all()
    assert list(table["outcome"].unique()) == ["payer_rate", "cash"]
