"""The only SQL on `arkham_export_jobs`.

The service tells neither how many rows a statement changed nor keeps a transaction open, so a change of state is
one conditional UPDATE that leaves a token in `runner`, and a read that looks whose token is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from arkham_shard_export.jobs.lifecycle import before
from arkham_shard_export.models import ExportFilter, ExportJob, ExportOptions, ExportStatistics, ExportStatus
from arkham_shard_export.ports import Database
from arkham_shard_export.sources.dialects import Dialect

_COLUMNS = (
    "id, format, target, status, created_at, started_at, completed_at, file_path, file_size, download_url, expires_at,"
    " error, filters, options, record_count, processing_time_ms, created_by, metadata"
)
_OPTION_NAMES = {each.name for each in fields(ExportOptions)}


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose jobs are seen: those of one tenant, those of one owner; None restricts nothing."""

    tenant_id: str | None = None
    owner: str | None = None


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Attempt:
    """`number` counts every start of a job, `tries` only those that were not interrupted on purpose."""

    number: int
    tries: int


class JobStore:
    """Jobs in the host's database; whoever asks sees only the jobs in its scope."""

    def __init__(self, database: Database, dialect: Dialect) -> None:
        self._database = database
        self._tenant_mark = dialect.tenant_mark("uuid")

    async def insert(self, job: ExportJob, tenant_id: str | None) -> None:
        await self._database.execute(
            "INSERT INTO arkham_export_jobs (id, format, target, status, created_at, filters, options, created_by,"
            f" metadata, tenant_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, {self._tenant_mark})",
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
                tenant_id,
            ],
        )

    async def get(self, job_id: str, scope: Scope) -> ExportJob | None:
        where, params = self._visible(scope, "id = ?", [job_id])
        row = await self._database.fetch_one(f"SELECT {_COLUMNS} FROM arkham_export_jobs{where}", params)
        return job_of(row) if row else None

    async def page(self, filter: ExportFilter, scope: Scope, limit: int, offset: int) -> list[ExportJob]:
        """Newest first."""
        where, params = self._filtered(filter, scope)
        rows = await self._database.fetch_all(
            f"SELECT {_COLUMNS} FROM arkham_export_jobs{where} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
            [*params, limit, offset],
        )
        return [job_of(row) for row in rows]

    async def count(self, filter: ExportFilter, scope: Scope) -> int:
        where, params = self._filtered(filter, scope)
        row = await self._database.fetch_one(f"SELECT COUNT(*) AS n FROM arkham_export_jobs{where}", params)
        return int(row["n"]) if row else 0

    async def statistics(self, scope: Scope) -> ExportStatistics:
        """Two statements, both answered from an index."""
        where, params = self._visible(scope)
        groups = await self._database.fetch_all(
            "SELECT status, format, target, COUNT(*) AS jobs, SUM(record_count) AS records, SUM(file_size) AS bytes,"
            f" SUM(processing_time_ms) AS time_ms FROM arkham_export_jobs{where} GROUP BY status, format, target",
            params,
        )
        where, params = self._visible(scope, "status = ?", [ExportStatus.PENDING.value])
        oldest = await self._database.fetch_one(
            f"SELECT MIN(created_at) AS created_at FROM arkham_export_jobs{where}", params
        )
        return statistics_of(groups, moment(oldest["created_at"]) if oldest else None)

    async def pending(self, limit: int) -> Sequence[tuple[str, str | None]]:
        """Ids and tenants of pending jobs of all tenants, oldest first."""
        rows = await self._database.fetch_all(
            "SELECT id, tenant_id FROM arkham_export_jobs WHERE status = ? ORDER BY created_at, id LIMIT ?",
            [ExportStatus.PENDING.value, limit],
        )
        return [(str(row["id"]), _text(row["tenant_id"])) for row in rows]

    async def processing(self) -> Sequence[tuple[str, int]]:
        """Ids and attempts of the jobs that are said to be running."""
        rows = await self._database.fetch_all(
            "SELECT id, attempts FROM arkham_export_jobs WHERE status = ?", [ExportStatus.PROCESSING.value]
        )
        return [(str(row["id"]), int(row["attempts"] or 0)) for row in rows]

    async def claim(self, job_id: str, token: str, now: datetime) -> Attempt | None:
        """Make a pending job processing; None where somebody was faster."""
        changed = await self._change(
            job_id,
            ExportStatus.PROCESSING,
            token,
            "started_at = ?, attempts = COALESCE(attempts, 0) + 1",
            [time_text(now)],
        )
        if changed is None:
            return None
        number = int(changed["attempts"] or 1)
        return Attempt(number, number - int(changed["interruptions"] or 0))

    async def hand_back(
        self, job: ExportJob, owner: str | None, token: str, interrupted: bool = False
    ) -> bool:
        """Make a processing job pending again; `interrupted` on purpose, which is held against nobody."""
        assignments = "started_at = NULL, metadata = ?"
        if interrupted:
            assignments += ", interruptions = COALESCE(interruptions, 0) + 1"
        metadata = json_text(without_progress(job.metadata))
        changed = await self._change(job.id, ExportStatus.PENDING, token, assignments, [metadata], owner)
        return changed is not None

    async def finish(
        self, job_id: str, owner: str | None, token: str, status: ExportStatus, changes: Mapping[str, Any]
    ) -> bool:
        """End a job; false where it had ended otherwise before. `owner` must be running it; None: whoever does."""
        assignments = ", ".join(f"{name} = ?" for name in changes)
        changed = await self._change(job_id, status, token, assignments, list(changes.values()), owner)
        return changed is not None

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
        owner: str | None = None,
    ) -> dict[str, Any] | None:
        allowed = before(status)
        marks = ", ".join("?" * len(allowed))
        owned = " AND runner = ?" if owner is not None else ""
        await self._database.execute(
            f"UPDATE arkham_export_jobs SET status = ?, runner = ?{', ' if assignments else ''}{assignments}"
            f" WHERE id = ? AND status IN ({marks}){owned}",
            [
                status.value,
                token,
                *values,
                job_id,
                *(each.value for each in allowed),
                *([owner] if owner is not None else []),
            ],
        )
        row = await self._database.fetch_one(
            "SELECT status, runner, attempts, interruptions FROM arkham_export_jobs WHERE id = ?", [job_id]
        )
        return row if row and row["status"] == status.value and row["runner"] == token else None

    def _visible(
        self, scope: Scope, condition: str = "", params: Sequence[Any] = ()
    ) -> tuple[str, list[Any]]:
        parts = [condition] if condition else []
        values = list(params)
        if scope.tenant_id is not None:
            parts.append(f"tenant_id = {self._tenant_mark}")
            values.append(scope.tenant_id)
        if scope.owner is not None:
            parts.append("created_by = ?")
            values.append(scope.owner)
        return (f" WHERE {' AND '.join(parts)}" if parts else ""), values

    def _filtered(self, filter: ExportFilter, scope: Scope) -> tuple[str, list[Any]]:
        conditions = {
            "status = ?": filter.status,
            "format = ?": filter.format,
            "target = ?": filter.target,
            "created_by = ?": filter.created_by,
            "created_at >= ?": time_text(filter.created_after),
            "created_at < ?": time_text(filter.created_before),
        }
        given = {condition: value for condition, value in conditions.items() if value is not None}
        return self._visible(scope, " AND ".join(given), [str(value) for value in given.values()])


