"""The base class every shard extends."""

from __future__ import annotations

import inspect
import uuid
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from .manifest import ShardManifest, load_manifest
from .tenants import current_tenant_id

if TYPE_CHECKING:
    from fastapi import APIRouter

    from .frame import ArkhamFrame


class ArkhamShard(ABC):
    """A shard the host builds with no arguments; `initialize` and `shutdown` may come several times."""

    name: str = ""
    version: str = "0.0.0"
    description: str = ""

    def __init__(self) -> None:
        self.manifest: ShardManifest | None = load_manifest(
            Path(inspect.getfile(type(self))).resolve().parent
        )

    @abstractmethod
    async def initialize(self, frame: ArkhamFrame) -> None:
        """Runs inside the app's start-up, with `frame.app` set and other shards perhaps not there yet."""

    @abstractmethod
    async def shutdown(self) -> None:
        """Runs before the host's services stop; the host cancels no task the shard leaves behind."""

    def get_routes(self) -> APIRouter | None:
        """The router the host includes without a prefix; None makes it ask `get_api_router`."""
        return None

    def get_api_router(self) -> APIRouter | None:
        """The older name of `get_routes`, asked second."""
        return None

    def get_tenant_id_or_none(self) -> uuid.UUID | None:
        """The tenant of the request this task serves; None in any task started outside a request."""
        return current_tenant_id()
