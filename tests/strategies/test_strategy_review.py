"""A strategy review in words, and its planted truths in the sample shop."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.measures import arms, lot
from collect_analysis.measures.cohort import Cohort, open_cohort
from collect_analysis.methods.evidence import withheld
from collect_analysis.methods.trials.experiments import at_horizon, read_out
from collect_analysis.methods.trials.power import mde_table
from collect_analysis.report import texts
from collect_analysis.report.conditions import worded
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import Decision
from collect_analysis.strategies import experiment, fitness, treatment, verdict
from collect_analysis.strategies.strategy_review import figures, page_decision, page_net_value, page_readout
from collect_analysis.strategies.strategy_review.measures_recovery import cumulative_recovery
from collect_analysis.strategies.strategy_review.parameters import StrategyReview

AS_OF = date(2026, 6, 30)


def parameters(**changes: Any) -> StrategyReview:
    values = {
        "name": "r", "book": "b", "as_of": "2026-06-30", "experiment_id": "e", "champion": "champion", "challengers": ["challenger"],
        "primary_outcome": "paid", "horizon_days": 90,
    }  # fmt: skip
    return validate(StrategyReview, {**values, **changes}, where="test")


class Review:
    """The steps of the notebook, one after the other."""

    def __init__(self, book: Book, params: StrategyReview) -> None:
        self.params, self.book = params, book
        self.cohort: Cohort = open_cohort(
            book, params.experiment_id, arms=params.arms, horizon_days=params.horizon_days, horizons=params.horizons
        )
        means = experiment.means_of(book, self.cohort, params, self.cohort.outcomes)
        self.doses = experiment.doses_of(book, self.cohort, params)
        self.found = experiment.conditions_of(book, self.cohort, params, means=means, doses=self.doses)
        asked = {"outcome": params.primary_outcome, "horizon_days": params.horizon_days}
        self.effects = withheld(read_out(means, base=params.champion, **asked), self.found, note=experiment.NOT_ANSWERABLE)
        self.adjusted = experiment.adjusted_effect(book, self.cohort, params, self.found)
        self.per_minute = page_readout.ratio_effects(
            book, self.cohort, params, self.found, name="cash_per_agent_minute", over="agent_minutes"
        )
        explained = page_readout.explained(book, self.cohort, params, self.found)
        primary = at_horizon(means, params.horizon_days)
        self.detectable = mde_table(primary, base=params.champion, margin=params.margin_relative, explained=explained)
        self.guarded = experiment.guardrails_of(book, self.cohort, params, self.found)
        self.persistence = page_readout.persistence(book, self.cohort, params, effects=self.effects)
        self.judged = page_decision.verdicts(
            params, self.found, effects=self.effects, adjusted_effects=self.adjusted, guardrails=self.guarded,
            per_minute=self.per_minute, detectable=self.detectable, persistence=self.persistence,
            per_account=page_net_value.net_review(book, self.cohort, params, self.found).effects,
        )  # fmt: skip
        self.between = page_readout.between(book, self.cohort, params, self.found, self.judged, means=means)
        known = {"detectable": self.detectable, "persistence": self.persistence, "between": self.between}
        self.decision: Decision = page_decision.decision_of(params, self.cohort, book.currency, self.found, self.judged, **known)

    def effect(self, outcome: str, days: int) -> pd.Series:
        (row,) = [row for _, row in at_horizon(self.effects[self.effects["outcome"] == outcome], days).iterrows()]
        return row

    @property
    def unmet(self) -> list[str]:
        return [item.name for item in self.found if not item.met]


def supplied(frame: pd.DataFrame, **roles: dict) -> Book:
    table = frame.assign(experiment_id="e", subject_key=[f"s{number}" for number in range(len(frame))])
    return book_from_frames({"cohort": table}, as_of=AS_OF, roles={f"cohort.{name}": role for name, role in roles.items()})


def trial(n: int = 4_000, effect: float = 0.10) -> pd.DataFrame:
    """A registered-looking trial: 20 % against 20 % + effect say yes; `opened` is a consequence of the challenger, `score` is not."""
    rng = np.random.default_rng(2)
    treated = np.arange(n) % 2 == 1
    paid = rng.random(n) < 0.2 + effect * treated
    return pd.DataFrame(
        {
            "arm": np.where(treated, "challenger", "champion"), "outcome_paid": paid.astype(float), "propensity": 0.5,
            "assigned_on": date(2026, 1, 5), "covariate_score": rng.normal(600, 50, n), "covariate_opened": treated * rng.random(n),
        }
    )  # fmt: skip


ROLES = {
    "outcome_paid": {"kind": "binary", "horizon_days": 90, "label": {"en": "Paid something", "vi": "Có trả nợ"}},
    "covariate_score": {"measured": "before"},
    "covariate_opened": {"measured": "after"},
}


def test_a_supplied_trial_is_promoted_with_its_forecast() -> None:
    review = Review(supplied(trial(), **ROLES), parameters(preregistration="plan 7"))
    assert review.unmet == []
    assert review.decision.grade == "A"
    assert review.decision.action == {"action": "promote", "arm": "challenger", "reason": "gain"}
    forecast = review.decision.forecast
    assert forecast["metric"] == "Paid something"
    assert forecast["horizon_days"] == 90
    assert forecast["interval_share"] == 0.95
    assert forecast["check_on"] == date(2026, 9, 28)  # 90 days after 30 June
    assert forecast["low"] < 0.10 < forecast["high"]
    assert "paid something after 90 days" in review.decision.answer


def costly(per_challenger: int) -> Book:
    """The trial with 100,000 a payer; an account costs 1,000, a challenger's costs `per_challenger`: it brings about 10,000 more."""
    table = trial()
    cost = np.where(table["arm"] == "challenger", per_challenger, 1_000)
    table = table.assign(outcome_cash_minor=(table["outcome_paid"] * 100_000).astype("int64"), dose_cost_minor=cost)
    roles = {**ROLES, "outcome_cash_minor": {"kind": "amount", "horizon_days": 90}, "dose_cost_minor": {"unit": "minor"}}
    return supplied(table, **roles)


