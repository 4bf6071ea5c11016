"""What keeps the contract of a table and what is set aside: where, why, what to do; nothing vanishes."""

import re
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.book.intake import import_source
from collect_analysis.book.reasons import REASONS
from collect_analysis.errors import DataError, ParameterError
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.book.payments_source import COLUMNS, HEADER, NOW, Payments

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
      account_key: {{from: id}}
      customer_key: {{from: id}}
      portfolio_code: {{value: p1}}
      product_code: {{value: card}}
      debt_status: {{value: overdue}}
      open_date: {{from: opened}}
      original_minor: {{from: balance}}
      is_restructured: {{value: false}}
"""


def accounts(payments: Payments, body: str) -> None:
    payments.deliver("id,opened,balance\n" + body, "accounts.csv")
    path = payments.folder / "accounts.yml"
    path.write_text(ACCOUNTS.format(folder=payments.folder), encoding="utf-8")
    import_source(path, books=payments.books, now=NOW)


def set_aside(payments: Payments, body: str, **options) -> pd.DataFrame:
    payments.deliver(HEADER + body)
    (done,) = payments.load(loss=1, **options).loads
    if not done.rows_quarantined:
        return pd.DataFrame(columns=["line", "reason"])
    return payments.quarantine(done.load_id)


def test_a_bad_row_is_told_with_file_line_column_value_reason_and_fix(payments: Payments) -> None:
    rows = set_aside(payments, "1,a,100,01/06/2026\n2,a,(50),01/06/2026\n3,,10,01/06/2026\n5,b,9,31/02/2026\n")
    told = rows[["file", "line", "column", "source_column", "value", "reason", "sentence", "fix"]].to_dict("records")
    assert told[0] == {
        "file": "cash.csv", "line": 3, "column": "amount_minor", "source_column": "amount", "value": "(50)", "reason": "unreadable_number",
        "sentence": "is no number as declared (decimal ',', grouping '.')", "fix": "`parentheses: true` reads (50) as -50",
    }  # fmt: skip
    assert told[1]["reason"] == "missing"
    assert pd.isna(told[1]["value"])
    assert (told[2]["line"], told[2]["value"], told[2]["sentence"]) == (5, "31/02/2026", "is no day written as %d/%m/%Y")
    assert list(rows["row"]) == [2, 3, 4]


def test_a_row_with_several_faults_is_one_row_and_its_money_counts_once(payments: Payments) -> None:
    rows = set_aside(payments, "1,,700,31/02/2026\n")
    assert list(rows["reason"]) == ["missing", "unreadable_date"]
    assert list(rows["money_minor"]) == [700, 0]


def test_long_values_are_cut(payments: Payments) -> None:
    rows = set_aside(payments, "1,a," + "9" * 500 + ",01/06/2026\n")
    assert rows["value"].str.len().tolist() == [200]


def test_b51_exact_repeats_keep_the_first_and_are_no_loss(payments: Payments) -> None:
    payments.deliver(HEADER + "1,a,100,01/06/2026\n1,a,100,01/06/2026\n1,a,100,01/06/2026\n2,b,5,01/06/2026\n")
    (done,) = payments.load(loss=0).loads
    assert (done.rows_kept, done.rows_quarantined, done.money_kept_minor, done.money_quarantined_minor) == (2, 2, 105, 200)
    rows = payments.quarantine(done.load_id)
    assert list(zip(rows["line"], rows["reason"], strict=True)) == [(3, "duplicate_exact"), (4, "duplicate_exact")]


def test_b51_one_key_with_two_contents_keeps_none(payments: Payments) -> None:
    rows = set_aside(payments, "1,a,100,01/06/2026\n2,b,5,01/06/2026\n1,a,101,01/06/2026\n1,a,100,01/06/2026\n")
    assert list(zip(rows["line"], rows["reason"], strict=True)) == [
        (2, "duplicate_conflict"),
        (4, "duplicate_conflict"),
        (5, "duplicate_conflict"),
    ]
    assert list(payments.rows()["payment_key"]) == ["2"]


def test_b33_days_outside_the_time_of_the_book_are_set_aside(payments: Payments) -> None:
    body = "1,a,1,31/12/1989\n2,a,1,01/01/1990\n3,a,1,31/12/9999\n4,a,1,01/01/2569\n5,a,1,01/07/2026\n6,a,1,02/07/2026\n"
    rows = set_aside(payments, body)
    assert list(zip(rows["line"], rows["reason"], strict=True)) == [
        (2, "date_out_of_range"), (4, "date_out_of_range"), (5, "date_out_of_range"), (7, "after_now")
    ]  # fmt: skip
    assert rows["sentence"].iloc[0] == "lies outside 1990-01-01 .. 2076-12-31"
    assert rows["sentence"].iloc[3] == "lies after 2026-07-01"


def test_b33_an_open_end_is_declared_as_missing(payments: Payments) -> None:
    columns = """\
      arrangement_key: {from: id}
      account_key: {from: account}
      type: {value: plan}
      status: {value: active}
      covered_minor: {from: amount}
      from_date: {from: day, date: "%d/%m/%Y"}
      to_date: {from: end, date: "%d/%m/%Y", missing: ["31/12/9999"]}
