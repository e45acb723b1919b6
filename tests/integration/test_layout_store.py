"""Word files in the database: whole or not there, a tenant's own, and kept while anything names them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arkham_shard_export.jobs.table.layouts import PART_BYTES, LayoutStore
from arkham_shard_export.jobs.table.templates import TemplateStore
from tests.integration.test_template_store import made, next_of
from tests.jobtables import TENANT, Recording, on_tables

NOW = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
OTHER_TENANT = "9c6a2c3e-8a5e-4a7e-9a56-0f0a6d1d9b22"
FILE = random.Random(8).randbytes(3 * PART_BYTES + 17)
Work = Callable[[Recording, LayoutStore], Awaitable[None]]


@pytest.fixture(params=["sqlite", "postgresql", "arkhamframe"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Work], None]:
    """Runs work on migrated tables, in an event loop of its own."""
    return on_tables(request, tmp_path, lambda tables: (tables, LayoutStore(tables, tables.dialect)))


def test_a_file_is_found_whole_by_its_hash_for_its_tenant_alone(run: Callable[[Work], None]) -> None:
    async def work(recording: Recording, store: LayoutStore) -> None:
        for data in (FILE, b"x", b"x" * PART_BYTES):
            layout_id = await store.put(data, TENANT, "ann", NOW)
            assert layout_id == hashlib.sha256(data).hexdigest()
            assert await store.get(layout_id, TENANT) == data
            assert await store.get(layout_id, OTHER_TENANT) is None
            # Where no tenant is in force, nobody is kept out.
            assert await store.get(layout_id, None) == data
        assert await store.put(FILE, TENANT, "eve", NOW) == hashlib.sha256(FILE).hexdigest()
        assert (await store.owned(TENANT, "ann"), await store.owned(TENANT, "eve")) == (3, 0)
        await store.put(FILE, None, "ann", NOW)
        assert (await store.owned(None, "ann"), await store.owned(TENANT, "ann")) == (1, 3)
        assert await store.get("0" * 64, TENANT) is None
        # No statement is larger than a service should have to carry at a time.
        texts = (str(each) for _, params in recording.statements for each in params or ())
        assert max(map(len, texts)) <= PART_BYTES * 4 // 3 + 4

    run(work)


@pytest.mark.parametrize("statements", range(4))
def test_a_file_that_was_cut_off_is_not_there_and_is_finished_by_who_sends_it_again(
    run: Callable[[Work], None], statements: int
) -> None:
    async def work(recording: Recording, store: LayoutStore) -> None:
        recording.changes_left = statements
        with pytest.raises(OSError, match="killed"):
            await store.put(FILE, TENANT, "ann", NOW)
        recording.changes_left = None
        assert await store.get(hashlib.sha256(FILE).hexdigest(), TENANT) is None
        assert await store.get(await store.put(FILE, TENANT, "ann", NOW), TENANT) == FILE

    run(work)


@pytest.mark.parametrize("content", ["QUJD", "QUJ", "", "ü"])
def test_rows_that_somebody_has_changed_are_no_file(run: Callable[[Work], None], content: str) -> None:
    async def work(recording: Recording, store: LayoutStore) -> None:
        layout_id = await store.put(FILE, None, "ann", NOW)
        await recording.execute("UPDATE arkham_export_layouts SET content = ? WHERE part = 2", [content])
        assert await store.get(layout_id, None) is None

    run(work)


def test_what_nothing_names_any_more_is_forgotten_in_time(run: Callable[[Work], None]) -> None:
    async def work(recording: Recording, store: LayoutStore) -> None:
        old = NOW - timedelta(days=40)
        now, before, scheduled, unused, young = [
            await store.put(bytes([number]) * 9, TENANT, "ann", old if number < 4 else NOW)
            for number in range(5)
        ]
        others = await store.put(b"others", TENANT, "eve", old)
        templates = TemplateStore(recording, recording.dialect)
        template = made(tenant=TENANT, options={"layout": before})
        assert await templates.insert(template)
        assert await templates.replace(template, next_of(template, options={"layout": now}))
        await recording.execute(
            "INSERT INTO arkham_export_schedules (id, name, description, time_zone, request, missed, max_failures, state, failures,"
            " failures_since, anchored_at, last_due, revision, created_by, created_at, updated_at)"
            " VALUES ('s', 's', '', 'UTC', ?, 'skip', 3, 'active', 0, '', '', '', '', 'ann', '', '')",
            [f'{{"format":"docx","options":{{"layout":"{scheduled}"}}}}'],
        )
        await store.forget(TENANT, "ann", NOW - timedelta(days=30))
        for layout_id in (now, before, scheduled, young, others):
            assert await store.get(layout_id, TENANT) is not None
        assert await store.get(unused, TENANT) is None
        await templates.remove(template.template.id, 2)
        await store.forget(TENANT, "ann", NOW - timedelta(days=30))
        assert await store.owned(TENANT, "ann") == 2

    run(work)
