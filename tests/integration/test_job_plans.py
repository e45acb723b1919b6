"""What is polled reads an index and no more than it shows, on both databases, and pages are right however found."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from arkham_shard_export.jobs.table.filerecords import FileRecords
from arkham_shard_export.jobs.table.listing import (
    DEEP_OFFSET,
    EVERYTHING,
    NEWEST_FIRST,
    ORDERS,
    Scope,
)
from arkham_shard_export.jobs.table.migrations import migrate
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.models import ExportFilter, ExportJob, ExportStatus
from tests.conftest import new_database
from tests.jobtables import TENANT, Recording, database, fill

ROWS = 60_000
OF_TENANT = Scope(TENANT)
OF_USER = Scope(TENANT, "user-4")
Call = Callable[[JobStore], Awaitable[Any]]
Work = Callable[[JobStore, Recording], Awaitable[None]]


def page(scope: Scope = EVERYTHING, offset: int = 0, sort: str = NEWEST_FIRST, **filter: Any) -> Call:
    return lambda store: store.page(ExportFilter(**filter), scope, 50, offset, sort)


def among(name: str, value: str | list[str]) -> str:
    values = "', '".join([value] if isinstance(value, str) else value)
    return f"{name} IN ('{values}')"


def count(scope: Scope = EVERYTHING, **filter: Any) -> Call:
    return lambda store: store.count(ExportFilter(**filter), scope)


WALKED: dict[str, Call] = {
    "first page": page(),
    "of a state": page(status="failed"),
    "waiting": page(status="pending"),
    "of a format": page(format="csv"),
    "of a target": page(target="claims"),
    "of a user": page(created_by="user-4"),
    "of an owner": page(Scope(owner="user-4")),
    "of a tenant": page(OF_TENANT),
    "of a user of a tenant": page(OF_USER),
    "since": page(created_after=datetime(2020, 1, 2, tzinfo=UTC)),
    "of a common mix": page(status="completed", format="json"),
    "of two states": page(status=["pending", "processing"]),
    "of all states": page(status=[*ExportStatus]),
    "of two formats": page(format=["csv", "docx"]),
    "of two targets of a tenant": page(OF_TENANT, target=["claims", "graph"]),
    "of a mix of several": page(status=["completed", "cancelled"], format=["json", "pdf"]),
    **{
        f"{sort}: {name}": page(scope, sort=sort, **filter)
        for sort in ORDERS
        if sort != NEWEST_FIRST
        for name, scope, filter in (
            ("first page", EVERYTHING, {}),
            ("of a state", EVERYTHING, {"status": "failed"}),
            ("of a format", EVERYTHING, {"format": "csv"}),
            ("of a target", EVERYTHING, {"target": "claims"}),
            ("of a user", EVERYTHING, {"created_by": "user-4"}),
            ("of an owner", Scope(owner="user-4"), {}),
            ("of a tenant", OF_TENANT, {}),
            ("of two states", EVERYTHING, {"status": ["failed", "cancelled"]}),
            ("of a common mix", EVERYTHING, {"status": "completed", "format": "json"}),
        )
    },
    "claiming": lambda store: store.pending(1),
    "passing by": lambda store: store.pending(1, "small"),
    "expiring": lambda store: FileRecords(store._database).expired(datetime(2020, 1, 1, tzinfo=UTC), 5),
    "taking stock": lambda store: FileRecords(store._database).kept_files("old-5", 5),
    "running": lambda store: store.processing(),
    "one job": lambda store: store.get("old-7", OF_USER),
}
COUNTED: dict[str, Call] = {
    "badge": count(status="pending"),
    "all": count(),
    "of a tenant": count(OF_TENANT, status="pending", format="csv", created_by="x"),
    "statistics": lambda store: store.statistics(EVERYTHING),
    "statistics of a user": lambda store: store.statistics(OF_USER),
}
SEARCHED: dict[str, tuple[int, Call]] = {
    "failed csv": (10, page(status="failed", format="csv")),
    "failed csv claims": (3, page(status="failed", format="csv", target="claims")),
    "failed csv of a user": (1, page(status="failed", format="csv", created_by="user-5")),
    "failed csv of a tenant": (2, page(OF_TENANT, status="failed", format="csv")),
    "none": (0, page(status="pending", format="csv")),
    "pending or failed csv": (10, page(status=["pending", "failed"], format="csv")),
    "failed csv by their end": (10, page(status="failed", format="csv", sort="completed_at")),
}


@pytest.fixture(scope="module", params=["sqlite", "sqlite analyzed", "postgresql"])
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Work], None]]:
    """Runs work on a table of ROWS jobs and a pending one, analyzed where autovacuum would, in one event loop."""
    kind, *analyzed = request.param.split()
    url = "" if kind == "sqlite" else new_database(request.getfixturevalue("postgres_server"))

    @asynccontextmanager
    async def filled() -> AsyncIterator[Recording]:
        async with database(kind, tmp_path_factory.mktemp("plans"), url) as recording:
            await migrate(recording, recording.dialect)
            await fill(recording, ROWS, analyze=kind != "sqlite" or bool(analyzed))
            await JobStore(recording, recording.dialect).insert(
                ExportJob("waiting", "json", "claims", created_at=datetime(2026, 1, 1, tzinfo=UTC)),
                None,
                "small",
            )
            yield recording

    with asyncio.Runner() as runner:
        context = filled()
        recording = runner.run(context.__aenter__())

        def within(work: Work) -> None:
            recording.statements.clear()
            runner.run(work(JobStore(recording, recording.dialect), recording))  # type: ignore[arg-type]

        yield within
        runner.run(context.__aexit__(None, None, None))


async def plans(recording: Recording) -> list[str]:
    """Of each recorded statement that reads the jobs."""
    found = []
    explain = "EXPLAIN QUERY PLAN" if recording.sqlite else "EXPLAIN (FORMAT JSON)"
    for sql, params in recording.statements:
        if "arkham_export_jobs" in sql:
            rows = await recording.service.fetch_all(f"{explain} {sql}", params)
            found.append(
                "\n".join(row["detail"] for row in rows)
                if recording.sqlite
                else json.dumps(list(rows[0].values()))
            )
    return found


def assert_indexed(plan: str) -> None:
    assert '"Seq Scan"' not in plan, plan
    for line in plan.splitlines():
        assert not line.startswith("SCAN arkham_export_jobs") or " USING " in line, plan


def assert_unsorted(plan: str) -> None:
    """PostgreSQL may sort jobs of the same instant among each other."""
    assert "USE TEMP B-TREE" not in plan, plan
    assert '"Node Type": "Sort"' not in plan, plan


def assert_merged(plan: str, rows: int) -> None:
    """Nothing is sorted but some `rows` at most, such as those of the page itself."""
    if plan.startswith("[["):
        assert '"Merge Append"' in plan, plan
        sorted_rows = re.findall(r'"Node Type": "Sort".*?"Plan Rows": (\d+)', plan)
        assert [each for each in sorted_rows if int(each) > rows] == [], plan
    else:
        assert "MERGE (UNION ALL)" in plan, plan
        assert plan.count("USE TEMP B-TREE") <= 1, plan


@pytest.mark.parametrize("name", WALKED)
def test_a_walk_is_along_an_index_and_never_sorted(run: Callable[[Work], None], name: str) -> None:
    async def work(store: JobStore, recording: Recording) -> None:
        await WALKED[name](store)
        (plan,) = await plans(recording)
        assert_indexed(plan)
        if "UNION ALL" in recording.statements[-1][0]:
            assert_merged(plan, rows=50)
        else:
            assert_unsorted(plan)

    run(work)


@pytest.mark.parametrize("name", COUNTED)
def test_what_is_counted_is_read_from_the_totals(run: Callable[[Work], None], name: str) -> None:
    async def work(store: JobStore, recording: Recording) -> None:
        await COUNTED[name](store)
        for plan in await plans(recording):
            # The oldest pending job.
            assert_indexed(plan)
            assert_unsorted(plan)
            assert name == "statistics"

    run(work)


@pytest.mark.parametrize("name", SEARCHED)
def test_what_few_jobs_match_is_searched_by_all_the_filters(run: Callable[[Work], None], name: str) -> None:
    matching, call = SEARCHED[name]

    async def work(store: JobStore, recording: Recording) -> None:
        assert len(await call(store)) == matching
        for plan in await plans(recording):
            assert_indexed(plan)
            if recording.sqlite:
                # PostgreSQL weighs this index against reading all that failed, and knows no better than its statistics.
                assert "idx_export_jobs_kind" in plan, plan

    run(work)


@pytest.mark.parametrize(
    "filter",
    [
        {},
        {"status": "completed"},
        {"target": "claims", "format": "json"},
        {"status": ["completed", "failed"]},
        {"target": ["claims", "graph"], "status": ["completed", "failed"]},
    ],
)
@pytest.mark.parametrize("sort", ["-created_at", "completed_at"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1])
def test_a_deep_page_skips_entries_of_an_index(
    run: Callable[[Work], None], filter: dict[str, Any], share: float, sort: str
) -> None:
    async def work(store: JobStore, recording: Recording) -> None:
        total = await store.count(ExportFilter(**filter), EVERYTHING)
        recording.statements.clear()
        offset = int(total * share) - (7 if share == 1 else 0)
        assert len(await page(offset=offset, sort=sort, **filter)(store)) == (7 if share == 1 else 50)
        (plan,) = await plans(recording)
        assert_indexed(plan)
        if "UNION ALL" in recording.statements[-1][0]:
            assert_merged(plan, rows=ROWS // 2)
        (skipped,) = [params[-1] for sql, params in recording.statements if "OFFSET" in sql]
        assert skipped <= total / 2

    run(work)


@pytest.mark.parametrize(
    "filter",
    [
        {},
        {"status": "failed"},
        {"format": "csv", "target": "graph"},
        {"created_by": "user-4"},
        {"status": ["failed", "pending", "failed"]},
        {"status": ["cancelled", "completed"], "format": ["csv", "pdf"], "target": "graph"},
    ],
)
@pytest.mark.parametrize("scope", [EVERYTHING, OF_TENANT, OF_USER])
@pytest.mark.parametrize("sort", ORDERS)
def test_pages_put_together_are_the_whole_list_in_order(
    run: Callable[[Work], None], filter: dict[str, Any], scope: Scope, sort: str
) -> None:
    async def work(store: JobStore, recording: Recording) -> None:
        total = await store.count(ExportFilter(**filter), scope)
        conditions = [among(name, value) for name, value in filter.items()]
        if scope.tenant_id is not None:
            conditions.append(f"tenant_id = '{scope.tenant_id}'")
        if scope.owner is not None:
            conditions.append(f"created_by = '{scope.owner}'")
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        column = sort.removeprefix("-")
        rows = await recording.service.fetch_all(f"SELECT id, {column} AS at FROM arkham_export_jobs {where}")
        # What has not ended comes after all that has.
        rows.sort(key=lambda row: (row["at"] is None, row["at"] or "", row["id"]), reverse=sort != column)
        ids = [row["id"] for row in rows]
        assert total == len(ids)
        starts = {
            0,
            1,
            DEEP_OFFSET - 1,
            DEEP_OFFSET,
            total // 2,
            total // 2 + 1,
            total - 60,
            total - 3,
            total,
        }
        for offset in sorted(each for each in starts if each >= 0):
            found = await store.page(ExportFilter(**filter), scope, 50, offset, sort)
            assert [job.id for job in found] == ids[offset : offset + 50]

    run(work)


def test_a_job_in_no_state_at_all_is_listed_with_the_others(run: Callable[[Work], None]) -> None:
    async def work(store: JobStore, recording: Recording) -> None:
        insert = "INSERT INTO arkham_export_jobs (id, format, target, status, created_at) VALUES"
        await recording.service.execute(f"{insert} ('stateless', 'docx', 'matrix', NULL, '2026-01-01')")
        await recording.service.execute(f"{insert} ('queued', 'docx', 'matrix', 'queued', '2026-01-02')")
        try:
            found = await page(format="docx", target="matrix")(store)
            assert [(job.id, job.status) for job in found] == [
                ("queued", ExportStatus.FAILED),
                ("stateless", ExportStatus.PENDING),
            ]
        finally:
            await recording.service.execute("DELETE FROM arkham_export_jobs WHERE format = 'docx'")

    run(work)
