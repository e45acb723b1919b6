"""What a batch is written into: a ZIP with a file or folder for each part, or one workbook."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import IO, Protocol

from arkham_shard_export.archive import Archive
from arkham_shard_export.drain import Drain
from arkham_shard_export.formats import writer_class
from arkham_shard_export.formats.base import Writer
from arkham_shard_export.formats.spool import Spool
from arkham_shard_export.formats.workbook.book import Book
from arkham_shard_export.formats.xlsx import XlsxWriter
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.pipeline.contents import (
    TITLE,
    Told,
    contents_json,
    facts,
    failure,
    how_consistent,
    readme,
)
from arkham_shard_export.pipeline.parts import Part, PartFile, PartResult
from arkham_shard_export.ports import Members, Output, Sink
from arkham_shard_export.records import Section
from arkham_shard_export.sinks.compressing import compressed_extension

README = "README.txt"
CONTENTS = "contents.json"


class Bundle(Protocol):
    """Parts come one after another: `begin`, and then `keep` where all of it was written, or else `drop`."""

    file_extension: str

    def begin(self, number: int, part: Part) -> tuple[Writer, Sink]:
        """What writes the part, and where to."""
        ...

    def begin_section(self, section: Section) -> None:
        """Files that are opened from now on are of this section."""
        ...

    def keep(self) -> tuple[PartFile, ...]:
        """The files of the part, which is in the bundle now; none where it has no file of its own."""
        ...

    def drop(self) -> None:
        """Nothing of the part will be in the bundle; possible only in one that was made `careful`."""
        ...

    def end(self, results: Sequence[PartResult], told: Told) -> None:
        """Write what tells of all parts; then the bundle is whole."""
        ...

    def close(self) -> None:
        """Let go of everything, written or not."""
        ...


class ZipBundle:
    """Streamed. A `careful` one keeps each part in a scratch file until it is whole; the bytes are the same."""

    file_extension = ".zip"

    def __init__(self, sink: Sink, careful: bool) -> None:
        self._sink = sink
        self._careful = careful
        self._archive = Archive(sink, fast=True)
        self._aside: _Aside | None = None
        self._files: list[PartFile] = []
        self._digests: list[Callable[[], str]] = []
        self._section = ""

    def begin(self, number: int, part: Part) -> tuple[Writer, Sink]:
        writer = writer_class(part.request.format)()
        compression = part.request.options.compression

        def extension() -> str:
            # In a ZIP it lies anyway.
            if compression == "zip":
                return writer.file_extension
            return compressed_extension(writer.file_extension, compression)

        self._files, self._digests, self._section = [], [], ""
        self._aside = _Aside(self._sink.scratch()) if self._careful else None
        return writer, PartSink(part.stem(number), extension, self._opened, self._sink.scratch)

    def begin_section(self, section: Section) -> None:
        self._section = section.name

    def keep(self) -> tuple[PartFile, ...]:
        if self._aside is not None:
            for file, blocks in self._aside.files(self._files):
                output = self._open(file)
                for block in blocks:
                    output.write(block)
            self.drop()
        self._archive.end_member()
        for file, hexdigest in zip(self._files, self._digests, strict=True):
            file.sha256 = hexdigest()
        return tuple(self._files)

    def drop(self) -> None:
        if self._aside is not None:
            self._aside.close()
            self._aside = None

    def end(self, results: Sequence[PartResult], told: Told) -> None:
        self._archive.open(CONTENTS).write(contents_json(results, told))
        self._archive.open(README).write(readme(results, told))
        self._archive.close()

    def close(self) -> None:
        self.drop()
        self._archive.abandon()

    def _opened(self, path: str) -> Output:
        file = PartFile(path, self._section)
        self._files.append(file)
        return _Counted(self._open(file) if self._aside is None else self._aside.output, file)

    def _open(self, file: PartFile) -> Output:
        digest = hashlib.sha256()
        self._digests.append(digest.hexdigest)
        return self._archive.open(file.path, seen=digest.update)


class WorkbookBundle:
    """For parts that are all XLSX, and show times alike: their sheets in one workbook."""

    file_extension = ".xlsx"

    def __init__(self, sink: Sink, careful: bool, options: ExportOptions) -> None:
        self._sink = sink
        self._book = Book(sink, careful, asdict(options))

    def begin(self, _number: int, _part: Part) -> tuple[Writer, Sink]:
        return XlsxWriter(self._book), self._sink

    def begin_section(self, section: Section) -> None:
        """All of it comes into the one workbook."""

    def keep(self) -> tuple[PartFile, ...]:
        self._book.keep()
        return ()

    def drop(self) -> None:
        self._book.drop()

    def end(self, results: Sequence[PartResult], told: Told) -> None:
        made = [f"{each.number}. {each.part.subject}" for each in results if each.outcome is not None]
        missing = [failure(each) for each in results if each.outcome is None]
        known = [*facts(results, told), ("One state", how_consistent(told))]
        self._book.end(TITLE, told.exported_at, known, missing, made)

    def close(self) -> None:
        self._book.package.abandon()


class PartSink:
    """Where a part is written: one file, which is opened at its first byte, or the files of a folder."""

    def __init__(
        self,
        stem: str,
        extension: Callable[[], str],
        opened: Callable[[str], Output],
        scratch: Callable[[], IO[bytes]],
    ) -> None:
        self._stem = stem
        self._extension = extension
        self._opened = opened
        self._output: Output | None = None
        self.scratch = scratch

    def write(self, data: bytes) -> int:
        if self._output is None:
            self._output = self._opened(f"{self._stem}{self._extension()}")
        self._output.write(data)
        return len(data)

    def members(self) -> Members:
        return _Folder(self._opened, self._stem)


class _Folder:
    def __init__(self, opened: Callable[[str], Output], name: str) -> None:
        self._opened = opened
        self._name = name

    def open(self, name: str) -> Output:
        return self._opened(f"{self._name}/{name}")

    def close(self) -> None:
        """The bundle ends what is open."""

    def abandon(self) -> None:
        """The bundle lets go of what is open."""


class _Counted:
    def __init__(self, output: Output, file: PartFile) -> None:
        self._output = output
        self._file = file

    def write(self, data: bytes) -> int:
        self._file.size += len(data)
        self._output.write(data)
        return len(data)


class _Aside:
    """The files of one part, one after another in a scratch file."""

    def __init__(self, scratch: IO[bytes]) -> None:
        self._spool = Spool(scratch)
        self._drain = Drain(self._spool.write)
        self.output: Output = self._drain

    def files(self, files: Sequence[PartFile]) -> Iterator[tuple[PartFile, Iterator[bytes]]]:
        """Each with its bytes, which must be read before the next is asked for; they can be read once."""
        self._drain.end()
        chunks = self._spool.chunks()
        rest = b""

        def blocks(left: int) -> Iterator[bytes]:
            nonlocal rest
            while left:
                rest = rest or next(chunks)
                block, rest = rest[:left], rest[left:]
                left -= len(block)
                yield block

        for file in files:
            yield file, blocks(file.size)

    def close(self) -> None:
        self._drain.abandon()
        self._spool.close()
