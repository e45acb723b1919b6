"""The tables of schedules and of their runs, and the triggers that tell of a schedule and clear up after it.

As in `totals`, no text here may hold a question mark, a colon before a word, or a percent sign.
"""

from __future__ import annotations

from arkham_shard_export.jobs.table.totals import alone
from arkham_shard_export.sources.dialects import Dialect, PostgresDialect

TRIGGERS = ("arkham_export_schedules_told", "arkham_export_schedules_deleted")
ACTIVE, PAUSED, ENDED = "active", "paused", "ended"
MAKING, MADE = "making", "made"

_EVENTS = {"resumed": ACTIVE, "paused": PAUSED, "ended": ENDED}
_TOLD = ("name", "failures", "created_by")


def statements(dialect: Dialect) -> list[str]:
    """What makes the tables and the triggers; the whole can be repeated."""
    postgres = isinstance(dialect, PostgresDialect)
    tenant, number = ("UUID", "DOUBLE PRECISION") if postgres else ("TEXT", "REAL")
    tables = [
        "CREATE TABLE IF NOT EXISTS arkham_export_schedules (id TEXT PRIMARY KEY, name TEXT NOT NULL,"
        " description TEXT NOT NULL, cron TEXT, every TEXT, time_zone TEXT NOT NULL, request TEXT NOT NULL,"
        f" retention_hours {number}, ends_at TEXT, missed TEXT NOT NULL, keep_files INTEGER,"
        " max_failures INTEGER NOT NULL, state TEXT NOT NULL, paused_reason TEXT, failures INTEGER NOT NULL,"
        " failures_since TEXT NOT NULL, anchored_at TEXT NOT NULL, last_due TEXT NOT NULL, next_due TEXT,"
        f" revision TEXT NOT NULL, created_by TEXT NOT NULL, tenant_id {tenant}, created_at TEXT NOT NULL,"
        " updated_at TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS arkham_export_schedule_runs (id TEXT PRIMARY KEY, schedule_id TEXT NOT NULL,"
        " kind TEXT NOT NULL, due TEXT, made_at TEXT NOT NULL, outcome TEXT NOT NULL, error TEXT,"
        f" created_by TEXT NOT NULL, tenant_id {tenant})",
    ]
    indexes = {
        "idx_export_schedules_due": f"schedules (next_due, id) WHERE (state = '{ACTIVE}')",
        "idx_export_schedules_ahead": f"schedules (last_due) WHERE (state = '{ACTIVE}')",
        "idx_export_schedules_keeping": "schedules (id) WHERE (keep_files IS NOT NULL)",
        "idx_export_schedules_recent": "schedules (created_at, id)",
        "idx_export_schedules_tenant": "schedules (tenant_id, created_at, id)",
        "idx_export_schedules_creator": "schedules (created_by, created_at, id)",
        "idx_export_schedule_runs_recent": "schedule_runs (schedule_id, made_at, id)",
        "idx_export_schedule_runs_open": f"schedule_runs (schedule_id) WHERE (outcome IN ('{MAKING}', '{MADE}'))",
    }
    made = [
        *tables,
        *(f"CREATE INDEX IF NOT EXISTS {name} ON arkham_export_{where}" for name, where in indexes.items()),
    ]
    return [*map(alone, made), _postgres()] if postgres else [*made, *_sqlite()]


def _told(make_object: str) -> str:
    fields = ", ".join(f"'{name}', NEW.{name}" for name in _TOLD)
    event = "CASE NEW.state " + " ".join(f"WHEN '{state}' THEN '{name}'" for name, state in _EVENTS.items())
    return (
        f"INSERT INTO arkham_export_outbox (event, payload) SELECT 'export.schedule.' || {event} END,"
        f" CAST({make_object}('schedule_id', NEW.id, 'reason', NEW.paused_reason, {fields}) AS TEXT)"
        " WHERE NEW.state <> OLD.state;"
    )


_CLEARED = "DELETE FROM arkham_export_schedule_runs WHERE schedule_id = OLD.id;"


def _sqlite() -> list[str]:
    told, deleted = TRIGGERS
    return [
        f"CREATE TRIGGER IF NOT EXISTS {told} AFTER UPDATE OF state ON arkham_export_schedules"
        f" BEGIN {_told('json_object')} END",
        f"CREATE TRIGGER IF NOT EXISTS {deleted} AFTER DELETE ON arkham_export_schedules BEGIN {_CLEARED} END",
    ]


def _postgres() -> str:
    told, deleted = TRIGGERS
    there = (
        "IF NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = '{}'"
        " AND tgrelid = CAST('arkham_export_schedules' AS regclass)) THEN CREATE TRIGGER {}"
        " AFTER {} ON arkham_export_schedules FOR EACH ROW EXECUTE PROCEDURE arkham_export_tell_schedule(); END IF"
    )
    return alone(
        f"""
        CREATE OR REPLACE FUNCTION arkham_export_tell_schedule() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path FROM CURRENT AS $tell$
        BEGIN
            IF TG_OP = 'DELETE' THEN {_CLEARED}
            ELSE {_told("json_build_object")}
            END IF;
            RETURN NULL;
        END $tell$;
        {there.format(told, told, "UPDATE OF state")};
        {there.format(deleted, deleted, "DELETE")}"""
    )
