"""The REST and Python contract, field for field, in every host."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import re
import signal
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import yaml

from arkham_shard_export import ExportShard, models
from arkham_shard_export.errors import InvalidRequest
from arkham_shard_export.models import ExportFilter, ExportJob, ExportOptions, ExportStatus
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from arkham_shard_export.targets import TARGETS
from tests.hosts import RunningHost, arkhamframe, standalone
from tests.tools import stored_files

NONE = type(None)
ALL = ["documents", "entities", "claims", "timeline", "graph", "matrix"]
FORMATS = ["json", "csv", "xlsx", "pdf", "docx"]
STATUSES = {"pending", "processing", "completed", "failed", "cancelled"}
KINDS = ["standalone", "standalone-postgres", "arkhamframe"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)")

JOB: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "format": (str,),
    "target": (str,),
    "status": (str,),
    "created_at": (str,),
    "started_at": (str, NONE),
    "completed_at": (str, NONE),
    "file_path": (str, NONE),
    "file_size": (int, NONE),
    "download_url": (str, NONE),
    "expires_at": (str, NONE),
    "error": (str, NONE),
    "filters": (dict,),
    "options": (dict,),
    "record_count": (int,),
    "processing_time_ms": (int, float),
    "created_by": (str,),
    "metadata": (dict,),
    "progress": (dict, NONE),
}
OPTION_DEFAULTS: dict[str, object] = {
    "include_metadata": True,
    "include_relationships": True,
    "date_range_start": None,
    "date_range_end": None,
    "entity_types": None,
    "flatten": False,
    "max_records": None,
    "sort_by": None,
    "sort_order": "asc",
    "include_conflicts": False,
    "include_gaps": False,
    "group_by": None,
}
FORMAT: dict[str, tuple[type, ...]] = {
    "format": (str,),
    "name": (str,),
    "description": (str,),
    "file_extension": (str,),
    "mime_type": (str,),
    "supports_flatten": (bool,),
    "supports_metadata": (bool,),
    "max_records": (int, NONE),
    "placeholder": (bool,),
    "available": (bool,),
}
TARGET: dict[str, tuple[type, ...]] = {
    "target": (str,),
    "name": (str,),
    "description": (str,),
    "available_formats": (list,),
    "estimated_record_count": (int,),
    "supports_filters": (list,),
}
PREVIEW: dict[str, tuple[type, ...]] = {
    "format": (str,),
    "target": (str,),
    "estimated_record_count": (int,),
    "preview_records": (list,),
    "estimated_file_size_bytes": (int,),
}
STATS: dict[str, tuple[type, ...]] = {
    "total_jobs": (int,),
    "by_status": (dict,),
    "by_format": (dict,),
    "by_target": (dict,),
    "jobs_pending": (int,),
    "jobs_processing": (int,),
    "jobs_completed": (int,),
    "jobs_failed": (int,),
    "total_records_exported": (int,),
    "total_file_size_bytes": (int,),
    "avg_processing_time_ms": (int, float),
    "oldest_pending_job": (str, NONE),
}
EVENT_FIELDS = {
    "export.job.created": {"job_id", "format", "target", "created_by"},
    "export.job.started": {"job_id", "format", "target"},
    "export.job.completed": {"job_id", "record_count", "file_size", "processing_time_ms"},
    "export.job.failed": {"job_id", "error"},
    "export.job.cancelled": {"job_id"},
    "export.file.created": {"job_id", "file_path", "file_size"},
    "export.file.downloaded": {"job_id", "file_path"},
    "export.file.expired": {"job_id", "file_path"},
}
PAGE_OPTIONS = {
    "include_metadata": True,
    "include_relationships": True,
    "max_records": None,
    "include_conflicts": False,
    "include_gaps": False,
    "group_by": None,
}


def has_shape(body: dict[str, Any], shape: dict[str, tuple[type, ...]]) -> None:
    assert shape.keys() <= body.keys(), f"missing: {shape.keys() - body.keys()}"
    for name, kinds in shape.items():
        assert type(body[name]) in kinds, f"{name} is {body[name]!r}"


def until(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true value of `what`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} seconds")


def listed(host: RunningHost, **query: Any) -> dict[str, Any]:
    answer = host.client.get("/api/export/jobs", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def every_job(host: RunningHost) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = []
    while True:
        page = listed(host, limit=500, offset=len(jobs))
        jobs += page["jobs"]
        if len(jobs) >= page["total"]:
            return jobs


def set_column(host: RunningHost, job_id: str, **values: object) -> None:
    names = ", ".join(f"{name} = ?" for name in values)
    sql = f"UPDATE arkham_export_jobs SET {names} WHERE id = ?"
    host.run(host.frame.database.execute(sql, [*values.values(), job_id]))


def store_of(host: RunningHost) -> Path:
    base: Path = host.frame.get_service("storage").base_path
    return base / "exports"


def fresh_database(server_url: str) -> str:
    name = f"contract_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server_url.replace("/postgres?", f"/{name}?")


@contextlib.contextmanager
def own_host(kind: str, data_dir: Path, server_url: str, **options: Any) -> Iterator[RunningHost]:
    """A host of one's own with a few records, running one job at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARKHAM_EXPORT_CONCURRENCY", "1")
        if kind == "standalone":
            seed_sqlite(data_dir, 5)
            with standalone(data_dir, **options) as host:
                yield host
            return
        url = fresh_database(server_url)
        if kind == "arkhamframe":
            from tables import create_peer_tables

            create_peer_tables(url)
        seed_postgres(url, 5)
        serve = arkhamframe if kind == "arkhamframe" else standalone
        with serve(data_dir, url, **options) as host:
            yield host


@pytest.fixture(params=KINDS)
def single(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningHost]:
    """A fresh host that runs one job at a time: none is so small that it may pass by another."""
    monkeypatch.setattr("arkham_shard_export.jobs.queues.lanes.SMALL_RECORDS", -1)
    with own_host(request.param, tmp_path, postgres_server) as host:
        yield host


@pytest.fixture
def frame_host(tmp_path: Path, postgres_server: str) -> Iterator[RunningHost]:
    with own_host("arkhamframe", tmp_path, postgres_server) as host:
        yield host


