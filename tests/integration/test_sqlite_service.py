"""The database service over SQLite, asked by many at once in one process while another process writes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from arkham_shard_export.standalone.database import SqliteService


def test_what_is_read_at_the_same_time_keeps_no_change_from_being_made(tmp_path: Path) -> None:
    """A reader that is half read holds its connection at a state of the database that others have left behind."""

    async def work() -> None:
        one, other = SqliteService(tmp_path), SqliteService(tmp_path)
        await one.start()
        await other.start()
        await one.execute("CREATE TABLE counted (name TEXT PRIMARY KEY, n INTEGER)")
        await one.execute("INSERT INTO counted VALUES ('one', 0), ('other', 0)")

        async def read(service: SqliteService) -> None:
            for _ in range(150):
                row = await service.fetch_one("SELECT n FROM counted ORDER BY name")
                assert row is not None

        async def write(service: SqliteService, name: str) -> None:
            for _ in range(150):
                await service.execute("UPDATE counted SET n = n + 1 WHERE name = ?", [name])

        try:
            await asyncio.gather(
                *(read(each) for each in (one, one, other, other)), write(one, "one"), write(other, "other")
            )
            rows = await one.fetch_all("SELECT name, n FROM counted ORDER BY name")
            assert rows == [{"name": "one", "n": 150}, {"name": "other", "n": 150}]
        finally:
            await one.stop()
            await other.stop()

    asyncio.run(work())
