"""Sharp cut-offs: planted jumps, coverage, size and power of the density test, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.causal.density_jump import balance_test, density_test
from collect_analysis.methods.causal.discontinuity import Bandwidths, jump, mse_bandwidths, sharp_discontinuity, split
from collect_analysis.methods.causal.discontinuity_checks import bandwidth_sensitivity, covariate_placebo, covariates_continuous, donut
from collect_analysis.methods.evidence import grade


def lee_cases(seed: int, size: int = 1000, effect: float = 0.04) -> pd.DataFrame:
    """Design 1 of Calonico, Cattaneo & Titiunik (2014): curved on both sides of 0, jump 0.04, noise 0.1295."""
    rng = np.random.default_rng(seed)
    x = 2 * rng.beta(2, 4, size) - 1
    below = np.polyval([7.33, 21.54, 20.21, 7.18, 1.27, 0.48], x)
    above = np.polyval([3.56, -9.01, 7.99, -3.00, 0.84, 0.48 + effect], x)
    return pd.DataFrame({"running": x, "outcome": np.where(x < 0, below, above) + rng.normal(0, 0.1295, size)})


def robust(cases: pd.DataFrame, **options) -> pd.Series:
    result = sharp_discontinuity(cases, **{"cutoff": 0.0, "cutoff_belongs_to": "above", **options})
    return result.effects.set_index("method").loc["robust"]


def unmet(cases: pd.DataFrame, **options) -> list[str]:
    result = sharp_discontinuity(cases, **{"cutoff": 0.0, "cutoff_belongs_to": "above", **options})
    names = [condition.name for condition in result.conditions if not condition.met]
    refused = any(not condition.met and condition.consequence == "refuse" for condition in result.conditions)
    assert result.effects["estimate"].isna().all() == refused
    assert (result.effects["note"] != "").all() == refused
    assert (grade("quasi_experiment", result.conditions) == "none") == refused
    return names


def test_two_straight_lines_give_their_exact_jump() -> None:
    x = np.linspace(-10, 10, 401)
    cases = pd.DataFrame({"running": x, "outcome": np.where(x >= 0, 7 + 2 * x, 3 - x)})
    below, above = split(cases, cutoff=0, cutoff_belongs_to="above")
    table = jump(below, above, Bandwidths(5.0, 8.0), level=0.95)
    np.testing.assert_allclose(table["estimate"], [4, 4], atol=1e-9)


def test_a_curve_at_given_bandwidths_is_corrected_exactly_when_it_is_quadratic() -> None:
    x = np.linspace(-10, 10, 401)
    cases = pd.DataFrame({"running": x, "outcome": np.where(x >= 0, 4 + 2 * x + x**2, -3 * x**2)})
    table = jump(*split(cases, cutoff=0, cutoff_belongs_to="above"), Bandwidths(5.0, 8.0), level=0.95)
    assert table["estimate"].iloc[1] == pytest.approx(4, abs=1e-9)
    assert abs(table["estimate"].iloc[0] - 4) > 0.5


def test_the_robust_interval_covers_the_planted_jump_and_the_conventional_one_less() -> None:
    covered = {"conventional": 0, "robust": 0}
    for seed in range(200):
        sides = split(lee_cases(seed), cutoff=0, cutoff_belongs_to="above")
        effects = jump(*sides, mse_bandwidths(*sides), level=0.95).set_index("method")
        for method in covered:
            covered[method] += effects.loc[method, "low"] <= 0.04 <= effects.loc[method, "high"]
    assert abs(covered["robust"] / 200 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 200)
    assert covered["conventional"] < covered["robust"]


def test_a_large_jump_is_found_with_the_sign_of_the_treated_side() -> None:
    cases = lee_cases(1, effect=0.5)
    up, down = robust(cases), robust(cases, treated_side="below")
    assert up["low"] < 0.5 < up["high"]
    assert down["estimate"] == pytest.approx(-up["estimate"])
    assert (down["low"], down["high"]) == pytest.approx((-up["high"], -up["low"]))


def test_moving_the_cut_off_with_the_data_and_changing_units_changes_only_units() -> None:
    cases = lee_cases(2, effect=0.5)
    moved = pd.DataFrame({"running": cases["running"] * 1e6 + 5e6, "outcome": cases["outcome"] * 100}).sample(frac=1, random_state=1)
    before = moved.copy()
    first, second = robust(cases), robust(moved, cutoff=5e6)
    assert second["estimate"] == pytest.approx(100 * first["estimate"], rel=1e-6)
    assert second["standard_error"] == pytest.approx(100 * first["standard_error"], rel=1e-6)
    assert second["bandwidth"] == pytest.approx(1e6 * first["bandwidth"], rel=1e-6)
    pd.testing.assert_frame_equal(moved, before)


def test_a_case_at_the_cut_off_is_on_the_side_the_rule_puts_it() -> None:
    x = np.arange(-100.0, 101)
    strictly_above = pd.DataFrame({"running": x, "outcome": np.where(x > 0, 5.0, 1.0)})
    sides = {belongs: split(strictly_above, cutoff=0, cutoff_belongs_to=belongs) for belongs in ("above", "below")}
    assert [len(side.x) for side in sides["above"]] == [100, 101]
    assert [len(side.x) for side in sides["below"]] == [101, 100]
    assert sides["below"][0].y[-1] == 1
    right = jump(*sides["below"], Bandwidths(20, 40), level=0.95)["estimate"].iloc[0]
    wrong = jump(*sides["above"], Bandwidths(20, 40), level=0.95)["estimate"].iloc[0]
    assert right == pytest.approx(4)
    assert wrong < 3.8


def test_all_diagnostics_passed_is_grade_b() -> None:
    result = sharp_discontinuity(lee_cases(3), cutoff=0, cutoff_belongs_to="above", other_cutoffs=[0.9])
    assert all(condition.met for condition in result.conditions)
    assert grade("quasi_experiment", result.conditions) == "B"
    assert (result.effects["note"] == "").all()


def test_a_constant_running_variable_is_refused() -> None:
    cases = lee_cases(4).assign(running=3.0)
    assert unmet(cases) == ["running_varies"]
    note = sharp_discontinuity(cases, cutoff=0, cutoff_belongs_to="above").effects["note"].iloc[0]
    assert note == "not answerable: running_varies"


def test_cases_on_one_side_only_are_refused() -> None:
    assert unmet(lee_cases(5), cutoff=7.0) == ["both_sides_filled"]


def test_too_few_cases_or_values_on_a_side_are_refused() -> None:
    cases = lee_cases(6)
    assert unmet(cases[(cases["running"] < 0) | (cases.index < 30)]) == ["cases_per_side"]
    assert unmet(cases.assign(running=np.floor(cases["running"] * 10))) == ["cases_per_side"]
    assert unmet(cases, bandwidths=Bandwidths(0.01, 0.02)) == ["cases_near"]


def test_an_outcome_that_nobody_reached_is_refused() -> None:
    assert unmet(lee_cases(7).assign(outcome=0.0)) == ["outcome_varies"]


def test_another_rule_inside_the_bandwidth_is_refused() -> None:
    assert unmet(lee_cases(8), other_cutoffs=[0.0, 0.9]) == ["rule_alone"]


def test_a_rule_that_was_overridden_or_not_recorded_is_refused() -> None:
    cases = lee_cases(9)
    cases["treated"] = (cases["running"] >= 0).astype("boolean")
    assert unmet(cases) == []
    assert unmet(cases, treated_side="below") == ["rule_kept"]
    cases.loc[0, "treated"] = pd.NA
    assert unmet(cases) == ["treatment_known"]
    details = sharp_discontinuity(cases, cutoff=0, cutoff_belongs_to="above").conditions[-1].details
    assert details == {"unrecorded": 1, "cases": 1000}


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_cases_moved_across_the_cut_off_are_refused(share: float) -> None:
    cases = lee_cases(10, size=3000)
    near = cases["running"].between(-0.1, 0, inclusive="left") & (np.random.default_rng(1).random(3000) < share)
    assert unmet(cases.assign(running=cases["running"].where(~near, -cases["running"]))) == ["nobody_moves"]


def test_rounded_values_lower_the_grade() -> None:
    cases = lee_cases(11, size=4000)
    names = unmet(cases.assign(running=cases["running"].round(2)))
    assert "mass_points" in names
    heap = cases.copy()
    heap.loc[heap["running"].between(0, 0.05), "running"] = 0.0
    assert "heap_at_cutoff" in [
        condition.name
        for condition in sharp_discontinuity(heap, cutoff=0, cutoff_belongs_to="above").conditions
        if not condition.met and condition.consequence == "downgrade"
    ]


@pytest.mark.parametrize("size", [3_000, 30_000])
def test_a_whole_number_is_fine_enough_however_many_cases_share_a_value(size: int) -> None:
    """The same score, with ten times the data: more repeat, and nothing is coarser."""
    rng = np.random.default_rng(5)
    score = rng.integers(-150, 150, size).astype(float)
    paid = (rng.random(size) < 0.3 + 0.1 * (score >= 0) + score / 1_500).astype(float)
    found = sharp_discontinuity(pd.DataFrame({"running": score, "outcome": paid}), cutoff=0, cutoff_belongs_to="above")
    (fine,) = [condition for condition in found.conditions if condition.name == "mass_points"]
    assert fine.details["repeated_share"] > 0.9
    assert fine.met
    assert not [condition.name for condition in found.conditions if not condition.met]
    row = found.effects.set_index("method").loc["robust"]
    assert row["low"] < 0.1 < row["high"]


def test_a_yes_or_no_outcome_works_and_one_without_spread_is_refused() -> None:
    cases = lee_cases(12, size=3000)
    payer = (np.random.default_rng(1).random(3000) < 0.2 + 0.3 * (cases["running"] >= 0)).astype(int)
    row = robust(cases.assign(outcome=payer))
    assert abs(row["estimate"] - 0.3) < 3 * row["standard_error"]
    # Without any spread the best bandwidth shrinks to nothing.
    assert unmet(cases.assign(outcome=(cases["running"] >= 0).astype(float))) == ["cases_near"]


def test_the_density_test_keeps_its_level_and_finds_piling_up() -> None:
    rng = np.random.default_rng(1)

    def moved(values: np.ndarray) -> np.ndarray:
        across = (values < 0) & (values > -0.3) & (rng.random(len(values)) < 0.5)
        return np.where(across, -values, values)

    null = [density_test(rng.normal(0.3, 1, 1000), cutoff=0).p_value < 0.05 for _ in range(300)]
    power = [density_test(moved(rng.normal(0, 1, 4000)), cutoff=0).p_value < 0.05 for _ in range(50)]
    assert abs(np.mean(null) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 300)
    assert np.mean(power) > 0.8


def test_the_density_is_the_slope_of_weighted_least_squares_and_its_error_that_of_the_jackknife() -> None:
    import statsmodels.api as sm

    x = np.sort(np.random.default_rng(4).normal(0.2, 1, 400))
    share = np.arange(1, 401) / 400
    test = density_test(x, cutoff=0, bandwidths=(0.9, 1.1))
    slopes = []
    for side, width in ((x < 0, 0.9), (x >= 0, 1.1)):
        powers = x[side][:, None] ** np.arange(4)
        slopes.append(sm.WLS(share[side], powers, weights=np.clip(1 - np.abs(x[side]) / width, 0, None)).fit().params[1])
    assert (test.below, test.above) == pytest.approx(tuple(slopes), rel=1e-8)
    left_out = [density_test(np.delete(x, case), cutoff=0, bandwidths=(0.9, 1.1)) for case in range(400)]
    jackknife = np.sqrt(399 * np.var([one.above - one.below for one in left_out]))
    assert (test.above - test.below) / test.statistic == pytest.approx(jackknife, rel=0.03)


def test_the_densities_are_those_of_the_planted_distribution() -> None:
    test = density_test(np.random.default_rng(2).exponential(1, 50_000), cutoff=1.0)
    assert test.below == pytest.approx(np.exp(-1), rel=0.1)
    assert test.above == pytest.approx(np.exp(-1), rel=0.1)
    few = density_test([1, 2, 3, 4.0] * 20, cutoff=2.5)
    assert np.isnan(few.p_value)
    assert few.note == "fewer than 20 distinct values below and above the cut-off"


def test_the_balance_of_the_closest_cases_by_hand() -> None:
    even = np.concatenate([-np.arange(1.0, 101), np.arange(1.0, 101)])
    test = balance_test(even + 7, cutoff=7)
    assert (test.below, test.above, test.window, test.p_value) == (25, 25, 25, 1)
    # Of the 50 closest cases, all 50 lie above: 2 / 2^50.
    assert balance_test(np.abs(even) + 7, cutoff=7).p_value == pytest.approx(2**-49)
    assert balance_test(np.repeat([-1.0, 1, 2], 500), cutoff=0).note == "values too coarse for a narrow window"
    assert balance_test(np.append(even[:20], [0] * 500), cutoff=0).note == "too few cases"


def test_a_sloping_density_does_not_look_unbalanced() -> None:
    rng = np.random.default_rng(3)
    p_values = [balance_test(rng.exponential(1, 2000), cutoff=0.7).p_value for _ in range(400)]
    assert np.mean(np.array(p_values) < 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_a_covariate_that_jumps_is_found_and_others_are_not() -> None:
    cases = lee_cases(13, size=3000)
    rng = np.random.default_rng(2)
    covariates = {"age": rng.normal(40, 9, size=3000), "salary": rng.normal(size=3000) + 2 * (cases["running"] >= 0)}
    table = covariate_placebo(cases["running"], covariates, cutoff=0, cutoff_belongs_to="above")
    assert table["covariate"].tolist() == ["age", "salary"]
    condition = covariates_continuous(table)
    assert not condition.met
    assert condition.details == {"count": 2, "jumping": ["salary"]}
    assert covariates_continuous(table.query("covariate == 'age'")).met


def test_bandwidths_and_donuts_repeat_the_main_estimate_and_say_when_nothing_is_left() -> None:
    cases = lee_cases(14, size=2000, effect=0.5)
    main = robust(cases)
    widths = bandwidth_sensitivity(cases, cutoff=0, cutoff_belongs_to="above", multiples=(2, 1, 0.5)).set_index("at")
    assert widths.index.tolist() == [0.5, 1, 2]
    assert widths.loc[1, "estimate"] == main["estimate"]
    assert widths["standard_error"].is_monotonic_decreasing
    holes = donut(cases, cutoff=0, cutoff_belongs_to="above", radii=[0, 0.01, 0.9]).set_index("at")
    assert holes.loc[0, "estimate"] == main["estimate"]
    assert holes.loc[0.01, "cases_above"] < main["cases_above"]
    assert np.isnan(holes.loc[0.9, "estimate"])
    assert holes.loc[0.9, "note"] == "fewer than 10 distinct values on a side"


def test_bad_inputs_are_refused_with_their_place_and_fix() -> None:
    cases = lee_cases(15)
    cases.loc[3, "outcome"] = np.nan
    cases.loc[[4, 5], "running"] = np.nan
    with pytest.raises(DataError) as refusal:
        sharp_discontinuity(cases, cutoff=0, cutoff_belongs_to="above")
    assert refusal.value.problems == (
        "cases.running: 2 of 1000 rows are missing (first: row 5). Leave those cases out, and say why they are missing.",
        "cases.outcome: 1 of 1000 rows are missing (first: row 4). Leave those cases out, and say why they are missing.",
    )
    with pytest.raises(DataError, match="no column outcome"):
        split(pd.DataFrame({"running": [1.0]}), cutoff=0, cutoff_belongs_to="above")
    with pytest.raises(ParameterError, match="cutoff_belongs_to must be above or below"):
        sharp_discontinuity(lee_cases(1), cutoff=0, cutoff_belongs_to="left")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="treated_side must be above or below"):
        sharp_discontinuity(lee_cases(1), cutoff=0, cutoff_belongs_to="above", treated_side="left")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="cutoff_belongs_to must be above or below"):
        density_test([1.0, 2.0], cutoff=0, cutoff_belongs_to="left")
    with pytest.raises(DataError, match="running variable: 1 of 2 values are missing"):
        density_test([1.0, np.nan], cutoff=0)
    with pytest.raises(ParameterError, match="not the smaller"):
        Bandwidths(2.0, 1.0)
    with pytest.raises(ParameterError, match="multiples must be above 0"):
        bandwidth_sensitivity(lee_cases(1), cutoff=0, cutoff_belongs_to="above", multiples=[0])
    with pytest.raises(ParameterError, match="radii must not be below 0"):
        donut(lee_cases(1), cutoff=0, cutoff_belongs_to="above", radii=[-1])
