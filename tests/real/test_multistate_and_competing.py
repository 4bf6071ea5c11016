"""Competing ends on transplant and AIDS/SI data: published transition counts, and the identity of shares."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.survival.survival import cumulative_incidence, exit_counts, kaplan_meier, restricted_time


def test_transitions_of_the_transplant_data_are_the_published_counts(shared_data: Path) -> None:
    patients = pd.read_csv(shared_data / "multistate_and_competing" / "ebmt3.csv")
    # A recovery dated like the relapse or later is no transition out of the start before that relapse.
    recovered = (patients["prstat"] == 1) & (patients["prtime"] <= patients["rfstime"])
    relapsed = patients["rfsstat"] == 1
    start = pd.DataFrame({"time": np.where(recovered, patients["prtime"], patients["rfstime"])})
    start["end"] = np.select([recovered, relapsed], ["recovered", "relapsed"], "censored")
    assert exit_counts(start).groupby("end")["count"].sum().to_dict() == {"recovered": 1169, "relapsed": 458, "censored": 577}
    after = patients.loc[recovered]
    since = pd.DataFrame({"time": after["rfstime"] - after["prtime"], "end": np.where(after["rfsstat"] == 1, "relapsed", "censored")})
    assert exit_counts(since).groupby("end")["count"].sum().to_dict() == {"relapsed": 383, "censored": 786}
    table = cumulative_incidence(exit_counts(start))
    total = table.groupby("time")["value"].sum() + table.groupby("time")["event_free"].first()
    np.testing.assert_allclose(total, 1, atol=1e-12)


def test_aids_and_si_with_event_free_sum_to_one_at_every_time(shared_data: Path) -> None:
    persons = pd.read_csv(shared_data / "multistate_and_competing" / "aidssi.csv")
    exits = exit_counts(persons.assign(end=persons["cause"].replace({"event-free": "censored"}))[["time", "end"]])
    assert exits.groupby("end")["count"].sum().to_dict() == {"AIDS": 114, "SI": 108, "censored": 107}
    table = cumulative_incidence(exits)
    total = table.groupby("time")["value"].sum() + table.groupby("time")["event_free"].first()
    np.testing.assert_allclose(total, 1, atol=1e-12)
    assert restricted_time(exits, horizon=10)["value"].sum() == pytest.approx(10, abs=1e-12)
    # The wrong curve, with the other end treated as censoring, lies above the right one (Putter, Fiocco & Geskus 2007, section 3).
    wrong = 1 - kaplan_meier(exits, censored=("censored", "SI"))["value"].iloc[-1]
    assert wrong > table.query("end == 'AIDS'")["value"].iloc[-1] + 0.1
