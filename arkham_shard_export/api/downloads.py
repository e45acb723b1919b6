"""A file of the store as an answer: whole, or the one range of it that was asked for (RFC 9110)."""

from __future__ import annotations

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

from arkham_shard_export.jobs.files import MEDIA_TYPES, StoredObject, extension_of

Told = Callable[[], Coroutine[Any, Any, None]]

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
    """`attachment` under this name (RFC 6266), with a stand-in for readers of ASCII alone."""
    name = "".join(each if each.isprintable() and each not in '/\\"' else "_" for each in name)
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    attachment = f'attachment; filename="{plain}"'
    return attachment if plain == name else f"{attachment}; filename*=UTF-8''{quote(name, safe='')}"


def download_response(
    request: Request, stored: StoredObject, name: str, sha256: object, told: Told
) -> Response:
    """The answer to a GET or HEAD; `told` is called when the first part of the file was sent."""
    etag = f'"{sha256}"' if isinstance(sha256, str) and _SHA256.fullmatch(sha256) else None
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": disposition(name),
        "Last-Modified": format_datetime(stored.modified_at, usegmt=True),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        **({"ETag": etag} if etag else {}),
    }
    media_type = MEDIA_TYPES.get(extension_of(stored.name))
    if request.method == "HEAD":
        return Response(headers={**headers, "Content-Length": str(stored.size)}, media_type=media_type)
    try:
        span = span_of(_range_asked(request, etag), stored.size)
    except Unsatisfiable:
        return Response(
            status_code=416, headers={"Accept-Ranges": "bytes", "Content-Range": f"bytes */{stored.size}"}
        )
    headers["Content-Length"] = str(span.stop - span.start)
    if span.asked:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{stored.size}"
    # The later parts of a download that is fetched in parts are no downloads of their own.
    body = _body(stored, span, told if span.start == 0 else None)
    return _FileResponse(body, 206 if span.asked else 200, headers, media_type)


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
