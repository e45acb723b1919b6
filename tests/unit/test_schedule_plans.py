"""When schedules are due: held to a clock that is looked at minute by minute, through every kind of change of an offset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from arkham_shard_export.jobs.schedules.checking import RUN_ONCE, SKIP
from arkham_shard_export.jobs.schedules.firing import GRACE_SECONDS, MOST_COUNTED, due_times
from arkham_shard_export.jobs.schedules.plans import Plan, WrongCron, check_cron, every_seconds

MINUTE = timedelta(minutes=1)
DAYS = 4
CHANGES = {
    "Europe/Berlin": ((2026, 3, 28), (2026, 10, 24)),
    "America/New_York": ((2026, 3, 7), (2026, 10, 31)),
    # By half an hour.
    "Australia/Lord_Howe": ((2026, 4, 3), (2026, 10, 2)),
    # By two hours.
    "Antarctica/Troll": ((2026, 3, 28), (2026, 10, 24)),
    # At midnight, so that a day begins late, or its last hour comes twice.
    "America/Havana": ((2026, 3, 7), (2026, 10, 31)),
    "Africa/Cairo": ((2026, 4, 23), (2026, 10, 29)),
    "Asia/Beirut": ((2026, 3, 28), (2026, 10, 24)),
    "Atlantic/Azores": ((2026, 3, 28), (2026, 10, 24)),
}
FIXED = [
    "30 2 * * *",
    "0,30 2 * * *",
    "0 2,3 * * *",
    "15 1-3 * * *",
    "0 0 * * *",
    "45 23 * * *",
    "5 0,1 * * SUN",
]
PASSING = [
    "*/15 * * * *",
    "30 * * * *",
    "0 */2 * * *",
    "*/10 */6 * * SUN",
    "*/30 * * * 0",
    "7 */3 1-7 * *",
    "* 2 * * *",
]


def by_the_minute(expression: str, zone: ZoneInfo, begin: datetime) -> list[datetime]:
    """What Debian's cron would run, as its manual tells it."""
    cron = CronSim(expression, datetime(2026, 1, 1))

    def names(label: datetime) -> bool:
        fits = label.minute in cron.minutes and label.hour in cron.hours and label.month in cron.months
        return fits and cron.match_day(label.date())

    passing = expression in PASSING
    due, seen, before = [], set[datetime](), None
    for number in range(-1440, DAYS * 1440):
        moment = begin + number * MINUTE
        label = moment.astimezone(zone).replace(tzinfo=None, fold=0)
        left_out = []
        while before is not None and before + MINUTE < label:
            before += MINUTE
            left_out.append(before)
        shown = [label] if passing else [each for each in (*left_out, label) if each not in seen]
        if any(map(names, shown)) and number >= 0:
            due.append(moment)
        seen.update(shown)
        before = label
    return due


@pytest.mark.parametrize("zone", CHANGES)
def test_each_due_time_is_that_of_a_clock_looked_at_every_minute(zone: str) -> None:
    for day in CHANGES[zone]:
        begin = datetime(*day, tzinfo=UTC)
        for expression in (*FIXED, *PASSING):
            plan = Plan(expression, None, zone, begin)
            expected = by_the_minute(expression, ZoneInfo(zone), begin)
            end = begin + timedelta(days=DAYS) - MINUTE
            assert list(plan.between(begin - MINUTE, end)) == expected, (zone, day, expression)
            assert plan.newest(begin - MINUTE, end) == (expected[-1] if expected else None)


def test_the_next_due_time_is_later_wherever_one_begins_to_look() -> None:
    """In the hour that comes twice the clock on the wall shows what was due before."""
    for zone, days in CHANGES.items():
        for day in days:
            begin = datetime(*day, tzinfo=UTC)
            for expression in ("30 2 * * *", "15 1-3 * * *", "0 0 * * *", "30 * * * *"):
                plan = Plan(expression, None, zone, begin)
                due = list(plan.between(begin, begin + timedelta(days=DAYS + 1)))
                for minutes in range(0, DAYS * 1440, 37):
                    moment = begin + timedelta(minutes=minutes, seconds=1, microseconds=500)
                    assert plan.after(moment) == next(each for each in due if each > moment)


def test_what_is_shown_is_never_a_time_that_does_not_exist() -> None:
    plan = Plan("30 2 * * *", None, "Europe/Berlin", datetime(2026, 1, 1, tzinfo=UTC))
    shown = [each.isoformat() for each in plan.following(datetime(2026, 3, 28, tzinfo=UTC), 3)]
    assert shown == ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
    shown = [each.isoformat() for each in plan.following(datetime(2026, 10, 24, 12, tzinfo=UTC), 2)]
    assert shown == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


