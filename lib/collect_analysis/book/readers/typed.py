"""Excel sheets, Parquet files and PostgreSQL tables: typed cells, handed on as the text the contract reads."""

import hashlib
import io
import math
import os
import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from collect_analysis.book.readers.cells import Cells
from collect_analysis.book.readers.csv_files import MOST_PROBLEMS, regular_bytes
from collect_analysis.book.source_format import ExcelFormat, ParquetFormat, PostgresFormat
from collect_analysis.errors import DataError, WorkplaceError

# More digits than this are rounded by a spreadsheet's numbers.
MOST_EXCEL_DIGITS = 15


def read_excel_sheet(path: Path, form: ExcelFormat) -> Cells:
    """The cells of one sheet of an .xlsx workbook, below its header row.

    Raises
    ------
    DataError
        Not an .xlsx workbook (encrypted, .xls), no such sheet, merged cells, a formula without a value, an error cell, a whole number of
        more than 15 digits (a spreadsheet has rounded it), header names empty or repeated.
    """
    from openpyxl import load_workbook

    raw = regular_bytes(path, form.max_mb)
    if not zipfile.is_zipfile(io.BytesIO(raw)):
        raise DataError(f"{path.name}: is no .xlsx workbook (encrypted, or an older format renamed); save it as .xlsx without a password")
    book = load_workbook(io.BytesIO(raw), data_only=True)
    if form.sheet not in book.sheetnames:
        raise DataError(f"{path.name}: has no sheet '{form.sheet}'; its sheets are {', '.join(book.sheetnames)}")
    sheet = book[form.sheet]
    formulas = load_workbook(io.BytesIO(raw))[form.sheet]
    problems = [f"{path.name}: cells {area} are merged; deliver one value a cell" for area in sheet.merged_cells.ranges]
    header = [str(cell.value or "").strip() for cell in sheet[form.header_row]]
    while header and not header[-1]:
        header.pop()
    if len(set(header)) != len(header) or "" in header:
        problems.append(f"{path.name}, row {form.header_row}: column names are empty or repeated: {', '.join(map(repr, header))}")
    rows, lines = [], []
    for number, row in enumerate(sheet.iter_rows(min_row=form.header_row + 1, max_col=len(header)), form.header_row + 1):
        values = [_excel_text(path.name, cell, formulas[cell.coordinate].value, problems) for cell in row]
        if any(value is not None for value in values):
            rows.append(values)
            lines.append(number)
    if problems:
        raise DataError(problems[:MOST_PROBLEMS])
    return Cells(
        pd.DataFrame(rows, columns=header, dtype=object), np.asarray(lines, dtype=np.int64), path.name, hashlib.sha256(raw).hexdigest()
    )


def _excel_text(name: str, cell, formula: object, problems: list[str]) -> str | None:
    value = cell.value
    if cell.data_type == "e":
        problems.append(f"{name}, cell {cell.coordinate}: holds the error {value}; mend the sheet")
    if value is None and isinstance(formula, str) and formula.startswith("="):
        problems.append(f"{name}, cell {cell.coordinate}: holds a formula without a value; open and save the workbook, or paste values")
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 10**MOST_EXCEL_DIGITS:
        problems.append(f"{name}, cell {cell.coordinate}: a number of more than {MOST_EXCEL_DIGITS} digits was rounded; store ids as text")
    return as_text(value)


def read_parquet_file(path: Path, form: ParquetFormat) -> Cells:
    """The cells of a Parquet file whose columns have the declared types.

    Raises
    ------
    DataError
        Damaged file, a declared column missing or of another type, a nested column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    raw = regular_bytes(path, 100_000)
    try:
        table = pq.read_table(io.BytesIO(raw))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name}: cannot be read as Parquet ({str(error).splitlines()[0]}); deliver it again") from error
    problems = [f"{path.name}: column '{name}' is missing" for name in form.types if name not in table.column_names]
    problems += [
        f"{path.name}: column '{field.name}' is {field.type}, declared {form.types[field.name]}; declare it anew or mend the delivery"
        for field in table.schema
        if field.name in form.types and str(field.type) != form.types[field.name]
    ]
    problems += [
        f"{path.name}: column '{field.name}' is nested ({field.type}); flatten it"
        for field in table.schema
        if pa.types.is_nested(field.type)
    ]
    if problems:
        raise DataError(problems)
    frame = pd.DataFrame(
        {name: pd.Series([as_text(item) for item in table[name].to_pylist()], dtype=object) for name in table.column_names}
    )
    return Cells(frame, np.arange(1, table.num_rows + 1), path.name, hashlib.sha256(raw).hexdigest())


def read_postgres_table(form: PostgresFormat) -> Cells:
    """The cells of a PostgreSQL table or view, read in one REPEATABLE READ, read-only transaction.

    Raises
    ------
    WorkplaceError
        The variable with the connection text is not set, or the server cannot be reached or refuses.
    """
    import psycopg
    from psycopg import sql

    connection_text = os.environ.get(form.variable)
    if not connection_text:
        raise WorkplaceError(f"environment variable {form.variable} is not set; it holds the connection text of the database")
    name = sql.SQL(".").join(sql.Identifier(part) for part in form.table.split("."))
    try:
        with psycopg.connect(connection_text) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(form.timeout_s * 1000)))
            with connection.cursor() as cursor:
                columns = [item.name for item in cursor.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(name)).description or ()]
            texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in columns)
            with connection.cursor("collect_import") as cursor:
                cursor.execute(sql.SQL("SELECT {} FROM {}").format(texts, name))
                rows = sorted(cursor.fetchall(), key=lambda row: tuple(item or "" for item in row))
    except psycopg.Error as error:
        reason = type(error).__name__
        raise WorkplaceError(
            f"table {form.table}: the database of {form.variable} answered {reason}; check the connection and the right to read"
        ) from None
    frame = pd.DataFrame(rows, columns=columns, dtype=object)
    digest = hashlib.sha256(repr((columns, rows)).encode()).hexdigest()
    return Cells(frame, np.arange(1, len(rows) + 1), form.table, digest)


def as_text(value: object) -> str | None:
    """A typed cell as the text the contract reads: ISO days and moments, numbers with a point, None for nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)
