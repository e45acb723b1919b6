"""A host that lacks services, and a host whose jobs table an older version has left."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from arkham_shard_export.targets import TARGETS
from tests.hosts import RunningHost, arkhamframe, sqlite_connection, standalone

ALL = list(TARGETS)
BODY = {"format": "json", "target": "claims"}
RECORDS = 12
GIB = 1 << 30


def each_route(client: httpx.Client) -> dict[str, httpx.Response]:
    paths = ("count", "jobs", "jobs/an-id", "jobs/an-id/download", "formats", "targets", "stats", "health")
    answers = {f"GET {path}": client.get(f"/api/export/{path}") for path in paths}
    for path in ("jobs", "preview"):
        answers[f"POST {path}"] = client.post(f"/api/export/{path}", json=BODY)
    answers["DELETE jobs/an-id"] = client.delete("/api/export/jobs/an-id")
    return answers


def filled(url: str, tenant_columns: bool = False) -> None:
    from tables import create_peer_tables

    create_peer_tables(url, tenant_columns=tenant_columns)
    seed_postgres(url, RECORDS)


def is_private(folder: Path) -> bool:
    return stat.S_IMODE(folder.stat().st_mode) == 0o700


# Services


@pytest.mark.parametrize("service", ["database", "events"])
def test_without_a_required_service_every_route_names_it_and_when_to_ask_again(
    tmp_path: Path, postgres_url: str, service: str
) -> None:
    with arkhamframe(tmp_path, postgres_url, without=[service]) as host:
        answers = each_route(host.client)
        assert len(answers) == 11
        for route, answer in answers.items():
            assert answer.status_code == 503, route
            detail = answer.json()["detail"]
            assert isinstance(detail, str)
            assert service in detail, route
            assert int(answer.headers["retry-after"]) > 0, route
        assert host.run(host.shard.get_badge_count()) == 0
        assert host.client.get("/api/frame/badges").json()["export"] == {"count": 0, "type": "count"}


def test_a_database_that_cannot_be_reached_is_named_too(tmp_path: Path) -> None:
    with arkhamframe(tmp_path, f"postgresql://postgres@/gone?host={tmp_path}") as host:
        for answer in each_route(host.client).values():
            assert answer.status_code == 503
            assert "database" in answer.json()["detail"]
            assert str(tmp_path) not in answer.text


@pytest.mark.parametrize("service", ["database", "events"])
def test_a_service_that_comes_later_is_used_without_a_restart(
    tmp_path: Path, postgres_url: str, service: str
) -> None:
    from arkham_frame.database import DatabaseService
    from arkham_frame.events import EventBus

    filled(postgres_url)
    with arkhamframe(tmp_path, postgres_url, without=[service]) as host:
        assert host.client.get("/api/export/jobs").status_code == 503
        host.frame.database = host.frame.database or DatabaseService(postgres_url)
        host.frame.events = host.frame.events or EventBus()
        job, _ = host.export("claims", "json")
        assert job["record_count"] == RECORDS


def test_a_database_that_is_lost_while_the_host_runs_is_told_as_such(
    tmp_path: Path, postgres_url: str
) -> None:
    from arkham_frame.database import DatabaseUnavailable

    filled(postgres_url)
    with arkhamframe(tmp_path, postgres_url) as host:
        job, _ = host.export("claims", "json")
        database = host.frame.database
        working = database.execute, database.fetch_one, database.fetch_all

        async def lost(_sql: str, _params: Any = None) -> Any:
            raise DatabaseUnavailable("could not connect to /var/run/secret.sock")

        database.execute = database.fetch_one = database.fetch_all = lost
        try:
            for route, answer in each_route(host.client).items():
                if route in (
                    "GET formats",
                    "GET targets",
                    "POST preview",
                ):  # ask by a connection of their own
                    assert answer.status_code == 200, route
                    continue
                assert answer.status_code == 503, route
                assert "database" in answer.json()["detail"]
                assert "secret" not in answer.text
                assert int(answer.headers["retry-after"]) > 0
            assert host.run(host.shard.get_badge_count()) == 0
        finally:
            database.execute, database.fetch_one, database.fetch_all = working
        assert host.client.get(f"/api/export/jobs/{job['id']}").json() == job
        assert host.export("matrix", "csv")[0]["status"] == "completed"


def test_without_a_storage_files_go_to_a_private_folder_of_the_user(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(postgres_url)
    home = tmp_path / "home"
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    with arkhamframe(tmp_path / "data", postgres_url, without=["storage"]) as host:
        job, file = host.export("claims", "csv")
        (folder,) = [each for each in home.rglob("exports") if each.is_dir()]
        path = folder / job["file_path"]
        assert path.read_bytes() == file.content
        assert is_private(folder)
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert not (tmp_path / "data" / "exports").exists()


def test_a_private_folder_that_was_open_to_others_is_closed(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = tmp_path / "arkham-export" / "exports"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    with arkhamframe(tmp_path / "data", postgres_url, without=["storage"]) as host:
        host.export("claims", "json")
    assert is_private(folder)


def test_with_a_storage_files_go_below_its_folder_for_exports(tmp_path: Path, postgres_url: str) -> None:
    filled(postgres_url)
    with arkhamframe(tmp_path, postgres_url) as host:
        job, file = host.export("claims", "csv")
        path = tmp_path / "exports" / job["file_path"]
        assert path.read_bytes() == file.content
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize("missing", [["config"], ["workers"], ["config", "storage", "workers"]])
def test_no_other_service_is_needed(tmp_path: Path, postgres_url: str, missing: list[str]) -> None:
    filled(postgres_url)
    with arkhamframe(tmp_path, postgres_url, without=missing) as host:
        targets = {
            each["target"]: each["estimated_record_count"]
            for each in host.client.get("/api/export/targets").json()
        }
        for target in ALL:
            for format in ("json", "csv"):
                job, file = host.export(target, format)
                assert job["record_count"] == targets[target] > 0
                assert file.status_code == 200
            body = {"format": "json", "target": target}
            preview = host.client.post("/api/export/preview", json=body).json()
            assert preview["estimated_record_count"] == targets[target]


@pytest.mark.parametrize("target", ALL)
def test_records_read_through_the_hosts_service_are_those_read_directly(
    tmp_path: Path, postgres_url: str, target: str
) -> None:
    filled(postgres_url)
    options: dict[str, Any] = {}
    if target == "timeline":
        options = {"include_conflicts": True, "include_gaps": True, "group_by": "entity"}
    bodies = []
    for missing in ([], ["config"]):
        with arkhamframe(tmp_path, postgres_url, without=missing) as host:
            _, file = host.export(target, "json", options=options)
            document = json.loads(file.content)
            for name in ("exported_at", "snapshot_at"):
                del document[name]
            for records in document.values():
                if isinstance(records, list) and records and "id" in records[0]:
                    records.sort(key=lambda each: each["id"])
            bodies.append(document)
    assert bodies[0] == bodies[1]


def test_through_the_hosts_service_a_tenant_is_obeyed_too(tmp_path: Path, postgres_url: str) -> None:
    filled(postgres_url, tenant_columns=True)
    tenant = str(uuid4())
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "UPDATE arkham_claims SET tenant_id = %s WHERE id IN (SELECT id FROM arkham_claims LIMIT 5)",
            (tenant,),
        )
    headers = {"X-Tenant-Id": tenant}
    with arkhamframe(tmp_path, postgres_url, without=["config"]) as host:
        job_id = host.post("claims", "json", headers=headers).json()["id"]
        assert host.wait(job_id, headers)["record_count"] == 5
        assert host.client.get(f"/api/export/jobs/{job_id}/download").json()["record_count"] == 5


# The older jobs table


def upgraded(host: RunningHost) -> dict[str, dict[str, Any]]:
    jobs = host.client.get("/api/export/jobs").json()["jobs"]
    return {job["id"]: job for job in jobs}


def check_old_jobs(host: RunningHost) -> None:
    """The rows of the older version, read by this one; its pending job has run."""
    from tables import OLD_JOBS

    ran = host.wait("old-pending-0001")
    assert ran["status"] == "completed", ran
    assert ran["record_count"] == len(host.query("SELECT id FROM arkham_entities WHERE canonical_id IS NULL"))
    assert ran["created_at"] == "2025-01-10T09:00:00.125000+00:00"
    assert ran["metadata"]["file_name"] == "entities-2025-01-10-old-pend.csv"
    assert host.client.get(ran["download_url"]).status_code == 200
    jobs = upgraded(host)
    assert list(jobs) == [job["id"] for job in OLD_JOBS]
    for old in OLD_JOBS[1:]:
        job = jobs[old["id"]]
        for name in ("format", "target", "status", "file_size", "download_url", "error"):
            assert job[name] == old.get(name), name
        for name in ("created_at", "started_at", "completed_at", "expires_at"):
            assert job[name] == (f"{old[name]}+00:00" if name in old else None), name
        assert job["record_count"] == old.get("record_count", 0)
        assert job["processing_time_ms"] == old.get("processing_time_ms", 0)
        assert job["created_by"] == old.get("created_by", "system")
        assert job["filters"] == json.loads(old.get("filters", "{}"))
        assert job["metadata"] == {}
    assert jobs["old-completed-0001"]["file_path"] is None, "a path of the server is nobody's business"
    assert "/tmp/" not in host.client.get("/api/export/jobs").text
    expired = host.client.get("/api/export/jobs/old-completed-0001/download")
    assert expired.status_code == 410
    assert "2025-01-09 14:30" in expired.json()["detail"]
    for job_id in ("old-failed-0001", "old-cancelled-0001"):
        assert host.client.get(f"/api/export/jobs/{job_id}/download").status_code == 400
        assert host.client.delete(f"/api/export/jobs/{job_id}").status_code == 204
    assert upgraded(host) == jobs
    counts = {
        status: host.client.get("/api/export/count", params={"status": status}).json()["count"]
        for status in ("pending", "completed", "failed", "cancelled")
    }
    assert counts == {"pending": 0, "completed": 2, "failed": 1, "cancelled": 1}


def hold_three_gib(host: RunningHost) -> None:
    """A file over 2 GiB fits in a job's row and in the statistics."""
    sql = "UPDATE arkham_export_jobs SET file_size = ?, record_count = ? WHERE id = ?"
    host.run(host.frame.database.execute(sql, [3 * GIB, 3_000_000_000, "old-completed-0001"]))
    job = host.client.get("/api/export/jobs/old-completed-0001").json()
    assert (job["file_size"], job["record_count"]) == (3 * GIB, 3_000_000_000)
    stats = host.client.get("/api/export/stats").json()
    assert stats["total_file_size_bytes"] >= 3 * GIB
    assert stats["total_records_exported"] >= 3_000_000_000


