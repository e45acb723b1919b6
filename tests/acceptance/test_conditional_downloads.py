"""What a download tells of its file, and when it is not sent again, in every host."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import RunningHost, standalone
from tests.tools import needed

NAME = "Fälle-案件-дело.csv"
TOLD = ("etag", "last-modified", "expires", "repr-digest", "export-records", "export-skipped", "export-adjusted",
        "content-disposition", "content-type", "accept-ranges")  # fmt: skip


def digest(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def change(host: RunningHost, job: dict[str, Any], **changes: Any) -> None:
    names = ", ".join(f"{name} = ?" for name in changes)
    execute = host.frame.get_service("database").execute
    host.run(execute(f"UPDATE arkham_export_jobs SET {names} WHERE id = ?", [*changes.values(), job["id"]]))


def test_every_answer_of_a_file_tells_the_same_of_it(host: RunningHost) -> None:
    job, whole = host.export("claims", "csv")
    part = host.client.get(job["download_url"], headers={"Range": "bytes=3-9"})
    head = host.client.head(job["download_url"])
    assert [each.status_code for each in (whole, part, head)] == [200, 206, 200]
    for name in TOLD:
        assert whole.headers[name] == part.headers[name] == head.headers[name], name
    # Of all of it, also where a part is sent.
    assert whole.headers["repr-digest"] == digest(whole.content)
    assert int(whole.headers["export-records"]) == job["record_count"] > 0
    assert int(whole.headers["export-skipped"]) == job["metadata"]["completeness"]["skipped"]
    adjusted = sum(each["count"] for each in job["metadata"]["adjustments"])
    assert int(whole.headers["export-adjusted"]) == adjusted
    expires = parsedate_to_datetime(whole.headers["expires"])
    assert expires.isoformat()[:19] == job["expires_at"][:19]
    assert whole.headers["expires"].endswith("GMT")
    # A HEAD tells what a GET would, and nothing else.
    without = {"date", "server"}
    assert {k: v for k, v in head.headers.items() if k not in without} == {
        k: v for k, v in whole.headers.items() if k not in without
    }


def test_what_was_left_out_is_counted(host: RunningHost) -> None:
    job, _ = host.export("claims", "csv", options={"max_records": 2})
    answer = host.client.head(job["download_url"])
    assert answer.headers["export-records"] == "2"
    assert int(answer.headers["export-skipped"]) == job["metadata"]["completeness"]["skipped"] > 0


@pytest.mark.parametrize(
    "metadata",
    [{}, {"completeness": None, "adjustments": "x"}, {"completeness": {"skipped": "1\r\nX-Evil: 1"}, "adjustments": [1, {}]}],
)  # fmt: skip
def test_of_an_odd_job_no_more_is_told_than_is_known(host: RunningHost, metadata: dict[str, Any]) -> None:
    job, whole = host.export("claims", "csv")
    change(host, job, metadata=json.dumps(metadata), expires_at=None)
    answer = host.client.get(job["download_url"])
    assert (answer.status_code, answer.content) == (200, whole.content)
    assert not {"etag", "repr-digest", "expires", "export-skipped", "x-evil"} & set(answer.headers)
    assert answer.headers["export-records"] == str(job["record_count"])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_that_the_client_has_is_not_sent_again(host: RunningHost, method: str) -> None:
    job, whole = host.export("claims", "csv")
    tag = whole.headers["etag"]
    for condition in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        headers = {"If-None-Match": condition, "Range": "bytes=0-3"}
        answer = host.client.request(method, job["download_url"], headers=headers)
        assert (answer.status_code, answer.content) == (304, b""), condition
        for name in ("etag", "expires", "last-modified"):
            assert answer.headers[name] == whole.headers[name]
        assert not {"content-length", "content-type", "content-range", "repr-digest"} & set(answer.headers)
    since = {"If-Modified-Since": whole.headers["last-modified"]}
    assert host.client.request(method, job["download_url"], headers=since).status_code == 304
    for headers in ({"If-None-Match": '"x"'}, {"If-None-Match": '"x"', **since}, {"If-None-Match": tag[1:]}):
        answer = host.client.request(method, job["download_url"], headers=headers)
        assert (answer.status_code, answer.headers["etag"]) == (200, tag)
    # What is not sent is no download.
    sent = 4 if method == "GET" else 1
    assert host.events_of(job["id"]).count("export.file.downloaded") <= sent


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_part_of_another_file_is_not_sent(host: RunningHost, method: str) -> None:
    job, whole = host.export("claims", "csv")
    tag = whole.headers["etag"]
    for condition in ('"x"', f"W/{tag}", "nonsense"):
        headers = {"If-Match": condition, "Range": "bytes=0-3", "If-None-Match": tag}
        answer = host.client.request(method, job["download_url"], headers=headers)
        assert answer.status_code == 412
        assert "etag" not in answer.headers
        if method == "GET":
            assert answer.json()["detail"].endswith(".")
    for condition in (tag, "*", f'"x", {tag}'):
        headers = {"If-Match": condition, "Range": "bytes=0-3"}
        answer = host.client.request(method, job["download_url"], headers=headers)
        assert answer.status_code == (206 if method == "GET" else 200)


def test_a_range_behind_the_end_is_refused_with_the_size_of_the_file(host: RunningHost) -> None:
    job, whole = host.export("claims", "csv")
    size = len(whole.content)
    answer = host.client.get(job["download_url"], headers={"Range": f"bytes={size}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{size}"
    assert str(size) in answer.json()["detail"]
    assert not {"etag", "repr-digest", "content-disposition"} & set(answer.headers)


@pytest.mark.parametrize(
    "ranges",
    [
        "bytes=" + "0-0," * 5000,
        "bytes=" + ",".join(f"{each}-{each}" for each in range(4000)),
        "bytes=0-" + "9" * 10_000,
        "bytes=-" + "9" * 10_000,
        "bytes=" + "-" * 10_000,
        "bytes=0-0,1-",
        "bytes=\x80-1",
        "BYTES=;0-1",
    ],
)
def test_ranges_that_break_other_servers_give_the_whole_file_once(host: RunningHost, ranges: str) -> None:
    job, whole = host.export("claims", "csv")
    headers = {"Range": ranges.encode("latin-1")}
    answer = host.client.get(job["download_url"], headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.content) == (200, whole.content)
    assert "content-range" not in answer.headers


def test_two_range_headers_are_not_heeded(host: RunningHost) -> None:
    job, whole = host.export("claims", "csv")
    headers = [("Range", "bytes=0-1"), ("Range", "bytes=2-3")]
    answer = host.client.get(job["download_url"], headers=headers)
    assert (answer.status_code, answer.content) == (200, whole.content)


def test_curl_saves_a_file_under_its_name_in_any_script(host: RunningHost, tmp_path: Path) -> None:
    curl = needed("curl", "curl")
    job, whole = host.export("claims", "csv")
    change(host, job, metadata=json.dumps({**job["metadata"], "file_name": NAME}))
    url = f"{host.client.base_url}".rstrip("/") + job["download_url"]
    subprocess.run([curl, "-sS", "--fail", "-OJ", url], cwd=tmp_path, check=True, timeout=60)
    assert [each.name for each in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME).read_bytes() == whole.content


def test_a_file_that_is_kept_for_ever_has_no_expiry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_RETENTION_HOURS", "0")
    monkeypatch.setenv("ARKHAM_EXPORT_MAX_RETENTION_HOURS", "0")
    with standalone(tmp_path, demo=True) as host:
        job, whole = host.export("claims", "csv")
        assert job["expires_at"] is None
        assert "expires" not in whole.headers
        assert "expires" not in host.client.get(job["download_url"], headers={"If-None-Match": "*"}).headers
