"""A sink into an open binary stream, such as a pipe; what is written cannot be taken back."""

from __future__ import annotations

import errno
import os
import tempfile
from io import RawIOBase
from typing import IO, BinaryIO


def write_whole(stream: BinaryIO | RawIOBase, data: bytes) -> None:
    """All of it: an unbuffered stream takes what fits, and nothing where it would have to wait (BlockingIOError)."""
    view = memoryview(data)
    while view:
        taken: int | None = stream.write(view)
        if taken is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        view = view[taken:]


class StreamSink:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = 0

    def write(self, data: bytes) -> int:
        write_whole(self._stream, data)
        self.size += len(data)
        return len(data)

    def scratch(self) -> IO[bytes]:
        return tempfile.TemporaryFile()
