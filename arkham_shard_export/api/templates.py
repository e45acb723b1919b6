"""Routes of templates: by id or by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from fastapi.responses import JSONResponse

from arkham_shard_export.api.bodies import TemplateBody, TemplatePreviewBody
from arkham_shard_export.api.callers import caller_of
from arkham_shard_export.api.conditions import check_tag
from arkham_shard_export.api.downloads import CONFINED, disposition
from arkham_shard_export.api.pages import links
from arkham_shard_export.bounds import MAX_TEMPLATE_VERSIONS
from arkham_shard_export.jobs.files import MEDIA_TYPES
from arkham_shard_export.jobs.service import MAX_OFFSET
from arkham_shard_export.models import ExportTemplate, TemplateSummary

MAX_TEMPLATE_LIST = 200
WORD = MEDIA_TYPES[".docx"]


async def get_templates(
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=MAX_TEMPLATE_LIST)] = 100,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
) -> dict[str, Any]:
    caller = await caller_of(request)
    templates, total = await caller.service.templates.page(caller.scope, limit, offset)
    response.headers.update(links(request, total, limit, offset))
    return {
        "templates": [_fields(each) for each in templates],
        "total": total,
        "limit": limit,
        "offset": offset,
    }


async def post_template(request: Request, body: TemplateBody) -> Response:
    caller = await caller_of(request)
    template = await caller.service.templates.create(body.asked(), caller.scope, caller.created_by)
    return _answer(template, 201, {"Location": f"/api/export/templates/{template.id}"})


async def get_template(request: Request, template_id: str) -> Response:
    caller = await caller_of(request)
    return _answer(await caller.service.templates.get(template_id, caller.scope, caller.created_by))


async def put_template(request: Request, template_id: str, body: TemplateBody) -> Response:
    caller = await caller_of(request)
    template = await caller.service.templates.replace(
        template_id, body.asked(), caller.scope, caller.created_by, _meant(request)
    )
    return _answer(template)


async def delete_template(request: Request, template_id: str) -> Response:
    caller = await caller_of(request)
    await caller.service.templates.delete(template_id, caller.scope, caller.created_by, _meant(request))
    return Response(status_code=204)


async def get_versions(request: Request, template_id: str) -> dict[str, Any]:
    caller = await caller_of(request)
    versions = await caller.service.templates.versions(template_id, caller.scope, caller.created_by)
    return {"versions": [_fields(each) for each in versions]}


async def get_version(
    request: Request, template_id: str, version: Annotated[int, Path(ge=1, le=10 * MAX_TEMPLATE_VERSIONS)]
) -> Response:
    caller = await caller_of(request)
    return _answer(
        await caller.service.templates.version(template_id, version, caller.scope, caller.created_by)
    )


async def post_template_preview(request: Request, body: TemplatePreviewBody) -> dict[str, Any]:
    caller = await caller_of(request)
    whole = await caller.service.templates.drafted(body.asked(), body.said(), caller.scope, caller.created_by)
    preview = await caller.service.preview(whole, body.max_preview_records, caller.scope)
    return asdict(preview)


async def put_layout(request: Request, template_id: str) -> Response:
    caller = await caller_of(request)
    template, layout = await caller.service.templates.lay_out(
        template_id, await request.body(), caller.scope, caller.created_by, _meant(request)
    )
    return JSONResponse({**_fields(template), "layout": asdict(layout)}, headers={"ETag": _tag(template)})


async def get_layout(request: Request, template_id: str) -> Response:
    caller = await caller_of(request)
    template, data = await caller.service.templates.layout(template_id, caller.scope, caller.created_by)
    headers = {
        "Content-Disposition": disposition(f"{template.name}.docx"),
        "ETag": f'"{template.options["layout"]}"',
        **CONFINED,
    }
    return Response(data, media_type=WORD, headers=headers)


def _answer(
    template: ExportTemplate, status: int = 200, headers: dict[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(_fields(template), status, {"ETag": _tag(template), **(headers or {})})


def _fields(template: TemplateSummary) -> dict[str, Any]:
    """A template as REST shows it."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(template).items()
    }


def _tag(template: TemplateSummary) -> str:
    """Of this version of this template, and of no other that may come to have its name."""
    return f'"{template.id}.{template.version}"'


def _meant(request: Request) -> Callable[[ExportTemplate], None]:
    """Whether `If-Match` means the version that there is."""
    return lambda now: check_tag(request, _tag(now), f"The template is at version {now.version}")
