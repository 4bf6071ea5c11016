"""PostgreSQL tables and views: one read-only snapshot, every cell as the server's own exact text."""

import hashlib
import os
import time
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from collect_analysis.book.readers.cells import Cells, text_column
from collect_analysis.book.readers.headers import composed, header_problems
from collect_analysis.book.readers.parquet_files import type_problems
from collect_analysis.book.source_format import PostgresFormat
from collect_analysis.errors import DataError, WorkplaceError

FETCH_ROWS = 50_000
TRIES = 3
PAUSE_S = 1.0
# Types whose text is the text itself; all others are written by the server in one known way.
_TEXTS = ("text", "character varying", "character", "bpchar", "varchar", "citext", "name")


def read_postgres_table(form: PostgresFormat, wanted: Sequence[str], *, pause_s: float = PAUSE_S) -> Cells:
    """The wanted columns of a table or view, sorted, so that the same content has the same hash.

    The connection text comes from the environment variable the mapping names and is never told. One REPEATABLE READ, READ ONLY transaction
    reads all of it; a broken connection is tried again from the start, `TRIES` times in all, and no half-read table is ever returned.

    Raises
    ------
    WorkplaceError
        The variable is not set, the server cannot be reached, refuses, or takes longer than `timeout_s`.
    DataError
        No such table or column, or a column not of the type `types` declares.
    """
    import psycopg

    connection_text = os.environ.get(form.variable)
    if not connection_text:
        raise WorkplaceError(f"environment variable {form.variable} is not set; it holds the connection text of the database")
    for left in reversed(range(TRIES)):
        try:
            return _read(connection_text, form, wanted)
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            raise DataError(f"table {form.table}: does not exist in the database of {form.variable}; check `table`") from None
        except psycopg.errors.InsufficientPrivilege:
            raise WorkplaceError(f"table {form.table}: the user of {form.variable} may not read it; grant SELECT") from None
        except psycopg.errors.QueryCanceled:
            raise WorkplaceError(
                f"table {form.table}: took longer than {form.timeout_s} s; raise `timeout_s`, or read a smaller view"
            ) from None
        except psycopg.OperationalError as error:
            if not left:
                raise WorkplaceError(_unreachable(form, error)) from None
            time.sleep(pause_s)
        except psycopg.Error as error:
            raise WorkplaceError(_unreachable(form, error)) from None
    raise AssertionError("the last try returns or raises")


def _unreachable(form: PostgresFormat, error: Exception) -> str:
    # The error's own text may quote the connection text, so only its class is told.
    return (
        f"table {form.table}: the database of {form.variable} answered {type(error).__name__}; check that it runs and the connection text"
    )


def _read(connection_text: str, form: PostgresFormat, wanted: Sequence[str]) -> Cells:
    import psycopg
    from psycopg import sql

    table = sql.SQL(".").join(sql.Identifier(part) for part in form.table.split("."))
    with psycopg.connect(connection_text, connect_timeout=10, client_encoding="utf8") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        for setting, value in (
            ("statement_timeout", str(form.timeout_s * 1000)),
            ("datestyle", "ISO"),
            ("timezone", "UTC"),
            ("extra_float_digits", "1"),
        ):
            connection.execute(sql.SQL("SELECT set_config({}, {}, true)").format(sql.Literal(setting), sql.Literal(value)))
        found = _types(connection, table)
        spelled = dict(zip(composed(found), found, strict=True))
        types = {name: found[spelled[name]] for name in spelled}
        problems = header_problems(f"table {form.table}", composed(found), wanted) + type_problems(f"table {form.table}", types, form.types)
        problems += [f"table {form.table}: column '{name}' is bytea; deliver it as text" for name in wanted if types.get(name) == "bytea"]
        if problems:
            raise DataError(problems)
        names = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(spelled[name])) for name in wanted)
        order = sql.SQL(", ").join(sql.SQL('{}::text COLLATE "C"').format(sql.Identifier(spelled[name])) for name in wanted)
        query = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(names, table, order)
        return _cells(connection, query, form, wanted, types)


def _types(connection, table) -> dict[str, str]:
    from psycopg import sql

    with connection.cursor() as cursor:
        described = cursor.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(table)).description or ()
        found = {}
        for column in described:
            row = cursor.execute("SELECT format_type(%s, NULL)", (column.type_code,)).fetchone()
            found[column.name] = row[0]
        return found


def _cells(connection, query, form: PostgresFormat, wanted: Sequence[str], types: dict[str, str]) -> Cells:
    schema = pa.schema([(name, pa.string()) for name in wanted])
    batches = []
    digest = hashlib.sha256(repr([(name, types[name]) for name in wanted]).encode())
    with connection.cursor("collect_import") as cursor:
        cursor.itersize = FETCH_ROWS
        cursor.execute(query)
        while rows := cursor.fetchmany(FETCH_ROWS):
            batch = pa.record_batch([pa.array(cells, pa.string()) for cells in zip(*rows, strict=True)], schema=schema)
            digest.update(repr(rows).encode())
            batches.append(batch)
    table = pa.Table.from_batches(batches, schema=schema)
    columns = {name: text_column(table[name], native=types[name] not in _TEXTS, type_name=types[name]) for name in wanted}
    return Cells(columns, np.arange(1, table.num_rows + 1), form.table, digest.hexdigest(), header=tuple(types))
