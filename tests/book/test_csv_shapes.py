"""CSV files as systems write them: titles above, totals below, several lines in a note, accents written apart; read as declared, else refused."""

import unicodedata
from pathlib import Path

import pytest
from collect_analysis.book.intake import import_source
from collect_analysis.book.source_format import CsvFormat
from collect_analysis.errors import CollectError, DataError, ParameterError

from tests.book.payments_source import NOW, Payments
from tests.book.test_readers_csv import column, read, refusal

HEADER = b"id;name;amount\n"
FORM = {"delimiter": ";"}


def test_a_title_above_the_header_is_skipped_where_declared(tmp_path: Path) -> None:
    title = b'Account statement "June;;\nPeriod;01/06/2026;30/06/2026\n;;\n'
    cells = read(tmp_path, title + HEADER + b"1;a;2\n", header_row=4, **FORM)
    assert (column(cells, "id"), list(cells.lines)) == (["1"], [5])


@pytest.mark.parametrize("title", [b"Account statement;;\nPeriod;x;y\n;;\n", b"sep=;\n"])
def test_a_title_that_is_not_declared_is_refused_with_the_row_to_declare(tmp_path: Path, title: bytes) -> None:
    told = refusal(tmp_path, title + HEADER + b"1;a;2\n", **FORM)
    row = title.count(b"\n") + 1
    assert told == (
        f"in/f.csv, line {row}: holds every column that the mapping file names, the declared row does not; declare `header_row: {row}`"
    )


def test_a_header_row_beyond_the_file_is_refused(tmp_path: Path) -> None:
    assert "line 9: there is no header" in refusal(tmp_path, HEADER + b"1;a;2\n", header_row=9, **FORM)


@pytest.mark.parametrize(
    "below",
    [b"Total;;300\n", b"*** END OF FILE 2 rows ***\n", b"\n\nTOTAL;;300\n", b"total;;300\n\nsigned;by;nobody\nat noon\n", b" Total : \n"],
)
def test_a_declared_footer_is_no_row(tmp_path: Path, below: bytes) -> None:
    cells = read(tmp_path, HEADER + b"1;a;100\n2;b;200\n" + below, footer=["Total", "***"], **FORM)
    assert (column(cells, "amount"), list(cells.lines)) == (["100", "200"], [2, 3])
    assert "the footer begins here" in cells.notes[0]


def test_a_footer_in_any_chunk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from collect_analysis.book.readers import csv_rows

    monkeypatch.setattr(csv_rows, "CHUNK_ROWS", 3)
    for count in range(1, 8):
        body = b"".join(b"%d;a;1\n" % number for number in range(count))
        cells = read(tmp_path, HEADER + body + b"Total;;9\nx\n", footer=["Total"], **FORM)
        assert (cells.rows, cells.footer[0]["amount"]) == (count, "9")
        assert f"line {count + 2}: the footer begins here ('Total'), 2 lines" in cells.notes[0]


def test_a_footer_that_goes_on_is_none(tmp_path: Path) -> None:
    body = b"".join(b"%d;a;1\n" % number for number in range(30))
    told = refusal(tmp_path, HEADER + b"Total;;9\n" + body, footer=["Total"], **FORM)
    assert "line 2: begins the footer, and 20 lines or more follow it; more than 20 are no footer" in told


@pytest.mark.parametrize(
    ("below", "word"), [(b"*** END OF FILE 2 rows ***\n", "*** END OF FILE"), ("Tổng cộng: 300\n".encode(), "Tổng cộng")]
)
def test_an_undeclared_footer_is_refused_with_the_word_to_declare(tmp_path: Path, below: bytes, word: str) -> None:
    told = refusal(tmp_path, HEADER + b"1;a;100\n" + below, **FORM)
    assert f'line 3: has 1 cells, the header 3; declare `footer: ["{word}"]` under `format` if the table ends there' in told


def test_several_lines_in_a_quoted_cell_are_read_where_declared(tmp_path: Path) -> None:
    content = HEADER + b'1;"called twice\nwill pay\r\nFriday";100\n2;none;200\n3;"x\ny";5\n4;z;6\n'
    cells = read(tmp_path, content, line_breaks=True, **FORM)
    assert list(cells.lines) == [2, 5, 6, 8]
    assert column(cells, "amount") == ["100", "200", "5", "6"]
    told = refusal(tmp_path, content, **FORM)
    assert (
        "line 2: a cell holds a line break, or a quote is not closed; deliver one row on one line, or declare `line_breaks: true`" in told
    )


