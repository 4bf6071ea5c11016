"""Variance bridge: hand-made numbers, and parts that add up to the last unit of money."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.profiling import bridge
from hypothesis import given, settings, strategies as st

COUNTS = st.integers(min_value=0, max_value=5_000)
MONEY = st.integers(min_value=0, max_value=10**13)
SIDE = st.tuples(COUNTS, COUNTS, MONEY, MONEY)


def cells_of(rows: list[tuple[tuple[int, int, int, int], tuple[int, int, int, int]]]) -> pd.DataFrame:
    """Cells from (accounts, payers, ordinary, large) of the base and of now; a side without payers has no ordinary cash."""
    table = []
    for number, sides in enumerate(rows):
        row: dict[str, object] = {"cell": f"c{number}"}
        for side, (accounts, payers, ordinary, large) in zip(("base_", ""), sides, strict=True):
            paying = min(payers, accounts)
            values = (accounts, paying, ordinary if paying else 0, large)
            row |= {f"{side}{name}": value for name, value in zip(bridge.NUMBERS, values, strict=True)}
        table.append(row)
    return pd.DataFrame(table)


HAND = cells_of([((100, 20, 2_000, 0), (150, 45, 5_400, 500)), ((100, 10, 500, 300), (50, 5, 250, 0))])


def test_the_fixed_order_is_the_formula_of_the_textbook() -> None:
    found = bridge.variance_bridge(HAND, keys=["cell"], order="fixed").set_index("cell")
    # N 200 -> 200; w 0.5 -> 0.75 and 0.25; r 0.2 -> 0.3; b 100 -> 120. Second cell: only its share halves.
    assert found.loc["c0", ["volume", "mix", "rate", "ticket", "large"]].tolist() == pytest.approx([0, 1_000, 1_500, 900, 500])
    assert found.loc["c1", ["volume", "mix", "rate", "ticket", "large"]].tolist() == pytest.approx([0, -250, 0, 0, -300])


def test_shapley_is_the_mean_over_all_orders() -> None:
    found = bridge.variance_bridge(HAND, keys=["cell"], order="shapley").set_index("cell")
    # With N fixed three factors move: w 1/2 -> 3/4, r 1/5 -> 3/10, b 100 -> 120 of 200 accounts.
    # rate: 200 · 0.1 · [w0·b0/3 + w1·b0/6 + w0·b1/6 + w1·b1/3] = 20 · [50/3 + 75/6 + 60/6 + 90/3]
    assert found.loc["c0", "rate"] == pytest.approx(20 * (50 / 3 + 75 / 6 + 60 / 6 + 90 / 3))
    assert found.loc["c0", ["volume", "mix", "rate", "ticket"]].sum() == pytest.approx(3_400)


def test_a_cell_that_is_new_or_gone_is_mix_and_volume_only() -> None:
    found = bridge.variance_bridge(cells_of([((0, 0, 0, 0), (10, 5, 50, 0)), ((10, 5, 50, 0), (0, 0, 0, 0))]), keys=["cell"])
    assert found["mix"].tolist() == pytest.approx([50, -50])
    assert found[["volume", "rate", "ticket"]].abs().to_numpy().max() < 1e-9


def test_the_calendar_moves_the_base_before_anything_else() -> None:
    same = cells_of([((100, 20, 2_000, 0), (100, 20, 2_000, 0))])
    found = bridge.variance_bridge(same, keys=["cell"], calendar=1.1).iloc[0]
    assert found["calendar"] == pytest.approx(200)
    assert found["rate"] == pytest.approx(-200)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(SIDE, SIDE), min_size=1, max_size=8), calendar=st.floats(0.5, 2), order=st.sampled_from(["shapley", "fixed"])
)
def test_parts_add_up_to_the_cent_whatever_the_data(rows, calendar: float, order: bridge.Order) -> None:
    cells = cells_of(rows)
    parts = ("calendar", *bridge.FACTORS, "large")
    start = int(cells["base_ordinary_minor"].sum() + cells["base_large_minor"].sum())
    end = int(cells["ordinary_minor"].sum() + cells["large_minor"].sum())
    raw = bridge.variance_bridge(cells, keys=["cell"], calendar=calendar, order=order)
    found = bridge.exact(raw, parts=parts, start=start, end=end)
    assert int(found[list(parts)].to_numpy().sum()) == end - start
    assert np.abs(found[list(parts)].to_numpy() - raw[list(parts)].to_numpy()).max() <= 1 + 1e-9 * max(start, end)
    sums = bridge.by(found, "cell", parts=parts)
    assert int(sums["gap_minor"].sum()) == end - start


@settings(max_examples=100, deadline=None)
@given(parts=st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=30), off=st.integers(-100, 100))
def test_rounding_keeps_any_total(parts: list[float], off: int) -> None:
    total = int(np.floor(sum(parts))) + off
    assert int(bridge.rounded(parts, total).sum()) == total


def test_the_largest_remainder_gets_the_unit_left() -> None:
    assert bridge.rounded([1.2, 2.7, -0.5], 3).tolist() == [1, 3, -1]


def test_nothing_cannot_carry_money() -> None:
    with pytest.raises(ValueError, match="no part to carry 5"):
        bridge.rounded([], 5)
