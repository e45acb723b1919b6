"""Finds, starts, stops, disables and enables shards; one that fails is logged and left out."""

from __future__ import annotations

import importlib.metadata
import logging
from typing import Any

from fastapi import FastAPI

from .frame import ArkhamFrame

logger = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "arkham.shards"


class ShardLoader:
    """Owns `frame.shards`: only a shard whose every step went well stands in it."""

    def __init__(self, app: FastAPI, frame: ArkhamFrame) -> None:
        self._app = app
        self._frame = frame
        self._classes: dict[str, Any] = {}

    async def start_all(self) -> None:
        """Starts every shard of the entry point group in whatever order the metadata gives them."""
        for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
            try:
                self._classes[entry_point.name] = entry_point.load()
            except Exception:
                logger.exception("Shard %s cannot be imported and is left out", entry_point.name)
            else:
                await self.enable(entry_point.name)

    async def enable(self, name: str) -> bool:
        """A new instance, its `initialize`, and its router included, perhaps again; False if it fails.

        A shard that fails half-way is not shut down. One that runs already stays as it is.
        """
        if name in self._frame.shards:
            return True
        try:
            shard = self._classes[name]()
            await shard.initialize(self._frame)
            router = shard.get_routes() or shard.get_api_router()
            if router is not None:
                self._app.include_router(router)
        except Exception:
            logger.exception("Shard %s failed to start and is left out", name)
            return False
        self._frame.shards[name] = shard
        return True

    async def disable(self, name: str) -> bool:
        """Shuts the instance down and forgets it; its routes stay in the app. False if it was not running."""
        shard = self._frame.shards.pop(name, None)
        if shard is None:
            return False
        try:
            await shard.shutdown()
        except Exception:
            logger.exception("Shard %s failed to shut down", name)
        return True

    async def stop_all(self) -> None:
        """Shuts every running shard down; the services they use are still there."""
        for name in list(self._frame.shards):
            await self.disable(name)
