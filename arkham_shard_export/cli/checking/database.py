"""The database: whether it answers, of which version it is, and which tables are in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing

from arkham_shard_export.cli.checking import Finding, State, problem
from arkham_shard_export.cli.checking.configuration import without_password
from arkham_shard_export.cli.parsing import sentence_of
from arkham_shard_export.errors import ExportError
from arkham_shard_export.jobs.queues.schema import SCHEMA
from arkham_shard_export.jobs.table.migrations import JOBS, SCHEMA_VERSION
from arkham_shard_export.peers import TABLES
from arkham_shard_export.ports import system_clock
from arkham_shard_export.schema import Table, Target
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
        remedy = (
            "check --data, and the rights on the files"
            if isinstance(location, SqliteLocation)
            else "check --database-url, and that the server is running"
        )
        yield problem("reachable", sentence_of(error), remedy, where(location))
        return
    with closing(snapshot):
        yield _server(snapshot, location)
        yield _jobs_table(snapshot)
        if isinstance(snapshot.dialect, PostgresDialect):
            yield _queue(snapshot)
        yield from _peers(snapshot)


def _server(snapshot: Snapshot, location: Location) -> Finding:
    if isinstance(snapshot.dialect, PostgresDialect):
        ((version,),) = snapshot.fetch("SELECT current_setting('server_version')")
        return Finding("reachable", State.OK, f"PostgreSQL {version}, {where(location)}")
    ((version,),) = snapshot.fetch("SELECT sqlite_version()")
    return Finding("reachable", State.OK, f"SQLite {version}, {where(location)}")


def where(location: Location) -> str:
    return location.path if isinstance(location, SqliteLocation) else without_password(location.url)


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
    told: set[Table] = set()
    for target in TARGETS.values():
        tables = tables_of(target)
        told |= {*tables}
        yield _tables(
            f"tables of {target.name}", tables, there, all(each.table not in there for each in target.sets)
        )
    if others := [table for table in TABLES if table not in told]:
        yield _tables("other tables", others, there, False)


def tables_of(target: Target) -> list[Table]:
    """Those that its declaration names."""
    tables = [each.table for each in target.sets]
    tables += [each.parent.table for each in target.sets if each.parent is not None]
    tables += [relation.table for each in target.sets for relation in each.relations]
    return list(dict.fromkeys(tables))


def _tables(name: str, tables: list[Table], there: Collection[Table], empty: bool) -> Finding:
    missing = [table.qualified for table in tables if table not in there]
    if not missing:
        return Finding(name, State.OK, f"all {len(tables)}")
    means = "The target has no records." if empty else "What they would hold is in no export."
    return Finding(
        name,
        State.ABSENT,
        f"{len(tables) - len(missing)} of {len(tables)}",
        f"Not there: {', '.join(missing)}. {means}",
        "install the shard that keeps them, if its records are wanted",
    )
