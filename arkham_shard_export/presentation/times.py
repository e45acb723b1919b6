"""In which zone times are written, and in which form.

A time at midnight UTC stands for a date without a time, as everywhere in these exports: it is no moment, and stays what it
is in every zone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from arkham_shard_export.errors import FieldProblem
from arkham_shard_export.presentation.words import shown, text_problem

UTC_NAME = "UTC"
ISO, DATE = "iso", "date"
MAX_PATTERN_LENGTH = 60
_DATE_PATTERN = "%Y-%m-%d"
_NO_ZONES = {"localtime", "Factory"}
"""Entries that some systems have for the machine's own zone, and for none."""
_MIDNIGHT = "T00:00:00+00:00"
_PIECE = re.compile("%(.?)|([^%]+)", re.DOTALL)
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_WRITE: dict[str, Callable[[datetime], str]] = {
    "Y": lambda moment: f"{moment.year:04}",
    "y": lambda moment: f"{moment.year % 100:02}",
    "m": lambda moment: f"{moment.month:02}",
    "B": lambda moment: _MONTHS[moment.month - 1],
    "b": lambda moment: _MONTHS[moment.month - 1][:3],
    "d": lambda moment: f"{moment.day:02}",
    "j": lambda moment: f"{moment.timetuple().tm_yday:03}",
    "A": lambda moment: _DAYS[moment.weekday()],
    "a": lambda moment: _DAYS[moment.weekday()][:3],
    "H": lambda moment: f"{moment.hour:02}",
    "I": lambda moment: f"{(moment.hour - 1) % 12 + 1:02}",
    "p": lambda moment: "PM" if moment.hour >= 12 else "AM",
    "M": lambda moment: f"{moment.minute:02}",
    "S": lambda moment: f"{moment.second:02}",
    "f": lambda moment: f"{moment.microsecond:06}",
    "z": lambda moment: moment.isoformat(timespec="seconds")[19:],
    "Z": lambda moment: moment.tzname() or UTC_NAME,
    "%": lambda _moment: "%",
}
DIRECTIVES = tuple(f"%{each}" for each in _WRITE)
_CLOCK = frozenset("HIpMSfzZ")
_ZONE = frozenset("zZ")


@dataclass(frozen=True, slots=True)
class Piece:
    """Of a pattern: a directive by its letter, or a literal text."""

    letter: str = ""
    literal: str = ""


@dataclass(frozen=True, slots=True)
class Times:
    """How the times of a file are written. `form` is `iso`, `date` or a pattern; the zone is called by its IANA name."""

    zone: str = UTC_NAME
    form: str = ISO

    @property
    def pattern(self) -> str:
        """Empty where times are written as ISO 8601 has them."""
        return {ISO: "", DATE: _DATE_PATTERN}.get(self.form, self.form)

    @property
    def tells_zone(self) -> bool:
        """Whether each time is written with its zone or its offset."""
        return not self.pattern or any(each.letter in _ZONE for each in pieces_of(self.pattern))

    def local(self, text: str) -> datetime | None:
        """The moment of a canonical timestamp in the zone, a date in UTC; None for a text that is neither."""
        if text[10:11] != "T":
            return None
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None or text.endswith(_MIDNIGHT):
                return None if moment.tzinfo is None else moment
            return moment.astimezone(zone_of(self.zone))
        except (ValueError, OverflowError):
            return None

    def written(self, moment: datetime) -> str:
        """By the pattern, which there must be."""
        return "".join([each.literal or _WRITE[each.letter](moment) for each in pieces_of(self.pattern)])

    def written_for_people(self, moment: datetime) -> str:
        """A date without the clock where the pattern has it apart; without a pattern `2024-07-01 14:00:00 CEST`."""
        if not self.pattern:
            if is_date(moment):
                return moment.date().isoformat()
            return f"{moment.replace(tzinfo=None).isoformat(sep=' ')} {moment.tzname() or UTC_NAME}"
        pieces = (_without_clock(self.pattern) if is_date(moment) else None) or pieces_of(self.pattern)
        return "".join([each.literal or _WRITE[each.letter](moment) for each in pieces])


def times_of(options: Mapping[str, Any]) -> Times:
    """What the options of an export ask for, once they have been checked."""
    return Times(options.get("time_zone", UTC_NAME), options.get("date_format", ISO))


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    return UTC if name == UTC_NAME else ZoneInfo(name)


