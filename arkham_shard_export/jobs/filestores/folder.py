"""A store in a folder, which hosts may share over a network; nothing outside it is ever touched."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import stat
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from arkham_shard_export.errors import FileMissing, ServiceUnavailable, StoreFailed
from arkham_shard_export.folders import folder_below
from arkham_shard_export.jobs.files import (
    MARKER,
    StoredEntry,
    StoredObject,
    file_missing,
    folder_of,
    is_store_id,
    job_file,
    marker_damaged,
)
from arkham_shard_export.store_location import FolderLocation

BLOCK_BYTES = 1 << 20
_MARKER_LOOKS = 20
_MARKER_PAUSE_SECONDS = 0.05

log = logging.getLogger(__name__)


class FolderStore:
    """A folder that only its owner can read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.location = FolderLocation(str(root))

    def describe(self) -> str:
        return str(self.root)

    async def prepare(self) -> None:
        try:
            await asyncio.to_thread(self.root.mkdir, mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unavailable("cannot be made", error) from error

    async def identify(self) -> str:
        try:
            return await asyncio.to_thread(self._identify)
        except (OSError, UnicodeDecodeError) as error:
            raise _unavailable("cannot be used", error) from error

    async def known_id(self) -> str | None:
        try:
            text = await asyncio.to_thread((self.root / MARKER).read_text, "ascii")
        except (OSError, UnicodeDecodeError):
            return None
        return text if is_store_id(text) else None

    def _identify(self) -> str:
        marker = self.root / MARKER
        for _ in range(_MARKER_LOOKS):
            with contextlib.suppress(FileExistsError), marker.open("x", encoding="ascii") as file:
                file.write(uuid4().hex)
            if is_store_id(text := marker.read_text("ascii")):
                return text
            # Whoever made it a moment ago has not written it yet.
            time.sleep(_MARKER_PAUSE_SECONDS)
        raise marker_damaged(self.describe())

    async def open(self, path: str) -> StoredObject:
        return await asyncio.to_thread(self._found, path)

    def _found(self, path: str) -> FolderFile:
        if job_file(path) is None:
            raise file_missing()
        folder, name = path.split("/")
        try:
            with folder_below(self.root, folder) as descriptor:
                told = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except (OSError, ValueError):
            raise file_missing() from None
        if not stat.S_ISREG(told.st_mode):
            raise file_missing()
        return FolderFile(self.root, folder, name, told.st_size, _time(told))

    async def remove(self, path: str) -> None:
        def remove() -> None:
            with contextlib.suppress(FileMissing):
                found = self._found(path)
                with (
                    folder_below(self.root, found.folder) as descriptor,
                    contextlib.suppress(FileNotFoundError),
                ):
                    os.unlink(found.name, dir_fd=descriptor)

        try:
            await asyncio.to_thread(remove)
        except OSError as error:
            raise StoreFailed(
                f"A file of the export store cannot be removed: {os.strerror(error.errno or 0)}."
            ) from error

    async def remove_attempts(self, job_id: str, created_at: datetime | None, attempts: int) -> None:
        def remove() -> None:
            folder = folder_of(created_at)
            for each in self._listed(folder):
                made = job_file(f"{folder}/{each.name}")
                if made is not None and made.job_id == job_id and made.attempt <= attempts:
                    with (
                        folder_below(self.root, folder) as descriptor,
                        contextlib.suppress(FileNotFoundError),
                    ):
                        os.unlink(each.name, dir_fd=descriptor)

        try:
            await asyncio.to_thread(remove)
        except (OSError, ServiceUnavailable) as error:
            log.warning("What export job %s left in %s could not be removed: %s", job_id, self.root, error)

    async def entries(self) -> AsyncGenerator[StoredEntry, None]:
        for folder in await asyncio.to_thread(self._listed):
            for entry in await asyncio.to_thread(self._entries, folder.name):
                yield entry

    def _entries(self, folder: str) -> list[StoredEntry]:
        found = []
        for each in self._listed(folder):
            path = f"{folder}/{each.name}"
            if job_file(path) is not None:
                # It may have been removed or renamed since it was listed.
                with contextlib.suppress(OSError):
                    told = each.stat(follow_symlinks=False)
                    if stat.S_ISREG(told.st_mode):
                        found.append(StoredEntry(path, told.st_size, _time(told)))
        return found

    def _listed(self, folder: str = "") -> list[os.DirEntry[str]]:
        """What lies in a folder of the store; a linked folder is none of it."""
        try:
            if folder and (self.root / folder).is_symlink():
                return []
            with os.scandir(self.root / folder) as found:
                return sorted(found, key=lambda each: each.name)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unavailable("cannot be read", error) from error

    async def used_bytes(self) -> int:
        return sum([entry.size async for entry in self.entries()])

    async def free_bytes(self) -> int | None:
        try:
            return (await asyncio.to_thread(shutil.disk_usage, self.root)).free
        except OSError as error:
            raise _unavailable("cannot be read", error) from error


@dataclass(frozen=True, slots=True)
class FolderFile:
    root: Path
    folder: str
    name: str
    size: int
    modified_at: datetime

    def _open(self) -> int:
        with folder_below(self.root, self.folder) as folder:
            return os.open(self.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        try:
            descriptor = await asyncio.to_thread(self._open)
        except OSError as error:
            raise file_missing() from error
        try:
            while start < stop:
                block = await asyncio.to_thread(os.pread, descriptor, min(BLOCK_BYTES, stop - start), start)
                if not block:
                    raise file_missing()
                start += len(block)
                yield block
        except OSError as error:
            raise _unavailable("cannot be read", error) from error
        finally:
            os.close(descriptor)


def _time(told: os.stat_result) -> datetime:
    return datetime.fromtimestamp(told.st_mtime, UTC)


def _unavailable(what: str, error: OSError | UnicodeDecodeError) -> ServiceUnavailable:
    reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "its marker is damaged"
    return ServiceUnavailable(
        "storage", f"The folder for exports {what} ({reason}); set ARKHAM_EXPORT_STORE."
    )
