"""What changes of a job while somebody waits for it, read for many jobs at once and no more than that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from arkham_shard_export.jobs.table.parts import parts_now
from arkham_shard_export.jobs.table.rows import metadata_of, moment, notes_of, progress_of, status_of
from arkham_shard_export.models import ExportJob, ExportStatus
from arkham_shard_export.ports import Database

UNENDED = (ExportStatus.PENDING, ExportStatus.PROCESSING)


@dataclass(frozen=True)
class JobState:
    """`metadata` is as the database gave it: most looks find nothing new, and need not read it."""

    job_id: str
    status: ExportStatus
    attempts: int
    started_at: datetime | None
    metadata: Any

    @property
    def ended(self) -> bool:
        return self.status not in UNENDED

    @cached_property
    def notes(self) -> int:
        """How often the progress of the running attempt has been noted."""
        return 0 if self.ended else notes_of(metadata_of(self.metadata))

    @cached_property
    def progress(self) -> dict[str, Any] | None:
        return progress_of(self.brought_to(ExportJob("", "", "")))

    def brought_to(self, job: ExportJob) -> ExportJob:
        """The job, which was read before, as it is now."""
        metadata = metadata_of(self.metadata)
        parts = None if job.parts is None else parts_now(job.parts, self.status, metadata)
        return replace(job, status=self.status, started_at=self.started_at, metadata=metadata, parts=parts)


class JobStates:
    """Whoever asks must have seen to it that the jobs are theirs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def look(self, job_ids: Sequence[str]) -> dict[str, JobState]:
        """By id, those that are there."""
        marks = ", ".join("?" * len(job_ids))
        rows = await self._database.fetch_all(
            f"SELECT id, status, attempts, started_at, metadata FROM arkham_export_jobs WHERE id IN ({marks})",
            list(job_ids),
        )
        return {
            str(row["id"]): JobState(
                str(row["id"]),
                status_of(row["status"]),
                int(row["attempts"] or 0),
                moment(row["started_at"]),
                row["metadata"],
            )
            for row in rows
        }
