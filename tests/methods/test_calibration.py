"""Small seeded versions of calibrations; `python -m tests.bench calibration_arms calibration_agencies` runs a thousand replications of each."""

from pathlib import Path

import pytest

from tests.bench import calibration_agencies, calibration_arms


@pytest.mark.slow
def test_intervals_cover_and_nothing_is_found_where_nothing_is(sample_book: Path) -> None:
    found = calibration_arms.run(14, seed=3, books=sample_book).set_index("case")
    covered = found[found["wanted"] == "0.93-0.97"]["rate"]
    assert len(covered) == 5
    # 11 of 14: fewer would happen to intervals that do cover 95 % in one of two thousand such runs.
    assert (covered >= 11 / 14).all()
    assert (found[found.index.str.contains("false")]["rate"] <= 3 / 14).all()
    assert found.loc["earlier cash taken as a level", "rate"] <= 2 / 14


@pytest.mark.slow
def test_agencies_are_ranked_by_skill_under_a_misleading_mix_and_their_intervals_cover(sample_book: Path) -> None:
    found = calibration_agencies.run(30, seed=3, books=sample_book).set_index("case")
    covered = found[found["wanted"] == "0.93-0.97"]
    # 162 of 180: fewer would happen to intervals that do cover 95 % in one of four hundred such runs.
    assert len(covered) == 4
    assert (covered["value"] >= 162 / 180).all()
    assert found.loc["rank correlation with skill: gain over raw", "value"] >= 0.3
