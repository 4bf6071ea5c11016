"""What a period asks of whom: standings against target and period before, by stated rules."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.portfolio.kpi_period.decision import attention, period_verdict, standings


def row(kpi: str = "C8", better: str = "higher", scope: tuple[str, str] = ("unit", "t1"), **numbers: float) -> dict[str, object]:
    names = ("value", "low", "high", "target", "change", "change_low", "change_high", "numerator", "denominator")
    return {"kpi": kpi, "better": better, "scope_type": scope[0], "scope_key": scope[1], **dict.fromkeys(names, np.nan), **numbers}


@pytest.mark.parametrize(
    ("better", "low", "value", "high", "expected"),
    [
        ("higher", 0.30, 0.35, 0.39, "missed"),
        ("higher", 0.30, 0.35, 0.41, "short"),
        ("higher", 0.35, 0.42, 0.50, "met"),
        ("higher", 0.41, 0.45, 0.50, "exceeded"),
        ("lower", 0.41, 0.45, 0.50, "missed"),
        ("lower", 0.38, 0.45, 0.50, "short"),
        ("lower", 0.30, 0.35, 0.50, "met"),
        ("lower", 0.30, 0.35, 0.39, "exceeded"),
        ("context", 0.30, 0.35, 0.39, "no_target"),
        ("higher", np.nan, 0.1, np.nan, "short"),
        ("higher", np.nan, np.nan, np.nan, "undefined"),
    ],
)
def test_a_target_is_missed_only_beyond_chance(better: str, low: float, value: float, high: float, expected: str) -> None:
    stood = standings(pd.DataFrame([row(better=better, low=low, value=value, high=high, target=0.40)]))
    assert stood["target_standing"].tolist() == [expected]


@pytest.mark.parametrize(
    ("better", "low", "change", "high", "expected"),
    [
        ("higher", -0.2, -0.1, -0.01, "worse"),
        ("higher", 0.01, 0.1, 0.2, "better"),
        ("lower", 0.01, 0.1, 0.2, "worse"),
        ("lower", -0.2, -0.1, -0.01, "better"),
        ("context", 0.01, 0.1, 0.2, "moved"),
        ("higher", -0.2, -0.1, 0.01, "unchanged"),
        ("higher", np.nan, 0.1, np.nan, "unchanged"),
        ("higher", np.nan, np.nan, np.nan, "undefined"),
    ],
)
def test_a_change_counts_only_beyond_chance(better: str, low: float, change: float, high: float, expected: str) -> None:
    stood = standings(pd.DataFrame([row(better=better, change_low=low, change=change, change_high=high, value=1.0)]))
    assert stood["change_standing"].tolist() == [expected]


def month() -> pd.DataFrame:
    missed = {"low": 0.5, "value": 0.6, "high": 0.7, "target": 1.0}
    rows = [
        row("R1", scope=("company", "all"), value=960, low=900, high=1020, target=1000),
        row("R14", scope=("company", "all"), value=0.96, low=0.9, high=1.02, target=1.0, numerator=960, denominator=1000),
        row("R14", scope=("unit", "small"), numerator=60, denominator=100, **missed),
        row("R14", scope=("unit", "large"), numerator=600, denominator=1000, **missed),
        row("C8", scope=("unit", "t1"), value=0.3, low=0.28, high=0.32, target=0.4),
        row("C8", scope=("unit", "t2"), value=0.1, low=0.08, high=0.12, target=0.4),
        row("C8", scope=("unit", "unassigned"), value=0.1, low=0.08, high=0.12, target=0.4),
        row("C1", scope=("unit", "t1"), value=0.5, low=0.4, high=0.6),
        row("F1", "lower", ("company", "all"), value=0.5, change=0.1, change_low=0.05, change_high=0.15),
    ]
    return standings(pd.DataFrame(rows))


def test_most_money_comes_first_then_the_largest_shortfall() -> None:
    found = attention(month())
    assert list(zip(found["kpi"], found["scope_key"], strict=True)) == [("R14", "large"), ("R14", "small"), ("C8", "t2"), ("C8", "t1")]
    assert found["short_minor"].tolist()[:2] == [400, 40]
    assert found["shortfall"].round(3).tolist() == [0.4, 0.4, 0.75, 0.25]


def test_the_verdict_tells_money_misses_and_what_chance_would_show() -> None:
    verdict = period_verdict(month(), hard_breaches=3)
    assert (verdict.money, verdict.attained, verdict.target_minor, verdict.collected_minor) == ("short", 0.96, 1000, 960)
    # R1 says the same as R14, what nobody holds is nobody's miss, C1 has no target: five results are judged.
    assert (verdict.judged, verdict.by_chance) == (5, 0.125)
    assert verdict.worse["kpi"].tolist() == ["F1"]
    assert verdict.hard_breaches == 3


def test_a_period_without_targets_or_cash_says_so() -> None:
    verdict = period_verdict(standings(pd.DataFrame([row("F1", "lower", ("company", "all"), value=0.5)])), hard_breaches=0)
    assert (verdict.money, verdict.judged) == ("no_target", 0)
    assert np.isnan(verdict.collected_minor)
    assert verdict.attention.empty


def test_inputs_are_not_changed() -> None:
    table = pd.DataFrame([row(value=1.0)])
    before = table.copy()
    standings(table)
    pd.testing.assert_frame_equal(table, before)
