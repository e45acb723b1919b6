"""How many jobs there are of each kind, kept by triggers on the jobs table, so that no question counts its rows.

`arkham_export_job_totals` holds signed amounts; what is true of a kind is the sum of its rows. Whoever writes jobs (this
version, an older one, a person with psql) changes the sums in the same transaction. On PostgreSQL a statement only
adds rows, so that writers neither wait for each other nor deadlock, and now and then one folds them together.

No text here may hold a question mark, a colon before a word, or a percent sign: the host's service reads them as marks.
"""

from __future__ import annotations

from collections.abc import Sequence

from arkham_shard_export.ports import Database
from arkham_shard_export.schema import Table
from arkham_shard_export.sources.dialects import Dialect, PostgresDialect

TRIGGERED = ("arkham_export_jobs", "arkham_export_schedules")
TOTALS = Table("arkham_export_job_totals", ())
KINDS = ("status", "format", "target", "created_by", "tenant_id")
_SUMMED = {"records": "record_count", "bytes": "file_size", "time_ms": "processing_time_ms"}
_SUMS = ("jobs", *_SUMMED)

_TRIGGERS = {
    "arkham_export_jobs_inserted": "INSERT",
    "arkham_export_jobs_updated": "UPDATE",
    "arkham_export_jobs_deleted": "DELETE",
}
_TRUNCATED = "arkham_export_jobs_truncated"

_MIGRATION_LOCK = 0x61726B68
_FOLD_LOCK = _MIGRATION_LOCK + 1
_FOLD_CHANCE = 0.02
_FOLD_ROWS = 100


async def kept(database: Database, dialect: Dialect) -> bool:
    """Whether the table and all its triggers are there; a jobs table from a backup comes without them."""
    names = [*_TRIGGERS, _TRUNCATED] if isinstance(dialect, PostgresDialect) else [*_TRIGGERS]
    sql, params = dialect.catalog_query(TOTALS)
    return await triggers_there(database, dialect, names) and bool(await database.fetch_all(sql, params))


async def triggers_there(database: Database, dialect: Dialect, names: Sequence[str]) -> bool:
    """Whether the tables of jobs and of schedules have all of these triggers."""
    if isinstance(dialect, PostgresDialect):
        tables = ", ".join(f"to_regclass('{name}')" for name in TRIGGERED)
        source, condition = "pg_trigger", f"tgrelid IN ({tables}) AND tgname"
    else:
        tables = ", ".join(f"'{name}'" for name in TRIGGERED)
        source, condition = "sqlite_master", f"type = 'trigger' AND tbl_name IN ({tables}) AND name"
    marks = ", ".join("?" * len(names))
    row = await database.fetch_one(
        f"SELECT COUNT(*) AS n FROM {source} WHERE {condition} IN ({marks})", list(names)
    )
    return row is not None and int(row["n"]) == len(names)


def table(dialect: Dialect) -> list[str]:
    """What makes the table; to be there before anything is written to a jobs table that has the triggers."""
    if isinstance(dialect, PostgresDialect):
        return [
            "CREATE TABLE IF NOT EXISTS arkham_export_job_totals (status TEXT, format TEXT, target TEXT, created_by TEXT,"
            " tenant_id UUID, jobs BIGINT NOT NULL, records NUMERIC NOT NULL, bytes NUMERIC NOT NULL,"
            " time_ms DOUBLE PRECISION NOT NULL, folded BOOLEAN NOT NULL DEFAULT FALSE)"
        ]
    return [
        "CREATE TABLE IF NOT EXISTS arkham_export_job_totals (status TEXT, format TEXT, target TEXT, created_by TEXT,"
        " tenant_id TEXT, jobs INTEGER NOT NULL, records INTEGER NOT NULL, bytes INTEGER NOT NULL,"
        " time_ms REAL NOT NULL)",
        f"CREATE INDEX IF NOT EXISTS idx_export_job_totals_kind ON arkham_export_job_totals ({', '.join(KINDS)})",
    ]


def counting(dialect: Dialect) -> list[str]:
    """What makes the triggers that are missing and then counts all jobs anew; the whole can be repeated.

    The count is one statement, and comes after the triggers: what is written in between is counted once.
    """
    return [_postgres()] if isinstance(dialect, PostgresDialect) else _sqlite()


def alone(statement: str) -> str:
    """The statement for PostgreSQL, so that two hosts which start at once run it one after the other."""
    return f"DO $alone$ BEGIN PERFORM pg_advisory_xact_lock({_MIGRATION_LOCK}); {statement}; END $alone$"


def _rows_of(source: str, sign: str = "") -> str:
    """Jobs as rows of totals; `sign` is a minus where they are taken away."""
    sums = ", ".join(f"{sign}COALESCE({column}, 0) AS {name}" for name, column in _SUMMED.items())
    return f"SELECT {', '.join(KINDS)}, {sign}1 AS jobs, {sums} FROM {source}"


