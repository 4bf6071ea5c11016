"""Fixtures every test may use: the shared data folder, a small sample shop, and the rule that nothing is skipped unseen."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import settings

# Names in COLLECT_REQUIRE (comma-separated: data, cases, browser, postgres, spark) turn "skipped because it is not here" into a failure.
REQUIRED = frozenset(filter(None, os.environ.get("COLLECT_REQUIRE", "").split(",")))
PROJECT = Path(__file__).resolve().parent.parent
# A property is about values; how long an example takes says only how busy the machine is.
settings.register_profile("values", deadline=None)
settings.load_profile("values")
SAMPLE_ACCOUNTS = 20_000
SAMPLE_SEED = 1
SAMPLE_AS_OF = date(2026, 6, 30)
# Earlier versions of the sample shop that stay in the temporary folder, for runs that still read them.
SAMPLE_BOOKS_KEPT = 4


def skip_or_fail(name: str, reason: str) -> None:
    """Skip, saying why; fail instead where `name` is required."""
    if name in REQUIRED:
        pytest.fail(f"{reason} (COLLECT_REQUIRE names '{name}')")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data sets."""
    folder = Path(os.environ.get("COLLECT_DATA", PROJECT.parent / "shared" / "data"))
    if not (folder / "README.md").is_file():
        skip_or_fail("data", f"no data sets in {folder}; set COLLECT_DATA")
    return folder


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """Folder of the small cases: deliveries with their mapping files, and what is right for them."""
    folder = Path(os.environ.get("COLLECT_CASES", PROJECT.parent / "shared" / "cases"))
    if not folder.is_dir():
        skip_or_fail("cases", f"no cases in {folder}; set COLLECT_CASES")
    return folder


# Names and sentences of tables that only tests have.
INVENTED = frozenset(
    {
        *(f"labels.{name}" for name in ("league", "curves", "weight", "share_planned", "placed_on", "net", "no_such_table", "undefined")),
        *(f"labels.{name}" for name in ("steps", "least_reach", "year", "whole", "units", "rest")),
        "phrases: 0.58 that the leader is best",
        "phrases: Agency-declared activity is not verified.",
        *(f"phrases: {name}" for name in ("overlap", "sample ratio", "maturity")),
        "phrases: Every agency holds accounts of every stratum.",
        "phrases: Accounts were allocated as planned.",
        "phrases: Accounts were not allocated as planned (p < 0.001).",
        "phrases: Batches of June are younger than three months.",
        "phrases: repair the allocation, then wait one horizon.",
    }
)


@pytest.fixture(autouse=True)
def _no_word_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """In tests a text that the catalogue does not hold raises; in a run it is shown as it is, and a check says so."""
    from collect_analysis.report import texts

    missed = texts._miss
    monkeypatch.setattr(texts, "STRICT", True)
    monkeypatch.setattr(texts, "_miss", lambda place: None if place in INVENTED else missed(place))


@pytest.fixture(autouse=True)
def _in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)


def _sample_stamp() -> str:
    """Changes when the shop's sources, the tables or the parameters of the sample change."""
    library = PROJECT / "lib" / "collect_analysis" / "book"
    sources = sorted([*(library / "sample").glob("*.py"), *(library / "tables").glob("*.py"), library / "schema.py", library / "store.py"])
    digest = hashlib.sha256(f"{SAMPLE_ACCOUNTS} {SAMPLE_SEED} {SAMPLE_AS_OF}".encode())
    for path in sources:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@pytest.fixture(scope="session")
def sample_book() -> Path:
    """Books folder with the sample shop, built once for all workers and runs until its sources change. Read it, never write to it."""
    from collect_analysis.book.sample import make_sample

    shared = Path(tempfile.gettempdir()) / f"collect-analysis-{os.getuid()}"
    books = shared / f"books-{_sample_stamp()}"
    books.mkdir(parents=True, exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in sorted(shared.glob("books-*"), key=lambda path: path.stat().st_mtime)[:-SAMPLE_BOOKS_KEPT]:
            if stale != books:
                shutil.rmtree(stale)
        if not (books / "sample" / "book.json").is_file():
            make_sample(books / "sample", accounts=SAMPLE_ACCOUNTS, seed=SAMPLE_SEED, as_of=SAMPLE_AS_OF, now="2026-07-01T00:00:00Z")
    return books
