"""What becomes of a schedule: pauses, ends, failures, missed due times, clocks that are set, owners that are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from arkham_shard_export.errors import (
    InvalidRequest,
    NotAllowed,
    ScheduleNotFound,
    TooManyJobs,
    TooManySchedules,
)
from arkham_shard_export.jobs.acceptance import Acceptance
from arkham_shard_export.jobs.schedules.firing import GRACE_SECONDS, MOST_UNENDED
from arkham_shard_export.jobs.table.listing import EVERYTHING, Scope
from arkham_shard_export.jobs.table.scheduleruns import RUNS_KEPT
from tests.jobtables import TENANT
from tests.schedulehosts import BEGIN, REQUEST, Hosts, hosts

HOUR = timedelta(hours=1)
NOON = BEGIN.replace(minute=0, second=0)

Work = Callable[[Hosts], Any]


@pytest.fixture(params=["sqlite", "postgresql"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Work], None]:
    """Runs work on the hosts of a fresh database, in an event loop of its own."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")

    def within(work: Work) -> None:
        async def opened() -> None:
            async with hosts(request.param, tmp_path, url) as started:
                await work(started)

        asyncio.run(opened())

    return within


def at(hour: int) -> datetime:
    return NOON + hour * HOUR


def test_a_host_killed_at_any_change_leaves_one_job_to_be_made_by_the_next(
    run: Callable[[Work], None],
) -> None:
    async def work(hosts: Hosts) -> None:
        schedule = await hosts.make(cron="0 * * * *")
        cut = 0
        for number in range(24):
            hosts.now = at(number + 1) + timedelta(seconds=5)
            hosts.kill(0, number // 2, after=number % 2 == 1)
            before = hosts.first
            await hosts.tick()
            cut += hosts.first is not before
            hosts.pass_(seconds=30)
            hosts.databases[0].changes_left = None
            await hosts.tick(-1)
            await hosts.end_jobs()
        assert cut >= 8, "the last rounds are not cut off"
        made_for = await hosts.jobs()
        assert sorted(each["due"] for each in made_for.values()) == [
            at(hour + 1).isoformat() for hour in range(24)
        ]
        runs = await hosts.runs(schedule)
        assert [(each.due, each.kind, each.status, each.job_id) for each in runs] == [
            (at(hour + 1), "planned", "cancelled", runs[hour].id) for hour in range(24)
        ]

    run(work)


@pytest.mark.parametrize("missed", ["skip", "run_once"])
def test_a_run_cut_off_before_a_long_outage_is_made_once_or_given_up(
    run: Callable[[Work], None], missed: str
) -> None:
    async def work(hosts: Hosts) -> None:
        for changes in range(4):
            schedule = await hosts.make(cron="0 12 * * *", missed=missed)
            hosts.now = (hosts.now + timedelta(days=1)).replace(hour=12, minute=0, second=1)
            hosts.kill(0, changes)
            await hosts.tick()
            hosts.pass_(hours=5)
            await hosts.tick()
            await hosts.tick()
            (first, *more) = await hosts.runs(schedule)
            assert first.kind in ("planned", "late", "missed")
            assert first.status == ("pending" if first.job_id else "skipped")
            if missed == "run_once":
                assert first.job_id is not None
                assert more == []
            await hosts.first.schedules.delete(schedule.id, EVERYTHING)
        assert len(await hosts.jobs()) == (4 if missed == "run_once" else 2)

    run(work)


def test_while_it_is_paused_nothing_runs_and_nothing_is_made_up_for(run: Callable[[Work], None]) -> None:
    async def work(hosts: Hosts) -> None:
        schedule = await hosts.make(cron="0 * * * *")
        hosts.now = at(1)
        await hosts.tick()
        paused = await hosts.first.schedules.pause(schedule.id, EVERYTHING, "It was paused by ann.")
        assert (paused.state, paused.paused_reason, paused.next_runs) == (
            "paused",
            "It was paused by ann.",
            [],
        )
        assert await hosts.first.schedules.pause(schedule.id, EVERYTHING, "again") == paused
        for hour in (2, 3, 4):
            hosts.now = at(hour)
            await hosts.tick()
        hosts.pass_(minutes=30)
        resumed = await hosts.first.schedules.resume(schedule.id, EVERYTHING)
        assert (resumed.state, resumed.paused_reason) == ("active", None)
        assert resumed.next_runs[0] == at(5)
        for hour in (4.6, 5):
            hosts.now = NOON + hour * HOUR
            await hosts.tick()
        assert [each.due for each in await hosts.runs(schedule)] == [at(1), at(5)]
        told = [(name, payload["reason"]) for name, payload in await hosts.events()]
        assert told == [
            ("export.schedule.paused", "It was paused by ann."),
            ("export.schedule.resumed", None),
        ]

    run(work)


def test_a_job_that_is_no_longer_wanted_is_not_stored(
    run: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody pauses or deletes the schedule while its job is being made."""
    accept = Acceptance.accept
    meanwhile: list[Any] = []

    async def slow(self: Acceptance, *args: Any, **options: Any) -> Any:
        if meanwhile:
            await meanwhile.pop()()
        return await accept(self, *args, **options)

    monkeypatch.setattr(Acceptance, "accept", slow)

    async def work(hosts: Hosts) -> None:
        schedules = hosts.first.schedules
        one = await hosts.make(cron="0 * * * *")
        hosts.now = at(1)
        meanwhile.append(lambda: schedules.pause(one.id, EVERYTHING, "no more"))
        await hosts.tick()
        assert await hosts.jobs() == {}
        assert [(each.status, each.error) for each in await hosts.runs(one)] == [
            ("skipped", "The schedule was paused.")
        ]
        other = await hosts.make(cron="30 * * * *")
        hosts.pass_(minutes=30)
        meanwhile.append(lambda: schedules.delete(other.id, EVERYTHING))
        await hosts.tick()
        meanwhile.append(lambda: schedules.delete(one.id, EVERYTHING))
        with pytest.raises(ScheduleNotFound):
            await schedules.run_now(one.id, EVERYTHING)
        assert await hosts.jobs() == {}
        rows = await hosts.databases[0].service.fetch_all("SELECT id FROM arkham_export_schedule_runs")
        assert rows == []

    run(work)


def test_it_ends_when_no_due_time_is_left_and_goes_on_when_there_is(run: Callable[[Work], None]) -> None:
    async def work(hosts: Hosts) -> None:
        schedule = await hosts.make(cron="0 * * * *", ends_at=at(2).isoformat())
        for hour in (1, 2, 3, 4):
            hosts.now = at(hour)
            await hosts.tick()
        assert [each.due for each in await hosts.runs(schedule)] == [at(1), at(2)]
        ended = await hosts.read(schedule)
        assert (ended.state, ended.paused_reason) == ("ended", "No due time is left.")
        for refused in (hosts.first.schedules.resume, lambda *of: hosts.first.schedules.pause(*of, "so")):
            with pytest.raises(InvalidRequest):
                await refused(schedule.id, EVERYTHING)
        renamed = await hosts.first.schedules.change(schedule.id, {"name": "Over"}, EVERYTHING)
        assert (renamed.name, renamed.state) == ("Over", "ended")
        hosts.pass_(minutes=10)
        again = await hosts.first.schedules.change(schedule.id, {"ends_at": at(6).isoformat()}, EVERYTHING)
        assert (again.state, again.next_runs) == ("active", [at(5), at(6)])
        hosts.now = at(5)
        await hosts.tick()
        assert [each.due for each in await hosts.runs(schedule)] == [at(1), at(2), at(5)]
        assert [name for name, _ in await hosts.events()] == [
            "export.schedule.ended",
            "export.schedule.resumed",
        ]

    run(work)


def test_after_an_outage_missed_due_times_are_told_and_made_up_for_once_if_wanted(
    run: Callable[[Work], None],
) -> None:
    async def work(hosts: Hosts) -> None:
        skipping = await hosts.make(cron="0 * * * *", missed="skip")
        making_up = await hosts.make(cron="0 * * * *", missed="run_once")
        hosts.now = at(1)
        await hosts.tick()
        hosts.now = at(5) + timedelta(seconds=GRACE_SECONDS + 60)
        for _ in range(3):
            await hosts.tick()
        first, told = await hosts.runs(skipping)
        assert (first.due, first.status) == (at(1), "pending")
        assert (told.kind, told.status, told.due, told.job_id) == ("missed", "skipped", at(5), None)
        assert (
            told.error
            == f"Nothing ran: 4 due times were missed, from {at(2).isoformat()} to {at(5).isoformat()}."
        )
        runs = {(each.kind, each.due): each for each in await hosts.runs(making_up)}
        assert runs.keys() == {("planned", at(1)), ("late", at(5)), ("missed", at(5))}
        assert runs["late", at(5)].status == "pending"
        assert "3 due times" in str(runs["missed", at(5)].error)
        hosts.now = at(6)
        await hosts.tick()
        assert len(await hosts.jobs()) == 5

    run(work)


def test_after_repeated_failures_it_pauses_itself_and_says_so_once(run: Callable[[Work], None]) -> None:
    async def work(hosts: Hosts) -> None:
        schedule = await hosts.make(cron="0 * * * *", name="Claims")
        course = ["failed", "failed", "completed", "failed", "cancelled", "failed", "failed"]
        for hour, status in enumerate(course, 1):
            hosts.now = at(hour)
            await asyncio.gather(hosts.tick(0), hosts.tick(-1))
            assert (await hosts.read(schedule)).state == "active"
            await hosts.end_jobs(status, f"The disk is full ({hour})." if status == "failed" else None)
            hosts.pass_(minutes=1)
            await asyncio.gather(hosts.tick(0), hosts.tick(-1))
            failures = (await hosts.read(schedule)).failures
            assert failures == (1, 2, 0, 1, 1, 2, 3)[hour - 1]
        paused = await hosts.read(schedule)
        reason = "3 runs one after another failed, the latest because: The disk is full (7)."
        assert (paused.state, paused.paused_reason) == ("paused", reason)
        hosts.now = at(8)
        await hosts.tick()
        assert len(await hosts.runs(schedule)) == 7
        expected = {
            "schedule_id": schedule.id,
            "name": "Claims",
            "reason": reason,
            "failures": 3,
            "created_by": "ann",
        }
        assert await hosts.events() == [("export.schedule.paused", expected)]
        resumed = await hosts.first.schedules.resume(schedule.id, EVERYTHING)
        assert (resumed.state, resumed.failures) == ("active", 0)
        hosts.now = at(9)
        await hosts.tick()
        await hosts.end_jobs("failed", "Again.")
        await hosts.tick()
        after = await hosts.read(schedule)
        assert (after.state, after.failures) == ("active", 1)
        assert after.last_run is not None
        assert (after.last_run.status, after.last_run.error) == ("failed", "Again.")

    run(work)


def test_what_is_refused_counts_as_failed_and_keeps_its_reason(run: Callable[[Work], None]) -> None:
    """What it exported is no longer offered."""

    async def work(hosts: Hosts) -> None:
        request = {"target": "claims", "format": "json", "filters": {"status": "verified"}}
        schedule = await hosts.make(cron="0 * * * *", request=request, max_failures=2)
        await hosts.sql(
            "UPDATE arkham_export_schedules SET request = ?",
            '{"target":"custom","format":"json","filters":{"source":"notes"}}',
        )
        for hour in (1, 2, 3):
            hosts.now = at(hour)
            await hosts.tick()
        runs = await hosts.runs(schedule)
        assert [(each.status, each.job_id) for each in runs] == [("refused", None)] * 2
        assert "custom" in str(runs[0].error) or "notes" in str(runs[0].error)
        paused = await hosts.read(schedule)
        assert (paused.state, paused.failures) == ("paused", 2)
        assert str(runs[1].error) in str(paused.paused_reason)
        assert await hosts.jobs() == {}
        await hosts.sql(
            "UPDATE arkham_export_schedules SET request = ?", '{"target":"claims","of":"tomorrow"}'
        )
        await hosts.first.schedules.resume(schedule.id, EVERYTHING)
        hosts.now = at(4)
        await hosts.tick()
        assert "Unknown field 'of'" in str((await hosts.runs(schedule))[-1].error)

    run(work)


def test_a_schedule_whose_runs_do_not_end_is_refused_more(run: Callable[[Work], None]) -> None:
    async def work(hosts: Hosts) -> None:
        schedule = await hosts.make(every="1m", max_failures=1)
        for _ in range(MOST_UNENDED + 3):
            hosts.pass_(minutes=1)
            await hosts.tick()
        assert len(await hosts.jobs()) == MOST_UNENDED
        assert (await hosts.read(schedule)).state == "paused"
        hosts.pass_(seconds=1)
        with pytest.raises(TooManyJobs):
            await hosts.first.schedules.run_now(schedule.id, EVERYTHING)
        await hosts.end_jobs()
        hosts.pass_(seconds=1)
        job = await hosts.first.schedules.run_now(schedule.id, EVERYTHING)
        assert job.metadata["schedule"] == {"id": schedule.id, "name": "test", "due": None}
        kinds = [(each.kind, each.status) for each in await hosts.runs(schedule)]
        assert kinds[-3:] == [("planned", "refused"), ("manual", "refused"), ("manual", "pending")]

    run(work)


def test_a_clock_set_forward_and_back_makes_each_due_time_once(run: Callable[[Work], None]) -> None:
    async def work(hosts: Hosts) -> None:
        schedule = await hosts.make(cron="0 * * * *", missed="skip")
        hosts.now = at(1)
        await hosts.tick()
        # Somebody sets the clock wrong by a day, and the time of then comes.
        hosts.now = at(25)
        await hosts.tick()
        assert [each.due for each in await hosts.runs(schedule) if each.job_id] == [at(1), at(25)]
        for hour in range(2, 28):
            hosts.now = at(hour) + timedelta(seconds=10)
            await hosts.tick()
            await hosts.end_jobs()
        due = [each.due for each in await hosts.runs(schedule) if each.job_id]
        assert sorted(each for each in due if each) == [at(hour) for hour in range(1, 28)]
        # And back, to a time at which all that is due has run, and its jobs were purged.
        await hosts.tick()
        await hosts.sql("DELETE FROM arkham_export_jobs")
        for hour in range(20, 29):
            hosts.now = at(hour)
            await hosts.tick()
        assert [each["due"] for each in (await hosts.jobs()).values()] == [at(28).isoformat()]

    run(work)


def test_a_new_plan_begins_when_it_is_made(run: Callable[[Work], None]) -> None:
    async def work(hosts: Hosts) -> None:
        schedule = await hosts.make(cron="0 * * * *")
        hosts.now = at(1) + timedelta(minutes=20)
        changed = await hosts.first.schedules.change(schedule.id, {"every": "2h"}, EVERYTHING)
        assert (changed.cron, changed.every) == (None, "2h")
        anchor = hosts.now.replace(microsecond=0)
        assert changed.next_runs == [anchor + number * 2 * HOUR for number in range(1, 6)]
        await hosts.tick()
        assert await hosts.runs(schedule) == [], "it was not found due by the old plan"
        hosts.pass_(hours=2)
        await hosts.first.schedules.change(schedule.id, {"description": "Still the same plan"}, EVERYTHING)
        await hosts.tick()
        assert [each.due for each in await hosts.runs(schedule)] == [anchor + 2 * HOUR]
        await asyncio.gather(
            *(
                hosts.hosts[number % len(hosts.hosts)].schedules.change(
                    schedule.id, {"keep_files": number, "max_failures": number}, EVERYTHING
                )
                for number in range(1, 6)
            )
        )
        after = await hosts.read(schedule)
        assert after.keep_files == after.max_failures, "two changes are not mixed"

    run(work)


def test_rules_of_a_zone_that_have_changed_are_heeded_after_a_restart(run: Callable[[Work], None]) -> None:
    async def work(hosts: Hosts) -> None:
        schedule = await hosts.make(cron="0 15 * * *", time_zone="Europe/Berlin")
        await hosts.sql(
            "UPDATE arkham_export_schedules SET next_due = ?", at(3).isoformat(timespec="microseconds")
        )
        hosts.now = at(2)
        await hosts.tick()
        assert [each.due for each in await hosts.runs(schedule)] == [at(2)]

    run(work)


def test_it_stops_when_the_rights_of_its_owner_end(run: Callable[[Work], None]) -> None:
    async def work(hosts: Hosts) -> None:
        schedule = await hosts.make(cron="0 * * * *")
        gone: dict[str, str] = {}
        asked: list[tuple[str, str | None]] = []

        async def check(created_by: str, tenant_id: str | None) -> str | None:
            asked.append((created_by, tenant_id))
            return gone.get(created_by)

        for host in hosts.hosts:
            host.firing.owner_check = check
        hosts.now = at(1)
        await hosts.tick()
        gone["ann"] = "ann has left."
        hosts.now = at(2)
        await hosts.tick()
        assert asked == [("ann", None)] * 2
        paused = await hosts.read(schedule)
        assert (paused.state, paused.paused_reason) == (
            "paused",
            "The rights it ran with have ended: ann has left.",
        )
        with pytest.raises(NotAllowed):
            await hosts.first.schedules.run_now(schedule.id, EVERYTHING)
        assert [each.due for each in await hosts.runs(schedule)] == [at(1)]
        assert [name for name, _ in await hosts.events()] == ["export.schedule.paused"]

    run(work)


def test_while_nobody_can_say_whether_an_owner_is_there_nothing_runs(run: Callable[[Work], None]) -> None:
    async def work(hosts: Hosts) -> None:
        schedule = await hosts.make(cron="0 * * * *")
        answers: list[Any] = [OSError("the directory is away"), None]

        def check(created_by: str, tenant_id: str | None) -> str | None:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        hosts.first.firing.owner_check = check
        hosts.now = at(1)
        await hosts.tick()
        assert await hosts.runs(schedule) == []
        await hosts.tick()
        assert [each.due for each in await hosts.runs(schedule)] == [at(1)]

    run(work)


def test_a_process_without_a_host_leaves_to_hosts_what_only_they_can_judge(
    run: Callable[[Work], None],
) -> None:
    async def work(hosts: Hosts) -> None:
        worker = hosts.worker()
        schedule = await hosts.make(cron="0 * * * *")
        hosts.now = at(1)
        await worker.firing.tick()
        assert [each.due for each in await hosts.runs(schedule)] == [at(1)]
        # A source that it has not heard of: the run is begun, and waits.
        request = '{"target":"custom","format":"json","filters":{"source":"notes"}}'
        await hosts.sql("UPDATE arkham_export_schedules SET request = ?", request)
        hosts.now = at(2)
        await worker.firing.tick()
        assert (await hosts.runs(schedule))[-1].status == "starting"
        await hosts.tick()
        assert (await hosts.runs(schedule))[-1].status == "refused"
        # Once a host asks about owners, who cannot ask makes nothing.
        await hosts.sql(
            "UPDATE arkham_export_schedules SET request = ?", '{"target":"claims","format":"json"}'
        )
        hosts.first.firing.owner_check = lambda *_: None
        await hosts.tick()
        hosts.now = at(3)
        await worker.firing.tick()
        assert len(await hosts.runs(schedule)) == 2
        await hosts.tick()
        assert len(await hosts.runs(schedule)) == 3

    run(work)


def test_all_schedules_of_a_user_or_a_tenant_are_paused_at_once(run: Callable[[Work], None]) -> None:
    async def work(hosts: Hosts) -> None:
        schedules = hosts.first.schedules
        fields = {"name": "each", "request": REQUEST, "every": "1d"}
        made = {
            (user, tenant): await schedules.create(fields, created_by=user, tenant_id=tenant)
            for user in ("ann", "ben")
            for tenant in (None, TENANT)
        }
        assert await schedules.owner_ended("ann", TENANT, "She has left.") == 1
        assert await schedules.owner_ended(None, TENANT, "It is closed.") == 1
        assert await schedules.owner_ended("ann", None, "She has left.") == 1
        with pytest.raises(InvalidRequest):
            await schedules.owner_ended(None, None, "?")
        states = {key: (await hosts.read(each)).paused_reason for key, each in made.items()}
        assert states == {
            ("ann", TENANT): "The rights it ran with have ended: She has left.",
            ("ben", TENANT): "The rights it ran with have ended: It is closed.",
            ("ann", None): "The rights it ran with have ended: She has left.",
            ("ben", None): None,
        }
        assert len(await hosts.events()) == 3

    run(work)


def test_users_and_tenants_have_so_many_schedules(run: Callable[[Work], None]) -> None:
    async def work(hosts: Hosts) -> None:
        host = hosts.worker(max_schedules_per_user=2, max_schedules_per_tenant=3)
        fields = {"name": "each", "request": REQUEST, "every": "1d"}

        async def make(user: str, tenant: str | None = TENANT) -> str:
            return (await host.schedules.create(fields, created_by=user, tenant_id=tenant)).id

        first = await make("ann")
        await make("ann")
        with pytest.raises(TooManySchedules, match="user has 2"):
            await make("ann")
        await make("ben")
        with pytest.raises(TooManySchedules, match="tenant has 3"):
            await make("eve")
        await host.schedules.delete(first, Scope(TENANT, "ann"))
        await make("eve")
        for _ in range(4):
            await make("system", None)

    run(work)


def test_an_operator_can_allow_only_rarer_runs(run: Callable[[Work], None]) -> None:
    async def work(hosts: Hosts) -> None:
        host = hosts.worker(min_schedule_seconds=3600)
        for fields in ({"every": "59m"}, {"cron": "0,59 8 * * MON"}, {"cron": "*/30 * * * *"}):
            with pytest.raises(InvalidRequest, match="3600 seconds"):
                await host.schedules.create(
                    {"name": "often", "request": REQUEST, **fields}, created_by="ann", tenant_id=None
                )
        for fields in ({"every": "1h"}, {"cron": "0 * * * *", "time_zone": "Europe/Berlin"}):
            assert await host.schedules.preview(fields)

    run(work)


def test_what_became_of_a_run_is_remembered_when_its_job_is_purged(run: Callable[[Work], None]) -> None:
    async def work(hosts: Hosts) -> None:
        schedule = await hosts.make(cron="0 * * * *")
        hosts.now = at(1)
        await hosts.tick()
        await hosts.end_jobs("failed", "The disk is full.")
        await hosts.tick()
        hosts.now = at(2)
        await hosts.tick()
        await hosts.sql("DELETE FROM arkham_export_jobs")
        await hosts.tick()
        runs = [(each.status, each.error, each.job_id) for each in await hosts.runs(schedule)]
        assert runs == [("failed", "The disk is full.", None), ("vanished", None, None)]

    run(work)


def test_of_a_long_history_the_oldest_runs_are_forgotten(run: Callable[[Work], None]) -> None:
    async def work(hosts: Hosts) -> None:
        schedule = await hosts.make(cron="0 * * * *")
        for number in range(RUNS_KEPT + 5):
            made_at = (NOON - (number + 1) * HOUR).isoformat(timespec="microseconds")
            await hosts.sql(
                "INSERT INTO arkham_export_schedule_runs (id, schedule_id, kind, due, made_at, outcome, created_by)"
                " VALUES (?, ?, 'planned', ?, ?, 'completed', 'ann')",
                f"old-{number}",
                schedule.id,
                made_at,
                made_at,
            )
        hosts.now = at(1)
        await hosts.tick()
        runs, total = await hosts.first.schedules.runs(schedule.id, EVERYTHING, 1)
        assert (runs[0].due, total) == (at(1), RUNS_KEPT)

    run(work)


def test_one_schedule_that_cannot_be_reckoned_holds_up_no_other(
    run: Callable[[Work], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Its zone is not known on this machine."""

    async def work(hosts: Hosts) -> None:
        broken, sound = await hosts.make(cron="0 * * * *"), await hosts.make(cron="0 * * * *")
        await hosts.tick()
        await hosts.sql(
            "UPDATE arkham_export_schedules SET time_zone = 'Mars/Olympus', next_due = ? WHERE id = ?",
            at(1).astimezone(UTC).isoformat(timespec="microseconds"),
            broken.id,
        )
        for hour in (1, 2):
            hosts.now = at(hour) + timedelta(seconds=1)
            await hosts.tick()
            # After a restart all are reckoned anew.
            hosts.restart()
        # And where the clock was ahead.
        ahead = (hosts.now + HOUR).isoformat(timespec="microseconds")
        await hosts.sql("UPDATE arkham_export_schedules SET last_due = ?", ahead)
        await hosts.tick()
        hosts.now = at(3)
        await hosts.tick()
        assert [each.due for each in await hosts.runs(sound)] == [at(1), at(2), at(3)]
        assert "Mars/Olympus" in caplog.text

    run(work)
