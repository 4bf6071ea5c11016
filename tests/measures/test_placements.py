"""Placements: a worked example to the unit, gross denominators, and the truth planted in the sample shop."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.agencies import comparison
from collect_analysis.agencies.comparison import Belief
from collect_analysis.book.sample.plants import AGENCY_SKILL
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.measures import placements
from collect_analysis.measures.placements import Panel
from collect_analysis.methods.profiling import profiling
from scipy import stats

AS_OF = date(2026, 6, 30)
PANEL = Panel(start=date(2026, 1, 1), end=date(2026, 3, 31), horizon=3)
DAY = date(2026, 1, 15)


def placement(key: str, unit: str | None, balance: int | None, **given) -> dict:
    row = {
        "decision_key": f"d-{key}", "account_key": f"acc-{key}", "customer_key": f"cus-{key}", "kind": "placement",
        "decided_utc": pd.Timestamp("2026-01-15"), "segment": "hard", "unit_key": unit, "batch_id": f"{unit}-1", "placement_no": 1,
        "from_date": DAY, "to_date": None, "balance_minor": balance, "end_reason": None, "propensity": None,
    }  # fmt: skip
    return {**row, **given}


def payment(key: str, account: str, amount: int, day: str, **given) -> dict:
    row = {
        "payment_key": key,
        "account_key": f"acc-{account}",
        "amount_minor": amount,
        "currency": "VND",
        "value_date": date.fromisoformat(day),
    }
    return {**row, "reversal_of": None, "eligible": True, **given}


PLACEMENTS = [
    placement("1", "a", 1000, customer_key="cus-x", propensity=0.5),
    placement("2", "a", 3000, customer_key="cus-x", propensity=0.5),
    placement("3", "a", 500, to_date=date(2026, 3, 1), end_reason="recall"),
    placement("4", "b", 2000, propensity=0.5),
    placement("5", "b", 800, to_date=date(2026, 8, 1), end_reason="return"),
    placement("6", None, 700),
    placement("7", "b", None),
    placement("8", "b", 100, from_date=date(2026, 3, 5), batch_id="b-2"),
]
PAYMENTS = [
    payment("p1", "1", 100, "2026-01-31"),
    payment("p2", "1", 50, "2026-02-01"),
    payment("p3", "2", 200, "2026-04-30"),
    payment("p4", "2", 999, "2026-01-14"),  # the day before the placement
    payment("p5", "3", 70, "2026-02-28"),
    payment("p6", "3", 999, "2026-03-01"),  # the day after the recall
    payment("p7", "4", 400, "2026-05-01"),
    payment("p8", "4", 30, "2026-01-20", eligible=False),
    payment("p9", "5", 60, "2026-03-31"),
    payment("q1", "5", 40, "2026-03-31"),
    payment("q2", "5", -40, "2026-04-02", reversal_of="q1"),
]


def worked(rows: list[dict] = PLACEMENTS, paid: list[dict] = PAYMENTS, *, as_of: date = AS_OF) -> Book:
    return book_from_frames({"decision": pd.DataFrame(rows), "payment": pd.DataFrame(paid)}, as_of=as_of)


def test_the_inventory_counts_every_placement_once_and_its_end_as_known_on_the_day() -> None:
    table = placements.inventory(worked(), PANEL).set_index("unit_key")
    assert table["cases"].to_dict() == {"a": 3, "b": 3}
    assert table["placed_minor"].to_dict() == {"a": 4500, "b": 2900}
    assert table["recalled_accounts"].to_dict() == {"a": 1, "b": 0}
    # The return of account 5 lies after the day of the book: it is still placed.
    assert table["active_accounts"].to_dict() == {"a": 2, "b": 3}
    assert table["random_minor"].to_dict() == {"a": 4000, "b": 2000}
    assert table["collected_minor"].to_dict() == {"a": 420, "b": 460}
    assert table["batches"].to_dict() == {"a": 1, "b": 2}
    # January batches have completed February to June on 30 June: age 5; horizon 3 leaves the March batch (age 3) in.
    assert table["oldest_age"].to_dict() == {"a": 5, "b": 5}
    assert table["ripe_batches"].to_dict() == {"a": 1, "b": 2}


def test_cash_by_age_to_the_unit() -> None:
    sums = placements.stratum_sums(worked(), PANEL, age=3)
    drawn = sums[(sums["unit_key"] == "a") & (sums["allocation"] == "random")]
    # Both accounts of customer x: 100 in January (age 0), 50 in February, 200 in April (age 3).
    assert drawn["sum_y"].tolist() == [100, 150, 150, 350]
    assert drawn["sum_x"].tolist() == [4000] * 4
    assert drawn["n"].tolist() == [1] * 4
    assert drawn["accounts"].tolist() == [2] * 4
    assert drawn["payers"].tolist() == [1, 1, 1, 2]
    # One customer: squares are of its sums, not of its accounts.
    assert drawn["sum_yy"].tolist() == [100**2, 150**2, 150**2, 350**2]
    assert drawn["sum_xy"].tolist()[-1] == 4000 * 350


def test_a_recall_shrinks_no_denominator_and_takes_later_cash_away() -> None:
    sums = placements.stratum_sums(worked(), PANEL, age=3)
    kept = sums[(sums["unit_key"] == "a") & (sums["allocation"] == "judgmental")]
    assert kept["sum_x"].tolist() == [500] * 4
    assert kept["sum_y"].tolist() == [0, 70, 70, 70]


def test_ineligible_and_reversed_money_is_not_collected() -> None:
    sums = placements.stratum_sums(worked(), PANEL, age=3)
    b = sums[(sums["unit_key"] == "b") & sums["stratum"].str.endswith("2026-01")].groupby("age_months")["sum_y"].sum()
    assert b.tolist() == [0, 0, 60, 60]


def test_batches_that_are_too_young_stay_out() -> None:
    sums = placements.stratum_sums(worked(), PANEL, age=5)
    assert not sums["stratum"].str.endswith("2026-03").any()
    assert sums[sums["unit_key"] == "b"]["sum_y"].max() == 400


def test_what_cannot_be_used_is_counted() -> None:
    assert placements.unusable(worked(), PANEL) == {"without_unit": 1, "without_balance": 1, "overlapping": 0}
    twice = [*PLACEMENTS, placement("9", "b", 1000, account_key="acc-1", from_date=date(2026, 1, 31))]
    assert placements.unusable(worked(twice), PANEL)["overlapping"] == 2


@pytest.mark.parametrize(("as_of", "age"), [(date(2026, 6, 30), 3), (date(2026, 4, 29), 2), (date(2026, 3, 30), -1)])
def test_a_comparison_needs_three_complete_ages(as_of: date, age: int) -> None:
    assert placements.common_age(placements.inventory(worked(as_of=as_of), PANEL), PANEL) == age


def test_one_unit_alone_is_compared_with_nobody() -> None:
    alone = placements.inventory(worked(), replace(PANEL, units=("a",)))
    assert alone["unit_key"].tolist() == ["a"]
    assert placements.common_age(alone, PANEL) == -1


def test_a_book_without_placements_gives_empty_tables_with_their_columns() -> None:
    empty = book_from_frames({}, as_of=AS_OF)
    held = placements.inventory(empty, PANEL)
    assert held.empty
    assert list(held.columns) == list(placements.INVENTORY_COLUMNS)
    assert placements.stratum_sums(empty, PANEL, age=3).empty
    assert list(placements.stratum_sums(empty, PANEL, age=-1).columns) == list(placements.SUM_COLUMNS)
    assert comparison.curves(placements.stratum_sums(empty, PANEL, age=-1)).empty


def test_shares_of_the_latest_flow_sum_to_one() -> None:
    flow = placements.shares_now(worked(), PANEL, months=1)
    assert flow.to_dict() == {"a": 0.0, "b": 1.0}
    assert placements.shares_now(worked(), PANEL, months=3).to_dict() == pytest.approx({"a": 4500 / 7400, "b": 2900 / 7400})


def test_curves_hold_the_liquidation_and_what_the_others_would_have_collected() -> None:
    curve = comparison.curves(placements.stratum_sums(worked(), PANEL, age=3)).set_index(["unit_key", "age_months"])
    assert curve.loc[("a", 3), "value"] == pytest.approx((350 + 70) / 4500)
    # The others' rates at age 3: drawn accounts 0 of 2000, chosen ones 60 of 800; a has 4000 and 500 of them.
    assert curve.loc[("a", 3), "expected"] == pytest.approx((4000 * 0 / 2000 + 500 * 60 / 800) / 4500)
    assert (curve.groupby("unit_key")["numerator"].diff().fillna(0) >= 0).all()


def test_a_later_day_never_lowers_cumulative_cash(sample_book: Path) -> None:
    panel = Panel(start=date(2025, 1, 1), end=date(2025, 6, 30), horizon=5)
    early, late = (
        placements.stratum_sums(open_book("sample", as_of=day, folder=sample_book), panel, age=5)
        for day in (date(2025, 12, 31), date(2026, 6, 30))
    )
    keys = ["unit_key", "allocation", "stratum", "age_months"]
    both = early.merge(late, on=keys, suffixes=("", "_later"), validate="one_to_one")
    assert len(both) == len(early) == len(late)
    assert (both["sum_y"] <= both["sum_y_later"]).all()
    assert (both["sum_x"] == both["sum_x_later"]).all()


@pytest.fixture(scope="module")
def whole_panel() -> Panel:
    return Panel(start=date(2024, 7, 1), end=date(2026, 6, 30), horizon=5)


def test_the_lot_of_the_sample_shop_was_kept(sample_book: Path, whole_panel: Panel) -> None:
    drift = profiling.allocation_drift(placements.draws(open_book("sample", as_of=AS_OF, folder=sample_book), whole_panel))
    assert len(drift) == len(AGENCY_SKILL)
    assert drift["p_value"].min() > 0.001


def test_sums_add_up_to_the_placements_they_are_of(sample_book: Path, whole_panel: Panel) -> None:
    book = open_book("sample", as_of=AS_OF, folder=sample_book)
    sums = placements.stratum_sums(book, whole_panel, age=5)
    rows = book.frame(placements.of_panel(book, whole_panel).select("unit_key", "balance_minor", "ripe_age"))
    ripe = rows[rows["ripe_age"] >= 5].groupby("unit_key")["balance_minor"].agg(["sum", "count"])
    last = sums[sums["age_months"] == 5].groupby("unit_key")[["sum_x", "accounts"]].sum()
    assert (last.to_numpy() == ripe.to_numpy()).all()


def test_skill_planted_under_a_misleading_mix_is_recovered(sample_book: Path, whole_panel: Panel) -> None:
    """All placements, drawn and chosen, at the size of the test shop: the shrunken index ranks by skill where the raw rate ranks by mix."""
    book = open_book("sample", as_of=AS_OF, folder=sample_book)
    sums = placements.stratum_sums(book, whole_panel, age=5)
    truth = pd.Series(AGENCY_SKILL).sort_index()
    raw = comparison.curves(sums).query("age_months == 5").set_index("unit_key")["value"]
    # Both parts weigh in by their precision, as an analyst would read them together.
    found = pd.concat([comparison.index(sums, allocation=kind) for kind in ("random", "judgmental")])
    weight = found["se_log"] ** -2
    pooled = (np.log(found["value"]) * weight).groupby(found["unit_key"]).sum() / weight.groupby(found["unit_key"]).sum()
    table = pd.DataFrame({"value": np.exp(pooled), "se_log": weight.groupby(found["unit_key"]).sum() ** -0.5}).reset_index()
    table = table.assign(allocation="both", cases=1, note="")
    shrunken = comparison.believed(table, belief=Belief(prior_sd=0.2, seed=1), batch_months=pd.Series(18, index=truth.index))
    with_index = stats.spearmanr(shrunken.set_index("unit_key")["value"], truth).statistic
    with_raw = stats.spearmanr(raw, truth).statistic
    assert with_index - with_raw >= 0.3
    # True skill lies within the intervals of the index relative to the others' mean skill.
    others = {unit: (truth.sum() - skill) / (len(truth) - 1) for unit, skill in truth.items()}
    relative = truth / pd.Series(others)
    inside = (shrunken.set_index("unit_key")["low"] <= relative) & (relative <= shrunken.set_index("unit_key")["high"])
    assert inside.sum() >= 5
