"""The course of a job as Server-Sent Events, which any host goes on with where another has left off.

The `id` of each event is its position in the course of the job, and follows from the job's row alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from arkham_shard_export.api.callers import caller_of
from arkham_shard_export.api.waiting import leaving
from arkham_shard_export.jobs.course import ENDED, Happening, Position, course, position_of
from arkham_shard_export.jobs.following import Follower, Following
from arkham_shard_export.jobs.showing import job_fields
from arkham_shard_export.jobs.table.states import UNENDED

RETRY_MS = 3000
"""After which a client that was cut off connects again."""
IDLE_SECONDS = 15.0
"""Without an event, until a comment is sent: who stands between would take the connection for dead."""


async def get_events(request: Request, job_id: str) -> Response:
    """Whose job it is, is looked at here: later there is no request, and no tenant, to ask."""
    caller = await caller_of(request)
    job = await caller.service.get(job_id, caller.scope)
    after = position_of(request.headers.get("last-event-id", ""))
    if after is not None and after.rank == ENDED and job.status not in UNENDED:
        # There is nothing more to come: a browser connects again unless it is told so like this.
        return Response(status_code=204)
    caller.service.follower.admit()
    return EventStream(caller.service.follower, job.id, after)


class EventStream(Response):
    """Ends with the job, or when the client goes away, the host stops or the job is removed."""

    media_type = "text/event-stream"

    def __init__(self, follower: Follower, job_id: str, after: Position | None) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._follower = follower
        self._job_id = job_id
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def put(text: str, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": text.encode(), "more_body": more})

        with self._follower.listening(), self._follower.follow(self._job_id) as following:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            await put(f"retry: {RETRY_MS}\n\n")
            async with leaving(receive, following) as left:
                await self._tell(following, left, put)
                if not left.done():
                    await put("", more=False)

    async def _tell(
        self, following: Following, left: asyncio.Task[None], put: Callable[[str], Awaitable[None]]
    ) -> None:
        after = self._after
        while not left.done():
            over = following.over
            if following.state is not None:
                for happening in course(following.state, after):
                    if happening.is_end and following.job is None:
                        break
                    await put(event_of(happening, following))
                    after = happening.position
            if over:
                return
            if not await following.change(IDLE_SECONDS):
                await put(":\n\n")


def event_of(happening: Happening, following: Following) -> str:
    """The event as it is sent; with the end comes the whole job."""
    if happening.is_end and following.job is not None:
        name, data = "end", job_fields(following.job)
    else:
        name = "progress" if happening.is_progress else "state"
        data = {"id": following.job_id, "status": happening.status.value, "progress": happening.progress}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {happening.position}\nevent: {name}\ndata: {_carried(text)}\n\n"


def _carried(text: str) -> str:
    """A text that UTF-8 can carry; JSON has its line ends escaped already."""
    return text.encode("utf-8", "replace").decode()
