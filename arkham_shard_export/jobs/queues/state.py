"""What the host's database says of the queue that lies beside the jobs table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from arkham_shard_export.jobs.queues.schema import SCHEMA
from arkham_shard_export.jobs.table.rows import LARGE, time_text
from arkham_shard_export.ports import Clock, Database

MOST_ENTERED = 500


class QueueState:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def without_entry(self, seconds: float) -> Sequence[tuple[str, str]]:
        """Ids and lanes of jobs that are to run, are older than `seconds`, and of which the queue does not know."""
        entries = f"SELECT 1 FROM {SCHEMA}.procrastinate_jobs WHERE"
        rows = await self._database.fetch_all(
            "SELECT id, lane FROM arkham_export_jobs AS job WHERE status IN ('pending', 'processing')"
            f" AND (created_at IS NULL OR created_at < ?) AND NOT EXISTS ({entries} queueing_lock = job.id AND status = 'todo')"
            f" AND NOT EXISTS ({entries} lock = job.id AND status = 'doing') ORDER BY created_at, id LIMIT ?",
            [time_text(self._clock() - timedelta(seconds=seconds)), MOST_ENTERED],
        )
        return [(str(row["id"]), str(row["lane"] or LARGE)) for row in rows]

    async def forgotten_entries(self, seconds: float) -> Sequence[int]:
        """Entries that a living worker began so long ago, while their jobs are still pending."""
        rows = await self._database.fetch_all(
            f"SELECT entry.id FROM {SCHEMA}.procrastinate_jobs AS entry JOIN arkham_export_jobs AS job"
            " ON job.id = entry.lock WHERE entry.status = 'doing' AND job.status = 'pending'"
            f" AND (SELECT MAX(at) FROM {SCHEMA}.procrastinate_events WHERE job_id = entry.id AND type = 'started')"
            " < clock_timestamp() - ? * INTERVAL '1 second'",
            [seconds],
        )
        return [int(row["id"]) for row in rows]

    async def workers(self, seconds: float) -> int:
        """How many workers of the queue were heard of within so many seconds."""
        row = await self._database.fetch_one(
            f"SELECT COUNT(*) AS n FROM {SCHEMA}.procrastinate_workers"
            " WHERE last_heartbeat > clock_timestamp() - ? * INTERVAL '1 second'",
            [seconds],
        )
        return int(row["n"]) if row else 0
