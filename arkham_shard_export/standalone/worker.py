"""A process that runs export jobs and serves nobody: as many as one likes, on as many machines, for one PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal

from arkham_shard_export.errors import ServiceUnavailable
from arkham_shard_export.host import guarded
from arkham_shard_export.jobs.filestores import open_store
from arkham_shard_export.jobs.service import JobService
from arkham_shard_export.ports import system_clock
from arkham_shard_export.settings import Settings
from arkham_shard_export.sources.dialects import PostgresDialect
from arkham_shard_export.sources.location import PostgresLocation
from arkham_shard_export.standalone.database import PostgresService
from arkham_shard_export.standalone.errors import HostNotStarted
from arkham_shard_export.store_location import StoreLocation

PAUSES_SECONDS = (1.0, 2.0, 5.0, 10.0)
"""Between tries to start while the database does not answer; the last one for all that follow."""

log = logging.getLogger(__name__)


async def work(database_url: str, store: StoreLocation, settings: Settings) -> None:
    """Run jobs until SIGTERM or SIGINT; then hand back what does not end within the grace period."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stopping.set)
    working = asyncio.create_task(_serve(database_url, store, settings, stopping))
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    await working


async def _serve(
    database_url: str, store: StoreLocation, settings: Settings, stopping: asyncio.Event
) -> None:
    database = PostgresService(database_url, make_tables=False)
    try:
        try:
            await database.start()
        except HostNotStarted as error:
            log.warning("%s Trying again.", error)
        service = await _started(database, database_url, store, settings, stopping)
        if service is not None:
            log.info("Export jobs are taken, %d at a time.", settings.concurrency)
            await stopping.wait()
            await service.stop()
    finally:
        await database.stop()


async def _started(
    database: PostgresService,
    database_url: str,
    store: StoreLocation,
    settings: Settings,
    stopping: asyncio.Event,
) -> JobService | None:
    """The service once the database answers; None where a signal came first."""
    tries = 0
    while not stopping.is_set():
        service = JobService(
            guarded(database),
            None,
            PostgresDialect(),
            PostgresLocation(database_url),
            open_store(store),
            settings,
            system_clock,
        )
        try:
            await service.start()
            return service
        except ServiceUnavailable as error:
            await service.stop()
            pause = PAUSES_SECONDS[min(tries, len(PAUSES_SECONDS) - 1)]
            tries += 1
            log.warning("%s Trying again in %g s.", error, pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stopping.wait()
    return None
