"""The router: which path is whose, and what every route has in common."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from arkham_shard_export.api.bodies import check_depth, fields_of
from arkham_shard_export.api.errors import (
    TooLarge,
    error_response,
    limited,
    problem_of,
    response_of,
)
from arkham_shard_export.api.limits import RequestLimits, answer_within
from arkham_shard_export.api.pages import SEVERAL
from arkham_shard_export.api.routes import PREFIX, ROUTES
from arkham_shard_export.api.ui import add_page
from arkham_shard_export.errors import ExportError, FieldProblem, InvalidRequest
from arkham_shard_export.formats.wordlayout import MAX_LAYOUT_BYTES
from arkham_shard_export.settings import Settings

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_JSON = ("application/json", "+json")

log = logging.getLogger(__name__)


class ExportRoute(APIRoute):
    """Answers every error of a route as a problem, and refuses bodies that are over the limit or no JSON."""

    max_body_bytes: ClassVar[int]
    limits: ClassVar[RequestLimits]
    file_types: ClassVar[dict[str, tuple[str, ...]]]
    """Of bodies that are files, by the name of the route."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        fields = fields_of(self.body_field)
        file_types = self.file_types.get(self.name, ())
        most_bytes = MAX_LAYOUT_BYTES if file_types else self.max_body_bytes

        async def answer(request: Request) -> Response:
            if self.body_field is not None and not _is_json(request):
                return error_response(
                    415,
                    "The body must be JSON; send it with the header Content-Type: application/json.",
                    headers={"Accept": "application/json"},
                )
            if file_types and _media_type(request) not in file_types:
                detail = f"The body must be a Word file (.docx); send it with the header Content-Type: {file_types[0]}."
                return error_response(415, detail, headers={"Accept": ", ".join(file_types)})
            _check_once(request, self)
            request = limited(request, most_bytes)
            if not file_types and request.method in ("POST", "PUT", "PATCH"):
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
                    return error_response(error.status_code, str(error.detail), headers=_plain(error.headers))
                return error_response(422, "The body is not valid JSON in UTF-8, or is nested too deeply.")
            except RequestValidationError as error:
                problems = [problem_of(each, fields) for each in error.errors()]
                return error_response(422, " ".join(each.sentence() for each in problems), problems)
            except ExportError as error:
                return response_of(error)
            except ClientDisconnect:
                return error_response(400, "The body broke off.")
            except Exception:
                # The text of an error that nobody has foreseen may tell of paths and statements.
                log.exception("%s %s could not be answered.", request.method, self.path)
                return error_response(500, "The request could not be answered; the host's log says why.")

        return handler


def create_router(in_schema: bool = True) -> APIRouter:
    """The routes. A host that includes them twice takes the second time without schema."""
    settings = Settings.from_environment()
    common = {
        "max_body_bytes": settings.max_body_bytes,
        "limits": RequestLimits(settings),
        "file_types": {each.name: each.file_types for each in ROUTES},
    }
    route_class = type("ExportRoute", (ExportRoute,), common)
    router = APIRouter(prefix=PREFIX, tags=["export"], route_class=route_class, include_in_schema=in_schema)
    known: list[APIRoute] = []

    async def answer_unknown(request: Request) -> Response:
        return _unknown(request, known)

    for each in sorted(ROUTES, key=lambda each: "{" in each.path):
        router.add_api_route(
            each.path,
            each.endpoint,
            methods=[each.method],
            response_model=None,
            response_class=each.response_class,
            status_code=each.status,
            name=each.name,
            operation_id=f"export_{each.name}",
            responses=each.documented(),
            openapi_extra=each.body,
        )
        if "{" not in each.path:
            # Whatever its method, nothing is looked for under the name of a path of its own.
            taken = [one.method for one in ROUTES if one.path == each.path]
            others = [method for method in METHODS if method not in taken]
            router.add_api_route(each.path, answer_unknown, methods=others, include_in_schema=False)
    add_page(router)
    known += [
        each for each in router.routes if isinstance(each, APIRoute) and each.endpoint is not answer_unknown
    ]
    for path in ("", "/{rest:path}"):
        router.add_api_route(path, answer_unknown, methods=[*METHODS], include_in_schema=False)
    return router


def _unknown(request: Request, known: list[APIRoute]) -> Response:
    """What no route takes: with another method it might."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    taking = [each for each in known if each.path_regex.match(path)]
    # A path of its own goes before one whose id it might be.
    taking = [each for each in taking if each.path == path] or taking
    allowed = sorted({name for each in taking for name in each.methods or ()})
    if not allowed:
        return error_response(
            404, "There is nothing here. /api/export/jobs, /formats and /targets are places to start."
        )
    headers = {"Allow": ", ".join(allowed)}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=headers)
    return error_response(
        405, f"{request.method} is not possible here; possible is {', '.join(allowed)}.", headers=headers
    )


def _check_once(request: Request, route: APIRoute) -> None:
    """InvalidRequest where a parameter that has one value is given several, of which FastAPI would take the last."""
    given = Counter(name for name, _ in request.query_params.multi_items())
    several = SEVERAL if route.path.endswith("/jobs") else ()
    problems = [
        FieldProblem(name, None, f"{name} is given {given[name]} times; give it once.")
        for name in (each.alias for each in route.dependant.query_params)
        if given[name] > 1 and name not in several
    ]
    if problems:
        raise InvalidRequest(problems)


def _is_json(request: Request) -> bool:
    return _media_type(request).endswith(_JSON)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _plain(headers: Any) -> dict[str, str] | None:
    return None if headers is None else dict(headers)
