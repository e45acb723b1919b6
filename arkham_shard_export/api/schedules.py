"""Routes of schedules."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request, Response

from arkham_shard_export.api.callers import Caller, caller_of
from arkham_shard_export.api.pages import links
from arkham_shard_export.api.schedulebodies import NewScheduleBody, PlanBody, ScheduleChangesBody
from arkham_shard_export.api.waiting import job_response
from arkham_shard_export.jobs.schedules.desk import STATES, run_fields, schedule_fields
from arkham_shard_export.jobs.service import MAX_LIST, MAX_OFFSET

Limit = Annotated[int, Query(ge=1, le=MAX_LIST)]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET)]
State = Annotated[str | None, Query(json_schema_extra={"enum": [*STATES]})]


async def get_schedules(
    request: Request, response: Response, state: State = None, limit: Limit = 50, offset: Offset = 0
) -> dict[str, Any]:
    caller = await caller_of(request)
    schedules, total = await caller.service.schedules.page(caller.scope, state, limit, offset)
    response.headers.update(links(request, total, limit, offset))
    return {
        "schedules": [schedule_fields(each) for each in schedules],
        "total": total,
        "limit": limit,
        "offset": offset,
    }


async def post_schedule(request: Request, response: Response, body: NewScheduleBody) -> dict[str, Any]:
    caller = await caller_of(request)
    schedule = await caller.service.schedules.create(
        body.given(), created_by=caller.created_by, tenant_id=caller.scope.tenant_id
    )
    response.headers["Location"] = f"/api/export/schedules/{schedule.id}"
    return schedule_fields(schedule)


async def post_preview(request: Request, body: PlanBody) -> dict[str, Any]:
    caller = await caller_of(request)
    times = await caller.service.schedules.preview(body.given())
    return {"time_zone": body.time_zone, "next_runs": [each.isoformat() for each in times]}


async def get_schedule(request: Request, schedule_id: str) -> dict[str, Any]:
    caller = await caller_of(request)
    return schedule_fields(await caller.service.schedules.get(schedule_id, caller.scope))


async def patch_schedule(request: Request, schedule_id: str, body: ScheduleChangesBody) -> dict[str, Any]:
    caller = await caller_of(request)
    return schedule_fields(await caller.service.schedules.change(schedule_id, body.given(), caller.scope))


async def delete_schedule(request: Request, schedule_id: str) -> Response:
    caller = await caller_of(request)
    await caller.service.schedules.delete(schedule_id, caller.scope)
    return Response(status_code=204)


async def pause_schedule(request: Request, schedule_id: str) -> dict[str, Any]:
    caller = await caller_of(request)
    return schedule_fields(
        await caller.service.schedules.pause(schedule_id, caller.scope, f"It was paused by {_who(caller)}.")
    )


async def resume_schedule(request: Request, schedule_id: str) -> dict[str, Any]:
    caller = await caller_of(request)
    return schedule_fields(await caller.service.schedules.resume(schedule_id, caller.scope))


async def run_schedule(request: Request, schedule_id: str) -> Response:
    caller = await caller_of(request)
    job = await caller.service.schedules.run_now(schedule_id, caller.scope)
    return await job_response(request, caller, job, 201, {"Location": f"/api/export/jobs/{job.id}"})


async def get_runs(
    request: Request, response: Response, schedule_id: str, limit: Limit = 50, offset: Offset = 0
) -> dict[str, Any]:
    caller = await caller_of(request)
    runs, total = await caller.service.schedules.runs(schedule_id, caller.scope, limit, offset)
    response.headers.update(links(request, total, limit, offset))
    return {"runs": [run_fields(each) for each in runs], "total": total, "limit": limit, "offset": offset}


def _who(caller: Caller) -> str:
    return "hand" if caller.user_id is None else caller.user_id
