"""An export that takes too long, or too much memory, ends and says so; small ones pass by it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from arkham_shard_export.standalone.seed import seed_sqlite
from tests.hosts import standalone
from tests.tools import stored_files

RECORDS = 12_000


def test_a_job_over_its_deadline_fails_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_JOB_TIMEOUT_SECONDS", "2")
    seed_sqlite(tmp_path, RECORDS)
    with standalone(tmp_path) as host:
        job = host.wait(host.post("matrix", "xlsx").json()["id"])
        assert job["status"] == "failed"
        assert "longer than 2 seconds" in job["error"]
        assert stored_files(tmp_path / "files") == []
        assert host.export("claims", "csv", options={"max_records": 1})[0]["record_count"] == 1


def test_a_worker_cannot_have_more_memory_than_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One text of a hundred million characters, in a process that may have 256 MiB."""
    monkeypatch.setenv("ARKHAM_EXPORT_WORKER_MEMORY_MIB", "256")
    seed_sqlite(tmp_path, 10)
    with standalone(tmp_path) as host:
        host.query("UPDATE arkham_claims SET text = printf('%.*c', 100000000, 'x')")
        job = host.wait(host.post("claims", "json").json()["id"])
        assert job["status"] == "failed"
        assert "memory" in job["error"]
        assert stored_files(tmp_path / "files") == []
        assert host.export("documents", "csv")[0]["record_count"] == 10


def test_a_small_job_passes_by_the_large_one_that_holds_the_only_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_CONCURRENCY", "1")
    monkeypatch.setattr("arkham_shard_export.jobs.queues.lanes.SMALL_RECORDS", 1000)
    seed_sqlite(tmp_path, RECORDS, targets=["matrix"])
    with standalone(tmp_path, demo=True) as host:
        large = host.post("matrix", "json").json()["id"]
        deadline = time.monotonic() + 60
        while not (pids := host.shard._service.runs.pool.pids) or (
            host.client.get(f"/api/export/jobs/{large}").json()["status"] != "processing"
        ):
            assert time.monotonic() < deadline
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        waiting = host.post("matrix", "json").json()["id"]
        small = [host.post("claims", "csv").json()["id"] for _ in range(3)]
        assert [host.wait(each)["status"] for each in small] == ["completed"] * 3
        # Another large one waits for the place.
        assert host.client.get(f"/api/export/jobs/{waiting}").json()["status"] == "pending"
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        assert [host.wait(each)["status"] for each in (large, waiting)] == ["completed"] * 2


def test_a_row_that_somebody_cancels_in_the_table_stops_the_work_within_two_seconds(tmp_path: Path) -> None:
    seed_sqlite(tmp_path, RECORDS)
    with standalone(tmp_path) as host:
        job_id = host.post("matrix", "json").json()["id"]
        deadline = time.monotonic() + 60
        while not host.client.get(f"/api/export/jobs/{job_id}").json()["metadata"].get("progress"):
            assert time.monotonic() < deadline
        running = host.shard._service.runs.running
        assert list(running) == [job_id]
        host.query("UPDATE arkham_export_jobs SET status = 'cancelled' WHERE id = ?", (job_id,))
        cancelled = time.monotonic()
        while running:
            assert time.monotonic() - cancelled < 2
            time.sleep(0.01)
        assert stored_files(tmp_path / "files") == []
        assert host.events_of(job_id)[-1] == "export.job.cancelled"
