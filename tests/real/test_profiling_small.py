"""The three classics of shrinkage, on their files, to the published figures."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.profiling import shrinkage


@pytest.fixture(scope="module")
def classics(shared_data: Path) -> Path:
    return shared_data / "profiling_small"


def test_batting_averages_shrink_as_published(classics: Path) -> None:
    players = pd.read_csv(classics / "efron_morris_1970.csv")
    first, season = (np.sqrt(45) * np.arcsin(2 * players[column] - 1) for column in ("y", "p"))
    factor, shrunk = shrinkage.james_stein(first, 1.0)
    assert factor == pytest.approx(0.20920, abs=5e-6)
    assert (np.sin(shrunk[0] / np.sqrt(45)) + 1) / 2 == pytest.approx(0.290, abs=5e-4)
    assert ((first - season) ** 2).sum() == pytest.approx(17.56, abs=0.02)
    assert ((shrunk - season) ** 2).sum() == pytest.approx(5.01, abs=0.02)


def test_batting_averages_on_the_raw_scale(classics: Path) -> None:
    averages = pd.read_csv(classics / "efron_morris_1970.csv")["y"]
    mean = averages.mean()
    factor, shrunk = shrinkage.james_stein(averages, mean * (1 - mean) / 45)
    assert (mean, factor, shrunk[0]) == (
        pytest.approx(0.26539, abs=5e-6),
        pytest.approx(0.21239, abs=5e-6),
        pytest.approx(0.29398, abs=5e-6),
    )


def test_eight_schools_pool_as_published(classics: Path) -> None:
    schools = pd.read_csv(classics / "eight_schools.csv")
    found = shrinkage.heterogeneity(schools["est"], schools["se"])
    assert found.pooled == pytest.approx(7.8705, abs=5e-5)
    assert found.pooled_se == pytest.approx(4.1656, abs=5e-5)
    assert found.q == pytest.approx(4.563, abs=5e-4)
    assert (found.df, found.tau2) == (7, 0)


def test_hospital_death_rates_shrink_to_the_random_effects_means(classics: Path) -> None:
    hospitals = pd.read_csv(classics / "surgical_12_hospitals.csv")
    rate = hospitals["r"].sum() / hospitals["n"].sum()
    shrunk = shrinkage.gamma_poisson(hospitals["r"], hospitals["n"] * rate).table["value"] * rate
    published = [0.0530, 0.1031, 0.0705, 0.0592, 0.0515, 0.0690, 0.0668, 0.1231, 0.0698, 0.0784, 0.1023, 0.0684]
    assert shrunk.to_numpy() == pytest.approx(published, abs=0.01)
    assert shrunk[0] > 0.04
