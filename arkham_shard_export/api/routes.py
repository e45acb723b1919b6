"""The routes as a table, for FastAPI and for the OpenAPI description."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi.responses import JSONResponse, PlainTextResponse, Response

from arkham_shard_export.api import catalog, jobs, links, operators, schedules, streams, templates
from arkham_shard_export.api.answers import (
    EXAMPLES,
    Count,
    HealthAnswer,
    JobPage,
    LaidOutTemplate,
    LinkAnswer,
    NextRuns,
    RunPage,
    SchedulePage,
    TemplatePage,
    VersionPage,
)
from arkham_shard_export.api.errors import CAUSES, MEDIA_TYPE, ExportProblem, ProblemResponse
from arkham_shard_export.jobs.files import MEDIA_TYPES
from arkham_shard_export.models import (
    ExportHistory,
    ExportJobAnswer,
    ExportSchedule,
    ExportStatistics,
    ExportTemplate,
    FormatInfo,
    TargetInfo,
)
from arkham_shard_export.pipeline import Preview

PREFIX = "/api/export"
ALWAYS = (401, 403, 421, 429, 500, 503)
"""What every route may be refused with."""
_BODY = (413, 415, 422)
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ExportProblem.__name__}"}}}
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_FILE = {
    "content": {
        each: {} if each == "application/json" else _BYTES for each in sorted({*MEDIA_TYPES.values()})
    }
}
_EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "For Last-Event-ID."},
        "event": {"type": "string", "enum": ["state", "progress", "end"]},
        "data": {
            "type": "string",
            "description": "JSON: id, status and progress of the job; at the end the whole job.",
        },
        "retry": {"type": "integer"},
    },
}
_EVENTS = {"content": {"text/event-stream": {"schema": _EVENT}}}
_TEXT = {"content": {"text/plain": {"schema": {"type": "string"}}}}


@dataclass(frozen=True, slots=True)
class Route:
    """`refusals` are the statuses that answer with a problem; `answers` describes the others, by status."""

    method: str
    path: str
    name: str
    endpoint: Callable[..., Awaitable[Any]]
    answers: dict[int, dict[str, Any]]
    refusals: tuple[int, ...] = ()
    response_class: type[Response] = field(default=JSONResponse)
    file_types: tuple[str, ...] = ()
    """What the body may be declared as where it is a file, and no JSON."""

    @property
    def body(self) -> dict[str, Any] | None:
        """What the OpenAPI description says of a body that is a file."""
        content = dict.fromkeys(self.file_types, _BYTES)
        return {"requestBody": {"required": True, "content": content}} if content else None

    @property
    def status(self) -> int:
        """Of success."""
        return min(self.answers)

    def documented(self) -> dict[int | str, dict[str, Any]]:
        found: dict[int | str, dict[str, Any]] = {}
        for status, answer in self.answers.items():
            example = EXAMPLES.get(self.name)
            shown = {"content": {"application/json": {"example": example}}} if example is not None else {}
            found[status] = {"description": "Done.", **shown, **answer}
        for status in sorted({*self.refusals, *ALWAYS} - self.answers.keys()):
            described = CAUSES.get(status, _OTHER_CAUSES.get(status, "")).replace("-", " ").capitalize()
            # Where answers are problems alone, the model may be named, and is so described once for all.
            refused = (
                {"model": ExportProblem} if self.response_class is ProblemResponse else {"content": _PROBLEM}
            )
            found[status] = {"description": f"{described}.", **refused}
        return found


_OTHER_CAUSES = {410: "file-expired", 409: "conflict", 412: "precondition-failed", 507: "store-full"}

ROUTES = (
    Route("GET", "/count", "count_jobs", jobs.get_count, {200: {"model": Count}}, (422,)),
    Route("GET", "/jobs", "list_jobs", jobs.get_jobs, {200: {"model": JobPage}}, (422,)),
    Route("POST", "/jobs", "create_job", jobs.post_job, {201: {"model": ExportJobAnswer}}, (409, *_BODY, 429, 507)),
    Route("POST", "/jobs/batch", "create_batch", jobs.post_batch, {201: {"model": ExportJobAnswer}}, (409, *_BODY, 429, 507)),
    Route("GET", "/jobs/{job_id}", "get_job", jobs.get_job, {200: {"model": ExportJobAnswer}}, (404, 422)),
    Route("DELETE", "/jobs/{job_id}", "cancel_job", jobs.delete_job, {204: {}}, (404, 422), ProblemResponse),
    Route("GET", "/jobs/{job_id}/events", "follow_job", streams.get_events, {200: _EVENTS, 204: {}}, (404, 422), streams.EventStream),
    Route("GET", "/jobs/{job_id}/download", "download_file", jobs.download, {200: _FILE, 206: _FILE, 304: {}}, (400, 404, 410, 412, 416, 422), Response),
    Route("HEAD", "/jobs/{job_id}/download", "head_file", jobs.download, {200: {}, 304: {}}, (400, 404, 410, 412, 422), Response),
    Route("POST", "/jobs/{job_id}/link", "create_link", links.post_link, {200: {"model": LinkAnswer}}, (400, 404, 410, 422)),
    Route("GET", "/schedules", "list_schedules", schedules.get_schedules, {200: {"model": SchedulePage}}, (422,)),
    Route("POST", "/schedules", "create_schedule", schedules.post_schedule, {201: {"model": ExportSchedule}}, (409, *_BODY)),
    Route("POST", "/schedules/preview", "preview_schedule", schedules.post_preview, {200: {"model": NextRuns}}, _BODY),
    Route("GET", "/schedules/{schedule_id}", "get_schedule", schedules.get_schedule, {200: {"model": ExportSchedule}}, (404, 422)),
    Route("PATCH", "/schedules/{schedule_id}", "change_schedule", schedules.patch_schedule, {200: {"model": ExportSchedule}}, (404, *_BODY)),
    Route("DELETE", "/schedules/{schedule_id}", "delete_schedule", schedules.delete_schedule, {204: {}}, (404, 422), ProblemResponse),
    Route("POST", "/schedules/{schedule_id}/pause", "pause_schedule", schedules.pause_schedule, {200: {"model": ExportSchedule}}, (404, 413, 422)),
    Route("POST", "/schedules/{schedule_id}/resume", "resume_schedule", schedules.resume_schedule, {200: {"model": ExportSchedule}}, (404, 413, 422)),
    Route("POST", "/schedules/{schedule_id}/run", "run_schedule", schedules.run_schedule, {201: {"model": ExportJobAnswer}}, (404, 413, 422, 429, 507)),
    Route("GET", "/schedules/{schedule_id}/runs", "list_schedule_runs", schedules.get_runs, {200: {"model": RunPage}}, (404, 422)),
    Route("GET", "/formats", "list_formats", catalog.get_formats, {200: {"model": list[FormatInfo]}}),
    Route("GET", "/targets", "list_targets", catalog.get_targets, {200: {"model": list[TargetInfo]}}),
    Route("POST", "/preview", "preview", catalog.post_preview, {200: {"model": Preview}}, _BODY),
    Route("GET", "/templates", "list_templates", templates.get_templates, {200: {"model": TemplatePage}}, (422,)),
    Route("POST", "/templates", "create_template", templates.post_template, {201: {"model": ExportTemplate}}, _BODY),
    Route("POST", "/templates/preview", "preview_template", templates.post_template_preview, {200: {"model": Preview}}, _BODY),
    Route("GET", "/templates/{template_id}", "get_template", templates.get_template, {200: {"model": ExportTemplate}}, (404, 422)),
    Route("PUT", "/templates/{template_id}", "replace_template", templates.put_template, {200: {"model": ExportTemplate}}, (404, 412, *_BODY)),
    Route("DELETE", "/templates/{template_id}", "delete_template", templates.delete_template, {204: {}}, (404, 412, 422), ProblemResponse),
    Route("GET", "/templates/{template_id}/versions", "list_template_versions", templates.get_versions, {200: {"model": VersionPage}}, (404, 422)),
    Route("GET", "/templates/{template_id}/versions/{version}", "get_template_version", templates.get_version, {200: {"model": ExportTemplate}}, (404, 422)),
    Route("GET", "/templates/{template_id}/layout", "get_template_layout", templates.get_layout, {200: {"content": {templates.WORD: _BYTES}}}, (404, 422), Response),
    Route("PUT", "/templates/{template_id}/layout", "replace_template_layout", templates.put_layout, {200: {"model": LaidOutTemplate}}, (404, 412, *_BODY), file_types=(templates.WORD, "application/octet-stream")),
    Route("GET", "/stats", "get_statistics", jobs.get_stats, {200: {"model": ExportStatistics}}),
    Route("GET", "/history", "get_history", jobs.get_history, {200: {"model": ExportHistory}}, (422,)),
    Route("GET", "/health", "get_health", operators.get_health, {200: {"model": HealthAnswer}, 503: {"model": HealthAnswer}}),
    Route("GET", "/metrics", "get_metrics", operators.get_metrics, {200: _TEXT}, (403,), PlainTextResponse),
)  # fmt: skip
