"""Who asks: the running service, and whose jobs are theirs to see."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from arkham_shard_export.errors import ServiceUnavailable
from arkham_shard_export.jobs.service import JobService
from arkham_shard_export.jobs.table.listing import EVERYTHING, Scope


class Caller:
    def __init__(self, service: JobService, scope: Scope, user: Any) -> None:
        self.service = service
        self.scope = scope
        self.user_id = None if user is None else str(user.id)
        self.created_by = "system" if self.user_id is None else self.user_id


def shard_of(request: Request) -> Any:
    """The instance that serves now, whichever included the routes."""
    shard = getattr(request.app.state, "export_shard", None)
    if shard is None:
        raise ServiceUnavailable("export", "The export shard is switched off in this host.")
    return shard


def is_operator(request: Request, shard: Any) -> bool:
    """Whether the caller may see what is over all tenants and users."""
    return bool(shard.scope(owner_of(request)) == EVERYTHING)


def owner_of(request: Request) -> str | None:
    """Where there are users, each sees the jobs of their own, unless their role is admin."""
    user = getattr(request.state, "user", None)
    return None if user is None or getattr(user, "role", None) == "admin" else str(user.id)


async def caller_of(request: Request) -> Caller:
    shard = shard_of(request)
    service = await shard.service()
    return Caller(service, shard.scope(owner_of(request)), getattr(request.state, "user", None))
