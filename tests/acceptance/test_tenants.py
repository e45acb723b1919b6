"""Tenants and users are kept apart: in records, counts, previews, jobs, files and in the work behind them."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from arkham_shard_export.peers import (
    CLAIMS,
    EDGES,
    ENTITIES,
    GRAPHS,
    MATRICES,
    NODES,
    PROJECTS,
    TABLES,
    TIMELINE_CONFLICTS,
)
from arkham_shard_export.schema import Table
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from arkham_shard_export.targets import TARGETS
from tests.hosts import RunningHost, arkhamframe, standalone
from tests.tenants import (
    KINDS,
    MARKS,
    RECORDS,
    A,
    B,
    expected_ids,
    fresh_database,
    ids,
    of,
    share_out,
    shared_host,
    visible,
)

ALL = list(TARGETS)


@pytest.fixture(scope="module", params=KINDS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> Iterator[RunningHost]:
    with shared_host(request.param, tmp_path_factory.mktemp("tenants"), postgres_server) as host:
        yield host


def exported(
    host: RunningHost, target: str, format: str, headers: dict[str, str], **body: Any
) -> tuple[dict[str, Any], bytes]:
    answer = host.post(target, format, headers=headers, **body)
    assert answer.status_code == 201, answer.text
    job = host.wait(answer.json()["id"], headers)
    assert job["status"] == "completed", job
    file = host.client.get(job["download_url"], headers=headers)
    assert file.status_code == 200
    return job, file.content


def text_of(content: bytes) -> str:
    """The whole text of a file, be it an archive."""
    if not content.startswith(b"PK"):
        return content.decode("utf-8")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return "\n".join(archive.read(name).decode("utf-8") for name in archive.namelist())


def records_of(content: bytes) -> list[dict[str, Any]]:
    document = json.loads(content)
    records: list[dict[str, Any]] = (
        document["nodes"] + document["edges"] if "nodes" in document else document["records"]
    )
    return records


EVERYTHING: dict[str, dict[str, Any]] = {
    "timeline": {"include_conflicts": True, "include_gaps": True, "group_by": "entity"}
}


@pytest.mark.parametrize("tenant", [A, B], ids=["ann", "ben"])
@pytest.mark.parametrize("format", ["json", "csv"])
@pytest.mark.parametrize("target", ALL)
def test_an_export_holds_nothing_of_another_tenant(
    shared: RunningHost, target: str, format: str, tenant: str
) -> None:
    job, content = exported(shared, target, format, of(tenant), options=EVERYTHING.get(target, {}))
    text = text_of(content)
    other = B if tenant == A else A
    assert MARKS[other] not in text
    assert job["record_count"] == len(expected_ids(shared, target, tenant))
    if job["record_count"]:
        assert MARKS[tenant] in text


@pytest.mark.parametrize("tenant", [A, B], ids=["ann", "ben"])
@pytest.mark.parametrize("target", ALL)
def test_an_export_holds_every_record_of_its_tenant(shared: RunningHost, target: str, tenant: str) -> None:
    _, content = exported(shared, target, "json", of(tenant))
    found = [record["id"] for record in records_of(content)]
    assert sorted(found) == sorted(expected_ids(shared, target, tenant))


@pytest.mark.parametrize(
    ("target", "relation", "table", "keys"),
    [
        (target, relation.name, relation.table, relation.foreign_keys)
        for target in ALL
        for each in TARGETS[target].sets
        for relation in each.relations
        if not relation.single
    ],
)
def test_rows_that_hang_on_a_record_are_those_of_its_tenant(
    shared: RunningHost, target: str, relation: str, table: Table, keys: tuple[str, ...]
) -> None:
    _, content = exported(shared, target, "json", of(A))
    records = records_of(content)
    nested = {each["id"] for record in records for each in record[relation]}
    mine = {record["id"] for record in records}
    rows = shared.query(f"SELECT id, {', '.join(keys)}, CAST(tenant_id AS text) FROM {table.qualified}")
    hanging = {row[0]: row[-1] for row in rows if mine.intersection(row[1:-1])}
    assert B in hanging.values(), "the data would show a leak"
    assert nested == {key for key, tenant in hanging.items() if tenant == A}


def test_a_document_names_no_project_of_another_tenant(shared: RunningHost) -> None:
    _, content = exported(shared, "documents", "json", of(A))
    mine = visible(shared, PROJECTS, A)
    for record in records_of(content):
        if record["project_id"] in mine:
            assert record["project"]["id"] == record["project_id"]
        else:
            assert record["project"] is None


def test_names_of_entities_and_conflicts_beside_a_timeline_are_the_tenants(shared: RunningHost) -> None:
    _, content = exported(shared, "timeline", "json", of(A), options=EVERYTHING["timeline"])
    document = json.loads(content)
    assert {each["id"] for each in document["conflicts"]} <= visible(shared, TIMELINE_CONFLICTS, A)
    assert document["entities"].keys() <= visible(shared, ENTITIES, A)
    assert document["groups"]
    events = expected_ids(shared, "timeline", A)
    assert {each for group in document["groups"] for each in group["event_ids"]} == events


def test_a_graph_lists_only_the_tenants_graphs(shared: RunningHost) -> None:
    _, content = exported(shared, "graph", "json", of(A))
    assert {each["id"] for each in json.loads(content)["graphs"]} == visible(shared, GRAPHS, A)


def test_targets_count_the_tenants_records_alone(shared: RunningHost) -> None:
    counts = {}
    for tenant in (A, B):
        body = shared.client.get("/api/export/targets", headers=of(tenant)).json()
        counts[tenant] = {each["target"]: each["estimated_record_count"] for each in body}
        assert counts[tenant] == {name: len(expected_ids(shared, name, tenant)) for name in ALL}
    everything = {
        each["target"]: each["estimated_record_count"]
        for each in shared.client.get("/api/export/targets").json()
    }
    assert everything["claims"] == counts[A]["claims"] + counts[B]["claims"] == len(ids(shared, CLAIMS))


def test_merged_entities_are_counted_for_the_tenant_alone(shared: RunningHost) -> None:
    merged = {tenant: len(visible(shared, ENTITIES, tenant)) for tenant in (A, B)}
    for tenant in (A, B):
        merged[tenant] -= len(expected_ids(shared, "entities", tenant))
        body = shared.client.get("/api/export/targets", headers=of(tenant)).json()
        (text,) = [each["description"] for each in body if each["target"] == "entities"]
        told = re.search(r"(\d+) more are left out", text)
        assert int(told.group(1) if told else 0) == merged[tenant]
        job, _ = exported(shared, "entities", "json", of(tenant))
        assert job["metadata"]["completeness"]["skipped"] == merged[tenant]
    assert merged[A] + merged[B] == len(ids(shared, ENTITIES, "canonical_id IS NOT NULL")) > 0


@pytest.mark.parametrize("target", ALL)
def test_a_preview_shows_and_counts_the_tenants_records_alone(shared: RunningHost, target: str) -> None:
    body = {"format": "json", "target": target, "max_preview_records": 100}
    answer = shared.client.post("/api/export/preview", json=body, headers=of(A))
    assert answer.status_code == 200
    preview = answer.json()
    expected = expected_ids(shared, target, A)
    assert preview["estimated_record_count"] == len(expected)
    assert {record["id"] for record in preview["preview_records"]} <= expected
    assert MARKS[B] not in answer.text


def test_a_filter_reaches_no_record_of_another_tenant(shared: RunningHost) -> None:
    theirs = min(visible(shared, MATRICES, B))
    job, content = exported(shared, "matrix", "json", of(A), filters={"matrix_id": theirs})
    assert job["record_count"] == 0
    assert records_of(content) == []
    project = shared.query(f"SELECT project_id FROM {GRAPHS.qualified} WHERE CAST(tenant_id AS text) = '{B}'")
    for (project_id,) in project:
        job, _ = exported(shared, "graph", "json", of(A), filters={"project_id": project_id})
        assert job["record_count"] == 0


@pytest.mark.parametrize("target", ALL)
def test_without_a_tenant_everything_is_exported(shared: RunningHost, target: str) -> None:
    job, content = exported(shared, target, "json", {})
    assert set(MARKS.values()) <= set(re.findall(r"belongs-to-\w+", text_of(content)))
    condition = "canonical_id IS NULL" if target == "entities" else ""
    everything = {each for some in TARGETS[target].sets for each in ids(shared, some.table, condition)}
    assert {record["id"] for record in records_of(content)} == everything
    assert job["record_count"] == len(everything)


def test_a_tenant_without_any_record_gets_empty_exports(shared: RunningHost) -> None:
    nobody = of(str(uuid4()))
    for target in ALL:
        job, content = exported(shared, target, "csv", nobody)
        assert job["record_count"] == 0
        assert "belongs-to" not in text_of(content)
    body = shared.client.get("/api/export/targets", headers=nobody).json()
    assert [each["estimated_record_count"] for each in body] == [0] * 6


# Jobs


def is_hidden(host: RunningHost, job_id: str, headers: dict[str, str]) -> None:
    for answer in (
        host.client.get(f"/api/export/jobs/{job_id}", headers=headers),
        host.client.get(f"/api/export/jobs/{job_id}/download", headers=headers),
        host.client.delete(f"/api/export/jobs/{job_id}", headers=headers),
    ):
        assert answer.status_code == 404
        assert "no export job" in answer.json()["detail"]
    assert job_id not in listed(host, headers)


def listed(host: RunningHost, headers: dict[str, str], **query: Any) -> list[str]:
    body = host.client.get("/api/export/jobs", params={"limit": 500, **query}, headers=headers).json()
    assert body["total"] == len(body["jobs"])
    return [job["id"] for job in body["jobs"]]


def test_a_job_of_another_tenant_is_as_if_it_were_not_there(shared: RunningHost) -> None:
    mine, theirs = of(str(uuid4())), of(str(uuid4()))
    job, _ = exported(shared, "claims", "json", mine)
    is_hidden(shared, job["id"], theirs)
    assert listed(shared, mine) == [job["id"]]
    assert shared.client.get(f"/api/export/jobs/{job['id']}", headers=mine).json() == job
    assert shared.client.get(job["download_url"], headers=mine).status_code == 200
    assert shared.client.get(job["download_url"]).status_code == 200, "without a tenant everything is seen"


def test_counts_and_statistics_are_of_the_tenants_jobs_alone(shared: RunningHost) -> None:
    mine, theirs = of(str(uuid4())), of(str(uuid4()))
    jobs = [exported(shared, "matrix", format, mine)[0] for format in ("json", "csv")]

    def stats(headers: dict[str, str]) -> dict[str, Any]:
        return dict(shared.client.get("/api/export/stats", headers=headers).json())

    def completed(headers: dict[str, str]) -> int:
        query = {"status": "completed"}
        return int(shared.client.get("/api/export/count", params=query, headers=headers).json()["count"])

    assert stats(mine)["total_jobs"] == completed(mine) == 2
    assert stats(mine)["by_format"] == {"json": 1, "csv": 1}
    assert stats(mine)["total_file_size_bytes"] == sum(job["file_size"] for job in jobs)
    assert stats(theirs)["total_jobs"] == completed(theirs) == stats(theirs)["total_file_size_bytes"] == 0
    assert completed({}) >= 2


def test_another_tenant_cannot_cancel_a_job(shared: RunningHost) -> None:
    mine, theirs = of(A), of(B)
    ids = [shared.post("documents", "json", headers=mine).json()["id"] for _ in range(3)]
    answers = [shared.client.delete(f"/api/export/jobs/{each}", headers=theirs) for each in ids]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert [shared.wait(each, mine)["status"] for each in ids] == ["completed"] * 3


def test_jobs_of_both_tenants_at_once_each_keep_their_own(shared: RunningHost) -> None:
    posted = [
        (tenant, shared.post("claims", "json", headers=of(tenant)).json()["id"])
        for tenant in (A, B, A, None, B, A)
    ]
    for tenant, job_id in posted:
        shared.wait(job_id, of(tenant))
        text = shared.client.get(f"/api/export/jobs/{job_id}/download", headers=of(tenant)).text
        assert set(re.findall(r"belongs-to-\w+", text)) == (
            {MARKS[tenant]} if tenant else set(MARKS.values())
        )


def test_a_header_that_is_no_tenant_is_refused(shared: RunningHost) -> None:
    for text in ("ann", "", "'; --", A[:-1]):
        answer = shared.client.get("/api/export/jobs", headers={"X-Tenant-Id": text})
        assert answer.status_code == 400
        assert isinstance(answer.json()["detail"], str)


def test_a_tenant_may_be_written_in_any_form_of_a_uuid(shared: RunningHost) -> None:
    for form in (A.upper(), A.replace("-", ""), f"{{{A}}}"):
        job, content = exported(shared, "claims", "json", of(form))
        assert job["record_count"] == len(expected_ids(shared, "claims", A))
        assert MARKS[B] not in content.decode()
        assert shared.client.get(f"/api/export/jobs/{job['id']}", headers=of(A)).status_code == 200


# Users


def test_a_user_is_written_down_as_the_jobs_creator(shared: RunningHost) -> None:
    user = f"user-{uuid4()}"
    job = shared.post("matrix", "json", headers=of(A, user)).json()
    assert job["created_by"] == user
    assert shared.wait(job["id"], of(A, user))["created_by"] == user
    assert shared.post("matrix", "json", headers=of(A)).json()["created_by"] == "system"


def test_a_user_whose_id_is_a_uuid_sees_their_own_jobs(shared: RunningHost) -> None:
    user = of(A, str(uuid4()))
    job, _ = exported(shared, "matrix", "json", user)
    assert job["created_by"] == user["X-User-Id"]
    assert listed(shared, user) == [job["id"]]


def test_a_user_sees_only_jobs_of_their_own(shared: RunningHost) -> None:
    tenant = str(uuid4())
    ann, eve = of(tenant, "ann"), of(tenant, "eve")
    job, _ = exported(shared, "matrix", "json", ann)
    is_hidden(shared, job["id"], eve)
    assert listed(shared, eve) == listed(shared, eve, created_by="ann") == []
    assert shared.client.get("/api/export/stats", headers=eve).json()["total_jobs"] == 0
    query = {"status": "completed"}
    counts = [
        shared.client.get("/api/export/count", params=query, headers=who).json()["count"]
        for who in (ann, eve)
    ]
    assert counts == [1, 0]
    assert listed(shared, ann) == listed(shared, ann, created_by="ann") == [job["id"]]


def test_an_admin_sees_all_jobs_of_their_tenant_and_none_of_another(shared: RunningHost) -> None:
    tenant, other = str(uuid4()), str(uuid4())
    ann, eve = of(tenant, "ann"), of(tenant, "eve")
    jobs = [exported(shared, "matrix", "json", who)[0]["id"] for who in (ann, eve)]
    admin = of(tenant, "root", "admin")
    assert listed(shared, admin) == jobs[::-1]
    assert listed(shared, admin, created_by="eve") == [jobs[1]]
    assert shared.client.get(f"/api/export/jobs/{jobs[0]}/download", headers=admin).status_code == 200
    assert shared.client.get("/api/export/stats", headers=admin).json()["total_jobs"] == 2
    is_hidden(shared, jobs[0], of(other, "root", "admin"))
    is_hidden(shared, jobs[0], of(other, "ann"))


def test_a_role_that_is_nearly_admin_is_none(shared: RunningHost) -> None:
    tenant = str(uuid4())
    job, _ = exported(shared, "matrix", "json", of(tenant, "ann"))
    for role in ("Admin", "ADMIN", "administrator", "admin ,", ""):
        is_hidden(shared, job["id"], of(tenant, "eve", role))


def test_users_are_not_believed_where_nobody_vouches_for_them(tmp_path: Path) -> None:
    seed_sqlite(tmp_path, 4)
    share_out(None, tmp_path)
    with standalone(tmp_path) as host:
        job, content = exported(host, "claims", "json", of(A, "ann"))
        assert job["created_by"] == "system"
        assert set(MARKS.values()) == set(re.findall(r"belongs-to-\w+", content.decode()))


# The work behind


def test_nodes_and_edges_without_a_tenant_of_their_own_follow_their_graph(
    tmp_path: Path, postgres_server: str
) -> None:
    from tables import create_peer_tables

    url = fresh_database(postgres_server)
    create_peer_tables(url, tenant_columns=True)
    with psycopg.connect(url) as postgres:
        for table in (NODES, EDGES):
            postgres.execute(f"ALTER TABLE {table.qualified} DROP COLUMN tenant_id".encode())
    seed_postgres(url, RECORDS)
    share_out(url, tmp_path, tuple(each for each in TABLES if each not in (NODES, EDGES)))
    with arkhamframe(tmp_path, url) as host:
        graphs = {tenant: visible(host, GRAPHS, tenant) for tenant in (A, B)}
        for tenant in (A, B):
            job, content = exported(host, "graph", "json", of(tenant))
            document = json.loads(content)
            assert {each["graph_id"] for each in document["nodes"]} <= graphs[tenant]
            assert {each["graph_id"] for each in document["edges"]} <= graphs[tenant]
            assert job["record_count"] == len(document["nodes"]) + len(document["edges"])
        everything = len(ids(host, NODES)) + len(ids(host, EDGES))
        assert exported(host, "graph", "json", {})[0]["record_count"] == everything


def test_tables_without_a_tenant_column_are_everybodys(tmp_path: Path, postgres_server: str) -> None:
    from tables import create_peer_tables

    url = fresh_database(postgres_server)
    create_peer_tables(url, tenant_columns=False)
    seed_postgres(url, 5)
    with arkhamframe(tmp_path, url) as host:
        for target in ALL:
            job, _ = exported(host, target, "json", of(A))
            everyones, _ = exported(host, target, "json", {})
            assert job["record_count"] == everyones["record_count"] > 0


def test_a_tenant_kept_as_text_is_obeyed_too(tmp_path: Path, postgres_server: str) -> None:
    from tables import create_peer_tables

    url = fresh_database(postgres_server)
    create_peer_tables(url, tenant_columns=True)
    with psycopg.connect(url) as postgres:
        for table in TABLES:
            postgres.execute(
                f"ALTER TABLE {table.qualified} ALTER COLUMN tenant_id TYPE text USING tenant_id::text".encode()
            )
    seed_postgres(url, RECORDS)
    share_out(url, tmp_path)
    with arkhamframe(tmp_path, url) as host:
        for target in ALL:
            job, content = exported(host, target, "json", of(A))
            assert job["record_count"] == len(expected_ids(host, target, A))
            assert MARKS[B] not in content.decode()


def test_a_job_that_runs_under_the_next_shard_keeps_its_tenant(tmp_path: Path, postgres_server: str) -> None:
    from tables import create_peer_tables

    url = fresh_database(postgres_server)
    create_peer_tables(url, tenant_columns=True)
    seed_postgres(url, RECORDS)
    share_out(url, tmp_path)
    with arkhamframe(tmp_path, url) as host:
        with psycopg.connect(url) as postgres:
            postgres.execute("LOCK TABLE arkham_claims IN ACCESS EXCLUSIVE MODE")
            jobs = [host.post("claims", "json", headers=of(tenant)).json()["id"] for tenant in (A, B)]
            assert host.run(host.app.state.shard_loader.disable("export"))
        assert host.run(host.app.state.shard_loader.enable("export"))
        for tenant, job_id in zip((A, B), jobs, strict=True):
            assert host.wait(job_id, of(tenant))["status"] == "completed"
            text = host.client.get(f"/api/export/jobs/{job_id}/download", headers=of(tenant)).text
            assert set(re.findall(r"belongs-to-\w+", text)) == {MARKS[tenant]}


def test_a_registered_source_is_told_the_tenant(tmp_path: Path) -> None:
    from arkham_shard_export.schema import Column

    told: list[str | None] = []

    class Notes:
        name = "notes"
        description = "Notes of a shard."
        columns = (Column("id"),)
        filters = ()

        def count(self, filters: Any, tenant_id: str | None) -> int:
            told.append(tenant_id)
            return 1

        def records(self, filters: Any, tenant_id: str | None) -> list[dict[str, str]]:
            told.append(tenant_id)
            return [{"id": str(tenant_id)}]

    with standalone(tmp_path, trust_headers=True) as host:
        host.shard.register_source("notes", Notes())
        _, content = exported(host, "custom", "json", of(A))
        assert json.loads(content)["records"] == [{"id": A}]
        host.client.get("/api/export/targets", headers=of(A))
        body = {"format": "json", "target": "custom"}
        host.client.post("/api/export/preview", json=body, headers=of(A))
        assert set(told) == {A}


def test_a_tenants_statistics_name_no_pending_job_of_another(shared: RunningHost) -> None:
    answers: list[httpx.Response] = []
    posted = [shared.post("documents", "json", headers=of(A)).json()["id"] for _ in range(4)]
    nobody = of(str(uuid4()))
    answers.append(shared.client.get("/api/export/stats", headers=nobody))
    answers.append(shared.client.get("/api/export/count", headers=nobody))
    assert answers[0].json()["oldest_pending_job"] is None
    assert answers[1].json() == {"count": 0}
    for each in posted:
        shared.wait(each, of(A))
