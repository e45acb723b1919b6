"""A sink into an open binary stream, such as a pipe; what is written cannot be taken back."""

from __future__ import annotations

import errno
import os
import tempfile
from typing import IO, BinaryIO


class StreamSink:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = 0

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            # An unbuffered stream (PYTHONUNBUFFERED) takes what fits, and nothing where it would have to wait.
            taken: int | None = self._stream.write(view)
            if taken is None:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            view = view[taken:]
        self.size += len(data)
        return len(data)

    def scratch(self) -> IO[bytes]:
        return tempfile.TemporaryFile()
