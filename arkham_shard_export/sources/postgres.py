"""A snapshot of a PostgreSQL database: REPEATABLE READ, read only, streamed through server-side cursors."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, LiteralString

from arkham_shard_export.errors import DatabaseGone, SourceFailed
from arkham_shard_export.ports import Clock
from arkham_shard_export.records import BATCH_ROWS, Portion
from arkham_shard_export.schema import Table
from arkham_shard_export.sources.dialects import Catalog, PostgresDialect, catalog_of
from arkham_shard_export.sources.location import PostgresLocation
from arkham_shard_export.sources.snapshot import Hire, Line, Query, alone

if TYPE_CHECKING:
    from psycopg import Connection

CONNECT_TIMEOUT_SECONDS = 10
TID_RANGES_SINCE = 140000

_SESSION = (
    # One text form for every value, and rows in storage order however large the table is.
    "SET TIME ZONE 'UTC'; SET DateStyle = 'ISO, YMD'; SET extra_float_digits = 1; SET synchronize_seqscans = off;"
    " SET max_parallel_workers_per_gather = 0; SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0;"
    " SET bytea_output = 'hex'; SET jit = off"
)


def libpq_url(url: str) -> str:
    """A SQLAlchemy URL as libpq reads it: without the driver's name."""
    return re.sub(r"^postgres(?:ql)?(?:\+\w+)?://", "postgresql://", url)


_MARK = re.compile(r'"(?:[^"]|"")*"|[?%]')
"""A quoted identifier, which may hold a question mark, or a mark, or a percent sign."""


@lru_cache(maxsize=256)
def _psycopg_marks(sql: str) -> bytes:
    return _MARK.sub(_psycopg_mark, sql).encode()


def _psycopg_mark(match: re.Match[str]) -> str:
    found = match.group()
    return "%s" if found == "?" else found.replace("%", "%%")


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__


