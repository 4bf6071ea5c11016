"""Unit totals: rates, recalls, new units and channels, on a worked example."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.agencies import unit_periods
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.errors import DataError

QUARTERS = [
    (date(2025, 1, 1), date(2025, 3, 31)), (date(2025, 4, 1), date(2025, 6, 30)), (date(2025, 7, 1), date(2025, 9, 30)),
    (date(2025, 10, 1), date(2025, 12, 31)),
]  # fmt: skip


def row(unit: str, quarter: int, opening: int | None, placed: int | None, letters: int, suits: int, *, new: bool = False) -> dict:
    start, end = QUARTERS[quarter]
    return {
        "unit_key": unit, "unit_name": None, "period_start": start, "period_end": end, "opening_minor": opening, "placed_minor": placed,
        "collected_minor": letters + suits, "collected_letters_minor": letters, "collected_suits_minor": suits, "currency": "VND", "is_new": new,
    }  # fmt: skip


ROWS = [
    row("old", 0, 1000, 100, 30, 10),
    row("old", 1, 1060, None, 30, 12),
    row("old", 2, 1018, None, 30, 10),
    # 900 should be left of 1,000; 300 are: 600 were taken back, and 30 of 300 is no better than 30 of 900.
    row("cut", 0, 1000, None, 60, 40),
    row("cut", 1, 300, None, 20, 10),
    row("cut", 2, 270, None, 20, 10),
    row("fresh", 1, None, 500, 5, 0, new=True),
    row("fresh", 2, 495, 500, 20, 0),
]


@pytest.fixture
def rows() -> pd.DataFrame:
    return unit_periods.read(book(ROWS), start=date(2025, 1, 1), end=date(2025, 12, 31))


def book(content: list[dict]) -> Book:
    return book_from_frames({"unit_period": pd.DataFrame(content)}, as_of=date(2026, 6, 30))


def test_totals_are_ratios_of_sums_with_new_units_money_in_them(rows: pd.DataFrame) -> None:
    table = unit_periods.totals(rows)
    assert table["units"].tolist() == [2, 3, 3]
    assert table["value"].tolist() == pytest.approx([140 / 2000, (42 + 30 + 5) / 1360, (40 + 30 + 20) / (1018 + 270 + 495)])


def test_inventory_that_was_taken_back_is_named(rows: pd.DataFrame) -> None:
    table = unit_periods.continuity(rows, threshold=0.10)
    verdicts = {
        (unit, str(start.date())): verdict
        for unit, start, verdict in zip(table["unit_key"], table["period_start"], table["verdict"], strict=True)
    }
    assert verdicts == {
        ("cut", "2025-01-01"): "recalled",
        ("cut", "2025-04-01"): "continuous",
        ("fresh", "2025-04-01"): "continuous",
        ("old", "2025-01-01"): "continuous",
        ("old", "2025-04-01"): "continuous",
    }
    cut = table.iloc[0]
    assert (cut["expected_minor"], cut["next_opening_minor"], cut["gap_share"]) == (900, 300, pytest.approx(-2 / 3))


def test_a_jump_of_the_rate_after_a_recall_is_not_praised(rows: pd.DataFrame) -> None:
    table = unit_periods.liquidation(rows, unit_periods.continuity(rows, threshold=0.10))
    after = table[(table["unit_key"] == "cut") & (table["period_start"] == "2025-04-01")].iloc[0]
    assert after["value"] == after["rate_before"] == 0.1
    assert after["on_old_inventory"] == pytest.approx(30 / 900)
    assert (after["verdict"], after["note"]) == ("recalled", unit_periods.RECALLED)
    fresh = table[(table["unit_key"] == "fresh")].iloc[0]
    assert np.isnan(fresh["value"])
    assert (fresh["verdict"], fresh["note"]) == ("new", unit_periods.NEW_UNIT)


def test_rates_stay_flagged_until_new_placements_outweigh_what_a_recall_left() -> None:
    ended = [row("cut", 3, 240, None, 20, 10)]
    refilled = [
        row("fed", 0, 1000, None, 60, 40), row("fed", 1, 300, 400, 20, 10), row("fed", 2, 670, None, 20, 10), row("fed", 3, 640, None, 5, 5)
    ]  # fmt: skip
    table = unit_periods.read(book([*ROWS, *ended, *refilled]), start=date(2025, 1, 1), end=date(2025, 12, 31))
    rates = unit_periods.liquidation(table, unit_periods.continuity(table, threshold=0.10))
    verdicts = {unit: part["verdict"].tolist() for unit, part in rates.groupby("unit_key")}
    # 300 were left of 900. Nothing came to "cut" since; to "fed" came 400 in the very period, more than the 300 that were left.
    assert verdicts["cut"] == ["ok", "recalled", "after_recall", "after_recall"]
    assert verdicts["fed"] == ["ok", "recalled", "ok", "ok"]
    last = rates[rates["unit_key"] == "cut"].iloc[-1]
    # 240 and the 600 taken back: 30 of 840.
    assert (last["on_old_inventory"], last["note"]) == (pytest.approx(30 / 840), unit_periods.AFTER_RECALL)


def test_an_agency_renamed_is_one_row_under_its_latest_name() -> None:
    names = ["Nam Viet", "Nam Viet", "Viet Collect"]
    renamed = [{**row("old", quarter, 1000, 50, 30, 10), "unit_name": name} for quarter, name in enumerate(names)]
    table = unit_periods.read(book([*renamed, *ROWS[3:]]), start=date(2025, 1, 1), end=date(2025, 12, 31))
    for made in (unit_periods.shares(table), unit_periods.channel_mix(table, months_needed={}).drop_duplicates(["unit_key", "unit_name"])):
        assert made["unit_key"].is_unique
        assert made.set_index("unit_key").loc["old", "unit_name"] == "Viet Collect"
    assert table.set_index("unit_key").loc["old", "called"].iloc[0] == "Nam Viet → Viet Collect"
    rates = unit_periods.liquidation(table, unit_periods.continuity(table, threshold=0.1))
    assert set(rates.loc[rates["unit_key"] == "old", "unit_name"]) == {"Viet Collect"}


def many(suits: dict[tuple[str, int], int], *, units: str = "abcdefgh", quarters: int = 4) -> pd.DataFrame:
    """Units that all collect 70 by letters and 30 by suits in every quarter, but where `suits` says otherwise."""
    content = [row(unit, quarter, 1000, 100, 70, suits.get((unit, quarter), 30)) for unit in units for quarter in range(quarters)]
    return unit_periods.read(book(content), start=date(2025, 1, 1), end=date(2025, 12, 31))


def test_a_whole_group_at_nought_where_others_have_a_tenth_or_more_is_a_gap_and_not_a_result() -> None:
    silent = {(unit, quarter): 0 for unit in "gh" for quarter in range(4)}
    rows = many(silent)
    gaps = unit_periods.recording_gaps(rows, months_needed={})
    assert set(zip(gaps["unit_key"], gaps["component"], strict=True)) == {("g", "suits"), ("h", "suits")}
    assert (len(gaps), gaps["others"].tolist()[0], gaps["others_low"].tolist()[0]) == (8, 6, pytest.approx(0.3))
    mix = unit_periods.channel_mix(rows, months_needed={}).set_index(["unit_key", "component"])
    assert np.isnan(mix.loc[("g", "suits"), "value"])
    assert mix.loc[("g", "suits"), "note"] == unit_periods.NOT_RECORDED.format(low="30.0%", high="30.0%")
    assert mix.loc[("a", "suits"), "value"] == pytest.approx(0.3)


def test_a_quarter_without_a_channel_in_any_unit_is_a_gap() -> None:
    gaps = unit_periods.recording_gaps(many({(unit, 2): 0 for unit in "abcdefgh"}), months_needed={})
    assert len(gaps) == 8
    assert set(gaps["period_start"]) == {pd.Timestamp("2025-07-01")}


def test_a_channel_that_few_use_or_that_is_rare_is_no_gap() -> None:
    few = {(unit, quarter): 0 for unit in "cdefgh" for quarter in range(4)}
    assert unit_periods.recording_gaps(many(few), months_needed={}).empty
    rare = {(unit, quarter): 0 if unit == "h" else 2 for unit in "abcdefgh" for quarter in range(4)}
    assert unit_periods.recording_gaps(many(rare), months_needed={}).empty
    assert unit_periods.recording_gaps(many({}), months_needed={}).empty


def test_a_unit_too_young_for_a_channel_has_no_gap_in_it() -> None:
    old = [row(unit, quarter, 1000, 100, 70, 30) for unit in "abcd" for quarter in range(4)]
    rows = unit_periods.read(book([*old, row("z", 3, None, 500, 20, 0, new=True)]), start=date(2025, 1, 1), end=date(2025, 12, 31))
    assert unit_periods.recording_gaps(rows, months_needed={"suits": 9}).empty
    assert unit_periods.recording_gaps(rows, months_needed={})["unit_key"].tolist() == ["z"]


def test_a_unit_with_inventory_and_no_money_at_all_has_no_rate() -> None:
    content = [row(unit, quarter, 1000, 100, 70, 30) for unit in "abcd" for quarter in range(3)]
    content += [row("e", 0, 1000, 100, 70, 30), row("e", 1, 1000, 100, 0, 0), row("e", 2, 1000, 100, 70, 30)]
    rows = unit_periods.read(book(content), start=date(2025, 1, 1), end=date(2025, 12, 31))
    gaps = unit_periods.recording_gaps(rows, months_needed={})
    assert gaps[["unit_key", "component"]].to_numpy().tolist() == [["e", unit_periods.TOTAL]]
    rate = unit_periods.liquidation(rows, unit_periods.continuity(rows, threshold=0.5))
    lost = rate[(rate["unit_key"] == "e") & (rate["period_start"] == "2025-04-01")].iloc[0]
    assert np.isnan(lost["value"])
    assert (lost["verdict"], lost["note"]) == ("not_recorded", unit_periods.NOTHING_IN_TOTAL)


def test_a_hole_in_the_data_is_no_recall(rows: pd.DataFrame) -> None:
    gap = unit_periods.continuity(rows[rows["period_start"] != "2025-04-01"], threshold=0.10)
    assert gap.empty


def test_shares_of_placements_and_of_money(rows: pd.DataFrame) -> None:
    table = unit_periods.shares(rows).set_index("unit_key")
    assert table["placed_share"].to_dict() == pytest.approx({"old": 100 / 1100, "cut": 0, "fresh": 1000 / 1100})
    assert table["collected_share"].sum() == pytest.approx(1)
    assert table["is_new"].to_dict() == {"old": False, "cut": False, "fresh": True}


def test_a_new_unit_is_not_judged_on_what_needs_time(rows: pd.DataFrame) -> None:
    table = unit_periods.channel_mix(rows, months_needed={"suits": 9}).set_index(["unit_key", "component"])
    assert np.isnan(table.loc[("fresh", "suits"), "value"])
    # Half of what it was given was given by mid-May: 4 months and a half before the end of September.
    assert table.loc[("fresh", "suits"), "note"] == unit_periods.TOO_YOUNG.format(months=4, needed=9)
    assert table.loc[("cut", "suits"), "value"] == pytest.approx(60 / 160)
    assert table.loc[("old", "suits"), "pooled"] == pytest.approx(92 / 307)
    known = unit_periods.channel_mix(rows, months_needed={})
    assert known.groupby("unit_key")["value"].sum().tolist() == pytest.approx([1, 1, 1])


def test_a_misspelt_component_is_refused(rows: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"slow_components names suit, .*known: letters, suits"):
        unit_periods.channel_mix(rows, months_needed={"suit": 9})


def test_rows_whose_parts_do_not_add_up_are_listed(rows: pd.DataFrame) -> None:
    assert unit_periods.identity_gaps(rows).empty
    wrong = rows.assign(collected_minor=rows["collected_minor"] + (rows["unit_key"] == "old"))
    assert unit_periods.identity_gaps(wrong)["gap_minor"].tolist() == [1, 1, 1]


def test_order_of_rows_does_not_matter_and_inputs_stay(rows: pd.DataFrame) -> None:
    before = rows.copy()
    shuffled = unit_periods.read(book(ROWS[::-1]), start=date(2025, 1, 1), end=date(2025, 12, 31))
    pd.testing.assert_frame_equal(rows, shuffled)
    flow = unit_periods.continuity(rows, threshold=0.1)
    unit_periods.liquidation(rows, flow)
    unit_periods.channel_mix(rows, months_needed={})
    pd.testing.assert_frame_equal(rows, before)


def test_doubling_every_amount_leaves_every_rate(rows: pd.DataFrame) -> None:
    money = [name for name in rows.columns if name.endswith("_minor")]
    doubled = rows.assign(**{name: rows[name] * 2 for name in money})
    for table in (unit_periods.totals, lambda given: unit_periods.liquidation(given, unit_periods.continuity(given, threshold=0.1))):
        pd.testing.assert_series_equal(table(rows)["value"], table(doubled)["value"])


def test_a_book_without_unit_totals_gives_empty_tables() -> None:
    none = unit_periods.read(book_from_frames({}, as_of=date(2026, 6, 30)), start=date(2025, 1, 1), end=date(2025, 12, 31))
    flow = unit_periods.continuity(none, threshold=0.1)
    for table in (unit_periods.totals(none), flow, unit_periods.liquidation(none, flow), unit_periods.shares(none)):
        assert table.empty
        assert len(table.columns)
    assert unit_periods.channel_mix(none, months_needed={}).empty
    assert unit_periods.recording_gaps(none, months_needed={}).empty
    assert unit_periods.stability(unit_periods.liquidation(none, flow)).empty


def test_two_units_called_alike_stay_two(rows: pd.DataFrame) -> None:
    alike = [{**item, "unit_name": "Agency"} for item in ROWS if item["unit_key"] != "fresh"]
    table = unit_periods.read(book(alike), start=date(2025, 1, 1), end=date(2025, 12, 31))
    assert set(table["unit_name"]) == {"Agency (old)", "Agency (cut)"}
    assert unit_periods.shares(table)["unit_name"].is_unique
