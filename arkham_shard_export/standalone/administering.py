"""Opens the jobs and the templates of a database for an operator, without a host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from arkham_shard_export.host import guarded
from arkham_shard_export.jobs.administration import Administration
from arkham_shard_export.jobs.admission import retention_hours
from arkham_shard_export.jobs.filestores import open_store
from arkham_shard_export.jobs.inventory import Inventory
from arkham_shard_export.jobs.queues.embedded import EmbeddedQueue
from arkham_shard_export.jobs.service import JobService
from arkham_shard_export.jobs.sources import Sources
from arkham_shard_export.jobs.table.layouts import LayoutStore
from arkham_shard_export.jobs.table.templates import TemplateStore
from arkham_shard_export.jobs.templates import TemplateLibrary
from arkham_shard_export.ports import Database, system_clock
from arkham_shard_export.settings import Settings
from arkham_shard_export.sources.dialects import Dialect, PostgresDialect, SqliteDialect
from arkham_shard_export.sources.location import Location, PostgresLocation, SqliteLocation
from arkham_shard_export.standalone.database import PostgresService, SqliteService
from arkham_shard_export.standalone.errors import HostNotStarted
from arkham_shard_export.standalone.tables import sqlite_paths
from arkham_shard_export.store_location import FolderLocation, StoreLocation


@asynccontextmanager
async def administering(
    data_dir: Path, database_url: str | None, settings: Settings
) -> AsyncIterator[Administration]:
    """The jobs of this database, with the store that a host on the same data folder has; nothing is made that is missing."""
    async with _opened(data_dir, database_url) as (database, dialect):
        yield await _administration(data_dir, settings, database, dialect)


@asynccontextmanager
async def template_library(
    data_dir: Path, database_url: str | None, settings: Settings, *, stored: bool = True
) -> AsyncIterator[TemplateLibrary]:
    """The templates of this database; those that are `stored` need tables, which are not made where they are missing."""
    async with _opened(data_dir, database_url) as (database, dialect):
        if stored:
            await _administration(data_dir, settings, database, dialect)
        sources = Sources(database, dialect, None, asyncio.get_running_loop(), system_clock)
        layouts = LayoutStore(database, dialect)
        yield TemplateLibrary(
            TemplateStore(database, dialect),
            layouts,
            Inventory(database, dialect, sources, system_clock, layouts.get),
            partial(retention_hours, settings),
            system_clock,
        )


async def _administration(
    data_dir: Path, settings: Settings, database: Database, dialect: Dialect
) -> Administration:
    open_files = partial(open_store, store_of(data_dir, settings))
    administration = Administration(database, dialect, open_files, system_clock)
    await administration.check()
    return administration


@asynccontextmanager
async def _opened(data_dir: Path, database_url: str | None) -> AsyncIterator[tuple[Database, Dialect]]:
    database: PostgresService | SqliteService
    dialect: Dialect
    if database_url:
        database, dialect = PostgresService(database_url, make_tables=False), PostgresDialect()
    else:
        if not sqlite_paths(data_dir)[0].exists():
            raise HostNotStarted(
                f"There is no database in {data_dir}. Remedy: --data with the folder of the host, or --database-url."
            )
        database, dialect = SqliteService(data_dir), SqliteDialect()
    try:
        await database.start()
        yield guarded(database), dialect
    finally:
        await database.stop()


@asynccontextmanager
async def scheduling(
    data_dir: Path, database_url: str | None, settings: Settings
) -> AsyncIterator[JobService]:
    """The service of this database, which makes jobs and runs none: hosts and workers find them."""
    async with administering(data_dir, database_url, settings) as administration:
        service = JobService(
            administration.database,
            None,
            administration.dialect,
            _location(data_dir, database_url),
            open_store(store_of(data_dir, settings)),
            replace(settings, concurrency=0),
            system_clock,
        )
        if service.queue.engine != EmbeddedQueue.engine:
            await service.queue.start()
        try:
            yield service
        finally:
            if service.queue.engine != EmbeddedQueue.engine:
                await service.queue.stop()


def _location(data_dir: Path, database_url: str | None) -> Location:
    if database_url:
        return PostgresLocation(database_url)
    main, attached = sqlite_paths(data_dir.resolve())
    return SqliteLocation(str(main), {name: str(path) for name, path in attached.items()})


def store_of(data_dir: Path, settings: Settings) -> StoreLocation:
    """The export store of a host or a worker on this data folder."""
    return settings.store or FolderLocation(str(data_dir.resolve() / "files" / "exports"))