def test_an_interval_is_counted_from_its_anchor_in_time_that_passes() -> None:
    anchor = datetime(2026, 3, 28, 6, tzinfo=UTC)
    plan = Plan(None, 86_400, "Europe/Berlin", anchor)
    shown = [each.isoformat() for each in plan.following(anchor, 2)]
    assert shown == ["2026-03-29T08:00:00+02:00", "2026-03-30T08:00:00+02:00"]
    assert plan.after(anchor - timedelta(days=9)) == anchor + timedelta(days=1)
    assert plan.newest(anchor, anchor + timedelta(days=9, hours=1)) == anchor + timedelta(days=9)
    assert plan.newest(anchor, anchor + timedelta(hours=1)) is None
    assert Plan(None, 60, "UTC", anchor).newest(anchor, anchor + timedelta(days=4000)) is not None


def test_nothing_is_due_after_the_end() -> None:
    anchor = datetime(2026, 3, 1, tzinfo=UTC)
    plan = Plan("0 7 * * *", None, "UTC", anchor, datetime(2026, 3, 3, 7, tzinfo=UTC))
    due = [datetime(2026, 3, day, 7, tzinfo=UTC) for day in (1, 2, 3)]
    assert list(plan.between(anchor, anchor + timedelta(days=99))) == due
    assert plan.newest(anchor, anchor + timedelta(days=99)) == due[-1]
    assert plan.following(due[1], 5) == [due[2]]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "five fields"),
        ("0 7 * *", "five fields"),
        ("0 0 7 * * *", "five fields"),
        ("99 7 * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 7 31 2 *", "bad day-of-month"),
        ("0 7 * * MOON", "bad day-of-week"),
        ("*/0 * * * *", "bad minute"),
        ("@reboot", "five fields"),
        ("1," * 60 + "1 * * * *", "longer than"),
    ],
)
def test_what_is_no_cron_expression_is_told_why(expression: str, reason: str) -> None:
    with pytest.raises(WrongCron, match=reason):
        check_cron(expression)


@settings(deadline=None)
@given(st.text("0123456789*/,-#LWMONFRI @\0é", max_size=30) | st.text(max_size=20))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        check_cron(text)
    except WrongCron:
        return
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    due = Plan(text, None, "Europe/Berlin", moment).after(moment)
    assert due is None or due > moment


def test_intervals_are_minutes_hours_days_and_weeks() -> None:
    assert [every_seconds(each) for each in ("15m", "12h", "1d", "2w")] == [900, 43_200, 86_400, 1_209_600]
    for wrong in ("", "1", "0m", "-1h", "1.5h", "1 h", "1y", "12345678m", "٣m", "1d\n"):
        assert every_seconds(wrong) is None, wrong


AFTER = datetime(2026, 5, 4, 8, tzinfo=UTC)
HOURLY = Plan("0 * * * *", None, "UTC", AFTER)


def test_due_times_in_time_run_each_and_older_ones_were_missed() -> None:
    minutely = Plan("* * * * *", None, "UTC", AFTER)
    due = due_times(minutely, AFTER, AFTER + timedelta(seconds=GRACE_SECONDS), run_once=True)
    assert [each for each, _ in due.runs] == [AFTER + number * MINUTE for number in range(1, 6)]
    assert due.missed == ()
    later = due_times(minutely, AFTER, AFTER + timedelta(minutes=60), run_once=True)
    assert len(later.runs) == 5
    assert len(later.missed) == 55, "what runs now makes up for them"


@pytest.mark.parametrize("policy", [SKIP, RUN_ONCE])
def test_missed_due_times_are_made_up_for_once_or_not_at_all(policy: str) -> None:
    now = AFTER + timedelta(hours=3, minutes=20)
    due = due_times(HOURLY, AFTER, now, policy == RUN_ONCE)
    last = AFTER + timedelta(hours=3)
    assert due.runs == ([(last, "late")] if policy == RUN_ONCE else [])
    assert len(due.missed) == (2 if policy == RUN_ONCE else 3)
    assert due.last == last


def test_ten_years_of_missed_minutes_are_counted_only_so_far() -> None:
    due = due_times(
        Plan("* * * * *", None, "Europe/Berlin", AFTER), AFTER, AFTER + timedelta(days=3660), run_once=True
    )
    assert len(due.runs) == 5
    assert len(due.missed) == MOST_COUNTED


def test_nothing_is_due_where_the_clock_is_behind() -> None:
    due = due_times(HOURLY, AFTER, AFTER - timedelta(days=3), run_once=True)
    assert (due.runs, due.missed) == ([], ())
