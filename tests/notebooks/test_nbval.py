"""Each notebook runs from a fresh kernel on the small sample shop and says what it said when it was committed."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

PROJECT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
NBVAL = (
    "-q",
    "--nbval-lax",
    "--nbval-current-env",
    "--nbval-cell-timeout=240",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-W",
    "default",
)


def run_nbval(notebook: Path, books: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLLECT_BOOKS": str(books), "COLLECT_POLICY": str(PROJECT / "parameters" / "policy")}
    command = [sys.executable, "-m", "pytest", *NBVAL, "-c", os.devnull, f"--rootdir={notebook.parent}", str(notebook)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=PROJECT, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_says_what_it_said(notebook: Path, sample_book: Path) -> None:
    done = run_nbval(notebook, sample_book)
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.slow
def test_a_changed_number_is_noticed(sample_book: Path, tmp_path: Path) -> None:
    # One that runs quickly; the mechanism is the same for all.
    notebook = PROJECT / "notebooks" / "commission_invoice.ipynb"
    content = nbformat.read(notebook, as_version=4)
    stream = content.cells[-1].outputs[0]
    assert "counted" in stream.text
    stream.text = stream.text.replace("counted", "guessed", 1)
    changed = tmp_path / notebook.name
    nbformat.write(content, changed)
    assert run_nbval(changed, sample_book).returncode == 1
