"""The frame object of the standalone host: what a shard sees of its host."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from arkham_shard_export.api.errors import error_response
from arkham_shard_export.standalone.services import EventBus, FileStorage

_TRUSTED = (b"x-tenant-id", b"x-user-id", b"x-user-role")
_tenant: ContextVar[UUID | None] = ContextVar("arkham_export_tenant", default=None)


def current_tenant_id() -> UUID | None:
    """The tenant of the request that is being answered."""
    return _tenant.get()


@dataclass(frozen=True, slots=True)
class Config:
    database_url: str

    def get(self, key: str, default: Any = None) -> Any:
        return default


@dataclass(frozen=True, slots=True)
class User:
    """Who a trusted proxy says is asking."""

    id: str
    role: str
    tenant_id: UUID | None
    email: str | None = None


class Frame:
    """Services by name, as in ArkhamFrame."""

    def __init__(self, app: FastAPI, database: Any, events: EventBus, storage: FileStorage, url: str) -> None:
        self.app = app
        self.database = self.db = database
        self.events = events
        self.storage = storage
        self.config = Config(url)
        self.workers = None
        self.shards: dict[str, Any] = {}
        self.active_project_id: str | None = None

    def get_service(self, name: str) -> Any:
        names = {"database", "db", "events", "storage", "config", "workers"}
        return getattr(self, name) if name in names else None


class TrustedHeaders:
    """Takes tenant and user from `X-Tenant-Id`, `X-User-Id` and `X-User-Role`; only for use behind a proxy that sets them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        names = [name for name, _ in scope["headers"]]
        if any(names.count(name) > 1 for name in _TRUSTED):
            detail = "X-Tenant-Id, X-User-Id and X-User-Role may each be sent once; have the proxy replace what clients send."
            await _refuse(scope, receive, send, detail)
            return
        try:
            tenant = UUID(headers["x-tenant-id"]) if "x-tenant-id" in headers else None
        except ValueError:
            await _refuse(scope, receive, send, "X-Tenant-Id must be a UUID.")
            return
        if headers.get("x-user-id", "-").strip() == "":
            await _refuse(scope, receive, send, "X-User-Id must name a user.")
            return
        if "x-user-id" in headers:
            user = User(headers["x-user-id"], headers.get("x-user-role", "analyst"), tenant)
            scope.setdefault("state", {})["user"] = user
        token = _tenant.set(tenant)
        try:
            await self._app(scope, receive, send)
        finally:
            _tenant.reset(token)


async def _refuse(scope: Scope, receive: Receive, send: Send, detail: str) -> None:
    await error_response(400, detail)(scope, receive, send)
