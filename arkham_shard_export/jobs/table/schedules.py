"""Schedules as rows: whose they are, when each is due next, and changes that are made only of what was read.

`last_due`: all due times up to it are settled. A change carries the `revision` that was read and leaves another, so that of two
at once one is made and the other sees so; the advance of `last_due` carries both and leaves the revision.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from arkham_shard_export.jobs.table.listing import Scope
from arkham_shard_export.jobs.table.rows import metadata_of, moment, time_text
from arkham_shard_export.jobs.table.scheduletables import ACTIVE
from arkham_shard_export.jobs.table.values import plain_text
from arkham_shard_export.models import ExportSchedule
from arkham_shard_export.ports import Database
from arkham_shard_export.sources.dialects import Dialect

_GIVEN = "name, description, cron, every, time_zone, request, retention_hours, ends_at, missed, keep_files, max_failures"
_COLUMNS = (
    f"id, {_GIVEN}, state, paused_reason, failures, failures_since, anchored_at, last_due, next_due, revision,"
    " created_by, tenant_id, created_at, updated_at"
)
# Written out, because indexes hold nothing but active ones.
_ACTIVE = f"state = '{ACTIVE}'"
OWNERS_ASKED = "owners"
LEAST_PREFIX = 6


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule with what only firing needs to know."""

    schedule: ExportSchedule
    tenant_id: str | None
    anchored_at: datetime
    last_due: datetime
    next_due: datetime | None
    failures_since: datetime
    revision: str

    @property
    def id(self) -> str:
        return self.schedule.id


