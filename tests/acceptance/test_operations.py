"""What operators ask a running host: is it well, and how much does it do."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from psycopg.conninfo import conninfo_to_dict

from arkham_shard_export.jobs.files import MARKER
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from tests.buckets import S3Server
from tests.conftest import new_database
from tests.hosts import RunningHost, arkhamframe, standalone

RECORDS = 5
KINDS = ["standalone", "standalone-postgres", "arkhamframe"]
CHECKS = {"database", "store", "queue", "outbox", "lease", "schedules"}
TENANT = {"X-Tenant-Id": "5b6a2c3e-8a5e-4a7e-9a56-0f0a6d1d9b11"}
ANALYST = {"X-User-Id": "ann"}
ADMIN = {"X-User-Id": "root", "X-User-Role": "admin"}


@contextlib.contextmanager
def own_host(kind: str, data_dir: Path, server_url: str, users: bool = False) -> Iterator[RunningHost]:
    if kind == "standalone":
        seed_sqlite(data_dir, RECORDS)
        with standalone(data_dir, trust_headers=users) as host:
            yield host
        return
    url = new_database(server_url)
    if kind == "arkhamframe":
        from tables import create_peer_tables

        create_peer_tables(url)
        seed_postgres(url, RECORDS)
        with arkhamframe(data_dir, url, users=users) as host:
            yield host
        return
    seed_postgres(url, RECORDS)
    with standalone(data_dir, url, trust_headers=users) as host:
        yield host


@pytest.fixture(params=KINDS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: str) -> Iterator[RunningHost]:
    with own_host(request.param, tmp_path, postgres_server) as running:
        yield running


@pytest.fixture(params=KINDS)
def shared(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: str) -> Iterator[RunningHost]:
    """A host with users and tenants."""
    with own_host(request.param, tmp_path, postgres_server, users=True) as running:
        yield running


def quick_health(host: RunningHost) -> httpx.Response:
    began = time.monotonic()
    answer = host.client.get("/api/export/health")
    assert time.monotonic() - began < 1
    return answer


def is_unavailable(answer: httpx.Response, named: str) -> None:
    assert answer.status_code == 503, answer.text
    body = answer.json()
    assert body["status"] == "unavailable"
    assert body["checks"][named]["status"] == "failed"
    assert body["detail"].endswith(".")
    assert int(answer.headers["retry-after"]) > 0


def scraped(host: RunningHost) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = host.client.get("/api/export/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name.removeprefix("arkham_export_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(samples: dict[Any, float], name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


def eventually(host: RunningHost, status: str) -> dict[str, Any]:
    """The health, once the host leads, works, and is so."""
    deadline = time.monotonic() + 30
    while True:
        body = dict(host.client.get("/api/export/health").json())
        if body["status"] == status and body["checks"].get("queue", {}).get("workers") != 0:
            return body
        assert time.monotonic() < deadline, body
        time.sleep(0.05)


# Health


def test_a_host_that_is_well_says_so_with_figures(fresh: RunningHost) -> None:
    fresh.export("claims", "csv")
    fresh.delivered()
    body = eventually(fresh, "ok")
    checks = body["checks"]
    assert checks.keys() == CHECKS
    assert all(each["status"] == "ok" for each in checks.values())
    assert checks["queue"]["engine"] == ("embedded" if fresh.name == "standalone" and fresh.database_url is None else "procrastinate")  # fmt: skip
    assert checks["queue"]["workers"] == 1
    assert (checks["queue"]["pending"], checks["queue"]["processing"]) == (0, 0)
    assert checks["database"]["ms"] >= 0
    assert checks["store"]["free_bytes"] > 0
    assert checks["lease"]["leads"] == "this host"
    assert str(fresh.data_dir) not in str(body)


def test_without_a_database_health_is_503_at_once_and_names_it(tmp_path: Path, postgres_url: str) -> None:
    with arkhamframe(tmp_path, postgres_url, without=["database"]) as host:
        is_unavailable(quick_health(host), "database")
        answer = host.client.get("/api/export/metrics")
        assert (answer.status_code, "database" in answer.json()["detail"]) == (503, True)
    with arkhamframe(tmp_path, postgres_url, without=["events"]) as host:
        is_unavailable(quick_health(host), "events")


@pytest.mark.parametrize("serve", [standalone, arkhamframe])
def test_a_database_that_cannot_be_reached_at_start_is_told_at_once(tmp_path: Path, serve: Any) -> None:
    with serve(tmp_path / "data", f"postgresql://postgres@/gone?host={tmp_path}") as host:
        for _ in range(3):
            answer = quick_health(host)
            is_unavailable(answer, "database")
            assert str(tmp_path) not in answer.text


@pytest.mark.parametrize("kind", ["standalone-postgres", "arkhamframe"])
def test_a_database_that_goes_away_is_told_at_once_and_its_return_too(
    kind: str, tmp_path: Path, postgres_server: str
) -> None:
    with own_host(kind, tmp_path, postgres_server) as host:
        eventually(host, "ok")
        assert host.database_url is not None
        name = conninfo_to_dict(host.database_url)["dbname"]
        with psycopg.connect(postgres_server, autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            for _ in range(3):
                is_unavailable(quick_health(host), "database")
            assert of(scraped(host), "database_up") == 0
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        eventually(host, "ok")


def test_a_database_that_hangs_is_told_in_time_and_is_asked_once(
    tmp_path: Path, postgres_server: str
) -> None:
    with own_host("standalone-postgres", tmp_path, postgres_server) as host:
        eventually(host, "ok")
        assert host.database_url is not None
        with psycopg.connect(host.database_url) as blocking:
            blocking.execute("LOCK TABLE arkham_export_job_totals IN ACCESS EXCLUSIVE MODE")
            for _ in range(6):
                is_unavailable(quick_health(host), "database")
            assert of(scraped(host), "database_up") == 0
            waiting = blocking.execute("SELECT COUNT(*) FROM pg_locks WHERE NOT granted").fetchone()
            assert waiting == (1,)
        eventually(host, "ok")
        assert host.export("claims", "csv")[0]["record_count"] == RECORDS


def test_a_host_that_is_switched_off_or_stopped_is_unavailable(tmp_path: Path, postgres_server: str) -> None:
    with own_host("arkhamframe", tmp_path, postgres_server) as host:
        host.run(host.app.state.shard_loader.disable("export"))
        is_unavailable(quick_health(host), "export")
        assert host.client.get("/api/export/metrics").status_code == 503


def test_jobs_that_nobody_takes_degrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_CONCURRENCY", "0")
    seed_sqlite(tmp_path, RECORDS)
    with standalone(tmp_path) as host:
        assert host.post("claims", "csv").status_code == 201
        host.delivered()
        answer = quick_health(host)
        assert answer.status_code == 200
        assert answer.json()["status"] == "degraded"
        queue = answer.json()["checks"]["queue"]
        assert (queue["status"], queue["workers"], queue["pending"]) == ("degraded", 0, 1)
        assert queue["detail"] == "Jobs wait and no worker is alive."
        samples = scraped(host)
        assert of(samples, "jobs", status="pending") == 1
        assert of(samples, "workers") == 0
        assert of(samples, "oldest_pending_seconds") > 0


def test_an_old_job_many_events_and_a_store_that_cannot_be_written_degrade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arkham_shard_export.jobs.operating.health.LONG_PENDING_SECONDS", -1.0)
    monkeypatch.setattr("arkham_shard_export.jobs.operating.health.MANY_EVENTS", -1)
    seed_sqlite(tmp_path, RECORDS)
    with standalone(tmp_path) as host:
        host.export("claims", "csv")
        (tmp_path / "files" / "exports").rename(tmp_path / "elsewhere")
        body = quick_health(host).json()
        assert body["status"] == "degraded"
        for name in ("queue", "outbox"):
            assert body["checks"][name]["status"] == "degraded", name
            assert body["checks"][name]["detail"].endswith(".")
        assert body["checks"]["store"]["status"] == "failed"
        assert "No such file or directory" in body["checks"]["store"]["detail"]
        assert str(tmp_path) not in str(body)


def test_a_store_that_is_another_or_gone_is_seen(
    tmp_path: Path, s3_environment: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = s3_environment.bucket()
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", f"s3://{bucket}/exports")
    with standalone(tmp_path / "a", demo=True) as host:
        host.export("claims", "csv")
        assert eventually(host, "ok")["checks"]["store"] == {"status": "ok", "kind": "s3"}
        s3_environment.delete_bucket(bucket)
        store = eventually(host, "degraded")["checks"]["store"]
        assert (store["status"], store["kind"]) == ("failed", "s3")
        assert "secret" not in str(store)
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", str(tmp_path / "share"))
    with standalone(tmp_path / "b", demo=True) as host:
        (tmp_path / "share" / MARKER).unlink()
        assert "a share that is not mounted" in eventually(host, "degraded")["checks"]["store"]["detail"]


def test_tenants_and_users_are_told_statuses_alone(shared: RunningHost) -> None:
    shared.export("claims", "csv")
    for headers in (TENANT, ANALYST, {**ADMIN, **TENANT}):
        body = shared.client.get("/api/export/health", headers=headers).json()
        assert body["checks"].keys() == CHECKS
        assert all(each.keys() == {"status"} for each in body["checks"].values())
        answer = shared.client.get("/api/export/metrics", headers=headers)
        assert answer.status_code == 403
        assert answer.json()["detail"].endswith(".")
        assert "arkham_export_" not in answer.text
    for allowed in ({}, ADMIN):
        assert "workers" in shared.client.get("/api/export/health", headers=allowed).json()["checks"]["queue"]
        assert shared.client.get("/api/export/metrics", headers=allowed).status_code == 200


# Metrics


def test_every_end_of_a_job_is_counted_once(fresh: RunningHost) -> None:
    jobs = [fresh.export("claims", format)[0] for format in ("csv", "json", "csv", "json", "xlsx")]
    for job, status in ((jobs[1], "failed"), (jobs[3], "cancelled")):
        fresh.query("UPDATE arkham_export_jobs SET status = ? WHERE id = ?", (status, job["id"]))
    fresh.delivered()
    samples = scraped(fresh)
    written = [job for job in jobs if job["format"] == "csv"]
    assert of(samples, "jobs", status="completed") == 3
    assert of(samples, "jobs_by_kind", status="completed", format="csv", target="claims") == 2
    assert of(samples, "jobs_ended_total", status="completed", format="csv") == 2
    for status in ("failed", "cancelled"):
        assert of(samples, "jobs", status=status) == 1
        assert of(samples, "jobs_ended_total", status=status, format="json") == 1
        assert of(samples, "jobs_ended_total", status=status, format="csv") == 0
    assert of(samples, "records_total", format="csv") == 2 * RECORDS
    assert of(samples, "bytes_total", format="csv") == sum(job["file_size"] for job in written)
    assert of(samples, "job_duration_seconds_count", format="csv") == 2
    seconds = sum(job["processing_time_ms"] for job in written) / 1000
    assert of(samples, "job_duration_seconds_sum", format="csv") == pytest.approx(seconds)
    assert of(samples, "job_duration_seconds_bucket", format="csv", le="+Inf") == 2
    assert of(samples, "outbox_events") == 0
    assert of(samples, "running_jobs") == 0
    assert (
        of(samples, "leader") == of(samples, "database_up") == of(samples, "build_info", version="0.1.0") == 1
    )
    assert not [each.name for each in REGISTRY.collect() if each.name.startswith("arkham")]


def test_every_metric_has_help_and_a_type_in_both_forms(fresh: RunningHost) -> None:
    answer = fresh.client.get("/api/export/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = list(text_string_to_metric_families(answer.text))
    assert all(each.documentation and each.type != "unknown" for each in families)
    assert all(each.name.startswith("arkham_export_") for each in families)
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    answer = fresh.client.get("/api/export/metrics", headers=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    names = {each.name for each in openmetrics_families(answer.text)}
    assert {"arkham_export_jobs", "arkham_export_jobs_ended", "arkham_export_job_duration_seconds"} <= names


def test_what_anybody_wrote_into_the_table_breaks_neither_counting_nor_delivery(
    tmp_path: Path,
) -> None:
    seed_sqlite(tmp_path, RECORDS)
    with standalone(tmp_path) as host:
        hostile = 'odt"}\n# evil 1'
        for values in ((hostile, "many"), ("csv", -5)):
            job_id = str(uuid4())
            host.query(
                "INSERT INTO arkham_export_jobs (id, format, target, status) VALUES (?, ?, ?, 'cancelled')",
                (job_id, values[0], hostile),
            )
            host.query(
                "UPDATE arkham_export_jobs SET status = 'completed', processing_time_ms = ?, file_size = ? WHERE id = ?",
                (values[1], values[1], job_id),
            )
        host.delivered()
        samples = scraped(host)
        assert of(samples, "jobs_ended_total", status="completed", format="other") == 1
        assert of(samples, "jobs_ended_total", status="completed", format="csv") == 1
        assert of(samples, "job_duration_seconds_sum", format="csv") == 0
        kinds = [dict(labels) for name, labels in samples if name == "jobs_by_kind"]
        assert hostile in {labels["target"] for labels in kinds}
        assert host.export("claims", "csv")[0]["status"] == "completed"


def test_two_hosts_on_one_database_count_together_what_there_was(
    tmp_path: Path, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", str(tmp_path / "store"))
    with own_host("standalone-postgres", tmp_path / "a", postgres_server) as one:
        assert one.database_url is not None
        with standalone(tmp_path / "b", one.database_url) as two:
            for host in (one, two):
                host.wait(host.post("claims", "csv").json()["id"])
            one.delivered()
            told = [scraped(host) for host in (one, two)]
    ended = [of(samples, "jobs_ended_total", status="completed", format="csv") for samples in told]
    assert sum(ended) == 2
    assert sorted(of(samples, "leader") for samples in told) == [0, 1]
    assert [of(samples, "jobs", status="completed") for samples in told] == [2, 2]


def test_operators_are_told_of_every_metric_and_their_alarms_name_none_that_is_not(
    tmp_path: Path,
) -> None:
    page = (Path(__file__).parents[2] / "production.md").read_text("utf-8")
    with standalone(tmp_path) as host:
        families = list(text_string_to_metric_families(host.client.get("/api/export/metrics").text))
    names = {sample.name for each in families for sample in each.samples}
    assert [
        each.name for each in families if f"`{each.name}" not in page and not each.name.endswith("_created")
    ] == []
    (rules,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    alarms = [rule for group in yaml.safe_load(rules)["groups"] for rule in group["rules"]]
    assert len(alarms) > 5
    for rule in alarms:
        assert set(re.findall(r"arkham_export_\w+", rule["expr"])) <= names
        assert f"| `{rule['alert']}` |" in page


def test_both_routes_are_described(fresh: RunningHost) -> None:
    paths = fresh.client.get("/openapi.json").json()["paths"]
    assert "get" in paths["/api/export/health"]
    assert "text/plain" in paths["/api/export/metrics"]["get"]["responses"]["200"]["content"]


def test_the_shard_sets_up_no_logging_in_a_host(tmp_path: Path, postgres_server: str) -> None:
    def handlers() -> list[Any]:
        names = ["", "arkham_shard_export", "arkham_shard_export.jobs", "procrastinate", "psycopg"]
        found = [logging.getLogger(name) for name in names]
        return [(each.name, list(each.handlers), each.level, each.propagate) for each in found]

    before = handlers()
    with own_host("arkhamframe", tmp_path, postgres_server) as host:
        host.export("claims", "csv")
        assert handlers() == before
    assert handlers() == before
