"""The published runs, read safely: every name is checked before it becomes a path, and what is handed out is what was sealed.

Reads `reports/<kind>/<name>/<slot>/<run id>/` and the pointer `current`. A shelf is made for one audience: the runs of another are not there.
Nothing is ever written or executed.
"""

import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from collect_analysis.report.kinds import KINDS
from collect_analysis.report.parameters import PATH_PART
from collect_analysis.runs import run_index
from collect_analysis.runs.run_files import PAGE, RUN_ID, DamagedRun, read_results, read_run, sealed
from collect_analysis.runs.run_index import CURRENT, Key, Published

MANAGERS = "managers"


class Shelf:
    """The reports folder as the pages of one audience see it."""

    def __init__(self, reports: Path, *, audience: str = MANAGERS) -> None:
        self.reports = reports.resolve()
        self.audience = audience
        # What was read of slots so far, what the last walk found, and what of it this audience sees.
        self._known: dict[Key, Published] = {}
        self._found: dict[Key, Published] = {}
        self._shown: dict[Key, Published] = {}

    def find(self, kind: str, name: str, slot: str, run_id: str | None = None) -> Published | None:
        """The current run of a slot, or the run `run_id` of it; None where there is no such complete run for this audience.

        Raises
        ------
        DamagedRun
            There is one, and its files are not what was published.
        """
        if (
            kind not in KINDS
            or not all(PATH_PART.fullmatch(part) for part in (name, slot))
            or not (run_id is None or RUN_ID.fullmatch(run_id))
        ):
            return None
        place = self.reports / kind / name / slot
        try:
            wanted = run_id or os.readlink(place / CURRENT)
            # A link that leads out of its slot is no run, whoever made it.
            if not RUN_ID.fullmatch(wanted) or (place / wanted).resolve(strict=True) != place / wanted:
                return None
        except (OSError, RuntimeError):
            return None
        found = run_index.described(place / wanted, (kind, name, slot), known=self._known.get((kind, name, slot)))
        if found and found.damaged:
            raise DamagedRun(place / wanted, found.damaged)
        if found and run_id is None:
            self._known[found.key] = found
        return found if found and found.audience == self.audience else None

    def is_current(self, run: Published) -> bool:
        """Whether it is the run managers see."""
        try:
            return os.readlink(self.folder(run).parent / CURRENT) == run.run_id
        except OSError:
            return False

    def folder(self, run: Published) -> Path:
        """Where a run lies."""
        return self.reports / run.report / run.name / run.slot / run.run_id

    def slots(self, kind: str, name: str) -> list[Published]:
        """The current run of every slot of a report, the latest slot first; damaged ones are left out."""
        if kind not in KINDS or not PATH_PART.fullmatch(name):
            return []
        return [
            run for run in run_index.current(self.reports, self._known, kind=kind, name=name) if self._is_for_us(run) and not run.damaged
        ]

    def index_state(self) -> object:
        """Another object than before once a run was published."""
        return run_index.state(self.reports)

    @property
    def walked(self) -> int:
        """How many slots the last `listing` looked through, those of other audiences too."""
        return len(self._found)

    def listing(self) -> dict[Key, Published]:
        """The current run of every slot, by kind, name and latest slot, damaged ones too. The same object as long as nothing changed."""
        found = run_index.walk(self.reports, self._known or run_index.read(self.reports))
        if found != self._found:
            of_kind = {kind: [run for run in found.values() if run.report == kind] for kind in KINDS}
            self._shown = {run.key: run for runs in of_kind.values() for run in runs if self._is_for_us(run)}
        self._known, self._found = dict(found), found
        return self._shown

    def results(self, run: Published) -> dict[str, Any]:
        """What a run reported.

        Raises
        ------
        DamagedRun
            Its files are not what was published.
        """
        folder = self.folder(run)
        return read_results(folder, read_run(folder))

    def page_state(self, run: Published) -> tuple[int, ...]:
        """Size, time and inode of the stored page: as long as they are the same, so is the page."""
        try:
            state = os.lstat(self.folder(run) / PAGE)
        except OSError as error:
            raise DamagedRun(self.folder(run) / PAGE, f"cannot be read ({error.strerror})") from None
        return state.st_size, state.st_mtime_ns, state.st_ino

    def page(self, run: Published) -> bytes:
        """The stored page of a run.

        Raises
        ------
        DamagedRun
            It is not what was published.
        """
        folder = self.folder(run)
        return sealed(folder, PAGE, read_run(folder))

    def table(self, run: Published, file: str) -> bytes | None:
        """A recorded table's file by its name in results.json; None for any other file.

        Raises
        ------
        DamagedRun
            It is not what was published.
        """
        folder = self.folder(run)
        body = read_run(folder)
        return sealed(folder, file, body) if file in read_results(folder, body)["tables"].values() else None

    def _is_for_us(self, run: Published) -> bool:
        """Whose a damaged run is may be unknown; that there is one, every audience may know."""
        return run.audience == self.audience or bool(run.damaged and not run.audience)


def by_report(runs: dict[Key, Published]) -> Iterator[tuple[str, list[list[Published]]]]:
    """Per report kind its reports, each as its slots, the latest first; `runs` as `Shelf.listing` gives them."""
    for kind, of_kind in groupby(runs.values(), key=lambda run: run.report):
        yield kind, [list(slots) for _, slots in groupby(of_kind, key=lambda run: run.name)]
