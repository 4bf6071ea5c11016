"""What was accepted without a word and is now judged: ids, last lines, totals, buckets, spellings, lost zeros."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from collect_analysis.book.intake import import_source
from collect_analysis.book.spellings import folded
from collect_analysis.book.store import Load, read_manifest
from collect_analysis.errors import DataError

from tests.book.payments_source import NOW, Payments
from tests.book.sheets import saved, workbook

HEADER = "id,account,amount,day\n"
COLUMNS = """\
      payment_key: {from: id}
      account_key: {from: account}
      amount_minor: {from: amount}
      value_date: {from: day}
      eligible: {value: true}
"""
UNITS = COLUMNS.replace("eligible", "channel: {from: how}\n      eligible")


def load(
    payments: Payments, body: str, *, loss: float = 1, header: str = HEADER, form: str = "{kind: csv}", columns: str = COLUMNS, **options
) -> Load:
    payments.deliver(header + body)
    return payments.load(form=form, columns=columns, loss=loss, **options).loads[0]


# What a delivery shows beside the former ones has tests of its own.
BESIDE = ("money_beside_former", "money_jump", "new_column", "column_gone", "rows_gone")


def found(done: Load) -> dict[str, tuple[str, int, int | None]]:
    return {each.check: (each.severity, each.rows, each.first_line) for each in done.findings if each.check not in BESIDE}


def refusal(payments: Payments, body: str, **options) -> str:
    with pytest.raises(DataError) as refused:
        load(payments, body, **options)
    return "\n".join(refused.value.problems)


# Totals among rows.


@pytest.mark.parametrize(
    "word", ["Total", "TOTAL:", "Tổng cộng", "tong cong", "Sub-total", "Grand Total", "Cộng", "*** END OF FILE ***", "Sum"]
)
def test_a_total_among_the_rows_is_refused_with_the_footer_to_declare(payments: Payments, word: str) -> None:
    told = refusal(payments, f"1,a,5,2026-06-01\n2,b,6,2026-06-01\n{word},x,11,2026-06-02\n")
    assert f"(payment_key) '{word}' is the heading of a total and no id" in told.replace("cash.csv, line 4: the row ", "")
    assert f'declare `footer: ["{word}"]` under `format`' in told


@pytest.mark.parametrize("word", ["Totalia", "all", "summer", "T1", "cong-ty", "endo"])
def test_names_that_begin_like_a_total_are_names(payments: Payments, word: str) -> None:
    assert found(load(payments, f"{word},x,11,2026-06-02\n")) == {}


def test_the_total_of_a_footer_is_held_against_its_column(payments: Payments) -> None:
    body = "1,a,100,2026-06-01\n2,b,200,2026-06-01\n"
    form = '{kind: csv, footer: ["Total"]}'
    told = refusal(payments, body + "Total,,301,\n", form=form)
    assert "cash.csv: 'amount' adds up to 300 and the total below the table is 301; deliver the file whole, or its total right" in told
    noted = load(payments, body + "Total,,301,\n", form=form, extra="checks: {footer_total_differs: note}")
    assert found(noted) == {"footer_total_differs": ("note", 0, None)}
    assert found(load(payments, body + "Total,,300,\n", form=form)) == {}


def test_the_total_of_a_footer_is_written_as_its_column_is(payments: Payments) -> None:
    form = '{kind: csv, delimiter: ";", decimal: ",", grouping: ".", footer: [Tổng]}'
    header = "id;account;amount;day\n"
    assert found(load(payments, "1;a;1.000;2026-06-01\n2;b;2.500,00;2026-06-01\nTổng;;3.500;\n", form=form, header=header)) == {}
    assert "adds up to 3,500.00 and the total below the table is 3,501" in refusal(
        payments, "1;a;1.000;2026-06-01\n2;b;2.500,00;2026-06-01\nTổng;;3.501;\n", form=form, header=header
    )


# Ids.


@pytest.mark.parametrize(
    ("cell", "check"),
    [("123.5", "fraction_id"), ("0,5", "fraction_id"), ("-7.25", "fraction_id"), ("123.0", "whole_number_id"), ("8,00", "whole_number_id")],
)
def test_an_id_with_a_fraction_is_set_aside(payments: Payments, cell: str, check: str) -> None:
    done = load(payments, f'1,"{cell}",5,2026-06-01\n2,b,6,2026-06-01\n')
    assert found(done) == {check: ("quarantine", 1, 2)}
    assert done.rows_kept == 1


def test_ids_made_whole_numbers_are_read_as_the_mapping_declares(payments: Payments) -> None:
    body = "1,8001.0,5,2026-06-01\n2,8002.0,6,2026-06-01\n"
    told = refusal(payments, body, loss=0)
    assert "'8001.0' is an id made a number, written with '.0' (2 rows); declare `strip: [\".0\"]` if the ids have no leading zeros" in told
    stripped = COLUMNS.replace("{from: account}", '{from: account, strip: [".0"]}')
    done = load(payments, body, columns=stripped, loss=0)
    assert done.rows_kept == 2
    assert found(done) == {}
    assert pq.read_table(payments.books / "shop" / done.file)["account_key"].to_pylist() == ["8001", "8002"]
    assert found(load(payments, body + "3,8002.5,6,2026-06-01\n", columns=stripped)) == {"fraction_id": ("quarantine", 1, 4)}


@pytest.mark.parametrize("cell", ["01.5", "A1.5", "1.2.3", "12-5", "123"])
def test_an_id_of_signs_is_an_id(payments: Payments, cell: str) -> None:
    assert found(load(payments, f"1,{cell},5,2026-06-01\n")) == {}


@pytest.mark.parametrize("word", ["NULL", "null", "\\N", "N/A", "#N/A", "NaN", "None", "-"])
def test_a_word_for_nothing_is_no_id_unless_the_mapping_says_so(payments: Payments, word: str) -> None:
    body = f"1,{word},5,2026-06-01\n"
    assert found(load(payments, body)) == {"word_for_nothing": ("quarantine", 1, 2)}
    literal = COLUMNS.replace("{from: account}", "{from: account, missing: []}")
    assert found(load(payments, body, columns=literal)) == {}
    empty = COLUMNS.replace("{from: account}", f"{{from: account, missing: ['{word}']}}")
    assert found(load(payments, body, columns=empty)) == {"missing": ("quarantine", 1, 2)}


def test_ids_that_differ_by_zeros_are_told(payments: Payments) -> None:
    assert found(load(payments, "1,0012,5,2026-06-01\n2,12,6,2026-06-01\n3,0013,7,2026-06-01\n")) == {"ids_differ_by_zeros": ("note", 2, 2)}
    assert found(load(payments, "1,0012,5,2026-06-01\n2,0013,6,2026-06-01\n3,A12,6,2026-06-01\n4,12x,6,2026-06-02\n")) == {}


def test_an_id_as_text_and_as_number_in_a_sheet(payments: Payments) -> None:
    rows = [
        ["id", "account", "amount", "day"],
        ["1", "0000012000", 5, "2026-06-01"],
        ["2", 12000, 6, "2026-06-01"],
        ["3", 77, 7, "2026-06-01"],
    ]
    saved(workbook(rows), payments.folder / "cash.xlsx")
    (done,) = payments.load(files="cash.xlsx", form="{kind: excel, sheet: cash}", columns=COLUMNS, loss=1).loads
    assert found(done) == {"id_text_and_number": ("note", 2, 3), "id_lost_zeros": ("quarantine", 1, 3)}


ACCOUNTS = """\
source: accounts
book: shop
currency: VND
location: {{variable: CASH_DIR, default: {folder}}}
files: accounts.csv
format: {{kind: csv}}
tables:
  account:
    columns:
      account_key: {{from: account}}
      customer_key: {{from: account}}
      portfolio_code: {{value: p}}
      product_code: {{value: card}}
      debt_status: {{value: overdue}}
      open_date: {{value: "2026-01-01"}}
      original_minor: {{value: "5"}}
      is_restructured: {{value: false}}
