"""The parts of a batch, as they stand in its job's row and as they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from arkham_shard_export.jobs.table.values import amount, json_text, object_of, options_of, plain_text
from arkham_shard_export.models import (
    ExportJob,
    ExportOptions,
    ExportPart,
    ExportPartProgress,
    ExportStatus,
)

_ASKED = ("target", "format", "filters", "options", "name", "template")
_ENDED = (ExportStatus.COMPLETED, ExportStatus.FAILED)


def batch_text(job: ExportJob) -> str | None:
    """What the row of a new batch holds of its parts; None for every other job."""
    if job.parts is None:
        return None
    return _text(job, [_asked(each) for each in job.parts])


def ended_text(job: ExportJob, accounts: Sequence[Mapping[str, Any]]) -> str | None:
    """The same when the job has ended, with the account of each part by its number."""
    if job.parts is None:
        return None
    by_number = {int(each["part"]): each for each in accounts}
    told = [
        {
            **_asked(each),
            **{name: value for name, value in by_number.get(number, {}).items() if name != "part"},
        }
        for number, each in enumerate(job.parts, 1)
    ]
    return _text(job, told)


def parts_of(
    stored: object, status: ExportStatus, metadata: Mapping[str, Any]
) -> tuple[list[ExportPart] | None, bool]:
    """The parts, and whether they go on when one fails; None for a job that is no batch."""
    if stored is None:
        return None, False
    batch = object_of(stored)
    listed = batch.get("parts")
    parts = [_part(object_of(each)) for each in listed] if isinstance(listed, list) else []
    return parts_now(parts, status, metadata), batch.get("continue_on_error") is True


def parts_now(
    parts: Sequence[ExportPart], status: ExportStatus, metadata: Mapping[str, Any]
) -> list[ExportPart]:
    """The parts as they are while their job is in this state."""
    if status is ExportStatus.PROCESSING:
        noted = progress_of_parts(object_of(metadata.get("progress"))) or []
        noted += [ExportPartProgress()] * (len(parts) - len(noted))
        return [
            replace(each, status=progress.status, progress=progress)
            for each, progress in zip(parts, noted, strict=False)
        ]
    if status is ExportStatus.PENDING:
        return [replace(each, status=status, progress=None) for each in parts]
    # What was made of a batch that has no file is gone with it.
    return [
        replace(
            each,
            status=each.status
            if each.status is ExportStatus.FAILED or (status, each.status) == (ExportStatus.COMPLETED,) * 2
            else ExportStatus.CANCELLED,
            progress=None,
        )
        for each in parts
    ]


def progress_of_parts(noted: Mapping[str, Any]) -> list[ExportPartProgress] | None:
    """Of the progress in a row, which anybody may have written; None where there is nothing of parts."""
    listed = noted.get("parts")
    if not isinstance(listed, list):
        return None
    return [_progress(object_of(each)) for each in listed]


def _progress(noted: Mapping[str, Any]) -> ExportPartProgress:
    expected = amount(noted, "expected")
    return ExportPartProgress(
        _status(noted.get("status")),
        str(noted.get("phase") or ""),
        int(amount(noted, "done") or 0),
        None if expected is None else int(expected),
        amount(noted, "percent"),
    )


def _part(stored: Mapping[str, Any]) -> ExportPart:
    expected, size = amount(stored, "expected"), amount(stored, "file_size")
    return ExportPart(
        target=str(stored.get("target") or ""),
        format=str(stored.get("format") or ""),
        filters=object_of(stored.get("filters")),
        options=options_of(stored.get("options")),
        name=plain_text(stored.get("name")),
        status=_status(stored.get("status")),
        record_count=int(amount(stored, "record_count") or 0),
        expected=None if expected is None else int(expected),
        skipped=int(amount(stored, "skipped") or 0),
        skips=_objects(stored.get("skips")),
        adjustments=_objects(stored.get("adjustments")),
        file=plain_text(stored.get("file")),
        file_size=None if size is None else int(size),
        sha256=plain_text(stored.get("sha256")),
        error=plain_text(stored.get("error")),
        template=object_of(stored.get("template")) or None,
    )


def _status(stored: object) -> ExportStatus:
    try:
        return ExportStatus(str(stored or ExportStatus.PENDING.value))
    except ValueError:
        return ExportStatus.PENDING


def _objects(stored: object) -> list[dict[str, Any]]:
    return [object_of(each) for each in stored] if isinstance(stored, list) else []


def _asked(part: ExportPart) -> dict[str, Any]:
    asked = {name: getattr(part, name) for name in _ASKED}
    options = asked["options"]
    return {**asked, "options": asdict(options) if isinstance(options, ExportOptions) else options}


def _text(job: ExportJob, parts: list[dict[str, Any]]) -> str:
    return json_text({"continue_on_error": job.continue_on_error, "parts": parts})
