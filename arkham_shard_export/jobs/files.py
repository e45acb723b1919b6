"""The files of jobs: how they are named, and what a store of them can do."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Protocol

from arkham_shard_export.errors import FileMissing, ServiceUnavailable
from arkham_shard_export.formats import specs
from arkham_shard_export.models import ExportJob
from arkham_shard_export.sinks.compressing import COMPRESSIONS, compressed_extension
from arkham_shard_export.sinks.file import part_name
from arkham_shard_export.store_location import StoreLocation

MEDIA_TYPES = {spec.file_extension: spec.mime_type for spec in specs()} | {
    compressed_extension(extension, name): compression.mime_type
    for extension in (*(spec.file_extension for spec in specs() if not spec.compressed), ".zip")
    for name, compression in COMPRESSIONS.items()
}
"""Of every extension that a file of the store can have."""

MARKER = ".arkham-export-store"
"""A file at the root of a store that holds the store's id."""

_UNDATED = "undated"
_FOLDER = re.compile(rf"\d{{4}}-\d\d-\d\d|{_UNDATED}", re.ASCII)
_STEM = re.compile(r"(?P<job_id>[^/]+)\.(?P<attempt>[1-9]\d{0,8})", re.ASCII)
_STORE_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A file of the store that an attempt of a job has made, finished or not; `path` is relative to the store."""

    path: str
    size: int
    modified_at: datetime


class StoredObject(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def modified_at(self) -> datetime: ...

    def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` to before `stop` in blocks; FileMissing or ServiceUnavailable where they end early.

        Closing it lets go of the file.
        """
        ...


class FileStore(Protocol):
    """Files by day of creation and job id. Paths that are not of the store's own making are never followed."""

    @property
    def location(self) -> StoreLocation: ...

    def describe(self) -> str:
        """Where it is, for operators."""
        ...

    async def prepare(self) -> None:
        """Make the store, or reach it; ServiceUnavailable where that is not possible."""
        ...

    async def identify(self) -> str:
        """The id in the store's marker, made if missing: hosts that read the same id share one store."""
        ...

    async def open(self, path: str) -> StoredObject:
        """The file of a stored path; FileMissing unless it is a plain file inside the store."""
        ...

    async def remove(self, path: str) -> None:
        """Nothing happens if it is gone already; StoreFailed or ServiceUnavailable where it stays."""
        ...

    async def remove_attempts(self, job_id: str, created_at: datetime | None, attempts: int) -> None:
        """Remove whatever the first `attempts` attempts of a job have left, as far as that is possible now."""
        ...

    def entries(self) -> AsyncGenerator[StoredEntry, None]:
        """Every file that an attempt of a job has made; foreign files and the marker are not among them."""
        ...

    async def known_id(self) -> str | None:
        """As `identify`, but None where there is no marker."""
        ...

    async def used_bytes(self) -> int:
        """Held by files of jobs, finished or not."""
        ...

    async def free_bytes(self) -> int | None:
        """What the disk has left; None where no disk bounds the store."""
        ...


@dataclass(frozen=True, slots=True)
class JobFile:
    """Whose file a stored path is."""

    job_id: str
    attempt: int


def job_file(path: str) -> JobFile | None:
    """Whose file a path relative to the store is; None where no job of ours can have made it."""
    folder, _, name = path.partition("/")
    ends = [each for each in (*MEDIA_TYPES, part_name("")) if name.endswith(each)]
    stem = _STEM.fullmatch(name.removesuffix(max(ends, key=len))) if ends else None
    if stem is None or not _FOLDER.fullmatch(folder):
        return None
    return JobFile(stem["job_id"], int(stem["attempt"]))


def is_file_of(path: str, job_id: str) -> bool:
    """Whether a job can have made the file: what a row says of it is not believed."""
    made = job_file(path)
    return made is not None and made.job_id == job_id


def folder_of(created_at: datetime | None) -> str:
    """Where the files of a job lie, relative to the store."""
    return created_at.date().isoformat() if created_at else _UNDATED


def stem_of(job_id: str, attempt: int) -> str:
    """The stored name without extension: a late writer of an earlier attempt never touches a later one's file."""
    return f"{job_id}.{attempt}"


def extension_of(path: str) -> str:
    """That of a stored file, such as `.csv.gz`."""
    known = [each for each in MEDIA_TYPES if path.endswith(each)]
    return max(known, key=len) if known else PurePosixPath(path).suffix


def download_name(subject: str, created_at: datetime, job_id: str, extension: str) -> str:
    """A name for people: `claims-2026-11-22-1a2b3c4d.csv`."""
    return f"{subject}-{created_at.date().isoformat()}-{job_id[:8]}{extension}"


def subject_of(job: ExportJob) -> str:
    """What the file of a job is named after."""
    return job.target if job.parts is None else "batch"


def file_missing() -> FileMissing:
    return FileMissing("The file of this export is no longer in the store; run the export again.")


def is_store_id(text: str) -> bool:
    return _STORE_ID.fullmatch(text) is not None


def marker_damaged(store: str) -> ServiceUnavailable:
    return ServiceUnavailable(
        "storage",
        f"The file {MARKER} of the export store {store} does not hold an id; delete it, and it is made anew.",
    )
