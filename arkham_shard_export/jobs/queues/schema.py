"""The tables of Procrastinate in a schema of their own: made where they are missing, upgraded where they are older."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from arkham_shard_export.errors import ServiceUnavailable
from arkham_shard_export.sources.postgres import libpq_url

if TYPE_CHECKING:
    from psycopg import AsyncConnection

SCHEMA = "arkham_export_queue"
SEARCH_PATH = f"-c search_path={SCHEMA}"
_LOCK = 0x61726B71

log = logging.getLogger(__name__)


def steps() -> list[Path]:
    """The migrations that the installed version of Procrastinate brings, in order."""
    from procrastinate.schema import migrations_path

    return sorted(migrations_path.glob("*.sql"))


async def prepare(url: str) -> None:
    """Make or upgrade the schema; hosts and workers that start at once wait for each other.

    ServiceUnavailable where the database does not answer, or the user may not make a schema.
    """
    import psycopg
    from psycopg import errors

    try:
        async with await psycopg.AsyncConnection.connect(
            libpq_url(url), autocommit=True, connect_timeout=10, application_name="arkham-export-queue"
        ) as connection:
            await connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            await _prepare(connection)
    except errors.InsufficientPrivilege as error:
        raise ServiceUnavailable(
            "database",
            f"The queue's schema {SCHEMA} cannot be made: let the database user create it "
            "(GRANT CREATE ON DATABASE), or create the schema for that user.",
        ) from error
    except psycopg.Error as error:
        raise ServiceUnavailable(
            "database", "The database of the job queue does not answer; try again in a moment."
        ) from error


async def _prepare(connection: AsyncConnection) -> None:
    known = [path.name for path in steps()]
    cursor = await connection.execute("SELECT to_regnamespace(%s) IS NULL", [SCHEMA])
    missing = await cursor.fetchone()
    if missing is not None and missing[0]:
        await connection.execute(f"CREATE SCHEMA {SCHEMA}".encode())
    await connection.execute(f"SET search_path TO {SCHEMA}".encode())
    await connection.execute("CREATE TABLE IF NOT EXISTS arkham_export_steps (name TEXT PRIMARY KEY)")
    cursor = await connection.execute("SELECT name FROM arkham_export_steps")
    done = {str(row[0]) for row in await cursor.fetchall()}
    if not done:
        await _install(connection, known)
        return
    if unknown := sorted(done - set(known)):
        log.warning("The queue's schema is of a newer version of Procrastinate (%s).", unknown[-1])
    for path in steps():
        if path.name not in done:
            log.info("Upgrading the queue's schema: %s.", path.name)
            # Each on its own: some change types, which are of use only once they are committed.
            await connection.execute(path.read_text("utf-8").encode())
            await _record(connection, [path.name])


async def _install(connection: AsyncConnection, known: list[str]) -> None:
    from procrastinate.schema import SchemaManager

    async with connection.transaction():
        await connection.execute(SchemaManager.get_schema().encode())
        await _record(connection, known)


async def _record(connection: AsyncConnection, names: list[str]) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO arkham_export_steps (name) VALUES (%s) ON CONFLICT DO NOTHING",
            [(name,) for name in names],
        )
