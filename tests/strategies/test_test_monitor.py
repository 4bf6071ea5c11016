"""A running test in words: what is broken, what may stop, and its planted truths in the sample shop."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.evidence import Condition
from collect_analysis.report import texts
from collect_analysis.report.conditions import worded
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import Decision
from collect_analysis.strategies.test_monitor import decision as monitoring, decision_validity, figures, page, page_decision
from collect_analysis.strategies.test_monitor.decision import Outlook, Ruling, Standing, outlook, overall, rule
from collect_analysis.strategies.test_monitor.parameters import TestMonitor

START, AS_OF = date(2026, 1, 5), date(2026, 6, 30)


def parameters(**changes: Any) -> TestMonitor:
    values = {
        "name": "r", "book": "b", "as_of": "2026-06-30", "experiment_id": "e", "champion": "champion", "challengers": ["challenger"],
        "primary_outcome": "paid", "horizon_days": 30, "planned_cases": {"champion": 3_000, "challenger": 3_000}, "preregistration": "plan 7",
    }  # fmt: skip
    return validate(TestMonitor, {**values, **changes}, where="test")


class Monitor:
    """The steps of the notebook, one after the other."""

    def __init__(self, book: Book, params: TestMonitor) -> None:
        self.params = params
        cohort = page.open_running(book, params)
        self.watched = page.watch(book, cohort, params)
        self.doses = page.doses_to_date(book, params)
        self.weeks = page.weekly_allocation(cohort, book, params, self.watched)
        self.weekly = page.weekly_doses(book, cohort, params)
        self.crossed = page.crossings(book, cohort, params)
        self.lost = page.losses(book, cohort, params)
        judged_on = {"doses": self.doses, "weeks": self.weeks, "weekly": self.weekly, "crossed": self.crossed, "lost": self.lost}
        self.found: list[Condition] = page.conditions_of(book, cohort, params, self.watched, **judged_on)
        self.effects = page.claims(self.watched.effects, self.found)
        self.guarded = page.claims(self.watched.guarded, self.found)
        self.peeked = page.peeking(self.effects, params)
        self.ahead = page.timetable(book, params, self.watched)
        self.judged = page_decision.rulings(params, self.found, self.watched)
        self.decision: Decision = page_decision.decision_of(
            params, book.currency, self.found, self.watched, self.judged, self.ahead, self.peeked
        )

    @property
    def unmet(self) -> list[str]:
        return [item.name for item in self.found if not item.met]

    @property
    def action(self) -> tuple[object, object]:
        return self.decision.action["action"], self.decision.action["reason"]


ROLES = {"outcome_paid": {"kind": "binary", "horizon_days": 30}, "outcome_angry": {"kind": "number", "horizon_days": 30}}


def supplied(frame: pd.DataFrame, as_of: date = AS_OF) -> Book:
    table = frame.assign(experiment_id="e", subject_key=[f"s{number}" for number in range(len(frame))])
    return book_from_frames({"cohort": table}, as_of=as_of, roles={f"cohort.{name}": role for name, role in ROLES.items()})


def trial(effect: float = 0.0, *, n: int = 4_000, angry: float = 0.0) -> pd.DataFrame:
    """Two arms that come in evenly over 120 days; 20 % of the champion pay, and 2 % complain."""
    rng = np.random.default_rng(3)
    treated = np.arange(n) % 2 == 1
    return pd.DataFrame(
        {
            "arm": np.where(treated, "challenger", "champion"),
            "outcome_paid": (rng.random(n) < 0.2 + effect * treated).astype(float),
            "outcome_angry": (rng.random(n) < 0.02 + angry * treated).astype(float),
            "propensity": 0.5,
            "assigned_on": [START + timedelta(days=int(day)) for day in np.arange(n) * 120 // n],
        }
    )


def test_two_equal_arms_go_on_until_the_next_look() -> None:
    monitor = Monitor(supplied(trial()), parameters())
    assert monitor.unmet == []
    assert monitor.action == ("continue", "running")
    assert monitor.decision.grade == "A"
    # Looks run weekly from 5 January; the 2,000 of an arm that came in are not the 3,000 planned, and nobody comes in any more.
    assert monitor.watched.days[0] == date(2026, 2, 9)
    assert "2,000 of 3,000 planned" in monitor.decision.answer


def test_a_clear_gain_may_stop_and_says_by_how_much() -> None:
    monitor = Monitor(supplied(trial(0.08)), parameters(guardrails={"angry": 25.0}))
    assert monitor.action == ("stop_success", "gain")
    assert monitor.decision.forecast["low"] < 0.08 < monitor.decision.forecast["high"]
    assert any("overstate" in caveat for caveat in monitor.decision.caveats)
    assert "percentage points" in monitor.decision.confidence


def test_a_gain_waits_for_its_guardrails_and_for_its_horizon() -> None:
    assert Monitor(supplied(trial(0.08)), parameters(guardrails={"angry": 1.0})).action == ("continue", "guardrail_open")
    early = Monitor(supplied(trial(0.08)), parameters(reading_days=30, horizon_days=90))
    assert early.action == ("continue", "early_gain")
    assert "read_at_horizon" in early.unmet
    assert early.decision.grade == "B"


def test_harm_stops_the_test_by_the_outcome_and_by_a_guardrail() -> None:
    assert Monitor(supplied(trial(-0.08)), parameters()).action == ("stop_harm", "worse")
    angry = Monitor(supplied(trial(0.08, angry=0.04)), parameters(guardrails={"angry": 10.0}))
    assert angry.action == ("stop_harm", "guardrail_breached")
    assert "angry" in angry.decision.answer


def test_a_hopeless_test_stops_only_where_that_was_declared() -> None:
    hopeless = {"margin_relative": 0.02, "planned_cases": {"champion": 2_200, "challenger": 2_200}}
    assert Monitor(supplied(trial()), parameters(**hopeless)).action == ("continue", "running")
    declared = Monitor(supplied(trial()), parameters(**hopeless, futility_below=0.2))
    assert declared.action == ("stop_futility", "futility")


def test_a_complete_test_without_a_crossing_is_read_out() -> None:
    monitor = Monitor(supplied(trial()), parameters(planned_cases={"champion": 1_900, "challenger": 1_900}))
    assert monitor.action == ("read_out", "complete")


def lost_since_week_ten() -> pd.DataFrame:
    """From 16 March on half of the challenger's accounts do not arrive."""
    return trial().loc[lambda t: ~((t["assigned_on"] >= date(2026, 3, 16)) & (t.index % 4 == 1))].reset_index(drop=True)