@contextlib.contextmanager
def held(host: RunningHost) -> Iterator[str]:
    """A job that has begun and cannot go on until the block ends: its worker process is stopped."""
    pool = host.run(host.shard.service()).runs.pool
    (worker,) = until(lambda: pool.pids)
    os.kill(worker, signal.SIGSTOP)
    try:
        job_id = host.post("claims", "json").json()["id"]
        until(lambda: host.client.get(f"/api/export/jobs/{job_id}").json()["status"] == "processing")
        yield job_id
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)


def break_claims(host: RunningHost) -> None:
    """From now on reading a claim raises, counting them does not."""
    columns = [column.name for column in TARGETS["claims"].sets[0].table.columns if column.name != "text"]
    raising = (
        "abs(-9223372036854775807 - 1)" if host.database_url is None else "1 / (length(id) - length(id))"
    )
    run = host.frame.database.execute
    host.run(run("ALTER TABLE arkham_claims RENAME TO kept_claims"))
    host.run(
        run(
            f"CREATE VIEW arkham_claims AS SELECT {', '.join(columns)}, CAST({raising} AS text) AS text FROM kept_claims"
        )
    )


def insert_pending(host: RunningHost, **values: str) -> str:
    """A pending job that no request of this version could make."""
    row = {
        "id": f"odd-{uuid4()}",
        "created_at": "2025-01-01T00:00:00.000000+00:00",
        "status": "pending",
        **values,
    }
    sql = f"INSERT INTO arkham_export_jobs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
    host.run(host.frame.database.execute(sql, list(row.values())))
    return row["id"]


# Jobs


def test_a_new_job_is_answered_at_once_pending_with_every_field(host: RunningHost) -> None:
    answer = host.post("claims", "csv", filters={"status": "verified"}, options={"max_records": 3})
    assert answer.status_code == 201
    job = answer.json()
    has_shape(job, JOB)
    assert job["status"] == "pending"
    assert (job["format"], job["target"]) == ("csv", "claims")
    assert job["filters"] == {"status": "verified"}
    assert OPTION_DEFAULTS.keys() <= job["options"].keys()
    assert {name: job["options"][name] for name in OPTION_DEFAULTS} == {**OPTION_DEFAULTS, "max_records": 3}
    assert job["created_by"] == "system"
    assert len(job["id"]) >= 8
    unset = ("started_at", "completed_at", "file_path", "file_size", "download_url", "expires_at", "error")
    assert [job[name] for name in unset] == [None] * len(unset)
    assert (job["record_count"], job["processing_time_ms"]) == (0, 0)
    assert TIME.fullmatch(job["created_at"])
    host.wait(job["id"])


def test_a_completed_job_has_every_field_filled(host: RunningHost) -> None:
    before = datetime.now(UTC)
    job, file = host.export("claims", "json")
    after = datetime.now(UTC)
    has_shape(job, JOB)
    for name in ("created_at", "started_at", "completed_at", "expires_at"):
        assert TIME.fullmatch(job[name]), (name, job[name])
    created, started, completed = (
        datetime.fromisoformat(job[name]) for name in ("created_at", "started_at", "completed_at")
    )
    assert before <= created <= started <= completed <= after
    kept = datetime.fromisoformat(job["expires_at"]) - completed
    assert kept == timedelta(hours=24)
    assert job["error"] is None
    assert job["file_size"] == len(file.content)
    assert job["record_count"] == len(host.query("SELECT id FROM arkham_claims"))
    assert job["processing_time_ms"] > 0
    assert job["download_url"] == f"/api/export/jobs/{job['id']}/download"
    assert {"completeness", "adjustments", "sha256", "snapshot_at", "file_name"} <= job["metadata"].keys()


def test_the_path_of_a_file_is_relative_to_the_store(host: RunningHost) -> None:
    job, file = host.export("entities", "csv")
    path = Path(job["file_path"])
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert (store_of(host) / path).read_bytes() == file.content
    assert str(host.data_dir) not in str(job)


def test_missing_and_null_filters_and_options_are_the_defaults(host: RunningHost) -> None:
    bodies: list[dict[str, Any]] = [{}, {"filters": None, "options": None}, {"filters": {}, "options": {}}]
    for body in bodies:
        answer = host.post("matrix", "json", **body)
        assert answer.status_code == 201, answer.text
        job = answer.json()
        assert job["filters"] == {}
        assert {name: job["options"][name] for name in OPTION_DEFAULTS} == OPTION_DEFAULTS
        assert host.wait(job["id"])["status"] == "completed"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("target", ALL)
def test_the_frames_page_can_export_every_target_in_every_format(
    host: RunningHost, target: str, format: str
) -> None:
    body = {"format": format, "target": target, "options": PAGE_OPTIONS}
    answer = host.client.post("/api/export/jobs", json=body)
    assert answer.status_code == 201, answer.text
    job = host.wait(answer.json()["id"])
    assert job["status"] == "completed", job
    assert host.client.get(job["download_url"]).status_code == 200


def test_the_job_that_was_posted_can_be_fetched(host: RunningHost) -> None:
    posted = host.post("graph", "json").json()
    answer = host.client.get(f"/api/export/jobs/{posted['id']}")
    assert answer.status_code == 200
    has_shape(answer.json(), JOB)
    fixed = ("id", "format", "target", "created_at", "filters", "options", "created_by")
    assert [answer.json()[name] for name in fixed] == [posted[name] for name in fixed]
    host.wait(posted["id"])


def test_a_date_as_late_as_dates_go_is_a_date(host: RunningHost) -> None:
    options = {"date_range_start": "0001-01-01", "date_range_end": "9999-12-31"}
    answer = host.post("timeline", "json", options=options)
    assert answer.status_code == 201, answer.text
    job = host.wait(answer.json()["id"])
    dated = host.query("SELECT id FROM arkham_timeline_events WHERE date_start IS NOT NULL")
    assert job["record_count"] == len(dated)


# Lists and counts


def test_the_list_is_newest_first_and_of_the_contracts_shape(host: RunningHost) -> None:
    ids = [host.post("matrix", "json").json()["id"] for _ in range(3)]
    body = listed(host)
    assert set(body) >= {"jobs", "total", "limit", "offset"}
    assert (body["limit"], body["offset"]) == (50, 0)
    assert body["total"] >= len(body["jobs"])
    for job in body["jobs"]:
        has_shape(job, JOB)
        assert job["status"] in STATUSES
    assert [job["id"] for job in body["jobs"][:3]] == ids[::-1]
    created = [job["created_at"] for job in body["jobs"]]
    assert created == sorted(created, reverse=True)
    for each in ids:
        host.wait(each)


