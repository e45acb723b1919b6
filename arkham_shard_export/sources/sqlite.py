"""A snapshot of a SQLite file and those attached to it.

A read transaction fixes each file at its own first read, and a writer may commit in between. So the snapshot is
taken while a second connection holds the write lock of all files, for the microseconds that this needs.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from arkham_shard_export.errors import SnapshotBusy, SourceFailed
from arkham_shard_export.ports import Clock
from arkham_shard_export.records import BATCH_ROWS
from arkham_shard_export.schema import Table
from arkham_shard_export.sources.dialects import Catalog, SqliteDialect, catalog_of, quoted
from arkham_shard_export.sources.location import SqliteLocation
from arkham_shard_export.sources.snapshot import Query

LOCK_TIMEOUT_SECONDS = 30.0
LOCK_WAIT_MS = 20


def _decode(data: bytes) -> str:
    """Text that is not UTF-8 comes back with surrogates, which `values.clean_text` then replaces and counts."""
    return data.decode("utf-8", "surrogateescape")


def _connect(location: SqliteLocation, mode: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            f"file:{quote(location.path)}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=LOCK_TIMEOUT_SECONDS,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise SourceFailed(
            f"The database file {Path(location.path).name} cannot be opened: {error}."
        ) from error
    try:
        for schema, path in location.attached.items():
            connection.execute(f"ATTACH DATABASE ? AS {quoted(schema)}", [f"file:{quote(path)}?mode={mode}"])
    except sqlite3.Error as error:
        connection.close()
        raise SourceFailed(f"An attached database file cannot be opened: {error}.") from error
    return connection


class SqliteSnapshot:
    """Reads on a read-only connection of its own, inside one transaction from opening to closing."""

    consistent = True

    def __init__(self, location: SqliteLocation, clock: Clock, exact: bool = True) -> None:
        self.dialect = SqliteDialect()
        self._connection = _connect(location, "ro")
        try:
            with self._frozen(location if exact else SqliteLocation(location.path)):
                self._connection.execute("BEGIN")
                for schema in ("main", *location.attached):
                    self._connection.execute(
                        f"SELECT 1 FROM {quoted(schema)}.sqlite_master LIMIT 1"
                    ).fetchall()
                self.taken_at = clock()
        except sqlite3.Error as error:
            self._connection.close()
            if "locked" in str(error) or "busy" in str(error):
                raise SnapshotBusy(
                    "A writer held the database for too long to take a consistent snapshot; run the export again."
                ) from error
            raise SourceFailed(f"The database cannot be read: {error}.") from error
        except BaseException:
            self._connection.close()
            raise

    @contextlib.contextmanager
    def _frozen(self, location: SqliteLocation) -> Iterator[None]:
        if not location.attached:
            yield
            return
        with contextlib.closing(_connect(location, "rw")) as lock:
            # The files are locked one after another: waiting for one of them would hold the others from everybody.
            lock.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_MS}")
            deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
            while True:
                try:
                    lock.execute("BEGIN IMMEDIATE")
                    break
                except sqlite3.OperationalError as error:
                    busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                    if not busy or time.monotonic() > deadline:
                        raise
                    time.sleep(LOCK_WAIT_MS / 1000)
            try:
                yield
            finally:
                lock.execute("ROLLBACK")

    def catalog(self, table: Table) -> Catalog | None:
        sql, params = self.dialect.catalog_query(table)
        return catalog_of(self.fetch(sql, params))

    def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            try:
                return self._connection.execute(sql, params).fetchall()
            except sqlite3.OperationalError as error:
                self._decode_leniently(error)
                return self._connection.execute(sql, params).fetchall()
        except sqlite3.Error as error:
            raise SourceFailed(f"Reading the database failed: {error}.") from error

    def stream(self, query: Query) -> Iterator[list[tuple[Any, ...]]]:
        return self.stream_sql(*query.sql())

    def stream_sql(self, sql: str, params: Sequence[Any]) -> Iterator[list[tuple[Any, ...]]]:
        read = 0
        try:
            try:
                for batch in self._batches(sql, params):
                    read += len(batch)
                    yield batch
            except sqlite3.OperationalError as error:
                self._decode_leniently(error)
                # Within one transaction the same statement gives the same rows in the same order.
                yield from self._batches(sql, params, skipped=read)
        except sqlite3.Error as error:
            raise SourceFailed(f"Reading the database failed midway: {error}.") from error

    def _batches(self, sql: str, params: Sequence[Any], skipped: int = 0) -> Iterator[list[tuple[Any, ...]]]:
        with contextlib.closing(self._connection.execute(sql, params)) as cursor:
            while skipped > 0 and (again := cursor.fetchmany(min(skipped, BATCH_ROWS))):
                skipped -= len(again)
            while batch := cursor.fetchmany(BATCH_ROWS):
                yield batch

    def _decode_leniently(self, error: sqlite3.OperationalError) -> None:
        """From now on, text that is not UTF-8 is read too; raises any other error again. sqlite3's own decoding is faster."""
        if self._connection.text_factory is _decode or not str(error).startswith("Could not decode to UTF-8"):
            raise error
        self._connection.text_factory = _decode

    def close(self) -> None:
        self._connection.close()