def test_the_week_in_which_accounts_began_to_be_lost_is_named() -> None:
    monitor = Monitor(supplied(lost_since_week_ten()), parameters())
    assert {"sample_ratio", "weeks_as_planned"} <= set(monitor.unmet)
    assert monitor.action == ("fix", "broken")
    condition = next(item for item in worded(monitor.found, "en") if item.name == "weeks_as_planned")
    assert "2026-03-16" in condition.detail
    assert condition.detail in monitor.decision.answer
    assert monitor.decision.grade == "none"
    assert monitor.effects[["value", "low", "high", "naive_low", "z"]].isna().all(axis=None)
    assert figures.effect_at_looks(monitor.effects, lang="vi", unit="share", currency="VND", margin_relative=0.03).texts


def test_customers_in_both_arms_above_the_declared_share_break_the_test() -> None:
    frame = trial().assign(customer_key=lambda t: "c" + (t.index // 2 * 2 + (t.index % 2) * (t.index >= 400)).astype(str))
    broken = Monitor(supplied(frame), parameters())
    assert {"contained", "one_arm_each"} <= set(broken.unmet)
    assert broken.action == ("fix", "broken")
    tolerant = Monitor(supplied(frame), parameters(max_contamination=0.2))
    assert "contained" not in tolerant.unmet
    assert tolerant.decision.grade == "B"


def test_before_the_first_horizon_the_page_says_when_to_look() -> None:
    monitor = Monitor(supplied(trial(), as_of=date(2026, 2, 1)), parameters(as_of="2026-02-01", guardrails={"angry": 10.0}))
    assert monitor.action == ("continue", "no_look")
    assert "2026-02-04" in monitor.decision.answer
    assert monitor.decision.grade == "none"
    assert monitor.effects.empty
    assert figures.effect_at_looks(monitor.effects, lang="en", unit="share", currency="VND", margin_relative=0.03).texts
    assert page.latest(monitor.effects).empty
    assert page.newest(monitor.guarded).empty


def test_a_boundary_without_a_plan_is_refused_and_an_always_valid_interval_needs_none() -> None:
    unplanned = Monitor(supplied(trial(0.08)), parameters(planned_cases={}))
    assert "information_planned" in unplanned.unmet
    assert unplanned.action == ("fix", "broken")
    always = Monitor(supplied(trial(0.08)), parameters(planned_cases={}, spending="always_valid", margin_relative=0.2))
    assert always.unmet == []
    assert always.action == ("stop_success", "gain")


def test_declared_information_is_worth_the_cases_that_give_it() -> None:
    by_cases = Monitor(supplied(trial()), parameters())
    last = by_cases.watched.effects[by_cases.watched.effects["used"]].iloc[-1]
    declared = parameters(planned_cases={}, planned_information=float(last["information"] / last["fraction"]))
    by_information = Monitor(supplied(trial()), declared)
    pd.testing.assert_frame_equal(by_cases.watched.effects, by_information.watched.effects, rtol=1e-9)


def test_an_empty_arm_an_unknown_arm_and_a_day_before_the_start_are_refused() -> None:
    planned = {"champion": 0.5, "challenger": 0.5}
    empty = trial().assign(arm=lambda t: np.where((t["arm"] == "challenger") & (t.index > 7), "champion", t["arm"]))
    monitor = Monitor(supplied(empty), parameters(planned_shares=planned))
    assert {"arms_filled", "sample_ratio"} <= set(monitor.unmet)
    assert monitor.action == ("fix", "broken")
    with pytest.raises(DataError, match=r"no arm\(s\) challengr; its arms are challenger, champion"):
        Monitor(supplied(trial()), parameters(challengers=["challengr"], planned_cases={}))
    with pytest.raises(DataError, match="has nobody in experiment 'e' as of 2025-12-31"):
        Monitor(supplied(trial(), as_of=date(2025, 12, 31)), parameters(as_of="2025-12-31"))
    with pytest.raises(DataError, match="1 of 1 lie before the first assignment on 2026-01-05"):
        Monitor(supplied(trial()), parameters(look_days=["2026-01-01"]))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"look_days": ["2026-03-01", "2026-02-01"]}, r"look_days are not in order of time \(1 of 2, first: 2026-02-01\)"),
        ({"look_days": ["2026-03-01", "2026-03-01"]}, "names the same item twice"),
        ({"reading_days": 60}, "reading_days 60 is beyond horizon_days 30"),
        ({"planned_cases": {"champion": 10}}, "planned_cases has no number for challenger"),
        ({"planned_information": 4.0}, "say the same thing twice"),
        ({"treatments": {"other": ["sms"]}}, "treatments names other"),
        ({"spending": "pockock"}, "spending is 'pockock'"),
    ],
)
def test_parameters_that_cannot_be_followed_are_refused(changes: dict, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        parameters(**changes)


def test_several_challengers_share_the_error_rate() -> None:
    frame = trial(0.08).assign(arm=lambda t: np.where(t["arm"] == "champion", "champion", np.where(t.index % 4 == 1, "a", "b")))
    frame["propensity"] = np.where(frame["arm"] == "champion", 0.5, 0.25)
    cases = {"champion": 3_000, "a": 1_500, "b": 1_500}
    monitor = Monitor(supplied(frame), parameters(challengers=["a", "b"], planned_cases=cases))
    assert sorted(set(monitor.watched.effects["arm"])) == ["a", "b"]
    assert set(monitor.peeked["allowed"]) == {0.025}
    assert any("2 challengers share" in caveat for caveat in monitor.decision.caveats)
    assert figures.effect_at_looks(monitor.effects, lang="en", unit="share", currency="VND", margin_relative=0.03).get_legend()


def test_the_worst_news_decides_and_rules_apply_in_order() -> None:
    standing = Standing(
        arm="a", value=1.0, low=0.5, high=1.5, relative=0.1, fraction=0.5, crossed="up", conditional_power=0.9, guardrails={"x": "kept"}
    )
    how = {"broken": False, "looked": True, "short_reading": False, "closed": True, "futility_below": 0.0}
    gain = rule(standing, **how)
    assert (gain.action, gain.reason) == ("stop_success", "gain")
    assert rule(standing, **{**how, "broken": True}).action == "fix"
    crowded = Standing(**{**vars(standing), "crowded": True})
    assert rule(crowded, **how).reason == "capacity"
    harmful = Standing(**{**vars(crowded), "crossed": "down"})
    assert rule(harmful, **how).reason == "worse"
    assert overall([gain, rule(harmful, **how)]).action == "stop_harm"
    assert isinstance(gain, Ruling)


def test_the_day_of_full_information_follows_from_the_pace_of_entry() -> None:
    days = [START + timedelta(days=step) for step in range(28)]
    entered = pd.DataFrame({"arm": ["a"] * 28 + ["b"] * 28, "day": days * 2, "cases": 10, "clusters": 10})
    how = {"arms": ["a", "b"], "as_of": days[-1], "horizon_days": 30, "every": 7, "declared": []}
    # 280 of 350 are in; ten come in a day: seven more days, then the horizon.
    found: Outlook = outlook(entered, **how, planned={"a": 350, "b": 280})
    assert found.complete_on == days[-1] + timedelta(days=7 + 30)
    assert found.first_look == START + timedelta(days=30)
    assert found.next_look == START + timedelta(days=35)
    assert outlook(entered, **how, planned={}).complete_on is None
    late = outlook(entered, **{**how, "as_of": days[-1] + timedelta(days=60)}, planned={"a": 350, "b": 280})
    assert late.complete_on is None
    assert (late.entered, late.planned, late.open_cases) == (280, 350, 0)


def test_a_week_whose_dose_departs_from_the_others_is_named_first() -> None:
    weeks = [START + timedelta(days=7 * step) for step in range(8)]
    rows = []
    for place, week in enumerate(weeks):
        for arm, rate in (("champion", 1.0), ("challenger", 1.5 if place < 5 else 1.0)):
            y, x = 400 * rate, 400.0
            products = {"sum_yy": y * rate * 1.5, "sum_xx": x, "sum_xy": y}
            rows.append(
                {
                    "outcome": "outbound_contacts",
                    "week": week,
                    "arm": arm,
                    "cases": 400,
                    "clusters": 400,
                    "sum_y": y,
                    "sum_x": x,
                    **products,
                }
            )
    found = decision_validity.dose_by_week(pd.DataFrame(rows), base="champion")
    assert found["relative"].tolist() == pytest.approx([0.5] * 5 + [0.0] * 3)
    assert found.loc[found["drifted"], "week"].min() == weeks[5]


def test_every_condition_and_every_ruling_has_its_words() -> None:
    keys = {place.removeprefix("words.") for _, place, _ in texts.entries() if place.startswith("words.")}
    source = Path(decision_validity.__file__).read_text(encoding="utf-8")
    for code in set(re.findall(r'name="(\w+)"', source)):
        assert {f"condition_{code}_unmet", f"condition_{code}_remedy"} <= keys
        assert texts.value("check", code, "vi") != code
    pairs = re.findall(r'ruling\("(\w+)", "(\w+)"\)', Path(monitoring.__file__).read_text(encoding="utf-8"))
    assert len(set(pairs)) == 12
    for action, reason in pairs:
        assert f"monitor_{action}_{reason}" in keys
        assert texts.value("reason", reason, "vi") != reason
        assert texts.value("action", action, "vi") != action


def test_the_decision_reads_in_vietnamese() -> None:
    monitor = Monitor(supplied(lost_since_week_ten()), parameters(lang="vi"))
    assert monitor.decision.answer.startswith("Phải chấn chỉnh thử nghiệm")
    details = [condition.detail for condition in worded(monitor.found, "vi")]
    assert all(details)
    assert any("16/03/2026" in detail for detail in details)


# The sample shop: what was planted, and what the monitor says of it.


def test_a_challenger_that_takes_more_agent_time_is_to_be_mended_while_it_runs(sample_book: Path) -> None:
    book = open_book("sample", as_of=date(2026, 4, 30), folder=sample_book)
    changes = {"experiment_id": "exp-minutes", "primary_outcome": "payer_rate", "horizon_days": 90, "as_of": "2026-04-30"}
    monitor = Monitor(book, parameters(**changes, planned_cases={"champion": 400, "challenger": 400}))
    assert "capacity_alike" in monitor.unmet
    minutes = monitor.doses.set_index("outcome").loc["agent_minutes"]
    assert minutes["relative_low"] < 0.4 < minutes["relative_high"]
    assert monitor.action == ("fix", "capacity")


def test_equal_arms_looked_at_every_day_are_not_told_apart(sample_book: Path) -> None:
    book = open_book("sample", as_of=date(2026, 4, 30), folder=sample_book)
    changes = {"experiment_id": "exp-aa", "primary_outcome": "payer_rate", "horizon_days": 90, "reading_days": 30, "as_of": "2026-04-30"}
    monitor = Monitor(book, parameters(**changes, spending="always_valid", look_every_days=1, planned_cases={}))
    assert (monitor.effects["crossed"] == "").all()
    assert monitor.action == ("continue", "running")
    assert monitor.peeked["wrongly"].item() > 0.1
    drawn = figures.dose_by_week(monitor.weekly, lang="vi")
    assert drawn.get_lines()
    assert figures.allocation_by_week(monitor.weeks, lang="en", champion="champion").get_lines()
