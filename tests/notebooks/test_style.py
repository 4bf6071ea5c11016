"""A notebook is a caller: parameters, load, one finding per section, record."""

import ast
from pathlib import Path

import nbformat
import pytest
from collect_analysis.report import texts
from collect_analysis.report.kinds import KINDS

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
REPORTS = sorted(NOTEBOOKS.glob("*.ipynb"))
MAX_CODE_CELLS = 32
MAX_LINES = 10
FORBIDDEN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.Try, ast.While, ast.With)
FORBIDDEN_CALLS = {
    "open",
    "read_csv",
    "read_parquet",
    "read_excel",
    "eval",
    "exec",
    "groupby",
    "merge",
    "pivot",
    "pivot_table",
    "sql",
    "apply",
}


@pytest.fixture(params=REPORTS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> tuple[str, nbformat.NotebookNode]:
    return request.param.stem, nbformat.read(request.param, as_version=4)


def code_cells(content: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in content.cells if cell.cell_type == "code"]


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def test_there_is_one_notebook_per_report_kind() -> None:
    assert [path.stem for path in REPORTS] == sorted(KINDS)


def test_parameters_are_the_fields_of_the_kind(notebook) -> None:
    kind, content = notebook
    (cell,) = [cell for cell in content.cells if "parameters" in tags(cell)]
    statements = ast.parse(cell.source).body
    assert all(isinstance(item, ast.Assign) and len(item.targets) == 1 for item in statements), "one plain assignment per line"
    names = [item.targets[0].id for item in statements]
    assert names[-1] == "run_dir"
    assert set(names[:-1]) == set(KINDS[kind].model_fields)
    assert not any("=" in line.partition("#")[2] for line in cell.source.splitlines()), "papermill misreads '=' in a comment"


def test_cells_are_few_and_short(notebook) -> None:
    _, content = notebook
    cells = [cell for cell in code_cells(content) if "parameters" not in tags(cell)]
    assert len(cells) <= MAX_CODE_CELLS
    imports, *others = cells
    # An import of many names is one statement, wrapped over as many lines.
    assert len(ast.parse(imports.source).body) <= MAX_LINES
    assert not [cell.source for cell in others if len(cell.source.splitlines()) > MAX_LINES]


def test_cells_call_and_do_not_compute(notebook) -> None:
    _, content = notebook
    wrong = []
    for number, cell in enumerate(code_cells(content)):
        assert not any(line.lstrip().startswith(("!", "%")) for line in cell.source.splitlines())
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, FORBIDDEN):
                wrong.append(f"cell {number}: {type(node).__name__}")
            if isinstance(node, ast.Import | ast.ImportFrom) and number > 1:
                wrong.append(f"cell {number}: import")
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in FORBIDDEN_CALLS:
                    wrong.append(f"cell {number}: {name}()")
            number_in_code = isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool)
            if number_in_code and node.value not in (0, 1) and "parameters" not in tags(cell):
                wrong.append(f"cell {number}: number {node.value}")
            if isinstance(node, ast.BinOp):
                wrong.append(f"cell {number}: arithmetic")
    assert not wrong


def test_only_the_library_is_imported(notebook) -> None:
    _, content = notebook
    modules = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else node.names[0].name.split(".")[0]
        for cell in code_cells(content)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert modules == {"collect_analysis"}


def test_outputs_are_stripped_but_for_the_check_cell(notebook) -> None:
    _, content = notebook
    cells = code_cells(content)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    with_output = [cell for cell in cells if cell.outputs]
    assert with_output == [cells[-1]]
    assert {"keep_output", "nbval-check-output"} <= set(tags(cells[-1]))
    assert "record.finish()" in cells[-1].source


def test_every_text_is_in_the_catalogue_in_both_languages(notebook) -> None:
    kind, content = notebook
    for cell in content.cells:
        if cell.cell_type != "markdown":
            continue
        (key,) = [tag.removeprefix("text:") for tag in tags(cell) if tag.startswith("text:")]
        english, vietnamese = texts.cell(kind, key, "en"), texts.cell(kind, key, "vi")
        assert english.strip() == cell.source.strip(), f"text:{key}: the notebook and the texts.yml of {kind} differ"
        assert vietnamese.strip() != english.strip()


def test_markdown_states_no_number(notebook) -> None:
    """The levels and limits that a cell states stand as places in the catalogue, which it is held to above."""
    kind, _ = notebook
    cells = [item["en"] for stem, place, item in texts.entries() if stem == kind and place.startswith("cells.")]
    words = [word.strip("().,;:%") for text in cells for word in text.replace("`", " ").split()]
    wrong = [word for word in words if word.isdigit() and len(word) > 1]
    assert not wrong, "a number in a text would be wrong next month; let a cell state it"


def test_every_name_is_recorded_once(notebook) -> None:
    _, content = notebook
    names = [
        (node.func.attr, node.args[0].value)
        for cell in code_cells(content)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and getattr(node.func.value, "id", "") == "record"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]
    assert len(names) == len(set(names))
    assert any(kind == "table" for kind, _ in names)