class Spare:
    """The connection that the last snapshot of this process has left, for the next one to take.

    Only a process that runs one export after the other keeps it: connecting costs more than a small export.
    """

    def __init__(self) -> None:
        self.kept = False
        self._url = ""
        self._connection: Connection[Any] | None = None

    def take(self, url: str) -> Connection[Any] | None:
        connection, self._connection = self._connection, None
        if connection is not None and url != self._url:
            connection.close()
            return None
        return connection

    def leave(self, url: str, connection: Connection[Any]) -> None:
        """Keep the connection, or close it where it is of no use any more."""
        with suppress(connection.Error):
            if self.kept and self._connection is None:
                connection.rollback()
                self._url, self._connection = url, connection
                return
        connection.close()

    def close(self) -> None:
        """The next snapshot connects anew."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


SPARE = Spare()


class PostgresSnapshot:
    consistent = True
    valid_text = True

    def __init__(
        self, location: PostgresLocation, clock: Clock, hire: Hire = alone, shared: str = ""
    ) -> None:
        import psycopg

        self.dialect = PostgresDialect()
        self._error = psycopg.Error
        self._names = itertools.count(1)
        self._url = libpq_url(location.url)
        spare = SPARE.take(self._url)
        self._connection = spare or _connected(self._url)
        try:
            try:
                self._take(shared)
            except psycopg.OperationalError:
                if spare is None:
                    raise
                # The server has ended it while nobody needed it.
                spare.close()
                self._connection = _connected(self._url)
                self._take(shared)
            self.taken_at = clock()
            if (companions := hire(self)) is not None:
                companions.begin(str(self.fetch("SELECT pg_export_snapshot()")[0][0]))
        except psycopg.Error as error:
            failed = self._failed("The database cannot be read", error)
            self._connection.close()
            raise failed from error
        except BaseException:
            self._connection.close()
            raise

    def _take(self, shared: str) -> None:
        from psycopg.sql import SQL

        # The snapshot is taken by the first statement, not by BEGIN.
        first = SQL("SET TRANSACTION SNAPSHOT {}").format(shared) if shared else SQL("SELECT 1")
        self._connection.execute(SQL("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {}").format(first))

    def _failed(self, what: str, error: BaseException) -> SourceFailed:
        lost = self._connection.closed
        return (DatabaseGone if lost else SourceFailed)(f"{what}: {_first_line(error)}.")

    def catalog(self, table: Table) -> Catalog | None:
        sql, params = self.dialect.catalog_query(table)
        return catalog_of(self.fetch(sql, params))

    def stretch(self, table: Table) -> Portion | None:
        if self._connection.info.server_version < TID_RANGES_SINCE:
            return None
        # A table that has others below it, or is none at all, has no places of its own.
        found = self.fetch(
            "SELECT CAST(pg_relation_size(oid) / current_setting('block_size')::bigint AS bigint) FROM pg_class"
            " WHERE oid = to_regclass(?) AND relkind IN ('r', 'm') AND NOT relhassubclass",
            [self.dialect.table(table)],
        )
        return (0, found[0][0] - 1) if found and found[0][0] else None

    def roughly(self, table: Table) -> int:
        found = self.fetch(*self.dialect.rough_count(table))
        return int(found[0][0]) if found else 0

    def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(_psycopg_marks(sql), params).fetchall()
        except self._error as error:
            raise self._failed("Reading the database failed", error) from error

    def stream(self, query: Query) -> Iterator[list[tuple[Any, ...]]]:
        if query.limit is None or query.limit > BATCH_ROWS:
            return self.stream_sql(*query.sql())
        # A cursor would be three further calls.
        return filter(None, [self.fetch(*query.sql())])

    def stream_sql(self, sql: str, params: Sequence[Any]) -> Iterator[list[tuple[Any, ...]]]:
        try:
            with self._connection.cursor(name=f"arkham_export_{next(self._names)}") as cursor:
                cursor.execute(_psycopg_marks(sql), params)
                more = True
                while more and (batch := cursor.fetchmany(BATCH_ROWS)):
                    more = len(batch) == BATCH_ROWS
                    yield batch
        except self._error as error:
            raise self._failed("Reading the database failed midway", error) from error

    @property
    def copies_as(self) -> int:
        info = self._connection.info
        return info.server_version if info.parameter_status("server_encoding") == "UTF8" else 0

    def copy(self, query: Query) -> Iterator[Line]:
        sql, params = query.sql()
        statement = b"COPY (%b) TO STDOUT (FORMAT csv, ENCODING 'UTF8')" % _psycopg_marks(sql)
        try:
            with self._connection.cursor() as cursor, cursor.copy(statement, params) as rows:
                try:
                    yield from rows
                finally:
                    # Leaving early would cancel the statement, and with it the snapshot.
                    for _ in rows:
                        pass
        except self._error as error:
            raise self._failed("Reading the database failed midway", error) from error

    def mark(self) -> None:
        self._run("SAVEPOINT arkham_export_mark")

    def recover(self) -> None:
        self._run("ROLLBACK TO SAVEPOINT arkham_export_mark")

    def _run(self, sql: LiteralString) -> None:
        try:
            self._connection.execute(sql)
        except self._error as error:
            raise self._failed("The database cannot be read", error) from error

    def close(self) -> None:
        SPARE.leave(self._url, self._connection)


def _connected(url: str) -> Connection[Any]:
    import psycopg

    try:
        connection = psycopg.connect(
            url, connect_timeout=CONNECT_TIMEOUT_SECONDS, application_name="arkham-export", autocommit=True
        )
    except psycopg.Error as error:
        raise DatabaseGone("The database does not answer; the export can run again when it does.") from error
    try:
        connection.execute(_SESSION)
    except psycopg.Error as error:
        connection.close()
        raise DatabaseGone(f"The database cannot be read: {_first_line(error)}.") from error
    return connection
