"""Jobs as they are asked for and shown: the filters of their list checked, and a job as the contract has it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.jobs.table.listing import choices
from arkham_shard_export.jobs.table.rows import progress_of
from arkham_shard_export.models import (
    BATCH_FORMAT,
    ExportFilter,
    ExportFormat,
    ExportJob,
    ExportStatus,
    ExportTarget,
)

JOB_FORMATS = tuple(dict.fromkeys((*(each.value for each in ExportFormat), *FORMATS, BATCH_FORMAT)))
"""What the format of a job can be."""

MAX_KIND = 40


def check_filter(filter: ExportFilter) -> None:
    """InvalidRequest where a filter of the job list names something that no job can be."""
    problems = []
    for name, value, valid in (
        ("status", filter.status, tuple(each.value for each in ExportStatus)),
        ("format", filter.format, JOB_FORMATS),
        ("target", filter.target, tuple(each.value for each in ExportTarget)),
    ):
        given = () if value is None else choices(value)
        if value is not None and not given:
            problems.append(FieldProblem(name, value, f"{name} must name at least one.", valid))
        unknown = next((each for each in given if each not in valid), None)
        if unknown is not None:
            message = f"Unknown {name} {unknown[:60]!r}."
            problems.append(FieldProblem(name, unknown, message, valid))
    if filter.created_by is not None and "\0" in filter.created_by:
        problems.append(FieldProblem("created_by", filter.created_by, "created_by must be plain text."))
    if problems:
        raise InvalidRequest(problems)


def job_fields(job: ExportJob) -> dict[str, Any]:
    """A job as the contract shows it."""
    fields = asdict(job)
    fields["status"] = job.status.value
    for name in ("created_at", "started_at", "completed_at", "expires_at"):
        value = fields[name]
        fields[name] = None if value is None else value.isoformat()
    fields["progress"] = progress_of(job)
    for part in fields["parts"] or ():
        part["status"] = part["status"].value
    return fields


def listed_fields(job: ExportJob) -> dict[str, Any]:
    """A job as a list of many shows it: of a logo only what it is."""
    fields = job_fields(job)
    report = fields["options"]["report"]
    if isinstance(report, dict) and isinstance(report.get("logo"), str):
        kind, _, _ = report["logo"].partition(",")
        report["logo"] = f"{kind[:MAX_KIND]},…"
    return fields
