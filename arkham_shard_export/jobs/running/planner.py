"""From a stored job to what has to be done for it."""

from __future__ import annotations

from collections.abc import Callable

from arkham_shard_export.jobs.batches import Batches
from arkham_shard_export.jobs.files import FileStore, folder_of, stem_of
from arkham_shard_export.jobs.inventory import Inventory
from arkham_shard_export.jobs.running.execution import Tell, execute, execute_batch
from arkham_shard_export.jobs.running.messages import Completed, Failed, Run, RunBatch
from arkham_shard_export.jobs.sources import CUSTOM, SOURCE_FILTER, Sources
from arkham_shard_export.jobs.table.store import StoredJob
from arkham_shard_export.models import ExportJob
from arkham_shard_export.pipeline.batch import Records
from arkham_shard_export.pipeline.export import Check
from arkham_shard_export.ports import Clock
from arkham_shard_export.records import Adjustments, Source
from arkham_shard_export.settings import Settings

Here = Callable[[Clock, Tell, Check], Completed | Failed]
"""Runs a job in this process; to be called in a thread."""

Plan = tuple[Run | RunBatch, Here | None]


class Planner:
    """Knows what the runner does not: how requests are checked, where records and files lie."""

    def __init__(
        self, inventory: Inventory, batches: Batches, sources: Sources, files: FileStore, settings: Settings
    ) -> None:
        self._inventory = inventory
        self._batches = batches
        self._sources = sources
        self._files = files
        self._settings = settings

    def sources_known(self, job: ExportJob) -> bool:
        """Whether the sources of all that a job asks for under `custom` are registered."""
        asked = (
            [(job.target, job.filters)] if job.parts is None else [(p.target, p.filters) for p in job.parts]
        )
        return all(
            filters.get(SOURCE_FILTER) in self._sources.registered
            for target, filters in asked
            if target == CUSTOM
        )

    async def plan(self, stored: StoredJob) -> Plan:
        """What a worker needs to run the job; besides, how it is run in this process if only this one can.

        The request is checked again: the job may be of an older version, the tables may have changed.
        """
        return await (self._single if stored.job.parts is None else self._batch)(stored)

    async def _single(self, stored: StoredJob) -> Plan:
        job = stored.job
        request, target = await self._inventory.check(
            job.format, job.target, job.filters, job.options, stored.tenant_id
        )
        run = Run(
            request,
            target,
            self._files.location,
            folder_of(job.created_at),
            stem_of(job.id, stored.attempts),
            self._sources.location,
            self._settings.processes,
        )
        if not self._sources.only_here(request):
            return run, None

        def open_here(adjustments: Adjustments, check: Check) -> Source:
            return self._sources.open(request, target, adjustments, check)

        return run, lambda clock, tell, check: execute(run, clock, tell, check, open_here)

    async def _batch(self, stored: StoredJob) -> Plan:
        job = stored.job
        batch = await self._batches.check_again(job, stored.tenant_id)
        run = RunBatch(
            batch,
            self._files.location,
            folder_of(job.created_at),
            stem_of(job.id, stored.attempts),
            self._sources.location,
            self._settings.processes,
            last_try=stored.tries >= self._settings.max_attempts,
        )
        if not any(not each.refused and self._sources.only_here(each.request) for each in batch.parts):
            return run, None

        def open_here() -> Records:
            return self._sources.open_all(batch)

        return run, lambda clock, tell, check: execute_batch(run, clock, tell, check, open_here)
