"""A report kind of one's own: `collect new kind NAME` writes a leaf outside the library that runs, in both languages, as it stands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import nbformat
import pytest
import yaml

from tests.conftest import PROJECT

NAME = "bucket_watch"
FILES = {"__init__.py", "parameters.py", "measures.py", "decision.py", "page.py", "figures.py", "texts.yml", f"{NAME}.ipynb", f"{NAME}.yml"}
AS_OF = "2026-06-30"


def collect(*arguments: str, kinds: Path | None, **places: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **{f"COLLECT_{name.upper()}": str(path) for name, path in places.items()}}
    environment |= {"COLLECT_KINDS": str(kinds)} if kinds else {}
    command = [sys.executable, "-m", "collect_analysis.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=PROJECT, check=False)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "kinds"
    made = collect("new", "kind", NAME, kinds=folder)
    assert made.returncode == 0, made.stderr
    assert f"next: collect run {folder / NAME / f'{NAME}.yml'}" in made.stderr
    return folder


@pytest.fixture(scope="module")
def reports(kinds: Path, sample_book: Path) -> Path:
    folder = kinds.parent / "reports"
    run = collect(
        "run", str(kinds / NAME / f"{NAME}.yml"), "--now", "2026-11-23T08:00:00+00:00", kinds=kinds, books=sample_book, reports=folder
    )
    assert run.returncode == 0, run.stderr
    return folder


def results(reports: Path, lang: str) -> dict:
    return json.loads((reports / NAME / f"{NAME}-{lang}" / AS_OF / "current" / "results.json").read_text(encoding="utf-8"))


def test_the_leaf_is_a_whole_kind_in_the_style_of_the_library(kinds: Path) -> None:
    assert {path.name for path in (kinds / NAME).iterdir()} == FILES
    assert not [path for path in (kinds / NAME).iterdir() if "$" in path.read_text(encoding="utf-8")]
    ruff = [sys.executable, "-m", "ruff", "format", "--check", "--config", str(PROJECT / "pyproject.toml"), str(kinds)]
    assert subprocess.run(ruff, check=False, capture_output=True).returncode == 0


def test_the_leaf_runs_as_it_stands_and_counts_right(reports: Path, sample_book: Path) -> None:
    ends = f"read_parquet('{sample_book}/sample/month_end/**/*.parquet')"
    where = f"from {ends} where month_end = date '{AS_OF}' and status = 'open'"
    sums = dict(duckdb.sql(f"select bucket, sum(balance_minor) {where} group by bucket").fetchall())
    for lang in ("en", "vi"):
        told = {int(item["by"]["bucket"]): item["value"] for item in results(reports, lang)["measures"]}
        assert {bucket: round(value, 9) for bucket, value in told.items() if value is not None} == {
            bucket: round(balance / sum(sums.values()), 9) for bucket, balance in sums.items() if told[bucket] is not None
        }
        assert sum(value is not None for value in told.values()) > 5


def test_the_leaf_speaks_both_languages(kinds: Path, reports: Path) -> None:
    words = yaml.safe_load((kinds / NAME / "texts.yml").read_text(encoding="utf-8"))
    assert all(set(entry) == {"en", "vi"} for section in ("words", "cells") for entry in words[section].values())
    cells = nbformat.read(kinds / NAME / f"{NAME}.ipynb", as_version=4).cells
    for cell in (cell for cell in cells if cell.cell_type == "markdown"):
        (key,) = [tag.removeprefix("text:") for tag in cell.metadata.tags]
        assert cell.source.strip() == words["cells"][key]["en"].strip()
    pages = {
        lang: (reports / NAME / f"{NAME}-{lang}" / AS_OF / "current" / "page.html").read_text(encoding="utf-8") for lang in ("en", "vi")
    }
    assert "Where does the balance lie?" in pages["en"]
    assert "Dư nợ nằm ở đâu?" in pages["vi"]
    assert all(word in pages["vi"] for word in ("Tỷ trọng dư nợ", "Xem xét từ tỷ trọng"))
    assert not [check for lang in ("en", "vi") for check in results(reports, lang)["checks"] if not check["passed"]]


def test_what_it_counts_with_is_part_of_what_made_a_run(kinds: Path, reports: Path, sample_book: Path) -> None:
    def run() -> str:
        done = collect(
            "run", str(kinds / NAME / f"{NAME}.yml"), "--now", "2026-11-23T09:00:00+00:00", kinds=kinds, books=sample_book, reports=reports
        )
        assert done.returncode == 0, done.stderr
        return json.loads((reports / NAME / f"{NAME}-en" / AS_OF / "current" / "run.json").read_text(encoding="utf-8"))["code"]["sha256"]

    before = run()
    measures = kinds / NAME / "measures.py"
    text = measures.read_text(encoding="utf-8")
    measures.write_text(text + "# counted otherwise\n", encoding="utf-8")
    assert run() != before
    measures.write_text(text, encoding="utf-8")


def test_it_is_listed_beside_the_kinds_of_the_library_and_gone_with_its_setting(kinds: Path) -> None:
    unknown = collect("run", "--dry-run", str(kinds / NAME / f"{NAME}.yml"), kinds=None)
    assert (unknown.returncode, "report is 'bucket_watch'" in unknown.stderr) == (2, True)
    assert "COLLECT_KINDS" in collect("doctor", kinds=kinds).stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (NAME, "there is a kind 'bucket_watch' already"),
        ("kpi_period", "there is a kind 'kpi_period' already"),
        ("../outside", "'../outside' is no name for a kind"),
        ("Upper", "'Upper' is no name for a kind"),
        ("a__b", "'a__b' is no name for a kind"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_is_written(kinds: Path, name: str, said: str) -> None:
    before = {path: path.read_bytes() for path in kinds.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    refused = collect("new", "kind", name, kinds=kinds)
    assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr
    assert {path: path.read_bytes() for path in kinds.rglob("*") if path.is_file() and path.suffix != ".pyc"} == before


def test_without_a_folder_to_write_to_it_says_which_setting_to_make() -> None:
    refused = collect("new", "kind", NAME, kinds=None)
    assert (refused.returncode, "COLLECT_KINDS is not set" in refused.stderr) == (5, True)


def test_a_setting_that_names_nothing_and_a_name_taken_twice_are_told(tmp_path: Path, kinds: Path) -> None:
    nothing = collect("run", "--dry-run", "parameters", kinds=tmp_path / "nowhere")
    assert (nothing.returncode, "COLLECT_KINDS: there is no folder" in nothing.stderr) == (2, True)
    twice = tmp_path / "kinds" / "pace"
    twice.mkdir(parents=True)
    (twice / "parameters.py").write_text("")
    told = collect("run", "--dry-run", "parameters", kinds=twice.parent)
    assert (told.returncode, "COLLECT_KINDS: pace: the library has a kind of this name" in told.stderr) == (2, True)


def test_a_class_by_another_name_is_told_with_the_one_that_is_asked_for(tmp_path: Path) -> None:
    made = tmp_path / "kinds"
    assert collect("new", "kind", "my_kind", kinds=made).returncode == 0
    parameters = made / "my_kind" / "parameters.py"
    parameters.write_text(parameters.read_text(encoding="utf-8").replace("class MyKind", "class Other"), encoding="utf-8")
    told = collect("run", "--dry-run", str(made / "my_kind" / "my_kind.yml"), kinds=made)
    assert (told.returncode, "define `class MyKind(ReportParameters)`" in told.stderr) == (1, True)
