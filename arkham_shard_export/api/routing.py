"""The router: which path is whose, and what every route has in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from arkham_shard_export.api import catalog, jobs, links, operators
from arkham_shard_export.api.bodies import NewJobBody, PreviewBody, check_depth
from arkham_shard_export.api.errors import (
    TooLarge,
    error_response,
    limited,
    problem_of,
    response_of,
)
from arkham_shard_export.api.limits import RequestLimits, answer_within
from arkham_shard_export.errors import ExportError
from arkham_shard_export.settings import Settings

_Endpoint = Callable[..., Awaitable[Any]]


class ExportRoute(APIRoute):
    """Answers every error of a route with `detail` as one sentence, and refuses bodies over the limit."""

    max_body_bytes: ClassVar[int]
    limits: ClassVar[RequestLimits]

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        body = PreviewBody if self.path.endswith("/preview") else NewJobBody
        fields = tuple(body.model_fields)

        async def answer(request: Request) -> Response:
            request = limited(request, self.max_body_bytes)
            if request.method == "POST":
                check_depth(await request.body())
            return await handle(request)

        async def handler(request: Request) -> Response:
            try:
                return await answer_within(self.limits, request, self.path, lambda: answer(request))
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


def create_router(in_schema: bool = True) -> APIRouter:
    """The routes. A host that includes them twice takes the second time without schema."""
    settings = Settings.from_environment()
    common = {"max_body_bytes": settings.max_body_bytes, "limits": RequestLimits(settings)}
    route_class = type("ExportRoute", (ExportRoute,), common)
    router = APIRouter(
        prefix="/api/export", tags=["export"], route_class=route_class, include_in_schema=in_schema
    )
    routes: tuple[tuple[str, str, _Endpoint], ...] = (
        ("GET", "/count", jobs.get_count),
        ("GET", "/jobs", jobs.get_jobs),
        ("POST", "/jobs", jobs.post_job),
        ("GET", "/jobs/{job_id}", jobs.get_job),
        ("DELETE", "/jobs/{job_id}", jobs.delete_job),
        ("GET", "/jobs/{job_id}/download", jobs.download),
        ("HEAD", "/jobs/{job_id}/download", jobs.download),
        ("POST", "/jobs/{job_id}/link", links.post_link),
        ("GET", "/formats", catalog.get_formats),
        ("GET", "/targets", catalog.get_targets),
        ("POST", "/preview", catalog.post_preview),
        ("GET", "/stats", jobs.get_stats),
        ("GET", "/health", operators.get_health),
        ("GET", "/metrics", operators.get_metrics),
    )
    for method, path, endpoint in routes:
        status = {"POST /jobs": 201, "DELETE /jobs/{job_id}": 204}.get(f"{method} {path}", 200)
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            response_model=None,
            response_class=PlainTextResponse if endpoint is operators.get_metrics else JSONResponse,
            status_code=status,
            name=endpoint.__name__,
        )
    return router
