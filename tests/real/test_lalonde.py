"""The job-training experiment: published difference and regression (Dehejia & Wahba, JASA 94, 1999, table 3)."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import statsmodels.api as sm
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.measures import arms
from collect_analysis.measures.cohort import Cohort, open_cohort
from collect_analysis.methods.trials.experiments import arm_means, compare_arms
from collect_analysis.strategies import adjusted

ARMS = ["control", "trained"]
COVARIATES = ["age", "age2", "educ", "nodegree", "black", "hisp", "re74", "re75"]


@pytest.fixture(scope="module")
def raw(shared_data: Path) -> pd.DataFrame:
    frame = pd.read_csv(shared_data / "lalonde_job_training" / "nsw_dehejia_wahba.csv")
    return frame.assign(age2=frame["age"] ** 2)


def open_experiment(raw: pd.DataFrame) -> tuple[Book, Cohort]:
    frame = pd.DataFrame(
        {
            "experiment_id": "nsw",
            "subject_key": "s-" + raw.index.astype(str),
            "arm": raw["treat"].map({0: "control", 1: "trained"}),
            "outcome_re78": raw["re78"],
            **{f"covariate_{name}": raw[name] for name in COVARIATES},
        }
    )
    roles = {f"cohort.covariate_{name}": {"measured": "before"} for name in COVARIATES}
    book = book_from_frames({"cohort": frame}, as_of=date(2026, 6, 30), roles=roles)
    return book, open_cohort(book, "nsw", arms=ARMS, horizon_days=365)


def test_difference_of_means_is_the_published_one(raw: pd.DataFrame) -> None:
    book, cohort = open_experiment(raw)
    (row,) = compare_arms(arm_means(arms.arm_sums(book, cohort, ARMS, cohort.outcomes)), base="control").to_dict("records")
    assert row["value"] == pytest.approx(1794.3424, abs=1e-3)
    model = sm.OLS(raw["re78"], sm.add_constant(raw["treat"].astype(float)))
    # Equal variances give the published 632.8534, HC1 670.8245; ours is HC2, the variance of two unequal samples.
    assert model.fit().bse["treat"] == pytest.approx(632.8534, abs=1e-3)
    assert model.fit(cov_type="HC1").bse["treat"] == pytest.approx(670.8245, abs=1e-3)
    assert row["se"] == pytest.approx(model.fit(cov_type="HC2").bse["treat"], abs=1e-3)


def test_regression_adjusted_effect_is_the_published_one(raw: pd.DataFrame) -> None:
    book, cohort = open_experiment(raw)
    chosen = adjusted.covariates_of(cohort, COVARIATES)
    (row,) = adjusted.adjusted_comparison(
        book, cohort, cohort.outcome("re78", 365), chosen, base="control", arms=["trained"], interacted=False
    ).to_dict("records")
    assert row["value"] == pytest.approx(1672.2031, abs=1e-3)
    x = sm.add_constant(raw[["treat", *COVARIATES]].astype(float))
    fitted = sm.OLS(raw["re78"], x)
    assert fitted.fit().bse["treat"] == pytest.approx(638.3966, abs=1e-3)
    hc2 = fitted.fit(cov_type="HC2", use_t=True)
    assert row["se"] == pytest.approx(hc2.bse["treat"], rel=1e-6)
    assert row["p_value"] == pytest.approx(hc2.pvalues["treat"], rel=1e-5)


def test_slopes_of_their_own_give_the_interacted_regression(raw: pd.DataFrame) -> None:
    """Nothing published: the estimate that decides in a review (Lin), against statsmodels."""
    book, cohort = open_experiment(raw)
    chosen = adjusted.covariates_of(cohort, COVARIATES)
    (row,) = adjusted.adjusted_comparison(book, cohort, cohort.outcome("re78", 365), chosen, base="control", arms=["trained"]).to_dict(
        "records"
    )
    centred = raw[COVARIATES] - raw[COVARIATES].mean()
    treat = raw["treat"].astype(float)
    x = pd.concat([treat, centred, centred.mul(treat, axis=0).add_suffix(":treat")], axis=1)
    expected = sm.OLS(raw["re78"], sm.add_constant(x)).fit(cov_type="HC2")
    assert [row["value"], row["se"]] == pytest.approx([expected.params["treat"], expected.bse["treat"]], rel=1e-7)
