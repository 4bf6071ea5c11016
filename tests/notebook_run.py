"""A report's notebook executed in this process, cell by cell, and its page rendered: what a run does, without a kernel, in seconds."""

import ast
import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from collect_analysis.book.places import books_folder
from collect_analysis.report import notebook_files
from collect_analysis.report.parameters import ReportParameters
from collect_analysis.runs import provenance
from collect_analysis.runs.page import render_page

PROJECT = Path(__file__).resolve().parent.parent
FINISHED = "2026-07-01T00:00:02+00:00"


def run_in_process(parameters: ReportParameters, folder: Path) -> str:
    """Execute the notebook of a report kind in `folder`, as papermill would, render its page and return the page's HTML.

    Whatever a cell raises comes out as it was raised.
    """
    notebook = json.loads((PROJECT / "notebooks" / f"{parameters.report}.ipynb").read_text(encoding="utf-8"))
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        for count, cell in enumerate(notebook_files.code_cells(notebook), start=1):
            cell["outputs"] = _executed(notebook_files.source(cell), names)
            cell["execution_count"] = count
            if notebook_files.PARAMETERS in notebook_files.tags(cell):
                names |= {**parameters.as_json(), "run_dir": str(folder)}
    finally:
        plt.close("all")
    (folder / "notebook.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    render_page(folder, _run_of(parameters))
    return (folder / "page.html").read_text(encoding="utf-8")


def _executed(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """The outputs of a cell: what it printed, and what its last expression shows."""
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed = StringIO()
    with redirect_stdout(printed):
        # The project's own notebooks, as a kernel would run them.
        exec(compile(ast.Module(body, []), "<cell>", "exec"), names)  # noqa: S102
        value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names) if last else None  # noqa: S307
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": printed.getvalue()})
    if hasattr(value, "_repr_mimebundle_"):
        data = json.loads(json.dumps(value._repr_mimebundle_()))
        outputs.append({"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1})
    elif value is not None:
        outputs.append({"output_type": "execute_result", "data": {"text/plain": repr(value)}, "metadata": {}, "execution_count": 1})
    return outputs


def _run_of(parameters: ReportParameters) -> dict[str, Any]:
    """What the page says of the run itself, with nothing that changes from one run to the next."""
    return {
        "schema": 1,
        "run_id": "20260701T000000Z-00000000",
        "report": parameters.report,
        "name": parameters.name,
        "slot": parameters.slot,
        "state": "complete",
        "started": "2026-07-01T00:00:00+00:00",
        "finished": FINISHED,
        "seconds": 2.0,
        "parameters": parameters.as_json(),
        "inputs": provenance.inputs(books_folder(), parameters),
        "policy": {},
        "notebook_sha256": "0" * 64,
        "code": {"version": "0", "sha256": "0" * 64, "commit": None, "dirty": None},
        "packages": {},
        "files": {},
        "error": None,
    }