def in_zone(text: str, zone: str) -> str:
    """A canonical timestamp as ISO 8601 with the offset of the zone.

    It stays in UTC where it is a date, and where the zone kept local mean time, whose offset has seconds that ISO 8601
    cannot write.
    """
    if text[10:11] != "T" or not text.endswith("+00:00") or text.endswith(_MIDNIGHT):
        return text
    try:
        moment = datetime.fromisoformat(text).astimezone(zone_of(zone))
    except (ValueError, OverflowError):
        return text
    return text if (moment.utcoffset() or timedelta(0)) % timedelta(minutes=1) else moment.isoformat()


def is_date(moment: datetime) -> bool:
    """Whether it stands for a date without a time: midnight, in UTC."""
    return not (moment.hour or moment.minute or moment.second or moment.microsecond) and moment.tzinfo is UTC


def is_repeated(moment: datetime) -> bool:
    """Whether the clocks of its zone showed this hour twice, so that only the offset tells which is meant."""
    return moment.replace(fold=1 - moment.fold).utcoffset() != moment.utcoffset()


@lru_cache(maxsize=64)
def pieces_of(pattern: str) -> tuple[Piece, ...]:
    return tuple(
        Piece(literal=literal) if literal else Piece("%" if letter == "" else letter)
        for letter, literal in _PIECE.findall(pattern)
    )


@lru_cache(maxsize=64)
def _without_clock(pattern: str) -> tuple[Piece, ...] | None:
    """The pieces of a pattern without those of the clock and what is between them; None where a date stands between them."""
    pieces = pieces_of(pattern)
    clock = [place for place, each in enumerate(pieces) if each.letter in _CLOCK]
    if not clock:
        return pieces
    first, last = clock[0], clock[-1]
    within = pieces[first : last + 1]
    if any(each.letter and each.letter not in _CLOCK for each in within):
        return None
    before, after = list(pieces[:first]), list(pieces[last + 1 :])
    has_before, has_after = (any(each.letter for each in side) for side in (before, after))
    if not has_before and not has_after:
        return None
    if not has_after:
        # What stands before the clock, or after it, belongs to it: a comma, an "at", an "h".
        return tuple(before[:-1] if before[-1].literal else before)
    if not has_before:
        return tuple(after[1:] if after[0].literal else after)
    return tuple((before[:-1] if before[-1].literal else before) + after)


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """The names of all zones, in order."""
    return tuple(sorted(available_timezones() - _NO_ZONES))


def zone_problem(field: str, value: Any) -> FieldProblem | None:
    """Why a value is no name of a zone, or None."""
    names = zone_names()
    if isinstance(value, str) and value in names:
        return None
    close: list[str] = []
    if isinstance(value, str) and len(value) <= MAX_PATTERN_LENGTH:
        folded = {each.casefold(): each for each in names}
        sought = value.strip().casefold().replace(" ", "_")
        found = [sought] if sought in folded else get_close_matches(sought, folded, n=3, cutoff=0.75)
        close = [folded[each] for each in found]
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    message = f"{field} must be the IANA name of a time zone, such as Europe/Berlin or UTC, not {shown(value)}.{hint}"
    return FieldProblem(field, value if not isinstance(value, str) else value[:MAX_PATTERN_LENGTH], message)


def format_problem(field: str, value: Any) -> FieldProblem | None:
    """Why times cannot be written like this, or None."""
    if value in (ISO, DATE):
        return None
    if (problem := text_problem(field, value, MAX_PATTERN_LENGTH)) is not None:
        return problem
    pieces = pieces_of(value)
    unknown = next((each.letter for each in pieces if each.letter and each.letter not in _WRITE), None)
    trailing = len(value.rstrip("%")) % 2 != len(value) % 2
    if unknown is not None or trailing:
        message = f"{field} cannot have {shown('%' + (unknown or ''))}."
        return FieldProblem(field, value, message, DIRECTIVES)
    if not any(each.letter not in ("", "%") for each in pieces):
        message = f"{field} must be iso, date, or a pattern such as %d.%m.%Y, not {shown(value)}."
        return FieldProblem(field, value, message, (ISO, DATE, *DIRECTIVES))
    return None
