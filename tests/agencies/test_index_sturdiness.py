"""What would move an index: other customers, the largest payments, the other kind of allocation."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.agencies import comparison
from collect_analysis.agencies.agency_evaluation.measures_sturdiness import (
    ONE_SIDE,
    bootstrapped,
    largest_payments,
    side_by_side,
    stratum_weights,
    without_largest,
)
from collect_analysis.book.store import open_book
from collect_analysis.measures import placements
from collect_analysis.measures.placements import JUDGMENTAL, RANDOM, Panel
from collect_analysis.methods.rates.ratio_bootstrap import FEW_BUCKETS, bootstrap_ratio
from scipy import stats

from tests.agencies.test_comparison import cell

PANEL = Panel(start=date(2024, 7, 1), end=date(2026, 6, 30), horizon=5)
SUMS = pd.DataFrame([cell("a", "s", 40, 100), cell("b", "s", 30, 150), cell("c", "s", 30, 50), cell("a", "alone", 9, 10)])


def indexed(**values: tuple[float, float]) -> pd.DataFrame:
    rows = [{"unit_key": unit, "value": value, "low": 0.0, "high": 9.0, "se_log": se} for unit, (value, se) in values.items()]
    return pd.DataFrame(rows, columns=["unit_key", "value", "low", "high", "se_log"])


def test_weights_by_hand_leave_out_strata_without_peers() -> None:
    weights = stratum_weights(SUMS, allocation=RANDOM).set_index("for_unit")
    assert weights.loc["a"].tolist() == ["s", 100 / 300, 60 / 200, 100 / 200]
    assert len(weights) == 3


def test_without_the_largest_payments_by_hand_what_peers_lose_lowers_the_expectation() -> None:
    largest = pd.DataFrame({"unit_key": ["a", "b", "c"], "stratum": ["s"] * 3, "amount_minor": [20, 10, 15], "place": [1, 1, 1]})
    table = without_largest(SUMS, largest, allocation=RANDOM).set_index("unit_key")
    # a: 40 observed, 100·60/200 = 30 expected; without 20 of its own and (10 + 15)·100/200 of what was expected.
    assert table.loc["a", ["observed_minor", "expected_minor"]].tolist() == [40, 30]
    assert table.loc["a", "without"] == pytest.approx(20 / 17.5)
    assert table.loc["a", "largest_share"] == 0.5
    # b: 30 of 150·70/150 = 70; without: 20 of 70 - 35·150/150.
    assert table.loc["b", "without"] == pytest.approx(20 / 35)
    assert not table["turns"].any()


def test_an_index_that_rests_on_one_payment_changes_sides() -> None:
    sums = pd.DataFrame([cell("a", "s", 60, 100), cell("b", "s", 50, 100)])
    largest = pd.DataFrame({"unit_key": ["a"], "stratum": ["s"], "amount_minor": [30], "place": [1]})
    table = without_largest(sums, largest, allocation=RANDOM).set_index("unit_key")
    assert table.loc["a", ["value", "without", "turns"]].tolist() == [1.2, 0.6, True]


def test_disagreement_of_the_two_parts_by_hand() -> None:
    table = side_by_side(indexed(a=(1.2, 0.03), b=(1.0, 0.05)), indexed(a=(1.0, 0.04), b=(1.02, 0.05), c=(1.0, 0.1))).set_index("unit_key")
    assert table.loc["a", "value"] == pytest.approx(1 / 1.2)
    # z = log(1.2) / sqrt(0.03² + 0.04²)
    assert table.loc["a", "p_value"] == pytest.approx(2 * stats.norm.sf(np.log(1.2) / 0.05))
    assert table.loc["a", "p_adjusted"] == pytest.approx(2 * table.loc["a", "p_value"])
    assert table.loc["b", "p_value"] > 0.5
    assert table.loc["c", "note"] == ONE_SIDE


def test_a_bootstrap_of_a_ratio_agrees_with_the_delta_method_where_sums_are_even() -> None:
    rng = np.random.default_rng(5)
    buckets = pd.DataFrame({"unit_key": "a", "bucket": range(200), "observed": rng.normal(0, 1, 200), "expected": rng.normal(0, 0.5, 200)})
    sums = pd.DataFrame({"unit_key": ["a", "b"], "observed": [120.0, 5.0], "expected": [100.0, 5.0]})
    found = bootstrap_ratio(sums, buckets, seed=3, draws=8000).set_index("unit_key")
    o, e = buckets["observed"], buckets["expected"]
    se = np.sqrt(((o / 120 - e / 100) ** 2).sum())
    assert found.loc["a", "se_log"] == pytest.approx(se, rel=0.03)
    assert found.loc["a", ["low", "high"]].tolist() == pytest.approx([1.2 * np.exp(-1.96 * se), 1.2 * np.exp(1.96 * se)], rel=0.02)
    assert found.loc["b", "note"] == FEW_BUCKETS
    pd.testing.assert_frame_equal(found, bootstrap_ratio(sums, buckets, seed=3, draws=8000).set_index("unit_key"))


def test_the_sample_shop_drawn_again_keeps_the_index_and_about_its_interval(sample_book: Path) -> None:
    book = open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)
    sums = placements.stratum_sums(book, PANEL, age=5)
    for allocation in (RANDOM, JUDGMENTAL):
        plain = comparison.index(sums, allocation=allocation).set_index("unit_key")
        drawn = bootstrapped(book, PANEL, sums, age=5, allocation=allocation, seed=1).set_index("unit_key")
        assert drawn["value"].tolist() == pytest.approx(plain["value"].tolist(), rel=1e-9)
        assert (drawn["se_log"] / plain["se_log"]).between(0.75, 1.15).all()


def test_the_largest_payments_are_the_largest(sample_book: Path) -> None:
    book = open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)
    sums = placements.stratum_sums(book, PANEL, age=5)
    found = largest_payments(book, PANEL, sums, age=5, allocation=RANDOM)
    rows = placements.results_at(book, PANEL, age=5)
    paid = placements.payments_on(book, rows.filter(rows.allocation == RANDOM))
    every = book.frame(paid.filter(paid.age_months <= 5).select("unit_key", "amount_minor"))
    assert found.groupby("unit_key")["place"].max().tolist() == [10] * 6
    for unit, part in found.groupby("unit_key"):
        most = every[every["unit_key"] == unit]["amount_minor"].nlargest(40).tolist()
        assert set(part["amount_minor"]) <= set(most)


def test_nothing_to_compare_gives_empty_tables(sample_book: Path) -> None:
    book = open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)
    none = placements.stratum_sums(book, PANEL, age=-1)
    assert bootstrapped(book, PANEL, none, age=-1, allocation=RANDOM, seed=1).empty
    assert largest_payments(book, PANEL, none, age=-1, allocation=RANDOM).empty
    assert without_largest(none, pd.DataFrame(), allocation=RANDOM).empty
    assert side_by_side(indexed(), indexed()).empty
