"""The negotiation e-mail: published numbers of the trial, and the wrong regression that the review refuses.

Facure, Causal Inference for the Brave and True, chapter 7.
"""

import itertools
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.book.sources import Source, read_source
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.errors import DataError
from collect_analysis.measures import arms
from collect_analysis.measures.cohort import Cohort, open_cohort
from collect_analysis.methods.evidence import refused
from collect_analysis.methods.trials.experiments import arm_means, compare_arms
from collect_analysis.methods.trials.regression import fit_arms
from collect_analysis.strategies import adjusted

ARMS = ["no_email", "email"]
BEFORE, AFTER = ["credit_limit", "risk_score"], ["opened", "agreement"]
MAPPING = Path("parameters/sources/collections_email.yml")


@pytest.fixture(scope="module")
def raw(shared_data: Path) -> pd.DataFrame:
    return pd.read_csv(shared_data / "collections_email_simulated" / "collections_email.csv")


def book_of(raw: pd.DataFrame, source: Source, **roles: dict) -> Book:
    rules = source.tables["cohort"].rules
    frame = pd.DataFrame(
        {
            "experiment_id": rules["experiment_id"].value,
            "subject_key": "s-" + raw.index.astype(str),
            "arm": raw["email"].astype(str).map(rules["arm"].codes),
            **{name: raw[rule.source] for name, rule in rules.items() if name.startswith(("outcome_", "covariate_"))},
        }
    )
    return book_from_frames({"cohort": frame}, as_of=date(2026, 6, 30), roles={**source.tables["cohort"].roles("cohort"), **roles})


@pytest.fixture
def email(raw: pd.DataFrame) -> tuple[Book, Cohort]:
    book = book_of(raw, read_source(MAPPING))
    return book, open_cohort(book, "negotiation-email", arms=ARMS, horizon_days=90)


def test_difference_of_means_is_the_published_one(email: tuple[Book, Cohort]) -> None:
    book, cohort = email
    (row,) = compare_arms(arm_means(arms.arm_sums(book, cohort, ARMS, cohort.outcomes)), base="no_email").to_dict("records")
    assert row["value"] == pytest.approx(-0.6203, abs=1e-3)
    assert row["p_value"] == pytest.approx(0.83, abs=5e-3)
    assert row["se"] == pytest.approx(2.9415, abs=5e-3)  # published: equal variances


def test_adjusted_effect_is_the_published_one(email: tuple[Book, Cohort]) -> None:
    book, cohort = email
    outcome, covariates = cohort.outcome("payments", 90), adjusted.covariates_of(cohort, BEFORE)
    (row,) = adjusted.adjusted_comparison(book, cohort, outcome, covariates, base="no_email", arms=["email"], interacted=False).to_dict(
        "records"
    )
    assert row["value"] == pytest.approx(4.4304, abs=1e-3)
    assert row["p_value"] == pytest.approx(0.038, abs=1e-3)
    assert row["variance_kept"] == pytest.approx(5652.45 / 10807.61, abs=1e-3)  # published residual and total variance
    assert row["method"] == "hc2"


def test_the_wrong_regression_is_what_the_refusal_prevents(raw: pd.DataFrame) -> None:
    """The pure method reproduces both published regressions; what keeps the second off a page is when its covariates were measured."""
    frame = raw.rename(columns={"payments": "y"}).assign(**{"1": 1.0})
    for names, effect, error in ((BEFORE, 4.4304, 2.1299), (BEFORE + AFTER, -1.6095, 2.7237)):
        products = {
            arm: {(a, b): float((part[a] * part[b]).sum()) for a, b in itertools.combinations_with_replacement(["1", "y", *names], 2)}
            for arm, part in ((ARMS[email], part) for email, part in frame.groupby("email"))
        }
        fit = fit_arms(products, base="no_email", covariates=names, interacted=False)
        assert fit.coefficients[1] == pytest.approx(effect, abs=1e-3)
        assert fit.classical_covariance[1, 1] ** 0.5 == pytest.approx(error, abs=1e-3)


def test_what_was_measured_after_the_email_is_refused_by_name(email: tuple[Book, Cohort]) -> None:
    book, cohort = email
    declared = adjusted.covariates_of(cohort, BEFORE + AFTER)
    assert [item.name for item in declared if item.measured != "before"] == AFTER
    with pytest.raises(DataError, match="opened, agreement are not declared as measured before assignment"):
        adjusted.adjusted_comparison(book, cohort, cohort.outcome("payments", 90), declared, base="no_email", arms=["email"])


def test_the_report_file_names_all_four_and_the_review_keeps_two(email: tuple[Book, Cohort]) -> None:
    from collect_analysis.report.parameters import validate
    from collect_analysis.strategies import experiment as findings
    from collect_analysis.strategies.strategy_review.parameters import StrategyReview

    values = {
        "name": "e", "book": "collections_email", "as_of": "2026-06-30", "experiment_id": "negotiation-email", "champion": "no_email",
        "challengers": ["email"], "primary_outcome": "payments", "covariates": BEFORE + AFTER,
    }  # fmt: skip
    params = validate(StrategyReview, values, where="test")
    book, cohort = email
    means = findings.means_of(book, cohort, params, cohort.outcomes)
    found = findings.conditions_of(book, cohort, params, means=means, doses=compare_arms(means.iloc[:0], base="no_email"))
    assert [item.name for item in findings.usable_covariates(cohort, params, found)] == BEFORE
    assert not refused(found)
