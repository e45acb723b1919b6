"""Routes of jobs and of their files."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Query, Request, Response

from arkham_shard_export.api.bodies import NewJobBody
from arkham_shard_export.api.callers import caller_of
from arkham_shard_export.api.downloads import download_response
from arkham_shard_export.api.waiting import job_response
from arkham_shard_export.jobs.service import MAX_LIST, MAX_OFFSET, job_fields
from arkham_shard_export.models import ExportFilter, ExportStatus


async def get_count(request: Request, status: str = ExportStatus.PENDING.value) -> dict[str, int]:
    caller = await caller_of(request)
    return {"count": await caller.service.count(ExportFilter(status=status), caller.scope)}


async def get_jobs(
    request: Request,
    status: str | None = None,
    format: str | None = None,
    target: str | None = None,
    created_by: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIST)] = 50,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
) -> dict[str, Any]:
    caller = await caller_of(request)
    chosen = ExportFilter(status=status, format=format, target=target, created_by=created_by)
    jobs = await caller.service.page(chosen, caller.scope, limit, offset)
    total = await caller.service.count(chosen, caller.scope)
    return {"jobs": [job_fields(job) for job in jobs], "total": total, "limit": limit, "offset": offset}


async def post_job(request: Request, body: NewJobBody) -> Response:
    caller = await caller_of(request)
    job = await caller.service.create(
        body.format,
        body.target,
        body.filters,
        body.options,
        created_by=caller.created_by,
        tenant_id=caller.scope.tenant_id,
        retention_hours=body.retention_hours,
    )
    return await job_response(request, caller, job, 201, {"Location": f"/api/export/jobs/{job.id}"})


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
    sha256 = job.metadata.get("sha256")
    return download_response(request, stored, name, sha256, lambda: caller.service.downloaded(job))


async def get_stats(request: Request) -> dict[str, Any]:
    caller = await caller_of(request)
    statistics = asdict(await caller.service.statistics(caller.scope))
    oldest = statistics["oldest_pending_job"]
    return {**statistics, "oldest_pending_job": None if oldest is None else oldest.isoformat()}
