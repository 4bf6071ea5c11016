"""Findings: strong though all is asked at once, nothing without peers or cases, and honest agencies hardly ever listed."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.agencies.integrity import COLUMNS, TESTS
from collect_analysis.agencies.integrity_rows import as_share
from collect_analysis.agencies.integrity_verdict import (
    FEW_CASES,
    FEW_PEERS,
    NONE,
    NOT_ASKED,
    NOT_JUDGED,
    STRONG,
    WEAK,
    Thresholds,
    conditions,
    false_alarms,
    judged,
    verdict,
)
from collect_analysis.methods.evidence import refused
from scipy import stats

UNITS = tuple("abcdef")


def rows(test: str, observed: list[float], trials: list[float], expected: list[float] | None = None) -> pd.DataFrame:
    counts = pd.DataFrame({"unit_key": UNITS[: len(observed)], "observed": observed, "trials": trials})
    part = as_share(counts, test).assign(kind=TESTS[test], note="", money_minor=np.nan, expected=expected if expected else np.nan)
    return part[list(COLUMNS)]


def told(*parts: pd.DataFrame, **limits) -> pd.DataFrame:
    return judged(pd.concat(parts, ignore_index=True), Thresholds(**limits)).set_index(["test", "unit_key"])


HONEST = rows("hoarding", [30, 33, 28, 31, 29, 32], [100] * 6)


def test_one_agency_far_from_the_others_is_a_strong_finding_and_the_others_none() -> None:
    table = told(rows("hoarding", [900, 310, 290, 305, 295, 300], [1000] * 6), rows("burst", [99, 102, 97, 101, 103, 98], [1000] * 6))
    assert table.loc["hoarding", "finding"].tolist() == [STRONG, *[NONE] * 5]
    assert table.loc[("hoarding", "a"), "usual"] == pytest.approx(0.3, abs=0.01)
    assert set(table.loc["burst", "finding"]) == {NONE}


def test_fewer_is_what_is_asked_of_postings_through_the_agency() -> None:
    table = told(rows("few_remitted", [20, 410, 390, 405, 395, 800], [1000] * 6))
    assert table.loc[("few_remitted", "f"), "finding"] == NONE
    assert table.loc[("few_remitted", "a"), "ratio"] > 1 > table.loc[("few_remitted", "f"), "ratio"]
    alone = told(rows("few_remitted", [20, 410, 390, 405, 395, 400], [1000] * 6))
    assert alone.loc["few_remitted", "finding"].tolist() == [STRONG, *[NONE] * 5]


def test_two_of_six_that_do_the_same_hide_each_other_as_the_page_says() -> None:
    table = told(rows("hoarding", [900, 900, 290, 305, 295, 300], [1000] * 6))
    assert set(table["finding"]) == {NONE}


def test_counts_beyond_chance_need_an_excess_and_a_multiple_of_it() -> None:
    # Eleven thousand of 600,000 full minutes are far beyond chance in number, and nothing in kind.
    table = told(
        rows("round_start", [11_000, 60, 16, 17, 15, 3], [600_000, 1000, 1000, 1000, 1000, 60], [10_000, 1000 / 60, 16, 17, 15, 1])
    )
    assert table.loc[("round_start", "a"), "p_adjusted"] < 1e-6
    assert table.loc["round_start", "finding"].tolist() == [NONE, STRONG, NONE, NONE, NONE, NONE]
    assert table.loc[("round_start", "b"), "p_value"] == pytest.approx(stats.poisson.sf(59, 1000 / 60))


def test_a_rule_that_a_true_record_keeps_needs_no_chance() -> None:
    table = told(rows("backdated", [0, 2, 9, 0, 0, 0], [100] * 6))
    assert table.loc["backdated", "finding"].tolist() == [NONE, WEAK, STRONG, NONE, NONE, NONE]
    assert table["p_value"].isna().all()


def test_small_agencies_and_few_peers_are_not_judged_and_say_why() -> None:
    small = told(rows("hoarding", [9, 31, 28, 31, 29, 32], [10, *[100] * 5]))
    assert small.loc[("hoarding", "a"), ["finding", "reason"]].tolist() == [NOT_JUDGED, FEW_CASES]
    assert (small.loc["hoarding", "finding"].iloc[1:] == NONE).all()
    pair = told(rows("hoarding", [90, 31, 28], [100] * 3))
    assert set(pair["reason"]) == {FEW_PEERS}
    silent = told(HONEST.assign(note="the book does not carry contacts"))
    assert set(silent["reason"]) == {NOT_ASKED}


def test_the_more_is_asked_the_more_a_finding_needs() -> None:
    one = rows("hoarding", [600, 310, 290, 305, 295, 300], [1000] * 6)
    few, many = (
        told(one),
        told(one, *[HONEST.assign(test=name) for name in ("unverified", "burst", "after_hours", "promise_after_payment")]),
    )
    assert few.loc[("hoarding", "a"), "p_value"] == many.loc[("hoarding", "a"), "p_value"]
    assert few.loc[("hoarding", "a"), "p_adjusted"] < many.loc[("hoarding", "a"), "p_adjusted"]


def clean_book(rng: np.random.Generator, between: float) -> pd.DataFrame:
    """Counts of six honest agencies that differ by nature."""
    parts = []
    for test, rate in (("hoarding", 0.3), ("unverified", 0.3), ("few_remitted", 0.4), ("burst", 0.1), ("promise_after_payment", 0.05)):
        odds = np.log(rate / (1 - rate)) + rng.normal(0, between, 6)
        trials = rng.integers(100, 800, 6)
        parts.append(rows(test, list(rng.binomial(trials, 1 / (1 + np.exp(-odds))).astype(float)), list(trials.astype(float))))
    for test in ("round_start", "round_talk"):
        trials = rng.integers(200, 2000, 6).astype(float)
        parts.append(rows(test, list(rng.poisson(trials / 60).astype(float)), list(trials), list(trials / 60)))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("between", [0.0, 0.3])
def test_honest_agencies_are_listed_as_seldom_as_the_page_says(between: float) -> None:
    rng = np.random.default_rng(6)
    listed = stated = 0.0
    for number in range(60):
        book = clean_book(rng, between)
        table = judged(book, Thresholds())
        listed += table.loc[table["finding"].isin([STRONG, WEAK]), "unit_key"].nunique() / 6 / 60
        if number < 5:
            stated += float(false_alarms(book, table, Thresholds(), draws=200, seed=number)["value"].iloc[0]) / 5
    assert listed < 0.02
    assert stated < 0.02


def test_false_alarms_are_the_same_for_the_same_seed() -> None:
    book = clean_book(np.random.default_rng(7), 0.1)
    table = judged(book, Thresholds())
    first, again = (false_alarms(book, table, Thresholds(), draws=100, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert first["test"].tolist() == ["any", *dict.fromkeys(book["test"])]


def test_an_agency_with_a_strong_finding_is_audited_on_all_its_findings() -> None:
    table = pd.concat([rows("hoarding", [900, 310, 290, 305, 295, 300], [1000] * 6), rows("backdated", [2, 0, 0, 1, 0, 0], [100] * 6)])
    found = verdict(judged(table.reset_index(drop=True), Thresholds()))
    assert found.audit == (("a", ("hoarding", "backdated")),)
    assert found.look == (("d", ("backdated",)),)


def test_without_a_judged_test_there_is_no_answer() -> None:
    parts = [HONEST.assign(test=test, kind=kind, note="not in the book") for test, kind in TESTS.items()]
    table = judged(pd.concat(parts, ignore_index=True), Thresholds())
    assert [item.name for item in refused(conditions(table, least_cases=30))] == ["ig_judged"]
    assert false_alarms(pd.concat(parts, ignore_index=True), table, Thresholds(), draws=50, seed=1)["trials"].tolist() == [0]
