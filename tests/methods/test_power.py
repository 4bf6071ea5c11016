"""Power and detectable effects against R's formula, exact binomial power, and simulated money of rare payers."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.trials.experiments import compare_arms
from collect_analysis.methods.trials.power import NOT_EVEN_ALL, amount_cv, cases_for, mde_table, relative_mde, risen_variance, share_cv
from hypothesis import given, strategies as st
from scipy import stats
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import power_proportions_2indep


@pytest.mark.parametrize(
    ("base", "other", "power", "expected"),
    [(0.50, 0.75, 0.9, 76.707), (0.10, 0.11, 0.8, 14_750.8), (0.04, 0.044, 0.8, 39_474.8), (0.20, 0.21, 0.8, 25_582.2)],
)
def test_cases_per_arm_are_those_of_r_power_prop_test(base: float, other: float, power: float, expected: float) -> None:
    found = float(cases_for(share_cv(base), other / base - 1, unit="share", power=power))
    assert found == pytest.approx(expected, abs=0.05 if expected > 100 else 0.0005)
    assert float(relative_mde(share_cv(base), found, found, unit="share", power=power)) == pytest.approx(other / base - 1)


@pytest.mark.parametrize(("base", "arm", "other_arm"), [(0.005, 20_000, 2_000), (0.05, 1_000, 9_000), (0.3, 200, 200), (0.02, 500, 500)])
def test_the_detectable_share_has_its_power_in_statsmodels(base: float, arm: float, other_arm: float) -> None:
    rise = float(relative_mde(share_cv(base), arm, other_arm, unit="share"))
    # statsmodels takes the spread under no effect from the mean of both shares, whatever the arms' sizes: R's formula for equal arms.
    found = power_proportions_2indep(base * rise, base, arm, ratio=other_arm / arm, alpha=0.05)
    assert found.power == pytest.approx(0.8, abs=1e-6 if arm == other_arm else 0.06)


def exact_power(base: float, other: float, base_cases: int, cases: int, *, alpha: float = 0.05) -> float:
    """Probability that the pooled test of two shares, as reviews make it, finds a difference: every pair of counts, weighed."""
    counts = [np.arange(stats.binom.ppf(1e-9, n, p), stats.binom.isf(1e-9, n, p) + 1) for n, p in ((base_cases, base), (cases, other))]
    weights = np.outer(stats.binom.pmf(counts[0], base_cases, base), stats.binom.pmf(counts[1], cases, other))
    x0, x1 = np.meshgrid(*counts, indexing="ij")
    pooled = (x0 + x1) / (base_cases + cases)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (x1 / cases - x0 / base_cases) / np.sqrt(pooled * (1 - pooled) * (1 / base_cases + 1 / cases))
    return float((weights * (np.abs(z) > stats.norm.isf(alpha / 2))).sum())


# Expected payers of the base arm, its share of payers, size of the other arm over it; every arm has ten cases or more.
FEW = [(e, p, k) for e in (1, 3, 10, 50) for p in (0.002, 0.02, 0.1) for k in (1 / 9, 1, 9) if e / p * k >= 10]


@pytest.mark.parametrize(("expected_payers", "base", "ratio"), FEW)
@pytest.mark.parametrize(("power", "alpha"), [(0.8, 0.05), (0.9, 0.0167)])
def test_few_payers_find_what_is_said_of_them_with_exact_power(
    expected_payers: int, base: float, ratio: float, power: float, alpha: float
) -> None:
    base_cases = round(expected_payers / base)
    cases = round(base_cases * ratio)
    rise = float(relative_mde(share_cv(base), cases, base_cases, unit="share", power=power, level=1 - alpha))
    assert power - 0.02 <= exact_power(base, base * (1 + rise), base_cases, cases, alpha=alpha) <= power + 0.08


def test_arms_that_vary_alike_promise_too_much_of_rare_payers() -> None:
    # 0.58 % payers, 10,800 accounts an arm: z·√(2π(1-π)/n) says 0.29 points, and finds that in 7 of 10 tests, not in 8.
    base, cases = 0.0058, 10_800
    alike = 2.801585 * np.sqrt(2 * base * (1 - base) / cases)
    rise = float(relative_mde(share_cv(base), cases, cases, unit="share"))
    assert exact_power(base, base + alike, cases, cases) == pytest.approx(0.71, abs=0.01)
    assert exact_power(base, base * (1 + rise), cases, cases) == pytest.approx(0.80, abs=0.01)
    # The need for a rise by 40 % of 0.45 % is a fifth larger: 2·z²·(1-π)/π/0.16 against the exact size.
    needed = float(cases_for(share_cv(0.0045), 0.4, unit="share"))
    assert needed / (2 * 2.801585**2 * (1 - 0.0045) / 0.0045 / 0.16) == pytest.approx(1.198, abs=0.005)
    assert exact_power(0.0045, 0.0063, round(needed), round(needed)) == pytest.approx(0.80, abs=0.01)


def money_power(
    rng: np.random.Generator, base: float, other: float, base_cases: int, cases: int, cv: float, *, draws: int = 4_000
) -> float:
    """How often Welch's interval lies above zero, payers' amounts gamma with this coefficient of variation."""

    def arm(rate: float, size: int) -> tuple[np.ndarray, np.ndarray]:
        payers = rng.binomial(size, rate, draws)
        amounts = rng.gamma(cv**-2, cv**2, payers.sum())
        at = np.repeat(np.arange(draws), payers)
        mean = np.bincount(at, amounts, draws) / size
        return mean, (np.bincount(at, amounts**2, draws) - size * mean**2) / (size - 1) / size

    (m0, v0), (m1, v1) = arm(base, base_cases), arm(other, cases)
    df = (v0 + v1) ** 2 / (v0**2 / (base_cases - 1) + v1**2 / (cases - 1))
    return float((m1 - m0 > stats.t.ppf(0.975, df) * np.sqrt(v0 + v1)).mean())


@pytest.mark.parametrize(
    ("base", "base_cases", "cases", "alike_power"),
    [(0.005, 5_000, 5_000, 0.63), (0.01, 10_000, 10_000, 0.70), (0.05, 2_500, 2_500, 0.73), (0.01, 18_000, 2_000, 0.54)],
)
def test_money_of_rare_payers_has_the_power_said(base: float, base_cases: int, cases: int, alike_power: float) -> None:
    rng = np.random.default_rng(11)
    cv = float(amount_cv(base, 1.2))
    rise = float(relative_mde(cv, cases, base_cases, unit="minor"))
    alike = 2.801585 * cv * np.sqrt(1 / cases + 1 / base_cases)
    assert money_power(rng, base, base * (1 + alike), base_cases, cases, 1.2) == pytest.approx(alike_power, abs=0.03)
    # Never optimistic; a small arm with a score of payers finds more than said, because its spread is read low when its mean is.
    assert 0.78 <= money_power(rng, base, base * (1 + rise), base_cases, cases, 1.2) <= 0.91


# Payers, then payer rate and amount per account (CV 1.2 among payers) at 2,500, 10,000 and 50,000 an arm: arms taken to vary alike.
TABLE = [
    (0.05, 34.5, 54.8, 17.3, 27.4, 7.7, 12.3),
    (0.10, 23.8, 38.3, 11.9, 19.2, 5.3, 8.6),
    (0.20, 15.8, 26.5, 7.9, 13.3, 3.5, 5.9),
    (0.40, 9.7, 17.9, 4.9, 8.9, 2.2, 4.0),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]:.0%} payers")
def test_detectable_effects_approach_the_reference_table_as_arms_grow(row: tuple[float, ...]) -> None:
    payers, *alike = row
    for place, size in enumerate((2_500, 10_000, 50_000)):
        for found, printed in (
            (relative_mde(share_cv(payers), size, size, unit="share"), alike[2 * place]),
            (relative_mde(amount_cv(payers, 1.2), size, size, unit="minor"), alike[2 * place + 1]),
        ):
            # Larger by about a quarter of the change for shares and of the amounts, never smaller by more than a digit.
            assert -0.051 <= 100 * float(found) - printed <= 0.27 * printed * printed / 100 + 0.051


def test_a_variance_that_nobody_zero_changes_is_the_plain_formula() -> None:
    cv, arm, base = 0.3, 4_000, 20_000
    effect = float(relative_mde(cv, arm, base, unit="count"))
    # statsmodels: the same question for a standardised difference and a size ratio.
    assert NormalIndPower().power(effect / cv, arm, 0.05, ratio=base / arm, alternative="two-sided") == pytest.approx(0.8, abs=1e-4)


def test_the_risen_variance_of_a_share_is_that_of_its_risen_value() -> None:
    assert float(risen_variance(share_cv(0.2), 0.5, unit="share")) * 0.2**2 == pytest.approx(0.3 * 0.7)
    assert float(risen_variance(share_cv(0.2), 4.0, unit="share")) == pytest.approx(0, abs=1e-12)
    assert np.isnan(risen_variance(share_cv(0.2), 4.1, unit="share"))


def test_what_no_share_can_reach_is_undefined_and_said() -> None:
    assert np.isnan(cases_for(share_cv(0.8), 0.3, unit="share"))
    assert np.isnan(cases_for(share_cv(0.8), 0.0, unit="share"))
    assert np.isnan(relative_mde(share_cv(0.7), 5, 5, unit="share"))
    means = pd.DataFrame(
        {"outcome": "payer_rate", "unit": "share", "horizon_days": 90, "arm": ["new", "old"], "cases": 5.0, "value": [0.7, 0.7],
         "cv": share_cv(0.7), "design_effect": 1.0, "note": ""}
    )  # fmt: skip
    row = mde_table(means, base="old", margin=0.1).iloc[0]
    assert (row["note"], np.isnan(row["detectable"]), row["needed"] > 5) == (NOT_EVEN_ALL, True, True)


def test_design_effect_of_clusters_costs_as_many_cases() -> None:
    plain = float(relative_mde(3.0, 1_000, 1_000, unit="minor"))
    assert float(relative_mde(3.0, 4_990, 4_990, unit="minor", design_effect=4.99)) == pytest.approx(plain)


def test_an_arm_without_cases_detects_nothing() -> None:
    assert np.isnan(relative_mde(3.0, 0, 1_000, unit="minor"))
    assert np.isnan(share_cv(0.0))
    assert np.isnan(amount_cv(0.0, 1.2))


@given(
    unit=st.sampled_from(["share", "minor", "count"]), cv=st.floats(0.1, 20), effect=st.floats(0.005, 1), deff=st.floats(1, 10),
    rho=st.floats(0, 0.9), share=st.floats(0.05, 0.95),
)  # fmt: skip
def test_cases_needed_and_detectable_effect_are_inverse(unit: str, cv: float, effect: float, deff: float, rho: float, share: float) -> None:
    how = {"unit": unit, "design_effect": deff, "correlation": rho}
    needed = float(cases_for(cv, effect, share=share, base_share=1 - share, **how))
    if unit == "share" and effect > cv**2:
        assert np.isnan(needed)
        return
    assert float(relative_mde(cv, needed * share, needed * (1 - share), **how)) == pytest.approx(effect, rel=1e-6)


def test_covariates_that_explain_a_quarter_are_worth_a_third_more_cases() -> None:
    means = pd.DataFrame(
        {
            "outcome": "cash", "unit": "minor", "horizon_days": 90, "arm": ["new", "old"], "cases": 50_000.0, "value": [100.0, 100.0],
            "cv": amount_cv(0.05, 1.2), "design_effect": 1.0, "note": "",
        }
    )  # fmt: skip
    explained = pd.DataFrame({"outcome": ["cash"], "horizon_days": [90], "rho2": [0.25]})
    row = mde_table(means, base="old", margin=0.1, explained=explained).iloc[0]
    # A quarter explained is worth a third more cases: 66,667 an arm.
    more = float(relative_mde(amount_cv(0.05, 1.2), 50_000 / 0.75, 50_000 / 0.75, unit="minor"))
    assert row["detectable_adjusted"] == pytest.approx(more)
    assert row["needed_adjusted"] == pytest.approx(0.75 * row["needed"], abs=1)
    without = mde_table(means, base="old", margin=0.1).iloc[0]
    assert np.isnan(without["detectable_adjusted"])
    assert without["detectable"] == row["detectable"]


def test_the_effect_said_is_found_by_the_comparison_that_reviews_make() -> None:
    # A trial whose challenger has exactly the payers that the detectable rise gives: found, at a p-value of the power's quantile.
    cases, base = 20_000, 0.01
    rise = float(relative_mde(share_cv(base), cases, cases, unit="share"))
    rows = []
    for arm, rate in (("old", base), ("new", base * (1 + rise))):
        paid = rate * cases
        rows.append(
            {"outcome": "payer_rate", "unit": "share", "horizon_days": 90, "arm": arm, "cases": cases, "sum_y": paid, "value": rate,
             "variance": rate * (1 - rate) / cases, "df": cases - 1, "design_effect": 1.0, "note": ""}
        )  # fmt: skip
    found = compare_arms(pd.DataFrame(rows), base="old").iloc[0]
    assert found["p_value"] == pytest.approx(2 * stats.norm.sf(1.959964 + 0.841621), rel=0.15)
    assert found["low"] > 0
