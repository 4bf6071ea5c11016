"""An agency evaluation from parameters to words: refused early, graded honestly, told in both languages, drawn with labels."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.agencies import (
    activity as partner_activity,
    batch_triangle,
    comparison,
    gates as partners,
    unit_periods,
    units as panel_units,
)
from collect_analysis.agencies.agency_evaluation import (
    figures,
    measures_expected,
    measures_index,
    measures_service,
    measures_sturdiness,
    page as findings,
    page_views,
)
from collect_analysis.agencies.agency_evaluation.decision_index import believed_index
from collect_analysis.agencies.agency_evaluation.parameters import AgencyEvaluation
from collect_analysis.agencies.shares import PlacementPlan
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.measures import economics, placements
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.profiling import funnel
from collect_analysis.report import tables
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import Decision
from collect_analysis.runs import notebook_view

VALUES = {"name": "q", "book": "sample", "as_of": "2026-06-30", "period_start": "2024-07-01", "period_end": "2026-06-30"}


def parameters(**given) -> AgencyEvaluation:
    return validate(AgencyEvaluation, {**VALUES, **given}, where="q.yml")  # type: ignore[return-value]


@pytest.fixture(scope="module")
def book(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)


@pytest.fixture(scope="module")
def evaluated(book: Book):
    return Evaluation(book, parameters())


class Evaluation:
    """What the notebook computes, in one object."""

    def __init__(self, book: Book, params: AgencyEvaluation) -> None:
        self.page = findings.AgencyPage(book, params)
        self.held = placements.inventory(book, self.page.panel)
        self.age = placements.common_age(self.held, self.page.panel)
        self.sums = placements.stratum_sums(book, self.page.panel, age=self.age)
        self.curve = comparison.curves(self.sums)
        self.basis = comparison.basis_of(self.sums)
        self.found = comparison.index(self.sums, allocation=self.basis)
        flow = findings.months_of_flow(self.held, age=self.age)
        self.believed = comparison.believed(self.found, belief=self.page.belief, batch_months=flow)
        net = economics.net_back(economics.commission(book, self.page.panel, age=self.age), self.curve)
        shift = economics.net_shift(net)
        self.net = comparison.believed(self.found, belief=self.page.belief, batch_months=flow, shift=shift)
        contacts = partners.breaches(book, self.page.window, self.page.limits)
        self.gated = self.page.gated(book, contacts)
        self.standing = partners.standing(self.gated)
        self.rows = unit_periods.read(book, start=params.period_start, end=params.period_end)
        continuity = unit_periods.continuity(self.rows, threshold=self.page.recall_threshold)
        self.conditions = self.page.conditions(
            book, held=self.held, found=self.found, rows=self.rows, continuity=continuity, age=self.age, basis=self.basis
        )
        self.now = placements.shares_now(book, self.page.panel, months=self.page.share_months)
        self._beside(book, params)

    def _beside(self, book: Book, params: AgencyEvaluation) -> None:
        """The sections that stand beside the index."""
        panel, age, basis = self.page.panel, self.age, self.basis
        both = (comparison.index(self.sums, allocation=kind) for kind in (placements.RANDOM, placements.JUDGMENTAL))
        self.sides = measures_sturdiness.side_by_side(*both)
        self.triangle = batch_triangle.batch_triangle(book, panel)
        self.projected = batch_triangle.project(self.triangle, horizon=params.projection_months)
        cells = measures_expected.expected_cells(book, panel, age=age, factors=params.expected_factors, seed=params.seed)
        self.expected = measures_index.expected_recovery(cells)
        self.redrawn = measures_sturdiness.bootstrapped(book, panel, self.sums, age=age, allocation=basis, seed=params.seed)
        payments = measures_sturdiness.largest_payments(book, panel, self.sums, age=age, allocation=basis)
        self.largest = measures_sturdiness.without_largest(self.sums, payments, allocation=basis)
        self.paying = comparison.payer_index(self.sums, allocation=basis)
        self.beside = self.page.section_conditions(
            noted=panel_units.noted_units(book, panel), early=panel_units.payments_before(book, panel), tests=self.expected.tests,
            believable=believed_index(self.found, self.expected.units, allocation=basis), spread=comparison.funnel_of(self.found),
            sides=self.sides, projected=self.projected.units, basis=basis,
        )  # fmt: skip

    def plan(self, conditions: list[Condition] | None = None) -> PlacementPlan | None:
        return self.page.plan(self.now, self.net, self.standing, conditions or self.conditions, basis=self.basis)

    def decision(self, conditions: list[Condition] | None = None) -> Decision:
        plan = self.plan(conditions)
        planned = self.page.plan_table(plan, self.net, self.standing)
        return self.page.decision(plan, planned, self.believed, conditions or self.conditions)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"period_end": "2026-06-15"}, "is not of whole months"),
        ({"period_start": "2026-07-01"}, "is after period_end"),
        ({"period_end": "2026-07-31"}, "after as_of 2026-06-30"),
        ({"horizon_months": 1}, "horizon_months"),
        ({"horizont_months": 5}, "did you mean 'horizon_months'"),
        ({"expected_factors": ["dpd_bnad"]}, "no placement factor 'dpd_bnad'; did you mean 'dpd_band'"),
        ({"projection_months": 2}, "projection_months"),
        ({"slow_components": {"x": 0}}, "slow_components.x"),
        ({"units": ["a", "a"]}, "twice"),
    ],
)
def test_a_wrong_parameter_is_refused_with_the_fix(given: dict, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        parameters(**given)


def test_an_unknown_unit_is_refused_with_the_nearest_known_one(book: Book) -> None:
    with pytest.raises(DataError, match="no unit 'ag-x'; did you mean 'ag-"):
        findings.AgencyPage(book, parameters(units=["ag-a", "ag-x"]))


def test_an_unknown_champion_is_refused(book: Book) -> None:
    with pytest.raises(DataError, match="no unit 'ag-z'"):
        findings.AgencyPage(book, parameters(champion="ag-z"))


def test_the_champion_is_the_largest_unit_unless_the_report_names_another(book: Book, evaluated: Evaluation) -> None:
    assert evaluated.page.champion(pd.Series({"a": 0.2, "b": 0.5, "c": 0.3})) == "b"
    assert evaluated.page.champion(pd.Series(dtype=float)) == ""
    assert findings.AgencyPage(book, parameters(champion="ag-e")).champion(evaluated.now) == "ag-e"


def test_the_sections_beside_the_index_are_fine_on_the_sample(evaluated: Evaluation) -> None:
    assert {item.name: item.met for item in evaluated.beside} == dict.fromkeys(
        [
            "agency_units_known",
            "agency_paid_after_placement",
            "agency_calibrated",
            "agency_modelled_stands",
            "agency_scatter_none",
            "agency_sides_agree",
            "agency_projectable",
        ],
        True,
    )
    assert not [item.detail for item in evaluated.beside if "{" in item.detail]


@pytest.mark.parametrize(("lang", "words"), [("en", ("declared", "verified")), ("vi", ("đối tác khai", "đã kiểm chứng"))])
def test_what_a_partner_declares_stands_beside_what_is_verified(
    book: Book, evaluated: Evaluation, lang: str, words: tuple[str, ...]
) -> None:
    active = evaluated.page.named(partner_activity.activity(book, evaluated.page.panel))
    text = page_views.partner_table(active, lang=lang, currency="VND").as_text()
    assert all(word in text for word in words)
    assert "Agency F" in text


def test_a_service_the_book_does_not_record_is_said_once(book: Book, evaluated: Evaluation) -> None:
    served = measures_service.service(book, evaluated.page.panel).assign(value=float("nan"), note="the book has no tickets")
    table = page_views.partner_table(evaluated.page.named(served), lang="en", currency="VND")
    assert table.caption.count("the book has no tickets") == 1
    assert set(page_views.with_kpis(served)["kpi"]) == {"", "Q6", "Q8", "Q9"}


def test_the_agency_that_reaches_relatives_is_bounded_whatever_it_collects(evaluated: Evaluation) -> None:
    plan = evaluated.plan()
    assert plan is not None
    steps = {step.unit_key: step for step in plan.steps}
    assert (steps["ag-f"].reason, steps["ag-f"].share_next <= evaluated.page.shares.floor) == ("gate_fail", True)
    assert "third_party" in steps["ag-f"].gates or "complaints" in steps["ag-f"].gates
    assert sum(step.share_next for step in plan.steps) == pytest.approx(1, abs=1e-12)
    assert (plan.grade, plan.proposed) == ("A", True)


@pytest.mark.parametrize(
    ("lang", "words"), [("en", ("Agency F", "conduct gate failed")), ("vi", ("Agency F", "không đạt ngưỡng tuân thủ"))]
)
def test_the_answer_names_who_moves_and_why_in_the_language_of_the_page(evaluated: Evaluation, lang: str, words: tuple[str, ...]) -> None:
    evaluated.page.lang = lang
    decision = evaluated.decision()
    evaluated.page.lang = "en"
    assert all(word in decision.answer for word in words)
    assert decision.action["exploration_share"] == 0.20
    assert sum(row["share_next"] for row in decision.action["shares"]) == pytest.approx(1)  # type: ignore[attr-defined, index]
    # Placements of the next quarter are old enough five months after its end.
    assert decision.forecast["check_on"] == "2027-02-28"
    assert {"key", "net_index", "low", "high"} <= set(decision.forecast["units"][0])  # type: ignore[index]


@pytest.mark.parametrize(
    ("lang", "answer"), [("en", "Give nobody the flow: no agency passes its gates."), ("vi", "Không giao hồ sơ cho đối tác nào")]
)
def test_d5_where_no_agency_passes_its_gates_the_page_says_that_nobody_is_given_the_flow(
    evaluated: Evaluation, lang: str, answer: str
) -> None:
    shut = evaluated.standing.assign(status="blocked", gates="authorisation")
    evaluated.page.lang = lang
    plan = evaluated.page.plan(evaluated.now, evaluated.net, shut, evaluated.conditions, basis=evaluated.basis)
    planned = evaluated.page.plan_table(plan, evaluated.net, shut)
    decision = evaluated.page.decision(plan, planned, evaluated.believed, evaluated.conditions)
    evaluated.page.lang = "en"
    assert decision.answer.startswith(answer)
    assert (list(decision.action), decision.forecast) == (["shares"], {})
    assert planned.set_index("unit_key")["share_next"].drop("inside").eq(0).all()
    assert evaluated.page.named(planned)["unit_name"].iloc[-1] == "Kept inside"
    assert planned["share_next"].sum() == 1
    # Who collected more is told all the same.
    assert "Agency" in decision.confidence


@pytest.mark.parametrize(
    ("lang", "answer"),
    [
        (
            "en",
            "the policy's floor of 30.0 % for every agency asks for 180.0 % of the flow. Lower the floor in policy placement to at most 16.7 %.",
        ),
        ("vi", "không quá 16,7 %"),
    ],
)
def test_d5_a_floor_that_does_not_fit_is_told_on_the_page(evaluated: Evaluation, lang: str, answer: str) -> None:
    policy, evaluated.page.shares = evaluated.page.shares, replace(evaluated.page.shares, floor=0.3)
    passing = evaluated.standing.assign(status="pass", gates="")
    evaluated.page.lang = lang
    plan = evaluated.page.plan(evaluated.now, evaluated.net, passing, evaluated.conditions, basis=evaluated.basis)
    decision = evaluated.page.decision(
        plan, evaluated.page.plan_table(plan, evaluated.net, passing), evaluated.believed, evaluated.conditions
    )
    evaluated.page.lang, evaluated.page.shares = "en", policy
    assert answer in decision.answer.replace("\u202f", " ").replace("\xa0", " ")
    assert decision.forecast == {}


def test_without_a_lot_nobody_gains_on_collections(evaluated: Evaluation) -> None:
    passing = evaluated.standing.assign(status="pass", gates="")
    plan = evaluated.page.plan(evaluated.now, evaluated.net, passing, evaluated.conditions, basis="judgmental")
    assert plan is not None
    assert (plan.grade, plan.proposed) == ("C", False)
    planned = evaluated.page.plan_table(plan, evaluated.net, passing)
    decision = evaluated.page.decision(plan, planned, evaluated.believed, evaluated.conditions)
    assert decision.answer.startswith("Keep the shares")
    assert decision.forecast == {}


def test_a_refusing_condition_leaves_no_answer_and_says_why(evaluated: Evaluation) -> None:
    passing = replace(
        evaluated.conditions[0], name="attribution", met=False, detail="3 payments fall into two placements of the same account."
    )
    evaluated_standing, evaluated.standing = evaluated.standing, evaluated.standing.assign(status="pass", gates="")
    decision = evaluated.decision([*evaluated.conditions, passing])
    evaluated.standing = evaluated_standing
    assert decision.grade == "none"
    assert decision.answer.startswith("No answer")
    assert "3 payments fall into two placements of the same account." in decision.caveats


def test_conditions_hold_on_the_sample_and_fail_on_young_batches(book: Book, evaluated: Evaluation) -> None:
    assert {condition.name: condition.met for condition in evaluated.conditions} == dict.fromkeys(
        [
            "two_units",
            "maturity",
            "attribution",
            "usable_placements",
            "lot_kept",
            "overlap",
            "horizon_complete",
            "agency_cash_recorded",
            "agency_contacts_recorded",
            "drawn_alike",
            "delivered",
        ],
        True,
    )
    young = Evaluation(book, parameters(period_start="2026-05-01"))
    unmet = {condition.name for condition in young.conditions if not condition.met}
    assert "maturity" in unmet
    assert young.decision().grade == "none"
    assert young.curve.empty


def test_a_unit_total_book_gets_no_share_and_grade_d() -> None:
    rows = [
        {"unit_key": unit, "period_start": start, "period_end": end, "opening_minor": 1000, "placed_minor": 0, "collected_minor": 10, "currency": "VND"}
        for unit in ("a", "b")
        for start, end in ((date(2026, 1, 1), date(2026, 3, 31)), (date(2026, 4, 1), date(2026, 6, 30)))
    ]  # fmt: skip
    book = book_from_frames({"unit_period": pd.DataFrame(rows)}, as_of=date(2026, 6, 30))
    found = Evaluation(book, parameters(period_start="2026-01-01"))
    decision = found.decision()
    assert found.plan() is None
    assert decision.grade == "D"
    assert decision.action["to_answer"] == "Load placements and payments by account, and draw part of the flow by lot."
    assert isinstance(found.page.show("index", found.found), tables.Absent)
    assert isinstance(found.page.show("plan", found.page.plan_table(None, found.net, found.standing)), tables.Absent)
    flow = unit_periods.continuity(found.rows, threshold=0.1)
    exceptions = findings.noteworthy(unit_periods.liquidation(found.rows, flow))
    assert "No inventory was taken back" in found.page.show("rates", exceptions).as_text()  # type: ignore[union-attr]


def test_every_view_shows_columns_that_its_table_has(evaluated: Evaluation) -> None:
    page = evaluated.page
    shown = {
        "inventory": evaluated.held,
        "liquidation": findings.last_age(evaluated.curve),
        "index": evaluated.found,
        "belief": findings.forest_table(evaluated.found, evaluated.believed),
        "number": comparison.by_number(evaluated.sums),
        "sides": evaluated.sides,
        "believable": believed_index(evaluated.found, evaluated.expected.units, allocation=evaluated.basis),
        "triangle": evaluated.projected.units,
        "sturdy": page_views.sturdy_table(evaluated.found, evaluated.redrawn, evaluated.largest, evaluated.paying),
        "funnel": comparison.funnel_of(evaluated.found),
        "plan": page.plan_table(evaluated.plan(), evaluated.net, evaluated.standing),
    }
    for view, table in shown.items():
        text = page.show(view, page.named(table)).as_text()  # type: ignore[union-attr]
        assert "Agency A" in text, view
        assert "ag-a" not in text, view


def test_figures_draw_what_they_are_given_with_labels(evaluated: Evaluation) -> None:
    page = evaluated.page
    forest = figures.index_forest(page.named(findings.forest_table(evaluated.found, evaluated.believed)), lang="en")
    assert len(forest.get_yticklabels()) == len(evaluated.found)
    assert forest.get_xlabel()
    spread = comparison.funnel_of(evaluated.found)
    drawn = figures.funnel_plot(page.named(spread), funnel.limit_curve(spread), lang="vi")
    assert drawn.get_ylabel() == "Thực thu / kỳ vọng"
    curves = figures.liquidation_curves(page.named(evaluated.curve), lang="en")
    assert [panel.get_title(loc="left") for panel in curves.axes] == [f"Agency {letter}" for letter in "ABCDEF"]
    projected = figures.batch_curves(
        page.named(evaluated.triangle), page.named(evaluated.projected.units), page_views.of_pool(evaluated.projected.factors), lang="en"
    )
    assert [panel.get_title(loc="left") for panel in projected.axes] == [*(f"Agency {letter}" for letter in "ABCDEF"), "All units"]
    assert any("×" in text.get_text() for text in projected.axes[-1].texts)
    numbers = figures.number_curves(page.named(comparison.curves_by_number(evaluated.sums)), lang="vi")
    assert len(numbers.axes) == 6
    mapped = page_views.stratum_table(page.named(evaluated.expected.strata), evaluated.expected.calibration, lang="en")
    drawn = figures.stratum_map(mapped, lang="en")
    assert [tick.get_text() for tick in drawn.get_xticklabels()][-1] == "Fit of E"
    assert drawn.get_yticklabels()[0].get_text() == "Days past due: 181-360"
    steps = figures.share_steps(page.named(page.plan_table(evaluated.plan(), evaluated.net, evaluated.standing)), lang="en")
    assert steps.get_xlabel()


def test_a_section_whose_data_are_absent_becomes_one_line_of_a_list() -> None:
    def cell(kind: str, source: str, data: dict | None = None) -> dict:
        outputs = [{"output_type": "execute_result", "data": data}] if data else []
        return {"cell_type": kind, "source": source, "metadata": {}, "outputs": outputs}

    absent = tables.Absent("there are no <accounts>")._repr_mimebundle_()
    table = tables.show(pd.DataFrame({"unit_name": ["A"]}), lang="en")._repr_mimebundle_()
    cells = [
        cell("markdown", "# Title"),
        cell("markdown", "## Answered?\n\nHow to read it."),
        cell("code", "x", table),
        cell("markdown", "## Not answered?\n\nHow to read what is not there."),
        cell("code", "y", absent),
        cell("code", "z"),
    ]
    shown = notebook_view.view({"cells": cells}, kind="agency_evaluation", lang="en", figures={})
    assert [section.title for section in shown.sections] == ["Answered?", "What these data cannot answer"]
    listed = str(shown.sections[-1].blocks[0])
    assert "Not answered?" in listed
    assert "there are no &lt;accounts&gt;" in listed
    assert "How to read what is not there" not in str(shown.sections)


def test_the_months_behind_an_index_are_those_of_batches_old_enough() -> None:
    held = pd.DataFrame(
        {
            "unit_key": ["a", "b"],
            "first_batch": ["2025-01-01", "2026-03-01"],
            "last_batch": ["2026-06-01", "2026-06-01"],
            "oldest_age": [17, 3],
        }
    )
    # a: 18 months placed, the last 5 of them younger than age 5 on 30 June; b: 4 months, none of age 5.
    assert findings.months_of_flow(held, age=5).to_dict() == {"a": 13, "b": 0}


@pytest.mark.parametrize(
    ("believed", "totals", "sentence"),
    [
        (True, True, "Nothing was placed in the last 3 months of the period, so there is no flow to share"),
        (False, True, "The source has totals per agency only"),
        (False, False, "The book has no placements in the period"),
    ],
)
def test_without_a_flow_the_answer_says_which_of_three_reasons_it_is(
    evaluated: Evaluation, believed: bool, totals: bool, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full book in which nothing was placed lately is not a book of totals."""
    monkeypatch.setattr(evaluated.page, "has_totals", totals)
    known = evaluated.believed if believed else evaluated.believed.iloc[:0]
    decision = evaluated.page.decision(None, evaluated.page.plan_table(None, known, known), known, evaluated.conditions)
    assert sentence in decision.answer
    assert decision.confidence
