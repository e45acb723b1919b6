"""Events on their way to the host's bus, written by triggers in the very transaction that changes a job.

Whoever changes a job (a worker on another machine, the command line, a person with psql), its events come to lie here,
in the order of the changes; a host takes them from here. No crash parts a change from its event.

As in `totals`, no text here may hold a question mark, a colon before a word, or a percent sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from arkham_shard_export.jobs.table import scheduletables
from arkham_shard_export.jobs.table.totals import alone, triggers_there
from arkham_shard_export.models import ExportStatus
from arkham_shard_export.ports import Database
from arkham_shard_export.sources.dialects import Dialect, PostgresDialect

MOST_TAKEN = 100

_PENDING, _PROCESSING = ExportStatus.PENDING.value, ExportStatus.PROCESSING.value
_COMPLETED = ExportStatus.COMPLETED.value


def _becomes(status: str) -> str:
    return f"NEW.status = '{status}' AND COALESCE(OLD.status, '') <> '{status}'"


_ACCOUNT = ("format", "target", "record_count", "file_size", "processing_time_ms")
_INSERTED = (("export.job.created", f"NEW.status = '{_PENDING}'", ("format", "target", "created_by")),)
_UPDATED = (
    # Only the first attempt is announced; later ones go on with the same job.
    (
        "export.job.started",
        f"{_becomes(_PROCESSING)} AND COALESCE(NEW.attempts, 0) <= 1",
        ("format", "target"),
    ),
    ("export.file.created", _becomes(_COMPLETED), ("file_path", "file_size")),
    ("export.job.completed", f"{_becomes(_COMPLETED)} AND NEW.batch IS NULL", _ACCOUNT),
    (
        "export.job.completed",
        f"{_becomes(_COMPLETED)} AND NEW.batch IS NOT NULL",
        (*_ACCOUNT, "failed_parts"),
    ),
    ("export.job.failed", _becomes(ExportStatus.FAILED.value), ("format", "target", "error")),
    ("export.job.cancelled", _becomes(ExportStatus.CANCELLED.value), ("format", "target")),
    (
        "export.file.expired",
        "NEW.file_removed_at IS NOT NULL AND OLD.file_removed_at IS NULL",
        ("file_path", "file_size"),
    ),
)
_WATCHED = ("status", "file_removed_at")
_TRIGGERS = ("arkham_export_jobs_announced", "arkham_export_jobs_told")


async def kept(database: Database, dialect: Dialect) -> bool:
    """Whether the triggers are there, those of schedules too; tables from a backup come without them."""
    return await triggers_there(database, dialect, (*_TRIGGERS, *scheduletables.TRIGGERS))


def statements(dialect: Dialect) -> list[str]:
    """What makes the table and the triggers; the whole can be repeated."""
    return [_postgres()] if isinstance(dialect, PostgresDialect) else _sqlite()


def _told(events: tuple[tuple[str, str, tuple[str, ...]], ...], make_object: str) -> str:
    """The statements of a trigger, in the order in which the events are to arrive."""
    told = []
    for event, condition, names in events:
        fields = ", ".join(f"'{name}', NEW.{name}" for name in ("id", *names)).replace("'id'", "'job_id'", 1)
        told.append(
            "INSERT INTO arkham_export_outbox (event, payload)"
            f" SELECT '{event}', CAST({make_object}({fields}) AS TEXT) WHERE {condition};"
        )
    return " ".join(told)


def _sqlite() -> list[str]:
    announced, told = _TRIGGERS
    return [
        "CREATE TABLE IF NOT EXISTS arkham_export_outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL,"
        " payload TEXT NOT NULL, taker TEXT, deliveries INTEGER NOT NULL DEFAULT 0)",
        f"DROP TRIGGER IF EXISTS {announced}",
        f"DROP TRIGGER IF EXISTS {told}",
        f"CREATE TRIGGER {announced} AFTER INSERT ON arkham_export_jobs"
        f" BEGIN {_told(_INSERTED, 'json_object')} END",
        f"CREATE TRIGGER {told} AFTER UPDATE OF {', '.join(_WATCHED)} ON arkham_export_jobs"
        f" BEGIN {_told(_UPDATED, 'json_object')} END",
    ]


def _postgres() -> str:
    announced, told = _TRIGGERS
    return alone(
        f"""
        CREATE TABLE IF NOT EXISTS arkham_export_outbox (id BIGSERIAL PRIMARY KEY, event TEXT NOT NULL,
            payload TEXT NOT NULL, taker TEXT, deliveries INTEGER NOT NULL DEFAULT 0);
        LOCK TABLE arkham_export_jobs IN SHARE ROW EXCLUSIVE MODE;
        CREATE OR REPLACE FUNCTION arkham_export_tell() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path FROM CURRENT AS $tell$
        BEGIN
            IF TG_OP = 'INSERT' THEN {_told(_INSERTED, "json_build_object")}
            ELSE {_told(_UPDATED, "json_build_object")}
            END IF;
            RETURN NULL;
        END $tell$;
        {_unless_there(announced)} CREATE TRIGGER {announced} AFTER INSERT ON arkham_export_jobs
            FOR EACH ROW WHEN (NEW.status = '{_PENDING}') EXECUTE PROCEDURE arkham_export_tell(); END IF;
        {_unless_there(told)} CREATE TRIGGER {told} AFTER UPDATE OF {", ".join(_WATCHED)} ON arkham_export_jobs
            FOR EACH ROW EXECUTE PROCEDURE arkham_export_tell(); END IF"""
    )


def _unless_there(trigger: str) -> str:
    """To drop it and make it again would wait for readers."""
    return (
        f"IF NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = '{trigger}'"
        " AND tgrelid = CAST('arkham_export_jobs' AS regclass)) THEN"
    )


@dataclass(frozen=True, slots=True)
class Event:
    """`redelivered`: it was taken before, by a host that did not live to say whether it arrived."""

    id: int
    name: str
    payload: dict[str, Any]
    redelivered: bool


class Outbox:
    """Takes events in order. Only the host that holds the lease may take: two would part what is one order."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, event: str, payload: dict[str, Any]) -> None:
        """An event that goes with no change of a job."""
        await self._database.execute(
            "INSERT INTO arkham_export_outbox (event, payload) VALUES (?, ?)",
            [event, msgspec.json.encode(payload).decode()],
        )

    async def take(self, taker: str) -> list[Event]:
        """The oldest events, marked before anyone hears of them; those that another has marked are taken over."""
        rows = await self._database.fetch_all(
            "SELECT id, event, payload, deliveries FROM arkham_export_outbox ORDER BY id LIMIT ?",
            [MOST_TAKEN],
        )
        if not rows:
            return []
        # By id, because an event that commits late can have an id between those that were seen.
        ids = [int(row["id"]) for row in rows]
        await self._database.execute(
            "UPDATE arkham_export_outbox SET taker = ?, deliveries = deliveries + 1"
            f" WHERE id IN ({', '.join('?' * len(ids))})",
            [taker, *ids],
        )
        return [
            Event(
                int(row["id"]),
                str(row["event"]),
                {**msgspec.json.decode(row["payload"]), "event_id": int(row["id"])},
                int(row["deliveries"]) > 0,
            )
            for row in rows
        ]

    async def delivered(self, taker: str, events: list[Event]) -> None:
        """Forget events that have arrived."""
        if events:
            await self._database.execute(
                f"DELETE FROM arkham_export_outbox WHERE taker = ? AND id IN ({', '.join('?' * len(events))})",
                [taker, *(each.id for each in events)],
            )

    async def waiting(self) -> int:
        """How many events have not arrived yet."""
        row = await self._database.fetch_one("SELECT COUNT(*) AS n FROM arkham_export_outbox")
        return int(row["n"]) if row else 0
