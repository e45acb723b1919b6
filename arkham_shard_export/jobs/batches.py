"""The parts of a batch, checked as jobs of their own would be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.jobs.inventory import Inventory
from arkham_shard_export.jobs.sources import SOURCE_FILTER
from arkham_shard_export.models import ExportJob, ExportOptions, ExportPart, JobRequest, PartRequest
from arkham_shard_export.pipeline import ExportRequest
from arkham_shard_export.pipeline.parts import BatchRequest, Part, problems_of_part, read_parts
from arkham_shard_export.schema import Target
from arkham_shard_export.targets import TARGETS

Resolved = Callable[[JobRequest], Awaitable[tuple[JobRequest, dict[str, Any]]]]
"""A request without its template, and what is to be noted of that."""


class Batches:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    async def check(
        self, parts: object, continue_on_error: object, tenant_id: str | None, resolved: Resolved
    ) -> BatchRequest:
        """The batch, or InvalidRequest with every problem of every part."""
        read, goes_on = read_parts(parts, continue_on_error)
        checked: list[Part] = []
        problems: list[FieldProblem] = []
        for place, each in enumerate(read):
            try:
                asked, noted = await resolved(
                    JobRequest(each.format, each.target, each.filters, each.options, template=each.template)
                )
                part = await self._part(
                    PartRequest(asked.target, asked.format, asked.filters, asked.options, each.name),
                    tenant_id,
                )
                checked.append(replace(part, template=noted.get("template")))
            except InvalidRequest as error:
                problems += problems_of_part(place, error.problems)
        if problems:
            raise InvalidRequest(problems)
        return BatchRequest(tuple(checked), goes_on)

    async def check_again(self, job: ExportJob, tenant_id: str | None) -> BatchRequest:
        """As `check`, for a job that was accepted once; where others go on, a part that is refused now fails alone."""
        parts: list[Part] = []
        for number, each in enumerate(job.parts or (), 1):
            try:
                parts.append(await self._part(_asked(each), tenant_id))
            except InvalidRequest as error:
                if not job.continue_on_error or each.format not in FORMATS:
                    raise InvalidRequest(problems_of_part(number - 1, error.problems)) from error
                parts.append(_refused(each, str(error)))
        return BatchRequest(tuple(parts), job.continue_on_error)

    async def _part(self, asked: PartRequest, tenant_id: str | None) -> Part:
        request, target = await self._inventory.check(
            asked.format, asked.target, asked.filters, asked.options, tenant_id
        )
        return Part(request, target, str(asked.name or ""))


def stored_parts(batch: BatchRequest) -> list[ExportPart]:
    """The parts as a new job has them."""
    return [
        ExportPart(
            target=each.request.target,
            format=each.request.format,
            filters=each.request.given_filters,
            options=each.request.options,
            name=each.name or None,
            template=each.template,
        )
        for each in batch.parts
    ]


def _asked(part: ExportPart) -> PartRequest:
    return PartRequest(part.target, part.format, part.filters, part.options, part.name)


def _refused(part: ExportPart, reason: str) -> Part:
    target = TARGETS.get(part.target) or Target(part.target, part.target.capitalize(), "", ())
    source = part.filters.get(SOURCE_FILTER)
    request = ExportRequest(
        part.format,
        part.target,
        part.filters,
        ExportOptions(),
        source=source if isinstance(source, str) else None,
    )
    return Part(request, target, part.name or "", reason)
