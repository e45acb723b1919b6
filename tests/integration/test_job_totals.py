"""The totals of jobs equal the jobs, whoever writes them and however many at once."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from arkham_shard_export.jobs.table.listing import EVERYTHING, Scope
from arkham_shard_export.jobs.table.migrations import migrate
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.models import ExportFilter, ExportJob, ExportStatus
from tests.jobtables import TENANT, Recording, database, on_tables, totals

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ENDS = (ExportStatus.COMPLETED, ExportStatus.FAILED, ExportStatus.CANCELLED)
Work = Callable[[JobStore, Recording], Awaitable[None]]


@pytest.fixture(params=["sqlite", "postgresql", "arkhamframe"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Work], None]:
    """Runs work on a migrated jobs table, in an event loop of its own."""
    return on_tables(request, tmp_path, lambda tables: (JobStore(tables, tables.dialect), tables))


async def agree(recording: Recording) -> None:
    said, true = await totals(recording)
    assert said == true


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_totals_equal_the_rows_after_any_changes(run: Callable[[Work], None], seed: int) -> None:
    chance = random.Random(seed)

    async def work(store: JobStore, recording: Recording) -> None:
        async def anyone(sql: str) -> None:
            await recording.service.execute(sql)

        for step in range(400):
            job_id, other = f"job-{chance.randrange(40)}", f"job-{chance.randrange(40)}"
            match chance.randrange(12):
                case 0 | 1 | 2 | 3:
                    created_by = chance.choice(["ann", "bob", ""])
                    job = ExportJob(f"job-{step}", "json", "claims", created_at=NOW, created_by=created_by)
                    await store.insert(job, chance.choice([None, TENANT]), "small")
                case 4 | 5:
                    await store.claim(job_id, "a", NOW)
                case 6 | 7:
                    done = {"record_count": step, "file_size": step << 32, "processing_time_ms": step / 7}
                    await store.finish(job_id, None, "x", chance.choice(ENDS), done)
                case 8:
                    await anyone(f"DELETE FROM arkham_export_jobs WHERE id IN ('{job_id}', '{other}')")
                case 9:
                    state = chance.choice(["'queued'", "NULL", "'completed'"])
                    await anyone(f"UPDATE arkham_export_jobs SET status = {state} WHERE id >= '{job_id}'")
                case 10:
                    await anyone(
                        "UPDATE arkham_export_jobs SET created_by = NULL, record_count = NULL, format = 'csv'"
                        f" WHERE id = '{job_id}'"
                    )
                case _:
                    await anyone(
                        "INSERT INTO arkham_export_jobs (id, format, target) VALUES"
                        f" ('hand-{step}', 'pdf', 'graph'), ('by-{step}', 'csv', 'matrix')"
                    )
        await agree(recording)
        assert len((await totals(recording))[1]) > 5
        await anyone("DELETE FROM arkham_export_jobs")
        await agree(recording)
        assert await store.count(ExportFilter(), EVERYTHING) == 0

    run(work)


def test_counts_and_statistics_are_those_of_the_scope(run: Callable[[Work], None]) -> None:
    async def work(store: JobStore, recording: Recording) -> None:
        for number in range(12):
            job = ExportJob(
                f"job-{number}",
                "json",
                "claims",
                created_at=NOW + timedelta(seconds=number),
                created_by="ann",
            )
            job.created_by = "ann" if number % 3 else "bob"
            await store.insert(job, TENANT if number % 2 else None, "small")
        await recording.service.execute("UPDATE arkham_export_jobs SET status = 'queued' WHERE id = 'job-0'")
        for scope, counted, oldest in (
            (EVERYTHING, 12, 1),
            (Scope(TENANT), 6, 1),
            (Scope(owner="bob"), 4, 3),
            (Scope(TENANT, "bob"), 2, 3),
            (Scope(TENANT, "eve"), 0, None),
        ):
            statistics = await store.statistics(scope)
            assert statistics.total_jobs == await store.count(ExportFilter(), scope) == counted
            pending = await store.count(ExportFilter(status="pending"), scope)
            assert statistics.jobs_pending == statistics.by_status["pending"] == pending
            assert statistics.oldest_pending_job == (
                None if oldest is None else NOW + timedelta(seconds=oldest)
            )
        assert (await store.statistics(EVERYTHING)).by_status["queued"] == 1
        assert await store.count(ExportFilter(created_by="ann"), Scope(owner="bob")) == 0
        late = ExportFilter(status="pending", created_after=NOW + timedelta(seconds=10))
        assert await store.count(late, EVERYTHING) == 2

    run(work)


def several_writers(url: str, writers: int, steps: int) -> list[BaseException]:
    """Threads that each insert, move, and delete jobs of the same few kinds; what they raised."""
    raised: list[BaseException] = []

    def write(writer: int) -> None:
        chance = random.Random(writer)
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                for step in range(steps):
                    connection.execute(
                        "INSERT INTO arkham_export_jobs (id, format, target) SELECT %s || i, 'json', 'claims'"
                        " FROM generate_series(1, 3) AS n(i)",
                        (f"{writer}-{step}-",),
                    )
                    status, before = chance.sample(["pending", "processing", "completed", "failed"], 2)
                    connection.execute(
                        "UPDATE arkham_export_jobs SET status = %s WHERE status = %s AND id LIKE %s",
                        (status, before, f"{writer}-%"),
                    )
                    if step % 5 == 0:
                        # Several statements of one transaction, in an order of its own.
                        with connection.transaction():
                            for each in chance.sample(range(step + 1), min(3, step + 1)):
                                connection.execute(
                                    "DELETE FROM arkham_export_jobs WHERE id = %s", (f"{writer}-{each}-1",)
                                )
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_many_writers_at_once_lose_no_count_and_do_not_deadlock(tmp_path: Path, postgres_url: str) -> None:
    async def work() -> None:
        async with database("postgresql", tmp_path, postgres_url) as recording:
            await migrate(recording, recording.dialect)
            assert await asyncio.to_thread(several_writers, postgres_url, 6, 150) == []
            await agree(recording)
            rows = await recording.fetch_one("SELECT COUNT(*) AS n FROM arkham_export_job_totals")
            assert rows["n"] < 1500, "the rows of totals are folded now and then"

    asyncio.run(work())


def test_nobody_waits_for_a_transaction_that_stays_open(tmp_path: Path, postgres_url: str) -> None:
    async def work() -> None:
        async with database("postgresql", tmp_path, postgres_url) as recording:
            await migrate(recording, recording.dialect)
            store = JobStore(recording, recording.dialect)
            with psycopg.connect(postgres_url) as somebody:
                for number in range(300):
                    somebody.execute(
                        "INSERT INTO arkham_export_jobs (id, format, target) VALUES (%s, 'json', 'claims')",
                        (f"open-{number}",),
                    )
                async with asyncio.timeout(20):
                    for number in range(300):
                        await store.insert(
                            ExportJob(f"job-{number}", "json", "claims", created_at=NOW), None, "small"
                        )
                        await store.claim(f"job-{number}", "a", NOW)
                assert await store.count(ExportFilter(), EVERYTHING) == 300
                somebody.rollback()
            await agree(recording)

    asyncio.run(work())


def test_a_writer_with_rights_to_the_jobs_alone_is_counted(tmp_path: Path, postgres_url: str) -> None:
    async def work() -> None:
        async with database("postgresql", tmp_path, postgres_url) as recording:
            await migrate(recording, recording.dialect)
            with psycopg.connect(postgres_url, autocommit=True) as connection:
                connection.execute("CREATE ROLE clerk")
                try:
                    connection.execute("GRANT INSERT ON arkham_export_jobs TO clerk")
                    connection.execute("SET ROLE clerk; SET search_path = pg_catalog")
                    connection.execute(
                        "INSERT INTO public.arkham_export_jobs (id, format, target) VALUES ('a', 'json', 'claims')"
                    )
                finally:
                    connection.execute("RESET ROLE; RESET search_path")
                    connection.execute("DROP OWNED BY clerk")
                    connection.execute("DROP ROLE clerk")
                await agree(recording)
                connection.execute("TRUNCATE arkham_export_jobs")
            await agree(recording)

    asyncio.run(work())


def test_notes_of_progress_leave_the_totals_alone(run: Callable[[Work], None]) -> None:
    async def work(store: JobStore, recording: Recording) -> None:
        await store.insert(ExportJob("job-1", "json", "claims", created_at=NOW), None, "small")
        await store.claim("job-1", "a", NOW)
        count: Any = "SELECT COUNT(*) AS n FROM arkham_export_job_totals"
        before = await recording.fetch_one(count)
        for done in range(20):
            await store.note("job-1", "a", {"progress": done})
        assert await recording.fetch_one(count) == before

    run(work)
