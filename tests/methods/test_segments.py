"""Segments: what shrinking and the interaction test say where the truth is known."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.rates.levels import level_names
from collect_analysis.methods.rates.segments import interaction_tests, shrunk_effects
from collect_analysis.methods.trials.experiments import SUMS, arm_means, compare_arms
from statsmodels.stats.meta_analysis import combine_effects


def effects_of(pairs: list[tuple[int, int]], n: int = 4_000, *, unit: str = "share") -> pd.DataFrame:
    """Levels with so many payers of `n` in the champion's and the challenger's arm."""
    tables = []
    for place, payers in enumerate(pairs):
        rows = [
            {"outcome": "paid", "unit": unit, "horizon_days": 90, "arm": arm, **dict.fromkeys(SUMS, 0), "clusters": n, "cases": n,
             "positive": count, "sum_y": count, "sum_y2": count, "sum_yy": count, "sum_yn": count, "sum_nn": n, "note": ""}
            for arm, count in zip(("champion", "new"), payers, strict=True)
        ]  # fmt: skip
        tables.append(compare_arms(arm_means(pd.DataFrame(rows)), base="champion").assign(segment="s", level=f"l{place}"))
    return pd.concat(tables, ignore_index=True)


def test_heterogeneity_is_that_of_an_independent_implementation() -> None:
    effects = effects_of([(800, 880), (400, 460), (1200, 1230)])
    (test,) = interaction_tests(effects, margin=0.03).to_dict("records")
    ratios = np.array([880 / 800, 460 / 400, 1230 / 1200])
    rates = np.array([[800, 880], [400, 460], [1200, 1230]]) / 4_000
    # The variance of the log of a ratio of two rates, with n - 1 in it as in the variance of a mean.
    variance = ((1 - rates) / rates / 3_999).sum(axis=1)
    other = combine_effects(np.log(ratios), variance, method_re="dl")
    assert test["q"] == pytest.approx(other.q, rel=1e-9)
    assert test["value"] == pytest.approx(np.expm1(other.mean_effect_fe), rel=1e-9)
    assert test["df"] == 2


def test_shrunken_levels_lie_between_their_own_effect_and_the_overall_one() -> None:
    effects = shrunk_effects(effects_of([(800, 880), (400, 500), (1200, 1210)]), margin=0.03)
    overall = interaction_tests(effects, margin=0.03)["value"].iloc[0]
    away, kept = effects["relative"] - overall, effects["shrunk"] - overall
    assert (np.sign(away) == np.sign(kept)).all()
    assert (kept.abs() < away.abs()).all()
    assert ((effects["shrunk_low"] < effects["shrunk"]) & (effects["shrunk"] < effects["shrunk_high"])).all()


def test_the_same_relative_effect_in_rich_and_poor_levels_is_one_effect() -> None:
    # 10 % more everywhere; in percentage points the effects are 1, 4 and 8.
    effects = shrunk_effects(effects_of([(400, 440), (1600, 1760), (3200, 3520)]), margin=0.03)
    test = interaction_tests(effects, margin=0.03).iloc[0]
    assert test["q"] == pytest.approx(0, abs=1e-9)
    assert effects["shrunk"].tolist() == pytest.approx([0.1] * 3, abs=0.002)


def test_a_level_that_truly_differs_is_found_and_keeps_its_effect() -> None:
    effects = shrunk_effects(effects_of([(8000, 8000), (8000, 8080), (8000, 11_200)], 40_000), margin=0.03)
    assert interaction_tests(effects, margin=0.03)["p_value"].iloc[0] < 1e-6
    assert effects["shrunk"].iloc[2] == pytest.approx(0.4, abs=0.03)


def test_holm_counts_every_level_that_was_declared() -> None:
    effects = shrunk_effects(effects_of([(800, 880), (400, 460), (1200, 1230)]), margin=0.03)
    smallest = effects["p_value"].idxmin()
    assert effects["p_adjusted"][smallest] == pytest.approx(3 * effects["p_value"][smallest])


def test_the_best_of_many_equal_levels_looks_better_than_it_is_and_shrinking_mends_it() -> None:
    rng = np.random.default_rng(5)
    truth, best, mended = 0.05, [], []
    for _ in range(25):
        base, new = rng.binomial(4_000, 0.2, 6), rng.binomial(4_000, 0.2 * (1 + truth), 6)
        effects = shrunk_effects(effects_of(list(zip(base, new, strict=True))), margin=0.03)
        winner = effects["relative"].idxmax()
        best.append(effects["relative"][winner])
        mended.append(effects["shrunk"][winner])
    assert np.mean(best) > truth + 0.04
    assert abs(np.mean(mended) - truth) < 0.5 * (np.mean(best) - truth)


def test_levels_without_an_effect_are_left_out_and_one_level_alone_is_not_shrunk() -> None:
    effects = effects_of([(800, 880), (0, 1)])
    table = shrunk_effects(effects, margin=0.03)
    assert table["shrunk"].isna().all()
    (test,) = interaction_tests(table, margin=0.03).to_dict("records")
    assert (test["levels"], test["df"]) == (1, 0)
    assert np.isnan(test["p_value"])
    assert test["note"].startswith("fewer than 2 levels")


def test_an_outcome_without_relative_effects_is_compared_in_its_own_unit() -> None:
    effects = effects_of([(800, 880), (400, 460)]).assign(relative=np.nan, relative_low=np.nan, relative_high=np.nan)
    table = shrunk_effects(effects, margin=0.03)
    assert set(table["scale"]) == {"absolute"}
    assert table["shrunk"].between(0.01, 0.03).all()


def test_levels_hold_their_lower_cut_point() -> None:
    assert level_names([13, 20]) == ["< 13", "13 to < 20", ">= 20"]
    assert level_names([0.5]) == ["< 0.5", ">= 0.5"]