"""


def accounts(payments: Payments, *keys: str) -> None:
    payments.deliver("account\n" + "".join(f"{key}\n" for key in keys), "accounts.csv")
    path = payments.folder / "accounts.yml"
    path.write_text(ACCOUNTS.format(folder=payments.folder))
    import_source(path, books=payments.books, now=NOW)


@pytest.mark.parametrize(("known", "delivered"), [("0000012000", "12000"), ("12000", "0000012000")])
def test_an_account_known_with_other_zeros_is_set_aside(payments: Payments, known: str, delivered: str) -> None:
    accounts(payments, known, "b")
    done = load(payments, f"1,{delivered},5,2026-06-01\n2,b,6,2026-06-01\n3,x,6,2026-06-02\n")
    assert found(done) == {"id_lost_zeros": ("quarantine", 1, 2), "unknown_reference": ("note", 1, 4)}
    assert "differs from an id in table account by leading zeros only" in done.findings[1].sentence + done.findings[0].sentence


def test_the_shared_payments_with_a_format_of_zeros_meet_their_accounts(shared_cases: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CASE_DATA", str(shared_cases / "leading-zeros"))
    for name in ("zeros-account", "zeros-month-end", "zeros-unit", "zeros-xlsx"):
        report = import_source(shared_cases / "leading-zeros" / f"{name}.yml", books=tmp_path, now=NOW)
    assert [(load.rows_kept, found(load)) for load in report.loads] == [(20, {})]


# A last line that may be cut.


def test_a_last_line_that_may_be_cut_in_mid_digits_is_set_aside(payments: Payments) -> None:
    header, columns = "id,account,day,amount\n", COLUMNS
    body = "1,a,2026-06-01,500\n2,b,2026-06-01,123"
    told = refusal(payments, body, header=header, columns=columns, loss=0)
    assert "cash.csv, line 3: the row (amount_minor) '123' stands at the end of a last line that is not ended" in told
    assert found(load(payments, body, header=header, columns=columns)) == {"cut_line": ("quarantine", 1, 3)}
    body = body.replace("123", "124")
    stated = load(payments, body, header=header, columns=columns, extra="control: {totals: {amount: '624'}}")
    assert (found(stated), stated.rows_kept) == ({}, 2)


def test_a_last_line_whose_cut_would_show_is_read(payments: Payments) -> None:
    assert found(load(payments, "1,a,5,2026-06-01\n2,b,6,2026-06-01")) == {}
    unread = load(payments, "1,a,5,2026-06-01,x\n2,b,6,2026-06-01,y", header=HEADER.replace("\n", ",note\n"))
    assert found(unread) == {}


def test_what_stands_above_a_footer_was_ended(payments: Payments) -> None:
    ended = load(payments, "1,a,2026-06-01,500\n*** END", header="id,account,day,amount\n", form='{kind: csv, footer: ["***"]}')
    assert found(ended) == {}


# Buckets.

MONTH_ENDS = """\
source: ends
book: shop
currency: VND
location: {{variable: CASH_DIR, default: {folder}}}
files: ends.csv
format: {{kind: csv}}
allowed_loss: 1
tables:
  month_end:
    columns:
      account_key: {{from: account}}
      month_end: {{value: "2026-06-30"}}
      status: {{from: status}}
      dpd: {{from: dpd}}
      bucket: {{from: bucket}}
      balance_minor: {{value: "5"}}
