"""Which job stands for a request that came with a key: the same request, sent again, is never a second job.

A key is claimed before its job is stored, and the job's id is chosen with the claim. Whoever's token stands in the
claim may store the job, in one statement that looks for the token; a claim that was left is taken over with the
id in it. So whatever dies between two statements, there is one job at most, and another try finds or makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from arkham_shard_export.errors import FieldProblem, InvalidRequest, KeyInUse
from arkham_shard_export.jobs.table.lease import seconds_now
from arkham_shard_export.ports import Database
from arkham_shard_export.sources.dialects import Dialect, PostgresDialect

KEPT_SECONDS = 24 * 3600.0
CLAIM_SECONDS = 10.0
"""A claim without a job is left for so long to who made it."""
FORGOTTEN_AT_ONCE = 500

STATEMENTS = (
    "CREATE TABLE IF NOT EXISTS arkham_export_request_keys (id TEXT PRIMARY KEY, request TEXT NOT NULL,"
    " job_id TEXT NOT NULL, token TEXT NOT NULL, claimed_until DOUBLE PRECISION NOT NULL,"
    " expires_at DOUBLE PRECISION NOT NULL)",
    "CREATE INDEX IF NOT EXISTS idx_export_request_keys_expiry ON arkham_export_request_keys (expires_at)",
)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """`id` tells a key from those of other users and tenants, `request` its request from others."""

    id: str
    request: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A key and the job that stands for it. `mine`: nobody else may store that job; `stored`: it is there."""

    key_id: str
    job_id: str
    token: str
    mine: bool
    stored: bool


class RequestKeys:
    """Times are those of the database's clock, which hosts share."""

    def __init__(self, database: Database, dialect: Dialect) -> None:
        self._database = database
        self._now = seconds_now(dialect)
        # While a job is stored its claim cannot be taken over; SQLite has one writer at a time anyway.
        self._locked = " FOR SHARE" if isinstance(dialect, PostgresDialect) else ""

    async def claim(self, key: RequestKey) -> Claim:
        """A claim that is mine, or whose job is stored. InvalidRequest where the key came with another request,
        KeyInUse where another has claimed it a moment ago."""
        token = uuid4().hex
        columns = ("request", "job_id", "token", "claimed_until", "expires_at")
        await self._database.execute(
            f"INSERT INTO arkham_export_request_keys (id, {', '.join(columns)})"
            f" VALUES (?, ?, ?, ?, {self._now} + ?, {self._now} + ?)"
            f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in columns)}"
            f" WHERE arkham_export_request_keys.expires_at <= {self._now}",
            [key.id, key.request, str(uuid4()), token, CLAIM_SECONDS, KEPT_SECONDS],
        )
        row = await self._row(key.id)
        if row is not None and row["request"] != key.request:
            message = (
                "This Idempotency-Key came with another request before; give each request a key of its own."
            )
            raise InvalidRequest([FieldProblem("Idempotency-Key", None, message)])
        if row is not None and row["lapsed"] and not row["stored"]:
            await self._database.execute(
                f"UPDATE arkham_export_request_keys SET token = ?, claimed_until = {self._now} + ?,"
                f" expires_at = {self._now} + ? WHERE id = ? AND token = ?",
                [token, CLAIM_SECONDS, KEPT_SECONDS, key.id, row["token"]],
            )
            # Looked at again, because until it was taken over the job could be stored.
            row = await self._row(key.id)
        claim = _claim(key.id, token, row)
        if claim is None or not (claim.mine or claim.stored):
            raise KeyInUse
        return claim

    async def again(self, claim: Claim) -> Claim | None:
        """What has become of a claim; None where its key is free."""
        return _claim(claim.key_id, claim.token, await self._row(claim.key_id))

    async def release(self, claim: Claim) -> None:
        """Free the key, unless it is another's by now. Only for a claim whose job will not be stored."""
        await self._database.execute(
            "DELETE FROM arkham_export_request_keys WHERE id = ? AND token = ?", [claim.key_id, claim.token]
        )

    def holds(self, claim: Claim) -> tuple[str, list[str]]:
        """A FROM and WHERE that give one row while the claim stands, and none afterwards."""
        return (
            f"FROM arkham_export_request_keys WHERE id = ? AND token = ?{self._locked}",
            [claim.key_id, claim.token],
        )

    async def forget(self) -> bool:
        """Remove some keys whose time is over; whether there may be more."""
        over = f"expires_at <= {self._now}"
        rows = await self._database.fetch_all(
            f"SELECT id FROM arkham_export_request_keys WHERE {over} ORDER BY expires_at LIMIT ?",
            [FORGOTTEN_AT_ONCE],
        )
        if rows:
            # One of them may have come to stand for a new request.
            await self._database.execute(
                f"DELETE FROM arkham_export_request_keys WHERE id IN ({', '.join('?' * len(rows))}) AND {over}",
                [row["id"] for row in rows],
            )
        return len(rows) == FORGOTTEN_AT_ONCE

    async def _row(self, key_id: str) -> dict[str, Any] | None:
        return await self._database.fetch_one(
            f"SELECT request, job_id, token, CASE WHEN claimed_until <= {self._now} THEN 1 ELSE 0 END AS lapsed,"
            " CASE WHEN EXISTS (SELECT 1 FROM arkham_export_jobs WHERE arkham_export_jobs.id = job_id)"
            " THEN 1 ELSE 0 END AS stored FROM arkham_export_request_keys WHERE id = ?",
            [key_id],
        )


def _claim(key_id: str, token: str, row: dict[str, Any] | None) -> Claim | None:
    if row is None:
        return None
    return Claim(key_id, str(row["job_id"]), token, row["token"] == token, bool(row["stored"]))
