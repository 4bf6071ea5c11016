"""Inputs that break one condition each: cut-off rules, roll-outs, arms that nobody drew."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from collect_analysis.methods.causal.discontinuity import Bandwidths, sharp_discontinuity
from collect_analysis.methods.causal.discontinuity_checks import covariates_continuous
from collect_analysis.methods.causal.fuzzy_discontinuity import fuzzy_discontinuity
from collect_analysis.methods.causal.overlap import arms_enough, balanced, overlap_enough
from collect_analysis.methods.causal.rollout import group_time_effects
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.trials.adjustment import weigh
from collect_analysis.strategies.quasi_experiment import decision_cut_off, decision_overlap, decision_roll_out

from tests.methods.test_discontinuity import lee_cases
from tests.methods.test_overlap import made
from tests.methods.test_rollout import panel_of

Found = Sequence[Condition]
CASES_OF_A_RULE = lee_cases(1, size=3_000)
X = CASES_OF_A_RULE["running"]
NEAR = Bandwidths(0.3, 0.5)


def sharp(cases: pd.DataFrame = CASES_OF_A_RULE, **options: object) -> Found:
    return sharp_discontinuity(cases, **{"cutoff": 0.0, "cutoff_belongs_to": "above", **options}).conditions  # type: ignore[arg-type]


def with_(**columns: object) -> pd.DataFrame:
    return CASES_OF_A_RULE.assign(**columns)


MOVED = X.between(-0.1, 0, inclusive="left") & (np.random.default_rng(1).random(len(X)) < 0.7)
# One round value above, inside the bandwidth.
ROUND = X.where(~(X.between(0.1, 0.2) & (np.random.default_rng(2).random(len(X)) < 0.7)), 0.15)
AT_CUTOFF = pd.concat([CASES_OF_A_RULE, pd.DataFrame({"running": [0.0] * 16, "outcome": 0.5})], ignore_index=True)
SHARP = {
    "running_varies": partial(sharp, with_(running=0.5)),
    "outcome_varies": partial(sharp, with_(outcome=1.0)),
    "both_sides_filled": partial(sharp, cutoff=-5.0),
    "cases_per_side": partial(sharp, pd.concat([CASES_OF_A_RULE[X < 0], CASES_OF_A_RULE[X >= 0].head(49)])),
    "rule_kept": partial(sharp, with_(treated=(X >= 0) ^ (np.arange(len(X)) == 7))),
    "treatment_known": partial(sharp, with_(treated=pd.array((X >= 0).where(np.arange(len(X)) != 7, None), dtype="boolean"))),
    "cases_near": partial(sharp, bandwidths=Bandwidths(0.005, 0.5)),
    "mass_points": partial(sharp, with_(running=(X * 60).round() / 60), bandwidths=Bandwidths(0.4, 0.5)),
    "heap_near": partial(sharp, with_(running=ROUND), bandwidths=NEAR),
    "heap_at_cutoff": partial(sharp, AT_CUTOFF, bandwidths=Bandwidths(0.06, 0.5)),
    "nobody_moves": partial(sharp, with_(running=X.where(~MOVED, -X))),
    "rule_alone": partial(sharp, other_cutoffs=[0.05]),
    "covariates_smooth": lambda: [covariates_continuous(placebo([0.6, 0.001]))],
    "covariates_tested": lambda: [covariates_continuous(placebo([0.6, np.nan]))],
    "rule_followed": lambda: [
        fuzzy_discontinuity(with_(treated=np.arange(len(X)) % 2), cutoff=0.0, cutoff_belongs_to="above", bandwidths=NEAR).condition
    ],
}


def placebo(p_values: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"covariate": ["age", "salary"], "p_value": p_values, "holm_p_value": p_values})


SUPPLIED = decision_cut_off.CutOffFacts(
    total=3_000, clusters=3_000, kept=3_000, without_running=0, open_horizon=0, missing=0, missing_jump_p=float("nan"), impossible=0,
    recorded=True,
)  # fmt: skip


def supplied(**changes: object) -> Found:
    return decision_cut_off.supply(replace(SUPPLIED, **changes))  # type: ignore[arg-type]


CHOICES = pd.DataFrame({"check": ["bandwidth", "donut"], "at": [0.5, 0.1], "low": [0.02, 0.3], "high": [0.06, 0.5]})
CUT_OFF = {
    "outcome_possible": partial(supplied, impossible=2),
    "outcome_recorded": partial(supplied, missing=400),
    "outcome_gaps_alike": partial(supplied, missing=30, missing_jump_p=0.01),
    "running_known": partial(supplied, without_running=300),
    "cases_independent": partial(supplied, clusters=2_900),
    "treatment_recorded": partial(supplied, recorded=False),
    "placebo_before": partial(supplied, late=["opened"]),
    "cutoff_in_rules": lambda: decision_cut_off.switches_here(pd.DataFrame({"at": [30.0]}), 31.0),
    "choices_agree": lambda: [decision_cut_off.choices_agree(CHOICES, 0.04)],
}


def rolled(panel: pd.DataFrame) -> Found:
    return group_time_effects(panel).conditions


def watched(**changes: object) -> Found:
    whole = decision_roll_out.RolloutFacts(clusters=40, gaps=0, cases=9_000, unusable=0, starts_within=0, low=0.01, high=0.03, lots_p=0.01)
    return decision_roll_out.requirements(replace(whole, **changes))  # type: ignore[arg-type]


ROLL_OUT = {
    # Twelve units of one branch are one cluster.
    "both_sides": lambda: rolled(panel_of(4, {5: 12, 99: 12}).assign(cluster=lambda t: t["unit"].where(t["unit"] >= 12, 0))),
    "clusters_enough": lambda: rolled(panel_of(3, {5: 5, 99: 40})),
    "periods_before": lambda: rolled(panel_of(7, {3: 40, 99: 40})),
    "trend_tested": lambda: rolled(panel_of(8, {5: 7, 99: 7}).assign(outcome=1.0)),
    "same_trend": lambda: rolled(panel_of(6, {5: 40, 99: 40}, drift=2.0)),
    "seen_before": lambda: rolled(panel_of(2, {1: 5, 5: 40, 99: 40})),
    "panel_whole": partial(watched, gaps=5),
    "panel_known": partial(watched, unusable=600),
    "lots_agree": partial(watched, lots_p=0.2),
    "starts_whole": partial(watched, starts_within=3),
}
ASKED = decision_overlap.OverlapFacts(
    outcome="payer_rate", days=90, subjects=3_000, read=3_000, no_outcome=0, impossible=0, twice=0, recent=0, adjusted_for=["score"]
)


def compared(**changes: object) -> Found:
    return decision_overlap.requirements(replace(ASKED, **changes))  # type: ignore[arg-type]


HALF = np.repeat([True, False], 100)
LOPSIDED = np.where(np.arange(200) % 100 < 79, 0.5, 0.999)
DIFFERENCES = pd.DataFrame({"covariate": ["score", "age"], "difference_after": [0.02, -0.11]})
OVERLAP = {
    "comparison_adjusted": partial(compared, adjusted_for=[]),
    "comparison_one_arm": partial(compared, twice=2),
    "comparison_outcome": partial(compared, no_outcome=151),
    "comparison_varying": partial(compared, constant=["product"]),
    "comparison_known": partial(compared, filled={"score": 9}),
    "comparison_sampled": partial(compared, subjects=9_000),
    "comparison_arms_enough": lambda: arms_enough(made(np.repeat([True, False], [49, 500]), np.arange(549), np.arange(549) % 2)),
    "comparison_outcomes_enough": lambda: arms_enough(made(np.repeat([True, False], [100, 500]), np.arange(600), np.arange(600) < 9)),
    "comparison_not_by_rule": lambda: overlap_enough(weigh(HALF, LOPSIDED, target="treated", trim=0.05), ruled=0.4, trim=0.05, needed=900),
    "comparison_overlap": lambda: overlap_enough(weigh(HALF, LOPSIDED, target="treated", trim=0.05), ruled=0.0, trim=0.05, needed=900),
    "comparison_balanced": lambda: [balanced(DIFFERENCES)],
}
CASES = {**SHARP, **CUT_OFF, **ROLL_OUT, **OVERLAP}
