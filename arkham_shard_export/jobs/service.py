"""Everything one can do with export jobs; what the routes, the shard's Python API and the command line call."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from arkham_shard_export.errors import (
    ExportError,
    FieldProblem,
    FileExpired,
    FileMissing,
    InvalidRequest,
    JobNotCompleted,
    JobNotFound,
    ServiceUnavailable,
)
from arkham_shard_export.jobs.acceptance import Acceptance
from arkham_shard_export.jobs.admission import Admission
from arkham_shard_export.jobs.batches import Batches
from arkham_shard_export.jobs.estimating import estimated_seconds
from arkham_shard_export.jobs.files import (
    FileStore,
    StoredObject,
    download_name,
    extension_of,
    is_file_of,
    subject_of,
)
from arkham_shard_export.jobs.following import Follower
from arkham_shard_export.jobs.inventory import Inventory
from arkham_shard_export.jobs.leading.clockwatch import ClockWatch
from arkham_shard_export.jobs.leading.publisher import Publisher
from arkham_shard_export.jobs.leading.sweeper import Sweeper
from arkham_shard_export.jobs.leading.ticker import Ticker
from arkham_shard_export.jobs.operating.metrics import Metrics
from arkham_shard_export.jobs.operating.watching import Watch
from arkham_shard_export.jobs.queues.embedded import EmbeddedQueue
from arkham_shard_export.jobs.queues.lanes import Lanes
from arkham_shard_export.jobs.running.endings import cancelled
from arkham_shard_export.jobs.running.planner import Planner
from arkham_shard_export.jobs.running.runs import Runs
from arkham_shard_export.jobs.schedules.desk import Schedules
from arkham_shard_export.jobs.schedules.firing import Firing
from arkham_shard_export.jobs.showing import check_filter
from arkham_shard_export.jobs.sources import Sources
from arkham_shard_export.jobs.table.filerecords import FileRecords
from arkham_shard_export.jobs.table.history import MOST_DAYS, History
from arkham_shard_export.jobs.table.layouts import LayoutStore
from arkham_shard_export.jobs.table.lease import Lease
from arkham_shard_export.jobs.table.listing import NEWEST_FIRST, ORDERS, Scope
from arkham_shard_export.jobs.table.migrations import migrate
from arkham_shard_export.jobs.table.outbox import Outbox
from arkham_shard_export.jobs.table.requestkeys import RequestKeys
from arkham_shard_export.jobs.table.scheduleruns import RunStore
from arkham_shard_export.jobs.table.schedules import ScheduleStore
from arkham_shard_export.jobs.table.states import JobStates
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.jobs.table.templates import TemplateStore
from arkham_shard_export.jobs.telling import Telling
from arkham_shard_export.jobs.templates import TemplateLibrary
from arkham_shard_export.models import (
    ExportFilter,
    ExportHistory,
    ExportJob,
    ExportStatistics,
    ExportStatus,
    JobRequest,
)
from arkham_shard_export.pipeline import Preview
from arkham_shard_export.ports import Clock, Database, Events, steady_seconds
from arkham_shard_export.settings import Settings
from arkham_shard_export.sources.dialects import Dialect
from arkham_shard_export.sources.location import Location, PostgresLocation

MAX_LIST = 500
MAX_OFFSET = 2**53
_JOB_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


log = logging.getLogger(__name__)

HOST_LEASE = "host"
"""Its holder delivers events, sweeps the store and, without PostgreSQL, runs jobs."""


class Queue(Protocol):
    """Decides when and where stored jobs run."""

    engine: str
    tick: Callable[[], Awaitable[None]]
    """Looks for schedules that are due; called now and then by a queue of many processes, by one of them at a time."""

    async def start(self) -> None: ...

    async def put(self, job_id: str, lane: str) -> None:
        """A job has been stored. Whatever happens here, it will run."""
        ...

    def wake(self) -> None:
        """Look for jobs now."""
        ...

    async def stop(self) -> None:
        """Take no more jobs, and hand back those that do not end within the grace period."""
        ...

    async def workers(self) -> int:
        """The processes that take jobs."""
        ...


class JobService:
    """Owns the table, the store, the publisher and the queue of one process, from `start` to `stop`.

    It is made on the process's event loop and belongs to it. A worker has no `events`: hosts deliver what it has to tell.
    """

    def __init__(
        self,
        database: Database,
        events: Events | None,
        dialect: Dialect,
        location: Location | None,
        files: FileStore,
        settings: Settings,
        clock: Clock,
        steady: Callable[[], float] = steady_seconds,
    ) -> None:
        self._database = database
        self._dialect = dialect
        self._clock = clock
        self.jobs = JobStore(database, dialect)
        self.files = files
        self.sources = Sources(database, dialect, location, asyncio.get_running_loop(), clock)
        layouts = LayoutStore(database, dialect)
        self.inventory = Inventory(database, dialect, self.sources, clock, layouts.get)
        self._settings = settings
        self._outbox = Outbox(database)
        self._lease = Lease(database, dialect, HOST_LEASE)
        self._telling = Telling()
        self.follower = Follower(self.jobs, JobStates(database), settings.max_listeners)
        self._telling.heard = self.follower.heard
        self.publisher: Publisher | None = None
        if events is not None:
            self.publisher = Publisher(self._outbox, self._lease, events)
            self._telling.then = self.publisher.wake
        batches = Batches(self.inventory)
        planner = Planner(self.inventory, batches, self.sources, self.files, settings)
        self._records = FileRecords(database)
        self._keys = RequestKeys(database, dialect)
        self._history = History(database, dialect)
        schedules, runs = ScheduleStore(database, dialect), RunStore(database, dialect)
        self.sweeper = Sweeper(
            self._records,
            self._keys,
            runs,
            self.files,
            self._lease,
            self._telling,
            ClockWatch(database, dialect, clock, steady),
            clock,
            settings.sweep_seconds,
        )
        self.runs = Runs(self.jobs, self.files, planner, self._telling, settings, clock)
        self.queue = self._queue()
        admission = Admission(self.jobs, self.files, settings)
        self.templates = TemplateLibrary(
            TemplateStore(database, dialect), layouts, self.inventory, admission.retention_hours, clock
        )
        self.acceptance = Acceptance(
            self.jobs,
            self.inventory,
            batches,
            self.templates,
            self.sources,
            Lanes(database, dialect),
            admission,
            self._keys,
            self._telling,
            self.queue.put,
            clock,
        )
        here = self.publisher is not None
        self.firing = Firing(schedules, runs, self.acceptance, self._telling, clock, here=here)
        self.ticker = Ticker(self._lease, self.firing.tick, settings.poll_seconds)
        self.queue.tick = self.firing.tick
        self.schedules = Schedules(
            schedules, runs, self.firing, self.acceptance, self._telling, settings, clock
        )
        self.watch = Watch(
            database, dialect, self.queue, self._outbox, self._lease, self.files, schedules, clock
        )
        self.metrics = Metrics(self.watch, self.runs.running, self.firing)
        if self.publisher is not None:
            self.publisher.heard = self.metrics.heard

    def _queue(self) -> Queue:
        """Procrastinate where the jobs lie in a PostgreSQL that we can reach, or else a queue of this process alone."""
        location = self.sources.location
        if isinstance(location, PostgresLocation) and importlib.util.find_spec("procrastinate"):
            from arkham_shard_export.jobs.queues.postgres import PostgresQueue
            from arkham_shard_export.jobs.queues.state import QueueState

            here = self.publisher is not None
            state = QueueState(self._database, self._clock)
            return PostgresQueue(location.url, state, self.runs, self._settings, here=here)
        return EmbeddedQueue(self.jobs, self.runs, self._lease, self._settings)

    async def start(self) -> None:
        """Begin to serve and to work; ServiceUnavailable where the database or the store is not there."""
        await self.files.prepare()
        await migrate(self._database, self._dialect)
        await self._agree_on_the_store()
        if self.publisher is not None:
            self.publisher.start()
            self.sweeper.start()
        await self.queue.start()
        if self.publisher is not None:
            self.ticker.start()

    async def _agree_on_the_store(self) -> None:
        """A worker whose files no host can find must not work; what hosts use is right."""
        used, known = await self.files.identify(), await self._records.store_id()
        if known == used:
            return
        if self.publisher is not None:
            if known is not None:
                log.warning(
                    "The export store is now %s; files of another store are lost.", self.files.describe()
                )
            await self._records.record_store(used)
        elif known is not None:
            raise ServiceUnavailable(
                "storage",
                f"The store {self.files.describe()} is not the one that the hosts use; "
                "set ARKHAM_EXPORT_STORE to theirs.",
            )

    async def stop(self) -> None:
        """Take no more jobs, hand running ones back, deliver what there is to tell, and let another host lead."""
        await self.follower.stop()
        self.watch.stop()
        await self.sweeper.stop()
        await self.ticker.stop()
        await self.queue.stop()
        if self.publisher is not None:
            await self.publisher.stop()
        with contextlib.suppress(ExportError):
            await self._lease.release()

    async def create(
        self,
        asked: JobRequest,
        *,
        created_by: str,
        tenant_id: str | None,
        scope: Scope | None = None,
    ) -> ExportJob:
        """Store a pending job; it runs as soon as there is room. As `Acceptance.accept` without a key."""
        job, _ = await self.acceptance.accept(asked, created_by=created_by, tenant_id=tenant_id, scope=scope)
        return job

    async def get(self, job_id: str, scope: Scope) -> ExportJob:
        """The job, or JobNotFound."""
        job = await self.jobs.get(job_id, scope) if _JOB_ID.fullmatch(job_id) else None
        if job is None:
            raise JobNotFound(job_id)
        return job

    async def page(
        self,
        filter: ExportFilter,
        scope: Scope,
        limit: int = 50,
        offset: int = 0,
        sort: str = NEWEST_FIRST,
    ) -> list[ExportJob]:
        """`sort` is one of ORDERS."""
        check_filter(filter)
        if sort not in ORDERS:
            message = f"Jobs cannot be sorted by {str(sort)[:60]!r}."
            raise InvalidRequest([FieldProblem("sort", sort, message, tuple(ORDERS))])
        for name, value in (("limit", limit), ("offset", offset)):
            if not 0 <= value <= MAX_OFFSET:
                message = f"{name} must be from 0 to {MAX_OFFSET}, not {value}."
                raise InvalidRequest([FieldProblem(name, value, message)])
        return await self.jobs.page(filter, scope, limit, offset, sort)

    async def count(self, filter: ExportFilter, scope: Scope) -> int:
        check_filter(filter)
        return await self.jobs.count(filter, scope)

    async def statistics(self, scope: Scope) -> ExportStatistics:
        return await self.jobs.statistics(scope)

    async def history(self, days: int, scope: Scope) -> ExportHistory:
        """The last `days` days in UTC, today among them; InvalidRequest where it is not from 1 to MOST_DAYS."""
        if not 1 <= days <= MOST_DAYS:
            message = f"days must be from 1 to {MOST_DAYS}, not {days}."
            raise InvalidRequest([FieldProblem("days", days, message)])
        return await self._history.last(days, self._clock().date(), scope)

    async def cancel(self, job_id: str, scope: Scope) -> ExportJob:
        """Cancel a pending or running job; a finished one stays as it is. Returns when the work has stopped."""
        job = await self.get(job_id, scope)
        unended = job.status in (ExportStatus.PENDING, ExportStatus.PROCESSING)
        if unended and await cancelled(self.jobs, job, self._clock()):
            self._telling.changed(job, scope.tenant_id, "cancelled")
            await self.runs.end_lost(job_id)
        return await self.get(job_id, scope)

    async def preview(
        self, asked: JobRequest, records: int, scope: Scope, user: str | None = None
    ) -> Preview:
        """The first records of what a job of this request would write, by its very writer."""
        whole, _ = await self.templates.resolved(asked, scope, user)
        request, chosen = await self.inventory.check(
            whole.format, whole.target, whole.filters, whole.options, scope.tenant_id
        )
        preview = await self.inventory.preview(request, chosen, records)
        with contextlib.suppress(ServiceUnavailable):
            seconds = await estimated_seconds(self.jobs, request, preview.estimated_record_count)
            preview = replace(preview, estimated_seconds=seconds)
        return preview

    async def file_of(self, job_id: str, scope: Scope) -> tuple[ExportJob, StoredObject, str]:
        """The job, its file and the name to download it under; says why where there is none."""
        job = await self.get(job_id, scope)
        if job.status is not ExportStatus.COMPLETED:
            reason = f": {job.error}" if job.error else "."
            raise JobNotCompleted(f"There is nothing to download: the job is {job.status.value}{reason}")
        if self.expired(job):
            raise FileExpired(
                f"The file was kept until {job.expires_at:%Y-%m-%d %H:%M} UTC; run the export again."
            )
        if job.file_path is None or not is_file_of(job.file_path, job.id):
            raise FileMissing("This job has no file in the store; run the export again.")
        stored = await self.files.open(job.file_path)
        name = str(job.metadata.get("file_name") or "") or download_name(
            subject_of(job), job.created_at or self._clock(), job.id, extension_of(stored.name)
        )
        return job, stored, name

    def expired(self, job: ExportJob) -> bool:
        return job.expires_at is not None and job.expires_at <= self._clock()

    async def downloaded(self, job: ExportJob) -> None:
        with contextlib.suppress(ExportError):
            await self._outbox.put("export.file.downloaded", {"job_id": job.id, "file_path": job.file_path})
        self._telling.then()
