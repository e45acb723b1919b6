"""A sink that compresses what it is given on its way into another: the same bytes for the same content."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Protocol

from arkham_shard_export.archive import Archive
from arkham_shard_export.drain import Drain
from arkham_shard_export.ports import Folder, Output, Sink

NONE = "none"


@dataclass(frozen=True, slots=True)
class Compression:
    """What is put after a file's own extension, and the media type of the file that comes out."""

    file_extension: str
    mime_type: str


COMPRESSIONS = {
    "gzip": Compression(".gz", "application/gzip"),
    "zstd": Compression(".zst", "application/zstd"),
    "zip": Compression(".zip", "application/zip"),
}
"""RFC 1952, RFC 8878 and a ZIP of one file, by their names among the options."""


def compressed_extension(extension: str, compression: str) -> str:
    """The extension of a file once it is compressed; a ZIP is not made a ZIP again."""
    if compression == NONE or _is_zip_already(extension, compression):
        return extension
    return extension + COMPRESSIONS[compression].file_extension


def _is_zip_already(name: str, compression: str) -> bool:
    suffix = COMPRESSIONS["zip"].file_extension
    return compression == "zip" and name.endswith(suffix)


@contextmanager
def compressed(sink: Sink, compression: str, name: Callable[[], str]) -> Iterator[Sink]:
    """A sink whose compressed bytes go into `sink`, all of them once the block has ended well; `none` is `sink` itself.

    So is `zip` where the sink lies in a ZIP.
    """
    if compression == NONE or (compression == "zip" and isinstance(sink, Folder)):
        yield sink
        return
    compressing = CompressingSink(sink, compression, name)
    try:
        yield compressing
        compressing.end()
    finally:
        compressing.abandon()


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class CompressingSink:
    """Compresses in a thread of its own. `end` must be called, or `abandon`, which after `end` does nothing.

    `name` is that of the member in a ZIP; it is asked at the first byte, when the writer knows its extension.
    """

    def __init__(self, sink: Sink, compression: str, name: Callable[[], str]) -> None:
        self._sink = sink
        self._compression = compression
        self._name = name
        self._stage: _Stage | None = None

    def write(self, data: bytes) -> int:
        self._begun().output.write(data)
        return len(data)

    def scratch(self) -> IO[bytes]:
        return self._sink.scratch()

    def end(self) -> None:
        """Write what is left, and the trailer."""
        self._begun().end()
        self._stage = _NOTHING

    def abandon(self) -> None:
        """Leave no thread behind; what has reached the other sink must not be used."""
        stage, self._stage = self._stage, _NOTHING
        if stage is not None:
            stage.abandon()

    def _begun(self) -> _Stage:
        if self._stage is None:
            self._stage = self._begin()
        return self._stage

    def _begin(self) -> _Stage:
        if self._compression != "zip":
            return _Stream(self._sink, _gzip() if self._compression == "gzip" else _zstd())
        name = self._name()
        return _Through(self._sink) if _is_zip_already(name, "zip") else _Zip(self._sink, name)


class _Stage(Protocol):
    output: Output

    def end(self) -> None: ...

    def abandon(self) -> None: ...


class _Through:
    def __init__(self, output: Output) -> None:
        self.output = output

    def end(self) -> None: ...

    def abandon(self) -> None: ...


class _Ended:
    def write(self, data: bytes) -> object:
        raise ValueError("Nothing can be written to a compressed file that has ended.")


_NOTHING = _Through(_Ended())


class _Stream:
    def __init__(self, sink: Output, compressor: _Compressor) -> None:
        self._sink = sink
        self._compressor = compressor
        # In blocks of one size the same content is compressed to the same bytes, however it was written.
        self._drain = Drain(self._put)
        self.output: Output = self._drain

    def _put(self, block: bytes) -> None:
        if data := self._compressor.compress(block):
            self._sink.write(data)

    def end(self) -> None:
        self._drain.end()
        self._sink.write(self._compressor.flush())

    def abandon(self) -> None:
        self._drain.abandon()


class _Zip:
    def __init__(self, sink: Output, name: str) -> None:
        self._archive = Archive(sink, fast=True)
        try:
            self.output = self._archive.open(name)
        except BaseException:
            self._archive.abandon()
            raise

    def end(self) -> None:
        self._archive.close()

    def abandon(self) -> None:
        self._archive.abandon()


def _gzip() -> _Compressor:
    """By ISA-L; its header names no file and no time."""
    from isal import isal_zlib

    compressor: _Compressor = isal_zlib.compressobj(1, isal_zlib.DEFLATED, 31)
    return compressor


def _zstd() -> _Compressor:
    """One frame with a checksum, as the program zstd writes it."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: 1,
        zstd.CompressionParameter.checksum_flag: 1,
    }
    compressor: _Compressor = zstd.ZstdCompressor(options=options)
    return compressor
