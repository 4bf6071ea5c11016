"""Which words are keys of persons in a book: asked before anything leaves, without reading the book each time.

Keys are kept as sorted 64-bit hashes beside the book (private, rebuilt when the book changes), so that a question costs a search and not
a scan: 3.6 million keys are 29 MB on disk, mapped and not read. What is compared is the key's words: `acc-000123`, `ACC 000123` and
`acc_000123` are one.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np

from collect_analysis.book.durable import sync
from collect_analysis.book.private_folders import private_folder
from collect_analysis.book.schema import Table
from collect_analysis.book.store import Manifest, read_manifest
from collect_analysis.book.tables import TABLES

FOLDER = ".keys"
# Officers and who assesses them are persons too; some audiences lead them.
OFFICERS = frozenset({"officer_key", "assessor_key"})
# A cluster of so many subjects is a group and no person.
_GROUP = 10
# A shorter word, or one without a digit and shorter than that, cannot be told from ordinary words; keys of persons are pseudonyms.
LEAST_LENGTH, LEAST_LETTERS = 4, 8
# Of free text only what holds a digit is searched: the rest are ordinary words.
_FREE_TEXT = " AND regexp_matches(k, '[0-9]')"
_TOLD = f"regexp_full_match(w, '[0-9]+') OR if(regexp_matches(w, '[0-9]'), length(w) >= {LEAST_LENGTH}, length(w) >= {LEAST_LETTERS})"
_MEMORY = "1GB"
# A key as `words_of` writes it.
_WORDS = "trim(regexp_replace(lower(k), '[^\\pL\\pN]+', '-', 'g'), '-')"


@dataclass(frozen=True, kw_only=True)
class PersonKeys:
    """The keys of a book: `persons` and `officers` as sorted hashes, and how many persons' keys of each length are digits alone."""

    folder: Path
    persons: np.ndarray
    officers: np.ndarray
    digits: dict[int, int]
    _hasher: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect, repr=False, compare=False)

    def among(self, words: Sequence[str], *, officers: bool) -> list[str]:
        """Those of `words` (as `words_of` writes them) that are keys of persons; of officers too where asked for."""
        if not words:
            return []
        asked = np.asarray(self._hasher.execute("SELECT hash(unnest(?::VARCHAR[])) AS h", [list(words)]).fetchnumpy()["h"])
        found = _stands_in(asked, self.persons)
        if officers:
            found |= _stands_in(asked, self.officers)
        return [word for word, is_key in zip(words, found, strict=True) if is_key]

    def density(self, length: int) -> float:
        """Which share of all numbers of so many digits are keys: the chance that an ordinary one is taken for a key."""
        return min(self.digits.get(length, 0) / (9 * 10 ** (length - 1)), 1.0)

    def column_of(self, word: str) -> str:
        """The table and column in which a key stands; read from the book, so asked only of what was found."""
        manifest = read_manifest(self.folder)
        for table, column in _columns():
            source = _source(self.folder, manifest, table, column)
            if source and self._hasher.execute(f"SELECT 1 FROM ({source}) WHERE {_WORDS} = ? LIMIT 1", [word]).fetchone():  # noqa: S608
                return f"{table.name}.{column}"
        return "its keys"


def words_of(text: str) -> str:
    """A text as its words, in small letters, joined by one dash: how keys are compared."""
    return "-".join(re.findall(r"[^\W_]+", text.lower()))


def person_keys(folder: Path) -> PersonKeys:
    """The keys of the book in `folder`, from beside it where they were kept for these contents, else read anew and kept.

    Raises
    ------
    DataError
        There is no book, or its manifest is damaged.
    """
    manifest = read_manifest(folder)
    # The hash is the engine's own: another version may hash otherwise.
    kept = folder / FOLDER / f"{manifest.fingerprint[:32]}-{duckdb.__version__}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError):
        return _loaded(folder, kept)
    with private_folder("keys") as spill, contextlib.closing(_connection(spill)) as connection:
        persons, digits = _read(connection, folder, manifest, officers=False)
        # Who is an officer here and a debtor there is a debtor.
        officers = np.setdiff1d(_read(connection, folder, manifest, officers=True)[0], persons, assume_unique=True)
    # A book that may only be read is read again by the next who asks.
    with contextlib.suppress(OSError):
        _keep(kept, persons, officers, digits)
    return PersonKeys(folder=folder, persons=persons, officers=officers, digits=digits)


