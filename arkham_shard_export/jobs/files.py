"""The export store on disk: where a job's file lies, and that nothing outside is ever touched."""

from __future__ import annotations

import contextlib
import os
import stat
from datetime import datetime
from pathlib import Path, PurePosixPath

from arkham_shard_export.errors import FileMissing, ServiceUnavailable
from arkham_shard_export.formats import specs
from arkham_shard_export.sinks.compressing import COMPRESSIONS, compressed_extension
from arkham_shard_export.sinks.file import part_name

MEDIA_TYPES = {spec.file_extension: spec.mime_type for spec in specs()} | {
    compressed_extension(extension, name): compression.mime_type
    for extension in (*(spec.file_extension for spec in specs() if not spec.compressed), ".zip")
    for name, compression in COMPRESSIONS.items()
}
"""Of every extension that a file of the store can have."""


class FileStore:
    """Files by day of creation and job id, in a folder that only its owner can read."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        """Make the folder; ServiceUnavailable where it cannot be made."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            reason = f"The folder for exports cannot be made ({os.strerror(error.errno or 0)}); set ARKHAM_EXPORT_DIR."
            raise ServiceUnavailable("storage", reason) from error

    @staticmethod
    def folder(created_at: datetime | None) -> str:
        return created_at.date().isoformat() if created_at else "undated"

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

    def remove_attempts(self, job_id: str, created_at: datetime | None, attempts: int) -> None:
        """Remove whatever the unfinished attempts of a job have left."""
        folder = self.root / self.folder(created_at)
        for attempt in range(1, attempts + 1):
            stem = stem_of(job_id, attempt)
            for name in (part_name(stem), *(f"{stem}{extension}" for extension in MEDIA_TYPES)):
                with contextlib.suppress(OSError):
                    (folder / name).unlink(missing_ok=True)


def stem_of(job_id: str, attempt: int) -> str:
    """The stored name without extension: a late writer of an earlier attempt never touches a later one's file."""
    return f"{job_id}.{attempt}"


def extension_of(path: str) -> str:
    """That of a stored file, such as `.csv.gz`."""
    known = [each for each in MEDIA_TYPES if path.endswith(each)]
    return max(known, key=len) if known else PurePosixPath(path).suffix


def download_name(target: str, created_at: datetime, job_id: str, extension: str) -> str:
    """A name for people: `claims-2026-11-22-1a2b3c4d.csv`."""
    return f"{target}-{created_at.date().isoformat()}-{job_id[:8]}{extension}"
