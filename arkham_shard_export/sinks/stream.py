"""A sink into an open binary stream, such as a pipe; what is written cannot be taken back."""

from __future__ import annotations

import tempfile
from typing import IO, BinaryIO


class StreamSink:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = 0

    def write(self, data: bytes) -> int:
        self._stream.write(data)
        self.size += len(data)
        return len(data)

    def scratch(self) -> IO[bytes]:
        return tempfile.TemporaryFile()
