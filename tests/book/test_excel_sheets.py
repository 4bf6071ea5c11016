"""Sheets as agencies send them: stated sizes that are wrong, titles, footers, numbers that a person reads otherwise, cut files."""

import re
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from collect_analysis.book.readers.cells import Cells
from collect_analysis.book.readers.excel_files import read_excel_sheet
from collect_analysis.book.readers.number_formats import shown_id, unlike_amount
from collect_analysis.book.source_format import ExcelFormat
from collect_analysis.errors import DataError
from openpyxl import Workbook

from tests.book.payments_source import Payments
from tests.book.sheets import saved, workbook

WANTED = ("id", "amount", "day")
TYPES = {"id": {"key"}, "amount": {"money"}, "day": {"date"}}
HEADER = ["id", "amount", "day"]
DAY = date(2026, 6, 1)


def read(folder: Path, book: Workbook, change=None, **options) -> Cells:
    path = saved(book, folder / "f.xlsx", change)
    return read_excel_sheet(path, "f.xlsx", ExcelFormat(kind="excel", **{"sheet": "cash", **options}), WANTED, TYPES)


def refusal(folder: Path, book: Workbook, change=None, **options) -> str:
    with pytest.raises(DataError) as refused:
        read(folder, book, change, **options)
    return "\n".join(refused.value.problems)


def column(cells: Cells, name: str) -> list[str | None]:
    return [cells.columns[name].cell(row) for row in range(cells.rows)]


# Size, order, structure.


@pytest.mark.parametrize("stated", ["A1", "A1:C11", "A1:C1048576", "B2:B3", "A1:XFD301", ""])
def test_every_row_is_read_whatever_size_the_sheet_states(tmp_path: Path, stated: str) -> None:
    rows = [HEADER, *([f"P{n}", n, DAY] for n in range(300))]

    def restate(xml: str) -> str:
        return re.sub(r'<dimension ref="[^"]*"\s*/>', f'<dimension ref="{stated}"/>' if stated else "", xml)

    cells = read(tmp_path, workbook(rows), restate)
    assert (cells.rows, column(cells, "amount")[-1]) == (300, "299")


def test_rows_that_do_not_stand_in_order_are_refused(tmp_path: Path) -> None:
    def swap(xml: str) -> str:
        first, second = re.findall(r'<row r="[23]".*?</row>', xml)
        return xml.replace(first + second, second + first)

    told = refusal(tmp_path, workbook([HEADER, ["1", 2, DAY], ["2", 3, DAY]]), swap)
    assert "row 2 stands after row 3; save the workbook anew in Excel" in told


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_sheet_cut_off_inside_its_archive_is_refused(tmp_path: Path, share: float) -> None:
    told = refusal(tmp_path, workbook([HEADER, ["1", 2, DAY]]), lambda xml: xml[: int(len(xml) * share)])
    assert "is cut off or damaged" in told


