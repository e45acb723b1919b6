"""Hosts with a clock of the test's that look for schedules when they are told to, and can be killed at any change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from arkham_shard_export.host import guarded
from arkham_shard_export.jobs.filestores.folder import FolderStore
from arkham_shard_export.jobs.service import JobService
from arkham_shard_export.jobs.table.listing import EVERYTHING
from arkham_shard_export.jobs.table.migrations import migrate
from arkham_shard_export.models import ExportSchedule, ExportScheduleRun
from arkham_shard_export.settings import Settings
from arkham_shard_export.standalone.services import EventBus
from tests.jobtables import Recording, database

BEGIN = datetime(2026, 2, 20, 12, 0, 30, tzinfo=UTC)
REQUEST = {"target": "claims", "format": "json"}


class Killed(BaseException):
    """The process is gone in the middle of its work."""


class Mortal(Recording):
    """A database service whose process is killed before one of its changes, or right after it."""

    changes_left: int | None = None
    after = False

    async def execute(self, sql: str, params: Any = None) -> None:
        if self.changes_left is not None:
            self.changes_left -= 1
            if self.changes_left < 0:
                if self.after and self.changes_left == -1:
                    await self.service.execute(sql, params)
                raise Killed
        await self.service.execute(sql, params)

    async def fetch_one(self, sql: str, params: Any = None) -> Any:
        if self.changes_left is not None and self.changes_left < 0:
            raise Killed
        return await self.service.fetch_one(sql, params)

    async def fetch_all(self, sql: str, params: Any = None) -> Any:
        if self.changes_left is not None and self.changes_left < 0:
            raise Killed
        return await self.service.fetch_all(sql, params)


class Hosts:
    """Hosts on one database, with one clock, which are started again when they were killed. They run no jobs."""

    def __init__(self, services: list[Recording], folder: Path) -> None:
        self.now = BEGIN
        self.folder = folder
        self.databases = [Mortal(each.service, each.dialect) for each in services]
        self.hosts = [self._start(each) for each in self.databases]

    def _start(self, mortal: Mortal) -> JobService:
        mortal.changes_left = None
        return self._service(mortal, EventBus(), Settings(concurrency=0))

    def _service(self, mortal: Mortal, events: EventBus | None, settings: Settings) -> JobService:
        files = FolderStore(self.folder)
        return JobService(guarded(mortal), events, mortal.dialect, None, files, settings, lambda: self.now)

    def worker(self, **settings: Any) -> JobService:
        """A process without a host."""
        mortal = self.databases[0]
        return self._service(mortal, None, Settings(concurrency=0, **settings))

    @property
    def first(self) -> JobService:
        return self.hosts[0]

    async def tick(self, number: int = 0) -> None:
        """Where the host is killed in it, another takes its place."""
        try:
            await self.hosts[number].firing.tick()
        except Killed:
            self.hosts[number] = self._start(self.databases[number])

    def restart(self) -> None:
        """The first host."""
        self.hosts[0] = self._start(self.databases[0])

    def kill(self, number: int, changes: int, after: bool = False) -> None:
        """Before so many changes more, or right after the last of them."""
        self.databases[number].changes_left, self.databases[number].after = changes, after

    async def jobs(self) -> dict[str, dict[str, Any]]:
        """What the schedule's jobs were made for, by their ids."""
        rows = await self.databases[0].service.fetch_all("SELECT id, metadata FROM arkham_export_jobs")
        return {str(row["id"]): json.loads(row["metadata"])["schedule"] for row in rows}

    async def sql(self, statement: str, *params: Any) -> None:
        await self.databases[0].service.execute(statement, list(params))

    async def end_jobs(self, status: str = "cancelled", error: str | None = None) -> None:
        await self.sql(
            "UPDATE arkham_export_jobs SET status = ?, error = ?, completed_at = ? WHERE status = 'pending'",
            status,
            error,
            self.now.isoformat(timespec="microseconds"),
        )

    def pass_(self, **time_passed: float) -> None:
        self.now += timedelta(**time_passed)

    async def make(self, **fields: Any) -> ExportSchedule:
        given = {"name": "test", "request": REQUEST, **fields}
        return await self.first.schedules.create(given, created_by="ann", tenant_id=None)

    async def runs(self, schedule: ExportSchedule) -> list[ExportScheduleRun]:
        """The oldest first."""
        runs, _ = await self.first.schedules.runs(schedule.id, EVERYTHING, 500)
        return runs[::-1]

    async def read(self, schedule: ExportSchedule) -> ExportSchedule:
        return await self.first.schedules.get(schedule.id, EVERYTHING)

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        rows = await self.databases[0].service.fetch_all(
            "SELECT event, payload FROM arkham_export_outbox WHERE event LIKE 'export.schedule.%' ORDER BY id"
        )
        return [(str(row["event"]), json.loads(row["payload"])) for row in rows]


@asynccontextmanager
async def hosts(kind: str, folder: Path, url: str) -> AsyncIterator[Hosts]:
    """Two on PostgreSQL, one on SQLite."""
    async with database(kind, folder, url) as first:
        await migrate(first, first.dialect)
        if kind == "sqlite":
            yield Hosts([first], folder)
            return
        # What a crash of the server's machine would lose is not at issue here, and waiting for disks takes long.
        name = url.split("?")[0].rsplit("/", 1)[1]
        await first.service.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    async with database(kind, folder, url) as first, database(kind, folder, url) as second:
        yield Hosts([first, second], folder)
