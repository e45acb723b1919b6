"""What an operator does with jobs straight on the database, of all tenants, while hosts run or not.

Hosts and workers see each change in the table: they stop the work for a job that was cancelled, and find one that was added.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from arkham_shard_export.errors import ExportError, FileMissing
from arkham_shard_export.jobs.files import FileStore, job_file
from arkham_shard_export.jobs.lifecycle import ENDED
from arkham_shard_export.jobs.running.endings import cancelled
from arkham_shard_export.jobs.sources import CUSTOM
from arkham_shard_export.jobs.table.filerecords import FileRecords
from arkham_shard_export.jobs.table.listing import EVERYTHING
from arkham_shard_export.jobs.table.migrations import SCHEMA_VERSION, jobs_catalog
from arkham_shard_export.jobs.table.rows import HERE, LARGE, time_text
from arkham_shard_export.jobs.table.store import JobStore, StoredJob
from arkham_shard_export.jobs.table.values import plain_text
from arkham_shard_export.jobs.telling import Telling
from arkham_shard_export.models import ExportFilter, ExportJob, ExportStatus
from arkham_shard_export.ports import Clock, Database
from arkham_shard_export.sources.dialects import Dialect

_KEPT = ("retention_hours", "template", "date_range")
"""Of the metadata of a job that is run again."""
LEAST_PREFIX = 6
MOST_MATCHES = 10
PURGED_AT_ONCE = 500


class NotDone(ExportError):
    """The operator asked for what cannot be done; the text says why."""


@dataclass(slots=True)
class Doomed:
    """What a purge would remove, or has removed."""

    jobs: dict[str, int] = field(default_factory=dict)
    files: int = 0
    file_bytes: int = 0

    @property
    def total(self) -> int:
        return sum(self.jobs.values())


class Administration:
    """`open_files` is called where files are to be removed: what is else done needs no store."""

    def __init__(
        self, database: Database, dialect: Dialect, open_files: Callable[[], FileStore], clock: Clock
    ) -> None:
        self.database = database
        self.dialect = dialect
        self._clock = clock
        self._open_files = open_files
        self._telling = Telling()
        self.jobs = JobStore(database, dialect)

    async def check(self) -> None:
        """NotDone unless the jobs table is there and is that of this version, or of a later one."""
        if not await jobs_catalog(self.database, self.dialect):
            raise NotDone(
                "This database has no table of export jobs. Remedy: start a host on it once (arkham-export serve)."
            )
        try:
            row = await self.database.fetch_one("SELECT MAX(version) AS version FROM arkham_export_schema")
        except ExportError:
            row = None
        if row is None or int(row["version"] or 0) < SCHEMA_VERSION:
            raise NotDone(
                "The table of export jobs is of an older version. Remedy: start a host of this version on it once."
            )

    async def page(self, filter: ExportFilter, limit: int) -> tuple[list[ExportJob], int]:
        """The newest jobs, and how many there are in all."""
        return await self.jobs.page(filter, EVERYTHING, limit, 0), await self.jobs.count(filter, EVERYTHING)

    async def find(self, prefix: str) -> StoredJob:
        """The one job whose id begins so, of LEAST_PREFIX characters or more, or is this; NotDone names the others."""
        stored = await self.jobs.stored(prefix)
        if stored is not None:
            return stored
        if len(prefix) < LEAST_PREFIX:
            raise NotDone(
                f"There is no job {prefix!r}; give its id, or at least the first {LEAST_PREFIX} characters of it."
            )
        # A pattern would take _ for any character.
        rows = await self.database.fetch_all(
            "SELECT id FROM arkham_export_jobs WHERE SUBSTR(id, 1, ?) = ? ORDER BY created_at DESC, id LIMIT ?",
            [len(prefix), prefix, MOST_MATCHES + 1],
        )
        ids = [str(row["id"]) for row in rows]
        if len(ids) > 1:
            more = ", …" if len(ids) > MOST_MATCHES else ""
            raise NotDone(f"Several jobs begin with {prefix!r}: {', '.join(ids[:MOST_MATCHES])}{more}.")
        stored = await self.jobs.stored(ids[0]) if ids else None
        if stored is None:
            raise NotDone(f"There is no job that begins with {prefix!r}.")
        return stored

    async def cancel(self, stored: StoredJob) -> bool:
        """Cancel a pending or running job; false where it has ended. A host that runs it stops within a second."""
        if stored.job.status in ENDED or not await cancelled(self.jobs, stored.job, self._clock()):
            return False
        self._telling.changed(stored.job, stored.tenant_id, "cancelled")
        return True

    async def retry(self, stored: StoredJob) -> ExportJob:
        """A new pending job with the request of one that has ended; NotDone where it has not."""
        old = stored.job
        if old.status not in ENDED:
            raise NotDone(
                f"The job {old.id} is {old.status.value}: it has not ended, and is not to be run again."
            )
        kept = {name: old.metadata[name] for name in _KEPT if name in old.metadata}
        job = ExportJob(
            id=str(uuid4()),
            format=old.format,
            target=old.target,
            created_at=self._clock(),
            filters=old.filters,
            options=old.options,
            created_by=old.created_by,
            metadata={**kept, "retry_of": old.id},
            parts=old.parts,
            continue_on_error=old.continue_on_error,
        )
        lane = await self._lane(old)
        await self.jobs.insert(job, stored.tenant_id, lane)
        self._telling.changed(job, stored.tenant_id, "pending", lane=lane)
        return job

    async def doomed(self, statuses: Sequence[ExportStatus], before: datetime) -> Doomed:
        """What a purge of jobs that ended in one of these states before then would remove.

        NotDone where there are files among it, in a store that is not this one.
        """
        condition, params = _ended_before(statuses, before)
        rows = await self.database.fetch_all(
            "SELECT status, COUNT(*) AS jobs, COUNT(CASE WHEN file_removed_at IS NULL THEN file_path END) AS files,"
            " SUM(CASE WHEN file_removed_at IS NULL AND file_path IS NOT NULL THEN file_size END) AS bytes"
            f" FROM arkham_export_jobs WHERE {condition} GROUP BY status ORDER BY status",
            params,
        )
        doomed = Doomed(
            {str(row["status"]): int(row["jobs"]) for row in rows},
            sum(int(row["files"]) for row in rows),
            sum(int(row["bytes"] or 0) for row in rows),
        )
        if doomed.files:
            files = self._open_files()
            if not await FileRecords(self.database).is_store(await files.known_id()):
                raise NotDone(
                    f"The files of these jobs are not in the store {files.describe()}. "
                    "Remedy: set ARKHAM_EXPORT_STORE as the hosts have it, or --data."
                )
        return doomed

    async def purge(
        self,
        statuses: Sequence[ExportStatus],
        before: datetime,
        progress: Callable[[int], None] = lambda _removed: None,
    ) -> Doomed:
        """Remove these jobs, each file before its record: what is cut off is finished by the next purge.

        `progress` is told how many are removed so far.
        """
        removed = Doomed()
        files = self._open_files() if (await self.doomed(statuses, before)).files else None
        async for rows in self._batches(statuses, before):
            for row in rows:
                if files is not None:
                    await _remove_file(files, row, removed)
            marks = ", ".join("?" * len(rows))
            await self.database.execute(
                f"DELETE FROM arkham_export_jobs WHERE id IN ({marks})", [row["id"] for row in rows]
            )
            for row in rows:
                removed.jobs[row["status"]] = removed.jobs.get(row["status"], 0) + 1
            progress(removed.total)
        return removed

    async def _batches(
        self, statuses: Sequence[ExportStatus], before: datetime
    ) -> AsyncIterator[list[dict[str, Any]]]:
        condition, params = _ended_before(statuses, before)
        while rows := await self.database.fetch_all(
            "SELECT id, status, file_path, file_removed_at FROM arkham_export_jobs"
            f" WHERE {condition} ORDER BY id LIMIT ?",
            [*params, PURGED_AT_ONCE],
        ):
            yield rows

    async def _lane(self, job: ExportJob) -> str:
        row = await self.database.fetch_one("SELECT lane FROM arkham_export_jobs WHERE id = ?", [job.id])
        lane = plain_text(row["lane"]) if row is not None else None
        return lane or (HERE if job.target == CUSTOM and job.parts is None else LARGE)


def _ended_before(statuses: Sequence[ExportStatus], before: datetime) -> tuple[str, list[Any]]:
    marks = ", ".join("?" * len(statuses))
    return (
        f"status IN ({marks}) AND COALESCE(completed_at, created_at) < ?",
        [*(each.value for each in statuses), time_text(before)],
    )


async def _remove_file(files: FileStore, row: dict[str, Any], removed: Doomed) -> None:
    path = plain_text(row["file_path"])
    made = None if path is None or row["file_removed_at"] is not None else job_file(path)
    # Anybody may have written the row: the file of another job is not this one's to remove.
    if path is None or made is None or made.job_id != row["id"]:
        return
    try:
        size = (await files.open(path)).size
    except FileMissing:
        return
    await files.remove(path)
    removed.files += 1
    removed.file_bytes += size
