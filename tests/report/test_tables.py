"""What a table says when it is read."""

import copy
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import DisclosureError
from collect_analysis.report import tables

SIGNS = ["<b>bold</b>", '"><i title=x>', "[x](https://example.org)", "$a$b_", "{{ x }}", "A & B"]


def rates() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unit_name": ["A", "B", "C"],
            "value": [0.0204, 0.5, np.nan],
            "low": [0.01, 0.4, np.nan],
            "high": [0.03, 0.6, np.nan],
            "cases": [1200, 20, 3],
            "collected_minor": [1234567890, 5, 0],
            "note": ["", "", "suppressed: fewer than 10 cases"],
        }
    )


def column(shown: tables.ShownTable, label: str) -> tables.Column:
    (found,) = [item for item in shown.columns if item.label == label]
    return found


def test_money_that_is_read_is_written_in_one_short_unit() -> None:
    table = pd.DataFrame({"unit_name": ["A", "B", "C", "D"], "collected_minor": [1_046_000_000, 73_000_000, 412_300_000, -20_900_000]})
    table = table.assign(low_minor=[1e9, 7e7, 4e8, -3e7], high_minor=[1.1e9, 8e7, 4.5e8, -1e7])
    shown = tables.show(table, lang="vi", currency="VND", scaled=True)
    assert column(shown, "Đã thu (triệu VND)").cells == ("1.046,0", "73,0", "412,3", "−20,9")
    assert column(shown, "Khoảng tin cậy (triệu VND)").cells[3] == "−30,0 … −10,0"
    exact = tables.show(table, lang="en", currency="VND")
    assert column(exact, "Collected (VND)").cells[0] == "1,046,000,000"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_a_rate_table_reads_as_a_manager_reads_it() -> None:
    shown = tables.show(rates(), lang="en", percent=["value"], currency="VND")
    assert column(shown, "Value").cells == ("2.0 %", "50.0 %", "–")
    assert column(shown, "Interval").cells == ("1.0 … 3.0 %", "40.0 … 60.0 %", "–")
    assert column(shown, "Cases").cells == ("1,200", "20", "3")
    assert column(shown, "Collected (VND)").cells == ("1,234,567,890", "5", "0")
    assert column(shown, "Note").cells[2] == "suppressed: fewer than 10 cases"


def test_the_same_table_in_vietnamese() -> None:
    shown = tables.show(rates(), lang="vi", percent=["value"], currency="VND")
    assert column(shown, "Giá trị").cells == ("2,0 %", "50,0 %", "–")
    assert column(shown, "Đã thu (VND)").cells[0] == "1.234.567.890"
    assert column(shown, "Ghi chú").cells[2] == "không hiển thị: dưới 10 trường hợp"


def test_numbers_stand_right_and_names_left() -> None:
    shown = tables.show(rates(), lang="en")
    assert [item.numeric for item in shown.columns] == [False, True, True, True, True, False]


def test_minor_units_become_major_units_without_rounding() -> None:
    shown = tables.show(pd.DataFrame({"collected_minor": [1063612345, -5]}), lang="en", currency="USD")
    assert shown.columns[0].cells == ("10,636,123.45", "−0.05")


def test_a_small_number_is_not_shown_as_zero() -> None:
    shown = tables.show(pd.DataFrame({"p_value": [0.00001, 0.2, 0.0]}), lang="en")
    assert shown.columns[0].cells == ("< 0.001", "0.200", "0.000")


def test_rows_of_different_units_are_written_each_in_its_own() -> None:
    table = pd.DataFrame(
        {"kpi": ["C8", "R1"], "value": [0.5, 1000.0], "low": [0.4, 900.0], "high": [0.6, np.nan], "unit": ["share", "minor"]}
    )
    shown = tables.show(table, lang="en", columns=["kpi", "value", "low", "high"], by_unit=["value"], currency="VND")
    assert [item.cells for item in shown.columns] == [("C8", "R1"), ("50.0 %", "VND 1,000"), ("40.0 … 60.0 %", "VND 900 … –")]


def test_bounds_of_money_are_one_column_of_money() -> None:
    shown = tables.show(pd.DataFrame({"net_low_minor": [100], "net_high_minor": [250]}), lang="en", currency="USD")
    (only,) = shown.columns
    assert only.label == "Net: interval (USD)"
    assert only.cells == ("1.00 … 2.50",)


def test_days_flags_and_years_are_written_as_such() -> None:
    table = pd.DataFrame({"period_start": [date(2026, 1, 5)], "placed_on": [pd.Timestamp("2026-01-05")], "gate": [True], "year": [2026]})
    shown = tables.show(table, lang="vi")
    assert [item.cells[0] for item in shown.columns] == ["05/01/2026", "05/01/2026", "có", "2026"]


def test_an_empty_note_column_is_not_shown() -> None:
    shown = tables.show(pd.DataFrame({"value": [1.0], "note": [""]}), lang="en")
    assert [item.label for item in shown.columns] == ["Value"]


def test_a_long_table_is_cut_and_says_so() -> None:
    shown = tables.show(pd.DataFrame({"value": range(1500)}), lang="en")
    assert len(shown.columns[0].cells) == tables.MOST_ROWS
    assert "200 of 1,500 rows" in shown.footnote


def test_the_table_shown_is_not_modified() -> None:
    table = rates()
    before = copy.deepcopy(table)
    tables.show(table, lang="vi", percent=["value"], columns=["unit_name", "value"])
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("name", SIGNS)
def test_b60_a_name_of_signs_is_text(name: str) -> None:
    table = pd.DataFrame({name: [name], "note": [name]})
    parsed = Tags()
    parsed.feed(tables.html_of(tables.show(table, lang="en", caption=name).as_data()))
    assert parsed.tags <= {"div", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert parsed.attributes <= {"class", "scope", "tabindex"}
    assert parsed.text.count(name) >= 3


def test_persons_are_not_shown() -> None:
    with pytest.raises(DisclosureError, match="account_key"):
        tables.show(pd.DataFrame({"account_key": ["a"]}), lang="en")


def test_what_a_notebook_carries_is_data_beside_the_html() -> None:
    shown = tables.show(rates(), lang="en")
    bundle = shown._repr_mimebundle_()
    assert bundle[tables.MIME]["columns"][0]["cells"] == ("A", "B", "C")
    assert bundle["text/html"] == tables.html_of(shown.as_data())
    assert bundle["text/plain"].splitlines()[0].split() == ["Unit", "Value", "Interval", "Cases", "Collected", "Note"]


def test_a_difference_of_shares_is_told_in_percentage_points() -> None:
    table = pd.DataFrame(
        {"unit": ["share", "minor"], "mean": [0.205, 493_472.0], "difference": [0.016, 23_843.0], "low": [0.0096, -1_054.0]}
    ).assign(high=[0.022, 48_740.0], value=[0.016, 23_843.0])
    columns = ["mean", "difference", "low", "high"]
    shown = tables.show(table, lang="en", columns=columns, by_unit=["mean", "difference", "low"], currency="VND")
    assert [column.cells for column in shown.columns] == [
        ("20.5 %", "VND 493,472"), ("1.6 pp", "VND 23,843"), ("0.96 … 2.2 pp", "VND −1,054 … 48,740"),
    ]  # fmt: skip
    named = tables.show(table, lang="vi", columns=["value"], by_unit=["value"], differences=["value"], currency="VND")
    assert named.columns[0].cells == ("1,6 điểm %", "23.843 VND")
    level = tables.show(table, lang="en", columns=["value"], by_unit=["value"], currency="VND")
    assert level.columns[0].cells[0] == "1.6 %"
