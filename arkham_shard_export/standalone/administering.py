"""Opens the jobs of a database for an operator, without a host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from arkham_shard_export.host import guarded
from arkham_shard_export.jobs.administration import Administration
from arkham_shard_export.jobs.filestores import open_store
from arkham_shard_export.ports import system_clock
from arkham_shard_export.settings import Settings
from arkham_shard_export.sources.dialects import Dialect, PostgresDialect, SqliteDialect
from arkham_shard_export.standalone.database import PostgresService, SqliteService
from arkham_shard_export.standalone.errors import HostNotStarted
from arkham_shard_export.standalone.tables import sqlite_paths
from arkham_shard_export.store_location import FolderLocation, StoreLocation


@asynccontextmanager
async def administering(
    data_dir: Path, database_url: str | None, settings: Settings
) -> AsyncIterator[Administration]:
    """The jobs of this database, with the store that a host on the same data folder has; nothing is made that is missing."""
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
    open_files = partial(open_store, store_of(data_dir, settings))
    try:
        await database.start()
        administration = Administration(guarded(database), dialect, open_files, system_clock)
        await administration.check()
        yield administration
    finally:
        await database.stop()


def store_of(data_dir: Path, settings: Settings) -> StoreLocation:
    """The export store of a host or a worker on this data folder."""
    return settings.store or FolderLocation(str(data_dir.resolve() / "files" / "exports"))
