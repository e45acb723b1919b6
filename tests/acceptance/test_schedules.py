"""Schedules over HTTP, in every host: made, refused, changed, paused, run, deleted; and by the host's own looking."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from arkham_shard_export.client import AsyncExportClient, ExportClient, Refused
from arkham_shard_export.jobs.schedules.checking import MAX_NAME_LENGTH
from tests.acceptance.test_bad_input import refused
from tests.clocks import Clock
from tests.conftest import new_database
from tests.hosts import END_SECONDS, RunningHost, standalone
from tests.tools import stored_files

PATH = "/api/export/schedules"
REQUEST = {"target": "claims", "format": "csv", "options": {"max_records": 3}}
PLAN: dict[str, Any] = {
    "name": "Claims",
    "cron": "0 7 * * MON",
    "time_zone": "Europe/Berlin",
    "request": REQUEST,
}
FIELDS = {
    "id", "name", "description", "cron", "every", "time_zone", "request", "retention_hours", "ends_at", "missed",
    "keep_files", "state", "paused_reason", "failures", "max_failures", "next_runs", "last_run", "created_by",
    "created_at", "updated_at",
}  # fmt: skip


def make(host: RunningHost, **fields: Any) -> dict[str, Any]:
    answer = host.client.post(PATH, json={**PLAN, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def wrong(answer: httpx.Response) -> dict[str, str]:
    """What is wrong with each field."""
    refused(answer)
    return {each["field"]: each["message"] for each in answer.json()["errors"]}


def test_a_schedule_is_made_shown_changed_paused_resumed_and_deleted(host: RunningHost) -> None:
    answer = host.client.post(PATH, json={**PLAN, "retention_hours": 48, "keep_files": 2})
    made = answer.json()
    assert answer.headers["location"] == f"{PATH}/{made['id']}"
    assert made.keys() == FIELDS
    assert (made["state"], made["missed"], made["max_failures"]) == ("active", "run_once", 3)
    assert (made["request"], made["created_by"], made["last_run"]) == (REQUEST, "system", None)
    times = [datetime.fromisoformat(each) for each in made["next_runs"]]
    assert len(times) == 5
    assert all((each.isoweekday(), each.hour, each.minute) == (1, 7, 0) for each in times)
    assert times == sorted(times)
    assert times[0] > datetime.now(UTC)
    place = f"{PATH}/{made['id']}"
    assert host.client.get(place).json() == made
    changed = host.client.patch(place, json={"cron": "30 6 * * *", "name": "Daily"}).json()
    assert (changed["name"], changed["cron"], changed["keep_files"]) == ("Daily", "30 6 * * *", 2)
    assert changed["updated_at"] > made["updated_at"]
    assert all("T06:30:00+0" in each for each in changed["next_runs"])
    every = host.client.patch(place, json={"every": "12h", "keep_files": None}).json()
    assert (every["cron"], every["every"], every["keep_files"]) == (None, "12h", None)
    paused = host.client.post(f"{place}/pause").json()
    assert (paused["state"], paused["paused_reason"]) == ("paused", "It was paused by hand.")
    assert paused["next_runs"] == []
    assert host.client.post(f"{place}/resume").json()["state"] == "active"
    assert host.client.delete(place).status_code == 204
    for method, path in (
        ("GET", place),
        ("DELETE", place),
        ("GET", f"{place}/runs"),
        ("POST", f"{place}/run"),
    ):
        assert host.client.request(method, path).json()["type"].endswith(":schedule-not-found")


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"cron": "99 7 * * *"}, "cron", "bad minute; examples are '0 7 * * MON'"),
        ({"cron": "0 0 7 * * *"}, "cron", "five fields"),
        ({"cron": "0 7 30 2 *"}, "cron", "bad day-of-month"),
        ({"cron": "0 0 */31 * 0#5"}, "cron", "never run"),
        ({"cron": None}, "cron", "either cron"),
        ({"every": "1d"}, "cron", "not both"),
        ({"cron": None, "every": "30s"}, "every", "examples are 15m, 12h, 1d, 2w"),
        ({"cron": None, "every": "9999999w"}, "every", "ten years"),
        (
            {"time_zone": "Europe/Berln"},
            "time_zone",
            "'Europe/Berln' is no zone of the IANA database, such as Europe/Berlin",
        ),
        ({"time_zone": "../../etc/passwd"}, "time_zone", "no zone"),
        ({"ends_at": "soon"}, "ends_at", "such as 2027-12-31"),
        ({"ends_at": "2020-01-01"}, "ends_at", "not in the future"),
        ({"missed": "maybe"}, "missed", "cannot be 'maybe'"),
        ({"keep_files": 0}, "keep_files", "from 1 to 1000"),
        ({"max_failures": 0}, "max_failures", "from 1 to 100"),
        ({"name": " "}, "name", "must say"),
        ({"name": "x" * (MAX_NAME_LENGTH + 1)}, "name", "too long"),
        ({"name": "a\u202eb\u0000"}, "name", "plain text"),
        ({"retention_hours": 9999}, "retention_hours", "at most 720"),
        ({"request": {}}, "request", "body of a job"),
        ({"request": {"target": "claims", "format": "odt"}}, "request.format", "'odt' is not available"),
        ({"request": {**REQUEST, "colour": 1}}, "request.colour", "Unknown field 'colour'"),
        ({"request": {**REQUEST, "options": {"sort_by": "x"}}}, "request.options.sort_by", "sort"),
        ({"request": {**REQUEST, "retention_hours": 9999}}, "request.retention_hours", "at most 720"),
    ],
)
def test_what_cannot_be_is_refused_naming_the_field_and_what_would_do(
    host: RunningHost, fields: dict[str, Any], field: str, told: str
) -> None:
    found = wrong(host.client.post(PATH, json={**PLAN, **fields}))
    assert told in found[field], found
    made = make(host)
    if fields != {"cron": None} and "every" not in fields:
        assert told in wrong(host.client.patch(f"{PATH}/{made['id']}", json=fields))[field]
    assert host.client.get(f"{PATH}/{made['id']}").json() == made
    host.client.delete(f"{PATH}/{made['id']}")


def test_all_that_is_wrong_is_told_at_once(host: RunningHost) -> None:
    body = {**PLAN, "cron": "x", "time_zone": "y", "missed": "z", "ends_at": "0", "keep_files": 9999}
    assert wrong(host.client.post(PATH, json=body)).keys() == {
        "cron",
        "time_zone",
        "missed",
        "ends_at",
        "keep_files",
    }
    assert wrong(host.client.post(PATH, json={**PLAN, "colour": 1})).keys() == {"colour"}


def test_a_plan_is_tried_before_it_is_made(host: RunningHost) -> None:
    plan = {"cron": "30 2 * * *", "time_zone": "Europe/Berlin", "ends_at": "2099-01-01"}
    shown = host.client.post(f"{PATH}/preview", json=plan).json()
    assert shown["time_zone"] == "Europe/Berlin"
    assert len(shown["next_runs"]) == 5
    assert wrong(host.client.post(f"{PATH}/preview", json={"cron": "30 26 * * *"})).keys() == {"cron"}
    assert wrong(host.client.post(f"{PATH}/preview", json={**plan, "name": "x"})).keys() == {"name"}


def test_an_end_without_an_offset_is_by_the_clocks_of_the_zone(host: RunningHost) -> None:
    for given, kept in (
        ("2099-06-30", "2099-06-30T21:59:59+00:00"),
        ("2099-06-30T18:00", "2099-06-30T16:00:00+00:00"),
        ("2099-06-30T18:00:00Z", "2099-06-30T18:00:00+00:00"),
    ):
        made = make(host, ends_at=given)
        assert made["ends_at"] == kept
        host.client.delete(f"{PATH}/{made['id']}")


def test_a_run_by_hand_is_a_job_and_stands_in_the_history(host: RunningHost) -> None:
    made = make(host)
    place = f"{PATH}/{made['id']}"
    answer = host.client.post(f"{place}/run", headers={"Prefer": "wait=30"})
    job = answer.json()
    assert (answer.status_code, job["status"], job["record_count"]) == (201, "completed", 3)
    assert answer.headers["location"] == f"/api/export/jobs/{job['id']}"
    assert job["metadata"]["schedule"] == {"id": made["id"], "name": "Claims", "due": None}
    (run,) = host.client.get(f"{place}/runs").json()["runs"]
    assert (run["kind"], run["due"], run["status"], run["job_id"]) == ("manual", None, "completed", job["id"])
    assert (run["record_count"], run["file_size"]) == (3, job["file_size"])
    assert host.client.get(run["download_url"]).status_code == 200
    assert host.client.get(place).json()["last_run"] == run
    host.client.post(f"{place}/pause")
    assert host.client.post(f"{place}/run").status_code == 201
    page = host.client.get(f"{place}/runs", params={"limit": 1, "offset": 1})
    assert (page.json()["runs"], page.json()["total"]) == ([run], 2)
    assert 'rel="prev"' in page.headers["link"]
    host.client.delete(place)
    assert host.client.get(f"/api/export/jobs/{job['id']}").json()["status"] == "completed"


def test_schedules_are_listed_by_state_page_by_page(host: RunningHost) -> None:
    made = [make(host, name=f"Schedule {number}")["id"] for number in range(3)]
    host.client.post(f"{PATH}/{made[1]}/pause")
    body = host.client.get(PATH, params={"limit": 2})
    assert [each["id"] for each in body.json()["schedules"]] == made[:0:-1]
    assert 'rel="next"' in body.headers["link"]
    active = host.client.get(PATH, params={"state": "active"}).json()
    assert {each["id"] for each in active["schedules"]} >= {made[0], made[2]}
    paused = host.client.get(PATH, params={"state": "paused"}).json()
    assert made[1] in {each["id"] for each in paused["schedules"]}
    assert "active, paused, ended" in refused(host.client.get(PATH, params={"state": "asleep"}))
    for each in made:
        host.client.delete(f"{PATH}/{each}")


def test_the_python_api_of_the_shard_does_the_same(host: RunningHost) -> None:
    async def ask() -> None:
        shard = host.shard
        made = await shard.create_schedule(
            "From a shard", dict(REQUEST), every="1d", created_by="other-shard"
        )
        assert (made.created_by, len(made.next_runs)) == ("other-shard", 5)
        assert (await shard.change_schedule(made.id, keep_files=3)).keep_files == 3
        assert (await shard.pause_schedule(made.id)).state == "paused"
        assert (await shard.resume_schedule(made.id)).state == "active"
        job = await shard.run_schedule(made.id)
        assert job.created_by == "other-shard"
        assert [each.job_id for each in await shard.list_schedule_runs(made.id)] == [job.id]
        assert made.id in {each.id for each in await shard.list_schedules("active")}
        assert await shard.owner_ended("other-shard", reason="It was removed.") == 1
        stopped = await shard.get_schedule(made.id)
        assert stopped.paused_reason == "The rights it ran with have ended: It was removed."
        await shard.delete_schedule(made.id)
        assert await shard.get_schedule(made.id) is None

    host.run(ask())


def test_both_clients_do_the_same(host: RunningHost) -> None:
    url = str(host.client.base_url)
    with ExportClient(url) as client:
        made = client.create_schedule("By a client", dict(REQUEST), cron="0 7 * * *", keep_files=2)
        assert client.schedule(made.id) == made
        assert made.id in {each.id for each in client.schedules()}
        assert client.change_schedule(made.id, description="Changed").description == "Changed"
        assert client.pause_schedule(made.id).state == "paused"
        assert client.resume_schedule(made.id).state == "active"
        job = client.run_schedule(made.id)
        assert [each.job_id for each in client.schedule_runs(made.id)] == [job.id]
        with pytest.raises(Refused) as refusal:
            client.create_schedule("Wrong", dict(REQUEST), cron="x")
        assert refusal.value.errors[0]["field"] == "cron"

    async def ask() -> None:
        async with AsyncExportClient(url) as client:
            other = await client.create_schedule("By a client", dict(REQUEST), every="2d")
            assert (await client.schedule(other.id)).next_runs == other.next_runs
            assert {each.id async for each in client.schedules("active")} >= {made.id, other.id}
            assert (await client.change_schedule(other.id, every="3d")).every == "3d"
            assert (await client.pause_schedule(other.id)).state == "paused"
            assert (await client.resume_schedule(other.id)).state == "active"
            job = await client.run_schedule(other.id)
            assert [each.job_id async for each in client.schedule_runs(other.id)] == [job.id]
            for each in (made.id, other.id):
                await client.delete_schedule(each)
            with pytest.raises(Refused):
                await client.schedule(other.id)

    host.run(ask())


def test_metrics_and_health_tell_of_schedules(host: RunningHost) -> None:
    made = make(host)
    host.client.post(f"{PATH}/{make(host, name='Paused')['id']}/pause")
    text = host.client.get("/api/export/metrics").text
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(figures['arkham_export_schedules{state="active"}']) >= 1
    assert float(figures['arkham_export_schedules{state="paused"}']) >= 1
    assert float(figures["arkham_export_schedule_overdue_seconds"]) == 0
    check = host.client.get("/api/export/health").json()["checks"]["schedules"]
    assert (check["status"], check["overdue_seconds"]) == ("ok", 0)
    host.client.delete(f"{PATH}/{made['id']}")


# By the host's own looking


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setenv("ARKHAM_EXPORT_SWEEP_SECONDS", "86400")
    return Clock(monkeypatch)


@pytest.fixture(params=["sqlite", "postgresql"])
def own(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[RunningHost]:
    """A host of a test's own, which looks for schedules when it is told to."""
    url = new_database(request.getfixturevalue("postgres_server")) if request.param == "postgresql" else None
    with standalone(tmp_path, url, demo=True) as running:
        service = running.shard._service
        running.run(service.ticker.stop())
        service.queue.tick = _nothing
        yield running


