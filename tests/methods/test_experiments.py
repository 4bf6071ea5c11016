"""Arms compared from sums, against published numbers, hand calculations, scipy and statsmodels."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from collect_analysis.methods.rates.multiplicity import benjamini_hochberg, holm
from collect_analysis.methods.trials import experiments
from collect_analysis.methods.trials.experiments import arm_means, compare_arms, compare_ratios, read_out, sample_ratio_test, two_part
from hypothesis import given, settings, strategies as st
from scipy import stats


def sums_of(frame: pd.DataFrame, *, unit: str = "minor", outcome: str = "amount", horizon: int = 90) -> pd.DataFrame:
    """Sums per arm of a frame with columns arm, y and, if cases are clustered, cluster."""
    frame = frame if "cluster" in frame else frame.assign(cluster=range(len(frame)))
    rows = []
    for arm, part in frame.groupby("arm"):
        by_cluster = part.groupby("cluster")["y"].agg(["sum", "size"])
        rows.append(
            {
                "outcome": outcome, "unit": unit, "horizon_days": horizon, "arm": arm, "clusters": len(by_cluster), "cases": len(part),
                "positive": int((part["y"] > 0).sum()), "sum_y": part["y"].sum(), "sum_y2": (part["y"] ** 2).sum(),
                "sum_yy": (by_cluster["sum"] ** 2).sum(), "sum_yn": (by_cluster["sum"] * by_cluster["size"]).sum(),
                "sum_nn": (by_cluster["size"] ** 2).sum(), "note": "",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def shares(arms: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """Sums of yes/no outcomes from (yes, cases) per arm."""
    rows = [
        {
            "outcome": "payer", "unit": "share", "horizon_days": 90, "arm": arm, "clusters": n, "cases": n, "positive": x, "sum_y": x,
            "sum_y2": x, "sum_yy": x, "sum_yn": x, "sum_nn": n, "note": "",
        }
        for arm, (x, n) in arms.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def heavy_tailed() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n0, n1 = 700, 400
    amount = np.where(rng.random(n0 + n1) < 0.2, rng.lognormal(3, 1, n0 + n1), 0.0)
    return pd.DataFrame({"arm": ["champion"] * n0 + ["challenger"] * n1, "y": amount})


def test_sample_ratio_is_pearsons_chi_square() -> None:
    found = sample_ratio_test({"a": 5_120, "b": 4_880}, {"a": 0.5, "b": 0.5})
    # 120²/5000 twice; of two arms it is a normal value of 2.4, squared.
    assert (found["chi2"], found["p_value"]) == pytest.approx((5.76, 2 * stats.norm.sf(2.4)))


def test_shares_of_a_larger_plan_count_relative_to_each_other() -> None:
    assert sample_ratio_test({"a": 150, "b": 160}, {"a": 0.15, "b": 0.15}) == sample_ratio_test({"a": 150, "b": 160}, {"a": 0.5, "b": 0.5})


def test_an_arm_planned_no_share_has_no_test() -> None:
    assert np.isnan(sample_ratio_test({"a": 10, "b": 10}, {"a": 1.0})["p_value"])


def test_newcombe_published_example() -> None:
    (row,) = compare_arms(arm_means(shares({"new": (56, 70), "old": (48, 80)})), base="old").to_dict("records")
    assert (row["value"], row["low"], row["high"]) == pytest.approx((0.2000, 0.0524, 0.3339), abs=5e-5)


def test_single_cases_give_welchs_test(heavy_tailed: pd.DataFrame) -> None:
    (row,) = compare_arms(arm_means(sums_of(heavy_tailed)), base="champion").to_dict("records")
    arms = {arm: part["y"].to_numpy() for arm, part in heavy_tailed.groupby("arm")}
    welch = stats.ttest_ind(arms["challenger"], arms["champion"], equal_var=False)
    interval = welch.confidence_interval()
    assert (row["p_value"], row["df"], row["low"], row["high"]) == pytest.approx((welch.pvalue, welch.df, interval.low, interval.high))
    hc2 = sm.OLS(heavy_tailed["y"], sm.add_constant((heavy_tailed["arm"] == "challenger").astype(float))).fit(cov_type="HC2")
    assert row["se"] == pytest.approx(hc2.bse.iloc[1])


def test_clusters_give_the_cluster_robust_error_of_each_arm() -> None:
    rng = np.random.default_rng(8)
    cluster = np.repeat(np.arange(150), rng.integers(1, 6, 150))
    y = rng.normal(10, 2, 150)[cluster] + rng.normal(0, 1, len(cluster))
    frame = pd.DataFrame({"arm": np.where(cluster % 2, "a", "b"), "cluster": cluster, "y": y})
    means = arm_means(sums_of(frame)).set_index("arm")
    for arm, part in frame.groupby("arm"):
        fit = sm.OLS(part["y"], np.ones(len(part))).fit(cov_type="cluster", cov_kwds={"groups": part["cluster"], "df_correction": True})
        # statsmodels: G/(G-1)·(n-1)/(n-k) with k = 1.
        assert means.loc[arm, "variance"] == pytest.approx(fit.bse.iloc[0] ** 2)
        assert means.loc[arm, "design_effect"] > 2


def test_a_share_in_clusters_has_a_wider_interval_than_one_in_single_cases() -> None:
    cluster = np.arange(400) // 4
    frame = pd.DataFrame({"arm": "a", "cluster": cluster, "y": (cluster % 5 == 0).astype(float)})
    clustered = arm_means(sums_of(frame, unit="share")).iloc[0]
    single = arm_means(sums_of(frame.drop(columns="cluster"), unit="share")).iloc[0]
    assert clustered["value"] == single["value"] == 0.2
    # Whole clusters answer alike: 100 independent answers in 400 cases.
    assert clustered["design_effect"] == pytest.approx(4, rel=0.02)
    assert (clustered["high"] - clustered["low"]) == pytest.approx(2 * (single["high"] - single["low"]), rel=0.03)


def test_relative_effect_is_fiellers_and_not_a_divided_interval() -> None:
    frame = pd.DataFrame({"arm": ["a"] * 4 + ["b"] * 4, "y": [10.0, 12, 14, 16, 8, 10, 10, 12]})
    (row,) = compare_arms(arm_means(sums_of(frame)), base="b").to_dict("records")
    # By hand: means 13 and 10, variances of the means (20/3)/4 and (8/3)/4.
    v1, v0 = 20 / 3 / 4, 8 / 3 / 4
    assert row["relative"] == pytest.approx(0.3)
    # At a bound R the difference 13 - (1 + R)·10 is as many standard errors from zero as the interval allows.
    ratios = 1 + np.array([row["relative_low"], row["relative_high"]])
    away = (13 - ratios * 10) / np.sqrt(v1 + ratios**2 * v0)
    assert away == pytest.approx(stats.t.ppf(0.975, row["df"]) * np.array([1, -1]))
    assert row["relative_low"] != pytest.approx(row["low"] / 10)
    assert row["relative_se"] == pytest.approx(np.sqrt(v1 / 100 + 169 * v0 / 10_000))


@pytest.mark.parametrize("unit", ["minor", "share"])
def test_the_relative_and_the_absolute_interval_leave_zero_together(unit: str) -> None:
    """Also where effects are just told from zero: neither kind may say what the other does not."""
    rng = np.random.default_rng(12)
    parts = []
    for place in range(400):
        n, rate = int(rng.integers(40, 900)), rng.uniform(0.03, 0.6)
        paid = {arm: rng.random(n) < rate * factor for arm, factor in (("a", rng.uniform(0.8, 1.3)), ("b", 1.0))}
        amount = {arm: own * (1.0 if unit == "share" else rng.lognormal(0, 1, n)) for arm, own in paid.items()}
        frame = pd.DataFrame({"arm": np.repeat(["a", "b"], n), "y": np.concatenate([amount["a"], amount["b"]])})
        parts.append(sums_of(frame, unit=unit).assign(outcome=f"o{place}"))
    found = compare_arms(arm_means(pd.concat(parts)), base="b").dropna(subset=["low", "relative_low"])
    assert len(found) > 350
    near = found[(found["low"] > 0) != (found["relative_low"] > 0)]
    assert near.empty
    assert (found["high"] < 0).tolist() == (found["relative_high"] < 0).tolist()
    assert ((found["relative_low"] < found["relative"]) & (found["relative"] < found["relative_high"])).all()


@pytest.mark.parametrize(("unit", "n"), [("minor", 400), ("share", 150), ("share", 60)])
def test_the_relative_interval_holds_the_true_effect_as_often_as_it_says(unit: str, n: int) -> None:
    """1,500 trials of 20 % against 15 % payers; amounts lopsided, so that a mean is far from normal."""
    rng = np.random.default_rng(13)
    parts = []
    for place in range(1_500):
        paid = {arm: rng.random(n) < rate for arm, rate in (("a", 0.20), ("b", 0.15))}
        amount = {arm: own * (1.0 if unit == "share" else rng.lognormal(0, 0.8, n)) for arm, own in paid.items()}
        rows = [
            {"arm": arm, "clusters": n, "cases": n, "positive": int((y > 0).sum()), "sum_y": y.sum(), "sum_y2": (y**2).sum(),
             "sum_yy": (y**2).sum(), "sum_yn": y.sum(), "sum_nn": n, "outcome": f"o{place}", "unit": unit, "horizon_days": 90}
            for arm, y in amount.items()
        ]  # fmt: skip
        parts += rows
    found = compare_arms(arm_means(pd.DataFrame(parts)), base="b").dropna(subset=["relative_low"])
    truth = 0.20 / 0.15 - 1
    covered = ((found["relative_low"] <= truth) & (truth <= found["relative_high"])).mean()
    # Three standard errors of 1,500 trials are 1.7 points.
    assert 0.933 <= covered <= 0.97


def test_an_arm_without_cases_or_with_one_payer_is_refused_with_its_reason() -> None:
    means = arm_means(shares({"empty": (0, 0), "one": (1, 500), "base": (40, 500)})).set_index("arm")
    assert means.loc["empty", "note"] == experiments.NO_CASES
    assert means.loc["one", "note"] == experiments.FEW_POSITIVE
    effects = compare_arms(means.reset_index(), base="base")
    assert effects[["value", "low", "high", "p_value", "p_adjusted", "relative"]].isna().all(axis=None)
    assert list(effects["note"]) == [experiments.NO_CASES, experiments.FEW_POSITIVE]


def test_a_reason_given_with_the_sums_leaves_no_number() -> None:
    sums = shares({"a": (50, 500), "b": (40, 500)}).assign(note="horizon not over")
    effects = compare_arms(arm_means(sums), base="b")
    assert effects[["value", "low", "mean", "relative"]].isna().all(axis=None)
    assert set(effects["note"]) == {"horizon not over"}


def test_several_challengers_are_adjusted_within_an_outcome() -> None:
    effects = compare_arms(arm_means(shares({"base": (300, 3_000), "a": (360, 3_000), "b": (345, 3_000), "c": (300, 3_000)})), base="base")
    ordered = effects.sort_values("p_value")
    smallest, middle, largest = ordered["p_value"]
    assert list(ordered["p_adjusted"]) == pytest.approx([3 * smallest, max(3 * smallest, 2 * middle), largest])


def test_effects_on_a_base_of_zero_have_no_relative_size() -> None:
    frame = pd.DataFrame({"arm": ["a"] * 3 + ["b"] * 3, "y": [1.0, 2, 3, -1, 0, 1]})
    (row,) = compare_arms(arm_means(sums_of(frame, unit="count")), base="b").to_dict("records")
    assert row["value"] == 2
    assert np.isnan(row["relative"])
    assert row["note"] == experiments.BASE_NOT_POSITIVE


amounts = st.lists(st.integers(0, 5_000), min_size=3, max_size=40).filter(lambda items: sum(item > 0 for item in items) >= 2)


@settings(max_examples=25)
@given(one=amounts, other=amounts)
def test_two_parts_add_to_the_whole_effect(one: list[int], other: list[int]) -> None:
    frame = pd.DataFrame({"arm": ["a"] * len(one) + ["b"] * len(other), "y": [*one, *other]}).astype({"y": float})
    means = arm_means(sums_of(frame))
    parts = two_part(means, base="b").set_index("part")["value"]
    effect = compare_arms(means, base="b")["value"].iloc[0]
    assert parts["payer_rate"] + parts["amount_per_payer"] == pytest.approx(parts["total"])
    assert parts["total"] == pytest.approx(effect)


@settings(max_examples=25)
@given(one=amounts, other=amounts, factor=st.sampled_from([10, 100, 23_000]))
def test_a_change_of_currency_changes_no_relative_effect(one: list[int], other: list[int], factor: int) -> None:
    frame = pd.DataFrame({"arm": ["a"] * len(one) + ["b"] * len(other), "y": [*one, *other]}).astype({"y": float})
    before = compare_arms(arm_means(sums_of(frame)), base="b").iloc[0]
    after = compare_arms(arm_means(sums_of(frame.assign(y=frame["y"] * factor))), base="b").iloc[0]
    for column in ("relative", "relative_low", "relative_high", "p_value"):
        assert after[column] == pytest.approx(before[column], nan_ok=True)


def test_inputs_and_their_order_do_not_matter(heavy_tailed: pd.DataFrame) -> None:
    sums = sums_of(heavy_tailed)
    before = sums.copy()
    forwards = compare_arms(arm_means(sums), base="champion")
    pd.testing.assert_frame_equal(sums, before)
    pd.testing.assert_frame_equal(compare_arms(arm_means(sums.iloc[::-1]), base="champion"), forwards)


def replicated_sums(unit: str, arm: str, y: np.ndarray) -> pd.DataFrame:
    """Sums of many replications at once: one row of `y` each, told apart by the horizon."""
    n, total, squares = y.shape[1], y.sum(axis=1), (y**2).sum(axis=1)
    return pd.DataFrame(
        {
            "outcome": "amount", "unit": unit, "horizon_days": range(len(y)), "arm": arm, "clusters": n, "cases": n,
            "positive": (y > 0).sum(axis=1), "sum_y": total, "sum_y2": squares, "sum_yy": squares, "sum_yn": total, "sum_nn": n, "note": "",
        }
    )  # fmt: skip


def test_intervals_cover_a_planted_effect_on_few_payers() -> None:
    """Planted: payer rate 6 % against 4 %, amounts heavy-tailed and alike; 1,000 replications of 1,500 cases an arm."""
    rng = np.random.default_rng(11)
    pays = {"a": rng.random((1_000, 1_500)) < 0.04, "b": rng.random((1_000, 1_500)) < 0.06}
    paid = {arm: np.where(pay, rng.lognormal(2, np.sqrt(0.72), pay.shape), 0.0) for arm, pay in pays.items()}
    for unit, outcomes, truth in (("share", pays, 0.02), ("minor", paid, 0.02 * np.exp(2 + 0.72 / 2))):
        sums = pd.concat([replicated_sums(unit, arm, y.astype(float)) for arm, y in outcomes.items()])
        effects = compare_arms(arm_means(sums), base="a")
        assert 0.93 <= ((effects["low"] < truth) & (truth < effects["high"])).mean() <= 0.97


def test_two_equal_arms_differ_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(12)
    paid = np.where(rng.random((2_000, 2, 1_000)) < 0.1, rng.lognormal(2, 1, (2_000, 2, 1_000)), 0.0)
    sums = pd.concat([replicated_sums("minor", arm, paid[:, position]) for position, arm in enumerate("ab")])
    assert 0.04 <= (compare_arms(arm_means(sums), base="a")["p_value"] < 0.05).mean() <= 0.06


def test_cash_per_minute_against_a_hand_calculation() -> None:
    sums = pd.DataFrame(
        {"arm": ["a", "b"], "clusters": [3, 3], "sum_y": [30.0, 12.0], "sum_x": [10.0, 6.0], "sum_yy": [350.0, 56.0],
         "sum_xx": [38.0, 14.0], "sum_xy": [110.0, 26.0]}
    )  # fmt: skip
    (row,) = compare_ratios(sums, base="b").to_dict("records")
    # a: r 3, Σ(y-rx)² = 350 - 660 + 342 = 32 -> var 32/100·3/2; b: r 2, 56 - 104 + 56 = 8 -> var 8/36·3/2.
    half = stats.norm.ppf(0.975) * np.sqrt(0.48 + 1 / 3)
    assert (row["mean"], row["base_mean"], row["value"]) == pytest.approx((3, 2, 1))
    assert (row["low"], row["high"]) == pytest.approx((1 - half, 1 + half))
    assert row["relative"] == pytest.approx(0.5)
    # The base ratio 2 ± 1.96·0.577 leaves zero, so there is an interval: at its bounds 3 - (1 + R)·2 is 1.96 standard errors away.
    ratios = 1 + np.array([row["relative_low"], row["relative_high"]])
    away = (3 - ratios * 2) / np.sqrt(0.48 + ratios**2 / 3)
    assert away == pytest.approx(stats.norm.ppf(0.975) * np.array([1, -1]))


def test_no_minutes_give_no_ratio() -> None:
    sums = pd.DataFrame({"arm": ["a", "b"], "clusters": 3, "sum_y": 3.0, "sum_x": 0.0, "sum_yy": 3.0, "sum_xx": 0.0, "sum_xy": 0.0})
    (row,) = compare_ratios(sums, base="b").to_dict("records")
    assert np.isnan(row["relative"])
    assert row["note"]


def test_nothing_to_compare_gives_tables_with_the_same_columns() -> None:
    sums = shares({"a": (50, 500), "b": (40, 500)})
    means, nothing = arm_means(sums), arm_means(sums.iloc[:0])
    assert list(nothing.columns) == list(means.columns)
    assert list(compare_arms(nothing, base="b").columns) == list(compare_arms(means, base="b").columns)
    assert two_part(nothing, base="b").empty
    assert compare_ratios(pd.DataFrame(), base="b").empty


def _several() -> pd.DataFrame:
    """Two outcomes at two horizons, three challengers; sums of independent yes/no cases."""
    rows = []
    for outcome, days, counts in (
        ("paid", 90, {"old": 200, "a": 230, "b": 250, "c": 262}),
        ("paid", 30, {"old": 90, "a": 110, "b": 95, "c": 126}),
        ("called", 90, {"old": 300, "a": 290, "b": 300, "c": 330}),
    ):
        rows += [
            {
                "outcome": outcome, "unit": "share", "horizon_days": days, "arm": arm, "clusters": 1_000, "cases": 1_000, "positive": x,
                "sum_y": x, "sum_y2": x, "sum_yy": x, "sum_yn": x, "sum_nn": 1_000, "note": "",
            }
            for arm, x in counts.items()
        ]  # fmt: skip
    return arm_means(pd.DataFrame(rows))


def test_what_was_declared_is_one_family_and_all_the_rest_another() -> None:
    means = _several()
    table = read_out(means, base="old", outcome="paid", horizon_days=90)
    primary = table["family"] == "confirmatory"
    assert set(zip(table.loc[primary, "outcome"], table.loc[primary, "horizon_days"], strict=True)) == {("paid", 90)}
    assert table.loc[primary, "p_adjusted"].tolist() == pytest.approx(holm(table.loc[primary, "p_value"]))
    assert table.loc[~primary, "p_adjusted"].tolist() == pytest.approx(benjamini_hochberg(table.loc[~primary, "p_value"]))


def test_intervals_of_the_declared_effects_hold_together() -> None:
    means = _several()
    table, single = read_out(means, base="old", outcome="paid", horizon_days=90), compare_arms(means, base="old")
    primary = table["family"] == "confirmatory"
    assert table.loc[primary, "level"].tolist() == pytest.approx([1 - 0.05 / 3] * 3)
    wider = compare_arms(means, base="old", level=1 - 0.05 / 3)
    pd.testing.assert_frame_equal(table.loc[primary, ["low", "high", "relative_low"]], wider.loc[primary, ["low", "high", "relative_low"]])
    pd.testing.assert_frame_equal(table.loc[~primary, ["low", "high"]], single.loc[~primary, ["low", "high"]])


def test_one_challenger_is_read_as_before() -> None:
    means = _several()
    two = means[means["arm"].isin(["old", "a"])]
    table, plain = read_out(two, base="old", outcome="paid", horizon_days=90), compare_arms(two, base="old")
    primary = table["family"] == "confirmatory"
    pd.testing.assert_frame_equal(table.loc[primary, plain.columns], plain.loc[primary])