"""


def buckets(payments: Payments, *rows: tuple[int, int], status: str = "open") -> Load:
    payments.deliver(
        "account,status,dpd,bucket\n" + "".join(f"a{n},{status},{dpd},{bucket}\n" for n, (dpd, bucket) in enumerate(rows)), "ends.csv"
    )
    path = payments.folder / "ends.yml"
    path.write_text(MONTH_ENDS.format(folder=payments.folder))
    return import_source(path, books=payments.books, now=NOW).loads[0]


def test_a_bucket_that_contradicts_its_days_is_set_aside(payments: Payments) -> None:
    done = buckets(payments, (200, 1), (0, 0), (15, 1), (31, 1), (200, 7), (500, 7), (0, 3), (120, 0))
    assert found(done) == {"bucket_contradicts_dpd": ("quarantine", 3, 2)}
    assert "does not hold such days past due (200, 0, 120); 1 is 1-30 days, 2 is 31-60" in done.findings[0].sentence


def test_a_neighbouring_bucket_the_highest_one_and_an_exit_are_no_contradiction(payments: Payments) -> None:
    assert found(buckets(payments, (61, 2), (59, 3), (5, 0), (0, 1), (4000, 4))) == {}


def test_the_bucket_of_an_account_that_left_is_not_judged(payments: Payments) -> None:
    assert found(buckets(payments, (200, 1), (0, 5), status="paid_off")) == {}


# Spellings.


def test_the_same_name_has_one_core() -> None:
    assert len({folded(word) for word in ("ACME Ltd.", "acme-ltd", "Ácme LTD", "A.C.M.E. Ltd")}) == 1
    assert folded("Đông Á") == folded("dong a") != folded("dong b")


CALLS = """\
source: promises
book: shop
currency: VND
location: {{variable: CASH_DIR, default: {folder}}}
files: {files!r}
format: {{kind: csv}}
{extra}
tables:
  promise:
    columns:
      promise_key: {{from: id}}
      account_key: {{value: a}}
      made_ts: {{value: "2026-06-01 10:00"}}
      due_date: {{value: "2026-06-05"}}
      amount_minor: {{value: "5"}}
      unit_key: {{from: unit}}
