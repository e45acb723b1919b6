"""What answers carry, for the OpenAPI description; the fields themselves are those of the contract's dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from arkham_shard_export.formats.wordlayout import LayoutInfo
from arkham_shard_export.models import (
    ExportJobAnswer,
    ExportSchedule,
    ExportScheduleRun,
    ExportTemplate,
    TemplateSummary,
)


class Count(BaseModel):
    """Jobs in a state."""

    count: int


class JobPage(BaseModel):
    """Jobs of a filter; `total` counts all that it matches."""

    jobs: list[ExportJobAnswer]
    total: int
    limit: int
    offset: int


class TemplatePage(BaseModel):
    """Templates by name, without their filters and options; `total` counts all."""

    templates: list[TemplateSummary]
    total: int
    limit: int
    offset: int


class SchedulePage(BaseModel):
    """Schedules of a state, or of any; `total` counts all of them."""

    schedules: list[ExportSchedule]
    total: int
    limit: int
    offset: int


@dataclass(slots=True)
class LaidOutTemplate(ExportTemplate):
    """A template with the layout that it was given."""

    layout: LayoutInfo | None = None


class VersionPage(BaseModel):
    """The versions of a template, newest first, without their filters and options."""

    versions: list[TemplateSummary]


class RunPage(BaseModel):
    """Runs of a schedule; `total` counts all that are remembered."""

    runs: list[ExportScheduleRun]
    total: int
    limit: int
    offset: int


class NextRuns(BaseModel):
    """The next due times of a plan, by the clocks of its zone."""

    time_zone: str
    next_runs: list[datetime]


class LinkAnswer(BaseModel):
    """A path that a browser can follow; `expires_at` is null where it needs no signature."""

    url: str
    expires_at: datetime | None


class CheckAnswer(BaseModel):
    """One thing that exports need; `detail` says what is wrong with it. Further fields are figures, shown to operators."""

    model_config = {"extra": "allow"}

    status: Literal["ok", "degraded", "failed"]
    detail: str | None = None


class HealthAnswer(BaseModel):
    """Whether exports can be made."""

    status: Literal["ok", "degraded", "unavailable"]
    checks: dict[str, CheckAnswer]
    detail: str | None = None


JOB: dict[str, Any] = {
    "id": "0be6f659-3c3c-4b2a-9f0e-6a4f8f0d3a11",
    "format": "csv",
    "target": "claims",
    "status": "completed",
    "created_at": "2026-11-23T09:30:00.120000+00:00",
    "started_at": "2026-11-23T09:30:00.180000+00:00",
    "completed_at": "2026-11-23T09:30:00.910000+00:00",
    "file_path": "2026-11-23/0be6f659-3c3c-4b2a-9f0e-6a4f8f0d3a11.1.csv",
    "file_size": 46602,
    "download_url": "/api/export/jobs/0be6f659-3c3c-4b2a-9f0e-6a4f8f0d3a11/download",
    "expires_at": "2026-11-24T09:30:00.910000+00:00",
    "error": None,
    "filters": {"status": ["verified"]},
    "options": {
        "include_metadata": True,
        "include_relationships": True,
        "date_range_start": None,
        "date_range_end": None,
        "date_range": None,
        "entity_types": None,
        "flatten": False,
        "max_records": None,
        "sort_by": None,
        "sort_order": "asc",
        "include_conflicts": False,
        "include_gaps": False,
        "group_by": None,
        "spreadsheet_safe": True,
        "compression": "none",
        "columns": {"records": ["id", {"name": "text", "label": "Claim"}, "status"]},
        "time_zone": "UTC",
        "date_format": "iso",
        "csv": "excel",
        "report": None,
        "layout": None,
    },
    "record_count": 140,
    "processing_time_ms": 730.4,
    "created_by": "system",
    "progress": None,
    "metadata": {"sha256": "9f2c1d5e0b7a4c3f8e6d9a2b1c0f4e7d6a5b8c9d0e1f2a3b4c5d6e7f8091a2b3"},
    "parts": None,
    "continue_on_error": False,
}
_PENDING: dict[str, Any] = {
    **JOB,
    "status": "pending",
    **dict.fromkeys(("started_at", "completed_at", "file_path", "file_size", "download_url", "expires_at")),
    "record_count": 0,
    "processing_time_ms": 0.0,
    "metadata": {},
}
_PART: dict[str, Any] = {
    "target": "claims",
    "format": "csv",
    "filters": {"status": "disputed"},
    "options": JOB["options"],
    "name": "Disputed claims",
    "status": "pending",
    "record_count": 0,
    "expected": None,
    "skipped": 0,
    "skips": [],
    "adjustments": [],
    "file": None,
    "file_size": None,
    "sha256": None,
    "error": None,
    "progress": None,
}
_SUMMARY: dict[str, Any] = {
    "id": "6b6f2a51-8c58-4d0b-9b5a-0d6a3b1f7c22",
    "name": "Disputed claims of the week",
    "description": "For the conference on Monday.",
    "target": "claims",
    "format": "xlsx",
    "retention_hours": 168.0,
    "shared": True,
    "created_by": "ann",
    "version": 3,
    "created_at": "2026-11-02T08:00:00.120000+00:00",
    "updated_at": "2026-11-23T08:00:00.120000+00:00",
    "updated_by": "ann",
    "built_in": False,
}
TEMPLATE: dict[str, Any] = {
    **_SUMMARY,
    "filters": {"status": "disputed"},
    "options": {"date_range": "last_7_days", "sort_by": "created_at"},
}
RUN: dict[str, Any] = {
    "id": JOB["id"],
    "schedule_id": "6c7b0a52-5b0e-4e0c-b2a4-7f0c8d1f9e21",
    "kind": "planned",
    "due": "2026-11-23T06:00:00+00:00",
    "made_at": "2026-11-23T06:00:03.120000+00:00",
    "status": "completed",
    "job_id": JOB["id"],
    "error": None,
    "completed_at": "2026-11-23T06:00:04.910000+00:00",
    "record_count": 140,
    "file_size": 46602,
    "download_url": JOB["download_url"],
}
SCHEDULE: dict[str, Any] = {
    "id": RUN["schedule_id"],
    "name": "Claims for the editor",
    "request": {"target": "claims", "format": "csv"},
    "description": "",
    "cron": "0 7 * * MON",
    "every": None,
    "time_zone": "Europe/Berlin",
    "retention_hours": None,
    "ends_at": None,
    "missed": "run_once",
    "keep_files": 4,
    "max_failures": 3,
    "state": "active",
    "paused_reason": None,
    "failures": 0,
    "created_by": "system",
    "created_at": "2026-11-20T09:30:00.120000+00:00",
    "updated_at": "2026-11-20T09:30:00.120000+00:00",
    "next_runs": ["2026-11-30T07:00:00+01:00", "2026-12-07T07:00:00+01:00"],
    "last_run": RUN,
}
EXAMPLES: dict[str, Any] = {
    "list_templates": {"templates": [_SUMMARY], "total": 1, "limit": 100, "offset": 0},
    "create_template": {**TEMPLATE, "version": 1},
    "get_template": TEMPLATE,
    "replace_template": TEMPLATE,
    "list_template_versions": {"versions": [_SUMMARY, {**_SUMMARY, "version": 2}]},
    "replace_template_layout": {
        **TEMPLATE,
        "format": "docx",
        "options": {"layout": "9f2c1d5e0b7a4c3f8e6d9a2b1c0f4e7d6a5b8c9d0e1f2a3b4c5d6e7f8091a2b3"},
        "layout": {
            "sha256": "9f2c1d5e0b7a4c3f8e6d9a2b1c0f4e7d6a5b8c9d0e1f2a3b4c5d6e7f8091a2b3",
            "size": 36_811,
            "fields": ["records", "title"],
            "paper": "210 × 297 mm",
        },
    },
    "get_template_version": {**TEMPLATE, "version": 2},
    "list_schedules": {"schedules": [SCHEDULE], "total": 1, "limit": 50, "offset": 0},
    "create_schedule": {**SCHEDULE, "last_run": None},
    "preview_schedule": {"time_zone": SCHEDULE["time_zone"], "next_runs": SCHEDULE["next_runs"]},
    "get_schedule": SCHEDULE,
    "change_schedule": SCHEDULE,
    "pause_schedule": {
        **SCHEDULE,
        "state": "paused",
        "paused_reason": "It was paused by ann.",
        "next_runs": [],
    },
    "resume_schedule": SCHEDULE,
    "list_schedule_runs": {"runs": [RUN], "total": 1, "limit": 50, "offset": 0},
    "count_jobs": {"count": 3},
    "list_jobs": {"jobs": [JOB], "total": 1, "limit": 50, "offset": 0},
    "create_job": _PENDING,
    "create_batch": {
        **_PENDING,
        "format": "zip",
        "target": "custom",
        "filters": {},
        "parts": [
            _PART,
            {**_PART, "target": "documents", "format": "json", "filters": {}, "name": None},
        ],
        "continue_on_error": True,
    },
    "get_job": JOB,
    "create_link": {
        "url": f"{JOB['download_url']}?expires=1795512600&signature=…",
        "expires_at": "2026-11-23T09:35:00+00:00",
    },
    "list_formats": [
        {
            "format": "csv",
            "name": "CSV",
            "description": "Comma-separated values for spreadsheets and scripts.",
            "file_extension": ".csv",
            "mime_type": "text/csv",
            "supports_flatten": True,
            "supports_metadata": False,
            "max_records": None,
            "placeholder": False,
            "available": True,
            "purpose": "One row a record, for spreadsheets and data tools.",
            "cannot_carry": "Relations and JSON columns are JSON in a cell.",
            "remedy": None,
        }
    ],
    "list_targets": [
        {
            "target": "claims",
            "name": "Claims",
            "description": "Claims with the evidence for and against them.",
            "available_formats": ["json", "csv", "xlsx", "pdf", "docx"],
            "estimated_record_count": 140,
            "supports_filters": ["status"],
            "filters": [
                {
                    "name": "status",
                    "description": "How the claim stands.",
                    "values": ["unverified", "verified", "disputed"],
                }
            ],
            "options": [
                {
                    "name": "flatten",
                    "type": "boolean",
                    "default": False,
                    "description": "What is nested in JSON columns becomes columns of its own.",
                    "choices": [],
                    "refused": {"pdf": "Option flatten does not apply to claims as PDF report."},
                    "choices_by_format": {},
                    "choices_by_section": {},
                    "lacking_by_format": {},
                    "parts": [],
                }
            ],
        }
    ],
    "preview": {
        "format": "json",
        "target": "claims",
        "estimated_record_count": 140,
        "preview_records": [{"id": "c-1", "text": "The transfer was made in May.", "status": "verified"}],
        "headings": {},
        "estimated_file_size_bytes": 90_120,
        "estimated_seconds": 0.8,
    },
    "preview_template": {
        "format": "json",
        "target": "claims",
        "estimated_record_count": 140,
        "preview_records": [{"id": "c-1", "text": "The transfer was made in May.", "status": "verified"}],
        "headings": {},
        "estimated_file_size_bytes": 90_120,
        "estimated_seconds": 0.8,
    },
    "get_statistics": {
        "total_jobs": 1,
        "by_status": {"pending": 0, "processing": 0, "completed": 1, "failed": 0, "cancelled": 0},
        "by_format": {"csv": 1},
        "by_target": {"claims": 1},
        "jobs_pending": 0,
        "jobs_processing": 0,
        "jobs_completed": 1,
        "jobs_failed": 0,
        "total_records_exported": 140,
        "total_file_size_bytes": 46602,
        "avg_processing_time_ms": 730.4,
        "oldest_pending_job": None,
    },
    "get_history": {
        "days": [
            {
                "date": "2026-11-23",
                "jobs": 1,
                "by_status": {"pending": 0, "processing": 0, "completed": 1, "failed": 0, "cancelled": 0},
                "records": 140,
                "bytes": 46602,
            }
        ],
        "by_format": {
            "csv": {"jobs": 1, "completed": 1, "records": 140, "bytes": 46602, "average_ms": 730.4}
        },
        "by_target": {
            "claims": {"jobs": 1, "completed": 1, "records": 140, "bytes": 46602, "average_ms": 730.4}
        },
        "durations": [{"under_ms": 100, "jobs": 0}, {"under_ms": 1000, "jobs": 1}],
    },
    "get_health": {
        "status": "ok",
        "checks": {"database": {"status": "ok", "ms": 1.1}, "store": {"status": "ok", "kind": "folder"}},
    },
}
"""An answer of each route, by its name."""
