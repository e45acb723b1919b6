"""Zones and forms of times: across changes of clocks, dates that are no moments, and patterns that are data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkham_shard_export.presentation.numberformats import number_format, number_format_problem
from arkham_shard_export.presentation.times import (
    DIRECTIVES,
    Times,
    format_problem,
    in_zone,
    is_repeated,
    zone_names,
    zone_problem,
)

BERLIN = "Europe/Berlin"
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)).map(lambda each: each.replace(tzinfo=UTC))


def people(text: str, zone: str, form: str = "iso") -> str | None:
    times = Times(zone, form)
    moment = times.local(text)
    return None if moment is None else times.written_for_people(moment)


@pytest.mark.parametrize(
    ("utc", "local"),
    [
        ("2024-03-31T00:59:59", "2024-03-31T01:59:59+01:00"),
        ("2024-03-31T01:00:00", "2024-03-31T03:00:00+02:00"),
        ("2024-10-27T00:30:00", "2024-10-27T02:30:00+02:00"),
        ("2024-10-27T01:30:00", "2024-10-27T02:30:00+01:00"),
        ("2024-07-01T22:00:00.000001", "2024-07-02T00:00:00.000001+02:00"),
    ],
)
def test_a_time_is_moved_by_the_rule_of_its_day(utc: str, local: str) -> None:
    assert in_zone(f"{utc}+00:00", BERLIN) == local


@given(MOMENTS, st.sampled_from(zone_names()))
def test_in_any_zone_it_stays_the_same_moment_as_iso_8601(moment: datetime, zone: str) -> None:
    moved = datetime.fromisoformat(in_zone(moment.isoformat(), zone))
    assert moved == moment
    assert moved.utcoffset() is not None
    assert moved.utcoffset() % timedelta(minutes=1) == timedelta(0)


@pytest.mark.parametrize("zone", [BERLIN, "America/New_York", "Pacific/Kiritimati"])
def test_a_date_without_a_time_is_no_moment_and_stays_what_it_is(zone: str) -> None:
    text = "1912-04-15T00:00:00+00:00"
    assert in_zone(text, zone) == text
    assert people(text, zone) == "1912-04-15"
    assert people(text, zone, "%d.%m.%Y, %H:%M Uhr") == "15.04.1912"
    assert people(text, zone, "%H:%M on %d.%m.%Y") == "15.04.1912"
    assert people(text, zone, "%d %H:%M %B") == "15 April"
    assert people(text, zone, "%H %d %M") == "00 15 00"
    assert people(text, zone, "%H:%M") == "00:00"


@pytest.mark.parametrize("text", ["soon", "", "2024-02-30T00:00:00+00:00", "2024-01-01", "T"])
def test_a_text_that_names_no_time_stays_as_it_is(text: str) -> None:
    assert in_zone(text, BERLIN) == text
    assert people(text, BERLIN) is None


@pytest.mark.parametrize("text", ["0001-01-01T00:00:01+00:00", "9999-12-31T23:59:59+00:00"])
def test_a_time_at_the_end_of_the_calendar_stays_in_utc(text: str) -> None:
    assert in_zone(text, "America/New_York" if text.startswith("0") else "Asia/Tokyo") == text


def test_local_mean_time_has_no_offset_that_iso_8601_can_write() -> None:
    text = "1912-04-15T02:20:00+00:00"
    assert in_zone(text, "Europe/Amsterdam") == text
    assert people(text, "Europe/Amsterdam") == "1912-04-15 02:39:32 AMT"


def test_people_read_the_name_of_the_offset() -> None:
    assert people("2024-10-27T00:30:00+00:00", BERLIN) == "2024-10-27 02:30:00 CEST"
    assert people("2024-10-27T01:30:00.25+00:00", BERLIN) == "2024-10-27 02:30:00.250000 CET"


def test_the_hour_that_clocks_show_twice_is_known() -> None:
    times = Times(BERLIN)
    told = [is_repeated(times.local(f"2024-10-27T0{hour}:59:00+00:00")) for hour in range(4)]  # type: ignore[arg-type]
    assert told == [True, True, False, False]
    assert not is_repeated(times.local("2024-03-31T01:00:00+00:00"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        ("%d.%m.%Y %H:%M:%S.%f", "09.07.0024 14:05:03.000070"),
        ("%y %B %b %A %a %j", "24 July Jul Tuesday Tue 191"),
        ("%I:%M %p", "02:05 PM"),
        ("%z %Z", "+00:00 UTC"),
        ("100 %% of %Y", "100 % of 0024"),
        ("{0.__class__} %Y {} %%n", "{0.__class__} 0024 {} %n"),
        ("%Y年%m月%d日", "0024年07月09日"),
    ],
)
def test_a_pattern_writes_what_it_says_and_nothing_else(pattern: str, written: str) -> None:
    assert format_problem("f", pattern) is None
    moment = datetime(24, 7, 9, 14, 5, 3, 70, tzinfo=UTC)
    assert Times(form=pattern).written(moment) == written


@pytest.mark.parametrize(
    "pattern",
    [
        "%n",
        "%c",
        "%-d",
        "%Y%",
        "%%%",
        "%",
        "no time",
        "%%",
        "",
        " ",
        "%Y\n",
        "%Y" * 40,
        "%\0",
        7,
        None,
        ["%Y"],
        "%é",
    ],
)
def test_other_patterns_are_refused_with_what_is_valid(pattern: object) -> None:
    problem = format_problem("options.date_format", pattern)
    assert problem is not None
    assert problem.field == "options.date_format"
    if isinstance(pattern, str) and pattern.startswith("%") and pattern.isprintable() and len(pattern) < 9:
        assert set(DIRECTIVES) <= set(problem.valid)


@pytest.mark.parametrize(
    "zone",
    [
        "europe/berlin",
        "CEST",
        "../../etc/passwd",
        "/etc/localtime",
        "localtime",
        "right/UTC",
        "",
        "UTC\0",
        "x" * 500,
        1,
    ],
)
def test_a_name_that_is_none_of_a_zone_is_refused(zone: object) -> None:
    problem = zone_problem("options.time_zone", zone)
    assert problem is not None
    assert "Europe/Berlin" in problem.message
    if zone == "europe/berlin":
        assert problem.message.endswith("Did you mean Europe/Berlin?")


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ("iso", r"yyyy\-mm\-dd\ hh:mm:ss"),
        ("date", r"yyyy\-mm\-dd"),
        ("%d.%m.%Y %H:%M", r"dd\.mm\.yyyy\ hh\:mm"),
        ("%A %d %B, %I:%M %p", r"dddd\ dd\ mmmm\,\ hh\:mm\ AM/PM"),
        ('"%Y";@', r"\"yyyy\"\;\@"),
    ],
)
def test_a_pattern_is_a_number_format_of_a_spreadsheet(form: str, code: str) -> None:
    assert number_format_problem(Times(form=form)) is None
    assert number_format(Times(form=form)) == code


@pytest.mark.parametrize(
    "form", ["%z", "%Y %Z", "%j", "%f", "%H %m", "%m:%S", "%M", "%d %M", "%I:%M", "%H:%M %p"]
)
def test_what_a_spreadsheet_would_show_otherwise_is_refused_there(form: str) -> None:
    assert format_problem("f", form) is None
    problem = number_format_problem(Times(form=form))
    assert problem is not None
    assert form[:2] in problem.message or "%" in problem.message
