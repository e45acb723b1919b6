"""What a row of the jobs table says of its file is not believed: nothing outside the store is served or deleted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts import END_SECONDS, RunningHost, standalone

SECRET = "nobody is to read this"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHost]:
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", str(tmp_path / "store"))
    (tmp_path / "secret.json").write_text(SECRET)
    with standalone(tmp_path / "data", demo=True) as running:
        yield running


def sweep(host: RunningHost) -> None:
    async def work() -> None:
        sweeper = host.shard._service.sweeper
        deadline = time.monotonic() + END_SECONDS
        while not await sweeper._lease.held():
            assert time.monotonic() < deadline
        await sweeper.expire()
        await sweeper.take_stock()

    host.run(work())


def tampered(host: RunningHost, job_id: str, path: str) -> None:
    host.query("UPDATE arkham_export_jobs SET file_path = ? WHERE id = ? RETURNING id", (path, job_id))


PATHS = {
    "absolute": "{root}/secret.json",
    "system": "/etc/passwd",
    "parent": "../secret.json",
    "parent behind a folder": "{day}/../../secret.json",
    "linked file": "{day}/{id}.7.json",
    "linked file with another name": "{day}/link.json",
    "linked folder": "2001-01-01/{id}.1.json",
    "folder linked within the store": "2001-01-02/{id}.1.json",
    "file of another job": "{day}/{other}.1.json",
    "marker": ".arkham-export-store",
    "folder": "{day}",
    "store": ".",
    "nothing": "",
    "backslashes": "{day}\\{id}.1.json",
    "address": "file:///{root}/secret.json",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_row_that_was_tampered_with_serves_and_deletes_nothing(
    host: RunningHost, tmp_path: Path, path: str
) -> None:
    job, _ = host.export("matrix", "json")
    other, _ = host.export("claims", "json")
    store, day = tmp_path / "store", job["file_path"].partition("/")[0]
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / f"{job['id']}.1.json").write_text(SECRET)
    (store / day / f"{job['id']}.7.json").symlink_to(tmp_path / "secret.json")
    (store / day / "link.json").symlink_to(tmp_path / "secret.json")
    (store / "2001-01-01").symlink_to(outside)
    (store / "2001-01-02").symlink_to(store / day)
    named = path.format(root=tmp_path, day=day, id=job["id"], other=other["id"])
    tampered(host, job["id"], named)
    for method, part in (("GET", "download"), ("HEAD", "download"), ("POST", "link")):
        answer = host.client.request(method, f"/api/export/jobs/{job['id']}/{part}")
        assert answer.status_code == 404, answer.text
        assert SECRET not in answer.text
        assert str(tmp_path) not in answer.text
    # Its time is over, and the sweeper would delete its file.
    host.query(
        "UPDATE arkham_export_jobs SET expires_at = ? WHERE id = ? RETURNING id",
        ("2001-01-01T00:00:00+00:00", job["id"]),
    )
    sweep(host)
    assert (tmp_path / "secret.json").read_text() == SECRET
    assert (outside / f"{job['id']}.1.json").read_text() == SECRET
    assert host.client.get(other["download_url"]).status_code == 200
