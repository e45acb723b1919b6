"""Processes are killed at random while jobs are asked for and cancelled; the same code as `python -m benchmarks.chaos`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.chaos import chaos

JOBS, KILLS = (500, 200) if os.environ.get("CI") else (125, 50)
"""What the command does, on CI: some two minutes on two cores."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_whoever_is_killed_nothing_is_lost_and_nothing_done_twice(
    request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    server_url = request.getfixturevalue("postgres_server") if database == "postgresql" else None
    report = chaos(tmp_path, database, seed=7, jobs=JOBS, kills=KILLS, server_url=server_url)
    assert report.violations == [], "\n".join([*report.lines, *report.violations])
