"""A job as an answer, held back for as long as the client prefers to wait for its end (RFC 7240)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from arkham_shard_export.api.callers import Caller
from arkham_shard_export.background import begin, end
from arkham_shard_export.errors import JobNotFound
from arkham_shard_export.jobs.following import Following
from arkham_shard_export.jobs.showing import job_fields
from arkham_shard_export.jobs.table.rows import progress_of
from arkham_shard_export.jobs.table.states import UNENDED
from arkham_shard_export.models import ExportJob

MOST_SECONDS = 60
LEAST_RETRY_SECONDS, MOST_RETRY_SECONDS = 1, 10
MOST_HEADER = 1000
_DIGITS = frozenset("0123456789")

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def job_response(
    request: Request,
    caller: Caller,
    job: ExportJob,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    """The job, as it is when it has ended or the client's time is over; at once where no wait is preferred."""
    headers = dict(headers or {})
    seconds = seconds_preferred(request)
    if seconds is not None:
        headers["Preference-Applied"] = f"wait={seconds}"
        if seconds and job.status in UNENDED:
            job = await _waited(request, caller, job, seconds, keep=status == 201)
    if job.status in UNENDED:
        headers["Retry-After"] = str(retry_seconds(job))
    return JSONResponse(job_fields(job), status, headers)


async def _waited(request: Request, caller: Caller, job: ExportJob, seconds: int, *, keep: bool) -> ExportJob:
    """`keep`: the job was made by this very request, which is to be answered even if it is gone meanwhile."""
    deadline = asyncio.get_running_loop().time() + seconds
    with caller.service.follower.follow(job.id) as following:
        async with leaving(request.receive, following) as left:
            while not following.over and not left.done():
                rest = deadline - asyncio.get_running_loop().time()
                if rest <= 0 or not await following.change(rest):
                    break
    if following.gone and not keep:
        raise JobNotFound(job.id)
    return known(following, job)


def known(following: Following, job: ExportJob) -> ExportJob:
    """The job by the newest that is known of it, without asking the database, which may hang."""
    if following.job is not None:
        return following.job
    state = following.state
    return job if state is None or state.ended else state.brought_to(job)


@asynccontextmanager
async def leaving(receive: Receive, following: Following) -> AsyncIterator[asyncio.Task[None]]:
    """A task that is done, having nudged the follower, when the client has gone away."""
    left = begin(_left(receive), "arkham-export-client")
    left.add_done_callback(lambda _task: following.nudge())
    try:
        yield left
    finally:
        await end(left)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def retry_seconds(job: ExportJob) -> int:
    """When it is worth while to ask again."""
    left = (progress_of(job) or {}).get("seconds_left") or 0.0
    return max(LEAST_RETRY_SECONDS, min(MOST_RETRY_SECONDS, math.ceil(left)))


def seconds_preferred(request: Request) -> int | None:
    """What `Prefer: wait` asks for, at most MOST_SECONDS; None without it, or where it is malformed.

    RFC 7240: the first of several counts, and what is malformed or unknown is as if it were not there.
    """
    for preference in _preferences(", ".join(request.headers.getlist("prefer"))):
        name, equals, value = preference.partition("=")
        if name.strip().lower() != "wait":
            continue
        value = value.strip()
        if len(value) > 2 and value[0] == value[-1] == '"':
            value = value[1:-1]
        if not equals or not value or not _DIGITS.issuperset(value):
            return None
        digits = value.lstrip("0") or "0"
        return MOST_SECONDS if len(digits) > 2 else min(MOST_SECONDS, int(digits))
    return None


def _preferences(header: str) -> Iterator[str]:
    """The preferences of a header, without their parameters; commas and semicolons in quotes divide nothing."""
    preference, in_quotes, in_parameters, escaped = "", False, False, False
    for character in header[:MOST_HEADER]:
        if escaped:
            escaped = False
        elif in_quotes and character == "\\":
            escaped = True
        elif character == '"':
            in_quotes = not in_quotes
        elif character == "," and not in_quotes:
            yield preference
            preference, in_parameters = "", False
            continue
        elif character == ";" and not in_quotes:
            in_parameters = True
        if not in_parameters:
            preference += character
    yield preference
