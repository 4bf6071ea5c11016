"""What a notebook file says of itself: the parameters it takes, where it stopped, what went wrong. Read as plain JSON, without a kernel."""

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collect_analysis.errors import ParameterError

PARAMETERS = "parameters"
INJECTED = "injected-parameters"
# How a recorded figure is displayed: its name, under which the page finds the recorded drawing, and the drawing for a person in JupyterLab.
FIGURE_MIME, SVG_MIME = "application/vnd.collect-analysis.figure+json", "image/svg+xml"


@dataclass(frozen=True, kw_only=True)
class CellError:
    """An error output: in which code cell of the source notebook (from 1), its class and its text."""

    cell: int | None
    type: str
    message: str


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The code cells an author wrote, in order: without the one papermill injects."""
    cells = [cell for cell in notebook.get("cells", []) if cell.get("cell_type") == "code"]
    return [cell for cell in cells if INJECTED not in tags(cell)]


def tags(cell: dict[str, Any]) -> list[str]:
    """The tags of a cell."""
    return cell.get("metadata", {}).get("tags", [])


def source(cell: dict[str, Any]) -> str:
    """The text of a cell."""
    text = cell.get("source", "")
    return text if isinstance(text, str) else "".join(text)


def parameter_names(path: Path) -> set[str]:
    """The names assigned in the cell tagged `parameters`.

    Raises
    ------
    ParameterError
        No such notebook, not one such cell, or something else than plain assignments in it.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParameterError(f"{path}: there is no such notebook; a report kind needs one of its name") from None
    except ValueError as error:
        raise ParameterError(f"{path}: not a notebook ({error})") from None
    cells = [cell for cell in code_cells(notebook) if PARAMETERS in tags(cell)]
    if len(cells) != 1:
        raise ParameterError(f"{path}: {len(cells)} code cells are tagged '{PARAMETERS}'; tag exactly one")
    try:
        statements = ast.parse(source(cells[0])).body
    except SyntaxError as error:
        raise ParameterError(f"{path}: the parameters cell does not parse, line {error.lineno}: {error.msg}") from None
    names: set[str] = set()
    for statement in statements:
        if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name)):
            raise ParameterError(f"{path}: line {statement.lineno} of the parameters cell is not one plain assignment")
        names.add(statement.targets[0].id)
    return names


def first_error(notebook: dict[str, Any]) -> CellError | None:
    """The first error output of an executed notebook, also where a tag let it go on."""
    for number, cell in enumerate(code_cells(notebook), start=1):
        for output in cell.get("outputs", []):
            if output.get("output_type") == "error":
                return CellError(cell=number, type=str(output.get("ename", "")), message=str(output.get("evalue", "")))
    return None


def unfinished_cell(notebook: dict[str, Any]) -> int | None:
    """The first code cell that holds code and was not executed."""
    for number, cell in enumerate(code_cells(notebook), start=1):
        if source(cell).strip() and cell.get("execution_count") is None:
            return number
    return None


def running_cell(notebook: dict[str, Any]) -> int | None:
    """The code cell that was being executed when the notebook was last saved."""
    for number, cell in enumerate(code_cells(notebook), start=1):
        if cell.get("metadata", {}).get("papermill", {}).get("status") == "running":
            return number
    return None


def forget_run_dir(notebook: dict[str, Any]) -> None:
    """Take the run folder out of an executed notebook, so that opening it by hand writes into no published run (changes `notebook`)."""
    for cell in notebook.get("cells", []):
        if INJECTED in tags(cell):
            lines = source(cell).split("\n")
            cell["source"] = "\n".join("run_dir = None" if line.startswith("run_dir = ") else line for line in lines)
    run = notebook.get("metadata", {}).get("papermill", {})
    if "run_dir" in run.get("parameters", {}):
        run["parameters"]["run_dir"] = None
