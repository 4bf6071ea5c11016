"""The shared cases about money taken back, promises, credit balances and days, against what is right for them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from collect_analysis.errors import DataError

from tests.cases.case_book import CaseBook

Case = Callable[[str], CaseBook]


def test_a_reversal_in_part_takes_back_its_part(case: Case) -> None:
    partial = case("reversal-partial")
    partial.load()
    assert partial.kpis("rev-partial", ["R1"]).loc["R1", "value"] == 1_970_000


def test_a_promise_of_which_a_twentieth_went_back_is_kept(case: Case) -> None:
    promises = case("promises")
    promises.load()
    table = promises.kpis("ptp", ["R1", "C8"])
    assert table.loc["R1", "value"] == 3_950_000
    # One payment of 200,000 serves one promise of two: 30 of 40 by the dictionary's own rule.
    assert table.loc["C8", ["numerator", "denominator"]].tolist() == [30, 40]


def test_month_ends_of_the_last_working_day_are_refused_by_name_or_moved_where_it_is_declared(case: Case, tmp_path: Path) -> None:
    two = case("two-month-ends")
    with pytest.raises(DataError) as error:
        two.load()
    assert "2026-05-29 in portfolio P2 (30 rows)" in error.value.problems[1]
    assert "declare `edge: end`" in error.value.problems[1]
    declared = two.copy(tmp_path / "declared")
    mapping = declared.folder / "bme2-month-end.yml"
    mapping.write_text(mapping.read_text().replace("{from: month_end}", "{from: month_end, edge: end}"))
    told = declared.load()["bme2-month-end"]
    assert any("2026-05-29 in portfolio P2 (30 rows)" in sentence for sentence in told.warnings)
    table = declared.kpis("bme2", ["F1", "R3"], grains=("company", "portfolio"))
    assert table.loc[("F1", "all"), ["numerator", "denominator"]].tolist() == [30, 60]
    assert table.loc[("F1", "P2"), ["numerator", "denominator"]].tolist() == [30, 30]
    assert table.loc[("R3", "all"), ["numerator", "denominator"]].tolist() == [6_000_000, 60_000_000]
