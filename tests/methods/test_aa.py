"""False positives of re-draws: right where customers are counted once, found out where they are not."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.trials.aa_test import false_positives, redraws
from collect_analysis.methods.trials.assignment import hash_bucket
from collect_analysis.methods.trials.experiments import SUMS, arm_means, compare_arms

HALF = {"champion": 0.5, "challenger": 0.5}


def bucket_sums(customers: pd.DataFrame) -> pd.DataFrame:
    """Sums per bucket of customers with n accounts and y of them with a result above zero."""
    n, y = customers["n"], customers["y"]
    table = pd.DataFrame(
        {
            "bucket": customers["bucket"], "clusters": 1.0, "cases": n, "positive": y, "sum_y": y, "sum_y2": y, "sum_yy": y * y, "sum_yn": y * n,
            "sum_nn": n * n,
        }
    )  # fmt: skip
    return table.groupby("bucket", as_index=False)[SUMS].sum().assign(outcome="payer_rate", unit="share", horizon_days=90)


def customers(number: int, *, accounts: int = 1, seed: int = 1) -> pd.DataFrame:
    """All accounts of a customer turn out alike: a fifth of the customers pay on every account."""
    rng = np.random.default_rng(seed)
    paid = rng.random(number) < 0.2
    buckets = [hash_bucket(f"cus-{item}", "past") for item in range(number)]
    return pd.DataFrame({"bucket": buckets, "n": float(accounts), "y": paid * float(accounts)})


def test_arms_treated_alike_come_out_different_in_one_draw_of_twenty() -> None:
    found = redraws(bucket_sums(customers(12_000, accounts=3)), HALF, base="champion", draws=600, seed=1)
    (row,) = false_positives(found).to_dict("records")
    assert row["low"] < 0.05 < row["high"]
    assert row["in_range"]
    assert row["denominator"] == 600


def test_customers_counted_as_often_as_they_have_accounts_are_found_out() -> None:
    # Planted: the accounts of a customer taken for independent customers, as a list per account would.
    sums = bucket_sums(customers(12_000, accounts=3))
    wrong = sums.assign(clusters=sums["cases"], sum_yy=sums["sum_y"], sum_yn=sums["sum_y"], sum_nn=sums["cases"])
    (row,) = false_positives(redraws(wrong, HALF, base="champion", draws=600, seed=1)).to_dict("records")
    # Errors too small by √3: P(|z| > 1.96/√3) = 25.8 %.
    assert row["value"] == pytest.approx(0.258, abs=0.06)
    assert not row["in_range"]


def test_shuffled_buckets_spread_as_customers_hashed_again_do() -> None:
    people = customers(3_000)
    shuffled = redraws(bucket_sums(people), HALF, base="champion", draws=400, seed=2)["value"]
    again = []
    for salt in range(400):
        digits = np.array([hash_bucket(f"cus-{item}", f"salt-{salt}") for item in range(0, 3_000, 1)]) < 5_000
        again.append(people["y"][~digits].mean() - people["y"][digits].mean())
    assert shuffled.std() == pytest.approx(np.std(again), rel=0.12)


def test_a_draw_compares_exactly_the_sums_of_its_buckets() -> None:
    sums = bucket_sums(customers(2_000))
    found = redraws(sums, HALF, base="champion", draws=1, seed=7)
    place = np.empty(10_000, dtype=int)
    place[np.argsort(np.random.default_rng(7).random((1, 10_000)), axis=1)[0]] = np.arange(10_000)
    arms = np.where(place[sums["bucket"]] < 5_000, "champion", "challenger")
    by_hand = sums.assign(arm=arms).groupby(["outcome", "unit", "horizon_days", "arm"], as_index=False)[SUMS].sum()
    effect = compare_arms(arm_means(by_hand), base="champion")
    assert found["p_value"].iloc[0] == pytest.approx(effect["p_value"].iloc[0], rel=1e-12)


def test_several_challengers_share_one_error_rate() -> None:
    shares = {"champion": 0.4, "a": 0.3, "b": 0.3}
    (row,) = false_positives(redraws(bucket_sums(customers(6_000)), shares, base="champion", draws=600, seed=3)).to_dict("records")
    assert row["value"] == pytest.approx(0.045, abs=0.03)


def test_too_few_payers_leave_no_rate() -> None:
    people = customers(200).assign(y=0.0)
    (row,) = false_positives(redraws(bucket_sums(people), HALF, base="champion", draws=100, seed=1)).to_dict("records")
    assert np.isnan(row["value"])
    assert row["note"] == "no draw could be compared"
    assert not row["in_range"]
