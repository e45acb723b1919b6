"""Each due time makes one job: over a year and more, by several hosts at once, whatever is killed when."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import pytest

from arkham_shard_export.host import guarded
from arkham_shard_export.jobs.filestores.folder import FolderStore
from arkham_shard_export.jobs.schedules.firing import stamp
from arkham_shard_export.jobs.service import JobService
from arkham_shard_export.jobs.table.listing import EVERYTHING
from arkham_shard_export.jobs.table.migrations import migrate
from arkham_shard_export.models import ExportSchedule, ExportScheduleRun
from arkham_shard_export.settings import Settings
from arkham_shard_export.standalone.services import EventBus
from tests.jobtables import Recording, database

BEGIN = datetime(2026, 2, 20, 12, 0, 30, tzinfo=UTC)
DAYS = 400
SEED = 8
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
        return JobService(
            guarded(mortal),
            EventBus(),
            mortal.dialect,
            None,
            FolderStore(self.folder),
            Settings(concurrency=0),
            lambda: self.now,
        )

    @property
    def first(self) -> JobService:
        return self.hosts[0]

    async def tick(self, number: int = 0) -> None:
        """Where the host is killed in it, another takes its place."""
        try:
            await self.hosts[number].firing.tick()
        except Killed:
            self.hosts[number] = self._start(self.databases[number])

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


Work = Callable[[Hosts], Any]


@pytest.fixture(params=["sqlite", "postgresql"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Work], None]:
    """Runs work on the hosts of a fresh database, in an event loop of its own."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")

    def within(work: Work) -> None:
        async def opened() -> None:
            async with hosts(request.param, tmp_path, url) as started:
                await work(started)

        asyncio.run(opened())

    return within


# A year and more


def at_fixed_time(zone: str, hour: int, minute: int, fits: Callable[[date], bool]) -> set[datetime]:
    """By dates, as PEP 495 tells times that do not exist, or exist twice."""
    found = set()
    for number in range(-1, DAYS + 2):
        day = (BEGIN + timedelta(days=number)).date()
        label = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone))
        there = label.astimezone(UTC)
        if there.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != label.replace(tzinfo=None):
            # The first moment after the gap: both readings of the label lie around it.
            there = next(
                moment
                for minutes in range(181)
                if (moment := there - timedelta(minutes=180 - minutes))
                and moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) > label.replace(tzinfo=None)
            )
        if fits(day):
            found.add(there)
    return found


def by_passing_hours(zone: str, every: int) -> set[datetime]:
    begin = BEGIN.replace(minute=0, second=0)
    moments = (begin + timedelta(hours=number) for number in range(24 * (DAYS + 1)))
    return {each for each in moments if each.astimezone(ZoneInfo(zone)).hour % every == 0}


def every_day(_day: date) -> bool:
    return True


PLANS: dict[str, tuple[dict[str, Any], Callable[[], set[datetime]]]] = {
    "in the gap of Berlin": (
        {"cron": "30 2 * * *", "time_zone": "Europe/Berlin"},
        lambda: at_fixed_time("Europe/Berlin", 2, 30, every_day),
    ),
    "in the hour that comes twice": (
        {"cron": "30 1 * * SUN", "time_zone": "America/New_York"},
        lambda: at_fixed_time("America/New_York", 1, 30, lambda day: day.weekday() == 6),
    ),
    "every eight hours that pass": (
        {"cron": "0 */8 * * *", "time_zone": "Europe/Berlin"},
        lambda: by_passing_hours("Europe/Berlin", 8),
    ),
    "on the last of the month": (
        {"cron": "0 0 L * *", "time_zone": "Africa/Cairo"},
        lambda: at_fixed_time("Africa/Cairo", 0, 0, lambda day: (day + timedelta(days=1)).day == 1),
    ),
    "by half an hour": (
        {"cron": "15 2 * * *", "time_zone": "Australia/Lord_Howe"},
        lambda: at_fixed_time("Australia/Lord_Howe", 2, 15, every_day),
    ),
    "an interval": (
        {"every": "1d"},
        lambda: {BEGIN + timedelta(days=number) for number in range(1, DAYS + 2)},
    ),
}


@pytest.mark.timeout(300)
def test_over_400_days_each_due_time_makes_one_job_whoever_is_killed(run: Callable[[Work], None]) -> None:
    chance = random.Random(SEED)

    async def work(hosts: Hosts) -> None:
        end = BEGIN + timedelta(days=DAYS)
        made = {name: await hosts.make(name=name, **fields) for name, (fields, _) in PLANS.items()}
        expected = {
            str(uuid5(UUID(made[name].id), stamp(due))): (name, due)
            for name, (_, due_times) in PLANS.items()
            for due in due_times()
            if BEGIN < due <= end
        }
        assert len(expected) > 2000
        moments = sorted({due for _, due in expected.values()})
        number = rounds = 0
        while number < len(moments):
            # Now and then a host comes late, and finds several due times, but all in time.
            hosts.now = moments[number] + timedelta(seconds=chance.choice((0, 1, 59, 200)))
            while number < len(moments) and moments[number] <= hosts.now:
                number += 1
            both = len(hosts.hosts) > 1 and chance.random() < 0.3
            busy = range(len(hosts.hosts)) if both else [chance.randrange(len(hosts.hosts))]
            for each in busy:
                if chance.random() < 0.25:
                    hosts.kill(each, chance.randrange(6), after=chance.random() < 0.5)
            await asyncio.gather(*(hosts.tick(each) for each in busy))
            for each in busy:
                await hosts.tick(each)
            if (rounds := rounds + 1) % 5 == 0:
                await hosts.end_jobs()
        made_for = await hosts.jobs()
        assert made_for.keys() == expected.keys()
        shown: Counter[tuple[str, str]] = Counter()
        for job_id, (name, due) in expected.items():
            assert made_for[job_id] == {"id": made[name].id, "name": name, "due": due.isoformat()}
            zone = PLANS[name][0].get("time_zone", "UTC")
            shown[name, f"{due.astimezone(ZoneInfo(zone)):%H:%M}"] += 1
        # At the two changes to summer time of Berlin: what would be at 02:30 comes when the clock shows 03:00.
        assert shown["in the gap of Berlin", "03:00"] == 1
        assert shown["in the gap of Berlin", "02:30"] == DAYS - 1
        for schedule in made.values():
            assert (await hosts.read(schedule)).state == "active"

    run(work)