@pytest.mark.parametrize("part", ["xl/styles.xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels"])
def test_a_workbook_with_a_part_cut_off_is_refused(tmp_path: Path, part: str) -> None:
    path = saved(workbook([HEADER, ["1", 2, DAY]]), tmp_path / "f.xlsx", lambda xml: xml[: len(xml) // 2], part=part)
    with pytest.raises(DataError, match=r"f\.xlsx.*cannot be read as a workbook .*it is cut off or damaged, deliver it again"):
        read_excel_sheet(path, "f.xlsx", ExcelFormat(kind="excel", sheet="cash"), WANTED, TYPES)


@pytest.mark.parametrize("size", [100, 1000, 3000])
def test_a_workbook_file_cut_off_is_refused(tmp_path: Path, size: int) -> None:
    path = saved(workbook([HEADER, ["1", 2, DAY]]), tmp_path / "f.xlsx")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"is no \.xlsx workbook"):
        read_excel_sheet(path, "f.xlsx", ExcelFormat(kind="excel", sheet="cash"), WANTED, TYPES)


def test_a_sheet_and_a_header_are_found_however_their_letters_are_composed(tmp_path: Path) -> None:
    import unicodedata

    names = [unicodedata.normalize("NFD", name) for name in ("Mã", "Số tiền", "Ngày")]
    path = saved(workbook([list(names), ["1", 2, DAY]], sheet=unicodedata.normalize("NFD", "Tiền về")), tmp_path / "f.xlsx")
    cells = read_excel_sheet(path, "f.xlsx", ExcelFormat(kind="excel", sheet="Tiền về"), ("Mã", "Ngày", "Số tiền"))
    assert column(cells, "Số tiền") == ["2"]


# Title, footer, hidden parts.


def titled(*below: list[object]) -> Workbook:
    book = workbook([["Báo cáo thu hồi tháng 6"], ["Đơn vị: nghìn đồng"], [], HEADER, ["1", 2, DAY], ["2", 3, DAY], *below])
    book.active.merge_cells("A1:C1")
    book.active.merge_cells("A2:C2")
    book.active.row_dimensions[3].hidden = True
    return book


def test_a_merged_title_above_the_header_is_no_part_of_the_table(tmp_path: Path) -> None:
    cells = read(tmp_path, titled(), header_row=4)
    assert (column(cells, "id"), list(cells.lines)) == (["1", "2"], [5, 6])


def test_merged_cells_of_the_header_or_the_rows_are_refused(tmp_path: Path) -> None:
    for area in ("A4:B4", "A5:A6", "A3:A4"):
        book = titled()
        book.active.merge_cells(area)
        assert f"cells {area}: are merged; deliver one value a cell" in refusal(tmp_path, book, header_row=4)


def test_a_declared_footer_is_left_out_and_told(tmp_path: Path) -> None:
    book = titled([], ["Tổng cộng", 5], [], ["Người lập biểu"])
    book.active.merge_cells("A10:C10")
    cells = read(tmp_path, book, header_row=4, footer=["tổng", "Người lập"])
    assert column(cells, "amount") == ["2", "3"]
    assert cells.footer[0]["amount"] == "5"
    assert cells.notes == ("f.xlsx, sheet 'cash', row 8: the footer begins here ('Tổng cộng'), 2 lines are no rows",)


def test_an_undeclared_footer_is_refused_with_what_to_declare(tmp_path: Path) -> None:
    told = refusal(tmp_path, titled([], ["Tổng cộng:", 5]), header_row=4)
    assert 'row 7: is empty and row 8 is not; declare `footer: ["Tổng cộng"]` under `format` if the table ends there' in told


def test_a_footer_that_goes_on_is_none(tmp_path: Path) -> None:
    rows = [HEADER, ["Total", 5, None], *([str(n), n, DAY] for n in range(30))]
    told = refusal(tmp_path, workbook(rows), footer=["Total"])
    assert "row 2: begins the footer, and 20 lines or more follow it; more than 20 are no footer" in told


def test_rows_hidden_one_by_one_by_height_or_all_together_are_refused(tmp_path: Path) -> None:
    rows = [HEADER, ["1", 2, DAY], ["2", 3, DAY]]
    for how in (
        lambda xml: xml.replace('<row r="3"', '<row hidden="true" r="3"'),
        lambda xml: xml.replace('<row r="3"', '<row ht="0" customHeight="1" r="3"'),
    ):
        assert "row 3: is hidden, perhaps by a filter" in refusal(tmp_path, workbook(rows), how)
    told = refusal(tmp_path, workbook(rows), lambda xml: xml.replace("<sheetFormatPr", '<sheetFormatPr zeroHeight="1"'))
    assert "row 2: is hidden" in told
    assert "row 3: is hidden" in told


def test_a_hidden_column_is_read_and_told(tmp_path: Path) -> None:
    book = workbook([HEADER, ["1", 2, DAY]])
    book.active.column_dimensions["B"].hidden = True
    cells = read(tmp_path, book)
    assert column(cells, "amount") == ["2"]
    assert cells.notes == ("f.xlsx, sheet 'cash', column B: 'amount' is hidden in the sheet, and read",)


def test_faults_in_columns_that_nobody_reads_are_no_faults(tmp_path: Path) -> None:
    cells = read(tmp_path, workbook([[*HEADER, "lookup", "sum"], ["1", 2, DAY, "#N/A", "=1+1"], ["2", 3, DAY, 10**16, None]]))
    assert column(cells, "id") == ["1", "2"]


def test_a_formula_with_a_stored_value_is_read_one_without_refused(tmp_path: Path) -> None:
    rows = [HEADER, ["1", "=1+1", DAY]]
    assert "cell B2: holds a formula without a stored value" in refusal(tmp_path, workbook(rows))
    stored = read(tmp_path, workbook(rows), lambda xml: re.sub(r"(<f>1\+1</f>)<v\s*/>|(<f>1\+1</f>)<v></v>", "<f>1+1</f><v>2</v>", xml))
    assert column(stored, "amount") == ["2"]


# Ids.


@pytest.mark.parametrize(
    ("number", "code", "shown"),
    [
        (12000, "0000000000", "0000012000"), (12000, "General", "12000"), (12000, "0", "12000"), (12000, "@", "12000"),
        (1234, "000-000", "001-234"), (1234567, "000-000", "1234-567"), (7, '"HD"0000', "HD0007"), (7, "\\H\\D0000", "HD0007"),
        (7, "0000;-0000", "0007"), (7, "[Blue]0000", "0007"), (1234567890, "(000) 000-0000", "(123) 456-7890"), (5, "###", "5"),
        (0, "000", "000"), (7, "0000_);(0000)", "0007"),
        (12000, "#,##0", None), (12000, "0.00", None), (12000, "0%", None), (12000, "0.00E+00", None), (12000, "dd/mm/yyyy", None),
        (-7, "0000", None), (7, "[>100]0000;0", None),
    ],
)  # fmt: skip
def test_an_id_is_what_a_person_sees(number: int, code: str, shown: str | None) -> None:
    assert shown_id(number, code) == shown


def test_zeros_that_a_format_shows_are_part_of_an_id(tmp_path: Path) -> None:
    cells = read(tmp_path, workbook([HEADER, [12000, 5, DAY], [7, 6, DAY]], formats={"A2": "0000000000", "A3": "0000000000"}))
    assert column(cells, "id") == ["0000012000", "0000000007"]


@pytest.mark.parametrize("code", ["#,##0", "0.00", "0%", "0.00E+00"])
def test_an_id_that_is_shown_as_something_else_is_refused(tmp_path: Path, code: str) -> None:
    told = refusal(tmp_path, workbook([HEADER, [12000, 5, DAY]], formats={"A2": code}))
    assert f"cell A2: an id stored as a number and shown as '{code}', not as its digits; store ids as text" in told


def test_an_id_that_became_a_day_or_lost_digits_is_refused(tmp_path: Path) -> None:
    assert "cell A2: an id stored as a day or a time; store ids as text" in refusal(tmp_path, workbook([HEADER, [DAY, 5, DAY]]))
    assert "cell A2: a number of more than 15 digits" in refusal(tmp_path, workbook([HEADER, [9704361234567891, 5, DAY]]))


# Amounts, texts among numbers.


@pytest.mark.parametrize(
    ("code", "unit"),
    [
        ('#,##0"k"', "k"), ("0%", "%"), ('#,##0.0" triệu"', "triệu"), ('#,##0" nghìn đồng"', "nghìn"), ("#,##0", ""), ('#,##0" đ"', ""),
        ("[$₫-42A]#,##0", ""), ('"VND" #,##0', ""), ("#,##0.00 [$USD]", ""), ("#,##0_);(#,##0)", ""), ('"-"', ""), ("General", ""),
    ],
)  # fmt: skip
def test_a_format_that_shows_another_amount_is_told_from_a_currency(code: str, unit: str) -> None:
    assert unlike_amount(code) == unit


def test_a_number_beyond_any_is_refused(tmp_path: Path) -> None:
    beyond = refusal(tmp_path, workbook([HEADER, ["1", 905, DAY]]), lambda xml: xml.replace("<v>905</v>", "<v>1.8E+309</v>"))
    assert "cell B2: a number larger than any that a sheet can hold; correct it" in beyond


def test_an_amount_shown_in_thousands_or_percent_is_refused(tmp_path: Path) -> None:
    told = refusal(tmp_path, workbook([HEADER, ["1", 900, DAY]], formats={"B2": '#,##0"k"'}))
    assert "cell B2: a number shown with 'k', so that a person reads another amount; store the amount itself" in told


def test_numbers_and_texts_in_one_column_are_each_read_as_what_they_are(payments: Payments) -> None:
    rows = [
        ["id", "account", "amount", "day"],
        ["1", "a", 1234.5, DAY],
        ["2", "a", "1.234,5", DAY],
        ["3", "a", 1.234, DAY],
        ["4", "a", "n/a", DAY],
    ]
    saved(workbook(rows), payments.folder / "cash.xlsx")
    form = '{kind: excel, sheet: cash, decimal: ",", grouping: ".", missing: ["n/a"]}'
    columns = (
        "      payment_key: {from: id}\n      account_key: {from: account}\n      amount_minor: {from: amount, round: true, default: '0'}\n"
        "      value_date: {from: day}\n      eligible: {value: true}\n"
    )
    payments.load(files="cash.xlsx", form=form, columns=columns)
    # The number 1.234 is 1.234 and rounds to 1; read as a text it would have been 1234.
    assert list(payments.rows()["amount_minor"]) == [1234, 1234, 1, 0]


def test_words_for_nothing_may_stand_among_days(tmp_path: Path) -> None:
    cells = read(tmp_path, workbook([HEADER, ["1", 5, DAY], ["2", 5, "n/a"]]), missing=["n/a"])
    assert column(cells, "day") == ["2026-06-01", "n/a"]
    assert "column 'day' holds days and this text 'n/a'" in refusal(tmp_path, workbook([HEADER, ["1", 5, DAY], ["2", 5, "n/a"]]))


# Days, times, durations.


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (DAY, "yyyy-mm-dd", "2026-06-01"),
        (datetime(2026, 6, 1, 14, 5, 33), "dd/mm/yyyy hh:mm", "2026-06-01 14:05:33"),
        (time(14, 5, 33), "hh:mm:ss", "14:05:33"),
        (timedelta(hours=36, minutes=5), "[h]:mm", "36:05:00"),
        (1.5, "h:mm", "36:00:00"),
        (timedelta(minutes=1, seconds=30), "[mm]:ss", "0:01:30"),
    ],
)
def test_days_times_and_durations_are_told_apart(tmp_path: Path, value: object, code: str, text: str) -> None:
    cells = read(tmp_path, workbook([HEADER, ["1", 5, value]], formats={"C2": code}))
    assert column(cells, "day") == [text]


