"""The client that blocks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from arkham_shard_export.client import operations, schedules
from arkham_shard_export.client.answers import Job, Preview, VersionPage, decode
from arkham_shard_export.client.downloading import OnBytes, download
from arkham_shard_export.client.http import PATIENCE_SECONDS, head, request, settings, unreachable
from arkham_shard_export.client.operations import PREFIX, OnProgress, OnTrouble, TemplateReference
from arkham_shard_export.client.steps import Answer, Ask, Fetch, Operation, Pause, Result, Step
from arkham_shard_export.models import (
    ExportSchedule,
    ExportScheduleRun,
    ExportStatistics,
    ExportTemplate,
    FormatInfo,
    TargetInfo,
    TemplateSummary,
)


class ExportClient:
    """The exports of the host at `url`; as a context it closes its connections.

    What gets no answer, or is refused for now, is tried again for `patience_seconds`; `on_trouble` is told why, before
    each try but the first. `transport` is httpx's.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        on_trouble: OnTrouble | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._patience = patience_seconds
        self._on_trouble = on_trouble
        self._http = httpx.Client(**settings(url, token, headers), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def create(
        self,
        target: str | None = None,
        format: str | None = None,
        *,
        template: TemplateReference | None = None,
        filters: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        retention_hours: float | None = None,
        key: str | None = None,
        wait_seconds: float = 0,
    ) -> Job:
        """A new job, or the one that was asked for under the same `key` before; as it is after at most `wait_seconds`.

        What is given overrides the template.
        """
        body = operations.job_body(target, format, filters, options, retention_hours, template)
        return self._run(operations.create(body, key, wait_seconds, self._patience))

    def create_batch(
        self,
        parts: Sequence[Mapping[str, Any]],
        *,
        continue_on_error: bool = False,
        retention_hours: float | None = None,
        key: str | None = None,
        wait_seconds: float = 0,
    ) -> Job:
        """As `create`, several exports of one state of the data in one file.

        A part has `target` and `format`, and may have `filters`, `options` and a `name`.
        """
        body = operations.batch_body(parts, continue_on_error, retention_hours)
        return self._run(operations.create(body, key, wait_seconds, self._patience))

    def get(self, job_id: str) -> Job:
        return self._run(operations.get(job_id, self._patience))

    def wait(
        self,
        job_id: str,
        *,
        on_progress: OnProgress | None = None,
        timeout_seconds: float | None = None,
        check: bool = True,
    ) -> Job:
        """The job once it has ended. JobFailed where it has no file, unless `check` is false; TimeoutError."""
        return self._run(operations.wait(job_id, on_progress, timeout_seconds, check, self._patience))

    def download(
        self,
        job: Job | str,
        to: str | os.PathLike[str] = ".",
        *,
        overwrite: bool = False,
        on_bytes: OnBytes | None = None,
    ) -> Path:
        """The verified file, at `to` or in that folder; an earlier call that was interrupted is gone on with.

        DigestMismatch, FileExistsError, and Refused where there is no file (any more).
        """
        return self._run(download(job, to, overwrite, on_bytes, self._patience))

    def export(
        self,
        target: str | None = None,
        format: str | None = None,
        *,
        template: TemplateReference | None = None,
        to: str | os.PathLike[str] = ".",
        filters: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        overwrite: bool = False,
        on_progress: OnProgress | None = None,
        timeout_seconds: float | None = None,
    ) -> Path:
        """Make an export, wait for it, fetch it and verify it."""
        job = self.create(
            target,
            format,
            template=template,
            filters=filters,
            options=options,
            wait_seconds=0 if on_progress else 10,
        )
        job = self.wait(job.id, on_progress=on_progress, timeout_seconds=timeout_seconds)
        return self.download(job, to, overwrite=overwrite)

    def jobs(self, **filters: Any) -> Iterator[Job]:
        """All jobs of a filter (`status`, `format`, `target`, `created_by`, `sort`), page by page."""
        told: set[str] = set()
        offset = 0
        while (page := self._run(operations.page(filters, offset, self._patience))).jobs:
            # A job that comes meanwhile pushes the others on, into the next page.
            yield from (job for job in page.jobs if job.id not in told)
            told.update(job.id for job in page.jobs)
            offset += len(page.jobs)

    def cancel(self, job_id: str) -> Job:
        """The job as it is then; one that had ended stays as it was."""
        self._ask(Ask("DELETE", operations.path_of(job_id)))
        return self.get(job_id)

    def create_schedule(self, name: str, request: dict[str, Any], **fields: Any) -> ExportSchedule:
        """Run the request, a job's body, by `cron` or `every` so often; `fields` are those of POST /schedules."""
        return self._run(schedules.create({"name": name, "request": request, **fields}))

    def schedule(self, schedule_id: str) -> ExportSchedule:
        return self._run(schedules.get(schedule_id, self._patience))

    def schedules(self, state: str | None = None) -> Iterator[ExportSchedule]:
        """All of them, or those that are active, paused or ended, page by page."""
        offset = 0
        while (page := self._run(schedules.page(state, offset, self._patience))).schedules:
            yield from page.schedules
            offset += len(page.schedules)

    def change_schedule(self, schedule_id: str, **fields: Any) -> ExportSchedule:
        return self._run(schedules.change(schedule_id, fields, self._patience))

    def pause_schedule(self, schedule_id: str) -> ExportSchedule:
        return self._run(schedules.pause(schedule_id, self._patience))

    def resume_schedule(self, schedule_id: str) -> ExportSchedule:
        return self._run(schedules.resume(schedule_id, self._patience))

    def run_schedule(self, schedule_id: str) -> Job:
        """A job now, beside the plan."""
        return self._run(schedules.run(schedule_id))

    def delete_schedule(self, schedule_id: str) -> None:
        """Its jobs stay."""
        self._ask(Ask("DELETE", f"{schedules.PLACE}/{schedule_id}"))

    def schedule_runs(self, schedule_id: str) -> Iterator[ExportScheduleRun]:
        """Newest first, page by page."""
        offset = 0
        while (page := self._run(schedules.runs(schedule_id, offset, self._patience))).runs:
            yield from page.runs
            offset += len(page.runs)

    def count(self, status: str = "pending") -> int:
        return decode(self._ask(Ask("GET", f"{PREFIX}/count", {"status": status})).body, dict[str, int])[
            "count"
        ]

    def formats(self) -> list[FormatInfo]:
        return decode(self._ask(Ask("GET", f"{PREFIX}/formats")).body, list[FormatInfo])

    def targets(self) -> list[TargetInfo]:
        return decode(self._ask(Ask("GET", f"{PREFIX}/targets")).body, list[TargetInfo])

    def preview(
        self,
        target: str | None = None,
        format: str | None = None,
        records: int = 10,
        *,
        template: TemplateReference | None = None,
        **given: Any,
    ) -> Preview:
        """`given` are filters and options; without a template JSON where no format is given."""
        body = operations.preview_body(target, format, records, template, given)
        return decode(self._ask(Ask("POST", f"{PREFIX}/preview", json=body)).body, Preview)

    def templates(self) -> Iterator[TemplateSummary]:
        """All templates, without their filters and options: by name, those that come with the program last."""
        offset = 0
        while page := self._run(operations.templates(offset, self._patience)):
            yield from page
            offset += len(page)

    def template(self, template: str, version: int | None = None) -> ExportTemplate:
        """By id or name; without a version the newest."""
        ask = Ask("GET", operations.template_path(template, version))
        return self._run(operations.template(ask, self._patience))

    def create_template(self, name: str, target: str, format: str, **given: Any) -> ExportTemplate:
        """`given` are description, filters, options, retention_hours and shared. Refused where the name is taken."""
        body = {"name": name, "target": target, "format": format, **given}
        ask = Ask("POST", f"{PREFIX}/templates", json=body)
        return self._run(operations.template(ask, self._patience))

    def replace_template(
        self, template: ExportTemplate | str, name: str, target: str, format: str, **given: Any
    ) -> ExportTemplate:
        """The next version; Refused (412) where one that was read has been replaced since."""
        path, headers = operations.if_version(template)
        body = {"name": name, "target": target, "format": format, **given}
        return self._run(operations.template(Ask("PUT", path, json=body, headers=headers), self._patience))

    def lay_out_template(self, template: ExportTemplate | str, word_file: bytes) -> ExportTemplate:
        """The next version, whose DOCX reports are laid out by this Word file; Refused as for `replace_template`."""
        return self._run(operations.template(operations.lay_out(template, word_file), self._patience))

    def template_layout(self, template: str) -> bytes:
        """The Word file of a template."""
        return (self._ask(Ask("GET", f"{operations.template_path(template)}/layout"))).body

    def delete_template(self, template: ExportTemplate | str) -> None:
        """With all its versions; Refused (412) where one that was read has been replaced since."""
        path, headers = operations.if_version(template)
        self._run(operations.asked(Ask("DELETE", path, headers=headers), self._patience, repeatable=False))

    def template_versions(self, template: str) -> list[TemplateSummary]:
        """Newest first."""
        path = f"{operations.template_path(template)}/versions"
        return decode((self._ask(Ask("GET", path))).body, VersionPage).versions

    def statistics(self) -> ExportStatistics:
        return decode(self._ask(Ask("GET", f"{PREFIX}/stats")).body, ExportStatistics)

    def _ask(self, ask: Ask) -> Answer:
        return self._run(operations.asked(ask, self._patience))

    def _run(self, operation: Operation[Result]) -> Result:
        try:
            step = next(operation)
            while True:
                try:
                    taken = self._take(step)
                except httpx.HTTPError as error:
                    step = operation.throw(unreachable(error))
                else:
                    step = operation.send(taken)
        except StopIteration as ended:
            result: Result = ended.value
            return result
        finally:
            operation.close()

    def _take(self, step: Step) -> Any:
        match step:
            case Ask():
                response = self._http.request(**request(step))
                return head(response, response.content)
            case Fetch(ask, begin):
                with self._http.stream(**request(ask)) as response:
                    if response.status_code not in (200, 206):
                        return head(response, response.read())
                    feed = begin(head(response))
                    for data in response.iter_bytes():
                        if not feed(data):
                            break
                    return head(response)
            case Pause(seconds, trouble):
                if trouble and self._on_trouble is not None:
                    self._on_trouble(trouble)
                time.sleep(seconds)
                return None
            case _:
                return step.call()
