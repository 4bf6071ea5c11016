"""Staggered roll-out: hand calculation, planted truth, independent regression, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.causal.rollout import group_time_effects
from collect_analysis.methods.causal.rollout_checks import before_and_after, randomisation_test, starters_and_others, two_way_fixed_effects
from collect_analysis.methods.causal.rollout_summary import summarise
from collect_analysis.methods.evidence import grade


def panel_of(seed: int, sizes: dict[float, int], periods: int = 8, *, noise: float = 1.0, drift: float = 0.0) -> pd.DataFrame:
    """Branches with their own level, a common shock per month, an effect that grows by 1 a month and starts at 3 for the earliest."""
    rng = np.random.default_rng(seed)
    start = np.repeat(list(sizes), list(sizes.values()))
    units = np.arange(len(start))
    level, shock = rng.normal(0, 3, len(start)), rng.normal(0, 2, periods)
    rows = []
    for period in range(1, periods + 1):
        since = period - start
        effect = np.where(since >= 0, np.where(start == np.min(start), 3.0, 0.0) + since, 0.0)
        trend = drift * period * (start < 99)
        outcome = level + shock[period - 1] + effect + trend + rng.normal(0, noise, len(start))
        rows.append(
            pd.DataFrame({"unit": units, "period": period, "outcome": outcome, "first_treated": np.where(start < 99, start, np.nan)})
        )
    return pd.concat(rows, ignore_index=True)


def overall(panel: pd.DataFrame, by: str) -> pd.Series:
    return summarise(group_time_effects(panel), by=by, rng=np.random.default_rng(1), draws=19).iloc[-1]  # type: ignore[arg-type]


def test_four_branches_by_hand() -> None:
    outcome = {"a": [1, 2, 3, 9], "b": [3, 4, 5, 11], "c": [0, 1, 2, 3], "d": [2, 3, 4, 7]}
    panel = pd.DataFrame(
        [
            {"unit": unit, "period": period, "outcome": value, "first_treated": 4 if unit in "ab" else np.nan}
            for unit, values in outcome.items()
            for period, value in enumerate(values, 1)
        ]
    )
    effects = group_time_effects(panel).effects.set_index("period")
    # Starters rise by 6 from month 3 to 4, the others by (1 + 3) / 2; before, everybody rises by 1 a month.
    assert effects["estimate"].to_dict() == pytest.approx({2: 0, 3: 0, 4: 4})
    assert effects["event_time"].tolist() == [-2, -1, 0]
    # Two branches a side: the number stands, an interval does not.
    assert effects["standard_error"].isna().all()
    assert effects.loc[4, "note"] == "fewer than 6 clusters a side: no standard error; judge by a randomisation test"


def test_two_periods_are_the_difference_of_two_means_of_changes() -> None:
    panel = panel_of(1, {5: 30, 99: 40}, periods=5)
    wide = panel.pivot_table(index="unit", columns="period", values="outcome")
    change, treated = (wide[5] - wide[4]).to_numpy(), (panel.groupby("unit")["first_treated"].first() == 5).to_numpy()
    row = group_time_effects(panel).effects.query("period == 5").iloc[0]
    assert row["estimate"] == pytest.approx(change[treated].mean() - change[~treated].mean(), abs=1e-12)
    assert row["standard_error"] == pytest.approx(np.sqrt(change[treated].var() / 30 + change[~treated].var() / 40), rel=1e-12)


def test_planted_effects_are_found_and_the_usual_regression_misses_them() -> None:
    panel = panel_of(2, {4: 60, 6: 60, 99: 80})
    result = group_time_effects(panel)
    events = summarise(result, by="event_time", rng=np.random.default_rng(1)).set_index("at")
    truth = {-4: 0, -3: 0, -2: 0, -1: 0, 0: 1.5, 1: 2.5, 2: 3.5, 3: 6, 4: 7}
    for at, effect in truth.items():
        assert abs(events.loc[at, "estimate"] - effect) < 3 * events.loc[at, "standard_error"]
    assert all(condition.met for condition in result.conditions)
    assert grade("quasi_experiment", result.conditions) == "B"
    # Mean over all treated cells: cohort 4 has effects 3..7, cohort 6 has 0..2.
    simple, usual = overall(panel, "simple"), two_way_fixed_effects(panel)
    mean_effect = (3 + 4 + 5 + 6 + 7 + 0 + 1 + 2) / 8
    assert abs(simple["estimate"] - mean_effect) < 3 * simple["standard_error"]
    assert abs(usual.estimate - mean_effect) > 4 * usual.standard_error


def test_the_overall_interval_covers_the_truth_in_repeated_samples() -> None:
    covered = []
    for seed in range(100):
        row = overall(panel_of(seed, {4: 25, 5: 25, 99: 30}, periods=6), "simple")
        covered.append(row["low"] <= (3 + 4 + 5 + 0 + 1) / 5 <= row["high"])
    assert abs(np.mean(covered) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 100)


def test_errors_of_units_that_move_together_are_summed_within_their_cluster() -> None:
    panel = panel_of(3, {4: 40, 99: 40})
    twice = pd.concat([panel.assign(cluster=panel["unit"]), panel.assign(unit=panel["unit"] + 1000, cluster=panel["unit"])])
    once, copied = group_time_effects(panel).effects, group_time_effects(twice).effects
    np.testing.assert_allclose(copied["standard_error"], once["standard_error"], rtol=1e-12)
    blind = group_time_effects(twice.drop(columns="cluster")).effects
    np.testing.assert_allclose(blind["standard_error"].iloc[:2], once["standard_error"].iloc[:2] / np.sqrt(2), rtol=1e-12)


def test_the_bootstrap_agrees_with_the_standard_error_and_repeats_with_its_seed() -> None:
    result = group_time_effects(panel_of(4, {4: 100, 6: 100, 99: 100}))
    table = summarise(result, by="event_time", rng=np.random.default_rng(7), draws=1999)
    np.testing.assert_allclose(table["bootstrap_error"], table["standard_error"], rtol=0.1)
    assert ((table["band_low"] <= table["low"] + 0.02) & (table["band_high"] >= table["high"] - 0.02)).all()
    pd.testing.assert_frame_equal(table, summarise(result, by="event_time", rng=np.random.default_rng(7), draws=1999))


def test_adding_a_constant_or_a_common_shock_changes_nothing_and_rows_may_come_in_any_order() -> None:
    panel = panel_of(5, {4: 10, 6: 10, 99: 10})
    shifted = panel.assign(outcome=panel["outcome"] + 100 + 7 * panel["period"] ** 2 + panel["unit"]).sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(group_time_effects(panel).effects, group_time_effects(shifted).effects, atol=1e-9)


def test_different_trends_before_the_start_refuse_the_effect_but_stay_visible() -> None:
    result = group_time_effects(panel_of(6, {5: 40, 99: 40}, drift=2.0))
    effects = result.effects
    assert result.pretrend.p_value < 1e-6
    assert effects.query("event_time >= 0")["estimate"].isna().all()
    assert effects.query("event_time < 0")["estimate"].notna().all()
    assert effects["note"].iloc[-1] == "not answerable: same_trend"
    assert grade("quasi_experiment", result.conditions) == "none"
    table = summarise(result, by="event_time", rng=np.random.default_rng(1), draws=99)
    assert np.isnan(table["estimate"].iloc[-1])
    assert table["note"].iloc[-1] == effects["note"].iloc[-1]


def test_fewer_than_three_periods_before_every_start_are_refused() -> None:
    result = group_time_effects(panel_of(7, {3: 40, 99: 40}))
    unmet = [condition for condition in result.conditions if not condition.met]
    assert [condition.name for condition in unmet] == ["periods_before"]
    assert unmet[0].details == {"short": 1, "cohorts": 1, "fewest": 2, "least": 3}
    assert result.effects.query("event_time >= 0")["estimate"].isna().all()
    mixed = group_time_effects(panel_of(7, {3: 40, 5: 40, 99: 40}))
    assert mixed.effects["estimate"].notna().all()
    assert grade("quasi_experiment", mixed.conditions) == "C"


def test_a_single_treated_branch_gives_no_claim() -> None:
    result = group_time_effects(panel_of(8, {5: 1, 99: 40}))
    assert not next(condition for condition in result.conditions if condition.name == "both_sides").met
    assert result.effects.query("event_time >= 0")["estimate"].isna().all()


def test_a_cohort_of_one_branch_has_a_number_and_no_interval() -> None:
    result = group_time_effects(panel_of(9, {4: 1, 5: 20, 99: 20}))
    row = result.effects.query("cohort == 4 and period == 4").iloc[0]
    assert np.isfinite(row["estimate"])
    assert np.isnan(row["standard_error"])
    simple = summarise(result, by="simple", rng=np.random.default_rng(1), draws=9).iloc[-1]
    assert np.isfinite(simple["estimate"])
    assert simple["note"] == "all units of the cohort or of its controls are one cluster: no standard error"


def test_when_everybody_has_started_there_are_no_controls_left() -> None:
    effects = group_time_effects(panel_of(10, {4: 20, 6: 20})).effects.set_index(["cohort", "period"])
    assert np.isfinite(effects.loc[(4, 5), "estimate"])
    assert np.isnan(effects.loc[(4, 6), "estimate"])
    assert effects.loc[(4, 6), "note"] == "no unit is untreated in this period"
    never = group_time_effects(panel_of(10, {4: 20, 6: 20}), controls="never_treated")
    assert never.effects["estimate"].isna().all()
    assert not never.conditions[0].met


def test_units_that_had_started_before_the_panel_are_left_out_and_counted() -> None:
    panel = panel_of(11, {1: 5, 5: 20, 99: 20})
    result = group_time_effects(panel)
    assert result.effects["cohort"].unique().tolist() == [5]
    assert result.conditions[-1].details == {"units": 5}
    pd.testing.assert_frame_equal(result.effects, group_time_effects(panel.query("unit >= 5")).effects)


def test_the_usual_regression_agrees_with_dummies_in_statsmodels() -> None:
    import statsmodels.formula.api as smf

    panel = panel_of(12, {4: 8, 6: 8, 99: 9})
    data = panel.assign(d=(panel["period"] >= panel["first_treated"]).astype(int))
    fit = smf.ols("outcome ~ d + C(unit) + C(period)", data).fit(
        cov_type="cluster", cov_kwds={"groups": data["unit"], "use_correction": False}
    )
    mine = two_way_fixed_effects(panel)
    assert (mine.estimate, mine.standard_error) == pytest.approx((fit.params["d"], fit.bse["d"]), rel=1e-8)
    assert mine.weights["weight"].sum() == pytest.approx(1)
    assert two_way_fixed_effects(panel_of(12, {4: 8, 6: 8}, periods=12)).negative_share > 0
    assert np.isnan(two_way_fixed_effects(panel.assign(first_treated=np.nan)).estimate)


def test_shuffling_the_starts_finds_a_large_effect_and_nothing_else() -> None:
    with_effect = randomisation_test(panel_of(13, {4: 4, 99: 4}, noise=0.3), rng=np.random.default_rng(1), draws=199)
    assert with_effect.smallest_p_value == pytest.approx(1 / 70)
    assert with_effect.p_value < 0.05
    nothing = panel_of(14, {99: 8})
    nothing["first_treated"] = np.where(nothing["unit"] < 4, 4, np.nan)
    assert randomisation_test(nothing, rng=np.random.default_rng(1), draws=199).p_value > 0.05


def test_the_shuffle_moves_whole_branches() -> None:
    panel = panel_of(15, {4: 6, 99: 6})
    branches = randomisation_test(panel.assign(cluster=panel["unit"] // 3), rng=np.random.default_rng(1), draws=199)
    # Two of four branches start: six orders, of which the opposite one is as large.
    assert branches.smallest_p_value == pytest.approx(1 / 6)
    assert branches.p_value > 0.1
    with pytest.raises(DataError, match="a cluster has several starts"):
        randomisation_test(panel.assign(cluster=0), rng=np.random.default_rng(1), draws=9)


def test_a_broken_panel_is_refused_with_everything_that_is_wrong() -> None:
    panel = panel_of(16, {4: 2, 99: 2})
    broken = pd.concat([panel, panel.iloc[[0]]]).reset_index(drop=True)
    broken.loc[5, "outcome"] = np.nan
    broken.loc[broken["unit"] == 3, "first_treated"] = 4.5
    broken.loc[6, "first_treated"] = 7
    broken = broken.drop(index=7)
    with pytest.raises(DataError) as refusal:
        group_time_effects(broken)
    assert refusal.value.problems == (
        "panel: 1 of 32 rows repeat a unit and period (first: unit 0). Sum them to one row first.",
        "panel: 1 of 32 rows have no outcome (first: unit 1). Leave out units with gaps, or fill what is truly 0.",
        "panel: 7 of 32 rows start in a period the panel lacks (first: unit 3). Give a period of it.",
        "panel: 1 of 4 units have several first_treated (first: 2). Keep one.",
        "panel: 1 of 4 units lack a period (first: 3, 7 of 8). Leave out units with gaps, or add the rows that are truly 0.",
    )
    with pytest.raises(DataError, match="no column first_treated"):
        group_time_effects(panel.drop(columns="first_treated"))


def test_unknown_choices_and_an_empty_roll_out_are_refused() -> None:
    panel = panel_of(17, {4: 10, 99: 10})
    with pytest.raises(ParameterError, match="unknown controls 'all'"):
        group_time_effects(panel, controls="all")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="unknown summary 'week'"):
        summarise(group_time_effects(panel), by="week", rng=np.random.default_rng(1))  # type: ignore[arg-type]
    nobody = group_time_effects(panel.assign(first_treated=np.nan))
    assert not nobody.conditions[0].met
    with pytest.raises(DataError, match="no unit starts after the first period"):
        summarise(nobody, by="simple", rng=np.random.default_rng(1))
    with pytest.raises(ParameterError, match="draws must be at least 1"):
        randomisation_test(panel, rng=np.random.default_rng(1), draws=0)


def test_a_cluster_that_counts_twice_is_as_two_clusters_alike() -> None:
    panel = panel_of(18, {4: 12, 6: 12, 99: 14})
    twice = pd.concat([panel, panel[panel["unit"] % 3 == 0].assign(unit=lambda rows: rows["unit"] + 1000)])
    weighed = panel.assign(weight=np.where(panel["unit"] % 3 == 0, 2.0, 1.0))
    copied = twice.assign(cluster=twice["unit"] % 1000)
    first, second = group_time_effects(weighed), group_time_effects(copied)
    for column in ("estimate", "standard_error"):
        np.testing.assert_allclose(first.effects[column], second.effects[column], rtol=1e-9)
    for by in ("cohort", "event_time", "simple"):
        np.testing.assert_allclose(overall(weighed, by)["estimate"], overall(copied, by)["estimate"], rtol=1e-9)
    assert two_way_fixed_effects(weighed).estimate == pytest.approx(two_way_fixed_effects(copied).estimate, rel=1e-9)
    same = group_time_effects(panel.assign(weight=7.0)).effects
    np.testing.assert_allclose(same["standard_error"], group_time_effects(panel).effects["standard_error"], rtol=1e-12)


def test_a_weight_that_is_not_above_zero_or_changes_is_refused() -> None:
    panel = panel_of(19, {4: 10, 99: 10}).assign(weight=1.0)
    panel.loc[0, "weight"] = 0.0
    with pytest.raises(DataError) as refusal:
        group_time_effects(panel)
    assert "have a weight that is not above 0" in refusal.value.problems[0]
    assert "have several weight" in refusal.value.problems[1]


def test_with_few_clusters_the_last_periods_before_the_start_are_tested_and_keep_their_level() -> None:
    rejected = []
    for seed in range(60):
        pretrend = group_time_effects(panel_of(seed, {6: 6, 8: 6, 10: 6, 99: 6}, periods=12)).pretrend
        assert pretrend.degrees_of_freedom == 4
        rejected.append(pretrend.p_value < 0.05)
    assert np.mean(rejected) < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 60)
    drifting = group_time_effects(panel_of(1, {6: 6, 8: 6, 10: 6, 99: 6}, periods=12, drift=3.0))
    assert drifting.pretrend.p_value < 0.05


def test_naive_comparisons_by_hand() -> None:
    outcome = {"a": [1, 1, 5], "b": [3, 3, 9], "c": [0, 0, 2], "d": [4, 4, 4]}
    panel = pd.DataFrame(
        [
            {"unit": unit, "period": period, "outcome": value, "first_treated": 3 if unit in "ab" else np.nan}
            for unit, values in outcome.items()
            for period, value in enumerate(values, 1)
        ]
    )
    # Starters rise by 4 and 6; in the last period they stand at 5 and 9, the others at 2 and 4.
    assert before_and_after(panel)["value"] == 5
    assert starters_and_others(panel)["value"] == 4
    change = before_and_after(panel)
    assert (change["high"] - change["low"]) / 2 == pytest.approx(12.7062 * np.sqrt(2) / np.sqrt(2), abs=1e-3)
    assert np.isnan(before_and_after(panel.assign(first_treated=np.nan))["value"])
