"""Bytes that must wait until others are written: kept compressed in a scratch file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from isal import isal_zlib

_CHUNK_BYTES = 1 << 14
"""Read at a time; deflate packs a thousand times as much into them at most."""


class Spool:
    """Written once, then read once with `chunks`, which closes the file."""

    def __init__(self, scratch: IO[bytes]) -> None:
        self._file = scratch
        self._compressor = isal_zlib.compressobj(1)

    def write(self, data: bytes) -> int:
        self._file.write(self._compressor.compress(data))
        return len(data)

    def close(self) -> None:
        self._file.close()

    def chunks(self) -> Iterator[bytes]:
        with self._file as file:
            file.write(self._compressor.flush())
            file.seek(0)
            decompressor = isal_zlib.decompressobj()
            while data := file.read(_CHUNK_BYTES):
                yield decompressor.decompress(data)
            yield decompressor.flush()
