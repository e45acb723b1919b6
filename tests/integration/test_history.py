"""The history of the last days equals what the rows say, on each database, however it is summed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from arkham_shard_export.jobs.table import history as history_module
from arkham_shard_export.jobs.table.history import DURATIONS_MS, History
from arkham_shard_export.jobs.table.listing import EVERYTHING, Scope
from arkham_shard_export.jobs.table.migrations import migrate
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.models import ExportHistory, ExportJob, ExportStatus
from tests.jobtables import TENANT, Recording, database

TODAY = date(2026, 11, 24)
DAYS = 7
Ended = tuple[ExportJob, str | None]


@pytest.fixture(params=["sqlite", "postgresql", "arkhamframe"])
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Callable[..., Awaitable[None]]], None]:
    """Runs work on a table of varied jobs, with these and the tenant of each, in an event loop of its own."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")

    def within(work: Callable[[Recording, list[Ended]], Awaitable[None]]) -> None:
        async def opened() -> None:
            async with database(request.param, tmp_path, url) as recording:
                await migrate(recording, recording.dialect)
                await work(recording, await filled(JobStore(recording, recording.dialect)))

        asyncio.run(opened())

    return within


async def filled(store: JobStore) -> list[Ended]:
    """Jobs of the last days and of days before and after, at the edges of days too."""
    chance = random.Random(7)
    made = []
    for number in range(150):
        day = TODAY - timedelta(days=chance.randrange(-1, DAYS + 2))
        hour = chance.choice([timedelta(), timedelta(hours=13), timedelta(days=1, microseconds=-1)])
        job = ExportJob(
            f"job-{number}",
            chance.choice(["csv", "json", "pdf"]),
            chance.choice(["claims", "graph"]),
            created_at=datetime(day.year, day.month, day.day, tzinfo=UTC) + hour,
            created_by=chance.choice(["ann", "bob"]),
        )
        tenant = chance.choice([None, TENANT])
        await store.insert(job, tenant, "small")
        job.status = chance.choice([*ExportStatus])
        if job.status is not ExportStatus.PENDING:
            await store.claim(job.id, "me", job.created_at or datetime.now(UTC))
        if job.status not in (ExportStatus.PENDING, ExportStatus.PROCESSING):
            job.record_count, job.file_size = chance.randrange(1000), chance.randrange(1 << 40)
            job.processing_time_ms = chance.choice([0.5, 100.0, 999.0, 59_000.0, 1e6])
            done = {
                "record_count": job.record_count,
                "file_size": job.file_size,
                "processing_time_ms": job.processing_time_ms,
            }
            await store.finish(job.id, "me", "x", job.status, done)
        made.append((job, tenant))
    return made


def agrees(told: ExportHistory, jobs: list[ExportJob]) -> None:
    assert [each.date for each in told.days] == [
        (TODAY - timedelta(days=ago)).isoformat() for ago in reversed(range(DAYS))
    ]
    within = [each for each in jobs if f"{each.created_at:%Y-%m-%d}" in {day.date for day in told.days}]
    done = [each for each in within if each.status is ExportStatus.COMPLETED]
    for day in told.days:
        here = [each for each in within if f"{each.created_at:%Y-%m-%d}" == day.date]
        ended = [each for each in here if each in done]
        assert day.jobs == len(here)
        assert {name: n for name, n in day.by_status.items() if n} == Counter(
            each.status.value for each in here
        )
        assert (day.records, day.bytes) == (
            sum(each.record_count for each in ended),
            sum(each.file_size or 0 for each in ended),
        )
    for kinds, name in ((told.by_format, "format"), (told.by_target, "target")):
        assert kinds.keys() == {getattr(each, name) for each in within}
        for value, kind in kinds.items():
            of_kind = [each for each in within if getattr(each, name) == value]
            ended = [each for each in of_kind if each in done]
            assert (kind.jobs, kind.completed) == (len(of_kind), len(ended))
            assert kind.bytes == sum(each.file_size or 0 for each in ended)
            mean = sum(each.processing_time_ms for each in ended) / (len(ended) or 1)
            assert kind.average_ms == pytest.approx(mean)
    bounds = [0, *DURATIONS_MS, float("inf")]
    assert [(each.under_ms, each.jobs) for each in told.durations] == [
        (most, sum(least <= each.processing_time_ms < (most or bounds[-1]) for each in done))
        for least, most in zip(bounds, (*DURATIONS_MS, None), strict=False)
    ]


@pytest.mark.parametrize("at_once", [0, 10_000])
def test_the_history_is_that_of_the_rows_whoever_asks(
    jobs: Callable[[Callable[..., Awaitable[None]]], None], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "MOST_AT_ONCE", at_once)

    async def work(recording: Recording, made: list[Ended]) -> None:
        history = History(recording, recording.dialect)
        for scope in (EVERYTHING, Scope(TENANT), Scope(None, "ann"), Scope(TENANT, "bob")):
            seen = [
                job
                for job, tenant in made
                if scope.tenant_id in (None, tenant) and scope.owner in (None, job.created_by)
            ]
            recording.statements.clear()
            told = await history.last(DAYS, TODAY, scope)
            assert len(recording.statements) == 1 + (1 if at_once else DAYS)
            assert sum(day.jobs for day in told.days) > 5
            agrees(told, seen)

    jobs(work)


def test_a_history_of_nothing_has_its_days(
    jobs: Callable[[Callable[..., Awaitable[None]]], None],
) -> None:
    async def work(recording: Recording, _made: list[Ended]) -> None:
        told = await History(recording, recording.dialect).last(DAYS, TODAY, Scope(None, "nobody"))
        assert (told.by_format, told.by_target) == ({}, {})
        agrees(told, [])

    jobs(work)