async def _nothing() -> None:
    """The test looks."""


def tick(host: RunningHost) -> None:
    host.run(host.shard._service.firing.tick())


def runs_of(host: RunningHost, made: dict[str, Any]) -> list[dict[str, Any]]:
    """The oldest first, when their jobs have ended."""
    deadline = time.monotonic() + END_SECONDS
    while True:
        runs = host.client.get(f"{PATH}/{made['id']}/runs").json()["runs"][::-1]
        if not {each["status"] for each in runs} & {"starting", "pending", "processing"}:
            return list(runs)
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_due_is_exported_and_kept_as_long_and_as_often_as_was_asked(
    own: RunningHost, clock: Clock
) -> None:
    made = make(own, cron=None, every="1h", retention_hours=100, keep_files=2)
    for _ in range(4):
        clock.pass_(hours=1, seconds=1)
        tick(own)
        runs = runs_of(own, made)
        assert runs[-1]["status"] == "completed"
    jobs = [own.client.get(f"/api/export/jobs/{each['job_id']}").json() for each in runs]
    assert [each["metadata"]["schedule"]["due"] for each in jobs] == [each["due"] for each in runs]
    assert [each["metadata"]["retention_hours"] for each in jobs] == [100] * 4

    async def sweep() -> None:
        sweeper = own.shard._service.sweeper
        while not await sweeper._lease.held():
            pass
        await sweeper._runs.expire_surplus(clock.now)
        await sweeper.expire()

    own.run(sweep())
    statuses = [own.client.get(each["download_url"]).status_code for each in jobs]
    assert statuses == [410, 410, 200, 200]
    assert len(stored_files(own.data_dir / "files")) == 2
    told = ["export.file.expired" in own.events_of(each["id"]) for each in jobs]
    assert told == [True, True, False, False]
    # Fewer from now on.
    own.client.patch(f"{PATH}/{made['id']}", json={"keep_files": 1})
    own.run(sweep())
    assert [own.client.get(each["download_url"]).status_code for each in jobs[2:]] == [410, 200]


