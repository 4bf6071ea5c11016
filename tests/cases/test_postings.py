"""The shared cases about money taken back, promises, credit balances and days, against what is right for them."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from collect_analysis.errors import DataError
from collect_analysis.measures import placements
from collect_analysis.measures.periods import Period, month_end

from tests.cases.case_book import JUNE, CaseBook

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


def test_a_credit_balance_owes_nothing(case: Case) -> None:
    credit = case("credit-balances")
    credit.load()
    table = credit.kpis("credit", ["F1", "F1-balance", "F3-balance", "R3"])
    assert table.loc["F1-balance", ["numerator", "denominator", "value"]].tolist() == [2_000_000, 2_000_000, 1]
    assert table.loc["F3-balance", "value"] == 0
    assert table.loc["R3", ["numerator", "denominator"]].tolist() == [100_000, 2_000_000]
    assert table.loc["F1", ["numerator", "denominator"]].tolist() == [20, 40]


def test_an_account_paid_off_by_a_cheque_that_bounced_counts_on_both_sides(case: Case) -> None:
    again = case("reopened")
    told = again.load()["reopen-month-end"]
    assert [(each.check, each.severity, each.rows) for each in told.loads[0].findings] == [("status_after_final", "note", 10)]
    table = again.kpis("reopen", ["R1", "R3", "R9"], grains=("company", "unit"))
    assert table.loc[("R3", "all"), ["numerator", "denominator"]].tolist() == [4_000_000, 40_000_000]
    assert table.loc[("R1", "t1"), "value"] == 4_000_000
    assert table.loc[("R9", "all"), ["numerator", "denominator"]].tolist() == [20, 40]
    assert ("R1", "unassigned") not in table.index


def test_an_account_with_two_agencies_at_once_counts_once_and_the_import_says_so(case: Case) -> None:
    two = case("two-agencies")
    told = two.load()["two-decision"]
    assert [(each.check, each.severity, each.rows) for each in told.loads[0].findings] == [("overlapping_placements", "note", 150)]
    table = two.kpis("two", ["R2", "R8"])
    assert table.loc["R2", ["numerator", "denominator"]].tolist() == [2_700_000, 200_000_000]
    assert table.loc["R2", "value"] == pytest.approx(0.0135)
    assert table.loc["R8", ["value", "denominator"]].tolist() == [13_500, 200]
    lost = placements.unusable(two.book("two"), placements.Panel(start=date(2025, 12, 1), end=JUNE.end, horizon=3))
    assert lost["overlapping"] == 44


@pytest.mark.parametrize("month", [1, 2, 3, 4])
def test_a_plan_begun_on_the_31st_is_due_at_the_end_of_every_month(case: Case, month: int) -> None:
    plan = case("plan-month-end")
    plan.load()
    period = Period(date(2026, month, 1), month_end(date(2026, month, 1)))
    table = plan.kpis("plan", ["R17"], period=period)
    assert table.loc["R17", "value"] == 1
