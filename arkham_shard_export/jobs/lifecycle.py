"""The life of a job: the one table of what may follow what."""

from __future__ import annotations

from arkham_shard_export.models import ExportStatus

PENDING, PROCESSING = ExportStatus.PENDING, ExportStatus.PROCESSING
COMPLETED, FAILED, CANCELLED = ExportStatus.COMPLETED, ExportStatus.FAILED, ExportStatus.CANCELLED

TRANSITIONS: dict[ExportStatus, frozenset[ExportStatus]] = {
    PENDING: frozenset({PROCESSING, CANCELLED}),
    # Back to pending: the process that ran it stopped or died, and it runs again from the start.
    PROCESSING: frozenset({COMPLETED, FAILED, CANCELLED, PENDING}),
    COMPLETED: frozenset(),
    FAILED: frozenset(),
    CANCELLED: frozenset(),
}
ENDED = tuple(status for status, following in TRANSITIONS.items() if not following)


def before(status: ExportStatus) -> tuple[ExportStatus, ...]:
    """The states from which a job may become `status`."""
    return tuple(each for each, following in TRANSITIONS.items() if status in following)