def test_the_list_is_filtered_by_status_format_target_and_creator(host: RunningHost) -> None:
    creator = f"creator-{uuid4()}"
    jobs = [
        host.run(host.shard.create_export_job(format, target, created_by=creator))
        for format, target in (("json", "claims"), ("csv", "claims"), ("json", "matrix"))
    ]
    for job in jobs:
        host.wait(job.id)

    def chosen(**query: str) -> set[str]:
        body = listed(host, created_by=creator, limit=500, **query)
        assert body["total"] == len(body["jobs"])
        return {job["id"] for job in body["jobs"]}

    first, second, third = (job.id for job in jobs)
    assert chosen() == {first, second, third}
    assert chosen(format="json") == {first, third}
    assert chosen(target="claims") == {first, second}
    assert chosen(target="claims", format="json") == {first}
    assert chosen(status="completed") == {first, second, third}
    assert chosen(status="failed") == set()
    assert chosen(target="custom") == set()
    assert chosen(format="pdf") == set()
    everyone = listed(host, target="matrix", limit=500)["jobs"]
    assert {job["target"] for job in everyone} == {"matrix"}


def test_the_list_pages_by_limit_and_offset_while_total_counts_all(host: RunningHost) -> None:
    creator = f"creator-{uuid4()}"
    ids = [host.run(host.shard.create_export_job("json", "matrix", created_by=creator)).id for _ in range(5)]
    for each in ids:
        host.wait(each)
    seen: list[str] = []
    for offset in (0, 2, 4, 6):
        body = listed(host, created_by=creator, limit=2, offset=offset)
        assert (body["total"], body["limit"], body["offset"]) == (5, 2, offset)
        seen += [job["id"] for job in body["jobs"]]
    assert seen == ids[::-1]
    assert listed(host, limit=500)["limit"] == 500
    assert listed(host, limit=1, offset=2**40)["jobs"] == []


def test_the_count_is_of_pending_jobs_or_of_another_status(single: RunningHost) -> None:
    def count(**query: str) -> int:
        answer = single.client.get("/api/export/count", params=query)
        assert answer.status_code == 200
        assert set(answer.json()) == {"count"}
        assert type(answer.json()["count"]) is int
        return int(answer.json()["count"])

    assert [count(), *(count(status=each) for each in STATUSES)] == [0] * 6
    done, _ = single.export("matrix", "json")
    with held(single) as running:
        waiting = [single.post("matrix", "json").json()["id"] for _ in range(2)]
        assert count() == count(status="pending") == 2
        assert count(status="processing") == 1
        assert count(status="completed") == 1
        assert single.client.delete(f"/api/export/jobs/{waiting[0]}").status_code == 204
        assert (count(), count(status="cancelled")) == (1, 1)
    for each in (running, waiting[1]):
        assert single.wait(each)["status"] == "completed"
    assert (count(), count(status="completed"), count(status="failed")) == (0, 3, 0)
    assert done["status"] == "completed"


# Statistics


def test_statistics_sum_up_the_jobs_that_are_listed(host: RunningHost) -> None:
    host.export("claims", "json")
    host.export("matrix", "csv")
    until(lambda: not any(each["status"] in ("pending", "processing") for each in every_job(host)))
    answer = host.client.get("/api/export/stats")
    assert answer.status_code == 200
    stats = answer.json()
    has_shape(stats, STATS)
    jobs = every_job(host)
    completed = [job for job in jobs if job["status"] == "completed"]
    assert stats["total_jobs"] == len(jobs)
    for field, name in (("by_status", "status"), ("by_format", "format"), ("by_target", "target")):
        found = {key: number for key, number in stats[field].items() if number}
        values = [job[name] for job in jobs]
        assert found == {value: values.count(value) for value in set(values)}
    for status in ("pending", "processing", "completed", "failed"):
        assert stats[f"jobs_{status}"] == sum(job["status"] == status for job in jobs)
    assert stats["total_records_exported"] == sum(job["record_count"] for job in completed)
    assert stats["total_file_size_bytes"] == sum(job["file_size"] for job in completed)
    average = sum(job["processing_time_ms"] for job in completed) / len(completed)
    assert stats["avg_processing_time_ms"] == pytest.approx(average, rel=1e-3)
    assert stats["oldest_pending_job"] is None


def test_statistics_of_no_jobs_are_zeros(single: RunningHost) -> None:
    stats = single.client.get("/api/export/stats").json()
    has_shape(stats, STATS)
    assert stats["total_jobs"] == stats["total_file_size_bytes"] == stats["avg_processing_time_ms"] == 0
    assert stats["by_format"] == stats["by_target"] == {}
    assert not any(stats["by_status"].values())
    assert stats["oldest_pending_job"] is None


def test_statistics_name_the_oldest_pending_job_with_an_offset(single: RunningHost) -> None:
    with held(single):
        waiting = [single.post("matrix", "json").json() for _ in range(2)]
        stats = single.client.get("/api/export/stats").json()
        assert (stats["jobs_pending"], stats["jobs_processing"]) == (2, 1)
        assert TIME.fullmatch(stats["oldest_pending_job"])
        assert stats["oldest_pending_job"] == waiting[0]["created_at"]


# Downloads


@pytest.mark.parametrize(
    ("target", "format", "media_type", "extension"),
    [
        ("claims", "json", "application/json", ".json"),
        ("claims", "csv", "text/csv; charset=utf-8", ".csv"),
        ("graph", "csv", "application/zip", ".zip"),
    ],
)
def test_a_download_has_its_type_length_and_a_name_for_people(
    host: RunningHost, target: str, format: str, media_type: str, extension: str
) -> None:
    job, file = host.export(target, format)
    assert file.status_code == 200
    assert file.headers["content-type"] == media_type
    assert int(file.headers["content-length"]) == job["file_size"] == len(file.content)
    name = f"{target}-{job['created_at'][:10]}-{job['id'][:8]}{extension}"
    assert file.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert job["metadata"]["file_name"] == name


def test_a_job_without_a_file_yet_has_nothing_to_download(single: RunningHost) -> None:
    with held(single) as running:
        waiting = single.post("matrix", "json").json()["id"]
        for job_id, status in ((running, "processing"), (waiting, "pending")):
            answer = single.client.get(f"/api/export/jobs/{job_id}/download")
            assert answer.status_code == 400
            assert status in answer.json()["detail"]
        single.client.delete(f"/api/export/jobs/{waiting}")
        answer = single.client.get(f"/api/export/jobs/{waiting}/download")
        assert answer.status_code == 400
        assert "cancelled" in answer.json()["detail"]


