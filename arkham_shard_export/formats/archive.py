"""A ZIP written straight into a sink: streamed, ZIP64 where needed, and the same bytes for the same content."""

from __future__ import annotations

import zipfile
from typing import IO, cast

from arkham_shard_export.ports import Sink

_EPOCH = (1980, 1, 1, 0, 0, 0)


class Archive:
    """Members are written one after another: `open` ends the one before."""

    def __init__(self, sink: Sink) -> None:
        # ZipFile asks only for write() and flush() of a stream it cannot seek.
        stream = cast(IO[bytes], _Stream(sink))
        self._zip = zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED)
        self._member: IO[bytes] | None = None

    def open(self, name: str) -> Sink:
        self._end_member()
        info = zipfile.ZipInfo(name, _EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        self._member = self._zip.open(info, "w", force_zip64=True)
        return self._member

    def close(self) -> None:
        self._end_member()
        self._zip.close()

    def _end_member(self) -> None:
        if self._member is not None:
            self._member.close()
            self._member = None


class _Stream:
    def __init__(self, sink: Sink) -> None:
        self.write = sink.write

    def flush(self) -> None:
        """The sink flushes when the export ends."""
