"""The embedded runner when things go wrong at the worst moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from arkham_shard_export.errors import WorkerDied
from arkham_shard_export.jobs.running.messages import Run
from arkham_shard_export.jobs.running.workers import WorkerPool
from arkham_shard_export.models import ExportOptions, JobRequest
from arkham_shard_export.pipeline import ExportRequest
from arkham_shard_export.settings import Settings
from arkham_shard_export.sources.location import SqliteLocation
from arkham_shard_export.standalone.seed import seed_sqlite
from arkham_shard_export.store_location import FolderLocation
from arkham_shard_export.targets import TARGETS
from tests.hosts import RunningHost, standalone


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    seed_sqlite(tmp_path, 60)
    return tmp_path


def fail_once(host: RunningHost, method: str, marker: str) -> list[str]:
    """Make the host's database service fail once, at the first statement that holds the marker."""
    service = host.frame.database
    call = getattr(service, method)
    failed: list[str] = []

    async def failing(sql: str, params: Any = None) -> Any:
        if marker in sql and not failed:
            failed.append(sql)
            raise OSError("the database is gone")
        return await call(sql, params)

    setattr(service, method, failing)
    return failed


def test_a_job_cancelled_before_its_work_began_leaves_its_place_to_others(data_dir: Path) -> None:
    with standalone(data_dir) as host:
        service = host.shard._service

        async def create_and_cancel() -> None:
            for passes in range(12):
                job = await service.create(JobRequest("json", "claims"), created_by="x", tenant_id=None)
                for _ in range(passes):
                    await asyncio.sleep(0)
                await host.shard.cancel_job(job.id)

        host.run(create_and_cancel())
        job, _ = host.export("claims", "csv")
        assert job["record_count"] == 60
        assert service.runs.running == {}


