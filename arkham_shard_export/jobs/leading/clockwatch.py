"""Whether the clock can be believed before files are deleted by it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from arkham_shard_export.ports import Clock, Database
from arkham_shard_export.sources.dialects import Dialect, PostgresDialect

JUMP_SECONDS = 300.0
"""By so much two clocks may differ."""
HOLD_SECONDS = 3600.0
"""After a jump nothing is believed for so long."""

log = logging.getLogger(__name__)


class ClockWatch:
    """Compares the clock with time that has passed, and with the clock of the database server where there is one."""

    def __init__(
        self, database: Database, dialect: Dialect, clock: Clock, steady: Callable[[], float]
    ) -> None:
        self._database = database
        self._asks_server = isinstance(dialect, PostgresDialect)
        self._clock = clock
        self._steady = steady
        self._before: tuple[datetime, float] | None = None
        self._held_until = float("-inf")

    async def trusted(self) -> bool:
        """False for HOLD_SECONDS after the clock has jumped, and as long as it differs from the server's."""
        now, steady = self._clock(), self._steady()
        if self._before is not None:
            jumped = (now - self._before[0]).total_seconds() - (steady - self._before[1])
            if abs(jumped) > JUMP_SECONDS:
                self._held_until = steady + HOLD_SECONDS
                log.warning(
                    "The clock jumped by %.0f s: no file expires within the next %.0f minutes.",
                    jumped,
                    HOLD_SECONDS / 60,
                )
        self._before = (now, steady)
        return steady >= self._held_until and await self._as_the_server(now)

    async def _as_the_server(self, now: datetime) -> bool:
        if not self._asks_server:
            return True
        row = await self._database.fetch_one(
            "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION) AS seconds"
        )
        there = datetime.fromtimestamp(float(row["seconds"]) if row else 0.0, UTC)
        difference = (now - there).total_seconds()
        if abs(difference) <= JUMP_SECONDS:
            return True
        log.warning(
            "The clock differs by %.0f s from that of the database server: no file expires.", difference
        )
        return False