def test_a_schedule_that_fails_pauses_itself_and_its_event_reaches_the_bus_once(
    own: RunningHost, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(own, cron=None, every="1h", max_failures=2)

    async def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("arkham_shard_export.jobs.running.workers.WorkerPool.run", full)
    for _ in range(4):
        clock.pass_(hours=1)
        tick(own)
        runs = runs_of(own, made)
        tick(own)
    assert [each["status"] for each in runs] == ["failed", "failed"]
    shown = own.client.get(f"{PATH}/{made['id']}").json()
    assert (shown["state"], shown["failures"]) == ("paused", 2)
    assert shown["paused_reason"].startswith("2 runs one after another failed, the latest because: ")
    own.delivered()
    told = [each["payload"] for each in own.events if each["event_type"] == "export.schedule.paused"]
    assert [(each["schedule_id"], each["name"], each["failures"]) for each in told] == [
        (made["id"], "Claims", 2)
    ]
    assert told[0]["reason"] == shown["paused_reason"]


def test_a_check_of_owners_that_another_shard_registers_is_asked(own: RunningHost, clock: Clock) -> None:
    made = make(own, cron=None, every="1h")
    own.shard.register_owner_check(lambda created_by, tenant_id: f"{created_by} was locked out.")
    clock.pass_(hours=1)
    tick(own)
    shown = own.client.get(f"{PATH}/{made['id']}").json()
    assert shown["paused_reason"] == "The rights it ran with have ended: system was locked out."
    assert own.client.post(f"{PATH}/{made['id']}/run").status_code == 403

    def failing(*_: Any) -> None:
        raise OSError("no route to 10.0.0.7")

    own.shard.register_owner_check(failing)
    answer = own.client.post(f"{PATH}/{made['id']}/run")
    assert answer.status_code == 503
    assert "10.0.0.7" not in answer.text
    own.shard.register_owner_check(None)
    own.client.post(f"{PATH}/{made['id']}/resume")
    clock.pass_(hours=1)
    tick(own)
    assert [each["status"] for each in runs_of(own, made)] == ["completed"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "engine"])
def test_a_host_looks_by_itself_and_so_does_the_engine(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the real clock; the due time is brought near in the table."""
    monkeypatch.setenv("ARKHAM_EXPORT_POLL_SECONDS", "0.2")
    monkeypatch.setattr("arkham_shard_export.jobs.queues.postgres.TICK_SECONDS", 1)
    url = None if kind == "sqlite" else request.getfixturevalue("postgres_url")
    with standalone(tmp_path, url, demo=True) as host:
        if kind == "engine":
            host.run(host.shard._service.ticker.stop())
        made = make(host, cron=None, every="1h")
        due = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=2)
        anchor, before, then = (
            moment.isoformat(timespec="microseconds")
            for moment in (due - timedelta(hours=1), due - timedelta(minutes=30), due)
        )
        host.query(
            "UPDATE arkham_export_schedules SET anchored_at = ?, last_due = ?, next_due = ? RETURNING id",
            (anchor, before, then),
        )
        deadline = time.monotonic() + END_SECONDS
        while not (runs := runs_of(host, made)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert [(each["status"], each["kind"], each["due"]) for each in runs] == [
            ("completed", "planned", due.isoformat())
        ]
        assert host.client.get(f"{PATH}/{uuid4()}").status_code == 404
