"""The jobs table, made or upgraded in place; every row that is there stays.

The host's service runs one statement at a time and has no transaction over two, so each step can be repeated:
an upgrade that was cut off is finished by the next start.
"""

from __future__ import annotations

from arkham_shard_export.ports import Database
from arkham_shard_export.schema import Table
from arkham_shard_export.sources.dialects import Catalog, Dialect, PostgresDialect

SCHEMA_VERSION = 1
JOBS = Table("arkham_export_jobs", ())

_COLUMNS = """id TEXT PRIMARY KEY, format TEXT NOT NULL, target TEXT NOT NULL, status TEXT DEFAULT 'pending',
    created_at TEXT, started_at TEXT, completed_at TEXT, file_path TEXT, file_size {big}, download_url TEXT,
    expires_at TEXT, error TEXT, filters TEXT DEFAULT '{{}}', options TEXT DEFAULT '{{}}',
    record_count INTEGER DEFAULT 0, processing_time_ms REAL DEFAULT 0, created_by TEXT DEFAULT 'system',
    metadata TEXT DEFAULT '{{}}', tenant_id {tenant}, runner TEXT, attempts INTEGER DEFAULT 0,
    interruptions INTEGER DEFAULT 0"""

_INDEXES = {
    "idx_export_jobs_status": "status",
    "idx_export_jobs_created": "created_at",
    "idx_export_jobs_format": "format",
    "idx_export_jobs_target": "target",
    # Claiming the oldest pending job, and the badge.
    "idx_export_jobs_queue": "status, created_at, id",
    "idx_export_jobs_tenant": "tenant_id, created_at, id",
    # Statistics from the index alone.
    "idx_export_jobs_totals": "status, format, target, tenant_id, created_by, record_count, file_size, processing_time_ms",
}


async def migrate(database: Database, dialect: Dialect) -> None:
    """Bring the jobs table to SCHEMA_VERSION; changes nothing where it is there already."""
    await database.execute("CREATE TABLE IF NOT EXISTS arkham_export_schema (version INTEGER NOT NULL)")
    row = await database.fetch_one("SELECT MAX(version) AS version FROM arkham_export_schema")
    postgres = isinstance(dialect, PostgresDialect)
    additions = {
        "tenant_id": "UUID" if postgres else "TEXT",
        "runner": "TEXT",
        "attempts": "INTEGER DEFAULT 0",
        "interruptions": "INTEGER DEFAULT 0",
    }
    recorded = int(row["version"] or 0) if row is not None else 0
    # The table may have come from a backup that is older than the record of its version.
    if recorded >= SCHEMA_VERSION and additions.keys() <= (await jobs_catalog(database, dialect)).keys():
        return
    columns = _COLUMNS.format(big="BIGINT" if postgres else "INTEGER", tenant="UUID" if postgres else "TEXT")
    await database.execute(f"CREATE TABLE IF NOT EXISTS arkham_export_jobs ({columns})")
    catalog = await jobs_catalog(database, dialect)
    for name, definition in additions.items():
        if name not in catalog:
            await database.execute(f"ALTER TABLE arkham_export_jobs ADD COLUMN {name} {definition}")
    if postgres:
        for name in ("file_size", "record_count"):
            if catalog.get(name) == "integer":
                await database.execute(f"ALTER TABLE arkham_export_jobs ALTER COLUMN {name} TYPE BIGINT")
        if catalog.get("processing_time_ms") == "real":
            await database.execute(
                "ALTER TABLE arkham_export_jobs ALTER COLUMN processing_time_ms TYPE DOUBLE PRECISION"
            )
    for name in ("created_at", "started_at", "completed_at", "expires_at"):
        await database.execute(
            f"UPDATE arkham_export_jobs SET {name} = {name} || '+00:00' WHERE {name} LIKE '____-__-__%'"
            f" AND {name} NOT LIKE '%Z' AND SUBSTR({name}, 11) NOT LIKE '%+%' AND SUBSTR({name}, 11) NOT LIKE '%-%'"
        )
    for name, indexed in _INDEXES.items():
        await database.execute(f"CREATE INDEX IF NOT EXISTS {name} ON arkham_export_jobs ({indexed})")
    await database.execute("INSERT INTO arkham_export_schema (version) VALUES (?)", [SCHEMA_VERSION])


async def jobs_catalog(database: Database, dialect: Dialect) -> Catalog:
    sql, params = dialect.catalog_query(JOBS)
    return {str(row["name"]): str(row["type"]) for row in await database.fetch_all(sql, params)}
