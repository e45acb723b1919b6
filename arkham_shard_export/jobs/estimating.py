"""How long an export will take, by what earlier ones of its kind took."""

from __future__ import annotations

from arkham_shard_export.jobs.table.listing import Scope
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.models import ExportFilter, ExportStatus
from arkham_shard_export.pipeline import ExportRequest

LOOKED_AT = 20
MOST_TIMES_LARGER = 100
"""Than the largest of them; what is larger yet can take any time per record."""


async def estimated_seconds(jobs: JobStore, request: ExportRequest, records: int) -> float | None:
    """In proportion to the largest of the latest exports of this target and format; None where that says nothing."""
    same = ExportFilter(status=ExportStatus.COMPLETED, format=request.format, target=request.target)
    latest = await jobs.page(same, Scope(request.tenant_id), LOOKED_AT, 0)
    written = min(records, request.options.max_records or records)
    if not latest:
        return None
    largest = max(latest, key=lambda job: job.record_count)
    if written > MOST_TIMES_LARGER * largest.record_count:
        return None
    quickest = min(job.processing_time_ms for job in latest)
    share = written / (largest.record_count or 1)
    return round(max(quickest, largest.processing_time_ms * share) / 1000, 3)
