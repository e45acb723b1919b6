"""The snapshot that fits a location."""

from __future__ import annotations

from arkham_shard_export.ports import Clock
from arkham_shard_export.sources.location import Location, SqliteLocation
from arkham_shard_export.sources.postgres import PostgresSnapshot
from arkham_shard_export.sources.snapshot import Hire, Snapshot, alone
from arkham_shard_export.sources.sqlite import SqliteSnapshot


def open_snapshot(location: Location, clock: Clock, exact: bool = True, hire: Hire = alone) -> Snapshot:
    """Open a read-only connection at `location` and take the snapshot before returning.

    `exact` false spares the wait for a writer: attached SQLite files may then differ by a commit, which is good
    enough for counting. Whoever `hire` gives has the same snapshot opened by the time this returns.
    """
    if isinstance(location, SqliteLocation):
        return SqliteSnapshot(location, clock, exact, hire)
    return PostgresSnapshot(location, clock, hire)


def join_snapshot(location: Location, shared: str, clock: Clock) -> Snapshot:
    """The snapshot that another process is just taking, or on PostgreSQL has taken and calls `shared`."""
    if isinstance(location, SqliteLocation):
        # Whoever takes it holds the writers off meanwhile.
        return SqliteSnapshot(location, clock, exact=False)
    return PostgresSnapshot(location, clock, shared=shared)
