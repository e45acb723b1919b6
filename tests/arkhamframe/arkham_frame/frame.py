"""The frame object a shard is initialized with: the host's services, the app and the other shards."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from .config import FrameConfig
from .database import DatabaseError, DatabaseService
from .events import EventBus
from .storage import StorageService
from .workers import WorkerService

logger = logging.getLogger(__name__)

SERVICES = ("database", "events", "storage", "config", "workers")


class ArkhamFrame:
    """Holds the services; each one named in `without` is None, as in a host where it failed to start.

    With no `storage_dir` the storage lives in a temporary folder that `stop` removes.
    """

    def __init__(
        self,
        database_url: str,
        *,
        storage_dir: Path | str | None = None,
        without: Collection[str] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        unknown = set(without) - set(SERVICES)
        if unknown:
            raise ValueError(f"Unknown services {sorted(unknown)}; valid: {', '.join(SERVICES)}")
        self.app: FastAPI | None = None
        self.shards: dict[str, Any] = {}
        self.active_project_id: str | None = None
        self.config = None if "config" in without else FrameConfig(database_url, settings)
        self.database = None if "database" in without else DatabaseService(database_url)
        self.events = None if "events" in without else EventBus()
        self.workers = None if "workers" in without else WorkerService()
        self.storage: StorageService | None = None
        self._temporary_dir: str | None = None
        if "storage" not in without:
            if storage_dir is None:
                storage_dir = self._temporary_dir = tempfile.mkdtemp(prefix="arkham-frame-")
            self.storage = StorageService(Path(storage_dir))

    @property
    def db(self) -> DatabaseService | None:
        """The same object as `database`."""
        return self.database

    def get_service(self, name: str) -> Any:
        """The service of that name, or None: also for names of the real host that the stand-in lacks."""
        return getattr(self, name) if name == "db" or name in SERVICES else None

    async def start(self) -> None:
        """Boots on without the database where it cannot be reached: `database` is None from then on."""
        if self.database is not None:
            try:
                await self.database.connect()
            except DatabaseError:
                logger.exception("The database service failed to start")
                await self.database.close()
                self.database = None

    async def stop(self) -> None:
        """Stops workers, events, database, storage, in that order, also where one of them fails."""
        for service in (self.workers, self.events, self.database, self.storage):
            try:
                if service is not None:
                    await service.close()
            except Exception:
                logger.exception("%s failed to stop", type(service).__name__)
        if self._temporary_dir is not None:
            shutil.rmtree(self._temporary_dir, ignore_errors=True)
