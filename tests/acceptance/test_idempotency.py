"""`Idempotency-Key` over HTTP: the same request sent again is the same job, whatever has died and whoever asks."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.hosts import END_SECONDS, RunningHost, standalone
from tests.integration.test_crash import HostProcess, free_port

JOBS = "/api/export/jobs"
BODY: dict[str, Any] = {"format": "csv", "target": "claims", "filters": {"status": ["verified", "disputed"]}}
TENANT = "5b6a2c3e-8a5e-4a7e-9a56-0f0a6d1d9b11"


def keyed(key: str | None = None, **headers: str) -> dict[str, str]:
    return {"Idempotency-Key": key or uuid4().hex, **headers}


def total(host: RunningHost) -> int:
    return int(host.client.get(JOBS).json()["total"])


def refused(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    detail = answer.json()["detail"]
    assert isinstance(detail, str)
    return detail


@pytest.mark.parametrize(
    "key",
    ["", '""', "k" * 256, '"' + "k" * 256 + '"', '"open', '"a"b"', '"a";b=1', "a\tb", "\x85", "a\xa0b"],
)
def test_a_key_that_is_none_is_refused_and_makes_no_job(host: RunningHost, key: str) -> None:
    before = total(host)
    answer = host.client.post(JOBS, json=BODY, headers={"Idempotency-Key": key.encode("latin-1")})  # type: ignore[dict-item]
    assert "Idempotency-Key must be one text of 1 to 255 printable characters" in refused(answer, 422)
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
    assert total(host) == before


def test_two_keys_in_one_request_are_refused(host: RunningHost) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    refused(host.client.post(JOBS, json=BODY, headers=headers), 422)


def test_a_body_that_nests_without_end_is_refused_with_a_key_as_without(host: RunningHost) -> None:
    for depth in (50, 200, 330, 500, 900, 5000):
        text = '{"format": "csv", "target": "claims", "filters": {"a": ' + "[" * depth + "]" * depth + "}}"
        headers = keyed(**{"Content-Type": "application/json"})
        refused(host.client.post(JOBS, content=text, headers=headers), 422)


def test_another_body_under_a_key_is_refused_and_the_first_still_stands(host: RunningHost) -> None:
    headers = keyed()
    first = host.client.post(JOBS, json=BODY, headers=headers)
    before = total(host)
    for other in ({**BODY, "format": "json"}, {**BODY, "filters": {"status": ["disputed", "verified"]}},
                  {**BODY, "retention_hours": 1}):  # fmt: skip
        answer = host.client.post(JOBS, json=other, headers=headers)
        assert "came with another request" in refused(answer, 422)
    assert host.client.post(JOBS, json=BODY, headers=headers).json()["id"] == first.json()["id"]
    assert total(host) == before


def test_a_refused_request_leaves_its_key_free(host: RunningHost) -> None:
    headers = keyed()
    for body in ({**BODY, "format": "papyrus"}, {"format": "csv"}, {**BODY, "retention_hours": -5}):
        refused(host.client.post(JOBS, json=body, headers=headers), 422)
    answer = host.client.post(JOBS, json=BODY, headers=headers)
    assert answer.status_code == 201
    assert "idempotency-replayed" not in answer.headers


def test_the_same_request_is_answered_with_the_same_job_as_it_is_now(host: RunningHost) -> None:
    headers = keyed()
    first = host.client.post(JOBS, json=BODY, headers=headers)
    assert first.status_code == 201
    assert "idempotency-replayed" not in first.headers
    job = host.wait(first.json()["id"])
    before = total(host)
    # Other spaces, another order, and what is left out written down, are the same request.
    text = b'{"options": null,"target":"claims", "filters":{ "status":["verified","disputed"]},"format" : "csv" }'
    for content in (None, text):
        again = (
            host.client.post(JOBS, json=BODY, headers=headers)
            if content is None
            else host.client.post(
                JOBS, content=content, headers={**headers, "Content-Type": "application/json"}
            )
        )
        assert again.status_code == 201
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["location"] == first.headers["location"] == f"{JOBS}/{job['id']}"
        assert again.json() == host.client.get(f"{JOBS}/{job['id']}").json()
        assert again.json()["status"] == "completed"
    assert total(host) == before
    assert host.events_of(job["id"]).count("export.job.created") == 1


def test_a_key_in_quotation_marks_is_the_text_between_them(host: RunningHost) -> None:
    name = uuid4().hex
    first = host.client.post(JOBS, json=BODY, headers=keyed(name)).json()["id"]
    assert host.client.post(JOBS, json=BODY, headers=keyed(f'"{name}"')).json()["id"] == first
    escaped = host.client.post(JOBS, json=BODY, headers=keyed(f'"{name} \\"\\\\"')).json()["id"]
    assert host.client.post(JOBS, json=BODY, headers=keyed(f'{name} "\\')).json()["id"] == escaped != first


def test_without_a_key_the_same_request_is_another_job(host: RunningHost) -> None:
    assert len({host.client.post(JOBS, json=BODY).json()["id"] for _ in range(2)}) == 2


def test_a_request_whose_key_was_claimed_a_moment_ago_is_told_to_come_again(host: RunningHost) -> None:
    """As two requests at once would see it, held still."""
    headers = keyed()
    first = host.client.post(JOBS, json=BODY, headers=headers).json()["id"]
    host.wait(first)
    run = host.frame.get_service("database").execute
    host.run(run("DELETE FROM arkham_export_jobs WHERE id = ?", [first]))
    before = total(host)
    answer = host.client.post(JOBS, json=BODY, headers=headers)
    assert "try again" in refused(answer, 409)
    assert int(answer.headers["retry-after"]) > 0
    assert total(host) == before
    host.run(run("UPDATE arkham_export_request_keys SET claimed_until = 0"))
    answer = host.client.post(JOBS, json=BODY, headers=headers)
    assert answer.status_code == 201
    assert "idempotency-replayed" not in answer.headers
    assert host.wait(answer.json()["id"])["status"] == "completed"


def test_requests_at_the_same_instant_make_one_job(host: RunningHost) -> None:
    before, rounds, at_once = total(host), 12, 8
    body = {**BODY, "options": {"max_records": 1}}
    with ThreadPoolExecutor(at_once) as pool:
        for _ in range(rounds):
            headers, start = keyed(), threading.Barrier(at_once)

            def send(_: int, headers: dict[str, str] = headers, start: threading.Barrier = start) -> Any:
                start.wait()
                return host.client.post(JOBS, json=body, headers=headers)

            answers = list(pool.map(send, range(at_once)))
            assert {each.status_code for each in answers} <= {201, 409}
            made = [each for each in answers if each.status_code == 201]
            assert len({each.json()["id"] for each in made}) == 1
            assert sum("idempotency-replayed" not in each.headers for each in made) == 1
    assert total(host) == before + rounds


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHost]:
    """A host that believes in users and tenants, and runs no job."""
    monkeypatch.setenv("ARKHAM_EXPORT_CONCURRENCY", "0")
    monkeypatch.setenv("ARKHAM_EXPORT_MAX_ACTIVE_PER_USER", "1")
    with standalone(tmp_path, demo=True, trust_headers=True) as running:
        yield running


def test_a_key_belongs_to_one_user_of_one_tenant(users: RunningHost) -> None:
    callers: list[dict[str, str]] = [
        {},
        {"X-User-Id": "system"},
        {"X-User-Id": "ann"},
        {"X-User-Id": "bob"},
        {"X-User-Id": "ann", "X-Tenant-Id": TENANT},
        {"X-Tenant-Id": TENANT},
    ]
    answers = [users.client.post(JOBS, json=BODY, headers=keyed("same", **each)) for each in callers]
    assert [each.status_code for each in answers] == [201] * len(callers)
    ids = [each.json()["id"] for each in answers]
    assert len(set(ids)) == len(callers)
    for caller, job_id in zip(callers, ids, strict=True):
        other = {**BODY, "format": "json"}
        answer = users.client.post(JOBS, json=other, headers=keyed("same", **caller))
        assert "came with another request" in refused(answer, 422)
        again = users.client.post(
            JOBS, json=BODY, headers=keyed("same", **caller, **{"X-User-Role": "admin"})
        )
        assert again.json()["id"] == job_id
        assert again.headers["idempotency-replayed"] == "true"


def test_a_request_that_is_too_many_leaves_its_key_free_and_a_repeated_one_is_not_counted(
    users: RunningHost,
) -> None:
    ann, key = {"X-User-Id": "ann"}, uuid4().hex
    first = users.client.post(JOBS, json=BODY, headers=keyed("first", **ann))
    assert users.client.post(JOBS, json=BODY, headers=keyed("first", **ann)).json() == first.json()
    other = {**BODY, "format": "json"}
    for body in (BODY, other, BODY):
        refused(users.client.post(JOBS, json=body, headers=keyed(key, **ann)), 429)
    users.client.delete(first.headers["location"], headers=ann)
    answer = users.client.post(JOBS, json=other, headers=keyed(key, **ann))
    assert answer.status_code == 201
    cancelled = users.client.post(JOBS, json=BODY, headers=keyed("first", **ann))
    assert (cancelled.json()["id"], cancelled.json()["status"]) == (first.json()["id"], "cancelled")


def test_a_store_that_is_full_leaves_the_key_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_MIN_FREE_MIB", "2000000000")
    headers = keyed()
    with standalone(tmp_path, demo=True) as host:
        refused(host.client.post(JOBS, json=BODY, headers=headers), 507)
        assert host.query("SELECT COUNT(*) FROM arkham_export_request_keys") == [(0,)]


def test_keys_whose_day_is_over_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_CONCURRENCY", "0")
    monkeypatch.setenv("ARKHAM_EXPORT_SWEEP_SECONDS", "1")
    with standalone(tmp_path, demo=True) as host:
        for key in ("old", "new"):
            assert host.client.post(JOBS, json=BODY, headers=keyed(key)).status_code == 201
        run = host.frame.database.execute
        ids = "SELECT id FROM arkham_export_request_keys ORDER BY expires_at"
        (old,), (new,) = host.query(ids)
        host.run(run("UPDATE arkham_export_request_keys SET expires_at = 1 WHERE id = ?", [old]))
        swept = threading.Event()
        deadline = END_SECONDS * 10
        while host.query(ids) != [(new,)] and deadline > 0:
            deadline -= 1
            swept.wait(0.1)
        assert host.query(ids) == [(new,)]


# Several processes, and the end of one

KILLED_AT = """
import os, signal, sys
from arkham_shard_export.jobs.table import requestkeys
from arkham_shard_export.standalone import database