def test_a_quote_that_swallows_rows_is_refused_even_so(tmp_path: Path) -> None:
    swallowed = b"".join(b"%d;a;1\n" % number for number in range(60))
    told = refusal(tmp_path, HEADER + b'1;"open;1\n' + swallowed + b'9;b";1\n', line_breaks=True, **FORM)
    assert "line 2: a cell holds a line break, or a quote is not closed; deliver one row on one line" in told


def test_the_lines_of_a_note_are_one_line_of_text(payments: Payments) -> None:
    payments.deliver('id,account,amount,day,note\n1,a,5,2026-06-01,"called\nwill pay"\n')
    columns = (
        "      payment_key: {from: id}\n      account_key: {from: account}\n      amount_minor: {from: amount}\n      value_date: {from: day}\n"
        "      reference: {from: note}\n      eligible: {value: true}\n"
    )
    payments.load(form="{kind: csv, line_breaks: true}", columns=columns)
    assert list(payments.rows()["reference"]) == ["called will pay"]


# Accents written apart.

VIETNAMESE = """\
source: cash
book: shop
currency: VND
location: {{variable: CASH_DIR, default: {folder}}}
files: cash.csv
format: {{kind: csv, delimiter: ";"}}
tables:
  payment:
    columns:
      payment_key: {{from: Mã}}
      account_key: {{from: Hợp đồng}}
      amount_minor: {{from: Số tiền}}
      value_date: {{from: Ngày, date: "%d/%m/%Y"}}
      channel: {{from: Kênh, codes: {{Chuyển khoản: transfer}}}}
      eligible: {{from: Hợp lệ, "true": [Có], "false": [Không]}}
    only: {{Trạng thái: [Đã nhận]}}
"""


@pytest.mark.parametrize("file_form", ["NFC", "NFD"])
@pytest.mark.parametrize("mapping_form", ["NFC", "NFD"])
def test_columns_and_words_are_found_however_their_letters_are_composed(payments: Payments, file_form: str, mapping_form: str) -> None:
    rows = "Mã;Hợp đồng;Số tiền;Ngày;Kênh;Hợp lệ;Trạng thái\n1;A1;100;05/06/2026;Chuyển khoản;Có;Đã nhận\n"
    payments.deliver(unicodedata.normalize(file_form, rows))
    path = payments.folder / "cash.yml"
    path.write_text(unicodedata.normalize(mapping_form, VIETNAMESE.format(folder=payments.folder)), encoding="utf-8")
    (done,) = import_source(path, books=payments.books, now=NOW).loads
    assert (done.rows_kept, list(payments.rows()["channel"])) == (1, ["transfer"])


def test_signs_in_a_column_name_that_cannot_be_seen_are_told(tmp_path: Path) -> None:
    told = refusal(tmp_path, "id;name;amo\u200bunt\n1;a;2\n".encode(), **FORM)
    assert "column name 'amo\\u200bunt' (column 3) holds signs that cannot be seen; mend the header" in told


# Control totals.


