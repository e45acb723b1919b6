"""A file that exists only when it is whole: temporary name, hash while writing, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from arkham_shard_export.errors import StoreFailed

_BLOCK_BYTES = 1 << 20
_WAITING_BLOCKS = 8
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
        self._block = bytearray()
        self._drain: _Drain | None = None

    def write(self, data: bytes) -> int:
        self.size += len(data)
        self._block += data
        if len(self._block) >= _BLOCK_BYTES:
            # Hashing and writing leave the interpreter to others, so a large file has a thread of its own for them.
            if self._drain is None:
                self._drain = _Drain(self._put)
            block, self._block = self._block, bytearray()
            with _telling(self._part):
                self._drain.put(block)
        return len(data)

    def _put(self, block: bytearray) -> None:
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
            if self._drain is not None:
                self._drain.end()
            self._put(self._block)
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
        if self._drain is not None:
            with contextlib.suppress(Exception):
                self._drain.end()
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)


class _Drain:
    """Puts blocks in order from a thread of its own, a few behind; what one raises, `put` or `end` raises."""

    def __init__(self, put: Callable[[bytearray], None]) -> None:
        self._put = put
        self._blocks: queue.Queue[bytearray | None] = queue.Queue(_WAITING_BLOCKS)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)
        self._thread.start()

    def put(self, block: bytearray) -> None:
        self._blocks.put(block)
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """Return when all blocks are put."""
        self._blocks.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (block := self._blocks.get()) is not None:
            if self._error is None:
                try:
                    self._put(block)
                except BaseException as error:
                    self._error = error


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
