"""The host application: services, middleware, shards and the badges route in one FastAPI app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from .badges import Badge, collect_badges
from .frame import ArkhamFrame
from .loader import ShardLoader
from .middleware import install_middleware

PAGE = Path(__file__).parent / "page"
"""Stands in for the host's own export page: the requests it makes, and the fields it reads."""


def create_app(
    database_url: str,
    *,
    storage_dir: Path | str | None = None,
    without: Collection[str] = (),
    users: bool = False,
) -> FastAPI:
    """The app, its shards loaded when its lifespan starts; `app.state` holds `frame` and `shard_loader`.

    `without` names services that are to be None; `users` believes the `X-User-Id` and `X-User-Role` headers.
    """
    frame = ArkhamFrame(database_url, storage_dir=storage_dir, without=without)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loader: ShardLoader = app.state.shard_loader
        await frame.start()
        try:
            await loader.start_all()
            yield
        finally:
            await loader.stop_all()
            await frame.stop()

    app = FastAPI(title="ArkhamFrame stand-in", lifespan=lifespan)
    frame.app = app
    app.state.frame = frame
    app.state.shard_loader = ShardLoader(app, frame)
    install_middleware(app, users=users)

    @app.get("/export")
    async def export_page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    app.mount("/export-page", StaticFiles(directory=PAGE))

    @app.get("/api/frame/badges")
    async def badges() -> dict[str, Badge]:
        return await collect_badges(frame)

    return app
