"""Development triangles: a triangle by hand, published ones, and what every projection keeps."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import DataError
from collect_analysis.methods.forecast.triangles import NOTHING_YET, bornhuetter_ferguson, chain_ladder
from hypothesis import given, strategies as st


def triangle(*rows: list[float]) -> pd.DataFrame:
    cells = [(f"b{number}", age, value) for number, row in enumerate(rows) for age, value in enumerate(row, start=1)]
    return pd.DataFrame(cells, columns=["origin", "age", "value"])


def test_three_batches_by_hand() -> None:
    # Factors: (150 + 220) / (100 + 200) = 370/300, then 165/150 = 1.1. Batch b2 at 90 ends at 90 x 1.2333 x 1.1 = 122.1.
    found = chain_ladder(triangle([100, 150, 165], [200, 220], [90]))
    assert found.factors["factor"].tolist() == pytest.approx([370 / 300, 1.1])
    assert found.factors["batches"].tolist() == [2, 1]
    assert found.batches["ultimate"].tolist() == pytest.approx([165, 242, 122.1])
    assert found.batches["to_come"].tolist() == pytest.approx([0, 22, 32.1])
    assert found.total["to_come"] == pytest.approx(54.1)
    # σ²(1) = 100·(1.5 - 1.2333)² + 200·(1.1 - 1.2333)² = 10.667 over one degree of freedom.
    assert found.factors["sigma2"].iloc[0] == pytest.approx(100 * (1.5 - 370 / 300) ** 2 + 200 * (1.1 - 370 / 300) ** 2)
    assert found.batches[["standard_error", "low", "high"]].iloc[0].tolist() == [0, 0, 0]


def test_a_prior_speaks_for_a_young_batch() -> None:
    found = bornhuetter_ferguson(triangle([100, 150, 165], [200, 220], [0]), pd.Series({"b1": 300.0, "b2": 200.0})).set_index("origin")
    assert found.loc["b1", "to_come"] == pytest.approx(300 * (1 - 1 / 1.1))
    assert found.loc["b2", "ultimate"] == pytest.approx(200 * (1 - 1 / (370 / 300 * 1.1)))
    assert found.loc["b0", "note"] == "no prior for this batch"


def test_a_batch_with_nothing_so_far_has_no_projection() -> None:
    found = chain_ladder(triangle([100, 150, 165], [200, 220], [0])).batches.set_index("origin")
    assert np.isnan(found.loc["b2", "ultimate"])
    assert found.loc["b2", "note"] == NOTHING_YET
    assert found.loc["b1", "ultimate"] == pytest.approx(242)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (triangle([1, 2], [1]), "2 batches with 2 ages"),
        (triangle([1, 2, 3]), "1 batches with 3 ages"),
        (triangle([1, 2, -3], [1, 2]), "1 of 5 rows are missing or below 0 (first: b0, age 3)"),
        (pd.concat([triangle([1, 2, 3], [1, 2]), triangle([5])]), "1 of 6 rows repeat a batch and age (first: b0, age 1)"),
        (triangle([1, 2, 3], [1, 2]).query("origin != 'b1' or age != 1"), "first batch with a gap: b1"),
        (triangle([0, 2, 3], [0, 2]), "no batch had collected anything by age 1"),
        (pd.DataFrame({"origin": ["b0"], "age": [1]}), "no column value"),
    ],
)
def test_a_triangle_that_cannot_be_carried_on_is_refused(rows: pd.DataFrame, sentence: str) -> None:
    with pytest.raises(DataError) as raised:
        chain_ladder(rows)
    assert sentence in str(raised.value)


@given(scale=st.floats(0.01, 1e6), seed=st.integers(0, 50))
def test_twice_the_money_is_twice_the_projection_and_the_order_of_rows_says_nothing(scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = triangle(*[np.cumsum(rng.uniform(1, 9, 6 - number)).tolist() for number in range(5)])
    once, scaled = chain_ladder(rows), chain_ladder(rows.assign(value=rows["value"] * scale).sample(frac=1, random_state=seed))
    np.testing.assert_allclose(scaled.factors["factor"], once.factors["factor"])
    np.testing.assert_allclose(scaled.batches["ultimate"], once.batches["ultimate"] * scale)
    assert scaled.total["standard_error"] == pytest.approx(once.total["standard_error"] * scale, rel=1e-6)
    assert (once.batches["ultimate"] >= once.batches["latest"]).all()


def test_the_interval_of_the_total_covers_the_truth() -> None:
    # Mack's own model, simulated: C(k+1) has mean f·C(k) and variance σ²·C(k).
    rng = np.random.default_rng(7)
    factors, sigma2, covered = [2.0, 1.4, 1.2, 1.1, 1.05, 1.02], [40.0, 15.0, 6.0, 3.0, 1.0, 0.5], []
    for _ in range(400):
        full = [rng.uniform(800, 1200, 7)]
        for factor, spread in zip(factors, sigma2, strict=True):
            full.append(factor * full[-1] + rng.normal(0, np.sqrt(spread * full[-1])))
        complete = np.column_stack(full)
        found = chain_ladder(triangle(*[complete[row, : 7 - row].tolist() for row in range(7)]))
        truth = sum(complete[row, -1] - complete[row, 6 - row] for row in range(7))
        covered.append(found.total["low"] <= truth <= found.total["high"])
    assert 0.91 <= np.mean(covered) <= 0.98
