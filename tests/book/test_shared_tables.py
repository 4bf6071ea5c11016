"""Tables that the reports of a batch share: the same numbers with them and without, and never those of other data."""

import shutil
import threading
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from collect_analysis.book.places import SHARED, shared_folder
from collect_analysis.book.recipes import Recipe
from collect_analysis.book.shared_tables import SharedTables
from collect_analysis.book.store import Book, open_book
from collect_analysis.measures.kpi_table import Facts, compared, kpi_table
from collect_analysis.measures.periods import KpiWindows, Period, month_end

from tests.small_book import book_of

JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))
ROWS = pd.DataFrame({"kpi": ["R1", "C1"], "value": [0.1 + 0.2, float("nan")], "cases": [2**53 + 1, 0], "note": ["", "no case"]})
# What is made is of no account here: any function of the library has a name.
WHAT = Recipe(month_end, (date(2026, 6, 1),))


@pytest.fixture
def batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(SHARED, str(tmp_path / "batch"))
    return tmp_path / "batch"


def made(recipe: Recipe) -> pd.DataFrame:
    return ROWS


def never(recipe: Recipe) -> pd.DataFrame:
    raise AssertionError("counted again")


def test_a_table_is_made_once_and_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    pd.testing.assert_frame_equal(SharedTables(tmp_path / "batch").table(WHAT, made), ROWS)
    pd.testing.assert_frame_equal(SharedTables(tmp_path / "batch").table(Recipe(month_end, (date(2026, 6, 1),)), never), ROWS)
    with pytest.raises(AssertionError, match="counted again"):
        SharedTables(tmp_path / "batch").table(Recipe(month_end, (date(2026, 5, 1),)), never)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_table_is_made_again(tmp_path: Path, damage: str) -> None:
    tables = SharedTables(tmp_path)
    tables.table(WHAT, made)
    (path,) = tmp_path.glob("*.parquet")
    body = bytearray(path.read_bytes())
    body[len(body) // 8] ^= 255
    path.write_bytes({"cut": path.read_bytes()[:-9], "flipped": bytes(body), "empty": b""}[damage])
    pd.testing.assert_frame_equal(tables.table(WHAT, made), ROWS)
    pd.testing.assert_frame_equal(tables.table(WHAT, never), ROWS)


def test_two_workers_at_once_leave_one_whole_table(tmp_path: Path) -> None:
    gate, got = threading.Barrier(8), []

    def make(recipe: Recipe) -> pd.DataFrame:
        gate.wait()
        return ROWS

    workers = [threading.Thread(target=lambda: got.append(SharedTables(tmp_path).table(WHAT, make))) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(got) == 8
    assert all(each.equals(ROWS) for each in got)
    assert [path.suffix for path in tmp_path.iterdir()] == [".parquet"]


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "batch").write_text("no folder")
    tables = SharedTables(tmp_path / "batch")
    pd.testing.assert_frame_equal(tables.table(WHAT, made), ROWS)


def test_a_batch_has_a_folder_of_its_own_unless_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SHARED, raising=False)
    with shared_folder() as own:
        assert own.is_dir()
    assert not own.exists()
    monkeypatch.setenv(SHARED, str(tmp_path))
    with shared_folder() as named:
        assert named == tmp_path
    assert tmp_path.is_dir()


def test_shared_kpis_are_those_counted_alone_and_no_relation_is_built_twice(
    sample_book: Path, batch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, grains = ("F1", "R1", "C4"), ("company", "unit")

    def told(grains: tuple[str, ...] = grains, ids: tuple[str, ...] = ids, windows: KpiWindows | None = None) -> pd.DataFrame:
        book = open_book("sample", as_of=JUNE.end, folder=sample_book)
        return compared(Facts(book, JUNE, windows=windows or KpiWindows()), grains=grains, ids=ids)

    first = told()
    kept = sorted(batch.iterdir())
    with monkeypatch.context() as changed:

        def materialized(book: Book, expression: object) -> object:
            raise AssertionError("counted again")

        changed.setattr(Book, "materialized", materialized)
        pd.testing.assert_frame_equal(told(), first)
        # Another report of the batch asks for another part of the same.
        assert set(told(("officer",), ("F3", "R3"))["kpi"]) == {"F3", "R3"}
        with pytest.raises(AssertionError, match="counted again"):
            told(windows=KpiWindows(attempt_channels=("call",)))
    assert sorted(batch.iterdir()) == kept
    monkeypatch.delenv(SHARED)
    pd.testing.assert_frame_equal(told(), first)


def test_the_period_before_counts_the_same_alone_as_beside_the_next(sample_book: Path) -> None:
    book = open_book("sample", as_of=JUNE.end, folder=sample_book)
    ids = ("C12", "F1", "R1", "R11")
    pd.testing.assert_frame_equal(kpi_table(Facts(book, JUNE).previous, ids=ids), kpi_table(Facts(book, JUNE.previous), ids=ids))


def test_changed_data_are_counted_anew_even_where_the_manifest_was_not_told(sample_book: Path, tmp_path: Path, batch: Path) -> None:
    books = tmp_path / "books"
    shutil.copytree(sample_book / "sample", books / "sample")

    def collected() -> float:
        facts = Facts(open_book("sample", as_of=JUNE.end, folder=books), JUNE)
        return float(kpi_table(facts, grains=("company",), ids=["R1"])["value"].iloc[0])

    before = collected()
    assert collected() == before
    for path in (books / "sample" / "payment").glob("*.parquet"):
        rows = pq.read_table(path)
        place = rows.column_names.index("amount_minor")
        pq.write_table(rows.set_column(place, "amount_minor", pc.multiply(rows["amount_minor"], 2)), path)
    assert collected() == 2 * before


def test_a_book_in_memory_shares_nothing(batch: Path) -> None:
    assert book_of({"payment": "account_key, amount_minor, value_date\na, 10, 2026-06-10"}, as_of=JUNE.end).shared is None
