"""Every report kind run on books that lack something: what became of each run, and what reads 0 there though the whole book has it."""

import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from unittest.mock import patch

import pandas as pd
from collect_analysis.book.store import Book
from collect_analysis.errors import CollectError
from collect_analysis.report.parameters import ReportParameters
from collect_analysis.runs import report_files

from tests.faults.lacking_books import Lack, lacking
from tests.notebook_run import PROJECT, run_in_process

# One report file a kind, more where a kind has several designs; told to team leads, who see everything.
REPORTS = (
    "agency_evaluation/quarterly", "agency_integrity/quarter", "commission_invoice/sample-quarter", "drivers/exp-payer",
    "incentive_scheme/sample-linear", "kpi_period/sample-month", "kpi_validation/sample-months", "officer_record_audit/sample-quarter",
    "pace/sample-may", "placement_plan/next-quarter", "portfolio_flow/sample", "quasi_experiment/early-offer",
    "quasi_experiment/visits-card", "quasi_experiment/visits-overlap", "rule_value/exp-payer", "rule_value/placements",
    "scorecard/sample-quarter", "strategy_review/exp-payer", "target_setting/next-month", "test_design/sms-wording",
    "test_monitor/exp-payer",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How one run ended: `page`, `refused` or `error`; what it said; the tables it read; its numbers by name."""

    how: str
    said: str
    read: frozenset[str] = frozenset()
    numbers: dict[str, float | None] = field(default_factory=dict)


def parameters_of(report: str) -> ReportParameters:
    """The parameters of a report file of the project, for team leads."""
    planned = report_files.read(PROJECT / "parameters" / f"{report}.yml", today=date(2026, 8, 1))[0].parameters
    return planned.model_copy(update={"audience": "team_leads"})


def period_of(parameters: ReportParameters) -> tuple[date, date]:
    """First and last day of what a report is about; without a period, the month of its day."""
    end = min(getattr(parameters, "period_end", None) or parameters.as_of, parameters.as_of)
    start = getattr(parameters, "period_start", None) or end
    return min(start, end).replace(day=1), end


def run_lacking(whole: Path, report: str, lack: Lack | None) -> Ended:
    """Run a report on the book in `whole` without what it shall lack (None: nothing)."""
    with tempfile.TemporaryDirectory(prefix="lacking-") as name:
        books, folder = Path(name, "books"), Path(name, "run")
        folder.mkdir()
        if lack is None:
            books.mkdir()
            (books / "sample").symlink_to(whole)
        else:
            lacking(whole, books / "sample", lack)
        with _placed(books), _watched() as read, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                page = run_in_process(parameters_of(report), folder)
            except CollectError as refusal:
                return Ended(how="refused", said=f"{type(refusal).__name__}: {refusal}", read=frozenset(read))
            except Exception as error:
                return Ended(how="error", said=f"{type(error).__name__}: {error} ({_where(error)})", read=frozenset(read))
        return Ended(how="page", said=_answer(folder), read=frozenset(read), numbers=dict(_numbers(folder)) if page else {})


def zeros(whole: Ended, ended: Ended) -> list[str]:
    """What reads 0 though the whole book has it: a name per number."""
    return sorted(name for name, value in ended.numbers.items() if value == 0 and whole.numbers.get(name))


def _numbers(folder: Path) -> Iterator[tuple[str, float | None]]:
    """Every measure, and the sum of every column of every table."""
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    for item in results["measures"]:
        by = ",".join(f"{key}={value}" for key, value in sorted(item["by"].items()))
        yield f"measure {item['name']} {item['kpi']} {by}", item["value"]
    for name, file in results["tables"].items():
        if not (folder / file).read_text(encoding="utf-8").strip():
            continue
        table = pd.read_csv(folder / file)
        for column in table.select_dtypes("number").columns:
            held = table[column].dropna()
            yield f"table {name}.{column}", float(held.abs().sum()) if len(held) else None


def _answer(folder: Path) -> str:
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return f"{results['decision']['grade']}: {results['decision']['answer']}"


def _where(error: Exception) -> str:
    """The last line of the library that an error came through."""
    trace, place = error.__traceback__, ""
    while trace:
        path = Path(trace.tb_frame.f_code.co_filename)
        if "collect_analysis" in path.parts:
            place = f"{path.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


@contextmanager
def _placed(books: Path) -> Iterator[None]:
    places = {"COLLECT_BOOKS": str(books), "COLLECT_POLICY": str(PROJECT / "parameters" / "policy")}
    with patch.dict(os.environ, places):
        yield


@contextmanager
def _watched() -> Iterator[set[str]]:
    """The names of the tables that are read."""
    read: set[str] = set()
    table, has = Book.table, Book.has

    def watched_table(book: Book, name: str):
        read.add(name)
        return table(book, name)

    def watched_has(book: Book, name: str) -> bool:
        read.add(name)
        return has(book, name)

    with patch.object(Book, "table", watched_table), patch.object(Book, "has", watched_has):
        yield read
