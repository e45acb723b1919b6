"""Sources of every kind: peers that are missing or fail, hosts without a connection of our own, other shards' records."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from arkham_shard_export.host import Host
from arkham_shard_export.peers import CLAIMS
from arkham_shard_export.schema import Column, Filter, Kind, RecordSet, Target
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from arkham_shard_export.standalone.tables import open_sqlite
from arkham_shard_export.targets import TARGETS
from tests.hosts import RunningHost, arkhamframe, standalone
from tests.tools import stored_files


@pytest.fixture(params=["standalone", "arkhamframe"])
def small_host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningHost]:
    """A host of the test's own, with 60 records of every target."""
    if request.param == "standalone":
        seed_sqlite(tmp_path, 60)
        with standalone(tmp_path) as host:
            yield host
        return
    from tables import create_peer_tables

    url = request.getfixturevalue("postgres_url")
    create_peer_tables(url)
    seed_postgres(url, 60)
    with arkhamframe(tmp_path, url) as host:
        yield host


def test_a_missing_peer_is_an_empty_target_that_says_why(small_host: RunningHost) -> None:
    small_host.query("DROP TABLE arkham_claims")
    job, file = small_host.export("claims", "json")
    assert json.loads(file.content)["records"] == []
    assert job["record_count"] == 0
    targets = {each["target"]: each for each in small_host.client.get("/api/export/targets").json()}
    assert targets["claims"]["estimated_record_count"] == 0
    assert "arkham_claims does not exist" in targets["claims"]["description"]
    _, file = small_host.export("claims", "csv", options={"include_relationships": False})
    assert file.text.startswith("id,text,claim_type")


def test_a_missing_relation_leaves_the_records_whole(small_host: RunningHost) -> None:
    small_host.query("DROP TABLE arkham_claim_evidence")
    job, file = small_host.export("claims", "json")
    assert job["record_count"] == 60
    assert "evidence" not in json.loads(file.content)["records"][0]


def test_missing_columns_are_left_and_extra_ones_taken(small_host: RunningHost) -> None:
    small_host.query("ALTER TABLE arkham_claims DROP COLUMN source_context")
    small_host.query("ALTER TABLE arkham_claims ADD COLUMN reviewer TEXT")
    small_host.query("UPDATE arkham_claims SET reviewer = 'Ana'")
    options = {"include_relationships": False, "sort_by": "reviewer"}
    _, file = small_host.export("claims", "json", options=options)
    record = json.loads(file.content)["records"][0]
    assert "source_context" not in record
    assert "tenant_id" not in record
    assert list(record)[-1] == "reviewer"
    assert record["reviewer"] == "Ana"
    answer = small_host.post("claims", "json", options={"sort_by": "source_context"})
    assert answer.status_code == 422


def test_merged_entities_are_left_out_and_counted_unless_asked_for(small_host: RunningHost) -> None:
    ids = [row[0] for row in small_host.query("SELECT id FROM arkham_entities ORDER BY id")]
    for merged in ids[1:4]:
        small_host.query("UPDATE arkham_entities SET canonical_id = ? WHERE id = ?", (ids[0], merged))
    job, file = small_host.export("entities", "json")
    assert {each["id"] for each in json.loads(file.content)["records"]} == set(ids) - set(ids[1:4])
    account = job["metadata"]["completeness"]
    assert (account["expected"], account["written"], account["skipped"]) == (60, 57, 3)
    assert account["skips"][0]["kind"] == "merged"
    _, file = small_host.export("entities", "json", filters={"canonical_id": ids[0]})
    assert {each["id"] for each in json.loads(file.content)["records"]} == set(ids[1:4])


def test_values_that_json_cannot_carry_become_null_and_are_counted(small_host: RunningHost) -> None:
    infinity = "9e999" if small_host.database_url is None else "'Infinity'"
    ids = [row[0] for row in small_host.query("SELECT id FROM arkham_claims ORDER BY id LIMIT 3")]
    small_host.query(f"UPDATE arkham_claims SET confidence = {infinity} WHERE id = ?", (ids[0],))
    small_host.query("UPDATE arkham_claims SET metadata = ? WHERE id = ?", ('{"a": NaN}', ids[1]))
    small_host.query("UPDATE arkham_claims SET metadata = ? WHERE id = ?", ("{not json", ids[2]))
    job, file = small_host.export("claims", "json")
    records = {each["id"]: each for each in json.loads(file.content)["records"]}
    assert records[ids[0]]["confidence"] is None
    assert records[ids[1]]["metadata"] == {"a": None}
    assert records[ids[2]]["metadata"] == "{not json"
    counts = {each["kind"]: each["count"] for each in job["metadata"]["adjustments"]}
    assert counts == {"non_finite_number": 2, "invalid_json": 1}