def test_durations_of_a_sheet_are_read_as_seconds_whatever_they_are_stored_as(payments: Payments) -> None:
    rows = [["id", "talk"], ["1", time(0, 1, 30)], ["2", timedelta(hours=25)], ["3", 1.5]]
    saved(workbook(rows, formats={"B3": "[h]:mm:ss", "B4": "h:mm"}), payments.folder / "calls.xlsx")
    mapping = payments.mapping(files="calls.xlsx", form="{kind: excel, sheet: cash}", source="calls")
    fixed = {
        "event_key": "{from: id}", "account_key": "{value: a}", "customer_key": "{value: c}", "ts_utc": "{value: '2026-06-01T01:00:00Z'}",
        "local_ts": "{value: '2026-06-01 08:00:00'}", "direction": "{value: out}", "channel": "{value: call}", "result": "{value: answered}",
        "party_role": "{value: debtor}", "verified": "{value: true}", "talk_s": '{from: talk, duration: "h:mm:ss"}',
    }  # fmt: skip
    head = mapping.read_text().split("tables:")[0]
    mapping.write_text(head + "tables:\n  contact:\n    columns:\n" + "".join(f"      {name}: {rule}\n" for name, rule in fixed.items()))
    from collect_analysis.book.intake import import_source

    from tests.book.payments_source import NOW

    import_source(mapping, books=payments.books, now=NOW)
    assert list(payments.rows("contact")["talk_s"]) == [90, 90_000, 129_600]
