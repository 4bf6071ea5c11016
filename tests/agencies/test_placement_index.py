"""Expected recovery of placements: level effects as another library fits them, planted skill under a misleading mix, misfit that is noticed."""

from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from collect_analysis.agencies.agency_evaluation import measures_expected
from collect_analysis.agencies.agency_evaluation.decision_index import believed_index
from collect_analysis.agencies.agency_evaluation.measures_expected import CELL_KEYS, SUMS, Cells, expected_cells
from collect_analysis.agencies.agency_evaluation.measures_index import expected_recovery
from collect_analysis.agencies.factors import DEFAULT_FACTORS, known_placement_factors
from collect_analysis.book.sample.plants import AGENCY_SKILL
from collect_analysis.book.store import book_from_frames, open_book
from collect_analysis.errors import ParameterError
from collect_analysis.measures.placements import Panel, results_at
from collect_analysis.methods.profiling import profiling, rate_model
from collect_analysis.methods.profiling.profiling import NO_PEER, observed_expected
from scipy import stats

PANEL = Panel(start=date(2024, 7, 1), end=date(2026, 6, 30), horizon=5)
SKILL = {"a": 1.2, "b": 1.0, "c": 1.0, "d": 0.8}
BALANCE, PAYMENT = 1_000_000, 100_000


def drawn(seed: int = 1, *, scale: int = 400, together: float = 1.0) -> Cells:
    """Cells of accounts whose chance to pay is a product of two levels and the unit's skill; weak units hold the easy level.

    `together` is a factor on the chance where both levels are the second: what level effects alone cannot say.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for (place, (unit, skill)), dpd, band, fold, lot in product(
        enumerate(SKILL.items()), (0, 1), (0, 1), range(4), ("random", "judgmental")
    ):
        n = int(scale * (1 + 2 * place if dpd else 7 - 2 * place)) // 2
        chance = 0.08 * (2.0 if dpd else 1.0) * (1.5 if band else 1.0) * skill * (together if dpd and band else 1.0)
        payers = rng.binomial(n, chance)
        sums = (n, n, n * BALANCE, payers * PAYMENT, n * BALANCE**2, payers * PAYMENT * BALANCE, payers * PAYMENT**2)
        rows.append((unit, lot, f"{dpd}{band} | 1", fold, str(dpd), str(band), *sums))
    factors = ("dpd_band", "score_band")
    table = pd.DataFrame(rows, columns=[*CELL_KEYS, *factors, *SUMS])
    return Cells(table=table, factors=factors, given_up=())


def test_level_effects_are_those_of_a_poisson_regression() -> None:
    table = drawn().table
    design, names = rate_model.design_of(table[["dpd_band", "score_band"]])
    assert names == [("", ""), ("dpd_band", "1"), ("score_band", "1")]
    exposure, outcome = table["sum_x"].to_numpy(float), table["sum_y"].to_numpy(float)
    fitted = rate_model.fit_rates(design, exposure, outcome, unit=PAYMENT)
    other = sm.GLM(outcome / PAYMENT, design, family=sm.families.Poisson(), exposure=exposure / PAYMENT).fit()
    # A hundredth of a payment is held against every effect.
    assert fitted.effects.tolist() == pytest.approx(other.params.tolist(), abs=1e-4)


def test_a_level_that_never_paid_keeps_a_finite_effect() -> None:
    design = np.array([[1.0, 0.0], [1.0, 1.0]])
    fitted = rate_model.fit_rates(design, np.array([1e6, 1e6]), np.array([1e5, 0.0]), unit=1e4)
    assert np.isfinite(fitted.effects).all()
    assert fitted.of(design)[1] < 0.01 * fitted.of(design)[0]
    with pytest.raises(ValueError, match="something observed"):
        rate_model.fit_rates(design, np.array([1e6, 1e6]), np.zeros(2), unit=1e4)


def test_planted_skill_is_found_under_a_mix_that_ranks_it_backwards() -> None:
    cells = drawn()
    units = expected_recovery(cells).units.set_index("unit_key")
    raw = cells.table.groupby("unit_key")[["sum_y", "sum_x"]].sum().eval("sum_y / sum_x")
    truth = pd.Series(SKILL)
    assert raw["d"] > raw["b"] > raw["a"]
    assert stats.spearmanr(units["value"], truth).statistic - stats.spearmanr(raw, truth).statistic >= 0.3
    assert units.loc["a", "low"] > 1 > units.loc["d", "high"]
    # The others' skill, weighed by what they hold, is what a unit is compared with.
    assert units.loc["a", "value"] == pytest.approx(1.2 / 0.93, abs=0.08)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    huge = expected_recovery(drawn(seed=99, scale=2_000_000)).units.set_index("unit_key")["value"]
    inside = []
    for seed in range(15):
        table = expected_recovery(drawn(seed=seed, scale=60)).units.set_index("unit_key")
        inside += ((table["low"] <= huge) & (huge <= table["high"])).tolist()
    assert 0.88 <= np.mean(inside) <= 1.0


def test_the_expectation_fits_where_levels_multiply_and_is_refuted_where_they_do_not() -> None:
    assert expected_recovery(drawn()).tests["p_adjusted"].min() > 0.01
    wrong = expected_recovery(drawn(together=0.6)).tests.sort_values("p_adjusted").iloc[0]
    assert wrong["p_adjusted"] < 1e-6
    assert wrong["factor"] in ("dpd_band & score_band", "expected_rate", "stratum")


def cornered(seed: int, *, corner: float, share: float, scale: int = 400, skill: float = 1.0) -> Cells:
    """As `drawn`, four units alike but for unit d (`skill`), which holds `share` of the accounts with both second levels and few others; the
    chance to pay is `corner` times the product there.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for unit, dpd, band, fold, lot in product("abcd", (0, 1), (0, 1), range(4), ("random", "judgmental")):
        n = int(4 * scale * (share if unit == "d" else (1 - share) / 3)) if dpd and band else int(scale * (0.15 if unit == "d" else 1))
        chance = 0.08 * (2 if dpd else 1) * (1.5 if band else 1) * (corner if dpd and band else 1) * (skill if unit == "d" else 1)
        paid = rng.binomial(n, chance)
        sums = (n, n, n * BALANCE, paid * PAYMENT, n * BALANCE**2, paid * PAYMENT * BALANCE, paid * PAYMENT**2)
        rows.append((unit, lot, f"{dpd}{band} | 1", fold, str(dpd), str(band), *sums))
    factors = ("dpd_band", "score_band")
    return Cells(table=pd.DataFrame(rows, columns=[*CELL_KEYS, *factors, *SUMS]), factors=factors, given_up=())


