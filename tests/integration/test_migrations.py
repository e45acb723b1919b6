"""Upgrades of the jobs table: with its rows, cut off at any statement, begun by two hosts at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from arkham_shard_export.jobs.table.layouts import LayoutStore
from arkham_shard_export.jobs.table.listing import EVERYTHING, Scope
from arkham_shard_export.jobs.table.migrations import migrate
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.jobs.table.templates import StoredTemplate, TemplateStore
from arkham_shard_export.models import ExportFilter, ExportJob, ExportTemplate
from tests.jobtables import TENANT, Recording, database, totals

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CONTRACT_INDEXES = {"status": "status", "created": "created_at", "format": "format", "target": "target"}
Work = Callable[[Recording], Awaitable[None]]


@pytest.fixture(params=["sqlite", "postgresql", "arkhamframe"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Work], None]:
    """Runs work on an empty database, in an event loop of its own."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")

    def within(work: Work) -> None:
        async def opened() -> None:
            async with database(request.param, tmp_path, url) as recording:
                await work(recording)

        asyncio.run(opened())

    return within


async def make_old_table(recording: Recording, tenant_column: bool = False) -> None:
    """As the first versions made it, with twenty rows, some of them odd."""
    from tables import OLD_JOBS_COLUMNS

    tenant_type = "TEXT" if recording.sqlite else "UUID"
    tenant = f", tenant_id {tenant_type}" if tenant_column else ""
    await recording.service.execute(f"CREATE TABLE arkham_export_jobs ({OLD_JOBS_COLUMNS}{tenant})")
    for name, column in CONTRACT_INDEXES.items():
        await recording.service.execute(
            f"CREATE INDEX idx_export_jobs_{name} ON arkham_export_jobs ({column})"
        )
    for number in range(20):
        state = ("completed", "failed", "queued", None)[number % 4]
        values = [
            f"old-{number:02}",
            "json",
            "claims",
            state,
            7 if number % 3 else None,
            1 << 20,
            f"user-{number % 2}",
        ]
        names = "id, format, target, status, record_count, file_size, created_by"
        marks = ", ".join("?" * len(values))
        if tenant_column and number % 2:
            names, marks = f"{names}, tenant_id", f"{marks}, '{TENANT}'"
        await recording.service.execute(f"INSERT INTO arkham_export_jobs ({names}) VALUES ({marks})", values)


async def assert_whole(recording: Recording, rows: int) -> None:
    said, true = await totals(recording)
    assert said == true
    assert sum(each[0] for each in true.values()) == rows
    recording.statements.clear()
    await migrate(recording, recording.dialect)
    assert len(recording.statements) <= 6, "an upgraded table is not upgraded again"
    store = JobStore(recording, recording.dialect)
    assert await store.count(ExportFilter(), EVERYTHING) == rows
    await store.insert(ExportJob("new", "json", "claims", created_at=NOW), None, "small")
    assert await store.claim("new", "a", NOW)
    said, true = await totals(recording)
    assert said == true


@pytest.mark.parametrize("tenant_column", [False, True])
def test_an_old_table_is_counted_once(run: Callable[[Work], None], tenant_column: bool) -> None:
    async def work(recording: Recording) -> None:
        await make_old_table(recording, tenant_column)
        await migrate(recording, recording.dialect)
        await assert_whole(recording, 20)
        store = JobStore(recording, recording.dialect)
        assert await store.count(ExportFilter(), Scope(TENANT)) == (10 if tenant_column else 0)
        assert (await store.statistics(EVERYTHING)).by_status["queued"] == 5

    run(work)


def test_an_upgrade_can_be_cut_off_before_every_statement(run: Callable[[Work], None]) -> None:
    """And jobs are written before the next start goes on with it."""

    async def work(recording: Recording) -> None:
        await make_old_table(recording)
        rows = 20
        for statements in range(120):
            recording.changes_left = statements
            try:
                await migrate(recording, recording.dialect)
                break
            except OSError:
                await recording.service.execute(
                    f"INSERT INTO arkham_export_jobs (id, format, target) VALUES ('cut-{statements}', 'csv', 'graph')"
                )
                await recording.service.execute(
                    f"UPDATE arkham_export_jobs SET status = 'failed' WHERE id IN ('old-04', 'cut-{statements - 1}')"
                )
                rows += 1
        assert rows > 30
        recording.changes_left = None
        await assert_whole(recording, rows)

    run(work)


