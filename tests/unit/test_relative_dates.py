"""Relative dates: whole days of a zone, across the ends of months and years and changes of the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkham_shard_export.errors import InvalidRequest
from arkham_shard_export.pipeline import ExportRequest, check_request
from arkham_shard_export.relative_dates import MOST_DAYS, NAMES, days_of, is_relative, resolve
from arkham_shard_export.targets import TARGETS

THURSDAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("name", "today", "first", "last"),
    [
        ("today", THURSDAY, "2026-11-26", "2026-11-26"),
        ("yesterday", date(2026, 3, 1), "2026-02-28", "2026-02-28"),
        ("yesterday", date(2028, 3, 1), "2028-02-29", "2028-02-29"),
        ("yesterday", date(2027, 1, 1), "2026-12-31", "2026-12-31"),
        ("last_1_days", THURSDAY, "2026-11-25", "2026-11-25"),
        ("last_7_days", THURSDAY, "2026-11-19", "2026-11-25"),
        ("last_30_days", date(2026, 3, 1), "2026-01-30", "2026-02-28"),
        ("last_366_days", date(2029, 1, 1), "2028-01-01", "2028-12-31"),
        ("this_week", THURSDAY, "2026-11-23", "2026-11-29"),
        ("this_week", date(2026, 11, 23), "2026-11-23", "2026-11-29"),
        ("this_week", date(2026, 11, 29), "2026-11-23", "2026-11-29"),
        ("this_week", date(2027, 1, 1), "2026-12-28", "2027-01-03"),
        ("last_week", THURSDAY, "2026-11-16", "2026-11-22"),
        ("last_week", date(2027, 1, 4), "2026-12-28", "2027-01-03"),
        ("this_month", THURSDAY, "2026-11-01", "2026-11-30"),
        ("this_month", date(2028, 2, 29), "2028-02-01", "2028-02-29"),
        ("this_month", date(2026, 12, 31), "2026-12-01", "2026-12-31"),
        ("last_month", date(2026, 1, 31), "2025-12-01", "2025-12-31"),
        ("last_month", date(2026, 3, 31), "2026-02-01", "2026-02-28"),
        ("this_quarter", THURSDAY, "2026-10-01", "2026-12-31"),
        ("last_quarter", date(2026, 2, 1), "2025-10-01", "2025-12-31"),
        ("last_quarter", date(2026, 4, 1), "2026-01-01", "2026-03-31"),
        ("this_year", date(2028, 2, 29), "2028-01-01", "2028-12-31"),
        ("last_year", date(2026, 1, 1), "2025-01-01", "2025-12-31"),
    ],
)
def test_a_range_is_so_many_whole_days(name: str, today: date, first: str, last: str) -> None:
    assert tuple(each.isoformat() for each in days_of(name, today)) == (first, last)


@pytest.mark.parametrize("name", [*NAMES, f"last_{MOST_DAYS}_days"])
@given(today=st.dates(date(1970, 1, 1), date(9998, 12, 31)))
def test_whatever_day_it_is_a_range_is_whole_and_ends_where_it_says(name: str, today: date) -> None:
    first, last = days_of(name, today)
    assert first <= last
    if name.startswith("last_"):
        assert last < today
        before, _ = days_of(name, first) if not name.endswith("_days") else (first, last)
        assert before <= first
    elif name.startswith("this_"):
        assert first <= today <= last


@pytest.mark.parametrize("unit", ["week", "month", "quarter", "year"])
@given(today=st.dates(date(1970, 1, 1), date(9998, 12, 31)))
def test_what_was_last_ends_the_day_before_what_is_now(unit: str, today: date) -> None:
    assert days_of(f"last_{unit}", today)[1] + timedelta(days=1) == days_of(f"this_{unit}", today)[0]


@given(start=st.dates(date(1970, 1, 1), date(2200, 12, 31)), weeks=st.integers(1, 20))
def test_exports_made_every_week_hold_each_day_once(start: date, weeks: int) -> None:
    held = []
    for week in range(weeks):
        first, last = days_of("last_7_days", start + timedelta(weeks=week))
        held += [first + timedelta(days=day) for day in range((last - first).days + 1)]
    assert held == [start - timedelta(days=7) + timedelta(days=day) for day in range(7 * weeks)]


@pytest.mark.parametrize(
    "name",
    ["", "tomorrow", "last_0_days", "last_07_days", "last_10000_days", "last_-7_days", "last_7_day", "last_7_weeks",
     "LAST_7_DAYS", "last_7_days ", "last_٧_days", "this_day", "last_7_days\n", "last__days", 7, None, True, ["today"]],
)  # fmt: skip
def test_what_names_no_range_is_told_apart(name: object) -> None:
    assert not is_relative(name)
    with pytest.raises((ValueError, TypeError)):
        days_of(name, THURSDAY)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "now", "zone", "start", "end"),
    [
        # The day is that of the zone, not of UTC.
        ("today", "2026-11-25T23:30:00", "Europe/Berlin", "2026-11-26T00:00:00+01:00", "2026-11-26T23:59:59.999999+01:00"),
        ("today", "2026-11-26T04:59:00", "America/New_York", "2026-11-25T00:00:00-05:00", "2026-11-25T23:59:59.999999-05:00"),
        # The clock goes back, and forth, in the middle of the range.
        ("last_7_days", "2026-10-28T12:00:00", "Europe/Berlin", "2026-10-21T00:00:00+02:00", "2026-10-27T23:59:59.999999+01:00"),
        ("yesterday", "2026-03-30T12:00:00", "Europe/Berlin", "2026-03-29T00:00:00+01:00", "2026-03-29T23:59:59.999999+02:00"),
        # Days that begin at one o'clock, because there is no midnight, and days whose midnight comes twice.
        ("today", "2026-04-24T12:00:00", "Africa/Cairo", "2026-04-24T01:00:00+03:00", "2026-04-24T23:59:59.999999+03:00"),
        ("yesterday", "2026-04-24T12:00:00", "Africa/Cairo", "2026-04-23T00:00:00+02:00", "2026-04-23T23:59:59.999999+02:00"),
        ("today", "2026-11-01T12:00:00", "America/Havana", "2026-11-01T00:00:00-04:00", "2026-11-01T23:59:59.999999-05:00"),
    ],
)  # fmt: skip
def test_days_are_those_of_the_zone(name: str, now: str, zone: str, start: str, end: str) -> None:
    found = resolve(name, datetime.fromisoformat(now).replace(tzinfo=UTC), zone)
    assert (found.start, found.end) == (start, end)


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Africa/Cairo", "America/Havana", "Australia/Lord_Howe", "Asia/Gaza"]
)
def test_the_days_of_a_zone_follow_each_other_without_gap_or_overlap(zone: str) -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    before = resolve("today", now, zone)
    for day in range(1, 400):
        found = resolve("today", now + timedelta(days=day), zone)
        end = datetime.fromisoformat(before.end)
        assert datetime.fromisoformat(found.start) - end == timedelta(microseconds=1)
        assert end.astimezone(ZoneInfo(zone)).isoformat() == before.end
        before = found


def checked(options: dict[str, object], target: str = "claims") -> ExportRequest:
    now = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
    return check_request("json", TARGETS[target], None, options, now=now)


def test_a_request_has_the_dates_that_its_range_stands_for() -> None:
    request = checked({"date_range": "last_7_days"})
    options = request.options
    assert (options.date_range, options.date_range_start, options.date_range_end) == (
        None,
        "2026-11-19",
        "2026-11-25",
    )
    assert request.date_range is not None
    assert (request.date_range.asked, request.date_range.zone) == ("last_7_days", "UTC")
    selection = request.selection()
    assert selection.start == datetime(2026, 11, 19, tzinfo=UTC)
    assert selection.before == datetime(2026, 11, 26, tzinfo=UTC)
    assert checked({"date_range_start": "2026-11-19"}).date_range is None


@pytest.mark.parametrize("other", [{"date_range_start": "2026-11-01"}, {"date_range_end": "2026-11-01"}])
def test_a_range_beside_dates_is_refused(other: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match="'today' stands for both dates") as refused:
        checked({"date_range": "today", **other})
    assert [each.field for each in refused.value.problems] == ["options.date_range"]


@pytest.mark.parametrize("value", ["last week", "", 7, True, ["today"], {}, "x" * 5000])
def test_another_value_is_refused_with_those_that_there_are(value: object) -> None:
    with pytest.raises(InvalidRequest, match="last_7_days") as refused:
        checked({"date_range": value})
    assert refused.value.problems[0].valid == NAMES
