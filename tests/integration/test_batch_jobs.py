"""Batches as jobs of workers: killed, cancelled, run again, on a full disk, and under older rows."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arkham_shard_export.jobs.running.messages import Progressed
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from tests.hosts import RunningHost, standalone
from tests.integration.test_faults import CANCELLED_WITHIN_SECONDS, fill, small_disk
from tests.tools import stored_files

__all__ = ["small_disk"]

RECORDS = 1_500
PARTS = [
    {"target": "documents", "format": "json"},
    {"target": "claims", "format": "csv"},
    {"target": "claims", "format": "xlsx", "filters": {"status": "disputed"}, "name": "disputed"},
]


@pytest.fixture(params=["sqlite", "postgresql"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningHost]:
    """A host of the test's own; its workers are processes that it has started."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with standalone(tmp_path, url) as running:
        if url is None:
            seed_sqlite(tmp_path, RECORDS, targets=["documents", "claims"])
        else:
            seed_postgres(url, RECORDS, targets=["documents", "claims"])
        yield running


@contextlib.contextmanager
def at_part(host: RunningHost, place: int, act: Callable[[list[int]], None]) -> Iterator[threading.Event]:
    """Something is done to the workers, once, when they are in the midst of this part; the event tells that it was."""
    pool, reached = host.shard._service.runs.pool, threading.Event()
    run = pool.run

    async def watched(order: Any, on_progress: Any) -> Any:
        def progressed(progress: Progressed) -> None:
            if progress.parts and progress.parts[place].done and not reached.is_set():
                reached.set()
                act(pool.pids)
            on_progress(progress)

        return await run(order, progressed)

    pool.run = watched
    try:
        yield reached
    finally:
        pool.run = run


def send(sign: signal.Signals) -> Callable[[list[int]], None]:
    def act(pids: list[int]) -> None:
        for pid in pids:
            os.kill(pid, sign)

    return act


def whole(host: RunningHost, job: dict[str, Any]) -> dict[str, bytes]:
    assert job["status"] == "completed", job
    with zipfile.ZipFile(io.BytesIO(host.client.get(job["download_url"]).content)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    assert len(json.loads(files["01-documents.json"])["records"]) == RECORDS
    assert [each["record_count"] for each in job["parts"]][:2] == [RECORDS, RECORDS]
    return files


def test_a_batch_whose_worker_was_killed_runs_again_and_is_whole(host: RunningHost) -> None:
    with at_part(host, 1, send(signal.SIGKILL)) as reached:
        job = host.wait(host.batch(*PARTS).json()["id"])
        assert reached.is_set()
    whole(host, job)
    assert len(job["metadata"]["history"]) == 1
    assert host.events_of(job["id"])[:-1] == [
        "export.job.created",
        "export.job.started",
        "export.file.created",
        "export.job.completed",
    ]
    assert stored_files(host.data_dir / "files") == [f"{job['id']}.2.zip"]


def test_a_batch_is_cancelled_in_the_middle_of_a_part_at_once(host: RunningHost) -> None:
    with at_part(host, 1, send(signal.SIGSTOP)) as reached:
        job_id = host.batch(*PARTS, continue_on_error=True).json()["id"]
        assert reached.wait(60)
        asked = time.monotonic()
        assert host.client.delete(f"/api/export/jobs/{job_id}").status_code == 204
        assert time.monotonic() - asked < CANCELLED_WITHIN_SECONDS
    job = host.client.get(f"/api/export/jobs/{job_id}").json()
    assert (job["status"], job["file_path"]) == ("cancelled", None)
    assert stored_files(host.data_dir / "files") == []


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_full_disk_fails_the_batch_whatever_may_go_on(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch, goes_on: bool
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", str(small_disk))
    monkeypatch.setenv("ARKHAM_EXPORT_MIN_FREE_MIB", "0")
    seed_sqlite(tmp_path / "data", 1_500, targets=["claims"])
    parts = [{"target": "claims", "format": "csv", "options": {"max_records": 3}}, PARTS[1]]
    with standalone(tmp_path / "data") as host:
        ballast = fill(small_disk)
        job = host.wait(host.batch(*parts, continue_on_error=goes_on).json()["id"])
        assert (job["status"], "disk of the export store is full" in job["error"]) == ("failed", True), job
        assert stored_files(small_disk) == [ballast.name]
        ballast.unlink()
        assert host.wait(host.batch(*parts, continue_on_error=goes_on).json()["id"])["status"] == "completed"


def test_a_batch_that_has_ended_is_repeated_from_the_command_line(host: RunningHost) -> None:
    first = host.wait(host.batch(*PARTS, continue_on_error=True, retention_hours=2).json()["id"])
    words = [
        "--data",
        str(host.data_dir),
        *(["--database-url", host.database_url] if host.database_url else []),
    ]
    command = [sys.executable, "-m", "arkham_shard_export.cli", "jobs"]
    ran = subprocess.run(
        [*command, "retry", first["id"], *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    again = host.wait(ran.stdout.strip())
    whole(host, again)
    asked = ("target", "format", "filters", "options", "name")
    assert [{name: each[name] for name in asked} for each in again["parts"]] == [
        {name: each[name] for name in asked} for each in first["parts"]
    ]
    assert again["continue_on_error"] is True
    ran = subprocess.run(
        [*command, "show", first["id"], *words], capture_output=True, text=True, check=False, timeout=60
    )
    shown = dict(re.findall(r"^(part \d) +(.*)$", ran.stdout, re.MULTILINE))
    assert shown["part 1"] == f"documents as json, completed, {RECORDS:,} records, 01-documents.json"
    assert shown["part 3"].startswith("disputed, claims as xlsx, completed, ")
    assert again["metadata"]["retry_of"] == first["id"]
    ran = subprocess.run(
        [*command, "list", "--format", "zip", "--json", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert json.loads(ran.stdout)["total"] == 2


def test_a_batch_survives_the_end_of_its_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seed_sqlite(tmp_path, RECORDS, targets=["documents", "claims"])
    monkeypatch.setenv("ARKHAM_EXPORT_CONCURRENCY", "0")
    with standalone(tmp_path) as host:
        waiting = host.batch(*PARTS).json()
        assert [each["status"] for each in waiting["parts"]] == ["pending"] * 3
    monkeypatch.delenv("ARKHAM_EXPORT_CONCURRENCY")
    with standalone(tmp_path) as host:
        job = host.wait(waiting["id"])
        files = whole(host, job)
        assert "03-disputed.xlsx" in files
