"""What a small book, made by hand, says of a population; and what is refused."""

from datetime import date

import pytest
from collect_analysis.errors import DataError
from collect_analysis.strategies.test_design import measures_history
from collect_analysis.strategies.test_design.measures_history import Population

from tests.small_book import book_of

# Account a stays in bucket 2, b comes in February, c was in March and left, d is another product; customer k owes on a and b.
BOOK = {
    "account": """
        account_key, customer_key, product_code, region_code, open_date
        a, k, card, hcm, 2025-11-01
        b, k, card, hcm, 2025-11-01
        c, l, card, hni, 2025-11-01
        d, m, loan, hcm, 2025-11-01
    """,
    "month_end": """
        account_key, month_end, status, bucket, balance_minor, score
        a, 2026-01-31, open, 2, 1000, 600
        a, 2026-02-28, open, 2, 900, 600
        a, 2026-03-31, open, 2, 800, 600
        b, 2026-01-31, open, 1, 500, 610
        b, 2026-02-28, open, 2, 500, 610
        b, 2026-03-31, open, 2, 400, 610
        c, 2026-02-28, open, 1, 300, 620
        c, 2026-03-31, open, 2, 300, 620
        d, 2026-02-28, open, 2, 5000, 630
        d, 2026-03-31, paid_off, 2, 0, 630
    """,
    "payment": """
        payment_key, account_key, amount_minor, value_date, reversal_of
        p1, a, 100, 2026-02-01,
        p2, a, 100, 2026-03-01,
        p3, a, 50, 2026-03-31,
        p4, b, 70, 2026-03-30,
        p5, b, -70, 2026-04-02, p4
        p6, c, 40, 2026-05-05,
        p7, a, 30, 2026-01-31,
    """,
}
CARDS = Population(source="stock", products=("card",), buckets=(2,))


def opened(population: Population, *, horizon: int = 30, months: int = 6, as_of: str = "2026-05-31"):
    book = book_of(BOOK, as_of=date.fromisoformat(as_of))
    return book, measures_history.open_history(book, population, horizon_days=horizon, months=months, covariates=["balance", "score"])


def test_the_stock_and_its_payments_within_the_horizon_by_hand() -> None:
    book, found = opened(CARDS)
    assert found.months == ("2026-01", "2026-02", "2026-03")
    assert list(found.pace["cases"]) == [1, 2, 3]
    assert list(found.pace["customers"]) == [1, 1, 2]
    assert found.available == 3
    rows = book.frame(found.cohort.table.order_by(["arm", "subject_key"])).set_index(["arm", "subject_key"])
    # Day 0 is the day after the month end: 1 February counts for January, 3 March is day 30 after it.
    assert rows["amount_d30_minor"].to_dict() == {
        ("2026-01", "a"): 200,
        ("2026-02", "a"): 150,
        ("2026-02", "b"): 0,
        ("2026-03", "a"): 0,
        ("2026-03", "b"): 0,
        ("2026-03", "c"): 0,
    }
    assert rows.loc[("2026-02", "a"), "paid_before"] == 130
    assert rows.loc[("2026-01", "a"), "paid_before"] == 30


def test_entries_are_those_who_were_not_there_at_the_month_end_before() -> None:
    book, found = opened(Population(source="entry", products=("card",), buckets=(2,)))
    # At the first month end of the book everybody would seem to enter: it is left out.
    assert [day.isoformat() for day in found.pace["month_end"]] == ["2026-02-28", "2026-03-31"]
    assert list(found.pace["cases"]) == [1, 1]
    assert found.per_month == 1.0
    entered = book.frame(found.cohort.table.select("arm", "subject_key").order_by("arm"))
    assert entered.to_dict("records") == [{"arm": "2026-02", "subject_key": "b"}, {"arm": "2026-03", "subject_key": "c"}]
    assert opened(CARDS)[1].per_month == 1.0


def test_a_horizon_that_is_not_over_leaves_its_month_out() -> None:
    _, found = opened(CARDS, horizon=60)
    assert found.months == ("2026-01", "2026-02", "2026-03")
    _, longer = opened(CARDS, horizon=90)
    assert longer.months == ("2026-01", "2026-02")
    _, none = opened(CARDS, horizon=400)
    assert none.months == ()
    assert none.available == 3


def test_balances_are_from_inclusive_to_exclusive() -> None:
    _, found = opened(Population(source="stock", products=("card",), buckets=(2,), min_balance_minor=300, max_balance_minor=400))
    assert found.available == 1


def test_filters_that_name_what_is_not_there_are_refused_all_at_once() -> None:
    with pytest.raises(DataError) as refused:
        opened(Population(source="stock", products=("car",), buckets=(9,), regions=("hcm",)))
    text = str(refused.value)
    assert "products: car is not in book" in text
    assert "it has card, loan" in text
    assert "buckets: 9 is not in book" in text


def test_a_book_without_month_ends_names_the_way_out() -> None:
    book = book_of({"account": BOOK["account"]}, as_of=date(2026, 5, 31))
    with pytest.raises(DataError, match=r"no month ends as of 2026-05-31.*history_experiment_id"):
        measures_history.open_history(book, CARDS, horizon_days=30, months=6, covariates=[])