class ScheduleStore:
    """Schedules in the host's database; whoever asks with a scope sees only the schedules in it."""

    def __init__(self, database: Database, dialect: Dialect) -> None:
        self._database = database
        self._tenant_mark = dialect.tenant_mark("uuid")

    async def insert(self, stored: StoredSchedule) -> None:
        values = {**values_of(stored.schedule), **_kept(stored), "id": stored.id}
        values |= {
            "created_by": stored.schedule.created_by,
            "created_at": time_text(stored.schedule.created_at),
        }
        names = [*values, "tenant_id"]
        marks = ", ".join("?" * len(values))
        await self._database.execute(
            f"INSERT INTO arkham_export_schedules ({', '.join(names)}) VALUES ({marks}, {self._tenant_mark})",
            [*values.values(), stored.tenant_id],
        )

    async def get(self, schedule_id: str, scope: Scope) -> StoredSchedule | None:
        where, params = self._where(scope, ("id = ?", schedule_id))
        row = await self._database.fetch_one(f"SELECT {_COLUMNS} FROM arkham_export_schedules{where}", params)
        return None if row is None else _stored(row)

    async def page(
        self, scope: Scope, state: str | None, limit: int, offset: int
    ) -> tuple[list[StoredSchedule], int]:
        """The newest first, and how many there are in all."""
        where, params = self._where(scope, *(() if state is None else (("state = ?", state),)))
        rows = await self._database.fetch_all(
            f"SELECT {_COLUMNS} FROM arkham_export_schedules{where} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
            [*params, limit, offset],
        )
        row = await self._database.fetch_one(
            f"SELECT COUNT(*) AS n FROM arkham_export_schedules{where}", params
        )
        return [_stored(each) for each in rows], int(row["n"]) if row else 0

    async def called(self, prefix: str, limit: int) -> list[StoredSchedule]:
        """Whose id begins so, or whose name is this, of all tenants."""
        rows = await self._database.fetch_all(
            f"SELECT {_COLUMNS} FROM arkham_export_schedules WHERE (SUBSTR(id, 1, ?) = ? AND ? >= ?) OR name = ?"
            " ORDER BY created_at DESC, id LIMIT ?",
            [len(prefix), prefix, len(prefix), LEAST_PREFIX, prefix, limit],
        )
        return [_stored(row) for row in rows]

    async def change(self, stored: StoredSchedule, values: Mapping[str, Any], now: datetime) -> bool:
        """Make a change of what was read; false where it has been changed by another meanwhile, or deleted."""
        revision = uuid4().hex
        values = {**values, "revision": revision, "updated_at": time_text(now)}
        await self._database.execute(
            f"UPDATE arkham_export_schedules SET {', '.join(f'{name} = ?' for name in values)}"
            " WHERE id = ? AND revision = ?",
            [*values.values(), stored.id, stored.revision],
        )
        row = await self._database.fetch_one(
            "SELECT revision FROM arkham_export_schedules WHERE id = ?", [stored.id]
        )
        return row is not None and row["revision"] == revision

    async def delete(self, schedule_id: str) -> None:
        """And its runs, by a trigger."""
        await self._database.execute("DELETE FROM arkham_export_schedules WHERE id = ?", [schedule_id])

    async def pause_all(
        self, created_by: str | None, tenant_id: str | None, reason: str, now: datetime
    ) -> Sequence[str]:
        """Pause every active schedule of an owner, of a tenant, or of an owner in a tenant; their ids."""
        where, params = self._where(Scope(tenant_id, created_by), (_ACTIVE,))
        rows = await self._database.fetch_all(f"SELECT id FROM arkham_export_schedules{where}", params)
        await self._database.execute(
            "UPDATE arkham_export_schedules SET state = 'paused', paused_reason = ?, revision = ?,"
            f" updated_at = ?{where}",
            [reason, uuid4().hex, time_text(now), *params],
        )
        return [str(row["id"]) for row in rows]

    # For firing, over all tenants

    async def due(
        self, now: datetime, limit: int, after: tuple[str, str] = ("", "")
    ) -> Sequence[StoredSchedule]:
        """Active schedules whose next due time has come, by that; `after` is the last one of the page before."""
        rows = await self._database.fetch_all(
            f"SELECT {_COLUMNS} FROM arkham_export_schedules WHERE {_ACTIVE} AND next_due <= ?"
            " AND (next_due > ? OR (next_due = ? AND id > ?)) ORDER BY next_due, id LIMIT ?",
            [time_text(now), after[0], after[0], after[1], limit],
        )
        return [_stored(row) for row in rows]

    async def ahead(self, moment: datetime, limit: int) -> Sequence[StoredSchedule]:
        """Active schedules that are settled up to later than then."""
        rows = await self._database.fetch_all(
            f"SELECT {_COLUMNS} FROM arkham_export_schedules WHERE {_ACTIVE} AND last_due > ?"
            " ORDER BY last_due LIMIT ?",
            [time_text(moment), limit],
        )
        return [_stored(row) for row in rows]

    async def active(self, after: str, limit: int) -> Sequence[StoredSchedule]:
        """All active ones, by id."""
        rows = await self._database.fetch_all(
            f"SELECT {_COLUMNS} FROM arkham_export_schedules WHERE {_ACTIVE} AND id > ? ORDER BY id LIMIT ?",
            [after, limit],
        )
        return [_stored(row) for row in rows]

    async def advance(self, stored: StoredSchedule, last_due: datetime, next_due: datetime | None) -> None:
        """Settle all due times up to `last_due`, unless another has, or the schedule was changed, since it was read."""
        await self._database.execute(
            "UPDATE arkham_export_schedules SET last_due = ?, next_due = ?"
            " WHERE id = ? AND last_due = ? AND revision = ?",
            [
                time_text(last_due),
                time_text(next_due),
                stored.id,
                time_text(stored.last_due),
                stored.revision,
            ],
        )

    async def count_failures(self, schedule_id: str, failures: int) -> None:
        await self._database.execute(
            "UPDATE arkham_export_schedules SET failures = ? WHERE id = ? AND failures <> ?",
            [failures, schedule_id, failures],
        )

    async def told_to_ask_owners(self) -> bool:
        """Whether hosts ask about owners before a run, which a process without a host cannot."""
        row = await self._database.fetch_one(
            "SELECT value FROM arkham_export_facts WHERE name = ?", [OWNERS_ASKED]
        )
        return row is not None

    async def tell_to_ask_owners(self) -> None:
        await self._database.execute(
            "INSERT INTO arkham_export_facts (name, value) VALUES (?, 'asked') ON CONFLICT (name) DO NOTHING",
            [OWNERS_ASKED],
        )

    async def figures(self) -> tuple[dict[str, int], datetime | None]:
        """How many there are in each state, and the earliest due time that an active one waits for."""
        rows = await self._database.fetch_all(
            "SELECT state, COUNT(*) AS n FROM arkham_export_schedules GROUP BY state"
        )
        row = await self._database.fetch_one(
            f"SELECT MIN(next_due) AS due FROM arkham_export_schedules WHERE {_ACTIVE}"
        )
        return {str(each["state"]): int(each["n"]) for each in rows}, moment(row["due"]) if row else None

    def _where(self, scope: Scope, *conditions: tuple[Any, ...]) -> tuple[str, list[Any]]:
        """`conditions` are an expression and the values of its marks each."""
        parts = list(conditions)
        if scope.tenant_id is not None:
            parts.append((f"tenant_id = {self._tenant_mark}", scope.tenant_id))
        if scope.owner is not None:
            parts.append(("created_by = ?", scope.owner))
        text = " AND ".join(part[0] for part in parts)
        return (f" WHERE {text}" if text else ""), [value for part in parts for value in part[1:]]


