"""What the documents name exists, and what exists is documented."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "reports/README.md")
# Places that a person makes, or that runs make.
MADE = re.compile(r"[<*]|^(results|run|page)\b|^(tables|figures|notebook)\b|^current$|^\.(books|failed|staging|venv)")
ROOTS = (
    "lib",
    "tests",
    "notebooks",
    "parameters",
    "reports",
    "methods",
    "book",
    "measures",
    "report",
    "runs",
    "strategies",
    "portfolio",
    "officers",
    "agencies",
    "errors.py",
    "cli.py",
)

TEXTS = {".md", ".py", ".yml", ".toml", ".sh", ".ipynb", ".j2", ".css", ".tmpl"}


def named_paths(text: str) -> set[str]:
    quoted = re.findall(r"`([^`\s]+)`", text)
    return {item.rstrip("/") for item in quoted if re.fullmatch(r"[\w./-]+", item) and "/" in item and item.split("/")[0] in ROOTS}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_named_in_a_document_exists(document: str) -> None:
    text = (PROJECT / document).read_text(encoding="utf-8")
    bases = (PROJECT, PROJECT / "lib" / "collect_analysis")
    lost = [path for path in named_paths(text) if not MADE.search(path) and not any((base / path).exists() for base in bases)]
    assert not lost


def test_every_make_target_named_in_the_readme_exists() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):.*##", makefile, flags=re.MULTILINE))
    named = set(re.findall(r"(?m)(?:`|^)make ([a-z]+)", (PROJECT / "README.md").read_text(encoding="utf-8")))
    assert named <= targets
    assert len(targets) <= 12


def test_every_command_is_in_the_readme() -> None:
    shown = subprocess.run([sys.executable, "-m", "collect_analysis.cli", "--help"], capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^  ([a-z]+)\s", shown.partition("Commands:")[2], flags=re.MULTILINE)
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert commands
    assert not [command for command in commands if f"collect {command}" not in readme]


def test_every_direct_library_has_its_reason() -> None:
    content = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    requirements = [*content["project"]["dependencies"], *content["dependency-groups"]["dev"]]
    declared = [re.match(r"[A-Za-z0-9-]+", requirement).group() for requirement in requirements]
    reasons = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert not [name for name in declared if name not in reasons]


def test_every_method_says_which_library_answers_the_same() -> None:
    methods = PROJECT / "lib" / "collect_analysis" / "methods"
    modules = {path.relative_to(methods).with_suffix("").as_posix() for path in methods.rglob("*.py") if path.stem != "__init__"}
    told = set(re.findall(r"^\| `([\w/]+)` \| .+ \| .+ \|$", (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8"), flags=re.MULTILINE))
    folders = {entry for entry in told if entry.endswith("/")}
    assert {module for module in modules - told if not module.startswith(tuple(folders))} == set()
    assert {entry for entry in told - modules if not (methods / entry).is_dir()} == set()


def test_no_file_keeps_the_marks_of_a_merge() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False).stdout.split()
    files = [PROJECT / name for name in tracked] or [path for path in PROJECT.rglob("*.md") if ".venv" not in path.parts]
    marks = re.compile(r"^(<{7} |>{7} )", flags=re.MULTILINE)
    assert not [str(path) for path in files if path.is_file() and path.suffix in TEXTS and marks.search(path.read_text(encoding="utf-8"))]
