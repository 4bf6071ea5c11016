"""Evidence of the lot: what shows it, what one variable tells apart, what a claim is worth without it."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.measures.balance import COLUMNS, DAY_ZERO, Balance
from collect_analysis.measures.lot import Lot, by_lot, lot_conditions, of_plan
from collect_analysis.methods.evidence import Condition, grade
from collect_analysis.methods.trials.balance import JointBalance

LOGGED = Lot(logged=True)


def alike(p_value: float = 0.4, **changes: object) -> Balance:
    row = {
        "variable": "balance", "kind": "number", "level": "", "arm": "new", "base": "old", "cases": 500, "base_cases": 500, "mean": 10.0,
        "base_mean": 10.1, "standardised": -0.02, "distance": 0.03, "p_distance": 0.9, "cut": 12.0, "lower": True,
    }  # fmt: skip
    table = pd.DataFrame([{**row, **changes}], columns=COLUMNS)
    return Balance(table=table, joint=JointBalance(chi2=1.0, df=1.0, p_value=p_value))


def unmet(lot: Lot, balance: Balance | None, *, randomised: bool = True, adjusted: bool = True) -> dict[str, Condition]:
    found = lot_conditions(lot, balance, randomised=randomised, adjusted=adjusted)
    return {item.name: item for item in found if not item.met}


NOTHING = Balance(table=pd.DataFrame(columns=COLUMNS), joint=JointBalance(chi2=np.nan, df=np.nan, p_value=np.nan))


@pytest.mark.parametrize(
    "lot", [LOGGED, Lot(registered="ab12"), Lot(documents=("Gerber et al. (2008)",)), Lot(reproduced=1.0, by_chance=0.5, moved=0)]
)
def test_any_evidence_of_the_lot_with_balance_leaves_the_best_grade(lot: Lot) -> None:
    found = lot_conditions(lot, alike(), randomised=True, adjusted=False)
    assert all(item.met for item in found)
    assert by_lot(found)
    assert grade("randomised", found) == "A"


@pytest.mark.parametrize(("adjusted", "best"), [(True, "C"), (False, "D")])
@pytest.mark.parametrize(
    ("lot", "balance", "name"),
    [
        (Lot(), alike(), "lot_shown"),
        (LOGGED, alike(p_value=0.0009), "arms_balanced"),
        (LOGGED, alike(distance=0.3, p_distance=0.0001), "arms_spread_alike"),
        (LOGGED, NOTHING, "known_before"),
        (Lot(logged=True, reproduced=0.97, by_chance=0.5, moved=30), alike(), "lot_kept_by_salt"),
    ],
)
def test_a_lot_that_is_not_shown_is_worth_an_adjusted_or_a_raw_comparison(
    lot: Lot, balance: Balance, name: str, adjusted: bool, best: str
) -> None:
    found = lot_conditions(lot, balance, randomised=True, adjusted=adjusted)
    assert [item.name for item in found if not item.met] == [name]
    assert not by_lot(found)
    assert grade("randomised", found) == best


@pytest.mark.parametrize(
    ("changes", "name", "details"),
    [
        ({"distance": 1.0, "p_distance": 0.0, "cut": 7.5, "lower": False}, "arms_no_cut_off",
         {"variable": "balance", "cut": 7.5, "low_arm": "old", "high_arm": "new"}),
        ({"distance": 0.85, "p_distance": 1e-9, "cut": 7.5}, "arms_no_cut_off", {"low_arm": "new", "high_arm": "old"}),
        ({"variable": "assigned_on", "kind": "day", "distance": 1.0, "p_distance": 0.0, "cut": 20_500.0}, "arms_same_days",
         {"cut": date(2026, 2, 16)}),
        ({"variable": "product_code", "kind": "code", "level": "card", "distance": 0.9, "p_distance": np.nan}, "arms_same_codes",
         {"variable": "product_code"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("randomised", [True, False])
def test_one_variable_that_tells_the_arms_apart_refuses_whatever_is_declared(
    changes: dict, name: str, details: dict, randomised: bool
) -> None:
    everything = Lot(logged=True, registered="ab12", documents=("protocol 3",))
    found = unmet(everything, alike(p_value=1e-9, **changes), randomised=randomised)
    assert found[name].consequence == "refuse"
    assert {key: found[name].details[key] for key in details} == details
    assert grade("randomised", found.values()) == "none"


def test_a_distance_that_chance_explains_in_a_tiny_arm_is_no_rule() -> None:
    assert unmet(LOGGED, alike(distance=0.85, p_distance=0.02)) == {}
    assert unmet(LOGGED, alike(distance=0.85, kind="code", p_distance=np.nan, p_value=0.01)) == {}


def test_a_salt_that_gives_the_arms_again_is_proof_and_imbalance_then_only_said() -> None:
    proof = Lot(reproduced=1.0, by_chance=0.5, moved=0)
    found = unmet(proof, alike(p_value=1e-6))
    assert found["arms_balanced"].consequence == "note"
    assert unmet(proof, NOTHING)["known_before"].consequence == "note"


def test_a_salt_that_chance_would_match_as_well_says_nothing() -> None:
    assert unmet(Lot(logged=True, reproduced=0.51, by_chance=0.5, moved=490), alike()) == {}
    assert list(unmet(Lot(reproduced=0.51, by_chance=0.5, moved=490), alike())) == ["lot_shown"]


def test_a_comparison_declared_as_no_lot_is_raw() -> None:
    found = lot_conditions(LOGGED, alike(), randomised=False, adjusted=True)
    assert [item.name for item in found if not item.met] == ["lot_declared"]
    assert grade("randomised", found) == "D"


def test_the_log_counts_where_every_subject_had_a_chance() -> None:
    facts = pd.DataFrame({"arm": ["old", "new"], "propensity_low": 0.5, "propensity_high": 0.5, "without_propensity": [0, 0]})
    assert of_plan(facts, {}, ["old", "new"], []).shown == ["log"]
    assert of_plan(facts.assign(without_propensity=[1, 0]), {}, ["old", "new"], []).shown == []
    assert of_plan(facts.assign(propensity_high=[1.0, 0.5]), {}, ["old", "new"], []).shown == []
    unlogged = facts.assign(propensity_low=np.nan, propensity_high=np.nan)
    plan = {"old": {"prereg_hash": "ab12"}, "new": {"prereg_hash": "ab12"}}
    assert of_plan(unlogged, plan, ["old", "new"], ["", "protocol 3"]).shown == ["register", "protocol 3"]
    assert of_plan(unlogged, {"old": {"prereg_hash": "ab12"}}, ["old", "new"], []).shown == []
    assert date(1970, 1, 1) == DAY_ZERO
