"""How jobs are stored, change their state, and are found again.

The service tells neither how many rows a statement changed nor keeps a transaction open, so a change of state is
one conditional UPDATE that leaves a token in `runner`, and a read that looks whose token is there. Of a service that tells
what it has changed (`ports.Returning`) nothing need be read, unless it was nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from arkham_shard_export.jobs.lifecycle import before
from arkham_shard_export.jobs.table.listing import (
    NEWEST_FIRST,
    PENDING,
    Condition,
    Listing,
    Scope,
    where_of,
)
from arkham_shard_export.jobs.table.rows import (
    COLUMNS,
    LARGE,
    job_of,
    json_text,
    plain_text,
    time_text,
    without_progress,
)
from arkham_shard_export.models import ExportFilter, ExportJob, ExportStatistics, ExportStatus
from arkham_shard_export.ports import Database, Returning
from arkham_shard_export.sources.dialects import Dialect

_RUN = f"{COLUMNS}, tenant_id, runner, attempts, interruptions"


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job with what only its runner needs to know.

    `attempts` counts every start of a job, `interruptions` those that were ended on purpose and are held against nobody.
    """

    job: ExportJob
    tenant_id: str | None
    runner: str | None
    attempts: int
    interruptions: int

    @property
    def tries(self) -> int:
        return self.attempts - self.interruptions


