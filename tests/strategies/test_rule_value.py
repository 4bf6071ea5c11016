"""The value of proposed rules in words, its refusals, and the planted truths of the sample shop."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.errors import ParameterError
from collect_analysis.methods.evidence import Condition, grade
from collect_analysis.report.conditions import worded
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import Decision
from collect_analysis.strategies.rule_value import page, page_decision
from collect_analysis.strategies.rule_value.decision_fitness import merged
from collect_analysis.strategies.rule_value.parameters import RuleValue

AS_OF = date(2026, 6, 30)
WHOM = [{"when": {"score": {"from": 4}}, "then": "call"}, {"then": "text"}]


def parameters(**changes: Any) -> RuleValue:
    values = {
        "name": "r", "book": "b", "as_of": "2026-06-30", "experiment_id": "e", "rules": {"whom": WHOM}, "primary_outcome": "paid",
        "preregistration": "minutes of 1 May",
    }  # fmt: skip
    return validate(RuleValue, {**values, **changes}, where="test")


def log_of(size: int = 6_000, **changes: Any) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    score = rng.integers(0, 8, size).astype(float)
    call = rng.random(size) < 0.4
    frame = pd.DataFrame(
        {
            "experiment_id": "e",
            "subject_key": [f"s{number}" for number in range(size)],
            "arm": np.where(call, "call", "text"),
            "propensity": np.where(call, 0.4, 0.6),
            "assigned_on": pd.Series(pd.date_range("2026-01-01", periods=70)).sample(size, replace=True, random_state=1).dt.date.to_numpy(),
            "covariate_score": score,
            "covariate_opened": call.astype(float),
            "outcome_paid": (rng.random(size) < 0.2 + np.where(score >= 4, 0.1, -0.05) * call).astype(float),
        }
    )
    return frame.assign(**changes)


def book_of(frame: pd.DataFrame) -> Book:
    roles = {
        "cohort.outcome_paid": {"kind": "binary", "horizon_days": 90, "label": {"en": "Has paid", "vi": "Có trả nợ"}},
        "cohort.covariate_score": {"measured": "before"},
        "cohort.covariate_opened": {"measured": "after"},
    }
    return book_from_frames({"cohort": frame}, as_of=AS_OF, roles=roles)


class Report:
    """The steps of the notebook, one after the other."""

    def __init__(self, book: Book, params: RuleValue) -> None:
        self.case = page.judge(book, page.open_decisions(book, params), params)
        self.facts = page_decision.without_small(page.rule_rows(book, self.case), params, columns=["value", "payers"])
        self.strength = page.log_strength(self.case)
        self.estimates, self.contrasts = page.value_tables(book, self.case, params)
        self.changes = page.change_tables(self.case, params)
        self.tests = page.planned_tests(self.case, self.facts, self.changes, params)
        self.judged = page_decision.verdicts(self.case, params, self.contrasts, self.tests)
        found = page.Tables(self.estimates, self.contrasts, self.changes, self.tests)
        self.decision: Decision = page_decision.decision_of(self.case, params, self.judged, found=found, currency=book.currency)

    @property
    def unmet(self) -> list[str]:
        return [item.name for item in self.case.conditions if not item.met]


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_a_rule_that_pays_is_adopted_with_a_forecast_and_a_share_for_the_lot(lang: str) -> None:
    report = Report(book_of(log_of()), parameters(lang=lang, baseline="text", everyone=["call"], covariates=["score"]))
    assert report.unmet == []
    assert (report.decision.grade, report.decision.action["action"]) == ("A", "promote")
    assert report.decision.action["random_share"] == 0.05
    # Half the accounts gain 10 points of 20 %.
    assert report.decision.forecast["low"] <= 0.05 <= report.decision.forecast["high"]
    assert report.decision.forecast["horizon_days"] == 90
    changed = report.changes["difference"].clip(lower=0).sum()
    assert report.decision.action["changing"] == round(changed) == (log_of()["covariate_score"] >= 4).sum()
    assert {"en": "Adopt whom: has paid after 90 days", "vi": "Nên áp dụng whom: có trả nợ sau 90 ngày"}[lang] in report.decision.answer
    assert all(item.detail for item in worded(report.case.conditions, lang))


def test_without_a_baseline_the_rule_is_held_against_what_was_done() -> None:
    report = Report(book_of(log_of()), parameters())
    declared = report.contrasts[report.contrasts["family"] == "confirmatory"]
    assert declared["against"].tolist() == [""]
    logged = report.estimates.set_index("estimator").loc["logged", "value"]
    assert logged == pytest.approx(log_of()["outcome_paid"].mean())
    assert declared["base"].tolist() == pytest.approx([logged])
    # Whatever it gives for certain is also asked as "everybody gets it", though no report file named it.
    assert report.contrasts["against"].tolist() == ["", "everyone:call", "everyone:text"]


def test_a_rule_that_giving_it_to_everybody_beats_is_not_adopted() -> None:
    frame = log_of(outcome_paid=lambda t: (np.random.default_rng(2).random(len(t)) < 0.2 + 0.1 * (t["arm"] == "call")).astype(float))
    report = Report(book_of(frame), parameters(baseline="text"))
    assert report.decision.action == {"action": "reject", "proposed_rule": "whom", "reason": "simpler_better", "changing": 2981}
    row = report.contrasts[report.contrasts["against"] == "everyone:call"].iloc[0]
    assert row["high"] < 0
    assert report.decision.answer.startswith("Do not adopt whom: it is better than text for everybody by")
    assert "but call for everybody would have brought" in report.decision.answer


def test_a_rule_that_brings_no_more_than_the_same_for_everybody_says_so_in_the_answer() -> None:
    """Those left out by the rule gain nothing from the call: choosing whom brings no less, and no more."""
    frame = log_of(
        outcome_paid=lambda t: (
            (np.random.default_rng(2).random(len(t)) < 0.2 + 0.1 * (t["arm"] == "call") * (t["covariate_score"] >= 4)) * 1.0
        )
    )
    report = Report(book_of(frame), parameters(baseline="text"))
    assert report.decision.action["action"] == "promote"
    assert "It is not shown to bring more than call for everybody, which is simpler" in report.decision.answer


def test_rules_that_are_not_told_apart_are_named_together() -> None:
    almost = [{"when": {"score": {"from": 4.5}}, "then": "call"}, {"then": "text"}]
    report = Report(book_of(log_of()), parameters(baseline="text", rules={"whom": WHOM, "almost": almost, "none": [{"then": "text"}]}))
    assert report.decision.action["action"] == "promote"
    row = report.contrasts[(report.contrasts["rule"] == "whom") & (report.contrasts["against"] == "almost")].iloc[0]
    assert ("It is not told apart from almost" in report.decision.answer) == (row["low"] <= 0 <= row["high"])
    assert row["level"] == pytest.approx(1 - 0.05 / 6)  # three rules against "call for everybody", three pairs of rules


def test_a_base_that_the_log_does_not_know_refuses_by_its_own_name() -> None:
    """The rule was tried everywhere; giving everybody a text was not: in one row only calls were certain."""
    frame = log_of()
    high = frame["covariate_score"] >= 6
    frame = frame.assign(arm=frame["arm"].mask(high, "call"), propensity=frame["propensity"].mask(high, 1.0))
    rules = {"whom": [{"when": {"score": {"from": 6}}, "then": "call"}, {"then": "text"}]}
    report = Report(book_of(frame), parameters(baseline="text", rules=rules))
    assert report.case.answerable("whom")
    assert (report.decision.grade, report.decision.action["action"]) == ("none", "refuse")
    assert "text for everybody: of 1 pairs of row and action 1 were never drawn" in report.decision.confidence
    assert report.decision.answer.startswith(
        "Not answerable from this log. text for everybody: of 1 pairs of row and action 1 were never drawn"
    )
    verdicts = page_decision.verdict_table(report.case, report.judged)
    assert verdicts["unmet"].tolist() == ["actions_tried"]


@pytest.mark.parametrize(
    ("frame", "changes", "condition"),
    [
        (log_of(propensity=None), {}, "propensities_logged"),
        (log_of(propensity=lambda t: t["propensity"].mask(t.index < 5)), {}, "propensities_logged"),
        (log_of(propensity=1.0), {}, "drawn_by_lot"),
        (log_of(propensity=lambda t: t["propensity"].mask(t.index < 3, 0.0)), {}, "propensities_possible"),
        (log_of(propensity=lambda t: t["propensity"].mask(t.index < 900, 1.0)), {}, "actions_tried"),
        (log_of().query("not (covariate_score >= 4 and arm == 'call')"), {}, "actions_tried"),
        (log_of(propensity=0.9), {}, "weights_average"),
        (log_of(propensity=lambda t: t["propensity"].where(t["covariate_score"] < 4, 0.5)), {}, "weights_average_in_rows"),
        (log_of(700), {}, "effective_payers"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_with_the_test_that_would(frame: pd.DataFrame, changes: dict, condition: str) -> None:
    report = Report(book_of(frame), parameters(**changes))
    assert condition in report.unmet
    assert report.decision.grade == "none"
    assert report.decision.action["action"] == "refuse"
    assert report.decision.forecast == {}
    assert report.estimates.loc[report.estimates["estimator"] != "logged", "value":"gain_high"].isna().all(axis=None)  # type: ignore[misc]
    assert report.contrasts[["value", "low", "high"]].isna().all(axis=None)
    assert "Run this test" in report.decision.answer
    assert "draw by lot" in report.decision.answer
    assert report.decision.action["needed_all"] > 0
    remedies = [item.remedy for item in worded(report.case.conditions, "en") if item.name == condition]
    assert remedies[0] in report.decision.confidence
    assert next(item.detail for item in worded(report.case.conditions, "en") if item.name == condition) in report.decision.answer


@pytest.mark.parametrize(
    ("frame", "changes", "condition"),
    [
        (log_of(assigned_on=date(2026, 6, 1)), {}, "horizon_over"),
        (log_of(outcome_paid=lambda t: t["outcome_paid"].mask(t.index < 2)), {}, "outcome_sound"),
        (log_of(), {"learnt_here": True}, "rule_not_learnt_here"),
        (log_of(), {"rules": {"late": [{"when": {"opened": {"from": 1}}, "then": "text"}, {"then": "call"}]}}, "rule_known_before"),
    ],
)  # fmt: skip
def test_what_a_test_would_not_mend_is_refused_without_one(frame: pd.DataFrame, changes: dict, condition: str) -> None:
    report = Report(book_of(frame), parameters(**changes))
    assert condition in report.unmet
    assert (report.decision.grade, report.decision.forecast) == ("none", {})
    assert report.decision.answer.startswith("Not answerable yet")
    proposed = report.estimates[report.estimates["rule"].isin(report.case.proposed)]
    assert proposed["value"].isna().all()


def test_logged_probabilities_that_did_not_draw_are_found_by_what_was_known_before() -> None:
    """Half of the log says 0.4 where people with a high score were called twice as often: their average is right, whom they fell on is not."""
    rng = np.random.default_rng(5)
    frame = log_of(12_000)
    call = rng.random(12_000) < np.where(frame["covariate_score"] % 2 == 0, 0.5, 0.3)
    chosen = frame.assign(arm=np.where(call, "call", "text"), propensity=np.where(call, 0.4, 0.6))
    report = Report(book_of(chosen), parameters())
    assert report.unmet == ["drawn_alike"]
    assert report.decision.grade == "C"
    assert report.decision.action["action"] == "extend"
    by_rule = frame.assign(arm=np.where(frame["covariate_score"] >= 4, "call", "text"), propensity=0.5)
    assert Report(book_of(by_rule), parameters()).decision.grade == "none"


def test_a_refused_rule_does_not_silence_the_others() -> None:
    frame = log_of().query("not (covariate_score >= 4 and arm == 'call')")
    never = {"whom": WHOM, "texts": [{"then": "text"}]}
    frame = frame.assign(propensity=frame["propensity"].where(frame["covariate_score"] < 4, 1.0))
    report = Report(book_of(frame), parameters(rules=never))
    values = report.estimates[report.estimates["estimator"] == "doubly_robust"].set_index("rule")["value"]
    assert np.isnan(values["whom"])
    assert np.isfinite(values["texts"])
    tried = next(item for item in report.case.conditions if item.name == "actions_tried")
    assert (tried.met, tried.consequence, tried.details["rule"]) == (False, "note", "whom")


def test_cut_weights_are_a_note() -> None:
    report = Report(book_of(log_of()), parameters(max_weight=2.0))
    assert report.unmet == ["weights_whole"]
    assert grade("randomised", report.case.conditions) == "A"


def test_rules_nobody_declared_are_worth_a_grade_less() -> None:
    assert Report(book_of(log_of()), parameters(preregistration="")).decision.grade == "B"


def test_conditions_of_several_rules_become_one_list() -> None:
    met, unmet = Condition(name="a", met=True), Condition(name="a", met=False)
    assert merged({"x": [met], "y": [met]}) == [met]
    assert merged({"x": [met], "y": [unmet]})[0].consequence == "note"
    assert merged({"x": [unmet], "y": [unmet]}) == [unmet]


def test_columns_and_actions_that_are_not_there_are_named_before_anything_is_computed() -> None:
    rows = [{"when": {"scor": {"from": 4}}, "then": "call"}, {"then": "visit"}]
    with pytest.raises(ParameterError) as refusal:
        page.open_decisions(book_of(log_of(100)), parameters(rules={"whom": rows}, everyone=["letter"]))
    assert refusal.value.problems == (
        "rule 'whom', row 1: there is no column 'scor' known before the decision; did you mean 'score'?",
        "rule 'whom': there is no action 'visit' in the log; known: call, text",
        "rule 'everyone:letter': there is no action 'letter' in the log; known: call, text",
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"experiment_id": ""}, "name the log: either experiment_id, or decision_kind"),
        ({"decision_kind": "segment"}, "name the log: either experiment_id, or decision_kind"),
        ({"period_end": "2026-05-01"}, "belong to decision_kind"),
        ({"experiment_id": "", "decision_kind": "placement", "period_end": "2026-07-01"}, "after as_of"),
        ({"rules": {"whom": WHOM[:1]}}, "no last row"),
        ({"rules": {"whom": [{"then": {"call": 0.6, "text": 0.6}}]}}, "sum to 1.2"),
        ({"rules": {"whom": "nowhere"}}, "there is no rule 'nowhere'"),
        ({"rules": {"everyone:call": WHOM}}, "a rule may not be called so"),
        ({"margin_relative": 0}, "margin_relative"),
    ],
)
def test_report_files_that_cannot_be_meant_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        parameters(**changes)


def test_a_rule_named_by_its_file_is_recorded_with_its_rows() -> None:
    rules = parameters(rules={"younger": "payers-or-younger"}).rules
    assert rules["younger"][-1] == {"then": "champion"}


@pytest.fixture(scope="module")
def sample(sample_book: Path) -> Book:
    return open_book("sample", as_of=AS_OF, folder=sample_book)


def test_deterministic_allocation_is_refused_and_the_test_is_designed(sample: Book) -> None:
    rows = [
        {"when": {"balance": {"from": 20_000_000}}, "then": "field_visit"},
        {"when": {"balance": {"from": 10_000_000}}, "then": "field_visit"},
        {"then": "no_visit"},
    ]
    params = parameters(
        experiment_id="", decision_kind="segment", ruleset_id="visits-sample", period_end="2026-03-31", rules={"from-10": rows},
        primary_outcome="payer_rate", margin_relative=0.1,
    )  # fmt: skip
    report = Report(sample, params)
    assert report.unmet == ["propensities_logged"]
    assert report.decision.grade == "none"
    (plan,) = report.tests.to_dict("records")
    # Only between 10 and 20 million is anybody treated otherwise.
    assert (plan["row"], plan["arms"]) == (2, "field_visit / no_visit")
    assert plan["changing"] == plan["cases"]
    rate = plan["payer_rate"]
    # Fleiss' size of two arms: a rise of the row's payer rate by a tenth.
    other, middle = 1.1 * rate, 1.05 * rate
    reach = 1.959964 * (2 * middle * (1 - middle)) ** 0.5 + 0.841621 * (rate * (1 - rate) + other * (1 - other)) ** 0.5
    assert plan["needed"] == pytest.approx((reach / (other - rate)) ** 2, rel=2e-3)
    assert plan["weeks_all"] == np.ceil(2 * plan["needed"] / plan["per_week"])
    told = page_decision.row_in_words(report.case.rules["from-10"], 2, parameters(lang="vi"), currency="VND", supplied=False)
    assert told == "Dư nợ từ 10.000.000 VND trở lên, không thuộc dòng phía trên"
    assert '"Balance from VND 10,000,000, not in a row above", draw by lot between field_visit / no_visit' in report.decision.answer


def test_the_planted_gain_of_the_challenger_is_found(sample: Book) -> None:
    params = parameters(
        experiment_id="exp-payer", rules={"all": [{"then": "challenger"}]}, baseline="champion", primary_outcome="payer_rate",
        horizon_days=180, covariates=["paid_before", "bucket"],
    )  # fmt: skip
    report = Report(sample, params)
    row = report.contrasts.iloc[0]
    assert row["relative_low"] <= 0.08 <= row["relative_high"]


def test_only_placements_drawn_by_lot_are_judged_on_request(sample: Book) -> None:
    rows = [{"when": {"balance": {"from": 30_000_000}}, "then": "ag-b"}, {"then": {"ag-a": 0.5, "ag-c": 0.5}}]
    values = {"experiment_id": "", "decision_kind": "placement", "period_end": "2025-12-31", "rules": {"large": rows},
              "primary_outcome": "payer_rate", "horizon_days": 180}  # fmt: skip
    everything = page.judge(sample, page.open_decisions(sample, parameters(**values)), parameters(**values))
    assert "propensities_logged" in [item.name for item in everything.conditions if not item.met]
    params = parameters(**values, only_drawn=True)
    drawn = page.judge(sample, page.open_decisions(sample, params), params)
    unmet = {item.name: item for item in drawn.conditions if not item.met}
    assert "propensities_logged" not in unmet
    assert unmet["undrawn_left_out"].details["count"] + drawn.weighed.cases == everything.weighed.cases
