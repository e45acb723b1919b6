"""What the sinks of every store share: a file on disk that is hashed while it is written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass

from arkham_shard_export.drain import Drain
from arkham_shard_export.errors import StoreFailed
from arkham_shard_export.sinks.stream import write_whole

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
DISK_FULL_REASON = "The disk of the export store is full; free some space and run the export again."


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the store: its path relative to the store, its size in bytes and its SHA-256 in hex."""

    path: str
    size: int
    sha256: str


class HashedSink:
    """Writes into `_file`, which a subclass opens; a large file has a thread of its own for hashing and writing."""

    _file: io.FileIO

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._drain = Drain(self._put)
        self.size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        with telling_of_disk():
            return self._drain.write(data)

    def _put(self, block: bytes) -> None:
        self._hash.update(block)
        write_whole(self._file, block)

    def _close(self) -> None:
        self._drain.abandon()
        with contextlib.suppress(OSError):
            self._file.close()


@contextlib.contextmanager
def telling_of_disk() -> Iterator[None]:
    """The system's own errors as StoreFailed."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise StoreFailed(DISK_FULL_REASON) from error
        raise StoreFailed(f"The export store cannot be written: {os.strerror(error.errno or 0)}.") from error
