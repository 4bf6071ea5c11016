"""A source of payments for the tests of the intake: its mapping file, its deliveries, and what the book then holds."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from collect_analysis.book.intake import ImportReport, import_source
from collect_analysis.book.store import open_book

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
AS_OF = date(2026, 7, 1)
HEADER = "id,account,amount,day\n"
FORM = '{kind: csv, decimal: ",", grouping: "."}'
COLUMNS = """\
      payment_key: {from: id}
      account_key: {from: account, missing: []}
      amount_minor: {from: amount}
      value_date: {from: day, date: "%d/%m/%Y"}
      eligible: {value: true}
"""


class Payments:
    """One folder with a mapping file, deliveries and books."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.books = folder / "books"

    def mapping(
        self, *, files: str = "cash.csv", form: str = FORM, loss: float = 0, extra: str = "", columns: str = COLUMNS, source: str = "cash"
    ) -> Path:
        path = self.folder / f"{source}.yml"
        path.write_text(
            f"source: {source}\nbook: shop\ncurrency: VND\nlocation: {{variable: CASH_DIR, default: {self.folder}}}\n"
            f"files: {files!r}\nformat: {form}\nallowed_loss: {loss}\n{extra}\ntables:\n  payment:\n    columns:\n{columns}",
            encoding="utf-8",
        )
        return path

    def deliver(self, text: str | bytes, name: str = "cash.csv") -> Path:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def load(self, **options: Any) -> ImportReport:
        now, dry_run = options.pop("now", NOW), options.pop("dry_run", False)
        return import_source(self.mapping(**options), books=self.books, now=now, dry_run=dry_run)

    def rows(self, table: str = "payment") -> pd.DataFrame:
        book = open_book("shop", as_of=AS_OF, folder=self.books)
        frame = book.frame(book.table(table))
        return frame.sort_values(list(frame.columns[:1]), ignore_index=True)

    def quarantine(self, load_id: str, kind: str = "quarantine") -> pd.DataFrame:
        return pd.read_parquet(self.books / "shop" / kind / f"{load_id}.parquet")

    @property
    def manifest(self) -> Path:
        return self.books / "shop" / "book.json"
