"""A file that exists only when it is whole: temporary name, hash while writing, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from arkham_shard_export.drain import Drain
from arkham_shard_export.errors import StoreFailed

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
DISK_FULL_REASON = "The disk of the export store is full; free some space and run the export again."


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the store: its path relative to the store, its size in bytes and its SHA-256 in hex."""

    path: str
    size: int
    sha256: str


def part_name(stem: str) -> str:
    """The temporary name."""
    return f"{stem}.part"


class FileSink:
    """Writes a temporary file in a folder of the store; `commit` makes it `<stem><extension>`.

    As a context it removes what was not committed.
    """

    def __init__(self, store: Path, folder: str, stem: str) -> None:
        self._store = store
        self._folder = folder
        self._stem = stem
        self._part = store / folder / part_name(stem)
        self._hash = hashlib.sha256()
        self.size = 0
        self._committed = False
        with _telling(self._part):
            self._part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            os.fchmod(descriptor, 0o600)
            self._file = os.fdopen(descriptor, "wb", buffering=0)
        # A large file has a thread of its own for hashing and writing.
        self._drain = Drain(self._put)

    def write(self, data: bytes) -> int:
        self.size += len(data)
        with _telling(self._part):
            return self._drain.write(data)

    def _put(self, block: bytes) -> None:
        self._hash.update(block)
        view = memoryview(block)
        while view:
            view = view[self._file.write(view) :]

    def scratch(self) -> IO[bytes]:
        with _telling(self._part):
            return tempfile.TemporaryFile(dir=self._part.parent)

    def commit(self, extension: str) -> StoredFile:
        name = f"{self._stem}{extension}"
        with _telling(self._part):
            self._drain.end()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part = self._part.rename(self._part.with_name(name))
            _sync_folder(self._part.parent)
        self._committed = True
        return StoredFile(f"{self._folder}/{name}", self.size, self._hash.hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        if not self._committed:
            self.discard()

    def discard(self) -> None:
        self._drain.abandon()
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)


@contextlib.contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise StoreFailed(DISK_FULL_REASON) from error
        raise StoreFailed(f"The export store cannot be written: {os.strerror(error.errno or 0)}.") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
