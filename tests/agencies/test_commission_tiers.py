"""Edges and faults of a commission tariff by hand; cash that waits for a higher tier is found, honest cash hardly ever."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.agencies.integrity_verdict import NONE, STRONG, WEAK
from collect_analysis.agencies.invoices import tariff_rows
from collect_analysis.agencies.placement_plan.decision_tiers import (
    FEW_CELLS,
    FEW_PEERS,
    LEAST_CELLS,
    MISSING,
    NO_CASH,
    OVERLAP,
    TOO_YOUNG,
    bunching,
    tariff_faults,
    tier_steps,
)
from collect_analysis.book.store import open_book
from collect_analysis.measures.placements import Panel, stratum_sums

from tests.small_book import book_of

AS_OF = date(2026, 6, 30)
HEAD = "tariff_id, kind, item, tier_from, valid_from, valid_to, rate\n"
WHOLE = "t, commission, collected, 0, 2024-01-01, , 0.18\nt, commission, collected, 3, 2024-01-01, , 0.22\n"


def tariff(text: str) -> pd.DataFrame:
    return tariff_rows(book_of({"tariff": HEAD + text}, as_of=AS_OF))


def faults(text: str) -> list[tuple[str, float, float | None, str, str]]:
    table = tariff_faults(tariff(text))
    days = [table[name].dt.strftime("%Y-%m-%d").fillna("") for name in ("valid_from", "valid_to")]
    return list(
        zip(table["fault"], table["tier_from"], table["tier_to"].astype(object).where(table["tier_to"].notna(), None), *days, strict=True)
    )


def test_every_edge_with_what_a_held_million_gains() -> None:
    table = tier_steps(
        tariff(
            WHOLE + "t, commission, collected, 6, 2024-01-01, 2025-01-01, 0.2\n"
            "u, commission, collected, 0, 2024-01-01, , 0.1234567\nu, commission, collected, 2, 2024-01-01, , 0.1234567\n"
            "vat, tax, vat, 0, 2024-01-01, , 0.1\nflat, commission, collected, 0, 2024-01-01, , 0.3\n"
        )
    )
    assert table[["tariff_id", "tier_from", "rate_before", "rate_after", "cliff", "hold_back"]].to_numpy().tolist() == [
        ["t", 3, 0.18, 0.22, 40_000, True],
        ["t", 6, 0.22, 0.2, -20_000, False],
        ["u", 2, 0.1234567, 0.1234567, 0, False],
    ]
    assert table["step"].tolist() == pytest.approx([4, -2, 0])
    assert table["valid_to"].dt.strftime("%Y-%m-%d").fillna("").tolist() == ["", "2025-01-01", ""]


def test_a_tariff_without_a_second_tier_has_no_edge() -> None:
    assert tier_steps(tariff("flat, commission, collected, 0, 2024-01-01, , 0.3\n")).empty
    assert tier_steps(tariff("vat, tax, vat, 0, 2024-01-01, , 0.1\n")).empty
    assert tariff_faults(tariff("vat, tax, vat, 0, 2024-01-01, , 0.1\n")).empty


def test_a_tariff_that_says_one_rate_for_every_month_and_day_has_no_fault() -> None:
    assert faults(WHOLE) == []
    ended = WHOLE.replace("2024-01-01, ,", "2024-01-01, 2025-01-01,")
    assert faults(ended + WHOLE.replace("2024-01-01", "2025-01-01")) == []


def test_tariffs_that_overlap_are_named_by_tier_and_days() -> None:
    newer = WHOLE.replace("2024-01-01", "2025-01-01")
    assert faults(WHOLE + newer) == [(OVERLAP, 0, 3, "2025-01-01", ""), (OVERLAP, 3, None, "2025-01-01", "")]
    late = WHOLE.replace("2024-01-01, ,", "2024-01-01, 2025-03-01,")
    assert faults(late + newer) == [(OVERLAP, 0, 3, "2025-01-01", "2025-03-01"), (OVERLAP, 3, None, "2025-01-01", "2025-03-01")]


def test_days_and_months_without_a_rate_are_named() -> None:
    early = WHOLE.replace("2024-01-01, ,", "2024-01-01, 2024-12-01,")
    assert faults(early + WHOLE.replace("2024-01-01", "2025-01-01")) == [
        (MISSING, 0, 3, "2024-12-01", "2025-01-01"),
        (MISSING, 3, None, "2024-12-01", "2025-01-01"),
    ]
    assert faults("t, commission, collected, 2, 2024-01-01, , 0.2\n") == [(MISSING, 0, 2, "2024-01-01", "")]
    # A row without rate prices nothing: the tier below reaches over it, as payments are priced.
    assert faults(WHOLE + "t, commission, collected, 6, 2024-01-01, ,\n") == []


def test_one_tier_revised_alone_meets_the_tiers_of_the_older_tariff() -> None:
    revised = WHOLE.replace("3, 2024-01-01, ,", "3, 2024-01-01, 2025-01-01,") + "t, commission, collected, 6, 2024-01-01, , 0.26\n"
    # From 2025 the lower end 3 has no tier above it: it reaches over the tier from 6, which still holds.
    assert faults(revised + "t, commission, collected, 3, 2025-01-01, , 0.24\n") == [(OVERLAP, 6, None, "2025-01-01", "")]


def panel_sums(cash: dict[str, np.ndarray]) -> pd.DataFrame:
    """Sums of strata (rows) by age (columns) per unit, cumulated."""
    rows = [
        (unit, "random", f"s{stratum}", age, total)
        for unit, cells in cash.items()
        for stratum, months in enumerate(np.asarray(cells, dtype=float))
        for age, total in enumerate(months.cumsum())
    ]
    return pd.DataFrame(rows, columns=["unit_key", "allocation", "stratum", "age_months", "sum_y"])


def edges(*tiers: float) -> pd.DataFrame:
    return pd.DataFrame({"tier_from": tiers, "hold_back": True})


def test_the_jump_and_its_scatter_follow_the_formula_for_a_ratio() -> None:
    rng = np.random.default_rng(1)
    cash = {f"u{u}": rng.integers(0, 900, (12, 3)) * 1000 for u in range(5)}
    table = bunching(panel_sums(cash), edges(0.5, 2)).set_index(["unit_key", "tier_from"])
    for (unit, edge), row in table.iterrows():
        before, after = cash[unit][:, edge - 1].astype(float), cash[unit][:, edge].astype(float)
        ratio = after.sum() / before.sum()
        assert row[["before_minor", "after_minor"]].tolist() == [before.sum(), after.sum()]
        assert row["ratio"] == pytest.approx(ratio)
        k = np.count_nonzero(before + after)
        assert row["se_log"] == pytest.approx(np.sqrt(((after - ratio * before) ** 2).sum() * k / (k - 1)) / after.sum())
        assert row["cells"] == k
    assert table["p_value"].notna().all()
    assert (table["p_adjusted"] >= table["p_value"]).all()


def test_what_cannot_be_judged_says_why_and_has_no_finding() -> None:
    rng = np.random.default_rng(2)
    cash = {f"u{u}": rng.integers(100, 900, (20, 3)) for u in range(6)}
    cash["u0"] = cash["u0"][: LEAST_CELLS - 1]
    cash["u1"][:, 1] = 0
    table = bunching(panel_sums(cash), edges(2, 3)).set_index(["tier_from", "unit_key"])
    assert table.loc[2, "note"].to_dict() == {"u0": FEW_CELLS, "u1": NO_CASH, "u2": "", "u3": "", "u4": "", "u5": ""}
    assert set(table.loc[3, "note"]) == {TOO_YOUNG}
    assert (table["finding"] == "").to_numpy().tolist() == table["note"].ne("").tolist()
    assert table.loc[table["note"] != "", ["p_value", "peers"]].isna().all(axis=None)
    few = bunching(panel_sums({key: cash[key] for key in ("u2", "u3", "u4")}), edges(1))
    assert set(few["note"]) == {FEW_PEERS}


def test_without_sums_or_a_rising_rate_nothing_is_asked() -> None:
    one = panel_sums({"u": np.ones((3, 3))})
    assert bunching(one, edges(1).assign(hold_back=False)).empty
    assert bunching(one.head(0), edges(1)).empty
    assert bunching(one, edges(0)).empty


def drawn(
    rng: np.random.Generator, *, accounts: int, between: float = 0.0, held: float = 0.0, units: int = 6, strata: int = 60
) -> pd.DataFrame:
    """Payments that thin out with age, in units that differ by nature; unit u0 holds back a share of month 2 until month 3."""
    rates = 0.04 * 0.85 ** np.arange(7) * np.exp(rng.normal(0, between, (units, 7)))
    payments = rng.poisson(accounts * rates[:, None, :], (units, strata, 7))
    cash = np.where(payments > 0, rng.gamma(np.maximum(payments, 1) * 0.8, 1e6), 0.0).round()
    kept = held * cash[0, :, 2]
    cash[0, :, 2] -= kept
    cash[0, :, 3] += kept
    return panel_sums({f"u{u}": cash[u] for u in range(units)})


def test_a_unit_that_holds_back_is_found_at_its_edge_and_nowhere_else() -> None:
    for seed in range(3):
        table = bunching(drawn(np.random.default_rng(seed), accounts=150, held=0.6), edges(3, 6)).set_index(["unit_key", "tier_from"])
        assert table.loc[("u0", 3), "finding"] == STRONG
        assert table.loc[("u0", 3), "ratio"] > 2 * table.loc[("u0", 3), "peers"]
        assert set(table.drop(index=("u0", 3))["finding"]) == {NONE}


def test_where_all_wait_nobody_stands_out() -> None:
    table = bunching(
        pd.concat([drawn(np.random.default_rng(4), accounts=150, held=0.6, units=1).assign(unit_key=f"u{u}") for u in range(5)]), edges(3)
    )
    assert set(table["finding"]) == {NONE}


@pytest.mark.parametrize("between", [0.0, 0.3])
def test_honest_units_are_hardly_ever_listed(between: float) -> None:
    # In 200 panels of each of nine settings (accounts, scatter between units) none was listed; a few of them here.
    found = [bunching(drawn(np.random.default_rng(seed), accounts=20, between=between), edges(3, 6)) for seed in range(10)]
    assert sum(table["finding"].isin([STRONG, WEAK]).any() for table in found) == 0


def test_the_sample_shop_has_a_whole_tariff_and_nobody_who_waits(sample_book: Path) -> None:
    book = open_book("sample", as_of=AS_OF, folder=sample_book)
    rows = tariff_rows(book)
    steps = tier_steps(rows)
    assert tariff_faults(rows).empty
    assert steps[["tier_from", "cliff"]].to_numpy().tolist() == [[3, 40_000], [6, 40_000]]
    table = bunching(stratum_sums(book, Panel(start=date(2025, 1, 1), end=AS_OF, horizon=5), age=5), steps)
    assert set(table.loc[table["tier_from"] == 3, "finding"]) == {NONE}
    assert set(table.loc[table["tier_from"] == 6, "note"]) == {TOO_YOUNG}
