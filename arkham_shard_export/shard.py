"""The shard that ArkhamFrame loads, and the Python API that other shards call."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkham_shard_export import __version__
from arkham_shard_export.background import begin
from arkham_shard_export.calls import ScheduleCalls, TemplateCalls
from arkham_shard_export.errors import (
    ExportError,
    FileExpired,
    FileMissing,
    JobNotCompleted,
    JobNotFound,
    ServiceUnavailable,
)
from arkham_shard_export.host import Host, server_is_stopping
from arkham_shard_export.jobs.filestores import open_store
from arkham_shard_export.jobs.operating.watching import Flight
from arkham_shard_export.jobs.schedules.firing import OwnerCheck
from arkham_shard_export.jobs.service import JobService
from arkham_shard_export.jobs.table.listing import NEWEST_FIRST, Scope
from arkham_shard_export.models import (
    ExportFilter,
    ExportJob,
    ExportOptions,
    ExportStatistics,
    ExportStatus,
    FormatInfo,
    JobRequest,
    PartRequest,
    TargetInfo,
)
from arkham_shard_export.ports import steady_seconds, system_clock
from arkham_shard_export.schema import Target
from arkham_shard_export.settings import Settings
from arkham_shard_export.sources.custom import RecordSource

if TYPE_CHECKING:
    from fastapi import APIRouter


def load_manifest() -> dict[str, Any]:
    """`shard.yaml`: at the top of a source checkout, or inside the installed package."""
    import yaml

    here = Path(__file__).parent
    path = next(each for each in (here.parent / "shard.yaml", here / "shard.yaml") if each.is_file())
    manifest: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return manifest


try:
    from arkham_frame import ArkhamShard
except ImportError:

    class ArkhamShard:  # type: ignore[no-redef]
        """Stands in where the host's base class cannot be imported."""

        def __init__(self) -> None:
            self.manifest = load_manifest()

        def get_tenant_id_or_none(self) -> None:
            return None


SLOW_START_SECONDS = 0.1
RETRY_START_SECONDS = 1.0
"""Requests within this time of a start that failed slowly are refused without another try."""
MOST_RETRY_START_SECONDS = 30.0

log = logging.getLogger(__name__)


