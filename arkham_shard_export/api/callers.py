"""Who asks: the running service, and whose jobs are theirs to see."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    return scope_of(request, shard) == EVERYTHING and not getattr(request.state, "unknown_caller", False)


def owner_of(request: Request) -> str | None:
    """Where there are users, each sees the jobs of their own, unless their role is admin."""
    user = _user_of(request)
    return None if user is None or getattr(user, "role", None) == "admin" else str(user.id)


def scope_of(request: Request, shard: Any) -> Scope:
    """A user belongs to a tenant even where the host has put none in force."""
    scope: Scope = shard.scope(owner_of(request))
    own = getattr(_user_of(request), "tenant_id", None)
    return scope if scope.tenant_id is not None or own is None else replace(scope, tenant_id=str(own))


@dataclass(frozen=True, slots=True)
class Identity:
    tenant_id: str | None
    user_id: str | None


def identity_of(request: Request) -> Identity:
    """Who asks, whatever their role and whether or not exports are available."""
    user = _user_of(request)
    shard = getattr(request.app.state, "export_shard", None)
    tenant_id = None if shard is None else scope_of(request, shard).tenant_id
    return Identity(tenant_id, None if user is None else str(user.id))


def _user_of(request: Request) -> Any:
    return getattr(request.state, "user", None)


async def caller_of(request: Request) -> Caller:
    shard = shard_of(request)
    service = await shard.service()
    return Caller(service, scope_of(request, shard), _user_of(request))