def time_text(value: datetime | None) -> str | None:
    """UTC with microseconds always, so that texts sort as times do."""
    return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")


def moment(value: object) -> datetime | None:
    """A stored time as an aware datetime; older versions stored UTC without an offset."""
    if value is None or value == "":
        return None
    if not isinstance(value, datetime):
        try:
            value = datetime.fromisoformat(str(value))
        except ValueError:
            return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def without_progress(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a job that does not run."""
    return {name: value for name, value in metadata.items() if name != "progress"}


def job_of(row: Mapping[str, Any]) -> ExportJob:
    """A job from its row, whatever version wrote it."""
    status, error = _status(row)
    options = _object(row["options"])
    known = {name: value for name, value in options.items() if name in _OPTION_NAMES}
    path = _text(row["file_path"])
    return ExportJob(
        id=str(row["id"]),
        format=str(row["format"]),
        target=str(row["target"]),
        status=status,
        created_at=moment(row["created_at"]),
        started_at=moment(row["started_at"]),
        completed_at=moment(row["completed_at"]),
        # Versions before this one stored paths of the server, which are nobody's business.
        file_path=None if path is None or path.startswith("/") else path,
        file_size=None if row["file_size"] is None else int(row["file_size"]),
        download_url=_text(row["download_url"]),
        expires_at=moment(row["expires_at"]),
        error=error,
        filters=_object(row["filters"]),
        options=ExportOptions(**known),
        record_count=int(row["record_count"] or 0),
        processing_time_ms=float(row["processing_time_ms"] or 0.0),
        created_by=str(row["created_by"] or "system"),
        metadata=_object(row["metadata"]),
    )


def _status(row: Mapping[str, Any]) -> tuple[ExportStatus, str | None]:
    error = _text(row["error"])
    try:
        return ExportStatus(row["status"] or "pending"), error
    except ValueError:
        return ExportStatus.FAILED, error or f"This job was left in the unknown state {row['status']!r}."


def statistics_of(groups: Sequence[Mapping[str, Any]], oldest: datetime | None) -> ExportStatistics:
    statistics = ExportStatistics(oldest_pending_job=oldest)
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


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _object(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return dict(value) if isinstance(value, Mapping) else {}
