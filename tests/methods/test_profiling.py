"""Observed against expected, checked by hand, against the mix paradox, and by simulation."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods import profiling
from scipy import stats


def cells(rows: list[tuple[str, str, float, float]]) -> pd.DataFrame:
    """Cells of one case each: (unit, stratum, y, x)."""
    frame = pd.DataFrame(rows, columns=["unit_key", "stratum", "sum_y", "sum_x"])
    return frame.assign(n=1, sum_yy=frame["sum_y"] ** 2, sum_xx=frame["sum_x"] ** 2, sum_xy=frame["sum_y"] * frame["sum_x"])


def from_cases(cases: pd.DataFrame) -> pd.DataFrame:
    """Cells from single cases with unit_key, stratum, y, x."""
    cases = cases.assign(n=1, sum_yy=cases["y"] ** 2, sum_xx=cases["x"] ** 2, sum_xy=cases["y"] * cases["x"])
    return cases.rename(columns={"y": "sum_y", "x": "sum_x"}).groupby(["unit_key", "stratum"], as_index=False).sum()


MIX_PARADOX = cells([("A", "fresh", 12, 100), ("A", "aged", 6, 300), ("B", "fresh", 33, 300), ("B", "aged", 1.5, 100)])


def test_the_mix_paradox_is_resolved_to_the_published_indices() -> None:
    table = profiling.observed_expected(MIX_PARADOX, leave_out=False).set_index("unit_key")
    raw = table["observed"] / table["exposure"]
    assert raw.tolist() == pytest.approx([0.045, 0.08625])
    assert table["value"].tolist() == pytest.approx([1.0667, 0.9684], abs=5e-5)


def test_leaving_the_unit_out_compares_it_with_the_others_only() -> None:
    table = profiling.observed_expected(MIX_PARADOX).set_index("unit_key")
    # A at B's rates: 100·33/300 + 300·1.5/100; B at A's: 300·12/100 + 100·6/300.
    assert table["expected"].tolist() == pytest.approx([11 + 4.5, 36 + 2])
    assert table["value"].tolist() == pytest.approx([18 / 15.5, 34.5 / 38])


def test_a_stratum_without_another_unit_counts_on_neither_side() -> None:
    alone = pd.concat([MIX_PARADOX, cells([("A", "only A", 500, 400)])])
    with_it = profiling.observed_expected(alone).set_index("unit_key")
    without = profiling.observed_expected(MIX_PARADOX).set_index("unit_key")
    assert with_it.loc["A", "value"] == without.loc["A", "value"]
    assert with_it.loc["A", "coverage"] == 400 / 800


def test_a_unit_without_comparable_cases_is_undefined_with_a_reason() -> None:
    table = profiling.observed_expected(pd.concat([MIX_PARADOX, cells([("C", "own", 5, 50)])])).set_index("unit_key")
    assert np.isnan(table.loc["C", "value"])
    assert table.loc["C", "note"] == profiling.NO_PEER


def test_nothing_observed_is_an_index_of_zero_without_interval() -> None:
    table = profiling.observed_expected(pd.concat([MIX_PARADOX, cells([("C", "aged", 0, 50)])])).set_index("unit_key")
    assert table.loc["C", "value"] == 0
    assert np.isnan(table.loc["C", "high"])
    assert table.loc["C", "note"] == profiling.NOTHING_OBSERVED


def test_indices_do_not_depend_on_currency_order_or_other_groups() -> None:
    doubled = MIX_PARADOX.assign(
        sum_y=MIX_PARADOX["sum_y"] * 2, sum_yy=MIX_PARADOX["sum_yy"] * 4, sum_xy=MIX_PARADOX["sum_xy"] * 2, age=1
    ).sample(frac=1, random_state=3)
    both = pd.concat([MIX_PARADOX.assign(age=0), doubled])
    table = profiling.observed_expected(both, by=["age"])
    first, second = (table[table["age"] == age].reset_index(drop=True) for age in (0, 1))
    columns = ["value", "se_log", "low", "high", "coverage"]
    pd.testing.assert_frame_equal(first[columns], second[columns])


def draw_cases(rng: np.random.Generator, skill: dict[str, float], customers: int) -> pd.DataFrame:
    """Heavy-tailed money: one customer in eight pays a lognormal share; the better a stratum, the more unit A gets of it."""
    stratum = rng.integers(0, 3, customers)
    pull = np.array([[0.6, 0.3, 0.1], [0.3, 0.4, 0.3], [0.1, 0.3, 0.6]])[stratum]
    unit = np.array(["A", "B", "C"])[(rng.random(customers)[:, None] > pull.cumsum(axis=1)).sum(axis=1)]
    x = rng.lognormal(0, 0.8, customers)
    rate = np.array([0.4, 0.2, 0.1])[stratum] * pd.Series(unit).map(skill).to_numpy()
    y = x * (rng.random(customers) < 0.125) * rate * 8 * rng.lognormal(-0.18, 0.6, customers)
    return pd.DataFrame({"unit_key": unit, "stratum": stratum.astype(str), "y": y, "x": x})


def test_intervals_cover_the_true_index_in_about_95_of_100_replications() -> None:
    rng = np.random.default_rng(5)
    hits = []
    for _ in range(150):
        table = profiling.observed_expected(from_cases(draw_cases(rng, {"A": 1, "B": 1, "C": 1}, 4000)))
        hits += ((table["low"] <= 1) & (table["high"] >= 1)).tolist()
    # 450 intervals: 95 % with a simulation error of about 1.2 points (the three indices of a panel depend on each other).
    assert 0.92 < np.mean(hits) < 0.98


def test_the_index_finds_the_better_unit_that_the_raw_rate_hides() -> None:
    cases = draw_cases(np.random.default_rng(7), {"A": 0.8, "B": 1.0, "C": 1.25}, 60_000)
    sums = cases.groupby("unit_key")[["y", "x"]].sum()
    table = profiling.observed_expected(from_cases(cases))
    assert (sums["y"] / sums["x"]).idxmax() == "A"
    assert table["value"].is_monotonic_increasing
    # C by hand: its rates 1.25·(0.4, 0.2, 0.1) on a tenth, three tenths and six tenths of three equal strata, against A and B, whose mean
    # skill there is 0.8667, 0.9143 and 0.95.
    truth = 1.25 * (0.04 + 0.06 + 0.06) / (0.04 * 0.8667 + 0.06 * 0.9143 + 0.06 * 0.95)
    assert abs(np.log(table.loc[2, "value"] / truth)) < 3 * table.loc[2, "se_log"]


def test_months_to_separate_ten_percent_by_hand() -> None:
    # se 0.05 from 6 months: 6·(0.05·(1.95996 + 0.84162)/0.0953102)² = 12.9605
    assert profiling.months_to_separate([0.05], [6])[0] == pytest.approx(12.9605, abs=1e-4)
    assert np.isnan(profiling.months_to_separate([np.nan], [6])[0])


def test_a_fair_lot_is_not_blamed_and_a_steered_one_is() -> None:
    rng = np.random.default_rng(11)

    def drawn(shares: list[float]) -> pd.DataFrame:
        planned = np.array([0.5, 0.3, 0.2])
        cases = rng.multinomial(2000, shares)
        return pd.DataFrame(
            {
                "unit_key": list("ABC"),
                "cases": cases,
                "weighted": cases / planned,
                "spread": cases * (1 - planned) / planned**2,
                "drawn": 2000,
            }
        )

    fair = [profiling.allocation_drift(drawn([0.5, 0.3, 0.2]))["p_value"].min() for _ in range(300)]
    assert np.mean(np.array(fair) < 0.05) < 0.08
    assert profiling.allocation_drift(drawn([0.4, 0.4, 0.2]))["p_value"].min() < 1e-3


def test_drift_of_one_draw_equals_the_binomial_z() -> None:
    counts = pd.DataFrame({"unit_key": ["A"], "cases": [540], "weighted": [1080.0], "spread": [540 * 0.5 / 0.25], "drawn": [1000]})
    table = profiling.allocation_drift(counts)
    # (540 - 500) / sqrt(540·0.5): the binomial z with the observed count in its variance.
    assert table.loc[0, "z"] == pytest.approx(40 / np.sqrt(270))
    assert table.loc[0, "p_value"] == pytest.approx(2 * stats.norm.sf(40 / np.sqrt(270)))
