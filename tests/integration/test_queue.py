"""The queue of many processes, on a real PostgreSQL: hosts and workers as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from arkham_shard_export.jobs.queues import schema as queue_schema
from arkham_shard_export.jobs.queues.schema import SCHEMA
from arkham_shard_export.standalone.seed import seed_postgres
from benchmarks.fleet import Fleet, Member, alive, descendants, paused, until
from benchmarks.verdict import expected_events, violations
from tests.conftest import new_database

RECORDS = 3_000
"""So many matrices in a workbook take seconds, which leaves time to look, to kill and to cancel."""
LONG = {"target": "matrix", "format": "xlsx"}
SHORT = {"target": "claims", "format": "json", "options": {"max_records": 10}}
CANCELLED_WITHIN_SECONDS = 2.0
END_SECONDS = 180.0
WAITING = 300


@pytest.fixture(scope="module")
def seeded(postgres_server: str) -> str:
    url = new_database(postgres_server)
    seed_postgres(url, RECORDS, targets=["matrix", "claims"])
    return url


@pytest.fixture
def fleet(postgres_server: str, seeded: str, tmp_path: Path) -> Iterator[Fleet]:
    """On a copy of the seeded database; its hosts run nothing themselves."""
    name = f"copy_of_{Path(tmp_path).name[-20:].replace('-', '_')}"
    template = seeded.rsplit("/", 1)[1] if "?" not in seeded else seeded.split("?")[0].rsplit("/", 1)[1]
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {template}'.encode())
    url = postgres_server.replace("/postgres?", f"/{name}?")
    with Fleet(tmp_path, url, concurrency=0, heartbeat_seconds=0.5, poll_seconds=0.2, processes=1) as started:
        yield started


def post(host: Member, body: dict[str, Any]) -> str:
    answer = httpx.post(f"{host.url}/api/export/jobs", json=body, timeout=30)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def is_writing(fleet: Fleet, job_id: str, attempt: int = 1) -> bool:
    job = fleet.job(job_id)
    progress = json.loads(job["metadata"]).get("progress", {})
    return bool((job["status"], job["attempts"], progress.get("phase")) == ("processing", attempt, "writing"))


def runner(fleet: Fleet, job_id: str) -> Member:
    """Whose process runs the job."""
    pid = int(fleet.job(job_id)["runner"].split(":")[1])
    return next(each for each in fleet.members if each.process.pid == pid)


def history(fleet: Fleet, job_id: str) -> list[dict[str, Any]]:
    return list(json.loads(fleet.job(job_id)["metadata"])["history"])


def events_of(fleet: Fleet, job_id: str) -> list[str]:
    until(lambda: not fleet.untold(), "all events are delivered")
    return [each["event_type"] for each in fleet.heard() if each["payload"]["job_id"] == job_id]


def completes(fleet: Fleet, job_id: str) -> dict[str, Any]:
    until(lambda: fleet.job(job_id)["status"] not in ("pending", "processing"), "the job ends", END_SECONDS)
    job = fleet.job(job_id)
    assert job["status"] == "completed", job
    return job


def enter(fleet: Fleet, job_id: str) -> None:
    assert fleet.database_url is not None
    with psycopg.connect(fleet.database_url, options=queue_schema.SEARCH_PATH) as connection:
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)"
            " VALUES ('small', 'export', %s, %s, %s)",
            [job_id, job_id, json.dumps({"job_id": job_id})],
        )


def test_a_job_that_was_inserted_by_sql_runs(fleet: Fleet) -> None:
    fleet.host()
    fleet.worker()
    fleet.ready()
    fleet.query(
        "INSERT INTO arkham_export_jobs (id, format, target, status, created_at) VALUES"
        " ('by-hand', 'csv', 'claims', 'pending', '2026-01-01T00:00:00+00:00')"
    )
    assert completes(fleet, "by-hand")["record_count"] == RECORDS
    assert events_of(fleet, "by-hand") == expected_events(fleet.job("by-hand"))


def test_entries_of_no_job_and_of_one_that_has_ended_disappear(fleet: Fleet) -> None:
    host, _ = fleet.host(), fleet.worker()
    fleet.ready()
    job_id = post(host, SHORT)
    before = completes(fleet, job_id)
    fleet.ended(30)
    enter(fleet, job_id)
    enter(fleet, "of-no-job")
    until(lambda: not fleet.entries(), "the entries disappear")
    assert fleet.job(job_id) == before
    assert violations(fleet, [job_id], []) == []


def test_the_queue_is_kept_although_many_jobs_wait(fleet: Fleet) -> None:
    host = fleet.host()
    fleet.ready()
    for _ in range(WAITING):
        post(host, SHORT)
    fleet.query(
        "INSERT INTO arkham_export_jobs (id, format, target, status, created_at) VALUES"
        " ('by-hand', 'csv', 'claims', 'pending', '2026-01-01T00:00:00+00:00')"
    )
    fleet.worker()
    until(lambda: [each for each in fleet.entries() if each["lock"] == "by-hand"], "it is entered")
    assert fleet.open_jobs() > WAITING // 4
    fleet.ended(END_SECONDS)


def test_when_many_entries_wait_the_database_knows_how_many(fleet: Fleet) -> None:
    fleet.host()
    fleet.worker()
    fleet.ready()
    assert fleet.database_url is not None
    with psycopg.connect(fleet.database_url, options=queue_schema.SEARCH_PATH) as connection:
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at)"
            " SELECT 'small', 'later', '{}', now() + interval '1 day' FROM generate_series(1, 300)"
        )
    known = (
        f"SELECT reltuples >= 300 AS known FROM pg_class WHERE oid = '{SCHEMA}.procrastinate_jobs'::regclass"
    )
    until(lambda: fleet.query(known)[0]["known"], "the statistics are there")


def test_a_job_is_taken_over_from_killed_workers_until_it_was_tried_often_enough(fleet: Fleet) -> None:
    host = fleet.host()
    for _ in range(2):
        fleet.worker(max_attempts=2)
    fleet.ready()
    job_id = post(host, LONG)
    for attempt in (1, 2):
        until(lambda attempt=attempt: is_writing(fleet, job_id, attempt), "it is written")  # type: ignore[misc]
        killed = runner(fleet, job_id)
        killed.kill()
        killed.start()
    until(lambda: fleet.job(job_id)["status"] == "failed", "the job fails")
    assert "tried 2 times" in fleet.job(job_id)["error"]
    assert "not heard of any more" in fleet.job(job_id)["error"]
    assert [each["attempt"] for each in history(fleet, job_id)] == [1, 2]
    assert all(each["runner"] and each["started_at"] for each in history(fleet, job_id))
    assert events_of(fleet, job_id) == ["export.job.created", "export.job.started", "export.job.failed"]
    until(lambda: fleet.files() == set(), "nothing is left")


def test_a_worker_that_was_given_up_and_lives_on_leaves_the_job_to_its_successor(fleet: Fleet) -> None:
    host = fleet.host()
    for _ in range(3):
        fleet.worker()
    fleet.ready()
    job_id = post(host, LONG)
    until(lambda: is_writing(fleet, job_id), "it is written")
    with paused(runner(fleet, job_id).process.pid):
        until(lambda: is_writing(fleet, job_id, 2), "another takes it over")
    job = completes(fleet, job_id)
    fleet.ended(30)
    assert job["attempts"] == 2
    assert [each["attempt"] for each in history(fleet, job_id)] == [1]
    assert violations(fleet, [job_id], []) == []


def test_cancelling_stops_the_export_process_of_a_worker(fleet: Fleet) -> None:
    host, worker = fleet.host(), fleet.worker()
    fleet.ready()
    job_id = post(host, LONG)
    until(lambda: is_writing(fleet, job_id), "it is written")
    children = descendants(worker.process.pid)
    assert children
    assert httpx.delete(f"{host.url}/api/export/jobs/{job_id}").status_code == 204
    asked = time.monotonic()
    busy = [pid for pid in children if has_open(pid, job_id)]
    until(lambda: not any(alive(pid) for pid in busy), "the export process ends", CANCELLED_WITHIN_SECONDS)
    until(lambda: not fleet.files(), "nothing is left", CANCELLED_WITHIN_SECONDS)
    assert time.monotonic() - asked < CANCELLED_WITHIN_SECONDS
    fleet.ended(30)
    assert fleet.job(job_id)["status"] == "cancelled"
    assert violations(fleet, [job_id], []) == []


def has_open(pid: int, name: str) -> bool:
    """Whether a process has a file open whose name holds this."""
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(each))
        except OSError:
            continue
    return any(name in each for each in found)


def test_a_worker_that_is_stopped_hands_its_job_back(fleet: Fleet) -> None:
    host = fleet.host()
    for _ in range(2):
        fleet.worker(grace_seconds=0.5, max_attempts=1)
    fleet.ready()
    job_id = post(host, LONG)
    until(lambda: is_writing(fleet, job_id), "it is written")
    stopped = runner(fleet, job_id)
    (busy,) = [pid for pid in descendants(stopped.process.pid) if has_open(pid, job_id)]
    asked = time.monotonic()
    # Else it might end within the grace period.
    with paused(busy):
        assert stopped.terminate() == 0
    assert time.monotonic() - asked < 5
    job = completes(fleet, job_id)
    assert (job["attempts"], job["interruptions"]) == (2, 1)
    assert [each["reason"] for each in history(fleet, job_id)] == ["Its runner was stopped."]
    fleet.ended(30)
    assert violations(fleet, [job_id], []) == []


def test_small_jobs_pass_by_a_large_one(fleet: Fleet) -> None:
    host, worker = fleet.host(), fleet.worker(concurrency=1)
    fleet.ready()
    large = post(host, {"target": "claims", "format": "pdf"})
    until(lambda: fleet.job(large)["status"] == "processing", "the large one runs")
    until(
        lambda: any(has_open(pid, large) for pid in descendants(worker.process.pid)), "it has its file open"
    )
    (busy,) = [pid for pid in descendants(worker.process.pid) if has_open(pid, large)]
    with paused(busy):
        for _ in range(3):
            completes(fleet, post(host, SHORT))
        assert fleet.job(large)["status"] == "processing"
    assert httpx.delete(f"{host.url}/api/export/jobs/{large}").status_code == 204
    fleet.ended(30)
    until(lambda: not fleet.files() & {large}, "nothing is left of it")


def test_a_host_without_places_runs_nothing_itself(fleet: Fleet) -> None:
    host = fleet.host()
    fleet.ready()
    job_id = post(host, SHORT)
    assert fleet.query(f"SELECT id FROM {SCHEMA}.procrastinate_workers") == []
    assert descendants(host.process.pid) == []
    worker = fleet.worker()
    completes(fleet, job_id)
    assert runner(fleet, job_id) is worker


def test_hosts_and_workers_that_start_at_once_on_an_empty_database_all_work(
    postgres_url: str, tmp_path: Path
) -> None:
    with Fleet(tmp_path, postgres_url, poll_seconds=0.2, heartbeat_seconds=0.5) as fleet:
        hosts = [fleet.host(), fleet.host()]
        for _ in range(2):
            fleet.worker()
        fleet.ready()
        jobs = [post(host, SHORT) for host in hosts]
        fleet.ended(60)
        assert violations(fleet, jobs, []) == []
        assert fleet.stop() == [-signal.SIGTERM, -signal.SIGTERM, 0, 0]
