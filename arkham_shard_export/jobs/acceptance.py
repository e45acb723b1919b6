"""From what somebody asks for to a stored job: checked, admitted, and stored once."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

from arkham_shard_export.errors import FieldProblem, InvalidRequest, KeyInUse, Withdrawn
from arkham_shard_export.jobs.admission import NOBODY, Admission
from arkham_shard_export.jobs.batches import Batches, stored_parts
from arkham_shard_export.jobs.inventory import Inventory
from arkham_shard_export.jobs.queues.lanes import Lanes
from arkham_shard_export.jobs.sources import CUSTOM, Sources
from arkham_shard_export.jobs.table.listing import Scope
from arkham_shard_export.jobs.table.requestkeys import Claim, RequestKey, RequestKeys
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.jobs.telling import Telling
from arkham_shard_export.jobs.templates import TemplateLibrary
from arkham_shard_export.models import BATCH_FORMAT, ExportJob, JobRequest
from arkham_shard_export.pipeline.parts import Part
from arkham_shard_export.ports import Clock

Held = tuple[str, Sequence[str]]
"""A FROM and WHERE, and its values."""
_OF_EACH_PART = ("format", "target", "filters", "options", "template")


@dataclass(frozen=True, slots=True)
class Checked:
    """What a job would be made of: the exports, one or those of a batch, and the job, which has no times yet."""

    job: ExportJob
    parts: tuple[Part, ...]


class Acceptance:
    def __init__(
        self,
        jobs: JobStore,
        inventory: Inventory,
        batches: Batches,
        templates: TemplateLibrary,
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
        self._batches = batches
        self._templates = templates
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
        scope: Scope | None = None,
        held: Held | None = None,
    ) -> tuple[ExportJob, bool]:
        """The pending job, and whether it was there already. InvalidRequest lists what is wrong; TooManyJobs and
        StoreFull refuse it for now.

        Of all requests with one `key`, or for one `job_id`, the first makes the job. KeyInUse while another is being
        accepted, InvalidRequest where the key came with another request. A request that is refused leaves its key
        free. `noted` stands in the job's metadata. `scope` is as in `check`. The job is stored only where `held` gives
        a row, else Withdrawn.
        """
        if job_id is not None and (there := await self._jobs.get(job_id, Scope(tenant_id))) is not None:
            return there, True
        claim = None if key is None else await self._keys.claim(key)
        if claim is not None and claim.stored:
            return await self._there(claim.job_id, tenant_id), True
        try:
            checked = await self.check(asked, tenant_id, created_by, scope)
            job = checked.job
            only_here = any(self._sources.only_here(each.request) for each in checked.parts)
            lane = await self._lanes.lane_of_all(checked.parts, only_here)
            await self._admission.admit(created_by, tenant_id)
        except BaseException:
            if claim is not None:
                with contextlib.suppress(Exception):
                    await self._keys.release(claim)
            raise
        job.created_at = self._clock()
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

    async def check(
        self, asked: JobRequest, tenant_id: str | None, created_by: str = NOBODY, scope: Scope | None = None
    ) -> Checked:
        """What the job would be made of, or InvalidRequest with all that is wrong. Nothing is stored, nor refused for now.

        `scope` is of the templates that may be used; without it those of who creates the job.
        """
        seen = scope or Scope(tenant_id, None if created_by == NOBODY else created_by)

        async def resolved(asked: JobRequest) -> tuple[JobRequest, dict[str, Any]]:
            return await self._templates.resolved(asked, seen, created_by)

        if asked.parts is None:
            if asked.continue_on_error is not None:
                message = "continue_on_error is for batches: an export alone has nothing to go on with."
                raise InvalidRequest([FieldProblem("continue_on_error", asked.continue_on_error, message)])
            asked, metadata = await resolved(asked)
            request, target = await self._inventory.check(
                asked.format, asked.target, asked.filters, asked.options, tenant_id
            )
            if request.date_range is not None:
                metadata["date_range"] = asdict(request.date_range)
            parts: tuple[Part, ...] = (Part(request, target),)
            job = ExportJob(
                str(uuid4()),
                request.format,
                request.target,
                filters=request.given_filters,
                options=request.options,
                metadata=metadata,
            )
        else:
            _check_whole(asked)
            batch = await self._batches.check(asked.parts, asked.continue_on_error, tenant_id, resolved)
            parts = batch.parts
            job = ExportJob(
                str(uuid4()),
                BATCH_FORMAT,
                CUSTOM,
                parts=stored_parts(batch),
                continue_on_error=batch.continue_on_error,
            )
        hours = self._admission.retention_hours(asked.retention_hours)
        if asked.retention_hours is not None:
            job.metadata["retention_hours"] = hours
        job.created_by = created_by
        return Checked(job, parts)

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


def _check_whole(asked: JobRequest) -> None:
    """What an export has belongs to each part of a batch."""
    problems = [
        FieldProblem(name, getattr(asked, name), f"A batch has no {name} of its own: each of its parts has.")
        for name in _OF_EACH_PART
        if getattr(asked, name) is not None
    ]
    if problems:
        raise InvalidRequest(problems)