def test_a_database_of_the_version_before_gets_tables_of_templates_and_keeps_its_jobs(
    run: Callable[[Work], None],
) -> None:
    async def work(recording: Recording) -> None:
        await make_old_table(recording)
        await migrate(recording, recording.dialect)
        for table in ("templates", "template_versions", "layouts"):
            await recording.execute(f"DROP TABLE arkham_export_{table}")
        await recording.execute("UPDATE arkham_export_schema SET version = 4")
        for statements in (3, 12, 40, None):
            recording.changes_left = statements
            try:
                await migrate(recording, recording.dialect)
            except OSError:
                assert statements is not None
        store = TemplateStore(recording, recording.dialect)
        template = ExportTemplate(
            id="t", name="T", description="", target="claims", format="csv", retention_hours=None, shared=True, created_by="ann",
            version=1, created_at=NOW, updated_at=NOW, updated_by="ann", built_in=False,
        )  # fmt: skip
        old = StoredTemplate(template, TENANT)
        assert await store.insert(old)
        assert await store.replace(old, StoredTemplate(replace(template, version=2), TENANT))
        layouts = LayoutStore(recording, recording.dialect)
        assert await layouts.get(await layouts.put(b"a file", TENANT, "ann", NOW), TENANT) == b"a file"
        await assert_whole(recording, 20)
        assert await store.count(Scope(TENANT)) == 1

    run(work)


@pytest.mark.parametrize("lost", ["triggers", "totals", "table"])
def test_what_a_backup_left_out_is_made_and_counted_anew(run: Callable[[Work], None], lost: str) -> None:
    async def work(recording: Recording) -> None:
        await make_old_table(recording)
        await migrate(recording, recording.dialect)
        if lost == "triggers":
            on = "" if recording.sqlite else " ON arkham_export_jobs"
            await recording.execute(f"DROP TRIGGER arkham_export_jobs_inserted{on}")
        else:
            name = "arkham_export_jobs" if lost == "table" else "arkham_export_job_totals"
            await recording.execute(f"DROP TABLE {name}")
        if lost == "table":
            await make_old_table(recording)
        elif lost == "triggers":
            await recording.execute(
                "INSERT INTO arkham_export_jobs (id, format, target) VALUES ('unseen', 'json', 'graph')"
            )
        for statements in (4, 25, None):
            recording.changes_left = statements
            try:
                await migrate(recording, recording.dialect)
            except OSError:
                assert statements is not None
        await assert_whole(recording, 21 if lost == "triggers" else 20)

    run(work)


def test_the_indexes_of_the_contract_are_kept_and_the_superseded_one_is_dropped(
    run: Callable[[Work], None],
) -> None:
    async def work(recording: Recording) -> None:
        await migrate(recording, recording.dialect)
        await recording.execute("CREATE INDEX idx_export_jobs_totals ON arkham_export_jobs (status, format)")
        await recording.execute("DELETE FROM arkham_export_schema")
        await recording.execute("INSERT INTO arkham_export_schema (version) VALUES (1)")
        await migrate(recording, recording.dialect)
        rows = await recording.fetch_all(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'arkham_export_jobs'"
            if recording.sqlite
            else "SELECT indexname AS name, indexdef AS sql FROM pg_indexes WHERE tablename = 'arkham_export_jobs'"
        )
        made = {row["name"]: str(row["sql"]) for row in rows}
        for name, column in CONTRACT_INDEXES.items():
            assert made[f"idx_export_jobs_{name}"].endswith(f"({column})")
        assert "idx_export_jobs_totals" not in made

    run(work)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_hosts_that_upgrade_at_once_count_every_job_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = "" if kind == "sqlite" else request.getfixturevalue("postgres_url")

    async def work() -> None:
        async with (
            database(kind, tmp_path, url) as first,
            database(kind, tmp_path, url) as second,
            database(kind, tmp_path, url) as older,
        ):
            await make_old_table(first)
            ended = asyncio.Event()

            async def write() -> int:
                written = 0
                while not ended.is_set():
                    await older.execute(
                        f"INSERT INTO arkham_export_jobs (id, format, target) VALUES ('w-{written}', 'csv', 'graph')"
                    )
                    written += 1
                    await older.execute(
                        f"UPDATE arkham_export_jobs SET status = 'completed' WHERE id = 'w-{written // 2}'"
                    )
                return written

            writing = asyncio.create_task(write())
            await asyncio.gather(migrate(first, first.dialect), migrate(second, second.dialect))
            ended.set()
            await assert_whole(first, 20 + await writing)

    asyncio.run(work())


def test_an_upgrade_does_not_wait_for_who_reads_the_table(tmp_path: Path, postgres_url: str) -> None:
    """A backup of the whole database may take an hour."""

    async def work() -> None:
        async with database("postgresql", tmp_path, postgres_url) as recording:
            await migrate(recording, recording.dialect)
            await recording.execute("DELETE FROM arkham_export_schema")
            with psycopg.connect(postgres_url) as backup:
                backup.execute("LOCK TABLE arkham_export_jobs IN ACCESS SHARE MODE")
                async with asyncio.timeout(20):
                    await migrate(recording, recording.dialect)

    asyncio.run(work())
