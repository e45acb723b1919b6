"""What an operation wants done next. Operations are generators of steps: the two clients differ only in who takes them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Result = TypeVar("Result")
Feed = Callable[[bytes], bool]
"""Takes the next bytes; false where no more are wanted."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request whose answer is wanted whole; Unreachable is thrown in where there is none."""

    method: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    timeout_seconds: float | None = None
    """Without a byte; None: the client's own."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """A request whose answer, if it is a success, goes piece by piece where `begin` says when the headers are there.

    `blocking`: taking a piece may wait for a disk.
    """

    ask: Ask
    begin: Callable[[Answer], Feed]
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """`trouble` is why the last try has to be repeated, in one sentence; empty where nothing is wrong."""

    seconds: float
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """Something that may wait for a disk; its result is sent in."""

    call: Callable[[], Any]


Step = Ask | Fetch | Pause | Work
Operation = Generator[Step, Any, Result]