requestkeys.CLAIM_SECONDS = 1.0
name, statement, when = sys.argv.pop(1), sys.argv.pop(1), sys.argv.pop(1)
service = getattr(database, name)
execute = service.execute

async def dying(self, sql, params=None):
    met = statement in sql
    if met and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    await execute(self, sql, params)
    if met:
        os.kill(os.getpid(), signal.SIGKILL)

if statement:
    service.execute = dying
from arkham_shard_export.cli import main
main()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Starts hosts in processes of their own over the same data; `at` names a statement to die before or after."""
    with_url = request.param == "postgresql"
    options = ["--database-url", request.getfixturevalue("postgres_url")] if with_url else []
    service = "PostgresService" if with_url else "SqliteService"
    started: list[HostProcess] = []

    def begin(at: tuple[str, str] = ("", ""), folder: str = "data") -> HostProcess:
        port = free_port()
        serve = ["serve", "--data", str(tmp_path / folder), "--port", str(port), *options]
        environment = {"ARKHAM_EXPORT_CONCURRENCY": "0", "ARKHAM_EXPORT_STORE": str(tmp_path / "exports")}
        host = HostProcess(["-c", KILLED_AT, service, *at, *serve], environment, port)
        started.append(host)
        return host

    yield begin
    for host in started:
        if host.process.poll() is None:
            host.end(signal.SIGTERM)


@pytest.mark.parametrize(
    ("statement", "when"),
    [
        ("INSERT INTO arkham_export_request_keys", "after"),
        ("INSERT INTO arkham_export_jobs", "before"),
        ("INSERT INTO arkham_export_jobs", "after"),
    ],
)
def test_a_key_of_a_host_that_was_killed_on_the_way_stands_for_one_job(
    places: Any, statement: str, when: str
) -> None:
    dying, headers = places((statement, when)), keyed()
    with pytest.raises(httpx.TransportError):
        dying.client.post(JOBS, json=BODY, headers=headers)
    assert dying.process.wait(END_SECONDS) == -signal.SIGKILL
    host = places()
    stored = (statement, when) == ("INSERT INTO arkham_export_jobs", "after")
    assert host.client.get(JOBS).json()["total"] == stored
    answers: list[httpx.Response] = []

    def accepted() -> bool:
        answers.append(host.client.post(JOBS, json=BODY, headers=headers))
        return answers[-1].status_code == 201

    host.until(accepted)
    assert {each.status_code for each in answers[:-1]} <= {409}
    assert all("retry-after" in each.headers for each in answers[:-1])
    assert ("idempotency-replayed" in answers[-1].headers) == stored
    listed = host.client.get(JOBS).json()
    assert [job["id"] for job in listed["jobs"]] == [answers[-1].json()["id"]]


@pytest.mark.parametrize("places", ["postgresql"], indirect=True)
def test_two_hosts_on_one_database_make_one_job_for_a_key(places: Any) -> None:
    hosts, tries, at_once = [places(), places(folder="other")], 150, 6
    with ThreadPoolExecutor(at_once) as pool:
        for number in range(tries):
            headers, start = keyed(), threading.Barrier(at_once)

            def send(
                which: int, headers: dict[str, str] = headers, start: threading.Barrier = start
            ) -> httpx.Response:
                start.wait()
                return hosts[which % 2].client.post(JOBS, json=BODY, headers=headers)

            answers = list(pool.map(send, range(at_once)))
            assert {each.status_code for each in answers} <= {201, 409}, number
            made = [each for each in answers if each.status_code == 201]
            assert len({each.json()["id"] for each in made}) == 1
            assert sum("idempotency-replayed" not in each.headers for each in made) == 1
    for host in hosts:
        assert host.client.get(JOBS).json()["total"] == tries
