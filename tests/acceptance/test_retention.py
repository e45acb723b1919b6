"""Files expire, and nothing else does."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from arkham_shard_export.jobs.files import MARKER
from tests.clocks import Clock
from tests.conftest import new_database
from tests.hosts import RunningHost, standalone
from tests.tools import stored_files


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setenv("ARKHAM_EXPORT_SWEEP_SECONDS", "86400")
    return Clock(monkeypatch)


@pytest.fixture(params=["sqlite", "postgresql"])
def host(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[RunningHost]:
    """A host that sweeps only when it is told to; the server's clock is taken to be the test's."""
    url = None
    if request.param == "postgresql":
        url = new_database(request.getfixturevalue("postgres_server"))
    with standalone(tmp_path, url, demo=True) as running:
        running.shard._service.sweeper._watch._asks_server = False
        yield running


def files(host: RunningHost) -> list[str]:
    return stored_files(host.data_dir / "files")


def sweep(host: RunningHost) -> int:
    """What a sweep does, where the clock is trusted."""

    async def work() -> int:
        sweeper = host.shard._service.sweeper
        until_leading = time.monotonic() + 30
        while not await sweeper._lease.held():
            assert time.monotonic() < until_leading
        return int(await sweeper.expire()) if await sweeper._watch.trusted() else -1

    return int(host.run(work()))


def take_stock(host: RunningHost) -> None:
    host.run(host.shard._service.sweeper.take_stock())


def status(host: RunningHost, job: dict[str, Any]) -> int:
    return host.client.get(f"/api/export/jobs/{job['id']}/download").status_code


def test_over_48_hours_each_file_goes_when_its_time_is_over_and_its_job_stays(
    host: RunningHost, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {}
    for hours in (1, None, 36.5):
        body = {} if hours is None else {"retention_hours": hours}
        kept[hours or 24.0], _ = host.export("claims", "csv", **body)
    begun = clock.now
    for half_hours in range(1, 97):
        clock.pass_(minutes=30)
        expired = [hours for hours in kept if timedelta(hours=hours) <= clock.now - begun]
        # From the moment of expiry the file is refused, whether it has been deleted or not.
        assert [status(host, kept[hours]) for hours in kept] == [
            410 if hours in expired else 200 for hours in kept
        ], half_hours
        sweep(host)
        assert len(files(host)) == len(kept) - len(expired)
    host.delivered()
    told = [each["payload"] for each in host.events if each["event_type"] == "export.file.expired"]
    assert [each["job_id"] for each in told] == [kept[hours]["id"] for hours in (1, 24.0, 36.5)]
    assert [each["file_path"] for each in told] == [kept[hours]["file_path"] for hours in (1, 24.0, 36.5)]
    for job in kept.values():
        after = host.client.get(f"/api/export/jobs/{job['id']}").json()
        assert after == job
        refusal = host.client.get(f"/api/export/jobs/{job['id']}/download")
        assert "run the export again" in refusal.json()["detail"]


def test_what_is_asked_for_beyond_the_maximum_is_refused_by_name(host: RunningHost) -> None:
    for hours in (721, -1, 0, 1e12):
        answer = host.post("claims", "csv", retention_hours=hours)
        assert answer.status_code == 422, hours
        assert "retention_hours" in answer.json()["detail"]
        assert "720" in answer.json()["detail"]
    assert host.post("claims", "csv", retention_hours="soon").status_code == 422
    assert host.client.get("/api/export/jobs").json()["total"] == 0


def test_a_retention_of_zero_keeps_files_where_there_is_no_maximum(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_MAX_RETENTION_HOURS", "0")
    with standalone(tmp_path, demo=True) as host:
        job, _ = host.export("claims", "csv", retention_hours=0)
        assert job["expires_at"] is None
        clock.pass_(days=4000)
        assert sweep(host) == 0
        assert status(host, job) == 200


def test_a_clock_that_jumps_deletes_nothing_until_it_has_been_steady_for_an_hour(
    host: RunningHost, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    job, _ = host.export("claims", "csv")
    assert sweep(host) == 0
    clock.jump(days=365)
    assert sweep(host) == -1
    assert "jumped" in caplog.text
    clock.pass_(minutes=59)
    assert sweep(host) == -1
    assert len(files(host)) == 1
    # Somebody notices, and sets it right.
    clock.jump(days=-365)
    assert sweep(host) == -1
    clock.pass_(minutes=61)
    assert sweep(host) == 0
    assert status(host, job) == 200
    # Or it was right.
    clock.jump(days=365)
    assert sweep(host) == -1
    clock.pass_(minutes=61)
    assert sweep(host) == 1
    assert files(host) == []


def test_a_clock_that_differs_from_the_servers_deletes_nothing(
    tmp_path: Path, postgres_url: str, clock: Clock
) -> None:
    with standalone(tmp_path, postgres_url, demo=True) as host:
        job, _ = host.export("claims", "csv", retention_hours=1)
        clock.pass_(hours=2)
        assert sweep(host) == -1
        assert len(files(host)) == 1
        assert status(host, job) == 410
        clock.pass_(hours=-2)
        assert sweep(host) == 0


def aged(path: Path, clock: Clock) -> Path:
    old = clock.now.timestamp() - 3600
    os.utime(path, (old, old))
    return path


def test_files_without_a_job_are_deleted_and_those_of_others_are_not(host: RunningHost, clock: Clock) -> None:
    job, file = host.export("claims", "csv")
    store = host.data_dir / "files" / "exports"
    folder = (store / job["file_path"]).parent
    orphans = [f"{job['id']}.7.csv", f"{job['id']}.2.part", "gone.1.json", "gone.1.part"]
    foreign = ["notes.txt", "report.docx"]
    for name in (*orphans, *foreign, "young.1.json"):
        (folder / name).write_bytes(b"x")
        if name != "young.1.json":
            aged(folder / name, clock)
    aged(store / job["file_path"], clock)
    take_stock(host)
    assert files(host) == sorted([Path(job["file_path"]).name, *foreign, "young.1.json"])
    assert host.client.get(job["download_url"]).content == file.content


def test_a_job_whose_file_has_vanished_is_noted_once(host: RunningHost, clock: Clock) -> None:
    job, _ = host.export("claims", "csv")
    other, _ = host.export("claims", "json")
    clock.pass_(minutes=1)
    (host.data_dir / "files" / "exports" / job["file_path"]).unlink()
    take_stock(host)
    take_stock(host)
    assert host.events_of(job["id"]).count("export.file.expired") == 1
    assert "export.file.expired" not in host.events_of(other["id"])
    assert status(host, job) == 404
    assert status(host, other) == 200
    removed = host.query(
        "SELECT file_removed_reason FROM arkham_export_jobs ORDER BY file_removed_reason IS NULL"
    )
    assert removed == [("vanished",), (None,)]


def test_an_empty_folder_in_the_place_of_the_store_settles_nothing(
    host: RunningHost, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A network share that is not mounted."""
    job, _ = host.export("claims", "csv")
    clock.pass_(minutes=1)
    store = host.data_dir / "files" / "exports"
    store.rename(store.with_name("away"))
    store.mkdir()
    take_stock(host)
    assert "not the one that was used before" in caplog.text
    assert not (store / MARKER).exists()
    store.rmdir()
    store.with_name("away").rename(store)
    assert status(host, job) == 200
    assert host.query("SELECT file_removed_at FROM arkham_export_jobs") == [(None,)]


def test_a_file_that_cannot_be_deleted_keeps_no_other_from_being(
    host: RunningHost, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [host.export("claims", "csv", retention_hours=1)[0] for _ in range(3)]
    unlink = os.unlink

    def failing(path: str, **options: Any) -> None:
        if Path(path).name.startswith(jobs[0]["id"]):
            raise PermissionError(13, "Permission denied")
        unlink(path, **options)

    clock.pass_(hours=2)
    monkeypatch.setattr(os, "unlink", failing)
    assert sweep(host) == 2
    assert len(files(host)) == 1
    assert "export.file.expired" not in host.events_of(jobs[0]["id"])
    monkeypatch.undo()


def test_expiry_is_a_moment_with_an_offset(host: RunningHost) -> None:
    job, _ = host.export("claims", "csv", retention_hours=2)
    kept = datetime.fromisoformat(job["expires_at"]) - datetime.fromisoformat(job["completed_at"])
    assert kept == timedelta(hours=2)
