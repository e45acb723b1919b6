"""Files of jobs over HTTP, from a folder and from a bucket: whole, in parts, and never cut off unnoticed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from arkham_shard_export.jobs.files import MARKER
from arkham_shard_export.standalone.seed import seed_sqlite
from arkham_shard_export.store_location import S3Location, store_location
from tests.buckets import Relay, S3Server
from tests.hosts import END_SECONDS, RunningHost, standalone

MIB = 1 << 20


@pytest.fixture(params=["folder", "s3"])
def stored(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningHost]:
    """A standalone host with either store."""
    if request.param == "folder":
        monkeypatch.setenv("ARKHAM_EXPORT_STORE", str(tmp_path / "exports"))
    else:
        server: S3Server = request.getfixturevalue("s3_environment")
        monkeypatch.setenv("ARKHAM_EXPORT_STORE", f"s3://{server.bucket()}/exports")
    with standalone(tmp_path / "data", demo=True) as host:
        yield host


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + END_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def downloads(host: RunningHost, job_id: str) -> int:
    return host.events_of(job_id).count("export.file.downloaded")


def replace(host: RunningHost, server: S3Server | None, path: str, data: bytes | None) -> None:
    """Put other bytes in the place of a stored file, or remove it."""
    location = store_location(os.environ["ARKHAM_EXPORT_STORE"])
    if isinstance(location, S3Location):
        assert server is not None
        key = f"{location.prefix}/{path}"
        if data is None:
            server.client.delete_object(Bucket=location.bucket, Key=key)
        else:
            server.client.put_object(Bucket=location.bucket, Key=key, Body=data)
    elif data is None:
        (Path(location.path) / path).unlink()
    else:
        (Path(location.path) / path).write_bytes(data)


def server_of(request: pytest.FixtureRequest) -> S3Server | None:
    in_bucket = os.environ["ARKHAM_EXPORT_STORE"].startswith("s3:")
    return request.getfixturevalue("s3_server") if in_bucket else None


def test_a_file_is_downloaded_whole_with_its_hash_as_its_tag(stored: RunningHost) -> None:
    job, file = stored.export("documents", "json")
    assert file.status_code == 200
    assert hashlib.sha256(file.content).hexdigest() == job["metadata"]["sha256"]
    assert file.headers["etag"] == f'"{job["metadata"]["sha256"]}"'
    assert file.headers["accept-ranges"] == "bytes"
    assert file.headers["last-modified"].endswith("GMT")
    assert int(file.headers["content-length"]) == len(file.content) == job["file_size"]
    assert "content-range" not in file.headers


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=5-5", slice(5, 6)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=0-999999999", slice(0, None)),
    ],
)
def test_a_range_is_answered_with_that_part(stored: RunningHost, asked: str, part: slice) -> None:
    job, whole = stored.export("documents", "json")
    answer = stored.client.get(job["download_url"], headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == whole.content[part]
    start, stop, size = part.indices(job["file_size"])[0], part.indices(job["file_size"])[1], job["file_size"]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
    assert int(answer.headers["content-length"]) == stop - start
    assert answer.headers["content-type"] == whole.headers["content-type"]
    assert answer.headers["etag"] == whole.headers["etag"]


def test_a_range_that_is_not_understood_is_not_heeded_and_one_behind_the_end_is_refused(
    stored: RunningHost,
) -> None:
    job, whole = stored.export("documents", "csv")
    for asked in ("bytes=0-1,3-4", "lines=1-2", "bytes=9-1", "bytes=x-"):
        answer = stored.client.get(job["download_url"], headers={"Range": asked})
        assert (answer.status_code, answer.content) == (200, whole.content)
    for asked in (f"bytes={job['file_size']}-", "bytes=-0"):
        answer = stored.client.get(job["download_url"], headers={"Range": asked})
        assert answer.status_code == 416
        assert str(job["file_size"]) in answer.json()["detail"]
        assert answer.headers["content-range"] == f"bytes */{job['file_size']}"


def test_a_range_is_heeded_only_where_the_file_is_still_the_one_that_was_begun(stored: RunningHost) -> None:
    job, whole = stored.export("documents", "csv")
    tag = whole.headers["etag"]
    conditions = {
        tag: 206,
        '"other"': 200,
        f"W/{tag}": 200,
        whole.headers["last-modified"]: 200,
    }
    for condition, status in conditions.items():
        answer = stored.client.get(job["download_url"], headers={"Range": "bytes=1-3", "If-Range": condition})
        assert answer.status_code == status, condition
        assert answer.content == (whole.content[1:4] if status == 206 else whole.content)


def test_the_head_of_a_download_tells_all_of_it_but_the_body_and_is_no_download(stored: RunningHost) -> None:
    job, whole = stored.export("documents", "csv")
    until(lambda: downloads(stored, job["id"]) == 1)
    answer = stored.client.head(job["download_url"], headers={"Range": "bytes=0-3"})
    assert (answer.status_code, answer.content) == (200, b"")
    told = ("content-length", "content-type", "content-disposition", "etag", "accept-ranges", "last-modified")
    assert [answer.headers[name] for name in told] == [whole.headers[name] for name in told]
    assert stored.client.head(f"/api/export/jobs/{'0' * 8}/download").status_code == 404
    assert stored.client.get(job["download_url"]).status_code == 200
    until(lambda: downloads(stored, job["id"]) == 2)


def test_a_download_in_parts_is_one_download(stored: RunningHost) -> None:
    job, whole = stored.export("documents", "json")
    until(lambda: downloads(stored, job["id"]) == 1)
    size = job["file_size"]
    parts = [
        stored.client.get(
            job["download_url"], headers={"Range": f"bytes={start}-{start + size // 3}"}
        ).content
        for start in range(0, size, size // 3 + 1)
    ]
    assert b"".join(parts) == whole.content
    assert len(parts) == 3
    until(lambda: downloads(stored, job["id"]) == 2)
    stored.export("matrix", "json")
    assert downloads(stored, job["id"]) == 2


@pytest.mark.parametrize("sha256", [None, 5, "", 'a"\r\nX-Evil: 1'])
def test_a_file_of_which_no_hash_is_known_has_no_tag_and_no_range_on_condition(
    stored: RunningHost, sha256: object
) -> None:
    job, whole = stored.export("claims", "csv")
    metadata = json.dumps({**job["metadata"], "sha256": sha256, "file_name": 'é"\r\nX-Evil: 1.csv'})
    run = stored.frame.database.execute
    stored.run(run("UPDATE arkham_export_jobs SET metadata = ? WHERE id = ?", [metadata, job["id"]]))
    answer = stored.client.get(job["download_url"], headers={"Range": "bytes=1-2"})
    assert (answer.status_code, answer.content) == (206, whole.content[1:3])
    assert not {"etag", "x-evil"} & set(answer.headers)
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"é___X-Evil: 1.csv\"; filename*=UTF-8''%C3%A9___X-Evil%3A%201.csv"
    )
    for condition in ('""', '"None"', "None"):
        answer = stored.client.get(job["download_url"], headers={"Range": "bytes=1-2", "If-Range": condition})
        assert (answer.status_code, answer.content) == (200, whole.content)


def test_a_file_that_is_gone_is_not_found(stored: RunningHost, request: pytest.FixtureRequest) -> None:
    job, _ = stored.export("claims", "csv")
    replace(stored, server_of(request), job["file_path"], None)
    for answer in (stored.client.get(job["download_url"]), stored.client.head(job["download_url"])):
        assert answer.status_code == 404
    assert stored.run(stored.shard.get_download_url(job["id"])) is None


def begun(host: RunningHost, path: str) -> socket.socket:
    """A download whose client has read the first bytes and reads no more."""
    address = host.client.base_url
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    client.connect((address.host, address.port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert client.recv(1000).startswith(b"HTTP/1.1 200")
    return client


def received(client: socket.socket) -> int:
    count = 0
    client.settimeout(END_SECONDS)
    while True:
        try:
            data = client.recv(1 << 20)
        except ConnectionResetError:
            return count
        if not data:
            return count
        count += len(data)


def test_a_file_that_is_cut_off_while_it_is_sent_reaches_nobody_as_if_it_were_whole(
    stored: RunningHost, request: pytest.FixtureRequest
) -> None:
    job, _ = stored.export("claims", "csv")
    size = 40 * MIB
    replace(stored, server_of(request), job["file_path"], b"x" * size)
    until(lambda: downloads(stored, job["id"]) == 1)
    with begun(stored, job["download_url"]) as client:
        time.sleep(0.2)
        replace(stored, server_of(request), job["file_path"], b"short")
        assert received(client) < size
    # The host goes on, and nobody is told of a download.
    assert stored.client.get("/api/export/count").status_code == 200
    assert downloads(stored, job["id"]) == 1


def test_a_client_that_goes_away_leaves_nothing_open(
    stored: RunningHost, request: pytest.FixtureRequest
) -> None:
    job, _ = stored.export("claims", "csv")
    replace(stored, server_of(request), job["file_path"], b"x" * 40 * MIB)
    until(lambda: downloads(stored, job["id"]) == 1)

    def held() -> int:
        names = [os.readlink(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd") if
                 os.path.lexists(f"/proc/self/fd/{each}")]  # fmt: skip
        return len([name for name in names if name.endswith(Path(job["file_path"]).name)])

    with begun(stored, job["download_url"]):
        if server_of(request) is None:
            until(lambda: held() == 1)
    until(lambda: held() == 0)
    assert stored.client.get("/api/export/count").status_code == 200
    assert downloads(stored, job["id"]) == 1


# Whole jobs in a bucket


def test_two_hosts_share_the_files_of_one_bucket(
    s3_environment: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = s3_environment.bucket()
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", f"s3://{bucket}/exports")
    with standalone(tmp_path / "one", demo=True) as one, standalone(tmp_path / "two", demo=True) as two:
        first, second = one.export("claims", "csv"), two.export("claims", "json")
        assert sorted(s3_environment.keys(bucket)) == sorted(
            f"exports/{job['file_path']}" for job, _ in (first, second)
        )
        stores = [host.shard._service.files for host in (one, two)]
        ids = {host.run(store.identify()) for host, store in zip((one, two), stores, strict=True)}
        assert len(ids) == 1
        for host, (job, file) in ((two, first), (one, second)):

            async def read(host: RunningHost = host, path: str = job["file_path"]) -> bytes:
                found = await host.shard._service.files.open(path)
                return b"".join([block async for block in found.read(0, found.size)])

            assert host.run(read()) == file.content
    # Nothing was written to either host's disk.
    assert [path for path in tmp_path.rglob("*") if path.suffix in (".csv", ".json", ".part")] == []


def test_a_bucket_that_is_not_there_yet_is_used_as_soon_as_it_is(
    s3_environment: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", "s3://arkham-later/exports")
    with standalone(tmp_path, demo=True) as host:
        answer = host.client.get("/api/export/jobs")
        assert answer.status_code == 503
        assert "no bucket 'arkham-later'" in answer.json()["detail"]
        s3_environment.client.create_bucket(Bucket="arkham-later")
        until(lambda: host.client.get("/api/export/jobs").status_code == 200)
        assert host.export("claims", "csv")[1].status_code == 200


def test_a_job_whose_bucket_goes_away_fails_and_says_why(
    s3_environment: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = s3_environment.bucket()
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", f"s3://{bucket}/exports")
    with standalone(tmp_path, demo=True) as host:
        s3_environment.delete_bucket(bucket)
        job = host.wait(host.post("claims", "csv").json()["id"])
        assert job["status"] == "failed"
        assert f"no bucket '{bucket}'" in job["error"]
        assert not [word for word in ("http", "<", "\n") if word in job["error"]]


LARGE = 15_000
"""So many claims are uploaded in several parts."""


class HeldRelay(Relay):
    """Holds up the parts of an upload, though not the store's marker, until they are let through."""

    def __init__(self, port: int) -> None:
        self.reached, self.let_through = threading.Event(), threading.Event()
        super().__init__(port, self._hold)

    def _hold(self, data: bytes) -> None:
        if data.startswith(b"PUT ") and MARKER.encode() not in data.partition(b"\r\n")[0]:
            self.reached.set()
            self.let_through.wait(END_SECONDS)