def test_a_gain_that_its_cost_eats_up_is_rejected_and_one_that_it_may_eat_up_is_a_caveat() -> None:
    told = {"preregistration": "plan 7", "cost": "cost_minor"}
    dear = Review(costly(40_000), parameters(**told))
    assert dear.decision.action["reason"] == "costs_more"
    assert dear.decision.answer.startswith("Reject challenger. After cost an account leaves less")
    fair, cheap = Review(costly(11_000), parameters(**told)), Review(costly(1_000), parameters(**told))
    assert fair.decision.action["action"] == cheap.decision.action["action"] == "promote"
    assert any("leaves more after cost is not shown" in caveat for caveat in fair.decision.caveats)
    assert not any("after cost" in caveat for caveat in cheap.decision.caveats)


def dosed(champion: float, challenger: float, *, reached: float = 1.0) -> Review:
    """The trial with a new channel: messages per account in each arm, sent to `reached` of the challenger."""
    table = trial()
    got = np.random.default_rng(3).random(len(table)) < reached
    messages = np.where(table["arm"] == "challenger", np.where(got, challenger / reached, 0.0), champion)
    declared = {"dose": "messages", "min_dose_difference": 0.1, "preregistration": "plan 7"}
    return Review(supplied(table.assign(dose_messages=messages), **ROLES), parameters(**declared))


def test_a_new_channel_against_none_is_told_in_its_own_unit_and_costs_no_grade() -> None:
    review = dosed(0, 3)
    assert review.unmet == []
    assert review.decision.grade == "A"
    (row,) = review.doses.to_dict("records")
    assert [row["base_mean"], row["mean"], row["value"]] == [0, 3, 3]
    assert np.isnan(row["relative"])
    told = {item.name: item.detail for item in worded(review.found, "en")}
    assert told["new_dose_given"].startswith("The champion got no messages at all; arm challenger got 3 per account")


def test_a_channel_that_was_never_delivered_is_refused() -> None:
    review = dosed(0, 0)
    assert review.unmet == ["dose_delivered"]
    assert review.decision.grade == "none"
    assert "was never delivered" in review.decision.confidence
    assert "was never delivered" in review.decision.answer


