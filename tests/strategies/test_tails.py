"""Large payers, what came after an early horizon, and cash of the balance: the sums against pandas."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.measures import arms
from collect_analysis.measures.cohort import Cohort, open_cohort
from collect_analysis.methods.rates.resampling import bootstrap_t
from collect_analysis.methods.trials.experiments import arm_means, compare_ratios
from collect_analysis.strategies.strategy_review.measures_tails import tail_sums

AS_OF = date(2026, 6, 30)
ARMS = ["old", "new"]


@pytest.fixture(scope="module")
def paid() -> tuple[Book, Cohort, pd.DataFrame]:
    """3,000 accounts of 1,500 customers; 20 % pay, a few of them very much."""
    rng = np.random.default_rng(7)
    n = 3_000
    frame = pd.DataFrame(
        {"experiment_id": "e", "subject_key": [f"s{i}" for i in range(n)], "customer_key": [f"c{i // 2}" for i in range(n)]}
    )
    frame["arm"] = np.where(np.arange(n) // 2 % 2, "new", "old")
    frame["outcome_cash_minor"] = np.where(rng.random(n) < 0.2, np.round(rng.lognormal(8, 2, n)), 0).astype("int64")
    frame["covariate_owed_minor"] = rng.integers(1_000, 90_000, n)
    roles = {"cohort.outcome_cash_minor": {"kind": "money"}, "cohort.covariate_owed_minor": {"measured": "before"}}
    book = book_from_frames({"cohort": frame}, as_of=AS_OF, roles=roles)
    return book, open_cohort(book, "e", arms=ARMS, horizon_days=90), frame


def test_plain_cut_and_shortened_sums_are_those_of_pandas(paid: tuple[Book, Cohort, pd.DataFrame]) -> None:
    book, cohort, frame = paid
    found = tail_sums(book, cohort, ARMS, cohort.outcome("cash", 90), seed=1)
    customers = frame.groupby(["arm", "customer_key"])["outcome_cash_minor"].agg(["sum", "size"]).reset_index()
    threshold = customers["sum"].quantile(0.995)
    ways = {
        "plain": customers,
        "winsorised": customers.assign(sum=customers["sum"].clip(upper=threshold)),
        "largest_excluded": customers.drop(index=customers["sum"].nlargest(10).index),
    }
    means = arm_means(found.sums[found.sums["method"] == "plain"].drop(columns="method")).set_index("arm")
    usual = arm_means(arms.arm_sums(book, cohort, ARMS, [cohort.outcome("cash", 90)])).set_index("arm")
    assert means[["value", "variance", "low"]].to_numpy() == pytest.approx(usual[["value", "variance", "low"]].to_numpy())
    for method, table in ways.items():
        own = found.sums[found.sums["method"] == method].set_index("arm")
        for arm, part in table.groupby("arm"):
            expected = [len(part), part["size"].sum(), part["sum"].sum(), (part["sum"] ** 2).sum(), (part["sum"] * part["size"]).sum()]
            assert own.loc[arm, ["clusters", "cases", "sum_y", "sum_yy", "sum_yn"]].tolist() == pytest.approx(expected)


def test_the_largest_payers_bring_what_they_bring(paid: tuple[Book, Cohort, pd.DataFrame]) -> None:
    book, cohort, frame = paid
    found = tail_sums(book, cohort, ARMS, cohort.outcome("cash", 90), seed=1).concentration
    customers = frame.groupby(["arm", "customer_key"])["outcome_cash_minor"].sum()
    top = customers.nlargest(15)
    assert found["cases"].sum() == 15
    assert found["numerator"].sum() / found["denominator"].sum() == pytest.approx(top.sum() / customers.sum())


def test_buckets_hold_every_customer_once_and_follow_the_seed(paid: tuple[Book, Cohort, pd.DataFrame]) -> None:
    book, cohort, frame = paid
    outcome = cohort.outcome("cash", 90)
    one, again, other = (tail_sums(book, cohort, ARMS, outcome, seed=seed).buckets for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, again)
    assert not one["bucket"].equals(other["bucket"])
    totals = one.groupby("arm")[["n", "y"]].sum()
    expected = frame.groupby("arm")["outcome_cash_minor"].agg(["size", "sum"])
    assert totals.to_numpy() == pytest.approx(expected.to_numpy())
    row = bootstrap_t(one, base="old", seed=1).iloc[0]
    assert row["value"] == pytest.approx((expected["sum"] / expected["size"]).loc[["old", "new"]].diff().iloc[-1])


def test_where_hardly_anybody_pays_there_is_nothing_to_cut() -> None:
    frame = pd.DataFrame({"experiment_id": "e", "subject_key": [f"s{i}" for i in range(1_000)], "outcome_cash_minor": 0})
    frame["arm"] = np.where(frame.index % 2, "new", "old")
    frame.loc[[0, 1, 2], "outcome_cash_minor"] = [5, 6, 7]
    book = book_from_frames({"cohort": frame}, as_of=AS_OF, roles={"cohort.outcome_cash_minor": {"kind": "money"}})
    cohort = open_cohort(book, "e", arms=ARMS, horizon_days=90)
    sums = tail_sums(book, cohort, ARMS, cohort.outcome("cash", 90), seed=1).sums.set_index("method")
    assert set(sums.loc["winsorised", "note"]) == {"fewer than 0.5 % have an amount: nothing to cut off"}
    assert set(sums.loc["plain", "note"]) == {""}


def test_cash_of_the_balance_is_a_ratio_of_sums(paid: tuple[Book, Cohort, pd.DataFrame]) -> None:
    book, cohort, frame = paid
    table = compare_ratios(arms.ratio_sums(book, cohort, ARMS, over="owed_minor", horizon_days=90), base="old").iloc[0]
    sums = frame.groupby("arm")[["outcome_cash_minor", "covariate_owed_minor"]].sum()
    ratio = sums["outcome_cash_minor"] / sums["covariate_owed_minor"]
    assert [table["mean"], table["base_mean"]] == pytest.approx([ratio["new"], ratio["old"]])
    # Delta method by hand: the residuals y - r·x of the customers.
    variance = 0.0
    for arm, part in frame.groupby("arm"):
        own = part.groupby("customer_key")[["outcome_cash_minor", "covariate_owed_minor"]].sum()
        residual = own["outcome_cash_minor"] - ratio[arm] * own["covariate_owed_minor"]
        variance += len(own) / (len(own) - 1) * (residual**2).sum() / own["covariate_owed_minor"].sum() ** 2
    assert (table["high"] - table["value"]) / 1.959964 == pytest.approx(np.sqrt(variance), rel=1e-6)


def test_a_balance_that_is_not_known_of_everybody_gives_no_ratio(paid: tuple[Book, Cohort, pd.DataFrame]) -> None:
    _, _, frame = paid
    holes = frame.assign(covariate_owed_minor=frame["covariate_owed_minor"].astype("Int64").mask(frame.index == 4))
    for roles in ({"measured": "before"}, {"measured": "after"}):
        table = frame if roles["measured"] == "after" else holes
        named = {"cohort.outcome_cash_minor": {"kind": "money"}, "cohort.covariate_owed_minor": roles}
        book = book_from_frames({"cohort": table}, as_of=AS_OF, roles=named)
        cohort = open_cohort(book, "e", arms=ARMS, horizon_days=90)
        assert arms.ratio_sums(book, cohort, ARMS, over="owed_minor", horizon_days=90).empty
