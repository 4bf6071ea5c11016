"""Groups in which nothing was recorded: found where much was to be expected, left alone where nothing is no surprise."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.profiling.silence import silent_groups


def months(rates: dict[str, float], *, cases: int = 1_000, silent: dict[tuple[str, int], int] | None = None, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (unit, month, (silent or {}).get((unit, month), rng.poisson(rate * cases)), cases)
        for unit, rate in rates.items()
        for month in range(12)
    ]
    return pd.DataFrame(rows, columns=["unit", "month", "observed", "exposure"])


RATES = {"a": 0.1, "b": 0.3, "c": 0.6}


def found(counts: pd.DataFrame) -> list[tuple[str, int]]:
    table = silent_groups(counts, group=["unit"], part=["month"])
    return list(zip(table["unit"], table["month"], strict=True))


def test_a_month_without_records_of_one_unit_is_found_by_hand() -> None:
    table = silent_groups(months(RATES, silent={("a", 4): 0}), group=["unit"], part=["month"])
    row = table.iloc[0]
    assert (len(table), row["unit"], row["month"]) == (1, "a", 4)
    assert row["expected_peers"] == pytest.approx(1_000 * (0.3 + 0.6) / 2, rel=0.1)
    assert row["expected_own"] == pytest.approx(100, rel=0.1)


def test_a_unit_without_any_record_is_found_by_its_peers_and_a_month_without_any_by_the_other_months() -> None:
    assert found(months(RATES, silent={("b", month): 0 for month in range(12)})) == [("b", month) for month in range(12)]
    assert found(months(RATES, silent={(unit, 7): 0 for unit in RATES})) == [("a", 7), ("b", 7), ("c", 7)]


def test_nothing_of_few_cases_or_of_rare_results_is_no_gap() -> None:
    for seed in range(20):
        assert not found(months({"a": 0.002, "b": 0.004, "c": 0.01}, seed=seed))
    assert not found(months(RATES, cases=20, silent={("a", 3): 0, ("b", 5): 0}))


def test_a_table_without_rows_has_no_gap() -> None:
    assert silent_groups(pd.DataFrame(columns=["unit", "month", "observed", "exposure"]), group=["unit"], part=["month"]).empty
