"""Records how a run ended, again and again while the database does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from arkham_shard_export.errors import ExportError, ServiceUnavailable
from arkham_shard_export.jobs.files import FileStore, download_name, extension_of, subject_of
from arkham_shard_export.jobs.running.messages import Completed, Failed
from arkham_shard_export.jobs.table.parts import ended_text
from arkham_shard_export.jobs.table.rows import time_text, without_progress
from arkham_shard_export.jobs.table.store import JobStore, StoredJob
from arkham_shard_export.jobs.table.values import json_text
from arkham_shard_export.jobs.telling import Telling
from arkham_shard_export.models import ExportJob, ExportStatus
from arkham_shard_export.ports import Clock
from arkham_shard_export.settings import Settings

PAUSES_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Between tries to record an end; the last one for all that follow."""


class Endings:
    def __init__(
        self, store: JobStore, files: FileStore, telling: Telling, settings: Settings, clock: Clock
    ) -> None:
        self._store = store
        self._files = files
        self._telling = telling
        self._settings = settings
        self._clock = clock

    async def settled(
        self,
        stop: threading.Event,
        stored: StoredJob,
        token: str,
        answer: Completed | Failed,
        started: float,
    ) -> None:
        """Record the end; raises ServiceUnavailable only where the database is gone and `stop` is set."""
        elapsed_ms = round((time.monotonic() - started) * 1000, 3)
        if isinstance(answer, Failed):
            await _until_recorded(stop, lambda: self._fail(stored, token, answer, elapsed_ms))
        else:
            await _until_recorded(stop, lambda: self._complete(stored, token, answer, elapsed_ms))

    async def again(self, stop: threading.Event, stored: StoredJob, token: str, reason: str) -> None:
        """Make the job pending, to run again."""
        await _until_recorded(stop, lambda: self._store.hand_back(stored.job, token, uuid4().hex))
        self._telling.changed(
            stored.job, stored.tenant_id, "pending", logging.WARNING, attempt=stored.attempts, reason=reason
        )

    async def _complete(self, stored: StoredJob, token: str, answer: Completed, elapsed_ms: float) -> None:
        job, now = stored.job, self._clock()
        hours = job.metadata.get("retention_hours", self._settings.retention_hours)
        metadata = {
            **job.metadata,
            "completeness": answer.completeness,
            "adjustments": answer.adjustments,
            "sha256": answer.sha256,
            "snapshot_at": answer.snapshot_at,
            "consistent_snapshot": answer.consistent,
            "file_name": download_name(
                subject_of(job), job.created_at or now, job.id, extension_of(answer.file_path)
            ),
        }
        ended = await self._store.finish(
            job.id,
            token,
            token,
            ExportStatus.COMPLETED,
            {
                "completed_at": time_text(now),
                "file_path": answer.file_path,
                "file_size": answer.file_size,
                "download_url": f"/api/export/jobs/{job.id}/download",
                "expires_at": time_text(now + timedelta(hours=hours)) if hours else None,
                "record_count": answer.record_count,
                "processing_time_ms": elapsed_ms,
                "metadata": json_text(metadata),
                **_parts(job, answer.parts),
            },
        )
        if not ended:
            # Cancelled in the last moment, or taken over: what this run did not complete leaves no file.
            with contextlib.suppress(ExportError):
                await self._files.remove(answer.file_path)
            return
        self._telling.changed(
            job,
            stored.tenant_id,
            "completed",
            logging.WARNING if _failed(answer.parts) else logging.INFO,
            attempt=stored.attempts,
            records=answer.record_count,
            skipped=answer.completeness.get("skipped", 0),
            bytes=answer.file_size,
            ms=elapsed_ms,
            **({} if job.parts is None else {"parts": len(job.parts), "failed_parts": _failed(answer.parts)}),
            **({"trace": answer.trace} if answer.trace else {}),
        )

    async def _fail(self, stored: StoredJob, token: str, answer: Failed, elapsed_ms: float) -> None:
        job = stored.job
        ended = await self._store.finish(
            job.id,
            token,
            token,
            ExportStatus.FAILED,
            {
                "completed_at": time_text(self._clock()),
                "error": answer.error,
                "processing_time_ms": elapsed_ms,
                "metadata": json_text(job.metadata),
                **_parts(job, _failures(answer)),
            },
        )
        if ended:
            self._telling.changed(
                job,
                stored.tenant_id,
                "failed",
                logging.WARNING,
                attempt=stored.attempts,
                error=answer.error,
                ms=elapsed_ms,
                **({"trace": answer.trace} if answer.trace else {}),
            )


def _parts(job: ExportJob, accounts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What becomes of the columns that only a batch has."""
    text = ended_text(job, accounts)
    return {} if text is None else {"batch": text, "failed_parts": _failed(accounts)}


def _failures(answer: Failed) -> list[dict[str, Any]]:
    failed = ExportStatus.FAILED.value
    return [{"part": number, "status": failed, "error": reason} for number, reason in answer.parts.items()]


def _failed(accounts: Sequence[Mapping[str, Any]]) -> int:
    return sum(each["status"] == ExportStatus.FAILED for each in accounts)


async def cancelled(store: JobStore, job: ExportJob, now: datetime) -> bool:
    """Cancel a job that has not ended, whoever runs it; false where it ended meanwhile."""
    token = uuid4().hex
    changes = {"completed_at": time_text(now), "metadata": json_text(without_progress(job.metadata))}
    try:
        return await store.finish(job.id, None, token, ExportStatus.CANCELLED, changes)
    except ServiceUnavailable:
        # The change may have been made although its result was not seen; the token tells.
        return await store.finish(job.id, None, token, ExportStatus.CANCELLED, changes)


async def _until_recorded(stop: threading.Event, record: Callable[[], Awaitable[object]]) -> None:
    tries = 0
    while True:
        try:
            await record()
            return
        except ServiceUnavailable:
            if stop.is_set():
                raise
        await asyncio.sleep(PAUSES_SECONDS[min(tries, len(PAUSES_SECONDS) - 1)])
        tries += 1
