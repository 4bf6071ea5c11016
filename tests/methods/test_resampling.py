"""The bucket bootstrap: like scipy's on light tails, better than Student's t on lopsided ones, the same for the same seed."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.rates.resampling import FEW_BUCKETS, bootstrap_t
from scipy import stats


def buckets_of(rng: np.random.Generator, values: dict[str, np.ndarray], count: int = 400) -> pd.DataFrame:
    parts = []
    for arm, y in values.items():
        bucket = rng.integers(0, count, len(y))
        parts.append(pd.DataFrame({"arm": arm, "bucket": bucket, "n": 1, "y": y}).groupby(["arm", "bucket"], as_index=False).sum())
    return pd.concat(parts, ignore_index=True)


def test_on_light_tails_it_is_the_interval_of_student() -> None:
    rng = np.random.default_rng(1)
    old, new = rng.normal(50, 10, 4_000), rng.normal(51, 10, 4_000)
    row = bootstrap_t(buckets_of(rng, {"old": old, "new": new}), base="old", seed=1, draws=1999).iloc[0]
    expected = stats.ttest_ind(new, old, equal_var=False)
    low, high = expected.confidence_interval(0.95)
    assert row["value"] == pytest.approx(new.mean() - old.mean())
    assert [row["low"], row["high"]] == pytest.approx([low, high], abs=0.08)


def test_large_payers_stretch_the_interval_to_their_side() -> None:
    rng = np.random.default_rng(2)
    old, new = np.zeros(3_000), rng.lognormal(3, 1.8, 3_000) * (rng.random(3_000) < 0.1)
    old[:300] = 20.0
    row = bootstrap_t(buckets_of(rng, {"old": old, "new": new}), base="old", seed=1).iloc[0]
    assert row["high"] - row["value"] > 1.2 * (row["value"] - row["low"])


def test_lopsided_amounts_are_covered_more_often_than_by_students_t() -> None:
    rng = np.random.default_rng(3)
    truth = np.exp(1.5**2 / 2)
    covered = {"t": 0, "bootstrap": 0}
    for seed in range(120):
        old, new = np.full(60, 1.0) + rng.normal(0, 0.01, 60), rng.lognormal(0, 1.5, 60)
        interval = stats.ttest_ind(new, old, equal_var=False).confidence_interval(0.95)
        covered["t"] += interval.low <= truth - 1 <= interval.high
        row = bootstrap_t(buckets_of(rng, {"old": old, "new": new}, count=4_000), base="old", seed=seed, draws=399).iloc[0]
        covered["bootstrap"] += row["low"] <= truth - 1 <= row["high"]
    assert covered["bootstrap"] > covered["t"]
    assert covered["bootstrap"] / 120 > 0.88


def test_the_same_seed_gives_the_same_interval_whatever_the_order_of_rows() -> None:
    rng = np.random.default_rng(4)
    table = buckets_of(rng, {"old": rng.gamma(1, 5, 500), "a": rng.gamma(1, 6, 500), "b": rng.gamma(1, 7, 500)})
    one = bootstrap_t(table, base="old", seed=5, draws=199)
    other = bootstrap_t(table.sample(frac=1, random_state=1), base="old", seed=5, draws=199)
    pd.testing.assert_frame_equal(one, other)
    assert one["arm"].tolist() == ["a", "b"]
    assert not one[["low", "high"]].equals(bootstrap_t(table, base="old", seed=6, draws=199)[["low", "high"]])


def test_too_few_groups_give_no_interval_and_a_reason() -> None:
    table = pd.DataFrame({"arm": ["new"] * 19 + ["old"] * 50, "bucket": [*range(19), *range(50)], "n": 1, "y": np.arange(69.0)})
    row = bootstrap_t(table, base="old", seed=1, draws=99).iloc[0]
    assert np.isnan(row["low"])
    assert row["note"] == FEW_BUCKETS
    assert row["value"] == pytest.approx(9.0 - 43.5)