def test_the_file_of_an_unknown_job_is_not_found(host: RunningHost) -> None:
    answer = host.client.get(f"/api/export/jobs/{uuid4()}/download")
    assert answer.status_code == 404
    assert isinstance(answer.json()["detail"], str)


def test_a_file_that_is_gone_from_the_store_is_not_found(host: RunningHost) -> None:
    job, _ = host.export("matrix", "json")
    (store_of(host) / job["file_path"]).unlink()
    answer = host.client.get(job["download_url"])
    assert answer.status_code == 404
    assert "run the export again" in answer.json()["detail"]
    assert host.run(host.shard.get_download_url(job["id"])) is None


def test_an_expired_file_is_gone_and_the_answer_says_since_when(host: RunningHost) -> None:
    job, _ = host.export("matrix", "json")
    set_column(host, job["id"], expires_at="2025-03-04T05:06:07.000000+00:00")
    answer = host.client.get(job["download_url"])
    assert answer.status_code == 410
    assert "2025-03-04 05:06" in answer.json()["detail"]
    assert host.run(host.shard.get_download_url(job["id"])) is None
    assert host.client.get(f"/api/export/jobs/{job['id']}").json()["expires_at"].endswith("+00:00")


def test_a_link_in_the_store_is_never_followed(host: RunningHost, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for you")
    job, _ = host.export("matrix", "json")
    path = store_of(host) / job["file_path"]
    path.unlink()
    path.symlink_to(secret)
    assert host.client.get(job["download_url"]).status_code == 404


@pytest.mark.parametrize("path", ["../../secret", "/etc/passwd", "", ".", "a\\..\\b"])
def test_a_stored_path_outside_the_store_is_never_served(host: RunningHost, path: str) -> None:
    job, _ = host.export("matrix", "json")
    set_column(host, job["id"], file_path=path)
    answer = host.client.get(job["download_url"])
    assert answer.status_code == 404
    assert "passwd" not in answer.text


# Cancelling


def test_a_pending_job_is_cancelled_and_never_runs(single: RunningHost) -> None:
    with held(single) as running:
        waiting = single.post("matrix", "json").json()["id"]
        answer = single.client.delete(f"/api/export/jobs/{waiting}")
        assert (answer.status_code, answer.content) == (204, b"")
        job = single.client.get(f"/api/export/jobs/{waiting}").json()
        assert job["status"] == "cancelled"
        assert TIME.fullmatch(job["completed_at"])
        assert job["started_at"] is None
    assert single.wait(running)["status"] == "completed"
    assert single.client.get(f"/api/export/jobs/{waiting}").json() == job
    assert single.events_of(waiting) == ["export.job.created", "export.job.cancelled"]


def test_a_running_job_is_cancelled_and_leaves_no_file(single: RunningHost) -> None:
    with held(single) as running:
        assert single.client.delete(f"/api/export/jobs/{running}").status_code == 204
        job = single.client.get(f"/api/export/jobs/{running}").json()
    assert job["status"] == "cancelled"
    assert (job["file_path"], job["download_url"]) == (None, None)
    assert single.events_of(running) == ["export.job.created", "export.job.started", "export.job.cancelled"]
    assert [path for path in store_of(single).rglob("*") if running in path.name] == []
    assert single.export("matrix", "json")[0]["status"] == "completed"


def test_cancelling_a_finished_job_changes_nothing(host: RunningHost) -> None:
    job, file = host.export("matrix", "json")
    events = host.events_of(job["id"])
    for _ in range(2):
        answer = host.client.delete(f"/api/export/jobs/{job['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert host.client.get(f"/api/export/jobs/{job['id']}").json() == job
    assert host.client.get(job["download_url"]).content == file.content
    assert "export.job.cancelled" not in events + host.events_of(job["id"])


def test_cancelling_twice_is_told_once(single: RunningHost) -> None:
    with held(single):
        waiting = single.post("matrix", "json").json()["id"]
        for _ in range(3):
            assert single.client.delete(f"/api/export/jobs/{waiting}").status_code == 204
    assert single.events_of(waiting).count("export.job.cancelled") == 1


def test_cancelling_an_unknown_job_is_not_found(host: RunningHost) -> None:
    answer = host.client.delete(f"/api/export/jobs/{uuid4()}")
    assert answer.status_code == 404
    assert isinstance(answer.json()["detail"], str)


# Formats and targets


def test_formats_are_listed_field_for_field(host: RunningHost) -> None:
    answer = host.client.get("/api/export/formats")
    assert answer.status_code == 200
    formats = answer.json()
    assert len({each["format"] for each in formats}) == len(formats)
    assert {"json", "csv"} <= {each["format"] for each in formats}
    for each in formats:
        has_shape(each, FORMAT)
        assert each["file_extension"].startswith(".")
        assert "/" in each["mime_type"]
        assert each["description"].endswith(".")


def test_the_six_targets_are_always_listed_with_their_real_counts(host: RunningHost) -> None:
    answer = host.client.get("/api/export/targets")
    assert answer.status_code == 200
    targets = {each["target"]: each for each in answer.json()}
    assert list(targets) == ALL
    for name, each in targets.items():
        has_shape(each, TARGET)
        job, _ = host.export(name, "json")
        assert each["estimated_record_count"] == job["record_count"]
        assert {"json", "csv"} <= set(each["available_formats"])
        assert each["supports_filters"] == list(TARGETS[name].filter_names)


def test_available_formats_of_a_target_are_those_that_can_be_asked_for(host: RunningHost) -> None:
    offered = {
        each["format"] for each in host.client.get("/api/export/formats").json() if not each["placeholder"]
    }
    for each in host.client.get("/api/export/targets").json():
        assert set(each["available_formats"]) <= offered
        for format in each["available_formats"]:
            body = {"format": format, "target": each["target"]}
            assert host.client.post("/api/export/preview", json=body).status_code == 200


def test_a_target_counts_what_was_written_a_moment_ago(single: RunningHost) -> None:
    def counted() -> int:
        targets = single.client.get("/api/export/targets").json()
        return next(each["estimated_record_count"] for each in targets if each["target"] == "claims")

    before = counted()
    single.run(single.frame.database.execute("INSERT INTO arkham_claims (id, text) VALUES ('new', 'said')"))
    assert counted() == before + 1


@pytest.mark.parametrize("target", ALL)
def test_a_target_whose_table_is_missing_says_so_and_exports_nothing(
    single: RunningHost, target: str
) -> None:
    table = TARGETS[target].sets[0].table.qualified
    for each in reversed(TARGETS[target].sets):
        single.run(single.frame.database.execute(f"DROP TABLE {each.table.qualified}"))
    targets = {each["target"]: each for each in single.client.get("/api/export/targets").json()}
    assert list(targets) == ALL
    assert targets[target]["estimated_record_count"] == 0
    assert table in targets[target]["description"]
    assert "not installed" in targets[target]["description"]
    others = [each["estimated_record_count"] for name, each in targets.items() if name != target]
    assert all(others)
    for format in FORMATS:
        job, _ = single.export(target, format)
        assert job["record_count"] == 0
    preview = single.client.post("/api/export/preview", json={"format": "json", "target": target})
    assert preview.status_code == 200
    assert preview.json()["preview_records"] == []


def test_a_database_without_any_peer_offers_six_empty_targets(tmp_path: Path, postgres_url: str) -> None:
    with arkhamframe(tmp_path, postgres_url) as host:
        targets = host.client.get("/api/export/targets").json()
        assert [(each["target"], each["estimated_record_count"]) for each in targets] == [
            (name, 0) for name in ALL
        ]
        for name in ALL:
            job, _ = host.export(name, "csv")
            assert job["record_count"] == 0


# Previews


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("target", ALL)
def test_a_preview_shows_the_first_records_and_counts_them_all(
    host: RunningHost, target: str, format: str
) -> None:
    total = len(host.query(f"SELECT id FROM {TARGETS[target].sets[0].table.qualified}"))
    body = {"format": format, "target": target, "max_preview_records": 3}
    answer = host.client.post("/api/export/preview", json=body)
    assert answer.status_code == 200, answer.text
    preview = answer.json()
    has_shape(preview, PREVIEW)
    assert (preview["format"], preview["target"]) == (format, target)
    job, _ = host.export(target, format)
    assert preview["estimated_record_count"] == job["record_count"]
    assert len(preview["preview_records"]) == min(3, total)
    assert all(isinstance(each, dict) for each in preview["preview_records"])
    assert preview["estimated_file_size_bytes"] > 0


def test_a_preview_shows_what_the_export_will_hold(host: RunningHost) -> None:
    options = {"sort_by": "confidence", "sort_order": "desc"}
    body = {"format": "json", "target": "claims", "filters": {"status": "verified"}, "options": options}
    preview = host.client.post("/api/export/preview", json=body).json()
    job, file = host.export("claims", "json", filters={"status": "verified"}, options=options)
    records = json.loads(file.content)["records"]
    assert preview["preview_records"] == records[:10]
    assert preview["estimated_record_count"] == job["record_count"]


def test_a_preview_makes_no_job(host: RunningHost) -> None:
    before = listed(host)["total"]
    host.client.post("/api/export/preview", json={"format": "json", "target": "claims"})
    assert listed(host)["total"] == before


@pytest.mark.parametrize("records", [1, 100])
def test_a_preview_shows_as_many_records_as_asked(host: RunningHost, records: int) -> None:
    body = {"format": "json", "target": "claims", "max_preview_records": records}
    preview = host.client.post("/api/export/preview", json=body).json()
    assert len(preview["preview_records"]) == records


# Events


def of_job(host: RunningHost, job_id: str) -> list[dict[str, Any]]:
    return [each for each in host.events if each["payload"].get("job_id") == job_id]


def checked(events: list[dict[str, Any]]) -> list[str]:
    for each in events:
        assert each["source"] == "export"
        assert EVENT_FIELDS[each["event_type"]] <= each["payload"].keys(), each
    return [each["event_type"] for each in events]


def test_a_completed_job_tells_its_life_in_order_and_once(host: RunningHost) -> None:
    job, _ = host.export("claims", "json")
    order = ["created", "started"]
    names = [f"export.job.{each}" for each in order] + [
        "export.file.created",
        "export.job.completed",
        "export.file.downloaded",
    ]
    events = until(lambda: len(found := of_job(host, job["id"])) >= len(names) and found)
    assert checked(events) == names
    created, started, file, completed, downloaded = (each["payload"] for each in events)
    assert (created["format"], created["target"], created["created_by"]) == ("json", "claims", "system")
    assert (started["format"], started["target"]) == ("json", "claims")
    for name in ("file_path", "file_size"):
        assert file[name] == job[name]
    for name in ("record_count", "file_size", "processing_time_ms"):
        assert completed[name] == job[name]
    assert downloaded["file_path"] == job["file_path"]


def test_every_download_is_told_and_a_refused_one_is_not(host: RunningHost) -> None:
    job, _ = host.export("matrix", "json")
    host.client.get(job["download_url"])
    until(lambda: host.events_of(job["id"]).count("export.file.downloaded") == 2)
    set_column(host, job["id"], expires_at="2025-03-04T05:06:07.000000+00:00")
    assert host.client.get(job["download_url"]).status_code == 410
    assert host.events_of(job["id"]).count("export.file.downloaded") == 2


def test_a_failed_job_says_why_and_tells_it_once(single: RunningHost) -> None:
    break_claims(single)
    job_id = single.post("claims", "json").json()["id"]
    job = single.wait(job_id)
    has_shape(job, JOB)
    assert job["status"] == "failed"
    assert job["error"]
    for internal in ("SELECT", "Traceback", str(single.data_dir), "psycopg", "sqlite3", "\n", "Error"):
        assert internal not in job["error"]
    assert TIME.fullmatch(job["completed_at"])
    assert [job[name] for name in ("file_path", "file_size", "download_url", "expires_at")] == [None] * 4
    assert stored_files(store_of(single)) == []
    events = until(lambda: len(found := of_job(single, job_id)) >= 3 and found)
    assert checked(events) == ["export.job.created", "export.job.started", "export.job.failed"]
    assert events[-1]["payload"]["error"] == job["error"]
    answer = single.client.get(f"/api/export/jobs/{job_id}/download")
    assert answer.status_code == 400
    assert job["error"] in answer.json()["detail"]
    stats = single.client.get("/api/export/stats").json()
    assert (stats["jobs_failed"], stats["jobs_completed"]) == (1, 0)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"format": "papyrus", "target": "claims"}, "papyrus"),
        ({"format": "json", "target": "rumours"}, "rumours"),
        ({"format": "json", "target": "claims", "options": '{"max_records": 0}'}, "max_records"),
        ({"format": "json", "target": "claims", "filters": '{"colour": "red"}'}, "colour"),
    ],
)
def test_a_stored_job_that_cannot_be_run_fails_and_names_what_is_wrong(
    host: RunningHost, values: dict[str, str], named: str
) -> None:
    job_id = insert_pending(host, **values)
    try:
        host.post("matrix", "json")  # wakes an embedded queue; the other finds it by itself
        job = host.wait(job_id)
        assert job["status"] == "failed"
        assert named in job["error"]
        until(
            lambda: (
                host.events_of(job_id) == ["export.job.created", "export.job.started", "export.job.failed"]
            )
        )
    finally:
        host.run(host.frame.database.execute("DELETE FROM arkham_export_jobs WHERE id = ?", [job_id]))


