"""From what somebody asks for to a stored job: checked, admitted, and stored once."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from arkham_shard_export.errors import KeyInUse, Withdrawn
from arkham_shard_export.jobs.admission import Admission
from arkham_shard_export.jobs.inventory import Inventory
from arkham_shard_export.jobs.queues.lanes import Lanes
from arkham_shard_export.jobs.sources import Sources
from arkham_shard_export.jobs.table.listing import Scope
from arkham_shard_export.jobs.table.requestkeys import Claim, RequestKey, RequestKeys
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.jobs.telling import Telling
from arkham_shard_export.models import ExportJob, JobRequest
from arkham_shard_export.pipeline import ExportRequest
from arkham_shard_export.ports import Clock
from arkham_shard_export.schema import Target

Held = tuple[str, Sequence[str]]
"""A FROM and WHERE, and its values."""


@dataclass(frozen=True, slots=True)
class Checked:
    request: ExportRequest
    target: Target
    retention_hours: float


class Acceptance:
    def __init__(
        self,
        jobs: JobStore,
        inventory: Inventory,
        sources: Sources,
        lanes: Lanes,
        admission: Admission,
        keys: RequestKeys,
        telling: Telling,
        put: Callable[[str, str], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._inventory = inventory
        self._sources = sources
        self._lanes = lanes
        self._admission = admission
        self._keys = keys
        self._telling = telling
        self._put = put
        self._clock = clock

    async def accept(
        self,
        asked: JobRequest,
        *,
        created_by: str,
        tenant_id: str | None,
        key: RequestKey | None = None,
        job_id: str | None = None,
        noted: Mapping[str, Any] | None = None,
        held: Held | None = None,
    ) -> tuple[ExportJob, bool]:
        """The pending job, and whether it was there already. InvalidRequest lists what is wrong; TooManyJobs and
        StoreFull refuse it for now.

        Of all requests with one `key`, or for one `job_id`, the first makes the job. KeyInUse while another is being
        accepted, InvalidRequest where the key came with another request. A request that is refused leaves its key
        free. `noted` stands in the job's metadata. The job is stored only where `held` gives a row, else Withdrawn.
        """
        if job_id is not None and (there := await self._jobs.get(job_id, Scope(tenant_id))) is not None:
            return there, True
        claim = None if key is None else await self._keys.claim(key)
        if claim is not None and claim.stored:
            return await self._there(claim.job_id, tenant_id), True
        try:
            job, lane = await self._made(asked, created_by, tenant_id)
        except BaseException:
            if claim is not None:
                with contextlib.suppress(Exception):
                    await self._keys.release(claim)
            raise
        job.metadata |= noted or {}
        job.id = job_id or (job.id if claim is None else claim.job_id)
        if claim is not None and not await self._stored_under(claim, job, tenant_id, lane):
            return await self._there(claim.job_id, tenant_id), True
        if claim is None:
            await self._jobs.insert(job, tenant_id, lane, held)
            if held is not None and await self._jobs.get(job.id, Scope(tenant_id)) is None:
                raise Withdrawn("The job is no longer wanted.")
        self._telling.changed(job, tenant_id, "pending", lane=lane)
        await self._put(job.id, lane)
        return job, False

    async def check(self, asked: JobRequest, tenant_id: str | None) -> Checked:
        """What a job of this request would be made of; InvalidRequest lists what is wrong. Nothing is stored, nor refused for
        now."""
        request, chosen = await self._inventory.check(
            asked.format, asked.target, asked.filters, asked.options, tenant_id
        )
        return Checked(request, chosen, self._admission.retention_hours(asked.retention_hours))

    async def _made(self, asked: JobRequest, created_by: str, tenant_id: str | None) -> tuple[ExportJob, str]:
        """The job that is asked for, not stored yet, and its lane."""
        checked = await self.check(asked, tenant_id)
        request = checked.request
        lane = await self._lanes.lane(request, checked.target, self._sources.only_here(request))
        await self._admission.admit(created_by, tenant_id)
        job = ExportJob(
            id=str(uuid4()),
            format=request.format,
            target=request.target,
            created_at=self._clock(),
            filters=request.given_filters,
            options=request.options,
            created_by=created_by,
            metadata={} if asked.retention_hours is None else {"retention_hours": checked.retention_hours},
        )
        return job, lane

    async def _stored_under(self, claim: Claim, job: ExportJob, tenant_id: str | None, lane: str) -> bool:
        """Whether this call has stored the job, and not another with the same key."""
        await self._jobs.insert(job, tenant_id, lane, self._keys.holds(claim))
        again = await self._keys.again(claim)
        if again is None or not again.stored:
            raise KeyInUse
        return again.mine

    async def _there(self, job_id: str, tenant_id: str | None) -> ExportJob:
        job = await self._jobs.get(job_id, Scope(tenant_id))
        if job is None:
            raise KeyInUse
        return job
