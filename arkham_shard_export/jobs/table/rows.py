"""A job as its row in the table holds it, whatever version wrote the row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from arkham_shard_export.models import ExportJob, ExportOptions, ExportStatus

COLUMNS = (
    "id, format, target, status, created_at, started_at, completed_at, file_path, file_size, download_url, expires_at,"
    " error, filters, options, record_count, processing_time_ms, created_by, metadata"
)
SMALL, LARGE, HERE = "small", "large", "here"
"""Lanes: what is done in a few seconds; what may take its time; what only a host can do, whose shards hold the records."""

_OPTION_NAMES = {each.name for each in fields(ExportOptions)}


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


def job_of(row: Mapping[str, Any]) -> ExportJob:
    """A job from its row, whatever version wrote it."""
    status, error = _status(row)
    options = _object(row["options"])
    known = {name: value for name, value in options.items() if name in _OPTION_NAMES}
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
        filters=_object(row["filters"]),
        options=ExportOptions(**known),
        record_count=int(row["record_count"] or 0),
        processing_time_ms=float(row["processing_time_ms"] or 0.0),
        created_by=str(row["created_by"] or "system"),
        metadata=_object(row["metadata"]),
    )


def _status(row: Mapping[str, Any]) -> tuple[ExportStatus, str | None]:
    error = plain_text(row["error"])
    try:
        return ExportStatus(row["status"] or "pending"), error
    except ValueError:
        return ExportStatus.FAILED, error or f"This job was left in the unknown state {row['status']!r}."


def plain_text(value: object) -> str | None:
    return None if value is None else str(value)


def json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _object(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return dict(value) if isinstance(value, Mapping) else {}
