"""A project of one report kind with a notebook of a few cells: what the tests of runner, publishing and command work on."""

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import date, datetime
from pathlib import Path

from collect_analysis.book.durable import write_json
from collect_analysis.book.store import Manifest, write_manifest
from collect_analysis.report.kinds import KINDS
from collect_analysis.runs import report_files
from collect_analysis.runs.publish import Slot, prepare, publish, read_run, seal, stage
from collect_analysis.runs.report_files import PlannedRun
from collect_analysis.runs.runner import Clock, Limits, Outcome, StopRequest, Workplace, run_all

KIND = "kpi_period"
POLICIES = Path(__file__).resolve().parent.parent / "parameters" / "policy"
NOW = "2026-07-01T08:00:00+07:00"
RUN_ID_TIME = "20260701T010000Z"
FIELDS = tuple(KINDS[KIND].model_fields)
REPORT = {"report": KIND, "book": "tiny", "as_of": "2026-06-30", "period_start": "2026-06-01", "period_end": "2026-06-30"}
SLOT = "2026-06-01--2026-06-30"

# What `record.finish()` leaves, without the second it takes to import pandas. One test runs the real recorder.
DECISION = {
    "question": "Keep the target?",
    "answer": "Keep it.",
    "confidence": "high",
    "grade": "C",
    "caveats": [],
    "forecast": {},
    "action": {},
}
MEASURE = {
    "name": "kept_rate", "value": 0.75, "by": {}, "low": 0.5, "high": 0.9, "numerator": 3, "denominator": 4,
    "unit": "share", "kpi": "C8", "grade": "C", "note": "",
}  # fmt: skip
RECORD = f"""
import json, pathlib
results = dict(schema=1, report="{KIND}", name=name, parameters={{field: globals()[field] for field in {FIELDS!r}}}, measures=[{MEASURE!r}],
               tables=dict(kept="tables/kept.csv"), figures=dict(), decision={DECISION!r}, checks=[])
pathlib.Path(run_dir, "tables").mkdir()
pathlib.Path(run_dir, "tables", "kept.csv").write_text("unit,value\\nA,0.75\\n")
pathlib.Path(run_dir, "results.json").write_text(json.dumps(results))
"""
PARAMETERS_SET = {"lang": "en", "audience": "managers"}
RESULTS = {
    "schema": 1, "report": KIND, "name": "shop", "parameters": PARAMETERS_SET, "measures": [MEASURE], "tables": {"kept": "tables/kept.csv"},
    "figures": {}, "decision": DECISION, "checks": [],
}  # fmt: skip
RUN = {
    "schema": 1, "report": KIND, "name": "shop", "slot": SLOT, "state": "running",
    "started": "2026-07-01T01:00:00.000+00:00", "finished": None, "seconds": None, "parameters": PARAMETERS_SET,
    "inputs": {"book": "tiny", "fingerprint": "f1", "synthetic": True, "currency": "VND", "as_of": "2026-06-30", "rows": {}},
    "policy": {}, "notebook_sha256": "n1", "code": {"version": "0.1.0", "sha256": "c1", "commit": None, "dirty": None},
    "packages": {"numpy": "2.4"}, "files": {}, "error": None,
}  # fmt: skip
PARAMETERS = "\n".join([*(f"{field} = None" for field in FIELDS), "run_dir = None"])
KILLED = "import os\nos.kill(os.getpid(), 9)"
HANGING = "import time\ntime.sleep(1e6)"