@pytest.fixture
def held_upload(
    s3_environment: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[RunningHost, str, HeldRelay]]:
    """A host with a job that is in the middle of its upload, and the bucket."""
    bucket, scratch, data = s3_environment.bucket(), tmp_path / "scratch", tmp_path / "data"
    scratch.mkdir()
    relay = HeldRelay(s3_environment.port)
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", f"s3://{bucket}/exports")
    monkeypatch.setenv("AWS_ENDPOINT_URL", relay.url)
    monkeypatch.setenv("TMPDIR", str(scratch))
    seed_sqlite(data, LARGE, targets=("claims",))
    with standalone(data) as host:
        job_id = host.post("claims", "json").json()["id"]
        assert relay.reached.wait(END_SECONDS)
        until(lambda: phase(host, job_id) == "storing")
        yield host, bucket, relay
    relay.cut()
    assert list(scratch.iterdir()) == []


def phase(host: RunningHost, job_id: str) -> Any:
    job = host.client.get(f"/api/export/jobs/{job_id}").json()
    return job["metadata"].get("progress", {}).get("phase")


def test_a_worker_killed_while_it_uploads_leaves_nothing_and_the_job_runs_again(
    held_upload: tuple[RunningHost, str, HeldRelay], s3_server: S3Server
) -> None:
    host, bucket, relay = held_upload
    (listed,) = host.client.get("/api/export/jobs").json()["jobs"]
    (pid,) = host.shard._service.runs.pool.pids
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid not in host.shard._service.runs.pool.pids)
    assert s3_server.keys(bucket) == []
    relay.let_through.set()
    job = host.wait(listed["id"])
    assert (job["status"], job["record_count"]) == ("completed", LARGE)
    assert job["file_path"].endswith(f"{job['id']}.2.json")
    assert s3_server.keys(bucket) == [f"exports/{job['file_path']}"]
    assert len(host.client.get(job["download_url"]).content) == job["file_size"] > 9 * MIB


def test_a_cancelled_upload_leaves_no_object(
    held_upload: tuple[RunningHost, str, HeldRelay], s3_server: S3Server
) -> None:
    host, bucket, relay = held_upload
    (listed,) = host.client.get("/api/export/jobs").json()["jobs"]
    assert host.client.delete(f"/api/export/jobs/{listed['id']}").status_code == 204
    relay.let_through.set()
    assert host.wait(listed["id"])["status"] == "cancelled"
    # What was on its way arrives, and is part of nothing.
    until(lambda: host.export("claims", "csv", options={"max_records": 3})[0]["record_count"] == 3)
    assert [key for key in s3_server.keys(bucket) if listed["id"] in key] == []


def test_while_the_bucket_does_not_answer_downloads_are_put_off(
    s3_environment: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = Relay(s3_environment.port)
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", f"s3://{s3_environment.bucket()}/exports")
    monkeypatch.setenv("AWS_ENDPOINT_URL", relay.url)
    with standalone(tmp_path, demo=True) as host:
        job, _ = host.export("claims", "csv")
        relay.cut()
        answer: httpx.Response = host.client.get(job["download_url"])
        assert answer.status_code == 503
        assert "does not answer" in answer.json()["detail"]
        assert answer.headers["retry-after"]
