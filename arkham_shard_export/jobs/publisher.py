"""Events to the host's bus, one after another in the order of their states."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from typing import Any

from arkham_shard_export.ports import Events

SOURCE = "export"
SLOW_SECONDS = 10.0
STOP_SECONDS = 1.0

log = logging.getLogger(__name__)


class Publisher:
    """One task delivers; a subscriber that fails or hangs delays later events, never a job."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver, outside the context of whatever request happens to start us: it may have a tenant."""
        self._task = asyncio.create_task(
            self._deliver(), name="arkham-export-publisher", context=contextvars.Context()
        )

    def publish(self, event: str, **payload: Any) -> None:
        """Queue the event, to be delivered after those before it."""
        self._queue.put_nowait((event, payload))

    async def stop(self) -> None:
        """Deliver what is queued, waiting no longer than STOP_SECONDS."""
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._queue.join()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    async def _deliver(self) -> None:
        while True:
            event, payload = await self._queue.get()
            delivery = asyncio.create_task(self._emit(event, payload))
            try:
                # Cancelling a slow delivery would keep the event from the subscribers behind the slow one.
                while not (await asyncio.wait([delivery], timeout=SLOW_SECONDS))[0]:
                    log.warning("A subscriber of %s has not returned yet; later events wait for it.", event)
            finally:
                delivery.cancel()
                self._queue.task_done()

    async def _emit(self, event: str, payload: dict[str, Any]) -> None:
        try:
            await self._events.emit(event, payload, source=SOURCE)
        except Exception:
            log.warning("Delivering %s failed.", event, exc_info=True)
