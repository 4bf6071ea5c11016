"""Who gets which arm: hand-made hashes, exact blocks, standardised differences by hand."""

import hashlib

import pandas as pd
import pytest
from collect_analysis.errors import ParameterError
from collect_analysis.methods.trials.assignment import BUCKETS, block_slots, bucket_limits, hash_bucket, salt_id, standardised_differences
from hypothesis import given, strategies as st

HALF = {"champion": 0.5, "challenger": 0.5}


def test_the_bucket_of_a_customer_is_the_fraction_of_its_salted_sha256() -> None:
    # By hand: SHA-256("autumn:cus-1") starts with these digits; their share of 2^32 times 10,000, cut off.
    digits = hashlib.sha256(b"autumn:cus-1").hexdigest()[:8]
    assert hash_bucket("cus-1", "autumn") == int(int(digits, 16) / 2**32 * 10_000)
    assert hash_bucket("cus-1", "autumn") == hash_bucket("cus-1", "autumn")
    assert salt_id("autumn") == hashlib.sha256(b"autumn").hexdigest()[:12]


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_every_key_has_a_bucket_between_0_and_9999(key: str, salt: str) -> None:
    assert 0 <= hash_bucket(key, salt) < BUCKETS


def test_buckets_are_filled_evenly() -> None:
    found = pd.Series([hash_bucket(f"cus-{number}", "even") // 1000 for number in range(20_000)]).value_counts()
    # Ten parts of 2,000 expected each; four standard deviations are 170.
    assert (found - 2_000).abs().max() < 170


@pytest.mark.parametrize(
    ("shares", "slots"),
    [
        (HALF, ("champion", "challenger")),
        ({"a": 0.9, "b": 0.1}, ("a",) * 5 + ("b",) + ("a",) * 4),
        ({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, ("a", "b", "c")),
        ({"a": 0.5, "b": 0.25, "c": 0.25}, ("b", "c", "a", "a")),
    ],
)
def test_a_block_holds_every_arm_with_its_exact_share(shares: dict, slots: tuple) -> None:
    found = block_slots(shares)
    assert sorted(found) == sorted(slots)
    for arm, share in shares.items():
        assert found.count(arm) / len(found) == pytest.approx(share)


@given(st.integers(1, 99))
def test_whole_percent_always_fit_a_block_and_all_buckets(percent: int) -> None:
    shares = {"a": percent / 100, "b": 1 - percent / 100}
    assert block_slots(shares).count("a") / len(block_slots(shares)) == pytest.approx(percent / 100)
    limits = bucket_limits(shares)
    assert limits["a"] == (0, percent * 100)
    assert limits["b"] == (percent * 100, BUCKETS)


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        ({"a": 1.0, "b": 0.0}, r"1 arm\(s\) have no share: b \(0\)"),
        ({"a": 0.6, "b": 0.5}, "sum to 1.1"),
        ({"a": 0.99713, "b": 0.00287}, "fit no block of at most 100"),
    ],
)
def test_shares_that_cannot_be_drawn_are_refused(shares: dict, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        block_slots(shares)


def test_standardised_difference_by_hand() -> None:
    # Arms 1, 3 and 2, 6: means 2 and 4, variances 2 and 8, pooled √5.
    sums = pd.DataFrame({"variable": "x", "arm": ["champion", "challenger"], "cases": [2, 2], "sum_x": [4.0, 8.0], "sum_xx": [10.0, 40.0]})
    (row,) = standardised_differences(sums, base="champion").to_dict("records")
    assert row["standardised"] == pytest.approx(2 / 5**0.5)
    assert (row["mean"], row["base_mean"]) == (4, 2)
