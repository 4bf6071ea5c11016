"""Which rule decides on a test design, and which conditions it must meet."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.strategies.test_design import decision as designs


def plan(needed: float, *, available: float = 10_000, other: float = 1e9) -> pd.DataFrame:
    """A plan whose detectable change follows from the accounts needed: needs scale with one over its square."""
    rows = []
    for outcome, accounts in (("payer_rate", needed), ("cash", other)):
        found = 0.05 * (accounts / available) ** 0.5
        row = {"outcome": outcome, "detectable": found, "margin": 0.05, "accounts_needed": accounts, "margin_found": found <= 0.05}
        rows += [{**row, "adjusted": flag} for flag in (False, True)]
    return pd.DataFrame(rows)


def design(**changes) -> designs.Design:
    values = {
        "outcome": "payer_rate", "available": 10_000.0, "largest": 10_000.0, "per_month": 1_000.0, "at_once": 0.0, "most_weeks": 52.0,
        "equal_needed": 20_000.0,
    }  # fmt: skip
    return designs.Design(**{**values, **changes})


BAD_AA = Condition(name="design_aa_many", met=False, consequence="downgrade")


@pytest.mark.parametrize(
    ("needed", "changes", "conditions", "action", "reason"),
    [
        (9_000, {}, [], "run", "detectable"),
        (9_000, {}, [Condition(name="design_payers", met=False)], "refuse", "not_answerable"),
        (9_000, {}, [BAD_AA], "do_not_test", "pipeline"),
        (20_000, {"equal_needed": 7_200.0}, [], "enlarge", "split"),
        (np.nan, {}, [], "refuse", "not_answerable"),
        (20_000, {"largest": 25_000.0}, [], "enlarge", "population"),
        # 11,000 at 1,000 a month are 11 months, 47.8 weeks; 13,000 are 56.5.
        (11_000, {}, [], "lengthen", "entries"),
        (13_000, {}, [], "do_not_test", "out_of_reach"),
        (13_000, {"at_once": 10_000.0}, [], "lengthen", "stock_and_entries"),
        (13_000, {"per_month": np.nan}, [], "do_not_test", "out_of_reach"),
    ],
)
def test_the_first_rule_that_applies_decides(needed: float, changes: dict, conditions: list, action: str, reason: str) -> None:
    found = designs.judge(plan(needed), design(**changes), conditions)
    assert (found.action, found.reason) == (action, reason)


def test_another_outcome_within_reach_is_named() -> None:
    found = designs.judge(plan(40_000, other=8_000), design(), [])
    assert (found.action, found.metric) == ("change_metric", "cash")
    assert found.weeks == pytest.approx(40 * 365.25 / 12 / 7)


def rates(hits: int, draws: int = 500) -> pd.DataFrame:
    from collect_analysis.methods.rates.rates import wilson_interval

    low, high = wilson_interval(hits, draws)
    range_low, range_high = wilson_interval(hits, draws, level=0.99)
    row = {"outcome": "payer_rate", "value": hits / draws, "low": low, "high": high, "range_low": range_low, "range_high": range_high}
    return pd.DataFrame([{**row, "denominator": draws}])


def facts(**changes) -> designs.DesignFacts:
    values = {
        "horizon_days": 90, "min_cell": 10, "customers": 5_000, "cohorts": 6, "months_known": 12, "supplied": False, "payers": 900,
        "base_share": 0.2, "margin": 0.05,
        "false_positives": rates(25), "block": 2,
        "strata": pd.DataFrame({"cases": [4_000, 999, 1], "short": [False, False, True]}),
        "balance": pd.DataFrame({"variable": ["balance"], "cases": [2_500], "base_cases": [2_500], "standardised": [0.02]}),
    }  # fmt: skip
    return designs.DesignFacts(**{**values, **changes})


def test_a_sound_design_meets_every_condition() -> None:
    assert all(item.met for item in designs.requirements(facts()))


@pytest.mark.parametrize(
    ("changes", "name", "refuses"),
    [
        ({"customers": 0, "strata": None, "balance": None}, "design_population", True),
        ({"cohorts": 0}, "design_history", True),
        ({"cohorts": 2}, "design_seasons", False),
        ({"payers": 29}, "design_payers", True),
        ({"base_share": 0.97}, "design_margin", True),
        ({"several": 1}, "design_one_arm", True),
        ({"strata": pd.DataFrame({"cases": [4_000, 400], "short": [False, True]})}, "design_strata", False),
        ({"gaps": {"score": 12}}, "design_covariates", False),
        ({"false_positives": rates(80)}, "design_aa", True),
        ({"false_positives": rates(41)}, "design_aa_many", False),
        ({"false_positives": rates(8)}, "design_aa_few", False),
    ],
)
def test_what_is_not_met_is_named(changes: dict, name: str, refuses: bool) -> None:
    found = designs.requirements(facts(**changes))
    assert name in [item.name for item in found if not item.met]
    assert bool(refused(found)) == refuses


def test_arms_far_apart_are_named_unless_chance_explains_it() -> None:
    def alike(standardised: float, cases: int) -> bool:
        row = {"variable": ["score"], "cases": [cases], "base_cases": [cases], "standardised": [standardised]}
        return next(item.met for item in designs.requirements(facts(balance=pd.DataFrame(row))) if item.name == "design_alike")

    assert not alike(0.15, 5_000)
    assert alike(0.15, 100)