def test_dates_in_text_of_any_form_are_compared_as_times(small_host: RunningHost) -> None:
    ids = [row[0] for row in small_host.query("SELECT id FROM arkham_claims ORDER BY id LIMIT 7")]
    inside = ["2024-02-29", "2024-02-29 12:00:00", "2024-02-29T23:59:59.999999Z", "2024-03-01T01:30:00+02:00"]
    outside = ["2024-03-01T00:00:00+00:00", "2024-02-30", "no date"]
    small_host.query("UPDATE arkham_claims SET created_at = NULL")
    for key, text in zip(ids, inside + outside, strict=True):
        small_host.query("UPDATE arkham_claims SET created_at = ? WHERE id = ?", (text, key))
    options = {"date_range_start": "2024-02-29", "date_range_end": "2024-02-29"}
    job, file = small_host.export("claims", "json", options=options)
    assert {each["id"] for each in json.loads(file.content)["records"]} == set(ids[:4])
    (undated,) = job["metadata"]["adjustments"]
    assert undated["kind"] == "undated"
    assert undated["count"] >= 54


def test_conflicts_follow_the_events_that_are_exported(small_host: RunningHost) -> None:
    small_host.query("DELETE FROM arkham_timeline_conflicts")
    rows = small_host.query("SELECT id, document_id FROM arkham_timeline_events ORDER BY id")
    chosen, document = next(row for row in rows if row[1] is not None)
    other = next(row[0] for row in rows if row[1] != document)
    for name, event in (("touches", chosen), ("elsewhere", other)):
        small_host.query(
            "INSERT INTO arkham_timeline_conflicts (id, event_ids) VALUES (?, ?)",
            (name, json.dumps([event, "gone"])),
        )
    options = {"include_conflicts": True}
    _, file = small_host.export("timeline", "json", filters={"document_id": document}, options=options)
    assert [each["id"] for each in json.loads(file.content)["conflicts"]] == ["touches"]
    _, file = small_host.export("timeline", "json", options=options)
    assert {each["id"] for each in json.loads(file.content)["conflicts"]} == {"touches", "elsewhere"}


def test_annexes_stay_within_a_record_limit(small_host: RunningHost) -> None:
    options = {"group_by": "month", "include_gaps": True, "max_records": 10}
    _, file = small_host.export("timeline", "json", options=options)
    document = json.loads(file.content)
    ids = {each["id"] for each in document["records"]}
    assert {each for group in document["groups"] for each in group["event_ids"]} == ids
    for gap in document["gaps"]:
        assert {gap["before_event_id"], gap["after_event_id"]} <= ids


@pytest.mark.parametrize("attempts", ["1", "3"])
def test_an_export_whose_connection_is_cut_runs_again_as_often_as_is_allowed(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch, attempts: str
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_MAX_ATTEMPTS", attempts)
    seed_postgres(postgres_url, 8000)
    with standalone(tmp_path, postgres_url) as host:
        job_id = host.post("matrix", "json").json()["id"]
        deadline = time.monotonic() + 60
        cut = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'arkham-export'"
        )
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            while not [
                each
                for each in [host.client.get(f"/api/export/jobs/{job_id}").json()]
                if each["metadata"].get("progress", {}).get("phase") == "writing"
            ]:
                assert time.monotonic() < deadline
            connection.execute(cut)
        job = host.wait(job_id)
        files = stored_files(tmp_path / "files")
        if attempts != "1":
            assert (job["status"], job["record_count"]) == ("completed", 8000)
            (before,) = job["metadata"]["history"]
            assert before["attempt"] == 1
            assert before["reason"].startswith("Reading the database failed")
            assert files == [f"{job_id}.2.json"]
            return
        assert job["status"] == "failed"
        assert job["error"].startswith("Reading the database failed")
        assert files == []
        assert host.client.get(f"/api/export/jobs/{job_id}/download").status_code == 400


def test_a_broken_table_fails_the_job_with_a_reason(tmp_path: Path) -> None:
    seed_sqlite(tmp_path, 2000)
    with standalone(tmp_path) as host:
        with contextlib.closing(open_sqlite(tmp_path)) as connection:
            connection.execute("ALTER TABLE arkham_claims RENAME TO claims_before")
            connection.execute(
                "CREATE VIEW arkham_claims AS SELECT *, CASE WHEN id LIKE '%1500' THEN json('{broken') END AS x"
                " FROM claims_before"
            )
        job = host.wait(host.post("claims", "csv").json()["id"])
        assert job["status"] == "failed"
        assert "malformed JSON" in job["error"]
        assert not stored_files(tmp_path / "files")


