"""The embedded runner: takes pending jobs, oldest first, and sees each through to its end.

One runner serves one jobs table: at its start, whatever is said to be running was left by a process that is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import uuid4

from arkham_shard_export.errors import Cancelled, ExportError, ServiceUnavailable, WorkerDied
from arkham_shard_export.jobs.execution import execute
from arkham_shard_export.jobs.files import FileStore, download_name, extension_of
from arkham_shard_export.jobs.listing import EVERYTHING
from arkham_shard_export.jobs.messages import Completed, Failed, Progressed, Run
from arkham_shard_export.jobs.planner import Planner
from arkham_shard_export.jobs.publisher import Publisher
from arkham_shard_export.jobs.rows import json_text, time_text, without_progress
from arkham_shard_export.jobs.store import Attempt, JobStore
from arkham_shard_export.jobs.workers import WorkerPool
from arkham_shard_export.models import ExportJob, ExportStatus
from arkham_shard_export.pipeline.run import OpenSource
from arkham_shard_export.ports import Clock
from arkham_shard_export.settings import Settings

NOTE_SECONDS = 0.5
"""How often the progress of a running job is written to its row."""
SOURCE_WAIT_SECONDS = 30.0
SOURCE_LOOK_SECONDS = 0.2
SETTLE_PAUSES_SECONDS = (0.1, 0.5, 1.0, 2.0, 2.0, 2.0, 2.0)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    """`settling`: the work is done and its end is being recorded, which is not to be interrupted."""

    stop: threading.Event = field(default_factory=threading.Event)
    task: asyncio.Task[None] | None = None
    cancelled: bool = False
    settling: bool = False


class Runner:
    def __init__(
        self,
        store: JobStore,
        files: FileStore,
        publisher: Publisher,
        planner: Planner,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._store = store
        self._files = files
        self._publisher = publisher
        self._planner = planner
        self._settings = settings
        self._clock = clock
        self.pool = WorkerPool(settings.worker_memory_mib)
        self._running: dict[str, _Running] = {}
        self._untold: set[str] = set()
        self._wake = asyncio.Event()
        self._loop_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Hand back what a dead process left, then begin to take jobs."""
        await self._reclaim()
        # Not in the context of whatever request happens to start us: it may have a tenant.
        self._loop_task = asyncio.create_task(
            self._take_jobs(), name="arkham-export-runner", context=contextvars.Context()
        )

    async def _reclaim(self) -> None:
        """Hand back what is said to be running and is not: left by a dead process, or by a database that failed."""
        for job_id, attempts in await self._store.processing():
            if job_id in self._running:
                continue
            job = await self._store.get(job_id, EVERYTHING)
            if job is None or job.status is not ExportStatus.PROCESSING or job_id in self._running:
                continue
            if not await self._store.hand_back(job, None, uuid4().hex):
                # It ended meanwhile, and its file is not to be removed.
                continue
            await self._files.remove_attempts(job_id, job.created_at, attempts)
            log.warning("Export job %s was left running by nobody; it runs again.", job_id)

    def wake(self) -> None:
        """Look for pending jobs now rather than at the next poll."""
        self._wake.set()

    async def cancel(self, job_id: str) -> None:
        """Stop the job's work, wait until it is stopped, and remove what it had written."""
        running = self._running.get(job_id)
        if running is not None:
            running.cancelled = True
            await self._interrupt(running)

    async def _interrupt(self, running: _Running) -> None:
        running.stop.set()
        if running.task is None:
            return
        if not running.settling:
            running.task.cancel()
        await asyncio.wait([running.task])

    async def stop(self) -> None:
        """Take no more jobs; hand running ones back, to run again from the start."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop_task
        await asyncio.gather(*(self._interrupt(running) for running in list(self._running.values())))
        await self.pool.close()

    async def _take_jobs(self) -> None:
        with contextlib.suppress(Exception):
            await self.pool.warm()
        while True:
            self._wake.clear()
            try:
                await self._fill()
            except ExportError as error:
                log.warning("Export jobs cannot be taken now: %s", error)
            except Exception:
                log.exception("Export jobs cannot be taken now.")
            # Not wait_for(), which before Python 3.12 loses a cancellation that meets the end of its wait.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.poll_seconds):
                    await self._wake.wait()

    async def _fill(self) -> None:
        await self._reclaim()
        free = self._settings.concurrency - len(self._running)
        if free <= 0:
            return
        for job_id, tenant_id in await self._store.pending(free):
            token = uuid4().hex
            with self._untold_if_lost(job_id):
                attempt = await self._store.claim(job_id, token, self._clock())
            if attempt is None:
                continue
            running = self._running[job_id] = _Running()
            work = self._see_through(running, job_id, tenant_id, token, attempt)
            running.task = asyncio.create_task(work, name=f"arkham-export-{job_id}")
            running.task.add_done_callback(partial(self._ended, job_id))

    @contextlib.contextmanager
    def _untold_if_lost(self, job_id: str) -> Iterator[None]:
        """A job whose first attempt the database lost before its start was announced: the next one announces it."""
        try:
            yield
        except ServiceUnavailable:
            self._untold.add(job_id)
            raise

    def _ended(self, job_id: str, task: asyncio.Task[None]) -> None:
        del self._running[job_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            # The job stays processing, with nobody running it: the next look hands it back.
            log.warning("Export job %s was interrupted: %s", job_id, error, exc_info=error)
        self.wake()

    async def _see_through(
        self, running: _Running, job_id: str, tenant_id: str | None, token: str, attempt: Attempt
    ) -> None:
        started = time.monotonic()
        first = attempt.number == 1 or job_id in self._untold
        with self._untold_if_lost(job_id):
            job = await self._store.get(job_id, EVERYTHING)
        self._untold.discard(job_id)
        if job is None or job.status is not ExportStatus.PROCESSING:
            return
        job.metadata = without_progress(job.metadata)
        if first:
            self._publisher.publish("export.job.started", job_id=job_id, format=job.format, target=job.target)
        try:
            answer = await self._run(running, job, tenant_id, token, attempt)
        except asyncio.CancelledError:
            await self._remove(job, attempt)
            if not running.cancelled:
                with contextlib.suppress(ExportError):
                    await self._store.hand_back(job, token, uuid4().hex, interrupted=True)
            raise
        running.settling = True
        await self._settled(running, job, token, answer, started)

    async def _remove(self, job: ExportJob, attempt: Attempt) -> None:
        await self._files.remove_attempts(job.id, job.created_at, attempt.number)

    async def _run(
        self, running: _Running, job: ExportJob, tenant_id: str | None, token: str, attempt: Attempt
    ) -> Completed | Failed | None:
        """The answer, or None where the job is to run again."""
        if attempt.tries > self._settings.max_attempts:
            return Failed(
                f"The export was tried {self._settings.max_attempts} times and never came to an end."
            )
        noted = _Noting(self._store, job, token)
        try:
            await self._source_registered(job)
            run, open_here = await self._planner.plan(job, tenant_id, attempt.number)
            if open_here is None:
                return await self.pool.run(run, noted.progressed)
            return await self._in_thread(running, run, open_here, noted.progressed)
        except (WorkerDied, ServiceUnavailable) as error:
            await self._remove(job, attempt)
            if attempt.tries < self._settings.max_attempts:
                log.warning("Export job %s: %s It runs again.", job.id, error)
                return None
            return Failed(f"{error} It was tried {attempt.tries} times.")
        except ExportError as error:
            return Failed(str(error))
        except Exception as error:
            log.exception("Export job %s could not be run.", job.id)
            return Failed(f"The export could not be run ({type(error).__name__}).")
        finally:
            await noted.end()

    async def _source_registered(self, job: ExportJob) -> None:
        """Shards start in any order: the one whose records are asked for may register them after us."""
        deadline = time.monotonic() + SOURCE_WAIT_SECONDS
        # Registering is a plain call of another shard, with no event to wait for.
        while not self._planner.source_known(job) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(SOURCE_LOOK_SECONDS)

    async def _in_thread(
        self, running: _Running, run: Run, open_here: OpenSource, on_progress: Callable[[Progressed], None]
    ) -> Completed | Failed:
        loop = asyncio.get_running_loop()

        def check() -> None:
            if running.stop.is_set():
                raise Cancelled("The export was cancelled.")

        def tell(progressed: Progressed) -> None:
            loop.call_soon_threadsafe(on_progress, progressed)

        work = loop.run_in_executor(None, execute, run, self._clock, tell, check, open_here)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            running.stop.set()
            with contextlib.suppress(Cancelled):
                await work
            raise

    async def _settled(
        self, running: _Running, job: ExportJob, token: str, answer: Completed | Failed | None, started: float
    ) -> None:
        """Record the end, again and again while the database does not answer."""
        for seconds in SETTLE_PAUSES_SECONDS:
            try:
                return await self._settle(job, token, answer, started)
            except ServiceUnavailable:
                if running.stop.is_set():
                    raise
                await asyncio.sleep(seconds)
        return await self._settle(job, token, answer, started)

    async def _settle(
        self, job: ExportJob, token: str, answer: Completed | Failed | None, started: float
    ) -> None:
        if answer is None:
            await self._store.hand_back(job, token, uuid4().hex)
        elif isinstance(answer, Failed):
            await self._fail(job, token, answer, started)
        else:
            await self._complete(job, token, answer, started)

    async def _complete(self, job: ExportJob, token: str, answer: Completed, started: float) -> None:
        now = self._clock()
        elapsed_ms = round((time.monotonic() - started) * 1000, 3)
        kept = self._settings.retention_hours
        extension = extension_of(answer.file_path)
        metadata = {
            **job.metadata,
            "completeness": answer.completeness,
            "adjustments": answer.adjustments,
            "sha256": answer.sha256,
            "snapshot_at": answer.snapshot_at,
            "consistent_snapshot": answer.consistent,
            "file_name": download_name(job.target, job.created_at or now, job.id, extension),
        }
        ended = await self._store.finish(
            job.id,
            token,
            token,
            ExportStatus.COMPLETED,
            {
                "completed_at": time_text(now),
                "file_path": answer.file_path,
                "file_size": answer.file_size,
                "download_url": f"/api/export/jobs/{job.id}/download",
                "expires_at": time_text(now + timedelta(hours=kept)) if kept else None,
                "record_count": answer.record_count,
                "processing_time_ms": elapsed_ms,
                "metadata": json_text(metadata),
            },
        )
        if not ended:
            # Cancelled in the last moment: what was not completed leaves no file.
            with contextlib.suppress(ExportError):
                await self._files.remove(answer.file_path)
            return
        log.info("Export job %s completed: %d records.", job.id, answer.record_count)
        self._publisher.publish(
            "export.file.created", job_id=job.id, file_path=answer.file_path, file_size=answer.file_size
        )
        self._publisher.publish(
            "export.job.completed",
            job_id=job.id,
            record_count=answer.record_count,
            file_size=answer.file_size,
            processing_time_ms=elapsed_ms,
        )

    async def _fail(self, job: ExportJob, token: str, answer: Failed, started: float) -> None:
        log.warning("Export job %s failed: %s %s", job.id, answer.error, answer.trace)
        ended = await self._store.finish(
            job.id,
            token,
            token,
            ExportStatus.FAILED,
            {
                "completed_at": time_text(self._clock()),
                "error": answer.error,
                "processing_time_ms": round((time.monotonic() - started) * 1000, 3),
                "metadata": json_text(job.metadata),
            },
        )
        if ended:
            self._publisher.publish("export.job.failed", job_id=job.id, error=answer.error)


class _Noting:
    """Writes the progress of one job to its row, at most once in NOTE_SECONDS and never two writes at once."""

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
        while self._latest is not None:
            latest, self._latest = self._latest, None
            progress = {"phase": latest.phase, "done": latest.done, "expected": latest.expected}
            with contextlib.suppress(ExportError):
                await self._store.note(
                    self._job.id, self._token, {**self._job.metadata, "progress": progress}
                )
            await asyncio.sleep(NOTE_SECONDS)

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
