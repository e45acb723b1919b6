"""What other shards call for templates and schedules; the tenant in force where they call is obeyed."""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

from arkham_shard_export.errors import ScheduleNotFound, TemplateNotFound
from arkham_shard_export.jobs.service import JobService
from arkham_shard_export.jobs.table.listing import Scope
from arkham_shard_export.models import (
    ExportJob,
    ExportOptions,
    ExportSchedule,
    ExportScheduleRun,
    ExportTemplate,
    TemplateRequest,
    TemplateSummary,
)


class _Callee(Protocol):
    async def service(self) -> JobService: ...

    def scope(self, owner: str | None = None) -> Scope: ...

    def tenant_id(self) -> str | None: ...


class TemplateCalls:
    async def list_templates(self: _Callee, limit: int = 100, offset: int = 0) -> list[TemplateSummary]:
        """By name; those that come with the program last."""
        templates, _ = await (await self.service()).templates.page(self.scope(), limit, offset)
        return templates

    async def get_template(self: _Callee, template: str) -> ExportTemplate | None:
        """By id or name."""
        try:
            return await (await self.service()).templates.get(template, self.scope())
        except TemplateNotFound:
            return None

    async def save_template(
        self: _Callee,
        name: str,
        format: str,
        target: str,
        filters: dict[str, Any] | None = None,
        options: ExportOptions | dict[str, Any] | None = None,
        *,
        description: str = "",
        retention_hours: float | None = None,
        shared: bool = True,
        created_by: str = "system",
    ) -> ExportTemplate:
        """A new template, or the next version of the one of this name. InvalidRequest as for a job."""
        asked = TemplateRequest(name, target, format, description, filters, options, retention_hours, shared)
        return await (await self.service()).templates.save(asked, self.scope(), created_by)

    async def lay_out_template(
        self: _Callee, template: str, word_file: bytes, updated_by: str = "system"
    ) -> ExportTemplate:
        """The next version of a DOCX template, whose reports are laid out by this Word file. InvalidRequest,
        TemplateNotFound."""
        templates = (await self.service()).templates
        found, _ = await templates.lay_out(template, word_file, self.scope(), updated_by)
        return found

    async def delete_template(self: _Callee, template: str, deleted_by: str = "system") -> bool:
        """Whether there was one; jobs that were made of it keep what they do."""
        try:
            await (await self.service()).templates.delete(template, self.scope(), deleted_by)
        except TemplateNotFound:
            return False
        return True


class ScheduleCalls:
    async def create_schedule(
        self: _Callee,
        name: str,
        request: dict[str, Any],
        *,
        cron: str | None = None,
        every: str | None = None,
        created_by: str = "system",
        **fields: Any,
    ) -> ExportSchedule:
        """Run the request, a job's body, by a cron expression or `every` so often (`12h`).

        `fields` are `description, time_zone, retention_hours, ends_at, missed, keep_files, max_failures`. InvalidRequest.
        """
        service = await self.service()
        given = {**fields, "name": name, "request": request, "cron": cron, "every": every}
        return await service.schedules.create(given, created_by=created_by, tenant_id=self.tenant_id())

    async def list_schedules(
        self: _Callee, state: str | None = None, limit: int = 50, offset: int = 0
    ) -> list[ExportSchedule]:
        """Newest first; `state` is active, paused or ended."""
        schedules, _ = await (await self.service()).schedules.page(self.scope(), state, limit, offset)
        return schedules

    async def get_schedule(self: _Callee, schedule_id: str) -> ExportSchedule | None:
        with contextlib.suppress(ScheduleNotFound):
            return await (await self.service()).schedules.get(schedule_id, self.scope())
        return None

    async def change_schedule(self: _Callee, schedule_id: str, **fields: Any) -> ExportSchedule:
        """Change these fields; ScheduleNotFound, InvalidRequest."""
        return await (await self.service()).schedules.change(schedule_id, fields, self.scope())

    async def pause_schedule(
        self: _Callee, schedule_id: str, reason: str = "It was paused."
    ) -> ExportSchedule:
        return await (await self.service()).schedules.pause(schedule_id, self.scope(), reason)

    async def resume_schedule(self: _Callee, schedule_id: str) -> ExportSchedule:
        return await (await self.service()).schedules.resume(schedule_id, self.scope())

    async def run_schedule(self: _Callee, schedule_id: str) -> ExportJob:
        """A job now, beside the plan."""
        return await (await self.service()).schedules.run_now(schedule_id, self.scope())

    async def delete_schedule(self: _Callee, schedule_id: str) -> None:
        """Its jobs stay."""
        await (await self.service()).schedules.delete(schedule_id, self.scope())

    async def list_schedule_runs(
        self: _Callee, schedule_id: str, limit: int = 50, offset: int = 0
    ) -> list[ExportScheduleRun]:
        """Newest first."""
        schedules = (await self.service()).schedules
        runs, _ = await schedules.runs(schedule_id, self.scope(), limit, offset)
        return runs

    async def owner_ended(
        self: _Callee,
        created_by: str | None = None,
        tenant_id: str | None = None,
        reason: str = "they are gone.",
    ) -> int:
        """Pause at once all schedules of a user, of a tenant, or of a user of a tenant; how many these were."""
        return await (await self.service()).schedules.owner_ended(created_by, tenant_id, reason)
