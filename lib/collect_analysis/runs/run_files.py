"""run.json and results.json read safely: whole, of the right shape and as they were sealed, or the file is named with what is wrong."""

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from collect_analysis.errors import RunError
from collect_analysis.report.parameters import ISO_DAY, PATH_PART, Statement

RUN, RESULTS, NOTEBOOK, PAGE = "run.json", "results.json", "notebook.ipynb", "page.html"
RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}(?:-[0-9]{1,4})?")
MOST_BYTES = 256_000_000
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
_SHOWN = 60


class DamagedRun(RunError):
    """A file of one run is not what the runner wrote; every other run is as good as before. `file` is its name."""

    def __init__(self, path: Path, what: str) -> None:
        self.file, self.what = path.name, what
        super().__init__(f"{path}: {what}; run the report again")


def _day(text: str) -> str:
    if not ISO_DAY.fullmatch(text):
        raise ValueError("write a day as 2026-06-30")
    date.fromisoformat(text)
    return text


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("has no time zone")
    return text


def _path_part(text: str) -> str:
    if not PATH_PART.fullmatch(text):
        raise ValueError("cannot name a folder")
    return text


Day = Annotated[str, AfterValidator(_day)]
Moment = Annotated[str, AfterValidator(_moment)]
PathPart = Annotated[str, AfterValidator(_path_part)]
Grade = Literal["A", "B", "C", "D", "none"]


class _Shape(BaseModel):
    """What readers rely on; what else a file holds is not looked at."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class _Inputs(_Shape):
    book: str
    fingerprint: str
    synthetic: bool
    currency: str
    as_of: Day


class _Code(_Shape):
    version: str
    sha256: str
    commit: str | None
    dirty: bool | None


class _Error(_Shape):
    cell: int | None
    type: str
    message: str


class _Parameters(_Shape):
    lang: Literal["en", "vi"] = "en"
    # Without it a page is for nobody.
    audience: Literal["managers", "team_leads"] | None = None


class RunShape(_Shape):
    """run.json: what was run, on what, and how it ended."""

    run_id: Annotated[str, Field(pattern=f"^{RUN_ID.pattern}$")]
    report: PathPart
    name: PathPart
    slot: PathPart
    state: Literal["running", "complete", "failed", "interrupted"]
    started: Moment
    finished: Moment | None
    seconds: float | None
    parameters: _Parameters
    inputs: _Inputs
    notebook_sha256: str
    policy: dict[str, str]
    code: _Code
    packages: dict[str, str]
    files: dict[str, str]
    error: _Error | None


class _Measure(_Shape):
    name: str
    by: dict[str, str]
    value: float | None
    low: float | None
    high: float | None
    numerator: float | None
    denominator: float | None
    unit: str
    kpi: str
    grade: str
    note: str
    definition: str = ""


class _Check(_Shape):
    name: str
    passed: bool
    blocking: bool
    detail: str


class _Decision(_Shape):
    question: str
    answer: str
    confidence: str
    grade: Grade
    statement: Statement | None = None
    missing: list[str] = []
    caveats: list[str]


class ResultsShape(_Shape):
    """results.json: what was reported."""

    report: str
    name: str
    measures: list[_Measure]
    tables: dict[str, str]
    figures: dict[str, str]
    decision: _Decision
    checks: list[_Check]


def read_run(folder: Path) -> dict[str, Any]:
    """The run.json of a run folder.

    Raises
    ------
    DamagedRun
        It is not there, cannot be read, or does not say what every run.json says.
    """
    return _shaped(folder / RUN, content(folder / RUN), RunShape)


def read_results(folder: Path, run: Mapping[str, Any]) -> dict[str, Any]:
    """The results.json of a published run, as it was sealed.

    Raises
    ------
    DamagedRun
        It cannot be read, was changed after it was published, or does not say what every results.json says.
    """
    return _shaped(folder / RESULTS, sealed(folder, RESULTS, run), ResultsShape)


def sealed(folder: Path, file: str, run: Mapping[str, Any]) -> bytes:
    """The content of a file of a published run, if its hash is the one that `run` (its run.json) holds.

    Raises
    ------
    DamagedRun
        It is not there, is a link, lies behind one, or was changed after the run was published.
    """
    path = folder / file
    if path.parent.resolve() != folder.resolve() / Path(file).parent:
        raise DamagedRun(path, "lies behind a link")
    raw = content(path)
    if hashlib.sha256(raw).hexdigest() != run["files"].get(file):
        raise DamagedRun(path, "was changed after it was published")
    return raw


def content(path: Path) -> bytes:
    """The bytes of a regular file; a link is not followed, and nothing is waited for.

    Raises
    ------
    DamagedRun
        It is not there, is not a regular file, cannot be read or is larger than any report.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as opened:
            state = os.fstat(handle)
            if not stat.S_ISREG(state.st_mode):
                raise DamagedRun(path, "is not a file")
            if state.st_size > MOST_BYTES:
                raise DamagedRun(path, f"has {state.st_size:,} bytes, more than any report")
            return opened.read()
    except FileNotFoundError:
        raise DamagedRun(path, "is not there") from None
    except OSError as error:
        raise DamagedRun(path, "is a link" if path.is_symlink() else f"cannot be read ({error.strerror})") from None


def _shaped(path: Path, raw: bytes, shape: type[_Shape]) -> dict[str, Any]:
    try:
        body = json.loads(raw)
        if _HALF_CHARACTER.search(raw):
            json.dumps(body, ensure_ascii=False).encode()
    except RecursionError:
        raise DamagedRun(path, "is nested too deep") from None
    except UnicodeError:
        raise DamagedRun(path, "holds bytes that are no text") from None
    except ValueError as error:
        raise DamagedRun(path, f"is not JSON ({error})") from None
    if problem := shape_problem(body, shape):
        raise DamagedRun(path, problem)
    found: dict[str, Any] = body
    return found


def shape_problem(body: object, shape: type[_Shape]) -> str:
    """What is wrong first in the content of a file, and how much more; empty where nothing is."""
    try:
        shape.model_validate(body)
    except RecursionError:
        return "is nested too deep"
    except ValidationError as error:
        problems = error.errors(include_url=False)
    else:
        return ""
    first = problems[0]
    place = ".".join(str(part) for part in first["loc"]) or "the whole file"
    shown = repr(first["input"]) if first["type"] != "missing" else "missing"
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place} is {shown}{more}"
