"""Ranges of days that are named by where today stands, such as `last_7_days`: what an export of every Monday asks for.

A range is made of whole days of a zone. Those that look back (`yesterday`, `last_…`) end before today begins, so that
exports made day by day, or week by week, hold every record once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

NAMES = (
    "today",
    "yesterday",
    "last_7_days",
    "last_30_days",
    "this_week",
    "last_week",
    "this_month",
    "last_month",
    "this_quarter",
    "last_quarter",
    "this_year",
    "last_year",
)
"""Those that are offered; besides them `last_N_days` for any other number of days."""
MOST_DAYS = 9999
PATTERN = r"(?:today|yesterday|(?:this|last)_(?:week|month|quarter|year)|last_[1-9][0-9]{0,3}_days)"

_WHOLE = re.compile(PATTERN)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class DateRange:
    """The days that `asked` stood for. Both ends belong to it: days where the zone is UTC, or else moments with their
    offset."""

    asked: str
    zone: str
    start: str
    end: str


def is_relative(value: object) -> bool:
    return isinstance(value, str) and _WHOLE.fullmatch(value) is not None


def resolve(name: str, now: datetime, zone: str = "UTC") -> DateRange:
    """What `name` stands for at this moment, in the days of `zone`. ValueError where it names no range."""
    if zone == "UTC":
        first, last = days_of(name, now.astimezone(UTC).date())
        return DateRange(name, zone, first.isoformat(), last.isoformat())
    there = ZoneInfo(zone)
    first, last = days_of(name, now.astimezone(there).date())
    end = _beginning(last + timedelta(days=1), there) - timedelta(microseconds=1)
    return DateRange(
        name,
        zone,
        _beginning(first, there).astimezone(there).isoformat(),
        end.astimezone(there).isoformat(),
    )


def days_of(name: str, today: date) -> tuple[date, date]:
    """The first and the last day of a range; weeks begin on Monday. ValueError where `name` is none."""
    if not is_relative(name):
        raise ValueError(name)
    day = timedelta(days=1)
    if name == "today":
        return today, today
    if name == "yesterday":
        return today - day, today - day
    which, unit = name.split("_", 1)
    if unit.endswith("_days"):
        return today - int(unit.removesuffix("_days")) * day, today - day
    if unit == "week":
        monday = today - today.weekday() * day - (7 * day if which == "last" else timedelta())
        return monday, monday + 6 * day
    months = _MONTHS[unit]
    index = (12 * today.year + today.month - 1) // months * months - (months if which == "last" else 0)
    return _month(index), _month(index + months) - day


def _month(index: int) -> date:
    """The first of a month, counted from the first month of the year 0."""
    return date(index // 12, index % 12 + 1, 1)


def _beginning(day: date, zone: tzinfo) -> datetime:
    """The moment at which a day begins, in UTC: of a midnight that comes twice the first, of one that is left out when
    it would have been."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