STRUCTURE = (
    "SELECT 'column', column_name, data_type, column_default FROM information_schema.columns"
    " WHERE table_name = 'arkham_export_jobs' UNION ALL"
    " SELECT 'index', indexname, indexdef, NULL FROM pg_indexes WHERE tablename = 'arkham_export_jobs' ORDER BY 1, 2"
)
ROWS = "SELECT * FROM arkham_export_jobs ORDER BY id"


def postgres_state(url: str) -> tuple[list[tuple[Any, ...]], ...]:
    with psycopg.connect(url) as connection:
        return (
            connection.execute(STRUCTURE.encode()).fetchall(),
            connection.execute(ROWS.encode()).fetchall(),
            connection.execute("SELECT * FROM arkham_export_schema").fetchall(),
        )


@pytest.mark.parametrize("tenant_column", [False, True])
def test_an_older_jobs_table_is_upgraded_in_place_and_keeps_its_rows(
    tmp_path: Path, postgres_url: str, tenant_column: bool
) -> None:
    from tables import create_old_jobs_table

    filled(postgres_url)
    create_old_jobs_table(postgres_url, tenant_column=tenant_column)
    with arkhamframe(tmp_path, postgres_url) as host:
        check_old_jobs(host)
        hold_three_gib(host)
        host.export("claims", "json")
    before = postgres_state(postgres_url)
    types = {row[1]: row[2] for row in before[0] if row[0] == "column"}
    assert types["file_size"] == "bigint"
    assert types["tenant_id"] == "uuid"
    names = {row[1] for row in before[0] if row[0] == "index"}
    assert {f"idx_export_jobs_{each}" for each in ("status", "created", "format", "target")} <= names
    with arkhamframe(tmp_path, postgres_url) as host:
        assert len(upgraded(host)) == 5
    assert postgres_state(postgres_url) == before


