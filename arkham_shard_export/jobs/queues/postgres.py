"""The queue of many processes: Procrastinate, on the PostgreSQL database that holds the jobs.

The queue says who runs a job; the jobs table stays the truth about it. An entry carries the job's id and nothing else,
and as its lock, so that no two run at once. Whoever is given an entry is the only one to run that job: it may take the
job over from a runner that the queue has given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import procrastinate
from procrastinate import exceptions, jobs
from procrastinate.manager import JobManager
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.sql import queries
from procrastinate.utils import utcnow
from procrastinate.worker import Worker

from arkham_shard_export.background import begin
from arkham_shard_export.errors import ExportError
from arkham_shard_export.jobs.queues.schema import SEARCH_PATH, prepare
from arkham_shard_export.jobs.queues.state import QueueState
from arkham_shard_export.jobs.running.runs import Runs
from arkham_shard_export.jobs.table.rows import HERE, LARGE, SMALL
from arkham_shard_export.settings import Settings
from arkham_shard_export.sources.postgres import libpq_url

if TYPE_CHECKING:
    from psycopg import AsyncConnection

KEEPING = "keeping"
TICKING = "ticking"
TICK_SECONDS = 10
"""How often the engine has some process look for schedules that are due."""
POOL_SIZE = 6
CALL_TIMEOUT_SECONDS = 5.0
ENTER_SECONDS = 3.0
"""Whoever asks for a job does not wait longer for its entry in the queue."""
STALLED_HEARTBEATS = 3
"""So many heartbeats missed, and a worker is given up."""
RESTART_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)
UNCLAIMED_SECONDS = 60
"""An entry that was begun so long ago, while its job is still pending, was forgotten by its worker."""
_IN_DOUBT_SECONDS = 5
_ANALYZE = """DO $$ BEGIN
    IF (SELECT count(*) = 200 FROM (SELECT FROM procrastinate_jobs WHERE status = 'todo' LIMIT 200) AS waiting) THEN
        ANALYZE procrastinate_jobs;
    END IF;
END $$"""
"""By the statistics of an empty queue, each look for an entry would read all of those that wait."""
_HAD = (
    " FROM procrastinate_jobs WHERE id = %(job_id)s AND status = 'doing'"
    " AND worker_id IS NOT DISTINCT FROM CAST(%(worker_id)s AS bigint) FOR UPDATE"
)

log = logging.getLogger(__name__)


class _Entries(JobManager):
    """Changes an entry only for the worker that has it: one that was given up, and lives on, leaves it to its successor."""

    async def finish_job(self, job: jobs.Job, status: jobs.Status, delete_job: bool) -> None:
        await self._change("finish_job", job, status=status.value, delete_job=delete_job)

    async def retry_job(
        self,
        job: jobs.Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        await self._change(
            "retry_job",
            job,
            retry_at=retry_at or utcnow(),
            new_priority=priority,
            new_queue_name=queue,
            new_lock=lock,
        )

    async def _change(self, name: str, job: jobs.Job, **values: Any) -> None:
        """Calls the engine's function, of that name in its queries, for this entry only."""
        query = queries[name].rstrip(";") + _HAD
        await self.connector.execute_query_async(query, job_id=job.id, worker_id=job.worker_id, **values)


async def _each_statement_alone(connection: AsyncConnection[Any]) -> None:
    """The engine's changes are one statement each: transactions of their own would be two more calls."""
    await connection.set_autocommit(True)


class _RunAgain(Exception):
    """The job is pending again; its entry waits for the next worker."""


class _Strategy(BaseRetryStrategy):
    """Whatever ends a run without an end of the job: the entry stays in the queue."""

    def get_retry_decision(self, *, exception: BaseException, job: jobs.Job) -> RetryDecision:
        return RetryDecision(retry_in={"seconds": 0 if isinstance(exception, _RunAgain) else 1})