"""


def promises(payments: Payments, *units: str, name: str = "p.csv", extra: str = "") -> Load:
    payments.deliver("id,unit\n" + "".join(f"{name}{n},{unit}\n" for n, unit in enumerate(units)), name)
    path = payments.folder / "promises.yml"
    path.write_text(CALLS.format(folder=payments.folder, files="p*.csv", extra=extra))
    return next(load for load in import_source(path, books=payments.books, now=NOW).loads if load.origin == name)


def test_three_spellings_of_one_agency_are_refused(payments: Payments) -> None:
    with pytest.raises(DataError) as refused:
        promises(payments, "Acme", "Acme", "ACME", "A.C.M.E.", "Beta")
    assert "(unit_key) 'ACME' is another spelling of a unit: 'A.C.M.E.' is like 'Acme'; 'ACME' is like 'Acme' (2 rows)" in str(
        refused.value
    )
    assert "join them under `codes` of the mapping file" in str(refused.value)
    noted = promises(payments, "Acme", "Acme", "ACME", extra="checks: {unit_spelled_alike: note}")
    assert found(noted) == {"unit_spelled_alike": ("note", 1, 4)}


def test_a_unit_that_the_book_spells_otherwise_is_refused(payments: Payments) -> None:
    promises(payments, "Acme", "Beta")
    with pytest.raises(DataError, match=r"'acme' is like 'Acme' \(2 rows\)"):
        promises(payments, "acme", "acme", name="p2.csv")
    assert found(promises(payments, "Acme", name="p2.csv")) == {}


def test_units_told_apart_by_numbers_are_two(payments: Payments) -> None:
    assert found(promises(payments, "1-1", "11", "team 1", "team 11")) == {}


def test_spellings_of_a_code_are_told(payments: Payments) -> None:
    done = load(
        payments,
        "1,a,5,2026-06-01,Bank\n2,a,6,2026-06-01,bank\n3,a,7,2026-06-01,Bank\n",
        header=HEADER.replace("\n", ",how\n"),
        columns=UNITS,
    )
    assert found(done) == {"spelled_alike": ("note", 1, 3)}
    assert read_manifest(payments.books / "shop").loads[0].findings == done.findings
