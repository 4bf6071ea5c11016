"""The shared cases about files that were misread or wrongly refused, through the command."""

import json
from pathlib import Path

import pytest
from collect_analysis import cli

NOW = "2026-07-15T10:00:00+07:00"


class Desk:
    """`collect import` of mapping files of one case."""

    def __init__(self, cases: Path, books: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.cases, self.books, self.monkeypatch, self.capsys = cases, books, monkeypatch, capsys

    def collect(self, case: str, *, files: str = "*.yml", data: str = "") -> tuple[int, dict[str, int], list[str], list[str]]:
        """Exit code, rows kept by source, problems, notes."""
        self.monkeypatch.setenv("CASE_DATA", str(self.cases / case / data))
        mappings = sorted(map(str, (self.cases / case).glob(files)))
        code = cli._exit_code(["import", *mappings, "--books", str(self.books), "--now", NOW, "--json"])
        out, err = self.capsys.readouterr()
        assert "Traceback" not in out + err
        told = json.loads(out)
        kept = {each["source"]: sum(load["rows_kept"] for load in each["loads"]) for each in told["imports"] if each["state"] == "loaded"}
        problems = [problem for error in told["errors"] for problem in error["problems"]]
        return code, kept, problems, [note for each in told["imports"] for note in each["notes"]]


@pytest.fixture
def desk(shared_cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(shared_cases, tmp_path, monkeypatch, capsys)


def test_a_sheet_is_read_whole_whatever_size_it_states(desk: Desk) -> None:
    code, kept, _, _ = desk.collect("xlsx-dimension")
    assert code == 0
    assert kept == dict.fromkeys(("dim_cell", "dim_full", "dim_short", "dim_tall", "dim_whole"), 300)


def test_a_merged_title_above_the_header_is_no_part_of_the_table(desk: Desk) -> None:
    assert desk.collect("xlsx-title")[:2] == (0, {"title": 2})


def test_moments_finer_than_a_microsecond_are_cut_and_told_and_keep_no_other_source_out(desk: Desk) -> None:
    code, kept, problems, notes = desk.collect("timestamps")
    assert code == 3
    assert kept == {"dt2": 2, "dt2f": 2, "emptyopt": 0, "ns": 2}
    assert {note for note in notes if "microsecond" in note} == {
        "dt2.csv: 2 cells of 'ts' were cut to the microsecond", "ns.parquet: 2 cells of 'ts' were cut to the microsecond"
    }  # fmt: skip
    told = "\n".join(problems)
    for refused in ("dec.parquet", "empty.parquet", "emptynull.parquet", "source floats", "zoned.parquet"):
        assert refused in told


@pytest.mark.parametrize(
    ("source", "data", "rows", "beside"),
    [("lock", "in", 2, "~$payments-2026-06.xlsx: passed over"), ("dbl", "csv", 1, "._pay.csv: passed over")],
)
def test_what_programs_leave_beside_a_delivery_is_passed_over_and_named(desk: Desk, source: str, data: str, rows: int, beside: str) -> None:
    code, kept, _, notes = desk.collect("lock-files", files=f"{source}.yml", data=data)
    assert (code, kept) == (0, {source: rows})
    assert any(beside in note for note in notes)
