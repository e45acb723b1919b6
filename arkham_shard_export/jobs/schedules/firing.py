"""Makes the jobs that are due. It may be begun at any time, anywhere, and by several at once: each due time makes one job.

What is due is reckoned from the last due time that was settled, never from the time of the last look. A due time is claimed by a
run whose id, and that of its job, follow from the schedule and the due time; then its job is made; then the schedule is
advanced. What is cut off before that is done again by the next, and changes nothing that is done.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID, uuid5

from arkham_shard_export.errors import (
    ExportError,
    InvalidRequest,
    ServiceUnavailable,
    StoreFull,
    TooManyJobs,
    Withdrawn,
)
from arkham_shard_export.jobs.acceptance import Acceptance
from arkham_shard_export.jobs.schedules.checking import RUN_ONCE, asked_of, plan_of
from arkham_shard_export.jobs.schedules.plans import Plan
from arkham_shard_export.jobs.table.listing import EVERYTHING
from arkham_shard_export.jobs.table.rows import time_text
from arkham_shard_export.jobs.table.scheduleruns import LATE, PLANNED, RunStore
from arkham_shard_export.jobs.table.schedules import ScheduleStore, StoredSchedule
from arkham_shard_export.jobs.table.scheduletables import ACTIVE, ENDED, PAUSED
from arkham_shard_export.jobs.telling import Telling
from arkham_shard_export.models import ExportJob
from arkham_shard_export.ports import Clock

GRACE_SECONDS = 300.0
"""A due time that is found later was missed."""
AHEAD_SECONDS = 60.0
"""What is settled up to a later time than that was settled by a clock that was wrong."""
AT_ONCE = 100
MOST_UNENDED = 10
"""Jobs of one schedule that wait or run; the next is refused."""
MOST_COUNTED = 1000
_CHECK_SECONDS = 10.0

OwnerCheck = Callable[[str, str | None], Awaitable[str | None] | str | None]
"""Given a job's creator and tenant, says why they may not have exports made any more; None where they may."""

log = logging.getLogger(__name__)


class OwnerUnknown(ServiceUnavailable):
    """Nobody can say now whether an owner may still have exports made."""

    def __init__(self) -> None:
        super().__init__(
            "owners",
            "Whether the owner may still have exports made cannot be told now; try again in a moment.",
        )


@dataclass(frozen=True, slots=True)
class Due:
    """Of the due times that are not settled: those to run, each with its kind, and those that were missed, the first
    MOST_COUNTED of them, up to `last`."""

    runs: Sequence[tuple[datetime, str]]
    missed: Sequence[datetime] = ()
    last: datetime | None = None