class ExportShard(ArkhamShard, TemplateCalls, ScheduleCalls):  # type: ignore[misc, unused-ignore]
    """Exports of the host's investigations. Methods obey the tenant in force where they are called."""

    name = "export"
    version = __version__
    description = "Gets an investigation out, completely, as files that other people and tools can read."

    def __init__(self) -> None:
        super().__init__()
        self._frame: Any = None
        self._host: Host | None = None
        self._service: JobService | None = None
        self._starting = asyncio.Lock()
        self._refused: ServiceUnavailable | None = None
        self._refused_at = 0.0
        self._trying: asyncio.Task[None] | None = None
        self._looking = Flight(self.service, "arkham-export-look")
        self._sources: dict[str, Target | RecordSource] = {}
        self._owner_check: OwnerCheck | None = None

    # Life in the host

    async def initialize(self, frame: Any) -> None:
        """Take the frame and start. Where a required service is missing, routes answer 503 until it is there."""
        self._frame = frame
        self._host = Host(frame)
        frame.app.state.export_shard = self
        try:
            await self.service()
        except ExportError as error:
            log.warning("Exports are not available yet: %s", error)
            # Jobs wait that nobody asks for.
            self._trying = begin(self._start_later(), "arkham-export-start")

    async def _start_later(self) -> None:
        pause = RETRY_START_SECONDS
        while self._service is None:
            await asyncio.sleep(pause)
            pause = min(2 * pause, MOST_RETRY_START_SECONDS)
            with contextlib.suppress(ExportError):
                await self.service()

    async def shutdown(self) -> None:
        """Stop; running exports are handed back and run again at the next start."""
        state = getattr(getattr(self._frame, "app", None), "state", None)
        if state is not None and getattr(state, "export_shard", None) is self:
            state.export_shard = None
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.gather(self._trying, return_exceptions=True)
        self._looking.stop()
        async with self._starting:
            service, self._service = self._service, None
            self._host = None
            if service is not None:
                await service.stop()

    def get_routes(self) -> APIRouter:
        """The routes under /api/export; they serve whichever instance is current."""
        from arkham_shard_export.api import create_router

        state = getattr(getattr(self._frame, "app", None), "state", None)
        again = getattr(state, "export_routes_included", False)
        if state is not None:
            state.export_routes_included = True
        return create_router(in_schema=not again)

    get_api_router = get_routes

    async def service(self) -> JobService:
        """The running job service, started if need be; ServiceUnavailable names what is missing."""
        if self._service is not None:
            return self._service
        async with self._starting:
            if self._service is None:
                if self._refused is not None and time.monotonic() - self._refused_at < RETRY_START_SECONDS:
                    raise self._refused
                began = time.monotonic()
                try:
                    self._service = await self._started()
                except ServiceUnavailable as error:
                    slow = time.monotonic() - began > SLOW_START_SECONDS
                    self._refused, self._refused_at = (error if slow else None), time.monotonic()
                    raise
            return self._service

    async def service_within(self, seconds: float) -> JobService:
        """As `service`, but ServiceUnavailable where a start takes longer; it goes on."""
        if self._service is not None:
            return self._service
        try:
            return await self._looking.answer(seconds)
        except TimeoutError:
            reason = "Exports are being started and wait for the host's database; try again in a moment."
            raise self._refused or ServiceUnavailable("database", reason) from None

    async def _started(self) -> JobService:
        host = self._host
        if host is None:
            raise ServiceUnavailable("export", "The export shard is switched off in this host.")
        database, events = host.database(), host.events()
        dialect = await host.dialect(database)
        settings = Settings.from_environment()
        service = JobService(
            database,
            events,
            dialect,
            await host.location(database, dialect),
            open_store(host.store_location(settings)),
            settings,
            system_clock,
            steady_seconds,
        )
        service.sources.registered = self._sources
        service.firing.owner_check = self._owner_check
        service.follower.stopping = server_is_stopping
        try:
            await service.start()
        except BaseException:
            await service.stop()
            raise
        return service

    def scope(self, owner: str | None = None) -> Scope:
        """Whose jobs are seen where this is called."""
        return Scope(self.tenant_id(), owner)

    def tenant_id(self) -> str | None:
        tenant = self.get_tenant_id_or_none()
        return None if tenant is None else str(tenant)

    # For other shards

    def register_source(self, name: str, source: Target | RecordSource) -> None:
        """Offer records under the target `custom`: a declared table, or an object that gives them itself.

        A name that is taken is replaced.
        """
        self._sources[name] = source

    def unregister_source(self, name: str) -> None:
        self._sources.pop(name, None)

    async def create_export_job(
        self,
        format: str | None = None,
        target: str | None = None,
        filters: dict[str, Any] | None = None,
        options: ExportOptions | dict[str, Any] | None = None,
        created_by: str = "system",
        retention_hours: float | None = None,
        template: str | dict[str, Any] | None = None,
    ) -> ExportJob:
        """Queue an export and return at once. InvalidRequest names whatever is unknown, wrong or unsupported.

        `template` is a name, an id, or `{"template", "version"}`; whatever else is given overrides it.
        """
        service = await self.service()
        asked = JobRequest(format, target, filters, options, retention_hours, template)
        return await service.create(
            asked, created_by=created_by, tenant_id=self.tenant_id(), scope=self.scope()
        )

    async def create_batch(
        self,
        parts: Sequence[PartRequest | Mapping[str, Any]],
        continue_on_error: bool = False,
        created_by: str = "system",
        retention_hours: float | None = None,
    ) -> ExportJob:
        """Queue several exports over one state of the data, which come in one file, and return at once.

        A part has `target` and `format`, and may have `filters`, `options` and a `name`. InvalidRequest names whatever
        is wrong with each.
        """
        service = await self.service()
        asked = JobRequest(retention_hours=retention_hours, parts=parts, continue_on_error=continue_on_error)
        return await service.create(asked, created_by=created_by, tenant_id=self.tenant_id())

    async def get_job_status(self, job_id: str) -> ExportJob | None:
        service = await self.service()
        try:
            return await service.get(job_id, self.scope())
        except JobNotFound:
            return None

    async def list_jobs(
        self,
        filter: ExportFilter | None = None,
        limit: int = 50,
        offset: int = 0,
        sort: str = NEWEST_FIRST,
    ) -> list[ExportJob]:
        """Newest first, or by `sort`: `created_at` or `completed_at`, with a minus from the last to the first."""
        service = await self.service()
        return await service.page(filter or ExportFilter(), self.scope(), limit, offset, sort)

    async def cancel_job(self, job_id: str) -> ExportJob | None:
        """Cancel a pending or running job; the job as it is then, or None where there is no such job."""
        service = await self.service()
        try:
            return await service.cancel(job_id, self.scope())
        except JobNotFound:
            return None

    async def get_download_url(self, job_id: str) -> str | None:
        """The path to download from, or None unless the job is completed and its file is still kept."""
        service = await self.service()
        try:
            job, _, _ = await service.file_of(job_id, self.scope())
        except (JobNotFound, JobNotCompleted, FileExpired, FileMissing):
            return None
        return job.download_url

    def register_owner_check(self, check: OwnerCheck | None) -> None:
        """Have `check(created_by, tenant_id)` asked before each run of a schedule; what it says pauses the schedule.

        It may be asynchronous, and returns None where that user may still have exports made. While it fails nothing runs.
        """
        self._owner_check = check
        if self._service is not None:
            self._service.firing.owner_check = check

    async def get_statistics(self) -> ExportStatistics:
        return await (await self.service()).statistics(self.scope())

    async def get_count(self, status: str | None = None) -> int:
        """Jobs in a state, pending ones by default."""
        service = await self.service()
        return await service.count(ExportFilter(status=status or ExportStatus.PENDING), self.scope())

    async def get_supported_formats(self) -> list[FormatInfo]:
        return (await self.service()).inventory.formats()

    async def get_export_targets(self) -> list[TargetInfo]:
        """The targets with their records counted now."""
        return await (await self.service()).inventory.targets(self.tenant_id())

    async def get_badge_count(self) -> int:
        """Pending jobs, for the host's sidebar; 0 while exports are not available."""
        try:
            return await self.get_count()
        except ServiceUnavailable:
            return 0
