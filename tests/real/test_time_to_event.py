"""Published survival numbers: Klein & Moeschberger table 4.1 (6-MP), Kaplan-Meier and log-rank."""

from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.methods.survival.survival import exit_counts, kaplan_meier, log_rank


@pytest.fixture
def remission(shared_data: Path) -> pd.DataFrame:
    pairs = pd.read_csv(shared_data / "time_to_event" / "drug6mp.csv")
    drug = pd.DataFrame({"arm": "6mp", "time": pairs["t2"], "end": pairs["relapse"].map({1: "relapse", 0: "censored"})})
    placebo = pd.DataFrame({"arm": "placebo", "time": pairs["t1"], "end": "relapse"})
    return exit_counts(pd.concat([drug, placebo]), by=["arm"])


def test_kaplan_meier_of_6mp_is_the_published_table(remission: pd.DataFrame) -> None:
    curve = kaplan_meier(remission, by=["arm"]).query("arm == '6mp'").set_index("time")
    assert curve["value"].to_dict() == pytest.approx({6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}, abs=5e-4)
    # Klein & Moeschberger, table 4.1: Greenwood standard errors.
    assert curve["standard_error"].loc[[6, 23]].tolist() == pytest.approx([0.0764, 0.1346], abs=5e-5)


def test_log_rank_of_6mp_against_placebo_is_the_published_one(remission: pd.DataFrame) -> None:
    test = log_rank(remission, group="arm")
    assert test.statistic == pytest.approx(16.79, abs=5e-3)
    assert test.degrees_of_freedom == 1


def test_return_to_prison_counts_its_552_events(shared_data: Path) -> None:
    inmates = pd.read_csv(shared_data / "time_to_event" / "recid.csv")
    exits = exit_counts(pd.DataFrame({"time": inmates["durat"], "end": inmates["cens"].map({1: "censored", 0: "return"})}))
    assert kaplan_meier(exits)["events"].sum() == 552
