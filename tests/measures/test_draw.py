"""The draw in the engine: as the hash says by hand, exact to the block, sticky, the same in any order, and no frame of customers."""

from datetime import date
from pathlib import Path

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.measures import assignment
from collect_analysis.measures.assignment import DrawPlan
from collect_analysis.methods.trials.assignment import bucket_limits, hash_bucket, salt_id as id_of_salt
from collect_analysis.report.operational_lists import write_list

AS_OF = date(2026, 6, 30)
HALF = {"champion": 0.5, "challenger": 0.5}
EMPTY = book_from_frames({}, as_of=AS_OF)


def accounts(customers: int, *, each: int = 1, seed: int = 1) -> pd.DataFrame:
    """Accounts as `history.members` gives them, `each` of them per customer."""
    rng = np.random.default_rng(seed)
    number = customers * each
    owner = np.arange(number) // each
    return pd.DataFrame(
        {
            "subject_key": [f"acc-{item:06d}" for item in range(number)], "cluster_key": [f"cus-{item:06d}" for item in owner],
            "product": np.where(rng.random(number) < 0.5, "card", "loan"), "region": "hcm",
            "balance": (rng.pareto(2.0, number) * 1e6).astype("int64") + 1_000,
            "bucket": rng.integers(2, 5, number), "score": rng.normal(600, 40, number).round(1),
        }
    )  # fmt: skip


def inside(frame: pd.DataFrame, book: Book = EMPTY) -> ir.Table:
    """The frame as a table of the book's engine."""
    engine = book._engine
    name = f"rows_{id(frame)}"
    engine.register_frame(name, frame, {})
    return engine.table(name)


def plan(**changes) -> DrawPlan:
    return DrawPlan(**{"experiment_id": "e", "salt": "autumn", "shares": HALF, "strata": ("bucket",), **changes})


def drawn(rows: pd.DataFrame, book: Book = EMPTY, **changes) -> tuple[assignment.Draw, pd.DataFrame]:
    found = assignment.draw(book, inside(rows, book), plan(**changes))
    return found, book.frame(found.customers).set_index("customer_key").sort_index()


def test_the_engine_puts_every_customer_into_the_bucket_that_the_hash_says() -> None:
    keys = pd.DataFrame({"key": [f"khách-{item}" for item in range(500)]})
    table = inside(keys)
    found = EMPTY.frame(table.mutate(bucket=assignment.hash_buckets(table["key"], "autumn")))
    assert list(found["bucket"]) == [hash_bucket(key, "autumn") for key in found["key"]]


def test_by_hash_the_arm_is_that_of_the_bucket_and_more_customers_change_nobody() -> None:
    shares = {"champion": 0.9, "challenger": 0.1}
    _, few = drawn(accounts(800), mode="hash", shares=shares)
    _, many = drawn(accounts(2_000, seed=9), mode="hash", shares=shares)
    limits = bucket_limits(shares)
    for key, arm in few["arm"].items():
        first, after = limits[arm]
        assert first <= hash_bucket(str(key), "autumn") < after
    # The balances, strata and neighbours of the same customers differ in the larger list; their arms do not.
    assert (many.loc[few.index, "arm"] == few["arm"]).all()
    assert set(few["probability"][few["arm"] == "challenger"]) == {0.1}


