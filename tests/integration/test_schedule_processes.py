"""Schedules in real processes that are killed with -9 while they make what is due."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from arkham_shard_export.standalone.tables import sqlite_paths
from benchmarks.fleet import Fleet, until

SCHEDULES = 8
ROUNDS = 4
SEED = 8
REQUEST = {"target": "claims", "format": "json", "options": {"max_records": 3}}
END_SECONDS = 120.0


def change(fleet: Fleet, sql: str, params: tuple[Any, ...]) -> None:
    if fleet.database_url is None:
        with contextlib.closing(sqlite3.connect(sqlite_paths(fleet.data)[0], timeout=30)) as connection:
            connection.execute(sql, params)
            connection.commit()
        return
    with psycopg.connect(fleet.database_url, autocommit=True) as connection:
        connection.execute(sql.replace("?", "%s").encode(), params)


def bring_near(fleet: Fleet) -> datetime:
    """Let all schedules be due a moment ago."""
    due = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
    texts = [
        moment.isoformat(timespec="microseconds")
        for moment in (due - timedelta(hours=1), due - timedelta(seconds=1), due)
    ]
    change(
        fleet, "UPDATE arkham_export_schedules SET anchored_at = ?, last_due = ?, next_due = ?", tuple(texts)
    )
    return due


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_killed_while_jobs_are_made_make_each_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A host on SQLite; two hosts and a worker on PostgreSQL."""
    chance = random.Random(SEED)
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else None
    settings = {"poll_seconds": 0.1, "heartbeat_seconds": 0.5, "processes": 1}
    with Fleet(tmp_path, url, **settings) as fleet:
        if url is None:
            seed_sqlite(fleet.data, 20)
            fleet.host()
        else:
            seed_postgres(url, 20)
            fleet.host()
            fleet.host()
            fleet.worker()
        fleet.ready()
        made = [
            httpx.post(
                f"{fleet.members[0].url}/api/export/schedules",
                json={"name": f"Schedule {number}", "every": "1h", "request": REQUEST},
                timeout=30,
            ).json()["id"]
            for number in range(SCHEDULES)
        ]
        expected = set()
        for number in range(ROUNDS):
            due = bring_near(fleet)
            expected |= {(each, due.isoformat()) for each in made}
            time.sleep(chance.uniform(0, 0.25))
            member = fleet.members[number % len(fleet.members)]
            member.kill()
            member.start()
            fleet.ready()

            def settled(due: datetime = due) -> bool:
                text = due.isoformat(timespec="microseconds")
                runs = fleet.query("SELECT outcome FROM arkham_export_schedule_runs WHERE due = ?", (text,))
                return [row["outcome"] for row in runs] == ["completed"] * SCHEDULES

            until(settled, f"round {number} is exported", END_SECONDS)
        jobs = [json.loads(job["metadata"])["schedule"] for job in fleet.jobs().values()]
        assert Counter((job["id"], job["due"]) for job in jobs) == dict.fromkeys(expected, 1)
        fleet.ended(END_SECONDS)
        assert not fleet.strays_in_store()
