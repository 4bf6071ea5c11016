"""Arms compared within strata: by hand, against a regression on strata, and where a plain difference is wrong."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from collect_analysis.methods.rates.strata import post_stratified_means, stratified_ratio_test, stratum_weights
from collect_analysis.methods.trials.experiments import arm_means, compare_arms, two_part
from collect_analysis.methods.trials.power import mde_table


def sums_of(frame: pd.DataFrame, keys: list[str], unit: str = "minor") -> pd.DataFrame:
    """Sums of independent cases with outcome y."""
    table = frame.assign(y2=frame["y"] ** 2, positive=frame["y"] > 0).groupby(keys, as_index=False)
    found = table.agg(cases=("y", "size"), sum_y=("y", "sum"), sum_y2=("y2", "sum"), positive=("positive", "sum"))
    same = {"clusters": found["cases"], "sum_nn": found["cases"], "sum_yn": found["sum_y"], "sum_yy": found["sum_y2"]}
    return found.assign(**same, outcome="cash", unit=unit, horizon_days=90, note="")


@pytest.fixture
def cases() -> pd.DataFrame:
    """Three strata that pay differently; the challenger got 20 %, 50 % and 80 % of them; its effect is 10 everywhere."""
    rng = np.random.default_rng(8)
    stratum = rng.choice(["s1", "s2", "s3"], 6_000, p=[0.5, 0.3, 0.2])
    share = pd.Series(stratum).map({"s1": 0.2, "s2": 0.5, "s3": 0.8}).to_numpy()
    level = pd.Series(stratum).map({"s1": 100.0, "s2": 200.0, "s3": 400.0}).to_numpy()
    treated = rng.random(6_000) < share
    y = level + 10 * treated + rng.gamma(1, level / 2)
    return pd.DataFrame({"stratum": stratum, "arm": np.where(treated, "new", "old"), "y": y})


def test_by_hand() -> None:
    frame = pd.DataFrame(
        {
            "stratum": ["a"] * 6 + ["b"] * 4,
            "arm": ["old", "old", "old", "old", "new", "new", "old", "old", "new", "new"],
            "y": [1.0, 3.0, 2.0, 2.0, 4.0, 6.0, 10.0, 14.0, 20.0, 20.0],
        }
    )
    means = post_stratified_means(sums_of(frame, ["stratum", "arm"])).set_index("arm")
    # Weights 6/10 and 4/10; old: 2 and 12, new: 5 and 20.
    assert means["value"].to_dict() == pytest.approx({"old": 0.6 * 2 + 0.4 * 12, "new": 0.6 * 5 + 0.4 * 20})
    # s²/n: old 2/3/4 and 8/2, new 2/2 and 0.
    assert means["variance"].to_dict() == pytest.approx({"old": 0.36 / 6 + 0.16 * 4, "new": 0.36})


def test_the_effect_is_that_of_a_regression_with_a_slope_per_stratum(cases: pd.DataFrame) -> None:
    effect = compare_arms(post_stratified_means(sums_of(cases, ["stratum", "arm"])), base="old").iloc[0]
    dummies = pd.get_dummies(cases["stratum"], dtype=float)[["s2", "s3"]]
    centred, new = dummies - dummies.mean(), (cases["arm"] == "new").astype(float)
    x = pd.concat([new.rename("new"), centred, centred.mul(new, axis=0).add_suffix(":new")], axis=1)
    expected = sm.OLS(cases["y"], sm.add_constant(x)).fit(cov_type="HC2")
    assert [effect["value"], effect["se"]] == pytest.approx([expected.params["new"], expected.bse["new"]], rel=1e-8)


def test_a_plain_difference_compares_strata_and_this_does_not(cases: pd.DataFrame) -> None:
    plain = compare_arms(arm_means(sums_of(cases, ["arm"])), base="old").iloc[0]
    within = compare_arms(post_stratified_means(sums_of(cases, ["stratum", "arm"])), base="old").iloc[0]
    assert plain["low"] > 50
    assert within["low"] < 10 < within["high"]


def test_one_stratum_is_the_plain_comparison(cases: pd.DataFrame) -> None:
    own = cases[cases["stratum"] == "s2"]
    one = compare_arms(post_stratified_means(sums_of(own, ["stratum", "arm"])), base="old").iloc[0]
    plain = compare_arms(arm_means(sums_of(own, ["arm"])), base="old").iloc[0]
    for column in ("value", "low", "high", "se", "df", "p_value", "relative", "relative_low", "relative_high"):
        assert one[column] == pytest.approx(plain[column], rel=1e-9)


@pytest.mark.parametrize("unit", ["minor", "share"])
def test_what_stands_on_means_stands_on_these_too(cases: pd.DataFrame, unit: str) -> None:
    frame = cases if unit == "minor" else cases.assign(y=(cases["y"] > 300).astype(float))
    means = post_stratified_means(sums_of(frame, ["stratum", "arm"], unit))
    effect = compare_arms(means, base="old").iloc[0]
    assert effect["low"] < effect["value"] < effect["high"]
    assert mde_table(means, base="old", margin=0.03)["detectable"].iloc[0] > 0
    if unit == "minor":
        parts = two_part(means, base="old").set_index("part")
        assert parts.loc["total", "value"] == pytest.approx(effect["value"])


def test_a_stratum_without_two_cases_of_an_arm_gives_no_mean(cases: pd.DataFrame) -> None:
    lone = cases[(cases["stratum"] != "s3") | (cases["arm"] == "old")]
    lone = pd.concat([lone, pd.DataFrame({"stratum": ["s3"], "arm": ["new"], "y": [3.0]})])
    means = post_stratified_means(sums_of(lone, ["stratum", "arm"])).set_index("arm")
    assert np.isnan(means.loc["new", "value"])
    assert means.loc["new", "note"] == "stratum s3 has fewer than 2 independent cases in this arm"
    assert means.loc["old", "note"] == ""


def test_allocation_is_judged_within_strata() -> None:
    counts = pd.DataFrame(
        {"stratum": ["a", "a", "b", "b"], "arm": ["old", "new"] * 2, "clusters": [800, 200, 500, 500], "share": [0.8, 0.2, 0.5, 0.5]}
    )
    assert stratified_ratio_test(counts) == {"chi2": 0.0, "df": 2.0, "p_value": 1.0}
    # 100 lost in each stratum: hand-made χ² of 20²/720 + 80²/180 + 50²/450 + 50²/450.
    lost = counts.assign(clusters=[800, 100, 500, 400])
    expected = 80**2 / 720 + 80**2 / 180 + 50**2 / 450 + 50**2 / 450
    assert stratified_ratio_test(lost)["chi2"] == pytest.approx(expected)


def test_weights_turn_a_plain_mean_into_the_stratified_one(cases: pd.DataFrame) -> None:
    sums = sums_of(cases, ["stratum", "arm"])
    weights = stratum_weights(sums)
    case = cases.apply(lambda row: weights[(row["stratum"], row["arm"])], axis=1)
    means = post_stratified_means(sums).set_index("arm")["value"]
    for arm in ("old", "new"):
        own = cases["arm"] == arm
        assert case[own].mean() == pytest.approx(1.0)
        assert (case * cases["y"])[own].mean() == pytest.approx(means[arm])
