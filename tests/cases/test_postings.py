"""The shared cases about money taken back, promises, credit balances and days, against what is right for them."""

from collections.abc import Callable

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