class Firing:
    """`here`: this process is a host, where all can be asked that a request or an owner depends on."""

    def __init__(
        self,
        schedules: ScheduleStore,
        runs: RunStore,
        acceptance: Acceptance,
        telling: Telling,
        clock: Clock,
        *,
        here: bool,
    ) -> None:
        self._schedules = schedules
        self._runs = runs
        self._acceptance = acceptance
        self._telling = telling
        self._clock = clock
        self._here = here
        self._busy = asyncio.Lock()
        self._planned_anew = False
        self._told_to_ask = False
        self.owner_check: OwnerCheck | None = None
        self.ticked_at: datetime | None = None
        """When this process last did what was due."""

    async def tick(self) -> None:
        """Settle what has ended and make what is due; ServiceUnavailable where the database does not answer."""
        if self._busy.locked():
            return
        async with self._busy:
            if await self._left_to_hosts():
                return
            for schedule_id in await self._runs.settle():
                stored = await self._schedules.get(schedule_id, EVERYTHING)
                if stored is not None:
                    await self._judged(stored)
            if not self._planned_anew:
                await self._plan_anew()
                self._planned_anew = True
            now = self._clock()
            await self._set_back(now)
            await self._fire_all(now)
            self.ticked_at = now

    async def _left_to_hosts(self) -> bool:
        if self._here:
            if self.owner_check is not None and not self._told_to_ask:
                await self._schedules.tell_to_ask_owners()
                self._told_to_ask = True
            return False
        return await self._schedules.told_to_ask_owners()

    async def _plan_anew(self) -> None:
        """The rules of a zone may have changed with a new version of its database."""
        last = ""
        while some := await self._schedules.active(last, AT_ONCE):
            for stored in some:
                await self._try(self._plan(stored), stored)
            last = some[-1].id

    async def _plan(self, stored: StoredSchedule) -> None:
        next_due = plan_of(stored).after(stored.last_due)
        if next_due is not None and next_due != stored.next_due:
            await self._schedules.advance(stored, stored.last_due, next_due)

    async def _set_back(self, now: datetime) -> None:
        """What a clock that was ahead has settled may still come, but for the due times that have runs."""
        for stored in await self._schedules.ahead(now + timedelta(seconds=AHEAD_SECONDS), AT_ONCE):
            log.warning(
                "Schedule %s was settled up to %s, which is in the future: the clock was ahead.",
                stored.id,
                stored.last_due.isoformat(),
            )
            # It was noticed a little late; a due time of this moment is still in time, and makes no second job.
            await self._try(self._settle_up_to(stored, now - timedelta(seconds=GRACE_SECONDS)), stored)

    async def _settle_up_to(self, stored: StoredSchedule, moment: datetime) -> None:
        await self._schedules.advance(stored, moment, plan_of(stored).after(moment))

    async def _fire_all(self, now: datetime) -> None:
        place = ("", "")
        more = True
        while more:
            some = await self._schedules.due(now, AT_ONCE, place)
            for stored in some:
                await self._try(self.fire(stored, now), stored)
                place = (time_text(stored.next_due) or "", stored.id)
            more = len(some) == AT_ONCE

    async def _try(self, work: Coroutine[Any, Any, None], stored: StoredSchedule) -> None:
        """What is wrong with one schedule holds up no other; it is tried again at the next look."""
        try:
            await work
        except OwnerUnknown as error:
            log.warning("Schedule %s cannot run now: %s", stored.id, error, exc_info=error.__cause__)
        except ServiceUnavailable:
            raise
        except ExportError as error:
            log.warning("Schedule %s cannot run now: %s", stored.id, error)
        except Exception:
            log.exception("Schedule %s cannot run now.", stored.id)

    async def fire(self, stored: StoredSchedule, now: datetime) -> None:
        """Make the jobs of one schedule that are due, note what was missed, and advance."""
        if await self._judged(stored) or await self.owner_ended(stored):
            return
        plan = plan_of(stored)
        due = due_times(plan, stored.last_due, now, stored.schedule.missed == RUN_ONCE)
        begun = set[datetime]()
        if due.last is not None:
            begun = await self._runs.begun(stored.id, stored.last_due, due.last)
        refused = False
        for moment, kind in due.runs:
            refused = await self._run(stored, moment, kind, now) or refused
        if due.last is not None:
            await self._note_missed(stored, [each for each in due.missed if each not in begun], due.last, now)
        newest = plan.newest(stored.last_due, now) or stored.last_due
        next_due = plan.after(newest)
        await self._schedules.advance(stored, newest, next_due)
        await self._runs.forget(stored.id)
        if next_due is None:
            await self._end(stored, now)
        elif refused:
            await self._judged(stored)

    async def _run(self, stored: StoredSchedule, due: datetime, kind: str, now: datetime) -> bool:
        """Make the job of a due time, unless that is done; whether it was refused."""
        run_id = str(uuid5(UUID(stored.id), stamp(due)))
        if not await self._runs.claim(run_id, stored, kind, due, now):
            return False
        try:
            await self.make(stored, run_id, due)
            return False
        except (InvalidRequest, TooManyJobs, StoreFull) as error:
            if isinstance(error, InvalidRequest) and not self._here:
                # A host may know of a source that this process has not heard of; it goes on with this run.
                raise
            await self._runs.refused(run_id, str(error))
            self._telling.schedule(
                stored.schedule, stored.tenant_id, "refused", logging.WARNING, run=run_id, reason=str(error)
            )
            return True

    async def make(self, stored: StoredSchedule, run_id: str, due: datetime | None) -> ExportJob | None:
        """The job of a claimed run; None where the run was given up meanwhile. Errors as of `Acceptance.accept`."""
        schedule = stored.schedule
        if await self._runs.unended(stored.id) >= MOST_UNENDED:
            raise TooManyJobs(f"{MOST_UNENDED} runs of this schedule have not ended yet.")
        try:
            job, _ = await self._acceptance.accept(
                asked_of(schedule.request, schedule.retention_hours),
                created_by=schedule.created_by,
                tenant_id=stored.tenant_id,
                job_id=run_id,
                noted={
                    "schedule": {
                        "id": stored.id,
                        "name": schedule.name,
                        "due": None if due is None else due.isoformat(),
                    }
                },
                held=self._runs.holds(run_id),
            )
        except Withdrawn:
            return None
        await self._runs.made(run_id)
        return job

    async def _note_missed(
        self, stored: StoredSchedule, missed: Sequence[datetime], last: datetime, now: datetime
    ) -> None:
        await self._runs.skip_begun(stored.id, last, "It was begun and not finished in time.")
        if not missed:
            return
        many = "a due time was" if len(missed) == 1 else f"{len(missed)} due times were"
        many = f"more than {MOST_COUNTED} due times were" if len(missed) >= MOST_COUNTED else many
        reason = f"Nothing ran: {many} missed, from {missed[0].isoformat()} to {last.isoformat()}."
        run_id = str(uuid5(UUID(stored.id), f"missed {stamp(stored.last_due)} {stamp(last)}"))
        await self._runs.note_missed(run_id, stored, last, reason, now)
        self._telling.schedule(
            stored.schedule, stored.tenant_id, "missed", logging.WARNING, times=len(missed)
        )

    async def _end(self, stored: StoredSchedule, now: datetime) -> None:
        values = {"state": ENDED, "paused_reason": "No due time is left.", "next_due": None}
        if await self._schedules.change(stored, values, now):
            self._telling.schedule(stored.schedule, stored.tenant_id, "ended", logging.INFO)

    async def _judged(self, stored: StoredSchedule) -> bool:
        """Whether the schedule has failed so often that it is paused."""
        failed = await self._runs.failures(stored)
        if len(failed) != stored.schedule.failures:
            await self._schedules.count_failures(stored.id, len(failed))
        if len(failed) < stored.schedule.max_failures or stored.schedule.state != ACTIVE:
            return False
        often = "The last run" if len(failed) == 1 else f"{len(failed)} runs one after another"
        await self._pause(stored, f"{often} failed, the latest because: {failed[0]}", len(failed))
        return True

    async def owner_ended(self, stored: StoredSchedule) -> bool:
        """Whether the owner may not have exports made any more, upon which the schedule is paused; OwnerUnknown."""
        if self.owner_check is None:
            return False
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                answer = self.owner_check(stored.schedule.created_by, stored.tenant_id)
                reason = await answer if inspect.isawaitable(answer) else answer
        except Exception as error:
            raise OwnerUnknown from error
        if reason is None:
            return False
        await self._pause(stored, f"The rights it ran with have ended: {reason}", stored.schedule.failures)
        return True

    async def _pause(self, stored: StoredSchedule, reason: str, failures: int) -> None:
        now = self._clock()
        values = {"state": PAUSED, "paused_reason": reason, "failures": failures}
        if await self._schedules.change(stored, values, now):
            await self._runs.skip_begun(stored.id, now, "The schedule was paused.")
            self._telling.schedule(
                stored.schedule, stored.tenant_id, "paused", logging.WARNING, reason=reason
            )


def due_times(plan: Plan, after: datetime, now: datetime, run_once: bool) -> Due:
    """What is to be done at `now` of the due times later than `after`: those of late run each, older ones were missed.

    With `run_once` the last of these is made up for, unless one that is in time runs now anyhow.
    """
    in_time = now - timedelta(seconds=GRACE_SECONDS)
    runs = [(due, PLANNED) for due in plan.between(max(after, in_time), now)]
    last = plan.newest(after, in_time) if after < in_time else None
    if last is None:
        return Due(runs)
    missed = list(islice(plan.between(after, last), MOST_COUNTED))
    if run_once and not runs:
        return Due([(last, LATE)], [each for each in missed if each != last], last)
    return Due(runs, missed, last)


def stamp(moment: datetime) -> str:
    """A due time as it is part of an id."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
