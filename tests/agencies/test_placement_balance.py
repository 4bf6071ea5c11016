"""Drawn placements must be alike between agencies before anybody works them: a lot that somebody corrected afterwards is found."""

from datetime import date

import numpy as np
import pytest
from collect_analysis.agencies.placement_balance import drawn_balance
from collect_analysis.book.store import Book
from collect_analysis.measures.lot import drawn_alike
from collect_analysis.measures.placements import Panel

from tests.small_book import book_of

PANEL = Panel(start=date(2026, 1, 1), end=date(2026, 2, 28), horizon=3)


def panel_book(*, swapped: float = 0.0, propensity: float | None = 0.5, n: int = 600) -> Book:
    """Two months of placements with two agencies; of the large debts `swapped` are moved to agency a after the draw."""
    rng = np.random.default_rng(3)
    balance = np.round(rng.lognormal(16, 1, n)).astype(int)
    unit = np.where(rng.random(n) < 0.5, "a", "b")
    unit = np.where((balance > np.median(balance)) & (rng.random(n) < swapped), "a", unit)
    month = np.where(np.arange(n) % 2, "2026-01-05", "2026-02-05")
    chance = "" if propensity is None else propensity
    lines = [f"acc{k}, {unit[k]}, {month[k]}, {balance[k]}, {chance}, s{k % 2}, 1" for k in range(n)]
    decision = "account_key, unit_key, from_date, balance_minor, propensity, segment, placement_no\n" + "\n".join(lines)
    account = "account_key, score_at_entry\n" + "\n".join(f"acc{k}, {500 + k % 90}" for k in range(n))
    empty = {
        "month_end": "account_key, month_end\nacc0, 2026-06-30",
        "payment": "account_key, value_date, amount_minor\nacc0, 2026-06-30, 5",
    }
    return book_of({"decision": decision, "account": account, **empty}, as_of=date(2026, 6, 30))


def test_an_honest_lot_is_alike_and_a_corrected_one_is_not() -> None:
    (honest,) = drawn_alike(drawn_balance(panel_book(), PANEL))
    assert (honest.name, honest.met) == ("drawn_alike", True)
    (corrected,) = drawn_alike(drawn_balance(panel_book(swapped=0.4), PANEL))
    assert not corrected.met
    assert corrected.consequence == "adjusted"


def test_without_draws_there_is_nothing_to_compare() -> None:
    assert drawn_balance(panel_book(propensity=None), PANEL) is None


@pytest.mark.parametrize("swapped", [0.0, 0.4])
def test_the_joint_test_is_within_draws(swapped: float) -> None:
    found = drawn_balance(panel_book(swapped=swapped), PANEL)
    assert found.table["standardised"].isna().all()
    assert set(found.variables) >= {"balance", "entry_score"}
    assert "assigned_on" not in found.variables
