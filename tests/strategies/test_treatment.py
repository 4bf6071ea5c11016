"""Doses: none in the champion, none anywhere, a part of the arm; agent time that only one arm has."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.evidence import Condition, grade
from collect_analysis.strategies.treatment import capacity_conditions, crowded, dose_conditions


def dose(**changes: object) -> pd.DataFrame:
    row = {"outcome": "voicebot", "arm": "new", "base_mean": 2.0, "mean": 2.5, "value": 0.5, "low": 0.4, "high": 0.6, "relative": 0.25}
    return pd.DataFrame([{**row, **changes}])


NONE_IN_CHAMPION = {"base_mean": 0.0, "mean": 1.2, "value": 1.2, "low": 1.1, "high": 1.3, "relative": np.nan}
NOWHERE = {"base_mean": 0.0, "mean": 0.0, "value": 0.0, "low": np.nan, "high": np.nan, "relative": np.nan}


def found(table: pd.DataFrame, *, least: float = 0.1, **reached: float) -> dict[str, Condition]:
    return {item.name: item for item in dose_conditions(table, dose="voicebot", least=least, reached=reached)}


@pytest.mark.parametrize(
    ("table", "name", "met", "claim"),
    [
        (dose(), "arms_treated_apart", True, "A"),
        (dose(relative=0.05), "arms_treated_apart", False, "none"),
        (dose(**NONE_IN_CHAMPION), "new_dose_given", True, "A"),
        (dose(**{**NONE_IN_CHAMPION, "mean": 0.001, "low": -0.001}), "new_dose_given", False, "none"),
        (dose(**NOWHERE), "dose_delivered", False, "none"),
        (dose(outcome="letters"), "dose_known", False, "B"),
        (dose(value=np.nan, relative=np.nan, mean=np.nan), "dose_known", False, "B"),
    ],
)
def test_each_way_a_dose_can_be_has_its_own_condition(table: pd.DataFrame, name: str, met: bool, claim: str) -> None:
    (condition,) = found(table).values()
    assert (condition.name, condition.met) == (name, met)
    assert grade("randomised", [condition]) == claim


def test_of_several_challengers_each_is_held_to_its_own_kind() -> None:
    table = pd.concat([dose(arm="more"), dose(arm="bot", **NONE_IN_CHAMPION)])
    assert [item.met for item in found(table).values()] == [True, True]
    forgotten = pd.concat([dose(arm="bot", **NONE_IN_CHAMPION), dose(arm="mail", **NOWHERE)])
    assert found(forgotten)["dose_delivered"].details["arm"] == "mail"


def test_a_treatment_taken_away_is_apart() -> None:
    assert found(dose(mean=0.0, value=-2.0, relative=-1.0))["arms_treated_apart"].met


def test_a_part_of_the_arm_is_told_with_its_share() -> None:
    partly = found(dose(**NONE_IN_CHAMPION), new=0.55, champion=0.0)["dose_reached"]
    assert (partly.met, partly.consequence, partly.details["reached_share"]) == (False, "note", 0.55)
    assert found(dose(**NONE_IN_CHAMPION), new=0.97)["dose_reached"].met
    assert "dose_reached" not in found(dose(value=-0.5, relative=-0.25), new=0.5)


def test_nothing_is_asked_where_nothing_was_declared() -> None:
    assert found(dose(**NOWHERE), least=0.0) == {}


def test_agent_time_where_the_champion_has_none_is_not_overlooked() -> None:
    new = dose(outcome="agent_minutes", **NONE_IN_CHAMPION)
    (condition,) = capacity_conditions(new, tolerance=0.1)
    assert (condition.name, condition.met, condition.details["mean"]) == ("capacity_unshared", False, 1.2)
    assert crowded([condition])
    assert not crowded(capacity_conditions(dose(outcome="agent_minutes", relative=0.05), tolerance=0.1))
    assert capacity_conditions(dose(outcome="agent_minutes", **NOWHERE), tolerance=0.1) == []
