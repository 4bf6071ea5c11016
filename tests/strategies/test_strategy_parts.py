"""Time to payment, segments and net value in a review: planted truths, reasons in place of numbers, both languages."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.measures.cohort import open_cohort
from collect_analysis.methods.evidence import Condition
from collect_analysis.report import texts
from collect_analysis.report.conditions import worded
from collect_analysis.report.parameters import validate
from collect_analysis.strategies.strategy_review import page_exits, page_net_value, page_segments
from collect_analysis.strategies.strategy_review.parameters import StrategyReview

AS_OF = date(2026, 6, 30)
REFUSED = [Condition(name="sample_ratio", met=False, details={"chi2": 40, "p_value": 0.0})]


def parameters(**changes: Any) -> StrategyReview:
    values = {
        "name": "r", "book": "b", "as_of": "2026-06-30", "experiment_id": "e", "champion": "champion", "challengers": ["challenger"],
        "primary_outcome": "payer_rate", "horizon_days": 180,
    }  # fmt: skip
    return validate(StrategyReview, {**values, **changes}, where="test")


class Parts:
    """The sections of the notebook, as it calls them."""

    def __init__(self, book: Book, params: StrategyReview, found: list[Condition] | None = None) -> None:
        conditions = found or []
        self.params, self.book = params, book
        cohort = open_cohort(book, params.experiment_id, arms=params.arms, horizon_days=params.horizon_days)
        self.timings = [
            page_exits.payment_timing(book, cohort, params, conditions),
            page_exits.cure_timing(book, cohort, params, conditions),
        ]
        self.waiting = page_exits.waiting_table(self.timings)
        self.segments = page_segments.segment_review(book, cohort, params, conditions)
        self.net = page_net_value.net_review(book, cohort, params, conditions)

    def days(self, event: str) -> pd.Series:
        (row,) = [row for _, row in self.waiting[self.waiting["event"] == event].iterrows()]
        return row

    def money(self, outcome: str) -> pd.Series:
        return self.net.effects.set_index("outcome").loc[outcome]

    def shown(self) -> list[str]:
        """Every table of the sections as text."""
        params, currency = self.params, self.book.currency
        shown = [
            page_exits.show_waiting(self.waiting, params),
            page_exits.show_ends(page_exits.ends_table(self.timings), params),
            page_segments.show_effects(self.segments.effects, self.segments, params, currency),
            page_segments.show_interactions(self.segments.interactions, self.segments, params),
            page_net_value.show_net(self.net.effects, self.net, params, currency),
            page_net_value.show_break_even(self.net.break_even, self.net, params, currency),
        ]
        return [table.as_text() for table in shown if table is not None]

    def forest(self) -> Any:
        """The figure of segments."""
        return page_segments.forest_figure(self.segments.effects, self.segments, self.params, self.book.currency)


@pytest.fixture(scope="module")
def shop(sample_book: Path) -> Book:
    return open_book("sample", as_of=AS_OF, folder=sample_book)


@pytest.fixture(scope="module")
def payer(shop: Book) -> Parts:
    """8 % more payers by more text messages, the same in every segment."""
    return Parts(shop, parameters(experiment_id="exp-payer", segments=["bucket"], segment_cuts={"bucket": [13, 20]}, lang="vi"))


@pytest.fixture(scope="module")
def minutes(shop: Book) -> Parts:
    """8 % more payers for 40 % more agent time."""
    return Parts(shop, parameters(experiment_id="exp-minutes", horizon_days=90))


def test_the_planted_gain_in_payers_is_the_same_in_every_segment(payer: Parts) -> None:
    (test,) = payer.segments.interactions.to_dict("records")
    assert test["p_value"] > 0.05
    assert test["low"] < 0.08 < test["high"]
    effects = payer.segments.effects
    assert (abs(effects["shrunk"] - test["value"]) < abs(effects["relative"] - test["value"])).all()
    assert ((effects["shrunk_low"] < 0.08) & (effects["shrunk_high"] > 0.08)).all()


def test_more_messages_cost_more_and_officers_no_more(payer: Parts) -> None:
    assert payer.money("contact_cost")["relative"] > 0
    assert payer.money("officer_cost")["low"] < 0 < payer.money("officer_cost")["high"]
    total = payer.money("cost")
    assert total["value"] == pytest.approx(sum(payer.money(part)["value"] for part in ("contact_cost", "officer_cost", "commission_cost")))
    net = payer.money("net_value")
    assert net["value"] == pytest.approx(payer.money("cash")["value"] - total["value"])
    # 8 % of the cash of the champion's payers lies within what this test can tell.
    assert payer.money("cash")["relative_low"] < 0.08 < payer.money("cash")["relative_high"]


def test_forty_percent_more_minutes_cost_forty_percent_more(minutes: Parts) -> None:
    spent = minutes.money("officer_cost")
    assert spent["low"] > 0
    assert spent["relative_low"] < 0.4 < spent["relative_high"]
    (row,) = minutes.net.break_even.to_dict("records")
    work = minutes.money("work_cost")["value"]
    assert row["value"] == pytest.approx(work / row["kept"])
    assert row["relative"] < 0.05  # the work is cheap beside the cash


def test_more_payers_wait_less_and_a_payer_is_a_payer_of_the_review(payer: Parts, minutes: Parts) -> None:
    for part in (payer, minutes):
        waited = part.days("paid")
        assert waited["base_mean"] <= part.params.horizon_days
        assert waited["low"] < waited["value"] < waited["high"]
    ends = page_exits.ends_table(payer.timings).set_index(["event", "arm", "end"])["value"].sort_index()
    for arm in payer.params.arms:
        own = ends.loc[("paid", arm)]
        assert own.drop("naive").sum() == pytest.approx(1)
        assert own["naive"] > own["paid"]


def test_the_parts_read_in_vietnamese(payer: Parts) -> None:
    shown = "\n".join(payer.shown())
    for word in ("Số ngày đến lần trả đầu tiên", "từ 13 đến dưới 20", "Hoa hồng và thuế", "mỗi hồ sơ", "Tác động hòa vốn"):
        assert word in shown
    assert payer.forest().get_yticklabels()[0].get_text() == "Nhóm quá hạn: dưới 13"
    (paid, cured) = (page_exits.incidence_figure(item.curves, item, payer.params) for item in payer.timings)
    assert len(paid.get_lines()) == len(cured.get_lines()) == 2


def test_a_condition_that_refuses_leaves_no_number_in_any_part(shop: Book) -> None:
    parts = Parts(
        shop,
        parameters(experiment_id="exp-minutes", horizon_days=90, segments=["balance"], segment_cuts={"balance": [20_000_000]}),
        REFUSED,
    )
    assert parts.waiting[["base_mean", "mean", "value", "low", "high", "p_value"]].isna().all(axis=None)
    assert parts.segments.effects[["relative", "p_adjusted", "shrunk", "shrunk_low"]].isna().all(axis=None)
    assert parts.segments.interactions[["q", "p_value", "value"]].isna().all(axis=None)
    assert parts.net.effects[["value", "low", "relative"]].isna().all(axis=None)
    assert parts.net.break_even[["value", "relative", "observed"]].isna().all(axis=None)


def supplied(**columns: Any) -> Book:
    n = 3_000
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "arm": np.where(np.arange(n) % 2, "challenger", "champion"), "outcome_payer_rate": (rng.random(n) < 0.3) * 1.0,
            "covariate_score": rng.normal(600, 50, n), "covariate_opened": rng.random(n),
        }
    ).assign(**columns)  # fmt: skip
    frame = frame.assign(experiment_id="e", subject_key=[f"s{number}" for number in range(n)])
    roles = {"covariate_score": {"measured": "before"}, "covariate_opened": {"measured": "after"}}
    roles["outcome_payer_rate"] = {"kind": "binary", "horizon_days": 180}  # type: ignore[dict-item]
    return book_from_frames({"cohort": frame}, as_of=AS_OF, roles={f"cohort.{name}": dict(role) for name, role in roles.items()})


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_what_a_supplied_cohort_lacks_is_said_in_place_of_every_table(lang: str) -> None:
    parts = Parts(supplied(), parameters(lang=lang))
    for text in parts.shown():
        assert len(text.splitlines()) >= 2
        assert "nan" not in text.lower()
    said = "\n".join(parts.shown())
    assert parts.forest().texts[0].get_text() == texts.say("no_segments", lang)
    assert ("map exit_days and exit_cause" in said) == (lang == "en")
    drawn = page_exits.incidence_figure(parts.timings[0].curves, parts.timings[0], parts.params)
    assert "exit_days" in drawn.texts[0].get_text()


def test_supplied_ends_and_a_supplied_cost_fill_the_parts() -> None:
    rng = np.random.default_rng(5)
    paid = rng.integers(1, 100, 3_000)
    book = supplied(
        exit_days=np.where(paid > 90, 180, paid), exit_cause=np.where(paid > 90, "censored", np.where(paid % 3 == 0, "recalled", "paid")),
        outcome_cash_minor=paid * 10, dose_cost_minor=100,
    )  # fmt: skip
    parts = Parts(book, parameters(cost="cost_minor", segments=["score"], segment_cuts={"score": [600]}))
    assert parts.days("paid")["p_value"] > 0.001
    assert parts.money("net_value")["base_mean"] == pytest.approx(parts.money("cash")["base_mean"] - 100)
    assert parts.net.break_even["kept"].tolist() == [1.0]
    assert parts.segments.effects["level"].tolist() == ["< 600", ">= 600"]


def test_a_segment_from_after_assignment_is_named_and_the_others_are_told() -> None:
    cuts = {"opened": [0.5], "score": [600]}
    parts = Parts(supplied(), parameters(segments=["opened", "score"], segment_cuts=cuts))
    assert set(parts.segments.effects["segment"]) == {"score"}
    (condition,) = worded(parts.segments.conditions, "en")
    assert not condition.met
    assert "No effect by opened: measured after assignment" in condition.detail
    alone = Parts(supplied(), parameters(segments=["opened"], segment_cuts={"opened": [0.5]}))
    assert alone.forest().texts[0].get_text() == texts.say("segments_all_late", "en")


def test_several_challengers_are_told_apart_in_every_part() -> None:
    three = np.array(["champion", "a", "b"])[np.arange(3_000) % 3]
    paid = np.random.default_rng(6).integers(1, 100, 3_000)
    book = supplied(arm=three, exit_days=paid, exit_cause="paid", outcome_cash_minor=paid, dose_cost_minor=1)
    parts = Parts(book, parameters(challengers=["a", "b"], cost="cost_minor", segments=["score"], segment_cuts={"score": [600]}))
    assert parts.waiting["arm"].tolist()[:2] == ["a", "b"]
    assert parts.segments.interactions["arm"].tolist() == ["a", "b"]
    assert (parts.segments.effects["p_adjusted"] >= parts.segments.effects["p_value"]).all()
    assert len(page_net_value.worth(parts.net.effects, parts.params, "VND")) == 2


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"segments": ["score"], "segment_cuts": {"age": [3]}}, "segment_cuts names age, which segments does not"),
        ({"segments": ["score"], "segment_cuts": {"score": [3, 3]}}, "write them rising, each once"),
        (
            {"segments": ["score", "age"], "segment_cuts": {"score": [1, 2, 3], "age": [20, 40]}},
            r"7 levels together, at most 6 \(score: < 1, 1 to < 2, 2 to < 3, >= 3; age: < 20, 20 to < 40, >= 40\)",
        ),
        ({"segments": list("abcdefg")}, "at most 6 items"),
        ({"segments": ["score"], "segment_cuts": {"score": []}}, "at least 1 item"),
    ],
)
def test_segments_that_cannot_be_followed_are_refused_before_anything_runs(changes: dict, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        parameters(**changes)


def test_a_segment_that_is_not_there_is_refused_with_what_there_is() -> None:
    with pytest.raises(DataError, match="no segment 'bucket'; it has opened, score, stratum"):
        Parts(supplied(), parameters(segments=["bucket"], segment_cuts={"bucket": [3]}))
