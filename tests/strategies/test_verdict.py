"""Promote, reject or extend: each stated rule, and the order in which they apply."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from collect_analysis.strategies.verdict import Claim, guardrail_table, judge, not_told_apart, overall, persistence, rivals, tail_table

GAIN = Claim(
    arm="new", value=0.02, low=0.01, high=0.03, relative=0.08, relative_low=0.04, relative_high=0.12, p_adjusted=0.001,
    guardrails={"complaints": "kept"}, needed=9_000.0,
)  # fmt: skip


def decided(claim: Claim, *, evidence="A", min_grade="B", margin=0.03) -> tuple[str, str]:
    verdict = judge(claim, evidence=evidence, min_grade=min_grade, margin=margin)
    return verdict.action, verdict.reason


def test_a_clear_gain_on_good_evidence_is_promoted() -> None:
    assert decided(GAIN) == ("promote", "gain")
    assert decided(GAIN, evidence="B") == ("promote", "gain")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"guardrails": {"complaints": "breached"}}, ("reject", "guardrail_breached")),
        ({"value": -0.02, "low": -0.03, "high": -0.01, "relative": -0.08, "relative_high": -0.04}, ("reject", "harm")),
        ({"relative": 0.01, "relative_low": -0.005, "relative_high": 0.025, "p_adjusted": 0.2}, ("reject", "too_small")),
        ({"relative": 0.02, "relative_low": 0.015, "relative_high": 0.025}, ("reject", "too_small")),
        ({"low": -0.01, "relative_low": -0.04, "p_adjusted": 0.3}, ("extend", "not_distinguishable")),
        # The interval that is quoted decides; it allows for the other challengers already.
        ({"low": 0.0}, ("extend", "not_distinguishable")),
        ({"p_adjusted": 0.06}, ("promote", "gain")),
        ({"relative": 0.02}, ("extend", "below_margin")),
        ({"relative": np.nan, "relative_low": np.nan, "relative_high": np.nan}, ("extend", "below_margin")),
        ({"per_minute_low": -0.2}, ("extend", "capacity")),
        ({"per_minute_low": np.nan}, ("extend", "capacity")),
        ({"per_minute_low": 0.01}, ("promote", "gain")),
        ({"lasting": "timing"}, ("extend", "timing")),
        # Timing is said although the late effect itself cannot be told from zero.
        ({"lasting": "timing", "low": -0.01, "p_adjusted": 0.3}, ("extend", "timing")),
        ({"lasting": "timing", "low": -0.01, "p_adjusted": 0.3, "relative": 0.0, "relative_high": 0.02}, ("reject", "timing")),
        ({"lasting": "unclear", "early": True}, ("extend", "persistence_open")),
        # A claim about the longest horizon is itself the answer whether it lasts.
        ({"lasting": "unclear", "early": False}, ("promote", "gain")),
        ({"lasting": "lasting", "early": True}, ("promote", "gain")),
        # A gain that is partly given back later is not promoted by its early size.
        ({"lasting": "fading", "early": True}, ("extend", "fading")),
        ({"lasting": "fading", "early": False}, ("promote", "gain")),
        ({"lasting": "no_early"}, ("promote", "gain")),
        # A gain in cash that its cost eats up; a loss after cost that is not shown decides nothing.
        ({"net_low": -9_000.0, "net_high": -1_000.0}, ("reject", "costs_more")),
        ({"net_low": -9_000.0, "net_high": 1_000.0}, ("promote", "gain")),
        ({"guardrails": {"complaints": "open"}}, ("extend", "guardrail_open")),
        ({"guardrails": {"complaints": "unknown"}}, ("extend", "guardrail_open")),
        ({"guardrails": {}}, ("promote", "gain")),
    ],
)
def test_the_first_rule_that_applies_decides(change: dict, expected: tuple[str, str]) -> None:
    assert decided(replace(GAIN, **change)) == expected


def test_weak_evidence_never_promotes() -> None:
    assert decided(GAIN, evidence="C") == ("extend", "weak_evidence")
    assert decided(GAIN, evidence="C", min_grade="C") == ("promote", "gain")


def test_without_a_grade_there_is_no_answer_whatever_the_numbers() -> None:
    assert decided(GAIN, evidence="none") == ("refuse", "not_answerable")
    assert decided(replace(GAIN, value=np.nan)) == ("refuse", "not_answerable")


def test_the_largest_promotable_effect_is_the_decision() -> None:
    small, large = GAIN, replace(GAIN, arm="other", value=0.03)
    bigger_but_open = replace(GAIN, arm="third", value=0.2, guardrails={"complaints": "open"})
    judged = [judge(claim, evidence="A", min_grade="B", margin=0.03) for claim in (small, large, bigger_but_open)]
    assert (overall(judged).arm, overall(judged).action) == ("other", "promote")
    assert overall(judged[::-1]) == overall(judged)


def test_the_chosen_one_is_held_against_whoever_is_not_rejected() -> None:
    claims = [GAIN, replace(GAIN, arm="near", value=0.019), replace(GAIN, arm="open", low=-0.01), replace(GAIN, arm="bad", high=-0.01)]
    judged = [judge(claim, evidence="A", min_grade="B", margin=0.03) for claim in claims]
    assert rivals(judged) == ["near", "open"]
    assert rivals(judged[2:]) == []
    between = pd.DataFrame({"base": ["near", "open", "far"], "value": [0.001, 0.004, 0.02], "low": [-0.01, -0.01, 0.01], "high": 0.03})
    assert not_told_apart(between)["base"].tolist() == ["near", "open"]


def test_a_test_still_open_wins_over_a_rejected_one() -> None:
    judged = [
        judge(claim, evidence="A", min_grade="B", margin=0.03)
        for claim in (replace(GAIN, arm="bad", relative_high=0.01), replace(GAIN, arm="open", p_adjusted=0.4))
    ]
    assert overall(judged).arm == "open"


def effects(rows: list[tuple]) -> pd.DataFrame:
    columns = ["outcome", "horizon_days", "arm", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns).assign(cases=500, base_mean=0.01, mean=0.01, note="")


def test_guardrails_are_kept_open_or_breached_against_their_margin() -> None:
    table = effects(
        [
            ("kept", 90, "new", 0.0010, -0.0010, 0.0030),
            ("at_the_margin", 90, "new", 0.0020, 0.0010, 0.0050),
            ("open", 90, "new", 0.0040, -0.0010, 0.0090),
            ("worse_within", 90, "new", 0.0040, 0.0010, 0.0070),
            ("breached", 90, "new", 0.0080, 0.0010, 0.0150),
            ("unknown", 90, "new", np.nan, np.nan, np.nan),
        ]
    )
    found = guardrail_table(table, dict.fromkeys(table["outcome"], 5.0)).set_index("outcome")
    assert found["status"].to_dict() == {
        "kept": "kept", "at_the_margin": "kept", "open": "open", "worse_within": "open", "breached": "breached", "unknown": "unknown",
    }  # fmt: skip
    assert found.loc["kept", ["base_mean", "value", "margin"]].tolist() == pytest.approx([10, 1, 5])  # per 1,000 cases


def read(rows: list[tuple]) -> pd.DataFrame:
    columns = ["outcome", "horizon_days", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns).assign(arm="new", unit="minor")


EARLY = ("cash", 30, 15.0, 5.0, 25.0)
MIDDLE = ("cash", 90, 8.0, -10.0, 26.0)


@pytest.mark.parametrize(
    ("late", "since", "expected"),
    [
        (("cash", 180, 1.0, -20.0, 22.0), ("cash_after_30", 180, -14.0, -26.0, -2.0), "timing"),
        # Nothing is left, but that it was given back is not shown either: the late effect is only too uncertain.
        (("cash", 180, 1.0, -20.0, 22.0), ("cash_after_30", 180, -14.0, -34.0, 6.0), "unclear"),
        (("cash", 180, 15.0, 5.0, 25.0), ("cash_after_30", 180, 0.0, -12.0, 12.0), "lasting"),
        # Less came later, and yet more in all: it lasts, but it shrinks.
        (("cash", 180, 9.0, 1.0, 17.0), ("cash_after_30", 180, -6.0, -9.0, -3.0), "fading"),
    ],
)
def test_an_early_gain_is_timing_only_where_giving_it_back_is_shown(late: tuple, since: tuple, expected: str) -> None:
    later = read([since, ("cash_after_90", 180, -7.0, -20.0, 6.0), ("cash_after_30", 90, -7.0, -9.0, -5.0)])
    (row,) = persistence(read([EARLY, MIDDLE, late]), later).to_dict("records")
    assert row["lasting"] == expected
    assert (row["early_days"], row["late_days"]) == (30, 180)
    assert row["late"] == late[2]
    assert row["after"] == since[2]


def test_a_fade_after_a_middle_horizon_is_found_too() -> None:
    rows = [("cash", 30, 3.0, -5.0, 11.0), ("cash", 90, 18.0, 6.0, 30.0), ("cash", 180, 1.0, -20.0, 22.0)]
    later = read([("cash_after_30", 180, -2.0, -20.0, 16.0), ("cash_after_90", 180, -17.0, -22.0, -12.0)])
    (row,) = persistence(read(rows), later).to_dict("records")
    assert (row["lasting"], row["early_days"]) == ("timing", 90)


def test_without_an_early_gain_there_is_nothing_to_last() -> None:
    flat = [("cash", 30, 1.0, -5.0, 7.0), ("cash", 180, 1.0, -20.0, 22.0)]
    later = read([("cash_after_30", 180, -20.0, -30.0, -10.0)])
    assert persistence(read(flat), later)["lasting"].tolist() == ["no_early"]
    assert persistence(read(flat[:1]), later).empty
    # The longest horizon that is over counts: one without an interval is not.
    open_one = read([EARLY, MIDDLE, ("cash", 180, np.nan, np.nan, np.nan)])
    (row,) = persistence(open_one, read([("cash_after_30", 90, -7.0, -9.0, -5.0)])).to_dict("records")
    assert row["late_days"] == 90


def test_large_payers_matter_where_another_way_says_something_else() -> None:
    rows = [
        ("plain", 10.0, 2.0, 18.0), ("bootstrap_t", 10.0, 1.0, 22.0), ("winsorised", 6.0, -1.0, 13.0), ("largest_excluded", -4.0, -7.0, -1.0),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["method", "value", "low", "high"]).assign(outcome="cash", arm="new")
    assert tail_table(table)["steady"].tolist() == ["", "holds", "significance_changes", "sign_changes"]
    # Points on both sides of zero that cannot be told from it say the same: nothing.
    quiet = table.assign(value=[1.0, 1.0, -1.0, -1.0], low=-5.0, high=[5.0, 5.0, 5.0, np.nan])
    assert tail_table(quiet)["steady"].tolist() == ["", "holds", "holds", ""]
