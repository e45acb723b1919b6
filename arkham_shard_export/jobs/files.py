"""The export store on disk: where a job's file lies, and that nothing outside is ever touched."""

from __future__ import annotations

import contextlib
import os
import stat
from datetime import datetime
from pathlib import Path

from arkham_shard_export.errors import FileMissing
from arkham_shard_export.sinks.file import part_name

MEDIA_TYPES = {".json": "application/json", ".csv": "text/csv; charset=utf-8", ".zip": "application/zip"}


class FileStore:
    """Files by day of creation and job id, in a folder that only its owner can read."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)

    @staticmethod
    def folder(created_at: datetime) -> str:
        return created_at.date().isoformat()

    def locate(self, path: str) -> Path:
        """The real file of a stored path; FileMissing unless it is a plain file inside the store."""
        found = self.root / path
        try:
            inside = found.resolve(strict=True).is_relative_to(self.root.resolve(strict=True))
            plain = stat.S_ISREG(os.lstat(found).st_mode)
        except (OSError, ValueError):
            inside = plain = False
        if not (inside and plain):
            raise FileMissing("The file of this export is no longer in the store; run the export again.")
        return found

    def remove_attempts(self, job_id: str, created_at: datetime, attempts: int) -> None:
        """Remove whatever the unfinished attempts of a job have left."""
        folder = self.root / self.folder(created_at)
        parts = [part_name(job_id, attempt) for attempt in range(1, attempts + 1)]
        for name in (*parts, *(f"{job_id}{extension}" for extension in MEDIA_TYPES)):
            with contextlib.suppress(OSError):
                (folder / name).unlink(missing_ok=True)


def download_name(target: str, created_at: datetime, job_id: str, extension: str) -> str:
    """A name for people: `claims-2026-11-22-1a2b3c4d.csv`."""
    return f"{target}-{created_at.date().isoformat()}-{job_id[:8]}{extension}"