def test_a_failing_subscriber_harms_no_job(host: RunningHost) -> None:
    seen: list[str] = []

    def fail(event: dict[str, Any]) -> None:
        seen.append(event["payload"]["job_id"])
        raise RuntimeError("a subscriber's own fault")

    host.run(host.frame.events.subscribe("export.*", fail))
    try:
        job, file = host.export("claims", "json")
        assert (job["status"], file.status_code) == ("completed", 200)
        until(lambda: seen.count(job["id"]) == 5)
    finally:
        host.run(host.frame.events.unsubscribe("export.*", fail))


def test_a_hanging_subscriber_harms_no_job(single: RunningHost) -> None:
    release: list[asyncio.Event] = []

    async def hang(_event: dict[str, Any]) -> None:
        if not release:
            release.append(asyncio.Event())
        await release[0].wait()

    single.run(single.frame.events.subscribe("export.job.*", hang))
    jobs = [single.export("matrix", "json")[0] for _ in range(2)]
    with held(single) as running:
        assert single.client.delete(f"/api/export/jobs/{running}").status_code == 204
    assert single.client.get(f"/api/export/jobs/{running}").json()["status"] == "cancelled"
    single.run(single.frame.events.unsubscribe("export.job.*", hang))
    single.loop.call_soon_threadsafe(release[0].set)
    for job in jobs:
        until(lambda job=job: "export.job.completed" in single.events_of(job["id"]))  # type: ignore[misc]
        assert [name for name in single.events_of(job["id"]) if name.startswith("export.job.")] == [
            "export.job.created",
            "export.job.started",
            "export.job.completed",
        ]