def within_strata(cells: Cells) -> pd.DataFrame:
    """The index within strata of the same accounts, as `comparison.index` has it."""
    return observed_expected(cells.table.groupby(["unit_key", "stratum"], as_index=False)[["n", *profiling.SUMS[1:]]].sum())


def test_an_index_whose_expectation_is_wrong_where_its_unit_works_is_not_believed_though_the_pool_fits() -> None:
    cells = cornered(4, corner=1.5, share=0.985)
    expected = expected_recovery(cells)
    units = expected.units.set_index("unit_key")
    # Nothing sets d apart, and what is wrong with the model looks like d's own level: the pool passes, the modelled index is 40 % too high.
    assert expected.tests["p_adjusted"].min() > 0.01
    assert units.loc["d", "low"] > 1.25
    told = believed_index(within_strata(cells), expected.units, allocation="judgmental").set_index("unit_key")
    assert told.loc["d", "low"] < 1 < told.loc["d", "high"]
    assert (told.loc["d", "believed"], told.loc["d", "standing"]) == ("strata", "misfit")
    assert units.loc["d", "fit_low"] > 1.2
    assert set(told.loc[["a", "b", "c"], "standing"]) == {"supports"}


def test_an_expectation_that_others_cannot_test_is_not_believed() -> None:
    told = believed_index(
        within_strata(cells := cornered(1, corner=0.6, share=0.99)), expected_recovery(cells).units, allocation="random"
    ).set_index("unit_key")
    assert (told.loc["d", "believed"], told.loc["d", "standing"]) == ("lot", "untested")


def test_an_expectation_in_strata_that_nobody_else_holds_is_untested() -> None:
    cells = cornered(1, corner=1.0, share=0.6)
    own = cells.table["unit_key"] == "d"
    table = cells.table.assign(stratum=cells.table["stratum"].where(~own, "only d | 1"))
    told = believed_index(within_strata(cells), expected_recovery(replace(cells, table=table)).units, allocation="random").set_index(
        "unit_key"
    )
    assert told.loc["d", "standing"] == "absent"
    half = cells.table.assign(stratum=cells.table["stratum"].where(~own | (cells.table["dpd_band"] == "0"), "only d | 1"))
    told = believed_index(within_strata(cells), expected_recovery(replace(cells, table=half)).units, allocation="random").set_index(
        "unit_key"
    )
    assert told.loc["d", "standing"] == "untested"


