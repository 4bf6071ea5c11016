"""`collect import`: no delivery keeps another out, and no delivery ends the command in a traceback."""

import json
import os
import stat
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from collect_analysis import cli
from collect_analysis.book import intake
from openpyxl import Workbook

NOW = "2026-07-01T10:00:00+07:00"
HEADER = "id,account,amount,day\n"
ROW = "1,a,100,2026-06-01\n"
MAPPING = """\
source: {name}
book: {name}
currency: VND
location: {{variable: SHOP_DIR, default: {folder}}}
files: {files!r}
format: {form}
tables:
  payment:
    columns:
      payment_key: {{from: id}}
      account_key: {{from: account}}
      amount_minor: {{from: amount}}
      value_date: {{from: day}}
      posted_utc: {posted}
      eligible: {{value: true}}
"""


class Desk:
    """A folder with sources, and the command over them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys, self.sources = folder, capsys, []

    def source(self, name: str, files: str, form: str = "{kind: csv}", posted: str = "{from: at, zone: Asia/Ho_Chi_Minh}") -> None:
        path = self.folder / f"{name}.yml"
        posted_line = "" if posted == "" else posted
        text = MAPPING.format(name=name, folder=self.folder, files=files, form=form, posted=posted_line)
        path.write_text("\n".join(line for line in text.splitlines() if not line.rstrip().endswith("posted_utc:")) + "\n", encoding="utf-8")
        self.sources.append(path)

    def last(self) -> None:
        """A sound source after all others: it must be loaded whatever they hold."""
        (self.folder / "good.csv").write_text(HEADER + ROW)
        self.source("last", "good.csv", posted="")

    def collect(self) -> tuple[int, dict, str]:
        self.last()
        arguments = ["import", *map(str, self.sources), "--books", str(self.folder / "books"), "--now", NOW, "--json"]
        code = cli._exit_code(arguments)
        out, err = self.capsys.readouterr()
        assert "Traceback" not in err
        return code, json.loads(out), err


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def loaded(told: dict) -> list[str]:
    return [report["source"] for report in told["imports"] if report["state"] == "loaded"]


def refusals(told: dict) -> list[str]:
    return [problem for error in told["errors"] for problem in error["problems"]]


def payments_parquet(path: Path, **columns: pa.Array) -> None:
    rows = {
        "id": pa.array(["1"]),
        "account": pa.array(["a"]),
        "amount": pa.array([100]),
        "day": pa.array([datetime(2026, 6, 1)]),
        **columns,
    }
    pyarrow.parquet.write_table(pa.table(rows), path)


def test_an_error_that_nobody_foresaw_is_that_sources_fault_and_tells_where_its_details_lie(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk.folder / "cash.csv").write_text(HEADER + ROW)
    desk.source("first", "cash.csv", posted="")
    whole = intake.read_delivery

    def broken(source, place):
        if source.source == "first":
            raise ZeroDivisionError("a fault of ours")
        return whole(source, place)

    monkeypatch.setattr(intake, "read_delivery", broken)
    code, told, err = desk.collect()
    assert (code, loaded(told)) == (1, ["last"])
    (sentence,) = refusals(told)
    assert sentence.startswith("source first: the command met an error that it does not know (ZeroDivisionError, test_cli_import.py line ")
    assert sentence in err
    details = Path(sentence.split("the details are in ")[1])
    assert "a fault of ours" in details.read_text()
    assert stat.S_IMODE(details.stat().st_mode) == 0o600


def test_a_full_disk_or_memory_is_the_workplaces_fault(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.folder / "cash.csv").write_text(HEADER + ROW)
    for name, error in (("disk", OSError(28, "No space left on device")), ("memory", MemoryError())):
        desk.source(name, "cash.csv", posted="")
        monkeypatch.setattr(intake, "typed_rows", lambda *_, error=error, **__: (_ for _ in ()).throw(error))
        code, told, _ = desk.collect()
        assert code == 5
        assert {error["type"] for error in told["errors"]} == {"WorkplaceError"}
        desk.sources.clear()


@pytest.mark.parametrize(
    ("at", "kept"),
    [
        (pa.array([1_781_079_330_123_456_789], pa.timestamp("ns")), "2026-06-10 01:15:30.123456"),
        (pa.array([1_781_079_330_123_456_789], pa.timestamp("ns", "Asia/Ho_Chi_Minh")), "2026-06-10 08:15:30.123456"),
        (pa.array([b"2026-06-10 08:15:30"], pa.binary()), "2026-06-10 01:15:30"),
        (pa.array([b"2026-06-10 08:15:30"], pa.binary(19)), "2026-06-10 01:15:30"),
        (pa.array(["2026-06-10 08:15:30"], pa.string_view()), "2026-06-10 01:15:30"),
    ],
)  # fmt: skip
def test_parquet_moments_and_bytes_are_read(desk: Desk, at: pa.Array, kept: str) -> None:
    payments_parquet(desk.folder / "cash.parquet", at=at)
    desk.source("typed", "cash.parquet", "{kind: parquet}")
    code, told, _ = desk.collect()
    assert (code, loaded(told)) == (0, ["typed", "last"])
    book = pyarrow.parquet.read_table(desk.folder / "books/typed" / told["imports"][0]["loads"][0]["file"])
    assert book["posted_utc"].to_pylist() == [datetime.fromisoformat(kept)]


@pytest.mark.parametrize(
    ("at", "told_of"),
    [
        (pa.array([b"\xff\xfe"], pa.binary()), "column 'at' (binary) holds bytes that are no UTF-8 text; deliver it as text"),
        (pa.array([2**62], pa.timestamp("ms")), "is no moment written as"),
        (pa.array([253_402_300_799_999_999], pa.timestamp("us")), "lies outside 1990-01-01"),
        (pa.array([3600], pa.time32("s")), "is no moment written as"),
        (pa.array([3600], pa.duration("s")), "is no moment written as"),
        (pa.array([[1]]), "is nested"),
    ],
)  # fmt: skip
def test_parquet_cells_that_are_no_moment_are_refused_with_a_reason(desk: Desk, at: pa.Array, told_of: str) -> None:
    payments_parquet(desk.folder / "cash.parquet", at=at)
    desk.source("typed", "cash.parquet", "{kind: parquet}")
    code, told, _ = desk.collect()
    assert (code, loaded(told)) == (3, ["last"])
    assert told_of in " ".join(refusals(told))


@pytest.mark.parametrize(
    ("at", "posted"),
    [
        ("2026-06-10 08:15:30.1234567", '{from: at, zone: Asia/Ho_Chi_Minh, timestamp: "%Y-%m-%d %H:%M:%S.%f"}'),
        ("2026-06-10 08:15:30.1234567", "{from: at, zone: Asia/Ho_Chi_Minh}"),
        ("2026-06-10T01:15:30.123456789Z", "{from: at}"),
        ("1781054130.1234567", "{from: at, timestamp: epoch_s}"),
        ("1781054130123456", "{from: at, timestamp: epoch_us}"),
    ],
)
def test_seconds_finer_than_a_microsecond_are_cut(desk: Desk, at: str, posted: str) -> None:
    (desk.folder / "cash.csv").write_text(f"id,account,amount,day,at\n1,a,100,2026-06-01,{at}\n")
    desk.source("fine", "cash.csv", posted=posted)
    code, told, _ = desk.collect()
    assert (code, loaded(told)) == (0, ["fine", "last"])
    book = pyarrow.parquet.read_table(desk.folder / "books/fine" / told["imports"][0]["loads"][0]["file"])
    assert book["posted_utc"].to_pylist() == [datetime(2026, 6, 10, 1, 15, 30, 123456)]


@pytest.mark.parametrize(
    ("at", "posted", "told_of"),
    [
        ("9999-12-31 23:59:59", "{from: at, zone: America/New_York}", "lies outside 1990-01-01 .. 2076-12-31"),
        ("9999-12-31 23:59:59-05:00", "{from: at}", "lies outside 1990-01-01 .. 2076-12-31"),
        ("0001-01-01 00:00:00", "{from: at, zone: Asia/Ho_Chi_Minh}", "lies outside 1990-01-01 .. 2076-12-31"),
        ("0001-01-01 00:00:00+07:00", "{from: at}", "lies outside 1990-01-01 .. 2076-12-31"),
        ("31/12/9999 23:59", '{from: at, zone: America/New_York, timestamp: "%d/%m/%Y %H:%M"}', "lies outside 1990-01-01 .. 2076-12-31"),
        ("1781079330123", "{from: at, timestamp: epoch_s}", "makes no sense as epoch_s, and does as epoch_ms (1 rows); declare `timestamp: epoch_ms`"),
        ("1781079330", "{from: at, timestamp: epoch_ms}", "makes no sense as epoch_ms, and does as epoch_s"),
        ("999999999999999999", "{from: at, timestamp: epoch_s}", "is no moment written as epoch_s"),
        ("10/06/2026 08:15", "{from: at}", '''declare `timestamp: "%d/%m/%Y %H:%M"` or `timestamp: "%m/%d/%Y %H:%M"`: the cells fit both'''),
        ("20/06/2026 08:15", "{from: at, zone: Asia/Ho_Chi_Minh}", '''(1 rows); declare `timestamp: "%d/%m/%Y %H:%M"`'''),
    ],
)  # fmt: skip
def test_moments_beyond_the_calendar_or_of_another_unit_are_refused_with_the_fix(desk: Desk, at: str, posted: str, told_of: str) -> None:
    (desk.folder / "cash.csv").write_text(f"id,account,amount,day,at\n1,a,100,2026-06-01,{at}\n")
    desk.source("far", "cash.csv", posted=posted)
    code, told, _ = desk.collect()
    assert (code, loaded(told)) == (3, ["last"])
    assert told_of in " ".join(refusals(told))


def test_a_file_whose_name_is_no_utf_8_is_read_under_a_name_that_can_be_written(desk: Desk) -> None:
    with open(os.fsencode(desk.folder) + b"/cash-\xe9t\xe9.csv", "w") as file:
        file.write(HEADER + ROW)
    desk.source("odd", "cash-*.csv", posted="")
    code, told, _ = desk.collect()
    assert (code, loaded(told)) == (0, ["odd", "last"])
    assert told["imports"][0]["loads"][0]["origin"] == r"cash-\xe9t\xe9.csv"
    assert [report["state"] for report in desk.collect()[1]["imports"]][:1] == ["unchanged"]


def test_files_that_programs_leave_beside_a_delivery_are_passed_over_and_named(desk: Desk) -> None:
    workbook = Workbook()
    workbook.active.title = "cash"
    for row in (["id", "account", "amount", "day"], ["1", "a", 100, datetime(2026, 6, 1)]):
        workbook.active.append(row)
    workbook.save(desk.folder / "cash.xlsx")
    (desk.folder / "~$cash.xlsx").write_bytes(b"\x05owner" + b" " * 50)
    (desk.folder / "pay.csv").write_text(HEADER + ROW)
    for name in ("._pay.csv", ".~lock.pay.csv"):
        (desk.folder / name).write_bytes(b"\0\5\x16\7")
    desk.source("book", "*.xlsx", "{kind: excel, sheet: cash}", posted="")
    desk.source("text", "*pay.csv", posted="")
    code, told, _ = desk.collect()
    assert (code, loaded(told)) == (0, ["book", "text", "last"])
    assert told["imports"][0]["notes"] == [
        "~$cash.xlsx: passed over, it is the mark of a workbook that is open in Excel: save and close it there, what was changed since is not in "
        "the delivery"
    ]
    assert [note.split(":")[0] for note in told["imports"][1]["notes"]] == ["._pay.csv", ".~lock.pay.csv"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_file_name_is_found_however_its_letters_are_composed(desk: Desk, form: str) -> None:
    import unicodedata

    (desk.folder / unicodedata.normalize(form, "Hợp đồng.csv")).write_text(HEADER + ROW)
    desk.source("named", "Hợp đồng*.csv", posted="")
    code, told, _ = desk.collect()
    assert (code, loaded(told)) == (0, ["named", "last"])
