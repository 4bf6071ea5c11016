"""Curves against a hand calculation, statsmodels, the jackknife, and the identities they must keep."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.survival.survival import (
    cumulative_incidence,
    exit_counts,
    kaplan_meier,
    log_rank,
    restricted_time,
    restricted_time_difference,
)


def cases_of(seed: int, size: int = 300, pace: float = 0.03) -> pd.DataFrame:
    """Debts that are cured or recalled at constant hazards, seen for 10 to 60 days, in whole days (so with ties)."""
    rng = np.random.default_rng(seed)
    cured, recalled, seen = rng.exponential(1 / pace, size), rng.exponential(60, size), rng.uniform(10, 60, size)
    time = np.minimum.reduce([cured, recalled, seen])
    end = np.select([time == cured, time == recalled], ["cured", "recalled"], "censored")
    return pd.DataFrame({"time": np.ceil(time), "end": end})


def test_five_cases_by_hand() -> None:
    cases = pd.DataFrame({"time": [1, 2, 2, 3, 4], "end": ["cured", "cured", "recalled", "censored", "cured"]})
    curve = cumulative_incidence(exit_counts(cases)).set_index(["end", "time"])["value"]
    # S before: 1, 4/5, 2/5; hazards of cure 1/5, 1/4, 1/1.
    assert curve["cured"].to_dict() == pytest.approx({1: 1 / 5, 2: 1 / 5 + 4 / 5 / 4, 4: 2 / 5 + 2 / 5})
    assert curve["recalled"].to_dict() == pytest.approx({1: 0, 2: 1 / 5, 4: 1 / 5})
    survival = kaplan_meier(exit_counts(cases))
    assert survival["value"].tolist() == pytest.approx([4 / 5, 2 / 5, 0])
    assert survival["at_risk"].tolist() == [5, 4, 1]
    assert survival["note"].tolist() == ["", "", "nobody is left"]
    assert survival["standard_error"].isna().tolist() == [False, False, True]


def test_curves_and_standard_errors_agree_with_statsmodels() -> None:
    from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

    cases = cases_of(1)
    exits = exit_counts(cases)
    survival = kaplan_meier(exits)
    other = SurvfuncRight(cases["time"], (cases["end"] != "censored").astype(int))
    np.testing.assert_allclose(survival["value"], other.surv_prob, atol=1e-12)
    np.testing.assert_allclose(survival["standard_error"], other.surv_prob_se, rtol=1e-9)
    codes = cases["end"].map({"censored": 0, "cured": 1, "recalled": 2})
    incidence = cumulative_incidence(exits)
    competing = CumIncidenceRight(cases["time"].to_numpy(), codes.to_numpy())
    times = competing.times
    for place, end in enumerate(("cured", "recalled")):
        mine = incidence.loc[incidence["end"] == end].set_index("time").reindex(times)
        np.testing.assert_allclose(mine["value"].ffill(), competing.cinc[place], atol=1e-12)


def test_standard_errors_agree_with_the_jackknife_over_cases() -> None:
    cases = cases_of(2, size=150)
    exits = exit_counts(cases)

    def values(table: pd.DataFrame) -> np.ndarray:
        incidence = cumulative_incidence(table).query("end == 'cured' and time <= 25")["value"].iloc[-1]
        return np.append(restricted_time(table, horizon=30)["value"].to_numpy(), incidence)

    left_out = np.array([values(exit_counts(cases.drop(index=row))) for row in cases.index])
    jackknife = np.sqrt((len(cases) - 1) * left_out.var(axis=0))
    mine = np.append(
        restricted_time(exits, horizon=30)["standard_error"],
        cumulative_incidence(exits).query("end == 'cured' and time <= 25")["standard_error"].iloc[-1],
    )
    np.testing.assert_allclose(mine, jackknife, rtol=0.02)


def test_with_one_end_the_incidence_is_one_minus_kaplan_meier_with_the_same_error() -> None:
    exits = exit_counts(cases_of(3).replace({"end": {"recalled": "cured"}}))
    survival, incidence = kaplan_meier(exits), cumulative_incidence(exits)
    np.testing.assert_allclose(incidence["value"], 1 - survival["value"], atol=1e-12)
    np.testing.assert_allclose(incidence["standard_error"], survival["standard_error"], rtol=1e-9)


def test_shares_sum_to_one_and_areas_to_the_horizon() -> None:
    exits = exit_counts(cases_of(4))
    table = cumulative_incidence(exits)
    total = table.groupby("time")["value"].sum() + table.groupby("time")["event_free"].first()
    np.testing.assert_allclose(total, 1, atol=1e-12)
    assert restricted_time(exits, horizon=40)["value"].sum() == pytest.approx(40, abs=1e-12)


def test_treating_recalls_as_censored_overstates_cure() -> None:
    exits = exit_counts(cases_of(5))
    naive = 1 - kaplan_meier(exits, censored=("censored", "recalled")).query("time <= 40")["value"].iloc[-1]
    right = cumulative_incidence(exits).query("end == 'cured' and time <= 40")["value"].iloc[-1]
    assert naive > right + 0.05


def test_the_interval_covers_the_planted_incidence() -> None:
    truth = 0.03 / (0.03 + 1 / 60) * (1 - np.exp(-(0.03 + 1 / 60) * 30))
    inside = 0
    for seed in range(200):
        row = cumulative_incidence(exit_counts(cases_of(seed))).query("end == 'cured' and time <= 30").iloc[-1]
        inside += row["low"] <= truth <= row["high"]
    assert abs(inside / 200 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 200)


def test_groups_are_what_each_would_be_alone_and_the_order_of_rows_is_nothing() -> None:
    cases = pd.concat([cases_of(6).assign(arm="a"), cases_of(7, pace=0.06).assign(arm="b")])
    exits = exit_counts(cases, by=["arm"])
    before = exits.copy()
    together = cumulative_incidence(exits.sample(frac=1, random_state=1), by=["arm"])
    alone = cumulative_incidence(exits.query("arm == 'b'"))
    pd.testing.assert_frame_equal(together.query("arm == 'b'").drop(columns="arm").reset_index(drop=True), alone)
    pd.testing.assert_frame_equal(exits, before)
    times = restricted_time(exits, horizon=30, by=["arm"])
    difference = restricted_time_difference(times, group="arm", base="a").set_index("end")
    assert difference.loc["cured", "low"] > 0
    assert difference["difference"].sum() == pytest.approx(0, abs=1e-9)
    assert log_rank(exits, group="arm", censored=("censored", "recalled")).p_value < 1e-4


def test_log_rank_of_three_groups_agrees_with_statsmodels() -> None:
    from statsmodels.duration.survfunc import survdiff

    cases = pd.concat([cases_of(8 + place, pace=pace).assign(arm=str(place)) for place, pace in enumerate((0.03, 0.035, 0.04))])
    mine = log_rank(exit_counts(cases, by=["arm"]), group="arm")
    statistic, p_value = survdiff(cases["time"].to_numpy(), (cases["end"] != "censored").to_numpy(int), cases["arm"].to_numpy())
    assert (mine.statistic, mine.p_value) == pytest.approx((statistic, p_value), rel=1e-9)
    assert mine.groups["observed"].sum() == pytest.approx(mine.groups["expected"].sum())


def test_nothing_is_said_beyond_the_follow_up() -> None:
    exits = pd.DataFrame({"time": [5, 20], "end": ["cured", "censored"], "count": [3, 7]})
    table = restricted_time(exits, horizon=30)
    assert table["value"].isna().all()
    assert set(table["note"]) == {"follow-up ends at 20, before the horizon of 30"}
    assert restricted_time(exits, horizon=20).set_index("end")["value"].to_dict() == pytest.approx({"cured": 4.5, "event_free": 15.5})


def test_cases_without_any_end_stay_open() -> None:
    exits = pd.DataFrame({"time": [20], "end": ["censored"], "count": [7]})
    assert kaplan_meier(exits).empty
    assert restricted_time(exits, horizon=10)["value"].tolist() == [10]
    two = pd.concat([exits.assign(arm=arm) for arm in "ab"])
    assert np.isnan(log_rank(two, group="arm").statistic)


def test_bad_exits_are_refused_all_at_once() -> None:
    with pytest.raises(DataError) as refusal:
        exit_counts(pd.DataFrame({"time": [1, -2, np.nan], "end": ["cured", None, "cured"]}))
    assert refusal.value.problems == (
        "exits.time: 2 of 3 rows are below 0 or missing (first: row 2). Time runs from time zero; an end before it is an error of dates.",
        "exits.end: 1 of 3 rows are missing or 'event_free' (first: row 2). Name the end, or 'censored'.",
    )
    with pytest.raises(DataError, match=r"exits\.arm: 1 of 2 rows are missing"):
        exit_counts(pd.DataFrame({"time": [1, 2], "end": "cured", "arm": ["a", None]}), by=["arm"])
    with pytest.raises(DataError, match="no column count"):
        kaplan_meier(pd.DataFrame({"time": [1], "end": ["cured"]}))
    with pytest.raises(DataError, match="no rows"):
        kaplan_meier(pd.DataFrame({"time": [], "end": [], "count": []}))


def test_an_unknown_base_and_a_single_group_are_refused() -> None:
    exits = exit_counts(cases_of(9).assign(arm="a"), by=["arm"])
    with pytest.raises(DataError, match="no group 'x' to compare with; there are a"):
        restricted_time_difference(restricted_time(exits, horizon=10, by=["arm"]), group="arm", base="x")
    with pytest.raises(DataError, match="at least two"):
        log_rank(exits, group="arm")
    with pytest.raises(ParameterError, match="horizon must be above 0"):
        restricted_time(exits, horizon=0)
