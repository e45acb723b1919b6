"""Events lie with the jobs until a host has delivered them; one host at a time does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from arkham_shard_export.jobs.leading.publisher import Publisher
from arkham_shard_export.jobs.table.lease import LEASE_SECONDS, Lease
from arkham_shard_export.jobs.table.migrations import migrate
from arkham_shard_export.jobs.table.outbox import Outbox
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.models import ExportJob, ExportStatus
from arkham_shard_export.standalone.services import EventBus
from tests.jobtables import Recording, database

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
Opened = Callable[[], Any]


@pytest.fixture(params=["sqlite", "postgresql", "arkhamframe"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """A migrated database behind each service, as a context to enter in the test's own loop."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")

    @asynccontextmanager
    async def open_database() -> AsyncIterator[Recording]:
        async with database(request.param, tmp_path, url) as recording:
            await migrate(recording, recording.dialect)
            yield recording

    return open_database


def run(opened: Opened, work: Callable[[Recording], Awaitable[None]]) -> None:
    async def within() -> None:
        async with opened() as recording:
            await work(recording)

    asyncio.run(within())


async def a_life(recording: Recording, job_id: str) -> None:
    """A job that is tried twice and then completed."""
    jobs = JobStore(recording, recording.dialect)
    job = ExportJob(job_id, "csv", "claims", created_at=NOW, created_by='Zoë "Z"')
    await jobs.insert(job, None, "small")
    await jobs.claim(job_id, "a", NOW)
    await jobs.hand_back(job, "a", "b")
    await jobs.claim(job_id, "c", NOW)
    changes = {
        "record_count": 7,
        "file_path": "día/ü.csv",
        "file_size": 3_000_000_000,
        "processing_time_ms": 1.5,
    }
    await jobs.finish(job_id, "c", "c", ExportStatus.COMPLETED, changes)
    await jobs.finish(job_id, None, "d", ExportStatus.CANCELLED, {})


LIFE = ["export.job.created", "export.job.started", "export.file.created", "export.job.completed"]


def test_each_change_of_a_job_leaves_its_events_in_order_with_the_contracts_fields(opened: Opened) -> None:
    async def work(recording: Recording) -> None:
        await a_life(recording, "job-1")
        events = await Outbox(recording).take("me")
        assert [each.name for each in events] == LIFE
        created, started, file, completed = (each.payload for each in events)
        assert (created["format"], created["target"], created["created_by"]) == ("csv", "claims", 'Zoë "Z"')
        assert {each["job_id"] for each in (created, started, file, completed)} == {"job-1"}
        assert (file["file_path"], file["file_size"]) == ("día/ü.csv", 3_000_000_000)
        assert (completed["record_count"], completed["processing_time_ms"]) == (7, 1.5)

    run(opened, work)


@pytest.mark.parametrize(
    ("status", "event"),
    [(ExportStatus.FAILED, "export.job.failed"), (ExportStatus.CANCELLED, "export.job.cancelled")],
)
def test_a_job_that_ends_otherwise_says_so(opened: Opened, status: ExportStatus, event: str) -> None:
    async def work(recording: Recording) -> None:
        jobs = JobStore(recording, recording.dialect)
        await jobs.insert(ExportJob("job-1", "csv", "claims", created_at=NOW), None, "small")
        await jobs.claim("job-1", "a", NOW)
        await jobs.finish("job-1", None, "b", status, {"error": "No."})
        assert (await Outbox(recording).take("me"))[-1].name == event

    run(opened, work)


def test_a_change_that_is_not_made_has_no_event(opened: Opened) -> None:
    """The event is part of the very statement that changes the job."""

    async def work(recording: Recording) -> None:
        jobs = JobStore(recording, recording.dialect)
        await a_life(recording, "job-1")
        await jobs.insert(ExportJob("job-1", "csv", "claims", created_at=NOW), None, "small")
        assert not await jobs.finish("job-1", "c", "x", ExportStatus.FAILED, {})
        assert await Outbox(recording).waiting() == len(LIFE)

    run(opened, work)


def test_events_taken_by_a_host_that_died_are_taken_again_and_marked(opened: Opened) -> None:
    async def work(recording: Recording) -> None:
        outbox = Outbox(recording)
        await a_life(recording, "job-1")
        first = await outbox.take("dead")
        await outbox.delivered("dead", first[:1])
        await outbox.put("export.file.downloaded", {"job_id": "job-1", "file_path": "x"})
        again = await outbox.take("alive")
        assert [each.name for each in again] == [*LIFE[1:], "export.file.downloaded"]
        assert [each.redelivered for each in again] == [True, True, True, False]
        assert [each.payload["event_id"] for each in again[:3]] == [each.id for each in first[1:]]
        # The dead one was only slow: what it says now changes nothing.
        await outbox.delivered("dead", first)
        assert await outbox.waiting() == 4
        await outbox.delivered("alive", again)
        assert await outbox.waiting() == 0
        assert await outbox.take("alive") == []

    run(opened, work)