def values_of(schedule: ExportSchedule) -> dict[str, Any]:
    """What was asked for, as columns."""
    return {
        "name": schedule.name,
        "description": schedule.description,
        "cron": schedule.cron,
        "every": schedule.every,
        "time_zone": schedule.time_zone,
        "request": json.dumps(schedule.request, separators=(",", ":")),
        "retention_hours": schedule.retention_hours,
        "ends_at": time_text(schedule.ends_at),
        "missed": schedule.missed,
        "keep_files": schedule.keep_files,
        "max_failures": schedule.max_failures,
    }


def _kept(stored: StoredSchedule) -> dict[str, Any]:
    schedule = stored.schedule
    return {
        "state": schedule.state,
        "paused_reason": schedule.paused_reason,
        "failures": schedule.failures,
        "failures_since": time_text(stored.failures_since),
        "anchored_at": time_text(stored.anchored_at),
        "last_due": time_text(stored.last_due),
        "next_due": time_text(stored.next_due),
        "revision": stored.revision,
        "updated_at": time_text(schedule.updated_at),
    }


def _stored(row: Mapping[str, Any]) -> StoredSchedule:
    created_at = _moment(row["created_at"])
    schedule = ExportSchedule(
        id=str(row["id"]),
        name=str(row["name"]),
        request=metadata_of(row["request"]),
        description=str(row["description"]),
        cron=plain_text(row["cron"]),
        every=plain_text(row["every"]),
        time_zone=str(row["time_zone"]),
        retention_hours=None if row["retention_hours"] is None else float(row["retention_hours"]),
        ends_at=moment(row["ends_at"]),
        missed=str(row["missed"]),
        keep_files=None if row["keep_files"] is None else int(row["keep_files"]),
        max_failures=int(row["max_failures"]),
        state=str(row["state"]),
        paused_reason=plain_text(row["paused_reason"]),
        failures=int(row["failures"]),
        created_by=str(row["created_by"]),
        created_at=created_at,
        updated_at=moment(row["updated_at"]),
    )
    return StoredSchedule(
        schedule,
        plain_text(row["tenant_id"]),
        _moment(row["anchored_at"]),
        _moment(row["last_due"]),
        moment(row["next_due"]),
        _moment(row["failures_since"]),
        str(row["revision"]),
    )


def _moment(value: object) -> datetime:
    found = moment(value)
    if found is None:
        raise ValueError(f"A schedule holds {value!r} where a time must be.")
    return found
