"""What somebody asks a schedule to be, checked field by field; everything wrong is told at once."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from arkham_shard_export.bounds import MAX_NAMES, MAX_TEXT_LENGTH
from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.jobs.schedules.plans import (
    CRON_EXAMPLES,
    EVERY_EXAMPLES,
    MAX_EVERY_SECONDS,
    Plan,
    WrongCron,
    check_cron,
    every_seconds,
    zone_names,
)
from arkham_shard_export.jobs.table.schedules import StoredSchedule
from arkham_shard_export.models import ExportSchedule, JobRequest

SKIP, RUN_ONCE = "skip", "run_once"
MISSED_CHOICES = (SKIP, RUN_ONCE)
MAX_NAME_LENGTH = 200
MAX_KEEP_FILES = 1000
MAX_FAILURES = 100
DEFAULTS: dict[str, object] = {
    "name": None,
    "description": "",
    "cron": None,
    "every": None,
    "time_zone": "UTC",
    "request": None,
    "retention_hours": None,
    "ends_at": None,
    "missed": RUN_ONCE,
    "keep_files": None,
    "max_failures": 3,
}
PLANNING = ("cron", "every", "time_zone")
"""A change of one of these begins a new plan."""
TIMING = (*PLANNING, "ends_at")
REQUEST_FIELDS = tuple(each.name for each in fields(JobRequest))
ZONE_EXAMPLES = ("UTC", "Europe/Berlin", "America/New_York")
_GAPS = 60
"""So many intervals of an expression are compared with the least that is allowed."""
_MAX_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Wanted:
    """The fields of a schedule as they will be kept; the request in it has not been tried."""

    name: str
    description: str
    cron: str | None
    every: str | None
    time_zone: str
    request: dict[str, Any]
    retention_hours: Any
    ends_at: datetime | None
    missed: str
    keep_files: int | None
    max_failures: int


def plan_of(stored: StoredSchedule) -> Plan:
    schedule = stored.schedule
    return plan_for(schedule.cron, schedule.every, schedule.time_zone, stored.anchored_at, schedule.ends_at)


def plan_for(
    cron: str | None, every: str | None, time_zone: str, anchored_at: datetime, ends_at: datetime | None
) -> Plan:
    seconds = None if every is None else every_seconds(every)
    return Plan(cron, seconds, time_zone, anchored_at, ends_at)


def given_by(schedule: ExportSchedule) -> dict[str, object]:
    """The fields that were asked for, to be asked for again with changes."""
    return {name: getattr(schedule, name) for name in DEFAULTS}


def merged(schedule: ExportSchedule, changes: Mapping[str, object]) -> dict[str, object]:
    """The fields with these changes; of `cron` and `every` the one that is given alone takes the other's place."""
    changes = dict(changes)
    for one, other in (("cron", "every"), ("every", "cron")):
        if changes.get(one) is not None:
            changes.setdefault(other, None)
    return {**given_by(schedule), **changes}


def asked_of(request: Mapping[str, Any], retention_hours: float | None) -> JobRequest:
    """The request of a job; InvalidRequest names fields that no request has."""
    problems = [
        FieldProblem(
            f"request.{_shown(name)}", value, f"Unknown field {_shown(name)!r} in request.", REQUEST_FIELDS
        )
        for name, value in request.items()
        if name not in REQUEST_FIELDS
    ]
    if problems:
        raise InvalidRequest(problems)
    kept = {} if retention_hours is None else {"retention_hours": retention_hours}
    return JobRequest(**{**request, **kept})


def check_fields(
    given: Mapping[str, object], now: datetime, least_seconds: int, *, same_plan: bool = False
) -> Wanted:
    """Takes up to some 100 ms of processor; InvalidRequest lists every wrong field. The `same_plan` as before need have no
    due times any more."""
    return _Check(given, now, least_seconds, same_plan).wanted()


