"""Events from the outbox to the host's bus, one after another, by the one host that holds the lease."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from arkham_shard_export.background import begin, end
from arkham_shard_export.errors import ExportError
from arkham_shard_export.jobs.table.lease import Lease
from arkham_shard_export.jobs.table.outbox import Event, Outbox
from arkham_shard_export.ports import Events

SOURCE = "export"
LOOK_SECONDS = 1.0
"""How often the outbox is looked at for events that another process has put there."""
SLOW_SECONDS = 10.0
STOP_SECONDS = 1.0

log = logging.getLogger(__name__)


class Publisher:
    """One task delivers; a subscriber that fails or hangs delays later events, never a job.

    An event arrives once. Only if the host dies after its subscribers have heard of it, and before that is recorded, it
    comes again, with the same `event_id` and `redelivered` in its payload.
    """

    def __init__(self, outbox: Outbox, lease: Lease, events: Events) -> None:
        self._outbox = outbox
        self._lease = lease
        self._events = events
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.heard: Callable[[Event], None] = _nothing
        """Called with each event that this host has delivered."""

    def start(self) -> None:
        self._task = begin(self._deliver_all(), "arkham-export-publisher")

    def wake(self) -> None:
        """There may be new events."""
        self._idle.clear()
        self._wake.set()

    async def stop(self) -> None:
        """Deliver what is there, waiting no longer than STOP_SECONDS."""
        if self._task is None:
            return
        self.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._idle.wait()
        await end(self._task)
        self._task = None

    async def _deliver_all(self) -> None:
        while True:
            self._wake.clear()
            try:
                while await self._lease.held() and await self._deliver_some():
                    pass
            except ExportError as error:
                log.debug("Events cannot be delivered now: %s", error)
            if not self._wake.is_set():
                self._idle.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()

    async def _deliver_some(self) -> bool:
        events = await self._outbox.take(self._lease.holder)
        arrived: list[Event] = []
        try:
            for event in events:
                await self._while_keeping_the_lease(event)
                arrived.append(event)
                self.heard(event)
        finally:
            await _again_if_it_fails(lambda: self._outbox.delivered(self._lease.holder, arrived))
        return bool(events)

    async def _while_keeping_the_lease(self, event: Event) -> None:
        delivery = asyncio.create_task(self._emit(event))
        try:
            # Cancelling a slow delivery would keep the event from the subscribers behind the slow one.
            while not (await asyncio.wait([delivery], timeout=SLOW_SECONDS))[0]:
                log.warning("A subscriber of %s has not returned yet; later events wait for it.", event.name)
                with contextlib.suppress(ExportError):
                    await self._lease.held()
        finally:
            delivery.cancel()

    async def _emit(self, event: Event) -> None:
        payload: dict[str, Any] = event.payload
        if event.redelivered:
            payload = {**payload, "redelivered": True}
        try:
            await self._events.emit(event.name, payload, source=SOURCE)
        except Exception:
            log.warning("Delivering %s failed.", event.name, exc_info=True)


async def _again_if_it_fails(work: Callable[[], Awaitable[None]]) -> None:
    """What is not recorded as delivered is delivered again."""
    for seconds in (0.1, 0.5, 2.0):
        try:
            return await work()
        except ExportError:
            await asyncio.sleep(seconds)
    return await work()


def _nothing(_event: Event) -> None:
    """Nobody counts events."""
