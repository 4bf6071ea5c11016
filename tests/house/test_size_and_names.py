"""A stranger finds the room from the name, and no room is too large to read."""

import ast
import re
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
LIBRARY = PROJECT / "lib" / "collect_analysis"
TOP_LEVEL = {
    "README.md", "environment.yml", "pyproject.toml", "requirements.lock", "Makefile", "CHANGELOG.md", "CONTRIBUTING.md",
    ".ci", ".gitignore", "findings", "lib", "notebooks", "parameters", "reports", "tests",
}  # fmt: skip
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60  # without its docstring


def tracked() -> list[Path]:
    out = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True)
    return [PROJECT / name for name in out.stdout.split("\0") if name]


def functions(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            document = ast.get_docstring(node, clean=False) or ""
            yield node.name, node.end_lineno - node.lineno + 1 - (document.count("\n") + 1 if document else 0)


def test_only_what_belongs_there_is_at_the_top_level() -> None:
    assert {path.relative_to(PROJECT).parts[0] for path in tracked()} <= TOP_LEVEL


def test_no_module_is_too_long_to_read() -> None:
    long = {str(path.relative_to(LIBRARY)): len(path.read_text(encoding="utf-8").splitlines()) for path in LIBRARY.rglob("*.py")}
    assert not {name: lines for name, lines in long.items() if lines > MAX_MODULE_LINES}


def test_no_function_is_too_long_to_read() -> None:
    long = [
        f"{path.name}:{name} {lines}" for path in LIBRARY.rglob("*.py") for name, lines in functions(path) if lines > MAX_FUNCTION_LINES
    ]
    assert not long


def test_no_drawer_of_odds_and_ends() -> None:
    odd = re.compile(r"(utils?|helpers?|misc|common|legacy|future|_v\d+|final|copy)$")
    assert not [str(path) for path in LIBRARY.rglob("*.py") if odd.search(path.stem)]


def test_no_path_of_one_machine_and_no_large_file() -> None:
    machine = re.compile(r"(?<![\w.])/(root|home|Users|work|tmp)/\w|\.pyenv")
    wrong = []
    for path in tracked():
        if not path.is_file() or path == Path(__file__).resolve():
            continue
        if path.stat().st_size > 500_000 and path.name != "requirements.lock":
            wrong.append(f"{path.name}: {path.stat().st_size // 1024} KiB")
        if path.suffix in {".py", ".md", ".yml", ".ipynb", ".toml"} or path.name == "Makefile":
            lines = path.read_text(encoding="utf-8").splitlines()
            wrong += [f"{path.name}:{number}" for number, line in enumerate(lines, 1) if machine.search(line)]
    assert not wrong
