"""The plan of the next placements as it is read: shares, probabilities, recalls, and what is refused."""

import csv
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from collect_analysis.agencies.placement_plan import figures, page as findings, page_decision
from collect_analysis.agencies.placement_plan.measures_recalls import recalls
from collect_analysis.agencies.placement_plan.parameters import PlacementPlan
from collect_analysis.book.store import Book, open_book
from collect_analysis.errors import ParameterError
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import RunRecorder


def parameters(**changes: Any) -> PlacementPlan:
    values = {"name": "r", "book": "sample", "as_of": "2026-06-30", "period_start": "2024-07-01", "period_end": "2026-06-30"}
    return validate(PlacementPlan, {**values, **changes}, where="test")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"period_end": "2026-06-15"}, "not of whole months"),
        ({"period_end": "2026-07-31"}, "after as_of 2026-06-30"),
        ({"next_months": 0}, "next_months is 0"),
        ({"next_month": 3}, "did you mean 'next_months'"),
    ],
)
def test_a_wrong_report_file_is_refused_with_the_fix(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        parameters(**changes)


def test_the_next_period_begins_the_day_after_and_ends_with_a_month() -> None:
    assert parameters().slot == "2026-07-01--2026-09-30"
    assert parameters(next_months=7).slot == "2026-07-01--2027-01-31"


@pytest.fixture(scope="module")
def book(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)


@pytest.fixture(scope="module")
def basis(book: Book) -> findings.Basis:
    return findings.basis_of(book, parameters())


@pytest.fixture(scope="module")
def plan(book: Book, basis: findings.Basis) -> findings.Plan:
    return findings.plan_of(book, basis, parameters(), findings.rule_of(parameters()))


def test_every_stratum_is_split_whole_every_partner_stays_tried_and_the_signed_shares_are_kept(plan: findings.Plan) -> None:
    assert plan.strata is not None
    assert plan.shares is not None
    table = plan.strata.table
    assert table.groupby("group")["propensity"].sum().to_numpy() == pytest.approx(1)
    assert (table["propensity"] >= plan.shares.exploration_share / 6 - 1e-9).all()
    signed = {step.unit_key: step.share_next for step in plan.shares.steps}
    assert sum(signed.values()) == pytest.approx(1)
    got = table.groupby("unit_key")["accounts"].sum() / table["accounts"].sum()
    assert got.to_dict() == pytest.approx(signed, abs=1e-4)
    assert plan.strata.optimum is not None
    assert plan.strata.optimum.gap < 1e-5
    assert plan.gain["low"] < plan.gain["value"] < plan.gain["high"]
    assert plan.gain["gain"] == pytest.approx(plan.gain["value"] - plan.gain["value_now"])


def test_the_partner_whose_conduct_fails_is_held_at_the_floor_and_named(basis: findings.Basis, plan: findings.Plan) -> None:
    row = plan.share_table.set_index("unit_key").loc["ag-f"]
    assert row["share_next"] <= basis.page.shares.floor + 1e-9
    assert row["why"] == "gate_fail"
    decision = page_decision.decision_of(basis, plan, basis.conditions, parameters())
    assert any("Agency F: held back by a gate" in caveat for caveat in decision.caveats)


@pytest.mark.parametrize(("lang", "said"), [("en", ("Place", "Recall", "net")), ("vi", ("Giao", "Thu hồi", "ròng"))])
def test_the_answer_is_told_in_the_language_of_the_page(
    book: Book, plan: findings.Plan, basis: findings.Basis, lang: str, said: tuple
) -> None:
    params = parameters(lang=lang)
    page = findings.AgencyPage(book, params.evaluation)
    decision = page_decision.decision_of(replace(basis, page=page), plan, basis.conditions, params)
    assert all(word in f"{decision.answer} {decision.confidence}" for word in said)
    assert decision.forecast["check_on"] == "2027-03-01"  # five months after September, and its month over


def test_a_letter_that_ends_before_the_next_period_leaves_nothing_to_give(basis: findings.Basis) -> None:
    register = basis.register.assign(authorised_to=[date(2026, 6, 30) if key == "ag-a" else day for key, day in
                                                    zip(basis.register["unit_key"], basis.register["authorised_to"], strict=True)])  # fmt: skip
    standing = findings._blocked_by_then(basis.standing, register, parameters()).set_index("unit_key")
    assert standing.loc["ag-a", "status"] == "blocked"
    assert standing.loc["ag-b", "status"] == basis.standing.set_index("unit_key").loc["ag-b", "status"]
    most = dict.fromkeys(basis.share_now.index, 1.0)
    shares = basis.page.plan(basis.share_now, basis.net, standing.reset_index(), basis.conditions, basis=basis.allocation, most=most)
    assert shares is not None
    assert {step.unit_key: step.share_next for step in shares.steps}["ag-a"] == 0


def test_capacity_bounds_the_best_partner_and_the_caveat_says_so(basis: findings.Basis, book: Book) -> None:
    tight = basis.register.assign(capacity_accounts=basis.register["capacity_accounts"].where(basis.register["unit_key"] != "ag-e", 0.0))
    plan = findings.plan_of(book, replace(basis, register=tight), parameters(), findings.rule_of(parameters()))
    row = plan.share_table.set_index("unit_key").loc["ag-e"]
    assert row["share_next"] == pytest.approx(plan.room.set_index("unit_key").loc["ag-e", "most"])
    assert row["bound"] == "capacity"
    decision = page_decision.decision_of(basis, plan, [], parameters())
    assert any("Agency E: bounded by capacity" in caveat for caveat in decision.caveats)


def test_too_little_room_leaves_no_plan_and_says_how_many_are_left_over(basis: findings.Basis, book: Book) -> None:
    full = basis.register.assign(capacity_accounts=basis.register["capacity_accounts"].where(basis.register["unit_type"] != "agency", 0.0))
    plan = findings.plan_of(book, replace(basis, register=full), parameters(), findings.rule_of(parameters()))
    decision = page_decision.decision_of(basis, plan, plan.conditions, parameters())
    assert plan.shares is None
    assert decision.grade == "none"
    assert any("are left over. Raise capacities in table unit" in caveat for caveat in decision.caveats)
    assert "are left over" in decision.answer


def test_the_list_of_recalls_holds_the_accounts_of_the_page_and_no_page_holds_an_account(
    book: Book, basis: findings.Basis, plan: findings.Plan, tmp_path: Path
) -> None:
    params = parameters(write_recalls=True)
    record = RunRecorder(params, str(tmp_path))
    told = findings.write_recalls(record, book, basis, params, findings.rule_of(params)).iloc[0]
    with (tmp_path / "lists" / "recalls.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    wanted = plan.recalled[plan.recalled["verdict"] == "recall"]
    assert told["rows"] == len(rows) == wanted["cases"].sum()
    counts = pd.Series([(row["unit_key"], row["reason"]) for row in rows]).value_counts()
    assert counts.to_dict() == {(row["unit_key"], row["reason"]): row["cases"] for row in wanted.to_dict("records")}
    assert {row["place_again_from"] for row in rows} == {"2026-08-01"}
    for table in (plan.recalled, plan.room, plan.share_table, plan.strata.table if plan.strata else plan.flow, plan.flow):
        assert not {"account_key", "customer_key"} & set(table.columns)


def test_what_is_refused_leaves_recalls_and_no_share(sample_book: Path) -> None:
    params = parameters(as_of="2024-08-31", period_end="2024-08-31")
    young = open_book("sample", as_of=params.as_of, folder=sample_book)
    basis = findings.basis_of(young, params)
    plan = findings.plan_of(young, basis, params, findings.rule_of(params))
    decision = page_decision.decision_of(basis, plan, basis.conditions, params)
    assert plan.shares is None
    assert plan.strata is None
    assert decision.grade == "none"
    assert decision.answer.startswith("No plan can be signed")
    assert decision.caveats
    assert findings.measured_gain(plan).empty
    for shown in (findings.strata_shown(plan, basis), findings.value_shown(plan, basis)):
        assert "No share is proposed" in str(shown)


def test_figures_and_tables_draw_what_they_are_given(book: Book, basis: findings.Basis, plan: findings.Plan) -> None:
    named = basis.page.named(plan.recalled)
    assert figures.recalls(named, lang="vi").get_xlabel() == "Số hồ sơ theo quy tắc thu hồi"
    assert len(figures.recalls(named[named["verdict"] == "stays"], lang="en").texts) == 1
    assert recalls(book, basis.page.panel, findings.rule_of(parameters())).equals(plan.recalled)
    room = findings.room_shown(plan.room, basis)
    assert [column.label for column in room.columns][:2] == ["Unit", "Capacity"]  # type: ignore[union-attr]
