"""Reading runs: which there are, what one says, and what moved between two."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collect_analysis.errors import ParameterError, nearest
from collect_analysis.runs.publish import FAILED
from collect_analysis.runs.run_files import PAGE, RUN, RUN_ID, DamagedRun, read_results, read_run
from collect_analysis.runs.run_index import CURRENT

NUMBERS = ("value", "low", "high", "numerator", "denominator")
MOST_HINTS = 8


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder and its run.json. `current` marks the one managers see; `damaged` says what is wrong with run.json, whose body is then empty."""

    folder: Path
    body: Mapping[str, Any]
    current: bool
    damaged: str = ""

    @property
    def run_id(self) -> str:
        """Id, unique within its slot."""
        return self.folder.name

    @property
    def report(self) -> str:
        """The report kind."""
        return self.folder.parts[-4]

    @property
    def name(self) -> str:
        """The report's name."""
        return self.folder.parts[-3]

    @property
    def day(self) -> str:
        """What the run is about: a day or a period."""
        return self.folder.parts[-2]

    @property
    def slot(self) -> str:
        """kind/name/slot."""
        return f"{self.report}/{self.name}/{self.day}"

    @property
    def label(self) -> str:
        """kind/name/slot/run id."""
        return f"{self.slot}/{self.run_id}"

    @property
    def state(self) -> str:
        """complete, failed, interrupted, or damaged."""
        return "damaged" if self.damaged else str(self.body["state"])

    @property
    def started(self) -> str:
        """When it was started, as far as its id tells."""
        return str(self.body.get("started", ""))

    @property
    def page(self) -> Path | None:
        """The page, where there is one."""
        return self.folder / PAGE if self.state == "complete" else None

    def require_whole(self) -> None:
        """Refuse a run whose run.json is damaged.

        Raises
        ------
        DamagedRun
            It is.
        """
        if self.damaged:
            raise DamagedRun(self.folder / RUN, self.damaged)

    def results(self) -> dict[str, Any]:
        """The results.json of a complete run, as it was published.

        Raises
        ------
        ParameterError
            The run is not complete.
        DamagedRun
            A file of the run is not what was published.
        """
        self.require_whole()
        if self.state != "complete":
            raise ParameterError(f"{self.label} is {self.state}: it has no results ({self.folder} keeps the evidence)")
        return read_results(self.folder, self.body)


def all_runs(reports: Path) -> list[Run]:
    """Every run under the reports folder, published and failed, by slot and oldest first; those with a damaged run.json, too."""
    found = [_run(folder) for root in (reports, reports / FAILED) for folder in root.glob("[!.]*/[!.]*/[!.]*/[!.]*") if _is_run(folder)]
    return sorted(found, key=lambda run: (run.slot, run.started, run.run_id))


def _is_run(folder: Path) -> bool:
    return bool(RUN_ID.fullmatch(folder.name)) and folder.is_dir() and not folder.is_symlink()


def _run(folder: Path) -> Run:
    pointer = folder.parent / CURRENT
    current = pointer.is_symlink() and pointer.readlink() == Path(folder.name)
    try:
        body = read_run(folder)
        if tuple(body[key] for key in ("report", "name", "slot", "run_id")) != folder.parts[-4:]:
            raise DamagedRun(folder / RUN, "is that of another run")
    except DamagedRun as error:
        return Run(folder=folder, body={}, current=current, damaged=error.what)
    return Run(folder=folder, body=body, current=current)


def shown_runs(runs: Iterable[Run]) -> list[Run]:
    """What a list shows unless asked for all: the current run of each slot, and a later one that failed."""
    latest: dict[str, list[Run]] = {}
    for run in runs:
        kept = latest.setdefault(run.slot, [])
        if run.current:
            kept[:] = [run, *(other for other in kept if other.state != "complete" and other.started > run.started)]
        elif run.state != "complete":
            kept[:] = [*(other for other in kept if other.current), run]
    return [run for runs in latest.values() for run in runs]


def find(reports: Path, wanted: str) -> Run:
    """The run meant: a run id, kind/name/slot/run id, kind/name/slot (its current run), or kind/name (the current run of its last slot).

    Where nothing was published, the last run that failed is meant: it says why. The text is compared with the runs there are and never becomes a path.

    Raises
    ------
    ParameterError
        No such run, or the id is used in several slots.
    """
    runs = all_runs(reports)
    exact = [run for run in runs if wanted in (run.run_id, run.label)]
    if len(exact) == 1:
        return exact[0]
    if exact:
        raise ParameterError(f"run '{wanted}' is one of {len(exact)}; name it in full, as {exact[0].label}")
    about = [run for run in runs if wanted in (run.slot, f"{run.report}/{run.name}")]
    if about:
        return max(about, key=lambda run: (run.current, about.index(run)))
    if not runs:
        raise ParameterError(f"there is no run in {reports}; make some with `collect run parameters`")
    known = sorted({text for run in runs for text in (run.run_id, run.slot)})
    hint = nearest(wanted, known) if len(known) <= MOST_HINTS else "see `collect list --all`"
    raise ParameterError(f"there is no run '{wanted}' in {reports}; {hint}")


def compare(before: Run, after: Run) -> dict[str, Any]:
    """What differs between two runs, and what may have caused it.

    Returns
    -------
    dict
        `moved`: parameters, data, policy, notebook, code, packages, each name -> [before, after], empty if nothing changed;
        `measures`: one entry per measure of either run: name, kpi, by, unit, before, after, and the difference of the values (None where
        one is undefined or absent); `decision`: the two answers.
    """
    first, second = before.results(), after.results()
    return {
        "before": before.label,
        "after": after.label,
        "moved": _moved(before.body, after.body),
        "decision": {"before": _answer(first), "after": _answer(second)},
        "measures": _side_by_side(first["measures"], second["measures"]),
    }


def _answer(results: Mapping[str, Any]) -> dict[str, Any]:
    decision = results.get("decision") or {}
    return {key: decision.get(key) for key in ("answer", "grade", "statement", "missing", "confidence")}


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "parameters": _changes(before["parameters"], after["parameters"]),
        "data": _changes(before["inputs"], after["inputs"], only=("book", "fingerprint", "synthetic", "currency", "rows")),
        "policy": _changes(before["policy"], after["policy"]),
        "notebook": _changes(before, after, only=("notebook_sha256",)),
        "code": _changes(before["code"], after["code"], only=("version", "sha256")),
        "packages": _changes(before["packages"], after["packages"]),
    }


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], *, only: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    keys = only or sorted({*before, *after})
    return {key: [before.get(key), after.get(key)] for key in keys if before.get(key) != after.get(key)}


def _side_by_side(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[dict[str, Any]]:
    first, second = ({_key(measure): measure for measure in measures} for measures in (before, after))
    rows = []
    for key in sorted({*first, *second}):
        old, new = first.get(key, {}), second.get(key, {})
        either = new or old
        known = old.get("value") is not None and new.get("value") is not None
        rows.append(
            {
                "name": either["name"],
                "kpi": either["kpi"],
                "by": either["by"],
                "unit": either["unit"],
                "before": {number: old.get(number) for number in NUMBERS},
                "after": {number: new.get(number) for number in NUMBERS},
                "difference": new["value"] - old["value"] if known else None,
            }
        )
    return rows


def _key(measure: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(measure["name"]), str(measure["kpi"]), json.dumps(measure["by"], sort_keys=True)
