"""Power and detectable effects against published tables and R's formula."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.power import amount_cv, cases_for, mde_table, relative_mde, share_cv, two_proportion_sample_size
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower


@pytest.mark.parametrize(
    ("base", "other", "power", "expected"),
    [(0.50, 0.75, 0.9, 76.707), (0.10, 0.11, 0.8, 14_750.8), (0.04, 0.044, 0.8, 39_474.8), (0.20, 0.21, 0.8, 25_582.2)],
)
def test_cases_per_arm_are_those_of_r_power_prop_test(base: float, other: float, power: float, expected: float) -> None:
    found = two_proportion_sample_size(base, other, power=power)
    assert found == pytest.approx(expected, abs=0.05 if expected > 100 else 0.0005)


def test_equal_shares_need_no_finite_number_of_cases() -> None:
    assert np.isnan(two_proportion_sample_size(0.1, 0.1))
    assert np.isnan(two_proportion_sample_size(0.1, 1.1))


# Payers, then payer rate and amount per account (CV 1.2 among payers) at 2,500, 10,000 and 50,000 an arm, then the amount with ρ 0.5.
TABLE = [
    (0.05, 34.5, 54.8, 17.3, 27.4, 7.7, 12.3, 10.6),
    (0.10, 23.8, 38.3, 11.9, 19.2, 5.3, 8.6, 7.4),
    (0.20, 15.8, 26.5, 7.9, 13.3, 3.5, 5.9, 5.1),
    (0.40, 9.7, 17.9, 4.9, 8.9, 2.2, 4.0, 3.5),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]:.0%} payers")
def test_detectable_effects_are_those_of_the_reference_table(row: tuple[float, ...]) -> None:
    payers, *expected = row
    found = []
    for size in (2_500, 10_000, 50_000):
        found.append(float(relative_mde(share_cv(payers), size, size)))
        found.append(float(relative_mde(amount_cv(payers, 1.2), size, size)))
    found.append(float(relative_mde(amount_cv(payers, 1.2), 50_000, 50_000, correlation=0.5)))
    assert [100 * value for value in found] == pytest.approx(expected, abs=0.0501)


def test_detectable_effect_is_the_one_that_has_the_stated_power() -> None:
    cv, arm, base = 3.0, 4_000, 20_000
    effect = float(relative_mde(cv, arm, base, power=0.8))
    # statsmodels: the same question for a standardised difference and a size ratio.
    power = NormalIndPower().power(effect / cv, arm, 0.05, ratio=base / arm, alternative="two-sided")
    assert power == pytest.approx(0.8, abs=1e-4)


def test_design_effect_of_clusters_costs_its_square_root() -> None:
    plain = float(relative_mde(3.0, 1_000, 1_000))
    assert float(relative_mde(3.0, 1_000, 1_000, design_effect=4.99)) == pytest.approx(plain * np.sqrt(4.99))


def test_an_arm_without_cases_detects_nothing() -> None:
    assert np.isnan(relative_mde(3.0, 0, 1_000))
    assert np.isnan(share_cv(0.0))
    assert np.isnan(amount_cv(0.0, 1.2))


@given(cv=st.floats(0.1, 20), effect=st.floats(0.005, 1), deff=st.floats(1, 10))
def test_cases_needed_and_detectable_effect_are_inverse(cv: float, effect: float, deff: float) -> None:
    needed = float(cases_for(cv, effect, design_effect=deff))
    assert float(relative_mde(cv, needed, needed, design_effect=deff)) == pytest.approx(effect)


def test_covariates_that_explain_a_quarter_are_worth_a_third_more_cases() -> None:
    means = pd.DataFrame(
        {
            "outcome": "cash", "unit": "minor", "horizon_days": 90, "arm": ["new", "old"], "cases": 50_000.0, "value": [100.0, 100.0],
            "cv": amount_cv(0.05, 1.2), "design_effect": 1.0, "note": "",
        }
    )  # fmt: skip
    explained = pd.DataFrame({"outcome": ["cash"], "horizon_days": [90], "rho2": [0.25]})
    row = mde_table(means, base="old", margin=0.1, explained=explained).iloc[0]
    # Published table: 5 % payers, 50,000 per arm -> 12.3 %, with correlation 0.5 -> 10.6 %.
    assert [round(100 * row[name], 1) for name in ("detectable", "detectable_adjusted")] == [12.3, 10.6]
    assert row["needed_adjusted"] == pytest.approx(0.75 * row["needed"], abs=1)
    without = mde_table(means, base="old", margin=0.1).iloc[0]
    assert np.isnan(without["detectable_adjusted"])
    assert without["detectable"] == row["detectable"]