def _added(source: str, columns: str = "", values: str = "") -> str:
    """An INSERT of the sums of what `source` selects, without those that are nothing."""
    kinds, names = ", ".join(KINDS), ", ".join(_SUMS)
    sums = ", ".join(f"SUM({name})" for name in _SUMS)
    something = " OR ".join(f"SUM({name}) <> 0" for name in _SUMS)
    return (
        f"INSERT INTO arkham_export_job_totals ({kinds}, {names}{columns})"
        f" SELECT {kinds}, {sums}{values} FROM ({source}) AS counted GROUP BY {kinds} HAVING {something}"
    )


def _postgres() -> str:
    """One statement, so one transaction. The lock waits for running writers, and lets readers and backups be."""
    triggers = "".join(
        f"""
        IF NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = '{name}'
                       AND tgrelid = CAST('arkham_export_jobs' AS regclass)) THEN
            CREATE TRIGGER {name} AFTER {event} ON arkham_export_jobs
            {_transition(event)} FOR EACH STATEMENT EXECUTE PROCEDURE arkham_export_count_jobs();
        END IF;"""
        for name, event in {**_TRIGGERS, _TRUNCATED: "TRUNCATE"}.items()
    )
    return alone(
        f"""
        LOCK TABLE arkham_export_jobs IN SHARE ROW EXCLUSIVE MODE;
        {_FUNCTION}
        {triggers}
        DELETE FROM arkham_export_job_totals;
        {_added(_rows_of("arkham_export_jobs"), ", folded", ", TRUE")}"""
    )


def _transition(event: str) -> str:
    tables = {
        "INSERT": "NEW TABLE AS arriving",
        "UPDATE": "OLD TABLE AS leaving NEW TABLE AS arriving",
        "DELETE": "OLD TABLE AS leaving",
    }
    return f"REFERENCING {tables[event]}" if event in tables else ""


# A writer that is another role may have no right to the totals, and may look for tables elsewhere.
_FUNCTION = f"""CREATE OR REPLACE FUNCTION arkham_export_count_jobs() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $count$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            {_added(_rows_of("arriving"))};
        ELSIF TG_OP = 'DELETE' THEN
            {_added(_rows_of("leaving", "-"))};
        ELSIF TG_OP = 'UPDATE' THEN
            {_added(f"{_rows_of('arriving')} UNION ALL {_rows_of('leaving', '-')}")};
        ELSE
            DELETE FROM arkham_export_job_totals;
        END IF;
        IF random() < {_FOLD_CHANCE} AND current_setting('transaction_isolation') = 'read committed'
            AND pg_try_advisory_xact_lock({_FOLD_LOCK})
            AND (SELECT COUNT(*) > {_FOLD_ROWS} + 2 * COUNT(*) FILTER (WHERE folded) FROM arkham_export_job_totals)
        THEN
            WITH gone AS (DELETE FROM arkham_export_job_totals RETURNING *)
            {_added("SELECT * FROM gone", ", folded", ", TRUE")};
        END IF;
        RETURN NULL;
    END $count$;"""


def _sqlite() -> list[str]:
    watched = ", ".join((*KINDS, *_SUMMED.values()))
    bodies = {
        "INSERT": _changed("NEW", "+"),
        f"UPDATE OF {watched}": _changed("OLD", "-") + _changed("NEW", "+"),
        "DELETE": _changed("OLD", "-"),
    }
    kinds, taken = ", ".join(KINDS), ", ".join(f"-{name}" for name in _SUMS)
    return [
        *(
            f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} ON arkham_export_jobs BEGIN {body} END"
            for name, (event, body) in zip(_TRIGGERS, bodies.items(), strict=True)
        ),
        # What the rows say less what the totals say: right in one statement whatever was there before.
        _added(
            f"{_rows_of('arkham_export_jobs')} UNION ALL SELECT {kinds}, {taken} FROM arkham_export_job_totals"
        ),
    ]


def _changed(row: str, sign: str) -> str:
    """Add or take away one job: in a row of its kind, or in a new one where there is none."""
    same = " AND ".join(f"{name} IS {row}.{name}" for name in KINDS)
    amounts = {"jobs": "1"} | {name: f"COALESCE({row}.{column}, 0)" for name, column in _SUMMED.items()}
    assignments = ", ".join(f"{name} = {name} {sign} {amount}" for name, amount in amounts.items())
    values = ", ".join(
        [*(f"{row}.{name}" for name in KINDS), *(f"{sign}{each}" for each in amounts.values())]
    )
    return (
        f"UPDATE arkham_export_job_totals SET {assignments} WHERE rowid ="
        f" (SELECT MIN(rowid) FROM arkham_export_job_totals WHERE {same});"
        f" INSERT INTO arkham_export_job_totals ({', '.join(KINDS)}, {', '.join(_SUMS)})"
        f" SELECT {values} WHERE changes() = 0; "
    )
