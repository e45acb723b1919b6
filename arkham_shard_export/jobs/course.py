"""The course of a job: what has happened to it, in order, as its row alone tells.

A row knows how often the job was begun, in which state it is, and how far the running attempt has come. What came
before follows from the life of a job, so every process tells the same, also of what it has not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from arkham_shard_export.jobs.table.states import JobState
from arkham_shard_export.models import ExportStatus

RUNNING, WAITING, ENDED = 1, 2, 3
"""The order of states within an attempt. A job waits after its attempt was handed back, and before its first, number 0."""
_POSITION = re.compile(r"([0-9]{1,9})\.([123])\.([0-9]{1,9})")


class Position(NamedTuple):
    """Of two positions in the course of one job the later is the greater."""

    attempt: int
    rank: int
    note: int = 0

    def __str__(self) -> str:
        return f"{self.attempt}.{self.rank}.{self.note}"


def position_of(text: str) -> Position | None:
    """What `str` made of a position; None for any other text."""
    match = _POSITION.fullmatch(text)
    return Position(*map(int, match.groups())) if match else None


@dataclass(frozen=True, slots=True)
class Happening:
    """`status` is the state that the job came into, or made progress in."""

    position: Position
    status: ExportStatus
    progress: dict[str, Any] | None = None

    @property
    def is_progress(self) -> bool:
        return self.position.note > 0

    @property
    def is_end(self) -> bool:
        return self.position.rank == ENDED


def course(state: JobState, after: Position | None = None) -> Iterator[Happening]:
    """What has happened after this position, oldest first; of progress only the latest.

    The end is told in any case, unless `after` is an end: a position that this job has never had hides nothing for good.
    """
    for each in _states(state):
        told_always = each.is_end and (after is None or after.rank != ENDED)
        if told_always or after is None or each.position > after:
            yield each
    if state.status is ExportStatus.PROCESSING and (notes := state.notes):
        latest = Position(_attempts(state), RUNNING, notes)
        if after is None or latest > after:
            yield Happening(latest, state.status, state.progress)


def _states(state: JobState) -> Iterator[Happening]:
    """Each state that the job has come into."""
    last = _attempts(state)
    yield Happening(Position(0, WAITING), ExportStatus.PENDING)
    for attempt in range(1, last + 1):
        yield Happening(Position(attempt, RUNNING), ExportStatus.PROCESSING)
        if attempt < last or _handed_back(state):
            yield Happening(Position(attempt, WAITING), ExportStatus.PENDING)
    if state.ended:
        yield Happening(Position(last, ENDED), state.status)


def _attempts(state: JobState) -> int:
    """Older versions did not count them."""
    begun = state.status is not ExportStatus.PENDING and not _cancelled_waiting(state)
    return max(state.attempts, int(begun))


def _handed_back(state: JobState) -> bool:
    return state.status is ExportStatus.PENDING or _cancelled_waiting(state)


def _cancelled_waiting(state: JobState) -> bool:
    """A job that waits has no time of a start, not even after an attempt."""
    return state.status is ExportStatus.CANCELLED and state.started_at is None
