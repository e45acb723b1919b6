"""Every error as a problem (RFC 9457): `type` for programs, `detail` one sentence for a person, `errors` the wrong fields."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from arkham_shard_export.errors import (
    ExportError,
    FieldProblem,
    FileExpired,
    FileMissing,
    InvalidRequest,
    JobNotCompleted,
    JobNotFound,
    KeyInUse,
    NotAllowed,
    PreconditionFailed,
    ScheduleNotFound,
    ServiceUnavailable,
    SourceFailed,
    StoreFull,
    TemplateNotFound,
    TooManyJobs,
    TooManyListeners,
    TooManyRequests,
    TooManySchedules,
)

RETRY_SECONDS = {409: 1, 429: 10, 503: 5, 507: 300}
MAX_SHOWN = 200
STATUS_OF: dict[type[ExportError], int] = {
    InvalidRequest: 422,
    JobNotFound: 404,
    TemplateNotFound: 404,
    ScheduleNotFound: 404,
    JobNotCompleted: 400,
    NotAllowed: 403,
    FileExpired: 410,
    FileMissing: 404,
    KeyInUse: 409,
    PreconditionFailed: 412,
    TooManyJobs: 429,
    TooManyListeners: 503,
    TooManyRequests: 429,
    TooManySchedules: 409,
    StoreFull: 507,
    ServiceUnavailable: 503,
    SourceFailed: 503,
}


MEDIA_TYPE = "application/problem+json"
TYPE = "urn:arkham-export:problem:"
CAUSES = {
    400: "bad-request",
    401: "not-signed-in",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    413: "body-too-large",
    415: "unsupported-media-type",
    416: "range-not-satisfiable",
    421: "misdirected-request",
    422: "invalid-request",
    429: "too-many-requests",
    500: "internal-error",
    503: "service-unavailable",
}
"""Names of problems that no error of ours stands for."""


class WrongField(BaseModel):
    """One wrong field of a request: what was given, what is wrong with it and, where the choice is closed, what is valid."""

    field: str
    value: Any
    message: str
    valid: list[str]


class ExportProblem(BaseModel):
    """Why a request was not answered (RFC 9457). `type` and `status` are stable; `detail` is for people and may change."""

    type: str = Field(examples=[f"{TYPE}job-not-found"])
    title: str = Field(examples=["Job not found"])
    status: int = Field(examples=[404])
    detail: str = Field(
        examples=["There is no export job with this id. GET /api/export/jobs lists the jobs."]
    )
    errors: list[WrongField] | None = None


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE


class TooLarge(HTTPException):
    """The body is over the limit; raised while it is being received."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"The body is too large; at most {limit} bytes are accepted.")


def limited(request: Request, limit: int) -> Request:
    """The request, whose body raises TooLarge as soon as more than `limit` bytes have come."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge(limit)
    received = 0

    async def receive() -> MutableMapping[str, Any]:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise TooLarge(limit)
        return message

    return Request(request.scope, receive)


def error_response(
    status: int,
    detail: str,
    problems: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
    *,
    name: str | None = None,
) -> ProblemResponse:
    """`name` is that of the problem, where it is not simply the status's."""
    name = name or CAUSES.get(status, "error")
    body: dict[str, Any] = {
        "type": f"{TYPE}{name}",
        "title": name.replace("-", " ").capitalize(),
        "status": status,
        "detail": _carried(detail),
    }
    if problems:
        body["errors"] = [
            {
                "field": _plain(each.field),
                "value": _plain(each.value),
                "message": _carried(each.message),
                "valid": list(each.valid),
            }
            for each in problems
        ]
    return ProblemResponse(body, status, headers)


def name_of(kind: type[ExportError]) -> str:
    """JobNotFound is job-not-found."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()


def response_of(error: ExportError) -> ProblemResponse:
    kind = next((each for each in STATUS_OF if isinstance(error, each)), None)
    status = 500 if kind is None else STATUS_OF[kind]
    later = status in RETRY_SECONDS and not isinstance(error, TooManySchedules)
    headers = {"Retry-After": str(RETRY_SECONDS[status])} if later else None
    if isinstance(error, TooManyRequests):
        headers = {"Retry-After": str(error.retry_seconds)}
    problems = list(error.problems) if isinstance(error, InvalidRequest) else None
    return error_response(
        status, str(error), problems, headers, name=name_of(kind) if kind is not None else None
    )


def _plain(value: object) -> object:
    """A given value as it may be shown again: short, and text that JSON can carry."""
    if value is None or isinstance(value, bool | int):
        return value
    return _carried(str(value)[:MAX_SHOWN])


def _carried(text: str) -> str:
    """Text that UTF-8 can carry."""
    return text.encode("utf-8", "replace").decode()


def problem_of(error: Any, fields: tuple[str, ...]) -> FieldProblem:
    """FastAPI's account of a wrong field, as a sentence of ours; `fields` are those the body may have."""
    place = [str(part) for part in error["loc"] if part not in ("body", "query", "path")]
    field = ".".join(place)[:MAX_SHOWN] or "body"
    kind, context, value = error["type"], error.get("ctx", {}), error.get("input")
    shown = repr(_plain(value))
    messages = {
        "missing": f"{field} is missing." if place else "The body is missing; send a JSON object.",
        "extra_forbidden": f"Unknown field {field!r}.",
        "json_invalid": "The body is not valid JSON.",
        "string_type": f"{field} must be a text, not {shown}.",
        "dict_type": f"{field} must be an object, not {shown}.",
        "greater_than_equal": f"{field} must be at least {context.get('ge')}, not {shown}.",
        "less_than_equal": f"{field} must be at most {context.get('le')}, not {shown}.",
        "model_attributes_type": "The body must be a JSON object.",
        "model_type": "The body must be a JSON object.",
    }
    message = messages.get(kind)
    if message is None:
        whole = "int" in kind
        message = f"{field} must be a whole number, not {shown}." if whole else f"{field}: {error['msg']}."
    valid = fields if kind == "extra_forbidden" else ()
    return FieldProblem("body" if kind == "json_invalid" else field, value, message, valid)
