"""Reading runs: which there are, what one says, and what moved between two."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collect_analysis.errors import ParameterError, nearest
from collect_analysis.reporting.publish import CURRENT, FAILED, PAGE, RESULTS, RUN

NUMBERS = ("value", "low", "high", "numerator", "denominator")
MOST_HINTS = 8


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder and its run.json. `current` marks the one managers see."""

    folder: Path
    body: Mapping[str, Any]
    current: bool

    @property
    def run_id(self) -> str:
        """Id, unique within its slot."""
        return str(self.body["run_id"])

    @property
    def slot(self) -> str:
        """kind/name/slot."""
        return "/".join(str(self.body[key]) for key in ("report", "name", "slot"))

    @property
    def label(self) -> str:
        """kind/name/slot/run id."""
        return f"{self.slot}/{self.run_id}"

    @property
    def state(self) -> str:
        """complete, failed or interrupted."""
        return str(self.body["state"])

    @property
    def page(self) -> Path | None:
        """The page, where there is one."""
        return self.folder / PAGE if self.state == "complete" else None

    def results(self) -> dict[str, Any]:
        """The results.json of a complete run.

        Raises
        ------
        ParameterError
            The run is not complete.
        """
        if self.state != "complete":
            raise ParameterError(f"{self.label} is {self.state}: it has no results ({self.folder} keeps the evidence)")
        body: dict[str, Any] = json.loads((self.folder / RESULTS).read_text(encoding="utf-8"))
        return body


def all_runs(reports: Path) -> list[Run]:
    """Every run under the reports folder, published and failed, by slot and oldest first. A folder without a readable run.json is none."""
    found = []
    for root in (reports, reports / FAILED):
        for path in root.glob(f"[!.]*/[!.]*/[!.]*/[!.]*/{RUN}"):
            folder = path.parent
            if folder.is_symlink():
                continue
            try:
                body = json.loads(path.read_text(encoding="utf-8"))
                current = folder.parent / CURRENT
                run = Run(folder=folder, body=body, current=current.is_symlink() and current.readlink() == Path(folder.name))
                found.append((run.slot, str(body["started"]), run.run_id, run))
            except (OSError, ValueError, KeyError, TypeError):
                continue
    return [run for *_, run in sorted(found, key=lambda item: item[:3])]


def shown_runs(runs: Iterable[Run]) -> list[Run]:
    """What a list shows unless asked for all: the current run of each slot, and a later one that failed."""
    latest: dict[str, list[Run]] = {}
    for run in runs:
        kept = latest.setdefault(run.slot, [])
        if run.current:
            kept[:] = [run, *(other for other in kept if other.state != "complete" and other.body["started"] > run.body["started"])]
        elif run.state != "complete":
            kept[:] = [*(other for other in kept if other.current), run]
    return [run for runs in latest.values() for run in runs]


def find(reports: Path, wanted: str) -> Run:
    """The run meant: a run id, kind/name/slot/run id, kind/name/slot (its current run), or kind/name (the current run of its last slot).

    The text is compared with the runs there are and never becomes a path.

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
    current = [run for run in runs if run.current and (run.slot == wanted or run.slot.rpartition("/")[0] == wanted)]
    if current:
        return current[-1]
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
    return {key: decision.get(key) for key in ("answer", "grade", "confidence")}


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
