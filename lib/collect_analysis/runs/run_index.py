"""The published runs at a glance, kept beside them: what a list says of the current run of every slot, without opening two files a run.

`reports/.index.jsonl` holds one line per published run, the last of a slot counts. It is a memory and never the truth: a line counts only
while size, time and inode of the run's two files are those it was written from, so that whatever happens to the index or to the runs (a
kill, two commands at once, a restored folder) costs time and not correctness.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from collect_analysis.report.parameters import PATH_PART
from collect_analysis.report.statements import statement_of
from collect_analysis.runs.run_files import RESULTS, RUN, RUN_ID, DamagedRun, read_results, read_run

INDEX, CURRENT = ".index.jsonl", "current"
_LOCK = ".index.lock"
# Lines that count for nothing are kept until they are this many times as many as those that do.
_SLACK = 2

Key = tuple[str, str, str]
State = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a list says of one complete run: where it stands, what it decided, on what.

    `state`: size, time and inode of run.json and results.json. `measures`: what it recorded, each once, as `name` or `name:kpi`.
    `definitions`: KPI -> definition. `damaged`: which of its files is not what was published, and how; then the rest is empty.
    """

    report: str
    name: str
    slot: str
    run_id: str
    state: State
    audience: str = ""
    lang: str = "en"
    finished: str = ""
    as_of: str = ""
    synthetic: bool = False
    currency: str = ""
    question: str = ""
    answer: str = ""
    grade: str = ""
    statement: str = "claim"
    missing: bool = False
    not_for_decision: bool = False
    measures: tuple[str, ...] = ()
    definitions: Mapping[str, str] = field(default_factory=dict)
    damaged: str = ""

    @property
    def label(self) -> str:
        """kind/name/slot."""
        return f"{self.report}/{self.name}/{self.slot}"

    @property
    def key(self) -> Key:
        """The slot."""
        return self.report, self.name, self.slot


def measure_key(measure: Mapping[str, Any]) -> str:
    """A recorded measure as `name`, or `name:kpi`."""
    return f"{measure['name']}:{measure['kpi']}" if measure["kpi"] else str(measure["name"])


def described(folder: Path, key: Key, *, known: Published | None = None) -> Published | None:
    """What a run folder says of itself, read whole and as it was sealed; None where it is no complete run. Damage is told, not raised.

    `known`: what was read of this slot before; it counts as long as the files are the same.
    """
    report, name, slot = key
    state = _state(str(folder))
    if known and known.state == state and known.run_id == folder.name:
        return known
    named: dict[str, Any] = {"report": report, "name": name, "slot": slot, "run_id": folder.name, "state": state}
    try:
        run = read_run(folder)
        if run["state"] != "complete":
            return None
        if (run["report"], run["name"], run["slot"], run["run_id"]) != (*key, folder.name):
            raise DamagedRun(folder / RUN, "is that of another run")
        named |= {"audience": run["parameters"].get("audience") or "", "lang": run["parameters"].get("lang", "en")}
        results = read_results(folder, run)
    except DamagedRun as error:
        return Published(**named, damaged=f"{error.file} {error.what}")
    decision, inputs = results["decision"], run["inputs"]
    return Published(
        **named,
        finished=run["finished"] or run["started"],
        as_of=inputs["as_of"],
        synthetic=inputs["synthetic"],
        currency=inputs["currency"],
        question=decision["question"],
        answer=decision["answer"],
        grade=decision["grade"],
        statement=decision.get("statement") or statement_of(key[0]),
        missing=bool(decision.get("missing")),
        not_for_decision=any(check["blocking"] and not check["passed"] for check in results["checks"]),
        measures=tuple(dict.fromkeys(measure_key(measure) for measure in results["measures"])),
        definitions={measure["kpi"]: measure["definition"] for measure in results["measures"] if measure.get("definition")},
    )


