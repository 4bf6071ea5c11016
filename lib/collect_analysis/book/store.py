"""A book on disk: one folder with a manifest and Parquet files per table, changed only by one atomic step."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from collect_analysis.book.durable import owned_folder, write_json
from collect_analysis.book.edges import refuse_off_edge
from collect_analysis.book.engine import Engine, open_engine
from collect_analysis.book.engines.base import canonical_arrow
from collect_analysis.book.origin import origin_of
from collect_analysis.book.places import books_folder
from collect_analysis.book.recipes import Keyed
from collect_analysis.book.shared_tables import SharedTables, shared_tables
from collect_analysis.book.shelf import content_hash
from collect_analysis.book.tables import TABLES
from collect_analysis.errors import DataError

MANIFEST = "book.json"
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check of the contract found in a delivery: how grave it is (quarantine, note), in how many rows, from which line on."""

    check: str
    severity: str
    column: str
    rows: int
    first_line: int | None
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Load:
    """One delivery into one table. read = kept + quarantined, by rows and by money; cells that are no money are counted apart.

    `findings` tells what the checks of the contract found; `content_hash` is of the rows kept, `delivered_hash` of the file as it came;
    `columns` are the source's, read or not.
    """

    load_id: str
    table: str
    source: str
    origin: str
    content_hash: str
    file: str
    rows_read: int
    rows_kept: int
    rows_quarantined: int = 0
    money_read_minor: int = 0
    money_kept_minor: int = 0
    money_quarantined_minor: int = 0
    unreadable_money_cells: int = 0
    loaded_at: str = ""
    superseded_by: str = ""
    money_median_minor: int | None = None
    delivered_hash: str = ""
    columns: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a book holds: its loads, whether it is synthetic, and what its open columns mean.

    `roles` maps an open column (`cohort.outcome_paid_d90`) to what the mapping declared of it: kind, horizon_days, measured, label.
    """

    name: str
    synthetic: bool
    currency: str
    loads: tuple[Load, ...] = ()
    roles: dict[str, dict[str, object]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def active_loads(self) -> tuple[Load, ...]:
        """Loads that were not superseded by a restatement."""
        return tuple(load for load in self.loads if not load.superseded_by)

    @property
    def fingerprint(self) -> str:
        """Hash of the contents the reports read: equal for equal data, whenever and wherever they were loaded."""
        parts = sorted(f"{load.table}:{load.content_hash}:{load.rows_kept}" for load in self.active_loads)
        roles = json.dumps(self.roles, sort_keys=True)
        return hashlib.sha256("\n".join([self.name, self.currency, roles, *parts]).encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the book in `folder`.

    Raises
    ------
    DataError
        There is no book, or its manifest cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(f"there is no book in {folder}; make one with `collect sample` or `collect import parameters/sources/<name>.yml`")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.pop("schema") != SCHEMA:
            raise ValueError("unknown schema")
        loads = tuple(_load(load) for load in raw.pop("loads"))
        return Manifest(**{**raw, "loads": loads, "notes": tuple(raw["notes"])})
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} is damaged ({error}); import the sources again into an empty folder") from error


def _load(raw: dict[str, Any]) -> Load:
    findings = tuple(Finding(**each) for each in raw.get("findings", ()))
    return Load(**{**raw, "findings": findings, "columns": tuple(raw.get("columns", ()))})


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of the book in `folder` by one atomic step; the loads' files must be there already."""
    owned_folder(folder)
    write_json(folder / MANIFEST, {"schema": SCHEMA, **asdict(manifest)})


def with_load(manifest: Manifest, load: Load, *, supersedes: tuple[str, ...] = ()) -> Manifest:
    """The manifest with one more load; the named loads stay listed and are no longer read."""
    old = tuple(replace(item, superseded_by=load.load_id) if item.load_id in supersedes else item for item in manifest.loads)
    return replace(manifest, loads=(*old, load))


