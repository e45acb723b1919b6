"""Events to the host's bus, one after another in the order of their states."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from arkham_shard_export.ports import Events

SOURCE = "export"
DELIVERY_SECONDS = 1.0

log = logging.getLogger(__name__)


class Publisher:
    """One task delivers; a subscriber that fails or hangs delays later events, never a job."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._queue: asyncio.Queue[tuple[str, dict[str, Any], asyncio.Future[None]]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._deliver(), name="arkham-export-publisher")

    async def publish(self, event: str, **payload: Any) -> None:
        """Queue the event; returns once it is delivered, or after DELIVERY_SECONDS while it still is on its way."""
        delivered = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((event, payload, delivered))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(delivered), DELIVERY_SECONDS)

    async def stop(self) -> None:
        """Deliver what is queued, waiting no longer than DELIVERY_SECONDS."""
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._queue.join(), DELIVERY_SECONDS)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    async def _deliver(self) -> None:
        while True:
            event, payload, delivered = await self._queue.get()
            try:
                await self._events.emit(event, payload, source=SOURCE)
            except Exception:
                log.warning("A subscriber of %s failed.", event, exc_info=True)
            finally:
                if not delivered.done():
                    delivered.set_result(None)
                self._queue.task_done()
