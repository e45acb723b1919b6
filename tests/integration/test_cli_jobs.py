"""`arkham-export jobs` on real databases, beside running hosts and without any."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from tests.buckets import S3Server
from tests.conftest import new_database
from tests.hosts import RunningHost, sqlite_connection, standalone

RECORDS = 30
TENANT = "5b6a2c3e-8a5e-4a7e-9a56-0f0a6d1d9b11"
CLI = [sys.executable, "-m", "arkham_shard_export.cli"]


@dataclass
class Place:
    data_dir: Path
    url: str | None

    @property
    def words(self) -> list[str]:
        return ["--data", str(self.data_dir), *(["--database-url", self.url] if self.url else [])]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*CLI, "jobs", *arguments, *self.words],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
            timeout=60,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        ran = self.run(*arguments, "--json")
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    def query(self, sql: str, params: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if self.url is None:
            with contextlib.closing(sqlite_connection(self.data_dir)) as connection:
                return connection.execute(sql, params).fetchall()
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql.replace("?", "%s").encode(), params)
            return cursor.fetchall() if cursor.description else []

    def insert(self, job_id: str, status: str = "completed", age_days: float = 0, **values: Any) -> None:
        moment = (datetime.now(UTC) - timedelta(days=age_days)).isoformat(timespec="microseconds")
        ended = moment if status not in ("pending", "processing") else None
        row = {
            "id": job_id,
            "format": "csv",
            "target": "claims",
            "status": status,
            "created_at": moment,
            "completed_at": ended,
            **values,
        }
        marks = ", ".join("?" * len(row))
        self.query(f"INSERT INTO arkham_export_jobs ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))

    def file(self, job_id: str) -> Path:
        """A file of that job in the store."""
        path = self.data_dir / "files" / "exports" / "2026-01-01" / f"{job_id}.1.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1024)
        return path


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: str) -> Place:
    """A database with tables of jobs, and no host."""
    url = new_database(postgres_server) if request.param == "postgresql" else None
    made = Place(tmp_path, url)
    if url is None:
        seed_sqlite(tmp_path, RECORDS)
    else:
        seed_postgres(url, RECORDS)
    with standalone(tmp_path, url):
        pass
    return made


@pytest.fixture
def still(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Place, RunningHost]]:
    """Beside a host that takes no jobs."""
    monkeypatch.setenv("ARKHAM_EXPORT_CONCURRENCY", "0")
    with standalone(place.data_dir, place.url) as host:
        yield place, host


def until(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} seconds")


def says(ran: subprocess.CompletedProcess[str], code: int, *told: str) -> None:
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    for each in told:
        assert each in ran.stderr


# What cannot be done


def test_a_place_without_jobs_is_named_with_the_remedy_and_nothing_is_made(
    tmp_path: Path, postgres_url: str
) -> None:
    says(Place(tmp_path / "none", None).run("list"), 1, "There is no database in", "Remedy: --data")
    assert not (tmp_path / "none").exists()
    seed_sqlite(tmp_path / "seeded", 1)
    for place in (Place(tmp_path / "seeded", None), Place(tmp_path, postgres_url)):
        says(place.run("list"), 1, "has no table of export jobs", "arkham-export serve")
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute(
            "SELECT COUNT(*) FROM pg_class WHERE relname LIKE 'arkham%'"
        ).fetchone() == (0,)
    gone = Place(tmp_path, f"postgresql://postgres@/gone?host={tmp_path}")
    says(gone.run("list"), 3, "The database does not answer", "No such file or directory")
    says(Place(tmp_path, "mysql://x").run("list"), 2, "use postgresql://")


def test_a_table_of_an_older_version_is_named(place: Place) -> None:
    place.query("DELETE FROM arkham_export_schema")
    place.query("INSERT INTO arkham_export_schema (version) VALUES (1)")
    says(place.run("list"), 1, "of an older version", "start a host of this version")
    place.query("DROP TABLE arkham_export_schema")
    says(place.run("list"), 1, "of an older version")


def test_ids_that_are_unknown_short_or_ambiguous_are_named_and_nothing_is_done(place: Place) -> None:
    for number in range(12):
        place.insert(f"aaaaaa{number:02}", "failed")
    place.insert("bbbbbb__", "failed")
    place.insert("tiny", "failed")
    several = place.run("retry", "bbbbbb", "aaaaaa")
    says(several, 1, "Several jobs begin with 'aaaaaa': ", "aaaaaa0", ", ….")
    says(place.run("show", "aaaaaa0"), 1, "aaaaaa09, ", "aaaaaa00.")
    says(place.run("cancel", "bbbbb"), 1, "There is no job 'bbbbb'", "first 6 characters")
    says(place.run("retry", "cccccccc"), 1, "There is no job that begins with 'cccccccc'.")
    for pattern in ("bbbbbb%", "aaaaaa_", "' OR 1=1"):
        says(place.run("show", pattern), 1, "There is no job")
    assert place.query("SELECT COUNT(*) FROM arkham_export_jobs") == [(14,)]
    assert place.json("show", "tiny")["id"] == "tiny"
    assert place.json("show", "bbbbbb_")["id"] == "bbbbbb__"


def test_a_job_that_has_ended_is_not_cancelled_and_the_others_are(still: tuple[Place, RunningHost]) -> None:
    place, _ = still
    place.insert("finished-1", "completed")
    place.insert("waiting-1", "pending")
    ran = place.run("cancel", "finished-1", "waiting-1", "waiting-")
    says(ran, 1, "The job finished-1 is completed already.")
    assert ran.stdout == "waiting-1 cancelled\n"
    told = place.run("cancel", "waiting-1", "--json")
    assert told.returncode == 1
    assert json.loads(told.stdout) == [{"id": "waiting-1", "status": "cancelled", "changed": False}]


def test_a_job_that_has_not_ended_is_not_repeated(still: tuple[Place, RunningHost]) -> None:
    place, _ = still
    place.insert("waiting-1", "pending")
    says(place.run("retry", "waiting-1"), 1, "The job waiting-1 is pending: it has not ended")
    assert place.query("SELECT COUNT(*) FROM arkham_export_jobs") == [(1,)]


def test_wrong_usage_exits_with_two(tmp_path: Path) -> None:
    place = Place(tmp_path, None)
    for arguments, told in (
        (["show"], "required: id"),
        (["list", "--status", "done"], "Unknown status 'done'. Valid: pending, "),
        (["list", "--status", "fialed"], "Did you mean 'failed'?"),
        (["list", "--format", "odt"], "Unknown format 'odt'."),
        (["list", "--limit", "0"], "must be a whole number from 1 to 1000000"),
        (["list", "--limit", "many"], "must be a whole number from 1 to 1000000"),
        (["purge", "--older-than", "soon"], "such as 12h, 30d or 8w"),
        (["purge", "--status", "pending"], "Unknown status 'pending'. Valid: completed, failed, cancelled."),
    ):
        says(place.run(*arguments), 2, told)


# Looking


def test_the_table_fits_and_shows_nothing_that_steers_the_terminal(place: Place) -> None:
    names = ["\x1b[31mred\nforged", "名" * 40, "analyst-" * 20, "e\u0301" * 3]
    for number, name in enumerate(names):
        place.insert(
            f"{number}" * 8 + "-6a2c-3e8a",
            "completed",
            target="documents",
            created_by=name,
            record_count=1_234_567,
            file_size=10**12,
        )
    place.insert("00000000-other", "processing", created_by="y")
    ran = place.run("list", TZ="America/St_Johns")
    lines = ran.stdout.splitlines()
    assert len(lines) == 6
    assert lines[0].split() == ["ID", "CREATED", "STATUS", "TARGET", "FORMAT", "RECORDS", "SIZE", "BY"]
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in ran.stdout
    assert "1,234,567" in ran.stdout
    assert "931.3 GiB" in ran.stdout
    assert "-03:30" in lines[1] or "-02:30" in lines[1]
    shortened = [line.split()[0] for line in lines[1:]]
    assert {each for each in shortened if each.startswith("0")} == {"00000000-6", "00000000-o"}
    for each in shortened:
        assert place.json("show", each)["id"].startswith(each)
    assert "\x1b" not in place.run("show", "00000000-6").stdout
    assert place.run("list", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii").returncode == 0


def test_a_list_is_filtered_limited_and_counted(place: Place) -> None:
    for number in range(5):
        place.insert(f"failed-{number}", "failed", age_days=number)
    place.insert("another", "completed", format="json", target="graph")
    listed = place.json("list", "--status", "failed", "--limit", "2")
    assert [job["id"] for job in listed["jobs"]] == ["failed-0", "failed-1"]
    assert listed["total"] == 5
    assert [job["id"] for job in place.json("list", "--format", "json")["jobs"]] == ["another"]
    assert [job["id"] for job in place.json("list", "--target", "graph")["jobs"]] == ["another"]
    assert "2 of 6 jobs" in place.run("list", "--limit", "2").stdout
    assert place.run("list", "--status", "pending").stdout == "There are no such jobs.\n"


def test_one_job_is_shown_with_all_that_is_known(place: Place) -> None:
    metadata = json.dumps({"retry_of": "an-old-one", "history": [{"attempt": 1, "reason": "a\nb"}]})
    place.insert(
        "a-failed-job", "failed", error="No space.\x1b[2J", metadata=metadata, tenant_id=TENANT, attempts=3
    )
    shown = place.run("show", "a-fail").stdout
    for each in ("a-failed-job", "No space.\N{REPLACEMENT CHARACTER}[2J", TENANT, "retry_of", "an-old-one"):
        assert each in shown
    told = place.json("show", "a-fail")
    assert (told["tenant_id"], told["attempts"], told["status"]) == (TENANT, 3, "failed")
    assert told["created_at"].endswith("+00:00")


def test_a_reader_that_has_seen_enough_is_no_matter(place: Place) -> None:
    for number in range(300):
        place.insert(f"job-{number:05}", "failed")
    for limit in ("3", "300"):
        command = f"{' '.join([*CLI, 'jobs', 'list', '--limit', limit])} --data {place.data_dir}"
        if place.url:
            command += f" --database-url '{place.url}'"
        ran = subprocess.run(
            ["bash", "-c", f"{command} | head -n 1"], capture_output=True, text=True, timeout=60, check=True
        )
        assert ran.stdout.startswith("ID ")
        assert ran.stderr == ""


# Changing


def test_a_cancelled_job_is_stopped_by_the_host_that_runs_it(place: Place) -> None:
    with standalone(place.data_dir, place.url) as host:
        pool = host.run(host.shard.service()).runs.pool
        (worker,) = until(lambda: pool.pids)
        os.kill(worker, signal.SIGSTOP)
        try:
            job_id = host.post("claims", "json").json()["id"]
            until(lambda: host.client.get(f"/api/export/jobs/{job_id}").json()["status"] == "processing")
            assert place.run("cancel", job_id[:13]).stdout == f"{job_id} cancelled\n"
            until(lambda: not host.shard._service.runs.running, 10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGCONT)
        assert host.wait(job_id)["status"] == "cancelled"
        assert host.events_of(job_id)[-1] == "export.job.cancelled"
        assert host.events_of(job_id).count("export.job.cancelled") == 1
        assert host.export("claims", "csv")[0]["status"] == "completed"


def test_a_repeated_job_is_run_with_the_request_of_the_old_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_POLL_SECONDS", "0.2")
    monkeypatch.setenv("ARKHAM_EXPORT_HEARTBEAT_SECONDS", "1")
    with standalone(place.data_dir, place.url, trust_headers=True) as host:
        headers = {"X-Tenant-Id": TENANT, "X-User-Id": "ann"}
        body = {"filters": {"status": "disputed"}, "options": {"max_records": 7, "sort_by": "id"}}
        answer = host.post("claims", "csv", headers=headers, **body)
        assert answer.status_code == 201, answer.text
        old = host.wait(answer.json()["id"], headers)
        ran = place.run("retry", old["id"][:8])
        assert ran.returncode == 0, ran.stderr
        new = host.wait(ran.stdout.strip(), headers)
        assert new["id"] != old["id"]
        for name in ("format", "target", "filters", "options", "created_by", "status", "record_count"):
            assert new[name] == old[name], name
        assert new["metadata"]["retry_of"] == old["id"]
        assert host.client.get(f"/api/export/jobs/{new['id']}").status_code == 200
        other = {"X-Tenant-Id": TENANT.replace("5", "6")}
        assert host.client.get(f"/api/export/jobs/{new['id']}", headers=other).status_code == 404
        assert host.events_of(new["id"])[0] == "export.job.created"


def test_several_are_repeated_at_once_each_once_and_what_is_kept_longer_stays_so(place: Place) -> None:
    place.insert(
        "failed-1",
        "failed",
        metadata='{"retention_hours": 3, "template": {"id": "t", "version": 2}, "history": [1]}',
    )
    place.insert("failed-2", "cancelled", target="custom", filters='{"source": "notes"}')
    told = place.json("retry", "failed-1", "failed-2", "failed-1")
    assert [each["retry_of"] for each in told] == ["failed-1", "failed-2"]
    kept = place.json("show", told[0]["id"])["metadata"]
    assert kept == {"retention_hours": 3, "template": {"id": "t", "version": 2}, "retry_of": "failed-1"}
    lanes = dict(place.query("SELECT id, lane FROM arkham_export_jobs WHERE status = 'pending'"))
    assert lanes == {told[0]["id"]: "large", told[1]["id"]: "here"}


# Removing


def filled(place: Place) -> dict[str, Path]:
    files = {}
    for job_id, status, age in (
        ("old-completed", "completed", 40.0),
        ("new-completed", "completed", 20.0),
        ("old-failed", "failed", 31.0),
        ("old-cancelled", "cancelled", 365.0),
        ("old-pending", "pending", 90.0),
        ("old-processing", "processing", 90.0),
    ):
        values: dict[str, Any] = {}
        if status == "completed":
            files[job_id] = place.file(job_id)
            values = {"file_path": f"2026-01-01/{job_id}.1.csv", "file_size": 1024}
        place.insert(job_id, status, age, **values)
    return files


def left(place: Place) -> set[str]:
    return {row[0] for row in place.query("SELECT id FROM arkham_export_jobs")}


def test_a_purge_without_yes_shows_what_it_would_remove_and_removes_nothing(place: Place) -> None:
    files = filled(place)
    before = left(place)
    ran = place.run("purge")
    says(ran, 2, "3 jobs (1 cancelled, 1 completed, 1 failed) with 1 files of 1.0 KiB", "Give --yes")
    assert ran.stdout == ""
    says(place.run("purge", "--json"), 2, "Give --yes")
    assert left(place) == before
    assert all(path.exists() for path in files.values())


def test_a_purge_removes_old_ended_jobs_with_their_files_and_no_others(place: Place) -> None:
    files = filled(place)
    ran = place.run("purge", "--yes", "--status", "failed")
    assert "1 jobs (1 failed) with 0 files" in ran.stdout
    assert "old-failed" not in left(place)
    assert place.json("purge", "--yes") == {
        "jobs": {"cancelled": 1, "completed": 1},
        "files": 1,
        "bytes": 1024,
    }
    assert left(place) == {"new-completed", "old-pending", "old-processing"}
    assert not files["old-completed"].exists()
    assert files["new-completed"].exists()
    assert place.json("purge", "--yes") == {"jobs": {}, "files": 0, "bytes": 0}
    assert "0 jobs" in place.run("purge", "--older-than", "3w").stdout
    says(place.run("purge", "--older-than", "480h"), 2, "1 jobs (1 completed)")


def test_a_purge_touches_nothing_outside_the_store_and_no_file_that_is_gone(place: Place) -> None:
    secret = place.data_dir / "secret"
    secret.write_text("keep")
    other = place.file("another-job")
    paths = ("../../secret", str(secret), "2026-01-01/none.1.csv", "2026-01-01/another-job.1.csv")
    for number, path in enumerate(paths):
        place.insert(f"hostile-{number}", "completed", 40, file_path=path, file_size=4)
    assert place.json("purge", "--yes") == {"jobs": {"completed": 4}, "files": 0, "bytes": 0}
    assert other.exists()
    assert secret.read_text() == "keep"


def test_a_purge_where_the_store_is_not_refuses(place: Place) -> None:
    filled(place)
    ran = place.run("purge", "--yes", ARKHAM_EXPORT_STORE=str(place.data_dir / "elsewhere"))
    says(ran, 1, "not in the store", "ARKHAM_EXPORT_STORE")
    assert "old-completed" in left(place)


def test_a_purge_removes_files_from_a_bucket(
    tmp_path: Path, s3_environment: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = s3_environment.bucket()
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", f"s3://{bucket}/exports")
    seed_sqlite(tmp_path, RECORDS)
    place = Place(tmp_path, None)
    with standalone(tmp_path) as host:
        job, _ = host.export("claims", "csv")
        assert s3_environment.keys(bucket) == [f"exports/{job['file_path']}"]
        ran = place.run("purge", "--yes", "--older-than", "0h", AWS_ENDPOINT_URL="http://127.0.0.1:9")
        says(ran, 3, "arkham-export: ")
        assert place.json("purge", "--yes", "--older-than", "0h") == {
            "jobs": {"completed": 1},
            "files": 1,
            "bytes": job["file_size"],
        }
        assert s3_environment.keys(bucket) == []
        assert host.client.get(job["download_url"]).status_code == 404


def test_a_large_purge_goes_in_pieces_and_leaves_the_totals_right(place: Place) -> None:
    numbers = "generate_series(1, 1200) AS n(i)"
    recursion = ""
    if place.url is None:
        recursion = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)"
        numbers = "n"
    place.query(
        f"INSERT INTO arkham_export_jobs (id, format, target, status, created_at) {recursion}"
        f" SELECT 'old-' || CAST(i AS TEXT), 'csv', 'claims', 'failed', '2020-01-01T00:00:00+00:00' FROM {numbers}"
    )
    assert place.json("list")["total"] == 1200
    assert place.json("purge", "--yes")["jobs"] == {"failed": 1200}
    assert place.json("list") == {"jobs": [], "total": 0}


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_on_a_terminal_a_purge_asks(place: Place, answer: str, code: int) -> None:
    filled(place)
    controller, terminal = pty.openpty()
    try:
        process = subprocess.Popen(
            [*CLI, "jobs", "purge", *place.words],
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.write(controller, f"{answer}\n".encode())
        out, told = process.communicate(timeout=60)
    finally:
        os.close(controller)
        os.close(terminal)
    assert process.returncode == code, told
    assert "Remove them? [y/N] " in told
    assert ("Removed: 3 jobs" in out) == (code == 0)
    assert ("old-completed" in left(place)) == (code == 1)


# The log of a process


def test_a_host_logs_each_change_in_a_line_of_json_and_prints_its_address_first(tmp_path: Path) -> None:
    seed_sqlite(tmp_path, RECORDS)
    environment = {**os.environ, "ARKHAM_EXPORT_LOG_FORMAT": "json", "PYTHONUNBUFFERED": "1"}
    command = [*CLI, "serve", "--port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Open http://127.0.0.1:")
        place = Place(tmp_path, None)
        place.insert("logged-1", "failed")
        (new,) = place.json("retry", "logged-1")
        until(lambda: place.json("show", new["id"])["status"] == "completed")
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=30)[1]
    records = [json.loads(line) for line in told.splitlines()]
    mine = [each["change"] for each in records if each.get("job") == new["id"]]
    assert mine == ["processing", "completed"]


def test_a_log_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    ran = subprocess.run(
        [*CLI, "serve", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "ARKHAM_EXPORT_LOG_LEVEL": "loud"},
        timeout=60,
        check=False,
    )
    says(ran, 1, "ARKHAM_EXPORT_LOG_LEVEL='loud' must be one of DEBUG, INFO")
