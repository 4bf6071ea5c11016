"""Report files: from YAML to planned runs. Every problem of every file is told at once, before anything heavy is imported or started."""

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from collect_analysis.book.yaml_files import read_yaml
from collect_analysis.errors import ParameterError, nearest
from collect_analysis.report import notebook_files
from collect_analysis.report.kinds import KINDS
from collect_analysis.report.parameters import ISO_DAY, PATH_PART, ReportParameters, validate

MOST_RUNS = 1000
RUN_DIR = "run_dir"
OTHER_FOLDERS = frozenset({"sources", "policy", "rules"})


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One run to do: a report file, or one cell of its `for_each`."""

    file: Path
    parameters: ReportParameters

    @property
    def report(self) -> str:
        """The report kind."""
        return self.parameters.report

    @property
    def name(self) -> str:
        """The report's name."""
        return self.parameters.name

    @property
    def slot(self) -> str:
        """What the run is about; runs of one slot replace each other."""
        return self.parameters.slot

    @property
    def label(self) -> str:
        """kind/name/slot."""
        return f"{self.report}/{self.name}/{self.slot}"


def find(paths: Iterable[Path]) -> list[Path]:
    """The report files named, and those below the folders named (not below `sources`, `policy`, `rules`), each once, sorted per folder.

    Raises
    ------
    ParameterError
        A path does not exist, or a folder holds no report file.
    """
    found: dict[Path, Path] = {}
    problems = []
    for path in paths:
        files = sorted(_below(path)) if path.is_dir() else [path]
        if not path.exists():
            problems.append(f"{path}: there is no such report file or folder")
        elif not files:
            problems.append(f"{path}: no report file (*.yml) in this folder")
        else:
            for file in files:
                found.setdefault(file.resolve(), file)
    if problems:
        raise ParameterError(problems)
    return list(found.values())


def _below(folder: Path) -> list[Path]:
    if folder.resolve().name in OTHER_FOLDERS:
        return []
    files = [file for pattern in ("*.yml", "*.yaml") for file in folder.rglob(pattern)]
    return [file for file in files if not any(part in OTHER_FOLDERS or part.startswith(".") for part in file.relative_to(folder).parts)]


def plan(paths: Iterable[Path], *, today: date, notebooks: Path) -> list[PlannedRun]:
    """What running these files would do: one planned run per file, or per cell of its `for_each`.

    Raises
    ------
    ParameterError
        All problems of all files: not YAML, unknown key or kind, wrong type or value, a day after `today`, two runs of one name and slot,
        a notebook whose parameters are not those of its kind.
    """
    planned: list[PlannedRun] = []
    problems: list[str] = []
    for file in find(paths):
        try:
            planned += read(file, today=today)
        except ParameterError as error:
            problems += error.problems
    problems += _collisions(planned)
    for kind in sorted({run.report for run in planned}):
        problems += _notebook_problems(kind, notebooks)
    if problems:
        raise ParameterError(problems)
    return planned


def read(file: Path, *, today: date) -> list[PlannedRun]:
    """The planned runs of one report file.

    Raises
    ------
    ParameterError
        All problems of the file.
    """
    content = dict(read_yaml(file))
    kind = content.pop("report", None)
    if kind is None:
        raise ParameterError(f"{file}: parameter 'report' is missing; write one of {', '.join(sorted(KINDS))}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ParameterError(f"{file}: report is {kind!r}; {nearest(str(kind), sorted(KINDS))}")
    cells = _cells(file, content.pop("for_each", {}), content)
    runs: list[PlannedRun] = []
    problems: list[str] = []
    for suffix, chosen in cells:
        values = {**content, **chosen}
        name = values.get("name", file.stem)
        values["name"] = "-".join([name, *suffix]) if isinstance(name, str) else name
        try:
            parameters = validate(KINDS[kind], values, where=str(file))
            problems += _late_days(file, parameters, today)
            runs.append(PlannedRun(file=file, parameters=parameters))
        except ParameterError as error:
            problems += error.problems
    if problems:
        raise ParameterError(dict.fromkeys(problems))
    return runs


def _cells(file: Path, axes: Any, fixed: dict[str, Any]) -> list[tuple[list[str], dict[str, Any]]]:
    """The cells of the matrix: per cell the parts added to the name, and the values chosen.

    An item is a value of its key, or a mapping that sets several keys together (a period's two ends). A day tells the slot, not the name.
    """
    if not isinstance(axes, dict):
        raise ParameterError(f"{file}: for_each is {axes!r}; write a list under each key, as `for_each: {{lang: [en, vi]}}`")
    problems = []
    count = 1
    for key, items in axes.items():
        if not isinstance(items, list) or not items:
            problems.append(f"{file}: for_each.{key} is {items!r}; write a list of at least one value")
            continue
        count *= len(items)
        set_here = {inner for item in items for inner in (item if isinstance(item, dict) else [key])}
        if len({repr(item) for item in items}) != len(items):
            problems.append(f"{file}: for_each.{key} names the same value twice")
        if "name" in set_here:
            problems.append(f"{file}: for_each.{key} sets the name; leave it out, each value is added to the name")
        problems += [
            f"{file}: {inner} is set both in the file and in for_each; keep one" for inner in sorted(set_here & set(fixed) - {"name"})
        ]
    if count > MOST_RUNS:
        problems.append(f"{file}: for_each makes {count} runs; at most {MOST_RUNS}, split the file")
    if problems:
        raise ParameterError(problems)
    cells = []
    for combination in itertools.product(*axes.values()):
        chosen: dict[str, Any] = {}
        for key, item in zip(axes, combination, strict=True):
            chosen |= item if isinstance(item, dict) else {key: item}
        cells.append(([part for value in chosen.values() if (part := _name_part(value))], chosen))
    return cells


def _name_part(value: Any) -> str:
    if isinstance(value, list):
        return "-".join(filter(None, map(_name_part, value)))
    text = str(value).lower()
    return "" if ISO_DAY.fullmatch(text) else re.sub(r"[^a-z0-9_]+", "-", text).strip("-")


def _late_days(file: Path, parameters: ReportParameters, today: date) -> list[str]:
    days = {key: getattr(parameters, key, None) for key in parameters.must_have_passed}
    return [
        f"{file}: {key} is {day}, after today ({today}); choose a day that has passed" for key, day in days.items() if day and day > today
    ]


def _collisions(planned: list[PlannedRun]) -> list[str]:
    problems = []
    first: dict[str, PlannedRun] = {}
    for run in planned:
        if not all(PATH_PART.fullmatch(part) for part in (run.report, run.name, run.slot)):
            problems.append(f"{run.file}: {run.label} cannot name a folder; use lower-case letters, digits, '-' and '_'")
        other = first.setdefault(run.label, run)
        if other is not run:
            problems.append(f"{run.file}: would replace {run.label}, which {other.file} makes as well; give one of them another name")
    return problems


def _notebook_problems(kind: str, notebooks: Path) -> list[str]:
    path = KINDS.notebook(kind, notebooks)
    try:
        names = notebook_files.parameter_names(path)
    except ParameterError as error:
        return list(error.problems)
    expected = {*KINDS[kind].model_fields, RUN_DIR}
    surplus, missing = sorted(names - expected), sorted(expected - names)
    problems = [
        f"{path}: the parameters cell sets '{name}', which {kind} does not know; {nearest(name, sorted(expected))}" for name in surplus
    ]
    return problems + [f"{path}: the parameters cell does not set '{name}'; add it with a default" for name in missing]
