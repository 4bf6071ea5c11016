"""`collect list`, `collect show`, `collect compare`: what the runs say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from collect_analysis.cli import options, output
from collect_analysis.report.statements import in_short
from collect_analysis.runs import runs
from collect_analysis.runs.run_files import RUN, DamagedRun
from collect_analysis.runs.runs import Run


@click.command("list")
@options.reports
@click.option("--all", "everything", is_flag=True, help="Every run, not only the current one of each slot and later failures.")
@options.as_json
def list_runs(reports: Path | None, everything: bool, as_json: bool) -> None:
    """List the runs: the current one of each slot, and later ones that failed."""
    found = runs.all_runs(options.reports_setting(reports).value)
    shown = found if everything else runs.shown_runs(found)
    if as_json:
        output.emit({"command": "list", "runs": [_summary(run) for run in shown]})
        return
    rows = [
        (
            f"{run.report}/{run.name}",
            run.day,
            run.state,
            "*" if run.current else "",
            run.run_id,
            "-" if run.damaged else run.body["inputs"]["as_of"],
        )
        for run in shown
    ]
    output.table(("report", "slot", "state", "current", "run", "as of"), rows)
    for run in shown:
        if run.damaged:
            output.message(f"damaged {run.label}: {RUN} {run.damaged}; run the report again")
    if not shown:
        output.message("no runs yet; next: collect run parameters")


@click.command("show")
@click.argument("run", metavar="RUN")
@options.reports
@options.as_json
def show(run: str, reports: Path | None, as_json: bool) -> None:
    """Show what a RUN decided, measured and stood on. RUN: a run id, kind/name/slot, or kind/name."""
    found = runs.find(options.reports_setting(reports).value, run)
    found.require_whole()
    results = found.results() if found.state == "complete" else None
    if as_json:
        output.emit({"command": "show", "folder": str(found.folder), "current": found.current, "run": found.body, "results": results})
        return
    body = found.body
    facts = [
        ("run", found.label),
        ("state", f"{found.state}{', current' if found.current else ''}"),
        ("finished", f"{body['finished']} after {body['seconds']} s"),
        ("data", f"book {body['inputs']['book']}{' (synthetic)' if body['inputs']['synthetic'] else ''} as of {body['inputs']['as_of']}"),
        ("code", f"{body['code']['version']} {(body['code']['commit'] or '')[:12]}{' + changes' if body['code']['dirty'] else ''}".strip()),
        ("folder", output.shorter(found.folder)),
    ]
    if body["error"]:
        facts.append(("error", f"cell {body['error']['cell']}: {body['error']['type']}: {body['error']['message']}"))
    if results:
        facts += [("question", results["decision"]["question"]), ("answer", results["decision"]["answer"])]
        facts += [("grade", results["decision"]["grade"]), *(("caveat", text) for text in results["decision"]["caveats"])]
        facts += [("failed check", f"{check['name']}: {check['detail']}") for check in results["checks"] if not check["passed"]]
    output.table(("", ""), facts)
    if results and results["measures"]:
        _measures(results["measures"])


@click.command("compare")
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="RUN")
@options.reports
@options.as_json
def compare(before: str, after: str, reports: Path | None, as_json: bool) -> None:
    """Compare two runs: their numbers side by side, and whether parameters, data or code moved."""
    folder = options.reports_setting(reports).value
    found = runs.compare(runs.find(folder, before), runs.find(folder, after))
    if as_json:
        output.emit({"command": "compare", **found})
        return
    for cause, changes in found["moved"].items():
        output.message(f"{cause}: {_changes(changes)}")
    for side in ("before", "after"):
        output.message(f"{side}: {found[side]}: {found['decision'][side]['answer']} ({in_short(found['decision'][side])})")
    rows = [
        (
            _label(row),
            output.number(row["before"]["value"]),
            output.number(row["after"]["value"]),
            output.number(row["difference"]),
            row["unit"],
        )
        for row in found["measures"]
    ]
    output.table(("measure", "before", "after", "difference", "unit"), rows)


def _summary(run: Run) -> dict[str, Any]:
    known = {"run_id": run.run_id, "report": run.report, "name": run.name, "slot": run.day, "state": run.state}
    told = {key: run.body.get(key) for key in ("started", "finished", "seconds", "error")}
    inputs = {key: run.body.get("inputs", {}).get(key) for key in ("book", "as_of", "synthetic", "fingerprint")}
    if run.damaged:
        told["error"] = {"cell": None, "type": DamagedRun.__name__, "message": f"{RUN} {run.damaged}"}
    page = str(run.page) if run.page else None
    return {**known, **told, **inputs, "current": run.current, "folder": str(run.folder), "page": page}


def _measures(measures: list[dict[str, Any]]) -> None:
    rows = [
        (
            _label(measure),
            output.number(measure["value"]),
            output.number(measure["low"]),
            output.number(measure["high"]),
            measure["unit"],
            measure["note"],
        )
        for measure in measures
    ]
    click.echo()
    output.table(("measure", "value", "low", "high", "unit", "note"), rows)


def _label(measure: Mapping[str, Any]) -> str:
    return " ".join([measure["name"], measure["kpi"], *map(str, measure["by"].values())])


def _changes(changes: Mapping[str, list[Any]]) -> str:
    if not changes:
        return "the same"
    return ", ".join(name if len(str(values)) > 60 else f"{name} {values[0]} -> {values[1]}" for name, values in changes.items())