def test_older_jobs_stay_with_their_tenant(tmp_path: Path, postgres_url: str) -> None:
    from tables import OLD_TENANT_ID, create_old_jobs_table

    filled(postgres_url)
    create_old_jobs_table(postgres_url, tenant_column=True)
    with arkhamframe(tmp_path, postgres_url) as host:
        host.wait("old-pending-0001")

        def seen(tenant: str) -> set[str]:
            body = host.client.get("/api/export/jobs", headers={"X-Tenant-Id": tenant}).json()
            return {job["id"] for job in body["jobs"]}

        assert seen(OLD_TENANT_ID) == {"old-completed-0001", "old-failed-0001", "old-cancelled-0001"}
        assert seen(str(uuid4())) == set()


def test_an_upgrade_that_was_cut_off_is_finished_by_the_next_start(tmp_path: Path, postgres_url: str) -> None:
    from tables import create_old_jobs_table

    filled(postgres_url)
    create_old_jobs_table(postgres_url, tenant_column=False)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE arkham_export_schema (version INTEGER NOT NULL)")
        connection.execute("ALTER TABLE arkham_export_jobs ADD COLUMN tenant_id UUID")
        connection.execute("ALTER TABLE arkham_export_jobs ADD COLUMN runner TEXT")
        connection.execute(
            "UPDATE arkham_export_jobs SET created_at = created_at || '+00:00' WHERE status = 'failed'"
        )
    with arkhamframe(tmp_path, postgres_url) as host:
        check_old_jobs(host)
        hold_three_gib(host)