def check_plan(given: Mapping[str, object], now: datetime, least_seconds: int) -> Plan:
    """Of `cron`, `every`, `time_zone` and `ends_at` alone."""
    return _Check(given, now, least_seconds).planned()


class _Check:
    def __init__(
        self, given: Mapping[str, object], now: datetime, least_seconds: int, same_plan: bool = False
    ) -> None:
        self._same_plan = same_plan
        self._given = {**DEFAULTS, **given}
        self._now = now
        self._least_seconds = least_seconds
        self._problems: list[FieldProblem] = [
            FieldProblem(_shown(name), value, f"Unknown field {_shown(name)!r}.", tuple(DEFAULTS))
            for name, value in given.items()
            if name not in DEFAULTS
        ]

    def wanted(self) -> Wanted:
        name = self._text("name", MAX_NAME_LENGTH)
        if name is not None and not name.strip():
            self._wrong("name", "name must say what the schedule is for, such as 'Claims for the editor'.")
        description = self._text("description", MAX_TEXT_LENGTH, lines=True)
        request = self._request()
        missed = self._given["missed"]
        if missed not in MISSED_CHOICES:
            self._wrong("missed", f"missed cannot be {_shown(missed)!r}.", MISSED_CHOICES)
        keep_files = self._number("keep_files", MAX_KEEP_FILES, optional=True)
        max_failures = self._number("max_failures", MAX_FAILURES)
        plan = self._plan()
        self._raise()
        assert plan is not None
        return Wanted(
            name=str(name).strip(),
            description=str(description),
            cron=plan.cron,
            every=None if plan.every_seconds is None else str(self._given["every"]),
            time_zone=plan.time_zone,
            request=request,
            retention_hours=self._given["retention_hours"],
            ends_at=plan.ends_at,
            missed=str(missed),
            keep_files=keep_files,
            max_failures=max_failures or 1,
        )

    def planned(self) -> Plan:
        plan = self._plan()
        self._raise()
        assert plan is not None
        return plan

    def _raise(self) -> None:
        if self._problems:
            raise InvalidRequest(self._problems)

    def _wrong(self, field: str, message: str, valid: tuple[str, ...] = ()) -> None:
        self._problems.append(FieldProblem(field, self._given[field], message, valid))

    def _text(self, field: str, most: int, *, lines: bool = False) -> str | None:
        value = self._given[field]
        if not isinstance(value, str):
            missing = value is None
            self._wrong(field, f"{field} is missing." if missing else f"{field} must be a text.")
        elif len(value) > most:
            self._wrong(field, f"{field} is too long: at most {most} characters are accepted.")
        elif not _plain(value, lines):
            self._wrong(field, f"{field} must be plain text, without control characters.")
        else:
            return value
        return None

    def _number(self, field: str, most: int, *, optional: bool = False) -> int | None:
        value = self._given[field]
        if value is None and optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            none = ", or null" if optional else ""
            self._wrong(
                field, f"{field} must be a whole number from 1 to {most}{none}, not {_shown(value)!r}."
            )
            return None
        return value

    def _request(self) -> dict[str, Any]:
        request = self._given["request"]
        if isinstance(request, Mapping) and len(request) > MAX_NAMES:
            self._wrong("request", f"request has too many fields: at most {MAX_NAMES} are accepted.")
            return {}
        if isinstance(request, Mapping) and request:
            return dict(request)
        self._wrong(
            "request",
            "request must be the body of a job, such as"
            ' {"target": "claims", "format": "csv"}, with any of the fields of POST /jobs.',
        )
        return {}

    def _plan(self) -> Plan | None:
        before = len(self._problems)
        time_zone = self._zone()
        cron, every = self._given["cron"], self._given["every"]
        if (cron is None) == (every is None):
            self._wrong(
                "cron",
                "Give either cron (such as "
                f"{CRON_EXAMPLES[0]!r}) or every (such as {EVERY_EXAMPLES[1]!r}){', not both' if cron else ''}.",
            )
        elif cron is not None:
            self._check_cron(cron)
        else:
            self._check_every(every)
        ends_at = self._end(time_zone)
        if len(self._problems) > before or time_zone is None:
            return None
        anchored_at = self._now.replace(microsecond=0)
        plan = plan_for(
            None if cron is None else str(cron).strip(), None if every is None else str(every), time_zone,
            anchored_at, ends_at,
        )  # fmt: skip
        if not self._same_plan:
            self._check_times(plan)
        return plan

    def _zone(self) -> str | None:
        name = self._given["time_zone"]
        if isinstance(name, str) and name in zone_names():
            return name
        close = difflib.get_close_matches(_shown(name), zone_names(), 3, 0.6) if isinstance(name, str) else []
        such = ", ".join(close or ZONE_EXAMPLES)
        self._wrong(
            "time_zone", f"time_zone {_shown(name)!r} is no zone of the IANA database, such as {such}."
        )
        return None

    def _check_cron(self, cron: object) -> None:
        wrong = "must be a text"
        if isinstance(cron, str):
            try:
                check_cron(cron)
                return
            except WrongCron as error:
                wrong = str(error)
        such = ", ".join(map(repr, CRON_EXAMPLES))
        self._wrong("cron", f"cron {_shown(cron)!r} {wrong}; examples are {such}.")

    def _check_every(self, every: object) -> None:
        seconds = every_seconds(every) if isinstance(every, str) else None
        such = ", ".join(EVERY_EXAMPLES)
        if seconds is None:
            self._wrong(
                "every",
                f"every {_shown(every)!r} is no number of minutes, hours, days or weeks; examples are {such}.",
            )
        elif seconds > MAX_EVERY_SECONDS:
            self._wrong("every", f"every {every!r} is longer than ten years.")
        elif seconds < self._least_seconds:
            self._wrong("every", f"every {every!r} is too often: {self._least()}.")

    def _least(self) -> str:
        return f"this host allows a run every {self._least_seconds} seconds at most"

    def _end(self, time_zone: str | None) -> datetime | None:
        value = self._given["ends_at"]
        if value is None or isinstance(value, datetime):
            return value
        found = _end_of(value, time_zone or "UTC") if isinstance(value, str) else None
        if found is None:
            self._wrong(
                "ends_at",
                f"ends_at {_shown(value)!r} is no date or time of ISO 8601, such as 2027-12-31 or"
                " 2027-12-31T18:00:00+01:00.",
            )
        elif found <= self._now:
            self._wrong("ends_at", f"ends_at {_shown(value)!r} is not in the future.")
        return found

    def _check_times(self, plan: Plan) -> None:
        first = plan.after(self._now)
        if first is None:
            field = "cron" if plan.ends_at is None else "ends_at"
            until = "ever" if plan.ends_at is None else "until ends_at"
            self._wrong(field, f"The schedule would never run: it is not due {until}.")
            return
        if self._least_seconds > 60 and plan.cron is not None:
            least = timedelta(seconds=self._least_seconds)
            times = plan.following(self._now, _GAPS)
            # By instants: times of one zone are compared by the clock on the wall.
            instants = [each.astimezone(UTC) for each in times]
            if any(later - due < least for due, later in itertools.pairwise(instants)):
                self._wrong("cron", f"cron {plan.cron!r} is due too often: {self._least()}.")


def _end_of(text: str, time_zone: str) -> datetime | None:
    """A moment by the clocks of the zone, unless it has an offset; of a date its last second."""
    try:
        if len(text) <= 10:
            found = datetime.combine(date.fromisoformat(text), time(23, 59, 59))
        else:
            found = datetime.fromisoformat(text)
        found = found if found.tzinfo is not None else found.replace(tzinfo=ZoneInfo(time_zone))
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _plain(text: str, lines: bool) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    allowed: Callable[[str], bool] = str.isprintable
    return all(allowed(each) or (lines and each in "\n\r\t") for each in text)


def _shown(value: object) -> str:
    return str(value)[:_MAX_SHOWN]
