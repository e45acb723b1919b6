"""The progress of a running job, in its row."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from typing import Any

from arkham_shard_export.background import end
from arkham_shard_export.errors import ExportError
from arkham_shard_export.jobs.running.messages import Progressed
from arkham_shard_export.jobs.running.pace import Pace
from arkham_shard_export.jobs.table.rows import COUNTING, FLATTENING, WRITING
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.models import ExportJob
from arkham_shard_export.pipeline.parts import FAILED

FIRST_NOTE_SECONDS = 0.2
NOTE_SECONDS = 0.5


class Noting:
    """Writes the progress of one job, at most once in NOTE_SECONDS and never two writes at once.

    A job that is done within FIRST_NOTE_SECONDS has none written.
    """

    def __init__(
        self, store: JobStore, job: ExportJob, token: str, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._job = job
        self._token = token
        self._seconds = seconds
        self._pace = Pace()
        self._notes = 0
        self._latest: Progressed | None = None
        self._task: asyncio.Task[None] | None = None

    def progressed(self, progress: Progressed) -> None:
        self._latest = progress
        if progress.phase == WRITING:
            self._pace.saw(self._seconds(), progress.done)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        # A small job is done before anyone has looked.
        await asyncio.sleep(FIRST_NOTE_SECONDS)
        while self._latest is not None:
            latest, self._latest = self._latest, None
            with contextlib.suppress(ExportError):
                await self._store.note(
                    self._job.id, self._token, {**self._job.metadata, "progress": self.note_of(latest)}
                )
            await asyncio.sleep(NOTE_SECONDS)

    def note_of(self, progress: Progressed) -> dict[str, Any]:
        """What is written; `note` counts the notes of this attempt, and so tells the newer of two."""
        self._notes += 1
        writing = progress.phase == WRITING
        return {
            "phase": progress.phase,
            "done": progress.done,
            "expected": progress.expected,
            "percent": self._percent(progress),
            "bytes": progress.bytes,
            "seconds_left": self._pace.seconds_left(progress.expected) if writing else None,
            "note": self._notes,
            **({"parts": self._parts(progress)} if progress.parts else {}),
        }

    def _percent(self, progress: Progressed) -> float | None:
        if not progress.parts or progress.phase == COUNTING:
            return percent_of(progress, self._job.options.flatten)
        read, whole = (sum(each) for each in zip(*self._passes(progress), strict=True))
        return _share(read, whole)

    def _passes(self, progress: Progressed) -> list[tuple[int, int]]:
        """Of each part, the records read of those to be read."""
        flatten = [part.options.flatten for part in self._job.parts or ()]
        return [
            _read(each.phase, each.done, each.expected or 0, twice, over=each.status == FAILED)
            for each, twice in zip(progress.parts, flatten, strict=True)
        ]

    def _parts(self, progress: Progressed) -> list[dict[str, Any]]:
        return [
            {
                "status": each.status,
                "phase": each.phase,
                "done": each.done,
                "expected": each.expected,
                "percent": None if each.expected is None else _share(read, whole),
            }
            for each, (read, whole) in zip(progress.parts, self._passes(progress), strict=True)
        ]

    async def end(self) -> None:
        await end(self._task)


def percent_of(progress: Progressed, flatten: bool) -> float | None:
    """The share of the records that were read, never rounded up; flattened records are read twice."""
    if progress.phase == COUNTING:
        return None
    return _share(*_read(progress.phase, progress.done, progress.expected, flatten))


def _read(phase: str, done: int, expected: int, twice: bool, over: bool = False) -> tuple[int, int]:
    """The records read of those to be read, where some are read twice; of what is `over` no more are."""
    whole = expected * (2 if twice else 1)
    first = 0 if phase in ("", COUNTING, FLATTENING) or not twice else expected
    return whole if over else done + first, whole


def _share(done: int, whole: int) -> float:
    return math.floor(min(done, whole) * 1000 / whole) / 10 if whole else 100.0
