"""Runs of schedules as rows: one for each due time that was begun, whose id is the id of its job.

A run is claimed before its job is made, and the job is stored only while the claim stands. So however often, and by however many,
a due time is begun, it has one run and one job at most, and what was cut off is finished by the next try.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from arkham_shard_export.jobs.table.filerecords import KEPT
from arkham_shard_export.jobs.table.rows import moment, status_of, time_text
from arkham_shard_export.jobs.table.schedules import StoredSchedule
from arkham_shard_export.jobs.table.scheduletables import ACTIVE, MADE, MAKING
from arkham_shard_export.jobs.table.states import UNENDED
from arkham_shard_export.jobs.table.values import plain_text
from arkham_shard_export.models import ExportScheduleRun, ExportStatus
from arkham_shard_export.ports import Database
from arkham_shard_export.sources.dialects import Dialect

PLANNED, LATE, MISSED, MANUAL = "planned", "late", "missed", "manual"
REFUSED, SKIPPED, VANISHED, STARTING = "refused", "skipped", "vanished", "starting"
RUNS_KEPT = 2000
"""Of a schedule; older ones are forgotten."""
AT_ONCE = 500

_FAILED = ExportStatus.FAILED.value
_COUNTED = (ExportStatus.COMPLETED.value, _FAILED, REFUSED)
_OPEN = f"outcome IN ('{MAKING}', '{MADE}')"
_UNENDED = ", ".join(f"'{each.value}'" for each in UNENDED)
_JOB_THERE = "EXISTS (SELECT 1 FROM arkham_export_jobs AS job WHERE job.id = arkham_export_schedule_runs.id)"
_SHOWN = (
    "SELECT run.id AS id, run.schedule_id AS schedule_id, run.kind AS kind, run.due AS due, run.made_at AS made_at,"
    " run.outcome AS outcome, run.error AS error, job.id AS job_id, job.status AS job_status, job.error AS job_error,"
    " job.completed_at AS completed_at, job.record_count AS record_count, job.file_size AS file_size,"
    " job.download_url AS download_url FROM arkham_export_schedule_runs AS run"
    " LEFT JOIN arkham_export_jobs AS job ON job.id = run.id"
)


class RunStore:
    """Whoever asks must have seen to it that the schedules are theirs."""

    def __init__(self, database: Database, dialect: Dialect) -> None:
        self._database = database
        self._tenant_mark = dialect.tenant_mark("uuid")

    async def claim(
        self, run_id: str, stored: StoredSchedule, kind: str, due: datetime | None, now: datetime
    ) -> bool:
        """Whether the run's job is to be made: the run is new, or was cut off. By hand whatever the schedule's state is."""
        planned = f" AND state = '{ACTIVE}' AND revision = ?" if kind != MANUAL else ""
        await self._database.execute(
            "INSERT INTO arkham_export_schedule_runs (id, schedule_id, kind, due, made_at, outcome, created_by, tenant_id)"
            f" SELECT ?, id, ?, ?, ?, '{MAKING}', created_by, tenant_id FROM arkham_export_schedules"
            f" WHERE id = ?{planned} ON CONFLICT (id) DO NOTHING",
            [
                run_id,
                kind,
                time_text(due),
                time_text(now),
                stored.id,
                *([stored.revision] if planned else []),
            ],
        )
        row = await self._database.fetch_one(
            "SELECT outcome FROM arkham_export_schedule_runs WHERE id = ?", [run_id]
        )
        return row is not None and row["outcome"] == MAKING

    def holds(self, run_id: str) -> tuple[str, list[str]]:
        """A FROM and WHERE that give one row while the run's job is to be made."""
        return f"FROM arkham_export_schedule_runs WHERE id = ? AND outcome = '{MAKING}'", [run_id]

    async def made(self, run_id: str) -> None:
        """The job is there."""
        await self._close(run_id, MAKING, MADE, None)

    async def refused(self, run_id: str, reason: str) -> None:
        """No job can be made."""
        await self._give_up(REFUSED, reason, "id = ?", [run_id])

    async def skip_begun(self, schedule_id: str, until: datetime, reason: str) -> None:
        """No job is to be made any more of runs that were begun."""
        where = "schedule_id = ? AND (due IS NULL OR due <= ?)"
        await self._give_up(SKIPPED, reason, where, [schedule_id, time_text(until)])

    async def _give_up(self, outcome: str, reason: str, where: str, params: Sequence[str | None]) -> None:
        """Unless the job is there: somebody else who had the same run was faster."""
        await self._database.execute(
            f"UPDATE arkham_export_schedule_runs SET outcome = CASE WHEN {_JOB_THERE} THEN '{MADE}' ELSE ? END,"
            f" error = CASE WHEN {_JOB_THERE} THEN NULL ELSE ? END WHERE {where} AND outcome = '{MAKING}'",
            [outcome, reason, *params],
        )

    async def _close(self, run_id: str, before: str, outcome: str, error: str | None) -> None:
        await self._database.execute(
            "UPDATE arkham_export_schedule_runs SET outcome = ?, error = ? WHERE id = ? AND outcome = ?",
            [outcome, error, run_id, before],
        )

    async def note_missed(
        self, run_id: str, stored: StoredSchedule, last: datetime, reason: str, now: datetime
    ) -> None:
        """Due times at which nothing ran, once."""
        await self._database.execute(
            "INSERT INTO arkham_export_schedule_runs"
            " (id, schedule_id, kind, due, made_at, outcome, error, created_by, tenant_id)"
            f" SELECT ?, id, '{MISSED}', ?, ?, '{SKIPPED}', ?, created_by, tenant_id FROM arkham_export_schedules"
            " WHERE id = ? ON CONFLICT (id) DO NOTHING",
            [run_id, time_text(last), time_text(now), reason, stored.id],
        )

    async def begun(self, schedule_id: str, after: datetime, until: datetime) -> set[datetime]:
        """The due times of a stretch that have runs."""
        rows = await self._database.fetch_all(
            "SELECT due FROM arkham_export_schedule_runs WHERE schedule_id = ? AND kind <> ?"
            " AND due > ? AND due <= ?",
            [schedule_id, MISSED, time_text(after), time_text(until)],
        )
        return {due for row in rows if (due := moment(row["due"])) is not None}

    async def unended(self, schedule_id: str) -> int:
        """How many jobs of a schedule wait or run."""
        row = await self._database.fetch_one(
            "SELECT COUNT(*) AS n FROM arkham_export_schedule_runs AS run"
            " JOIN arkham_export_jobs AS job ON job.id = run.id"
            f" WHERE run.schedule_id = ? AND run.{_OPEN} AND job.status IN ({_UNENDED})",
            [schedule_id],
        )
        return int(row["n"]) if row else 0

    async def settle(self) -> set[str]:
        """Record how jobs have ended, before they are purged; the schedules whose runs these were."""
        rows = await self._database.fetch_all(
            "SELECT run.id AS id, run.schedule_id AS schedule_id, job.status AS status, job.error AS error"
            " FROM arkham_export_schedule_runs AS run LEFT JOIN arkham_export_jobs AS job ON job.id = run.id"
            f" WHERE run.{_OPEN} AND run.outcome = '{MADE}'"
            f" AND (job.id IS NULL OR job.status NOT IN ({_UNENDED})) LIMIT ?",
            [AT_ONCE],
        )
        for row in rows:
            ended = VANISHED if row["status"] is None else status_of(row["status"]).value
            await self._close(str(row["id"]), MADE, ended, plain_text(row["error"]))
        return {str(row["schedule_id"]) for row in rows}

    async def failures(self, stored: StoredSchedule) -> Sequence[str]:
        """What was wrong with the runs that failed one after another, the last first, at most as many as are allowed."""
        marks = ", ".join("?" * len(_COUNTED))
        rows = await self._database.fetch_all(
            "SELECT outcome, error FROM arkham_export_schedule_runs WHERE schedule_id = ? AND kind <> ?"
            f" AND made_at >= ? AND outcome IN ({marks}) ORDER BY made_at DESC, id DESC LIMIT ?",
            [
                stored.id,
                MANUAL,
                time_text(stored.failures_since),
                *_COUNTED,
                stored.schedule.max_failures,
            ],
        )
        failed = []
        for row in rows:
            if row["outcome"] == ExportStatus.COMPLETED.value:
                break
            failed.append(str(row["error"] or "no reason was told"))
        return failed

    async def forget(self, schedule_id: str) -> None:
        """All but the newest RUNS_KEPT."""
        await self._database.execute(
            "DELETE FROM arkham_export_schedule_runs WHERE schedule_id = ? AND made_at <"
            " (SELECT made_at FROM arkham_export_schedule_runs WHERE schedule_id = ?"
            " ORDER BY made_at DESC, id DESC LIMIT 1 OFFSET ?)",
            [schedule_id, schedule_id, RUNS_KEPT - 1],
        )

    async def page(self, schedule_id: str, limit: int, offset: int) -> tuple[list[ExportScheduleRun], int]:
        """The newest first, and how many there are in all."""
        rows = await self._database.fetch_all(
            f"{_SHOWN} WHERE run.schedule_id = ? ORDER BY run.made_at DESC, run.id DESC LIMIT ? OFFSET ?",
            [schedule_id, limit, offset],
        )
        row = await self._database.fetch_one(
            "SELECT COUNT(*) AS n FROM arkham_export_schedule_runs WHERE schedule_id = ?", [schedule_id]
        )
        return [_run(each) for each in rows], int(row["n"]) if row else 0

    async def latest(self, schedule_ids: Sequence[str]) -> dict[str, ExportScheduleRun]:
        """The newest run of each schedule that has any."""
        if not schedule_ids:
            return {}
        newest = (
            "SELECT (SELECT id FROM arkham_export_schedule_runs AS other WHERE other.schedule_id = schedule.id"
            " ORDER BY made_at DESC, id DESC LIMIT 1) FROM arkham_export_schedules AS schedule"
            f" WHERE schedule.id IN ({', '.join('?' * len(schedule_ids))})"
        )
        rows = await self._database.fetch_all(f"{_SHOWN} WHERE run.id IN ({newest})", list(schedule_ids))
        return {str(row["schedule_id"]): _run(row) for row in rows}

    async def expire_surplus(self, now: datetime) -> None:
        """Let files of schedules that keep so many expire now, the oldest first, beyond that many."""
        rows = await self._database.fetch_all(
            "SELECT id, keep_files FROM arkham_export_schedules WHERE keep_files IS NOT NULL"
        )
        for row in rows:
            await self._expire(str(row["id"]), int(row["keep_files"]), now)

    async def _expire(self, schedule_id: str, keep: int, now: datetime) -> None:
        surplus = await self._database.fetch_all(
            "SELECT job.id AS id FROM arkham_export_schedule_runs AS run"
            " JOIN arkham_export_jobs AS job ON job.id = run.id"
            f" WHERE run.schedule_id = ? AND {KEPT} AND (job.expires_at IS NULL OR job.expires_at > ?)"
            " ORDER BY job.completed_at DESC, job.id DESC LIMIT ? OFFSET ?",
            [schedule_id, time_text(now), AT_ONCE, keep],
        )
        if surplus:
            await self._database.execute(
                f"UPDATE arkham_export_jobs SET expires_at = ? WHERE id IN ({', '.join('?' * len(surplus))})",
                [time_text(now), *(row["id"] for row in surplus)],
            )


def _run(row: Mapping[str, Any]) -> ExportScheduleRun:
    """What the job's row says, where there is one: it is the truth about the job."""
    there = row["job_id"] is not None
    outcome = str(row["outcome"])
    stored = {MAKING: STARTING, MADE: VANISHED}.get(outcome, outcome)
    return ExportScheduleRun(
        id=str(row["id"]),
        schedule_id=str(row["schedule_id"]),
        kind=str(row["kind"]),
        due=moment(row["due"]),
        made_at=moment(row["made_at"]) or datetime.min,
        status=status_of(row["job_status"]).value if there else stored,
        job_id=str(row["job_id"]) if there else None,
        error=plain_text(row["job_error"]) if there else plain_text(row["error"]),
        completed_at=moment(row["completed_at"]),
        record_count=int(row["record_count"] or 0) if row["job_status"] == ExportStatus.COMPLETED else None,
        file_size=None if row["file_size"] is None else int(row["file_size"]),
        download_url=plain_text(row["download_url"]),
    )
