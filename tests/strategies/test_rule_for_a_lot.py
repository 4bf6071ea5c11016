"""A rule taken for a lot: a cohort that a running value separates must not be answered, however it is declared."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.report import texts
from collect_analysis.strategies import experiment

from tests.strategies.test_strategy_review import ROLES, Review, parameters, supplied, trial

# Everything a careless or an eager report file can claim.
CLAIMED = {"randomised": True, "preregistration": "plan 7", "lot_document": "minutes of 3 May"}


def by_rule(n: int = 4_000) -> pd.DataFrame:
    """Everybody above 0 gets the challenger; whoever stands higher pays more anyway: at the cut-off it adds 40 % to a rate of 25 %."""
    rng = np.random.default_rng(9)
    running = rng.uniform(-1, 1, n)
    treated = running > 0
    rate = np.clip(0.25 + 0.15 * running, 0, 1) * np.where(treated, 1.4, 1.0)
    return pd.DataFrame(
        {
            "arm": np.where(treated, "challenger", "champion"), "outcome_paid": (rng.random(n) < rate).astype(float),
            "assigned_on": date(2026, 1, 5), "running_value": running, "covariate_score": rng.normal(600, 50, n),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def separated() -> Review:
    frame = by_rule()
    shares = frame["arm"].value_counts(normalize=True).to_dict()
    return Review(supplied(frame, **ROLES), parameters(planned_shares=shares, **CLAIMED))


def test_arms_that_a_running_value_separates_are_refused_and_sent_to_the_cut_off(separated: Review) -> None:
    decision = separated.decision
    assert (decision.grade, decision.action["action"]) == ("none", "refuse")
    assert separated.effects[["value", "low", "high", "relative"]].isna().all(axis=None)
    assert "Running variable tells the arms apart" in decision.confidence
    assert "quasi_experiment, design cut_off" in decision.confidence


def test_logged_probabilities_do_not_make_a_rule_a_lot() -> None:
    frame = by_rule().assign(propensity=0.5)
    assert Review(supplied(frame, **ROLES), parameters(**CLAIMED)).decision.grade == "none"


def nearly(frame: pd.DataFrame, share: float) -> pd.DataFrame:
    """The rule with a share of overrides."""
    other = np.where(frame["arm"] == "challenger", "champion", "challenger")
    return frame.assign(arm=np.where(np.random.default_rng(4).random(len(frame)) < share, other, frame["arm"]))


def test_a_rule_with_overrides_is_refused_while_it_decides_and_capped_when_it_only_leans() -> None:
    near = Review(supplied(nearly(by_rule(), 0.08), **ROLES), parameters(**CLAIMED))
    assert near.decision.grade == "none"
    leaning = Review(supplied(nearly(by_rule(), 0.4), **ROLES), parameters(**CLAIMED, planned_shares={"champion": 0.5, "challenger": 0.5}))
    assert "arms_balanced" in leaning.unmet
    assert leaning.decision.grade == "D"
    assert leaning.decision.action["action"] != "promote"
    adjusted = Review(supplied(nearly(by_rule(), 0.4), **ROLES), parameters(**CLAIMED, covariates=["score"]))
    assert adjusted.decision.grade in "CD"


def test_a_rule_about_the_middle_is_found_though_the_means_are_alike() -> None:
    frame = by_rule().iloc[: 2 * (len(by_rule()) // 2)]
    # As many to the left as to the right, so that neither means nor mean ranks differ.
    right = np.abs(frame["running_value"].to_numpy()[::2])
    frame = frame.assign(running_value=np.column_stack([right, -right]).ravel())
    middle = np.abs(frame["running_value"]) < 0.5
    review = Review(supplied(frame.assign(arm=np.where(middle, "challenger", "champion")), **ROLES), parameters(**CLAIMED))
    assert "arms_spread_alike" in review.unmet
    assert review.decision.grade == "D"


def test_nothing_but_the_word_of_the_report_file_is_no_lot() -> None:
    unlogged = trial().drop(columns="propensity")
    shares = {"champion": 0.5, "challenger": 0.5}
    review = Review(supplied(unlogged, **ROLES), parameters(planned_shares=shares))
    assert "lot_shown" in review.unmet
    assert review.decision.grade == "D"
    assert review.decision.action == {"action": "extend", "arm": "challenger", "reason": "weak_evidence"}
    with_covariate = Review(supplied(unlogged, **ROLES), parameters(planned_shares=shares, covariates=["score"]))
    assert with_covariate.decision.grade == "C"
    documented = Review(supplied(unlogged, **ROLES), parameters(planned_shares=shares, preregistration="plan 7"))
    assert documented.decision.grade == "A"


def test_planned_shares_copied_from_the_data_contradict_the_log() -> None:
    lost = trial().drop(index=range(1, 601, 2)).reset_index(drop=True)
    copied = lost["arm"].value_counts(normalize=True).to_dict()
    review = Review(supplied(lost, **ROLES), parameters(planned_shares=copied, preregistration="plan 7"))
    assert "shares_agree" in review.unmet
    assert review.decision.grade == "none"


def test_every_review_shows_its_balance(separated: Review) -> None:
    alike = experiment.balance_of(separated.book, separated.cohort, separated.params)
    table = experiment.balance_table(alike, separated.params)
    assert set(table["variable"]) == {"running_value", "score"}
    for lang in texts.LANGUAGES:
        shown = experiment.show_balance(table, separated.params.model_copy(update={"lang": lang}), separated.cohort, "VND")
        labels = [column.label for column in shown.columns]
        assert labels[-2:] == [texts.label("standardised", lang), texts.label("distance", lang)]
        assert texts.value("covariate", "running_value", lang) in shown.columns[0].cells
    assert experiment.balance_measures(alike).set_index("statistic")["value"]["largest_distance"] == 1


def test_a_small_level_of_a_code_is_not_told_nor_left_to_subtraction() -> None:
    frame = trial().assign(stratum=lambda t: np.select([t.index < 6, t.index < 900], ["rare", "some"], default="usual"))
    review = Review(supplied(frame, **ROLES), parameters(preregistration="plan 7"))
    table = experiment.balance_table(experiment.balance_of(review.book, review.cohort, review.params), review.params).set_index("level")
    assert table.loc[["other", "some"], ["mean", "base_mean", "standardised"]].isna().all(axis=None)
    assert table.loc["usual", "mean"] == pytest.approx(0.775, abs=0.01)
