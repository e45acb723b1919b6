"""The jobs table, made or upgraded in place; every row that is there stays.

The host's service runs one statement at a time and has no transaction over two, so each step can be repeated:
an upgrade that was cut off is finished by the next start.
"""

from __future__ import annotations

from arkham_shard_export.jobs.table import (
    layouts,
    lease,
    outbox,
    requestkeys,
    scheduletables,
    templates,
    totals,
)
from arkham_shard_export.jobs.table.filerecords import KEPT
from arkham_shard_export.ports import Database
from arkham_shard_export.schema import Table
from arkham_shard_export.sources.dialects import Catalog, Dialect, PostgresDialect

SCHEMA_VERSION = 6
JOBS = Table("arkham_export_jobs", ())

_COLUMNS = """id TEXT PRIMARY KEY, format TEXT NOT NULL, target TEXT NOT NULL, status TEXT DEFAULT 'pending',
    created_at TEXT, started_at TEXT, completed_at TEXT, file_path TEXT, file_size {big}, download_url TEXT,
    expires_at TEXT, error TEXT, filters TEXT DEFAULT '{{}}', options TEXT DEFAULT '{{}}',
    record_count INTEGER DEFAULT 0, processing_time_ms REAL DEFAULT 0, created_by TEXT DEFAULT 'system',
    metadata TEXT DEFAULT '{{}}', tenant_id {tenant}, runner TEXT, attempts INTEGER DEFAULT 0,
    interruptions INTEGER DEFAULT 0, lane TEXT, file_removed_at TEXT, file_removed_reason TEXT, batch TEXT, failed_parts INTEGER"""

_INDEXES = {
    "idx_export_jobs_status": "status",
    "idx_export_jobs_created": "created_at",
    "idx_export_jobs_format": "format",
    "idx_export_jobs_target": "target",
    # Claiming the oldest pending job.
    "idx_export_jobs_pending": "created_at, id) WHERE (status = 'pending'",
    "idx_export_jobs_lane": "lane, created_at, id) WHERE (status = 'pending'",
    # Files whose time is over.
    "idx_export_jobs_expiry": f"expires_at) WHERE ({KEPT}",
    "idx_export_jobs_files": f"id) WHERE ({KEPT}",
    # Pages, newest first, whatever one filter is given.
    "idx_export_jobs_recent": "created_at, id",
    "idx_export_jobs_queue": "status, created_at, id",
    "idx_export_jobs_format_recent": "format, created_at, id",
    "idx_export_jobs_target_recent": "target, created_at, id",
    "idx_export_jobs_creator": "created_by, created_at, id",
    "idx_export_jobs_tenant": "tenant_id, created_at, id",
    # The same by the time at which jobs ended.
    "idx_export_jobs_ended": "completed_at, id",
    "idx_export_jobs_status_ended": "status, completed_at, id",
    "idx_export_jobs_format_ended": "format, completed_at, id",
    "idx_export_jobs_target_ended": "target, completed_at, id",
    "idx_export_jobs_creator_ended": "created_by, completed_at, id",
    "idx_export_jobs_tenant_ended": "tenant_id, completed_at, id",
    # Several filters that few jobs match.
    "idx_export_jobs_kind": "status, format, target, tenant_id, created_by, created_at, id",
}
_FACTS = "CREATE TABLE IF NOT EXISTS arkham_export_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
_WIDER = {"integer": "BIGINT", "real": "DOUBLE PRECISION"}
# Statistics were summed from this one.
_DROPPED_INDEXES = ("idx_export_jobs_totals",)


async def migrate(database: Database, dialect: Dialect) -> None:
    """Bring the jobs table to SCHEMA_VERSION; changes nothing where it is there already."""
    postgres = isinstance(dialect, PostgresDialect)

    async def change(statement: str) -> None:
        await database.execute(totals.alone(statement) if postgres else statement)

    await change("CREATE TABLE IF NOT EXISTS arkham_export_schema (version INTEGER NOT NULL)")
    row = await database.fetch_one("SELECT MAX(version) AS version FROM arkham_export_schema")
    additions = {
        "tenant_id": "UUID" if postgres else "TEXT",
        "runner": "TEXT",
        "attempts": "INTEGER DEFAULT 0",
        "interruptions": "INTEGER DEFAULT 0",
        "lane": "TEXT",
        "file_removed_at": "TEXT",
        "file_removed_reason": "TEXT",
        "batch": "TEXT",
        "failed_parts": "INTEGER",
    }
    recorded = int(row["version"] or 0) if row is not None else 0
    if recorded >= SCHEMA_VERSION:
        # The table may have come from a backup that is older than the record of its version.
        columns_there = additions.keys() <= (await jobs_catalog(database, dialect)).keys()
        triggers_there = await totals.kept(database, dialect) and await outbox.kept(database, dialect)
        if columns_there and triggers_there:
            return
        # Cut off now, this would look finished to the next start.
        await database.execute("DELETE FROM arkham_export_schema WHERE version >= ?", [SCHEMA_VERSION])
    columns = _COLUMNS.format(big="BIGINT" if postgres else "INTEGER", tenant="UUID" if postgres else "TEXT")
    for statement in totals.table(dialect):
        await change(statement)
    await change(f"CREATE TABLE IF NOT EXISTS arkham_export_jobs ({columns})")
    catalog = await jobs_catalog(database, dialect)
    for name, definition in additions.items():
        if name not in catalog:
            try:
                await change(f"ALTER TABLE arkham_export_jobs ADD COLUMN {name} {definition}")
            except Exception:
                # Another host that starts at the same moment may have been faster.
                if name not in await jobs_catalog(database, dialect):
                    raise
    if postgres:
        # In one statement, because each rewrites the whole table.
        wider = [
            f"ALTER COLUMN {name} TYPE {_WIDER[catalog[name]]}"
            for name in ("file_size", "record_count", "processing_time_ms")
            if catalog.get(name) in _WIDER
        ]
        if wider:
            await change(f"ALTER TABLE arkham_export_jobs {', '.join(wider)}")
    for name in ("created_at", "started_at", "completed_at", "expires_at"):
        await change(
            f"UPDATE arkham_export_jobs SET {name} = {name} || '+00:00' WHERE {name} LIKE '____-__-__%'"
            f" AND {name} NOT LIKE '%Z' AND SUBSTR({name}, 11) NOT LIKE '%+%' AND SUBSTR({name}, 11) NOT LIKE '%-%'"
        )
    for name, indexed in _INDEXES.items():
        await change(f"CREATE INDEX IF NOT EXISTS {name} ON arkham_export_jobs ({indexed})")
    for statement in (
        *totals.counting(dialect),
        *outbox.statements(dialect),
        *scheduletables.statements(dialect),
    ):
        await database.execute(statement)
    for statement in (
        lease.TABLE,
        _FACTS,
        *requestkeys.STATEMENTS,
        *templates.statements(dialect),
        *layouts.statements(dialect),
    ):
        await change(statement)
    for name in _DROPPED_INDEXES:
        await change(f"DROP INDEX IF EXISTS {name}")
    if postgres:
        # What was rewritten has no statistics until autovacuum comes by, and pages would be found by guesses.
        await change("ANALYZE arkham_export_jobs")
    await database.execute("INSERT INTO arkham_export_schema (version) VALUES (?)", [SCHEMA_VERSION])


async def jobs_catalog(database: Database, dialect: Dialect) -> Catalog:
    sql, params = dialect.catalog_query(JOBS)
    return {str(row["name"]): str(row["type"]) for row in await database.fetch_all(sql, params)}
