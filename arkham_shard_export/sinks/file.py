"""A file that exists only when it is whole: temporary name, hash while writing, fsync, rename."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self

from arkham_shard_export.folders import folder_below
from arkham_shard_export.sinks.hashed import HashedSink, StoredFile, telling_of_disk


def part_name(stem: str) -> str:
    """The temporary name."""
    return f"{stem}.part"


class FileSink(HashedSink):
    """Writes a temporary file in a folder of the store; `commit` makes it `<stem><extension>`.

    A context: entering it makes the temporary file, leaving it removes what was not committed.
    """

    def __init__(self, store: Path, folder: str, stem: str, part: str | None = None) -> None:
        self._store = store
        self._folder = folder
        self._stem = stem
        self._part = store / folder / (part or part_name(stem))
        self._final: str | None = None
        self._inode: int | None = None
        self._committed = False
        super().__init__()

    def _open(self) -> io.FileIO:
        self._part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with folder_below(self._store, self._folder) as inside:
            descriptor = os.open(self._part.name, flags, 0o600, dir_fd=inside)
        self._inode = os.fstat(descriptor).st_ino
        os.fchmod(descriptor, 0o600)
        return io.FileIO(descriptor, "wb")

    @classmethod
    def beside(cls, folder: Path, stem: str) -> Self:
        """A file in a folder of somebody's own, where another may be writing one of the same name."""
        return cls(folder, "", stem, part_name(f".arkham-export-{secrets.token_hex(4)}"))

    def scratch(self) -> IO[bytes]:
        with telling_of_disk(), folder_below(self._store, self._folder):
            return tempfile.TemporaryFile(dir=self._part.parent)

    def commit(self, extension: str, _between: Callable[[], None] = lambda: None) -> StoredFile:
        name = f"{self._stem}{extension}"
        with telling_of_disk():
            self._drain.end()
            os.fsync(self._file.fileno())
            self._file.close()
            self._final = name
            with folder_below(self._store, self._folder) as inside:
                os.rename(self._part.name, name, src_dir_fd=inside, dst_dir_fd=inside)
                _sync_folder(inside)
        self._committed = True
        return StoredFile(f"{self._folder}/{name}", self.size, self._hash.hexdigest())

    def __enter__(self) -> Self:
        # Here, not before: between what makes a sink and this a signal would leave a file that nobody removes.
        try:
            with telling_of_disk():
                self._file = self._open()
        except KeyboardInterrupt:
            self._remove()
            raise
        return self

    def __exit__(self, *_raised: object) -> None:
        if not self._committed:
            self.discard()

    def discard(self) -> None:
        self._close()
        self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(OSError), folder_below(self._store, self._folder) as inside:
            try:
                os.unlink(self._part.name, dir_fd=inside)
            except FileNotFoundError:
                # Ended when it had just been given its final name; another's file of that name stays.
                if self._final and os.stat(self._final, dir_fd=inside).st_ino == self._inode:
                    os.unlink(self._final, dir_fd=inside)


def _sync_folder(descriptor: int) -> None:
    os.fsync(descriptor)
