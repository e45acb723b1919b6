"""Tasks that go on beside the requests: how they begin, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def begin(work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """A task outside the context of whatever request happens to start it: it may have a tenant."""
    return asyncio.create_task(work, name=name, context=contextvars.Context())


async def end(task: asyncio.Task[Any] | None) -> None:
    """Cancel a task and wait until it has ended; another error than its cancellation is raised."""
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
