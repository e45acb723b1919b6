"""Processes are killed; jobs still come to their end, once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from tests.hosts import END_SECONDS, RunningHost, standalone
from tests.tools import stored_files

RECORDS = 12_000
"""So many matrices take seconds, which leaves time to look, to kill and to cancel."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class HostProcess:
    """A host in a process of its own, started the way its users start it."""

    def __init__(self, arguments: list[str], environment: dict[str, str], port: int) -> None:
        self.process = subprocess.Popen([sys.executable, *arguments], env={**os.environ, **environment})
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
        self.until(lambda: self.client.get("/api/export/count").status_code == 200)

    def until(self, condition: Any) -> None:
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the host ended"
            with contextlib.suppress(httpx.HTTPError):
                if condition():
                    return
            time.sleep(0.01)
        raise AssertionError("it did not come to pass")

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.client.get(f"/api/export/jobs/{job_id}").json())

    def end(self, sign: signal.Signals) -> None:
        self.client.close()
        self.process.send_signal(sign)
        self.process.wait(END_SECONDS)


def processes(parent: int) -> list[int]:
    """The direct children of a process."""
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(each) for each in text.split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(params=["standalone", "arkhamframe"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Starts the host again and again over the same data; what still runs at the end is ended."""
    started: list[HostProcess] = []
    if request.param == "standalone":
        seed_sqlite(tmp_path, RECORDS)
        files = tmp_path / "files" / "exports"
    else:
        from tables import create_peer_tables

        url = request.getfixturevalue("postgres_url")
        create_peer_tables(url)
        seed_postgres(url, RECORDS)
        files = tmp_path / "exports"

    def begin(**environment: str) -> tuple[HostProcess, Path]:
        port = free_port()
        if request.param == "standalone":
            command = ["serve", "--data", str(tmp_path), "--port", str(port)]
            arguments = ["-c", "from arkham_shard_export.cli import main; main()", *command]
            host = HostProcess(arguments, environment, port)
        else:
            arguments = ["-m", "arkham_frame", "--database-url", url, "--storage-dir", str(tmp_path)]
            path = str(Path(__file__).parents[1] / "arkhamframe")
            host = HostProcess([*arguments, "--port", str(port)], {"PYTHONPATH": path, **environment}, port)
        started.append(host)
        return host, files

    yield begin
    for host in started:
        if host.process.poll() is None:
            host.end(signal.SIGTERM)


def test_a_job_runs_again_after_its_host_was_killed(start: Any) -> None:
    host, files = start()
    body = {"format": "json", "target": "matrix"}
    job_id = host.client.post("/api/export/jobs", json=body).json()["id"]
    host.until(lambda: host.job(job_id)["metadata"].get("progress", {}).get("phase") == "writing")
    workers = processes(host.process.pid)
    assert workers
    host.end(signal.SIGKILL)
    deadline = time.monotonic() + END_SECONDS
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlived its host"
        time.sleep(0.01)

    host, files = start()
    host.until(lambda: host.job(job_id)["status"] not in ("pending", "processing"))
    job = host.job(job_id)
    assert job["status"] == "completed", job
    assert job["record_count"] == RECORDS
    document = json.loads(host.client.get(job["download_url"]).content)
    assert len({record["id"] for record in document["records"]}) == RECORDS
    assert stored_files(files) == [f"{job_id}.2.json"]
    host.end(signal.SIGTERM)
    assert host.process.returncode in (0, -signal.SIGTERM)


def test_a_graceful_stop_hands_the_running_job_back(start: Any) -> None:
    host, files = start(ARKHAM_EXPORT_GRACE_SECONDS="0")
    job_id = host.client.post("/api/export/jobs", json={"format": "json", "target": "matrix"}).json()["id"]
    host.until(lambda: host.job(job_id)["status"] == "processing")
    host.end(signal.SIGTERM)
    assert stored_files(files) == []
    host, _ = start()
    host.until(lambda: host.job(job_id)["status"] == "completed")
    assert host.job(job_id)["record_count"] == RECORDS


def test_a_graceful_stop_lets_an_export_end_that_ends_within_the_grace_period(start: Any) -> None:
    host, files = start(ARKHAM_EXPORT_GRACE_SECONDS="120")
    job_id = host.client.post("/api/export/jobs", json={"format": "json", "target": "matrix"}).json()["id"]
    waiting = host.client.post("/api/export/jobs", json={"format": "csv", "target": "matrix"}).json()["id"]
    host.until(lambda: host.job(job_id)["status"] == "processing")
    host.end(signal.SIGTERM)
    assert f"{job_id}.1.json" in stored_files(files)
    host, _ = start()
    host.until(lambda: host.job(waiting)["status"] == "completed")
    assert (host.job(job_id)["status"], host.job(job_id)["record_count"]) == ("completed", RECORDS)


def until(condition: Any) -> None:
    deadline = time.monotonic() + END_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


def writing(host: RunningHost, job_id: str) -> bool:
    job = host.client.get(f"/api/export/jobs/{job_id}").json()
    return bool(job["metadata"].get("progress", {}).get("phase") == "writing")


def test_a_job_whose_worker_was_killed_runs_again_in_another(tmp_path: Path) -> None:
    seed_sqlite(tmp_path, RECORDS)
    with standalone(tmp_path) as host:
        job_id = host.post("matrix", "json").json()["id"]
        until(lambda: writing(host, job_id))
        (pid,) = host.shard._service.runs.pool.pids
        os.kill(pid, signal.SIGKILL)
        job = host.wait(job_id)
        assert (job["status"], job["record_count"]) == ("completed", RECORDS)
        assert host.events_of(job_id) == [
            "export.job.created",
            "export.job.started",
            "export.file.created",
            "export.job.completed",
        ]
        files = stored_files(tmp_path / "files")
        assert files == [f"{job_id}.2.json"]


def test_a_job_that_kills_every_worker_fails_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_MAX_ATTEMPTS", "2")
    seed_sqlite(tmp_path, RECORDS)
    with standalone(tmp_path) as host:
        job_id = host.post("matrix", "json").json()["id"]
        killed: set[int] = set()

        def kill() -> bool:
            for pid in set(host.shard._service.runs.pool.pids) - killed:
                if writing(host, job_id):
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
            return bool(host.client.get(f"/api/export/jobs/{job_id}").json()["status"] == "failed")

        until(kill)
        job = host.wait(job_id)
        assert "worker process" in job["error"]
        assert "2 times" in job["error"]
        assert host.events_of(job_id)[-1] == "export.job.failed"
        assert not stored_files(tmp_path / "files")


def test_cancelling_stops_running_work_and_leaves_no_file(tmp_path: Path) -> None:
    seed_sqlite(tmp_path, RECORDS)
    with standalone(tmp_path) as host:
        job_id = host.post("matrix", "json").json()["id"]
        until(lambda: writing(host, job_id))
        started = time.monotonic()
        assert host.client.delete(f"/api/export/jobs/{job_id}").status_code == 204
        assert time.monotonic() - started < 10
        job = host.client.get(f"/api/export/jobs/{job_id}").json()
        assert job["status"] == "cancelled"
        assert job["file_path"] is None
        assert host.client.get(f"/api/export/jobs/{job_id}/download").status_code == 400
        assert not stored_files(tmp_path / "files")
        assert host.events_of(job_id)[-1] == "export.job.cancelled"
        assert host.events_of(job_id).count("export.job.cancelled") == 1
        # The host goes on working.
        job, _ = host.export("claims", "csv", options={"max_records": 3})
        assert job["record_count"] == 3


def test_jobs_wait_their_turn_oldest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_CONCURRENCY", "2")
    seed_sqlite(tmp_path, 300)
    with standalone(tmp_path) as host:
        jobs = [host.post("claims", "json").json()["id"] for _ in range(12)]
        for job_id in jobs:
            assert host.wait(job_id)["status"] == "completed"
        running = 0
        for event in host.events:
            running += {"export.job.started": 1, "export.file.created": -1}.get(event["event_type"], 0)
            assert running <= 2
        started = [
            each["payload"]["job_id"] for each in host.events if each["event_type"] == "export.job.started"
        ]
        assert started == jobs
        assert len(host.shard._service.runs.pool.pids) <= 2, "workers are reused"


def test_an_export_that_ends_while_the_database_is_busy_is_still_recorded(tmp_path: Path) -> None:
    """The jobs table cannot be written for a while; the host's service gives up on each call meanwhile."""
    seed_sqlite(tmp_path, 50)
    with standalone(tmp_path) as host:
        service = host.frame.database
        execute = service.execute
        refused: list[str] = []

        async def refusing(sql: str, params: Any = None) -> None:
            if "completed_at" in sql and len(refused) < 3:
                refused.append(sql)
                raise OSError("the database is gone")
            await execute(sql, params)

        service.execute = refusing
        job, file = host.export("claims", "json")
        assert len(refused) == 3
        assert job["record_count"] == len(json.loads(file.content)["records"]) == 50
