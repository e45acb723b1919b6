"""The client for an event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
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


class AsyncExportClient:
    """As ExportClient, to be awaited. Disks are waited for in threads; callbacks are called in the loop."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        on_trouble: OnTrouble | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._patience = patience_seconds
        self._on_trouble = on_trouble
        self._http = httpx.AsyncClient(**settings(url, token, headers), transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def create(
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
        return await self._run(operations.create(body, key, wait_seconds, self._patience))

    async def create_batch(
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
        return await self._run(operations.create(body, key, wait_seconds, self._patience))

    async def get(self, job_id: str) -> Job:
        return await self._run(operations.get(job_id, self._patience))

    async def wait(
        self,
        job_id: str,
        *,
        on_progress: OnProgress | None = None,
        timeout_seconds: float | None = None,
        check: bool = True,
    ) -> Job:
        """The job once it has ended. JobFailed where it has no file, unless `check` is false; TimeoutError."""
        return await self._run(operations.wait(job_id, on_progress, timeout_seconds, check, self._patience))

    async def download(
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
        return await self._run(download(job, to, overwrite, on_bytes, self._patience))

    async def export(
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
        job = await self.create(
            target,
            format,
            template=template,
            filters=filters,
            options=options,
            wait_seconds=0 if on_progress else 10,
        )
        job = await self.wait(job.id, on_progress=on_progress, timeout_seconds=timeout_seconds)
        return await self.download(job, to, overwrite=overwrite)

    async def jobs(self, **filters: Any) -> AsyncIterator[Job]:
        """All jobs of a filter (`status`, `format`, `target`, `created_by`, `sort`), page by page."""
        told: set[str] = set()
        offset = 0
        while (page := await self._run(operations.page(filters, offset, self._patience))).jobs:
            # A job that comes meanwhile pushes the others on, into the next page.
            for job in page.jobs:
                if job.id not in told:
                    yield job
            told.update(job.id for job in page.jobs)
            offset += len(page.jobs)

    async def cancel(self, job_id: str) -> Job:
        """The job as it is then; one that had ended stays as it was."""
        await self._ask(Ask("DELETE", operations.path_of(job_id)))
        return await self.get(job_id)

    async def create_schedule(self, name: str, request: dict[str, Any], **fields: Any) -> ExportSchedule:
        """Run the request, a job's body, by `cron` or `every` so often; `fields` are those of POST /schedules."""
        return await self._run(schedules.create({"name": name, "request": request, **fields}))

    async def schedule(self, schedule_id: str) -> ExportSchedule:
        return await self._run(schedules.get(schedule_id, self._patience))

    async def schedules(self, state: str | None = None) -> AsyncIterator[ExportSchedule]:
        """All of them, or those that are active, paused or ended, page by page."""
        offset = 0
        while (page := await self._run(schedules.page(state, offset, self._patience))).schedules:
            for each in page.schedules:
                yield each
            offset += len(page.schedules)

    async def change_schedule(self, schedule_id: str, **fields: Any) -> ExportSchedule:
        return await self._run(schedules.change(schedule_id, fields, self._patience))

    async def pause_schedule(self, schedule_id: str) -> ExportSchedule:
        return await self._run(schedules.pause(schedule_id, self._patience))

    async def resume_schedule(self, schedule_id: str) -> ExportSchedule:
        return await self._run(schedules.resume(schedule_id, self._patience))

    async def run_schedule(self, schedule_id: str) -> Job:
        """A job now, beside the plan."""
        return await self._run(schedules.run(schedule_id))

    async def delete_schedule(self, schedule_id: str) -> None:
        """Its jobs stay."""
        await self._ask(Ask("DELETE", f"{schedules.PLACE}/{schedule_id}"))

    async def schedule_runs(self, schedule_id: str) -> AsyncIterator[ExportScheduleRun]:
        """Newest first, page by page."""
        offset = 0
        while (page := await self._run(schedules.runs(schedule_id, offset, self._patience))).runs:
            for each in page.runs:
                yield each
            offset += len(page.runs)

    async def count(self, status: str = "pending") -> int:
        return decode(
            (await self._ask(Ask("GET", f"{PREFIX}/count", {"status": status}))).body, dict[str, int]
        )["count"]

    async def formats(self) -> list[FormatInfo]:
        return decode((await self._ask(Ask("GET", f"{PREFIX}/formats"))).body, list[FormatInfo])

    async def targets(self) -> list[TargetInfo]:
        return decode((await self._ask(Ask("GET", f"{PREFIX}/targets"))).body, list[TargetInfo])

    async def preview(
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
        return decode((await self._ask(Ask("POST", f"{PREFIX}/preview", json=body))).body, Preview)

    async def templates(self) -> AsyncIterator[TemplateSummary]:
        """All templates, without their filters and options: by name, those that come with the program last."""
        offset = 0
        while page := await self._run(operations.templates(offset, self._patience)):
            for each in page:
                yield each
            offset += len(page)

    async def template(self, template: str, version: int | None = None) -> ExportTemplate:
        """By id or name; without a version the newest."""
        ask = Ask("GET", operations.template_path(template, version))
        return await self._run(operations.template(ask, self._patience))

    async def create_template(self, name: str, target: str, format: str, **given: Any) -> ExportTemplate:
        """`given` are description, filters, options, retention_hours and shared. Refused where the name is taken."""
        body = {"name": name, "target": target, "format": format, **given}
        ask = Ask("POST", f"{PREFIX}/templates", json=body)
        return await self._run(operations.template(ask, self._patience))

    async def replace_template(
        self, template: ExportTemplate | str, name: str, target: str, format: str, **given: Any
    ) -> ExportTemplate:
        """The next version; Refused (412) where one that was read has been replaced since."""
        path, headers = operations.if_version(template)
        body = {"name": name, "target": target, "format": format, **given}
        return await self._run(
            operations.template(Ask("PUT", path, json=body, headers=headers), self._patience)
        )

    async def lay_out_template(self, template: ExportTemplate | str, word_file: bytes) -> ExportTemplate:
        """The next version, whose DOCX reports are laid out by this Word file; Refused as for `replace_template`."""
        return await self._run(operations.template(operations.lay_out(template, word_file), self._patience))

    async def template_layout(self, template: str) -> bytes:
        """The Word file of a template."""
        return (await self._ask(Ask("GET", f"{operations.template_path(template)}/layout"))).body

    async def delete_template(self, template: ExportTemplate | str) -> None:
        """With all its versions; Refused (412) where one that was read has been replaced since."""
        path, headers = operations.if_version(template)
        await self._run(
            operations.asked(Ask("DELETE", path, headers=headers), self._patience, repeatable=False)
        )

    async def template_versions(self, template: str) -> list[TemplateSummary]:
        """Newest first."""
        path = f"{operations.template_path(template)}/versions"
        return decode((await self._ask(Ask("GET", path))).body, VersionPage).versions

    async def statistics(self) -> ExportStatistics:
        return decode((await self._ask(Ask("GET", f"{PREFIX}/stats"))).body, ExportStatistics)

    async def _ask(self, ask: Ask) -> Answer:
        return await self._run(operations.asked(ask, self._patience))

    async def _run(self, operation: Operation[Result]) -> Result:
        try:
            step = next(operation)
            while True:
                try:
                    taken = await self._take(step)
                except httpx.HTTPError as error:
                    step = operation.throw(unreachable(error))
                else:
                    step = operation.send(taken)
        except StopIteration as ended:
            result: Result = ended.value
            return result
        finally:
            operation.close()

    async def _take(self, step: Step) -> Any:
        match step:
            case Ask():
                response = await self._http.request(**request(step))
                return head(response, response.content)
            case Fetch(ask, begin, blocking):
                async with self._http.stream(**request(ask)) as response:
                    if response.status_code not in (200, 206):
                        return head(response, await response.aread())
                    feed = begin(head(response))
                    async for data in response.aiter_bytes():
                        if not (await asyncio.to_thread(feed, data) if blocking else feed(data)):
                            break
                    return head(response)
            case Pause(seconds, trouble):
                if trouble and self._on_trouble is not None:
                    self._on_trouble(trouble)
                await asyncio.sleep(seconds)
                return None
            case _:
                return await asyncio.to_thread(step.call)