"""
    payments.deliver("id,account,amount,day,end\n1,a,5,01/06/2026,31/12/9999\n2,a,5,01/06/2026,30/06/2027\n")
    path = payments.mapping(columns=columns)
    path.write_text(path.read_text(encoding="utf-8").replace("  payment:", "  arrangement:"), encoding="utf-8")
    import_source(path, books=payments.books, now=NOW)
    ends = payments.rows("arrangement")["to_date"]
    assert ends.isna().tolist() == [True, False]


def test_b56_another_currency_is_refused_with_its_line(payments: Payments) -> None:
    payments.deliver("id,account,amount,day,ccy\n1,a,1,01/06/2026,VND\n2,a,1,01/06/2026,USD\n")
    with pytest.raises(DataError, match=r"cash\.csv, line 3: currency is 'USD' \(1 rows\), the book's is VND; amounts of two currencies"):
        payments.load(columns=COLUMNS + "      currency: {from: ccy}\n")
    assert not payments.manifest.exists()


def test_b53_a_payment_before_entry_is_set_aside(payments: Payments) -> None:
    accounts(payments, "a,2026-05-10,500\nb,2026-01-01,500\n")
    rows = set_aside(payments, "1,a,1,09/05/2026\n2,a,1,10/05/2026\n3,b,1,09/05/2026\n")
    assert list(zip(rows["line"], rows["reason"], rows["value"], strict=True)) == [(2, "payment_before_entry", "2026-05-09")]


def test_rows_of_unknown_accounts_are_kept_and_told(payments: Payments) -> None:
    accounts(payments, "a,2026-01-01,500\n")
    payments.deliver(HEADER + "1,a,1,01/06/2026\n2,x,1,01/06/2026\n3,x,1,02/06/2026\n")
    report = payments.load()
    assert report.loads[0].rows_kept == 3
    assert report.warnings == (
        "cash.csv, line 3: the row (account_key) 'x' is none that table account knows, 1 different in all (2 rows), kept; deliver account in full",
    )


def test_double_postings_are_kept_and_told(payments: Payments) -> None:
    payments.deliver(HEADER + "1,a,5,01/06/2026\n4,a,5,01/06/2026\n")
    report = payments.load()
    assert report.loads[0].rows_kept == 2
    assert report.warnings == (
        "cash.csv, line 3: the row repeats account, amount and day of another payment (1 rows), kept; check for double posting",
    )


def test_b57_rows_that_no_table_takes_are_told_and_count_as_loss(payments: Payments) -> None:
    payments.deliver("id,account,amount,day,kind\n1,a,5,01/06/2026,PAY\n2,a,,,CALL\n3,a,7,02/06/2026, PAY\n4,a,1,02/06/2026,\n")
    path = payments.mapping(loss=0.5)
    path.write_text(path.read_text(encoding="utf-8") + "    only: {kind: [PAY]}\n", encoding="utf-8")
    report = import_source(path, books=payments.books, now=NOW)
    assert (report.loads[0].rows_read, report.loads[0].rows_kept) == (2, 2)
    told = "cash.csv: 2 of 4 rows are taken by no table (first: line 3); list their words under `only`, or deliver them apart"
    assert report.warnings == (told,)
    path.write_text(
        path.read_text(encoding="utf-8").replace("allowed_loss: 0.5", "allowed_loss: 0.4").replace("[PAY]", "[ PAY, PAY]"), encoding="utf-8"
    )
    with pytest.raises(DataError) as refused:
        import_source(path, books=payments.books, now=NOW)
    assert refused.value.problems == (told,)


def test_one_wide_row_becomes_one_row_per_block(payments: Payments) -> None:
    payments.deliver("ID,P1,B1,P2,B2\n7,0,100,x,-200\n8,1,3,2,4\n")
    path = payments.folder / "wide.yml"
    path.write_text(
        f"""\
