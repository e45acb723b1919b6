"""The database: whether it answers, of which version it is, and which tables are in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from arkham_shard_export.cli.checking import Finding, State, problem
from arkham_shard_export.errors import ExportError
from arkham_shard_export.jobs.queues.schema import SCHEMA
from arkham_shard_export.jobs.table.migrations import JOBS, SCHEMA_VERSION
from arkham_shard_export.peers import TABLES
from arkham_shard_export.ports import system_clock
from arkham_shard_export.schema import Table
from arkham_shard_export.sources.dialects import PostgresDialect
from arkham_shard_export.sources.location import Location, SqliteLocation
from arkham_shard_export.sources.opening import open_snapshot
from arkham_shard_export.sources.snapshot import Snapshot
from arkham_shard_export.targets import TARGETS

_VERSIONS = Table("arkham_export_schema", ())
START_A_HOST = "arkham-export serve, or start ArkhamFrame with this version"


def check_database(location: Location) -> Iterator[Finding]:
    try:
        snapshot = open_snapshot(location, system_clock, exact=False)
    except ExportError as error:
        where = (
            "check --data and the rights on the files"
            if isinstance(location, SqliteLocation)
            else "check --database-url, and that the server is running"
        )
        yield problem("reachable", str(error), where)
        return
    with closing(snapshot):
        yield _server(snapshot)
        yield _jobs_table(snapshot)
        if isinstance(snapshot.dialect, PostgresDialect):
            yield _queue(snapshot)
        yield from _peers(snapshot)


def _server(snapshot: Snapshot) -> Finding:
    if isinstance(snapshot.dialect, PostgresDialect):
        ((version,),) = snapshot.fetch("SELECT current_setting('server_version')")
        return Finding("reachable", State.OK, f"PostgreSQL {version}")
    ((version,),) = snapshot.fetch("SELECT sqlite_version()")
    return Finding("reachable", State.OK, f"SQLite {version}")


def _jobs_table(snapshot: Snapshot) -> Finding:
    if snapshot.catalog(JOBS) is None:
        return Finding(
            "jobs table",
            State.ABSENT,
            "missing",
            "No host has run on this database yet. Exports without a server work all the same.",
            START_A_HOST,
        )
    version = 0
    if snapshot.catalog(_VERSIONS) is not None:
        ((found,),) = snapshot.fetch("SELECT MAX(version) FROM arkham_export_schema")
        version = int(found or 0)
    if version < SCHEMA_VERSION:
        return problem(
            "jobs table",
            f"It is of version {version}, older than {SCHEMA_VERSION}; the next host to start upgrades it.",
            START_A_HOST,
            f"version {version}",
        )
    if version > SCHEMA_VERSION:
        return problem(
            "jobs table",
            f"It is of version {version}, newer than {SCHEMA_VERSION}, which this program knows.",
            "pip install --upgrade arkham-shard-export",
            f"version {version}",
        )
    return Finding("jobs table", State.OK, f"version {version}")


def _queue(snapshot: Snapshot) -> Finding:
    ((there, may_make),) = snapshot.fetch(
        "SELECT to_regnamespace(?) IS NOT NULL, has_database_privilege(current_database(), 'CREATE')",
        [SCHEMA],
    )
    if there:
        return Finding("queue", State.OK, f"schema {SCHEMA}")
    if may_make:
        return Finding("queue", State.OK, f"schema {SCHEMA} is made by the first host")
    return problem(
        "queue",
        f"The schema {SCHEMA} is not there, and this user may not make it.",
        "GRANT CREATE ON DATABASE … TO …, or make the schema for this user",
        "missing",
    )


def _peers(snapshot: Snapshot) -> Iterator[Finding]:
    there = {table for table in TABLES if snapshot.catalog(table) is not None}
    for target in TARGETS.values():
        tables = [
            *(each.table for each in target.sets),
            *(relation.table for each in target.sets for relation in each.relations),
        ]
        missing = [table.qualified for table in dict.fromkeys(tables) if table not in there]
        name = f"tables of {target.name}"
        if not missing:
            yield Finding(name, State.OK, f"all {len(dict.fromkeys(tables))}")
            continue
        empty = all(each.table not in there for each in target.sets)
        yield Finding(
            name,
            State.ABSENT,
            f"{len(dict.fromkeys(tables)) - len(missing)} of {len(dict.fromkeys(tables))}",
            f"Not there: {', '.join(missing)}. "
            + ("The target has no records." if empty else "What they would hold is not in exports."),
            "install the shard that keeps them, if its records are wanted",
        )
