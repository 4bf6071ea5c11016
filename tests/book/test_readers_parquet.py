"""Parquet files: exact texts from typed cells; damage and drift of types refused."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from collect_analysis.book.readers.cells import Cells
from collect_analysis.book.readers.parquet_files import read_parquet_file
from collect_analysis.book.source_format import ParquetFormat
from collect_analysis.errors import DataError


def read(folder: Path, table: pa.Table | None, wanted: tuple[str, ...], **types: str) -> Cells:
    if table is not None:
        pq.write_table(table, folder / "f.parquet")
    return read_parquet_file(folder / "f.parquet", "f.parquet", ParquetFormat(kind="parquet", types=types), wanted)


def column(cells: Cells, name: str) -> list[str | None]:
    return [cells.columns[name].cell(row) for row in range(cells.rows)]


def test_typed_cells_become_exact_texts(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": pa.array(["007", None]).dictionary_encode(),
            "big": pa.array([2**62, None]),
            "money": pa.array([Decimal("12345678901234.50"), None], pa.decimal128(18, 2)),
            "share": pa.array([0.1, None]),
            "day": pa.array([date(2026, 6, 1), None]),
            "local": pa.array([datetime(2026, 6, 1, 13, 5, 0, 250_000), None], pa.timestamp("us")),
            "zoned": pa.array([datetime(2026, 6, 1, 13, 5), None], pa.timestamp("ms", "Asia/Ho_Chi_Minh")),
            "flag": pa.array([True, None]),
            "nothing": pa.nulls(2),
        }
    )
    cells = read(tmp_path, table, tuple(table.column_names))
    assert {name: column(cells, name)[0] for name in table.column_names} == {
        "text": "007", "big": "4611686018427387904", "money": "12345678901234.50", "share": "0.1", "day": "2026-06-01",
        "local": "2026-06-01 13:05:00.250000", "zoned": "2026-06-01 13:05:00.000Z", "flag": "true", "nothing": None,
    }  # fmt: skip
    assert all(column(cells, name)[1] is None for name in table.column_names)
    assert [cells.columns[name].native for name in ("text", "money")] == [False, True]


def test_r27_a_damaged_footer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({"id": ["1"]}), path)
    whole = path.read_bytes()
    for broken in (whole[:-100], whole[:8], b"", b"id,amount\n1,2\n"):
        path.write_bytes(broken)
        with pytest.raises(DataError, match=r"f\.parquet: cannot be read as Parquet .*damaged or cut off, deliver it again"):
            read(tmp_path, None, ("id",))


def test_b45_another_type_under_the_same_name_is_refused(tmp_path: Path) -> None:
    table = pa.table({"id": pa.array([1]), "amount": pa.array([1.5])})
    with pytest.raises(DataError) as refused:
        read(tmp_path, table, ("id", "amount"), id="string", amount="decimal128(18, 2)", day="date32[day]")
    assert refused.value.problems == (
        "f.parquet: column 'id' is int64, and string is declared; correct `types`, or the delivery",
        "f.parquet: column 'amount' is double, and decimal128(18, 2) is declared; correct `types`, or the delivery",
        "f.parquet: there is no column 'day', which `types` declares; deliver it, or remove it there",
    )


def test_b46_nested_columns_and_missing_ones_are_refused(tmp_path: Path) -> None:
    table = pa.table({"id": pa.array([[1]]), "other": pa.array([[2]])})
    with pytest.raises(DataError) as refused:
        read(tmp_path, table, ("id", "amount"))
    assert refused.value.problems[0].startswith("f.parquet: there is no column 'amount', which the mapping file names")
    assert refused.value.problems[1] == "f.parquet: column 'id' is nested (list<element: int64>); deliver it flat"


def test_b47_no_row_groups_are_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, pa.table({"id": pa.array([], pa.string())}), ("id",)).rows == 0
