"""One job for a key: whatever dies between two statements, however slow the one and however quick the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from arkham_shard_export.errors import InvalidRequest, KeyInUse
from arkham_shard_export.jobs.table.listing import EVERYTHING
from arkham_shard_export.jobs.table.migrations import migrate
from arkham_shard_export.jobs.table.requestkeys import FORGOTTEN_AT_ONCE, Claim, RequestKey, RequestKeys
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.models import ExportFilter, ExportJob
from tests.jobtables import Recording, database, on_tables

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEY, OTHER_REQUEST, OTHER_KEY = RequestKey("key", "a"), RequestKey("key", "b"), RequestKey("other", "a")
TABLE = "arkham_export_request_keys"
Work = Callable[[Recording, RequestKeys, JobStore], Awaitable[None]]


@pytest.fixture(params=["sqlite", "postgresql", "arkhamframe"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Work], None]:
    """Runs work on migrated tables, in an event loop of its own."""
    return on_tables(
        request,
        tmp_path,
        lambda tables: (tables, RequestKeys(tables, tables.dialect), JobStore(tables, tables.dialect)),
    )


async def store(keys: RequestKeys, jobs: JobStore, claim: Claim) -> None:
    await jobs.insert(
        ExportJob(claim.job_id, "json", "claims", created_at=NOW), None, "small", keys.holds(claim)
    )


async def lapse(recording: Recording, column: str = "claimed_until") -> None:
    await recording.execute(f"UPDATE {TABLE} SET {column} = 0")


async def ids(jobs: JobStore) -> list[str]:
    return [job.id for job in await jobs.page(ExportFilter(), EVERYTHING, 50, 0)]


def test_a_key_is_claimed_by_one_and_stands_for_the_job_that_one_stores(run: Callable[[Work], None]) -> None:
    async def work(recording: Recording, keys: RequestKeys, jobs: JobStore) -> None:
        first = await keys.claim(KEY)
        assert (first.mine, first.stored) == (True, False)
        with pytest.raises(KeyInUse):
            await keys.claim(KEY)
        other = await keys.claim(OTHER_KEY)
        assert other.mine
        await store(keys, jobs, first)
        again = await keys.claim(KEY)
        assert (again.job_id, again.mine, again.stored) == (first.job_id, False, True)
        assert await ids(jobs) == [first.job_id]

    run(work)


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("lapsed", [False, True])
def test_a_key_that_came_with_another_request_is_refused_at_any_stage(
    run: Callable[[Work], None], stored: bool, lapsed: bool
) -> None:
    async def work(recording: Recording, keys: RequestKeys, jobs: JobStore) -> None:
        claim = await keys.claim(KEY)
        if stored:
            await store(keys, jobs, claim)
        if lapsed:
            await lapse(recording)
        with pytest.raises(InvalidRequest, match="Idempotency-Key came with another request"):
            await keys.claim(OTHER_REQUEST)
        assert len(await ids(jobs)) == stored

    run(work)


def test_a_claim_that_was_left_is_taken_over_with_its_job_and_its_maker_stores_nothing_more(
    run: Callable[[Work], None],
) -> None:
    async def work(recording: Recording, keys: RequestKeys, jobs: JobStore) -> None:
        slow = await keys.claim(KEY)
        await lapse(recording)
        quick = await keys.claim(KEY)
        assert quick.mine
        assert quick.job_id == slow.job_id
        with pytest.raises(KeyInUse):
            await keys.claim(KEY)
        await store(keys, jobs, slow)
        assert await ids(jobs) == []
        found = await keys.again(slow)
        assert found is not None
        assert (found.mine, found.stored) == (False, False)
        await store(keys, jobs, quick)
        await store(keys, jobs, quick)
        assert await ids(jobs) == [quick.job_id]
        found = await keys.again(slow)
        assert found is not None
        assert (found.mine, found.stored) == (False, True)

    run(work)


def test_a_slow_request_cannot_store_its_job_once_its_key_is_free_or_of_a_new_request(
    run: Callable[[Work], None],
) -> None:
    async def work(recording: Recording, keys: RequestKeys, jobs: JobStore) -> None:
        slow = await keys.claim(KEY)
        await lapse(recording)
        refused = await keys.claim(KEY)
        await keys.release(slow)
        assert await keys.again(refused) is not None, "the key is not the slow one's to free"
        await keys.release(refused)
        await store(keys, jobs, slow)
        assert await ids(jobs) == []
        new = await keys.claim(OTHER_REQUEST)
        assert new.job_id != slow.job_id
        await store(keys, jobs, slow)
        await store(keys, jobs, new)
        assert await ids(jobs) == [new.job_id]

    run(work)


def test_after_a_day_a_key_is_free_for_any_request_and_what_is_over_is_forgotten(
    run: Callable[[Work], None],
) -> None:
    async def work(recording: Recording, keys: RequestKeys, jobs: JobStore) -> None:
        old = await keys.claim(KEY)
        await store(keys, jobs, old)
        row = await recording.fetch_one(f"SELECT expires_at - claimed_until AS more FROM {TABLE}")
        assert float(row["more"]) == pytest.approx(24 * 3600 - 10, abs=1)
        await lapse(recording, "expires_at")
        new = await keys.claim(OTHER_REQUEST)
        assert new.mine
        assert new.job_id != old.job_id
        await recording.execute(
            f"INSERT INTO {TABLE} (id, request, job_id, token, claimed_until, expires_at) SELECT 'over-' || id,"
            f" request, job_id, token, 0, 0 FROM {TABLE}"
        )
        assert not await keys.forget()
        rows = await recording.fetch_all(f"SELECT id FROM {TABLE}")
        assert [row["id"] for row in rows] == ["key"]

    run(work)


def test_keys_are_forgotten_some_at_a_time(run: Callable[[Work], None]) -> None:
    async def work(recording: Recording, keys: RequestKeys, jobs: JobStore) -> None:
        await keys.claim(KEY)
        more = ", ".join(f"('{number}', 'a', 'b', 'c', 0, 0)" for number in range(FORGOTTEN_AT_ONCE + 1))
        await recording.execute(
            f"INSERT INTO {TABLE} (id, request, job_id, token, claimed_until, expires_at) VALUES {more}"
        )
        assert [await keys.forget(), await keys.forget()] == [True, False]
        rows = await recording.fetch_all(f"SELECT id FROM {TABLE}")
        assert [row["id"] for row in rows] == ["key"]

    run(work)


def test_a_key_whose_job_was_purged_stands_for_a_job_again(run: Callable[[Work], None]) -> None:
    async def work(recording: Recording, keys: RequestKeys, jobs: JobStore) -> None:
        claim = await keys.claim(KEY)
        await store(keys, jobs, claim)
        await recording.execute("DELETE FROM arkham_export_jobs")
        await lapse(recording)
        again = await keys.claim(KEY)
        assert again.mine
        await store(keys, jobs, again)
        assert len(await ids(jobs)) == 1

    run(work)


async def accept(keys: RequestKeys, jobs: JobStore) -> str:
    claim = await keys.claim(KEY)
    if not claim.stored:
        await store(keys, jobs, claim)
        found = await keys.again(claim)
        if found is None or not found.stored:
            raise KeyInUse
    return claim.job_id


def test_cut_off_before_any_of_its_statements_a_request_is_finished_by_the_next_try(
    run: Callable[[Work], None],
) -> None:
    async def work(recording: Recording, keys: RequestKeys, jobs: JobStore) -> None:
        cut, statements = 0, 0
        while True:
            recording.changes_left = statements
            try:
                await accept(keys, jobs)
                break
            except (OSError, KeyInUse):
                cut += 1
            recording.changes_left = None
            await lapse(recording)
            statements += 1
        recording.changes_left = None
        assert cut >= 3
        job_id = await accept(keys, jobs)
        assert await ids(jobs) == [job_id]

    run(work)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_many_at_once_who_take_over_from_each_other_store_one_job(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Every claim lapses as soon as it is made, over four connections to one database."""
    url = "" if kind == "sqlite" else request.getfixturevalue("postgres_url")

    async def work() -> None:
        async with (
            database(kind, tmp_path, url) as first,
            database(kind, tmp_path, url) as second,
            database(kind, tmp_path, url) as third,
            database(kind, tmp_path, url) as lapsing,
        ):
            await migrate(first, first.dialect)
            jobs = JobStore(first, first.dialect)
            ended = asyncio.Event()

            async def lapse_on() -> None:
                while not ended.is_set():
                    await lapse(lapsing)

            async def try_it(recording: Recording, number: int) -> Any:
                try:
                    keys = RequestKeys(recording, recording.dialect)
                    claim = await keys.claim(RequestKey(f"key-{number}", "a"))
                    if claim.stored:
                        return claim.job_id
                    if asyncio.current_task().get_name() == "refused":  # type: ignore[union-attr]
                        await keys.release(claim)
                        return None
                    await store(keys, JobStore(recording, recording.dialect), claim)
                    found = await keys.again(claim)
                    return found.job_id if found is not None and found.stored else None
                except KeyInUse:
                    return None

            lapses = asyncio.create_task(lapse_on())
            for number in range(60):
                tasks = [
                    asyncio.create_task(try_it(each, number), name="refused" if turn == 2 else "accepted")
                    for turn in range(4)
                    for each in (first, second, third)
                ]
                answers = {each for each in await asyncio.gather(*tasks) if each is not None}
                assert len(answers) <= 1
                assert len(await ids_since(jobs)) <= number + 1
            ended.set()
            await lapses
            assert len(await ids_since(jobs)) > 30

    async def ids_since(jobs: JobStore) -> list[str]:
        return [job.id for job in await jobs.page(ExportFilter(), EVERYTHING, 500, 0)]

    asyncio.run(work())
