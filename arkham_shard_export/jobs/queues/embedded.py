"""The queue of a single process: takes pending jobs from the table, oldest first, as long as it holds the lease."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from arkham_shard_export.background import begin, end
from arkham_shard_export.errors import ExportError
from arkham_shard_export.jobs.running.runs import LOST, Runs
from arkham_shard_export.jobs.table.lease import Lease
from arkham_shard_export.jobs.table.rows import SMALL
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Place:
    """`passing_by`: beyond the places that any job may have."""

    lane: str
    passing_by: bool


class EmbeddedQueue:
    """Whatever is said to be running and does not run here was left by a process that is gone: no other holds the lease."""

    engine = "embedded"

    def __init__(self, store: JobStore, runs: Runs, lease: Lease, settings: Settings) -> None:
        self._store = store
        self._runs = runs
        self._lease = lease
        self._settings = settings
        self._places: dict[str, _Place] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._loop_task: asyncio.Task[None] | None = None
        self.tick: Callable[[], Awaitable[None]] = _nothing
        """Not called: the host that leads looks for schedules itself."""

    async def start(self) -> None:
        self._loop_task = begin(self._take_jobs(), "arkham-export-queue")

    async def put(self, job_id: str, lane: str) -> None:
        """A job has been stored: look for it now rather than at the next poll."""
        self.wake()

    def wake(self) -> None:
        self._wake.set()

    async def stop(self) -> None:
        """Take no more jobs; those that do not end within the grace period are handed back."""
        await end(self._loop_task)
        await self._runs.stop(self._settings.grace_seconds)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def workers(self) -> int:
        """The processes that take jobs."""
        works = self._settings.concurrency and self._loop_task is not None and not self._loop_task.done()
        return int(bool(works))

    async def _take_jobs(self) -> None:
        with contextlib.suppress(Exception):
            await self._runs.pool.warm()
        while True:
            self._wake.clear()
            try:
                if await self._lease.held():
                    await self._reclaim()
                    await self._fill()
            except ExportError as error:
                log.warning("Export jobs cannot be taken now: %s", error)
            except Exception:
                log.exception("Export jobs cannot be taken now.")
            # Not wait_for(), which before Python 3.12 loses a cancellation that meets the end of its wait.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.poll_seconds):
                    await self._wake.wait()

    async def _reclaim(self) -> None:
        for job_id in await self._store.processing():
            await self._runs.hand_back(job_id, LOST)

    async def _fill(self) -> None:
        """Any job has one of `concurrency` places; where large ones hold them all, a small one passes by."""
        free = self._settings.concurrency - sum(not each.passing_by for each in self._places.values())
        if free > 0:
            for job_id, lane in await self._store.pending(free + len(self._places)):
                if free > 0 and job_id not in self._places:
                    free -= 1
                    self._begin(job_id, _Place(lane, passing_by=False))
        full = self._settings.concurrency > 0 and free <= 0
        if full and not any(each.lane == SMALL for each in self._places.values()):
            for job_id, lane in await self._store.pending(1, SMALL):
                if job_id not in self._places:
                    self._begin(job_id, _Place(lane, passing_by=True))

    def _begin(self, job_id: str, place: _Place) -> None:
        self._places[job_id] = place
        task = asyncio.create_task(self._see_through(job_id))
        self._tasks.add(task)
        task.add_done_callback(self._ended(job_id))

    async def _see_through(self, job_id: str) -> None:
        await self._runs.run(job_id)

    def _ended(self, job_id: str) -> Callable[[asyncio.Task[None]], None]:
        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            del self._places[job_id]
            if task.cancelled() or (error := task.exception()) is None:
                self.wake()
            else:
                # The job stays as it is, with nobody running it: the next poll finds it.
                log.warning("Export job %s was interrupted: %s", job_id, error, exc_info=error)

        return ended


async def _nothing() -> None:
    """Nothing is due."""
