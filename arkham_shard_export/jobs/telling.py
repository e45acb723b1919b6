"""One line in the log for each change of a job's state, the same words in every process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from arkham_shard_export.models import ExportJob, ExportSchedule

log = logging.getLogger("arkham_shard_export.jobs")


class Telling:
    """`changed` is called where a change has been recorded; after each `heard` is called with the job's id, and `then`, to
    have its events delivered."""

    def __init__(self) -> None:
        self.then = _nothing
        self.heard: Callable[[str], None] = _no_one

    def changed(
        self,
        job: ExportJob,
        tenant_id: str | None,
        status: str,
        level: int = logging.INFO,
        **facts: Any,
    ) -> None:
        """The line is `export job <status>` and `name=value` pairs; the same pairs stand in the record's `export`."""
        pairs = {
            "job": job.id,
            "tenant": tenant_id or "-",
            "format": job.format,
            "target": job.target,
            "by": job.created_by,
            **facts,
        }
        self._line(level, status, pairs)
        self.heard(job.id)

    def _line(self, level: int, change: str, pairs: dict[str, Any], what: str = "job") -> None:
        text = " ".join(f"{name}={_shown(value)}" for name, value in pairs.items())
        log.log(level, "export %s %s %s", what, change, text, extra={"export": {"change": change, **pairs}})
        self.then()

    def schedule(
        self,
        schedule: ExportSchedule,
        tenant_id: str | None,
        change: str,
        level: int = logging.INFO,
        **facts: Any,
    ) -> None:
        """The same for a schedule: `export schedule <change>`."""
        pairs = {"schedule": schedule.id, "tenant": tenant_id or "-", "name": schedule.name}
        self._line(level, change, {**pairs, "by": schedule.created_by, **facts}, "schedule")

    def file_removed(self, job_id: str, tenant_id: str | None, path: str, reason: str) -> None:
        """One line for a file that is no longer in the store."""
        pairs = {"job": job_id, "tenant": tenant_id or "-", "file": path, "reason": reason}
        self._line(logging.INFO, "file removed", pairs)


def _nothing() -> None:
    """Nobody waits for events in this process."""


def _no_one(job_id: str) -> None:
    """Nobody waits for jobs in this process."""


def _shown(value: object) -> str:
    text = str(value)
    if isinstance(value, int | float) or (text and not set(text) & set(' "=\n\r\t\\')):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t") + '"'
