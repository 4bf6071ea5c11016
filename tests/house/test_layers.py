"""Imports point one way, and what draws, runs or serves stays in its room."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from collect_analysis.report.kinds import KINDS

LIBRARY = Path(__file__).resolve().parents[2] / "lib" / "collect_analysis"
# A subject holds the folders of its report kinds; none of them stands before another.
SUBJECTS = tuple(sorted({path.parents[1].name for path in LIBRARY.glob("*/*/parameters.py")}))
ORDER = ("errors", "own", "methods", "book", "measures", "report", SUBJECTS, "runs", "cli")
ONLY_IN = {
    "matplotlib": r"report/figures/|runs/figures|\w+/(\w+/)?figures",
    "seaborn": r"report/figures/|runs/figures|\w+/(\w+/)?figures",
    "papermill": "runs/(runner|worker)",
    "voila": "runs/pages/",
    "duckdb": "book/",
    "click": "cli/",
}
NOTEBOOKS = LIBRARY.parents[1] / "notebooks"
ROOMS = {*ORDER, *SUBJECTS}
MODULES = sorted(path for path in LIBRARY.rglob("*.py") if path != LIBRARY / "__init__.py")


def room(module: str) -> str:
    return module.split(".")[1]


def place(room: str) -> int:
    """How far up a room stands; all subjects stand alike."""
    return next(number for number, entry in enumerate(ORDER) if room == entry or (entry is SUBJECTS and room in SUBJECTS))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def name_of(path: Path) -> str:
    parts = path.relative_to(LIBRARY.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_module_imports_only_what_stands_before_it(path: Path) -> None:
    own = room(name_of(path))
    assert own in ROOMS, f"{own} has no place in the order; see CONTRIBUTING.md, Where new code goes"
    used = {name for name in imports(path) if name.startswith("collect_analysis.") and room(name) in ROOMS}
    assert not {name for name in used if place(room(name)) > place(own)}
    assert not {name for name in used if own in SUBJECTS and room(name) in SUBJECTS and room(name) != own}, "a subject imports another"


# A plan of placements starts from an evaluation.
STARTS_FROM = {"placement_plan": "agency_evaluation"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_taken_away_with_its_folder(kind: str) -> None:
    folder = KINDS.folders[kind]
    inside = f"{name_of(folder / '__init__.py')}."
    users = {path for path in MODULES if any(f"{name}.".startswith(inside) for name in imports(path)) and folder not in path.parents}
    assert not {path for path in users if STARTS_FROM.get(path.parent.name) != kind}
    notebooks = {
        path for path in NOTEBOOKS.glob("*.ipynb") if f"{inside.removesuffix('.')} import" in (text := path.read_text()) or inside in text
    }
    assert not {path.stem for path in notebooks if path.stem != kind and STARTS_FROM.get(path.stem) != kind}


@pytest.mark.parametrize("package", ONLY_IN)
def test_a_package_stays_in_its_room(package: str) -> None:
    wrong = [
        str(path.relative_to(LIBRARY))
        for path in MODULES
        if any(name.split(".")[0] == package for name in imports(path)) and not re.match(ONLY_IN[package], str(path.relative_to(LIBRARY)))
    ]
    assert not wrong


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    known = {name_of(path): path for path in MODULES}
    graph = {name: {target for target in imports(path) if target in known and target != name} for name, path in known.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"circle: {' -> '.join((*trail[trail.index(name) :], name))}"
        if name in done:
            return
        for target in sorted(graph[name]):
            # A package's __init__ that lists its modules is not a circle with them.
            if not name.startswith(f"{target}.") and not target.startswith(f"{name}."):
                visit(target, (*trail, name))
        done.add(name)

    for name in sorted(graph):
        visit(name, ())


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("collect_analysis.methods", {"matplotlib", "ibis", "duckdb", "papermill"}),
        ("collect_analysis.cli", {"pandas", "ibis", "duckdb", "matplotlib", "papermill", "scipy", "voila"}),
        ("collect_analysis.runs.report_files", {"pandas", "ibis", "duckdb", "matplotlib", "papermill", "scipy"}),
    ],
)
def test_a_light_module_stays_light(module: str, absent: set[str]) -> None:
    code = f"import sys, {module}; print(' '.join(sorted({absent!r} & set(sys.modules))))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""


def test_every_method_imports_without_plots_or_engine() -> None:
    modules = [name_of(path) for path in MODULES if room(name_of(path)) == "methods"]
    code = f"import sys, {', '.join(modules)}; print(' '.join(sorted({{'matplotlib', 'ibis', 'duckdb'}} & set(sys.modules))))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""


# What a kept relation is made from stands in its name: what makes it may look at nothing else.
LOOKS_ASIDE = {"os", "time", "random", "secrets", "uuid", "socket", "subprocess", "tempfile", "collect_analysis.book.places"}
LOOKS_ASIDE |= {"collect_analysis.book.policy.policy", "collect_analysis.book.policy.in_force"}
OF_NOW = {"now", "utcnow", "today"}


# These read files, policies and rule tables for those that count.
READERS = re.compile("page|figures|sheet|rules|parameters|study|integrity_verdict")
COUNTING = [path for path in MODULES if room(name_of(path)) in {"methods", "measures", *SUBJECTS} and not READERS.match(path.stem)]


@pytest.mark.parametrize("path", COUNTING, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_what_counts_knows_nothing_but_what_it_is_given(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    called = [node.func for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    assert not imports(path) & LOOKS_ASIDE
    assert not [f"line {name.lineno}: {name.attr}" for name in called if name.attr in OF_NOW]
    assert not [f"line {node.lineno}: global" for node in nodes if isinstance(node, ast.Global | ast.Nonlocal)]
