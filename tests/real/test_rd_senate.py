"""US Senate incumbency: the published reference of regression discontinuity."""

from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.methods.causal.density_jump import balance_test, density_test
from collect_analysis.methods.causal.discontinuity import Bandwidths, Discontinuity, jump, sharp_discontinuity, split
from collect_analysis.methods.causal.discontinuity_checks import bandwidth_sensitivity, covariate_placebo, covariates_continuous, donut


@pytest.fixture(scope="module")
def senate(shared_data: Path) -> pd.DataFrame:
    return pd.read_csv(shared_data / "rd_senate" / "rdrobust_senate.csv")


@pytest.fixture(scope="module")
def elections(senate: pd.DataFrame) -> pd.DataFrame:
    return senate.dropna(subset=["vote"]).rename(columns={"margin": "running", "vote": "outcome"})


@pytest.fixture(scope="module")
def result(elections: pd.DataFrame) -> Discontinuity:
    return sharp_discontinuity(elections, cutoff=0, cutoff_belongs_to="above")


def test_at_the_published_bandwidths_every_published_number_comes_out(elections: pd.DataFrame) -> None:
    sides = split(elections, cutoff=0, cutoff_belongs_to="above")
    assert sum(len(side.x) for side in sides) == 1297
    table = jump(*sides, Bandwidths(17.754, 28.028), level=0.95).set_index("method")
    assert table.loc["conventional", "estimate"] == pytest.approx(7.41415, abs=5e-6)
    assert table.loc["conventional", "standard_error"] == pytest.approx(1.459, abs=5e-4)
    assert table.loc["robust", ["low", "high"]].tolist() == pytest.approx([4.094, 10.919], abs=5e-4)
    assert table.loc["robust", ["cases_below", "cases_above"]].tolist() == [360, 323]


def test_the_own_bandwidths_are_the_published_ones_to_a_thousandth(result: Discontinuity) -> None:
    row = result.effects.iloc[1]
    assert row["bandwidth"] == pytest.approx(17.754, abs=1e-3)
    assert row["bias_bandwidth"] == pytest.approx(28.028, abs=1e-3)
    assert (row["low"], row["high"]) == pytest.approx((4.094, 10.919), abs=1e-3)
    assert result.effects["estimate"].iloc[0] == pytest.approx(7.414, abs=1e-3)


def test_every_condition_holds(result: Discontinuity) -> None:
    assert all(condition.met for condition in result.conditions)


def test_nobody_moves_elections_across_the_cut_off(senate: pd.DataFrame) -> None:
    # All 1,390 elections, whether or not the next one is known.
    assert density_test(senate["margin"], cutoff=0).p_value > 0.3
    assert balance_test(senate["margin"], cutoff=0).p_value > 0.05


def test_placebo_covariates_do_not_jump_and_the_effect_does_not_hang_on_the_bandwidth(elections: pd.DataFrame) -> None:
    known = elections.dropna(subset=["termshouse", "termssenate", "population"])
    covariates = {name: known[name] for name in ("termshouse", "termssenate", "population")}
    assert covariates_continuous(covariate_placebo(known["running"], covariates, cutoff=0, cutoff_belongs_to="above")).met
    table = bandwidth_sensitivity(elections, cutoff=0, cutoff_belongs_to="above")
    assert (table["low"] > 0).all()
    holes = donut(elections, cutoff=0, cutoff_belongs_to="above", radii=[0, 0.5, 1])
    assert (holes["low"] > 0).all()
