"""Cases as numbers: no key leaves, the same seed gives the same cases, codes and unknown numbers become columns."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.errors import DataError
from collect_analysis.measures.cohort import Cohort, open_cohort
from collect_analysis.methods.causal.overlap import ruled_share
from collect_analysis.strategies.adjusted import covariates_of
from collect_analysis.strategies.decision_log import open_log
from collect_analysis.strategies.quasi_experiment.measures_overlap import MOST_LEVELS, REST, Arms, over_by, read_arms

AS_OF = date(2026, 6, 30)


def opened(cases: int = 120, **columns) -> tuple[Book, Cohort]:
    places = np.arange(cases)
    frame = pd.DataFrame(
        {
            "experiment_id": "x",
            "subject_key": [f"subject-{place:04d}" for place in places],
            "customer_key": [f"customer-{place // 2:04d}" for place in places],
            "arm": np.where(places % 3 == 0, "visit", "call"),
            "outcome_paid": (places % 5 == 0).astype(int),
            "covariate_score": 500.0 + places,
            **columns,
        }
    )
    roles = {"cohort.outcome_paid": {"kind": "binary", "horizon_days": 90}}
    roles |= {f"cohort.{name}": {"measured": "before"} for name in frame.columns if name.startswith("covariate_")}
    book = book_from_frames({"cohort": frame}, as_of=AS_OF, roles=roles)
    return book, open_cohort(book, "x", arms=["visit", "call"], horizon_days=90)


def read(book: Book, cohort: Cohort, names: list[str], **options) -> Arms:
    chosen = covariates_of(cohort, names)
    return read_arms(book, cohort, cohort.outcome("paid", 90), chosen, treated_arm="visit", control_arm="call", **options)


def test_no_key_leaves_and_cases_of_a_customer_stay_together() -> None:
    found = read(*opened(), ["score"])
    comparison = found.comparison
    assert comparison.treated.sum() == 40
    assert comparison.outcome.sum() == 24
    assert sorted(np.bincount(comparison.clusters)) == [2] * 60
    # Two accounts of one customer follow each other in score: their codes must be equal.
    by_score = pd.Series(comparison.clusters, index=comparison.covariates[:, 0]).sort_index().to_numpy().reshape(60, 2)
    assert (by_score[:, 0] == by_score[:, 1]).all()
    assert not any(array.dtype == object for array in (comparison.treated, comparison.outcome, comparison.covariates, found.read))


def test_a_sample_is_the_same_for_the_same_seed_and_says_how_many_there_were() -> None:
    book, cohort = opened()
    first, again, other = (read(book, cohort, ["score"], most=50, seed=seed) for seed in (3, 3, 4))
    assert first.sampled
    assert (first.subjects, len(first.comparison.treated)) == (120, 50)
    assert first.comparison.covariates.tobytes() == again.comparison.covariates.tobytes()
    assert set(first.comparison.covariates[:, 0]) != set(other.comparison.covariates[:, 0])
    assert not read(book, cohort, ["score"]).sampled


def test_codes_become_levels_without_the_most_frequent_and_the_rare_ones_are_one() -> None:
    region = [f"r{place % 40:02d}" if place % 2 else "hcm" for place in range(120)]
    found = read(*opened(covariate_region=region), ["region"])
    names = found.comparison.names
    assert "region: hcm" not in names
    assert len(names) == MOST_LEVELS - 1
    assert names[-1] == f"region: {REST}"
    assert (found.comparison.covariates.sum(axis=1) <= 1).all()


def test_an_unknown_number_gets_the_mean_and_a_flag_and_an_unknown_outcome_is_left_out() -> None:
    score = pd.Series(np.arange(120.0)).where(np.arange(120) >= 30)
    paid = pd.Series(np.arange(120) % 2, dtype="Int64").where(np.arange(120) != 119)
    found = read(*opened(covariate_score=score, outcome_paid=paid), ["score"])
    assert found.no_outcome == 1
    assert found.filled == {"score": 30}
    values, flag = found.comparison.covariates.T
    assert found.comparison.names == ("score", "score: unknown")
    assert flag.sum() == 30
    assert values[flag == 1] == pytest.approx(np.arange(30, 119).mean())


def test_subjects_in_both_arms_and_certain_probabilities_are_counted() -> None:
    book, cohort = opened(propensity=[0.0 if place < 60 else 0.5 for place in range(120)])
    found = read(book, cohort, ["score"])
    assert found.certain_share == 0.5
    assert found.twice == 0
    with pytest.raises(DataError, match="nobody in arms"):
        read_arms(book, cohort, cohort.outcome("paid", 90), [], treated_arm="a", control_arm="b")


def test_cases_whose_horizon_is_open_are_left_out_and_counted() -> None:
    days = [AS_OF - timedelta(days=60 if place < 20 else 91) for place in range(120)]
    book, cohort = opened(assigned_on=days)
    kept, count = over_by(book, cohort, 90)
    assert count == 20
    assert book.scalar(kept.table.count()) == 100
    assert over_by(*opened(), 90)[1] is None


def test_rule_of_the_sample_shop_decides_alone_though_the_declared_covariates_do_not_show_it(sample_book: Path) -> None:
    book = open_book("sample", as_of=AS_OF, folder=sample_book)
    log = open_log(book, horizon_days=90, decision_kind="segment", ruleset_id="visits-sample")
    cohort = log.cohort
    chosen = covariates_of(cohort, ["paid_before", "entry_score"])
    found = read_arms(
        book, cohort, cohort.outcome("payer_rate", 90), chosen, treated_arm="field_visit", control_arm="no_visit",
        also_read={name: column for name, (column, _) in log.columns.items()},
    )  # fmt: skip
    treated = found.comparison.treated
    assert ruled_share(treated, found.comparison.covariates, target="treated") < 0.2
    # The shop's truth: a visit from a balance of 20 million on, without exception.
    assert ruled_share(treated, found.read, target="treated") == 1.0
