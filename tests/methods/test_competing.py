"""Ends that compete, compared between groups: hand-made numbers, independent implementations, identities."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import DataError
from collect_analysis.methods.survival import competing
from collect_analysis.methods.survival.survival import exit_counts
from hypothesis import given, strategies as st
from statsmodels.duration.survfunc import CumIncidenceRight, survdiff

# Ten accounts an arm: (arm, time, end). By hand for `a`: paid at 1 (of 10), recalled at 2 (of 9), paid at 3 (of 8), the rest open at 5.
STILL_OPEN = [*[("a", 5, "censored")] * 7, *[("b", 5, "censored")] * 8]
LEFT = [("a", 1, "paid"), ("a", 2, "recalled"), ("a", 3, "paid"), ("b", 2, "paid"), ("b", 4, "recalled")]
HAND = pd.DataFrame([*LEFT, *STILL_OPEN], columns=["arm", "time", "end"])
ALONE = {"a": 1.0, "b": 1.0}


@pytest.fixture
def exits() -> pd.DataFrame:
    return exit_counts(HAND, by=["arm"])


def random_cases(seed: int, n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ends = np.array(["paid", "recalled", "written_off", "censored"])
    return pd.DataFrame(
        {"arm": np.where(rng.random(n) < 0.5, "a", "b"), "time": rng.integers(0, 60, n), "end": ends[rng.integers(0, 4, n)]}
    )


def test_shares_of_ends_are_those_counted_by_hand(exits: pd.DataFrame) -> None:
    curves = competing.incidence_curves(exits, group="arm", effects=ALONE)
    ends = competing.ends_by(curves, exits, group="arm").set_index(["arm", "end"])
    # Nobody is lost sight of before day 5, so shares are counts over 10.
    assert ends["value"].to_dict() == pytest.approx(
        {("a", "paid"): 0.2, ("a", "recalled"): 0.1, ("a", "event_free"): 0.7, ("b", "paid"): 0.1, ("b", "recalled"): 0.1, ("b", "event_free"): 0.8}
    )  # fmt: skip
    assert ends["events"].to_dict() == {
        ("a", "paid"): 2, ("a", "recalled"): 1, ("a", "event_free"): 7, ("b", "paid"): 1, ("b", "recalled"): 1, ("b", "event_free"): 8,
    }  # fmt: skip


def test_one_minus_kaplan_meier_counts_those_who_left_as_if_they_could_still_pay(exits: pd.DataFrame) -> None:
    curves = competing.incidence_curves(exits, group="arm", effects=ALONE)
    table = competing.overstated(curves, exits, group="arm", end="paid").set_index("arm")
    assert table.loc["a", "naive"] == pytest.approx(1 - 9 / 10 * 7 / 8)
    assert table.loc["a", "overstated"] == pytest.approx(0.0125)
    assert table.loc["b", "overstated"] == pytest.approx(0)  # the recall came after the only payment


def test_days_waited_count_the_whole_horizon_where_nobody_paid(exits: pd.DataFrame) -> None:
    (row,) = competing.waiting_difference(exits, group="arm", base="b", end="paid", horizon=5, effects=ALONE).to_dict("records")
    # a: (1 + 3 + 8·5) / 10, b: (2 + 9·5) / 10
    assert (row["mean"], row["base_mean"], row["value"]) == pytest.approx((4.4, 4.7, -0.3))
    assert row["low"] < -0.3 < row["high"]


def test_without_loss_the_standard_error_is_that_of_the_mean_of_days_waited() -> None:
    cases = random_cases(3, 2_000).assign(end=lambda t: t["end"].mask((t["end"] == "censored"), "censored"))
    cases["time"] = cases["time"].where(cases["end"] != "censored", 60)
    exits = exit_counts(cases, by=["arm"])
    (row,) = competing.waiting_difference(exits, group="arm", base="a", end="paid", horizon=60, effects=ALONE).to_dict("records")
    waited = cases["time"].where(cases["end"] == "paid", 60).groupby(cases["arm"])
    mean, variance = waited.mean(), waited.var(ddof=0) / waited.size()
    assert row["value"] == pytest.approx(mean["b"] - mean["a"], abs=1e-9)
    assert row["se"] == pytest.approx(np.sqrt(variance.sum()), rel=1e-6)


def test_incidence_is_that_of_an_independent_implementation() -> None:
    # One case outlives all others: that implementation divides by nobody otherwise.
    last = pd.DataFrame({"arm": ["a", "b"], "time": 61, "end": "censored"})
    cases = pd.concat([random_cases(1), last], ignore_index=True)
    curves = competing.incidence_curves(exit_counts(cases, by=["arm"]), group="arm", effects=ALONE)
    own = curves[(curves["arm"] == "a") & (curves["end"] == "recalled")].set_index("time")["value"]
    codes = {"censored": 0, "paid": 1, "recalled": 2, "written_off": 3}
    part = cases[cases["arm"] == "a"]
    # That one takes a case censored at a time out before the events of the time; half a day later it is in.
    time = part["time"] + 0.5 * (part["end"] == "censored")
    other = CumIncidenceRight(time, part["end"].map(codes))
    theirs = pd.Series(other.cinc[1], index=other.times)
    assert own[own.index.isin(theirs.index)].to_numpy() == pytest.approx(theirs.reindex(own.index).dropna().to_numpy(), abs=1e-12)


@given(st.integers(0, 10_000))
def test_the_ends_and_those_still_open_are_everybody(seed: int) -> None:
    exits = exit_counts(random_cases(seed, 60), by=["arm"])
    curves = competing.incidence_curves(exits, group="arm", effects={})
    total = curves.groupby(["arm", "time"])["value"].sum() + curves.groupby(["arm", "time"])["event_free"].first()
    np.testing.assert_allclose(total, 1, atol=1e-12)
    ends = competing.ends_by(curves, exits, group="arm")
    assert (ends.groupby("arm")["events"].sum() <= ends.groupby("arm")["cases"].first()).all()


def test_the_test_of_pace_keeps_those_who_left_in_the_running() -> None:
    cases = random_cases(2)
    cases["time"] = cases["time"].where(cases["end"] != "censored", 60)
    waited = cases.assign(time=cases["time"].where(cases["end"] == "paid", 60), end=cases["end"].where(cases["end"] == "paid", "censored"))
    counts, waiting = (exit_counts(table, by=["arm"]) for table in (cases, waited))
    test = competing.pace_test(counts, waiting, group="arm", end="paid", effects=ALONE)
    statistic, p_value = survdiff(waited["time"], (waited["end"] == "paid").astype(int), waited["arm"])
    assert (test.statistic, test.p_value, test.method) == pytest.approx((statistic, p_value, "gray"))
    alone = competing.pace_test(counts, waiting.head(0), group="arm", end="paid", effects=ALONE)
    statistic, _ = survdiff(cases["time"], (cases["end"] == "paid").astype(int), cases["arm"])
    assert (alone.statistic, alone.method) == pytest.approx((statistic, "cause_specific"))


def test_a_recall_that_keeps_payers_away_is_seen_by_the_test_of_pace_only() -> None:
    rows = [("a", day, "paid") for day in range(1, 41)] + [("a", 50, "censored")] * 60
    # The same pace among those still there, but half of arm b is recalled on day 0.
    rows += [("b", 0, "recalled")] * 50 + [("b", day, "paid") for day in range(1, 41, 2)] + [("b", 50, "censored")] * 30
    cases = pd.DataFrame(rows, columns=["arm", "time", "end"])
    waited = cases.assign(time=cases["time"].where(cases["end"] == "paid", 50), end=cases["end"].where(cases["end"] == "paid", "censored"))
    counts, waiting = (exit_counts(table, by=["arm"]) for table in (cases, waited))
    assert competing.pace_test(counts, waiting, group="arm", end="paid", effects=ALONE).p_value < 0.01
    assert competing.pace_test(counts, waiting.head(0), group="arm", end="paid", effects=ALONE).p_value > 0.5


def test_a_design_effect_of_four_doubles_the_interval_and_quarters_the_statistic(exits: pd.DataFrame) -> None:
    plain = competing.waiting_difference(exits, group="arm", base="b", end="paid", horizon=5, effects=ALONE).iloc[0]
    wide = competing.waiting_difference(exits, group="arm", base="b", end="paid", horizon=5, effects={"a": 4.0, "b": 4.0}).iloc[0]
    assert wide["high"] - wide["low"] == pytest.approx(2 * (plain["high"] - plain["low"]))
    one, four = (competing.pace_test(exits, exits, group="arm", end="paid", effects={"a": e, "b": e}).statistic for e in (1.0, 4.0))
    assert four == pytest.approx(one / 4)


def test_an_unknown_base_is_refused(exits: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no group 'c' to compare with; there are a, b"):
        competing.waiting_difference(exits, group="arm", base="c", end="paid", horizon=5, effects=ALONE)
