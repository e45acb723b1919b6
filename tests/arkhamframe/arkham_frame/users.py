"""A switchable authentication for tests: believes the request's headers, and is off unless asked for."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from .tenants import TENANT_HEADER

USER_ID_HEADER = "X-User-Id"
USER_ROLE_HEADER = "X-User-Role"
DEFAULT_ROLE = "analyst"


@dataclass(frozen=True, slots=True)
class User:
    """A signed-in user; `id` is a UUID where the header holds one, as in a deployment, else its text."""

    id: uuid.UUID | str
    email: str
    role: str
    tenant_id: uuid.UUID | None


class HeaderUsers:
    """Sets `request.state.user` where `X-User-Id` is sent; without it the attribute does not exist."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if USER_ID_HEADER in headers:
                scope.setdefault("state", {})["user"] = _user(headers)
        await self.app(scope, receive, send)


def _user(headers: Headers) -> User:
    user_id = headers[USER_ID_HEADER]
    return User(
        id=_uuid_or_none(user_id) or user_id,
        email=f"{user_id}@example.test",
        role=headers.get(USER_ROLE_HEADER, DEFAULT_ROLE),
        tenant_id=_uuid_or_none(headers.get(TENANT_HEADER, "")),
    )


def _uuid_or_none(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
