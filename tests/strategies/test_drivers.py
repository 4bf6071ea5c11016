"""Three answers on what drives an outcome: planted truths, refusals, both languages, the same bytes."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.measures.cohort import open_cohort
from collect_analysis.methods.evidence import refused
from collect_analysis.report import texts
from collect_analysis.report.conditions import worded
from collect_analysis.report.parameters import validate
from collect_analysis.strategies.drivers import decision, figures, page, page_decision
from collect_analysis.strategies.drivers.parameters import Drivers
from collect_analysis.strategies.strategy_review.parameters import StrategyReview

from tests.strategies.test_strategy_review import Review

AS_OF = date(2026, 6, 30)
FLAGS = {"actionable": False, "lawful": True}
ROLES = {
    "outcome_paid": {"kind": "binary", "horizon_days": 30, "label": {"en": "Paid something", "vi": "Có trả nợ"}},
    "covariate_score": {"measured": "before"},
    "covariate_noise": {"measured": "before"},
    "covariate_opened": {"measured": "after"},
}


def parameters(**changes: Any) -> Drivers:
    values = {
        "name": "d", "book": "b", "as_of": "2026-06-30", "experiment_id": "e", "champion": "champion", "challengers": ["challenger"],
        "primary_outcome": "paid", "horizon_days": 30, "factors": {"score": FLAGS, "noise": FLAGS}, "preregistration": "plan 9",
        "min_leaf": 100,
    }  # fmt: skip
    return validate(Drivers, {**values, **changes}, where="test")


def trial(n: int = 6_000, *, planted: bool = True, **columns: Any) -> pd.DataFrame:
    """Assigned over ten weeks; the challenger helps above a score of 600 and harms below (or the same everywhere)."""
    rng = np.random.default_rng(8)
    score = rng.uniform(500, 700, n)
    treated = np.arange(n) % 2 == 1
    effect = np.where(score >= 600, 0.15, -0.10) if planted else 0.06
    paid = rng.random(n) < 0.1 + (score - 500) / 1_000 + treated * effect + 0.05
    frame = pd.DataFrame(
        {
            "arm": np.where(treated, "challenger", "champion"), "outcome_paid": paid.astype(float), "propensity": 0.5,
            "assigned_on": [date.fromordinal(date(2026, 1, 5).toordinal() + number * 70 // n) for number in range(n)],
            "covariate_score": score, "covariate_noise": rng.normal(size=n), "covariate_opened": treated * rng.random(n),
        }
    )  # fmt: skip
    return frame.assign(**columns)


def supplied(frame: pd.DataFrame, **roles: dict) -> Book:
    table = frame.assign(experiment_id="e", subject_key=[f"s{number}" for number in range(len(frame))])
    named = {f"cohort.{name}": role for name, role in {**ROLES, **roles}.items()}
    return book_from_frames({"cohort": table}, as_of=AS_OF, roles=named)


class Report:
    """The steps of the notebook, one after the other."""

    def __init__(self, book: Book, params: Drivers) -> None:
        self.params, self.book = params, book
        self.cohort = open_cohort(book, params.experiment_id, arms=params.arms, horizon_days=params.horizon_days)
        self.taken = page.read(book, self.cohort, params)
        self.predicted = page.predict(self.taken, params)
        self.levers = page.levers_of(book, params)
        found = page.conditions_of_test(book, self.cohort, self.taken, params)
        self.works = page.learn_and_judge(book, self.cohort, self.taken, found, params, levers=self.levers)
        self.checks = page_decision.checks(self.predicted, self.works, params)
        self.decision = page_decision.decision_of(params, self.cohort, book.currency, self.predicted, self.levers, self.works)

    @property
    def unmet(self) -> list[str]:
        return [item.name for item in self.checks if not item.met]


@pytest.fixture(scope="module")
def planted() -> Report:
    return Report(supplied(trial()), parameters(tree_depth=1))


def test_a_planted_cut_is_found_and_the_rule_table_proposed(planted: Report) -> None:
    assert planted.unmet == []
    assert planted.decision.grade == "A"
    assert planted.works.action == "select"
    clauses = planted.works.clauses
    assert set(clauses["factor"]) == {"score"}
    assert clauses["from"].dropna().tolist() == pytest.approx([600], abs=15)
    rules = planted.works.rules.set_index("arm")
    assert rules.loc["challenger", "low"] < 0.15 < rules.loc["challenger", "high"]
    assert rules.loc["champion", "low"] < -0.10 < rules.loc["champion", "high"]
    tree = planted.works.policies.set_index("policy").loc["tree"]
    assert tree["over_all_low"] < 0.05 < tree["over_all_high"]
    assert tree["over_none_low"] < 0.075 < tree["over_none_high"]
    assert list(planted.decision.action["rule"]) == ["1", "2"]
    assert planted.decision.forecast["against"] == "all"


def test_predictions_are_judged_on_later_accounts_and_noise_does_not_predict(planted: Report) -> None:
    parts = planted.predicted.parts.set_index("part")
    assert parts.loc["learning", "last_assigned"] < parts.loc["judging", "first_assigned"]
    assert parts["cases"].tolist() == pytest.approx([2_100, 900], abs=60)
    importance = planted.predicted.importance.set_index("factor")
    assert importance.loc["score", "low"] > 0
    assert importance.loc["noise", "low"] <= 0
    assert "What predicts: score." in planted.decision.answer


def test_where_the_effect_is_the_same_selecting_is_not_shown_to_pay() -> None:
    report = Report(supplied(trial(4_000, planted=False)), parameters())
    assert report.works.action == "all"
    assert "no part of this test shows that selecting pays" in report.decision.answer
    assert "rule" not in report.decision.action


def test_a_factor_from_after_assignment_is_named_and_not_used() -> None:
    report = Report(supplied(trial(1_500)), parameters(factors={"score": FLAGS, "opened": FLAGS}))
    assert "factors_before" in report.unmet
    assert any("Not used: opened. Measured after assignment" in caveat for caveat in report.decision.caveats)
    assert list(report.taken.subjects.x.columns) == ["score"]


def test_protected_unlawful_and_constant_factors_are_named_and_not_used() -> None:
    frame = trial(1_500, covariate_sex=lambda t: t.index % 2, covariate_flat=1.0)
    roles = {"covariate_sex": {"measured": "before"}, "covariate_flat": {"measured": "before"}}
    factors = {"score": FLAGS, "sex": FLAGS, "noise": {"actionable": True, "lawful": False}, "flat": FLAGS}
    report = Report(supplied(frame, **roles), parameters(factors=factors))
    assert {"factors_lawful", "factors_vary"} <= set(report.unmet)
    assert list(report.taken.subjects.x.columns) == ["score"]
    shown = page_decision.show_factors(report.taken.factors, report.params)
    assert shown.columns[-1].cells == ("yes", "no: protected trait", "no: declared not lawful", "no: the same for everybody")


def test_without_a_usable_factor_there_is_no_first_and_no_third_answer() -> None:
    report = Report(supplied(trial(1_000)), parameters(factors={"opened": FLAGS}))
    assert report.works.action == "refuse"
    assert report.predicted.scores.empty
    assert report.decision.grade == "none"


@pytest.mark.parametrize(
    ("frame", "changes", "code"),
    [
        (trial(1_000), {"randomised": False}, "given_by_lot"),
        (trial(1_000, outcome_paid=0.0), {}, "payers_in_halves"),
        (trial(1_000, propensity=1.0), {}, "assigned_by_chance"),
        (trial(1_000, assigned_on=date(2026, 6, 20)), {}, "horizon_over"),
    ],
    ids=["not by lot", "no payer", "certain", "open"],
)
def test_what_cannot_tell_where_it_works_says_why_and_shows_no_number(frame: pd.DataFrame, changes: dict, code: str) -> None:
    report = Report(supplied(frame), parameters(**changes))
    assert code in report.unmet
    assert report.works.action == "refuse"
    assert report.decision.grade == "none"
    assert report.decision.forecast == {}
    for table in (report.works.ranking, report.works.policies, report.works.rules, report.works.curve):
        assert table.drop(columns=["measure", "policy", "note"], errors="ignore").isna().all(axis=None)
    assert texts.say(f"condition_{code}_remedy", "en").split("{")[0] in report.decision.confidence
    assert all(item.detail in report.decision.answer for item in worded(refused(report.works.conditions), "en"))
    for figure in (figures.qini(report.works.curve, lang="en", unit="share", currency="VND"),):
        assert figure.texts[0].get_text() == texts.say("no_drivers_figure", "en")


def test_one_class_blocks_the_first_answer_only() -> None:
    paid = trial(1_500)["outcome_paid"].mask(trial(1_500)["arm"] == "champion", 1.0)
    report = Report(supplied(trial(1_500, outcome_paid=paid)), parameters())
    assert "both_outcomes" in report.unmet
    assert report.predicted.scores.empty
    assert report.works.action != "refuse"
    assert not refused(report.checks)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"factors": {}}, "at least 1 item"),
        ({"factors": {"score": {"actionable": False}}}, "'factors.score.lawful' is missing"),
        ({"factors": {f"f{place}": FLAGS for place in range(41)}}, "factors names 41; at most 40"),
        ({"challengers": ["a", "b"]}, "2 challengers; where one works is asked of one"),
        ({"covariates": ["age"]}, "covariates names age; declare them under factors"),
        ({"levers": [{"experiment_id": "x"}, {"experiment_id": "x", "horizon_days": 30}]}, "levers names x twice"),
        ({"tree_depth": 4}, "less than or equal to 3"),
        ({"least_effect": -0.1}, "greater than or equal to 0"),
    ],
)
def test_parameters_that_cannot_be_followed_are_refused(changes: dict, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        parameters(**changes)


def test_an_unknown_factor_is_refused_with_the_nearest() -> None:
    with pytest.raises(DataError, match="knows no factor 'scor' of its subjects; did you mean 'score'"):
        Report(supplied(trial(1_000)), parameters(factors={"scor": FLAGS}))


def test_every_condition_action_and_standing_has_its_words() -> None:
    keys = {place.removeprefix("words.") for _, place, _ in texts.entries() if place.startswith("words.")}
    source = Path(decision.__file__).read_text(encoding="utf-8")
    names = set(re.findall(r'"(factors_\w+|both_outcomes|judged_later|given_by_lot|payers_in_halves|everybody_read)"', source))
    assert len(names) == 9
    for code in names:
        assert {f"condition_{code}_met", f"condition_{code}_unmet", f"condition_{code}_remedy"} <= keys
        assert texts.value("check", code, "vi") != code
    for action in ("select", "rank", "all", "none", "open", "refuse"):
        assert f"answer_drivers_{action}" in keys
    for standing in ("used", "after", "protected", "unlawful", "constant"):
        assert texts.value("standing", standing, "vi") != standing


def test_the_page_reads_in_vietnamese_and_repeats_itself(planted: Report) -> None:
    again = Report(planted.book, parameters(lang="vi", tree_depth=1))
    assert again.decision.answer.startswith("Nên áp dụng phương án thách thức theo bảng quy tắc")
    assert not any("{" in item.detail for item in again.checks)
    pd.testing.assert_frame_equal(again.works.policies, planted.works.policies, check_exact=True)
    pd.testing.assert_frame_equal(again.predicted.effects, planted.predicted.effects, check_exact=True)
    rules = page_decision.show_rules(again.works.rules, again.works, again.taken.subjects, again.params, again.cohort, "VND")
    assert [cell.startswith("score dưới") for cell in rules.columns[1].cells] == [True, False]


# The sample shop.


@pytest.fixture(scope="module")
def shop(sample_book: Path) -> Report:
    book = open_book("sample", as_of=AS_OF, folder=sample_book)
    named = ["paid_before", "balance", "bucket", "entry_score", "months_since_payment", "product_code"]
    return Report(
        book,
        parameters(
            experiment_id="exp-payer", primary_outcome="payer_rate", horizon_days=180, preregistration="", min_leaf=200,
            factors={name: FLAGS for name in named}, levers=[{"experiment_id": "exp-minutes", "horizon_days": 90}],
        ),
    )  # fmt: skip


def test_the_shops_even_effect_gives_no_reason_to_choose(shop: Report) -> None:
    assert shop.works.action in ("all", "open")
    assert "no part of this test shows that selecting pays" in shop.decision.answer
    order = shop.works.ranking.set_index("measure").loc["qini"]
    assert order["low"] <= 0 <= order["high"]


def test_levers_keep_their_own_grade_and_conditions(shop: Report) -> None:
    table = shop.levers.set_index("experiment_id")
    assert table.loc["exp-payer", "relative_low"] < 0.08 < table.loc["exp-payer", "relative_high"]
    assert table.loc["exp-payer", "grade"] == "A"
    assert table.loc["exp-minutes", "grade"] == "B"
    assert table.loc["exp-minutes", "unmet"] == "capacity_alike"
    assert (table["p_adjusted"] >= table["p_value"]).all()


def test_all_on_one_day_is_judged_by_hash_and_said(shop: Report) -> None:
    assert "judged_later" in shop.unmet
    assert any("drawn by hash" in caveat for caveat in shop.decision.caveats)
    assert shop.predicted.scores.set_index("measure").loc["auc", "low"] > 0.5


@pytest.mark.parametrize("covariates", [[], ["score"]])
def test_the_effect_of_giving_it_to_everybody_is_the_one_of_the_strategy_review(covariates: list[str]) -> None:
    """Two pages about one test: one number, whether or not covariates are declared."""
    book = supplied(trial())
    told = {"covariates": covariates, "planned_shares": {"champion": 0.5, "challenger": 0.5}}
    drivers = Report(book, parameters(tree_depth=1, **told))
    own = {
        name: getattr(drivers.params, name)
        for name in ("experiment_id", "champion", "challengers", "primary_outcome", "horizon_days", "preregistration")
    }
    asked = validate(StrategyReview, {"name": "r", "book": "b", "as_of": "2026-06-30", **own, **told}, where="test")
    review = Review(book, asked)
    effect = page.effect_of_all(drivers.levers, drivers.params)
    claim = review.judged[0].claim
    assert [effect["value"], effect["low"], effect["high"]] == [claim.value, claim.low, claim.high]
    assert [effect["relative"], effect["relative_low"]] == [claim.relative, claim.relative_low]
    assert effect["grade"] == review.decision.grade
    half = drivers.works.ranking.iloc[0]["value"]
    assert half != effect["value"]
    assert any(text.startswith("Giving it to everybody is worth") for text in drivers.decision.caveats)
