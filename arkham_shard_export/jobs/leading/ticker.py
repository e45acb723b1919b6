"""Looks for schedules that are due, in the one host that holds the lease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from arkham_shard_export.background import begin, end
from arkham_shard_export.errors import ExportError
from arkham_shard_export.jobs.table.lease import Lease

log = logging.getLogger(__name__)


class Ticker:
    """Nothing depends on it that `tick` is called by one alone, or in time."""

    def __init__(self, lease: Lease, tick: Callable[[], Awaitable[None]], every_seconds: float) -> None:
        self._lease = lease
        self._tick = tick
        self._every_seconds = every_seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = begin(self._tick_on(), "arkham-export-ticker")

    async def stop(self) -> None:
        await end(self._task)

    async def _tick_on(self) -> None:
        while True:
            try:
                if await self._lease.held():
                    await self._tick()
            except ExportError as error:
                log.warning("Schedules cannot be looked at now: %s", error)
            except Exception:
                log.exception("Schedules cannot be looked at now.")
            await asyncio.sleep(self._every_seconds)
