"""The progress of a running job, in its row."""

from __future__ import annotations

import asyncio
import contextlib

from arkham_shard_export.background import end
from arkham_shard_export.errors import ExportError
from arkham_shard_export.jobs.running.messages import Progressed
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.models import ExportJob

FIRST_NOTE_SECONDS = 0.2
NOTE_SECONDS = 0.5


class Noting:
    """Writes the progress of one job, at most once in NOTE_SECONDS and never two writes at once.

    A job that is done within FIRST_NOTE_SECONDS has none written.
    """

    def __init__(self, store: JobStore, job: ExportJob, token: str) -> None:
        self._store = store
        self._job = job
        self._token = token
        self._latest: Progressed | None = None
        self._task: asyncio.Task[None] | None = None

    def progressed(self, progress: Progressed) -> None:
        self._latest = progress
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        # A small job is done before anyone has looked.
        await asyncio.sleep(FIRST_NOTE_SECONDS)
        while self._latest is not None:
            latest, self._latest = self._latest, None
            progress = {"phase": latest.phase, "done": latest.done, "expected": latest.expected}
            with contextlib.suppress(ExportError):
                await self._store.note(
                    self._job.id, self._token, {**self._job.metadata, "progress": progress}
                )
            await asyncio.sleep(NOTE_SECONDS)

    async def end(self) -> None:
        await end(self._task)