class PostgresQueue:
    """Enters jobs and, with `concurrency`, works them off. `here`: this process is a host, whose shards hold records."""

    engine = "procrastinate"

    def __init__(self, url: str, state: QueueState, runs: Runs, settings: Settings, *, here: bool) -> None:
        self._url = url
        self._state = state
        self._runs = runs
        self._settings = settings
        self._here = here
        self._app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(
                conninfo=libpq_url(url),
                min_size=1,
                max_size=POOL_SIZE,
                timeout=CALL_TIMEOUT_SECONDS,
                # Its pauses double: after a long outage the next try would be minutes away. A call begins anew.
                reconnect_timeout=ENTER_SECONDS,
                configure=_each_statement_alone,
                kwargs={"options": SEARCH_PATH, "application_name": "arkham-export-queue"},
            )
        )
        self._app.job_manager = _Entries(self._app.connector)
        self._export = self._app.task(name="export", retry=_Strategy())(self._run)
        # Before all jobs that wait, or nobody would take over what a dead worker has left until they are done.
        keep = self._app.task(name="keep", queue=KEEPING, queueing_lock=KEEPING, priority=1)(self._keep)
        # The sixth field is that of seconds.
        self._app.periodic(cron=f"* * * * * */{min(30, max(1, round(settings.heartbeat_seconds)))}")(keep)
        look = self._app.task(name="tick", queue=KEEPING, queueing_lock=TICKING, priority=1)(self._tick)
        self._app.periodic(cron=f"* * * * * */{TICK_SECONDS}")(look)
        self.tick: Callable[[], Awaitable[None]] = _nothing
        self._workers: list[Worker] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self) -> None:
        """Make or upgrade the queue's schema and begin to work; ServiceUnavailable where the database is gone."""
        await prepare(self._url)
        await self._app.open_async()
        lanes = [[SMALL, LARGE, KEEPING]] * bool(self._settings.concurrency)
        if lanes:
            self._tasks.append(begin(self._warm(), "arkham-export-warm"))
            lanes[0] = [*lanes[0], *([HERE] if self._here else [])]
            # Small jobs have a place of their own besides.
            lanes.append([SMALL, KEEPING])
        for number, queues in enumerate(lanes):
            concurrency = 1 if number else self._settings.concurrency
            self._tasks.append(begin(self._work(queues, concurrency), f"arkham-export-queue-{number}"))

    async def put(self, job_id: str, lane: str) -> None:
        """Enter a stored job. Where that fails it is found, and entered, by the next look at what is missing."""
        entry = self._export.configure(queue=lane, lock=job_id, queueing_lock=job_id)
        try:
            async with asyncio.timeout(ENTER_SECONDS):
                await entry.defer_async(job_id=job_id)
        except exceptions.AlreadyEnqueued:
            pass
        except (exceptions.ProcrastinateException, TimeoutError) as error:
            log.warning("Export job %s could not be entered in the queue yet: %s", job_id, error)

    def wake(self) -> None:
        """The queue wakes its workers itself."""

    async def stop(self) -> None:
        """Take no more jobs; those that do not end within the grace period go back into the queue."""
        self._stopping = True
        for worker in self._workers:
            worker.stop()  # type: ignore[no-untyped-call]
        await self._runs.stop(self._settings.grace_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._app.close_async()

    async def workers(self) -> int:
        """The processes that take jobs, on all machines."""
        # Each has one of the engine's workers for jobs of any size, and one for small ones.
        return math.ceil(await self._state.workers(self._stalled_seconds) / 2)

    @property
    def _stalled_seconds(self) -> float:
        return self._settings.heartbeat_seconds * STALLED_HEARTBEATS

    async def _run(self, job_id: str) -> None:
        if not await self._runs.run(job_id, take_over=True):
            raise _RunAgain(job_id)

    async def _keep(self, timestamp: int) -> None:
        """The engine's periodic task: entries of workers that are gone, and jobs whose entry was lost."""
        manager = self._app.job_manager
        for entry in await manager.get_stalled_jobs(seconds_since_heartbeat=self._stalled_seconds):
            with contextlib.suppress(exceptions.ConnectorException):
                if entry.task_name == self._export.name:
                    log.warning("Export job %s: its worker is gone; it runs again.", entry.lock)
                    await manager.retry_job(entry)
                else:
                    await manager.finish_job(entry, jobs.Status.FAILED, delete_job=True)
        await self._app.connector.execute_query_async(_ANALYZE)
        for job_id, lane in await self._state.without_entry(_IN_DOUBT_SECONDS):
            log.warning("Export job %s had no entry in the queue; it is entered again.", job_id)
            await self.put(job_id, lane)
        for entry_id in await self._state.forgotten_entries(UNCLAIMED_SECONDS):
            with contextlib.suppress(exceptions.ConnectorException):
                await manager.retry_job_by_id_async(entry_id, retry_at=utcnow())

    async def _tick(self, timestamp: int) -> None:
        """The engine's periodic task, in one process of the cluster at a time."""
        try:
            await self.tick()
        except ExportError as error:
            log.warning("Schedules cannot be looked at now: %s", error)

    async def _warm(self) -> None:
        with contextlib.suppress(Exception):
            await self._runs.pool.warm()

    async def _work(self, queues: list[str], concurrency: int) -> None:
        """Run a worker of the engine, and another whenever it ends: the engine ends it where the database goes away."""
        failures = 0
        while not self._stopping:
            worker = Worker(
                self._app,
                queues=queues,
                name="arkham-export",
                concurrency=concurrency,
                delete_jobs="always",
                install_signal_handlers=False,
                fetch_job_polling_interval=self._settings.poll_seconds,
                update_heartbeat_interval=self._settings.heartbeat_seconds,
                stalled_worker_timeout=self._stalled_seconds,
            )
            self._workers.append(worker)
            beating = asyncio.create_task(self._beat(worker))
            try:
                await worker.run()  # type: ignore[no-untyped-call]
                failures = 0
            except Exception as error:
                pause = RESTART_SECONDS[min(failures, len(RESTART_SECONDS) - 1)]
                failures += 1
                log.warning("Export jobs cannot be taken now; trying again in %g s: %s", pause, error)
                await asyncio.sleep(pause)
            finally:
                self._workers.remove(worker)
                beating.cancel()

    async def _beat(self, worker: Worker) -> None:
        """While a worker ends it waits for its jobs and has no heartbeat of its own, and would be given up with them."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            if worker.worker_id is not None:
                with contextlib.suppress(Exception):
                    await self._app.job_manager.update_heartbeat(worker.worker_id)


async def _nothing() -> None:
    """Nothing is due."""
