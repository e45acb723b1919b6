"""Routes of jobs and of their files."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Query, Request, Response

from arkham_shard_export.api.bodies import NewBatchBody, NewJobBody
from arkham_shard_export.api.callers import caller_of
from arkham_shard_export.api.downloads import download_response
from arkham_shard_export.api.pages import chosen, links
from arkham_shard_export.api.requestkeys import key_of
from arkham_shard_export.api.waiting import job_response
from arkham_shard_export.jobs.service import MAX_LIST, MAX_OFFSET
from arkham_shard_export.jobs.showing import JOB_FORMATS, listed_fields
from arkham_shard_export.jobs.table.history import MOST_DAYS
from arkham_shard_export.jobs.table.listing import NEWEST_FIRST, ORDERS
from arkham_shard_export.models import ExportFilter, ExportStatus, ExportTarget


def _one_of(*valid: str) -> Any:
    """Describes a parameter; what it may be is checked further in."""
    return Query(json_schema_extra={"enum": [*valid]})


def _some_of(*valid: str) -> Any:
    return Query(json_schema_extra={"items": {"type": "string", "enum": [*valid]}})


Status = Annotated[str, _one_of(*ExportStatus)]


async def get_count(request: Request, status: Status = ExportStatus.PENDING.value) -> dict[str, int]:
    caller = await caller_of(request)
    return {"count": await caller.service.count(ExportFilter(status=status), caller.scope)}


async def get_jobs(
    request: Request,
    response: Response,
    status: Annotated[list[str] | None, _some_of(*ExportStatus)] = None,
    format: Annotated[list[str] | None, _some_of(*JOB_FORMATS)] = None,
    target: Annotated[list[str] | None, _some_of(*ExportTarget)] = None,
    created_by: str | None = None,
    sort: Annotated[str, _one_of(*ORDERS)] = NEWEST_FIRST,
    limit: Annotated[int, Query(ge=1, le=MAX_LIST)] = 50,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
) -> dict[str, Any]:
    caller = await caller_of(request)
    wanted = ExportFilter(chosen(status), chosen(format), chosen(target), created_by=created_by)
    jobs = await caller.service.page(wanted, caller.scope, limit, offset, sort)
    total = await caller.service.count(wanted, caller.scope)
    response.headers.update(links(request, total, limit, offset))
    return {"jobs": [listed_fields(job) for job in jobs], "total": total, "limit": limit, "offset": offset}


async def post_job(request: Request, body: NewJobBody) -> Response:
    return await _accepted(request, body)


async def post_batch(request: Request, body: NewBatchBody) -> Response:
    return await _accepted(request, body)


async def _accepted(request: Request, body: NewJobBody | NewBatchBody) -> Response:
    caller = await caller_of(request)
    job, repeated = await caller.service.acceptance.accept(
        body.asked(),
        created_by=caller.created_by,
        tenant_id=caller.scope.tenant_id,
        key=key_of(request, caller, body),
        scope=caller.scope,
    )
    headers = {"Location": f"/api/export/jobs/{job.id}"}
    if repeated:
        headers["Idempotency-Replayed"] = "true"
    return await job_response(request, caller, job, 201, headers)


async def get_job(request: Request, job_id: str) -> Response:
    caller = await caller_of(request)
    return await job_response(request, caller, await caller.service.get(job_id, caller.scope))


async def delete_job(request: Request, job_id: str) -> Response:
    caller = await caller_of(request)
    await caller.service.cancel(job_id, caller.scope)
    return Response(status_code=204)


async def download(request: Request, job_id: str) -> Response:
    caller = await caller_of(request)
    job, stored, name = await caller.service.file_of(job_id, caller.scope)
    return download_response(request, job, stored, name, lambda: caller.service.downloaded(job))


async def get_stats(request: Request) -> dict[str, Any]:
    caller = await caller_of(request)
    statistics = asdict(await caller.service.statistics(caller.scope))
    oldest = statistics["oldest_pending_job"]
    return {**statistics, "oldest_pending_job": None if oldest is None else oldest.isoformat()}


async def get_history(
    request: Request, days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 30
) -> dict[str, Any]:
    caller = await caller_of(request)
    return asdict(await caller.service.history(days, caller.scope))
