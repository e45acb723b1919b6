"""Tiny shards for the stand-in's own tests: one that works, and some that break one step of the contract."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from arkham_frame import ArkhamShard
from arkham_frame.frame import ArkhamFrame
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse


class WorkingShard(ArkhamShard):
    """Tells over HTTP what it sees: its instance, the tenant, the user, and the tenant of its runner task."""

    name = "standin"
    version = "0.1.0"
    description = "A shard for the stand-in's own tests"
    started = 0

    async def initialize(self, frame: ArkhamFrame) -> None:
        assert frame.app is not None
        WorkingShard.started += 1
        self.number = WorkingShard.started
        self.frame = frame
        self.shards_seen = list(frame.shards)
        self.stopped = False
        self.orders: asyncio.Queue[asyncio.Future[str]] = asyncio.Queue()
        self.runner = asyncio.create_task(self._run())
        frame.app.state.standin_shard = self

    async def shutdown(self) -> None:
        self.stopped = True
        self.database_at_shutdown = self.frame.database and await self.frame.database.fetch_one(
            "SELECT 1 AS one"
        )
        self.runner.cancel()
        await asyncio.gather(self.runner, return_exceptions=True)

    def get_routes(self) -> APIRouter:
        return _routes()

    async def get_badge_count(self) -> int:
        return 3

    async def get_subroute_badge_count(self, sub_id: str) -> int:
        return len(sub_id)

    async def _run(self) -> None:
        while True:
            (await self.orders.get()).set_result(str(self.get_tenant_id_or_none()))


class SilentShard(WorkingShard):
    """Its badge counts raise."""

    async def get_badge_count(self) -> int:
        raise RuntimeError("nothing to count")


class FailingShard(WorkingShard):
    """Its start raises."""

    async def initialize(self, frame: ArkhamFrame) -> None:
        raise RuntimeError(f"no start today with {len(frame.shards)} shards")


class OldShard(ArkhamShard):
    """Names its router the older way and counts nothing."""

    name = "old"

    async def initialize(self, frame: ArkhamFrame) -> None:
        """Needs nothing."""

    async def shutdown(self) -> None:
        raise RuntimeError("no stop today")

    def get_api_router(self) -> APIRouter:
        router = APIRouter(prefix="/api/old")

        @router.get("/hello")
        async def hello() -> str:
            return "hello"

        return router


def _routes() -> APIRouter:
    router = APIRouter(prefix="/api/standin")

    def current(request: Request) -> WorkingShard:
        shard: WorkingShard = request.app.state.standin_shard
        return shard

    @router.get("/number")
    async def number(request: Request) -> int:
        return current(request).number

    @router.get("/user")
    async def user(request: Request) -> dict[str, Any]:
        found = getattr(request.state, "user", None)
        names = ("id", "email", "role", "tenant_id")
        return {} if found is None else {name: str(getattr(found, name)) for name in names}

    @router.get("/tenants")
    async def tenants(request: Request) -> dict[str, str]:
        """The tenant in the route, in a task the route starts, and in the runner started with the shard."""
        shard = current(request)

        async def tenant() -> str:
            return str(shard.get_tenant_id_or_none())

        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        shard.orders.put_nowait(answer)
        return {"route": await tenant(), "task": await asyncio.create_task(tenant()), "runner": await answer}

    @router.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"part "

        return StreamingResponse(parts(), headers={"Cache-Control": "max-age=60"})

    return router
