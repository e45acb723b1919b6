"""The host's event bus: in memory, in this process, in the emitter's own task."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from fnmatch import fnmatch
from typing import Any

logger = logging.getLogger(__name__)

Event = dict[str, Any]
Callback = Callable[[Event], Awaitable[None] | None]


class EventBus:
    """Subscribers run one after another inside `emit`, which therefore takes as long as they do together."""

    def __init__(self) -> None:
        self._subscriptions: list[tuple[str, Callback]] = []

    async def subscribe(self, pattern: str, callback: Callback) -> None:
        """`pattern` is read by `fnmatch`; the callback may be sync or async."""
        self._subscriptions.append((pattern, callback))

    async def unsubscribe(self, pattern: str, callback: Callback) -> None:
        """Takes away one subscription of exactly this pattern and callback; an unknown one is let pass."""
        if (pattern, callback) in self._subscriptions:
            self._subscriptions.remove((pattern, callback))

    async def emit(self, event_type: str, payload: dict[str, Any], source: str) -> None:
        """Never raises for a subscriber: its exception is logged and the next one is called."""
        for pattern, callback in list(self._subscriptions):
            if not fnmatch(event_type, pattern):
                continue
            try:
                answer = callback({"event_type": event_type, "payload": payload, "source": source})
                if inspect.isawaitable(answer):
                    await answer
            except Exception:
                logger.exception("A subscriber of %s failed on %s", pattern, event_type)

    async def close(self) -> None:
        """Forgets every subscriber."""
        self._subscriptions.clear()
