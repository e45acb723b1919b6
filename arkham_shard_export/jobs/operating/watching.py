"""What there is to know of the service as a whole, over all tenants, asked in a way that a hanging database cannot hold up."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from arkham_shard_export.background import begin
from arkham_shard_export.errors import ExportError
from arkham_shard_export.jobs.files import FileStore
from arkham_shard_export.jobs.table.lease import Lease
from arkham_shard_export.jobs.table.listing import EVERYTHING, Listing
from arkham_shard_export.jobs.table.outbox import Outbox
from arkham_shard_export.jobs.table.schedules import ScheduleStore
from arkham_shard_export.models import ExportFilter, ExportStatus
from arkham_shard_export.ports import Clock, Database
from arkham_shard_export.sources.dialects import Dialect
from arkham_shard_export.store_location import FolderLocation

ANSWER_SECONDS = 0.7

T = TypeVar("T")


class Flight(Generic[T]):
    """A question that may hang: at most one is under way, and whoever asks meanwhile waits for its answer."""

    def __init__(self, ask: Callable[[], Awaitable[T]], name: str) -> None:
        self._ask = ask
        self._name = name
        self._task: asyncio.Task[T] | None = None

    async def answer(self, seconds: float) -> T:
        """The answer, or what asking raised; TimeoutError after so many seconds, and the question stays under way.

        It is not cancelled: a driver may take long to give up a connection that hangs.
        """
        if self._task is None or self._task.done():
            self._task = begin(self._asked(), self._name)
            self._task.add_done_callback(_heard)
        task = self._task
        await asyncio.wait([task], timeout=seconds)
        if not task.done() or task.cancelled():
            raise TimeoutError
        return task.result()

    async def _asked(self) -> T:
        return await self._ask()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()


def _heard(task: asyncio.Task[Any]) -> None:
    """Nobody may be left to hear that it failed, which is no fault."""
    if not task.cancelled():
        task.exception()


class Queue(Protocol):
    """What is asked of a queue here."""

    @property
    def engine(self) -> str: ...

    async def workers(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Figures:
    """As the database tells them, over all tenants and hosts. None: this could not be told.

    `groups` are rows of status, format, target and jobs; `leads` as in `Lease.led`; `schedules` by state, and how late
    the due time is that the tardiest active one waits for.
    """

    answered_ms: float
    groups: Sequence[Mapping[str, Any]]
    oldest_pending_seconds: float
    workers: int | None
    events_waiting: int | None
    leads: bool | None
    lease_told: bool
    schedules: Mapping[str, int] | None = None
    overdue_seconds: float = 0.0

    def jobs(self, status: ExportStatus) -> int:
        return sum(int(each["jobs"]) for each in self.groups if each["status"] == status)


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """`problem` None: a file could be written to a folder, or a bucket could be read. A bucket has no `free_bytes`."""

    problem: str | None
    free_bytes: int | None


class Watch:
    """Asks the database and the store, at most once at a time each."""

    def __init__(
        self,
        database: Database,
        dialect: Dialect,
        queue: Queue,
        outbox: Outbox,
        lease: Lease,
        files: FileStore,
        schedules: ScheduleStore,
        clock: Clock,
    ) -> None:
        self.engine = queue.engine
        self._database = database
        self._listing = Listing(database, dialect)
        self._queue = queue
        self._outbox = outbox
        self._lease = lease
        self._files = files
        self._schedules = schedules
        self.store_kind = "folder" if isinstance(files.location, FolderLocation) else "s3"
        self._clock = clock
        self._figures = Flight(self._ask_database, "arkham-export-figures")
        self._store = Flight(self._ask_store, "arkham-export-store")

    async def figures(self, seconds: float = ANSWER_SECONDS) -> Figures:
        """ServiceUnavailable where the database fails, TimeoutError where it does not answer in time."""
        return await self._figures.answer(seconds)

    async def store(self, seconds: float = ANSWER_SECONDS) -> StoreFigures:
        """TimeoutError where the disk does not answer in time."""
        return await self._store.answer(seconds)

    def stop(self) -> None:
        self._figures.stop()
        self._store.stop()

    async def _ask_database(self) -> Figures:
        began = time.perf_counter()
        await self._database.fetch_one("SELECT 1 AS alive")
        answered_ms = round((time.perf_counter() - began) * 1000, 3)
        groups = await self._listing.groups(EVERYTHING)
        oldest = 0.0
        if any(each["status"] == ExportStatus.PENDING for each in groups):
            job = await self._listing.oldest(ExportFilter(status=ExportStatus.PENDING), EVERYTHING)
            if job is not None and job.created_at is not None:
                oldest = max(0.0, (self._clock() - job.created_at).total_seconds())
        workers = events = leads = None
        lease_told = False
        with contextlib.suppress(ExportError):
            workers = await self._queue.workers()
        with contextlib.suppress(ExportError):
            events = await self._outbox.waiting()
        with contextlib.suppress(ExportError):
            leads = await self._lease.led()
            lease_told = True
        schedules, overdue = await self._look_at_schedules()
        return Figures(answered_ms, groups, oldest, workers, events, leads, lease_told, schedules, overdue)

    async def _look_at_schedules(self) -> tuple[Mapping[str, int] | None, float]:
        try:
            by_state, due = await self._schedules.figures()
        except ExportError:
            return None, 0.0
        late = 0.0 if due is None else (self._clock() - due).total_seconds()
        return by_state, max(0.0, late)

    async def _ask_store(self) -> StoreFigures:
        """Without its place, which is nobody's business."""
        try:
            if isinstance(self._files.location, FolderLocation):
                await asyncio.to_thread(_write, self._files.location.path)
            if await self._files.known_id() is None:
                return StoreFigures("its marker is gone, as that of a share that is not mounted", None)
            return StoreFigures(None, await self._files.free_bytes())
        except OSError as error:
            return StoreFigures(error.strerror or type(error).__name__, None)
        except ExportError as error:
            return StoreFigures(str(error).rstrip("."), None)


def _write(folder: str) -> None:
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"\0")
