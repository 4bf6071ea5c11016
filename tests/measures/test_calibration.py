"""A small seeded version of the calibration of reviews; `python -m tests.bench calibration_arms` runs a thousand replications."""

from pathlib import Path

import pytest

from tests.bench import calibration_arms


@pytest.mark.slow
def test_intervals_cover_and_nothing_is_found_where_nothing_is(sample_book: Path) -> None:
    found = calibration_arms.run(14, seed=3, books=sample_book).set_index("case")
    covered = found[found["wanted"] == "0.93-0.97"]["rate"]
    assert len(covered) == 5
    # 11 of 14: fewer would happen to intervals that do cover 95 % in one of two thousand such runs.
    assert (covered >= 11 / 14).all()
    assert (found[found.index.str.contains("false")]["rate"] <= 3 / 14).all()
    assert found.loc["earlier cash taken as a level", "rate"] <= 2 / 14
