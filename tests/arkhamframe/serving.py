"""The stand-in in this process: its lifespan and its client run in the caller's event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from arkham_frame.app import create_app
from arkham_frame.frame import ArkhamFrame
from arkham_frame.loader import ShardLoader
from fastapi import FastAPI


@dataclass(frozen=True, slots=True)
class Served:
    """A host that runs: `client` asks it without a socket, the rest is its inside."""

    app: FastAPI
    client: httpx.AsyncClient

    @property
    def frame(self) -> ArkhamFrame:
        """The object its shards were initialized with."""
        frame: ArkhamFrame = self.app.state.frame
        return frame

    @property
    def loader(self) -> ShardLoader:
        """Disables and enables shards while the host runs."""
        loader: ShardLoader = self.app.state.shard_loader
        return loader

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Header names are given with `_` for `-`."""
        return await self.client.get(
            path, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )


@asynccontextmanager
async def serve(database_url: str, **options: Any) -> AsyncIterator[Served]:
    """Starts a host with the options of `create_app`; it has shut down when the block ends."""
    app = create_app(database_url, **options)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
            yield Served(app, client)
