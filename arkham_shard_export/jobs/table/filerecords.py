"""What the jobs table says of the files in the store, and which store that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arkham_shard_export.jobs.table.rows import moment, time_text
from arkham_shard_export.jobs.table.values import plain_text
from arkham_shard_export.models import ExportStatus
from arkham_shard_export.ports import Database
from arkham_shard_export.schema import Table

KEPT = "file_path IS NOT NULL AND file_removed_at IS NULL"
"""Of a job whose file is in the store, as far as the table knows; indexes hold these jobs alone."""
FACTS = Table("arkham_export_facts", ())
STORE = "store"
"""The fact that names the store of the hosts."""
_COLUMNS = "id, tenant_id, file_path, completed_at"


@dataclass(frozen=True, slots=True)
class KeptFile:
    """The file of a completed job that is in the store as far as the table knows."""

    job_id: str
    tenant_id: str | None
    path: str
    completed_at: datetime | None

    def completed_before(self, moment: datetime) -> bool:
        return self.completed_at is None or self.completed_at < moment


@dataclass(frozen=True, slots=True)
class Owner:
    """What the table knows of a job that may own files."""

    status: str
    attempts: int
    path: str | None

    def needs(self, path: str, attempt: int) -> bool:
        """Whether a file is that of the job, or may be being written by its running attempt."""
        if self.status == ExportStatus.PROCESSING.value:
            return attempt >= self.attempts
        return path == self.path


class FileRecords:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def expired(self, now: datetime, limit: int) -> Sequence[KeptFile]:
        """Files whose time is over, the oldest first."""
        rows = await self._database.fetch_all(
            f"SELECT {_COLUMNS} FROM arkham_export_jobs WHERE {KEPT}"
            " AND expires_at <= ? ORDER BY expires_at LIMIT ?",
            [time_text(now), limit],
        )
        return [_kept_file(row) for row in rows]

    async def kept_files(self, after: str, limit: int) -> Sequence[KeptFile]:
        """Files of completed jobs, by job id."""
        rows = await self._database.fetch_all(
            f"SELECT {_COLUMNS} FROM arkham_export_jobs WHERE {KEPT} AND id > ? ORDER BY id LIMIT ?",
            [after, limit],
        )
        return [_kept_file(row) for row in rows]

    async def owners(self, job_ids: Sequence[str]) -> Mapping[str, Owner]:
        rows = await self._database.fetch_all(
            "SELECT id, status, attempts, CASE WHEN file_removed_at IS NULL THEN file_path END AS path"
            f" FROM arkham_export_jobs WHERE id IN ({', '.join('?' * len(job_ids))})",
            list(job_ids),
        )
        return {
            str(row["id"]): Owner(str(row["status"]), int(row["attempts"] or 0), plain_text(row["path"]))
            for row in rows
        }

    async def file_removed(self, job_id: str, reason: str, now: datetime) -> bool:
        """Record that a job's file is gone; false where it was recorded before."""
        await self._database.execute(
            "UPDATE arkham_export_jobs SET file_removed_at = ?, file_removed_reason = ?"
            f" WHERE id = ? AND {KEPT}",
            [time_text(now), reason, job_id],
        )
        row = await self._database.fetch_one(
            "SELECT file_removed_at AS at FROM arkham_export_jobs WHERE id = ?", [job_id]
        )
        return row is not None and row["at"] == time_text(now)

    async def store_id(self) -> str | None:
        """The id of the store that the hosts use; None before the first of them has started."""
        row = await self._database.fetch_one("SELECT value FROM arkham_export_facts WHERE name = ?", [STORE])
        return None if row is None else str(row["value"])

    async def record_store(self, store_id: str) -> None:
        await self._database.execute(
            "INSERT INTO arkham_export_facts (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [STORE, store_id],
        )

    async def is_store(self, store_id: str | None) -> bool:
        """Whether the store with this id, or with none, is the one that the hosts use."""
        known = await self.store_id()
        return known is not None and known == store_id


def _kept_file(row: Mapping[str, Any]) -> KeptFile:
    return KeptFile(
        str(row["id"]), plain_text(row["tenant_id"]), str(row["file_path"]), moment(row["completed_at"])
    )
