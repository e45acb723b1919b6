"""The stand-in's services and tables have the quirks of the host contract."""

from __future__ import annotations

import asyncio
import decimal
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from arkham_frame.database import DatabaseError, DatabaseService, DatabaseUnavailable, QueryError
from arkham_frame.events import EventBus
from arkham_frame.storage import StorageError, StorageService
from arkham_frame.workers import WorkerError, WorkerService
from tables import OLD_JOBS, OLD_TENANT_ID, TABLES, create_old_jobs_table, create_peer_tables


@asynccontextmanager
async def database(url: str) -> AsyncIterator[DatabaseService]:
    service = DatabaseService(url)
    try:
        yield service
    finally:
        await service.close()


def test_only_execute_commits_and_a_returning_statement_through_fetch_is_rolled_back(
    standin_url: str,
) -> None:
    async def steps() -> None:
        async with database(standin_url) as db:
            await db.execute("CREATE TABLE t (id TEXT, n INTEGER)")
            assert await db.execute("INSERT INTO t VALUES (?, ?)", ["a", 1]) is None  # type: ignore[func-returns-value]
            assert await db.fetch_one("UPDATE t SET n = 2 WHERE id = ? RETURNING n", ("a",)) == {"n": 2}
            assert await db.fetch_all("INSERT INTO t VALUES ('b', 3) RETURNING id") == [{"id": "b"}]
            assert await db.fetch_all("SELECT * FROM t") == [{"id": "a", "n": 1}]
            assert await db.fetch_one("SELECT * FROM t WHERE id = :id", {"id": "z"}) is None

    asyncio.run(steps())


def test_every_question_mark_counts_with_list_params_in_literals_too(standin_url: str) -> None:
    async def steps() -> None:
        async with database(standin_url) as db:
            with pytest.raises(DatabaseError, match="2 marks"):
                await db.fetch_one("SELECT 'why?' AS literal, ? AS value", ["v"])
            with pytest.raises(DatabaseError, match="2 marks"):
                await db.fetch_one("""SELECT '{"a": 1}'::jsonb ? ?""", ["a"])
            jsonb = await db.fetch_one("""SELECT CAST('["a"]' AS jsonb) ? :key AS has""", {"key": "a"})
            assert jsonb == {"has": True}

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("SELECT :name::text", {"name": "a"}),
        ("""SELECT '{"a":1}'::jsonb, :name""", {"name": "a"}),
        ("SELECT CAST(:name AS jsonb)", {"name": {"a": 1}}),
        ("SELECT CAST(:name AS jsonb)", {"name": ["a"]}),
        ("SELECT CAST(:name AS text)", {"name": "a\0b"}),
        ("SELECT CAST(:name AS text)", {"other": "a"}),
        ("SELECT nothing FROM nowhere", None),
    ],
    ids=["double colon", "colon in a literal", "dict", "list", "NUL", "missing", "no table"],
)
def test_what_text_and_psycopg2_cannot_bind_or_run_is_the_services_own_error(
    standin_url: str, sql: str, params: dict[str, Any] | None
) -> None:
    async def steps() -> None:
        async with database(standin_url) as db:
            with pytest.raises(QueryError):
                await db.fetch_one(sql, params)
            assert await db.fetch_one("SELECT CAST(:name AS text) AS x", {"name": "100%"}) == {"x": "100%"}

    asyncio.run(steps())


def test_values_arrive_as_psycopg2_gives_them(standin_url: str) -> None:
    one = uuid.uuid4()

    async def steps() -> None:
        async with database(standin_url) as db:
            row = await db.fetch_one(
                """SELECT CAST('{"a": [true]}' AS jsonb) AS object, CAST('"plain"' AS jsonb) AS string,
                '["a"]' AS json_text, CAST('2025-01-02 03:04:05' AS timestamp) AS moment,
                CAST(:one AS uuid) AS id, CAST('1.50' AS numeric) AS amount, CAST('ab' AS bytea) AS bytes""",
                {"one": one},
            )
            assert row is not None
            assert row["object"] == {"a": [True]}
            assert row["string"] == "plain"
            assert row["json_text"] == '["a"]'
            assert row["moment"] == datetime(2025, 1, 2, 3, 4, 5)
            assert row["id"] == one
            assert row["amount"] == decimal.Decimal("1.50")
            assert isinstance(row["bytes"], memoryview)
            assert bytes(row["bytes"]) == b"ab"

    asyncio.run(steps())


def test_the_event_loop_stands_still_while_a_statement_runs(standin_url: str) -> None:
    async def steps() -> None:
        async with database(standin_url) as db:
            ran: list[str] = []
            asyncio.get_running_loop().call_soon(ran.append, "something else")
            await db.fetch_one("SELECT 1")
            assert ran == []

    asyncio.run(steps())


def test_a_lost_database_raises_on_every_call(standin_url: str, tmp_path: Path) -> None:
    async def steps() -> None:
        async with database(standin_url) as db:
            await db.close()
            with pytest.raises(DatabaseUnavailable, match="closed"):
                await db.execute("SELECT 1")
        async with database(standin_url) as db:
            with pytest.raises(DatabaseUnavailable):
                await db.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            assert await db.fetch_one("SELECT 1 AS one") == {"one": 1}
        async with database(f"postgresql://postgres@/gone?host={tmp_path}") as db:
            with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
                await db.fetch_all("SELECT 1")

    asyncio.run(steps())


