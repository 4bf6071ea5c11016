"""What partners do on their placements, counted by hand on a small book: declared and verified apart, never one for the other."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.agencies.activity import NO_CONTACTS, NO_RECORDINGS, activity, mean_of_counts, quantile_of_counts
from collect_analysis.book.store import Book, open_book
from collect_analysis.measures.placements import Panel
from collect_analysis.methods.rates.rates import wilson_interval

from tests.small_book import book_of

PANEL = Panel(start=date(2026, 4, 1), end=date(2026, 6, 30), horizon=2)
PLACED = """account_key, unit_key, from_date, to_date, balance_minor, end_reason
a1, x, 2026-04-01, , 100,
a2, x, 2026-04-01, 2026-05-01, 100, recall
a3, x, 2026-06-20, , 100,
a4, x, 2026-05-01, , 100,
b1, y, 2026-04-01, , 100,
"""
LOG = """account_key, local_ts, unit_key, result, party_role, verified, verified_log
a1, 2026-04-11 09:00:00, x, no_answer, none, false, false
a1, 2026-05-21 09:00:00, x, answered, debtor, true, true
a1, 2026-06-10 09:00:00, x, no_answer, none, false, false
a2, 2026-04-03 09:00:00, x, no_answer, none, false, true
a2, 2026-05-01 09:00:00, x, no_answer, none, false, true
a3, 2026-06-21 09:00:00, z, no_answer, none, false, true
b1, 2026-04-02 09:00:00, y, answered, debtor, true, false
"""


def found(log: str = LOG, placed: str = PLACED) -> pd.DataFrame:
    tables = {"account": "account_key\na1\na2\na3\na4\nb1\n", "decision": placed}
    book = book_of({**tables, **({"contact": log} if log else {})}, as_of=date(2026, 6, 30))
    return activity(book, PANEL).set_index(["unit_key", "measure", "source"])


def counts(table: pd.DataFrame, *key: str) -> list[float]:
    return table.loc[key, ["numerator", "denominator"]].tolist()


def test_every_measure_of_activity_counts_what_it_says() -> None:
    table = found()
    # a1, a2 attempted within 30 days; a4 never; a3 is ten days old. Verified: a1 only after 50 days.
    assert counts(table, "x", "coverage", "declared") == [2, 3]
    assert counts(table, "x", "coverage", "verified") == [1, 3]
    # a1 91 days, a2 30 days to its recall, a3 11, a4 61; the call after the recall is on no placement.
    assert counts(table, "x", "intensity", "declared") == [4, pytest.approx(193 / 30)]
    assert table.loc[("x", "intensity", "declared"), "value"] == pytest.approx(4 * 30 / 193)
    assert counts(table, "x", "rpc_per_attempt", "declared") == [1, 4]
    assert counts(table, "x", "rpc_per_attempt", "verified") == [1, 2]
    assert counts(table, "x", "verified_share", "book") == [2, 4]
    # Active and 30 days old: a1 (attempted 20 days ago, verified 40 days ago) and a4 (never).
    assert counts(table, "x", "dormant_share", "declared") == [1, 2]
    assert counts(table, "x", "dormant_share", "verified") == [2, 2]
    # First attempts after 10 days (a1) and 2 (a2); verified after 50 and 2.
    assert table.loc[("x", "days_to_first_mean", "declared"), "value"] == 6
    assert table.loc[("x", "days_to_first_median", "declared"), "value"] == 2
    assert table.loc[("x", "days_to_first_mean", "verified"), "value"] == 26


def test_an_agency_without_recordings_keeps_what_it_declares_and_has_nothing_verified() -> None:
    table = found().loc["y"].reset_index()
    assert (table["note"] == NO_RECORDINGS).all()
    assert table.loc[table["source"] == "verified", ["value", "low", "high", "numerator"]].isna().all(axis=None)
    assert table.loc[(table["source"] == "declared") & (table["measure"] == "coverage"), "value"].tolist() == [1.0]


def test_without_contacts_nothing_is_told_and_the_reason_is() -> None:
    table = found(log="")
    assert table["value"].isna().all()
    assert set(table["note"]) == {NO_CONTACTS}


def test_of_two_placements_at_once_the_first_has_the_attempt_and_the_days() -> None:
    placed = PLACED + "b1, y, 2026-04-02, , 100,\n"
    table = found(placed=placed)
    assert counts(table, "y", "intensity", "declared") == [1, pytest.approx(91 / 30)]
    assert table.loc[("y", "days_to_first_mean", "declared"), "value"] == 1


def test_quantiles_of_counts_are_order_statistics() -> None:
    days, n = pd.Series([5, 1, 3]), pd.Series([2, 4, 4])
    assert quantile_of_counts(days, n)["value"] == 3
    assert quantile_of_counts(days, n, share=0.4)["value"] == 1
    assert quantile_of_counts(days, n, share=0.9)["value"] == 5
    assert mean_of_counts(days, n)["value"] == pytest.approx(2.6)
    assert pd.isna(quantile_of_counts(days[:0], n[:0])["value"])


@pytest.fixture(scope="module")
def sample(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)


def test_in_the_sample_shop_verified_is_part_of_declared_and_the_cherry_picker_leaves_most_untouched(sample: Book) -> None:
    table = activity(sample, Panel(start=date(2025, 7, 1), end=date(2026, 6, 30), horizon=5))
    wide = table.pivot_table(index=["unit_key", "measure"], columns="source", values="numerator")
    for measure in ("coverage", "intensity"):
        rows = wide.xs(measure, level="measure")
        assert (rows["verified"] < rows["declared"]).all()
    share = table[table["measure"] == "verified_share"].set_index("unit_key")
    assert share["value"].between(0.68, 0.72).all()
    dormant = table[(table["measure"] == "dormant_share") & (table["source"] == "declared")].set_index("unit_key")
    assert dormant["low"].idxmax() == "ag-d"
    assert dormant.loc["ag-d", "low"] > dormant.drop("ag-d")["high"].max()
    low, high = wilson_interval(dormant["numerator"], dormant["denominator"])
    assert dormant["low"].tolist() == pytest.approx(low.tolist())
    assert dormant["high"].tolist() == pytest.approx(high.tolist())
