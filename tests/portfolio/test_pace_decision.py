"""What a month's pace asks for: one case per rule; conditions; days named."""

from datetime import date
from typing import Any

import pandas as pd
import pytest
from collect_analysis.methods.forecast.completion import Forecast
from collect_analysis.methods.profiling.bridge import PARTS
from collect_analysis.portfolio.pace import decision
from collect_analysis.portfolio.pace.measures_outlook import Explained

RULES = {"hold_above": 0.8, "most_uplift": 0.25, "concentrated_share": 0.5}


def forecast(**changes: Any) -> Forecast:
    values: dict[str, Any] = {
        "value": 1_000.0, "sd": 0.05, "df": 20, "paid": 600.0, "complete": 0.6, "pace": 1_000.0, "prior": 1_000.0, "pace_weight": 1.0,
        "tets_seen": 2, "widened": False,
    }  # fmt: skip
    return Forecast(**{**values, **changes})


def explained(units: dict[str, dict[str, int]]) -> Explained:
    table = pd.DataFrame([{"unit_key": unit, **dict.fromkeys(PARTS, 0), **parts} for unit, parts in units.items()])
    gap = int(table[list(PARTS)].to_numpy().sum())
    return Explained(
        plan_minor=1_000, base_minor=1_000, actual_minor=1_000 + gap, calendar=1.0, large_minor=0, days=(), cells=table, units=table
    )


FEW = {"a": {"rate": -60}, "b": {"rate": -5}, "c": {"rate": -5}, "d": {"rate": 10}}
MANY = {unit: {"rate": -10} for unit in "abcde"}


@pytest.mark.parametrize(
    ("made", "plan", "units", "action", "reason"),
    [
        (None, 1_050, FEW, "refuse", "refused"),
        (forecast(), float("nan"), FEW, "nothing", "no_plan"),
        (forecast(complete=1.0, sd=0.0), 1_050, FEW, "nothing", "over"),
        (forecast(), 900, FEW, "nothing", "on_track"),
        (forecast(), 1_200, FEW, "nothing", "out_of_reach"),
        (forecast(), 1_050, FEW, "move_capacity", "rate_in_few"),
        (forecast(), 1_050, MANY, "overtime", "rate_everywhere"),
        (forecast(), 1_050, {"a": {"ticket": -30}, "b": {"rate": -10}}, "campaign", "ticket"),
        (forecast(), 990, {"a": {"plan": -30}}, "nothing", "even_chance"),
        (forecast(), 1_050, {"a": {"plan": -30}}, "campaign", "outside_work"),
    ],
)
def test_each_rule_decides_its_case(made: Forecast | None, plan: float, units: dict[str, dict[str, int]], action: str, reason: str) -> None:
    found = decision.verdict(made, plan, explained(units), **RULES)
    assert (found.action, found.reason) == (action, reason)


def test_the_units_that_carry_the_loss_are_named_with_their_share() -> None:
    found = decision.verdict(forecast(), 1_050, explained(FEW), **RULES)
    assert found.units == ("a", "b")
    assert found.carried == pytest.approx(65 / 70)
    assert found.needed == pytest.approx(50 / 400)


def test_where_the_plan_takes_most_the_units_with_most_money_short_are_named() -> None:
    units = {"a": {"plan": -300, "mix": 290}, "b": {"plan": -40}, "c": {"plan": -50, "rate": -10}}
    assert decision.verdict(forecast(), 1_050, explained(units), **RULES).units == ("c", "b")


def test_a_bridge_that_misses_a_unit_of_money_blocks() -> None:
    right = explained({"a": {"rate": -60}})
    wrong = Explained(**{**right.__dict__, "actual_minor": right.actual_minor + 1})
    assert decision.exactness(right).met
    assert not decision.exactness(wrong).met
    assert decision.exactness(wrong).consequence == "refuse"


def test_a_forecast_no_better_than_dividing_by_workdays_loses_a_grade() -> None:
    row = {
        "stage": "all",
        "months": 12,
        "days": 240,
        "mape": 0.1,
        "naive_mape": 0.08,
        "prior_mape": 0.1,
        "bias": 0.0,
        "covered80": 0.4,
        "covered95": 0.9,
    }
    found = {item.name: item.met for item in decision.quality(pd.DataFrame([row]))}
    assert found == {"pace_tested": True, "pace_beats_naive": False, "pace_band_holds": False}
    assert [item.met for item in decision.quality(pd.DataFrame(columns=list(row)))] == [False]


def test_days_posted_late_are_named_whatever_they_brought() -> None:
    days = [date(2026, 4, day) for day in (1, 2, 3, 4)]
    found = pd.DataFrame(
        {"month": [date(2026, 4, 1)] * 4, "date_number": [1, 2, 3, 4], "cash_minor": 100.0, "expected_minor": 100.0, "z": [0, 5, 6, -7]}
    )
    by_day = pd.DataFrame(
        {"date": days, "collected_minor": [100, 900, 900, 5], "largest_minor": [10, 700, 10, 5], "late_minor": [90, 0, 0, 0]}
    )
    table = decision.unusual(found, by_day, beyond=4)
    assert table["cause"].tolist() == ["late_feed", "large_ticket", "more", "less"]