def test_in_blocks_every_stratum_holds_its_shares_to_the_block() -> None:
    shares = {"champion": 0.5, "a": 0.3, "b": 0.2}
    found, people = drawn(accounts(2_345), shares=shares, strata=("bucket", "balance_band", "product"))
    assert found.block == 10
    counts = people.reset_index().pivot_table(index="stratum", columns="arm", values="accounts", aggfunc="count", fill_value=0)
    size = counts.sum(axis=1)
    for arm, share in shares.items():
        full = (size // 10) * 10 * share
        assert (counts[arm] >= full - 1e-9).all()
        assert (counts[arm] <= full + (size % 10)).all()
    strata = assignment.strata_table(EMPTY, found)
    assert strata["cases"].sum() == 2_345
    # Slots are spread, so that even an unfilled block is within two customers of its shares.
    assert strata["off_by"].max() < 2


def test_blocks_make_equal_counts_and_nearly_equal_balances() -> None:
    rows = accounts(4_000)
    found, _ = drawn(rows, strata=())
    counts = assignment.arm_counts(EMPTY, found).set_index("arm")
    assert counts.loc["champion", "customers"] == counts.loc["challenger", "customers"] == 2_000
    apart = abs(counts["balance_minor"].diff().iloc[-1]) / counts["balance_minor"].sum()
    by_hash, _ = drawn(rows, strata=(), mode="hash")
    hashed = assignment.arm_counts(EMPTY, by_hash)["balance_minor"]
    # Neighbours differ little, so that what is left is the few largest balances.
    assert apart < 0.02
    assert apart < abs(hashed.diff().iloc[-1]) / hashed.sum() + 0.02


def test_every_customer_has_each_arm_with_its_share_also_in_an_unfilled_block() -> None:
    # 2,000 strata of five customers and blocks of four: the one owed least on is alone in its block.
    rows = accounts(10_000).assign(region=lambda table: "r" + (table.index // 5).astype(str))
    _, people = drawn(rows, shares={"champion": 0.75, "challenger": 0.25}, strata=("region",))
    place = people.groupby("stratum")["balance"].rank(method="first", ascending=False)
    chosen = (people["arm"] == "challenger").groupby(place).mean()
    # A quarter at every place; five standard deviations of 2,000 draws are 0.048.
    assert list(chosen.index) == [1, 2, 3, 4, 5]
    assert (chosen - 0.25).abs().max() < 0.048


def test_the_order_of_the_rows_and_a_second_run_change_nothing(tmp_path: Path) -> None:
    rows = accounts(1_500, each=2)
    first, _ = drawn(rows)
    shuffled, _ = drawn(rows.sample(frac=1, random_state=3))
    lists = [write_list("assignment", assignment.list_batches(EMPTY, found), run_folder=None) for found in (first, shuffled)]
    assert lists[0].sha256 == lists[1].sha256
    assert lists[0].rows == 3_000
    other = write_list("assignment", assignment.list_batches(EMPTY, drawn(rows, salt="winter")[0]), run_folder=None)
    assert other.sha256 != lists[0].sha256


def test_all_accounts_of_a_customer_get_one_arm_and_the_list_says_how() -> None:
    found, people = drawn(accounts(700, each=3))
    listed = EMPTY.frame(assignment.listing(found))
    assert tuple(listed.columns) == assignment.LIST_COLUMNS
    assert len(listed.drop_duplicates(["customer_key", "arm"])) == 700
    assert assignment.in_several_arms(EMPTY, found) == 0
    assert set(listed["probability"]) == {0.5}
    assert set(listed["salt_id"]) == {id_of_salt("autumn")}
    assert people["accounts"].eq(3).all()


def held(arm: str, keys: list[str]) -> Book:
    decisions = pd.DataFrame(
        {
            "decision_key": [f"d{number}" for number in range(len(keys))], "account_key": "x", "customer_key": keys, "kind": "experiment",
            "decided_utc": pd.Timestamp("2026-06-01"), "experiment_id": "e", "arm": arm, "propensity": 0.5, "from_date": date(2026, 6, 1),
        }
    )  # fmt: skip
    return book_from_frames({"decision": decisions}, as_of=AS_OF)


@pytest.mark.parametrize("mode", ["blocks", "hash"])
def test_who_has_an_arm_keeps_it_and_the_others_are_drawn_without_them(mode: str) -> None:
    rows = accounts(600)
    keys = [f"cus-{number:06d}" for number in range(200)]
    book = held("challenger", keys)
    found, people = drawn(rows, book, mode=mode, strata=())
    assert (people.loc[keys, "arm"] == "challenger").all()
    assert people["kept"].sum() == 200
    counts = assignment.arm_counts(book, found).set_index("arm")
    assert counts.loc["challenger", "kept_arm"] == 200
    if mode == "blocks":
        assert counts.loc["champion", "customers"] == 200


def test_a_part_of_the_customers_takes_part_and_stays() -> None:
    _, people = drawn(accounts(5_000), test_share=0.3)
    # 1,500 expected; five standard deviations are 162.
    assert abs(len(people) - 1_500) < 162
    _, more = drawn(accounts(9_000), test_share=0.3)
    assert set(people.index) <= set(more.index)


def test_unknown_scores_are_a_stratum_of_their_own_and_cuts_are_those_declared() -> None:
    rows = accounts(1_000).assign(score=lambda table: table["score"].where(table.index % 10 != 0))
    found, people = drawn(rows, strata=("score_band",), score_cuts=(580.0, 620.0))
    assert set(people["stratum"]) == {"score_band 1", "score_band 2", "score_band 3", "score_band unknown"}
    assert found.cuts["score_band"] == (580.0, 620.0)
    assert people.loc[people["score"] >= 620, "stratum"].eq("score_band 3").all()


def test_the_arms_of_a_large_draw_are_alike() -> None:
    found, people = drawn(accounts(6_000), strata=("bucket", "balance_band"))
    sums = assignment.balance_sums(EMPTY, found)
    own = sums[(sums["variable"] == "balance") & (sums["arm"] == "champion")].iloc[0]
    assert own["sum_x"] == people.loc[people["arm"] == "champion", "balance"].sum()
    assert set(sums["variable"]) == {"balance", "accounts", "bucket", "score"}
