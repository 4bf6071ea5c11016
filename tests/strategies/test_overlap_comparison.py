"""The overlap design end to end: the published job-training comparison, a rule that decides alone, and what is left out."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.report.parameters import validate
from collect_analysis.strategies.quasi_experiment import page
from collect_analysis.strategies.quasi_experiment.parameters import QuasiExperiment

from tests.bench.calibration_overlap import planted

AS_OF = date(2026, 6, 30)
COVARIATES = ["age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75"]


def params(**given) -> QuasiExperiment:
    plain = {
        "name": "x",
        "book": "x",
        "as_of": AS_OF,
        "design": "overlap",
        "experiment_id": "x",
        "treated_arm": "new",
        "control_arm": "old",
    }
    return QuasiExperiment(**{**plain, "outcome": "y", "horizon_days": 90, "covariates": ["x0", "x1"], **given})


def book_of(cases: int, *, seed: int = 5, late: bool = False, **columns) -> Book:
    data, _ = planted(cases, np.random.default_rng(seed))
    frame = pd.DataFrame(
        {
            "experiment_id": "x",
            "subject_key": [f"s-{place}" for place in range(cases)],
            "arm": np.where(data.treated, "new", "old"),
            "outcome_y": data.outcome + 10,
            "covariate_x0": data.covariates[:, 0],
            "covariate_x1": data.covariates[:, 1],
            **columns,
        }
    )
    roles = {f"cohort.{name}": {"measured": "before"} for name in frame.columns if name.startswith("covariate_")}
    if late:
        roles["cohort.covariate_x1"] = {"measured": "after"}
    return book_from_frames({"cohort": frame}, as_of=AS_OF, roles=roles)


@pytest.fixture(scope="module")
def job_training(shared_data: Path):
    folder = shared_data / "lalonde_job_training"
    trained = pd.read_csv(folder / "nsw_dehejia_wahba.csv").query("treat == 1")
    raw = pd.concat([trained, pd.read_csv(folder / "cps_controls.csv.gz")], ignore_index=True)
    frame = pd.DataFrame(
        {
            "experiment_id": "job-training",
            "subject_key": "s-" + raw.index.astype(str),
            "arm": raw["treat"].map({0: "survey", 1: "trained"}),
            "outcome_earnings": raw["re78"],
            **{f"covariate_{name}": raw[name] for name in COVARIATES},
        }
    )
    roles = {f"cohort.covariate_{name}": {"measured": "before"} for name in COVARIATES}
    asked = params(
        experiment_id="job-training",
        treated_arm="trained",
        control_arm="survey",
        outcome="earnings",
        horizon_days=365,
        covariates=COVARIATES,
    )
    return page.study(book_from_frames({"cohort": frame}, as_of=AS_OF, roles=roles), asked), asked


def test_job_training_lands_where_the_published_matching_and_the_experiment_are(job_training) -> None:
    study, _ = job_training
    naive = study.naive.set_index("comparison")["value"]
    # Dehejia & Wahba (1999): raw contrast -8,498; matching 1,360 to 1,713; the experiment itself 1,794.
    assert naive["raw_difference"] == pytest.approx(-8497.5161, abs=1e-3)
    assert 1000 <= study.answer.value <= 2400
    assert study.answer.low <= 1794.3424 <= study.answer.high
    other = study.choices.set_index("check").loc["model", "value"]
    assert 1000 <= other <= 2400


def test_job_training_is_grade_c_with_balance_and_a_sensitivity_value(job_training) -> None:
    study, asked = job_training
    assert page.evidence_of(study) == "C"
    assert study.parts["difference_after"].abs().max() <= 0.1
    assert study.effects.iloc[0]["e_value"] > 1
    assert {"model", "trim", "left_out", "hidden_driver"} == set(study.choices["check"])
    decision = page.decision_of(study, asked, "XXX")
    assert decision.action["action"] == "test"
    assert "went with both" in decision.confidence
    # Everybody: next to nobody of the survey had a chance of the training.
    everybody = study.effects.set_index("estimand").loc["effect_on_everybody"]
    assert everybody["kept_share"] < 0.1
    assert np.isnan(everybody["value"])


def test_planted_effect_is_inside_the_interval() -> None:
    study = page.study(book_of(3000), params(target="everybody", trim=0.01, covariates=["x0", "x1"]))
    assert study.answer.low <= 0.5 <= study.answer.high
    assert page.evidence_of(study) == "C"


def test_visits_by_rule_are_refused_with_the_test_that_would_answer(sample_book: Path) -> None:
    book = open_book("sample", as_of=AS_OF, folder=sample_book)
    asked = params(
        experiment_id="", ruleset_id="visits-sample", treated_arm="field_visit", control_arm="no_visit", outcome="payer_rate",
        covariates=["paid_before", "bucket", "entry_balance", "entry_score"],
    )  # fmt: skip
    study = page.study(book, asked)
    assert "comparison_not_by_rule" in {item.name for item in study.conditions if not item.met}
    assert study.effects[["value", "low", "high", "e_value"]].isna().all(axis=None)
    assert study.naive[["value", "low", "high"]].isna().all(axis=None)
    assert study.choices.empty
    decision = page.decision_of(study, asked, book.currency)
    assert decision.grade == "none"
    assert "A rule decided alone" in decision.answer
    assert "by lot" in str(decision.action["proper_test"])
    assert "relative effect of 10.0 %" in str(decision.action["proper_test"])


def test_a_covariate_measured_after_is_named_and_left_out_and_a_constant_one_too() -> None:
    book = book_of(400, late=True, covariate_same=[1.0] * 400)
    study = page.study(book, params(covariates=["x0", "x1", "same"]))
    unmet = {item.name: item.details for item in study.conditions if not item.met}
    assert unmet["covariates_before"]["covariates"] == ["x1"]
    assert unmet["comparison_varying"]["covariates"] == ["same"]
    assert study.parts["covariate"].tolist() == ["x0"]


def test_few_cases_or_nothing_to_adjust_for_leave_no_number_and_say_what_is_needed() -> None:
    study = page.study(book_of(80), params())
    assert [item.name for item in study.conditions if not item.met and item.consequence == "refuse"] == ["comparison_arms_enough"]
    alone = page.study(book_of(400, covariate_same=[1.0] * 400), params(covariates=["same"]))
    assert "comparison_adjusted" in {item.name for item in alone.conditions if not item.met}
    for found in (study, alone):
        assert found.effects["value"].isna().all()
        assert page.effect_figure(found, params()) is not None
        assert page.decision_of(found, params(), "XXX").confidence


def test_arms_alike_in_what_was_measured_still_fail_where_probabilities_are_certain() -> None:
    study = page.study(book_of(600, propensity=[1.0] * 600), params())
    assert "comparison_not_by_rule" in {item.name for item in study.conditions if not item.met}


def test_unknown_arm_and_missing_source_are_refused_before_anything_is_fitted() -> None:
    with pytest.raises(DataError, match="nobody in arm"):
        page.study(book_of(200), params(treated_arm="newer"))
    plain = {"name": "x", "book": "x", "as_of": "2026-06-30", "design": "overlap", "treated_arm": "a", "control_arm": "b"}
    for wrong, what in (({"covariates": ["z"]}, "either experiment_id"), ({"experiment_id": "x"}, "needs covariates")):
        with pytest.raises(ParameterError, match=what):
            validate(QuasiExperiment, {**plain, **wrong}, where="x.yml")


def test_same_seed_gives_the_same_study() -> None:
    first, again = (page.study(book_of(400), params()) for _ in range(2))
    pd.testing.assert_frame_equal(first.effects, again.effects, check_exact=True)
    pd.testing.assert_frame_equal(first.choices, again.choices, check_exact=True)
