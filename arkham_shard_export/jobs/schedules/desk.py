"""What callers do with schedules; each sees and changes those in their scope."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from dataclasses import fields as dataclass_fields
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from arkham_shard_export.errors import (
    ExportError,
    FieldProblem,
    InvalidRequest,
    NotAllowed,
    ScheduleNotFound,
    ServiceUnavailable,
    TooManySchedules,
)
from arkham_shard_export.jobs.acceptance import Acceptance
from arkham_shard_export.jobs.admission import NOBODY
from arkham_shard_export.jobs.schedules.checking import (
    PLANNING,
    TIMING,
    Wanted,
    asked_of,
    check_fields,
    check_plan,
    given_by,
    merged,
    plan_for,
    plan_of,
)
from arkham_shard_export.jobs.schedules.firing import Firing
from arkham_shard_export.jobs.table.listing import Scope
from arkham_shard_export.jobs.table.rows import time_text
from arkham_shard_export.jobs.table.scheduleruns import MANUAL, RunStore
from arkham_shard_export.jobs.table.schedules import ScheduleStore, StoredSchedule, values_of
from arkham_shard_export.jobs.table.scheduletables import ACTIVE, ENDED, PAUSED
from arkham_shard_export.jobs.telling import Telling
from arkham_shard_export.models import ExportJob, ExportSchedule, ExportScheduleRun
from arkham_shard_export.ports import Clock
from arkham_shard_export.settings import Settings

STATES = (ACTIVE, PAUSED, ENDED)
NEXT_RUNS = 5
_TRIES = 10
_MOST_MATCHES = 10


class Schedules:
    def __init__(
        self,
        schedules: ScheduleStore,
        runs: RunStore,
        firing: Firing,
        acceptance: Acceptance,
        telling: Telling,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._schedules = schedules
        self._runs = runs
        self._firing = firing
        self._acceptance = acceptance
        self._telling = telling
        self._settings = settings
        self._clock = clock

    async def create(
        self, fields: Mapping[str, object], *, created_by: str, tenant_id: str | None
    ) -> ExportSchedule:
        """InvalidRequest lists what is wrong, with the request itself too; TooManySchedules."""
        now = self._clock()
        wanted = await self._checked(fields, now, created_by, tenant_id)
        await self._limit(created_by, tenant_id)
        anchored_at = now.replace(microsecond=0)
        plan = plan_for(wanted.cron, wanted.every, wanted.time_zone, anchored_at, wanted.ends_at)
        schedule = ExportSchedule(
            id=str(uuid4()), created_by=created_by, created_at=now, updated_at=now, **_fields(wanted)
        )
        await self._schedules.insert(
            StoredSchedule(schedule, tenant_id, anchored_at, now, plan.after(now), now, uuid4().hex)
        )
        self._telling.schedule(schedule, tenant_id, "created", logging.INFO)
        return await self.get(schedule.id, Scope(tenant_id))

    async def get(self, schedule_id: str, scope: Scope) -> ExportSchedule:
        """With its next due times and its last run; ScheduleNotFound."""
        stored = await self._found(schedule_id, scope)
        return (await self._shown([stored]))[0]

    async def page(
        self, scope: Scope, state: str | None = None, limit: int = 50, offset: int = 0
    ) -> tuple[list[ExportSchedule], int]:
        """The newest first, and how many there are in all."""
        if state is not None and state not in STATES:
            raise InvalidRequest([FieldProblem("state", state, f"Unknown state {state[:60]!r}.", STATES)])
        stored, total = await self._schedules.page(scope, state, limit, offset)
        return await self._shown(stored), total

    async def change(self, schedule_id: str, changes: Mapping[str, object], scope: Scope) -> ExportSchedule:
        """Change the fields that are given. A new plan begins now; what has ended and has due times again is active."""
        for _ in range(_TRIES):
            stored = await self._found(schedule_id, scope)
            now = self._clock()
            wanted = await self._checked(
                merged(stored.schedule, changes), now, stored.schedule.created_by, stored.tenant_id, stored
            )
            if await self._schedules.change(stored, _changed(stored, wanted, now), now):
                self._telling.schedule(stored.schedule, stored.tenant_id, "changed", logging.INFO)
                return await self.get(schedule_id, scope)
        raise _busy()

    async def pause(self, schedule_id: str, scope: Scope, reason: str) -> ExportSchedule:
        """No run is begun any more; one that is paused stays as it is."""
        for _ in range(_TRIES):
            stored = await self._found(schedule_id, scope)
            if stored.schedule.state == PAUSED:
                break
            if stored.schedule.state == ENDED:
                message = "The schedule has ended; there is nothing to pause."
                raise InvalidRequest([FieldProblem("state", ENDED, message)])
            now = self._clock()
            if await self._schedules.change(stored, {"state": PAUSED, "paused_reason": reason}, now):
                await self._runs.skip_begun(stored.id, now, "The schedule was paused.")
                self._telling.schedule(
                    stored.schedule, stored.tenant_id, "paused", logging.INFO, reason=reason
                )
                break
        else:
            raise _busy()
        return await self.get(schedule_id, scope)

    async def resume(self, schedule_id: str, scope: Scope) -> ExportSchedule:
        """Due times that passed meanwhile are not made up for, and failures are counted anew."""
        for _ in range(_TRIES):
            stored = await self._found(schedule_id, scope)
            if stored.schedule.state == ACTIVE:
                break
            now = self._clock()
            next_due = plan_of(stored).after(now)
            if next_due is None:
                message = (
                    "No due time is left: change ends_at (or cron) to a later one, and the schedule goes on."
                )
                raise InvalidRequest([FieldProblem("ends_at", time_text(stored.schedule.ends_at), message)])
            values = {
                "state": ACTIVE,
                "paused_reason": None,
                "failures": 0,
                "failures_since": time_text(now),
                "last_due": time_text(now),
                "next_due": time_text(next_due),
            }
            if await self._schedules.change(stored, values, now):
                self._telling.schedule(stored.schedule, stored.tenant_id, "resumed", logging.INFO)
                break
        else:
            raise _busy()
        return await self.get(schedule_id, scope)

    async def run_now(self, schedule_id: str, scope: Scope) -> ExportJob:
        """A job beside the plan, in whatever state the schedule is, in the name of its owner. Errors as of `accept`."""
        stored = await self._found(schedule_id, scope)
        if await self._firing.owner_ended(stored):
            raise NotAllowed("The owner of this schedule may not have exports made any more; it is paused.")
        run_id = str(uuid4())
        if not await self._runs.claim(run_id, stored, MANUAL, None, self._clock()):
            raise ScheduleNotFound(schedule_id)
        try:
            job = await self._firing.make(stored, run_id, None)
        except ExportError as error:
            await self._runs.refused(run_id, str(error))
            raise
        if job is None:
            raise ScheduleNotFound(schedule_id)
        return job

    async def delete(self, schedule_id: str, scope: Scope) -> None:
        """Its jobs and their files stay; its history goes."""
        stored = await self._found(schedule_id, scope)
        await self._schedules.delete(stored.id)
        self._telling.schedule(stored.schedule, stored.tenant_id, "deleted", logging.INFO)

    async def runs(
        self, schedule_id: str, scope: Scope, limit: int = 50, offset: int = 0
    ) -> tuple[list[ExportScheduleRun], int]:
        """The newest first, and how many there are in all."""
        stored = await self._found(schedule_id, scope)
        return await self._runs.page(stored.id, limit, offset)

    async def preview(self, fields: Mapping[str, object]) -> list[datetime]:
        """The next due times of a plan that nobody has yet, by the clocks of its zone; InvalidRequest."""
        now = self._clock()
        least = self._settings.min_schedule_seconds
        return await asyncio.to_thread(lambda: check_plan(fields, now, least).following(now, NEXT_RUNS))

    async def find(self, prefix: str) -> str:
        """The id of the one schedule, of whatever tenant, whose id begins so, or that is named so; ScheduleNotFound."""
        found = await self._schedules.called(prefix, _MOST_MATCHES)
        exact = [each for each in found if each.id == prefix]
        if len(exact or found) == 1:
            return (exact or found)[0].id
        if not found:
            raise ScheduleNotFound(prefix)
        names = ", ".join(f"{each.id} ({each.schedule.name})" for each in found)
        raise InvalidRequest(
            [FieldProblem("id", prefix, f"Several schedules are named, or begin with, {prefix!r}: {names}.")]
        )

    async def owner_ended(self, created_by: str | None, tenant_id: str | None, reason: str) -> int:
        """Pause all that would run with the rights of this user, of this tenant, or of this user of it; how many."""
        if created_by is None and tenant_id is None:
            raise InvalidRequest([FieldProblem("created_by", None, "Give created_by, tenant_id, or both.")])
        paused = await self._schedules.pause_all(
            created_by, tenant_id, f"The rights it ran with have ended: {reason}", self._clock()
        )
        self._telling.then()
        return len(paused)

    async def _found(self, schedule_id: str, scope: Scope) -> StoredSchedule:
        try:
            known = str(UUID(schedule_id))
        except ValueError:
            raise ScheduleNotFound(schedule_id) from None
        stored = await self._schedules.get(known, scope)
        if stored is None:
            raise ScheduleNotFound(schedule_id)
        return stored

    async def _checked(
        self,
        fields: Mapping[str, object],
        now: datetime,
        created_by: str,
        tenant_id: str | None,
        before: StoredSchedule | None = None,
    ) -> Wanted:
        """A request that is as it was `before` is not tried again: what it names may be gone, and the rest still be changed."""
        least = self._settings.min_schedule_seconds
        known = given_by(before.schedule) if before is not None else {}
        same_plan = bool(known) and all(fields[name] == known[name] for name in TIMING)
        wanted = await asyncio.to_thread(check_fields, fields, now, least, same_plan=same_plan)
        if not known or any(fields[name] != known[name] for name in ("request", "retention_hours")):
            own = wanted.retention_hours is not None
            try:
                asked = asked_of(wanted.request, wanted.retention_hours)
                await self._acceptance.check(asked, tenant_id, created_by)
            except InvalidRequest as error:
                raise InvalidRequest([_within_request(each, own) for each in error.problems]) from None
        return wanted

    async def _limit(self, created_by: str, tenant_id: str | None) -> None:
        limits = []
        if created_by != NOBODY:
            limits.append(("user", self._settings.max_schedules_per_user, Scope(tenant_id, created_by)))
        if tenant_id is not None:
            limits.append(("tenant", self._settings.max_schedules_per_tenant, Scope(tenant_id)))
        for whose, most, scope in limits:
            _, total = await self._schedules.page(scope, None, 1, 0)
            if most and total >= most:
                raise TooManySchedules(
                    f"This {whose} has {total} schedules, which is the most; delete one before you make another."
                )

    async def _shown(self, stored: Sequence[StoredSchedule]) -> list[ExportSchedule]:
        latest = await self._runs.latest([each.id for each in stored])
        now = self._clock()

        def work() -> list[ExportSchedule]:
            return [
                replace(
                    each.schedule,
                    next_runs=plan_of(each).following(max(now, each.last_due), NEXT_RUNS)
                    if each.schedule.state == ACTIVE
                    else [],
                    last_run=latest.get(each.id),
                )
                for each in stored
            ]

        return await asyncio.to_thread(work)


def schedule_fields(schedule: ExportSchedule) -> dict[str, Any]:
    """As REST shows it: times in UTC, the next due times by the clocks of the zone."""
    fields = asdict(schedule)
    for name in ("ends_at", "created_at", "updated_at"):
        fields[name] = None if fields[name] is None else fields[name].isoformat()
    fields["next_runs"] = [each.isoformat() for each in schedule.next_runs]
    fields["last_run"] = None if schedule.last_run is None else run_fields(schedule.last_run)
    return fields


def run_fields(run: ExportScheduleRun) -> dict[str, Any]:
    fields = asdict(run)
    for name in ("due", "made_at", "completed_at"):
        fields[name] = None if fields[name] is None else fields[name].isoformat()
    return fields


def _fields(wanted: Wanted) -> dict[str, Any]:
    return {each.name: getattr(wanted, each.name) for each in dataclass_fields(wanted)}


def _changed(stored: StoredSchedule, wanted: Wanted, now: datetime) -> dict[str, Any]:
    """The columns of a change, with what follows for the plan."""
    before, after = given_by(stored.schedule), _fields(wanted)
    values = values_of(replace(stored.schedule, **after))
    anchored_at, last_due = stored.anchored_at, stored.last_due
    if any(before[name] != after[name] for name in PLANNING):
        anchored_at, last_due = now.replace(microsecond=0), now
    if stored.schedule.state == ENDED:
        last_due = now
    plan = plan_for(wanted.cron, wanted.every, wanted.time_zone, anchored_at, wanted.ends_at)
    next_due = plan.after(last_due)
    if stored.schedule.state == ENDED and next_due is not None:
        values |= {"state": ACTIVE, "paused_reason": None}
    return {
        **values,
        "anchored_at": time_text(anchored_at),
        "last_due": time_text(last_due),
        "next_due": time_text(next_due),
    }


def _within_request(problem: FieldProblem, own_retention: bool) -> FieldProblem:
    if problem.field.startswith("request.") or (own_retention and problem.field == "retention_hours"):
        return problem
    return replace(problem, field=f"request.{problem.field}")


def _busy() -> ServiceUnavailable:
    return ServiceUnavailable(
        "database", "The schedule is being changed by others at this moment; try again."
    )
