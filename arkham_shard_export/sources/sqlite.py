"""A snapshot of a SQLite file and those attached to it.

A read transaction fixes each file at its own first read, and a writer may commit in between. So the snapshot is
taken while a second connection holds the write lock of all files, for the microseconds that this needs.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from arkham_shard_export.errors import SnapshotBusy, SourceFailed
from arkham_shard_export.ports import Clock
from arkham_shard_export.records import BATCH_ROWS, Portion
from arkham_shard_export.schema import Table
from arkham_shard_export.sources.dialects import Catalog, SqliteDialect, catalog_of, quoted
from arkham_shard_export.sources.location import SqliteLocation
from arkham_shard_export.sources.snapshot import Hire, Line, Query, alone

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

    copies_as = 0
    consistent = True

    def __init__(
        self, location: SqliteLocation, clock: Clock, exact: bool = True, hire: Hire = alone
    ) -> None:
        self.dialect = SqliteDialect()
        self._connection = _connect(location, "ro")
        try:
            # Without leave to write, the writers cannot be held off for a moment.
            companions = hire(self) if os.access(location.path, os.W_OK) else None
            # A single file that one connection reads is in one state anyway.
            several = companions is not None or (exact and bool(location.attached))
            with self._frozen(location) if several else contextlib.nullcontext():
                self._connection.execute("BEGIN")
                for schema in ("main", *location.attached):
                    self._connection.execute(
                        f"SELECT 1 FROM {quoted(schema)}.sqlite_master LIMIT 1"
                    ).fetchall()
                if companions is not None:
                    companions.begin()
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

    @property
    def valid_text(self) -> bool:
        return self._connection.text_factory is str

    def catalog(self, table: Table) -> Catalog | None:
        sql, params = self.dialect.catalog_query(table)
        return catalog_of(self.fetch(sql, params))

    def stretch(self, table: Table) -> Portion | None:
        name = self.dialect.table(table)
        try:
            ((first, last),) = self._connection.execute(
                f"SELECT (SELECT min(_rowid_) FROM {name}), (SELECT max(_rowid_) FROM {name})"
            )
        except sqlite3.OperationalError:
            # A view, or a table without rowids.
            return None
        own = {name.lower() for name in self.catalog(table) or {}}
        return (first, last) if isinstance(first, int) and "_rowid_" not in own else None

    def roughly(self, table: Table) -> int:
        first, last = self.stretch(table) or (1, 0)
        return last - first + 1

    def copy(self, _query: Query) -> Iterator[Line]:
        raise NotImplementedError

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

    def mark(self) -> None:
        """A statement that fails leaves the transaction as it was."""

    def recover(self) -> None:
        if not self._connection.in_transaction:
            raise SourceFailed("The snapshot of the database was lost; run the export again.")

    def close(self) -> None:
        self._connection.close()
