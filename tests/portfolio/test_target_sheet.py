"""The signed sheet: exact columns, the same bytes, and every way in which it can be spoilt is found."""

from datetime import date
from io import BytesIO, StringIO

import openpyxl
import pandas as pd
import pytest
from collect_analysis.errors import ApprovalError
from collect_analysis.portfolio.target_sheet import COLUMNS, Rules, sheet, verify
from collect_analysis.portfolio.target_sheet_files import SHEET, as_csv, as_excel

RULES = Rules(
    period_start=date(2026, 7, 1), period_end=date(2026, 7, 31), definition="R1@abcd1234", version=2, stretch=1.03, weight=100.0,
    gates=("Q1", "Q2"), cap_minor=9_000_000, frozen_on=date(2026, 6, 30), rebase_share=0.05,
)  # fmt: skip


def scopes() -> pd.DataFrame:
    rows = [
        ("company", "all", "", 30, 900, 1000), ("sub_function", "tele", "all", 30, 900, 1000),
        ("unit", "tele-1", "tele", 10, 300, 400), ("unit", "=1+1", "tele", 20, 600, 600),
        ("officer", "o1", "tele-1", 4, 100, 150), ("officer", "o2", "tele-1", 6, 200, 250),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["scope_type", "scope_key", "parent", "accounts", "opening_minor", "target_minor"])
    bounds = {"p20_minor": 900.4, "p50_minor": 970.0, "p80_minor": 1040.0, "season": 1.0, "p_reach": 0.31234}
    return table.assign(inflow_accounts=1.4, inflow_minor=10.6, **bounds)


def signed(**changes: str) -> pd.DataFrame:
    rows = sheet(scopes(), pd.Series({"tele-1": 0.9}), RULES)
    return rows.assign(approver="director", signed_at="2026-06-30", **changes)


def test_the_sheet_has_exactly_the_columns_that_are_signed() -> None:
    rows = sheet(scopes(), pd.Series({"tele-1": 0.9}), RULES)
    assert tuple(rows.columns) == COLUMNS
    first, officer = rows.iloc[0], rows.iloc[4]
    assert (first["target_minor"], first["p20_minor"], first["p_reach"], first["version"]) == ("1000", "900", "0.3123", "2")
    assert (first["approver"], first["ticket_cap_minor"], officer["ticket_cap_minor"]) == ("", "", "9000000")
    assert rows.loc[2, "capacity_index"] == "0.9000"


def test_a_signed_sheet_as_proposed_is_accepted_also_after_a_spreadsheet_read_it() -> None:
    rows = signed()
    verify(rows)
    verify(pd.read_csv(StringIO(as_csv(rows)), dtype=str))


@pytest.mark.parametrize(
    ("column", "place", "value", "told"),
    [
        ("target_minor", 2, "399", "1 of 6 rows were changed after they were proposed (first: unit tele-1)"),
        ("target_minor", 2, "399", "unit targets of tele differ from its own by -1"),
        ("target_minor", 4, "149", "officer targets of tele-1 differ"),
        ("approver", 0, "", "1 of 6 rows have an approver without a day"),
        ("gates", 5, "", "changed after they were proposed (first: officer o2)"),
    ],
)
def test_a_spoilt_sheet_is_refused_with_what_and_where(column: str, place: int, value: str, told: str) -> None:
    rows = signed()
    rows.loc[place, column] = value
    with pytest.raises(ApprovalError) as caught:
        verify(rows)
    assert told in str(caught.value)


def test_weights_that_do_not_make_a_hundred_are_refused() -> None:
    with pytest.raises(ApprovalError, match="weights of 1 scopes do not make 100"):
        verify(signed().assign(weight=["90.0000", *["100.0000"] * 5]))


def test_a_sheet_without_a_column_is_refused() -> None:
    with pytest.raises(ApprovalError, match="hash are missing"):
        verify(signed().drop(columns="hash"))


def test_the_workbook_holds_the_same_cells_and_runs_nothing() -> None:
    rows = signed()
    content = as_excel(rows)
    assert content == as_excel(rows)
    page = openpyxl.load_workbook(BytesIO(content))[SHEET]
    lines = list(page.iter_rows(values_only=True))
    assert lines[0] == COLUMNS
    assert [line[COLUMNS.index("target_minor")] for line in lines[1:]] == [1000, 1000, 400, 600, 150, 250]
    cell = page.cell(row=5, column=COLUMNS.index("scope_key") + 1)
    assert (cell.value, cell.data_type) == ("=1+1", "s")
