"""A file of the store as an answer: whole, or the one range of it that was asked for (RFC 9110).

Ranges are read here and not by Starlette, whose parser cost quadratic time on many ranges (CVE-2025-62727).
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from arkham_shard_export.api.conditions import Version, unchanged
from arkham_shard_export.api.errors import error_response
from arkham_shard_export.jobs.files import MEDIA_TYPES, StoredObject, extension_of
from arkham_shard_export.models import ExportJob

Told = Callable[[], Coroutine[Any, Any, None]]

CONFINED = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""With these a file runs nothing in our origin."""

_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` to before `stop`; `asked`: as a range."""

    start: int
    stop: int
    asked: bool = True


class Unsatisfiable(Exception):
    """A range that begins behind the end of the file."""


def span_of(text: str | None, size: int) -> Span:
    """What a Range header asks of a file; several ranges, other units and nonsense mean all of it."""
    whole = Span(0, size, asked=False)
    match = _RANGE.fullmatch(text) if text is not None else None
    if match is None or match.groups() == ("", ""):
        return whole
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return whole
    if start >= size:
        raise Unsatisfiable
    return Span(start, stop)


def disposition(name: str) -> str:
    """`attachment` under this name (RFC 6266).

    `filename*` is what browsers read; for those who do not know it (curl) the plain one holds the same in UTF-8.
    """
    name = "".join(each if each.isprintable() and each not in '/\\"' else "_" for each in name)
    # Headers are sent as Latin-1.
    attachment = f'attachment; filename="{name.encode().decode("latin-1")}"'
    return attachment if name.isascii() else f"{attachment}; filename*=UTF-8''{quote(name, safe='')}"


def download_response(
    request: Request, job: ExportJob, stored: StoredObject, name: str, told: Told
) -> Response:
    """The answer to a GET or HEAD; `told` is called when the first part of the file was sent.

    PreconditionFailed where the request is about another file.
    """
    sha256 = job.metadata.get("sha256")
    known = isinstance(sha256, str) and _SHA256.fullmatch(sha256) is not None
    etag = f'"{sha256}"' if known else None
    caching = {
        **({"ETag": etag} if etag else {}),
        "Last-Modified": format_datetime(stored.modified_at, usegmt=True),
        **({"Expires": format_datetime(job.expires_at, usegmt=True)} if job.expires_at else {}),
    }
    if unchanged(request, Version(etag, stored.modified_at)):
        return Response(status_code=304, headers=caching)
    headers = {
        **caching,
        **({"Repr-Digest": _digest(str(sha256))} if known else {}),
        **_counts(job),
        "Accept-Ranges": "bytes",
        "Content-Disposition": disposition(name),
        **CONFINED,
    }
    media_type = MEDIA_TYPES.get(extension_of(stored.name))
    if request.method == "HEAD":
        return Response(headers={**headers, "Content-Length": str(stored.size)}, media_type=media_type)
    try:
        span = span_of(_range_asked(request, etag), stored.size)
    except Unsatisfiable:
        told_size = {"Accept-Ranges": "bytes", "Content-Range": f"bytes */{stored.size}"}
        detail = f"The file ends before this range begins; it has {stored.size} bytes."
        return error_response(416, detail, headers=told_size)
    headers["Content-Length"] = str(span.stop - span.start)
    if span.asked:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{stored.size}"
    # The later parts of a download that is fetched in parts are no downloads of their own.
    body = _body(stored, span, told if span.start == 0 else None)
    return _FileResponse(body, 206 if span.asked else 200, headers, media_type)


def _digest(sha256: str) -> str:
    """The hash of the whole file as RFC 9530 writes it."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def _counts(job: ExportJob) -> dict[str, str]:
    """How complete the file is: records in it, records left out, values that could not be carried as they were."""
    completeness, adjustments = job.metadata.get("completeness"), job.metadata.get("adjustments")
    skipped = completeness.get("skipped") if isinstance(completeness, dict) else None
    counts = {"Export-Records": job.record_count, "Export-Skipped": skipped}
    if isinstance(adjustments, list):
        given = [each.get("count") for each in adjustments if isinstance(each, dict)]
        counts["Export-Adjusted"] = sum(each for each in given if isinstance(each, int))
    return {name: str(count) for name, count in counts.items() if isinstance(count, int)}


def _range_asked(request: Request, etag: str | None) -> str | None:
    """The Range header, unless the file is another than the one that the client has a part of."""
    ranges = request.headers.getlist("range")
    condition = request.headers.get("if-range")
    if len(ranges) != 1 or (condition is not None and condition.strip() != etag):
        return None
    return ranges[0].strip()


async def _body(stored: StoredObject, span: Span, told: Told | None) -> AsyncGenerator[bytes, None]:
    async with aclosing(stored.read(span.start, span.stop)) as blocks:
        async for block in blocks:
            yield block
    if told is not None:
        await told()


class _FileResponse(StreamingResponse):
    """Where reading fails midway the error is raised, upon which the server breaks the connection off."""

    body_iterator: AsyncGenerator[bytes, None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # However it ends, the file is closed.
        async with aclosing(self.body_iterator):
            await super().__call__(scope, receive, send)