def test_older_rows_with_odd_times_and_texts_are_still_listed(tmp_path: Path, postgres_url: str) -> None:
    from tables import create_old_jobs_table

    create_old_jobs_table(postgres_url, tenant_column=False)
    odd = {
        "space": "2025-01-05 10:00:00",
        "zulu": "2025-01-05T10:00:00Z",
        "offset": "2025-01-05T12:00:00+02:00",
        "west": "2025-01-05T05:00:00-05:00",
        "short": "2025-01-05T10:00",
    }
    with psycopg.connect(postgres_url) as connection:
        for name, text in odd.items():
            connection.execute(
                "INSERT INTO arkham_export_jobs (id, format, target, status, created_at, filters, options, metadata,"
                " record_count, processing_time_ms, created_by)"
                " VALUES (%s, 'json', 'claims', 'failed', %s, '', 'not JSON', '[]', NULL, NULL, NULL)",
                (f"odd-{name}", text),
            )
        connection.execute(
            "INSERT INTO arkham_export_jobs (id, format, target, status) VALUES ('odd-bare', 'json', 'claims', 'failed')"
        )
    with arkhamframe(tmp_path, postgres_url) as host:
        jobs = upgraded(host)
        for name in odd:
            assert jobs[f"odd-{name}"]["created_at"] == "2025-01-05T10:00:00+00:00"
            assert jobs[f"odd-{name}"]["filters"] == jobs[f"odd-{name}"]["metadata"] == {}
            assert jobs[f"odd-{name}"]["record_count"] == 0
        assert jobs["odd-bare"]["created_at"] is None
        assert host.client.get("/api/export/stats").status_code == 200


def test_a_job_that_an_older_version_left_running_runs_again(tmp_path: Path, postgres_url: str) -> None:
    from tables import create_old_jobs_table

    filled(postgres_url)
    create_old_jobs_table(postgres_url, tenant_column=True)
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "INSERT INTO arkham_export_jobs (id, format, target, status, created_at, started_at)"
            " VALUES ('old-running-0001', 'json', 'claims', 'processing', '2025-01-11T10:00:00', '2025-01-11T10:00:01')"
        )
    with arkhamframe(tmp_path, postgres_url) as host:
        job = host.wait("old-running-0001")
        assert (job["status"], job["record_count"]) == ("completed", RECORDS)


