"""The page of the export service: one HTML document for all its views, and the files that it is made of."""

from __future__ import annotations

import gzip
import mimetypes
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

WEB = Path(__file__).parents[1] / "web"
INDEX = "index.html"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def page() -> FileResponse:
    """The same for each view: the page looks at its own address."""
    return FileResponse(WEB / INDEX, headers=_HEADERS)


async def get_page(view: str = "") -> FileResponse:
    if "." in view:
        raise HTTPException(404, "There is no such view.")
    return page()


async def get_asset(request: Request, name: str) -> Response:
    """A file beside the page; a name with a path in it is no file's."""
    if name not in {each.name for each in WEB.iterdir()}:
        raise HTTPException(404, f"The page has no file {name[:60]!r}.")
    headers = {**_HEADERS, "Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return FileResponse(WEB / name, headers=headers)
    body = _compressed(WEB / name, (WEB / name).stat().st_mtime_ns)
    media_type = mimetypes.guess_type(name)[0] or "text/plain"
    return Response(body, media_type=media_type, headers={**headers, "Content-Encoding": "gzip"})


@lru_cache(maxsize=128)
def _compressed(path: Path, _changed_at: int) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0)


def add_page(router: APIRouter) -> None:
    for path, endpoint in (("/ui", get_page), ("/ui/{view}", get_page), ("/ui/assets/{name}", get_asset)):
        router.add_api_route(path, endpoint, methods=["GET", "HEAD"], include_in_schema=False)
