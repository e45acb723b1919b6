"""The three `BaseHTTPMiddleware`s every request passes, and the order they stand in."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

from .tenants import TenantContextMiddleware, current_tenant_id
from .users import HeaderUsers

API_HEADERS = {
    "Cache-Control": "no-store, max-age=0",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
}


class SecurityHeadersMiddleware(BaseHTTPMiddleware):
    """Overwrites the security headers of every `/api/` answer, whatever the route set."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        if request.url.path.startswith("/api/"):
            response.headers.update(API_HEADERS)
        return response


class RateLimitStateMiddleware(BaseHTTPMiddleware):
    """Notes under which key a limiter would count the request; it limits nothing itself."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        client = request.client.host if request.client else "unknown"
        request.state.rate_limit_key = str(current_tenant_id() or client)
        return await call_next(request)


def install_middleware(app: FastAPI, *, users: bool) -> None:
    """Outermost to innermost: security headers, (users), tenant context, rate-limit state."""
    app.add_middleware(RateLimitStateMiddleware)
    app.add_middleware(TenantContextMiddleware)
    if users:
        app.add_middleware(HeaderUsers)
    app.add_middleware(SecurityHeadersMiddleware)