@pytest.mark.parametrize(
    ("method", "marker"),
    [
        ("fetch_one", "SELECT status, runner"),
        ("fetch_one", "SELECT id, format"),
        ("fetch_all", "SELECT id, lane FROM arkham_export_jobs"),
        ("execute", "started_at = ?"),
        ("execute", "completed_at = ?"),
    ],
)
def test_a_database_that_fails_once_leaves_no_job_behind(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, method: str, marker: str
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_POLL_SECONDS", "0.1")
    with standalone(data_dir) as host:
        failed = fail_once(host, method, marker)
        job_id = host.run(host.shard.create_export_job("json", "claims")).id
        deadline = time.monotonic() + 30
        completed = [("completed",)]
        while (
            not failed
            or host.query("SELECT status FROM arkham_export_jobs WHERE id = ?", (job_id,)) != completed
        ):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert host.wait(job_id)["record_count"] == 60
        events = host.events_of(job_id)
        for event in ("export.job.started", "export.file.created", "export.job.completed"):
            assert events.count(event) == 1, events


def test_a_job_that_ends_while_the_runner_looks_keeps_its_file(data_dir: Path) -> None:
    """The list of running jobs is old by the time it is looked through."""
    with standalone(data_dir) as host:
        service = host.frame.database
        fetch_all = service.fetch_all

        async def late(sql: str, params: Any = None) -> Any:
            rows = await fetch_all(sql, params)
            if "SELECT id, attempts" in sql:
                await asyncio.sleep(0.2)
            return rows

        service.fetch_all = late
        for _ in range(4):
            job_id = host.post("claims", "json").json()["id"]
            host.shard._service.queue.wake()
            job = host.wait(job_id)
            host.loop.call_soon_threadsafe(host.shard._service.queue.wake)
            time.sleep(0.3)
            assert host.client.get(job["download_url"]).status_code == 200


def test_a_cancel_whose_answer_was_lost_still_cancels(data_dir: Path) -> None:
    with standalone(data_dir) as host:
        service = host.shard._service
        host.run(service.queue.stop())
        job_id = host.post("matrix", "json").json()["id"]
        failed = fail_once(host, "fetch_one", "SELECT status, runner")
        assert host.client.delete(f"/api/export/jobs/{job_id}").status_code == 204
        assert failed
        assert host.wait(job_id)["status"] == "cancelled"
        deadline = time.monotonic() + 30
        while host.events_of(job_id) != ["export.job.created", "export.job.cancelled"]:
            assert time.monotonic() < deadline


def test_a_worker_is_kept_although_its_host_is_large(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forked process begins with the peak of its parent, which says nothing of the worker."""
    monkeypatch.setenv("ARKHAM_EXPORT_WORKER_MEMORY_MIB", "300")
    ballast = bytearray(300 << 20)
    ballast[:: 1 << 12] = b"x" * len(ballast[:: 1 << 12])
    with standalone(data_dir) as host:
        host.export("claims", "json")
        first = host.shard._service.runs.pool.pids
        host.export("claims", "json")
        assert host.shard._service.runs.pool.pids == first
        assert len(first) == 1
    assert ballast


def test_a_worker_that_has_grown_is_replaced(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with standalone(data_dir) as host:
        pool = host.shard._service.runs.pool
        monkeypatch.setattr(pool, "_reused_up_to_mib", 1)
        host.export("claims", "json")
        host.export("claims", "json")
        assert pool.pids == []


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_worker_that_dies_at_birth_is_told_as_such(
    loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = asyncio.create_subprocess_exec

    async def stillborn(*words: str, **settings: Any) -> asyncio.subprocess.Process:
        process = await start(*words, **settings)
        process.kill()
        await process.wait()
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", stillborn)
    nowhere = SqliteLocation(str(tmp_path / "none.db"))
    request = ExportRequest("json", "claims", {}, ExportOptions())
    run = Run(request, TARGETS["claims"], FolderLocation(str(tmp_path)), "2026-11-22", "job", nowhere)
    pool = WorkerPool(512)
    with asyncio.Runner(loop_factory=loop) as runner, pytest.raises(WorkerDied):
        runner.run(pool.run(run, lambda _: None))
    assert pool.pids == []


def test_a_stop_is_heard_even_as_the_runner_wakes(data_dir: Path) -> None:
    """The cancellation meets the end of the wait for work."""
    with standalone(data_dir) as host:

        async def stop_while_waking() -> None:
            for _ in range(20):
                service = await host.shard.service()
                for _ in range(5):
                    await asyncio.sleep(0.01)
                service.queue.wake()
                async with asyncio.timeout(10):
                    await host.shard.shutdown()
                await host.shard_class_again()

        host.run(stop_while_waking())
        assert host.export("claims", "csv")[0]["record_count"] == 60


def test_progress_is_gone_when_a_job_no_longer_runs(data_dir: Path) -> None:
    with standalone(data_dir) as host:
        host.query(
            "INSERT INTO arkham_export_jobs (id, format, target, status, created_at, metadata) VALUES"
            " ('left-behind', 'json', 'claims', 'processing', '2026-01-01T00:00:00+00:00',"
            ' \'{"progress": {"phase": "writing", "done": 1, "expected": 2}, "note": "kept"}\')'
        )
        host.shard._service.queue.wake()
        job = host.wait("left-behind")
        assert job["status"] == "completed"
        assert "progress" not in job["metadata"]
        assert job["metadata"]["note"] == "kept"


def test_a_slow_subscriber_keeps_no_event_from_those_behind_it(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arkham_shard_export.jobs.leading.publisher.SLOW_SECONDS", 0.05)
    with standalone(data_dir) as host:
        behind: list[str] = []

        async def slow(event: dict[str, Any]) -> None:
            await asyncio.sleep(0.2)

        host.run(host.frame.events.subscribe("export.job.*", slow))
        host.run(
            host.frame.events.subscribe("export.job.*", lambda event: behind.append(event["event_type"]))
        )
        host.export("claims", "json")
        deadline = time.monotonic() + 30
        while behind != ["export.job.created", "export.job.started", "export.job.completed"]:
            assert time.monotonic() < deadline, behind
            time.sleep(0.02)


def test_an_old_row_in_an_unknown_state_is_shown_as_failed(data_dir: Path) -> None:
    with standalone(data_dir) as host:
        host.query(
            "INSERT INTO arkham_export_jobs (id, format, target, status, created_at) VALUES"
            " ('from-before', 'pdf', 'claims', 'queued', '2024-01-01T00:00:00+00:00')"
        )
        job = host.client.get("/api/export/jobs/from-before").json()
        assert (job["status"], "queued" in job["error"]) == ("failed", True)
        assert host.client.get("/api/export/jobs").status_code == 200


@pytest.mark.parametrize("text", ["inf", "nan", "99999999", "-1", "soon"])
def test_a_retention_that_no_date_can_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ARKHAM_EXPORT_RETENTION_HOURS"):
        Settings.from_environment({"ARKHAM_EXPORT_RETENTION_HOURS": text})
