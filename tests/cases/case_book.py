"""The small shared cases as books: every mapping file of a case imported, as the command would."""

import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.book.intake import ImportReport, import_source
from collect_analysis.book.store import Book, open_book
from collect_analysis.measures.kpi_table import Facts, kpi_table
from collect_analysis.measures.periods import Period

NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)
JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))


class CaseBook:
    """One case: its mapping files imported into a book below `books`."""

    def __init__(self, folder: Path, books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.books, self._monkeypatch = folder, books, monkeypatch
        monkeypatch.setenv("CASE_DATA", str(folder))

    def copy(self, to: Path) -> "CaseBook":
        """The same case in a folder where its files may be changed, with books of its own."""
        shutil.copytree(self.folder, to, copy_function=shutil.copyfile)
        to.chmod(0o755)
        return CaseBook(to, to / "books", self._monkeypatch)

    def load(self) -> dict[str, ImportReport]:
        """What the import of each source told, accounts and units first."""
        files = [path for path in sorted(self.folder.glob("*.yml")) if "\nbook:" in path.read_text() and "tables:" in path.read_text()]
        return {path.stem: import_source(path, books=self.books, now=NOW) for path in files}

    def book(self, name: str, *, as_of: date = JUNE.end) -> Book:
        return open_book(name, as_of=as_of, folder=self.books)

    def kpis(self, name: str, ids: Sequence[str], *, period: Period = JUNE, grains: Sequence[str] = ("company",)) -> pd.DataFrame:
        facts = Facts(self.book(name, as_of=period.end), period)
        table = kpi_table(facts, ids=ids, grains=grains)
        return table.set_index(["kpi", "scope_key"] if len(grains) > 1 else "kpi")
