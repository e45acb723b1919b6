"""Times as a file writes them, by the zone and the form that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from arkham_shard_export.formats.readable import timestamp
from arkham_shard_export.presentation.times import Times, is_repeated, times_of
from arkham_shard_export.records import Adjustments
from arkham_shard_export.schema import Column, Kind


class Moments:
    """Text that names no time stays as it is. Counts the times whose offset would be needed to tell which is meant."""

    def __init__(self, options: Mapping[str, Any], adjustments: Adjustments) -> None:
        self.times: Times = times_of(options)
        self._adjustments = adjustments
        self._tells_zone = self.times.tells_zone

    def cell(self, value: Any) -> Any:
        """By the pattern, which there must be; the same for every value of a column."""
        return self._written(value, self.times.written)

    def readable(self, value: Any) -> str:
        """As people read it: a date alone where it is one."""
        return str(self._written(value, self.times.written_for_people))

    def local(self, text: str) -> datetime | None:
        """The moment as the clocks of the zone showed it, where that is all that is written of it."""
        moment = self.times.local(text)
        if moment is not None:
            self._count(moment)
        return moment

    def early(self, text: str) -> Any:
        """What a cell says of a time that it cannot hold."""
        return self.cell(text) if self.times.pattern else text

    def zone_note(self, column: Column) -> str:
        """What a heading says after the name of a column of times: their zone."""
        return f" ({self.times.zone})" if column.kind is Kind.TIMESTAMP else ""

    def _written(self, value: Any, write: Callable[[datetime], str]) -> Any:
        moment = self.times.local(value) if isinstance(value, str) else None
        if moment is None:
            return value
        if not self._tells_zone:
            self._count(moment)
        return write(moment)

    def _count(self, moment: datetime) -> None:
        if is_repeated(moment):
            self._adjustments.add("repeated_hour")


def times_as_read(options: Mapping[str, Any], adjustments: Adjustments) -> Callable[[Any], str]:
    """What gives the text of a time in a report."""
    moments = Moments(options, adjustments)
    return timestamp if moments.times == Times() else moments.readable
