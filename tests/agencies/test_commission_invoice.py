"""The check of commission invoices as it is read, and against the planted truth: every mistake to the unit, clean partners at zero."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from collect_analysis.agencies import invoice_check as decisions, invoices
from collect_analysis.agencies.commission_invoice import figures, page, page_decision
from collect_analysis.agencies.commission_invoice.parameters import CommissionInvoice
from collect_analysis.agencies.invoice_lines import AFTER_PLACEMENT, BEFORE_PLACEMENT, NOT_PLACED
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.errors import ParameterError
from collect_analysis.report.conditions import worded
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import RunRecorder


def parameters(**changes: Any) -> CommissionInvoice:
    values = {"name": "r", "book": "sample", "as_of": "2026-06-30", "period_start": "2025-06-01", "period_end": "2026-05-31"}
    return validate(CommissionInvoice, {**values, **changes}, where="test")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"period_end": "2026-07-31"}, "after as_of 2026-06-30"),
        ({"rounding": "month"}, "rounding is 'month'"),
        ({"tolerance_minor": -1}, "tolerance_minor is -1"),
        ({"return_shares": 0.5}, "did you mean 'return_share'"),
    ],
)
def test_a_wrong_report_file_is_refused_with_the_fix(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        parameters(**changes)


@pytest.fixture(scope="module")
def book(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)


@pytest.fixture(scope="module")
def held(book: Book) -> page.Invoices:
    return page.invoices_of(book, parameters())


def test_every_planted_mistake_is_found_with_its_exact_money_and_clean_partners_differ_by_nothing(
    held: page.Invoices, sample_book: Path
) -> None:
    truth = json.loads((sample_book / "sample" / "truth.json").read_text(encoding="utf-8"))["invoices"]
    table = held.checked.invoices.set_index("invoice_id")
    outside = dict.fromkeys((BEFORE_PLACEMENT, AFTER_PLACEMENT, NOT_PLACED), "outside_placement")
    parts = held.checked.parts.assign(reason=held.checked.parts["reason"].replace(outside))
    found = parts.groupby(["invoice_id", "reason"])["difference_minor"].sum()
    assert len(table) == len(truth["by_invoice"]) == 72
    for name, planted in truth["by_invoice"].items():
        assert table.loc[name, "billed_minor"] == planted["billed_minor"]
        assert table.loc[name, "recomputed_minor"] == planted["right_minor"]
        assert found[found.index.get_level_values(0) == name].droplevel(0).to_dict() == planted["differences"]
    clean = table[table["unit_key"].isin(truth["clean"])]
    assert len(clean) == 24
    assert (clean["difference_minor"] == 0).all()
    assert (clean["verdict"] == decisions.PAY).all()


@pytest.mark.parametrize("rounding", ["line", "invoice"])
def test_differences_disputes_and_bridge_add_up_to_the_unit(book: Book, rounding: str) -> None:
    checked = page.invoices_of(book, parameters(rounding=rounding)).checked
    table = checked.invoices.set_index("invoice_id")
    sums = checked.parts.groupby("invoice_id")["difference_minor"].sum().reindex(table.index).fillna(0)
    assert (sums == table["difference_minor"]).all()
    assert (table["disputed_minor"] + table["underbilled_minor"] == table["difference_minor"]).all()
    assert (table["billed_minor"] - table["disputed_minor"] == table["undisputed_minor"]).all()
    bridge = decisions.bridge(checked)
    assert bridge["difference_minor"].iloc[:-1].sum() == bridge["difference_minor"].iloc[-1] == table["billed_minor"].sum()


def test_a_large_dispute_returns_the_invoice_and_a_small_one_within_tolerance_is_paid(book: Book) -> None:
    strict = page.invoices_of(book, parameters(return_share=0.01)).checked.invoices
    assert (strict["verdict"] == decisions.RETURN).sum() > 12
    mild = page.invoices_of(book, parameters(tolerance_minor=100_000_000)).checked.invoices
    assert (mild["verdict"] == decisions.PAY).all()


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_the_page_speaks_its_language_and_shows_no_payment(book: Book, held: page.Invoices, lang: str) -> None:
    params = parameters(lang=lang)
    record = RunRecorder(params)
    record.conditions(worded(held.found, lang))
    shown = [
        page.invoices_shown(held.checked.invoices, held, params, book),
        page.reasons_shown(decisions.by_reason(held.checked.parts), held, params, book),
        page.tiers_shown(decisions.by_tier(held.checked.lines), held, params, book),
        page.uninvoiced_shown(held.checked.uninvoiced, held, params, book),
    ]
    figures.bridge(decisions.bridge(held.checked), lang=lang, currency=book.currency)
    told = "\n".join(item.as_text() for item in shown)
    assert "pay-0" not in told
    assert ("Thu trước khi giao hồ sơ" if lang == "vi" else "Paid before the placement") in told
    decision = page_decision.decision_of(book, held, params)
    # 24 of the clean partners, and the one month in which ag-e had no payment to charge too early.
    assert ("Thanh toán đủ 25 hóa đơn" if lang == "vi" else "Pay 25 invoices as billed") in decision.answer
    assert page.write_lines(record, held, params)["rows"].item() == len(held.checked.parts)


def test_a_refused_check_tells_no_amount_but_what_was_billed(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    without = invoices.tariff_rows(book)
    double = invoices.earned(book, start=date(2026, 3, 1), end=date(2026, 5, 31)).assign(rate=float("nan"))
    monkeypatch.setattr(invoices, "earned", lambda *_, **__: double)
    refused = page.invoices_of(book, parameters())
    assert len(without)
    assert not refused.answerable
    assert refused.checked.invoices[["recomputed_minor", "difference_minor", "undisputed_minor"]].isna().all(axis=None)
    decision = page_decision.decision_of(book, refused, parameters())
    assert decision.grade == "none"
    assert "No invoice can be judged" in decision.answer
    for table in (decisions.by_reason(refused.checked.parts), decisions.by_tier(refused.checked.lines)):
        assert table.empty
    figures.bridge(decisions.bridge(refused.checked), lang="en", currency="VND")


def test_a_book_without_invoices_is_a_page_that_says_so() -> None:
    tables = {"unit": [{"unit_key": "a", "valid_from": date(2024, 1, 1), "name": "A", "unit_type": "agency", "tariff_id": "t"}]}
    empty = book_from_frames({name: pd.DataFrame(rows) for name, rows in tables.items()}, as_of=date(2026, 6, 30))
    held = page.invoices_of(empty, parameters())
    assert not held.answerable
    assert "No invoice was billed" in page.invoices_shown(held.checked.invoices, held, parameters(), empty).as_text()
    assert page_decision.decision_of(empty, held, parameters()).grade == "none"
    assert page.measured(held.checked.invoices).empty
