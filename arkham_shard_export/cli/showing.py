"""Jobs in a terminal: many as a table, one as all that is known of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from arkham_shard_export.cli.tables import local, print_facts, print_table, size
from arkham_shard_export.models import ExportJob, ExportJobAnswer, ExportOptions, ExportPart, ExportStatus

SHORT_ID = 8


def show_jobs(jobs: Sequence[ExportJob], *, whole_ids: bool = False) -> None:
    """`whole_ids`: for whoever takes no beginnings of them."""
    rows = [("ID", "CREATED", "STATUS", "TARGET", "FORMAT", "RECORDS", "SIZE", "BY")]
    length = None if whole_ids else short_id_length([job.id for job in jobs])
    for job in jobs:
        records = f"{job.record_count:,}" if job.status is ExportStatus.COMPLETED else "-"
        rows.append(
            (
                job.id[:length],
                local(job.created_at, "minutes"),
                job.status.value,
                job.target,
                job.format,
                records,
                size(job.file_size),
                job.created_by,
            )
        )
    if jobs:
        print_table(rows, right=(5, 6))


def short_id_length(ids: Sequence[str]) -> int:
    """How much of the ids tells these jobs apart."""
    length = SHORT_ID
    while len({each[:length] for each in ids}) < len(set(ids)):
        length += 1
    return length


def show_job(job: ExportJob, besides: Mapping[str, str | None]) -> None:
    """`besides` is what the job itself does not tell."""
    completed = job.status is ExportStatus.COMPLETED
    facts: list[tuple[str, str | None]] = [
        ("id", job.id),
        ("status", job.status.value),
        ("error", job.error),
        ("target", job.target),
        ("format", job.format),
        ("filters", short_json(job.filters)),
        ("options", short_json(_changed_options(job))),
        ("created by", job.created_by),
        ("created", local(job.created_at)),
        ("started", local(job.started_at)),
        ("ended", local(job.completed_at)),
        ("expires", local(job.expires_at)),
        ("took", f"{job.processing_time_ms / 1000:,.3f} s" if job.processing_time_ms else None),
        *besides.items(),
        ("records", f"{job.record_count:,}" if completed else None),
        ("file", job.file_path),
        ("size", size(job.file_size) if job.file_size is not None else None),
    ]
    facts += [
        (name, value if isinstance(value, str) else short_json(value)) for name, value in job.metadata.items()
    ]
    facts += [(f"part {number}", _part(each)) for number, each in enumerate(job.parts or (), 1)]
    print_facts([(name, value) for name, value in facts if value not in (None, "-", "{}")])


def _part(part: ExportPart) -> str:
    records = f"{part.record_count:,} records" if part.status is ExportStatus.COMPLETED else None
    told = (part.name, f"{part.target} as {part.format}", part.status.value, records, part.file, part.error)
    return ", ".join(each for each in told if each)


def fields_of(job: ExportJobAnswer) -> dict[str, Any]:
    """A job of a host as the host shows it."""
    from arkham_shard_export.jobs.showing import job_fields

    progress = None if job.progress is None else asdict(job.progress)
    return {**job_fields(job), "progress": progress}


def _changed_options(job: ExportJob) -> dict[str, Any]:
    usual = asdict(ExportOptions())
    return {name: value for name, value in asdict(job.options).items() if value != usual[name]}


def short_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