@contextlib.contextmanager
def old_sqlite(data_dir: Path, tenant_column: bool) -> Iterator[sqlite3.Connection]:
    """SQLite files with the jobs table as an older version made it, and its rows."""
    from tables import OLD_JOBS, OLD_JOBS_COLUMNS

    seed_sqlite(data_dir, RECORDS)
    tenant = ", tenant_id TEXT" if tenant_column else ""
    with contextlib.closing(sqlite_connection(data_dir)) as connection:
        connection.execute(f"CREATE TABLE arkham_export_jobs ({OLD_JOBS_COLUMNS}{tenant})")
        for name, column in (
            ("status", "status"),
            ("created", "created_at"),
            ("format", "format"),
            ("target", "target"),
        ):
            connection.execute(f"CREATE INDEX idx_export_jobs_{name} ON arkham_export_jobs ({column})")
        for job in OLD_JOBS:
            marks = ", ".join("?" * len(job))
            connection.execute(
                f"INSERT INTO arkham_export_jobs ({', '.join(job)}) VALUES ({marks})", list(job.values())
            )
        yield connection


def sqlite_state(data_dir: Path) -> tuple[list[Any], ...]:
    with contextlib.closing(sqlite_connection(data_dir)) as connection:
        schema = "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'arkham_export_jobs' ORDER BY name"
        return (
            connection.execute(schema).fetchall(),
            connection.execute(ROWS).fetchall(),
            connection.execute("SELECT * FROM arkham_export_schema").fetchall(),
        )


@pytest.mark.parametrize("tenant_column", [False, True])
def test_an_older_jobs_table_in_sqlite_is_upgraded_in_place_and_keeps_its_rows(
    tmp_path: Path, tenant_column: bool
) -> None:
    with old_sqlite(tmp_path, tenant_column):
        pass
    with standalone(tmp_path) as host:
        check_old_jobs(host)
        hold_three_gib(host)
        host.export("claims", "json")
    before = sqlite_state(tmp_path)
    names = {row[0] for row in before[0]}
    assert {f"idx_export_jobs_{each}" for each in ("status", "created", "format", "target")} <= names
    with standalone(tmp_path) as host:
        assert len(upgraded(host)) == 5
    assert sqlite_state(tmp_path) == before


def test_a_first_start_makes_the_jobs_table_with_the_contracts_columns(
    tmp_path: Path, postgres_url: str
) -> None:
    columns = {
        "id", "format", "target", "status", "created_at", "started_at", "completed_at", "file_path", "file_size",
        "download_url", "expires_at", "error", "filters", "options", "record_count", "processing_time_ms",
        "created_by", "metadata", "tenant_id",
    }  # fmt: skip
    indexes = {f"idx_export_jobs_{each}" for each in ("status", "created", "format", "target")}
    with standalone(tmp_path / "sqlite") as host:
        assert columns <= {row[1] for row in host.query("PRAGMA table_info(arkham_export_jobs)")}
        assert indexes <= {row[1] for row in host.query("PRAGMA index_list(arkham_export_jobs)")}
    with arkhamframe(tmp_path / "postgres", postgres_url):
        state = postgres_state(postgres_url)[0]
        assert columns <= {row[1] for row in state if row[0] == "column"}
        assert indexes <= {row[1] for row in state if row[0] == "index"}
        types = {row[1]: row[2] for row in state if row[0] == "column"}
        assert types["file_size"] == "bigint"


def test_rows_written_by_hand_with_the_contracts_defaults_run(tmp_path: Path, postgres_url: str) -> None:
    filled(postgres_url)
    with arkhamframe(tmp_path, postgres_url) as host:
        sql = "INSERT INTO arkham_export_jobs (id, format, target) VALUES (?, ?, ?)"
        host.run(host.frame.database.execute(sql, ["by-hand-0001", "json", "claims"]))
        host.export("matrix", "json")
        job = host.wait("by-hand-0001")
        assert (job["status"], job["record_count"]) == ("completed", RECORDS)
        assert host.client.get(job["download_url"]).status_code == 200