class JobStore:
    """Jobs in the host's database; whoever asks sees only the jobs in its scope."""

    def __init__(self, database: Database, dialect: Dialect) -> None:
        self._database = database
        self._returning = database if isinstance(database, Returning) else None
        self._tenant_mark = dialect.tenant_mark("uuid")
        self._listing = Listing(database, dialect)

    async def insert(
        self,
        job: ExportJob,
        tenant_id: str | None,
        lane: str,
        held: tuple[str, Sequence[str]] | None = None,
    ) -> None:
        """Once: a job of this id that is there stays as it is. `held` is a FROM and WHERE and its values: the job is
        stored only where that gives a row."""
        marks = f"?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {self._tenant_mark}"
        source, params = held if held is not None else ("", ())
        values = f"SELECT {marks} {source}" if source else f"VALUES ({marks})"
        await self._database.execute(
            "INSERT INTO arkham_export_jobs (id, format, target, status, created_at, filters, options, created_by,"
            f" metadata, lane, tenant_id) {values} ON CONFLICT (id) DO NOTHING",
            [
                job.id,
                job.format,
                job.target,
                job.status.value,
                time_text(job.created_at),
                json_text(job.filters),
                json_text(asdict(job.options)),
                job.created_by,
                json_text(job.metadata),
                lane,
                tenant_id,
                *params,
            ],
        )

    async def get(self, job_id: str, scope: Scope) -> ExportJob | None:
        where, params = where_of([Condition("id", "id = ?", (job_id,)), *self._listing.visible(scope)])
        row = await self._database.fetch_one(f"SELECT {COLUMNS} FROM arkham_export_jobs{where}", params)
        return job_of(row) if row else None

    async def page(
        self, filter: ExportFilter, scope: Scope, limit: int, offset: int, sort: str = NEWEST_FIRST
    ) -> list[ExportJob]:
        return await self._listing.page(filter, scope, limit, offset, sort)

    async def count(self, filter: ExportFilter, scope: Scope) -> int:
        return await self._listing.count(filter, scope)

    async def statistics(self, scope: Scope) -> ExportStatistics:
        statistics = statistics_of(await self._listing.groups(scope))
        if statistics.jobs_pending:
            oldest = await self._listing.oldest(ExportFilter(status=ExportStatus.PENDING), scope)
            statistics.oldest_pending_job = None if oldest is None else oldest.created_at
        return statistics

    async def pending(self, limit: int, lane: str | None = None) -> Sequence[tuple[str, str]]:
        """Ids and lanes of pending jobs of all tenants, oldest first."""
        condition, params = (" AND lane = ?", [lane]) if lane is not None else ("", [])
        rows = await self._database.fetch_all(
            f"SELECT id, lane FROM arkham_export_jobs WHERE {PENDING.expression}{condition}"
            " ORDER BY created_at, id LIMIT ?",
            [*params, limit],
        )
        return [(str(row["id"]), str(row["lane"] or LARGE)) for row in rows]

    async def processing(self) -> Sequence[str]:
        """Ids of the jobs that are said to be running."""
        rows = await self._database.fetch_all(
            "SELECT id FROM arkham_export_jobs WHERE status = ?", [ExportStatus.PROCESSING.value]
        )
        return [str(row["id"]) for row in rows]

    async def active(self, scope: Scope) -> int:
        """Jobs that wait or run."""
        counted = 0
        for status in (ExportStatus.PENDING, ExportStatus.PROCESSING):
            counted += await self.count(ExportFilter(status=status), scope)
        return counted

    async def stored(self, job_id: str) -> StoredJob | None:
        row = await self._database.fetch_one(f"SELECT {_RUN} FROM arkham_export_jobs WHERE id = ?", [job_id])
        return None if row is None else _stored_job(row)

    async def runs(self, job_id: str, token: str) -> bool:
        """Whether the job is still processing, and by the runner that has this token."""
        row = await self._database.fetch_one(
            "SELECT status, runner FROM arkham_export_jobs WHERE id = ?", [job_id]
        )
        return row is not None and (row["status"], row["runner"]) == (ExportStatus.PROCESSING.value, token)

    async def claim(self, job_id: str, token: str, now: datetime) -> StoredJob | None:
        """Make a pending job processing; None where somebody was faster."""
        row = await self._update(
            job_id,
            ExportStatus.PROCESSING,
            token,
            "started_at = ?, attempts = COALESCE(attempts, 0) + 1",
            [time_text(now)],
            None,
            _RUN,
        )
        stored = await self.stored(job_id) if row is None else _stored_job(row)
        if stored is None or stored.runner != token or stored.job.status is not ExportStatus.PROCESSING:
            return None
        return stored

    async def hand_back(
        self, job: ExportJob, owner: str | None, token: str, interrupted: bool = False
    ) -> bool:
        """Make a processing job pending again; `interrupted` on purpose, which is held against nobody."""
        assignments = "started_at = NULL, metadata = ?"
        if interrupted:
            assignments += ", interruptions = COALESCE(interruptions, 0) + 1"
        metadata = json_text(without_progress(job.metadata))
        return await self._change(job.id, ExportStatus.PENDING, token, assignments, [metadata], owner)

    async def finish(
        self, job_id: str, owner: str | None, token: str, status: ExportStatus, changes: Mapping[str, Any]
    ) -> bool:
        """End a job; false where it had ended otherwise before. `owner` must be running it; None: whoever does."""
        assignments = ", ".join(f"{name} = ?" for name in changes)
        return await self._change(job_id, status, token, assignments, list(changes.values()), owner)

    async def note(self, job_id: str, owner: str, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata of a job that `owner` is running."""
        await self._database.execute(
            "UPDATE arkham_export_jobs SET metadata = ? WHERE id = ? AND status = ? AND runner = ?",
            [json_text(metadata), job_id, ExportStatus.PROCESSING.value, owner],
        )

    async def _change(
        self,
        job_id: str,
        status: ExportStatus,
        token: str,
        assignments: str,
        values: Sequence[Any],
        owner: str | None,
    ) -> bool:
        if await self._update(job_id, status, token, assignments, values, owner, "id") is not None:
            return True
        # It may have been changed by a call whose answer was lost.
        row = await self._database.fetch_one(
            "SELECT status, runner FROM arkham_export_jobs WHERE id = ?", [job_id]
        )
        return row is not None and (row["status"], row["runner"]) == (status.value, token)

    async def _update(
        self,
        job_id: str,
        status: ExportStatus,
        token: str,
        assignments: str,
        values: Sequence[Any],
        owner: str | None,
        returned: str,
    ) -> dict[str, Any] | None:
        """The columns `returned` of the changed row; None where nothing was changed, or nobody tells."""
        allowed = before(status)
        marks = ", ".join("?" * len(allowed))
        owned = " AND runner = ?" if owner is not None else ""
        sql = (
            f"UPDATE arkham_export_jobs SET status = ?, runner = ?{', ' if assignments else ''}{assignments}"
            f" WHERE id = ? AND status IN ({marks}){owned}"
        )
        params = [status.value, token, *values, job_id, *(each.value for each in allowed)]
        params += [owner] if owner is not None else []
        if self._returning is not None:
            changed = await self._returning.change(f"{sql} RETURNING {returned}", params)
            return changed[0] if changed else None
        await self._database.execute(sql, params)
        return None


def _stored_job(row: Mapping[str, Any]) -> StoredJob:
    return StoredJob(
        job_of(row),
        plain_text(row["tenant_id"]),
        plain_text(row["runner"]),
        int(row["attempts"] or 0),
        int(row["interruptions"] or 0),
    )


def statistics_of(groups: Sequence[Mapping[str, Any]]) -> ExportStatistics:
    statistics = ExportStatistics()
    statistics.by_status = {each.value: 0 for each in ExportStatus}
    time_ms = 0.0
    for group in groups:
        jobs, status = int(group["jobs"]), str(group["status"])
        statistics.total_jobs += jobs
        for totals, name in (
            (statistics.by_status, status),
            (statistics.by_format, str(group["format"])),
            (statistics.by_target, str(group["target"])),
        ):
            totals[name] = totals.get(name, 0) + jobs
        if status == ExportStatus.COMPLETED:
            statistics.total_records_exported += int(group["records"] or 0)
            statistics.total_file_size_bytes += int(group["bytes"] or 0)
            time_ms += float(group["time_ms"] or 0.0)
    statistics.jobs_pending = statistics.by_status[ExportStatus.PENDING]
    statistics.jobs_processing = statistics.by_status[ExportStatus.PROCESSING]
    statistics.jobs_completed = statistics.by_status[ExportStatus.COMPLETED]
    statistics.jobs_failed = statistics.by_status[ExportStatus.FAILED]
    if statistics.jobs_completed:
        statistics.avg_processing_time_ms = time_ms / statistics.jobs_completed
    return statistics
