"""What the inner layers need from outside, as small Protocols owned by their users."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any, Protocol, runtime_checkable

Parameters = Sequence[Any] | Mapping[str, Any]


class Database(Protocol):
    """The host's database service. Only `execute` commits; a call may block the event loop, so keep it small."""

    async def execute(self, sql: str, params: Parameters | None = None) -> None: ...

    async def fetch_one(self, sql: str, params: Parameters | None = None) -> dict[str, Any] | None: ...

    async def fetch_all(self, sql: str, params: Parameters | None = None) -> list[dict[str, Any]]: ...


@runtime_checkable
class Returning(Protocol):
    """What a database service has besides if it tells what a change has done, which spares the look afterwards."""

    async def change(self, sql: str, params: Parameters | None = None) -> list[dict[str, Any]]:
        """As `execute`; gives the rows of the statement's RETURNING."""
        ...


class Events(Protocol):
    """The host's bus: subscribers run inside `emit`, one after another."""

    async def emit(self, event_type: str, payload: dict[str, Any], source: str) -> None: ...


class Clock(Protocol):
    """Gives the present as an aware UTC datetime."""

    def __call__(self) -> datetime: ...


class Output(Protocol):
    """Whatever takes bytes."""

    def write(self, data: bytes) -> object: ...


class Sink(Output, Protocol):
    """Where a writer's bytes go; they become a file only if the whole export succeeds."""

    def scratch(self) -> IO[bytes]:
        """An unnamed file for what must wait its turn: it is gone when it is closed, or when the process ends."""
        ...


def system_clock() -> datetime:
    """The one clock of the running program."""
    return datetime.now(UTC)


def steady_seconds() -> float:
    """Seconds that pass while the machine sleeps too, and that nobody sets."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(boot) if boot is not None else time.monotonic()
