"""A sink that keeps nothing but the number of bytes: what a preview writes to."""

from __future__ import annotations


class MeasuringSink:
    def __init__(self) -> None:
        self.size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        return len(data)
