"""Routes that tell what can be exported, and show how it would look."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import Request

from arkham_shard_export.api.bodies import PreviewBody
from arkham_shard_export.api.callers import caller_of


async def get_formats(request: Request) -> list[dict[str, Any]]:
    caller = await caller_of(request)
    return [asdict(each) for each in caller.service.inventory.formats()]


async def get_targets(request: Request) -> list[dict[str, Any]]:
    caller = await caller_of(request)
    return [asdict(each) for each in await caller.service.inventory.targets(caller.scope.tenant_id)]


async def post_preview(request: Request, body: PreviewBody) -> dict[str, Any]:
    caller = await caller_of(request)
    preview = await caller.service.preview(
        body.asked(), body.max_preview_records, caller.scope, caller.created_by
    )
    return asdict(preview)
