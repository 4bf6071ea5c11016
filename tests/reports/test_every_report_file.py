"""Every report file of the repository runs end to end, as a scheduler would run it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.reports import agreement
from tests.reports.english import english as english_on
from tests.reports.subtraction import attack

PROJECT = Path(__file__).resolve().parents[2]
FILES = sorted(path for path in (PROJECT / "parameters").glob("*/*.yml") if path.parent.name not in ("sources", "policy", "rules"))
NOW = "2026-11-23T08:00:00+00:00"


def collect(*arguments: str, books: Path, reports: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLLECT_BOOKS": str(books), "COLLECT_REPORTS": str(reports)}
    command = [sys.executable, "-m", "collect_analysis.cli", *arguments, "--now", NOW]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=PROJECT, check=False)


@pytest.fixture(scope="module")
def published(sample_book: Path, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All report files run once, on the small sample shop and the real sources."""
    folder = tmp_path_factory.mktemp("published")
    books = folder / "books"
    books.mkdir()
    (books / "sample").symlink_to(sample_book / "sample")
    imported = collect("import", str(PROJECT / "parameters" / "sources"), books=books, reports=folder / "reports")
    assert imported.returncode == 0, imported.stderr
    run = collect("run", str(PROJECT / "parameters"), "--workers", "2", books=books, reports=folder / "reports")
    assert run.returncode == 0, run.stderr[-4000:]
    return folder / "reports"


def runs_of(reports: Path, file: Path) -> list[Path]:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    name = content.get("name", file.stem)
    return sorted(path.resolve() for path in (reports / content["report"]).glob(f"{name}*/*/current"))


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_report_is_published_whole(published: Path, file: Path) -> None:
    runs = runs_of(published, file)
    assert runs, f"{file.name} published nothing"
    for folder in runs:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        assert run["state"] == "complete"
        assert results["decision"]["answer"]
        assert results["measures"]
        page = (folder / "page.html").read_text(encoding="utf-8")
        assert "<script" not in page
        assert results["decision"]["grade"] in "ABCDnone"
        for relative in [*results["tables"].values(), *results["figures"].values()]:
            assert (folder / relative).stat().st_size > 0


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_nobody_has_a_small_row_back_by_subtracting_everything_from_everything(published: Path, file: Path) -> None:
    assert {folder.parent.parent.name: attack(folder) for folder in runs_of(published, file)[:1]} == {
        folder.parent.parent.name: [] for folder in runs_of(published, file)[:1]
    }


@pytest.mark.slow
def test_every_kind_finds_the_same_numbers_in_a_second_run_in_the_other_language(published: Path) -> None:
    """A report in English and in Vietnamese is two runs on the same data: what threads, order or clocks change would differ between them."""
    pairs = [(folder, folder.parent / f"{folder.name.removesuffix('-en')}-vi") for folder in sorted(published.glob("*/*-en"))]
    assert {folder.parent.name for folder, _ in pairs} == {file.parent.name for file in FILES}
    differing = []
    for english, vietnamese in pairs:
        first, second = (
            json.loads(path.read_text(encoding="utf-8"))["measures"]
            for folder in (english, vietnamese)
            for path in folder.glob("*/current/results.json")
        )
        told = ("name", "by", "value", "low", "high", "numerator", "denominator", "unit", "kpi", "grade")
        if [[item[key] for key in told] for item in first] != [[item[key] for key in told] for item in second]:
            differing.append(english.name)
    assert not differing


@pytest.mark.slow
def test_pages_of_different_kinds_tell_one_number_of_one_thing(published: Path) -> None:
    measures, tables = agreement.compared(agreement.measured(published)), agreement.compared(agreement.tabled(published))
    assert agreement.apart(measures + tables) == []
    # What was held against each other: the expected cash of the month to come at least; buckets, accounts held and shares of six agencies.
    assert {pair[0].thing[3] for pair in measures} >= {"R4"}
    assert {pair[0].thing[0] for pair in tables} >= {"F1 of bucket", "F5 of bucket", "accounts held", "share_now", "share_next"}
    assert len(tables) >= 40


@pytest.mark.slow
def test_a_number_that_carries_the_id_of_a_kpi_is_that_kpi(published: Path) -> None:
    assert agreement.ids_that_are_not_the_kpi(published) == set()


def names_in(content: object) -> set[str]:
    """Every text that a report file says, key or value: what its reader named; the words for arms are ours."""
    if isinstance(content, dict):
        return set().union(*(names_in(key) | names_in(value) for key, value in content.items()))
    if isinstance(content, list):
        return set().union(*map(names_in, content))
    return {content} - {"champion", "challenger"} if isinstance(content, str) else set()


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_english_is_left_on_a_vietnamese_page(published: Path, sample_book: Path, file: Path) -> None:
    units = set(pd.read_parquet(sample_book / "sample" / "unit", columns=["name"])["name"].dropna())
    for folder in runs_of(published, file):
        parameters = json.loads((folder / "run.json").read_text(encoding="utf-8"))["parameters"]
        if parameters["lang"] == "vi":
            page = (folder / "page.html").read_text(encoding="utf-8")
            assert english_on(page, names=frozenset(units | names_in(parameters))) == []
