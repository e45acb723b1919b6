"""The standalone host: one FastAPI application with the shard in it."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import UUID

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from arkham_shard_export import __version__
from arkham_shard_export.api.errors import error_response
from arkham_shard_export.api.ui import page
from arkham_shard_export.shard import ExportShard
from arkham_shard_export.signing import LinkSigner
from arkham_shard_export.standalone.database import PostgresService, SqliteService
from arkham_shard_export.standalone.demo_case import load_demo
from arkham_shard_export.standalone.door import LOOPBACK_NAMES, KnownHosts, SameOrigin, TokenRequired
from arkham_shard_export.standalone.errors import HostNotStarted
from arkham_shard_export.standalone.frame import Frame, TrustedHeaders, current_tenant_id
from arkham_shard_export.standalone.headers import SafeHeaders
from arkham_shard_export.standalone.services import EventBus, FileStorage

log = logging.getLogger(__name__)


class StandaloneShard(ExportShard):
    """The shard with this host's tenants rather than ArkhamFrame's."""

    def get_tenant_id_or_none(self) -> UUID | None:
        return current_tenant_id()


class Application(FastAPI):
    """Whose every answer, also one to a fault of ours, has safe headers."""

    def build_middleware_stack(self) -> ASGIApp:
        return SafeHeaders(super().build_middleware_stack())


def create_app(
    data_dir: Path,
    database_url: str | None = None,
    *,
    demo: bool = False,
    trust_headers: bool = False,
    token: str | None = None,
    link_seconds: float = 300.0,
    host_names: tuple[str, ...] | None = LOOPBACK_NAMES,
) -> FastAPI:
    """The application over SQLite files in `data_dir`, or over PostgreSQL with only its files there.

    With a `token` each request needs it. `host_names` are those under which it answers; None: under any.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with telling(app), sole_server(data_dir):
            database = PostgresService(database_url) if database_url else SqliteService(data_dir)
            try:
                await database.start()
            except HostNotStarted as error:
                if demo:
                    await database.stop()
                    raise
                log.warning("%s Until then every answer is 503.", error)
            frame = Frame(app, database, EventBus(), FileStorage(data_dir / "files"), database.url)
            app.state.frame = frame
            shard = StandaloneShard()
            try:
                if demo:
                    await load_demo(database)
                await shard.initialize(frame)
                frame.shards["export"] = shard
                app.include_router(shard.get_routes())
                app.state.startup_error = None
                yield
            finally:
                await shard.shutdown()
                await database.stop()

    app = Application(
        title="arkham-export", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.add_exception_handler(HTTPException, _problem)
    # What is added last is asked first.
    if token is not None:
        app.state.link_signer = LinkSigner(token, link_seconds)
        app.add_middleware(TokenRequired, token=token, links=app.state.link_signer)
    if trust_headers:
        app.add_middleware(TrustedHeaders)
    app.add_middleware(SameOrigin)
    if host_names is not None:
        app.add_middleware(KnownHosts, names=host_names)
    _add_page(app)
    return app


async def _problem(_request: Request, error: Exception) -> Response:
    """What FastAPI itself refuses, in the form of our own refusals."""
    assert isinstance(error, HTTPException)
    return error_response(error.status_code, f"{error.detail}.", headers=dict(error.headers or {}))


@contextmanager
def telling(app: FastAPI) -> Iterator[None]:
    """Keep what stops the host from starting, for whoever started it."""
    try:
        yield
    except Exception as error:
        app.state.startup_error = error
        raise


@contextmanager
def sole_server(data_dir: Path) -> Iterator[None]:
    """Hold the data folder for this process: two servers on one folder would run the same jobs twice."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(data_dir / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise HostNotStarted(
                f"The data folder {data_dir} is served by another process; stop it, or choose another with --data."
            ) from None
        yield
    finally:
        os.close(descriptor)


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/export")

    @app.api_route("/export", methods=["GET", "HEAD"], include_in_schema=False)
    @app.api_route("/export/{view}", methods=["GET", "HEAD"], include_in_schema=False)
    async def view(view: str = "") -> FileResponse:
        return page()
