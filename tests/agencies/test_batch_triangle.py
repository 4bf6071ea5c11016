"""Batches by age: cumulative cash to the unit, published projections, and no projection where the curve has no shape."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.agencies.batch_triangle import POOLED, TOO_FEW_BATCHES, TOO_YOUNG, batch_triangle, project
from collect_analysis.book.store import book_from_frames, open_book
from collect_analysis.measures.placements import Panel

from tests.measures.test_placements import PANEL, payment, placement


def triangle_of(cells: list[list[int]], *, unit: str = "a", placed: int = 1_000_000) -> pd.DataFrame:
    rows = [
        {"unit_key": unit, "batch_month": pd.Timestamp(2025, 1 + number, 1), "age_months": age, "cases": 50, "numerator": value, "denominator": placed}
        for number, batch in enumerate(cells)
        for age, value in enumerate(batch)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    return table.assign(value=table["numerator"] / table["denominator"])


def test_cumulative_cash_and_balance_by_hand() -> None:
    rows = [placement("1", "a", 1000), placement("2", "a", 500, to_date=date(2026, 3, 1), end_reason="recall"), placement("3", "b", 800)]
    money = [payment("p1", "1", 100, "2026-01-31"), payment("p2", "2", 70, "2026-02-28"), payment("p3", "2", 999, "2026-03-02"),
             payment("p4", "1", 30, "2026-04-30"), payment("p5", "3", 5, "2026-01-10")]  # fmt: skip
    book = book_from_frames({"decision": pd.DataFrame(rows), "payment": pd.DataFrame(money)}, as_of=date(2026, 4, 30))
    table = batch_triangle(book, PANEL)
    a = table[table["unit_key"] == "a"]
    assert a["age_months"].tolist() == [0, 1, 2, 3]
    assert a["numerator"].tolist() == [100, 170, 170, 200]
    assert a["denominator"].unique().tolist() == [1500]
    assert table[table["unit_key"] == "b"]["numerator"].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "to_come", "error"),
    # Published: R package ChainLadder (RAA); Mack, ASTIN Bulletin 23 (1993) (GenIns). The projection leaves the two youngest origins out, as
    # it must with fewer than three ages: it is held against the same ladder without them.
    [("raa", 52_135, 26_909), ("genins", 18_680_856, 2_447_095)],
)
def test_published_triangles_are_projected_as_published(shared_data: Path, name: str, to_come: float, error: float) -> None:
    from collect_analysis.methods.forecast.triangles import chain_ladder

    raw = pd.read_csv(shared_data / "development_triangles" / f"{name}.csv").dropna()
    raw["age"] = raw["development"] - raw["origin"] + 1
    published = chain_ladder(raw.rename(columns={"values": "value"})[["origin", "age", "value"]]).total
    assert (round(published["to_come"]), round(published["standard_error"])) == (to_come, error)
    table = pd.DataFrame(
        {
            "unit_key": "a", "batch_month": pd.to_datetime(raw["origin"].astype(str) + "-01-01"), "age_months": raw["age"] - 1, "cases": 50,
            "numerator": raw["values"], "denominator": 10**8, "value": raw["values"] / 10**8,
        }
    )  # fmt: skip
    found = project(table, horizon=20)
    old = raw.groupby("origin")["age"].transform("max") >= 3
    without = chain_ladder(raw[old].rename(columns={"values": "value"})[["origin", "age", "value"]]).total
    row = found.units.set_index("unit_key").loc["a"]
    assert row["to_come_minor"] == pytest.approx(without["to_come"])
    assert row["se"] == pytest.approx(without["standard_error"] / row["denominator"])
    assert row["young_batches"] == 2


def test_factors_and_projection_by_hand() -> None:
    # Steps: (150 + 320) / (100 + 200) from month 0 to 1 over the old batches, 180 / 150 from 1 to 2 in one of them; the third has both.
    found = project(triangle_of([[100, 150, 180, 180], [200, 320, 400]]), horizon=12)
    factors = found.factors[found.factors["unit_key"] == "a"]["factor"].tolist()
    assert factors == pytest.approx([470 / 300, 580 / 470, 1.0])
    row = found.units.set_index("unit_key").loc["a"]
    assert row["value"] == pytest.approx(580 / 2_000_000)
    assert row["reached_months"] == 3


def test_a_unit_with_young_batches_alone_is_refused_and_the_others_are_not() -> None:
    old = triangle_of([[100, 150, 180, 190], [200, 320, 400], [90, 140, 170]])
    young = triangle_of([[100, 150], [80]], unit="b")
    one = triangle_of([[100, 150, 160]], unit="c")
    found = project(pd.concat([old, young, one]), horizon=12)
    units = found.units.set_index("unit_key")
    assert units["note"].to_dict() == {"a": "", "b": TOO_YOUNG, "c": TOO_FEW_BATCHES, POOLED: ""}
    assert units["value"].isna().to_dict() == {"a": False, "b": True, "c": True, POOLED: False}
    batches = found.batches[found.batches["unit_key"] == "b"]
    assert batches["value"].isna().all()
    assert (batches["note"] == TOO_YOUNG).all()


def test_nothing_after_the_horizon_is_used_and_an_older_batch_needs_no_projection() -> None:
    cells = [[100, 150, 180, 190, 900], [200, 320, 400, 420], [90, 140, 170]]
    found = project(triangle_of(cells), horizon=2).units.set_index("unit_key").loc["a"]
    assert (found["to_come_minor"], found["low"], found["high"]) == (0, found["value"], found["value"])
    assert found["numerator"] == 180 + 400 + 170


def test_an_empty_book_gives_empty_tables() -> None:
    table = batch_triangle(book_from_frames({}, as_of=date(2026, 6, 30)), PANEL)
    assert table.empty
    assert project(table, horizon=12).units.empty


def test_what_earlier_days_projected_came_true(sample_book: Path) -> None:
    """Planted: placements end after six months. What was projected a year ago holds the later truth of all units together."""
    panel = Panel(start=date(2024, 7, 1), end=date(2025, 3, 31), horizon=5)
    early, late = (
        project(batch_triangle(open_book("sample", as_of=day, folder=sample_book), panel), horizon=6)
        for day in (date(2025, 5, 31), date(2026, 6, 30))
    )
    then, now = (found.units.set_index("unit_key").loc[POOLED] for found in (early, late))
    assert then["denominator"] == now["denominator"]
    assert then["low"] <= now["value"] <= then["high"]
