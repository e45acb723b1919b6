"""The jobs table on both databases: changes of state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from arkham_shard_export.jobs.lifecycle import TRANSITIONS
from arkham_shard_export.jobs.table.listing import EVERYTHING
from arkham_shard_export.jobs.table.migrations import migrate
from arkham_shard_export.jobs.table.store import JobStore, StoredJob
from arkham_shard_export.models import ExportJob, ExportStatus
from tests.jobtables import Recording, database

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
Opened = tuple[JobStore, Recording]


@pytest.fixture(params=["sqlite", "postgresql", "returning"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Any]:
    """A migrated jobs table, as a context to enter in the test's own loop."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")

    @asynccontextmanager
    async def open_store() -> AsyncIterator[Opened]:
        async with database(request.param, tmp_path, url) as recording:
            await migrate(recording, recording.dialect)
            recording.statements.clear()
            yield JobStore(recording, recording.dialect), recording

    return open_store


def run(opened: Callable[[], Any], work: Callable[[JobStore, Recording], Awaitable[None]]) -> None:
    async def within() -> None:
        async with opened() as (store, recording):
            await work(store, recording)

    asyncio.run(within())


def job(number: int = 1) -> ExportJob:
    return ExportJob(f"job-{number:04d}", "json", "claims", created_at=NOW + timedelta(seconds=number))


def counted(stored: StoredJob | None) -> tuple[int, int] | None:
    return None if stored is None else (stored.attempts, stored.tries)


def test_a_table_older_than_the_record_of_its_version_is_upgraded_all_the_same(
    opened: Callable[[], Any],
) -> None:
    async def work(store: JobStore, recording: Recording) -> None:
        await store.insert(job(), None, "small")
        await recording.execute("ALTER TABLE arkham_export_jobs DROP COLUMN interruptions")
        await migrate(recording, recording.dialect)
        assert counted(await store.claim("job-0001", "a", NOW)) == (1, 1)

    run(opened, work)


def test_a_pending_job_is_claimed_once(opened: Callable[[], Any]) -> None:
    async def work(store: JobStore, _: Recording) -> None:
        await store.insert(job(), None, "small")
        assert counted(await store.claim("job-0001", "a", NOW)) == (1, 1)
        assert await store.claim("job-0001", "b", NOW) is None

    run(opened, work)


@pytest.mark.parametrize("opened", ["returning"], indirect=True)
def test_where_changes_are_told_a_job_is_claimed_and_ended_by_a_statement_each(
    opened: Callable[[], Any],
) -> None:
    async def work(store: JobStore, recording: Recording) -> None:
        await store.insert(job(), None, "small")
        recording.statements.clear()
        claimed = await store.claim("job-0001", "a", NOW)
        assert claimed is not None
        assert claimed == await store.stored("job-0001")
        recording.statements.pop()
        assert await store.finish("job-0001", "a", "a", ExportStatus.COMPLETED, {})
        assert [sql.split()[0] for sql, _ in recording.statements] == ["UPDATE", "UPDATE"]

    run(opened, work)


def test_an_end_that_was_recorded_unheard_is_found_by_the_next_try(opened: Callable[[], Any]) -> None:
    async def work(store: JobStore, _: Recording) -> None:
        await store.insert(job(), None, "small")
        await store.claim("job-0001", "a", NOW)
        for _each in range(2):
            assert await store.finish("job-0001", "a", "a", ExportStatus.COMPLETED, {"record_count": 5})

    run(opened, work)


def test_only_who_runs_a_job_can_end_it(opened: Callable[[], Any]) -> None:
    async def work(store: JobStore, _: Recording) -> None:
        await store.insert(job(), None, "small")
        await store.claim("job-0001", "a", NOW)
        assert not await store.finish("job-0001", "b", "b", ExportStatus.COMPLETED, {})
        assert await store.hand_back(job(), "a", "x")
        assert counted(await store.claim("job-0001", "b", NOW)) == (2, 2)
        assert not await store.finish("job-0001", "a", "a", ExportStatus.COMPLETED, {})
        assert await store.finish("job-0001", "b", "b", ExportStatus.COMPLETED, {"record_count": 5})
        ended = await store.get("job-0001", EVERYTHING)
        assert ended is not None
        assert (ended.status, ended.record_count) == (ExportStatus.COMPLETED, 5)

    run(opened, work)


def test_an_interruption_on_purpose_is_not_held_against_a_job(opened: Callable[[], Any]) -> None:
    async def work(store: JobStore, _: Recording) -> None:
        await store.insert(job(), None, "small")
        await store.claim("job-0001", "a", NOW)
        assert await store.hand_back(job(), "a", "x", interrupted=True)
        assert counted(await store.claim("job-0001", "b", NOW)) == (2, 1)

    run(opened, work)


@pytest.mark.parametrize("first", [ExportStatus.COMPLETED, ExportStatus.FAILED, ExportStatus.CANCELLED])
@pytest.mark.parametrize("second", [ExportStatus.COMPLETED, ExportStatus.FAILED, ExportStatus.CANCELLED])
def test_an_ended_job_never_changes_again(
    opened: Callable[[], Any], first: ExportStatus, second: ExportStatus
) -> None:
    assert TRANSITIONS[first] == frozenset()

    async def work(store: JobStore, _: Recording) -> None:
        await store.insert(job(), None, "small")
        await store.claim("job-0001", "a", NOW)
        assert await store.finish("job-0001", "a", "a", first, {})
        assert not await store.finish("job-0001", "a", "late", second, {})
        assert not await store.hand_back(job(), None, "late")
        assert await store.claim("job-0001", "late", NOW) is None
        ended = await store.get("job-0001", EVERYTHING)
        assert ended is not None
        assert ended.status is first

    run(opened, work)


def test_pending_jobs_come_oldest_first(opened: Callable[[], Any]) -> None:
    async def work(store: JobStore, _: Recording) -> None:
        for number in (3, 1, 2):
            await store.insert(job(number), None, "small")
        assert [key for key, _ in await store.pending(2)] == ["job-0001", "job-0002"]

    run(opened, work)


def test_statistics_take_two_statements_and_count_right(opened: Callable[[], Any]) -> None:
    async def work(store: JobStore, recording: Recording) -> None:
        for number in range(4):
            await store.insert(job(number), None, "small")
        await store.claim("job-0000", "a", NOW)
        done = {"record_count": 10, "file_size": 3_000_000_000, "processing_time_ms": 50.0}
        await store.finish("job-0000", "a", "a", ExportStatus.COMPLETED, done)
        recording.statements.clear()
        statistics = await store.statistics(EVERYTHING)
        assert len(recording.statements) == 2
        assert statistics.total_jobs == 4
        assert statistics.jobs_pending == 3
        assert statistics.total_file_size_bytes == 3_000_000_000
        assert statistics.avg_processing_time_ms == 50.0
        assert statistics.oldest_pending_job == NOW + timedelta(seconds=1)

    run(opened, work)
