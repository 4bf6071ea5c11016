"""The table of subjects that models read: by hand from a small book, without keys, the same halves every time."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.errors import DataError
from collect_analysis.measures.cohort import Cohort, open_cohort
from collect_analysis.strategies.drivers.measures import Subjects, factors_of, subjects

AS_OF = date(2026, 6, 30)
START = date(2026, 1, 1)
ARMS = ["champion", "new"]


@pytest.fixture(scope="module")
def small() -> Book:
    decision = pd.DataFrame(
        {
            "decision_key": ["d1", "d2", "d3"], "kind": "experiment", "experiment_id": "e", "account_key": ["a1", "a2", "a3"],
            "customer_key": ["c1", "c2", "c3"], "arm": ["new", "champion", "champion"], "propensity": 0.5, "from_date": START,
            "decided_utc": pd.Timestamp(START),
        }
    )  # fmt: skip
    rows = [
        ("p1", "a1", 100, -100, None),
        ("p2", "a1", 50, -20, None),  # taken back after assignment: on the day of assignment it was there
        ("p3", "a1", -50, 5, "p2"),
        ("p4", "a2", 70, -65, None),
        ("p5", "a2", 30, -10, None),  # taken back before assignment
        ("p6", "a2", -30, -5, "p5"),
        ("p7", "a3", 500, 3, None),  # after assignment
    ]
    payment = pd.DataFrame(
        [
            {"payment_key": key, "account_key": account, "amount_minor": amount, "currency": "VND", "reversal_of": back, "eligible": True}
            | {"value_date": START + timedelta(days=days)}
            for key, account, amount, days, back in rows
        ]
    )
    account = pd.DataFrame(
        {
            "account_key": ["a1", "a2", "a3"], "customer_key": ["c1", "c2", "c3"], "portfolio_code": "p",
            "product_code": ["card", "loan", "card"], "debt_status": "overdue", "open_date": START - timedelta(days=400),
            "original_minor": [1_000, 2_000, 3_000], "currency": "VND", "is_restructured": False,
        }
    )  # fmt: skip
    return book_from_frames({"decision": decision, "payment": payment, "account": account}, as_of=AS_OF)


def read(book: Book, names: list[str], **options) -> Subjects:
    cohort = open_cohort(book, "e", arms=ARMS, horizon_days=90)
    return taken(book, cohort, names, **options)


def taken(book: Book, cohort: Cohort, names: list[str], *, seed: int = 1, outcome: str = "payer_rate", **options) -> Subjects:
    found = cohort.outcome(outcome, 90)
    return subjects(book, cohort, factors_of(cohort, names), champion="champion", challenger="new", outcome=found, seed=seed, **options)


def test_history_counts_what_was_known_before_assignment(small: Book) -> None:
    found = read(small, ["months_since_payment", "product_code", "entry_balance"])
    table = found.x.set_index("entry_balance").sort_index()
    assert table["months_since_payment"].tolist()[:2] == [0, 2]
    assert np.isnan(table["months_since_payment"].iloc[2])
    assert table["product_code"].tolist() == ["card", "loan", "card"]
    assert found.units == {"months_since_payment": "number", "product_code": "category", "entry_balance": "minor"}


def test_no_key_leaves_the_engine(small: Book) -> None:
    found = read(small, ["product_code"])
    held = {*found.x.columns, *vars(found)}
    assert not [name for name in held if name.endswith("_key")]
    assert "a1" not in found.x.to_string()
    assert sorted(found.cluster) == [0, 1, 2]


def test_an_unknown_factor_is_refused_with_the_nearest(small: Book) -> None:
    with pytest.raises(DataError, match="knows no factor 'bukket' of its subjects; did you mean 'bucket'"):
        read(small, ["bukket"])


def trial(n: int = 400) -> Book:
    frame = pd.DataFrame(
        {
            "experiment_id": "e", "subject_key": [f"s{number}" for number in range(n)],
            "customer_key": [f"c{number // 2}" for number in range(n)], "arm": np.where(np.arange(n) // 2 % 2, "new", "champion"),
            "outcome_paid": (np.arange(n) % 3 == 0).astype(float), "covariate_score": np.arange(n, dtype=float),
        }
    )  # fmt: skip
    roles = {"cohort.outcome_paid": {"kind": "binary", "horizon_days": 90}, "cohort.covariate_score": {"measured": "before"}}
    return book_from_frames({"cohort": frame.sample(frac=1, random_state=3)}, as_of=AS_OF, roles=roles)


def test_halves_keep_customers_whole_and_do_not_move() -> None:
    book = trial()
    cohort = open_cohort(book, "e", arms=ARMS, horizon_days=90)
    first, again, other = (taken(book, cohort, ["score"], outcome="paid", seed=seed) for seed in (1, 1, 2))
    assert (first.x["score"] == again.x["score"]).all()
    assert (first.judging == again.judging).all()
    assert pd.Series(first.judging).groupby(first.cluster).nunique().max() == 1
    assert pd.Series(first.x["score"] // 2).groupby(first.cluster).nunique().max() == 1
    assert 0.35 < first.judging.mean() < 0.65
    assert list(other.x["score"]) != list(first.x["score"])
    assert np.isnan(first.day).all()


def test_a_sample_is_the_first_by_hash_and_says_of_how_many() -> None:
    book = trial()
    cohort = open_cohort(book, "e", arms=ARMS, horizon_days=90)
    whole, part = (taken(book, cohort, ["score"], outcome="paid", most=most) for most in (400, 100))
    assert len(part.y) == 100
    assert part.population == 400
    assert (part.x["score"] == whole.x["score"].head(100)).all()