def by_id(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(records, key=lambda record: str(record["id"]))


@pytest.mark.parametrize("target", list(TARGETS))
def test_through_the_host_service_records_are_the_same(
    small_host: RunningHost, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that offers no connection of our own is paged by key through its service."""
    options = (
        {"include_conflicts": True, "include_gaps": True, "group_by": "entity"}
        if target == "timeline"
        else {}
    )
    _, direct = small_host.export(target, "json", options=options)

    async def nowhere(self: Host, database: object, dialect: object) -> None:
        return None

    monkeypatch.setattr(Host, "location", nowhere)
    small_host.run(small_host.shard.shutdown())
    small_host.run(small_host.shard_class_again())
    _, paged = small_host.export(target, "json", options=options)
    left, right = json.loads(direct.content), json.loads(paged.content)
    for name in set(left) - {"exported_at", "snapshot_at"}:
        if isinstance(left[name], list) and name not in ("groups", "gaps"):
            assert by_id(left[name]) == by_id(right[name])
        else:
            assert left[name] == right[name]
    _, ordered = small_host.export(target, "json", options={"sort_by": "created_at", "sort_order": "desc"})
    name = "nodes" if target == "graph" else "records"
    dates = [each["created_at"] for each in json.loads(ordered.content)[name] if each["created_at"]]
    assert dates == sorted(dates, reverse=True)


class Notes:
    """Another shard's records, given asynchronously."""

    name = "notes"
    description = "Notes of the analysts"
    columns = (Column("id"), Column("text"), Column("at", Kind.TIMESTAMP), Column("tags", Kind.JSON))
    filters = ("author",)

    def __init__(self, count: int = 1200) -> None:
        self._count = count
        self.hold: threading.Event | None = None

    def _chosen(self, filters: Mapping[str, tuple[str, ...]]) -> int:
        return 2 if "Ana" in filters.get("author", ()) else self._count

    async def count(self, filters: Mapping[str, tuple[str, ...]], tenant_id: str | None) -> int:
        return self._chosen(filters)

    async def records(
        self, filters: Mapping[str, tuple[str, ...]], tenant_id: str | None
    ) -> AsyncIterator[Mapping[str, Any]]:
        for number in range(self._chosen(filters)):
            if self.hold is not None:
                await asyncio.sleep(0.01)
            yield {"id": f"n{number}", "text": "half \ud800", "at": "2024-01-01 00:00", "tags": ["a", number]}


def test_another_shards_records_are_exported_as_custom(small_host: RunningHost) -> None:
    small_host.shard.register_source("notes", Notes())
    (custom,) = [
        each for each in small_host.client.get("/api/export/targets").json() if each["target"] == "custom"
    ]
    assert custom["estimated_record_count"] == 1200
    assert "Notes of the analysts" in custom["description"]
    job, file = small_host.export("custom", "json")
    document = json.loads(file.content)
    assert job["record_count"] == len(document["records"]) == 1200
    assert document["records"][7] == {
        "id": "n7", "text": "half \ufffd", "at": "2024-01-01T00:00:00+00:00", "tags": ["a", 7],
    }  # fmt: skip
    job, file = small_host.export("custom", "csv", filters={"source": "notes", "author": "Ana"})
    assert len(file.text.splitlines()) == 3
    preview = small_host.client.post("/api/export/preview", json={"format": "json", "target": "custom"})
    assert preview.json()["estimated_record_count"] == 1200
    assert len(preview.json()["preview_records"]) == 10


def test_a_declared_table_can_be_registered_too(small_host: RunningHost) -> None:
    statements = Target(
        "statements",
        "Statements",
        "Verified statements",
        sets=(RecordSet("records", CLAIMS),),
        filters=(Filter("status", "status"),),
    )
    small_host.shard.register_source("statements", statements)
    small_host.shard.register_source("notes", Notes())
    options = {"sort_by": "created_at", "max_records": 5}
    job, file = small_host.export("custom", "json", filters={"source": "statements"}, options=options)
    assert job["record_count"] == 5
    assert job["filters"] == {"source": "statements"}
    assert len(json.loads(file.content)["records"]) == 5
    status = small_host.query("SELECT CAST(status AS text) FROM arkham_claims LIMIT 1")[0][0]
    job, _ = small_host.export("custom", "csv", filters={"source": "statements", "status": status})
    assert 0 < job["record_count"] < 60
    answer = small_host.client.get("/api/export/targets")
    (custom,) = [each for each in answer.json() if each["target"] == "custom"]
    assert custom["estimated_record_count"] == 1260
    assert custom["supports_filters"][0] == "source"


def test_a_registered_source_that_fails_does_not_hide_the_targets(small_host: RunningHost) -> None:
    class Failing(Notes):
        def count(self, filters: Mapping[str, tuple[str, ...]], tenant_id: str | None) -> int:
            raise RuntimeError("the notes are locked")

    small_host.shard.register_source("notes", Failing())
    answer = small_host.client.get("/api/export/targets")
    assert answer.status_code == 200
    assert "the notes are locked" in answer.json()[-1]["description"]


@pytest.mark.parametrize("counted", [None, "many", -1, 2.5])
def test_a_count_that_is_no_number_is_refused(small_host: RunningHost, counted: object) -> None:
    class Odd(Notes):
        def count(self, filters: Mapping[str, tuple[str, ...]], tenant_id: str | None) -> Any:
            return counted

    small_host.shard.register_source("notes", Odd())
    assert small_host.client.get("/api/export/targets").status_code == 200
    job = small_host.wait(small_host.post("custom", "json").json()["id"])
    assert job["status"] == "failed"
    assert repr(counted) in job["error"]


def test_a_custom_job_waits_for_its_source_to_be_registered(small_host: RunningHost) -> None:
    """Shards start in any order: after a restart the runner may be there before the source."""
    small_host.query(
        "INSERT INTO arkham_export_jobs (id, format, target, status, created_at, filters) VALUES"
        " ('from-before', 'json', 'custom', 'processing', '2026-01-01T00:00:00+00:00', '{\"source\": \"notes\"}')"
    )
    small_host.loop.call_soon_threadsafe(small_host.shard._service.queue.wake)
    deadline = time.monotonic() + 30
    while small_host.query("SELECT attempts FROM arkham_export_jobs WHERE id = 'from-before'") != [(1,)]:
        assert time.monotonic() < deadline
    small_host.shard.register_source("notes", Notes())
    job = small_host.wait("from-before")
    assert (job["status"], job["record_count"]) == ("completed", 1200)


def test_a_custom_source_that_waits_for_ever_can_be_cancelled(small_host: RunningHost) -> None:
    class Waiting(Notes):
        async def records(
            self, filters: Mapping[str, tuple[str, ...]], tenant_id: str | None
        ) -> AsyncIterator[Mapping[str, Any]]:
            await asyncio.Event().wait()
            yield {}

    small_host.shard.register_source("notes", Waiting())
    cancel_while_it_runs(small_host)


def test_a_custom_source_that_lies_about_its_count_fails_the_job(small_host: RunningHost) -> None:
    class Lying(Notes):
        async def count(self, filters: Mapping[str, tuple[str, ...]], tenant_id: str | None) -> int:
            return 1201

    small_host.shard.register_source("notes", Lying())
    job = small_host.wait(small_host.post("custom", "json").json()["id"])
    assert job["status"] == "failed"
    assert "1201" in job["error"]


def test_a_custom_source_that_raises_fails_the_job_with_its_reason(small_host: RunningHost) -> None:
    class Raising(Notes):
        async def records(
            self, filters: Mapping[str, tuple[str, ...]], tenant_id: str | None
        ) -> AsyncIterator[Mapping[str, Any]]:
            yield {"id": "n0"}
            raise RuntimeError("the notes are locked")

    small_host.shard.register_source("notes", Raising())
    job = small_host.wait(small_host.post("custom", "json").json()["id"])
    assert job["status"] == "failed"
    assert "the notes are locked" in job["error"]


def cancel_while_it_runs(host: RunningHost) -> None:
    """A custom export that has begun is cancelled, and says so."""
    job_id = host.post("custom", "json").json()["id"]
    deadline = time.monotonic() + 30
    while host.client.get(f"/api/export/jobs/{job_id}").json()["status"] == "pending":
        assert time.monotonic() < deadline
    assert host.client.delete(f"/api/export/jobs/{job_id}").status_code == 204
    assert host.wait(job_id)["status"] == "cancelled"


def test_a_custom_export_can_be_cancelled(small_host: RunningHost) -> None:
    notes = Notes(100_000)
    notes.hold = threading.Event()
    small_host.shard.register_source("notes", notes)
    cancel_while_it_runs(small_host)


def test_custom_needs_a_registered_source(small_host: RunningHost) -> None:
    answer = small_host.post("custom", "json")
    assert answer.status_code == 422
    assert "documents" in answer.json()["detail"]