def test_skill_alone_is_no_misfit() -> None:
    standings = []
    for seed in range(12):
        cells = cornered(seed, corner=1.0, share=0.4, scale=800, skill=1.2)
        told = believed_index(within_strata(cells), expected_recovery(cells).units, allocation="random")
        standings += told["standing"].tolist()
    assert standings.count("supports") >= 0.95 * len(standings)


def test_an_index_that_fits_and_contradicts_the_believed_one_is_said_to() -> None:
    cells = cornered(2, corner=1.0, share=0.4, scale=800)
    modelled = expected_recovery(cells).units
    moved = modelled["unit_key"] == "d"
    modelled.loc[moved, ["value", "low", "high"]] *= 0.75
    told = believed_index(within_strata(cells), modelled, allocation="random").set_index("unit_key")
    assert told.loc["d", "standing"] == "contradicts"
    assert told.loc["d", "p_adjusted"] < 0.01
    alone = believed_index(within_strata(cells).assign(se_log=np.nan), modelled, allocation="random")
    assert set(alone["believed"]) == {"none"}


def test_the_pool_agrees_with_what_it_collected_and_strata_add_up() -> None:
    cells = drawn()
    found = expected_recovery(cells)
    parts = found.strata.groupby(["unit_key", "factor"])[["observed_minor", "expected_minor"]].sum()
    whole = found.units.set_index("unit_key")
    for (unit, _), row in parts.iterrows():
        assert row["observed_minor"] == whole.loc[unit, "observed_minor"]
        assert row["expected_minor"] == pytest.approx(whole.loc[unit, "expected_minor"])
    pool = found.calibration[found.calibration["factor"] == "allocation"][["observed_minor", "expected_minor"]].sum()
    assert pool["expected_minor"] == pytest.approx(pool["observed_minor"], rel=0.01)


def test_a_unit_alone_has_no_expectation() -> None:
    cells = drawn()
    alone = cells.table[cells.table["unit_key"] == "a"]
    found = expected_recovery(Cells(table=alone, factors=cells.factors, given_up=())).units
    assert found["value"].isna().all()
    assert found["note"].tolist() == [NO_PEER]


def test_unknown_factors_are_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterError, match="no placement factor 'scoreband'; did you mean 'score_band'"):
        known_placement_factors(["scoreband", "dpd_band", "dpd_band"])


def test_cells_hold_every_old_enough_placement_once(sample_book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)
    cells = expected_cells(book, PANEL, age=5, factors=DEFAULT_FACTORS, seed=1)
    rows = results_at(book, PANEL, age=5)
    totals = book.frame(rows.agg(accounts=rows.count(), x=rows.balance_minor.sum(), y=rows.cash_minor.sum())).iloc[0]
    assert cells.table[["accounts", "sum_x", "sum_y"]].sum().tolist() == totals.tolist()
    assert (cells.given_up, set(cells.table["fold"])) == ((), {0, 1, 2, 3})
    # Too many cells: the last factors go first, and it is said.
    monkeypatch.setattr(measures_expected, "MOST_CELLS", 500)
    coarse = expected_cells(book, PANEL, age=5, factors=DEFAULT_FACTORS, seed=1)
    assert coarse.factors + coarse.given_up == DEFAULT_FACTORS
    assert coarse.given_up
    assert coarse.table["accounts"].sum() == cells.table["accounts"].sum()


def test_the_sample_shop_ranks_nearer_to_skill_than_raw_rates(sample_book: Path) -> None:
    cells = expected_cells(open_book("sample", as_of=date(2026, 6, 30), folder=sample_book), PANEL, age=5, factors=DEFAULT_FACTORS, seed=1)
    units = expected_recovery(cells).units.set_index("unit_key")
    truth = pd.Series(AGENCY_SKILL).sort_index()
    raw = units["observed_minor"] / units["placed_minor"]
    assert stats.spearmanr(units["value"], truth).statistic - stats.spearmanr(raw, truth).statistic >= 0.3


def test_a_book_without_old_batches_gives_empty_tables() -> None:
    found = expected_recovery(expected_cells(book_from_frames({}, as_of=date(2026, 6, 30)), PANEL, age=-1, factors=DEFAULT_FACTORS, seed=1))
    assert found.units.empty
    assert found.tests.empty
