"""Whether a new job is taken: not too many at once of one user or tenant, and room in the store."""

from __future__ import annotations

import time

from arkham_shard_export.errors import FieldProblem, InvalidRequest, StoreFull, TooManyJobs
from arkham_shard_export.jobs.files import FileStore
from arkham_shard_export.jobs.table.listing import Scope
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.settings import Settings

NOBODY = "system"
"""The creator of a job where nobody is signed in; there is no limit for that."""
ROOM_SECONDS = 10.0
"""How long what was measured of the store is believed."""
QUOTA_SHARE = 0.95
"""A quota used to this share is near: exports that run still need room."""


def retention_hours(settings: Settings, given: object) -> float:
    """How long the file of a job is kept that asks for `given`; InvalidRequest where that is too long."""
    if given is None:
        return settings.retention_hours
    most = settings.max_retention_hours
    number = isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < 876_000
    # 0 keeps for ever, which is longer than any maximum.
    if number and (not most or 0 < float(given) <= most):  # type: ignore[arg-type]
        return float(given)  # type: ignore[arg-type]
    allowed = f"more than 0 and at most {most:g}" if most else "at least 0 (0 keeps the file)"
    message = f"retention_hours must be a number of hours, {allowed}, not {str(given)[:60]!r}."
    raise InvalidRequest([FieldProblem("retention_hours", given, message)])


class Admission:
    def __init__(self, jobs: JobStore, files: FileStore, settings: Settings) -> None:
        self._jobs = jobs
        self._files = files
        self._settings = settings
        self._measured = float("-inf")
        self._refusal: str | None = None

    def retention_hours(self, given: object) -> float:
        return retention_hours(self._settings, given)

    async def admit(self, created_by: str, tenant_id: str | None) -> None:
        """TooManyJobs or StoreFull where the job is to be refused; nothing has been stored then."""
        settings = self._settings
        if created_by != NOBODY:
            await self._limit("user", settings.max_active_per_user, Scope(tenant_id, created_by))
        if tenant_id is not None:
            await self._limit("tenant", settings.max_active_per_tenant, Scope(tenant_id))
        if time.monotonic() - self._measured >= ROOM_SECONDS:
            self._refusal = await self._measure()
            self._measured = time.monotonic()
        if self._refusal is not None:
            raise StoreFull(self._refusal)

    async def _limit(self, whose: str, most: int, scope: Scope) -> None:
        if most and await self._jobs.active(scope) >= most:
            raise TooManyJobs(
                f"This {whose} has {most} exports waiting or running, which is the most at a time; "
                "try again when one has ended, or cancel one."
            )

    async def _measure(self) -> str | None:
        """Why there is no room, or None."""
        quota = self._settings.store_quota_mib
        free = await self._files.free_bytes()
        if free is not None and free >> 20 < self._settings.min_free_mib:
            return (
                f"The disk of the export store has only {free >> 20} MiB left (ARKHAM_EXPORT_MIN_FREE_MIB is "
                f"{self._settings.min_free_mib}); try again when files have expired or space has been freed."
            )
        if quota:
            used = (await self._files.used_bytes()) >> 20
            if used >= QUOTA_SHARE * quota:
                return (
                    f"The export store holds {used} of {quota} MiB (ARKHAM_EXPORT_STORE_QUOTA_MIB); "
                    "try again when files have expired or have been purged."
                )
        return None
