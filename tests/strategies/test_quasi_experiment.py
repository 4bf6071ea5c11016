"""A quasi-experiment from parameters to decision: planted truths of the shop, published numbers, refusals, texts by design."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.errors import ParameterError
from collect_analysis.methods.evidence import refused
from collect_analysis.report import texts
from collect_analysis.report.conditions import worded
from collect_analysis.report.parameters import validate
from collect_analysis.runs import notebook_view
from collect_analysis.strategies.quasi_experiment import page
from collect_analysis.strategies.quasi_experiment.decision import Effect, propose
from collect_analysis.strategies.quasi_experiment.parameters import QuasiExperiment
from collect_analysis.strategies.quasi_experiment.study import Study

AS_OF = date(2026, 6, 30)
VISITS = {
    "design": "cut_off", "ruleset_id": "visits-sample", "treated_arm": "field_visit", "control_arm": "no_visit", "cutoff": 20e6,
    "covariates": ["paid_before", "bucket", "entry_balance", "entry_score"],
}  # fmt: skip
OFFER = {"design": "roll_out", "ruleset_id": "early-offer-sample", "rule_id": "REGION-{cluster}", "horizon_days": 30, "draws": 99}


def parameters(**changes: Any) -> QuasiExperiment:
    return validate(QuasiExperiment, {"name": "q", "book": "b", "as_of": "2026-06-30", **changes}, where="test")


def unmet(found: Study) -> list[str]:
    return [item.name for item in found.conditions if not item.met]


@pytest.fixture(scope="module")
def shop(sample_book: Path) -> Book:
    return open_book("sample", as_of=AS_OF, folder=sample_book)


@pytest.fixture(scope="module")
def truth(sample_book: Path) -> dict:
    return json.loads((sample_book / "sample" / "truth.json").read_text(encoding="utf-8"))


def test_the_jump_of_the_clean_product_is_found(shop: Book, truth: dict) -> None:
    params = parameters(**VISITS, strata=["card"])
    found = page.study(shop, params)
    row = found.effects.iloc[0]
    assert row["low"] < truth["rdd"]["jump"] < row["high"]
    assert not refused(found.conditions)
    assert found.treated["treated_share"].tolist() == [0, 1]
    decision = page.decision_of(found, params, "VND")
    assert decision.grade in ("B", "C")
    assert "percentage points" in decision.answer
    assert "  " not in f"{decision.answer} {decision.confidence} {decision.action['proper_test']}"


def test_the_product_with_a_second_rule_at_the_cut_off_is_refused(shop: Book) -> None:
    params = parameters(**VISITS, strata=["cash_loan"])
    found = page.study(shop, params)
    assert unmet(found) == ["rule_alone"]
    for table in (found.effects, found.choices, found.naive):
        assert table[["value", "low", "high"]].isna().all().all()
    assert found.rules.loc[found.rules["role"] == "other", "rule_id"].tolist() == ["OFFER-CASH-LOAN"]
    decision = page.decision_of(found, params, "VND")
    assert decision.grade == "none"
    assert decision.forecast == {}
    assert "(strata)" in decision.confidence
    assert "cases per arm" in str(decision.action["proper_test"])


def test_the_roll_out_effect_is_the_planted_one_and_the_usual_regression_is_shown_beside_it(shop: Book, truth: dict) -> None:
    params = parameters(**OFFER)
    found = page.study(shop, params)
    assert not refused(found.conditions)
    rows = found.effects.set_index("estimand")
    planted = true_effect(shop, params, truth)
    assert rows.loc["all_cells", "low"] < planted < rows.loc["all_cells", "high"]
    assert found.naive["comparison"].tolist() == ["before_and_after", "starters_against_others", "two_way", "answer"]
    assert found.rules["started"].tolist()[-1] == "never"
    never = found.treated.set_index("started").loc["never"]
    assert (never["clusters"], never["periods_after"]) == (6, 0)


def true_effect(shop: Book, params: QuasiExperiment, truth: dict) -> float:
    """Mean planted effect of the treated months, from what was seen there: rate x r / (1 + r)."""
    from collect_analysis.strategies.quasi_experiment.measures_roll_out import panel_of_book, starts_of_rules

    starts = starts_of_rules(shop, params.ruleset_id, cluster="region", rule_id=params.rule_id)
    panel = panel_of_book(shop, cluster="region", starts=starts, days_past_due=30, outcome="payer_rate").panel
    size = {region: wave["size"] for wave in truth["rollout"]["waves"] for region in wave["regions"]}
    treated = panel[panel["period"] >= panel["first_treated"]]
    relative = treated["unit"].map(size) * np.minimum(treated["period"] - treated["first_treated"] + 1, 6) / 6
    return float((treated["outcome"] * relative / (1 + relative)).mean())


def test_the_published_incumbency_effect_comes_out_of_a_cohort(shared_data: Path) -> None:
    raw = pd.read_csv(shared_data / "rd_senate" / "rdrobust_senate.csv")
    frame = pd.DataFrame(
        {
            "experiment_id": "e",
            "subject_key": raw.index.astype(str),
            "arm": "election",
            "running_value": raw["margin"],
            "outcome_vote": raw["vote"],
        }
    )
    book = book_from_frames({"cohort": frame}, as_of=AS_OF, roles={"cohort.outcome_vote": {"kind": "number"}})
    params = parameters(design="cut_off", experiment_id="e", cutoff=0.0, outcome="vote", donut_radii=[0.5, 1.0])
    found = page.study(book, params)
    row = found.effects.iloc[0]
    assert (row["value"], row["se"], row["low"], row["high"]) == pytest.approx((7.414, 1.459, 4.094, 10.919), abs=1e-3)
    assert (row["bandwidth"], row["bias_bandwidth"]) == pytest.approx((17.754, 28.028), abs=1e-3)
    assert (row["cases_below"], row["cases_above"]) == (360, 323)
    assert unmet(found) == ["treatment_recorded"]
    assert page.evidence_of(found) == "B"


def test_the_published_minimum_wage_effects_come_out_of_a_cohort(shared_data: Path) -> None:
    raw = pd.read_csv(shared_data / "staggered_did" / "mpdta.csv")
    year = raw["first.treat"].astype(int)
    frame = pd.DataFrame(
        {
            "experiment_id": "e", "subject_key": raw.index.astype(str), "cluster_key": raw["countyreal"].astype(int).astype(str), "arm": "a",
            "assigned_on": [date(int(number), 1, 1) for number in raw["year"]], "outcome_lemp": raw["lemp"],
            "first_treated_on": [date(number, 1, 1) if number else None for number in year],
        }
    )  # fmt: skip
    book = book_from_frames({"cohort": frame}, as_of=AS_OF, roles={"cohort.outcome_lemp": {"kind": "number"}})
    asked = {"design": "roll_out", "experiment_id": "e", "period": "year", "outcome": "lemp", "draws": 99}
    found = page.study(book, parameters(**asked, controls="never_treated"))
    parts = found.parts.set_index(["started", "period"])["value"]
    published = [-0.0105, -0.0704, -0.1373, -0.1008, 0.0065, -0.0028, -0.0046, -0.0412, 0.0305, -0.0027, -0.0311, -0.0261]
    assert parts.tolist() == pytest.approx(published, abs=5e-5)
    rows = found.effects.set_index("estimand")
    assert rows.loc["starters", "value"] == pytest.approx(-0.0310, abs=5e-5)
    assert rows.loc["starters", "se"] == pytest.approx(0.0126, abs=0.004)
    assert rows.loc["since_start", "value"] == pytest.approx(-0.0772, abs=5e-5)
    assert rows.loc["since_start", "se"] == pytest.approx(0.0219, abs=0.004)
    assert found.choices.set_index("check").loc["trend_before", "p_value"] == pytest.approx(0.168, abs=5e-4)
    assert unmet(found) == ["periods_before"]
    assert page.decision_of(found, parameters(**asked), "XXX").action["action"] == "suspend"


def overridden_cohort(follows: float) -> Book:
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 100, 3000)
    treated = rng.random(3000) < np.where(x >= 50, follows, 0.0)
    paid = (rng.random(3000) < 0.2 + 0.002 * x + 0.3 * treated).astype(int)
    frame = pd.DataFrame(
        {
            "experiment_id": "e",
            "subject_key": [f"s{place}" for place in range(3000)],
            "arm": np.where(treated, "yes", "no"),
            "running_value": x,
        }
    )
    return book_from_frames({"cohort": frame.assign(outcome_paid=paid)}, as_of=AS_OF, roles={"cohort.outcome_paid": {"kind": "binary"}})


def test_an_overridden_rule_is_refused_unless_the_report_asks_for_those_who_follow_it() -> None:
    asked = {"design": "cut_off", "experiment_id": "e", "cutoff": 50.0, "outcome": "paid", "treated_arm": "yes"}
    book = overridden_cohort(0.7)
    assert "rule_kept" in unmet(page.study(book, parameters(**asked)))
    found = page.study(book, parameters(**asked, overridden=True))
    rows = found.effects.set_index("estimand")
    assert rows.loc["followers", "low"] < 0.3 < rows.loc["followers", "high"]
    assert rows.loc["followers", "value"] > rows.loc["side_of_the_rule", "value"]
    weak = page.study(overridden_cohort(0.01), parameters(**asked, overridden=True))
    assert "rule_followed" in unmet(weak)
    assert weak.effects["value"].isna().all()


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({"running_value": 3.0}, "running_varies"),
        ({"running_value": np.linspace(51, 99, 200)}, "both_sides_filled"),
        ({"arm": "yes"}, "rule_kept"),
        ({"outcome_paid": -1}, "outcome_possible"),
    ],
)
def test_bad_cases_are_refused_and_say_what_would_help(changes: dict, condition: str) -> None:
    x = np.linspace(0, 100, 200)
    frame = pd.DataFrame(
        {
            "experiment_id": "e",
            "subject_key": [f"s{place}" for place in range(200)],
            "arm": np.where(x >= 50, "yes", "no"),
            "running_value": x,
        }
    ).assign(outcome_paid=(np.arange(200) % 3 == 0).astype(int))
    book = book_from_frames({"cohort": frame.assign(**changes)}, as_of=AS_OF, roles={"cohort.outcome_paid": {"kind": "binary"}})
    params = parameters(design="cut_off", experiment_id="e", cutoff=50.0, outcome="paid", treated_arm="yes")
    found = page.study(book, params)
    assert condition in [item.name for item in refused(found.conditions)]
    decision = page.decision_of(found, params, "VND")
    assert decision.grade == "none"
    if condition == "running_varies":
        # Without a bandwidth the proper test is told without one.
        assert str(decision.action["proper_test"]).startswith("Draw lots among cases on both sides of 50")
    for lang in texts.LANGUAGES:
        said = page.decision_of(found, params.model_copy(update={"lang": lang}), "VND").answer
        assert all(item.detail in said for item in worded(refused(found.conditions), lang))


def test_the_proposal_follows_its_stated_rules() -> None:
    def proposed(value: float, low: float, high: float, **options: Any) -> str:
        effect = Effect(value=value, low=low, high=high, p_value=options.pop("p_value", 0.5), base=1.0, cases=100)
        return propose(effect, **{"evidence": "B", "min_grade": "B", "favourable": "higher", **options}).reason

    assert proposed(1, 0.5, 1.5) == "helps"
    assert proposed(1, 0.5, 1.5, favourable="lower") == "harms"
    assert proposed(-1, -1.5, -0.5) == "harms"
    assert proposed(1, -0.5, 1.5) == "not_distinguishable"
    assert proposed(1, 0.5, 1.5, evidence="C") == "weak_evidence"
    assert proposed(1, 0.5, 1.5, evidence="none") == "not_answerable"
    # Too few clusters for an interval: the shuffled starts judge.
    assert proposed(1, np.nan, np.nan, p_value=0.01) == "helps"
    assert proposed(1, np.nan, np.nan, p_value=0.2) == "not_distinguishable"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"design": "cut_off", "ruleset_id": "r"}, "design cut_off needs cutoff"),
        ({"design": "cut_off", "cutoff": 1.0}, "either experiment_id"),
        ({"design": "roll_out", "starts": {"x": "2025-01-01"}, "cutoff": 1.0}, "design roll_out does not read cutoff"),
        ({"design": "roll_out"}, "one of experiment_id"),
        ({"design": "roll_out", "ruleset_id": "r"}, "write in rule_id how they are named by it"),
        ({"design": "cut_off", "cutoff": 1.0, "ruleset_id": "r", "overridden": True}, "overridden needs treated_arm"),
        ({"design": "overlap", "experiment_id": "e"}, "design overlap needs"),
    ],
)
def test_parameters_that_do_not_fit_the_design_are_refused(changes: dict, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        parameters(**changes)


def test_a_page_shows_the_texts_of_its_design_and_the_common_one_where_there_is_none() -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {"tags": ["text:effect"]}, "source": "## x"},
        {"cell_type": "markdown", "metadata": {"tags": ["text:naive"]}, "source": "## y"},
    ]
    shown = notebook_view.view({"cells": cells}, kind="quasi_experiment", lang="en", figures={}, design="cut_off")
    assert [section.title for section in shown.sections] == [
        "Does the outcome jump at the cut-off?",
        "What would a naive comparison have said?",
    ]
    common = notebook_view.view({"cells": cells}, kind="quasi_experiment", lang="en", figures={})
    assert common.sections[0].title == "What is the effect?"


def test_figures_are_drawn_for_both_designs_and_say_why_they_are_empty(shop: Book) -> None:
    for values in ({**VISITS, "strata": ["card"]}, {**VISITS, "strata": ["cash_loan"]}, OFFER):
        params = parameters(**values)
        found = page.study(shop, params)
        assert page.effect_figure(found, params).figure is not None
        assert page.choices_figure(found, params).figure is not None
