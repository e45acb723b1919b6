"""`arkham-export schedules` on real databases, beside a running host and without any."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import RunningHost, standalone

CLI = [sys.executable, "-m", "arkham_shard_export.cli", "schedules"]
CLAIMS = ("--target", "claims", "--format", "csv", "--filter", "status=verified", "--option", "max_records=3")
MONDAYS = ("--cron", "0 7 * * MON", "--time-zone", "Europe/Berlin")


@dataclass
class Place:
    host: RunningHost

    def run(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        place = ["--data", str(self.host.data_dir)]
        if self.host.database_url is not None:
            place += ["--database-url", self.host.database_url]
        words = [*CLI, *arguments, *(place if arguments[0] != "next" else [])]
        return subprocess.run(words, capture_output=True, text=True, input=text, timeout=60, check=False)

    def done(self, *arguments: str, text: str | None = None) -> str:
        ran = self.run(*arguments, text=text)
        assert (ran.returncode, ran.stderr) == (0, ""), ran
        return ran.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.done(*arguments, "--json"))

    def refused(self, *arguments: str, code: int = 2) -> str:
        ran = self.run(*arguments)
        assert ran.returncode == code, ran
        assert ran.stdout == ""
        return ran.stderr


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Beside a host."""
    url = None
    if request.param == "postgresql":
        from tests.conftest import new_database

        url = new_database(request.getfixturevalue("postgres_server"))
    with standalone(tmp_path_factory.mktemp("schedules"), url, demo=True) as host:
        yield Place(host)


def test_a_schedule_is_made_looked_at_paused_run_and_deleted(place: Place) -> None:
    told = place.done("create", "For the editor", *MONDAYS, *CLAIMS, "--keep-files", "3", "--owner", "ann")
    schedule_id, state, *_ = told.split()
    assert state == "active,"
    shown = place.json("show", "For the editor")
    assert (shown["id"], shown["created_by"], shown["keep_files"]) == (schedule_id, "ann", 3)
    assert shown["request"] == {
        "target": "claims",
        "format": "csv",
        "filters": {"status": "verified"},
        "options": {"max_records": 3},
    }
    listed = place.done("list")
    assert schedule_id[:8] in listed
    assert "For the editor" in listed
    assert schedule_id in place.done("pause", schedule_id[:8])
    assert [each["id"] for each in place.json("list", "--state", "paused")["schedules"]] == [schedule_id]
    job_id = place.done("run", schedule_id).strip()
    job = place.host.wait(job_id)
    assert (job["status"], job["created_by"], job["record_count"]) == ("completed", "ann", 3)
    assert "paused" not in place.done("resume", schedule_id)
    text = place.done("show", schedule_id)
    assert "next" in text
    assert ["manual", "completed"] in [line.split()[1:3] for line in text.splitlines()]
    assert place.json("show", schedule_id)["runs"][0]["job_id"] == job_id
    assert place.done("delete", schedule_id) == f"{schedule_id} deleted\n"
    assert place.done("list") == "There are no such schedules.\n"


def test_a_request_is_taken_from_a_file_and_completed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text('{"target": "claims", "format": "json"}')
    made = place.json("create", "From a file", "--every", "12h", "--request", str(tmp_path / "request.json"))
    assert (made["every"], made["request"]) == ("12h", {"target": "claims", "format": "json"})
    other = place.done(
        "create", "From a pipe", "--every", "1d", "--request", "-", "--format", "csv", "--json",
        text='{"target": "claims"}',
    )  # fmt: skip
    assert json.loads(other)["request"] == {"target": "claims", "format": "csv"}
    for name in ("From a file", "From a pipe"):
        place.done("delete", name)


def test_a_schedule_can_be_of_a_template_or_of_a_batch(place: Place, tmp_path: Path) -> None:
    words = ("--template", "Graph for Gephi", "--template-version", "1", "--option", "max_records=5")
    of_template = place.json("create", "Of a template", "--every", "1d", *words)
    assert of_template["request"] == {
        "template": {"template": "Graph for Gephi", "version": 1},
        "options": {"max_records": 5},
    }
    body = {"parts": [{"target": "claims", "format": "csv"}, {"template": "Graph for Gephi"}]}
    (tmp_path / "batch.json").write_text(json.dumps(body))
    words = ("--request", str(tmp_path / "batch.json"))
    assert place.json("create", "Of a batch", "--every", "1d", *words)["request"] == body
    for name in ("Of a template", "Of a batch"):
        job = place.host.wait(place.done("run", name).strip())
        assert job["status"] == "completed", job
        place.done("delete", name)
    assert [each["target"] for each in job["parts"]] == ["claims", "graph"]


def test_what_is_wrong_is_told_in_a_sentence(place: Place, tmp_path: Path) -> None:
    assert "bad minute" in place.refused("create", "x", "--cron", "99 * * * *", *CLAIMS)
    assert "either cron" in place.refused("create", "x", *CLAIMS)
    assert "Berlin" in place.refused("create", "x", "--cron", "0 7 * * *", "--time-zone", "Berlin", *CLAIMS)
    assert "'odt'" in place.refused("create", "x", "--every", "1d", "--target", "claims", "--format", "odt")
    assert "Give --target and --format" in place.refused("create", "x", "--every", "1d")
    assert "Did you mean 'Graph for Gephi'?" in place.refused(
        "create", "x", "--every", "1d", "--template", "Graph for Gephy"
    )
    assert "Did you mean 'active'?" in place.refused("list", "--state", "activ")
    assert "schedules list" in place.refused("show", "nowhere")
    (tmp_path / "wrong.json").write_text("{")
    assert "is no JSON" in place.refused(
        "create", "x", "--every", "1d", "--request", str(tmp_path / "wrong.json")
    )
    assert "No such file" in place.refused(
        "create", "x", "--every", "1d", "--request", str(tmp_path / "none"), code=1
    )
    for _ in range(2):
        place.done("create", "Twice", "--every", "1d", *CLAIMS)
    assert "Several schedules" in place.refused("delete", "Twice")
    assert "Did you mean 'Twice'?" in place.refused("pause", "Twise")
    for each in place.json("list")["schedules"]:
        place.done("delete", each["id"])


def test_due_times_are_told_without_any_database(place: Place) -> None:
    lines = place.done("next", *MONDAYS, "--count", "3").splitlines()
    assert len(lines) == 3
    assert all(line.startswith("Mon ") and "07:00:00+0" in line for line in lines)
    times = [datetime.fromisoformat(each) for each in place.json("next", "--every", "1d")]
    assert len(times) == 5
    assert len({later - sooner for sooner, later in itertools.pairwise(times)}) == 1
    assert "five fields" in place.refused("next", "--cron", "7 o'clock")
    ran = subprocess.run(
        [*CLI, "next", "--every", "1d", "--count", "0"], capture_output=True, text=True, env=os.environ
    )
    assert ran.returncode == 2