class Book(Keyed):
    """The debt book as known on a day.

    `table(name)` is an Ibis expression over the canonical table, cut at `as_of`; `frame(expression)` runs one that returns a small table.
    `files` are those it lies in; `shared` keeps small tables for the other reports of a batch, where there is one.
    """

    def __init__(
        self, manifest: Manifest, engine: Engine, *, as_of: date, files: Iterable[Path] = (), shared: SharedTables | None = None
    ) -> None:
        self._manifest, self._as_of, self._files = manifest, as_of, tuple(files)
        self._engine = engine
        self.shared = shared
        # A book does not change while it is open.
        self._held: dict[str, bool] = {}
        self._months: dict[str, frozenset[date]] = {}

    @property
    def manifest(self) -> Manifest:
        """What the book holds."""
        return self._manifest

    @property
    def as_of(self) -> date:
        """The day whose knowledge the tables hold."""
        return self._as_of

    @cached_property
    def key(self) -> str:
        """All that a relation of this book depends on besides its recipe (`origin.origin_of`)."""
        return origin_of(self.manifest.fingerprint, as_of=self.as_of, engine=self._engine.name, files=self._files)

    @property
    def currency(self) -> str:
        """ISO 4217 code of every money column."""
        return self.manifest.currency

    def table(self, name: str) -> ir.Table:
        """Canonical table `name`, cut at `as_of`; empty if nothing was loaded."""
        table = self._engine.table(name)
        known_on = TABLES[name].known_on
        if known_on is None:
            return table
        known = table[known_on].cast("date") <= ibis.literal(self.as_of)
        if not TABLES[name][known_on].required:
            # A cohort whose source has no dates was known when it was supplied: an empty cell hides nothing.
            known = known | table[known_on].isnull()
        return table.filter(known)

    def has(self, name: str) -> bool:
        """Whether table `name` has a row on the day of the book; one of which nothing is known yet has none."""
        if name not in self._held:
            loaded = any(load.table == name and load.rows_kept for load in self.manifest.active_loads)
            self._held[name] = loaded and self.scalar(self.table(name).limit(1).count()) == 1
        return self._held[name]

    def holds(self, name: str) -> bool:
        """Whether a column, written `table.column`, has a value in any row."""
        if name not in self._held:
            table, _, column = name.partition(".")
            self._held[name] = self.has(table) and self.scalar(self.table(table)[column].notnull().any()) is True
        return self._held[name]

    def months(self, name: str) -> frozenset[date]:
        """First days of the months in which table `name`, one that is cut at `as_of`, has rows."""
        if name not in self._months:
            table, known_on = self.table(name), TABLES[name].known_on
            found = self.frame(table.select(month=table[known_on].truncate("M").cast("date")).distinct())
            self._months[name] = frozenset(day.date() if hasattr(day, "date") else day for day in found["month"].dropna())
        return self._months[name]

    def frame(self, expression: ir.Table) -> pd.DataFrame:
        """Run an expression that returns a small table."""
        return self._engine.frame(expression)

    def scalar(self, expression: ir.Scalar) -> object:
        """Run an expression that returns one value."""
        return self._engine.scalar(expression)

    def batches(self, expression: ir.Table) -> Iterator[pa.RecordBatch]:
        """Run an expression whose rows leave piece by piece: operational lists only, never for a frame or a page."""
        return self._engine.batches(expression)

    def materialized(self, expression: ir.Table) -> AbstractContextManager[ir.Table]:
        """Run an expression once for several that read it: `with book.materialized(expression) as rows: ...`."""
        return self._engine.materialized(expression)

    def intake(self) -> pd.DataFrame:
        """What was read, kept and quarantined, one row per table."""
        rows = pd.DataFrame([asdict(load) for load in self.manifest.active_loads])
        if rows.empty:
            return pd.DataFrame(columns=["table", "rows_read", "rows_kept", "rows_quarantined"])
        counted = [column for column in rows.columns if column.startswith(("rows_", "money_"))]
        return rows.groupby("table", as_index=False)[counted].sum()


def open_book(name: str, *, as_of: date, folder: Path | None = None) -> Book:
    """Open the book `name` under `folder` (default: `books_folder()`) as known on `as_of`.

    Raises
    ------
    DataError
        There is no such book, or a file its manifest names is missing.
    """
    root = (folder or books_folder()) / name
    manifest = read_manifest(root)
    files: dict[str, list[Path]] = {table: [] for table in TABLES}
    for load in manifest.active_loads:
        files[load.table].append(root / load.file)
    lost = [str(path) for paths in files.values() for path in paths if not path.is_file()]
    if lost:
        raise DataError(f"book '{name}': {len(lost)} files of its manifest are missing (first: {lost[0]}); import the sources again")
    engine = open_engine(label=manifest.fingerprint)
    for table, paths in files.items():
        engine.register_files(table, paths, TABLES[table].engine_types())
    return Book(manifest, engine, as_of=as_of, files=[path for paths in files.values() for path in paths], shared=shared_tables())


def book_from_frames(
    frames: dict[str, pd.DataFrame],
    *,
    as_of: date,
    name: str = "frames",
    currency: str = "VND",
    roles: dict[str, dict[str, object]] | None = None,
) -> Book:
    """A book held in memory: an analyst's own frames, or a worked example. Frames use canonical names; absent columns are empty.

    Raises
    ------
    DataError
        A table that is not the book's; a day that stands for a month and is not its first or last, as the table means it.
    """
    engine = open_engine()
    loads = []
    for table, spec in TABLES.items():
        frame = frames.get(table)
        if frame is None or frame.empty:
            engine.register_empty(table, spec.engine_types())
            continue
        refuse_off_edge(table, spec, frame)
        engine.register_frame(table, frame, spec.engine_types())
        digest = content_hash(canonical_arrow(frame, spec.engine_types()))
        loads.append(
            Load(
                load_id=f"{table}-{digest[:12]}",
                table=table,
                source="frame",
                origin="memory",
                content_hash=digest,
                file="",
                rows_read=len(frame),
                rows_kept=len(frame),
            )
        )
    unknown = sorted(set(frames) - set(TABLES))
    if unknown:
        raise DataError(f"unknown table(s) {', '.join(unknown)}; the book's tables are {', '.join(TABLES)}")
    return Book(Manifest(name=name, synthetic=False, currency=currency, loads=tuple(loads), roles=roles or {}), engine, as_of=as_of)
