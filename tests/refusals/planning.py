"""Inputs that break one condition each: designs, targets, flows, pace, scorecards, KPIs, records, pay schemes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.forecast.markov_tests import departures, order_test, stationarity_test
from collect_analysis.officers.incentive_scheme import decision as scheme_verdict
from collect_analysis.officers.incentive_scheme.schemes import Gate
from collect_analysis.officers.kpi_validation import decision as kpis
from collect_analysis.officers.officer_record_audit import decision as record_audit
from collect_analysis.officers.scorecard import decision as scorecard
from collect_analysis.portfolio.pace import decision as pace
from collect_analysis.portfolio.portfolio_flow import decision
from collect_analysis.portfolio.target_setting import decision_fitness
from collect_analysis.strategies.test_design import decision as designs

from tests.officers import test_scorecard_decision as test_scorecard
from tests.officers.test_schemes import LINE, history
from tests.portfolio.test_flow import counts
from tests.portfolio.test_pace_decision import explained
from tests.strategies.test_designs import facts, rates

Found = Sequence[Condition]


def designed(**changes: object) -> Found:
    return designs.requirements(facts(**changes))


UNLIKE = pd.DataFrame({"variable": ["score"], "cases": [5_000], "base_cases": [5_000], "standardised": [0.15]})
DESIGN = {
    "design_population": partial(designed, customers=0, strata=None, balance=None),
    "design_history": partial(designed, cohorts=0),
    "design_seasons": partial(designed, cohorts=2),
    "design_payers": partial(designed, payers=29),
    "design_margin": partial(designed, base_share=0.97),
    "design_one_arm": partial(designed, several=1),
    "design_strata": partial(designed, strata=pd.DataFrame({"cases": [4_000, 400], "short": [False, True]})),
    "design_alike": partial(designed, balance=UNLIKE),
    "design_covariates": partial(designed, gaps={"score": 12}),
    "design_aa": partial(designed, false_positives=rates(80)),
    "design_aa_many": partial(designed, false_positives=rates(41)),
    "design_aa_few": partial(designed, false_positives=rates(8)),
    "design_aa_known": partial(designed, false_positives=rates(25).assign(denominator=0)),
}


def target(*, days: int = 0, inside: float | None = 0.6, officer: str | None = "o1", moved: float = 1.0, fair_p: float = 0.5, hours: float = 0.9,
           curve: float = 2.0, months: int = 24) -> Found:  # fmt: skip
    inputs = SimpleNamespace(
        days=pd.DataFrame({"in_calendar": [True] * (30 - days) + [False] * days}),
        past=SimpleNamespace(parts={"lunar_new_year": np.array([0.0, 0.1])}),
    )
    leaves = pd.DataFrame({"sub_function": "tele", "unit_key": ["u1", "u2"], "officer_key": [officer, "o2"], "target": [60, 40]})
    plan = SimpleNamespace(
        months=months, leaves=leaves, curves=pd.DataFrame({"sub_function": ["tele"], "value": [curve]}),
        season=pd.DataFrame({"lunar_new_year": [moved]}), units=pd.DataFrame({"unit_key": ["u1"], "capacity_index": [hours]}),
    )  # fmt: skip
    fair = pd.DataFrame({"allocation": ["expected", "headcount"], "value": [0.2, 0.1], "p_value": [fair_p, 0.5], "officers": 40})
    band = pd.DataFrame({"scope_type": ["unit"], "kind": ["band"], "value": [inside], "denominator": [48]})
    tested = band if inside is not None else band.iloc[:0]
    terms = SimpleNamespace(capacity_tolerance=0.05)
    return decision_fitness.conditions_of(inputs, plan, fair, tested, terms)  # type: ignore[arg-type]


TARGET = {
    "target_history": partial(target, months=4),
    "target_adds_up": partial(target, officer=None),
    "target_calendar": partial(target, days=3),
    "target_band": partial(target, inside=0.2),
    "target_band_tested": partial(target, inside=None),
    "target_lunar": partial(target, moved=1.2),
    "target_fair": partial(target, fair_p=0.01),
    "target_capacity": partial(target, hours=1.2),
    "target_minutes": partial(target, curve=np.nan),
}


def moves(*, memory: bool = False, odd_month: bool = False) -> pd.DataFrame:
    """Moves out of bucket 1 in six months: a third is cured; where they came from, or one month, may say otherwise."""
    rows = []
    for month in range(1, 7):
        for previous in ("0", "2"):
            cured = 900 if memory and previous == "0" else 100 if memory else 700 if odd_month and month == 3 else 333
            rows += [(month, previous, "1", "0", cured), (month, previous, "1", "2", 1_000 - cured)]
    return pd.DataFrame(rows, columns=["month", "previous", "from", "to", "count"])


FORECASTS = pd.DataFrame({"step": [1, 3], "forecasts": [10, 10], "off": [0.1, 0.4]})
FLOW = {
    "flow_accounts": lambda: [decision.complete(counts({}).iloc[:0])],
    "flow_complete": lambda: [decision.complete(counts({}, missing=9_000))],
    "flow_first_order": lambda: [decision.first_order(order_test(moves(memory=True)))],
    "flow_first_order_testable": lambda: [decision.first_order(order_test(moves()[moves()["previous"] == "0"]))],
    "flow_stationary": lambda: [decision.stationary(stationarity_test(moves(odd_month=True)), departures(moves(odd_month=True)))],
    "flow_stationary_testable": lambda: [decision.stationary(stationarity_test(moves().query("month == 1")), departures(moves().iloc[:0]))],
    "flow_backtested": lambda: [decision.forecasts_hold(float("nan"), FORECASTS.head(0), level=0.8)],
    "flow_forecasts_hold": lambda: [decision.forecasts_hold(0.55, FORECASTS, level=0.8)],
    "flow_months": lambda: [decision.enough_months(pd.DataFrame({"months_used": [5]}))],
}


PAID = frozenset(date(2025, month, 1) for month in range(1, 13))
DELIVERED = {
    "as_of": date(2025, 12, 10),
    "featured": pd.DataFrame({"month": [date(2025, 1, 1)]}),
    "book": SimpleNamespace(has=lambda _: True, months=lambda _: PAID),
}


def outlook(
    *, months: int = 24, tet: bool = False, seen: int = 3, listed: bool = True, plan: float = 900.0, allotted: float = 0.0
) -> Found:
    day = np.zeros((1, 31, 2))
    day[0, 3, 1] = float(tet)
    known = SimpleNamespace(
        **DELIVERED,
        past=SimpleNamespace(totals=np.ones(months), tets=[frozenset(range(seen))], names=list(range(months))),
        month=SimpleNamespace(x=day, tet_features=[1], working=np.ones((1, 31))), listed=listed, plan=lambda *_: plan, allotted_share=allotted,
    )  # fmt: skip
    return pace.basis(known)  # type: ignore[arg-type]


def stages(**changes: float) -> pd.DataFrame:
    return pd.DataFrame([{"stage": "all", "months": 12, "covered80": 0.8, "mape": 0.05, "naive_mape": 0.09, **changes}])


OFF_BY_ONE = replace(explained({"a": {"rate": -60}}), actual_minor=941)
PACE = {
    "pace_months": partial(outlook, months=5),
    "pace_tet_seen": partial(outlook, tet=True, seen=0),
    "pace_tets_enough": partial(outlook, tet=True, seen=1),
    "pace_months_enough": partial(outlook, months=11),
    "pace_calendar": partial(outlook, listed=False),
    "pace_plan": partial(outlook, plan=np.nan),
    "pace_holders": partial(outlook, allotted=0.2),
    "pace_tested": lambda: pace.quality(stages().iloc[:0]),
    "pace_beats_naive": lambda: pace.quality(stages(mape=0.1)),
    "pace_band_holds": lambda: pace.quality(stages(covered80=0.3)),
    "pace_bridge_exact": lambda: [pace.exactness(OFF_BY_ONE)],
}


def banded(*, months: int = 12, targets: int = 3, both: bool = False, **changes: object) -> Found:
    given = test_scorecard.facts(**{"reliable": True, **changes})
    if not both:
        given["reliability"] = given["reliability"].tail(1)
    return scorecard.conditions(**given, months=months, targets=targets)


SCORECARD = {
    "scorecard_history": partial(banded, months=3),
    "scorecard_reliable": partial(banded, reliable=False),
    "scorecard_reliable_never": partial(banded, reliable=False, months_needed=np.nan),
    "scorecard_some_unreliable": partial(banded, both=True),
    "scorecard_calibrated": partial(banded, value=1.4),
    "scorecard_targets": partial(banded, targets=0),
}


def validated(*, months: int = 6, officers: int = 50, halves: int = 3, missing: Sequence[str] = ()) -> Found:
    return kpis.conditions(months=months, reliability=pd.DataFrame({"officers": [officers]}), missing=missing, halves=halves)


def audited(*, contacts: int = 900, sheets: int = 90, twice: int = 9, untestable: tuple[str, ...] = ()) -> Found:
    return record_audit.conditions(contacts=contacts, sheets=sheets, rated_twice=twice, assessed=90, needed=40.0, untestable=untestable)


GATED = replace(LINE, gates=(Gate(measure="critical_qa", full=0.05, none=0.05),))


def simulated(*, officers: int = 20, months: int = 6, scheme=LINE, **columns: object) -> Found:
    past = history(np.full((officers, months), 900.0))
    return scheme_verdict.conditions(replace(past, panel=past.panel.assign(**columns)), [scheme])


RECORDS = {
    "kv_months": partial(validated, months=3),
    "kv_officers": partial(validated, officers=19),
    "kv_halves": partial(validated, halves=0),
    "kv_missing": partial(validated, missing=["C4"]),
    "ra_contacts": partial(audited, contacts=0),
    "ra_sheets": partial(audited, sheets=0),
    "ra_rated_twice": partial(audited, twice=0),
    "ra_positions": partial(audited, untestable=("duplicate_position",)),
    "scheme_months": partial(simulated, months=5),
    "scheme_officers": partial(simulated, officers=19),
    "scheme_targets": partial(simulated, target_minor=0.0, scheme=replace(LINE, basis="attainment")),
    "scheme_gates": partial(simulated, critical_d=np.nan, scheme=GATED),
    "scheme_reversals": partial(simulated, scheme=replace(LINE, clawback_days=60)),
}
CASES = {**DESIGN, **TARGET, **FLOW, **PACE, **SCORECARD, **RECORDS}