def test_an_event_that_is_committed_late_is_not_lost(postgres_url: str, tmp_path: Path) -> None:
    """Its id lies between those of events that were seen before it."""

    async def work() -> None:
        async with database("postgresql", tmp_path, postgres_url) as recording:
            await migrate(recording, recording.dialect)
            outbox = Outbox(recording)
            late = await psycopg.AsyncConnection.connect(postgres_url)
            put = "INSERT INTO arkham_export_outbox (event, payload) VALUES ('late', '{}')"
            await outbox.put("first", {})
            await late.execute(put)
            await outbox.put("second", {})
            fetch_all = recording.service.fetch_all

            async def fetch_then_commit(sql: str, params: Any = None) -> Any:
                rows = await fetch_all(sql, params)
                await late.commit()
                return rows

            recording.service.fetch_all = fetch_then_commit
            events = await outbox.take("me")
            recording.service.fetch_all = fetch_all
            assert [each.name for each in events] == ["first", "second"]
            await outbox.delivered("me", events)
            (event,) = await outbox.take("me")
            assert (event.name, event.redelivered) == ("late", False)
            await late.close()

    asyncio.run(work())


def test_two_publishers_deliver_each_event_once_and_the_other_goes_on_where_one_stops(opened: Opened) -> None:
    async def work(recording: Recording) -> None:
        heard: list[dict[str, Any]] = []
        buses = [EventBus(), EventBus()]
        for number, bus in enumerate(buses):
            await bus.subscribe(
                "export.*", lambda event, number=number: heard.append({**event, "by": number})
            )
        leases = [Lease(recording, recording.dialect, "host") for _ in buses]
        publishers = [
            Publisher(Outbox(recording), lease, bus) for lease, bus in zip(leases, buses, strict=True)
        ]
        for publisher in publishers:
            publisher.start()
        for number in range(40):
            await a_life(recording, f"job-{number}")
            for publisher in publishers:
                publisher.wake()
            if number == 20:
                leader = 0 if await leases[0].held() else 1
                await publishers[leader].stop()
                await leases[leader].release()
        async with asyncio.timeout(30):
            while await Outbox(recording).waiting():
                for publisher in publishers:
                    publisher.wake()
                await asyncio.sleep(0.01)
        await publishers[1 - leader].stop()
        assert {each["by"] for each in heard} == {0, 1}
        assert len({each["payload"]["event_id"] for each in heard}) == len(heard) == 160
        for number in range(40):
            own = [each["event_type"] for each in heard if each["payload"]["job_id"] == f"job-{number}"]
            assert own == LIFE

    run(opened, work)


# The lease


def test_a_lease_has_one_holder_until_it_lets_go(opened: Opened) -> None:
    async def work(recording: Recording) -> None:
        one, other = (Lease(recording, recording.dialect, "host") for _ in range(2))
        assert await one.held()
        assert not await other.held()
        assert await one.held()
        await one.release()
        assert await other.held()
        assert not await one.held()

    run(opened, work)


def test_a_lease_that_is_not_renewed_is_lost_when_its_time_is_over(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arkham_shard_export.jobs.table.lease.RENEW_SECONDS", 0.0)

    async def work(recording: Recording) -> None:
        one, other = (Lease(recording, recording.dialect, "host") for _ in range(2))
        assert await one.held()
        age = "UPDATE arkham_export_leases SET until = until - ?"
        await recording.service.execute(age, [LEASE_SECONDS - 5])
        assert not await other.held()
        await recording.service.execute(age, [10.0])
        assert await other.held()
        assert not await one.held()

    run(opened, work)


def test_the_lease_of_a_process_that_was_killed_on_this_machine_is_free_at_once(opened: Opened) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])

    async def work(recording: Recording) -> None:
        dead, next_one = (Lease(recording, recording.dialect, "host") for _ in range(2))
        dead.holder = dead.holder.replace(f"|{os.getpid()}|", f"|{child.pid}|")
        assert await dead.held()
        assert not await next_one.held()
        child.kill()
        await asyncio.to_thread(child.wait)
        assert await next_one.held()

    run(opened, work)


def test_of_a_holder_on_another_machine_no_process_id_is_believed(opened: Opened) -> None:
    async def work(recording: Recording) -> None:
        elsewhere, here = (Lease(recording, recording.dialect, "host") for _ in range(2))
        elsewhere.holder = f"other-machine|{2**22 - 1}|x"
        assert await elsewhere.held()
        assert not await here.held()

    run(opened, work)
