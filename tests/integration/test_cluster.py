"""Many small jobs by many processes; the same code as `python -m benchmarks.cluster`. How fast it is, is no test."""

from __future__ import annotations

from pathlib import Path

from benchmarks.cluster import cluster


def test_each_of_many_jobs_runs_once_in_one_of_many_processes(postgres_server: str, tmp_path: Path) -> None:
    rates = cluster(tmp_path, jobs=300, workers=4, hosts=2, server_url=postgres_server)
    assert rates.violations == []
    assert rates.ours > 0 < rates.bare
