"""The tests of a chain against scipy, chains drawn with and without memory, and how often they cry wolf."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.forecast.markov_tests import ONE_KIND, departures, matters, order_test, stationarity_test
from scipy import stats

FIRST = np.array([[0.7, 0.2, 0.1], [0.4, 0.3, 0.3], [0.1, 0.2, 0.7]])
# Given bucket 1, who came down from 2 falls back more than who rolled in from 0.
MEMORY = [FIRST, FIRST, np.array([[0.7, 0.2, 0.1], [0.15, 0.3, 0.55], [0.1, 0.2, 0.7]])]


def drawn(memory: list[np.ndarray], *, accounts: int, months: int, seed: int) -> np.ndarray:
    """States by account and month; `memory` holds one matrix per state before."""
    rng = np.random.default_rng(seed)
    path = rng.integers(3, size=(accounts, months))
    steps = np.cumsum(np.stack(memory), axis=2)
    for month in range(2, months):
        chance = rng.random(accounts)[:, None]
        path[:, month] = (chance >= steps[path[:, month - 2], path[:, month - 1]]).sum(axis=1).clip(max=2)
    return path


def triples(path: np.ndarray) -> pd.DataFrame:
    """Previous, from, to, month of every account after its first three months, counted."""
    counts = np.zeros((3, 3, 3, path.shape[1]), dtype=int)
    for month in range(3, path.shape[1]):
        np.add.at(counts, (path[:, month - 2], path[:, month - 1], path[:, month], month), 1)
    found = pd.DataFrame(np.argwhere(counts > 0), columns=["previous", "from", "to", "month"])
    return found.astype({"previous": str, "from": str, "to": str}).assign(count=counts[counts > 0])


def test_both_tests_are_the_chi_square_of_their_tables() -> None:
    found = triples(drawn(MEMORY, accounts=800, months=6, seed=1))
    for test, group in ((order_test, "previous"), (stationarity_test, "month")):
        ours = test(found).set_index("from")
        total, freedom = 0.0, 0
        for state, part in found.groupby("from"):
            table = part.pivot_table(index=group, columns="to", values="count", aggfunc="sum").to_numpy()
            expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
            own, df = float(((table - expected) ** 2 / expected).sum()), (table.shape[0] - 1) * (table.shape[1] - 1)
            assert ours.loc[state, ["statistic", "df", "p_value"]].astype(float).tolist() == pytest.approx(
                [own, df, stats.chi2.sf(own, df)]
            )
            total, freedom = total + own, freedom + df
        assert ours.loc["all", "statistic"] == pytest.approx(total)
        assert ours.loc["all", "p_value"] == pytest.approx(stats.chi2.sf(total, freedom))


def test_a_chain_with_memory_is_flagged_where_it_has_it() -> None:
    told = order_test(triples(drawn(MEMORY, accounts=3000, months=8, seed=2))).set_index("from")
    assert {state: matters(row) for state, row in told.iterrows()} == {"0": False, "1": True, "2": False, "all": True}


def test_a_chain_without_memory_is_rarely_flagged() -> None:
    p_values, flagged = [], 0
    for seed in range(100):
        told = order_test(triples(drawn([FIRST] * 3, accounts=300, months=6, seed=seed))).set_index("from")
        p_values.append(told.loc["all", "p_value"])
        flagged += sum(matters(row) for _, row in told.iterrows())
    assert 0.01 <= np.mean(np.array(p_values) < 0.05) <= 0.10
    # Small samples depart by 0.1 by chance; then the p-value decides, at 1 %.
    assert flagged / 400 <= 0.03


def test_a_large_book_with_a_trifling_departure_is_not_flagged() -> None:
    counts = [("0", 70_000, 30_000), ("1", 69_000, 31_000)]
    rows = [(before, "0", to, count) for before, stay, roll in counts for to, count in (("0", stay), ("1", roll))]
    told = order_test(pd.DataFrame(rows, columns=["previous", "from", "to", "count"])).iloc[0]
    assert told["p_value"] < 1e-5
    assert told["effect"] < 0.1
    assert not matters(told)


def test_one_kind_of_account_cannot_be_compared() -> None:
    one = pd.DataFrame({"previous": ["0"], "from": ["1"], "to": ["2"], "count": [500]})
    told = order_test(one)
    assert told["note"].tolist() == [ONE_KIND, ONE_KIND]
    assert told["p_value"].isna().all()


def test_the_month_that_was_unlike_the_others_is_named() -> None:
    parts = []
    for month in range(6):
        stay = 500 if month == 4 else 800
        parts.append(pd.DataFrame({"month": month, "from": "1", "to": ["1", "2"], "count": [stay, 1000 - stay]}))
    found = departures(pd.concat(parts))
    assert found.loc[found["effect"].idxmax(), "month"] == 4
    # Of the pooled 75 % staying: (500 - 750)² / 750 + (500 - 250)² / 250 = 333.3, less 1 degree, over 1,000 cases.
    assert found.loc[4, "effect"] == pytest.approx(np.sqrt((333.3333 - 1) / 1000), rel=1e-5)
