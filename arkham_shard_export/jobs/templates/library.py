"""All that one can do with templates; what the routes, the shard's Python API, the command line and new jobs ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from arkham_shard_export.bounds import MAX_LAYOUTS, MAX_TEMPLATE_BYTES, MAX_TEMPLATE_VERSIONS, MAX_TEMPLATES
from arkham_shard_export.errors import (
    FieldProblem,
    InvalidRequest,
    NotAllowed,
    ServiceUnavailable,
    TemplateNotFound,
)
from arkham_shard_export.formats.wordlayout import LayoutInfo, check_layout
from arkham_shard_export.jobs.inventory import Inventory
from arkham_shard_export.jobs.table.layouts import LayoutStore
from arkham_shard_export.jobs.table.listing import Scope
from arkham_shard_export.jobs.table.templates import StoredTemplate, TemplateStore, name_key
from arkham_shard_export.jobs.table.values import json_text
from arkham_shard_export.jobs.templates.built_in import BUILT_IN
from arkham_shard_export.jobs.templates.checking import description_problem, looks_like_an_id, name_problem
from arkham_shard_export.jobs.templates.finding import (
    as_given,
    meant,
    of_the_program,
    summary,
    taken,
    visible,
)
from arkham_shard_export.jobs.templates.references import given_options, merged, reference_of
from arkham_shard_export.models import (
    ExportFormat,
    ExportTemplate,
    JobRequest,
    TemplateRequest,
    TemplateSummary,
)
from arkham_shard_export.ports import Clock

MOST_TRIES = 200
MOST_OFFERED = 20
UNUSED_DAYS = 30
"""For so long a layout that no template names is kept at least: jobs may still need it."""

Expectation = Callable[[ExportTemplate], None]
"""Raises PreconditionFailed where the template is not the one that is meant."""


def _whatever(_: ExportTemplate) -> None:
    """Nobody said which version is meant."""


class TemplateLibrary:
    """Scopes are those of jobs: without an owner (an admin, or where nobody is signed in) all of the tenant is seen and may
    be changed; an owner sees the own templates and the shared ones, and may change the own.
    """

    def __init__(
        self,
        store: TemplateStore,
        layouts: LayoutStore,
        inventory: Inventory,
        retention_hours: Callable[[object], float],
        clock: Clock,
    ) -> None:
        self._store = store
        self._layouts = layouts
        self._inventory = inventory
        self._retention_hours = retention_hours
        self._clock = clock

    async def page(self, scope: Scope, limit: int, offset: int) -> tuple[list[TemplateSummary], int]:
        """By name, those that come with the program last; and how many there are."""
        total = await self._store.count(scope)
        own = await self._store.page(scope, limit, offset) if offset < total else []
        rest = max(0, offset - total)
        built_in = [summary(each) for each in BUILT_IN[rest : rest + limit - len(own)]]
        return [*own, *built_in], total + len(BUILT_IN)

    async def get(self, reference: str, scope: Scope, user: str | None = None) -> ExportTemplate:
        """By id or name; of several of a name that the scope shows, the one of `user`. TemplateNotFound."""
        return (await self._stored(reference, scope, user)).template

    async def create(self, asked: TemplateRequest, scope: Scope, created_by: str) -> ExportTemplate:
        """The first version. InvalidRequest lists every wrong field; a name that is taken is one."""
        checked = await self._checked(asked, scope.tenant_id)
        if await self._store.owned(scope.tenant_id, created_by) >= MAX_TEMPLATES:
            message = f"You keep {MAX_TEMPLATES} templates, which is the most; delete one."
            raise InvalidRequest([FieldProblem("name", asked.name, message)])
        now = self._clock()
        template = ExportTemplate(
            **checked, id=str(uuid4()), created_by=created_by, version=1, created_at=now, updated_at=now,
            updated_by=created_by, built_in=False,
        )  # fmt: skip
        new = StoredTemplate(template, scope.tenant_id)
        await self._check_free(new)
        if not await self._store.insert(new):
            raise taken(template.name)
        return template

    async def save(self, asked: TemplateRequest, scope: Scope, saved_by: str) -> ExportTemplate:
        """The next version of the template of this name, or its first."""
        if isinstance(asked.name, str) and name_problem(asked.name) is None:
            named = await self._store.named(name_key(asked.name), scope)
            found = meant([each for each in named if each.tenant_id == scope.tenant_id], saved_by)
            if found is not None:
                return await self.replace(found.template.id, asked, scope, saved_by)
        return await self.create(asked, scope, saved_by)

    async def replace(
        self,
        reference: str,
        asked: TemplateRequest,
        scope: Scope,
        updated_by: str,
        expected: Expectation = _whatever,
    ) -> ExportTemplate:
        """The next version; the one before is kept. Of several at the same time each makes a version of its own."""
        return await self._replaced(reference, lambda _: asked, scope, updated_by, expected)

    async def lay_out(
        self,
        reference: str,
        data: bytes,
        scope: Scope,
        updated_by: str,
        expected: Expectation = _whatever,
    ) -> tuple[ExportTemplate, LayoutInfo]:
        """The next version, whose reports are laid out by this Word file. InvalidRequest says why it cannot be a layout."""
        old = await self._changeable(reference, scope, updated_by)
        expected(old.template)
        if old.template.format != ExportFormat.DOCX:
            message = f"Only a DOCX report has a layout; this template gives {old.template.format}."
            raise InvalidRequest([FieldProblem("layout", None, message)])
        info = await asyncio.to_thread(check_layout, data)
        if await self._layouts.owned(old.tenant_id, updated_by) >= MAX_LAYOUTS:
            await self._layouts.forget(old.tenant_id, updated_by, self._clock() - timedelta(days=UNUSED_DAYS))
            if await self._layouts.owned(old.tenant_id, updated_by) >= MAX_LAYOUTS:
                message = (
                    f"You keep {MAX_LAYOUTS} layouts, which is the most; delete a template that has one."
                )
                raise InvalidRequest([FieldProblem("layout", None, message)])
        layout_id = await self._layouts.put(data, old.tenant_id, updated_by, self._clock())

        def laid_out(now: ExportTemplate) -> TemplateRequest:
            given = {each.name: getattr(now, each.name) for each in fields(TemplateRequest)}
            return TemplateRequest(**{**given, "options": {**now.options, "layout": layout_id}})

        template = await self._replaced(old.template.id, laid_out, scope, updated_by, expected)
        return template, info

    async def layout(
        self, reference: str, scope: Scope, user: str | None = None
    ) -> tuple[ExportTemplate, bytes]:
        """The Word file of a template; TemplateNotFound where it has none."""
        stored = await self._stored(reference, scope, user)
        layout_id = stored.template.options.get("layout")
        data = None if layout_id is None else await self._layouts.get(str(layout_id), stored.tenant_id)
        if data is None:
            raise TemplateNotFound(f"The template {stored.template.name!r} has no layout.")
        return stored.template, data

    async def layout_of(self, layout_id: str) -> bytes | None:
        """The Word file of this id, whose ever it is."""
        return await self._layouts.get(layout_id, None)

    async def _replaced(
        self,
        reference: str,
        asked_of: Callable[[ExportTemplate], TemplateRequest],
        scope: Scope,
        updated_by: str,
        expected: Expectation,
    ) -> ExportTemplate:
        for _ in range(MOST_TRIES):
            old = await self._changeable(reference, scope, updated_by)
            expected(old.template)
            if old.template.version >= MAX_TEMPLATE_VERSIONS:
                message = (
                    f"This template has {MAX_TEMPLATE_VERSIONS} versions, which is the most, and all of them are kept; "
                    "save it under another name."
                )
                raise InvalidRequest([FieldProblem("name", old.template.name, message)])
            checked = await self._checked(asked_of(old.template), old.tenant_id)
            template = replace(
                old.template,
                **checked,
                version=old.template.version + 1,
                updated_at=self._clock(),
                updated_by=updated_by,
            )
            new = StoredTemplate(template, old.tenant_id)
            await self._check_free(new)
            if await self._store.replace(old, new):
                return template
        raise ServiceUnavailable("templates", "This template is being replaced all the time; try again.")

    async def delete(
        self, reference: str, scope: Scope, user: str, expected: Expectation = _whatever
    ) -> None:
        """With all its versions. Jobs that were made of it keep what they do."""
        for _ in range(MOST_TRIES):
            old = await self._changeable(reference, scope, user)
            expected(old.template)
            if await self._store.remove(old.template.id, old.template.version):
                return
        raise ServiceUnavailable("templates", "This template is being replaced all the time; try again.")

    async def versions(self, reference: str, scope: Scope, user: str | None = None) -> list[TemplateSummary]:
        """Newest first. Whom the template was not shared with then does not see a version."""
        now = (await self._stored(reference, scope, user)).template
        if now.built_in:
            return [summary(now)]
        earlier = await self._store.earlier(now.id)
        shown = [each for each in earlier if each.version < now.version and visible(each, scope)]
        return [summary(now), *shown]

    async def version(
        self, reference: str, number: int, scope: Scope, user: str | None = None
    ) -> ExportTemplate:
        """TemplateNotFound where there is no such version."""
        now = (await self._stored(reference, scope, user)).template
        return await self._version(now, number, scope)

    async def resolved(
        self, asked: JobRequest, scope: Scope, user: str | None = None
    ) -> tuple[JobRequest, dict[str, Any]]:
        """The whole request without a template, and what is to be noted of the template. InvalidRequest where there is
        none; what the request then asks for is not checked."""
        if asked.template is None:
            return asked, {}
        reference = reference_of(asked.template)
        try:
            template = await self.get(reference.template, scope, user)
        except TemplateNotFound:
            raise await self._unknown(reference.template, scope) from None
        if reference.version is not None:
            try:
                template = await self._version(template, reference.version, scope)
            except TemplateNotFound as error:
                problem = FieldProblem("template.version", reference.version, str(error))
                raise InvalidRequest([problem]) from None
        noted = {"id": template.id, "name": template.name, "version": template.version}
        return merged(template, asked), {"template": noted}

    async def drafted(
        self, asked: JobRequest, said: TemplateRequest, scope: Scope, user: str | None = None
    ) -> JobRequest:
        """The whole request of a template that is not saved: what it asks for, and what it says besides, which may leave
        out its name. InvalidRequest as for saving it."""
        whole, _ = await self.resolved(asked, scope, user)
        draft = replace(
            said, target=whole.target, format=whole.format, filters=whole.filters, options=whole.options
        )
        await self._checked(draft, scope.tenant_id, named=said.name is not None)
        return whole

    async def _stored(self, reference: str, scope: Scope, user: str | None) -> StoredTemplate:
        if looks_like_an_id(reference):
            found = await self._store.get(reference, scope)
        else:
            found = of_the_program(reference)
            if found is None and name_problem(reference) is None:
                found = meant(await self._store.named(name_key(reference), scope), user)
        if found is None:
            raise TemplateNotFound
        return found

    async def _changeable(self, reference: str, scope: Scope, user: str) -> StoredTemplate:
        found = await self._stored(reference, scope, user)
        if found.template.built_in:
            raise NotAllowed(
                "This template comes with the program and cannot be changed; save it under another name."
            )
        if scope.owner is not None and found.template.created_by != scope.owner:
            raise NotAllowed(
                "Only its owner or an admin can change this template; save it under another name."
            )
        return found

    async def _version(self, now: ExportTemplate, number: int, scope: Scope) -> ExportTemplate:
        if number == now.version:
            return now
        found = None
        if not now.built_in and 0 < number < now.version:
            found = await self._store.version(now.id, number)
        if found is None or not visible(found, scope):
            raise TemplateNotFound(
                f"The template {now.name!r} has no version {number} that you may see; its newest is {now.version}."
            )
        return found

    async def _checked(
        self, asked: TemplateRequest, tenant_id: str | None, named: bool = True
    ) -> dict[str, Any]:
        """The fields that a template can change, or InvalidRequest with all that is wrong with them."""
        problems = [name_problem(asked.name) if named else None, description_problem(asked.description)]
        if not isinstance(asked.shared, bool):
            message = f"shared must be true or false, not {str(asked.shared)[:60]!r}."
            problems.append(FieldProblem("shared", asked.shared, message))
        wrong = [each for each in problems if each is not None]
        hours = None
        try:
            hours = None if asked.retention_hours is None else self._retention_hours(asked.retention_hours)
        except InvalidRequest as error:
            wrong += error.problems
        given = given_options(asked.options)
        options: dict[str, Any] = {}
        try:
            request, _ = await self._inventory.check(
                asked.format, asked.target, asked.filters, given, tenant_id, counted=False
            )
            options = as_given(given or {}, request.options)
        except InvalidRequest as error:
            wrong += error.problems
        if wrong:
            raise InvalidRequest(wrong)
        filters = asked.filters if isinstance(asked.filters, Mapping) else {}
        checked = {
            "name": asked.name,
            "description": asked.description,
            "target": asked.target,
            "format": asked.format,
            "filters": {name: value for name, value in filters.items() if value is not None},
            "options": options,
            "retention_hours": hours,
            "shared": asked.shared,
        }
        size = len(json_text([checked["filters"], checked["options"]]).encode())
        if size > MAX_TEMPLATE_BYTES:
            message = f"filters and options have {size:,} bytes; at most {MAX_TEMPLATE_BYTES:,} are accepted."
            raise InvalidRequest([FieldProblem("options", None, message)])
        return checked

    async def _check_free(self, new: StoredTemplate) -> None:
        """InvalidRequest where its name is that of another template that its owner can see."""
        name, key = new.template.name, name_key(new.template.name)
        seen = await self._store.named(key, Scope(new.tenant_id, new.template.created_by))
        others = [each for each in seen if each.template.id != new.template.id]
        alike = [each for each in others if each.tenant_id == new.tenant_id]
        if (
            of_the_program(name) is not None
            or alike
            or await self._store.taken(new.space, key, new.template.id)
        ):
            raise taken(name)

    async def _unknown(self, reference: str, scope: Scope) -> InvalidRequest:
        offered, _ = await self.page(scope, MOST_OFFERED, 0)
        message = f"There is no template {reference[:60]!r}: it was deleted or renamed, or it is another user's and not shared."
        valid = tuple(each.name for each in offered)
        return InvalidRequest([FieldProblem("template", reference, message, valid)])
