"""The target sheet as files: CSV and Excel with the same cells, every text kept as text; and read back, whether it is still what was signed."""

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime

import pandas as pd

from collect_analysis.book.intake import Signed
from collect_analysis.book.readers.cells import Cells
from collect_analysis.book.source_format import Source
from collect_analysis.portfolio.target_sheet import COLUMNS, SIGNATURE, WHOLE, verify

SHEET = "targets"
_NUMBERS = (*WHOLE, "capacity_index", "season_factor", "stretch", "p_reach", "weight")
# The same sheet has the same bytes: the workbook does not say when it was made.
_MADE = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def as_csv(rows: pd.DataFrame) -> str:
    """The sheet as CSV, one line per row."""
    return rows.to_csv(index=False, lineterminator="\n")


def as_excel(rows: pd.DataFrame) -> bytes:
    """The sheet as an Excel workbook: amounts as numbers, everything else as text that no program runs; the signature's cells marked."""
    import xlsxwriter  # type: ignore[import-untyped]

    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"created": _MADE})
        page = book.add_worksheet(SHEET)
        head = book.add_format({"bold": True, "bottom": 1})
        whole, share = book.add_format({"num_format": "#,##0"}), book.add_format({"num_format": "0.0000"})
        sign = book.add_format({"bg_color": "#FFF4CC"})
        for column, name in enumerate(rows.columns):
            page.write_string(0, column, name, head)
            page.set_column(column, column, max(len(name), 12) + 2)
            for line, cell in enumerate(rows[name], start=1):
                if name in _NUMBERS and cell != "":
                    page.write_number(line, column, float(cell), whole if name in WHOLE else share)
                else:
                    page.write_string(line, column, cell, sign if name in SIGNATURE else None) if cell else page.write_blank(
                        line, column, None, sign if name in SIGNATURE else None
                    )
        page.freeze_panes(1, 4)
        page.autofilter(0, 0, len(rows), len(rows.columns) - 1)
    return out.getvalue()


def columns_signed(source: Source) -> tuple[str, ...]:
    """The columns of the sheet, where a source reads targets that somebody has to sign: those whose standing comes from `approver`."""
    targets = source.tables.get("target")
    signed = targets is not None and any(rule.source == SIGNATURE[0] for rule in targets.rules.values())
    return COLUMNS if signed else ()


def require_signed(deliveries: Sequence[Cells], *, today: date) -> None:
    """Refuse sheets that are not what was proposed; those of one import count together, officers beside their units.

    Raises
    ------
    ApprovalError
        As `target_sheet.verify`.
    """
    texts = [{name: _texts(cells, name) for name in COLUMNS} for cells in deliveries]
    verify(pd.concat([pd.DataFrame(columns) for columns in texts], ignore_index=True), today=today)


def _texts(cells: Cells, name: str) -> list[str]:
    column = cells.columns[name]
    words = ["", *(word or "" for word in column.words.to_pylist())]
    return [words[place + 1] for place in column.index]


SIGNED = Signed(columns=columns_signed, require=require_signed)