def _loaded(folder: Path, kept: Path) -> PersonKeys:
    with np.load(kept, allow_pickle=False) as file:
        digits = {int(length): int(count) for length, count in file["digits"]}
        return PersonKeys(folder=folder, persons=file["persons"], officers=file["officers"], digits=digits)


def _keep(kept: Path, persons: np.ndarray, officers: np.ndarray, digits: dict[int, int]) -> None:
    kept.parent.mkdir(mode=0o700, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=kept.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, persons=persons, officers=officers, digits=np.array(sorted(digits.items()), dtype=np.int64).reshape(-1, 2))
        sync(Path(name))
        os.replace(name, kept)
    finally:
        Path(name).unlink(missing_ok=True)
    for older in kept.parent.glob("*.npz"):
        if older != kept:
            older.unlink(missing_ok=True)


def _columns(*, officers: bool | None = None) -> Iterator[tuple[Table, str]]:
    """The columns that hold keys of persons: personal ones, and the key of a row that is about one; `officers`: of which of the two."""
    for table in TABLES.values():
        if not table.personal_columns:
            continue
        own = [name for name in table.key if name.endswith("_key") and name not in ("unit_key", "scope_key")]
        for column in dict.fromkeys((*table.personal_columns, *own)):
            if officers is None or (column in OFFICERS) == officers:
                yield table, column


def _connection(spill: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"memory_limit": _MEMORY, "preserve_insertion_order": False, "temp_directory": str(spill)})


def _source(folder: Path, manifest: Manifest, table: Table, column: str) -> str:
    """A query of the keys (`k`) of a column that count as a person's; empty where the book lacks the table."""
    files = ", ".join(f"'{_quoted(folder / load.file)}'" for load in manifest.active_loads if load.table == table.name)
    if not files:
        return ""
    known = f"FROM (SELECT {column}::VARCHAR AS k FROM read_parquet([{files}], union_by_name = true)) WHERE k IS NOT NULL"  # noqa: S608
    if column == "cluster_key":
        # A cluster of many subjects is a group and no person.
        return f"SELECT k {known} GROUP BY k HAVING count(*) < {_GROUP}"
    return f"SELECT k {known}{_FREE_TEXT if table[column].type == 'text' else ''}"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _read(connection: duckdb.DuckDBPyConnection, folder: Path, manifest: Manifest, *, officers: bool) -> tuple[np.ndarray, dict[int, int]]:
    """The sorted hashes of all keys that can be told from ordinary words, and how many of them are digits alone, by length."""
    sources = [source for table, column in _columns(officers=officers) if (source := _source(folder, manifest, table, column))]
    if not sources:
        return np.empty(0, np.uint64), {}
    words = f"SELECT {_WORDS} AS w FROM (SELECT DISTINCT k FROM ({' UNION ALL '.join(sources)}))"  # noqa: S608
    asked = f"SELECT hash(w) AS h, if(regexp_full_match(w, '[0-9]+'), length(w), 0) AS n FROM ({words}) WHERE {_TOLD}"  # noqa: S608
    found = connection.execute(asked).fetchnumpy()
    hashes, places = np.unique(found["h"], return_index=True)
    lengths, counts = np.unique(found["n"][places], return_counts=True)
    return hashes, {int(length): int(count) for length, count in zip(lengths, counts, strict=True) if length}


def _stands_in(asked: np.ndarray, known: np.ndarray) -> np.ndarray:
    if not len(known):
        return np.zeros(len(asked), dtype=bool)
    places = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return known[places] == asked
