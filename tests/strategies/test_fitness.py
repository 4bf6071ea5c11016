"""The conditions of a strategy review: each one met and unmet, and the grade that follows."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.evidence import Condition, grade, withheld
from collect_analysis.strategies.fitness import (
    Evidence,
    ReviewPlan,
    allocation,
    assignment_strata,
    few_large_payers,
    planned_shares,
    requirements,
)

PLAN = ReviewPlan(champion="old", challengers=("new",), primary_outcome="payer_rate", horizon_days=90, min_cell=10)


def facts(**changes: object) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "arm": ["new", "old"], "role": ["challenger", "champion"], "share": [0.5, 0.5], "cases": [5_000, 5_000],
            "clusters": [4_800, 4_800],
            "first_assigned": [date(2026, 1, 1)] * 2, "last_assigned": [date(2026, 1, 9)] * 2, "propensity_low": [0.5, 0.5],
            "propensity_high": [0.5, 0.5], "without_propensity": [0, 0], "without_date": [0, 0],
        }
    )  # fmt: skip
    return table.assign(**changes)


def evidence(**changes: object) -> Evidence:
    planned = {
        arm: {"share": 0.5, "prereg_hash": "ab12", "primary_metric": "payer_rate", "horizon_days": 90, "role": arm}
        for arm in ("new", "old")
    }
    means = pd.DataFrame({"arm": ["new", "old"], "unit": "share", "positive": [540, 500], "sum_y2": [540, 500]})
    doses = pd.DataFrame(
        {"outcome": ["contacts", "agent_minutes"], "arm": "new", "relative": [0.2, 0.02], "low": [0.9, -0.1], "high": [1.1, 0.1]}
    )
    flaws = pd.DataFrame(
        {"outcome": ["payer_rate"], "horizon_days": [90], "missing": [0], "negative": [0], "not_yes_no": [0], "early": [0]}
    )
    values: dict = {
        "facts": facts(),
        "shared": (0, 0),
        "open_share": 0.0,
        "flaws": flaws,
        "means": means,
        "doses": doses,
        "planned": planned,
    }
    return Evidence(**{**values, **changes})


def unmet(plan: ReviewPlan, found: Evidence) -> list[str]:
    return [item.name for item in requirements(plan, found) if not item.met]


def test_a_sound_registered_test_is_grade_a() -> None:
    found = requirements(PLAN, evidence())
    assert not [item for item in found if not item.met]
    assert grade(PLAN.design, found) == "A"


MEANS = evidence().means


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"facts": facts(clusters=[9, 9])}, "arms_filled"),
        ({"facts": facts(clusters=[5_200, 4_800])}, "sample_ratio"),  # χ² 16, p 6e-5
        ({"shared": (0, 1)}, "one_arm_each"),
        ({"shared": (3, 0)}, "one_arm_each"),
        ({"facts": facts(propensity_high=[1.0, 0.5], propensity_low=[1.0, 0.5])}, "assigned_by_chance"),
        ({"facts": facts(propensity_low=[0.0, 0.5], propensity_high=[0.0, 0.5])}, "assigned_by_chance"),
        ({"facts": facts(propensity_low=[0.3, 0.5], propensity_high=[0.7, 0.5])}, "one_probability"),
        ({"open_share": 0.051}, "horizon_over"),
        ({"flaws": evidence().flaws.assign(missing=1)}, "outcome_sound"),
        ({"flaws": evidence().flaws.assign(negative=2)}, "outcome_sound"),
        ({"flaws": evidence().flaws.assign(early=1)}, "outcome_after_assignment"),
        ({"means": MEANS.assign(positive=[1, 500])}, "payers_enough"),
    ],
)
def test_what_makes_an_answer_a_guess_is_refused(changes: dict, code: str) -> None:
    found = requirements(PLAN, evidence(**changes))
    assert [item.name for item in found if not item.met] == [code]
    assert grade(PLAN.design, found) == "none"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"planned": {}}, "registered"),
        ({"doses": evidence().doses.assign(relative=[0.2, 0.38], low=[0.1, 0.3])}, "capacity_alike"),
        (
            {"planned": {arm: {**row, "primary_metric": "cash_per_account"} for arm, row in evidence().planned.items()}},
            "read_as_registered",
        ),
        ({"planned": {arm: {**row, "horizon_days": 180} for arm, row in evidence().planned.items()}}, "read_as_registered"),
    ],
)
def test_what_weakens_an_answer_costs_a_grade(changes: dict, code: str) -> None:
    found = requirements(PLAN, evidence(**changes))
    assert [item.name for item in found if not item.met] == [code]
    assert grade(PLAN.design, found) == "B"


def test_five_percent_of_open_horizons_are_tolerated() -> None:
    assert unmet(PLAN, evidence(open_share=0.05)) == []


def test_shares_come_from_the_report_file_then_the_plan_then_the_logged_probability() -> None:
    assert planned_shares(replace(PLAN, planned_shares={"old": 0.8, "new": 0.2}), facts()) == {"old": 0.8, "new": 0.2}
    logged = facts(share=np.nan, propensity_low=[0.1, 0.9], propensity_high=[0.1, 0.9])
    assert planned_shares(PLAN, logged) == {"old": 0.9, "new": 0.1}
    untold = facts(share=np.nan, propensity_low=np.nan, propensity_high=np.nan)
    assert np.isnan(allocation(PLAN, untold)["p_value"])
    assert unmet(PLAN, evidence(facts=untold)) == ["plan_known", "probability_logged"]


def test_arms_that_were_treated_alike_are_a_test_about_nothing() -> None:
    plan = replace(PLAN, dose="contacts", min_dose_difference=0.25)
    assert unmet(plan, evidence()) == ["arms_treated_apart"]
    assert unmet(replace(plan, min_dose_difference=0.2), evidence()) == []
    assert unmet(plan, evidence(doses=evidence().doses.iloc[:0])) == ["dose_known"]


def test_more_agent_time_that_may_be_chance_is_not_held_against_the_challenger() -> None:
    noisy = evidence().doses.assign(relative=[0.2, 0.3], low=[0.1, -0.2])
    assert unmet(PLAN, evidence(doses=noisy)) == []


def test_joint_assignment_without_cluster_ids_weakens_the_answer() -> None:
    plan = replace(PLAN, assigned_in_clusters=True)
    assert unmet(plan, evidence()) == []
    assert unmet(plan, evidence(facts=facts(clusters=[5_000, 5_000]))) == ["clusters_known"]


def test_covariates_from_after_assignment_are_named_and_cost_no_grade() -> None:
    found = requirements(PLAN, evidence(late=["opened", "agreement"], incomplete={"score": 7}))
    named = {item.name: item.details for item in found if not item.met}
    assert named["covariates_before"]["covariates"] == ["opened", "agreement"]
    assert named["covariates_complete"] == {"covariates": ["score"], "missing": 7}
    assert grade(PLAN.design, found) == "A"


def test_what_was_not_randomised_is_a_raw_comparison() -> None:
    plan = replace(PLAN, randomised=False)
    assert grade(plan.design, requirements(plan, evidence())) == "D"


def test_a_refused_effect_shows_no_number() -> None:
    effects = pd.DataFrame({"arm": ["new"], "cases": [10], "value": [1.0], "low": [0.5], "relative": [0.2], "note": [""]})
    refusing = [Condition(name="sample_ratio", met=False, consequence="refuse")]
    kept = withheld(effects, [replace(refusing[0], consequence="downgrade")], note="no")
    pd.testing.assert_frame_equal(kept, effects)
    empty = withheld(effects, refusing, note="no")
    assert empty[["value", "low", "relative"]].isna().all(axis=None)
    assert empty["cases"].tolist() == [10]
    assert empty["note"].tolist() == ["no"]
    assert effects["value"].tolist() == [1.0]


VARYING = facts(propensity_low=[0.2, 0.5], propensity_high=[0.5, 0.8])


def strata(**changes: object) -> pd.DataFrame:
    """Two strata: 80/20 and 50/50, as drawn."""
    table = pd.DataFrame(
        {
            "stratum": ["late", "late", "soon", "soon"], "arm": ["new", "old", "new", "old"], "cases": [1_000, 4_000, 2_500, 2_500],
            "clusters": [1_000, 4_000, 2_500, 2_500], "propensity_low": [0.2, 0.8, 0.5, 0.5], "propensity_high": [0.2, 0.8, 0.5, 0.5],
        }
    )  # fmt: skip
    return table.assign(**changes)


def test_probabilities_that_strata_tell_apart_are_compared_within_them() -> None:
    found = requirements(PLAN, evidence(facts=VARYING, strata=strata()))
    assert not [item for item in found if not item.met]
    assert {"stratum_probability", "strata_filled"} <= {item.name for item in found}
    assert assignment_strata(PLAN, VARYING, strata()) == ["late", "soon"]
    assert planned_shares(PLAN, VARYING, strata()) == pytest.approx({"new": 0.35, "old": 0.65})
    assert allocation(PLAN, VARYING, strata())["p_value"] == 1.0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"propensity_high": [0.3, 0.8, 0.5, 0.5]}, "one_probability"),
        ({"clusters": [0, 4_000, 2_500, 2_500], "cases": [0, 4_000, 2_500, 2_500]}, "strata_filled"),
        ({"clusters": [1, 4_000, 2_500, 2_500]}, "strata_filled"),
        ({"clusters": [1_000, 4_000, 2_500, 2_000]}, "sample_ratio"),
        ({"propensity_low": [0.3, 0.8, 0.5, 0.5], "propensity_high": [0.3, 0.8, 0.5, 0.5]}, "probabilities_sum"),
    ],
)
def test_strata_that_do_not_tell_are_refused(changes: dict, code: str) -> None:
    assert code in unmet(PLAN, evidence(facts=VARYING, strata=strata(**changes)))


def test_one_probability_is_read_as_before_whatever_the_strata() -> None:
    assert assignment_strata(PLAN, facts(), strata()) == []
    assert unmet(PLAN, evidence(strata=strata())) == []
    assert "one_probability" in unmet(PLAN, evidence(facts=VARYING, strata=strata().iloc[:0]))


def test_planned_shares_that_sum_to_more_than_one_are_refused() -> None:
    assert "shares_sum" in unmet(PLAN, evidence(facts=facts(share=[0.6, 0.6])))
    assert unmet(PLAN, evidence(facts=facts(share=[0.1, 0.1]))) == []  # the rest was not compared


def test_arms_that_the_report_does_not_name_are_said() -> None:
    third = pd.concat([facts(), facts().iloc[:1].assign(arm="other", cases=77)], ignore_index=True)
    found = {item.name: item for item in requirements(PLAN, evidence(facts=third)) if not item.met}
    assert found["all_arms_compared"].details == {"arms": ["other"], "cases": 77}
    assert found["all_arms_compared"].consequence == "note"


def test_a_probability_logged_for_some_only_is_said() -> None:
    assert unmet(PLAN, evidence(facts=facts(without_propensity=[3, 0]))) == ["probability_complete"]


def test_a_covariate_with_one_value_in_an_arm_is_said_and_costs_no_grade() -> None:
    found = requirements(PLAN, evidence(flat={"rare": "new"}))
    assert [item.name for item in found if not item.met] == ["covariates_vary"]
    assert grade(PLAN.design, found) == "A"


def test_an_answer_that_hangs_on_a_few_payers_costs_a_grade_only_if_it_is_the_declared_one() -> None:
    tails = pd.DataFrame({"outcome": "cash", "method": ["plain", "winsorised"], "steady": ["", "significance_changes"]})
    (secondary,) = few_large_payers(PLAN, tails, {"cash": 0.4})
    assert (secondary.met, secondary.consequence, secondary.details["top_share"]) == (False, "note", 0.4)
    (own,) = few_large_payers(replace(PLAN, primary_outcome="cash"), tails, {})
    assert own.consequence == "downgrade"
    (steady,) = few_large_payers(PLAN, tails.assign(steady=["", "holds"]), {"cash": 0.4})
    assert steady.met
    assert few_large_payers(PLAN, tails.iloc[:1], {}) == []
