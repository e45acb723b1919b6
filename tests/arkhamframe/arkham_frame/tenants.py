"""Which tenant the current request belongs to: a context variable and the middleware that sets it."""

from __future__ import annotations

import uuid
from contextvars import ContextVar

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

TENANT_HEADER = "X-Tenant-Id"

_tenant_id: ContextVar[uuid.UUID | None] = ContextVar("arkham_frame_tenant_id", default=None)


def current_tenant_id() -> uuid.UUID | None:
    """The tenant of the current context; a task created inside a request keeps the copy it was born with."""
    return _tenant_id.get()


class TenantContextMiddleware(BaseHTTPMiddleware):
    """Sets the tenant for one request and takes it away after; a header that is no UUID gets a 400."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        header = request.headers.get(TENANT_HEADER)
        try:
            tenant_id = None if header is None else uuid.UUID(header)
        except ValueError:
            return JSONResponse({"detail": f"{TENANT_HEADER} is not a UUID: {header!r}"}, status_code=400)
        token = _tenant_id.set(tenant_id)
        try:
            return await call_next(request)
        finally:
            _tenant_id.reset(token)