def test_subscribers_run_in_the_emitters_task_and_their_failures_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def steps() -> None:
        bus = EventBus()
        seen: list[Any] = []

        async def note(event: dict[str, Any]) -> None:
            seen.append((event, asyncio.current_task()))

        def fail(event: dict[str, Any]) -> None:
            raise RuntimeError(event["event_type"])

        await bus.subscribe("export.*", fail)
        await bus.subscribe("export.job.*", note)
        await bus.subscribe("other.*", note)
        await bus.emit("export.job.created", {"job_id": "1"}, "export")
        event = {"event_type": "export.job.created", "payload": {"job_id": "1"}, "source": "export"}
        assert seen == [(event, asyncio.current_task())]
        await bus.unsubscribe("export.job.*", note)
        await bus.unsubscribe("never.*", note)
        await bus.emit("export.job.started", {}, "export")
        assert len(seen) == 1

    asyncio.run(steps())
    assert "A subscriber of export.* failed on export.job.created" in caplog.text


def test_storage_keeps_content_and_metadata_by_id_and_refuses_what_does_not_fit(tmp_path: Path) -> None:
    async def steps() -> None:
        storage = StorageService(tmp_path, max_file_bytes=3)
        storage_id = await storage.store("a/b.txt", b"abc", {"k": 1}, "exports")
        assert (storage.base_path / "exports" / "a" / "b.txt").read_bytes() == b"abc"
        assert await storage.retrieve(storage_id) == (b"abc", {"k": 1})
        assert await storage.exists(storage_id)
        assert await storage.delete(storage_id)
        assert not await storage.delete(storage_id)
        assert not await storage.exists(storage_id)
        temporary = await storage.create_temp(".csv", "export-")
        assert temporary.startswith(str(storage.base_path / "temp" / "export-"))
        assert list((storage.base_path / "temp").iterdir()) == []
        with pytest.raises(StorageError, match="over the limit of 3"):
            await storage.store("a", b"abcd")
        with pytest.raises(StorageError, match="Unknown category 'music'"):
            await storage.store("a", b"", category="music")
        with pytest.raises(StorageError, match="leaves the category"):
            await storage.store("../a", b"")
        with pytest.raises(StorageError, match="Unknown storage id"):
            await storage.retrieve(storage_id)

    asyncio.run(steps())


def test_a_killed_host_forgets_its_storage_ids_though_the_files_stay(tmp_path: Path) -> None:
    async def steps() -> None:
        killed = StorageService(tmp_path)
        lost_id = await killed.store("lost", b"x", category="exports")
        stopped = StorageService(tmp_path)
        assert not await stopped.exists(lost_id)
        assert (tmp_path / "exports" / "lost").is_file()
        kept_id = await stopped.store("kept", b"y", category="exports")
        await stopped.close()
        assert await StorageService(tmp_path).retrieve(kept_id) == (b"y", {})

    asyncio.run(steps())


def test_a_worker_pool_holds_one_class() -> None:
    workers = WorkerService()
    free = type("Archiver", (), {"pool": "cpu-archive"})
    workers.register_worker(free)
    for taken in (free, type("Reader", (), {"pool": "io-file"})):
        with pytest.raises(WorkerError, match="is taken"):
            workers.register_worker(taken)
    with pytest.raises(WorkerError, match="Unknown pool 'export'"):
        workers.register_worker(type("Exporter", (), {"pool": "export"}))


COLUMNS = "SELECT table_schema, table_name FROM information_schema.columns WHERE column_name = 'tenant_id'"


@pytest.mark.parametrize("tenant_columns", [False, True])
def test_peer_tables_are_all_there_and_carry_a_tenant_only_where_asked(
    standin_url: str, tenant_columns: bool
) -> None:
    async def steps() -> None:
        create_peer_tables(standin_url, tenant_columns)
        create_peer_tables(standin_url, tenant_columns)
        async with database(standin_url) as db:
            for table in TABLES:
                assert await db.fetch_all(f"SELECT * FROM {table.name}") == []
            assert len(await db.fetch_all(COLUMNS)) == (len(TABLES) if tenant_columns else 0)

    asyncio.run(steps())


@pytest.mark.parametrize("tenant_column", [False, True])
def test_the_old_jobs_table_holds_every_status_but_processing_with_times_without_an_offset(
    standin_url: str, tenant_column: bool
) -> None:
    async def steps() -> None:
        create_old_jobs_table(standin_url, tenant_column)
        async with database(standin_url) as db:
            rows = await db.fetch_all("SELECT * FROM arkham_export_jobs ORDER BY created_at DESC")
            with pytest.raises(QueryError, match="out of range"):
                await db.execute("UPDATE arkham_export_jobs SET file_size = 3000000000")
        assert [row["id"] for row in rows] == [job["id"] for job in OLD_JOBS]
        assert {row["status"] for row in rows} == {"pending", "completed", "failed", "cancelled"}
        assert all(datetime.fromisoformat(row["created_at"]).tzinfo is None for row in rows)
        tenants = [row.get("tenant_id") for row in rows]
        assert tenants == [None, *[uuid.UUID(OLD_TENANT_ID) if tenant_column else None] * 3]

    asyncio.run(steps())
