"""A job as its row in the table holds it, whatever version wrote the row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from arkham_shard_export.jobs.table.parts import parts_of, progress_of_parts
from arkham_shard_export.jobs.table.values import amount, object_of, options_of, plain_text
from arkham_shard_export.models import ExportJob, ExportStatus

COLUMNS = (
    "id, format, target, status, created_at, started_at, completed_at, file_path, file_size, download_url, expires_at,"
    " error, filters, options, record_count, processing_time_ms, created_by, metadata, batch"
)
SMALL, LARGE, HERE = "small", "large", "here"
"""Lanes: what is done in a few seconds; what may take its time; what only a host can do, whose shards hold the records."""

STARTING, COUNTING, FLATTENING, WRITING = "starting", "counting", "flattening", "writing"
"""Phases of a running job; how many records there are is known after the first two."""


def time_text(value: datetime | None) -> str | None:
    """UTC with microseconds always, so that texts sort as times do."""
    return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")


def moment(value: object) -> datetime | None:
    """A stored time as an aware datetime; older versions stored UTC without an offset."""
    if value is None or value == "":
        return None
    if not isinstance(value, datetime):
        try:
            value = datetime.fromisoformat(str(value))
        except ValueError:
            return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def without_progress(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a job that does not run."""
    return {name: value for name, value in metadata.items() if name != "progress"}


def progress_of(job: ExportJob) -> dict[str, Any] | None:
    """How far a running job is, as the contract shows it; what is not known yet is None."""
    if job.status is not ExportStatus.PROCESSING:
        return None
    noted = object_of(job.metadata.get("progress"))
    parts = progress_of_parts(noted)
    phase = str(noted.get("phase") or STARTING)
    planned = phase not in (STARTING, COUNTING)
    return {
        "phase": phase,
        "done": int(amount(noted, "done") or 0),
        "expected": int(amount(noted, "expected") or 0) if planned else None,
        "percent": amount(noted, "percent"),
        "bytes": int(amount(noted, "bytes") or 0),
        "seconds_left": amount(noted, "seconds_left"),
        **({} if parts is None else {"parts": [asdict(each) for each in parts]}),
    }


def notes_of(metadata: Mapping[str, Any]) -> int:
    """How often the progress of the running attempt has been noted."""
    return int(amount(object_of(metadata.get("progress")), "note") or 0)


def job_of(row: Mapping[str, Any]) -> ExportJob:
    """A job from its row, whatever version wrote it."""
    status, error = status_of(row["status"]), plain_text(row["error"])
    if status is ExportStatus.FAILED and row["status"] != status:
        error = error or f"This job was left in the unknown state {row['status']!r}."
    metadata = metadata_of(row["metadata"])
    parts, continue_on_error = parts_of(row["batch"], status, metadata)
    path = plain_text(row["file_path"])
    return ExportJob(
        id=str(row["id"]),
        format=str(row["format"]),
        target=str(row["target"]),
        status=status,
        created_at=moment(row["created_at"]),
        started_at=moment(row["started_at"]),
        completed_at=moment(row["completed_at"]),
        # Versions before this one stored paths of the server, which are nobody's business.
        file_path=None if path is None or path.startswith("/") else path,
        file_size=None if row["file_size"] is None else int(row["file_size"]),
        download_url=plain_text(row["download_url"]),
        expires_at=moment(row["expires_at"]),
        error=error,
        filters=object_of(row["filters"]),
        options=options_of(row["options"]),
        record_count=int(row["record_count"] or 0),
        processing_time_ms=float(row["processing_time_ms"] or 0.0),
        created_by=str(row["created_by"] or "system"),
        metadata=metadata,
        parts=parts,
        continue_on_error=continue_on_error,
    )


def status_of(stored: object) -> ExportStatus:
    """Of a state that is not known to us, nobody will make anything."""
    try:
        return ExportStatus(str(stored or "pending"))
    except ValueError:
        return ExportStatus.FAILED


def metadata_of(stored: object) -> dict[str, Any]:
    """The metadata of a job, as its row holds it, in whatever form the database gives them."""
    return object_of(stored)