def test_a_hanging_subscriber_does_not_keep_requests_waiting(single: RunningHost) -> None:
    release = single.run(_event())

    async def hang(_event: dict[str, Any]) -> None:
        await release.wait()

    single.run(single.frame.events.subscribe("export.job.created", hang))
    try:
        began = time.monotonic()
        for _ in range(5):
            assert single.post("matrix", "json").status_code == 201
        assert time.monotonic() - began < 2.5, "a request waits for somebody else's subscriber"
    finally:
        single.loop.call_soon_threadsafe(release.set)


async def _event() -> asyncio.Event:
    return asyncio.Event()


# The Python API


def test_other_shards_can_create_follow_and_fetch_an_export(host: RunningHost) -> None:
    shard: ExportShard = host.shard
    job = host.run(
        shard.create_export_job("json", "claims", {"status": "verified"}, {"max_records": 2}, "other-shard")
    )
    assert isinstance(job, ExportJob)
    assert (job.status, job.created_by) == (ExportStatus.PENDING, "other-shard")
    assert host.wait(job.id)["created_by"] == "other-shard"
    done = host.run(shard.get_job_status(job.id))
    assert isinstance(done, ExportJob)
    assert done.status is ExportStatus.COMPLETED
    assert done.filters == {"status": "verified"}
    assert isinstance(done.options, ExportOptions)
    assert (done.options.max_records, done.record_count) == (2, 2)
    for moment in (done.created_at, done.started_at, done.completed_at, done.expires_at):
        assert isinstance(moment, datetime)
        assert moment.utcoffset() == timedelta(0)
    url = host.run(shard.get_download_url(job.id))
    assert host.client.get(url).status_code == 200
    assert host.run(shard.cancel_job(job.id)).status is ExportStatus.COMPLETED


def test_options_may_be_given_as_their_dataclass(host: RunningHost) -> None:
    options = ExportOptions(max_records=1, include_relationships=False)
    job = host.run(host.shard.create_export_job("csv", "claims", options=options))
    assert job.options == options
    assert job.created_by == "system"
    assert host.wait(job.id)["record_count"] == 1


def test_members_of_the_enums_are_taken_as_names(host: RunningHost) -> None:
    job = host.run(host.shard.create_export_job(models.ExportFormat.JSON, models.ExportTarget.MATRIX))
    body = host.wait(job.id)
    assert (body["format"], body["target"], body["status"]) == ("json", "matrix", "completed")


def test_unknown_jobs_are_none_in_python(host: RunningHost) -> None:
    for job_id in (str(uuid4()), "", "../x", "\0", "x" * 10_000):
        assert host.run(host.shard.get_job_status(job_id)) is None
        assert host.run(host.shard.cancel_job(job_id)) is None
        assert host.run(host.shard.get_download_url(job_id)) is None


def test_a_job_in_python_is_listed_counted_and_cancelled(single: RunningHost) -> None:
    shard: ExportShard = single.shard
    with held(single) as running:
        waiting = single.run(shard.create_export_job("json", "matrix"))
        assert single.run(shard.get_download_url(waiting.id)) is None
        assert [job.id for job in single.run(shard.list_jobs())] == [waiting.id, running]
        assert [job.id for job in single.run(shard.list_jobs(limit=1, offset=1))] == [running]
        assert single.run(shard.get_count()) == single.run(shard.get_badge_count()) == 1
        assert single.run(shard.get_count("processing")) == 1
        statistics = single.run(shard.get_statistics())
        assert isinstance(statistics, models.ExportStatistics)
        assert (statistics.total_jobs, statistics.jobs_pending) == (2, 1)
        assert statistics.oldest_pending_job == waiting.created_at
        cancelled = single.run(shard.cancel_job(waiting.id))
        assert cancelled.status is ExportStatus.CANCELLED
        assert single.run(shard.get_count("cancelled")) == 1
        assert single.run(shard.get_badge_count()) == 0


