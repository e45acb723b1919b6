"""The event bus and the file storage of the standalone host, with the interfaces of ArkhamFrame's."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

Subscriber = Callable[[dict[str, Any]], Any]

log = logging.getLogger(__name__)


class EventBus:
    """In memory, for one process. Subscribers run inside `emit`; what they raise is logged."""

    def __init__(self) -> None:
        self._subscribers: list[tuple[str, Subscriber]] = []

    async def emit(self, event_type: str, payload: dict[str, Any], source: str) -> None:
        event = {"event_type": event_type, "payload": payload, "source": source}
        for pattern, callback in list(self._subscribers):
            if fnmatch(event_type, pattern):
                try:
                    result = callback(event)
                    if inspect.isawaitable(result):
                        await result
                except Exception:
                    log.exception("A subscriber of %s failed.", event_type)

    async def subscribe(self, pattern: str, callback: Subscriber) -> None:
        self._subscribers.append((pattern, callback))

    async def unsubscribe(self, pattern: str, callback: Subscriber) -> None:
        self._subscribers = [each for each in self._subscribers if each != (pattern, callback)]


class FileStorage:
    """A folder; exports lie under `base_path / "exports"`."""

    def __init__(self, base_path: Path) -> None:
        self.base_path = base_path
