"""Other processes that encode portions of a large export over the same snapshot, and the side of them their employer holds.

Members take portions in turn and send each batch as a part of the file; the parts are handed on in the order in which
one process would have written them.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

import msgspec

from arkham_shard_export.children import ending, reap, started
from arkham_shard_export.errors import CrewFailed, DatabaseGone, SourceFailed
from arkham_shard_export.pipeline.request import ExportRequest
from arkham_shard_export.records import Helpers, Portion
from arkham_shard_export.schema import Target
from arkham_shard_export.sources.location import Location

HELD_BYTES = 8 << 20
"""Parts that a member may be ahead of the file."""
_START = "from arkham_shard_export.pipeline.crew_member import main; main()"


class Share(msgspec.Struct, frozen=True):
    """An export that the crew works on."""

    request: ExportRequest
    target: Target


class Work(msgspec.Struct, frozen=True, tag="work"):
    """What the crew is hired for: every `members`th portion of each section, from the `member`th on, is this one's."""

    shares: tuple[Share, ...]
    location: Location
    member: int
    members: int


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """Open the snapshot now; `shared` is how PostgreSQL calls it."""

    shared: str


class Assignment(msgspec.Struct, frozen=True, tag="assignment"):
    """Encode your portions of a section of this share."""

    share: int
    section: str
    portions: tuple[Portion, ...]


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Said when the member can begin, and when the snapshot is open."""


class Part(msgspec.Struct, frozen=True, tag="part"):
    """`size` bytes follow: a batch of so many rows."""

    rows: int
    size: int


class PortionDone(msgspec.Struct, frozen=True, tag="done"):
    """All parts of a portion were sent; what was adjusted in them, by kind."""

    adjustments: dict[str, int]


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The member could not go on; `from_source` if reading failed, `gone` because the database was lost."""

    reason: str
    from_source: bool
    gone: bool = False


Report = Ready | Part | PortionDone | Refused
encode = msgspec.json.Encoder().encode
_reports: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


class Crew:
    """Works on several exports, one after another. Members end with `close`, at the latest with the process that started them.

    All can begin when it is made: none is still starting while writers are held off. CrewFailed if one cannot.
    """

    def __init__(self, shares: Sequence[Share], location: Location, members: int) -> None:
        self._members: list[_Member] = []
        try:
            for member in range(members):
                self._members.append(_Member(Work(tuple(shares), location, member, members)))
            for each in self._members:
                each.expect_ready()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise CrewFailed(
                    f"A process that shares this export's work cannot be started: {os.strerror(error.errno or 0)}."
                ) from error
            raise

    @property
    def pids(self) -> list[int]:
        return [member.pid for member in self._members]

    def begin(self, shared: str = "") -> None:
        """Have all open the snapshot; it must be to be had until this returns. CrewFailed or SourceFailed if one cannot."""
        for member in self._members:
            member.tell(Begin(shared))
        for member in self._members:
            member.expect_ready()

    def helpers(self, share: int = 0) -> Helpers:
        """The crew as a source of this share knows it."""
        return _Helpers(self, share)

    def parts(
        self, share: int, section: str, portions: Sequence[Portion]
    ) -> Iterator[tuple[bytes, int] | dict[str, int]]:
        for member in self._members:
            member.tell(Assignment(share, section, tuple(portions)))
        for number in range(len(portions)):
            member = self._members[number % len(self._members)]
            while not isinstance(report := member.next(), dict):
                yield report
            yield report

    def close(self) -> None:
        for member in self._members:
            member.kill()


@dataclass(frozen=True, slots=True)
class _Helpers:
    crew: Crew
    share: int

    def parts(
        self, section: str, portions: Sequence[Portion]
    ) -> Iterator[tuple[bytes, int] | dict[str, int]]:
        return self.crew.parts(self.share, section, portions)

    def close(self) -> None:
        self.crew.close()


class _Member:
    """One process, with a thread that takes its reports so that it need not wait for the others."""

    def __init__(self, work: Work) -> None:
        self._process = started(_START)
        self._inbox = _Inbox()
        self._thread = threading.Thread(target=self._listen, name="crew", daemon=True)
        self._thread.start()
        self.tell(work)

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, message: msgspec.Struct) -> None:
        assert self._process.stdin is not None
        # A member that has ended says why, or that it has, where its reports are read.
        with suppress(BrokenPipeError):
            self._process.stdin.write(encode(message) + b"\n")
            self._process.stdin.flush()

    def expect_ready(self) -> None:
        self._next()

    def next(self) -> tuple[bytes, int] | dict[str, int]:
        """A part with its rows, or the adjustments of the portion that has ended."""
        report, data = self._next()
        if isinstance(report, PortionDone):
            return report.adjustments
        assert isinstance(report, Part)
        return data, report.rows

    def kill(self) -> None:
        self._process.kill()
        self._inbox.close()
        self._thread.join()
        reap(self._process)

    def _next(self) -> tuple[Report, bytes]:
        received = self._inbox.take()
        if received is None:
            raise CrewFailed(
                f"A process that shares this export's work ended unexpectedly ({ending(self._process)}); "
                "it may have run out of memory."
            )
        report = received[0]
        if isinstance(report, Refused):
            failed = DatabaseGone if report.gone else SourceFailed if report.from_source else CrewFailed
            raise failed(report.reason)
        return received

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            _receive(self._process.stdout, self._inbox)
        except (msgspec.DecodeError, MemoryError):
            # Nobody listens any more: it would wait for ever, and whoever waits for its end with it.
            self._process.kill()
        finally:
            self._inbox.close()


def _receive(pipe: IO[bytes], inbox: _Inbox) -> None:
    while (line := pipe.readline()).endswith(b"\n"):
        report = _reports.decode(line)
        size = report.size if isinstance(report, Part) else 0
        data = pipe.read(size)
        if len(data) < size or not inbox.put(report, data):
            return


class _Inbox:
    """Reports that wait to be taken; whoever puts more than HELD_BYTES in waits too."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Report, bytes]] = deque()
        self._held = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, report: Report, data: bytes) -> bool:
        """False once nobody takes them any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._held < HELD_BYTES)
            if not self._closed:
                self._waiting.append((report, data))
                self._held += len(data)
                self._changed.notify_all()
            return not self._closed

    def take(self) -> tuple[Report, bytes] | None:
        """The next; None if there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            report, data = self._waiting.popleft()
            self._held -= len(data)
            self._changed.notify_all()
            return report, data

    def close(self) -> None:
        """What was put in may still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
