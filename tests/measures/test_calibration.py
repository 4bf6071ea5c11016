"""A small seeded version of the calibration of reviews; `python -m tests.bench calibration_arms` runs a thousand replications."""

from pathlib import Path

import pytest

from tests.bench import calibration_arms


@pytest.mark.slow
def test_intervals_cover_and_nothing_is_found_where_nothing_is(sample_book: Path) -> None:
    found = calibration_arms.run(24, seed=3, books=sample_book).set_index("case")
    covered = found[found["wanted"] == "0.93-0.97"]["rate"]
    assert len(covered) == 5
    # 20 of 24: fewer would happen to intervals that do cover 95 % in one of three hundred such runs.
    assert (covered >= 20 / 24).all()
    assert (found[found.index.str.contains("false")]["rate"] <= 5 / 24).all()
    assert found.loc["earlier cash taken as a level", "rate"] <= 3 / 24
