"""The host's database service over SQLite (aiosqlite, WAL) or PostgreSQL (psycopg), without ever blocking the loop."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiosqlite

from arkham_shard_export.ports import Parameters
from arkham_shard_export.sources.postgres import CONNECT_TIMEOUT_SECONDS, libpq_url
from arkham_shard_export.standalone.errors import HostNotStarted
from arkham_shard_export.standalone.tables import (
    BUSY_TIMEOUT_MS,
    create_statements,
    open_sqlite,
    sqlite_paths,
)

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

CALL_TIMEOUT_SECONDS = 3.0
"""How long a call waits for a connection; then the database is said not to answer."""

_TABLES_LOCK = 0x61726B74
_NAMED = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")


class SqliteService:
    """One connection, with the peers' schemas attached."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.url = f"sqlite:///{sqlite_paths(data_dir.resolve())[0]}"

    async def start(self) -> None:
        """Make files and tables where they are missing, and connect."""
        connection = open_sqlite(self._data_dir)
        try:
            for statement in create_statements("sqlite"):
                connection.execute(statement)
        finally:
            connection.close()
        main, attached = sqlite_paths(self._data_dir.resolve())
        self._connection = await aiosqlite.connect(main, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)
        for schema, path in attached.items():
            await self._connection.execute(f"ATTACH DATABASE ? AS {schema}", (str(path),))
        for schema in ("main", *attached):
            await self._connection.execute(f"PRAGMA {schema}.synchronous = NORMAL")
        self._connection.row_factory = aiosqlite.Row

    async def execute(self, sql: str, params: Parameters | None = None) -> None:
        async with self._connection.execute(sql, _plain(params)):
            pass

    async def fetch_one(self, sql: str, params: Parameters | None = None) -> dict[str, Any] | None:
        async with self._connection.execute(sql, _plain(params)) as cursor:
            row = await cursor.fetchone()
        return None if row is None else dict(row)

    async def fetch_all(self, sql: str, params: Parameters | None = None) -> list[dict[str, Any]]:
        async with self._connection.execute(sql, _plain(params)) as cursor:
            rows = await cursor.fetchall()
        return [dict(row) for row in rows]

    async def stop(self) -> None:
        await self._connection.close()


class PostgresService:
    """A small pool; every statement is a transaction of its own, without the calls that would begin and end one."""

    _pool: AsyncConnectionPool[AsyncConnection[Any]]

    def __init__(self, url: str, *, make_tables: bool = True) -> None:
        self.url = url
        self._make_tables = make_tables
        self._prepared = False

    async def start(self) -> None:
        """Connect, and make schemas and tables where they are missing; HostNotStarted where the server does not answer.

        Then a call still works as soon as it does.
        """
        from psycopg.rows import dict_row
        from psycopg_pool import AsyncConnectionPool, PoolTimeout

        self._pool = AsyncConnectionPool(
            libpq_url(self.url),
            min_size=1,
            max_size=4,
            timeout=CALL_TIMEOUT_SECONDS,
            # Its pauses double: after a long outage the next try would be minutes away. A call begins anew.
            reconnect_timeout=CALL_TIMEOUT_SECONDS,
            open=False,
            kwargs={"row_factory": dict_row, "application_name": "arkham-export-host", "autocommit": True},
        )
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        await self._pool.open()
        try:
            # Not wait(), which closes the pool for good where nobody answers.
            async with self._connection(CONNECT_TIMEOUT_SECONDS):
                pass
        except PoolTimeout:
            raise HostNotStarted(
                f"The database does not answer within {CONNECT_TIMEOUT_SECONDS} s; check --database-url and that "
                "the server is running."
            ) from None

    @asynccontextmanager
    async def _connection(self, patience: float | None = None) -> AsyncIterator[AsyncConnection[Any]]:
        async with self._pool.connection(patience) as connection:
            if not self._prepared:
                if self._make_tables:
                    async with connection.transaction():
                        # IF NOT EXISTS is no help to hosts that start at once: the slower ones fail.
                        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_TABLES_LOCK])
                        for statement in create_statements("postgresql"):
                            await connection.execute(statement.encode())
                self._prepared = True
            yield connection

    async def execute(self, sql: str, params: Parameters | None = None) -> None:
        async with self._connection() as connection:
            await connection.execute(*_psycopg(sql, params))

    async def fetch_one(self, sql: str, params: Parameters | None = None) -> dict[str, Any] | None:
        rows = await self.fetch_all(sql, params)
        return rows[0] if rows else None

    async def fetch_all(self, sql: str, params: Parameters | None = None) -> list[dict[str, Any]]:
        async with self._connection() as connection:
            cursor = await connection.execute(*_psycopg(sql, params))
            return await cursor.fetchall()

    async def change(self, sql: str, params: Parameters | None = None) -> list[dict[str, Any]]:
        return await self.fetch_all(sql, params)

    async def stop(self) -> None:
        await self._pool.close()


def _plain(params: Parameters | None) -> Any:
    return () if params is None else dict(params) if isinstance(params, Mapping) else tuple(params)


def _psycopg(sql: str, params: Parameters | None) -> tuple[bytes, Any]:
    sql = sql.replace("%", "%%")
    if isinstance(params, Mapping):
        return _NAMED.sub(r"%(\1)s", sql).encode(), dict(params)
    return sql.replace("?", "%s").encode(), list(params or ())
