"""Fills the peers' tables with synthetic, varied, reproducible records: the same numbers give the same rows anywhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, suppress
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from arkham_shard_export.peers import ENTITIES, TABLES, TIMELINE_CONFLICTS
from arkham_shard_export.schema import Table
from arkham_shard_export.standalone.seed_rows import TableRows, every_table
from arkham_shard_export.standalone.seed_values import Pools
from arkham_shard_export.standalone.tables import (
    BUSY_TIMEOUT_MS,
    SCHEMAS,
    Dialect,
    create_indexes,
    create_schemas,
    create_table,
    open_sqlite,
)
from arkham_shard_export.targets import TARGETS

if TYPE_CHECKING:
    import psycopg

Progress = Callable[[str, int, int], None]
Rows = Iterator[tuple[Any, ...]]

BATCH_ROWS = 1_000
SQLITE_CACHE_KIB = 8_192
READ_BESIDES = {"timeline": {TIMELINE_CONFLICTS, ENTITIES}}
"""Tables that an export of a target reads though its declaration does not name them."""

_COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def seed_sqlite(
    data_dir: Path,
    records: int,
    seed: int = 1,
    progress: Progress | None = None,
    targets: Collection[str] = (),
) -> dict[str, int]:
    """Write `records` records per target, with all their related rows, to the databases in `data_dir`.

    Gives the rows written by table. A failure undoes all of them; ValueError if rows with the same ids are there
    already. `progress` gets a table, its rows written so far and its rows in all. `targets` leaves the tables that
    none of them reads empty; the others get the same rows as without it.
    """
    tables = _tables(records, targets)
    with closing(open_sqlite(data_dir)) as connection:
        database = _Sqlite(connection)
        try:
            return _fill(database, tables, records, seed, Pools(seed), progress)
        finally:
            database.end()


def seed_postgres(
    url: str,
    records: int,
    seed: int = 1,
    progress: Progress | None = None,
    targets: Collection[str] = (),
) -> dict[str, int]:
    """Like `seed_sqlite`, to the PostgreSQL database at a libpq URL."""
    import psycopg

    tables = _tables(records, targets)
    with psycopg.connect(url) as connection:
        return _fill(_Postgres(connection), tables, records, seed, Pools(seed, _for_copy), progress)


class _Database(Protocol):
    """What the seed needs of a database: what is done between `begin` and `commit` is done whole or not at all."""

    dialect: Dialect
    duplicate: type[Exception]

    def begin(self) -> None: ...

    def execute(self, sql: str) -> None: ...

    def has(self, query: str) -> bool: ...

    def load(self, table: Table, rows: Rows, loaded: Callable[[int], None]) -> None: ...

    def commit(self) -> None: ...


def _tables(records: int, targets: Collection[str]) -> set[Table]:
    """The tables to fill; ValueError if there is nothing to fill them with."""
    if records < 1:
        raise ValueError(f"cannot seed {records} records: at least 1 is needed")
    if unknown := [name for name in targets if name not in TARGETS]:
        raise ValueError(f"cannot seed target {unknown[0]!r}: valid are {', '.join(TARGETS)}")
    tables = set() if targets else set(TABLES)
    for name in targets:
        for record_set in TARGETS[name].sets:
            tables |= {record_set.table, *(relation.table for relation in record_set.relations)}
            tables |= {record_set.parent.table} if record_set.parent else set()
        tables |= READ_BESIDES.get(name, set())
    return tables


def _fill(
    database: _Database,
    tables: Collection[Table],
    records: int,
    seed: int,
    pools: Pools,
    progress: Progress | None,
) -> dict[str, int]:
    database.begin()
    written = {
        each.table.qualified: _fill_table(database, each, seed, progress)
        for each in every_table(records, pools)
        if each.table in tables
    }
    database.commit()
    return written


def _fill_table(database: _Database, each: TableRows, seed: int, progress: Progress | None) -> int:
    """Load a table's rows; the indexes of an empty one are made afterwards, which is faster."""
    name, done = each.table.qualified, 0

    def loaded(rows: int) -> None:
        nonlocal done
        done += rows
        if progress:
            progress(name, done, each.count)

    first = list(islice(each.rows, 1))
    if first and database.has(f"SELECT 1 FROM {name} WHERE id = '{first[0][0]}'"):
        raise _already_seeded(name, seed, f"id {first[0][0]}")
    indexes = create_indexes(each.table, database.dialect)
    if not database.has(f"SELECT 1 FROM {name} LIMIT 1"):
        for index in indexes:
            database.execute(f"DROP INDEX IF EXISTS {index}")
    try:
        database.load(each.table, chain(first, each.rows), loaded)
    except database.duplicate as error:
        raise _already_seeded(name, seed, str(error)) from error
    for statement in indexes.values():
        database.execute(statement)
    return done