@pytest.mark.parametrize(
    ("cells", "rule", "stated"),
    [
        (["1.234,50", "2.000,25"], '{from: amount, decimal: ",", grouping: "."}', "3234.75"),
        (["1234 VND", "6 VND"], '{from: amount, strip: ["VND"]}', "1240"),
        (["1234", "n/a"], '{from: amount, missing: ["n/a"], default: "0"}', "1234"),
        (["100", "40-"], "{from: amount, trailing_minus: true}", "60"),
        (["100", "−40"], "{from: amount, unicode_minus: true}", "60"),
        (["(100)", "40"], "{from: amount, parentheses: true}", "-60"),
        (["A", "7"], '{from: amount, codes: {A: "5"}, others: keep}', "12"),
    ],
)
def test_a_control_total_is_read_as_its_column_is(payments: Payments, cells: list[str], rule: str, stated: str) -> None:
    payments.deliver("id;account;amount;day\n" + "".join(f"{n};a;{cell};2026-06-0{n + 1}\n" for n, cell in enumerate(cells)))
    columns = f"      payment_key: {{from: id}}\n      account_key: {{from: account}}\n      amount_minor: {rule}\n      value_date: {{from: day}}\n"
    columns += "      eligible: {value: true}\n"

    def load(total: str) -> None:
        text = payments.mapping(
            form='{kind: csv, delimiter: ";"}', columns=columns, extra=f"control: {{rows: 2, totals: {{amount: '{total}'}}}}"
        )
        text.write_text(text.read_text().replace("currency: VND", "currency: USD"))
        import_source(text, books=payments.books, now=NOW)

    with pytest.raises(DataError, match=f"'amount' adds up to {stated.removesuffix('.75')}"):
        load("99")
    load(stated)
    assert len(payments.rows()) == 2


def test_a_control_total_that_is_no_number_is_refused_before_a_file_is_opened(payments: Payments) -> None:
    with pytest.raises(ParameterError, match=r"control\.totals\.amount: is '1\.234,5'; write the sum as 1234567\.89, without grouping"):
        payments.load(extra="control: {totals: {amount: '1.234,5'}}")


# The shared cases.


@pytest.mark.parametrize(
    ("name", "form", "rules", "rows", "money"),
    [
        ("preamble", {"header_row": 4}, {}, 1, 100),
        ("footer", {"footer": ["***"]}, {}, 2, 300),
        ("total", {"footer": ["Total"]}, {}, 2, 300),
        ("sep", {"header_row": 2}, {}, 1, 100),
        ("note", {"line_breaks": True}, {}, 2, 300),
        ("daytime", {}, {}, 2, 300),
        ("isotime", {}, {"value_date": {"from": "day", "drop_time": True}}, 1, 100),
        ("dc", {}, {"amount_minor": {"from": "credit", "debit": "debit"}}, 2, 60),
        ("minus", {}, {"amount_minor": {"from": "amount", "trailing_minus": True}}, 2, 0),
        ("uminus", {}, {"amount_minor": {"from": "amount", "unicode_minus": True}}, 2, 0),
        ("nfd", {}, {}, 1, 100),
        ("ctl1", {}, {}, 2, 323_475),
        ("ctl3", {}, {}, 2, 1234),
    ],
)
def test_every_shared_shape_is_read_with_its_declaration(
    shared_cases: Path, tmp_path: Path, name: str, form: dict, rules: dict, rows: int, money: int
) -> None:
    import yaml

    folder = shared_cases / "csv-shapes"
    mapping = yaml.safe_load((folder / f"{name}.yml").read_text(encoding="utf-8"))
    mapping["location"]["default"] = str(folder)
    mapping["format"] |= form
    mapping["tables"]["payment"]["columns"] |= rules
    path = tmp_path / f"{name}.yml"
    path.write_text(yaml.safe_dump(mapping, allow_unicode=True), encoding="utf-8")
    (done,) = import_source(path, books=tmp_path / "books", now=NOW).loads
    assert (done.rows_kept, done.money_kept_minor) == (rows, money)


@pytest.mark.parametrize("name", ["preamble", "footer", "total", "sep", "note", "isotime", "dc", "minus", "uminus"])
def test_every_shared_shape_is_refused_without_its_declaration(shared_cases: Path, tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.setenv("CASE_DATA", str(shared_cases / "csv-shapes"))
    with pytest.raises(CollectError) as refused:
        import_source(shared_cases / "csv-shapes" / f"{name}.yml", books=tmp_path, now=NOW)
    named = {
        "preamble": "`header_row: 4`", "sep": "`header_row: 2`", "footer": '`footer: ["*** END OF FILE"]`', "total": '`footer: ["Total"]`',
        "note": "`line_breaks: true`", "isotime": "`drop_time: true`", "dc": "`debit: <column>`", "minus": "`trailing_minus: true`",
        "uminus": "`unicode_minus: true`",
    }  # fmt: skip
    assert named[name] in str(refused.value)


def test_a_format_with_its_shape_is_another_reading_of_the_file() -> None:
    assert CsvFormat(kind="csv").footer == []
