"""A sink that keeps nothing but the number of bytes: what a preview writes to."""

from __future__ import annotations

import tempfile
from typing import IO


class MeasuringSink:
    def __init__(self) -> None:
        self.size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        return len(data)

    def scratch(self) -> IO[bytes]:
        return tempfile.TemporaryFile()
