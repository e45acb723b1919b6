"""How often a user and a tenant may ask, and how many downloads and streams they may have open, in one process.

Where nobody is signed in and there is no tenant, there is no limit.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from arkham_shard_export.api.callers import Identity, identity_of
from arkham_shard_export.errors import TooManyRequests
from arkham_shard_export.settings import Settings

MAX_BUCKETS = 20_000
"""Users and tenants that are remembered; the one that asked longest ago is forgotten for another."""
POLLED_COST = 0.1
"""Of a request that a page or a badge repeats every few seconds, and that costs the same among millions of jobs."""
STREAM_RETRY_SECONDS = 5
_POLLED = ("/count", "/jobs", "/jobs/{job_id}", "/stats")
_STREAMED = ("/download", "/events")

_Key = tuple[str, bytes]


class RequestLimits:
    """A bucket of a minute's requests for each, which fills up again all the time."""

    def __init__(self, settings: Settings, steady: Callable[[], float] = time.monotonic) -> None:
        self._requests = {
            "user": settings.max_requests_per_user,
            "tenant": settings.max_requests_per_tenant,
        }
        self._streams = {"user": settings.max_streams_per_user, "tenant": settings.max_streams_per_tenant}
        self._steady = steady
        self._buckets: OrderedDict[_Key, tuple[float, float]] = OrderedDict()
        self._open: Counter[_Key] = Counter()

    def count(self, identity: Identity, cost: float = 1.0) -> None:
        """TooManyRequests where the user or the tenant has asked too often; then nothing is counted."""
        now = self._steady()
        left = {}
        for key in _keys(identity):
            most = self._requests[key[0]]
            if not most:
                continue
            held, since = self._buckets.get(key, (float(most), now))
            held = min(float(most), held + (now - since) * most / 60)
            if held < cost:
                seconds = max(1, math.ceil((cost - held) * 60 / most))
                raise TooManyRequests(
                    f"This {key[0]} has sent more than {most} requests in a minute; try again in {seconds} seconds.",
                    seconds,
                )
            left[key] = (held - cost, now)
        for key, bucket in left.items():
            self._buckets[key] = bucket
            self._buckets.move_to_end(key)
        while len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)

    def open(self, identity: Identity) -> Callable[[], None]:
        """Count one more download or stream until what is returned is called; TooManyRequests over the limit."""
        keys = [key for key in _keys(identity) if self._streams[key[0]]]
        for key in keys:
            most = self._streams[key[0]]
            if self._open[key] >= most:
                raise TooManyRequests(
                    f"This {key[0]} has {most} downloads or streams open, which is the most at a time; "
                    "try again when one has ended.",
                    STREAM_RETRY_SECONDS,
                )
        for key in keys:
            self._open[key] += 1

        def close() -> None:
            for key in keys:
                self._open[key] -= 1
                if self._open[key] <= 0:
                    del self._open[key]
            keys.clear()

        return close


async def answer_within(
    limits: RequestLimits, request: Request, path: str, answer: Callable[[], Awaitable[Response]]
) -> Response:
    """What `answer` gives, where the limits of who asks allow it; `path` is that of the route."""
    identity = identity_of(request)
    polled = request.method == "GET" and path.endswith(_POLLED)
    limits.count(identity, POLLED_COST if polled else 1.0)
    if not path.endswith(_STREAMED):
        return await answer()
    close = limits.open(identity)
    try:
        response = await answer()
    except BaseException:
        close()
        raise
    return HeldResponse(response, close)


class HeldResponse(Response):
    """A response that is counted until it has been sent, however that ends."""

    def __init__(self, response: Response, close: Callable[[], None]) -> None:
        self._response = response
        self._close = close
        self.background = None
        self.status_code = response.status_code
        self.raw_headers = response.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._response(scope, receive, send)
        finally:
            self._close()


def _keys(identity: Identity) -> list[_Key]:
    """Of a few bytes each, however long an id is."""
    keys = []
    if identity.user_id is not None:
        keys.append(("user", _digest(f"{identity.tenant_id}\0{identity.user_id}")))
    if identity.tenant_id is not None:
        keys.append(("tenant", _digest(identity.tenant_id)))
    return keys


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
