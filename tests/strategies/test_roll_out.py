"""Panels of a roll-out from the book and from a cohort, by hand."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.errors import DataError
from collect_analysis.strategies.quasi_experiment.measures_roll_out import (
    panel_of_book,
    panel_of_cohort,
    period_name,
    period_number,
    starts_of_rules,
)

ENDS = [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]


@pytest.fixture
def book() -> Book:
    """Two debts in region x and one in y; one of x is only ten days past due in February."""
    days = {"a1": [40, 70, 101], "a2": [40, 10, 40], "a3": [90, 120, 151]}
    month_end = pd.DataFrame(
        [
            {"account_key": key, "month_end": end, "status": "open", "bucket": 2, "dpd": dpd, "balance_minor": 100, "unit_key": "u"}
            for key, values in days.items()
            for end, dpd in zip(ENDS, values, strict=True)
        ]
    )
    account = pd.DataFrame(
        {
            "account_key": ["a1", "a2", "a3"], "customer_key": ["c1", "c2", "c3"], "portfolio_code": "p", "product_code": "card",
            "debt_status": "overdue", "open_date": date(2025, 1, 1), "original_minor": 100, "currency": "VND",
            "region_code": ["x", "x", "y"], "is_restructured": False,
        }
    )  # fmt: skip
    payment = pd.DataFrame(
        [
            ("p1", "a1", 60, date(2026, 2, 3), None, True),
            ("p2", "a1", 30, date(2026, 2, 20), None, True),
            ("p3", "a2", 50, date(2026, 3, 5), None, True),  # not over thirty days when March opens
            ("p4", "a3", 40, date(2026, 3, 9), None, True),
            ("p5", "a3", -40, date(2026, 3, 20), "p4", True),
            ("p6", "a3", 25, date(2026, 2, 9), None, False),
        ],
        columns=["payment_key", "account_key", "amount_minor", "value_date", "reversal_of", "eligible"],
    ).assign(currency="VND")
    ruleset = pd.DataFrame(
        {
            "ruleset_id": "r", "rule_id": ["REGION-X", "REGION-X-2", "SEGMENT"], "seq": [1, 2, 3], "segment": "s",
            "effective_from": [date(2026, 3, 1), date(2026, 4, 1), date(2026, 1, 1)],
        }
    )  # fmt: skip
    frames = {"month_end": month_end, "account": account, "payment": payment, "ruleset": ruleset}
    return book_from_frames(frames, as_of=date(2026, 4, 15))


def test_a_month_is_read_by_those_over_the_days_when_it_opens(book: Book) -> None:
    found = panel_of_book(book, cluster="region", starts={"x": date(2026, 3, 1)}, days_past_due=30, outcome="payer_rate")
    # April is not over on the 15th.
    table = found.panel.assign(period=[period_name(number, "month") for number in found.panel["period"]]).set_index(["unit", "period"])
    assert table["cases"].to_dict() == {("x", "2026-02"): 2, ("x", "2026-03"): 1, ("y", "2026-02"): 1, ("y", "2026-03"): 1}
    assert table["outcome"].to_dict() == {("x", "2026-02"): 0.5, ("x", "2026-03"): 0, ("y", "2026-02"): 0, ("y", "2026-03"): 0}
    assert table["first_treated"].dropna().unique().tolist() == [period_number(date(2026, 3, 1), "month")]
    assert table.loc["x", "weight"].tolist() == [1.5, 1.5]
    cash = panel_of_book(book, cluster="unit", starts={}, days_past_due=30, outcome="cash_per_account").panel
    assert cash["outcome"].tolist() == [30.0, 0.0]


def test_starts_are_read_from_the_rules_that_name_the_region(book: Book) -> None:
    assert starts_of_rules(book, "r", cluster="region", rule_id="REGION-{cluster}") == {"x": date(2026, 3, 1)}
    with pytest.raises(DataError, match=r"no rule of 'r' names a region as 'BRANCH-\{cluster\}' says"):
        starts_of_rules(book, "r", cluster="region", rule_id="BRANCH-{cluster}")


def test_unknown_clusters_and_outcomes_are_refused(book: Book) -> None:
    with pytest.raises(DataError, match="starts: no region z in the book; it has x, y"):
        panel_of_book(book, cluster="region", starts={"z": date(2026, 3, 1)}, days_past_due=30, outcome="payer_rate")
    with pytest.raises(DataError, match="payer_rate or cash_per_account, not 'votes'"):
        panel_of_book(book, cluster="region", starts={}, days_past_due=30, outcome="votes")
    with pytest.raises(DataError, match="no month end with open accounts over 900 days"):
        panel_of_book(book, cluster="region", starts={}, days_past_due=900, outcome="payer_rate")


@pytest.mark.parametrize(("period", "name"), [("month", "2026-05"), ("quarter", "2026-Q2"), ("year", "2026")])
def test_a_day_has_its_period_and_neighbours_are_one_apart(period, name: str) -> None:
    number = period_number(date(2026, 5, 31), period)
    assert period_name(number, period) == name
    assert period_number(date(2027, 5, 1), period) - number == {"month": 12, "quarter": 4, "year": 1}[period]


def cohort(**changes) -> Book:
    frame = pd.DataFrame(
        {
            "experiment_id": "e", "subject_key": [f"s{number}" for number in range(7)], "cluster_key": ["x", "x", "x", "y", "y", "z", "y"],
            "arm": "a", "assigned_on": [date(2025, 1, 3), date(2025, 1, 9), date(2025, 2, 1), date(2025, 1, 1), date(2025, 2, 5),
                                        date(2025, 1, 1), None],
            "first_treated_on": [date(2025, 2, 1)] * 3 + [None] * 4, "outcome_paid": [1.0, 3.0, 5.0, 2.0, 8.0, 1.0, 9.0],
        }
    ).assign(**changes)  # fmt: skip
    return book_from_frames({"cohort": frame}, as_of=date(2026, 6, 30))


def test_a_cohort_becomes_means_by_cluster_and_period_and_gaps_are_told() -> None:
    found = panel_of_cohort(cohort(), "e", outcome="paid", horizon_days=30, period="month")
    assert found.panel[["unit", "outcome", "cases"]].to_numpy().tolist() == [["x", 2.0, 2], ["x", 5.0, 1], ["y", 2.0, 1], ["y", 8.0, 1]]
    assert found.panel["first_treated"].isna().tolist() == [False, False, True, True]
    assert found.left_out == {"no_day": 1, "no_outcome": 0, "gaps": 1}
    assert found.starts_within == 0
    middle = panel_of_cohort(
        cohort(first_treated_on=[date(2025, 2, 10)] * 3 + [None] * 4), "e", outcome="paid", horizon_days=30, period="month"
    )
    assert middle.starts_within == 1


def test_periods_with_open_cases_and_clusters_with_two_starts_are_not_read() -> None:
    early = panel_of_cohort(cohort(), "e", outcome="paid", horizon_days=512, period="month")
    assert np.unique(early.panel["period"]).tolist() == [period_number(date(2025, 1, 1), "month")]
    two = [date(2025, 2, 1), date(2025, 3, 1), date(2025, 2, 1)] + [None] * 4
    with pytest.raises(DataError, match="several first_treated_on"):
        panel_of_cohort(cohort(first_treated_on=two), "e", outcome="paid", horizon_days=30, period="month")
