"""`collect doctor`: can this machine run reports, and on what?"""

import importlib.metadata
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from packaging.requirements import Requirement

from collect_analysis import own
from collect_analysis.book.places import lock_file
from collect_analysis.cli import options, output
from collect_analysis.cli.options import Setting
from collect_analysis.errors import CollectError

SECRETS = ("COLLECT_PAGES_TOKEN", "COLLECT_TEAM_LEADS_TOKEN", "COLLECT_PSEUDONYM_KEY")
LEAST_FREE_BYTES = 1_000_000_000
NOT_WELL = 5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at: whether it is well, what was seen, what to do if not."""

    name: str
    well: bool
    seen: str
    fix: str = ""


@click.command("doctor")
@options.reports
@options.books
@options.as_json
def doctor(reports: Path | None, books: Path | None, as_json: bool) -> int:
    """Look at settings, versions, books and kernel; exit 5 if reports could not run here."""
    settings = [
        options.reports_setting(reports),
        options.books_setting(books),
        options.policy_setting(),
        options.setting("data", None, variable="COLLECT_DATA", default="../shared/data"),
        *(Setting(name="kinds", value=Path(folder), origin="COLLECT_KINDS") for folder in own.__path__),
    ]
    place = {item.name: item.value for item in settings}
    findings = [
        Finding(name="python", well=True, seen=platform.python_version()),
        versions(lock_file()),
        writable(place["reports"]),
        *present_books(place["books"]),
        sound_policies(place["policy"]),
        kernel(place["books"], place["policy"]),
    ]
    code = 0 if all(finding.well for finding in findings) else NOT_WELL
    _show(settings, findings, code, as_json=as_json)
    return code


def versions(lock: Path) -> Finding:
    """Is what is installed what the lock says for this Python on this system?"""
    if not lock.is_file():
        return Finding(name="versions", well=False, seen=f"{lock} is not there", fix="restore it from the repository")
    lines = lock.read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line.rstrip(" \\")) for line in lines if line[:1].isalnum()]
    here = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    wrong = []
    for pin in here:
        try:
            installed = importlib.metadata.version(pin.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{pin.name} {_pinned(pin)} is missing")
            continue
        if not pin.specifier.contains(installed, prereleases=True):
            wrong.append(f"{pin.name} is {installed}, the lock says {_pinned(pin)}")
    if wrong:
        return Finding(name="versions", well=False, seen=f"{len(wrong)} of {len(here)} differ (first: {wrong[0]})", fix="make setup")
    return Finding(name="versions", well=True, seen=f"{len(here)} as in {lock.name}")


def _pinned(pin: Requirement) -> str:
    return ", ".join(item.version for item in pin.specifier)


def writable(folder: Path) -> Finding:
    """Can runs be written, and is there room?"""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(nearest, os.W_OK):
        return Finding(
            name="reports", well=False, seen=f"{nearest} cannot be written", fix="give the right to write, or set COLLECT_REPORTS"
        )
    free = shutil.disk_usage(nearest).free
    return Finding(name="reports", well=free >= LEAST_FREE_BYTES, seen=f"{free / 1e9:.1f} GB free", fix="free some disk")


def present_books(folder: Path) -> list[Finding]:
    """Which books are there, and are they whole?"""
    from collect_analysis.book.store import MANIFEST, read_manifest

    found = []
    for path in sorted(folder.glob(f"*/{MANIFEST}")):
        name = f"book {path.parent.name}"
        try:
            manifest = read_manifest(path.parent)
        except CollectError as error:
            found.append(Finding(name=name, well=False, seen=str(error), fix="import it again"))
            continue
        lost = [load.file for load in manifest.active_loads if not (path.parent / load.file).is_file()]
        rows = sum(load.rows_kept for load in manifest.active_loads)
        seen = f"{rows:,} rows{', synthetic' if manifest.synthetic else ''}" + (f", {len(lost)} files missing" if lost else "")
        found.append(Finding(name=name, well=not lost, seen=seen, fix="import it again"))
    return found or [
        Finding(name="books", well=False, seen=f"none in {folder}", fix="collect sample, or collect import parameters/sources")
    ]


def sound_policies(folder: Path) -> Finding:
    """Can every version of every policy file be followed?"""
    from collect_analysis.runs.policies import problems_in

    problems, files = problems_in(folder), len(list(folder.glob("*.yml")))
    if problems:
        return Finding(name="policies", well=False, seen=f"{len(problems)} problems (first: {problems[0]})", fix="correct the file")
    return Finding(name="policies", well=True, seen=f"{files} files")


def kernel(books: Path, policy: Path) -> Finding:
    """Does a notebook run here, the way reports do?"""
    from collect_analysis.runs.child import try_kernel

    error = try_kernel(books=books, policy=policy)
    return Finding(name="kernel", well=error is None, seen=error or "executes a notebook", fix="make setup")


def _show(settings: list[Setting], findings: list[Finding], code: int, *, as_json: bool) -> None:
    secrets = {name: "set" if os.environ.get(name) else "not set" for name in SECRETS}
    if as_json:
        told = [{"name": item.name, "value": str(item.value), "origin": item.origin} for item in settings]
        checks = [asdict(finding) for finding in findings]
        output.emit({"command": "doctor", "settings": told, "secrets": secrets, "findings": checks, "exit_code": code})
        return
    output.table(
        ("setting", "value", "from"),
        [(item.name, item.value, item.origin) for item in settings] + [(key, text, "environment") for key, text in secrets.items()],
    )
    click.echo()
    output.table(
        ("check", "", "seen", "fix"),
        [(item.name, "ok" if item.well else "NOT WELL", item.seen, "" if item.well else item.fix) for item in findings],
    )
