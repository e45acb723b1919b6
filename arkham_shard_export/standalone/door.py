"""Who is let in to the standalone host: the right host name, the same origin, and the token where there is one.

Pure ASGI, so that answers stream and context variables reach the routes.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from arkham_shard_export.api.errors import error_response
from arkham_shard_export.ports import system_clock
from arkham_shard_export.signing import Bearer, LinkSigner
from arkham_shard_export.standalone.frame import current_tenant_id

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_OPEN = ("/", "/export", "/openapi.json", "/api/export/health", "/api/export/ui")
_OPEN_BELOW = ("/export/", "/api/export/ui/")
_DOWNLOAD = ("/api/export/jobs/", "/download")


class KnownHosts:
    """Answers only under names of its own, so that no site can have its name lead a visitor's browser here."""

    def __init__(self, app: ASGIApp, names: tuple[str, ...]) -> None:
        self._app = app
        self._names = frozenset(map(_name_of, names))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = Headers(scope=scope).getlist("host")
            if len(given) != 1 or _name_of(given[0]) not in self._names:
                detail = (
                    "This host does not answer under the name in the Host header; ask it as localhost, or have its "
                    "operator add the name to ARKHAM_EXPORT_ALLOWED_HOSTS."
                )
                await error_response(421, detail)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class SameOrigin:
    """Refuses what a page of another origin makes a browser send, unless it changes nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in _SAFE_METHODS and not _same_origin(scope):
            detail = "This request comes from a page of another origin, which may change nothing here."
            await error_response(403, detail)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class TokenRequired:
    """Lets in who sends the token, and to a download who follows a signed link; the page itself holds no data."""

    def __init__(self, app: ASGIApp, token: str, links: LinkSigner) -> None:
        self._app = app
        self._token = _digest(token.encode())
        self._links = links

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._knows(scope):
            path = scope["path"]
            if path not in _OPEN and not path.startswith(_OPEN_BELOW) and not self._follows_link(scope):
                detail = (
                    "This host needs its token: send the header Authorization: Bearer TOKEN, or follow a download link "
                    "that is still valid."
                )
                await error_response(401, detail, headers={"WWW-Authenticate": "Bearer"})(
                    scope, receive, send
                )
                return
            scope.setdefault("state", {})["unknown_caller"] = True
        await self._app(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, token = given[0].strip().partition(b" ")
        # Digests are of one length, whatever was sent.
        return hmac.compare_digest(_digest(token.strip()), self._token) and scheme.lower() == b"bearer"

    def _follows_link(self, scope: Scope) -> bool:
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD") or not path.startswith(_DOWNLOAD[0]):
            return False
        if not path.endswith(_DOWNLOAD[1]):
            return False
        user, tenant = scope.get("state", {}).get("user"), current_tenant_id()
        bearer = Bearer(None if tenant is None else str(tenant), None if user is None else str(user.id))
        return self._links.holds(path, scope["query_string"], bearer, system_clock())


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def _name_of(host: str) -> str:
    """Without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _same_origin(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    # What a browser says of itself, which no page can change; it knows the origin that a proxy may hide from us.
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origins = headers.getlist("origin")
    if not origins:
        return True
    hosts = headers.getlist("host")
    try:
        return len(origins) == len(hosts) == 1 and urlsplit(origins[0]).netloc.lower() == hosts[0].lower()
    except ValueError:
        return False
