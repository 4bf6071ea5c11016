"""Inputs that break one condition each: tests by lot, running tests, rules on a log, drivers, segments."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial

import numpy as np
import pandas as pd
from collect_analysis.measures.lot import drawn_alike, lot_conditions
from collect_analysis.measures.segments import Segment
from collect_analysis.methods.evidence import Condition
from collect_analysis.strategies.drivers import decision
from collect_analysis.strategies.fitness import few_large_payers, requirements
from collect_analysis.strategies.rule_value import decision_fitness
from collect_analysis.strategies.rules import Requirement, Rule, RuleRow
from collect_analysis.strategies.strategy_review import page_segments
from collect_analysis.strategies.test_monitor.decision_validity import Watch, running_requirements
from collect_analysis.strategies.treatment import capacity_conditions, dose_conditions

from tests.measures.test_lot import LOGGED, NOTHING, Lot, alike
from tests.strategies.test_drivers_decision import subjects
from tests.strategies.test_fitness import PLAN, VARYING, evidence, facts, strata
from tests.strategies.test_treatment import NONE_IN_CHAMPION, NOWHERE, dose

Found = Sequence[Condition]


def review(*, plan: dict | None = None, **changes: object) -> Found:
    return requirements(replace(PLAN, **(plan or {})), evidence(**changes))


def lot(balance=alike(), *, drawn: Lot = LOGGED, randomised: bool = True) -> Found:  # noqa: B008 - never written to
    return lot_conditions(drawn, balance, randomised=randomised, adjusted=True)


def delivered(table: pd.DataFrame, **reached: float) -> Found:
    return dose_conditions(table, dose="voicebot", least=0.1, reached=reached)


THIRD = pd.concat([facts(), facts().iloc[:1].assign(arm="other", cases=77)], ignore_index=True)
OTHER_METRIC = {arm: {**row, "primary_metric": "cash_per_account"} for arm, row in evidence().planned.items()}
TAILS = pd.DataFrame({"outcome": "cash", "method": ["plain", "winsorised"], "steady": ["", "significance_changes"]})
MINUTES = dose(outcome="agent_minutes")

REVIEW = {
    "arms_filled": partial(review, facts=facts(clusters=[9, 9])),
    "all_arms_compared": partial(review, facts=THIRD),
    "plan_known": partial(
        review, facts=facts(share=np.nan, propensity_low=[0.3, 0.3], propensity_high=[0.3, np.nan]), planned=evidence().planned
    ),
    "sample_ratio": partial(review, facts=facts(clusters=[5_200, 4_800])),
    "shares_agree": partial(review, plan={"planned_shares": {"old": 0.51, "new": 0.49}}),
    "shares_sum": partial(review, facts=facts(share=[0.6, 0.6])),
    "probabilities_sum": partial(review, facts=facts(share=np.nan, propensity_low=[0.6, 0.6], propensity_high=[0.6, 0.6])),
    "one_arm_each": partial(review, shared=(0, 1)),
    "probability_logged": partial(review, facts=facts(propensity_low=np.nan, propensity_high=np.nan)),
    "probability_complete": partial(review, facts=facts(without_propensity=[3, 0])),
    "assigned_by_chance": partial(review, facts=facts(propensity_high=[1.0, 0.5], propensity_low=[1.0, 0.5])),
    "one_probability": partial(review, facts=facts(propensity_low=[0.3, 0.5], propensity_high=[0.7, 0.5])),
    "strata_filled": partial(review, facts=VARYING, strata=strata(clusters=[1, 4, 2_500, 2_500], cases=[1, 4, 2_500, 2_500])),
    "horizon_over": partial(review, open_share=0.051),
    "dates_known": partial(review, facts=facts(first_assigned=pd.NaT, without_date=[5_000, 5_000])),
    "outcome_after_assignment": partial(review, flaws=evidence().flaws.assign(early=1)),
    "outcome_sound": partial(review, flaws=evidence().flaws.assign(negative=2)),
    "payers_enough": partial(review, means=evidence().means.assign(positive=[1, 500])),
    "registered": partial(review, planned={}),
    "read_as_registered": partial(review, planned=OTHER_METRIC),
    "clusters_known": partial(review, plan={"assigned_in_clusters": True}, facts=facts(clusters=[5_000, 5_000])),
    "covariates_before": partial(review, late=["opened"]),
    "covariates_complete": partial(review, incomplete={"score": 7}),
    "covariates_vary": partial(review, flat={"rare": "new"}),
    "few_large_payers": partial(few_large_payers, PLAN, TAILS, {"cash": 0.4}),
}
LOT = {
    "lot_declared": partial(lot, randomised=False),
    "lot_shown": partial(lot, drawn=Lot()),
    "lot_kept_by_salt": partial(lot, drawn=Lot(logged=True, reproduced=0.97, by_chance=0.5, moved=30)),
    "arms_no_cut_off": partial(lot, alike(distance=1.0, p_distance=0.0, cut=7.5, p_value=1e-9)),
    "arms_same_days": partial(lot, alike(variable="assigned_on", kind="day", distance=1.0, p_distance=0.0, cut=20_500.0, p_value=1e-9)),
    "arms_same_codes": partial(
        lot, alike(variable="product_code", kind="code", level="card", distance=0.9, p_distance=np.nan, p_value=1e-9)
    ),
    "arms_balanced": partial(lot, alike(p_value=0.0009)),
    "arms_spread_alike": partial(lot, alike(distance=0.3, p_distance=0.0001)),
    "known_before": partial(lot, NOTHING),
    "drawn_alike": partial(drawn_alike, alike(p_value=1e-6)),
}
TREATMENT = {
    "dose_known": partial(delivered, dose(outcome="letters")),
    "dose_delivered": partial(delivered, dose(**NOWHERE)),
    "arms_treated_apart": partial(delivered, dose(relative=0.05)),
    "new_dose_given": partial(delivered, dose(**{**NONE_IN_CHAMPION, "mean": 0.001, "low": -0.001})),
    "dose_reached": partial(delivered, dose(**NONE_IN_CHAMPION), new=0.55),
    "capacity_alike": partial(capacity_conditions, MINUTES.assign(relative=0.3), tolerance=0.1),
    "capacity_unshared": partial(capacity_conditions, dose(outcome="agent_minutes", **NONE_IN_CHAMPION), tolerance=0.1),
}


def running(**changes: object) -> Found:
    """What a running test adds to the conditions of a review."""
    shares = {"arm": ["new", "old"], "numerator": 1, "denominator": 5_000, "value": 0.0002}
    values: dict = {
        "weeks": pd.DataFrame({"week": [date(2026, 1, 1)], "arm": "new", "p_adjusted": 0.4}),
        "doses": pd.DataFrame(columns=["outcome", "arm", "week", "base_mean", "p_adjusted", "drifted"]),
        "crossings": pd.DataFrame(shares),
        "losses": pd.DataFrame({"arm": ["new", "old"], "denominator": 5_000, "no_longer_found": 0, "left": [200, 210]}),
        "max_contamination": 0.05, "first_look": date(2026, 4, 1), "looked": True, "closed": True, "planned": True, "reading_days": 90,
    }  # fmt: skip
    return running_requirements(PLAN, evidence(), Watch(**{**values, **changes}))


def drifted(base: float) -> pd.DataFrame:
    row = {
        "outcome": "voicebot",
        "arm": "new",
        "week": date(2026, 1, 8),
        "base_mean": base,
        "value": 0.4,
        "relative": 0.4 if base else np.nan,
    }
    return pd.DataFrame([{**row, "p_adjusted": 0.001, "drifted": True}])


RUNNING = {
    "weeks_as_planned": partial(running, weeks=pd.DataFrame({"week": [date(2026, 1, 1)], "arm": "new", "p_adjusted": 1e-6})),
    "contained": partial(running, crossings=pd.DataFrame({"arm": ["new"], "value": [0.08]})),
    "subjects_found": partial(
        running, losses=pd.DataFrame({"arm": ["new", "old"], "denominator": 5_000, "no_longer_found": [3, 0], "left": [200, 210]})
    ),
    "losses_alike": partial(
        running, losses=pd.DataFrame({"arm": ["new", "old"], "denominator": 5_000, "no_longer_found": 0, "left": [500, 210]})
    ),
    "dose_steady": partial(running, doses=drifted(1.0)),
    "new_dose_steady": partial(running, doses=drifted(0.0)),
    "information_planned": partial(running, planned=False),
    "look_possible": partial(running, looked=False),
    "read_at_horizon": partial(running, reading_days=30),
}


def logged(*, learnt: bool = False, plan: str = "rules.md", late: Sequence[str] = (), **changes: object) -> Found:
    values: dict = {
        "facts": facts(), "flaws": evidence().flaws, "impossible": 0, "drawn": 10_000, "open_share": 0.0, "horizon_days": 90,
        "outcome": "payer_rate",
    }  # fmt: skip
    log = decision_fitness.LogFacts(**{**values, **changes})
    return decision_fitness.log_conditions(log, preregistration=plan, learnt_here=learnt, late_covariates=late)


def of_rule(
    *, action: str = "new", mean: float = 1.0, row_p: float = 0.5, whole_p: float = 0.5, payers: float = 900.0, cut: int = 0
) -> Found:
    sums = pd.DataFrame(
        {"row": 1, "action": ["new", "old"], "n": 5_000, "certain": 0, "payers_w": payers / 2, "payers_ww": payers / 2, "cut": cut,
         "full_w": 110.0, "sum_w": 100.0}
    )  # fmt: skip
    chances = pd.DataFrame({"row": [1], "action": [action], "probability": [1.0]})
    averages = pd.DataFrame({"row": [0, 1], "mean": mean, "p_adjusted": [whole_p, row_p]})
    return decision_fitness.rule_conditions("younger", sums, chances, averages)


LATE_RULE = Rule(
    name="late", rows=(RuleRow(tests={"opened": Requirement(low=1.0)}, chances={"new": 1.0}), RuleRow(tests={}, chances={"old": 1.0}))
)
RULES = {
    "propensities_logged": partial(logged, facts=facts(without_propensity=[3, 0])),
    "propensities_possible": partial(logged, impossible=4),
    "drawn_by_lot": partial(logged, drawn=0),
    "rule_not_learnt_here": partial(logged, learnt=True),
    "rule_declared": partial(logged, plan=""),
    "later_left_out": partial(logged, later=5),
    "undrawn_left_out": partial(logged, undrawn=5),
    "rule_known_before": lambda: [decision_fitness.known_before(LATE_RULE, ["opened"])],
    "actions_tried": partial(of_rule, action="letter"),
    "weights_average": partial(of_rule, mean=1.3, whole_p=1e-6),
    "weights_average_in_rows": partial(of_rule, mean=1.3, row_p=1e-6),
    "effective_payers": partial(of_rule, payers=199.0),
    "weights_whole": partial(of_rule, cut=3),
}


def factors(**standing: str) -> Found:
    table = pd.DataFrame({"factor": list(standing), "standing": list(standing.values())})
    return decision.factor_conditions(table.assign(used=table["standing"] == "used"))


def predicted(y: np.ndarray, first_day: float | None = 1.0) -> Found:
    given = subjects(y=y)
    return decision.prognosis_conditions(given, given.judging, first_day)


def chosen(*, randomised: bool = True, **changes: object) -> Found:
    given = subjects(**changes)
    return decision.uplift_conditions(given, randomised=randomised, champion="old", challenger="new")


HALF = np.tile([0.0, 1.0, 1.0, 0.0], 100)
DRIVERS = {
    "factors_before": partial(factors, opened="after", score="used"),
    "factors_lawful": partial(factors, gender="protected", score="used"),
    "factors_vary": partial(factors, product="constant", score="used"),
    "factors_left": lambda: decision.factor_conditions(pd.DataFrame({"factor": [], "standing": [], "used": np.array([], dtype=bool)})),
    "both_outcomes": partial(predicted, np.ones(400)),
    "judged_later": partial(predicted, HALF, None),
    "given_by_lot": partial(chosen, randomised=False, y=np.ones(400)),
    "payers_in_halves": partial(chosen, y=np.zeros(400)),
    "everybody_read": partial(chosen, y=np.ones(400), population=1_000),
    "segments_before": lambda: page_segments._conditions([Segment(name="opened", column="opened", late=True)]),
}
CASES = {**REVIEW, **LOT, **TREATMENT, **RUNNING, **RULES, **DRIVERS}
