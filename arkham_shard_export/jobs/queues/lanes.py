"""Which jobs are small enough that they need not wait behind large ones."""

from __future__ import annotations

import time
from collections.abc import Sequence

from arkham_shard_export.errors import ServiceUnavailable
from arkham_shard_export.jobs.sources import CUSTOM
from arkham_shard_export.jobs.table.rows import HERE, LARGE, SMALL
from arkham_shard_export.pipeline import ExportRequest
from arkham_shard_export.pipeline.parts import Part
from arkham_shard_export.ports import Database
from arkham_shard_export.schema import Table, Target
from arkham_shard_export.sources.dialects import Dialect

SMALL_RECORDS = 20_000
SMALL_PAGES_RECORDS = 1_000
"""Of a format that sets pages."""
KNOWN_SECONDS = 30.0


class Lanes:
    """Estimates by the size of the tables, which is told without counting and remembered for KNOWN_SECONDS."""

    def __init__(self, database: Database, dialect: Dialect) -> None:
        self._database = database
        self._dialect = dialect
        self._known: dict[str, tuple[float, int]] = {}

    async def lane(self, request: ExportRequest, target: Target, only_here: bool) -> str:
        """The lane of a checked request; filters are not weighed, `max_records` is."""
        return await self.lane_of_all([Part(request, target)], only_here)

    async def lane_of_all(self, parts: Sequence[Part], only_here: bool) -> str:
        """The lane of what is exported in one job."""
        if only_here or any(each.request.target == CUSTOM for each in parts):
            return HERE
        left = 1.0
        try:
            for each in parts:
                share = await self._share(each.request, each.target, left)
                if share is None:
                    return LARGE
                left -= share
        except ServiceUnavailable:
            # A view, or a table without row ids.
            return LARGE
        return SMALL

    async def _share(self, request: ExportRequest, target: Target, left: float) -> float | None:
        """Of what a small job may hold; None where it is more than what is `left`."""
        most = SMALL_PAGES_RECORDS if request.format == "pdf" else SMALL_RECORDS
        limit = request.options.max_records
        if limit is not None and limit <= most * left:
            return limit / most
        records = 0
        for each in target.sets:
            records += await self._rows(each.table)
            if records > most * left:
                return None
        return records / most

    async def _rows(self, table: Table) -> int:
        known = self._known.get(table.qualified)
        if known is not None and time.monotonic() - known[0] < KNOWN_SECONDS:
            return known[1]
        sql, params = self._dialect.catalog_query(table)
        rows = 0
        if await self._database.fetch_all(sql, params):
            row = await self._database.fetch_one(*self._dialect.rough_count(table))
            rows = int(row["n"] or 0) if row is not None else 0
        self._known[table.qualified] = (time.monotonic(), rows)
        return rows
