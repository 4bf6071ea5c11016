"""Bands instead of ranks, gates beside them, lists for a person to look into."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.policy import policy
from collect_analysis.errors import DataError
from collect_analysis.methods.evidence import grade, refused
from collect_analysis.officers.scorecard.decision import ScorecardRules, banded, conditions, gate_table, standing, verdict

RULES = ScorecardRules(
    least_reliability=0.5, least_expected_payers=10, level=0.95, within=0.1, prior_sd=0.2, least_tenure_officers=5, critical_qa_share=0.05,
    hard_breaches_per_1000=1, kept_of_colleagues=0.7,
)  # fmt: skip


def officers(**columns: Any) -> pd.DataFrame:
    table = pd.DataFrame({"value": [1.4, 0.6, 1.0, 1.1], "low": [1.1, 0.4, 0.95, 0.8], "high": [1.8, 0.9, 1.05, 1.5]})
    return table.assign(officer_key=["d", "c", "b", "a"], sub_function="tele", p_above=[0.99, 0.02, 0.5, 0.6], gate="pass").assign(
        **columns
    )


def bands(table: pd.DataFrame, *, reliability: float = 0.6, few: bool = False) -> list[str]:
    return banded(table, RULES, reliability=pd.Series(reliability, index=table.index), few=pd.Series(few, index=table.index))[
        "band"
    ].tolist()


def test_a_band_needs_the_whole_interval() -> None:
    assert bands(officers()) == ["above", "below", "within", "open"]


def test_nobody_is_banded_below_the_limit_of_reliability_nor_on_few_cases() -> None:
    assert bands(officers(), reliability=0.499) == ["unreliable"] * 4
    assert bands(officers(), reliability=float("nan")) == ["unreliable"] * 4
    assert bands(officers(), few=True) == ["too_few"] * 4
    assert bands(officers(value=np.nan, low=np.nan, high=np.nan)) == ["alone"] * 4


def test_a_gate_fails_only_beyond_chance_and_one_hard_breach_is_watched() -> None:
    """Wilson 95 %: 1 of 10 -> 1.8 %..40 %, watched at a limit of 5 %; 5 of 20 -> 11 %..47 %, failed; kept 2 of 30 (2 %..21 %) of colleagues' 50 %."""
    counts = pd.DataFrame(
        [("a", "tele", "critical_qa", 1, 10), ("b", "tele", "critical_qa", 5, 20), ("c", "tele", "critical_qa", 0, 9),
         ("a", "tele", "hard_breaches", 1, 5000), ("b", "tele", "hard_breaches", 0, 5000), ("a", "tele", "kept_promises", 298, 570),
         ("b", "tele", "kept_promises", 2, 30), ("c", "tele", "kept_promises", 0, 0)],
        columns=["scope_key", "sub_function", "gate", "numerator", "denominator"],
    )  # fmt: skip
    table = gate_table(counts, RULES)
    assert table["status"].tolist() == ["watch", "fail", "pass", "watch", "pass", "pass", "fail", "no_data"]
    assert table.loc[table["gate"] == "kept_promises", "limit"].tolist() == pytest.approx([0.35] * 3)
    stands = standing(table, ["a", "b", "c", "d"]).set_index("scope_key")
    assert stands["gate"].to_dict() == {"a": "watch", "b": "fail", "c": "pass", "d": "no_data"}
    assert stands["gate_factor"].to_dict() == {"a": 1, "b": 0, "c": 1, "d": 1}


def test_a_gate_never_changes_an_index_but_takes_a_person_off_the_list_of_praise() -> None:
    table = officers(gate=["fail", "pass", "pass", "pass"])
    table["band"] = bands(table)
    units = pd.DataFrame({"unit_key": ["u", "v", "w"], "sub_function": "tele", "band": ["above", "below", "open"]})
    found = verdict(table, units)
    assert (found.recognise, found.coach, found.conduct) == ((), ("c",), ("d",))
    assert (found.counts["above"], found.counts["below"], found.rest, found.judged) == (1, 1, 2, 4)
    assert found.wrong == pytest.approx(0.01 + 0.02)
    assert (found.reallocate, found.units_above, found.units_below) == (("tele",), ("u",), ("v",))


def test_lists_are_in_the_order_of_keys_not_of_results() -> None:
    table = officers(value=[1.4, 1.9, 1.2, 1.6], low=1.1, high=2.0)
    table["band"] = bands(table)
    units = pd.DataFrame({"unit_key": [], "sub_function": [], "band": []})
    assert verdict(table, units).recognise == ("a", "b", "c", "d")
    assert verdict(table, units, refused=True).judged == 0
    assert verdict(table, units, refused=True).recognise == ()


def facts(*, reliable: bool, months_needed: float = 5.0, value: float = 1.02) -> dict[str, Any]:
    reliability = pd.DataFrame(
        {"kpi": "index_money", "sub_function": ["soft", "tele"], "pooled": [0.1, 0.7 if reliable else 0.3], "reliable": [False, reliable],
         "months_needed": [np.nan, months_needed]}
    )  # fmt: skip
    calibration = pd.DataFrame({"factor": "bucket", "level": ["01", "02"], "value": [1.0, value], "expected_minor": [50.0, 50.0]})
    return {"reliability": reliability, "calibration": calibration, "kpi": "index_money", "pool_months": 3, "rules": RULES}


def test_without_a_reliable_figure_nobody_is_banded_and_the_page_says_how_many_months_would_do() -> None:
    found = conditions(**facts(reliable=False), months=12, targets=3)
    assert [item.name for item in refused(found)] == ["scorecard_reliable"]
    assert found[1].details["needed"] == 5
    assert [item.name for item in refused(conditions(**facts(reliable=False, months_needed=np.nan), months=12, targets=3))] == [
        "scorecard_reliable_never"
    ]
    assert [item.name for item in refused(conditions(**facts(reliable=True), months=3, targets=3))] == ["scorecard_history"]


def test_an_expectation_that_misses_a_kind_of_account_costs_a_grade() -> None:
    assert grade("adjusted", conditions(**facts(reliable=True), months=12, targets=3)) == "C"
    missed = conditions(**facts(reliable=True, value=1.4), months=12, targets=0)
    assert grade("adjusted", missed) == "D"
    assert {item.name for item in missed if not item.met} == {"scorecard_calibrated", "scorecard_targets", "scorecard_some_unreliable"}
    assert missed[2].details["level"] == "02"


def test_the_policy_holds_every_rule_and_a_wrong_one_is_refused() -> None:
    from datetime import date

    values = policy("scorecard", on=date(2026, 6, 30))
    assert ScorecardRules.of(values) == RULES
    with pytest.raises(DataError) as caught:
        ScorecardRules.of({**values, "within": "wide", "ranking": 1, "gates": {}})
    told = str(caught.value)
    assert all(part in told for part in ("within is 'wide'", "unknown rule 'ranking'", "has no 'critical_qa_share'"))
    with pytest.raises(DataError, match="least_reliability is 2"):
        ScorecardRules.of({**values, "least_reliability": 2})
