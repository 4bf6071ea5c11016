"""The published runs, read safely: every name is checked before it becomes a path, and every path must end inside its slot.

Reads `reports/<kind>/<name>/<slot>/<run id>/` and the pointer `current`. What was read stays in memory until the file changes; nothing is
ever written or executed.
"""

import json
import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collect_analysis.reporting.kinds import KINDS
from collect_analysis.reporting.publish import CURRENT, PAGE, RESULTS, RUN
from collect_analysis.reporting.report_files import PATH_PART

RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}(?:-[0-9]{1,4})?")
MOST_BYTES = 64_000_000


@dataclass(frozen=True, kw_only=True)
class Published:
    """One complete run: where it lies, what its run.json and results.json say, whether it is the one managers see."""

    folder: Path
    run: dict[str, Any]
    results: dict[str, Any]
    current: bool

    @property
    def label(self) -> str:
        """kind/name/slot."""
        return "/".join(str(self.run[key]) for key in ("report", "name", "slot"))

    @property
    def lang(self) -> str:
        """The language the report speaks."""
        return str(self.run["parameters"].get("lang", "en"))

    @property
    def not_for_decision(self) -> bool:
        """Whether a blocking check failed."""
        return any(check["blocking"] and not check["passed"] for check in self.results["checks"])


class Shelf:
    """The reports folder as the pages see it."""

    def __init__(self, reports: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self.reports = reports.resolve()
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[Path, int, int], Any] = OrderedDict()
        self._bytes = 0

    def find(self, kind: str, name: str, slot: str, run_id: str | None = None) -> Published | None:
        """The current run of a slot, or the run `run_id` of it; None where there is no such complete run."""
        if (
            kind not in KINDS
            or not all(PATH_PART.fullmatch(part) for part in (name, slot))
            or not (run_id is None or RUN_ID.fullmatch(run_id))
        ):
            return None
        place = self.reports / kind / name / slot
        try:
            current = (place / CURRENT).resolve(strict=True)
            folder = current if run_id is None else (place / run_id).resolve(strict=True)
            # A link that leads out of its slot is no run, whoever made it.
            if folder.parent != place.resolve(strict=True) or not place.resolve().is_relative_to(self.reports):
                return None
            run, results = self._json(folder / RUN), self._json(folder / RESULTS)
        except (OSError, ValueError, RuntimeError):
            return None
        if run.get("state") != "complete" or (run.get("report"), run.get("name"), run.get("slot")) != (kind, name, slot):
            return None
        return Published(folder=folder, run=run, results=results, current=folder == current)

    def slots(self, kind: str, name: str) -> list[Published]:
        """The current run of every slot of a report, the latest slot first."""
        if kind not in KINDS or not PATH_PART.fullmatch(name):
            return []
        names = sorted((link.parent.name for link in (self.reports / kind / name).glob(f"[!.]*/{CURRENT}")), reverse=True)
        return [found for slot in names if (found := self.find(kind, name, slot))]

    def listing(self) -> Iterator[tuple[str, list[list[Published]]]]:
        """Per report kind its reports, each as its slots, the latest first."""
        for kind in KINDS:
            folder = self.reports / kind
            names = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
            reports = [slots for name in names if (slots := self.slots(kind, name))]
            if reports:
                yield kind, reports

    def page(self, run: Published) -> bytes:
        """The stored page of a run."""
        return self._content(run.folder / PAGE)

    def table(self, run: Published, file: str) -> bytes | None:
        """A recorded table's file by its name in results.json; None for any other file."""
        if file not in run.results["tables"].values() or file not in run.run["files"]:
            return None
        path = (run.folder / file).resolve()
        return path.read_bytes() if path.is_relative_to(run.folder) and path.is_file() else None

    def _json(self, path: Path) -> dict[str, Any]:
        return self._remembered(path, json.loads)

    def _content(self, path: Path) -> bytes:
        return self._remembered(path, bytes)

    def _remembered(self, path: Path, read) -> Any:
        state = path.stat()
        key = (path, state.st_mtime_ns, state.st_ino)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        content = path.read_bytes()
        self._kept[key] = (read(content), len(content))
        self._bytes += len(content)
        while self._bytes > self._most_bytes and len(self._kept) > 1:
            _, (_, size) = self._kept.popitem(last=False)
            self._bytes -= size
        return self._kept[key][0]
