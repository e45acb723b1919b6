"""The routes of the contract: bodies in, answers out, errors as one readable sentence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from arkham_shard_export.api_downloads import download_response
from arkham_shard_export.api_errors import (
    RETRY_SECONDS,
    TooLarge,
    error_response,
    limited,
    problem_of,
    response_of,
)
from arkham_shard_export.errors import ExportError, NotAllowed, ServiceUnavailable
from arkham_shard_export.jobs.operating.health import UNAVAILABLE, health_of, health_without
from arkham_shard_export.jobs.service import MAX_LIST, MAX_OFFSET, MAX_PREVIEW, JobService, job_fields
from arkham_shard_export.jobs.table.listing import EVERYTHING, Scope
from arkham_shard_export.models import ExportFilter, ExportStatus
from arkham_shard_export.settings import Settings

START_SECONDS = 0.2
"""How long a look at the whole waits for a service that is just being started."""


class JobBody(BaseModel):
    """What to export, as what, and how."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: str
    target: str
    filters: dict[str, Any] | None = None
    options: dict[str, Any] | None = None


class NewJobBody(JobBody):
    """`retention_hours` is how long the file is kept; 0 keeps it, where that is allowed."""

    retention_hours: float | None = None


class PreviewBody(JobBody):
    max_preview_records: int = Field(10, ge=1, le=MAX_PREVIEW)


class ExportRoute(APIRoute):
    """Answers every error of a route with `detail` as one sentence, and refuses bodies over the limit."""

    max_body_bytes: ClassVar[int]

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        body = PreviewBody if self.path.endswith("/preview") else NewJobBody
        fields = tuple(body.model_fields)

        async def handler(request: Request) -> Response:
            try:
                return await handle(limited(request, self.max_body_bytes))
            except TooLarge as error:
                return error_response(413, error.detail)
            except HTTPException as error:
                # FastAPI's answer where a body breaks the parser itself: too deep, not UTF-8, endless digits.
                if not isinstance(error.__cause__, ValueError | RecursionError):
                    raise
                return error_response(422, "The body is not valid JSON in UTF-8, or is nested too deeply.")
            except RequestValidationError as error:
                problems = [problem_of(each, fields) for each in error.errors()]
                return error_response(422, " ".join(each.sentence() for each in problems), problems)
            except ExportError as error:
                return response_of(error)

        return handler


class Caller:
    """Who asks: the running service, and whose jobs are theirs to see."""

    def __init__(self, service: JobService, scope: Scope, user: Any) -> None:
        self.service = service
        self.scope = scope
        self.created_by = str(user.id) if user is not None else "system"


def shard_of(request: Request) -> Any:
    shard = getattr(request.app.state, "export_shard", None)
    if shard is None:
        raise ServiceUnavailable("export", "The export shard is switched off in this host.")
    return shard


def owner_of(request: Request) -> str | None:
    """Where there are users, each sees the jobs of their own, unless their role is admin."""
    user = getattr(request.state, "user", None)
    return None if user is None or getattr(user, "role", None) == "admin" else str(user.id)


async def caller_of(request: Request) -> Caller:
    shard = shard_of(request)
    service = await shard.service()
    return Caller(service, shard.scope(owner_of(request)), getattr(request.state, "user", None))


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


async def post_job(request: Request, body: NewJobBody) -> JSONResponse:
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
    return JSONResponse(job_fields(job), 201, {"Location": f"/api/export/jobs/{job.id}"})


async def get_job(request: Request, job_id: str) -> dict[str, Any]:
    caller = await caller_of(request)
    return job_fields(await caller.service.get(job_id, caller.scope))


async def delete_job(request: Request, job_id: str) -> Response:
    caller = await caller_of(request)
    await caller.service.cancel(job_id, caller.scope)
    return Response(status_code=204)


async def download(request: Request, job_id: str) -> Response:
    caller = await caller_of(request)
    job, stored, name = await caller.service.file_of(job_id, caller.scope)
    sha256 = job.metadata.get("sha256")
    return download_response(request, stored, name, sha256, lambda: caller.service.downloaded(job))


async def get_formats(request: Request) -> list[dict[str, Any]]:
    caller = await caller_of(request)
    return [asdict(each) for each in caller.service.inventory.formats()]


async def get_targets(request: Request) -> list[dict[str, Any]]:
    caller = await caller_of(request)
    return [asdict(each) for each in await caller.service.inventory.targets(caller.scope.tenant_id)]


async def post_preview(request: Request, body: PreviewBody) -> dict[str, Any]:
    caller = await caller_of(request)
    preview = await caller.service.preview(
        body.format,
        body.target,
        body.filters,
        body.options,
        body.max_preview_records,
        caller.scope.tenant_id,
    )
    return asdict(preview)


async def get_stats(request: Request) -> dict[str, Any]:
    caller = await caller_of(request)
    statistics = asdict(await caller.service.statistics(caller.scope))
    oldest = statistics["oldest_pending_job"]
    return {**statistics, "oldest_pending_job": None if oldest is None else oldest.isoformat()}


async def get_health(request: Request) -> JSONResponse:
    operator = False
    try:
        shard = shard_of(request)
        operator = shard.scope(owner_of(request)) == EVERYTHING
        service = await shard.service_within(START_SECONDS)
        health = await health_of(service.watch)
    except ServiceUnavailable as error:
        health = health_without(error)
    body = health.body(operator)
    if health.status != UNAVAILABLE:
        return JSONResponse(body)
    detail = next(each.detail for each in health.checks.values() if each.detail is not None)
    return JSONResponse({**body, "detail": detail}, 503, {"Retry-After": str(RETRY_SECONDS[503])})


async def get_metrics(request: Request) -> Response:
    shard = shard_of(request)
    if shard.scope(owner_of(request)) != EVERYTHING:
        raise NotAllowed(
            "Metrics are over all tenants and users: only an admin without a tenant may see them."
        )
    service = await shard.service_within(START_SECONDS)
    text, media_type = await service.metrics.scraped(request.headers.get("accept", ""), shard.version)
    return Response(text, media_type=media_type)


_Endpoint = Callable[..., Awaitable[Any]]


def create_router(in_schema: bool = True) -> APIRouter:
    """The routes. A host that includes them twice takes the second time without schema."""
    limit = Settings.from_environment().max_body_bytes
    route_class = type("ExportRoute", (ExportRoute,), {"max_body_bytes": limit})
    router = APIRouter(
        prefix="/api/export", tags=["export"], route_class=route_class, include_in_schema=in_schema
    )
    routes: tuple[tuple[str, str, _Endpoint], ...] = (
        ("GET", "/count", get_count),
        ("GET", "/jobs", get_jobs),
        ("POST", "/jobs", post_job),
        ("GET", "/jobs/{job_id}", get_job),
        ("DELETE", "/jobs/{job_id}", delete_job),
        ("GET", "/jobs/{job_id}/download", download),
        ("HEAD", "/jobs/{job_id}/download", download),
        ("GET", "/formats", get_formats),
        ("GET", "/targets", get_targets),
        ("POST", "/preview", post_preview),
        ("GET", "/stats", get_stats),
        ("GET", "/health", get_health),
        ("GET", "/metrics", get_metrics),
    )
    for method, path, endpoint in routes:
        status = {"POST /jobs": 201, "DELETE /jobs/{job_id}": 204}.get(f"{method} {path}", 200)
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            response_model=None,
            response_class=PlainTextResponse if endpoint is get_metrics else JSONResponse,
            status_code=status,
            name=endpoint.__name__,
        )
    return router