def test_the_python_list_takes_a_filter_of_times_and_creators(host: RunningHost) -> None:
    creator = f"creator-{uuid4()}"
    jobs = [host.run(host.shard.create_export_job("json", "matrix", created_by=creator)) for _ in range(3)]

    def chosen(**fields: Any) -> list[str]:
        return [job.id for job in host.run(host.shard.list_jobs(ExportFilter(created_by=creator, **fields)))]

    first, second, third = (job.id for job in jobs)
    assert chosen() == [third, second, first]
    assert chosen(created_after=jobs[1].created_at) == [third, second]
    assert chosen(created_before=jobs[1].created_at) == [first]
    assert chosen(format="csv") == chosen(status="failed") == []
    assert chosen(target=models.ExportTarget.MATRIX) == [third, second, first]
    for job in jobs:
        host.wait(job.id)


def test_formats_and_targets_in_python_are_those_of_the_routes(host: RunningHost) -> None:
    formats = host.run(host.shard.get_supported_formats())
    targets = host.run(host.shard.get_export_targets())
    assert all(isinstance(each, models.FormatInfo) for each in formats)
    assert all(isinstance(each, models.TargetInfo) for each in targets)
    assert [dataclasses.asdict(each) for each in formats] == host.client.get("/api/export/formats").json()
    assert [dataclasses.asdict(each) for each in targets] == host.client.get("/api/export/targets").json()


def test_a_wrong_request_in_python_raises_and_names_every_problem(host: RunningHost) -> None:
    with pytest.raises(InvalidRequest, match="papyrus"):
        host.run(host.shard.create_export_job("papyrus", "claims"))
    with pytest.raises(InvalidRequest) as caught:
        host.run(host.shard.create_export_job("json", "claims", {"colour": "red"}, {"max_records": 0}))
    assert {each.field for each in caught.value.problems} == {"filters.colour", "options.max_records"}
    with pytest.raises(InvalidRequest, match="lost"):
        host.run(host.shard.get_count("lost"))


@pytest.mark.parametrize(("limit", "offset"), [(-1, 0), (1, -1), (10**30, 0), (1, 10**30)])
def test_a_list_in_python_refuses_what_no_database_can_answer(
    host: RunningHost, limit: int, offset: int
) -> None:
    with pytest.raises(InvalidRequest):
        host.run(host.shard.list_jobs(limit=limit, offset=offset))


def test_the_enums_are_closed_string_enums_of_lower_case_names() -> None:
    expected = {
        models.ExportFormat: ["JSON", "CSV", "PDF", "DOCX", "XLSX"],
        models.ExportStatus: ["PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED"],
        models.ExportTarget: ["DOCUMENTS", "ENTITIES", "CLAIMS", "TIMELINE", "GRAPH", "MATRIX", "CUSTOM"],
    }
    for enum, names in expected.items():
        assert issubclass(enum, StrEnum)
        assert [(each.name, each.value) for each in enum] == [(name, name.lower()) for name in names]


def test_the_dataclasses_have_the_contracts_fields() -> None:
    expected = {
        # Made of its metadata.
        models.ExportJob: set(JOB) - {"progress"},
        models.ExportOptions: set(OPTION_DEFAULTS),
        models.ExportStatistics: set(STATS),
        models.FormatInfo: set(FORMAT),
        models.TargetInfo: set(TARGET),
        models.ExportFilter: {"status", "format", "target", "created_after", "created_before", "created_by"},
        models.ExportResult: {
            "job_id", "success", "file_path", "file_size", "download_url", "expires_at", "record_count",
            "processing_time_ms", "error",
        },
    }  # fmt: skip
    for each, names in expected.items():
        assert names <= {field.name for field in dataclasses.fields(each)}
    job = ExportJob("an-id", "json", "claims")
    assert (job.status, job.filters, job.created_by) == (ExportStatus.PENDING, {}, "system")
    defaults = dataclasses.asdict(ExportOptions())
    assert {name: defaults[name] for name in OPTION_DEFAULTS} == OPTION_DEFAULTS


# The manifest and the host


def test_the_manifest_has_the_contracts_fields() -> None:
    manifest = yaml.safe_load((Path(__file__).parents[2] / "shard.yaml").read_text("utf-8"))
    fixed = ("name", "version", "entry_point", "api_prefix", "requires_frame")
    assert [manifest[name] for name in fixed] == [
        "export", "0.1.0", "arkham_shard_export:ExportShard", "/api/export", ">=0.1.0",
    ]  # fmt: skip
    navigation = manifest["navigation"]
    sub_routes = navigation.pop("sub_routes")
    assert navigation == {
        "category": "Export",
        "order": 60,
        "icon": "Download",
        "label": "Export",
        "route": "/export",
        "badge_endpoint": "/api/export/count",
        "badge_type": "count",
    }
    assert [(each["id"], each["route"], each["icon"]) for each in sub_routes] == [
        ("jobs", "/export/jobs", "FileDown"),
        ("history", "/export/history", "History"),
        ("formats", "/export/formats", "FileType"),
    ]
    assert all(each["label"] for each in sub_routes)
    assert manifest["dependencies"] == {
        "services": ["database", "events"],
        "optional": ["storage"],
        "shards": [],
    }
    assert manifest["capabilities"] == [
        "json_export", "csv_export", "pdf_export", "docx_export", "batch_export", "scheduled_export",
    ]  # fmt: skip
    assert sorted(manifest["events"]["publishes"]) == sorted(EVENT_FIELDS)
    assert manifest["events"]["subscribes"] == []
    assert manifest["state"] == {
        "strategy": "url",
        "url_params": ["jobId", "format", "status", "target"],
        "local_keys": ["download_auto", "show_options", "default_format"],
    }
    assert manifest["ui"]["has_custom_ui"] is True


