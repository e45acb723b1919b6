"""Over a year and more each due time makes one job, by several hosts at once, whatever is killed when."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import pytest

from arkham_shard_export.jobs.schedules.firing import stamp
from tests.schedulehosts import BEGIN, Hosts, hosts

DAYS = 400
SEED = 8

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


def at_fixed_time(zone: str, hour: int, minute: int, fits: Callable[[date], bool]) -> set[datetime]:
    """By dates, as PEP 495 tells times that do not exist, or exist twice."""
    found = set()
    for number in range(-1, DAYS + 2):
        day = (BEGIN + timedelta(days=number)).date()
        label = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone))
        there = label.astimezone(UTC)
        if there.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != label.replace(tzinfo=None):
            # The first moment after the gap: both readings of the label lie around it.
            there = next(
                moment
                for minutes in range(181)
                if (moment := there - timedelta(minutes=180 - minutes))
                and moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) > label.replace(tzinfo=None)
            )
        if fits(day):
            found.add(there)
    return found


def by_passing_hours(zone: str, every: int) -> set[datetime]:
    begin = BEGIN.replace(minute=0, second=0)
    moments = (begin + timedelta(hours=number) for number in range(24 * (DAYS + 1)))
    labels = {each: each.astimezone(ZoneInfo(zone)) for each in moments}
    return {each for each, label in labels.items() if label.hour % every == 0 and label.weekday() >= 5}


def every_day(_day: date) -> bool:
    return True


PLANS: dict[str, tuple[dict[str, Any], Callable[[], set[datetime]]]] = {
    "in the gap of Berlin": (
        {"cron": "30 2 * * *", "time_zone": "Europe/Berlin"},
        lambda: at_fixed_time("Europe/Berlin", 2, 30, every_day),
    ),
    "in the hour that comes twice": (
        {"cron": "30 1 * * SUN", "time_zone": "America/New_York"},
        lambda: at_fixed_time("America/New_York", 1, 30, lambda day: day.weekday() == 6),
    ),
    "by hours that pass": (
        {"cron": "0 */8 * * SAT,SUN", "time_zone": "Europe/Berlin"},
        lambda: by_passing_hours("Europe/Berlin", 8),
    ),
    "on the last of the month": (
        {"cron": "0 0 L * *", "time_zone": "Africa/Cairo"},
        lambda: at_fixed_time("Africa/Cairo", 0, 0, lambda day: (day + timedelta(days=1)).day == 1),
    ),
    "by half an hour": (
        {"cron": "15 2 * * SUN", "time_zone": "Australia/Lord_Howe"},
        lambda: at_fixed_time("Australia/Lord_Howe", 2, 15, lambda day: day.weekday() == 6),
    ),
    "an interval": (
        {"every": "2d"},
        lambda: {BEGIN + timedelta(days=number) for number in range(2, DAYS + 2, 2)},
    ),
}


@pytest.mark.timeout(300)
def test_over_400_days_each_due_time_makes_one_job_whoever_is_killed(run: Callable[[Work], None]) -> None:
    chance = random.Random(SEED)

    async def work(hosts: Hosts) -> None:
        end = BEGIN + timedelta(days=DAYS)
        made = {name: await hosts.make(name=name, **fields) for name, (fields, _) in PLANS.items()}
        expected = {
            str(uuid5(UUID(made[name].id), stamp(due))): (name, due)
            for name, (_, due_times) in PLANS.items()
            for due in due_times()
            if BEGIN < due <= end
        }
        assert len(expected) > 1000
        moments = sorted({due for _, due in expected.values()})
        number = rounds = 0
        while number < len(moments):
            # Now and then a host comes late, and finds several due times, but all in time.
            hosts.now = moments[number] + timedelta(seconds=chance.choice((0, 1, 59, 200)))
            while number < len(moments) and moments[number] <= hosts.now:
                number += 1
            both = len(hosts.hosts) > 1 and chance.random() < 0.3
            busy = range(len(hosts.hosts)) if both else [chance.randrange(len(hosts.hosts))]
            for each in busy:
                if chance.random() < 0.25:
                    hosts.kill(each, chance.randrange(6), after=chance.random() < 0.5)
            await asyncio.gather(*(hosts.tick(each) for each in busy))
            for each in busy:
                await hosts.tick(each)
            if (rounds := rounds + 1) % 5 == 0:
                await hosts.end_jobs()
        made_for = await hosts.jobs()
        assert made_for.keys() == expected.keys()
        shown: Counter[tuple[str, str]] = Counter()
        for job_id, (name, due) in expected.items():
            assert made_for[job_id] == {"id": made[name].id, "name": name, "due": due.isoformat()}
            zone = PLANS[name][0].get("time_zone", "UTC")
            shown[name, f"{due.astimezone(ZoneInfo(zone)):%H:%M}"] += 1
        # At the two changes to summer time of Berlin: what would be at 02:30 comes when the clock shows 03:00.
        assert shown["in the gap of Berlin", "03:00"] == 1
        assert shown["in the gap of Berlin", "02:30"] == DAYS - 1
        for schedule in made.values():
            assert (await hosts.read(schedule)).state == "active"

    run(work)
