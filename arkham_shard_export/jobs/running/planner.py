"""From a stored job to what has to be done for it."""

from __future__ import annotations

from arkham_shard_export.jobs.files import FileStore, folder_of, stem_of
from arkham_shard_export.jobs.inventory import Inventory
from arkham_shard_export.jobs.running.messages import Run
from arkham_shard_export.jobs.sources import CUSTOM, SOURCE_FILTER, Sources
from arkham_shard_export.models import ExportJob
from arkham_shard_export.pipeline.export import Check
from arkham_shard_export.pipeline.run import OpenSource
from arkham_shard_export.records import Adjustments, Source


class Planner:
    """Knows what the runner does not: how requests are checked, where records and files lie."""

    def __init__(self, inventory: Inventory, sources: Sources, files: FileStore, processes: int) -> None:
        self._processes = processes
        self._inventory = inventory
        self._sources = sources
        self._files = files

    def source_known(self, job: ExportJob) -> bool:
        """Whether the source of a custom job is registered; true for every other job."""
        return job.target != CUSTOM or job.filters.get(SOURCE_FILTER) in self._sources.registered

    async def plan(
        self, job: ExportJob, tenant_id: str | None, attempt: int
    ) -> tuple[Run, OpenSource | None]:
        """What a worker needs to run the job; besides, how to open its records if only this process can.

        The request is checked again: the job may be of an older version, the tables may have changed.
        """
        request, target = await self._inventory.check(
            job.format, job.target, job.filters, job.options, tenant_id
        )
        run = Run(
            request,
            target,
            self._files.location,
            folder_of(job.created_at),
            stem_of(job.id, attempt),
            self._sources.location,
            self._processes,
        )
        if not self._sources.only_here(request):
            return run, None

        def open_here(adjustments: Adjustments, check: Check) -> Source:
            return self._sources.open(request, target, adjustments, check)

        return run, open_here
