"""ArkhamFrame as our ports. The only module besides `shard` that knows the host and its quirks."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from arkham_shard_export.errors import ServiceUnavailable
from arkham_shard_export.ports import Database, Events, Parameters, Returning
from arkham_shard_export.settings import Settings
from arkham_shard_export.sources.dialects import Dialect, PostgresDialect, SqliteDialect
from arkham_shard_export.sources.location import Location, PostgresLocation, SqliteLocation
from arkham_shard_export.store_location import FolderLocation, StoreLocation

WARNING_SECONDS = 10.0

log = logging.getLogger(__name__)


class Host:
    """A frame whose services may be missing, seen through what the shard needs of them."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def service(self, name: str) -> Any:
        """A service of the frame, or None."""
        getter = getattr(self._frame, "get_service", None)
        found = getter(name) if callable(getter) else None
        return found if found is not None else getattr(self._frame, name, None)

    def database(self) -> Database:
        """The database service; ServiceUnavailable where the host has none."""
        return guarded(self._required("database"))

    def events(self) -> Events:
        """The event bus; ServiceUnavailable where the host has none."""
        bus: Events = self._required("events")
        return bus

    def _required(self, name: str) -> Any:
        service = self.service(name)
        if service is None:
            raise ServiceUnavailable(
                name,
                f"Exports need the host's service {name!r}, which is not available; check the host's log.",
            )
        return service

    async def dialect(self, database: Database) -> Dialect:
        """By the scheme of the host's URL, or by asking the database."""
        url = self._url()
        if url.startswith("postgres"):
            return PostgresDialect()
        if url.startswith("sqlite"):
            return SqliteDialect()
        try:
            await database.fetch_one("SELECT sqlite_version() AS version")
        except ServiceUnavailable:
            await database.fetch_one("SELECT version() AS version")
            return PostgresDialect()
        return SqliteDialect()

    async def location(self, database: Database, dialect: Dialect) -> Location | None:
        """Where exports can open a connection of their own; None where they must ask the service."""
        if isinstance(dialect, SqliteDialect):
            rows = await database.fetch_all("PRAGMA database_list")
            files = {str(row["name"]): str(row["file"] or "") for row in rows}
            main = files.pop("main", "")
            files.pop("temp", None)
            return SqliteLocation(main, files) if main and all(files.values()) else None
        url = self._url()
        if not url.startswith("postgres"):
            return None
        if importlib.util.find_spec("psycopg") is None:
            log.warning(
                "psycopg is not installed: exports are read through the host's database service, without a "
                "snapshot. Remedy: pip install 'arkham-shard-export[postgres]'"
            )
            return None
        return PostgresLocation(url)

    def store_location(self, settings: Settings) -> StoreLocation:
        """Where files go: as set, in the host's storage, or in a private folder of this user."""
        if settings.store is not None:
            return settings.store
        base = getattr(self.service("storage"), "base_path", None)
        return FolderLocation(str(Path(base) / "exports" if base is not None else private_folder()))

    def _url(self) -> str:
        return str(getattr(getattr(self._frame, "config", None), "database_url", None) or "")


class GuardedDatabase:
    """The host's service, with each of its own exceptions told as ServiceUnavailable."""

    def __init__(self, service: Any) -> None:
        self._service = service

    async def execute(self, sql: str, params: Parameters | None = None) -> None:
        await self._guarded(self._service.execute, sql, params)

    async def fetch_one(self, sql: str, params: Parameters | None = None) -> dict[str, Any] | None:
        row: dict[str, Any] | None = await self._guarded(self._service.fetch_one, sql, params)
        return row

    async def fetch_all(self, sql: str, params: Parameters | None = None) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await self._guarded(self._service.fetch_all, sql, params)
        return rows

    @staticmethod
    async def _guarded(call: Any, sql: str, params: Parameters | None) -> Any:
        try:
            return await call(sql, params)
        except Exception as error:
            _warn_now_and_then(error, sql)
            raise ServiceUnavailable(
                "database", "The host's database does not answer as expected; try again in a moment."
            ) from error


class _GuardedReturning(GuardedDatabase):
    async def change(self, sql: str, params: Parameters | None = None) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await self._guarded(self._service.change, sql, params)
        return rows


def guarded(service: Any) -> GuardedDatabase:
    """The service, with what it can do besides."""
    return (_GuardedReturning if isinstance(service, Returning) else GuardedDatabase)(service)


_warned_at = -WARNING_SECONDS


def _warn_now_and_then(error: Exception, sql: str) -> None:
    global _warned_at
    log.debug("The host's database service failed on: %s", sql, exc_info=error)
    if time.monotonic() - _warned_at >= WARNING_SECONDS:
        _warned_at = time.monotonic()
        log.warning("The host's database service failed: %s: %s", type(error).__name__, error)


def server_is_stopping() -> bool:
    """Whether uvicorn, which takes its signals by a method of its own, has been told to stop.

    It waits for all answers that are under way before it tells the application.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        server = getattr(signal.getsignal(number), "__self__", None)
        if getattr(server, "should_exit", False) is True:
            return True
    return False


def private_folder() -> Path:
    """A folder of this user that nobody else can read (mode 0700), made if missing."""
    base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    folder = base / "arkham-export" / "exports"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="arkham-export-"))
        log.warning("No private folder could be made in the user's home; exports go to %s.", folder)
    return folder
