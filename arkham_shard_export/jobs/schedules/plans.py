"""When a schedule is due: pure reckoning in instants (aware, UTC), from a cron expression and a zone, or an interval.

Expressions are read by CronSim, and the clock of a zone that is put forward or back is dealt with as by Debian's cron:
a fixed time of day that does not exist is due at the first moment after the gap, one that exists twice is due the first
time. Where minute or hour begin with a star an expression follows the time that really passes: what does not exist is
left out, what exists twice is due twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

MAX_CRON_LENGTH = 100
MAX_EVERY_SECONDS = 10 * 366 * 86_400
CRON_FIELDS = "minute hour day-of-month month day-of-week"
CRON_EXAMPLES = ("0 7 * * MON", "30 18 1 * *", "*/15 8-17 * * MON-FRI", "@daily")
EVERY_EXAMPLES = ("15m", "12h", "1d", "2w")
_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_EVERY = re.compile(r"([1-9][0-9]{0,6})([mhdw])")
_UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SECOND = timedelta(seconds=1)
_STRETCH = timedelta(hours=12)
"""No zone changes its offset twice within it."""
_NEWEST_WITHIN = timedelta(hours=1)


class WrongCron(ValueError):
    """What is wrong with an expression, as the rest of a sentence."""


def check_cron(expression: str) -> None:
    """WrongCron where it is none of five fields, or an alias such as @daily."""
    spelled = _spelled(expression)
    if len(expression) > MAX_CRON_LENGTH:
        raise WrongCron(f"is longer than {MAX_CRON_LENGTH} characters")
    if len(spelled.split()) != 5:
        raise WrongCron(f"does not have the five fields {CRON_FIELDS}")
    try:
        CronSim(spelled, datetime(2000, 1, 1))
    except CronSimError as error:
        raise WrongCron(f"has a {str(error).lower()}") from None


def _spelled(expression: str) -> str:
    return _ALIASES.get(expression.strip().lower(), expression)


def every_seconds(text: str) -> int | None:
    """The seconds of an interval such as 15m, 12h, 1d or 2w; None where it is none."""
    match = _EVERY.fullmatch(text)
    return None if match is None else int(match[1]) * _UNIT_SECONDS[match[2]]


@cache
def zone_names() -> frozenset[str]:
    """The zones of the IANA database that there are on this machine; reading them takes some 50 ms."""
    return frozenset(available_timezones()) - {"localtime"}


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression by the clocks of a zone."""

    expression: str
    time_zone: str

    def after(self, moment: datetime) -> datetime | None:
        """The first due time later than `moment`; None where there is none within fifty years."""
        zone = ZoneInfo(self.time_zone)
        expression = _spelled(self.expression)
        minute, hour, *_ = expression.split()
        if minute.startswith("*") or hour.startswith("*"):
            return _by_passing_time(expression, zone, moment)
        for found in CronSim(expression, moment.astimezone(zone)):
            # It begins with the clock on the wall, which an hour after being put back shows what was due before.
            if (due := found.astimezone(UTC)) > moment:
                return due
        return None

    def newest(self, after: datetime, until: datetime) -> datetime | None:
        """The last due time that is later than `after` and not later than `until`."""
        back = _NEWEST_WITHIN
        begin = until
        while begin > after:
            begin = max(after, until - back)
            newest = None
            due = self.after(begin)
            while due is not None and due <= until:
                newest, due = due, self.after(due)
            if newest is not None:
                return newest
            back *= 2
        return None


def _by_passing_time(expression: str, zone: ZoneInfo, moment: datetime) -> datetime | None:
    """Looks through stretches of one offset, in which the clock on the wall passes like time itself.

    CronSim alone would lose times where a zone's clock is put by half an hour, and find others where a day begins late.
    """
    offset = _offset(zone, moment)
    label = _wall(moment, offset)
    while (shown := next(CronSim(expression, label), None)) is not None:
        due = (shown - offset).replace(tzinfo=UTC)
        changed = _changed(zone, moment, due)
        if changed is None:
            return due
        moment, offset = changed, _offset(zone, changed)
        label = _wall(changed, offset) - _SECOND
    return None


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _wall(moment: datetime, offset: timedelta) -> datetime:
    """What the clock on the wall shows."""
    return moment.replace(tzinfo=None) + offset


def _changed(zone: ZoneInfo, begin: datetime, end: datetime) -> datetime | None:
    """The first moment, to the second, later than `begin` and not later than `end`, with another offset than at `begin`."""
    offset = _offset(zone, begin)
    while begin < end:
        later = min(begin + _STRETCH, end)
        if _offset(zone, later) != offset:
            while later - begin > _SECOND:
                middle = begin + timedelta(seconds=(later - begin) // _SECOND // 2)
                begin, later = (middle, later) if _offset(zone, middle) == offset else (begin, middle)
            return later
        begin = later
    return None


@dataclass(frozen=True, slots=True)
class Every:
    """Time that really passes, counted from `anchored_at`."""

    seconds: int
    anchored_at: datetime

    def after(self, moment: datetime) -> datetime | None:
        """The first due time later than `moment`."""
        return self._due(max(1, self._passed(moment) + 1))

    def newest(self, after: datetime, until: datetime) -> datetime | None:
        due = self._due(max(1, self._passed(until)))
        return due if after < due <= until else None

    def _passed(self, moment: datetime) -> int:
        return (moment - self.anchored_at) // timedelta(seconds=self.seconds)

    def _due(self, number: int) -> datetime:
        return self.anchored_at + timedelta(seconds=self.seconds * number)


@dataclass(frozen=True)
class Plan:
    """All due times of a schedule; those after `ends_at` are none."""

    cron: str | None
    every_seconds: int | None
    time_zone: str
    anchored_at: datetime
    ends_at: datetime | None = None

    @cached_property
    def _timing(self) -> Cron | Every:
        if self.every_seconds is not None:
            return Every(self.every_seconds, self.anchored_at)
        return Cron(self.cron or "", self.time_zone)

    def after(self, moment: datetime) -> datetime | None:
        """The first due time later than `moment`."""
        due = self._timing.after(moment)
        return None if due is None or (self.ends_at is not None and due > self.ends_at) else due

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The due times later than `after` and not later than `until`, in order."""
        due = self.after(after)
        while due is not None and due <= until:
            yield due
            due = self.after(due)

    def newest(self, after: datetime, until: datetime) -> datetime | None:
        """The last of those, however many there are."""
        return self._timing.newest(after, until if self.ends_at is None else min(until, self.ends_at))

    def following(self, moment: datetime, count: int) -> list[datetime]:
        """The next due times, by the clocks of the zone."""
        found: list[datetime] = []
        due = self.after(moment)
        while due is not None and len(found) < count:
            found.append(due.astimezone(ZoneInfo(self.time_zone)))
            due = self.after(due)
        return found
