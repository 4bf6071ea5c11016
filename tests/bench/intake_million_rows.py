"""How long one million payments take from a CSV file into the book, and the same again."""

import resource
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np
from collect_analysis.book.intake import import_source

ROWS = 1_000_000
MAPPING = """\
source: cash
book: shop
currency: VND
location: {{variable: BENCH_DIR, default: {folder}}}
files: cash.csv
format: {{kind: csv, delimiter: ";", decimal: ",", grouping: "."}}
tables:
  payment:
    columns:
      payment_key: {{from: id}}
      account_key: {{from: account}}
      amount_minor: {{from: amount}}
      value_date: {{from: day, date: "%d/%m/%Y"}}
      posted_utc: {{from: posted, zone: Asia/Ho_Chi_Minh}}
      channel: {{from: channel, codes: {{CK: transfer, TM: counter}}}}
      reference: {{from: reference}}
      eligible: {{value: true}}
"""


def main() -> None:
    """Print the seconds of each step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cash.yml").write_text(MAPPING.format(folder=folder), encoding="utf-8")
        _deliver(folder / "cash.csv")
        for step in ("first import", "same again"):
            start = time.perf_counter()
            report = import_source(folder / "cash.yml", books=folder / "books", now=datetime(2026, 7, 1))
            kept = sum(load.rows_kept for load in report.loads)
            print(f"{step:14s} {time.perf_counter() - start:6.1f} s   {kept:,} rows kept, {report.unchanged} unchanged")
    print(f"most memory    {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:6.0f} MiB")


def _deliver(path: Path) -> None:
    rng = np.random.default_rng(1)
    accounts, amounts = rng.integers(0, 300_000, ROWS), rng.integers(10_000, 90_000_000, ROWS)
    days = (np.datetime64("2024-07-01") + rng.integers(0, 700, ROWS)).astype(str)
    seconds = rng.integers(0, 86_400, ROWS)
    with path.open("w", encoding="utf-8") as handle:
        handle.write("id;account;amount;day;posted;channel;reference\n")
        for row, (account, amount, day, second) in enumerate(zip(accounts, amounts, days, seconds, strict=True)):
            clock = f"{second // 3600:02d}:{second % 3600 // 60:02d}:{second % 60:02d}"
            money = f"{amount:,}".replace(",", ".")
            handle.write(
                f"P{row:09d};00{account:07d};{money};{day[8:]}/{day[5:7]}/{day[:4]};{day} {clock};{('CK', 'TM')[row % 2]};Nguyễn {row % 5000}\n"
            )
