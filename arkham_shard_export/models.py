"""The contract's vocabulary: enums and dataclasses that other shards and REST clients see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ExportFormat(StrEnum):
    """The five formats of the contract; further formats are registered under their own names."""

    JSON = "json"
    CSV = "csv"
    PDF = "pdf"
    DOCX = "docx"
    XLSX = "xlsx"


class ExportStatus(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ExportTarget(StrEnum):
    """What can be exported; `custom` stands for every source registered at run time."""

    DOCUMENTS = "documents"
    ENTITIES = "entities"
    CLAIMS = "claims"
    TIMELINE = "timeline"
    GRAPH = "graph"
    MATRIX = "matrix"
    CUSTOM = "custom"


BATCH_FORMAT = "zip"
"""The format of a job that makes several exports in one file. Nothing can be exported as it."""


@dataclass(slots=True)
class ExportOptions:
    """How a target is exported. Dates are ISO 8601 texts; a date without a time covers its whole day (UTC).

    `date_range` (`last_7_days`) becomes the two dates when a job is made.
    The last six say how it looks: which columns (a list of names or `{name, label}`, or such a list for each section), the
    zone and form of times, the dialect of CSV (a preset or its parts), the front of a report, and the Word file that a
    DOCX report is laid out by.
    """

    include_metadata: bool = True
    include_relationships: bool = True
    date_range_start: str | None = None
    date_range_end: str | None = None
    date_range: str | None = None
    entity_types: list[str] | None = None
    flatten: bool = False
    max_records: int | None = None
    sort_by: str | None = None
    sort_order: str = "asc"
    include_conflicts: bool = False
    include_gaps: bool = False
    group_by: str | None = None
    spreadsheet_safe: bool = True
    compression: str = "none"
    columns: list[Any] | dict[str, Any] | None = None
    time_zone: str = "UTC"
    date_format: str = "iso"
    csv: str | dict[str, Any] | None = None
    report: dict[str, Any] | None = None
    layout: str | None = None


PRESENTATION = ("columns", "time_zone", "date_format", "csv", "report", "layout")
"""The options that say how an export looks; at its default none of them is told of in a file."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What somebody asks for, as a body carries it: nothing of it has been checked.

    With `parts` it is a batch, whose parts have formats and targets of their own.
    """

    format: object = None
    target: object = None
    filters: object = None
    options: object = None
    retention_hours: object = None
    template: object = None
    """A name or an id, or `{"template", "version"}`. What the request gives itself overrides it."""
    parts: object = None
    continue_on_error: object = None


@dataclass(frozen=True, slots=True)
class TemplateRequest:
    """A template that somebody wants to be saved, as a body carries it: nothing of it has been checked."""

    name: object = None
    target: object = None
    format: object = None
    description: object = ""
    filters: object = None
    options: object = None
    retention_hours: object = None
    shared: object = True


@dataclass(slots=True)
class TemplateSummary:
    """A named export in one of its versions. `created_by` owns it; `shared`: all of the tenant may use it. A built-in one
    comes with the program, belongs to nobody and has no times."""

    id: str
    name: str
    description: str
    target: str
    format: str
    retention_hours: float | None
    shared: bool
    created_by: str
    version: int
    created_at: datetime | None
    updated_at: datetime | None
    updated_by: str
    built_in: bool


@dataclass(slots=True)
class ExportTemplate(TemplateSummary):
    """A template as a whole: filters and options as they were given, for whom it does not give others."""

    filters: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartRequest:
    """What somebody asks for as a part of a batch; nothing of it has been checked. `name` is what they call it, and
    `template` as in JobRequest."""

    target: object = None
    format: object = None
    filters: object = None
    options: object = None
    name: object = None
    template: object = None


@dataclass(frozen=True, slots=True)
class ExportPartProgress:
    """How far a part of a running batch has come: records `done` of `expected`, `percent` of them; None is not known yet."""

    status: ExportStatus = ExportStatus.PENDING
    phase: str = ""
    done: int = 0
    expected: int | None = None
    percent: float | None = None


@dataclass(slots=True)
class ExportPart:
    """One export of a batch: what was asked for, of which template (`id, name, version`), and what has become of it.

    `file` is the path of its file in the ZIP, or of its folder with a slash at the end, and `sha256` that of a single
    file; both are None in a workbook.
    """

    target: str
    format: str
    filters: dict[str, Any] = field(default_factory=dict)
    options: ExportOptions = field(default_factory=ExportOptions)
    name: str | None = None
    status: ExportStatus = ExportStatus.PENDING
    record_count: int = 0
    expected: int | None = None
    skipped: int = 0
    skips: list[dict[str, Any]] = field(default_factory=list)
    adjustments: list[dict[str, Any]] = field(default_factory=list)
    file: str | None = None
    file_size: int | None = None
    sha256: str | None = None
    error: str | None = None
    template: dict[str, Any] | None = None
    progress: ExportPartProgress | None = None


@dataclass(slots=True)
class ExportJob:
    """One export, from request to file. Times are aware (UTC); `file_path` is relative to the export store.

    Of a batch `parts` are its exports.
    """

    id: str
    format: str
    target: str
    status: ExportStatus = ExportStatus.PENDING
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    file_path: str | None = None
    file_size: int | None = None
    download_url: str | None = None
    expires_at: datetime | None = None
    error: str | None = None
    filters: dict[str, Any] = field(default_factory=dict)
    options: ExportOptions = field(default_factory=ExportOptions)
    record_count: int = 0
    processing_time_ms: float = 0.0
    created_by: str = "system"
    metadata: dict[str, Any] = field(default_factory=dict)
    parts: list[ExportPart] | None = None
    continue_on_error: bool = False


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """How far a running job has come: records `done` of `expected`, `percent` of them, `bytes` of the file, and the time
    that is left by estimate. None is not known yet. `parts` are those of a batch."""

    phase: str
    done: int = 0
    expected: int | None = None
    percent: float | None = None
    bytes: int = 0
    seconds_left: float | None = None
    parts: list[ExportPartProgress] | None = None


@dataclass(slots=True)
class ExportJobAnswer(ExportJob):
    """A job as REST shows it: with its progress while it runs."""

    progress: ExportProgress | None = None


@dataclass(slots=True)
class ExportResult:
    """How one export ended."""

    job_id: str
    success: bool
    file_path: str | None = None
    file_size: int | None = None
    download_url: str | None = None
    expires_at: datetime | None = None
    record_count: int = 0
    processing_time_ms: float = 0.0
    error: str | None = None


@dataclass(slots=True)
class ExportStatistics:
    """Totals over the jobs the caller may see; sizes in bytes, times in milliseconds."""

    total_jobs: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    by_format: dict[str, int] = field(default_factory=dict)
    by_target: dict[str, int] = field(default_factory=dict)
    jobs_pending: int = 0
    jobs_processing: int = 0
    jobs_completed: int = 0
    jobs_failed: int = 0
    total_records_exported: int = 0
    total_file_size_bytes: int = 0
    avg_processing_time_ms: float = 0.0
    oldest_pending_job: datetime | None = None


@dataclass(slots=True)
class DayOfJobs:
    """Jobs created on a UTC day (`2026-11-24`); records and bytes are those of the completed ones."""

    date: str
    jobs: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    records: int = 0
    bytes: int = 0


@dataclass(slots=True)
class KindOfJobs:
    """Jobs of a format or target; records, bytes and the mean time in milliseconds are those of the completed ones."""

    jobs: int = 0
    completed: int = 0
    records: int = 0
    bytes: int = 0
    average_ms: float = 0.0


@dataclass(slots=True)
class JobsByDuration:
    """Completed jobs that took less than `under_ms`, and not less than the class before; None: whatever is longer."""

    under_ms: int | None
    jobs: int = 0


@dataclass(slots=True)
class ExportHistory:
    """The jobs of the last days that the caller may see; every day of the span is there, today last."""

    days: list[DayOfJobs]
    by_format: dict[str, KindOfJobs] = field(default_factory=dict)
    by_target: dict[str, KindOfJobs] = field(default_factory=dict)
    durations: list[JobsByDuration] = field(default_factory=list)


@dataclass(slots=True)
class ExportScheduleRun:
    """One due time of a schedule, or one run by hand, and what has become of it.

    `kind` is `planned`, `late` (made up for a missed due time), `missed` (`due` is the last of those that were
    missed) or `manual`. `status` is that of the job; `starting` before there is one, `refused` where none could be made,
    `skipped` where none was to be, `vanished` where it is no longer in the table.
    """

    id: str
    schedule_id: str
    kind: str
    due: datetime | None
    made_at: datetime
    status: str
    job_id: str | None = None
    error: str | None = None
    completed_at: datetime | None = None
    record_count: int | None = None
    file_size: int | None = None
    download_url: str | None = None


@dataclass(slots=True)
class ExportSchedule:
    """A request that is run again and again: by a `cron` expression in `time_zone`, or `every` so often (`12h`).

    `state` is `active`, `paused` or `ended`; `failures` counts runs that failed one after another. `missed` says what
    becomes of due times at which nothing ran: `run_once` or `skip`. `next_runs` are by the clocks of the zone.
    """

    id: str
    name: str
    request: dict[str, Any]
    description: str = ""
    cron: str | None = None
    every: str | None = None
    time_zone: str = "UTC"
    retention_hours: float | None = None
    ends_at: datetime | None = None
    missed: str = "run_once"
    keep_files: int | None = None
    max_failures: int = 3
    state: str = "active"
    paused_reason: str | None = None
    failures: int = 0
    created_by: str = "system"
    created_at: datetime | None = None
    updated_at: datetime | None = None
    next_runs: list[datetime] = field(default_factory=list)
    last_run: ExportScheduleRun | None = None


@dataclass(slots=True)
class ExportFilter:
    """Which jobs to list; None leaves a field open, and of several values any may be that of a job."""

    status: str | Sequence[str] | None = None
    format: str | Sequence[str] | None = None
    target: str | Sequence[str] | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    created_by: str | None = None


@dataclass(slots=True)
class FormatInfo:
    """A format as `/formats` lists it; `max_records` None means without a limit. Where a library is missing it is not
    `available`, and `remedy` is the command that installs it. `purpose` and `cannot_carry` are one sentence or a few."""

    format: str
    name: str
    description: str
    file_extension: str
    mime_type: str
    supports_flatten: bool = False
    supports_metadata: bool = True
    max_records: int | None = None
    placeholder: bool = False
    available: bool = True
    purpose: str = ""
    cannot_carry: str = ""
    remedy: str | None = None


@dataclass(slots=True)
class FilterInfo:
    """A filter of a target. It takes one text or a list of texts; of closed `values` where there are any."""

    name: str
    description: str
    values: list[str] = field(default_factory=list)


@dataclass(slots=True)
class OptionPart:
    """A part of an option that is an object: `sections.charts` is the part `charts` of its part `sections`.

    `type` is boolean, text, choice or image (a data URI).
    """

    name: str
    type: str
    description: str
    choices: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class OptionInfo:
    """An option that a target honours. `type` is boolean, integer, date, text, choice, choices (a list of them), zone (the
    IANA name of one), date_format (one of the choices, or a pattern), columns, object, or layout (the id of one).

    `refused` says why, for each format in which it cannot be used; `choices_by_format` holds the choices that are left
    where a format does not have all of them. Columns are listed by `choices_by_section`, and those of them that a format does
    not have by `lacking_by_format`, by section in turn. An object has `parts`; where there are
    choices too, it may be one of them instead.
    """

    name: str
    type: str
    default: Any
    description: str
    choices: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    choices_by_format: dict[str, list[str]] = field(default_factory=dict)
    choices_by_section: dict[str, list[str]] = field(default_factory=dict)
    lacking_by_format: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    parts: list[OptionPart] = field(default_factory=list)


@dataclass(slots=True)
class TargetInfo:
    """A target as `/targets` lists it, with the records it holds now."""

    target: str
    name: str
    description: str
    available_formats: list[str] = field(default_factory=list)
    estimated_record_count: int = 0
    supports_filters: list[str] = field(default_factory=list)
    filters: list[FilterInfo] = field(default_factory=list)
    options: list[OptionInfo] = field(default_factory=list)
