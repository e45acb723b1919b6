"""Deletes files and keys whose time is over, and settles files without a job and jobs without their file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

from arkham_shard_export.background import begin, end
from arkham_shard_export.errors import ExportError, FileMissing, StoreFailed
from arkham_shard_export.jobs.files import FileStore, StoredEntry, is_file_of, job_file
from arkham_shard_export.jobs.leading.clockwatch import ClockWatch
from arkham_shard_export.jobs.table.filerecords import FileRecords, KeptFile
from arkham_shard_export.jobs.table.lease import Lease
from arkham_shard_export.jobs.table.requestkeys import RequestKeys
from arkham_shard_export.jobs.table.scheduleruns import RunStore
from arkham_shard_export.jobs.telling import Telling
from arkham_shard_export.ports import Clock

EXPIRED, VANISHED = "expired", "vanished"
AT_ONCE = 200
STOCKTAKING_SWEEPS = 30
"""So many sweeps from one comparison of all files with all jobs to the next."""
ORPHAN_SECONDS = 600.0
"""A younger file may belong to work that is going on."""

log = logging.getLogger(__name__)


class Sweeper:
    """Only the holder of the lease sweeps. Each step can be repeated: a sweep that was cut off is finished by the next."""

    def __init__(
        self,
        records: FileRecords,
        keys: RequestKeys,
        runs: RunStore,
        files: FileStore,
        lease: Lease,
        telling: Telling,
        watch: ClockWatch,
        clock: Clock,
        every_seconds: float,
    ) -> None:
        self._records = records
        self._keys = keys
        self._runs = runs
        self._files = files
        self._lease = lease
        self._telling = telling
        self._watch = watch
        self._clock = clock
        self._every_seconds = every_seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = begin(self._sweep_on(), "arkham-export-sweeper")

    async def stop(self) -> None:
        await end(self._task)

    async def _sweep_on(self) -> None:
        sweeps = 0
        while True:
            try:
                if await self._lease.held() and await self._watch.trusted():
                    await self._runs.expire_surplus(self._clock())
                    await self.expire()
                    while await self._keys.forget() and await self._lease.held():
                        pass
                    if sweeps % STOCKTAKING_SWEEPS == 0:
                        await self.take_stock()
                    sweeps += 1
            except ExportError as error:
                log.warning("The export store cannot be swept now: %s", error)
            except Exception:
                log.exception("The export store cannot be swept now.")
            await asyncio.sleep(self._every_seconds)

    async def expire(self) -> int:
        """Delete the files whose time is over; how many. One that cannot be deleted is left to the next sweep."""
        done, left = 0, set[str]()
        while await self._lease.held():
            files = await self._records.expired(self._clock(), AT_ONCE + len(left))
            files = [each for each in files if each.job_id not in left]
            if not files:
                break
            for each in files:
                try:
                    # The file first: what is recorded as deleted is never left behind.
                    if is_file_of(each.path, each.job_id):
                        await self._files.remove(each.path)
                except StoreFailed as error:
                    log.warning("The expired file of export job %s stays for now: %s", each.job_id, error)
                    left.add(each.job_id)
                    continue
                await self._removed(each, EXPIRED)
                done += 1
        return done

    async def take_stock(self) -> None:
        """Delete files that no job has, and note the jobs whose file is gone."""
        # Not, for example, the empty folder in which a network share is mounted at other times.
        if not await self._records.is_store(await self._files.known_id()):
            log.warning("The export store %s is not the one that was used before.", self._files.describe())
            return
        before = self._clock()
        there: set[str] = set()
        batch: list[StoredEntry] = []
        async for entry in self._files.entries():
            there.add(entry.path)
            if before - entry.modified_at > timedelta(seconds=ORPHAN_SECONDS):
                batch.append(entry)
            if len(batch) >= AT_ONCE:
                await self._remove_orphans(batch)
                batch = []
        await self._remove_orphans(batch)
        last = ""
        while kept := await self._records.kept_files(last, AT_ONCE):
            for each in kept:
                if each.path not in there and each.completed_before(before):
                    await self._settle_missing(each)
            last = kept[-1].job_id

    async def _remove_orphans(self, entries: Sequence[StoredEntry]) -> None:
        owners = {entry.path: made for entry in entries if (made := job_file(entry.path)) is not None}
        if not owners:
            return
        jobs = await self._records.owners(sorted({each.job_id for each in owners.values()}))
        for path, made in owners.items():
            owner = jobs.get(made.job_id)
            if owner is None or not owner.needs(path, made.attempt):
                log.warning("The file %s belongs to no export job; it is deleted.", path)
                await self._files.remove(path)

    async def _settle_missing(self, file: KeptFile) -> None:
        try:
            await self._files.open(file.path)
        except FileMissing:
            log.warning("The file of export job %s is gone from the store.", file.job_id)
            await self._removed(file, VANISHED)

    async def _removed(self, file: KeptFile, reason: str) -> None:
        if await self._records.file_removed(file.job_id, reason, self._clock()):
            self._telling.file_removed(file.job_id, file.tenant_id, file.path, reason)
