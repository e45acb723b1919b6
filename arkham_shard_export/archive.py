"""A ZIP written straight into a sink: streamed, ZIP64 where needed, and the same bytes for the same content."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from typing import IO, cast

from arkham_shard_export.drain import Drain
from arkham_shard_export.ports import Folder, Members, Output, Sink

_EPOCH = (1980, 1, 1, 0, 0, 0)
_SAFE_PART = re.compile(r"[\w\[][\w .\[\]-]{0,199}|_rels|\.rels", re.ASCII)


def is_safe_name(name: str) -> bool:
    """Whether unpacking a member of this name writes below the folder it is unpacked in, on any system."""
    return all(_SAFE_PART.fullmatch(part) for part in name.split("/"))


def several_files(sink: Sink) -> tuple[Members, str]:
    """Where the files of an export go, and the extension of what holds them: a ZIP, or the sink itself where it can."""
    return (sink.members(), "") if isinstance(sink, Folder) else (Archive(sink), ".zip")


class Archive:
    """Members are written one after another: `open` ends the one before."""

    def __init__(self, sink: Output, *, fast: bool = False) -> None:
        """`fast` deflates by ISA-L: several times faster, some ten percent larger."""
        self._fast = fast
        # ZipFile asks only for write() and flush() of a stream it cannot seek.
        self._stream = _Stream(sink)
        self._zip = zipfile.ZipFile(cast(IO[bytes], self._stream), "w", zipfile.ZIP_DEFLATED)
        self._member: IO[bytes] | None = None
        self._drain: Drain | None = None

    def open(self, name: str, *, zip64: bool = True, seen: Callable[[bytes], object] | None = None) -> Output:
        """Without `zip64` a member holds less than 2 GiB, and programs that know no ZIP64 can read it.

        `seen` is given the member's bytes, all of them once it has ended.
        """
        if not is_safe_name(name):
            raise ValueError(f"{name[:60]!r} is no name for a file in an archive.")
        self.end_member()
        info = zipfile.ZipInfo(name, _EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        self._member = self._zip.open(info, "w", force_zip64=zip64)
        if self._fast:
            from isal import isal_zlib

            # ZipFile takes a level but no compressor of another make.
            self._member._compressor = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15)  # type: ignore[attr-defined]
        # In blocks of one size the same content is deflated to the same bytes, however it was written.
        self._drain = Drain(self._member.write if seen is None else _both(seen, self._member.write))
        return self._drain

    def close(self) -> None:
        self.end_member()
        self._zip.close()

    def abandon(self) -> None:
        """Let go of an archive that is not wanted any more; nothing is written. After `close` it does nothing."""
        self._stream.write = len
        if self._drain is not None:
            self._drain.abandon()
            self._drain = None
        self.close()

    def end_member(self) -> None:
        """Whatever was written to the member has reached the sink, but for what ends the archive."""
        if self._drain is not None:
            drain, self._drain = self._drain, None
            drain.end()
        if self._member is not None:
            member, self._member = self._member, None
            member.close()


def _both(first: Callable[[bytes], object], second: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def put(block: bytes) -> None:
        first(block)
        second(block)

    return put


class _Stream:
    def __init__(self, sink: Output) -> None:
        self.write: Callable[[bytes], object] = sink.write

    def flush(self) -> None:
        """The sink flushes when the export ends."""
