"""Points by hand: what each part brings, what a gate takes, what volume would have brought."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.agencies.score import NO_SERVICE, NOT_JUDGED, ScorePolicy, partner_scores
from collect_analysis.book.policy import policy
from collect_analysis.errors import DataError

from tests.conftest import PROJECT

VALUES = {
    "performance": 60,
    "conduct": 25,
    "service": 15,
    "index_low": 0.8,
    "index_high": 1.2,
    "service_targets": {"answered_in_time": 0.9},
}
HELD = pd.DataFrame({"unit_key": ["a", "b"], "collected_minor": [1000, 500], "cases": [100, 200], "returned_accounts": [0, 4]})
NET = pd.DataFrame({"unit_key": ["a", "b"], "value": [1.1, 0.7]})
GATED = pd.DataFrame(
    {"unit_key": ["a", "a", "b"], "gate": ["complaints", "breaches", "complaints"], "value": [10.0, 0.5, 80.0], "limit": [50.0, 1.0, 50.0]}
)
STANDING = pd.DataFrame({"unit_key": ["a", "b"], "status": ["pass", "fail"]})
SERVED = pd.DataFrame({"unit_key": ["a", "b"], "measure": ["answered_in_time"] * 2, "value": [0.45, 0.95]})


def scored(**given: pd.DataFrame) -> pd.DataFrame:
    tables = {"net": NET, "gated": GATED, "standing": STANDING, "served": SERVED, "held": HELD, **given}
    return partner_scores(
        *(tables[name] for name in ("net", "gated", "standing", "served", "held")), policy=ScorePolicy.of(VALUES)
    ).set_index("unit_key")


def test_points_by_hand() -> None:
    table = scored()
    # 60·(1.1 - 0.8)/0.4; 25·mean(1 - 10/50, 1 - 0.5); 15·0.45/0.9
    assert table.loc["a", ["performance_points", "conduct_points", "service_points"]].tolist() == pytest.approx([45, 16.25, 7.5])
    assert table.loc["a", "value"] == pytest.approx(68.75)
    assert table.loc["b", ["performance_points", "conduct_points", "service_points"]].tolist() == [0, 0, 15]
    assert table.loc["b", ["gate_factor", "value"]].tolist() == [0, 0]


def test_the_public_formula_by_hand_rewards_volume() -> None:
    table = scored()
    assert table["volume_points"].tolist() == pytest.approx([70 + 20 * 0.5 + 0, 70 * 0.5 + 20 + 10])
    # Twice the inventory at the same skill: twice the points.
    double = HELD.assign(collected_minor=[1000, 1000], returned_accounts=[0, 0], cases=[100, 200])
    assert scored(held=double).loc["b", "volume_points"] > scored(held=double).loc["a", "volume_points"]


def test_a_part_without_data_leaves_no_sum_and_says_which() -> None:
    assert scored(net=NET.assign(value=[np.nan, 0.7])).loc["a", "note"] == NOT_JUDGED
    table = scored(served=SERVED.assign(value=np.nan))
    assert table["value"].isna().all()
    assert table["note"].tolist() == [NO_SERVICE] * 2


def test_a_file_error_counts_as_the_share_without_one() -> None:
    given = ScorePolicy.of({**VALUES, "service_targets": {"file_error_rate": 0.95}})
    served = SERVED.assign(measure="file_error_rate", value=[0.05, 0.5])
    table = partner_scores(NET, GATED, STANDING, served, HELD, policy=given).set_index("unit_key")
    assert table["service_points"].tolist() == pytest.approx([15, 15 * 0.5 / 0.95])


def test_the_policy_of_the_house_is_read_and_a_wrong_one_refused_with_all_its_problems() -> None:
    from datetime import date

    values = policy("placement", on=date(2026, 6, 30), folder=PROJECT / "parameters" / "policy")
    assert ScorePolicy.of(values["score"]).performance == 60
    with pytest.raises(DataError) as problem:
        ScorePolicy.of({**VALUES, "conduct": "many", "extra": 1})
    assert "unknown key score.extra" in str(problem.value)
    assert "score.conduct is 'many'" in str(problem.value)
    with pytest.raises(DataError, match="do not sum to 100"):
        ScorePolicy.of({**VALUES, "service": 5})
    with pytest.raises(DataError, match="score has no 'performance'"):
        ScorePolicy.of({})
