"""Live pages are callers too: clean, few lines, their words in the catalogue, nothing imported but the library."""

import ast
from pathlib import Path

import nbformat
import pytest
from collect_analysis.report import texts

from tests.conftest import PROJECT

LIVE = sorted((PROJECT / "notebooks" / "pages").glob("*.ipynb"))
# What reads or computes an analysis has no place on a page that is opened by a click.
READS = ("collect_analysis.report", "collect_analysis.runs")


@pytest.mark.parametrize("path", LIVE, ids=lambda path: path.stem)
def test_a_live_page_reads_recorded_results_only(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        assert not cell.outputs
        assert len(cell.source.splitlines()) <= 10
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.Import | ast.FunctionDef | ast.Lambda)
            if isinstance(node, ast.ImportFrom):
                assert ".".join((node.module or "").split(".")[:2]) in READS


@pytest.mark.parametrize("path", LIVE, ids=lambda path: path.stem)
def test_the_words_of_a_live_page_are_in_the_catalogue(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            (key,) = [tag.removeprefix("text:") for tag in cell.metadata.tags]
            assert texts.cell(path.stem, key, "en").strip() == cell.source.strip()
            assert texts.cell(path.stem, key, "vi").strip() != cell.source.strip()
