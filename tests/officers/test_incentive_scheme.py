"""The simulation of a pay scheme in words: what is refused, what is said, and the sample shop's slab scheme named for what it is."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from collect_analysis.book.store import open_book
from collect_analysis.errors import ParameterError
from collect_analysis.methods.evidence import refused
from collect_analysis.officers.incentive_scheme import figures, page, page_decision
from collect_analysis.officers.incentive_scheme.parameters import IncentiveScheme
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import RunRecorder

SLABS = {
    "basis": "attainment", "pay_per_point_minor": 20_000, "credit": "payment",
    "slabs": [{"start": 0.9, "points": 50}, {"start": 1.0, "points": 100}],
}  # fmt: skip
LINE = {"basis": "index", "pay_per_point_minor": 20_000, "threshold": 0.6, "pool_months": 3, "moved_credit": "previous"}


def parameters(**changes: Any) -> IncentiveScheme:
    values = {
        "name": "s", "book": "sample", "as_of": "2026-06-30", "period_end": "2026-06-30", "today": SLABS,
        "proposed": {**SLABS, "basis": "index"}, "factors": ["bucket"],
    }  # fmt: skip
    return validate(IncentiveScheme, {**values, **changes}, where="test")


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"basis": "promises_taken"}, "'promises_taken' pays for promises"),
        ({"basis": "ptp"}, "let kept_promises be a gate"),
        ({"basis": "indx"}, "did you mean 'index'"),
        ({"thresold": 0.8}, "unknown term 'thresold'; did you mean 'threshold'"),
        ({"cap": 0.5}, "cap 0.5 at or below threshold 0.6"),
        ({"pay_per_point_minor": 1.5}, "valid integer"),
        ({"slabs": [{"start": 1.0, "points": 10}]}, "slabs and threshold"),
        ({"gates": [{"measure": "kept", "full": 1, "none": 0}]}, "no gate 'kept'"),
        ({"gates": [{"measure": "kept_promises", "full": 0.5, "none": 0.8}]}, "none at or below full"),
        ({"gates": [{"measure": "hard_breaches", "full": 1, "none": 0}]}, "none at or above full"),
    ],
)
def test_a_scheme_that_makes_no_sense_is_refused_by_name(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError) as error:
        parameters(proposed={**LINE, **terms})
    assert said in str(error.value)


def test_slabs_that_pay_less_for_more_are_refused() -> None:
    with pytest.raises(ParameterError) as error:
        parameters(proposed={**SLABS, "slabs": [{"start": 0.9, "points": 50}, {"start": 1.0, "points": 40}]})
    assert "pays less for more" in str(error.value)


def test_parameters_survive_their_own_record() -> None:
    once = parameters(proposed=LINE)
    assert validate(IncentiveScheme, once.as_json(), where="test") == once


@pytest.fixture(scope="module")
def cases(sample_book: Path) -> Iterator[dict[str, page.Case]]:
    """The simulation on the small shop, history read once."""
    patch = pytest.MonkeyPatch()
    patch.setenv("COLLECT_BOOKS", str(sample_book))
    book = open_book("sample", as_of=date(2026, 6, 30))
    params = parameters(audience="team_leads")
    history = page.read_history(book, params, [params.today.scheme(), params.proposed.scheme()])
    patch.setattr(page, "read_history", lambda *_: history)
    vi = parameters(lang="vi", audience="managers", proposed=LINE)
    yield {"en": page.simulate(book, params), "vi": page.simulate(book, vi)}
    patch.undo()


def test_the_slab_scheme_is_not_adopted_as_it_is(cases: dict[str, page.Case]) -> None:
    case = cases["en"]
    assert case.verdict.action in ("adopt_with_changes", "do_not_adopt")
    assert set(case.verdict.problems) >= {"cliff", "exploitable"}
    decided = page_decision.decision_of(case)
    assert decided.grade == "D"
    assert decided.forecast["check_on"] == date(2026, 9, 30)
    assert "without one more unit of money collected" in decided.answer
    assert "The smallest single change" in decided.answer
    assert any("upper bounds" in caveat for caveat in decided.caveats)
    assert decided.action["scheme_changes" if case.verdict.action == "adopt_with_changes" else "scheme_tried"]


def test_the_same_history_gives_the_same_tables(cases: dict[str, page.Case]) -> None:
    case = cases["en"]
    for make in (page.cost_by_month, page.summary, page.luck_table, page.games):
        pd.testing.assert_frame_equal(make(case), make(case))


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_every_part_is_recorded_and_shown(cases: dict[str, page.Case], lang: str, tmp_path: Path) -> None:
    case = cases[lang]
    record = RunRecorder(case.params, str(tmp_path))
    record.conditions(page.checks(case))
    record.decide(page_decision.decision_of(case))
    for number, make in enumerate(
        (page.cost_by_month, page.summary, page.winners, page.by_skill, page.officer_rows, page.pay_curve,
         page.cliff_table, page.luck_table, page.luck_by_group, page.luck_by_pooling, page.games,
         page.single_changes, page.terms)
    ):  # fmt: skip
        assert len(record.table(f"t{number}", make(case), people=1_000))
    games = page.games(case)
    record.figure("games", figures.games(games, lang=lang, limit=0.03))
    record.figure("cost", figures.cost(page.cost_by_month(case), lang=lang, currency="VND"))
    assert len(page.games_shown(games, case).columns) == 6
    assert len(page.terms_shown(page.terms(case), case).columns) == 1 + len(case.judged)
    assert record.finish()


def test_officers_are_told_to_team_leads_only_and_small_units_to_nobody(cases: dict[str, page.Case]) -> None:
    assert "officer_key" in page.officer_rows(cases["en"])
    assert "officer_key" not in page.officer_rows(cases["vi"])
    units = page.winners(cases["vi"])
    small = units["cases"] < 10
    assert small.any()
    shown = RunRecorder(cases["vi"].params).table("winners_by_unit", units, people="cases")
    assert shown.loc[small, ["cases", "better", "worse", "value", "today_minor"]].isna().all().all()


def test_a_history_too_short_has_no_number_and_says_what_is_missing(cases: dict[str, page.Case]) -> None:
    case = cases["en"]
    few = replace(case.history, panel=case.history.panel[case.history.panel["month"] >= date(2026, 5, 1)])
    patch = pytest.MonkeyPatch()
    patch.setattr(page, "read_history", lambda *_: few)
    barred = page.simulate(case.book, case.params)
    patch.undo()
    assert refused(barred.conditions)
    decided = page_decision.decision_of(barred)
    assert decided.grade == "none"
    assert not decided.forecast
    assert "6 are needed" in decided.answer
    for make in (page.cost_by_month, page.winners, page.games, page.terms, page.luck_by_group):
        assert set(make(barred).columns) == {"note"}
