"""Waiting for a job: `Prefer: wait`, `Retry-After` and what a running job says of itself, in every host."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from arkham_shard_export.api import waiting
from arkham_shard_export.models import ExportStatus
from benchmarks.fleet import Fleet
from tests.hosts import END_SECONDS, RunningHost
from tests.listeners import KINDS, Elsewhere, Spy, quiet_host

BODY = {"target": "claims", "format": "json"}


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


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


def path(job_id: str) -> str:
    return f"/api/export/jobs/{job_id}"


def prefer(wait: object) -> dict[str, str]:
    return {"Prefer": f"wait={wait}"}


def asked(host: RunningHost, method: str, path: str, **options: Any) -> httpx.Response:
    """By a client of its own, for a request beside others."""
    return httpx.request(method, f"{host.client.base_url}{path}", timeout=END_SECONDS, **options)


def waited_for(elsewhere: Elsewhere, job_id: str) -> bool:
    return job_id in elsewhere.follower._followed


def at_rest(elsewhere: Elsewhere) -> bool:
    task = elsewhere.follower._task
    return not elsewhere.follower._followed and (task is None or task.done())


# What goes wrong


@pytest.mark.parametrize(
    "malformed", ["wait", "wait=", "wait=-1", "wait=1.5", "wait=soon", 'wait="1', "waiting=1"]
)
def test_a_preference_that_is_malformed_is_ignored(quiet: Elsewhere, malformed: str) -> None:
    job_id = quiet.create()
    answer = quiet.host.client.get(path(job_id), headers={"Prefer": malformed})
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    assert "preference-applied" not in answer.headers


def test_a_request_that_is_refused_is_refused_at_once(host: RunningHost) -> None:
    answer = host.client.post(
        "/api/export/jobs", json={"target": "nothing", "format": "json"}, headers=prefer(60)
    )
    assert answer.status_code == 422
    assert "preference-applied" not in answer.headers
    assert host.client.get(path("none"), headers=prefer(60)).status_code == 404


def test_a_database_that_fails_or_hangs_makes_nobody_wait_longer(quiet: Elsewhere) -> None:
    job_id = quiet.create()
    with Spy(quiet.host) as spy:
        spy.error = OSError("the database is gone")
        answer = quiet.host.client.get(path(job_id), headers=prefer(1))
        assert (answer.status_code, answer.json()["status"]) == (200, "pending")
        answer = quiet.host.client.post("/api/export/jobs", json=BODY, headers=prefer(1))
        assert (answer.status_code, answer.json()["status"]) == (201, "pending")
        spy.error, spy.hangs = None, True
        answer = quiet.host.client.get(path(job_id), headers=prefer(1))
        assert (answer.status_code, answer.json()["status"]) == (200, "pending")
        spy.hangs = False
    until(lambda: at_rest(quiet))


def test_a_job_that_is_purged_while_it_is_waited_for_is_not_found(
    quiet: Elsewhere, beside: ThreadPoolExecutor
) -> None:
    job_id = quiet.create()
    answer = beside.submit(asked, quiet.host, "GET", path(job_id), headers=prefer(60))
    until(lambda: waited_for(quiet, job_id))
    quiet.purge(job_id)
    assert answer.result().status_code == 404


def test_who_made_a_job_is_answered_though_it_was_purged_meanwhile(
    quiet: Elsewhere, beside: ThreadPoolExecutor
) -> None:
    before = set(quiet.follower._followed)
    answer = beside.submit(asked, quiet.host, "POST", "/api/export/jobs", json=BODY, headers=prefer(60))
    (job_id,) = until(lambda: set(quiet.follower._followed) - before)
    quiet.purge(job_id)
    assert (answer.result().status_code, answer.result().json()["id"]) == (201, job_id)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_client_that_goes_away_leaves_nothing_waiting(quiet: Elsewhere, method: str) -> None:
    job_id, before = quiet.create(), set(quiet.follower._followed)
    body = json.dumps(BODY) if method == "POST" else ""
    target = "/api/export/jobs" if method == "POST" else path(job_id)
    url = urlsplit(str(quiet.host.client.base_url))
    with socket.create_connection((url.hostname, url.port)) as client:
        head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\nContent-Type: application/json\r\n"
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        (followed,) = until(lambda: set(quiet.follower._followed) - before)
    began = time.monotonic()
    until(lambda: at_rest(quiet))
    assert time.monotonic() - began < 60, "it waited for the whole time that the client had asked for"
    # The job is there all the same.
    assert quiet.host.client.get(path(followed)).json()["status"] == "pending"


def test_a_host_that_is_told_to_stop_answers_those_who_wait(
    tmp_path: Path, beside: ThreadPoolExecutor
) -> None:
    with Fleet(tmp_path, concurrency=0) as fleet:
        host = fleet.host()
        fleet.ready()

        def post() -> httpx.Response:
            return httpx.post(
                f"{host.url}/api/export/jobs", json=BODY, headers=prefer(60), timeout=END_SECONDS
            )

        answers = [beside.submit(post) for _ in range(3)]
        until(lambda: len(fleet.jobs()) == 3)
        host.process.terminate()
        # An answer that is broken off raises.
        for each in answers:
            assert (each.result().status_code, each.result().json()["status"]) == (201, "pending")
        host.process.wait(END_SECONDS)


# What is waited for


def test_a_small_export_is_one_round_trip(host: RunningHost) -> None:
    answer = host.client.post("/api/export/jobs", json=BODY, headers=prefer(60))
    assert answer.status_code == 201
    job = answer.json()
    assert (job["status"], job["progress"]) == ("completed", None)
    assert answer.headers["preference-applied"] == "wait=60"
    assert answer.headers["location"] == path(job["id"])
    assert "retry-after" not in answer.headers
    assert host.client.get(path(job["id"])).json() == job
    assert host.client.get(job["download_url"]).status_code == 200


@pytest.mark.parametrize(
    ("preferred", "applied"), [("0", "0"), ("60", "60"), ("61", "60"), ("99999999999", "60"), ("007", "7")]
)
def test_the_answer_tells_for_how_long_it_was_ready_to_wait(
    host: RunningHost, preferred: str, applied: str
) -> None:
    job, _ = host.export("claims", "json")
    answer = host.client.get(path(job["id"]), headers=prefer(preferred))
    assert (answer.status_code, answer.json()) == (200, job)
    assert answer.headers["preference-applied"] == f"wait={applied}"


def test_who_does_not_want_to_wait_is_answered_at_once(quiet: Elsewhere) -> None:
    with Spy(quiet.host) as spy:
        for headers in ({}, prefer(0)):
            answer = quiet.host.client.post("/api/export/jobs", json=BODY, headers=headers)
            assert (answer.status_code, answer.json()["status"]) == (201, "pending")
            assert answer.headers["retry-after"] == "1"
        assert spy.looks == []


def test_when_the_time_is_over_the_job_is_told_as_it_then_is(quiet: Elsewhere) -> None:
    job_id = quiet.create()
    quiet.claim(job_id)
    began = time.monotonic()
    answer = quiet.host.client.get(path(job_id), headers=prefer(1))
    assert time.monotonic() - began >= 0.99
    assert (answer.status_code, answer.json()["status"]) == (200, "processing")
    assert answer.headers["preference-applied"] == "wait=1"
    assert answer.headers["retry-after"] == "1"
    assert answer.json() == quiet.host.client.get(path(job_id)).json()


def test_the_answer_at_the_end_of_the_time_is_no_older_than_a_look(
    quiet: Elsewhere, beside: ThreadPoolExecutor
) -> None:
    job_id = quiet.create()
    with Spy(quiet.host) as spy:
        answer = beside.submit(asked, quiet.host, "GET", path(job_id), headers=prefer(3))
        until(lambda: spy.looks)
        quiet.claim(job_id)
        quiet.note(job_id, 4)
        # Two looks that began after the change.
        seen = len(spy.looks)
        until(lambda: len(spy.looks) >= seen + 2 or answer.done())
        job = answer.result().json()
    assert (job["status"], job["progress"]["done"]) == ("processing", 40)
    assert job["started_at"] == quiet.host.client.get(path(job_id)).json()["started_at"]


@pytest.mark.parametrize("status", [ExportStatus.COMPLETED, ExportStatus.FAILED, ExportStatus.CANCELLED])
def test_whatever_ends_a_job_in_whatever_process_ends_the_wait(
    quiet: Elsewhere, beside: ThreadPoolExecutor, status: ExportStatus
) -> None:
    job_id = quiet.create()
    quiet.claim(job_id)
    answers: list[Future[httpx.Response]] = [
        beside.submit(asked, quiet.host, "GET", path(job_id), headers=prefer(60)) for _ in range(2)
    ]
    until(lambda: waited_for(quiet, job_id))
    quiet.note(job_id, 1)
    quiet.finish(job_id, status)
    for each in answers:
        assert each.result().json() == quiet.host.client.get(path(job_id)).json()
        assert each.result().json()["status"] == status
        assert "retry-after" not in each.result().headers
    until(lambda: at_rest(quiet))


# What a running job says of itself


def test_a_running_job_says_how_far_it_is_and_when_to_ask_again(quiet: Elsewhere) -> None:
    job_id, client = quiet.create(), quiet.host.client

    def shown() -> tuple[Any, str | None]:
        answer = client.get(path(job_id))
        listed = client.get("/api/export/jobs", params={"limit": 500}).json()["jobs"]
        (same,) = [each for each in listed if each["id"] == job_id]
        assert same == answer.json()
        return answer.json()["progress"], answer.headers.get("retry-after")

    assert shown() == (None, "1")
    quiet.claim(job_id)
    nothing = {"done": 0, "expected": None, "percent": None, "bytes": 0, "seconds_left": None}
    assert shown() == ({"phase": "starting", **nothing}, "1")
    quiet.note(job_id, 3, seconds_left=4.2)
    known = {"done": 30, "expected": 100, "percent": 30.0, "bytes": 21, "seconds_left": 4.2}
    assert shown() == ({"phase": "writing", **known}, "5")
    quiet.note(job_id, 4, seconds_left=4000.0)
    assert shown()[1] == str(waiting.MOST_RETRY_SECONDS)
    quiet.hand_back(job_id)
    assert shown() == (None, "1")
    quiet.finish(job_id, ExportStatus.CANCELLED)
    assert shown() == (None, None)
