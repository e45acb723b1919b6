"""Sees jobs through: claims one, has it run, and records how it ended; who chooses the jobs is no matter here.

While a job runs its row is looked at: whoever has cancelled it, or given it to another runner, on whatever machine,
ends the work within WATCH_SECONDS.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import uuid4

from arkham_shard_export.errors import Cancelled, ExportError, ServiceUnavailable, WorkerDied
from arkham_shard_export.jobs.files import FileStore
from arkham_shard_export.jobs.running.endings import Endings
from arkham_shard_export.jobs.running.messages import Completed, Failed, Progressed
from arkham_shard_export.jobs.running.planner import Here, Planner
from arkham_shard_export.jobs.running.progress import Noting
from arkham_shard_export.jobs.running.workers import WorkerPool
from arkham_shard_export.jobs.table.rows import time_text, without_progress
from arkham_shard_export.jobs.table.store import JobStore, StoredJob
from arkham_shard_export.jobs.telling import Telling
from arkham_shard_export.models import ExportJob, ExportStatus
from arkham_shard_export.ports import Clock
from arkham_shard_export.settings import Settings

WATCH_SECONDS = 1.0
SOURCE_WAIT_SECONDS = 30.0
SOURCE_LOOK_SECONDS = 0.2
MOST_HISTORY = 20
LOST = "Its runner was not heard of any more."
AGAIN_PAUSES_SECONDS = (0.0, 1.0, 5.0, 15.0)
"""Before a job runs again after its first, second, … try; the last one for all that follow."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    """`settling`: the work is done and its end is being recorded, which is not to be interrupted.

    `lost`: the job is not ours any more, cancelled or given to another.
    """

    stop: threading.Event = field(default_factory=threading.Event)
    task: asyncio.Task[bool] | None = None
    lost: bool = False
    settling: bool = False


class Runs:
    def __init__(
        self,
        store: JobStore,
        files: FileStore,
        planner: Planner,
        telling: Telling,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._store = store
        self._files = files
        self._planner = planner
        self._telling = telling
        self._settings = settings
        self._clock = clock
        self._endings = Endings(store, files, telling, settings, clock)
        self.pool = WorkerPool(settings.worker_memory_mib)
        self.running: dict[str, _Running] = {}
        self._stopped = False

    async def run(self, job_id: str, *, take_over: bool = False) -> bool:
        """See a pending job through; false where it is to be run again. A job that is not pending is left alone,
        but with `take_over` one that another runner is said to be running is taken from it.

        Cancelling this call hands the job back.
        """
        if job_id in self.running:
            return True
        if self._stopped:
            return False
        running = self.running[job_id] = _Running()
        running.task = asyncio.create_task(
            self._run(running, job_id, take_over), name=f"arkham-export-{job_id}"
        )
        try:
            return await asyncio.shield(running.task)
        except asyncio.CancelledError:
            if running.task.done():
                return False
            await self._interrupt(running)
            raise
        finally:
            if running.task.done():
                self.running.pop(job_id, None)

    async def end_lost(self, job_id: str) -> None:
        """Stop the work for a job that has been cancelled here, and wait until it has stopped and left no file."""
        running = self.running.get(job_id)
        if running is not None:
            running.lost = True
            await self._interrupt(running)

    async def stop(self, grace_seconds: float = 0.0) -> None:
        """Begin no more; wait for running jobs to end, then hand the others back, to run again from the start."""
        self._stopped = True
        tasks = [each.task for each in self.running.values() if each.task is not None]
        if tasks and grace_seconds:
            await asyncio.wait(tasks, timeout=grace_seconds)
        await asyncio.gather(*(self._interrupt(running) for running in list(self.running.values())))
        await self.pool.close()

    async def hand_back(self, job_id: str, reason: str) -> bool:
        """Make a job that nobody runs any more pending again; false where it ended meanwhile."""
        return job_id not in self.running and await self._hand_back(job_id, reason)

    async def _hand_back(self, job_id: str, reason: str) -> bool:
        stored = await self._store.stored(job_id)
        if stored is None or stored.job.status is not ExportStatus.PROCESSING:
            return False
        job = self._remembered(stored, reason)
        if not await self._store.hand_back(job, stored.runner, uuid4().hex):
            # It ended meanwhile, and its file is not to be removed.
            return False
        await self._files.remove_attempts(job_id, job.created_at, stored.attempts)
        self._telling.changed(job, stored.tenant_id, "pending", logging.WARNING, reason=reason)
        return True

    async def _interrupt(self, running: _Running) -> None:
        running.stop.set()
        if running.task is None:
            return
        if not running.settling:
            running.task.cancel()
        await asyncio.wait([running.task])

    async def _run(self, running: _Running, job_id: str, take_over: bool) -> bool:
        token = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}"
        stored = await self._store.claim(job_id, token, self._clock())
        if stored is None and take_over and await self._hand_back(job_id, LOST):
            stored = await self._store.claim(job_id, token, self._clock())
        return True if stored is None else await self._see_through(running, stored, token)

    async def _see_through(self, running: _Running, stored: StoredJob, token: str) -> bool:
        started = time.monotonic()
        job = stored.job
        job.metadata = without_progress(job.metadata)
        self._telling.changed(job, stored.tenant_id, "processing", attempt=stored.attempts)
        watching = asyncio.create_task(self._watch(running, job.id, token))
        try:
            try:
                answer = await self._answer(running, stored, token)
            finally:
                watching.cancel()
        except asyncio.CancelledError:
            await self._files.remove_attempts(job.id, job.created_at, stored.attempts)
            if not running.lost:
                with contextlib.suppress(ExportError):
                    interrupted = self._remembered(stored, "Its runner was stopped.")
                    await self._store.hand_back(interrupted, token, uuid4().hex, interrupted=True)
                    self._telling.changed(job, stored.tenant_id, "pending", reason="its runner was stopped")
            raise
        running.settling = True
        if not isinstance(answer, Completed):
            # A process that was killed leaves what it had written.
            await self._files.remove_attempts(job.id, job.created_at, stored.attempts)
        if isinstance(answer, str):
            stored = replace(stored, job=self._remembered(stored, answer))
            await self._endings.again(running.stop, stored, token, answer)
            return False
        await self._endings.settled(running.stop, stored, token, answer, started)
        return True

    async def _watch(self, running: _Running, job_id: str, token: str) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            with contextlib.suppress(ServiceUnavailable):
                if not await self._store.runs(job_id, token) and not running.settling:
                    running.lost = True
                    running.stop.set()
                    if running.task is not None:
                        running.task.cancel()
                    return

    async def _answer(self, running: _Running, stored: StoredJob, token: str) -> Completed | Failed | str:
        """How it ended, or, as text, why it is to run again."""
        most = self._settings.max_attempts
        if stored.tries > most:
            return Failed(f"The export was tried {most} times and never came to an end.{_last(stored.job)}")
        seconds = self._settings.job_timeout_seconds or None
        noted = Noting(self._store, stored.job, token)
        try:
            async with asyncio.timeout(seconds):
                reason = await self._attempt(running, stored, noted)
        except TimeoutError:
            return Failed(
                f"The export took longer than {seconds:g} seconds (ARKHAM_EXPORT_JOB_TIMEOUT_SECONDS)."
            )
        except (WorkerDied, ServiceUnavailable) as error:
            reason = str(error)
        except ExportError as error:
            return Failed(str(error))
        except Exception as error:
            log.exception("Export job %s could not be run.", stored.job.id)
            return Failed(f"The export could not be run ({type(error).__name__}).")
        finally:
            await noted.end()
        if isinstance(reason, Failed) and reason.passing:
            reason = reason.error
        if not isinstance(reason, str):
            return reason
        if stored.tries >= most:
            return Failed(f"{reason} It was tried {stored.tries} times.")
        await asyncio.sleep(AGAIN_PAUSES_SECONDS[min(stored.tries, len(AGAIN_PAUSES_SECONDS)) - 1])
        return reason

    async def _attempt(self, running: _Running, stored: StoredJob, noted: Noting) -> Completed | Failed | str:
        await self._source_registered(stored.job)
        run, here = await self._planner.plan(stored)
        if here is None:
            return await self.pool.run(run, noted.progressed)
        return await self._in_thread(running, here, noted.progressed)

    async def _source_registered(self, job: ExportJob) -> None:
        """Shards start in any order: the one whose records are asked for may register them after us."""
        deadline = time.monotonic() + SOURCE_WAIT_SECONDS
        # Registering is a plain call of another shard, with no event to wait for.
        while not self._planner.sources_known(job) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(SOURCE_LOOK_SECONDS)

    async def _in_thread(
        self, running: _Running, here: Here, on_progress: Callable[[Progressed], None]
    ) -> Completed | Failed:
        loop = asyncio.get_running_loop()

        def check() -> None:
            if running.stop.is_set():
                raise Cancelled("The export was cancelled.")

        def tell(progressed: Progressed) -> None:
            loop.call_soon_threadsafe(on_progress, progressed)

        work = loop.run_in_executor(None, here, self._clock, tell, check)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            running.stop.set()
            with contextlib.suppress(Cancelled):
                await work
            raise

    def _remembered(self, stored: StoredJob, reason: str) -> ExportJob:
        """The job with this attempt, which did not come to an end, in its history."""
        job = stored.job
        host, _, rest = (stored.runner or "").partition(":")
        attempt = {
            "attempt": stored.attempts,
            "started_at": time_text(job.started_at),
            "ended_at": time_text(self._clock()),
            "runner": f"{host}:{rest.partition(':')[0]}" if rest else None,
            "reason": reason,
        }
        history = [*job.metadata.get("history", []), attempt][-MOST_HISTORY:]
        return replace(job, metadata={**without_progress(job.metadata), "history": history})


def _last(job: ExportJob) -> str:
    history = job.metadata.get("history") or []
    return f" The last time: {history[-1]['reason']}" if history else ""
