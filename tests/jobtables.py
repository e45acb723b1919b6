"""The jobs table behind each database service it can lie behind, and many rows for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from arkham_shard_export.jobs.table.migrations import migrate
from arkham_shard_export.sources.dialects import Dialect, PostgresDialect, SqliteDialect
from arkham_shard_export.standalone.database import PostgresService, SqliteService

KINDS = "status, format, target, created_by, tenant_id"
TENANT = "5b6a2c3e-8a5e-4a7e-9a56-0f0a6d1d9b11"


class Recording:
    """A real database service whose statements can be looked at afterwards; it can fail at one of its changes."""

    def __init__(self, service: Any, dialect: Dialect) -> None:
        self.service = service
        self.dialect = dialect
        self.sqlite = isinstance(dialect, SqliteDialect)
        self.statements: list[tuple[str, Any]] = []
        self.changes_left: int | None = None

    async def execute(self, sql: str, params: Any = None) -> None:
        self.statements.append((sql, params))
        if self.changes_left is not None:
            if self.changes_left == 0:
                raise OSError("the host was killed")
            self.changes_left -= 1
        await self.service.execute(sql, params)

    async def fetch_one(self, sql: str, params: Any = None) -> Any:
        self.statements.append((sql, params))
        return await self.service.fetch_one(sql, params)

    async def fetch_all(self, sql: str, params: Any = None) -> Any:
        self.statements.append((sql, params))
        return await self.service.fetch_all(sql, params)


class RecordingReturning(Recording):
    """Of a service that tells what it has changed."""

    async def change(self, sql: str, params: Any = None) -> Any:
        self.statements.append((sql, params))
        return await self.service.change(sql, params)


@asynccontextmanager
async def database(kind: str, data_dir: Path, postgres_url: str = "") -> AsyncIterator[Recording]:
    """`kind` is sqlite, postgresql, returning (PostgreSQL, telling what was changed), or arkhamframe: the host's own
    service, blocking and with marks of its own."""
    if kind == "arkhamframe":
        from arkham_frame.database import DatabaseService

        service = DatabaseService(postgres_url)
        try:
            yield Recording(service, PostgresDialect())
        finally:
            await service.close()
        return
    standalone = SqliteService(data_dir) if kind == "sqlite" else PostgresService(postgres_url)
    await standalone.start()
    try:
        recording = RecordingReturning if kind == "returning" else Recording
        yield recording(standalone, SqliteDialect() if kind == "sqlite" else PostgresDialect())
    finally:
        await standalone.stop()


async def fill(recording: Recording, rows: int, analyze: bool) -> None:
    """Finished jobs: of every ten one failed and one was cancelled; fifty users; every fourth is of TENANT.

    Of those that failed none is CSV, but for ten. They ended in another order than they were created in; of every
    thousand one has no time of its end.
    """
    numbers = f"generate_series(1, {rows}) AS n(i)"
    recursion = ""
    tenant = f"CAST('{TENANT}' AS uuid)"
    created = "replace(CAST(CAST('2020-01-01' AS timestamp) + i * interval '1 minute' AS text), ' ', 'T')"
    took = "i % 1000 * 919 % 1000"
    ended = created.replace("i * interval", f"(i + {took}) * interval")
    if recording.sqlite:
        recursion = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
        numbers, tenant = "n", f"'{TENANT}'"
        created = "strftime('%Y-%m-%dT%H:%M:%S', 1577836800 + i * 60, 'unixepoch')"
        ended = created.replace("i * 60", f"(i + {took}) * 60")
    await recording.service.execute(
        "INSERT INTO arkham_export_jobs (id, format, target, status, created_at, record_count, file_size,"
        f" processing_time_ms, created_by, tenant_id, file_path, expires_at, completed_at) {recursion}"
        " SELECT 'old-' || CAST(i AS TEXT), CASE i % 5 WHEN 0 THEN 'csv' WHEN 1 THEN 'pdf' ELSE 'json' END,"
        " CASE i % 3 WHEN 0 THEN 'claims' WHEN 1 THEN 'documents' ELSE 'graph' END,"
        " CASE WHEN i % 10 = 3 OR (i <= 50 AND i % 5 = 0) THEN 'failed' WHEN i % 10 = 4 THEN 'cancelled'"
        f" ELSE 'completed' END, {created} || '.000000+00:00', 10, 1000, 5.0,"
        f" 'user-' || CAST(i % 50 AS TEXT), CASE WHEN i % 4 = 0 THEN {tenant} END,"
        " CASE WHEN i % 10 IN (0, 1, 2, 5, 6, 7, 8, 9) AND NOT (i <= 50 AND i % 5 = 0)"
        f" THEN 'undated/old-' || CAST(i AS TEXT) || '.1.json' END, {created} || '.000000+00:00',"
        f" CASE WHEN i % 1000 <> 1 THEN {ended} || '.000000+00:00' END FROM {numbers}"
    )
    if analyze:
        await recording.service.execute("ANALYZE arkham_export_jobs")


async def totals(recording: Recording) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """What the totals say and what the rows say, by kind of job."""
    said = await recording.service.fetch_all(
        f"SELECT {KINDS}, SUM(jobs) AS jobs, SUM(records) AS records, SUM(bytes) AS bytes, SUM(time_ms) AS time_ms"
        f" FROM arkham_export_job_totals GROUP BY {KINDS} HAVING SUM(jobs) <> 0 OR SUM(records) <> 0 OR SUM(bytes) <> 0"
    )
    true = await recording.service.fetch_all(
        f"SELECT {KINDS}, COUNT(*) AS jobs, SUM(COALESCE(record_count, 0)) AS records,"
        " SUM(COALESCE(file_size, 0)) AS bytes, SUM(COALESCE(processing_time_ms, 0)) AS time_ms"
        f" FROM arkham_export_jobs GROUP BY {KINDS}"
    )
    return _by_kind(said), _by_kind(true)


def _by_kind(rows: list[dict[str, Any]]) -> dict[Any, Any]:
    return {
        tuple(None if row[name] is None else str(row[name]) for name in KINDS.split(", ")): (
            int(row["jobs"]),
            int(row["records"]),
            int(row["bytes"]),
            round(float(row["time_ms"]), 3),
        )
        for row in rows
    }


def on_tables(
    request: pytest.FixtureRequest, folder: Path, subjects: Callable[[Recording], tuple[Any, ...]]
) -> Callable[[Callable[..., Awaitable[None]]], None]:
    """Runs work on migrated tables of the kind that the fixture is asked for, in an event loop of its own."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")

    def within(work: Callable[..., Awaitable[None]]) -> None:
        async def opened() -> None:
            async with database(request.param, folder, url) as recording:
                await migrate(recording, recording.dialect)
                await work(*subjects(recording))

        asyncio.run(opened())

    return within
