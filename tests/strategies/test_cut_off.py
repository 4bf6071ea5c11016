"""Cases of a cut-off rule from the book and from a cohort, by hand; the other rules that switch there."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.errors import DataError
from collect_analysis.strategies.quasi_experiment import measures_cut_off
from collect_analysis.strategies.quasi_experiment.measures_cut_off import CutOffRule, cases_of_cohort, cases_of_ruleset
from collect_analysis.strategies.quasi_experiment.measures_rule_boundaries import boundaries, of_other_rules

AS_OF = date(2026, 6, 30)
DAY = date(2026, 1, 10)
RULE = CutOffRule(cutoff=500.0, belongs_to="above", treated_side="above", treated_arm="visit", control_arm="none", strata=("card",))


@pytest.fixture
def book() -> Book:
    rows = [
        ("d1", "a1", "c1", "visit", DAY, 500),  # exactly at the cut-off
        ("d2", "a2", "c2", "none", DAY, 499),
        ("d3", "a3", "c2", "visit", DAY + timedelta(days=3), 900),  # the same customer later
        ("d4", "a4", "c3", "none", DAY, None),  # no balance logged
        ("d5", "a5", "c4", "visit", AS_OF - timedelta(days=10), 700),  # horizon open
        ("d6", "a6", "c5", "visit", DAY, 800),  # another product
        ("d7", "a7", "c6", "other", DAY, 800),  # another decision of the rule set
    ]
    decision = pd.DataFrame(
        [
            {
                "decision_key": key, "account_key": account, "customer_key": customer, "kind": "segment", "ruleset_id": "r",
                "segment": segment, "from_date": day, "decided_utc": pd.Timestamp(day), "balance_minor": balance,
            }
            for key, account, customer, segment, day, balance in rows
        ]
    )  # fmt: skip
    account = pd.DataFrame(
        [
            {
                "account_key": f"a{number}", "customer_key": "c", "portfolio_code": "p", "product_code": "loan" if number == 6 else "card",
                "debt_status": "overdue", "open_date": date(2025, 1, 1), "original_minor": 1000, "currency": "VND", "is_restructured": False,
            }
            for number in range(1, 8)
        ]
    )  # fmt: skip
    payment = pd.DataFrame(
        {
            "payment_key": ["p1", "p2", "p3"], "account_key": ["a1", "a2", "a2"], "amount_minor": [50, 70, 20], "currency": "VND",
            "value_date": [DAY + timedelta(days=90), DAY + timedelta(days=91), DAY - timedelta(days=1)], "eligible": True,
        }
    )  # fmt: skip
    month_end = pd.DataFrame(
        {
            "account_key": ["a1", "a1", "a2"], "month_end": [date(2025, 11, 30), date(2025, 12, 31), date(2025, 12, 31)], "status": "open",
            "bucket": [1, 2, 3], "dpd": [20, 51, 66], "balance_minor": [400, 480, 470],
        }
    )  # fmt: skip
    return book_from_frames({"decision": decision, "account": account, "payment": payment, "month_end": month_end}, as_of=AS_OF)


def read(book: Book, **options) -> measures_cut_off.CutOffCases:
    asked = {"running": "balance", "outcome": "payer_rate", "horizon_days": 90, **options}
    return cases_of_ruleset(book, "r", asked.pop("rule", RULE), **asked)


def test_one_decision_a_customer_within_the_product_and_the_horizon(book: Book) -> None:
    cases = read(book, covariates=["paid_before", "bucket"])
    assert cases.frame["running"].tolist() == [499.0, 500.0]
    assert cases.frame["outcome"].tolist() == [0, 1]  # day 90 counts, day 91 does not
    assert cases.frame["treated"].tolist() == [False, True]
    assert cases.covariate("paid_before").tolist() == [20, 0]
    assert cases.covariate("bucket").tolist() == [3, 2]
    assert cases.left_out == {"no_running": 1, "open_horizon": 1}
    assert cases.sides.to_dict("records") == [{"side": "below", "cases": 1, "treated": 0.0}, {"side": "above", "cases": 1, "treated": 1.0}]
    assert (cases.total, cases.clusters, cases.impossible, cases.first_decided) == (2, 2, 0, DAY)


def test_the_case_at_the_cut_off_is_on_the_side_that_the_rule_says(book: Book) -> None:
    below = CutOffRule(cutoff=500.0, belongs_to="below", treated_side="above", treated_arm="visit", control_arm="none", strata=("card",))
    assert read(book, rule=below).sides["cases"].tolist() == [2, 0]


def test_days_past_due_are_those_of_the_last_month_end_before_the_decision(book: Book) -> None:
    cases = read(book, running="dpd")
    assert cases.frame["running"].tolist() == [51.0, 66.0]
    assert cases.left_out["no_running"] == 2


def test_a_large_book_is_cut_to_the_nearest_cases(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures_cut_off, "MOST_CASES", 1)
    cases = read(book)
    assert cases.frame["running"].tolist() == [500.0]
    assert (cases.total, cases.reach) == (2, 1.0)


def test_unknown_rule_sets_and_empty_choices_are_refused_with_what_there_is(book: Book) -> None:
    with pytest.raises(DataError, match=r"no decision under rule set 'x' with segment visit or none .*its decisions are under r"):
        cases_of_ruleset(book, "x", RULE, running="balance", outcome="payer_rate", horizon_days=90)
    with pytest.raises(DataError, match="has no outcome 'votes' at 90 days; it has cash_per_account at 90 days, payer_rate at 90 days"):
        read(book, outcome="votes")
    with pytest.raises(DataError, match="no case to look at"):
        read(book, running="score")


def test_a_supplied_cohort_gives_running_value_and_what_was_done() -> None:
    frame = pd.DataFrame(
        {
            "experiment_id": "e", "subject_key": ["s1", "s2", "s3"], "arm": ["no", "yes", "no"], "running_value": [1.0, 3.0, np.nan],
            "stratum": "x", "outcome_paid_minor": [5, -2, 4], "covariate_age": [30.0, 40.0, 50.0],
        }
    )  # fmt: skip
    book = book_from_frames({"cohort": frame}, as_of=AS_OF, roles={"cohort.covariate_age": {"measured": "before"}})
    rule = CutOffRule(cutoff=2.0, belongs_to="above", treated_side="above", treated_arm="yes")
    cases = cases_of_cohort(book, "e", rule, outcome="paid", horizon_days=30, covariates=["age"])
    assert cases.frame["outcome"].tolist() == [5, -2]
    assert cases.impossible == 1
    assert cases.left_out["no_running"] == 1
    sums = cases.sums.set_index("arm")
    assert sums.loc["treated", ["cases", "sum_y", "sum_y2"]].tolist() == [1, -2, 4]


def test_boundaries_are_found_in_the_rule_table_for_the_product_and_the_time() -> None:
    ruleset = pd.DataFrame(
        [
            {"rule_id": "V", "product_code": "card", "balance_min_minor": 500, "segment": "visit"},
            {"rule_id": "O", "product_code": None, "balance_max_minor": 500, "segment": "offer"},
            {"rule_id": "L", "product_code": "loan", "balance_min_minor": 500, "segment": "offer"},
            {"rule_id": "OLD", "product_code": "card", "balance_min_minor": 500, "segment": "offer", "effective_to": date(2025, 6, 1)},
            {"rule_id": "D", "product_code": "card", "dpd_min": 31, "dpd_max": 60, "segment": "offer"},
        ]
    ).assign(ruleset_id="r", seq=1, effective_from=date(2025, 1, 1))
    book = book_from_frames({"ruleset": ruleset}, as_of=AS_OF)
    span = {"products": ["card"], "first": date(2025, 7, 1), "last": date(2026, 1, 1)}
    found = boundaries(book, "balance", **span)
    assert found[["rule_id", "at"]].to_dict("records") == [{"rule_id": "O", "at": 500.0}, {"rule_id": "V", "at": 500.0}]
    assert of_other_rules(found, ruleset_id="r", segments=["visit", "none"])["rule_id"].tolist() == ["O"]
    # The last day of a rule is inside it, so the next one is where it switches.
    assert boundaries(book, "dpd", **span)["at"].tolist() == [31.0, 61.0]