def current(reports: Path, known: Mapping[Key, Published], *, kind: str, name: str) -> Iterator[Published]:
    """The current run of every slot of one report, the latest slot first; what `known` says of files that are the same is not read again."""
    place = f"{reports}/{kind}/{name}"
    for slot in sorted(_folders(place), reverse=True):
        link, before = f"{place}/{slot}/{CURRENT}", known.get((kind, name, slot))
        if before and before.state == _state(link):
            yield before
            continue
        with suppress(OSError):
            folder = os.readlink(link)
            # A link that leads out of its slot is no run, whoever made it.
            if RUN_ID.fullmatch(folder) and not os.path.islink(f"{place}/{slot}/{folder}"):
                found = described(Path(place, slot, folder), (kind, name, slot))
                if found:
                    yield found


def walk(reports: Path, known: Mapping[Key, Published]) -> dict[Key, Published]:
    """The current run of every slot of every report, by kind, name and latest slot."""
    names = ((kind, name) for kind in sorted(_folders(str(reports))) for name in sorted(_folders(f"{reports}/{kind}")))
    return {run.key: run for kind, name in names for run in current(reports, known, kind=kind, name=name)}


def read(reports: Path) -> dict[Key, Published]:
    """What the index remembers; a line that cannot be read is no memory."""
    found: dict[Key, Published] = {}
    shared: dict[str, Any] = {}
    with suppress(OSError):
        for line in (reports / INDEX).read_bytes().splitlines():
            with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
                run = _from_line(json.loads(line), shared)
                found[run.key] = run
    return found


def state(reports: Path) -> State:
    """Size, time and inode of the index: others than before once a run was published."""
    return _file_state(f"{reports}/{INDEX}")


def remember(reports: Path, run: Published) -> None:
    """Add a line for a run that was just published. What cannot be written is found again by whoever reads."""
    with suppress(OSError), _locked(reports), (reports / INDEX).open("ab+") as index:
        # A line that a kill cut in half must not take this one with it.
        index.seek(0, os.SEEK_END)
        broken = index.tell() > 0 and not _ends_with_newline(index)
        index.write((b"\n" if broken else b"") + _line(run))


def tidy(reports: Path) -> None:
    """Write the index anew where it lacks a run, or holds more lines that count for nothing than lines that do."""
    known = read(reports)
    found = walk(reports, known)
    with suppress(OSError):
        lines = (reports / INDEX).read_bytes().count(b"\n") if (reports / INDEX).exists() else 0
        if found == known and lines <= _SLACK * max(len(found), 1):
            return
        with _locked(reports):
            # What another command published meanwhile stands in its own line.
            late = {key: run for key, run in read(reports).items() if run != known.get(key)}
            temporary = reports / f"{INDEX}.{os.getpid()}"
            temporary.write_bytes(b"".join(_line(run) for run in {**found, **late}.values()))
            os.replace(temporary, reports / INDEX)


@contextmanager
def _locked(reports: Path) -> Iterator[None]:
    with (reports / _LOCK).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _ends_with_newline(index: Any) -> bool:
    index.seek(-1, os.SEEK_END)
    return bool(index.read(1) == b"\n")


def _line(run: Published) -> bytes:
    return json.dumps(asdict(run), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _from_line(raw: Mapping[str, Any], shared: dict[str, Any]) -> Published:
    """A line of the index; equal definitions and measures of many runs are one object."""
    if set(raw) != {item.name for item in fields(Published)}:
        raise ValueError("another version wrote it")
    values = {**raw, "state": tuple(raw["state"]), "measures": tuple(raw["measures"])}
    for name in ("measures", "definitions"):
        values[name] = shared.setdefault(f"{name} {raw[name]}", values[name])
    return Published(**values)


def _folders(place: str) -> list[str]:
    try:
        with os.scandir(place) as entries:
            return [entry.name for entry in entries if PATH_PART.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _state(folder: str) -> State:
    """Size, time and inode of the two files that say what a run is; zeros where one is not there."""
    return _file_state(f"{folder}/{RUN}") + _file_state(f"{folder}/{RESULTS}")


def _file_state(file: str) -> State:
    try:
        found = os.stat(file, follow_symlinks=False)
    except OSError:
        return (0, 0, 0)
    return found.st_size, found.st_mtime_ns, found.st_ino
