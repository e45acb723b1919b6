"""One user or tenant cannot take a host for themselves: too many requests or downloads are refused for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import httpx
import pytest

from arkham_shard_export.jobs.filestores.folder import FolderFile
from tests.hosts import END_SECONDS, RunningHost
from tests.tenants import KINDS, A, B, of, shared_host

ANN, EVE, BEN = of(A, "ann"), of(A, "eve"), of(B, "ben")
REQUESTS = 40


@pytest.fixture(scope="module", params=KINDS)
def limited(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> Iterator[RunningHost]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARKHAM_EXPORT_MAX_STREAMS_PER_USER", "1")
        patch.setenv("ARKHAM_EXPORT_MAX_STREAMS_PER_TENANT", "2")
        patch.setenv("ARKHAM_EXPORT_MAX_REQUESTS_PER_USER", str(REQUESTS))
        with shared_host(request.param, tmp_path_factory.mktemp("rates"), postgres_server) as host:
            yield host


def refused(answer: httpx.Response, words: str) -> None:
    assert answer.status_code == 429, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    assert words in answer.json()["detail"]


def test_a_user_who_asks_too_often_is_refused_and_nobody_else(limited: RunningHost) -> None:
    busy = of(A, "busy")
    began = time.monotonic()
    answers = [limited.client.get("/api/export/formats", headers=busy) for _ in range(4 * REQUESTS)]
    brought = REQUESTS * (time.monotonic() - began) / 60
    answered = [each for each in answers if each.status_code == 200]
    assert REQUESTS <= len(answered) <= REQUESTS + brought + 1
    refused(next(each for each in answers if each.status_code != 200), "requests in a minute")
    for path in ("formats", "health", "jobs/none/download"):
        refused(limited.client.get(f"/api/export/{path}", headers=busy), "requests in a minute")
    for other in (EVE, BEN, of(A), {}):
        assert limited.client.get("/api/export/formats", headers=other).status_code == 200
    for _ in range(4 * REQUESTS):
        assert limited.client.get("/api/export/formats").status_code == 200, "nobody has no limit"


def test_pages_that_poll_are_never_refused(limited: RunningHost) -> None:
    polling = of(A, "polling")
    for _ in range(2 * REQUESTS):
        for path in ("jobs", "stats", "count"):
            assert limited.client.get(f"/api/export/{path}", headers=polling).status_code == 200
        assert limited.client.get("/api/export/jobs/none", headers=polling).status_code == 404


def until_taken(host: RunningHost, path: str, headers: dict[str, str]) -> httpx.Response:
    """The first answer to a download that is not refused because another has not quite ended."""
    deadline = time.monotonic() + END_SECONDS
    while (answer := host.client.head(path, headers=headers)).status_code == 429:
        assert time.monotonic() < deadline
        time.sleep(1)
    return answer


def test_a_download_is_counted_until_it_ends(limited: RunningHost, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {}
    for person in (ANN, EVE, of(A, "third"), BEN):
        job = limited.post("matrix", "json", headers=person).json()
        paths[person["X-User-Id"]] = f"/api/export/jobs/{limited.wait(job['id'], person)['id']}/download"
    begun, go_on = threading.Semaphore(0), threading.Event()
    read = FolderFile.read

    async def slow(self: FolderFile, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        import asyncio

        begun.release()
        await asyncio.to_thread(go_on.wait)
        async for block in read(self, start, stop):
            yield block

    monkeypatch.setattr(FolderFile, "read", slow)
    sizes: list[int] = []

    def download(person: dict[str, str]) -> None:
        url = limited.client.base_url.join(paths[person["X-User-Id"]])
        sizes.append(len(httpx.get(url, headers=person, timeout=END_SECONDS).content))

    threads = [threading.Thread(target=download, args=(person,)) for person in (ANN, EVE)]
    try:
        for each in threads:
            each.start()
            assert begun.acquire(timeout=END_SECONDS)
        refused(limited.client.get(paths["ann"], headers=ANN), "user has 1 downloads")
        refused(limited.client.get(paths["third"], headers=of(A, "third")), "tenant has 2 downloads")
        assert limited.client.head(paths["ben"], headers=BEN).status_code == 200
        assert limited.client.get("/api/export/formats", headers=ANN).status_code == 200
    finally:
        go_on.set()
        for each in threads:
            each.join(END_SECONDS)
    assert len(sizes) == 2
    assert min(sizes) > 0
    assert until_taken(limited, paths["ann"], ANN).status_code == 200


@pytest.mark.parametrize("path", ["jobs/none/download", "jobs/none/events"])
def test_a_download_that_is_refused_counts_no_more(limited: RunningHost, path: str) -> None:
    who: dict[str, Any] = of(B, f"lost {path}")
    for _ in range(5):
        assert limited.client.get(f"/api/export/{path}", headers=who).status_code == 404
