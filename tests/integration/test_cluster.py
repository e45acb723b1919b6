"""Many small jobs by many processes; the same code as `python -m benchmarks.cluster`. How fast it is, is no test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arkham_shard_export.standalone.seed import seed_sqlite
from benchmarks.cluster import cluster
from tests.hosts import standalone


def test_each_of_many_jobs_runs_once_in_one_of_many_processes(postgres_server: str, tmp_path: Path) -> None:
    rates = cluster(tmp_path, jobs=200, workers=4, hosts=2, server_url=postgres_server)
    assert rates.violations == []


def test_a_job_that_is_done_before_anyone_has_looked_costs_no_statement_for_its_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arkham_shard_export.jobs.running.progress.FIRST_NOTE_SECONDS", 30.0)
    seed_sqlite(tmp_path, 20, targets=["claims"])
    with standalone(tmp_path) as host:
        service, told = host.frame.database, []
        execute = service.execute

        async def noting(sql: str, params: Any = None) -> None:
            told.append(sql)
            await execute(sql, params)

        service.execute = noting
        host.export("claims", "json")
        assert any("completed_at = ?" in each for each in told)
        assert not [each for each in told if "SET metadata = ? WHERE" in each]
