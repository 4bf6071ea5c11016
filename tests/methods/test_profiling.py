"""Observed against expected, checked by hand, against the mix paradox, and by simulation."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.profiling import profiling
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


def from_counts(counts: dict[str, dict[str, tuple[int, int]]]) -> pd.DataFrame:
    """Cells of yes/no cases: unit -> stratum -> (events, cases)."""
    rows = [(unit, stratum, y, n) for unit, strata in counts.items() for stratum, (y, n) in strata.items()]
    table = pd.DataFrame(rows, columns=["unit_key", "stratum", "sum_y", "n"])
    return table.assign(sum_x=table["n"], sum_xx=table["n"], sum_yy=table["sum_y"], sum_xy=table["sum_y"])


def test_nothing_observed_is_an_index_of_zero_with_an_upper_bound() -> None:
    table = profiling.observed_expected(from_counts({"A": {"s": (500, 100_000)}, "B": {"s": (500, 100_000)}, "C": {"s": (0, 1_000)}}))
    row = table.set_index("unit_key").loc["C"]
    assert (row["value"], row["low"], row["note"]) == (0, 0, profiling.NOTHING_OBSERVED)
    # 5 expected, as good as known: Garwood's 3.689 of none; the odds of binomial cases and the counted expectation move it little.
    assert row["high"] * 5 == pytest.approx(3.689, rel=0.02)
    assert np.isnan(row["se_log"])


def test_few_events_have_exact_limits_and_not_those_of_the_log() -> None:
    # 10 of 5 expected: exactly 0.959 to 3.678, by the log exp(log 2 ± 1.96/√10) = 1.076 to 3.717: "more than the others" by the log alone.
    table = profiling.observed_expected(from_counts({"A": {"s": (500, 10**6)}, "B": {"s": (500, 10**6)}, "C": {"s": (10, 10_000)}}))
    row = table.set_index("unit_key").loc["C"]
    assert (row["low"], row["high"]) == (pytest.approx(0.959, abs=0.02), pytest.approx(3.678, abs=0.03))
    assert row["value"] * np.exp(-1.959964 * row["se_log"]) > 1 > row["low"]


def test_of_hospitals_that_do_alike_about_one_in_twenty_leaves_one_out_however_few_the_deaths() -> None:
    rng = np.random.default_rng(8)
    outside, exact, wald = [], [], []
    for _ in range(60):
        cases = rng.integers(60, 700, 37)
        counts = {f"h{place:02d}": {"s": (int(rng.binomial(n, 0.012)), int(n))} for place, n in enumerate(cases)}
        table = profiling.observed_expected(from_counts(counts)).dropna(subset=["se_log"])
        outside.append(((table["low"] > 1) | (table["high"] < 1)).mean())
        exact.append((table["low"] > 1).mean())
        reach = 1.959964 * table["se_log"]
        wald.append((table["value"] * np.exp(-reach) > 1).mean())
    assert np.mean(outside) < 0.05
    # A lower limit above 1 should come about once in forty at most: by the log it comes more often.
    assert np.mean(exact) < 0.025 < 0.03 < np.mean(wald)


def test_where_nothing_varies_the_interval_is_the_ratio() -> None:
    table = profiling.counted(pd.DataFrame({"observed": [3.0], "expected": [2.0], "var_observed": [0.0], "var_expected": [0.0]}))
    assert table[["low", "high"]].iloc[0].tolist() == [1.5, 1.5]


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