def notebook(*cells: str, parameters: str = PARAMETERS) -> dict:
    """A notebook as JSON: a parameters cell, then the cells given."""
    sources = [(parameters, ["parameters"]), *((text, []) for text in cells)]
    return {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "metadata": {"tags": tags},
                "outputs": [],
                "source": text,
                "id": f"cell-{number}",
            }
            for number, (text, tags) in enumerate(sources)
        ],
        "metadata": {"kernelspec": {"name": "python3", "language": "python", "display_name": ""}, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def is_gone(pid: int, *, seconds: float) -> bool:
    """Whether a process ends within some seconds (one that nobody has waited for yet has ended)."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


class SmallProject:
    """Folders `parameters/`, `notebooks/`, `books/tiny`, `reports/` below `root`."""

    def __init__(self, root: Path, *cells: str) -> None:
        self.root = root
        self.reports = root / "reports"
        self.books = root / "books"
        shutil.copytree(POLICIES, root / "parameters" / "policy")
        (root / "notebooks").mkdir()
        self.write_notebook(*(cells or (RECORD,)))
        self.write_book("tiny")

    @property
    def place(self) -> Workplace:
        return Workplace(
            reports=self.reports, books=self.books, policy=self.root / "parameters" / "policy", notebooks=self.root / "notebooks"
        )

    def write_book(self, name: str, *, note: str = "") -> None:
        write_manifest(
            self.books / name, Manifest(name=name, synthetic=True, currency="VND", roles={"note": {"text": note}} if note else {})
        )

    def write_notebook(self, *cells: str, parameters: str = PARAMETERS) -> None:
        (self.root / "notebooks" / f"{KIND}.ipynb").write_text(json.dumps(notebook(*cells, parameters=parameters)))

    def write_report(self, stem: str = "shop", /, **values: object) -> Path:
        """A report file; values are written as JSON, which YAML reads. A value None leaves the key out."""
        file = self.root / "parameters" / KIND / f"{stem}.yml"
        file.parent.mkdir(exist_ok=True)
        lines = [
            f"{key}: {json.dumps(value) if not isinstance(value, str) else value}"
            for key, value in {**REPORT, **values}.items()
            if value is not None
        ]
        file.write_text("\n".join(lines) + "\n")
        return file

    def plan(self) -> list[PlannedRun]:
        return report_files.plan([self.root / "parameters"], today=date(2026, 7, 1), notebooks=self.root / "notebooks")

    def run(
        self, *, workers: int = 1, now: str = NOW, stop: StopRequest | None = None, on_finish=lambda outcome: None, **limits: int
    ) -> list[Outcome]:
        clock = Clock(datetime.fromisoformat(now))
        return run_all(
            self.plan(), workplace=self.place, clock=clock, workers=workers, limits=Limits(**limits), stop=stop, on_finish=on_finish
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "collect_analysis.cli", *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("COLLECT_")}
        return {**kept, "COLLECT_BOOKS": str(self.books), "COLLECT_REPORTS": str(self.reports), **more}

    def collect(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            cwd=self.root,
            env=self.environment(**environment),
            check=False,
            timeout=120,
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.root,
            env=self.environment(**environment),
        )

    def staged(
        self, run_id: str = f"{RUN_ID_TIME}-aaaaaaaa", *, value: float | None = 0.75, as_of: str = "2026-06-30", **more: object
    ) -> tuple[Slot, Path]:
        """A run that a worker has executed well, as it lies in staging: made by hand, without a kernel."""
        prepare(self.reports)
        slot = Slot(reports=self.reports, report=KIND, name="shop", slot=SLOT)
        run = {**RUN, "inputs": {**RUN["inputs"], "as_of": as_of}, **more}
        executed = notebook("pass")
        for number, cell in enumerate(executed["cells"], start=1):
            cell["execution_count"] = number
        _, folder = stage(slot, run_id=run_id, notebook=json.dumps(executed).encode(), run=run)
        (folder / "tables").mkdir()
        (folder / "tables" / "kept.csv").write_text("unit,value\nA,0.75\n")
        write_json(folder / "results.json", {**RESULTS, "measures": [{**MEASURE, "value": value}]})
        (folder / "page.html").write_text(f"<p>{run_id} {value}</p>")
        return slot, folder

    def published(self, run_id: str = f"{RUN_ID_TIME}-aaaaaaaa", **more: object) -> Path:
        """The same, published."""
        slot, folder = self.staged(run_id, **more)
        seal(folder, {**read_run(folder), "state": "complete", "finished": "2026-07-01T01:00:02+00:00", "seconds": 2.0})
        return publish(slot, folder)[0]

    def current(self, name: str = "shop", slot: str = SLOT) -> Path:
        return self.reports / KIND / name / slot / "current"
