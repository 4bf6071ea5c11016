"""A list of persons: for the owner of the run folder alone, named by its hash, on no page and in no table."""

import hashlib
import stat
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pytest
from collect_analysis.errors import DisclosureError, RunError
from collect_analysis.report.operational_lists import write_list
from collect_analysis.report.recording import RunRecorder

PARAMETERS = SimpleNamespace(report="test_design", name="d", lang="en", audience="managers", min_cell=10, as_json=dict)


def batches(rows: int = 5, size: int = 2) -> list[pa.RecordBatch]:
    table = pa.table({"account_key": [f"acc-{number}" for number in range(rows)], "arm": ["champion"] * rows})
    return table.to_batches(max_chunksize=size)


def test_the_list_is_readable_by_its_owner_alone_and_its_hash_is_that_of_the_file(tmp_path: Path) -> None:
    found = write_list("assignment", batches(), run_folder=tmp_path)
    path = tmp_path / "lists" / "assignment.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert hashlib.sha256(path.read_bytes()).hexdigest() == found.sha256
    assert (found.rows, found.file) == (5, "lists/assignment.csv")
    assert path.read_text(encoding="utf-8").splitlines()[:2] == ['"account_key","arm"', '"acc-0","champion"']


def test_how_the_rows_come_in_pieces_does_not_matter_nor_whether_they_are_kept(tmp_path: Path) -> None:
    kept = write_list("assignment", batches(size=1), run_folder=tmp_path)
    counted = write_list("assignment", batches(size=5), run_folder=None)
    assert (kept.sha256, kept.rows) == (counted.sha256, counted.rows)
    assert counted.file == ""


def test_a_list_is_never_replaced(tmp_path: Path) -> None:
    write_list("assignment", batches(), run_folder=tmp_path)
    with pytest.raises(FileExistsError):
        write_list("assignment", batches(), run_folder=tmp_path)


def test_a_run_names_its_list_without_its_content(tmp_path: Path) -> None:
    record = RunRecorder(PARAMETERS, str(tmp_path))
    found = record.operational_list("assignment", batches(12), write=True)
    body = record.as_json()
    assert found.sha256 in str(body["checks"])
    assert "acc-" not in str(body)
    assert body["tables"] == {}
    assert body["measures"][0]["value"] == 12  # type: ignore[index]
    with pytest.raises(RunError, match="list assignment was recorded already"):
        record.operational_list("assignment", batches(), write=False)
    with pytest.raises(DisclosureError, match="account_key"):
        record.table("assignment", pd.DataFrame({"account_key": ["acc-1"]}), people="cases")


def test_without_leave_nothing_is_written(tmp_path: Path) -> None:
    record = RunRecorder(PARAMETERS, str(tmp_path))
    record.operational_list("assignment", batches(), write=False)
    assert not list(tmp_path.iterdir())
    assert "Not written" in str(record.as_json()["checks"])
