"""The course of a job as Server-Sent Events, over real HTTP, in every host."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from arkham_shard_export.api import streams
from arkham_shard_export.jobs.following import LOOK_SECONDS, MOST_AT_ONCE
from arkham_shard_export.models import ExportStatus
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from benchmarks.fleet import Fleet, free_port
from benchmarks.measure import ROOT
from tests.conftest import new_database
from tests.hosts import END_SECONDS, RunningHost
from tests.listeners import (
    KINDS,
    Elsewhere,
    Spy,
    events_path,
    heard,
    listening,
    quiet_host,
    told,
    without_progress,
)

LISTENERS = 200
TENANT, OTHER = "5b6a2c3e-8a5e-4a7e-9a56-0f0a6d1d9b11", "0d0f2f60-53d8-4c1e-8e0c-7a3a1f6f2c22"
PENDING, BEGUN = ("0.2.0", "state", "pending"), ("1.1.0", "state", "processing")


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + END_SECONDS
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)
    return found


@pytest.fixture(scope="module", params=KINDS)
def quiet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> Iterator[Elsewhere]:
    with quiet_host(request.param, tmp_path_factory.mktemp("quiet"), postgres_server) as host:
        yield Elsewhere(host)


def at_rest(elsewhere: Elsewhere) -> bool:
    """Whether nobody waits, and nothing is left of those who did."""
    follower = elsewhere.follower
    task = follower._task
    return not follower._followed and not follower.listeners and (task is None or task.done())


# What goes wrong


@pytest.mark.parametrize("job_id", ["none", "x" * 129, "%00", "..%2f"])
def test_a_job_that_is_not_there_has_no_stream(host: RunningHost, job_id: str) -> None:
    answer = host.client.get(events_path(job_id))
    assert answer.status_code == 404
    assert answer.json()["detail"]


def test_over_the_limit_of_listeners_others_are_told_to_come_again(
    tmp_path: Path, postgres_server: str
) -> None:
    with quiet_host("arkhamframe", tmp_path, postgres_server, MAX_LISTENERS="1") as host:
        elsewhere = Elsewhere(host)
        job_id = elsewhere.create()
        with listening(host.client, job_id) as stream:
            next(stream)
            answer = host.client.get(events_path(job_id))
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert "1 listeners" in answer.json()["detail"]
            assert host.client.get(f"/api/export/jobs/{job_id}").status_code == 200
        until(lambda: at_rest(elsewhere))
        elsewhere.finish(job_id, ExportStatus.CANCELLED)
        assert heard(host.client, job_id)[-1][1] == "end"


def test_streams_outlive_a_database_that_fails(quiet: Elsewhere) -> None:
    job_id = quiet.create()
    with Spy(quiet.host) as spy, listening(quiet.host.client, job_id) as stream:
        assert next(stream).step == PENDING
        spy.error = OSError("the database is gone")
        failed = len(spy.looks)
        until(lambda: len(spy.looks) > failed + 1)
        quiet.claim(job_id)
        spy.error = None
        assert next(stream).step == BEGUN
        spy.error = RuntimeError("a fault of ours")
        failed = len(spy.looks)
        until(lambda: len(spy.looks) > failed + 1)
        quiet.finish(job_id, ExportStatus.FAILED)
        spy.error = None
        assert next(stream).step == ("1.3.0", "end", "failed")


def test_the_stream_of_a_job_that_is_purged_ends_without_an_end(quiet: Elsewhere) -> None:
    job_id = quiet.create()
    with listening(quiet.host.client, job_id) as stream:
        assert next(stream).step == PENDING
        quiet.purge(job_id)
        assert list(stream) == []
    assert quiet.host.client.get(events_path(job_id)).status_code == 404


def test_a_client_that_goes_away_leaves_nothing_running(
    quiet: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nor is it a comment that cannot be sent which tells.
    monkeypatch.setattr(streams, "IDLE_SECONDS", 3600.0)
    job_id = quiet.create()
    url = urlsplit(str(quiet.host.client.base_url))
    with socket.create_connection((url.hostname, url.port)) as client:
        client.sendall(f"GET {events_path(job_id)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        until(lambda: quiet.follower.listeners == 1)
    until(lambda: at_rest(quiet))

    async def tasks() -> list[str]:
        return [each.get_name() for each in asyncio.all_tasks() if each.get_name() == "arkham-export-client"]

    until(lambda: quiet.host.run(tasks()) == [])


def test_streams_end_when_the_shard_is_switched_off(tmp_path: Path, postgres_server: str) -> None:
    with quiet_host("arkhamframe", tmp_path, postgres_server) as host:
        job_id = Elsewhere(host).create()
        with listening(host.client, job_id) as stream:
            assert next(stream).step == PENDING
            assert host.run(host.app.state.shard_loader.disable("export"))
            assert list(stream) == []
        assert host.client.get(events_path(job_id)).status_code == 503


def served_frame(url: str, folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    port = free_port()
    words = [sys.executable, "-m", "arkham_frame", "--database-url", url, "--storage-dir", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}:{ROOT}/tests/arkhamframe")
        patch.setenv("ARKHAM_EXPORT_CONCURRENCY", "0")
        process = subprocess.Popen([*words, "--port", str(port)], stderr=subprocess.DEVNULL)
    return process, f"http://127.0.0.1:{port}"


def serves(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/export/count", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def test_a_host_of_arkhamframe_that_is_told_to_stop_ends_its_streams(
    tmp_path: Path, postgres_url: str
) -> None:
    """uvicorn waits for all answers, for ever here, before it tells the application that it stops."""
    from tables import create_peer_tables

    create_peer_tables(postgres_url)
    process, url = served_frame(postgres_url, tmp_path)
    try:
        until(lambda: serves(url))
        with httpx.Client(base_url=url, timeout=END_SECONDS) as client:
            body = {"target": "claims", "format": "json"}
            job_id = client.post("/api/export/jobs", json=body).json()["id"]
            with listening(client, job_id) as stream:
                assert next(stream).step == PENDING
                process.send_signal(signal.SIGTERM)
                # A stream that is broken off raises.
                assert list(stream) == []
        process.wait(END_SECONDS)
    finally:
        process.kill()
        process.wait()


def test_a_standalone_host_that_is_told_to_stop_ends_its_streams_and_the_next_one_goes_on(
    tmp_path: Path,
) -> None:
    with Fleet(tmp_path, concurrency=0) as fleet:
        member = fleet.host()
        fleet.ready()
        with httpx.Client(base_url=member.url, timeout=END_SECONDS) as client:
            body = {"target": "claims", "format": "json"}
            job_id = client.post("/api/export/jobs", json=body).json()["id"]
            with listening(client, job_id) as stream:
                first = next(stream)
                assert first.step == PENDING
                member.process.send_signal(signal.SIGTERM)
                assert list(stream) == []
        assert member.process.wait(END_SECONDS) in (0, -signal.SIGTERM)
        member.settings["ARKHAM_EXPORT_CONCURRENCY"] = "1"
        member.start()
        fleet.ready()
        with httpx.Client(base_url=member.url, timeout=END_SECONDS) as client:
            assert without_progress(heard(client, job_id, first.id)) == [BEGUN, ("1.3.0", "end", "completed")]


# What is told


@pytest.mark.parametrize(("target", "format"), [("claims", "csv"), ("matrix", "xlsx")])
def test_a_listener_hears_the_whole_course_of_a_job(host: RunningHost, target: str, format: str) -> None:
    job_id = host.post(target, format).json()["id"]
    with listening(host.client, job_id) as stream:
        events = list(stream)
    assert without_progress(each.step for each in events) == [PENDING, BEGUN, ("1.3.0", "end", "completed")]
    assert events[-1].data == host.client.get(f"/api/export/jobs/{job_id}").json()
    assert {each.data["id"] for each in events} == {job_id}
    assert set(events[0].data) == {"id", "status", "progress"}


def test_who_comes_when_all_is_over_hears_the_same(host: RunningHost) -> None:
    job, _ = host.export("claims", "json")
    for _ in range(2):
        steps = heard(host.client, job["id"])
        assert steps == [PENDING, BEGUN, ("1.3.0", "end", "completed")]


def test_a_stream_is_kept_by_nobody_and_buffered_by_nobody(host: RunningHost) -> None:
    job, _ = host.export("claims", "json")
    with host.client.stream("GET", events_path(job["id"])) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "no-store" in answer.headers["cache-control"]
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-length" not in answer.headers
        lines = list(answer.iter_lines())
    assert lines[0] == f"retry: {streams.RETRY_MS}"


def test_progress_is_told_as_a_job_shows_it(quiet: Elsewhere) -> None:
    job_id = quiet.create()
    quiet.claim(job_id)
    with listening(quiet.host.client, job_id) as stream:
        assert [next(stream).step, next(stream).step] == [PENDING, BEGUN]
        quiet.note(job_id, 1)
        first = next(stream)
        assert first.step == ("1.1.1", "progress", "processing")
        assert first.data["progress"] == {
            "phase": "writing", "done": 10, "expected": 100, "percent": 10.0, "bytes": 7, "seconds_left": 20.0,
        }  # fmt: skip
        shown = quiet.host.client.get(f"/api/export/jobs/{job_id}").json()
        assert shown["progress"] == first.data["progress"]
        quiet.note(job_id, 4)
        assert next(stream).step == ("1.1.4", "progress", "processing")
        quiet.finish(job_id)
        end = next(stream)
        assert end.step == ("1.3.0", "end", "completed")
        assert end.data["progress"] is None
        assert list(stream) == []


def test_a_job_that_is_cancelled_here_ends_the_stream(quiet: Elsewhere) -> None:
    job_id = quiet.create()
    with listening(quiet.host.client, job_id) as stream:
        assert next(stream).step == PENDING
        assert quiet.host.client.delete(f"/api/export/jobs/{job_id}").status_code == 204
        assert [each.step for each in stream] == [("0.3.0", "end", "cancelled")]


def test_what_this_process_changes_is_told_without_waiting_for_the_next_look(
    quiet: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arkham_shard_export.jobs.following.LOOK_SECONDS", 3600.0)
    job_id = quiet.create()
    with listening(quiet.host.client, job_id) as stream:
        assert next(stream).step == PENDING
        assert quiet.host.client.delete(f"/api/export/jobs/{job_id}").status_code == 204
        assert next(stream).step == ("0.3.0", "end", "cancelled")
    monkeypatch.undo()
    until(lambda: at_rest(quiet))


def test_comments_keep_an_idle_connection_alive(quiet: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "IDLE_SECONDS", 0.05)
    job_id = quiet.create()
    with quiet.host.client.stream("GET", events_path(job_id)) as answer:
        lines = answer.iter_lines()
        comments = 0
        while comments < 3:
            comments += next(lines) == ":"
        quiet.finish(job_id, ExportStatus.CANCELLED)
        assert [each.step for each in told(lines)] == [("0.3.0", "end", "cancelled")]


# Going on


def test_who_was_cut_off_hears_what_came_after_and_nothing_twice(quiet: Elsewhere) -> None:
    client, job_id = quiet.host.client, quiet.create()
    quiet.claim(job_id)
    quiet.note(job_id, 3)
    with listening(client, job_id) as stream:
        last = [next(stream) for _ in range(3)][-1]
    assert last.step == ("1.1.3", "progress", "processing")
    with listening(client, job_id, last.id) as stream:
        quiet.note(job_id, 5)
        last = next(stream)
        assert last.step == ("1.1.5", "progress", "processing")
    quiet.hand_back(job_id)
    quiet.claim(job_id)
    quiet.note(job_id, 1)
    quiet.finish(job_id, ExportStatus.FAILED)
    rest = [("1.2.0", "state", "pending"), ("2.1.0", "state", "processing"), ("2.3.0", "end", "failed")]
    assert heard(client, job_id, last.id) == rest
    for number, (position, _, _) in enumerate(rest[:-1]):
        assert heard(client, job_id, position) == rest[number + 1 :]


def test_who_has_heard_the_end_is_told_to_ask_no_more(quiet: Elsewhere) -> None:
    job_id = quiet.create()
    quiet.finish(job_id, ExportStatus.CANCELLED)
    (*_, (last, _, _)) = heard(quiet.host.client, job_id)
    answer = quiet.host.client.get(events_path(job_id), headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("after", ["", "x", "1.1", "9.9.9", "1.1.0; DROP", "99999999999.1.0"])
def test_an_id_that_is_none_of_ours_begins_the_stream_anew(quiet: Elsewhere, after: str) -> None:
    job_id = quiet.create()
    quiet.finish(job_id, ExportStatus.CANCELLED)
    assert heard(quiet.host.client, job_id, after) == [PENDING, ("0.3.0", "end", "cancelled")]


def test_a_stream_goes_on_after_a_restart_of_its_host(tmp_path: Path, postgres_server: str) -> None:
    url = new_database(postgres_server)
    for kind in KINDS:
        data_dir = tmp_path / kind
        url = new_database(postgres_server)
        with quiet_host(kind, data_dir, postgres_server, url) as host:
            elsewhere = Elsewhere(host)
            job_id = elsewhere.create()
            elsewhere.claim(job_id)
            elsewhere.note(job_id, 2)
            with listening(host.client, job_id) as stream:
                last = [next(stream) for _ in range(3)][-1]
        with quiet_host(kind, data_dir, postgres_server, url) as host:
            elsewhere = Elsewhere(host)
            with listening(host.client, job_id, last.id) as stream:
                elsewhere.note(job_id, 3)
                assert next(stream).step == ("1.1.3", "progress", "processing")
                elsewhere.finish(job_id)
                assert [each.step for each in stream] == [("1.3.0", "end", "completed")]


def test_a_stream_begun_at_one_host_goes_on_at_another_while_a_third_process_works(
    postgres_url: str, tmp_path: Path
) -> None:
    seed_postgres(postgres_url, 2000, targets=["claims"])
    with Fleet(tmp_path, postgres_url) as fleet:
        one, other = fleet.host(concurrency=0), fleet.host(concurrency=0)
        fleet.ready()
        with (
            httpx.Client(base_url=one.url, timeout=END_SECONDS) as first,
            httpx.Client(base_url=other.url, timeout=END_SECONDS) as second,
        ):
            body = {"target": "claims", "format": "xlsx"}
            job_id = first.post("/api/export/jobs", json=body).json()["id"]
            with listening(first, job_id) as stream, listening(second, job_id) as beside:
                begun = next(stream)
                assert next(beside).step == begun.step == PENDING
                fleet.worker()
                last = next(stream)
                assert last.step == BEGUN
                rest = without_progress(each.step for each in beside)
            assert rest == [BEGUN, ("1.3.0", "end", "completed")]
            assert without_progress(heard(second, job_id, last.id)) == rest[1:]
            ended = second.get(f"/api/export/jobs/{job_id}").json()
            waited = first.post("/api/export/jobs", json=body, headers={"Prefer": "wait=60"}).json()
        assert (waited["status"], waited["record_count"]) == ("completed", ended["record_count"])


# Rights


@pytest.mark.parametrize("kind", ["arkhamframe", "standalone"])
def test_only_who_may_see_a_job_hears_of_it_and_goes_on_to_when_the_request_is_past(
    kind: str, tmp_path: Path, postgres_server: str
) -> None:
    with quiet_host(kind, tmp_path, postgres_server) as host:
        elsewhere = Elsewhere(host)
        job_id = elsewhere.create(TENANT, created_by="ann")
        mine = {"X-Tenant-Id": TENANT, "X-User-Id": "ann"}
        none = host.client.get(events_path("none"), headers=mine).json()
        for headers in (
            {"X-Tenant-Id": OTHER, "X-User-Id": "ann"},
            {"X-Tenant-Id": TENANT, "X-User-Id": "bob"},
            {"X-Tenant-Id": OTHER, "X-User-Id": "bob", "X-User-Role": "admin"},
        ):
            answer = host.client.get(events_path(job_id), headers=headers)
            assert (answer.status_code, answer.json()) == (404, none)
        with listening(host.client, job_id, headers=mine) as stream:
            assert next(stream).step == PENDING
            elsewhere.claim(job_id)
            assert next(stream).step == BEGUN
            elsewhere.finish(job_id)
            end = next(stream)
        assert end.data == host.client.get(f"/api/export/jobs/{job_id}", headers=mine).json()


# Many


def test_two_hundred_listeners_to_one_job_cost_no_more_statements_than_one(quiet: Elsewhere) -> None:
    job_id = quiet.create()
    url = str(quiet.host.client.base_url)

    async def listen(client: httpx.AsyncClient, at: asyncio.Barrier) -> list[tuple[str, str, str]]:
        steps = []
        async with client.stream("GET", f"{url}{events_path(job_id)}") as answer:
            lines: list[str] = []
            async for line in answer.aiter_lines():
                lines.append(line)
                for each in told(lines):
                    steps.append(each.step)
                    lines.clear()
                    if each.step == PENDING:
                        await at.wait()
        return steps

    async def all_listen() -> list[list[tuple[str, str, str]]]:
        at = asyncio.Barrier(LISTENERS + 1)
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(timeout=END_SECONDS, limits=limits) as client,
            asyncio.TaskGroup() as group,
        ):
            tasks = [group.create_task(listen(client, at)) for _ in range(LISTENERS)]
            await at.wait()
            assert quiet.follower.listeners == LISTENERS
            spy.looks.clear()
            began = time.monotonic()
            await asyncio.to_thread(quiet.claim, job_id)
            await asyncio.to_thread(quiet.finish, job_id)
            await asyncio.gather(*tasks)
            # However long it took, there is a look in each LOOK_SECONDS at most, and one that had begun.
            assert len(spy.looks) <= (time.monotonic() - began) / LOOK_SECONDS + 1
        return [each.result() for each in tasks]

    with Spy(quiet.host) as spy:
        courses = asyncio.run(all_listen())
        assert courses == [[PENDING, BEGUN, ("1.3.0", "end", "completed")]] * LISTENERS
        assert all(each == [job_id] for each in spy.looks)
        until(lambda: at_rest(quiet))
        looks = len(spy.looks)
        quiet.finish(quiet.create(), ExportStatus.CANCELLED)
        assert len(spy.looks) == looks


def test_many_jobs_are_looked_at_in_statements_that_are_small(quiet: Elsewhere) -> None:
    ids = [quiet.create() for _ in range(MOST_AT_ONCE + 5)]

    async def follow_all() -> None:
        follower = (await quiet.host.shard.service()).follower
        import contextlib

        with contextlib.ExitStack() as stack:
            followed = [stack.enter_context(follower.follow(each)) for each in ids]
            for each in followed:
                while each.state is None:
                    assert await each.change(END_SECONDS)

    with Spy(quiet.host) as spy:
        quiet.host.run(follow_all())
    assert sorted(map(len, spy.looks[:2])) == [5, MOST_AT_ONCE]
    assert sorted(spy.looks[0] + spy.looks[1]) == sorted(ids)
    until(lambda: at_rest(quiet))


def test_a_job_that_fails_tells_why_in_its_end(tmp_path: Path) -> None:
    seed_sqlite(tmp_path / "data", 20, targets=["claims"])
    with Fleet(tmp_path, max_attempts=1) as fleet:
        host = fleet.host(job_timeout_seconds=0.001)
        fleet.ready()
        with httpx.Client(base_url=host.url, timeout=END_SECONDS) as client:
            body = {"target": "claims", "format": "json"}
            job_id = client.post("/api/export/jobs", json=body).json()["id"]
            with listening(client, job_id) as stream:
                (*_, end) = stream
    assert end.step == ("1.3.0", "end", "failed")
    assert "longer than" in end.data["error"]