def test_a_channel_delivered_in_part_says_how_much() -> None:
    review = dosed(0, 3, reached=0.6)
    assert review.unmet == ["dose_reached"]
    assert review.decision.grade == "A"
    (caveat,) = [text for text in review.decision.caveats if "of the accounts of arm challenger got any messages" in text]
    assert caveat.startswith("Only 59.6 %")


def test_a_guardrail_without_an_event_is_kept_where_so_many_accounts_bound_it() -> None:
    table = trial().assign(dose_complaints=0)
    review = Review(supplied(table, **ROLES), parameters(preregistration="plan 7", guardrails={"complaints": 4.0}))
    (row,) = review.guarded.to_dict("records")
    # No event among 2,000: at most 3.69 per 2,000, 1.84 per thousand.
    assert (row["status"], row["mean"], round(row["high"], 2)) == ("kept", 0, 1.84)
    assert review.decision.action["action"] == "promote"
    tight = Review(supplied(table, **ROLES), parameters(preregistration="plan 7", guardrails={"complaints": 1.0}))
    assert tight.guarded["status"].tolist() == ["open"]


def test_what_a_supplied_cohort_lacks_leaves_a_reason_and_no_section() -> None:
    review = Review(supplied(trial(), **ROLES), parameters())
    assert review.doses.empty
    assert review.per_minute.empty
    shown = experiment.show(review.doses, review.params, review.cohort, columns=["outcome"], reason="no_dose")
    assert shown.columns[0].cells == (texts.say("no_dose", "en"),)
    curve = cumulative_recovery(review.book, review.cohort, review.params.arms)
    drawn = figures.cumulative_recovery(curve, lang="en", currency="VND")
    assert drawn.texts[0].get_text() == texts.say("no_daily_cash", "en")


def test_covariates_from_after_assignment_are_refused_by_name_and_the_rest_is_used() -> None:
    book = supplied(trial(), **ROLES)
    review = Review(book, parameters(covariates=["score", "opened"]))
    assert "covariates_before" in review.unmet
    assert list(review.adjusted["covariates"]) == ["score"]
    assert any("Not adjusted for opened: measured after assignment" in caveat for caveat in review.decision.caveats)
    # What the refusal prevents: with `opened` held equal the effect is gone.
    undeclared = Review(supplied(trial(), **{**ROLES, "covariate_opened": {}}), parameters(covariates=["opened"]))
    assert "covariates_before" in undeclared.unmet
    assert undeclared.adjusted.empty


def broken(**columns: Any) -> pd.DataFrame:
    return trial().assign(**columns)


