"""Templates in their tables: no version is lost, whoever replaces one at the same time and whatever dies between two statements."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from arkham_shard_export.jobs.filestores import open_store
from arkham_shard_export.jobs.service import JobService
from arkham_shard_export.jobs.table.listing import EVERYTHING, Scope
from arkham_shard_export.jobs.table.migrations import migrate
from arkham_shard_export.jobs.table.templates import StoredTemplate, TemplateStore, name_key, space_of
from arkham_shard_export.models import ExportTemplate, JobRequest, TemplateRequest
from arkham_shard_export.ports import system_clock
from arkham_shard_export.settings import Settings
from arkham_shard_export.store_location import FolderLocation
from tests.jobtables import TENANT, Recording, database, on_tables

NOW = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
OTHER_TENANT = "9c6a2c3e-8a5e-4a7e-9a56-0f0a6d1d9b22"
KINDS = ["sqlite", "postgresql", "arkhamframe"]
Work = Callable[[Recording, TemplateStore], Awaitable[None]]


@pytest.fixture(params=KINDS)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Work], None]:
    """Runs work on migrated tables, in an event loop of its own."""
    return on_tables(request, tmp_path, lambda tables: (tables, TemplateStore(tables, tables.dialect)))


def made(
    name: str = "Weekly", owner: str = "ann", tenant: str | None = None, shared: bool = True, **fields: Any
) -> StoredTemplate:
    template = ExportTemplate(
        **{
            "id": str(uuid4()), "name": name, "description": "for Monday", "target": "claims", "format": "csv",
            "retention_hours": 12.5, "shared": shared, "created_by": owner, "version": 1, "created_at": NOW,
            "updated_at": NOW, "updated_by": owner, "built_in": False, "filters": {"status": ["disputed", "東京"]},
            "options": {"max_records": 1, "date_range": "last_7_days"}, **fields,
        }
    )  # fmt: skip
    return StoredTemplate(template, tenant)


def next_of(old: StoredTemplate, **fields: Any) -> StoredTemplate:
    template = replace(old.template, version=old.template.version + 1, **fields)
    return StoredTemplate(template, old.tenant_id)


def test_a_template_is_found_again_as_it_was_stored_in_each_of_its_versions(
    run: Callable[[Work], None],
) -> None:
    async def work(recording: Recording, store: TemplateStore) -> None:
        versions = [made(tenant=TENANT)]
        assert await store.insert(versions[0])
        for number in range(2, 6):
            new = next_of(
                versions[-1], name=f"Weekly {number}", format="json", options={"max_records": number},
                retention_hours=None, updated_by="root", shared=number % 2 == 0,
            )  # fmt: skip
            assert await store.replace(versions[-1], new)
            versions.append(new)
        template_id = versions[0].template.id
        assert await store.get(template_id, Scope(TENANT)) == versions[-1]
        assert [each.version for each in await store.earlier(template_id)] == [4, 3, 2, 1]
        for each in versions[:-1]:
            assert await store.version(template_id, each.template.version) == each.template
        assert await store.version(template_id, 5) is None

    run(work)


def test_a_name_is_ones_own_among_what_can_be_seen_together(run: Callable[[Work], None]) -> None:
    async def work(recording: Recording, store: TemplateStore) -> None:
        assert await store.insert(made("Weekly"))
        for taken in ("Weekly", "WEEKLY", "ｗｅｅｋｌｙ"):
            assert not await store.insert(made(taken, owner="eve"))
        assert await store.insert(made("Weekly", tenant=TENANT))
        assert await store.insert(made("Weekly", tenant=OTHER_TENANT))
        assert await store.insert(made("Weekly", owner="ann", shared=False, tenant=TENANT))
        assert await store.insert(made("Weekly", owner="eve", shared=False, tenant=TENANT))
        assert not await store.insert(made("weekly", owner="eve", shared=False, tenant=TENANT))
        of_eve = await store.named(name_key("Weekly"), Scope(TENANT, "eve"))
        assert {(each.template.created_by, each.template.shared) for each in of_eve} == {
            ("ann", True),
            ("eve", False),
        }
        assert await store.count(EVERYTHING) == 5
        assert await store.count(Scope(TENANT)) == 3
        assert await store.owned(TENANT, "ann") == 2

    run(work)


def test_a_template_cannot_be_given_a_name_that_is_taken(run: Callable[[Work], None]) -> None:
    async def work(recording: Recording, store: TemplateStore) -> None:
        first, second, private = made("First"), made("Second"), made("First", shared=False)
        for each in (first, second, private):
            assert await store.insert(each)
        assert not await store.replace(second, next_of(second, name="FIRST"))
        assert not await store.replace(private, next_of(private, shared=True))
        assert await store.get(second.template.id, EVERYTHING) == second
        assert await store.replace(second, next_of(second, name="second"))

    run(work)


@pytest.mark.parametrize("statements", range(4))
def test_a_replacement_that_is_cut_off_loses_no_version_and_can_be_made_again(
    run: Callable[[Work], None], statements: int
) -> None:
    async def work(recording: Recording, store: TemplateStore) -> None:
        old = made()
        await store.insert(old)
        recording.changes_left = statements
        new, cut_off = next_of(old, format="json"), False
        try:
            await store.replace(old, new)
        except OSError:
            cut_off = True
        recording.changes_left = None
        assert cut_off == (statements < 2)
        found = await store.get(old.template.id, EVERYTHING)
        assert found == (old if cut_off else new)
        if cut_off:
            assert await store.replace(old, new)
        assert await store.version(old.template.id, 1) == old.template
        assert not await store.replace(old, next_of(old, format="pdf"))

    run(work)


def test_of_many_who_replace_the_same_version_at_once_one_does(run: Callable[[Work], None]) -> None:
    async def work(recording: Recording, store: TemplateStore) -> None:
        old = made()
        await store.insert(old)
        candidates = [next_of(old, description=f"by {number}") for number in range(12)]
        done = await asyncio.gather(*(store.replace(old, each) for each in candidates))
        assert done.count(True) == 1
        assert await store.get(old.template.id, EVERYTHING) == candidates[done.index(True)]
        assert [each.version for each in await store.earlier(old.template.id)] == [1]

    run(work)


def test_many_who_give_the_same_name_at_once_give_it_to_one(run: Callable[[Work], None]) -> None:
    async def work(recording: Recording, store: TemplateStore) -> None:
        there = [made(f"Template {number}") for number in range(6)]
        for each in there:
            await store.insert(each)
        renamed = (store.replace(each, next_of(each, name="The one")) for each in there)
        created = (store.insert(made("the one")) for _ in range(6))
        done = await asyncio.gather(*renamed, *created)
        assert done.count(True) == 1
        assert len(await store.named(name_key("The one"), EVERYTHING)) == 1

    run(work)


def test_a_deleted_template_takes_its_versions_along_unless_it_was_replaced_meanwhile(
    run: Callable[[Work], None],
) -> None:
    async def work(recording: Recording, store: TemplateStore) -> None:
        old = made()
        await store.insert(old)
        new = next_of(old)
        await store.replace(old, new)
        assert not await store.remove(old.template.id, 1)
        assert await store.get(old.template.id, EVERYTHING) == new
        assert await store.remove(old.template.id, 2)
        assert await store.get(old.template.id, EVERYTHING) is None
        assert not await store.replace(new, next_of(new))
        for table in ("templates", "template_versions"):
            assert await recording.fetch_all(f"SELECT id FROM arkham_export_{table}") == []

    run(work)


def test_what_is_asked_for_all_the_time_reads_an_index(run: Callable[[Work], None]) -> None:
    async def work(recording: Recording, store: TemplateStore) -> None:
        await store.insert(made(tenant=TENANT))
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
        fixed = "description, target, format, filters, options, shared, created_at, updated_by, updated_at, version, token"
        await recording.execute(
            f"INSERT INTO arkham_export_templates (id, space, name_key, owner_key, name, tenant_id, created_by, {fixed}) {numbers}"
            " SELECT 'id-' || CAST(i AS TEXT), 'space', 't ' || CAST(i AS TEXT), 'owner-' || CAST(i % 500 AS TEXT), 'T',"
            f" CASE WHEN i % 2 = 0 THEN tenant_id END, 'u' || CAST(i % 500 AS TEXT), {fixed} FROM n, arkham_export_templates"
        )
        await recording.execute("ANALYZE arkham_export_templates")
        recording.statements.clear()
        await store.page(Scope(TENANT, "u2"), 20, 0)
        await store.page(EVERYTHING, 20, 0)
        await store.named("t 7", Scope(TENANT))
        await store.get("x", Scope(TENANT, "u2"))
        await store.owned(TENANT, "u2")
        await store.taken(space_of(TENANT, None), "t 7", "x")
        for sql, params in [*recording.statements]:
            explain = "EXPLAIN QUERY PLAN" if recording.sqlite else "EXPLAIN"
            plan = " ".join(str(row) for row in await recording.fetch_all(f"{explain} {sql}", params))
            assert not any(
                word in plan for word in ("TEMP B-TREE", "Sort", "Seq Scan", "SCAN arkham_export_templates'}")
            ), (sql, plan)

    run(work)


# A thousand jobs


@asynccontextmanager
async def hosts(kind: str, tmp_path: Path, url: str, count: int) -> AsyncIterator[list[JobService]]:
    """Services that make jobs and run none, each with a connection of its own to one database."""
    settings = replace(Settings.from_environment(), max_active_per_user=0)
    async with AsyncExitStack() as stack:
        found = []
        for number in range(count):
            recording = await stack.enter_async_context(database(kind, tmp_path, url))
            if not number:
                await migrate(recording, recording.dialect)
            files = open_store(FolderLocation(str(tmp_path / "files")))
            await files.prepare()
            found.append(JobService(recording, None, recording.dialect, None, files, settings, system_clock))
        yield found


def marked(version: int) -> dict[str, Any]:
    """A template whose every field tells the same version."""
    return {
        "name": "Of the day", "target": "claims", "format": ("csv", "json")[version % 2], "filters": {"document_id": str(version)},
        "options": {"max_records": version, "spreadsheet_safe": version % 2 == 1},
        "retention_hours": version + 0.5,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_each_of_a_thousand_jobs_is_of_one_version_of_a_template_that_is_being_replaced(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = "" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    jobs, replacements = 1000, 120

    async def work() -> None:
        async with hosts(kind, tmp_path, url, 2) as (one, other):
            template = await one.templates.create(TemplateRequest(**marked(1)), EVERYTHING, "system")
            chance = random.Random(8)
            made_of: list[Any] = []
            ended = asyncio.Event()

            async def make(service: JobService) -> None:
                for _ in range(jobs // 4):
                    version = len(await service.templates._store.earlier(template.id)) or 1
                    reference = chance.choice(
                        (
                            template.id,
                            "of the DAY",
                            {"template": template.id, "version": chance.randint(1, version)},
                        )
                    )
                    job = await service.create(
                        JobRequest(template=reference), created_by="system", tenant_id=None
                    )
                    made_of.append((job.id, reference))

            async def replace_it(service: JobService) -> int:
                done = 0
                while done < replacements // 4 or not ended.is_set():
                    if done >= replacements // 4:
                        await asyncio.sleep(0)
                        continue
                    # The version that this makes is known only when it is made: another host is as fast.
                    now = await service.templates.get(template.id, EVERYTHING)
                    asked = TemplateRequest(**marked(now.version + 1))

                    def unchanged(found: ExportTemplate, version: int = now.version) -> None:
                        if found.version != version:
                            raise LookupError

                    try:
                        await service.templates.replace(template.id, asked, EVERYTHING, "system", unchanged)
                    except LookupError:
                        continue
                    done += 1
                return done

            replacing = [asyncio.create_task(replace_it(each)) for each in (one, other, one, other)]
            await asyncio.gather(*(make(each) for each in (one, other, one, other)))
            ended.set()
            last = 1 + sum(await asyncio.gather(*replacing))
            assert last == replacements + 1
            for number in range(1, last + 1):
                kept = await other.templates.version("Of the day", number, EVERYTHING)
                assert {name: getattr(kept, name) for name in marked(1)} == marked(number)
            assert len(made_of) == jobs
            versions = set()
            for job_id, reference in made_of:
                job = await one.get(job_id, EVERYTHING)
                version = job.metadata["template"]["version"]
                versions.add(version)
                assert job.metadata["template"] == {
                    "id": template.id,
                    "name": "Of the day",
                    "version": version,
                }
                told = {"format": job.format, "target": job.target, "filters": job.filters, "name": "Of the day",
                        "options": {name: getattr(job.options, name) for name in marked(1)["options"]},
                        "retention_hours": job.metadata["retention_hours"]}  # fmt: skip
                assert told == marked(version)
                if isinstance(reference, dict):
                    assert version == reference["version"]
            assert len(versions) > replacements / 4, "the template was replaced while jobs were made"

    asyncio.run(work())
