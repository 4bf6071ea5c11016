"""Promote, reject or extend: each stated rule, and the order in which they apply."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from collect_analysis.decisions.verdict import Claim, faded, guardrail_table, judge, overall

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
        # Significant alone, not after adjustment for the other challengers.
        ({"p_adjusted": 0.06}, ("extend", "not_distinguishable")),
        ({"relative": 0.02}, ("extend", "below_margin")),
        ({"relative": np.nan, "relative_low": np.nan, "relative_high": np.nan}, ("extend", "below_margin")),
        ({"per_minute_low": -0.2}, ("extend", "capacity")),
        ({"per_minute_low": np.nan}, ("extend", "capacity")),
        ({"per_minute_low": 0.01}, ("promote", "gain")),
        ({"faded": True}, ("extend", "timing")),
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


def test_cash_that_only_came_earlier_is_called_faded() -> None:
    rows = [("cash", 30, "new", 15.0, 5.0, 25.0), ("cash", 90, "new", 8.0, -10.0, 26.0), ("cash", 180, "new", 1.0, -20.0, 22.0)]
    assert faded(effects(rows), arm="new", outcome="cash")
    # Still more than half of it there: not faded, only less sure.
    assert not faded(effects([rows[0], ("cash", 180, "new", 9.0, -20.0, 22.0)]), arm="new", outcome="cash")
    assert not faded(effects([rows[0], ("cash", 180, "new", 15.0, 5.0, 25.0)]), arm="new", outcome="cash")
    assert not faded(effects(rows[:1]), arm="new", outcome="cash")
    assert not faded(effects([rows[0], ("cash", 180, "new", np.nan, np.nan, np.nan)]), arm="new", outcome="cash")
