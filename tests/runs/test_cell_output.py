"""What a cell shows is bounded, and a bound never costs the run: not a figure of ten thousand units, not a flood of prints, not an endless error."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from collect_analysis.runs import worker

from tests.small_project import RECORD, SmallProject

MARK = "[output cut at 4,000,000 characters]"
FIGURE = """
from IPython.display import display
class Figure:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": "figure units", "image/svg+xml": "<svg>" + "x" * 5_000_000 + "</svg>",
                "application/vnd.collect-analysis.figure+json": {"name": "units"}}
Figure()
"""
WITH_FIGURE = RECORD.replace("figures=dict()", 'figures=dict(units="figures/units.svg")') + (
    'pathlib.Path(run_dir, "figures").mkdir()\npathlib.Path(run_dir, "figures", "units.svg").write_text("<svg/>")\n'
)


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    made = SmallProject(tmp_path)
    made.write_report()
    return made


def executed(project: SmallProject, *cells: str) -> tuple[dict, list[dict]]:
    """The run.json and the outputs of the first cell after the parameters."""
    project.write_notebook(*cells)
    (outcome,) = project.run()
    assert outcome.folder is not None
    cells_run = [cell for cell in json.loads((outcome.folder / "notebook.ipynb").read_text())["cells"] if cell["cell_type"] == "code"]
    return json.loads((outcome.folder / "run.json").read_text()), cells_run[2]["outputs"]


def test_e3_a_figure_of_any_size_stands_on_the_page(project: SmallProject) -> None:
    run, outputs = executed(project, FIGURE, WITH_FIGURE)
    assert run["state"] == "complete", run["error"]
    assert [sorted(output["data"]) for output in outputs] == [["application/vnd.collect-analysis.figure+json", "text/plain"]]
    assert "<figure>" in (project.current() / "page.html").read_text()


@pytest.mark.parametrize(
    "cell",
    [
        "from IPython.display import HTML\nHTML('x' * 5_000_000)",
        "'x' * 5_000_000",
        "from IPython.display import display\nfor _ in range(50):\n    display('x' * 100_000)",
        "from IPython.display import display\nshown = display('a', display_id=True)\nfor n in range(50):\n    shown.update('x' * 100_000 * n)",
        "print('x' * 5_000_000)",
        "import sys\nprint('x' * 5_000_000, file=sys.stderr)",
    ],
    ids=["html", "value", "many", "update", "print", "stderr"],
)
def test_e3_what_goes_over_the_bound_is_cut_and_the_run_is_complete(project: SmallProject, cell: str) -> None:
    run, outputs = executed(project, cell, RECORD)
    assert run["state"] == "complete", run["error"]
    text = json.dumps(outputs)
    assert len(text) < 4_400_000
    if "update" not in cell:
        assert text.count(MARK) == 1


def test_e3_an_endless_error_is_told_in_a_readable_length(project: SmallProject) -> None:
    run, outputs = executed(project, "raise ValueError('begin ' + 'x' * 8_000_000)", RECORD)
    assert (run["state"], run["error"]["type"]) == ("failed", "ValueError")
    assert run["error"]["message"].startswith("begin xxx")
    assert len(json.dumps(run)) < 60_000
    assert len(json.dumps(outputs)) < 100_000


def test_e3_what_is_still_on_its_way_when_a_cell_ends_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that gives up after four seconds says that the cell took longer than its limit."""
    made: list[worker.LeashedClient] = []
    monkeypatch.setattr(worker, "hold_leash", made.append)
    monkeypatch.setattr(worker.LeashedClient, "execute", lambda self: None)

    worker.LeashedEngine.execute_managed_notebook(SimpleNamespace(nb={"cells": []}), "python3", execution_timeout=600)
    assert made[0].iopub_timeout == made[0].timeout == 600
