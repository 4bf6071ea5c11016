"""What partners billed and earned, from the tables: days, tiers, reversals, names that change, and all that must be refused or named."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from collect_analysis.agencies import invoice_check, invoices
from collect_analysis.book.intake import import_source
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.methods.evidence import Condition, refused

START, END, AS_OF = date(2026, 3, 1), date(2026, 5, 31), date(2026, 6, 30)
Rows = list[dict[str, Any]]


def tariff(
    rate: float, *, tariff_id: str = "t", kind: str = "commission", tier: int = 0, start: str = "2025-01-01", end: str | None = None
) -> dict:
    days = {"valid_from": date.fromisoformat(start), "valid_to": date.fromisoformat(end) if end else None}
    item = "collected" if kind == "commission" else "vat"
    return {
        "tariff_id": tariff_id,
        "kind": kind,
        "item": item,
        "tier_from": tier,
        **days,
        "amount_minor": None,
        "rate": rate,
        "currency": "VND",
    }


def unit(key: str, name: str, start: str = "2024-01-01", end: str | None = None) -> dict:
    days = {"valid_from": date.fromisoformat(start), "valid_to": date.fromisoformat(end) if end else None}
    return {"unit_key": key, **days, "name": name, "unit_type": "agency", "tariff_id": "t"}


def placement(account: str, of: str, start: str, end: str | None = None) -> dict:
    return {
        "decision_key": f"d-{account}-{start}", "account_key": account, "customer_key": account, "kind": "placement",
        "decided_utc": pd.Timestamp(start), "unit_key": of, "from_date": date.fromisoformat(start),
        "to_date": date.fromisoformat(end) if end else None, "balance_minor": 10_000_000, "placement_no": 1,
    }  # fmt: skip


def payment(key: str, account: str, amount: int, day: str, **more: Any) -> dict:
    plain = {"currency": "VND", "eligible": True, "reversal_of": None}
    return {"payment_key": key, "account_key": account, "amount_minor": amount, "value_date": date.fromisoformat(day), **plain, **more}


def line(number: int, key: str | None, base: int, rate: float, commission: int, tax: int, **more: Any) -> dict:
    plain = {
        "invoice_id": "i1", "unit_key": "a", "period_start": START, "period_end": END, "issued_on": date(2026, 6, 5), "tier_from": None,
        "invoice_total_minor": None, "currency": "VND",
    }  # fmt: skip
    money = {"base_minor": base, "rate": rate, "commission_minor": commission, "tax_minor": tax}
    return {**plain, "line_no": number, "payment_key": key, **money, **more}


# One debt placed with a from January (recalled in May), one from April. The tariff of tier 0 rises on 1 May.
TARIFFS = [
    tariff(0.18, end="2026-05-01"),
    tariff(0.20, start="2026-05-01"),
    tariff(0.22, tier=3, end="2026-05-01"),
    tariff(0.24, tier=3, start="2026-05-01"),
    tariff(0.10, tariff_id="vat", kind="tax"),
]
UNITS = [unit("a", "Old name", end="2026-04-15"), unit("a", "New name", "2026-04-15")]
PLACED = [placement("x", "a", "2026-01-10", "2026-05-10"), placement("y", "a", "2026-04-02")]
PAID = [
    payment("p1", "x", 1_000_000, "2026-03-31"),
    payment("p2", "x", 1_000_000, "2026-04-01"),
    payment("p3", "x", 500_000, "2026-05-10"),
    payment("p4", "y", 300_000, "2026-04-30"),
    payment("p5", "y", 300_000, "2026-05-01"),
    payment("p6", "y", 200_000, "2026-04-01"),
    payment("p7", "y", 400_000, "2026-04-20"),
    payment("r7", "y", -400_000, "2026-05-20", reversal_of="p7"),
    payment("p8", "y", 300_000, "2026-04-30", eligible=False),
]
BILLED = [
    line(1, "p1", 1_000_000, 0.18, 180_000, 18_000),
    line(2, "p2", 1_000_000, 0.22, 220_000, 22_000),
    line(3, "p4", 300_000, 0.18, 54_000, 5_400),
    line(4, "p5", 300_000, 0.20, 60_000, 6_000),
    line(5, "p7", 400_000, 0.18, 72_000, 7_200),
    line(6, "r7", -400_000, 0.18, -72_000, -7_200),
]


def book(**tables: Rows) -> Book:
    rows = {"tariff": TARIFFS, "unit": UNITS, "decision": PLACED, "payment": PAID, "invoice_line": BILLED} | tables
    return book_from_frames({name: pd.DataFrame(held) for name, held in rows.items()}, as_of=AS_OF)


def heads_of(held: Book) -> pd.DataFrame:
    lines = invoices.billed(held, start=START, end=END)
    units = set(invoices.unit_names(held)["unit_key"])
    return invoice_check.problems(lines, units=units, currency=held.currency, as_of=held.as_of, start=START, end=END)


def check(held: Book) -> invoice_check.Checked:
    lines, earned = invoices.billed(held, start=START, end=END), invoices.earned(held, start=START, end=END)
    return invoice_check.checked(heads_of(held), lines, earned, invoice_check.Policy())


def found(held: Book) -> dict[str, Condition]:
    heads, earned = heads_of(held), invoices.earned(held, start=START, end=END)
    left = invoice_check.uninvoiced(heads, earned)
    tariffs = invoices.tariff_rows(held)
    return {item.name: item for item in invoice_check.conditions(heads, earned, left, tariffs, currency=held.currency)}


def test_tariff_of_the_day_tier_of_the_age_and_a_credit_at_the_terms_of_the_money_it_takes_back() -> None:
    table = invoices.earned(book(), start=START, end=END).set_index("payment_key")
    # p3 came on the day of recall, p6 a day before the placement, p8 does not count.
    assert sorted(table.index) == ["p1", "p2", "p4", "p5", "p7", "r7"]
    assert table["rate"].to_dict() == {"p1": 0.18, "p2": 0.22, "p4": 0.18, "p5": 0.20, "p7": 0.18, "r7": 0.18}
    assert (table["tax_rate"] == 0.10).all()


def test_a_reversal_of_a_reversal_is_priced_by_the_payment_at_the_end_of_its_links() -> None:
    chain = [
        payment("r7", "y", -400_000, "2026-05-20", reversal_of="p7"),
        payment("b7", "y", 400_000, "2026-05-22", reversal_of="r7", eligible=False),
        payment("s7", "y", -150_000, "2026-05-25", reversal_of="b7"),
        payment("q8", "y", -50_000, "2026-05-25", reversal_of="p8"),
        payment("lost", "y", -9_000, "2026-05-25", reversal_of="p0"),
    ]
    held = book(payment=[row for row in PAID if row["payment_key"] != "r7"] + chain)
    table = invoices.earned(held, start=START, end=END).set_index("payment_key")
    # All at the 18 % of 20 April; what was not eligible earns nothing, and takes nothing back.
    assert table.loc[["p7", "r7", "b7", "s7"], "rate"].tolist() == [0.18] * 4
    assert table.loc[["p7", "r7", "b7", "s7"], "origin_key"].tolist() == ["p7"] * 4
    assert not {"q8", "lost", "p8"} & set(table.index)


def test_an_invoice_that_is_right_across_a_change_of_tariff_and_of_name_differs_by_nothing() -> None:
    checked = check(book())
    row = checked.invoices.iloc[0]
    assert checked.parts.empty
    assert row["billed_minor"] == row["recomputed_minor"] == 198_000 + 242_000 + 59_400 + 66_000
    assert row["verdict"] == "pay"
    assert all(item.met for item in found(book()).values())
    assert invoices.unit_names(book()).iloc[0].to_dict() == {"unit_key": "a", "name": "New name", "names": ["Old name", "New name"]}


@pytest.mark.parametrize(
    ("key", "reason"), [("p6", "before_placement"), ("p3", "after_placement"), ("p8", "not_eligible"), ("p0", "unknown_payment")]
)
def test_a_payment_that_earns_nothing_is_named_by_its_reason(key: str, reason: str) -> None:
    checked = check(book(invoice_line=[*BILLED, line(7, key, 200_000, 0.18, 36_000, 3_600)]))
    assert checked.parts[["reason", "difference_minor"]].to_numpy().tolist() == [[reason, 39_600]]
    row = checked.invoices.iloc[0]
    assert (row["verdict"], row["undisputed_minor"]) == ("pay_undisputed", row["recomputed_minor"])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"unit_key": "z"}, "unknown_unit"),
        ({"currency": "USD"}, "other_currency"),
        ({"period_end": date(2026, 7, 31)}, "not_closed"),
        ({"period_end": date(2026, 6, 15)}, "outside_period"),
    ],
)
def test_an_invoice_that_cannot_be_checked_goes_back_without_a_number(change: dict, problem: str) -> None:
    held = book(invoice_line=[{**row, **change} for row in BILLED])
    row = check(held).invoices.iloc[0]
    assert (row["problem"], row["verdict"]) == (problem, "return")
    assert pd.isna(row["recomputed_minor"])
    assert pd.isna(row["undisputed_minor"])
    assert not found(held)["invoice_problems"].met


def test_one_number_on_two_invoices_and_a_period_billed_twice_go_back() -> None:
    other = {**BILLED[0], "line_no": 9, "period_start": date(2026, 4, 1)}
    assert heads_of(book(invoice_line=[*BILLED, other])).iloc[0]["problem"] == "duplicated_id"
    again = heads_of(book(invoice_line=[*BILLED, {**BILLED[0], "invoice_id": "i2", "issued_on": date(2026, 6, 9)}]))
    assert again["problem"].tolist() == ["", "period_twice"]


def test_a_total_that_is_not_the_sum_of_its_lines_is_a_reason_of_its_own() -> None:
    checked = check(book(invoice_line=[{**row, "invoice_total_minor": 565_500} for row in BILLED]))
    assert checked.parts[["reason", "difference_minor"]].to_numpy().tolist() == [["foot", 100]]
    assert checked.invoices.iloc[0]["undisputed_minor"] == 565_400


def test_money_without_a_tariff_refuses_and_says_whose_and_when() -> None:
    conditions = found(book(tariff=[row for row in TARIFFS if row["valid_to"] is not None or row["kind"] == "tax"]))
    assert [item.name for item in refused(conditions.values())] == ["invoice_priced"]
    # Only p5: the credit r7 takes its terms from April, when the tariff still held.
    assert conditions["invoice_priced"].details == {"payments": 1, "money": 300_000, "units": ["a"], "days": ["2026-05-01"]}


def test_tariffs_that_overlap_refuse_and_name_the_later_rows() -> None:
    conditions = found(book(tariff=[*TARIFFS, tariff(0.19, start="2026-04-15", end="2026-05-01")]))
    assert [item.name for item in refused(conditions.values())] == ["invoice_tariffs"]
    assert conditions["invoice_tariffs"].details["rows"] == ["t 0 2026-04-15"]


def test_two_placements_at_once_and_a_foreign_payment_refuse() -> None:
    twice = found(book(decision=[*PLACED, placement("y", "a", "2026-04-10")]))
    assert [item.name for item in refused(twice.values())] == ["invoice_placements"]
    assert twice["invoice_placements"].details == {"payments": 4}
    foreign = found(book(payment=[*PAID[:-1], payment("p9", "y", 50, "2026-05-02", currency="USD")]))
    assert [item.name for item in refused(foreign.values())] == ["invoice_currency"]


def test_a_partner_that_is_no_known_unit_and_one_that_sent_no_invoice_are_named() -> None:
    more = [*PLACED, placement("v", "ghost", "2026-03-02"), placement("w", "b", "2026-03-02")]
    paid = [*PAID, payment("q1", "v", 900, "2026-03-05"), payment("q2", "w", 1_000, "2026-03-06")]
    conditions = found(book(decision=more, payment=paid, unit=[*UNITS, unit("b", "B")]))
    assert not refused(conditions.values())
    assert conditions["invoice_units"].details == {"units": ["ghost"]}
    assert conditions["invoice_missing"].details == {"units": ["b"], "payments": 1}


def test_a_book_without_invoices_is_refused() -> None:
    tables = {"tariff": TARIFFS, "unit": UNITS, "decision": PLACED, "payment": PAID}
    held = book_from_frames({name: pd.DataFrame(rows) for name, rows in tables.items()}, as_of=AS_OF)
    assert [item.name for item in refused(found(held).values())] == ["invoice_lines"]


def test_a_partners_file_becomes_invoice_lines_through_its_mapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "invoice-05.csv").write_text(
        "invoice_no,line,partner,period_from,period_to,issued,payment_no,tier_months,collected,rate,commission,vat,invoice_total,currency\n"
        "HD-05,1,Agency A Ltd,01/05/2026,31/05/2026,05/06/2026,p5,,300000,0.20,60000,6000,55000,VND\n"
        "HD-05,2,Agency A Ltd,01/05/2026,31/05/2026,05/06/2026,,0,-50000,0.20,-10000,-1000,55000,VND\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("COLLECT_INVOICES", str(tmp_path))
    report = import_source(Path("parameters/sources/partner_invoices.yml"), books=tmp_path / "books", now=datetime(2026, 6, 30, tzinfo=UTC))
    assert report is not None
    lines = invoices.billed(open_book("shop", as_of=AS_OF, folder=tmp_path / "books"), start=START, end=END)
    assert lines[["unit_key", "base_minor", "commission_minor"]].to_numpy().tolist() == [
        ["ag-a", 300_000, 60_000],
        ["ag-a", -50_000, -10_000],
    ]
    assert lines["payment_key"].isna().tolist() == [False, True]
    assert lines["known"].tolist() == [False, False]