source: wide
book: shop
currency: VND
location: {{variable: CASH_DIR, default: {payments.folder}}}
files: cash.csv
format: {{kind: csv}}
allowed_loss: 0.5
tables:
  month_end:
    unpivot:
      column: month_end
      blocks:
        - {{value: 2026-05-31, columns: {{bucket: P1, balance_minor: B1}}}}
        - {{value: 2026-06-30, columns: {{bucket: P2, balance_minor: B2}}}}
    columns:
      account_key: {{from: ID, prefix: acc-}}
      status: {{value: open}}
""",
        encoding="utf-8",
    )
    (done,) = import_source(path, books=payments.books, now=NOW).loads
    assert (done.rows_read, done.rows_kept, done.money_read_minor, done.money_quarantined_minor) == (4, 3, -93, -200)
    rows = payments.rows("month_end")[["account_key", "month_end", "bucket", "balance_minor"]]
    assert [(key, str(end)[:10], bucket, balance) for key, end, bucket, balance in rows.itertuples(index=False)] == [
        ("acc-7", "2026-05-31", 0, 100), ("acc-8", "2026-05-31", 1, 3), ("acc-8", "2026-06-30", 2, 4)
    ]  # fmt: skip
    bad = payments.quarantine(done.load_id).iloc[0]
    assert (bad["line"], bad["source_column"], bad["value"]) == (2, "bucket", "x")


def test_b45_binary_fractions_are_no_money_and_no_ids(payments: Payments) -> None:
    frame = pd.DataFrame({"id": ["1"], "account": [7.0], "amount": [1.5], "day": ["01/06/2026"]})
    frame.to_parquet(payments.folder / "cash.parquet")
    with pytest.raises(DataError, match="column 'account' is double and account_key is an id; deliver it as text, or declare `strip"):
        payments.load(files="cash.parquet", form="{kind: parquet}")
    frame.assign(account="7").to_parquet(payments.folder / "cash.parquet")
    with pytest.raises(DataError, match=r"column 'amount' is double, binary fractions, and amount_minor is money; deliver it as decimal"):
        payments.load(files="cash.parquet", form="{kind: parquet}")


def test_b45_ids_of_floats_are_read_where_the_mapping_takes_them_for_whole_numbers(payments: Payments) -> None:
    ids = [7.0, 8001.0, 123456789012345.0, 2.0**53, 1e22, 1e300, 7.5, -8.0]
    days = ["01/06/2026"] * len(ids)
    frame = pd.DataFrame({"id": list("12345678"), "account": ids, "amount": ["1"] * len(ids), "day": days})
    frame.to_parquet(payments.folder / "cash.parquet")
    columns = COLUMNS.replace("{from: account, missing: []}", '{from: account, strip: [".0"]}')
    (done,) = payments.load(files="cash.parquet", form="{kind: parquet}", columns=columns, loss=1).loads
    assert payments.rows()["account_key"].tolist() == ["7", "8001", "123456789012345", "-8"]
    assert {(each.check, each.rows) for each in done.findings if each.severity == "quarantine"} == {("damaged_id", 3), ("fraction_id", 1)}


def test_pseudonymised_values_are_withheld_from_the_quarantine(payments: Payments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLECT_PSEUDONYM_KEY", "k" * 16)
    columns = COLUMNS.replace("{from: account, missing: []}", "{from: account, pseudonym: true}")
    rows = set_aside(payments, "1,0912\u200b345,1,01/06/2026\n2,0912345,1,01/06/2026\n", columns=columns)
    assert list(rows["value"]) == ["withheld: 8 characters"]
    assert not payments.rows()["account_key"].str.contains("0912").any()


def test_every_reason_says_what_to_do() -> None:
    assert all(reason.sentence and reason.fix for reason in REASONS.values())


def test_every_check_that_a_mapping_may_weigh_stands_in_the_guide_with_its_severity() -> None:
    guide = (Path(__file__).parents[2] / "parameters/sources/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| .* \| (refuse|quarantine|note) \|$", guide, re.MULTILINE)
    told = {name: severity for names, severity in rows for name in re.findall(r"`([a-z_]+)`", names)}
    assert told == {name: reason.severity for name, reason in REASONS.items() if reason.may_be}


def test_a_severity_is_declared_only_where_it_is_the_shops_to_say() -> None:
    assert all(reason.severity in reason.may_be for reason in REASONS.values() if reason.may_be)
    assert not any(REASONS[name].may_be for name in ("missing", "duplicate_conflict", "unreadable_number"))


@pytest.mark.parametrize(
    ("checks", "told"),
    [
        ("{reversal_abov_original: note}", "is no check whose severity can be declared; did you mean 'reversal_above_original'"),
        ("{missing: note}", "is no check whose severity can be declared"),
        ("{reversal_endless: warn}", "is 'warn'"),
    ],
)
def test_a_severity_that_cannot_be_declared_is_refused_before_a_file_is_opened(payments: Payments, checks: str, told: str) -> None:
    with pytest.raises(ParameterError) as error:
        payments.load(extra=f"checks: {checks}")
    assert told in error.value.problems[0]


cells = st.sampled_from(["0", "7", "-7", "12.345", "1,5", "x", "", "99999999999999999", "1.000.000.000.000"])
keys = st.sampled_from(["1", "2", "3", "", "1E+05"])
days = st.sampled_from(["01/06/2026", "31/02/2026", "01/01/1980", "05/07/2026", ""])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(keys, st.sampled_from(["a", "b", ""]), cells, days), min_size=1, max_size=12))
def test_read_is_kept_plus_quarantined_by_rows_and_by_money(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]) -> None:
    payments = Payments(Path(tmp_path_factory.mktemp("p")))
    payments.deliver(HEADER + "".join(f'{key},{account},"{amount}",{day}\n' for key, account, amount, day in rows))
    (done,) = payments.load(loss=1).loads
    amounts = [Decimal(amount.replace(".", "").replace(",", ".")) for _, _, amount, _ in rows if amount not in ("", "x")]
    whole = [int(amount) for amount in amounts if amount == int(amount) and abs(amount) < 10**16]
    assert done.rows_read == len(rows) == done.rows_kept + done.rows_quarantined
    assert done.money_read_minor == sum(whole) == done.money_kept_minor + done.money_quarantined_minor
    assert done.unreadable_money_cells == sum(amount != "" for _, _, amount, _ in rows) - len(whole)
    assert done.money_kept_minor == (int(payments.rows()["amount_minor"].sum()) if done.rows_kept else 0)
    if done.rows_quarantined:
        evidence = payments.quarantine(done.load_id)
        assert evidence["row"].nunique() == done.rows_quarantined
        assert evidence["money_minor"].sum() == done.money_quarantined_minor
