"""The database: whether it answers, of which version it is, and which tables are in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
        there = _tables_there(snapshot)
        yield _jobs_table(snapshot, there)
        if isinstance(snapshot.dialect, PostgresDialect):
            yield _queue(snapshot)
        yield from _peers(there)


def _tables_there(snapshot: Snapshot) -> dict[Table, bool]:
    """Those of ours and of the peers that are there, and whether this user may read each."""
    wanted = (JOBS, _VERSIONS, *TABLES)
    if not isinstance(snapshot.dialect, PostgresDialect):
        return {table: True for table in wanted if snapshot.catalog(table) is not None}
    rows = snapshot.fetch(
        "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END,"
        " has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')"
        " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    )
    readable = {str(name): bool(may) for name, may in rows}
    return {table: readable[table.qualified] for table in wanted if table.qualified in readable}


def _server(snapshot: Snapshot, location: Location) -> Finding:
    if isinstance(snapshot.dialect, PostgresDialect):
        ((version,),) = snapshot.fetch("SELECT current_setting('server_version')")
        return Finding("reachable", State.OK, f"PostgreSQL {version}, {where(location)}")
    ((version,),) = snapshot.fetch("SELECT sqlite_version()")
    return Finding("reachable", State.OK, f"SQLite {version}, {where(location)}")


def where(location: Location) -> str:
    return location.path if isinstance(location, SqliteLocation) else without_password(location.url)


def _jobs_table(snapshot: Snapshot, there: Mapping[Table, bool]) -> Finding:
    if JOBS not in there:
        return Finding(
            "jobs table",
            State.ABSENT,
            "missing",
            "No host has run on this database yet. Exports without a server work all the same.",
            START_A_HOST,
        )
    if not all(there.get(table, True) for table in (JOBS, _VERSIONS)):
        return problem("jobs table", "This user may not read it.", "take the user that the hosts have")
    version = 0
    if _VERSIONS in there:
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


def _peers(there: Mapping[Table, bool]) -> Iterator[Finding]:
    told: set[Table] = set()
    for target in TARGETS.values():
        tables = tables_of(target)
        told |= {*tables}
        empty = all(each.table not in there for each in target.sets)
        yield _tables(f"tables of {target.name}", tables, there, empty)
    if others := [table for table in TABLES if table not in told]:
        yield _tables("other tables", others, there, False)


def tables_of(target: Target) -> list[Table]:
    """Those that its declaration names."""
    tables = [each.table for each in target.sets]
    tables += [each.parent.table for each in target.sets if each.parent is not None]
    tables += [relation.table for each in target.sets for relation in each.relations]
    return list(dict.fromkeys(tables))


def _tables(name: str, tables: list[Table], there: Mapping[Table, bool], empty: bool) -> Finding:
    closed = [table.qualified for table in tables if not there.get(table, True)]
    if closed:
        return problem(
            name,
            f"This user may not read {', '.join(closed)}: exports of them fail.",
            "GRANT USAGE ON SCHEMA …, and SELECT ON these tables, to this user",
        )
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
