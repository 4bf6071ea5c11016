"""Callbacks by race of the name: two proportions (Bertrand & Mullainathan, American Economic Review 94, 2004, table 1)."""

from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.methods.trials.experiments import arm_means, compare_arms


def test_callback_rates_ratio_and_difference_are_the_published_ones(shared_data: Path) -> None:
    raw = pd.read_csv(shared_data / "resume_callbacks" / "resume.csv")
    counts = raw.groupby("race")["call"].agg(["sum", "size"]).reset_index()
    sums = pd.DataFrame(
        {
            "outcome": "call", "unit": "share", "horizon_days": 30, "arm": counts["race"],
            "clusters": counts["size"], "cases": counts["size"],
            "positive": counts["sum"], "sum_y": counts["sum"], "sum_y2": counts["sum"], "sum_yy": counts["sum"], "sum_yn": counts["sum"],
            "sum_nn": counts["size"], "note": "",
        }
    )  # fmt: skip
    (row,) = compare_arms(arm_means(sums), base="black").to_dict("records")
    assert (row["cases"], row["base_cases"]) == (2_435, 2_435)
    assert 100 * row["mean"] == pytest.approx(9.65, abs=0.005)
    assert 100 * row["base_mean"] == pytest.approx(6.45, abs=0.005)
    assert 100 * row["value"] == pytest.approx(3.20, abs=0.005)
    assert 1 + row["relative"] == pytest.approx(1.50, abs=0.005)
    assert row["p_value"] < 1e-4
    assert 0 < row["low"] < row["value"] < row["high"]
