"""The one way in: a source is read, checked against its contract and control totals, and loaded once, or not at all."""

import fcntl
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pandas as pd

from collect_analysis.book.contract import Sorted, arrow_schema, sort_rows
from collect_analysis.book.places import project_folder
from collect_analysis.book.readers import Cells
from collect_analysis.book.source_format import CsvFormat, ExcelFormat, ParquetFormat, Source
from collect_analysis.book.sources import read_source
from collect_analysis.book.store import MANIFEST, Load, Manifest, read_manifest, with_load, write_manifest
from collect_analysis.book.tables import TABLES
from collect_analysis.errors import DataError, WorkplaceError

MOST_REASONS = 5


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What one import did. `reasons` counts the faults of quarantined rows; `absent` says what was not here."""

    source: str
    book: str
    loads: tuple[Load, ...] = ()
    unchanged: int = 0
    superseded: tuple[str, ...] = ()
    reasons: tuple[tuple[str, int], ...] = ()
    absent: str = ""

    def as_json(self) -> dict[str, object]:
        """The report as JSON types."""
        return asdict(self)


def import_source(
    mapping: Path,
    *,
    books: Path,
    now: datetime,
    skip_absent: bool = False,
    dry_run: bool = False,
    progress: Callable[[str], None] = lambda text: None,
) -> ImportReport:
    """Load a source into its book. The same delivery again changes nothing; a changed one takes the former's place.

    Raises
    ------
    ParameterError
        The mapping file cannot be followed.
    DataError
        The files are not there, their structure is broken, control totals differ, or more rows than `allowed_loss` do not keep the contract
        (they are kept as evidence under `rejected/`); the book stays as it was.
    WorkplaceError
        Another import is loading into the book.
    """
    source = read_source(mapping)
    try:
        deliveries = list(_deliveries(source, progress))
    except _AbsentError as error:
        if skip_absent or source.optional:
            return ImportReport(source=source.source, book=source.book, absent=str(error))
        raise DataError(str(error)) from None
    _check_control(source, deliveries)
    folder = books / source.book
    with _held(folder):
        manifest = _manifest(folder, source)
        return _load(source, deliveries, folder, manifest, now=now, dry_run=dry_run, progress=progress)


def _load(
    source: Source,
    deliveries: list[Cells],
    folder: Path,
    manifest: Manifest,
    *,
    now: datetime,
    dry_run: bool,
    progress: Callable[[str], None],
) -> ImportReport:
    done: list[tuple[Load, Sorted]] = []
    unchanged = 0
    active = {load.load_id for load in manifest.active_loads}
    for cells in deliveries:
        for name in source.tables:
            load_id = f"{name}-{hashlib.sha256(f'{cells.content_hash}{source.content_hash}{name}'.encode()).hexdigest()[:16]}"
            if load_id in active:
                unchanged += 1
                continue
            progress(f"{source.source}: {cells.origin} -> {name}")
            rows = sort_rows(cells, source, name, TABLES[name], today=now.date())
            done.append((_described(source, cells, name, load_id, rows, now), rows))
    _check_loss(source, done, folder)
    superseded: tuple[str, ...] = ()
    for load, rows in done if not dry_run else ():
        _write(folder / load.file, rows.kept, load.table)
        if len(rows.quarantined):
            _write(folder / "quarantine" / f"{load.load_id}.parquet", rows.quarantined, None)
        former = tuple(
            old.load_id for old in manifest.active_loads if (old.table, old.source, old.origin) == (load.table, load.source, load.origin)
        )
        manifest = with_load(manifest, load, supersedes=former)
        superseded += former
    if done and not dry_run:
        roles = {key: role for name, mapping in source.tables.items() for key, role in mapping.roles(name).items()}
        write_manifest(folder, replace(manifest, roles={**manifest.roles, **roles}))
    reasons = Counter(f"{row.column}: {row.reason}" for _, rows in done for row in rows.quarantined.itertuples())
    return ImportReport(
        source=source.source,
        book=source.book,
        loads=tuple(load for load, _ in done),
        unchanged=unchanged,
        superseded=superseded,
        reasons=tuple(reasons.most_common()),
    )


def _described(source: Source, cells: Cells, name: str, load_id: str, rows: Sorted, now: datetime) -> Load:
    return Load(
        load_id=load_id,
        table=name,
        source=source.source,
        origin=cells.origin,
        content_hash=load_id.removeprefix(f"{name}-"),
        file=f"{name}/{load_id}.parquet",
        rows_read=rows.rows_read,
        rows_kept=len(rows.kept),
        rows_quarantined=rows.rows_quarantined,
        money_read_minor=rows.money_read_minor,
        money_kept_minor=rows.money_kept_minor,
        money_quarantined_minor=rows.money_read_minor - rows.money_kept_minor,
        loaded_at=now.isoformat(),
    )


class _AbsentError(Exception):
    """The files of a source are not here."""


def _deliveries(source: Source, progress: Callable[[str], None]) -> Iterator[Cells]:
    from collect_analysis.book.readers import csv_files, typed

    form = source.format
    if not isinstance(form, CsvFormat | ExcelFormat | ParquetFormat):
        yield typed.read_postgres_table(form)
        return
    for path in _files(source):
        progress(f"{source.source}: reading {path.name}")
        if isinstance(form, CsvFormat):
            yield csv_files.read_csv_file(path, form)
        elif isinstance(form, ExcelFormat):
            yield typed.read_excel_sheet(path, form)
        else:
            yield typed.read_parquet_file(path, form)


def _files(source: Source) -> list[Path]:
    assert source.location is not None and source.files is not None  # noqa: S101, PT018 - checked when the mapping file was read
    given = os.environ.get(source.location.variable) or source.location.default
    if given is None:
        raise _AbsentError(f"source {source.source}: environment variable {source.location.variable} is not set; it names the folder")
    folder = Path(given) if Path(given).is_absolute() else project_folder() / given
    found = sorted(folder.glob(source.files)) if folder.is_dir() else []
    if not found:
        raise _AbsentError(
            f"source {source.source}: no file {source.files} in the folder of {source.location.variable}; deliver it or set the variable"
        )
    return found


def _check_control(source: Source, deliveries: list[Cells]) -> None:
    problems = []
    rows = sum(len(cells.frame) for cells in deliveries)
    if source.control.rows is not None and rows != source.control.rows:
        problems.append(
            f"source {source.source}: {rows} rows delivered, {source.control.rows} stated; deliver it again, or correct `control.rows`"
        )
    for column, stated in source.control.totals.items():
        try:
            total = sum(
                (Decimal(cell) for cells in deliveries for cell in cells.frame[column] if cell and cell not in source.format.missing),
                Decimal(0),
            )
        except (KeyError, InvalidOperation):
            problems.append(f"source {source.source}: control total of '{column}' cannot be formed; it must be a column of plain numbers")
            continue
        if total != Decimal(stated):
            problems.append(
                f"source {source.source}: '{column}' adds up to {total}, stated {stated}; deliver it again, or correct `control.totals`"
            )
    if problems:
        raise DataError(problems)


def _check_loss(source: Source, done: list[tuple[Load, Sorted]], folder: Path) -> None:
    problems = []
    for load, rows in done:
        if load.rows_read == 0 and not source.optional:
            problems.append(
                f"{load.origin}: holds no rows for table {load.table}; deliver it again, or declare the source `optional: true`"
            )
        if load.rows_quarantined > source.allowed_loss * load.rows_read:
            _write(folder / "rejected" / f"{load.load_id}.parquet", rows.quarantined, None)
            problems.append(
                f"{load.origin}: {load.rows_quarantined} of {load.rows_read} rows do not keep the contract of table {load.table} "
                f"(allowed share {source.allowed_loss:g}); nothing was loaded"
            )
            for (column, reason), faults in rows.quarantined.groupby(["column", "reason"], sort=False):
                first = faults.iloc[0]
                problems.append(f"{load.origin}, line {first['line']}: {column} {first['value']!r}: {reason} ({len(faults)} rows)")
                if len(problems) > MOST_REASONS * 2:
                    break
    if problems:
        raise DataError(problems)


def _manifest(folder: Path, source: Source) -> Manifest:
    if not (folder / MANIFEST).is_file():
        return Manifest(name=source.book, synthetic=source.synthetic, currency=source.currency)
    manifest = read_manifest(folder)
    if manifest.currency != source.currency or manifest.synthetic != source.synthetic:
        raise DataError(
            f"book '{source.book}' holds {'synthetic ' if manifest.synthetic else ''}{manifest.currency} data; load {source.source} into another book"
        )
    return manifest


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorkplaceError(f"book '{folder.name}' is busy: another import is loading into it; try again when it has ended") from None
        yield


def _write(path: Path, rows: pd.DataFrame, table: str | None) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    schema = arrow_schema(TABLES[table], rows) if table else None
    temporary = path.with_suffix(".tmp")
    pq.write_table(pa.Table.from_pandas(rows, schema=schema, preserve_index=False), temporary, compression="zstd")
    os.replace(temporary, path)
