"""Which of several hosts on one database does what only one may do: deliver events, sweep, run an embedded queue.

A lease is a row with a holder and an end, by the clock of the database. A holder that was killed on this machine is
seen to be dead and gives way at once; any other gives way when its time is over.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from uuid import uuid4

from arkham_shard_export.ports import Database
from arkham_shard_export.sources.dialects import Dialect, PostgresDialect

LEASE_SECONDS = 15.0
RENEW_SECONDS = 4.0

TABLE = (
    "CREATE TABLE IF NOT EXISTS arkham_export_leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL,"
    " until DOUBLE PRECISION NOT NULL)"
)


def seconds_now(dialect: Dialect) -> str:
    """SQL for the seconds since 1970 by the clock of the database."""
    if isinstance(dialect, PostgresDialect):
        return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"
    return "((julianday('now') - 2440587.5) * 86400.0)"


def this_machine() -> str:
    """Two processes of which this is the same can see each other by process id."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return f"{socket.gethostname()}:{boot}:{space}"


class Lease:
    """`held` is to be asked before each thing that only the holder may do; it costs a statement every RENEW_SECONDS."""

    def __init__(self, database: Database, dialect: Dialect, name: str) -> None:
        self._database = database
        self._name = name
        self._machine = this_machine()
        self.holder = f"{self._machine}|{os.getpid()}|{uuid4().hex}"
        self._asked = float("-inf")
        self._held = False
        self._now = seconds_now(dialect)

    async def held(self) -> bool:
        """Whether this process holds the lease now, taking or renewing it if need be."""
        if time.monotonic() - self._asked >= (RENEW_SECONDS if self._held else 0.0):
            asked = time.monotonic()
            self._held = await self._take()
            self._asked = asked
        return self._held

    async def led(self) -> bool | None:
        """Who leads, without asking for the lease: this process, another (False), or nobody (None)."""
        row = await self._database.fetch_one(
            f"SELECT holder FROM arkham_export_leases WHERE name = ? AND until >= {self._now}", [self._name]
        )
        return None if row is None else row["holder"] == self.holder

    async def release(self) -> None:
        """Let another have it at once."""
        self._held, self._asked = False, float("-inf")
        await self._database.execute(
            "DELETE FROM arkham_export_leases WHERE name = ? AND holder = ?", [self._name, self.holder]
        )

    async def _take(self) -> bool:
        found = await self._holder()
        if found is not None and found != self.holder and self._is_dead(found):
            await self._database.execute(
                "DELETE FROM arkham_export_leases WHERE name = ? AND holder = ?", [self._name, found]
            )
        await self._database.execute(
            f"INSERT INTO arkham_export_leases (name, holder, until) VALUES (?, ?, {self._now} + ?)"
            " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until"
            f" WHERE arkham_export_leases.holder = excluded.holder OR arkham_export_leases.until < {self._now}",
            [self._name, self.holder, LEASE_SECONDS],
        )
        return await self._holder() == self.holder

    async def _holder(self) -> str | None:
        row = await self._database.fetch_one(
            "SELECT holder FROM arkham_export_leases WHERE name = ?", [self._name]
        )
        return None if row is None else str(row["holder"])

    def _is_dead(self, holder: str) -> bool:
        machine, _, rest = holder.partition("|")
        pid = rest.partition("|")[0]
        if not self._machine or machine != self._machine or not pid.isdigit():
            return False
        if int(pid) == os.getpid():
            # Another instance in this process lives on if it has not let go.
            return False
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return _is_zombie(int(pid))


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
