"""What was exported in the last days, summed by the database a few days at a time.

There are no totals by day, because they would cost every change of a job. Where there are many jobs each statement sums
one day, so that none holds the host up for long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from arkham_shard_export.jobs.table.listing import Listing, Scope, where_of
from arkham_shard_export.models import (
    DayOfJobs,
    ExportFilter,
    ExportHistory,
    ExportStatus,
    JobsByDuration,
    KindOfJobs,
)
from arkham_shard_export.ports import Database
from arkham_shard_export.sources.dialects import Dialect

MOST_DAYS = 366
MOST_AT_ONCE = 20_000
DURATIONS_MS = (100, 1_000, 10_000, 60_000, 600_000)
_CLASS = " ".join(f"WHEN processing_time_ms < {most} THEN {place}" for place, most in enumerate(DURATIONS_MS))
_LAST = timedelta(days=1)


class History:
    """Reads the jobs table; a job belongs to the UTC day on which it was asked for."""

    def __init__(self, database: Database, dialect: Dialect) -> None:
        self._database = database
        self._listing = Listing(database, dialect)

    async def last(self, days: int, today: date, scope: Scope) -> ExportHistory:
        """The span of `days` that ends with `today`; `days` is from 1 to MOST_DAYS."""
        begin = today - timedelta(days=days - 1)
        dates = [(begin + timedelta(days=number)).isoformat() for number in range(days)]
        history = ExportHistory(
            [DayOfJobs(each, by_status={status.value: 0 for status in ExportStatus}) for each in dates],
            durations=[JobsByDuration(each) for each in (*DURATIONS_MS, None)],
        )
        by_date = {each.date: each for each in history.days}
        many = await self._listing.count(ExportFilter(), scope) > MOST_AT_ONCE
        for first, behind in _spans(begin, today + _LAST, 1 if many else days):
            for row in await self._sums(first, behind, scope):
                # A text that is no day lies within no day.
                if (day := by_date.get(str(row["day"]))) is not None:
                    _add(history, day, row)
        for kind in (*history.by_format.values(), *history.by_target.values()):
            kind.average_ms /= kind.completed or 1
        return history

    async def _sums(self, first: date, behind: date, scope: Scope) -> list[Mapping[str, Any]]:
        where, params = where_of(self._listing.visible(scope))
        narrowed = f"{where} AND" if where else " WHERE"
        return list(
            await self._database.fetch_all(
                f"SELECT SUBSTR(created_at, 1, 10) AS day, status, format, target, CASE {_CLASS}"
                f" ELSE {len(DURATIONS_MS)} END AS took, COUNT(*) AS jobs, SUM(record_count) AS records,"
                " SUM(file_size) AS bytes, SUM(processing_time_ms) AS time_ms FROM arkham_export_jobs"
                f"{narrowed} created_at >= ? AND created_at < ? GROUP BY 1, 2, 3, 4, 5",
                [*params, first.isoformat(), behind.isoformat()],
            )
        )


def _spans(begin: date, end: date, days: int) -> Iterator[tuple[date, date]]:
    while begin < end:
        behind = min(begin + timedelta(days=days), end)
        yield begin, behind
        begin = behind


def _add(history: ExportHistory, day: DayOfJobs, row: Mapping[str, Any]) -> None:
    """`average_ms` is the sum as yet."""
    jobs, status = int(row["jobs"]), str(row["status"])
    kinds = [
        history.by_format.setdefault(str(row["format"]), KindOfJobs()),
        history.by_target.setdefault(str(row["target"]), KindOfJobs()),
    ]
    totals: list[DayOfJobs | KindOfJobs] = [day, *kinds]
    for each in totals:
        each.jobs += jobs
    day.by_status[status] = day.by_status.get(status, 0) + jobs
    if status != ExportStatus.COMPLETED:
        return
    for each in totals:
        each.records += int(row["records"] or 0)
        each.bytes += int(row["bytes"] or 0)
    for kind in kinds:
        kind.completed += jobs
        kind.average_ms += float(row["time_ms"] or 0.0)
    history.durations[int(row["took"])].jobs += jobs
