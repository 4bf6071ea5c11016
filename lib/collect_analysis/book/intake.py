"""The one way in: a source is read, checked against its contract and its control totals, and loaded once, or not at all."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collect_analysis.book import continuity, crosschecks, shelf, verdicts
from collect_analysis.book.contract import Delivery, empty_columns, rows_of, typed_rows
from collect_analysis.book.deliveries import Control, Place, absent_sentence, locate, read_delivery
from collect_analysis.book.doubtful_ids import judge_ids
from collect_analysis.book.doubtful_rows import judge_rows
from collect_analysis.book.edges import judge_edges
from collect_analysis.book.intervals import judge_intervals
from collect_analysis.book.parsing.words import pseudonym_key_mark
from collect_analysis.book.private_folders import private_folder
from collect_analysis.book.readers.cells import Cells
from collect_analysis.book.reasons import Fault
from collect_analysis.book.reversals import judge_reversals
from collect_analysis.book.roles import merged_roles
from collect_analysis.book.source_format import Source
from collect_analysis.book.sources import read_source
from collect_analysis.book.spellings import UNITS, judge_spellings
from collect_analysis.book.store import MANIFEST, Load, Manifest, read_manifest, with_load, write_manifest
from collect_analysis.book.tables import TABLES
from collect_analysis.errors import DataError

# Tables whose rows others name come first.
_FIRST = ("account", "unit", "officer")
# A day has come once it has come anywhere: the clock of a server may be hours behind the desk's.
_WHERE_DAYS_BEGIN = timezone(timedelta(hours=14))
INCOMING, QUARANTINE, REJECTED = ".incoming", "quarantine", "rejected"


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What one import did.

    `loads` are the new deliveries with rows and money read, kept and quarantined per table; `unchanged` counts those the book had already;
    `superseded` names the loads they replace; `reasons` counts the faults; `warnings` are sentences on what was kept and looks odd, `notes`
    on what was changed in passing; `absent` says what was not here.
    """

    source: str
    book: str
    loads: tuple[Load, ...] = ()
    unchanged: int = 0
    superseded: tuple[str, ...] = ()
    reasons: tuple[tuple[str, int], ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    absent: str = ""

    def as_json(self) -> dict[str, object]:
        """The report as JSON types."""
        return asdict(self)


class _Require(Protocol):
    def __call__(self, deliveries: Sequence[Cells], *, today: date) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Signed:
    """What stands above the contract: deliveries that somebody signed.

    `columns(source)` names what such a delivery holds beside what the mapping takes (nothing: this source holds nothing signed); `require`
    refuses deliveries that are not what was signed.
    """

    columns: Callable[[Source], Sequence[str]]
    require: _Require


def import_source(
    mapping: Path,
    *,
    books: Path,
    now: datetime,
    skip_absent: bool = False,
    dry_run: bool = False,
    signed: Signed | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> ImportReport:
    """Load a source into its book under `books`. The same delivery again changes nothing; a changed one takes the former's place.

    Raises
    ------
    ParameterError
        The mapping file cannot be followed.
    DataError
        A file is not here or its structure is broken, control totals differ, or more than the allowed share of a delivery's rows does not
        keep the contract (the evidence is kept under `<book>/rejected/`); the book stays as it was.
    ApprovalError
        A signed delivery is not what was signed (`signed`).
    WorkplaceError
        Another import holds the book, the disk cannot be written, the database cannot be reached.
    """
    source = read_source(mapping)
    located = locate(source)
    if not located.places:
        if skip_absent or source.optional:
            return ImportReport(source=source.source, book=source.book, absent=absent_sentence(source))
        raise DataError(absent_sentence(source))
    folder = books / source.book
    with nullcontext() if dry_run else shelf.locked(folder), _incoming(folder, dry_run) as incoming:
        work = _Import(source, folder, incoming, _manifest(folder, source), now, signed)
        work.notes += located.notes
        work.run(located.places, progress)
        if not dry_run:
            work.commit()
        return work.report()


@contextmanager
def _incoming(folder: Path, dry_run: bool) -> Iterator[Path]:
    """A folder for files that are not yet part of the book; what a crash left there goes first."""
    if dry_run:
        with private_folder("import") as own:
            yield own
        return
    incoming = folder / INCOMING
    shutil.rmtree(incoming, ignore_errors=True)
    try:
        yield incoming
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _manifest(folder: Path, source: Source) -> Manifest:
    if not (folder / MANIFEST).is_file():
        return Manifest(name=source.book, synthetic=source.synthetic, currency=source.currency)
    manifest = read_manifest(folder)
    problems = []
    if manifest.currency != source.currency:
        problems.append(f"book '{source.book}' is in {manifest.currency}, source {source.source} in {source.currency}")
    if manifest.synthetic != source.synthetic:
        kinds = {True: "synthetic", False: "real"}
        problems.append(f"book '{source.book}' holds {kinds[manifest.synthetic]} data, source {source.source} is {kinds[source.synthetic]}")
    if problems:
        raise DataError([f"{problem}; load it into a book of its own" for problem in problems])
    return manifest


@dataclass
class _Import:
    """One import while it runs: what it found, staged under `incoming` until it is committed."""

    source: Source
    folder: Path
    incoming: Path
    manifest: Manifest
    now: datetime
    signed: Signed | None = None
    loads: list[Load] = field(default_factory=list)
    unchanged: int = 0
    origins: frozenset[str] = frozenset()
    reasons: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def run(self, places: list[Place], progress: Callable[[str], None]) -> None:
        """Read, check and stage every delivery that the book does not have."""
        self._roles = merged_roles(self.manifest.roles, self.source)
        told = self.source.control.rows is not None or bool(self.source.control.totals)
        fresh = [place for place in places if not self._is_loaded(place.content_hash)]
        self.unchanged = (len(places) - len(fresh)) * len(self.source.tables)
        self.origins = frozenset(place.name for place in fresh)
        control = Control(self.source)
        above = self.signed.columns(self.source) if self.signed else ()
        deliveries = []
        for place in places if told and fresh else fresh:
            progress(f"{self.source.source}: reading {place.name}")
            cells = read_delivery(self.source, place, above) if above else read_delivery(self.source, place)
            control.add(cells)
            if place in fresh:
                deliveries.append(cells)
                self._take(cells, progress)
        if self.signed and above and deliveries:
            self.signed.require(deliveries, today=self.now.astimezone(_WHERE_DAYS_BEGIN).date())
        self.problems += control.problems() if fresh else []
        self._judge_gone()
        self._judge_series([place.name for place in places])
        if self.problems:
            raise DataError(dict.fromkeys(self.problems))

    def _judge_gone(self) -> None:
        """Judge what a restated delivery lacks of the one it replaces; one that only the mapping reads anew lacks what the mapping says."""
        for place, load in enumerate(self.loads):
            for former in self._former_loads(load):
                if former.delivered_hash == load.delivered_hash or not former.rows_kept:
                    continue
                gone = continuity.rows_gone(TABLES[load.table].key, self.folder / former.file, self._files(load.table).values())
                if gone:
                    reason = "delivery_shrunk" if gone > continuity.MOST_GONE * former.rows_kept else "rows_gone"
                    self._tell_of_whole(place, load.origin, reason, gone=gone, rows=former.rows_kept)

    def _judge_series(self, names: list[str]) -> None:
        """Judge the days, weeks or months between the first and the last delivery of the source that have none."""
        known = {load.origin for load in self.manifest.active_loads if load.source == self.source.source}
        step, days = continuity.missing_days({*known, *names}, self.source.every, self._days_without_work())
        if days and self.loads:
            reason = "missing_delivery" if self.source.every else "gap_in_deliveries"
            shown = ", ".join(days[: continuity.MOST_SHOWN]) + (", ..." if len(days) > continuity.MOST_SHOWN else "")
            self._tell_of_whole(0, f"source {self.source.source}", reason, step=step.replace("_", " "), count=len(days), days=shown)

    def _tell_of_whole(self, place: int, about: str, reason: str, **facts: object) -> None:
        """Keep a fault that shows only when every delivery was read with the load it is about."""
        fault = Fault.of_whole(reason, self.source.checks, **facts)
        (self.problems if fault.severity == "refuse" else self.warnings).append(f"{about}: {fault.sentence}; {fault.fix}")
        self.loads[place] = replace(self.loads[place], findings=(*self.loads[place].findings, verdicts.finding(fault)))

    def _days_without_work(self) -> list[date]:
        """Days on which nobody works, where the book has a calendar."""
        if not (files := self._files("calendar")):
            return []
        rows = shelf.columns_in(files.values(), ["date", "working_day"])
        return rows["date"].filter(pc.invert(rows["working_day"])).to_pylist()

    def _load_id(self, content_hash: str, table: str) -> str:
        mark = pseudonym_key_mark() if self.source.uses_pseudonyms else ""
        said = "\n".join([content_hash, self.source.content_hash, mark, table])
        return f"{table}-{hashlib.sha256(said.encode()).hexdigest()[:16]}"

    def _is_loaded(self, content_hash: str) -> bool:
        """Whether the book has every table of this content; a database's content is known only when it was read."""
        active = {load.load_id for load in self.manifest.active_loads}
        return bool(content_hash) and all(self._load_id(content_hash, name) in active for name in self.source.tables)

    def _take(self, cells: Cells, progress: Callable[[str], None]) -> None:
        if cells.rows == 0 and not self.source.optional:
            raise DataError(f"{cells.origin}: holds a header and no rows; deliver it again, or declare the source `optional: true`")
        if self._is_loaded(cells.content_hash):
            self.unchanged += len(self.source.tables)
            return
        self.origins |= {cells.origin}
        self.notes += cells.notes
        self._judge_untaken(cells)
        for name in sorted(self.source.tables, key=lambda table: _FIRST.index(table) if table in _FIRST else len(_FIRST)):
            progress(f"{self.source.source}: {cells.origin} -> {name}")
            delivery = typed_rows(cells, self.source, name, TABLES[name], now=self.now)
            judge_ids(delivery, cells, self.source)
            judge_rows(delivery, cells, self.source)
            self._check_beside_others(delivery)
            self._stage(delivery, cells)

    def _judge_untaken(self, cells: Cells) -> None:
        """Tell rows that no table takes; more of them than the allowed share stop the import."""
        left = np.flatnonzero(~np.logical_or.reduce([rows_of(cells, mapping) for mapping in self.source.tables.values()]))
        if len(left):
            sentence = (
                f"{cells.origin}: {len(left):,} of {cells.rows:,} rows are taken by no table (first: line {cells.lines[left[0]]}); "
                "list their words under `only`, or deliver them apart"
            )
            (self.problems if len(left) > self.source.allowed_loss * cells.rows else self.warnings).append(sentence)

    def _check_beside_others(self, delivery: Delivery) -> None:
        accounts = self._files("account")
        judge_edges(delivery, accounts.values())
        crosschecks.repeats_within(delivery)
        table = delivery.table.name
        crosschecks.repeats_in_book(delivery, self._files(table))
        if table == "payment" and accounts:
            crosschecks.payments_before_entry(delivery, shelf.columns_in(accounts.values(), ["account_key", "open_date"]))
        judge_intervals(delivery, self._files(table).values())
        known = {column: shelf.keys_in(files.values(), column) for column, of in crosschecks.REFERS.items() if (files := self._files(of))}
        crosschecks.orphans(delivery, known)
        judge_spellings(delivery, self._spellings(table))
        if table == "payment":
            judge_reversals(delivery, self._files("payment").values())
            crosschecks.double_postings(delivery)
        if table == "month_end":
            crosschecks.statuses_after_final(delivery, self._files(table).values())
        if table == "decision":
            crosschecks.overlapping_placements(delivery, self._files(table).values())

    def _spellings(self, table: str) -> dict[str, pa.Array]:
        """The keys of units as the book spells them: in its register, and in earlier deliveries of the table."""
        units = shelf.keys_in(self._files("unit").values(), "unit_key")
        if "unit_key" in TABLES[table].column_names:
            units = pa.concat_arrays([units, shelf.keys_in(self._files(table).values(), "unit_key")])
        return dict.fromkeys(UNITS, pc.unique(units))

    def _files(self, table: str) -> dict[str, Path]:
        """The files of a table as the book will hold them: name of the delivery -> file; what this import replaces is left out."""
        kept = {
            f"{load.source}, {load.origin}": self.folder / load.file
            for load in self.manifest.active_loads
            if load.table == table and load.rows_kept and not (load.source == self.source.source and load.origin in self.origins)
        }
        new = {f"{load.source}, {load.origin}": self.incoming / load.file for load in self.loads if load.table == table and load.rows_kept}
        return {**kept, **new}

    def _stage(self, delivery: Delivery, cells: Cells) -> None:
        table = delivery.table
        load_id = self._load_id(cells.content_hash, table.name)
        money = shelf.money_of(delivery)
        before = self._delivered_before(table.name, delivery.origin)
        continuity.compare_columns(delivery, cells, before)
        continuity.compare_money(delivery, money[~delivery.bad], before)
        kept = shelf.in_order(table, empty_columns(table, delivery.rows.take(pa.array(delivery.good))))
        load = Load(
            load_id=load_id,
            table=table.name,
            source=self.source.source,
            origin=delivery.origin,
            content_hash=shelf.content_hash(kept),
            file=f"{table.name}/{load_id}.parquet",
            rows_read=delivery.rows.num_rows,
            rows_kept=kept.num_rows,
            rows_quarantined=int(delivery.bad.sum()),
            money_read_minor=shelf.money_sum(money),
            money_kept_minor=shelf.money_sum(money[~delivery.bad]),
            money_quarantined_minor=shelf.money_sum(money[delivery.bad]),
            unreadable_money_cells=delivery.unreadable_money,
            loaded_at=self.now.isoformat(),
            money_median_minor=continuity.median_of(money[~delivery.bad]),
            delivered_hash=cells.content_hash,
            columns=cells.header,
            findings=verdicts.findings(delivery),
        )
        self._judge(delivery, load, money)
        shelf.write_rows(self.incoming / load.file, kept)
        if load.rows_quarantined:
            shelf.write_rows(self.incoming / QUARANTINE / f"{load_id}.parquet", shelf.quarantine_rows(delivery, load_id, money))
        self.loads.append(load)
        self.notes += delivery.notes
        self.warnings += verdicts.remarks(delivery)
        for fault in delivery.faults:
            self.reasons[f"{fault.target}: {fault.sentence}; {fault.fix}"] += len(fault.rows)

    def _judge(self, delivery: Delivery, load: Load, money: np.ndarray) -> None:
        """Tell why a delivery is refused, if it is, and keep the evidence."""
        evidence = f"{REJECTED}/{load.load_id}.parquet"
        told = verdicts.problems(delivery, load, allowed=self.source.allowed_loss, evidence=f"{evidence} of book '{self.source.book}'")
        self.problems += told
        # A dry run leaves nothing behind, evidence included.
        if told and self.incoming.is_relative_to(self.folder):
            shelf.write_rows(self.folder / evidence, shelf.quarantine_rows(delivery, load.load_id, money))

    def commit(self) -> None:
        """Put the staged files into place, then the manifest that names them: a crash in between leaves the book as it was."""
        if not self.loads:
            return
        for staged in sorted(path for path in self.incoming.rglob("*.parquet")):
            shelf.move(staged, self.folder / staged.relative_to(self.incoming))
        manifest = replace(self.manifest, roles=self._roles)
        for load in self.loads:
            again = tuple(item for item in manifest.loads if item.load_id != load.load_id)
            manifest = with_load(replace(manifest, loads=again), load, supersedes=self._former(load))
        write_manifest(self.folder, manifest)

    def _former_loads(self, load: Load) -> list[Load]:
        """Loads of the same file into the same table, which this one replaces."""
        same = (load.table, load.source, load.origin)
        return [
            item for item in self.manifest.active_loads if (item.table, item.source, item.origin) == same and item.load_id != load.load_id
        ]

    def _former(self, load: Load) -> tuple[str, ...]:
        return tuple(item.load_id for item in self._former_loads(load))

    def _delivered_before(self, table: str, origin: str) -> Load | None:
        """The delivery to compare one with: the one of its name, else the last of its source into the table."""
        before = [load for load in (*self.manifest.active_loads, *self.loads) if load.source == self.source.source and load.table == table]
        return next((load for load in before if load.origin == origin), before[-1] if before else None)

    def report(self) -> ImportReport:
        """What this import did."""
        left = {load.table for load in self.manifest.active_loads if load.source == self.source.source} - set(self.source.tables)
        stale = [f"source {self.source.source} no longer fills table {table}; what it loaded there stays" for table in sorted(left)]
        return ImportReport(
            source=self.source.source,
            book=self.source.book,
            loads=tuple(self.loads),
            unchanged=self.unchanged,
            superseded=tuple(load_id for load in self.loads for load_id in self._former(load)),
            reasons=tuple(self.reasons.most_common()),
            warnings=tuple(dict.fromkeys((*self.warnings, *stale))),
            notes=tuple(dict.fromkeys(self.notes)),
        )