def in_two_arms() -> pd.DataFrame:
    return trial().assign(customer_key=lambda t: "c" + (t.index // 2).astype(str))


def missing_outcome() -> pd.DataFrame:
    return trial().assign(outcome_paid=lambda t: t["outcome_paid"].mask(t.index == 3))


def one_payer() -> pd.DataFrame:
    return trial().assign(outcome_paid=lambda t: ((t.index % 2 == 0) | (t.index == 7)).astype(float))


def lost_cases() -> pd.DataFrame:
    return trial().drop(index=range(1, 601, 2)).reset_index(drop=True)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (lost_cases(), "sample_ratio"),
        (in_two_arms(), "one_arm_each"),
        (missing_outcome(), "outcome_sound"),
        (broken(assigned_on=date(2026, 5, 1)), "horizon_over"),
        (broken(propensity=1.0), "assigned_by_chance"),
        (broken(propensity=lambda t: 0.3 + 0.4 * (t.index % 4 > 1)), "one_probability"),
        (one_payer(), "payers_enough"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_a_test_that_cannot_answer_says_why_and_shows_no_effect(frame: pd.DataFrame, code: str) -> None:
    review = Review(supplied(frame, **ROLES), parameters(preregistration="plan 7"))
    assert code in review.unmet
    assert review.decision.grade == "none"
    assert review.decision.action["action"] == "refuse"
    assert review.decision.forecast == {}
    assert review.effects[["value", "low", "high", "relative", "p_value"]].isna().all(axis=None)
    assert review.adjusted.empty
    assert texts.say(f"condition_{code}_remedy", "en").split("{")[0] in review.decision.confidence


def test_negative_money_is_refused() -> None:
    rng = np.random.default_rng(1)
    frame = trial().drop(columns="outcome_paid").assign(outcome_cash_minor=rng.integers(-5, 900, 4_000))
    review = Review(supplied(frame, outcome_cash_minor={"kind": "money"}), parameters(primary_outcome="cash"))
    assert "outcome_sound" in review.unmet


def test_an_unknown_outcome_covariate_or_guardrail_is_refused_with_what_there_is() -> None:
    book = supplied(trial(), **ROLES)
    with pytest.raises(DataError, match="no outcome 'cash' at 90 days; it has paid at 90 days"):
        Review(book, parameters(primary_outcome="cash"))
    with pytest.raises(DataError, match=r"no covariate\(s\) scor; it has opened, score"):
        Review(book, parameters(covariates=["scor"]))
    with pytest.raises(DataError, match="nothing called complaints to guard; it has paid"):
        Review(book, parameters(guardrails={"complaints": 1.0}))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"planned_shares": {"champion": 0.6, "challenger": 0.5}}, "shares sum to 1.1"),
        ({"planned_shares": {"champion": 0.5, "other": 0.5}}, "no share for challenger"),
        ({"challengers": ["champion"]}, "named among the challengers"),
        ({"challengers": []}, "at least 1 item"),
        ({"dose": "outbound_contacts"}, "belong together"),
        ({"horizon_days": 0}, "greater than or equal to 1"),
        ({"guardrails": {"complaints": -1.0}}, "greater than or equal to 0"),
    ],
)
def test_parameters_that_cannot_be_followed_are_refused(changes: dict, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        parameters(**changes)


def test_several_challengers_are_told_apart_and_adjusted() -> None:
    frame = trial(6_000).assign(arm=lambda t: np.where(t["arm"] == "champion", "champion", np.where(t.index % 4 == 1, "a", "b")))
    frame["propensity"] = np.where(frame["arm"] == "champion", 0.5, 0.25)
    review = Review(supplied(frame, **ROLES), parameters(challengers=["a", "b"], preregistration="plan 7"))
    assert [item.arm for item in review.judged] == ["a", "b"]
    assert (review.effects["p_adjusted"] >= review.effects["p_value"]).all()
    assert (review.effects["level"] == 0.975).all()
    assert any("2 challengers" in caveat and "hold together" in caveat for caveat in review.decision.caveats)


@pytest.mark.parametrize("covariates", [[], ["score"]])
def test_challengers_that_are_not_told_apart_are_named_together_in_the_answer(covariates: list[str]) -> None:
    frame = trial(9_000).assign(arm=lambda t: np.where(t["arm"] == "champion", "champion", np.where(t.index % 4 == 1, "a", "b")))
    frame["propensity"] = np.where(frame["arm"] == "champion", 0.5, 0.25)
    told = {"challengers": ["a", "b"], "preregistration": "plan 7", "covariates": covariates}
    review = Review(supplied(frame, **ROLES), parameters(**told))
    best, other = (review.decision.action[key] for key in ("arm", "not_told_apart"))
    assert {best, other} == {"a", "b"}
    (row,) = review.between.to_dict("records")
    effects = (review.adjusted if covariates else at_horizon(review.effects, 90)).set_index("arm")["value"]
    assert row["value"] == pytest.approx(effects[best] - effects[other])
    assert row["low"] < 0 < row["high"]
    assert f"It is not told apart from {other}" in review.decision.answer
    # A rival that is far away is told apart, and nothing is said.
    worse = frame.assign(outcome_paid=lambda t: t["outcome_paid"].where((t["arm"] != other) | (np.arange(len(t)) % 9 != 0), 0.0))
    apart = Review(supplied(worse, **ROLES), parameters(**told))
    assert "not_told_apart" not in apart.decision.action


def test_the_box_and_its_confidence_never_contradict_each_other() -> None:
    """Effects that are just told from zero: a promotion quotes a relative interval above zero beside the absolute one."""
    promoted = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        frame = trial(1_200).assign(outcome_paid=lambda t, rng=rng: (rng.random(len(t)) < 0.2 + 0.045 * (t["arm"] == "challenger")) * 1.0)
        claim = Review(supplied(frame, **ROLES), parameters(preregistration="plan 7")).judged[0]
        promoted += claim.action == "promote"
        assert (claim.claim.low > 0) == (claim.claim.relative_low > 0) == (claim.action == "promote")
    assert 0 < promoted < 12


def stratified(n: int = 6_000, effect: float = 0.10) -> pd.DataFrame:
    """Two strata: 'late' pays less and got the challenger with 20 %, 'soon' with 60 %."""
    rng = np.random.default_rng(5)
    late = np.arange(n) % 2 == 0
    share = np.where(late, 0.2, 0.6)
    treated = rng.random(n) < share
    paid = rng.random(n) < np.where(late, 0.1, 0.4) + effect * treated
    return pd.DataFrame(
        {
            "arm": np.where(treated, "challenger", "champion"), "outcome_paid": paid.astype(float),
            "propensity": np.where(treated, share, 1 - share), "stratum": np.where(late, "late", "soon"), "assigned_on": date(2026, 1, 5),
            "covariate_score": rng.normal(600, 50, n) + 40 * late, "outcome_cash_minor": np.round(paid * rng.lognormal(10, 1, n)),
        }
    )  # fmt: skip


def test_strata_with_their_own_probabilities_are_answered_within_them() -> None:
    review = Review(supplied(stratified(), **ROLES), parameters(preregistration="plan 7", covariates=["score"]))
    assert review.unmet == []
    row = review.effect("paid", 90)
    assert row["low"] < 0.10 < row["high"]
    # The plain difference mixes the strata: 'soon' is over-represented in the challenger.
    plain = stratified().groupby("arm")["outcome_paid"].mean()
    assert plain["challenger"] - plain["champion"] > row["high"]
    (at_equal,) = review.adjusted.to_dict("records")
    assert at_equal["value"] == pytest.approx(row["value"], abs=0.004)
    assert at_equal["covariates"] == "score"
    shown = experiment.allocation_table(
        review.params, arms.arm_facts(review.book, review.cohort), experiment.strata_of(review.book, review.cohort, review.params)
    )
    assert shown["stratum"].tolist() == ["late", "late", "soon", "soon"]
    assert shown["share"].tolist() == pytest.approx([0.8, 0.2, 0.4, 0.6])
    assert any("compared within strata" in caveat for caveat in review.decision.caveats)


def test_every_way_of_a_stratified_test_says_the_same_mean() -> None:
    review = Review(supplied(stratified(), **ROLES), parameters(preregistration="plan 7", primary_outcome="cash"))
    tails, shares = page_readout.tails(review.book, review.cohort, review.params, review.found)
    own = tails[tails["outcome"] == "cash"].set_index("method")
    effect = review.effect("cash", 90)
    assert own.loc[["plain", "bootstrap_t"], "value"].tolist() == pytest.approx([effect["value"]] * 2)
    assert 0 < shares["value"].min() < shares["value"].max() < 1


def test_a_stratum_that_one_arm_never_got_is_refused() -> None:
    frame = stratified()
    frame = frame[~((frame["stratum"] == "late") & (frame["arm"] == "challenger"))].reset_index(drop=True)
    review = Review(supplied(frame, **ROLES), parameters(preregistration="plan 7"))
    assert "strata_filled" in review.unmet
    assert review.decision.action["action"] == "refuse"


def test_an_amount_that_one_customer_decides_is_said_and_costs_a_grade() -> None:
    frame = trial().drop(columns="outcome_paid")
    rng = np.random.default_rng(3)
    # Many small payers more in the champion; ten huge ones in the challenger.
    treated = frame["arm"] == "challenger"
    cash = np.where(rng.random(len(frame)) < np.where(treated, 0.2, 0.25), rng.integers(900, 1_100, len(frame)), 0)
    cash[np.flatnonzero(treated)[:10]] = rng.integers(150_000, 250_000, 10)
    book = supplied(frame.assign(outcome_cash_minor=cash), outcome_cash_minor={"kind": "money"})
    review = Review(book, parameters(primary_outcome="cash", preregistration="plan 7"))
    tails, shares = page_readout.tails(book, review.cohort, review.params, review.found)
    own = tails.set_index("method")
    assert own.loc["plain", "low"] > 0
    assert own.loc["largest_excluded", "high"] < 0
    assert own.loc["largest_excluded", "steady"] == "sign_changes"
    (condition,) = page_readout.few_large_payers(review.params, tails, shares)
    assert (condition.met, condition.consequence) == (False, "downgrade")
    assert condition.details["top_share"] > 0.6
    again, _ = page_readout.tails(book, review.cohort, review.params, review.found)
    pd.testing.assert_frame_equal(tails, again)


def test_a_covariate_that_explains_nothing_is_told_to_give_nothing() -> None:
    review = Review(supplied(trial(), **ROLES), parameters(covariates=["score"], preregistration="plan 7"))
    table = page_readout.reduction(
        review.book, review.cohort, review.params, review.found, effects=review.effects, at_equal=review.adjusted
    ).set_index("method")
    assert list(table.index) == ["plain", "cuped", "lin"]
    assert abs(table.loc["lin", "reduction"]) < 0.005
    assert table.loc["lin", "multiplier"] == pytest.approx(1, abs=0.005)
    assert review.detectable["rho2"].iloc[0] < 0.005


def test_an_arm_with_nobody_and_an_unnamed_arm_are_told_apart() -> None:
    frame = trial().assign(arm=lambda t: np.where(t.index < 12, "other", t["arm"]))
    review = Review(supplied(frame, **ROLES), parameters(preregistration="plan 7"))
    assert review.unmet == ["all_arms_compared"]
    assert any("arm(s) other" in caveat for caveat in review.decision.caveats)
    with pytest.raises(DataError, match="no arm\\(s\\) chalenger"):
        Review(supplied(trial(), **ROLES), parameters(challengers=["chalenger"]))
    plan = pd.DataFrame(
        {"experiment_id": "e", "arm": ["champion", "challenger"], "role": ["champion", "challenger"], "share": 0.5,
         "unit_of_assignment": "account", "starts_on": date(2026, 1, 5), "horizon_days": 90}
    )  # fmt: skip
    alone = (
        trial().query("arm == 'champion'").reset_index(drop=True).assign(experiment_id="e", subject_key=lambda t: "s" + t.index.astype(str))
    )
    book = book_from_frames(
        {"cohort": alone, "experiment": plan}, as_of=AS_OF, roles={f"cohort.{name}": role for name, role in ROLES.items()}
    )
    one_sided = Review(book, parameters())
    assert "arms_filled" in one_sided.unmet
    assert one_sided.decision.action["action"] == "refuse"


def codes(module: Any, pattern: str) -> set[str]:
    return set(re.findall(pattern, Path(module.__file__).read_text(encoding="utf-8")))


def test_every_condition_and_every_verdict_has_its_words() -> None:
    keys = {place.removeprefix("words.") for _, place, _ in texts.entries() if place.startswith("words.")}
    for code in set.union(*(codes(module, r'name="(\w+)"(?!, met=True)') for module in (fitness, lot, treatment)), set(lot.APART.values())):
        assert {f"condition_{code}_unmet", f"condition_{code}_remedy"} <= keys
        assert texts.value("check", code, "vi") != code
    rules = set(re.findall(r'verdict\("(\w+)", "(\w+)"\)', Path(verdict.__file__).read_text(encoding="utf-8")))
    assert len(rules) == 15
    for action, reason in rules:
        assert f"answer_{action}_{reason}" in keys
        assert texts.value("reason", reason, "vi") != reason


def test_conditions_and_decision_read_in_vietnamese() -> None:
    review = Review(supplied(lost_cases(), **ROLES), parameters(lang="vi"))
    assert review.decision.answer.startswith("Không kết luận")
    assert "Quy mô các nhánh lệch kế hoạch" in review.decision.confidence
    details = [condition.detail for condition in worded(review.found, "vi")]
    assert all(details)
    assert not any("{" in detail for detail in details)


# The sample shop: what was planted, and what the review says of it.


@pytest.fixture(scope="module")
def shop(sample_book: Path) -> Book:
    return open_book("sample", as_of=AS_OF, folder=sample_book)


def test_the_planted_rise_of_payers_lies_in_its_interval(shop: Book) -> None:
    changes = {"primary_outcome": "payer_rate", "horizon_days": 180, "dose": "outbound_contacts", "min_dose_difference": 0.05}
    review = Review(shop, parameters(experiment_id="exp-payer", guardrails={"complaints": 10.0}, **changes))
    row = review.effect("payer_rate", 180)
    assert row["relative_low"] < 0.08 < row["relative_high"]
    for days in (30, 60, 90):
        row = review.effect("payer_rate", days)
        assert abs(row["relative"] - 0.08) < 3 * (row["relative_high"] - row["relative"]) / 1.96
    assert not [code for code in review.unmet if code != "registered"]
    # Nothing was planted on the amount per payer.
    assert review.effect("cash_per_account", 180)["relative_low"] < 0.08 < review.effect("cash_per_account", 180)["relative_high"]


def test_two_equal_arms_show_no_effect(shop: Book) -> None:
    review = Review(shop, parameters(experiment_id="exp-aa", primary_outcome="payer_rate"))
    assert review.decision.action["action"] != "promote"
    for days in (30, 60, 90):
        row = review.effect("payer_rate", days)
        assert row["relative_low"] < 0 < row["relative_high"]


def test_a_challenger_that_used_more_agent_time_is_flagged(shop: Book) -> None:
    review = Review(shop, parameters(experiment_id="exp-minutes", primary_outcome="payer_rate"))
    assert "capacity_alike" in review.unmet
    minutes = review.doses.set_index("outcome").loc["agent_minutes"]
    assert minutes["relative_low"] < 0.4 < minutes["relative_high"]
    assert review.per_minute["relative"].iloc[0] < 0
    assert review.decision.action["action"] != "promote"


def test_cash_pulled_forward_is_no_more_cash_at_the_longest_horizon(shop: Book) -> None:
    review = Review(shop, parameters(experiment_id="exp-timing", primary_outcome="cash_per_account", horizon_days=180))
    early, late = review.effect("cash_per_account", 30), review.effect("cash_per_account", 180)
    assert early["relative_low"] < 0.15 < early["relative_high"]
    assert late["relative_low"] < 0 < late["relative_high"]
    assert review.decision.action["action"] != "promote"
    # The payers are the clearer witness in a small shop: more of them early, fewer later, as many in all.
    paid = review.persistence.set_index("outcome").loc["payer_rate"]
    assert paid["lasting"] == "timing"
    assert paid["early"] > 0 > paid["after"]
    assert any("Cash that comes earlier is not more cash" in caveat for caveat in review.decision.caveats)
    payers = Review(shop, parameters(experiment_id="exp-timing", primary_outcome="payer_rate", horizon_days=180, margin_relative=0.05))
    assert payers.decision.action == {"action": "reject", "arm": "challenger", "reason": "timing"}
    assert "Timing, not level" in payers.decision.answer


def test_a_horizon_that_is_not_over_is_empty_with_its_reason(shop: Book) -> None:
    review = Review(shop, parameters(experiment_id="exp-minutes", primary_outcome="payer_rate", horizon_days=180))
    assert "horizon_over" in review.unmet
    assert review.decision.action["action"] == "refuse"
    ninety = Review(shop, parameters(experiment_id="exp-minutes", primary_outcome="payer_rate"))
    late = ninety.effect("payer_rate", 180)
    assert np.isnan(late["value"])
    assert late["note"].startswith("the horizon is not over for")


def test_covariates_of_the_book_leave_less_variance(shop: Book) -> None:
    changes = {"primary_outcome": "cash_per_account", "horizon_days": 180, "covariates": ["paid_before", "balance"]}
    review = Review(shop, parameters(experiment_id="exp-payer", **changes))
    (row,) = review.adjusted.to_dict("records")
    assert 0 < row["variance_kept"] < 1
    assert row["method"] == "cr1"  # customers hold several accounts
    assert row["low"] < review.effect("cash_per_account", 180)["value"] < row["high"]


def test_figures_draw_the_tables_they_are_given(shop: Book) -> None:
    review = Review(shop, parameters(experiment_id="exp-payer", primary_outcome="payer_rate", horizon_days=180))
    forest = figures.effects_by_horizon(review.effects, lang="vi", horizon_days=180)
    assert len(forest.get_yticklabels()) == 8
    curve = cumulative_recovery(shop, review.cohort, review.params.arms)
    drawn = figures.cumulative_recovery(curve, lang="en", currency="VND")
    assert len(drawn.get_lines()) == 2
    assert "VND" in drawn.get_ylabel()
