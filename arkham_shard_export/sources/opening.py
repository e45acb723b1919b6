"""The snapshot that fits a location."""

from __future__ import annotations

from arkham_shard_export.ports import Clock
from arkham_shard_export.sources.location import Location, SqliteLocation
from arkham_shard_export.sources.postgres import PostgresSnapshot
from arkham_shard_export.sources.snapshot import Snapshot
from arkham_shard_export.sources.sqlite import SqliteSnapshot


def open_snapshot(location: Location, clock: Clock, exact: bool = True) -> Snapshot:
    """Open a read-only connection at `location` and take the snapshot before returning.

    `exact` false spares the wait for a writer: attached SQLite files may then differ by a commit, which is good
    enough for counting.
    """
    if isinstance(location, SqliteLocation):
        return SqliteSnapshot(location, clock, exact)
    return PostgresSnapshot(location, clock)