def test_the_host_shows_pending_jobs_as_the_shards_badge(
    tmp_path: Path, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arkham_shard_export.jobs.queues.lanes.SMALL_RECORDS", -1)
    with own_host("arkhamframe", tmp_path, postgres_server) as frame_host:
        _badge_of_pending_jobs(frame_host)


def _badge_of_pending_jobs(frame_host: RunningHost) -> None:
    def badge() -> object:
        return frame_host.client.get("/api/frame/badges").json()["export"]

    assert badge() == {"count": 0, "type": "count"}
    with held(frame_host):
        frame_host.post("matrix", "json")
        frame_host.post("matrix", "csv")
        assert badge() == {"count": 2, "type": "count"}


def test_every_answer_keeps_the_hosts_security_headers(frame_host: RunningHost) -> None:
    job, file = frame_host.export("claims", "json")
    for answer in (
        file,
        frame_host.client.get("/api/export/jobs"),
        frame_host.client.get("/api/export/jobs/none"),
        frame_host.client.delete(f"/api/export/jobs/{job['id']}"),
    ):
        assert answer.headers["cache-control"] == "no-store, max-age=0"


def test_a_shard_that_is_switched_off_answers_so_until_a_new_one_serves(frame_host: RunningHost) -> None:
    loader = frame_host.app.state.shard_loader
    before = frame_host.shard
    done, file = frame_host.export("claims", "json")
    for _ in range(2):
        assert frame_host.run(loader.disable("export"))
        for answer in _each_route(frame_host.client, done["id"]):
            assert answer.status_code == 503
            assert "switched off" in answer.json()["detail"]
            assert int(answer.headers["retry-after"]) > 0
        assert frame_host.run(before.get_badge_count()) == 0
        assert frame_host.run(loader.enable("export"))
        assert frame_host.shard is not before
        assert frame_host.client.get(f"/api/export/jobs/{done['id']}").json() == done
        assert frame_host.client.get(done["download_url"]).content == file.content
        assert frame_host.export("matrix", "csv")[0]["status"] == "completed"


def _each_route(client: httpx.Client, job_id: str) -> list[httpx.Response]:
    body = {"format": "json", "target": "claims"}
    paths = ("count", "jobs", f"jobs/{job_id}", f"jobs/{job_id}/download", "formats", "targets", "stats")
    return [
        *(client.get(f"/api/export/{path}") for path in paths),
        client.post("/api/export/jobs", json=body),
        client.post("/api/export/preview", json=body),
        client.delete(f"/api/export/jobs/{job_id}"),
    ]


def test_jobs_outlive_their_shard_and_run_under_the_next_one(frame_host: RunningHost) -> None:
    loader = frame_host.app.state.shard_loader
    with held(frame_host) as running:
        waiting = frame_host.post("matrix", "json").json()["id"]
        assert frame_host.run(loader.disable("export"))
    assert frame_host.run(loader.enable("export"))
    for job_id in (running, waiting):
        assert frame_host.wait(job_id)["status"] == "completed"
        names = until(lambda job_id=job_id: len(found := frame_host.events_of(job_id)) >= 4 and found)  # type: ignore[misc]
        assert names == [
            "export.job.created", "export.job.started", "export.file.created", "export.job.completed",
        ]  # fmt: skip


def test_starting_and_stopping_the_shard_can_be_repeated(frame_host: RunningHost) -> None:
    shard = frame_host.shard
    frame_host.run(shard.shutdown())
    frame_host.run(shard.shutdown())
    frame_host.run(shard.initialize(frame_host.frame))
    assert frame_host.export("matrix", "json")[0]["status"] == "completed"
    frame_host.run(ExportShard().shutdown())
    assert frame_host.client.get("/api/export/jobs").status_code == 200


def test_initializing_a_running_shard_again_keeps_one_runner(frame_host: RunningHost) -> None:
    frame_host.run(frame_host.shard.initialize(frame_host.frame))
    job, _ = frame_host.export("matrix", "json")
    assert frame_host.events_of(job["id"]).count("export.job.started") == 1


def test_the_description_of_the_api_has_the_thirteen_routes_and_no_warnings(single: RunningHost) -> None:
    if single.name == "arkhamframe":
        loader = single.app.state.shard_loader
        single.run(loader.disable("export"))
        single.run(loader.enable("export"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        single.app.openapi_schema = None
        described = single.app.openapi()
    assert single.client.get("/openapi.json").json() == described
    routes = {
        (method, path)
        for path, methods in described["paths"].items()
        for method in methods
        if path.startswith("/api/export")
    }
    assert routes >= {
        ("get", "/api/export/count"),
        ("get", "/api/export/jobs"),
        ("post", "/api/export/jobs"),
        ("get", "/api/export/jobs/{job_id}"),
        ("delete", "/api/export/jobs/{job_id}"),
        ("get", "/api/export/jobs/{job_id}/events"),
        ("get", "/api/export/jobs/{job_id}/download"),
        ("get", "/api/export/formats"),
        ("get", "/api/export/targets"),
        ("post", "/api/export/preview"),
        ("get", "/api/export/stats"),
        ("get", "/api/export/health"),
        ("get", "/api/export/metrics"),
    }


def test_many_jobs_at_once_each_tell_their_life_in_order_and_once(host: RunningHost) -> None:
    ids = [host.post(target, format).json()["id"] for target in ALL for format in FORMATS]
    for job_id in ids:
        assert host.wait(job_id)["status"] == "completed"
    for job_id in ids:
        names = until(lambda job_id=job_id: len(found := host.events_of(job_id)) >= 4 and found)  # type: ignore[misc]
        assert names == [
            "export.job.created", "export.job.started", "export.file.created", "export.job.completed",
        ]  # fmt: skip


def test_jobs_run_oldest_first(single: RunningHost) -> None:
    with held(single) as running:
        ids = [running, *(single.post("matrix", "json").json()["id"] for _ in range(4))]
    jobs = [single.wait(job_id) for job_id in ids]
    started = [job["started_at"] for job in jobs]
    assert started == sorted(started)


@pytest.mark.parametrize("schema", ["arkham_frame", "arkham_graph", "arkham_ach"])
def test_a_long_write_to_one_peers_file_keeps_nobody_from_asking_for_exports(
    tmp_path: Path, schema: str
) -> None:
    with own_host("standalone", tmp_path, "") as host:
        host.export("matrix", "json")
        lock = sqlite3.connect(tmp_path / f"{schema}.db", isolation_level=None)
        with contextlib.closing(lock):
            lock.execute("BEGIN IMMEDIATE")
            job_id = host.post("claims", "json").json()["id"]
            until(lambda: host.client.get(f"/api/export/jobs/{job_id}").json()["status"] == "processing")
            began = time.monotonic()
            while time.monotonic() - began < 1:  # by then the worker waits for the lock
                answer = host.post("matrix", "json")
                assert answer.status_code == 201, answer.text
                host.client.delete(f"/api/export/jobs/{answer.json()['id']}")
            assert time.monotonic() - began < 4, "requests waited for another peer's writer"
        assert host.wait(job_id)["status"] == "completed"