def _already_seeded(table: str, seed: int, found: str) -> ValueError:
    return ValueError(
        f"{table} already holds rows of seed {seed} ({found}); nothing was written: choose another seed"
        " or an empty database"
    )


class _Sqlite:
    dialect: Dialect = "sqlite"
    duplicate: type[Exception] = sqlite3.IntegrityError

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def begin(self) -> None:
        for table in TABLES:
            self.execute(create_table(table, self.dialect))
        if not any(self.has(f"SELECT 1 FROM {table.qualified} LIMIT 1") for table in TABLES):
            self._write_once()
        for schema in ("main", *SCHEMAS):
            self.execute(f"PRAGMA {schema}.cache_size = -{SQLITE_CACHE_KIB}")
        self.execute("BEGIN IMMEDIATE")

    def _write_once(self) -> None:
        """Leave WAL mode: into an empty file a rollback journal writes each page once and is as safe in a crash."""
        self.execute("PRAGMA busy_timeout = 0")
        # If another connection has a file open, its mode cannot be changed, and WAL serves.
        for schema in ("main", *SCHEMAS):
            with suppress(sqlite3.OperationalError):
                self.execute(f"PRAGMA {schema}.journal_mode = TRUNCATE")
                self.execute(f"PRAGMA {schema}.synchronous = FULL")
        self.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")

    def execute(self, sql: str) -> None:
        self._connection.execute(sql).close()

    def has(self, query: str) -> bool:
        return self._connection.execute(query).fetchone() is not None

    def load(self, table: Table, rows: Rows, loaded: Callable[[int], None]) -> None:
        names = ", ".join(column.name for column in table.columns)
        places = ", ".join("?" for _ in table.columns)
        insert = f"INSERT INTO {table.qualified} ({names}) VALUES ({places})"
        cursor = self._connection.cursor()
        while batch := list(islice(rows, BATCH_ROWS)):
            cursor.executemany(insert, batch)
            loaded(len(batch))

    def commit(self) -> None:
        self.execute("COMMIT")

    def end(self) -> None:
        """Undo what was not committed and go back to WAL mode."""
        self._connection.rollback()
        for schema in ("main", *SCHEMAS):
            # Whoever opens the files next sets the mode again.
            with suppress(sqlite3.OperationalError):
                self.execute(f"PRAGMA {schema}.journal_mode = WAL")


class _Postgres:
    dialect: Dialect = "postgresql"

    def __init__(self, connection: psycopg.Connection) -> None:
        import psycopg

        self.duplicate: type[Exception] = psycopg.errors.UniqueViolation
        self._connection = connection
        self._made: set[Table] = set()

    def begin(self) -> None:
        for statement in create_schemas(self.dialect):
            self.execute(statement)
        for table in TABLES:
            if self.has(f"SELECT 1 WHERE to_regclass('{table.qualified}') IS NULL"):
                self._made.add(table)
                self.execute(create_table(table, self.dialect))

    def execute(self, sql: str) -> None:
        self._connection.execute(sql.encode())

    def has(self, query: str) -> bool:
        return self._connection.execute(query.encode()).fetchone() is not None

    def load(self, table: Table, rows: Rows, loaded: Callable[[int], None]) -> None:
        """COPY; a table made in this transaction takes its rows as frozen, and its primary key afterwards."""
        from psycopg.copy import QueuedLibpqWriter

        made = table in self._made
        names = ", ".join(column.name for column in table.columns)
        copying = f"COPY {table.qualified} ({names}) FROM STDIN" + (" (FREEZE)" if made else "")
        line = "\t".join("%s" for _ in table.columns) + "\n"
        if made:
            self.execute(f"ALTER TABLE {table.qualified} DROP CONSTRAINT {table.name}_pkey")
        cursor = self._connection.cursor()
        # This writer sends from a thread of its own: the next rows are made while the server takes the last.
        with cursor.copy(copying.encode(), writer=QueuedLibpqWriter(cursor)) as copy:
            while batch := list(map(line.__mod__, islice(rows, BATCH_ROWS))):
                copy.write("".join(batch).encode())
                loaded(len(batch))
        if made:
            self.execute(f"ALTER TABLE {table.qualified} ADD PRIMARY KEY (id)")

    def commit(self) -> None:
        """Commit with statistics at hand, from small samples, so that the first queries are planned well."""
        self.execute("SET LOCAL default_statistics_target = 10")
        for table in TABLES:
            self.execute(f"ANALYZE {table.qualified}")
        self._connection.commit()


def _for_copy(value: Any) -> Any:
    """The value as COPY's text format wants it."""
    if value is None:
        return "\\N"
    return value.translate(_COPY_ESCAPES) if isinstance(value, str) else value
