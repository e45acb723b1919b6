"""Sets chunks in child processes and keeps their PDFs, one after another, in one scratch file."""

from __future__ import annotations

import io
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import pikepdf

from arkham_shard_export.formats.typesetting.compiling import Child


class Heading(NamedTuple):
    """Where a heading stands: `page` from 0 within its chunk, `top` in points from the page's lower edge."""

    page: int
    top: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of pages, set; its PDF is a stretch of the scratch file, its headings are in reading order."""

    scratch: IO[bytes]
    offset: int
    size: int
    pages: int
    headings: tuple[Heading, ...]

    def open(self) -> pikepdf.Pdf:
        """The PDF, read from the scratch file as it is needed, also for what is copied from it into another."""
        return pikepdf.open(io.BufferedReader(Window(self.scratch, self.offset, self.size), 1 << 14))


class Window(io.RawIOBase):
    """A stretch of a file, as a file to be read."""

    def __init__(self, file: IO[bytes], offset: int, size: int) -> None:
        self._file, self._offset, self._size = file, offset, size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._offset + self._position)
        data = self._file.read(max(0, min(len(buffer), self._size - self._position)))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class Typesetter:
    """Sets chunks, as many at a time as it has processes. Use it as a context: leaving it ends the processes.

    The scratch file stays the caller's, who may not write to it while chunks are being set.
    """

    def __init__(self, scratch: IO[bytes], processes: int | None = None) -> None:
        count = processes or min(2, os.cpu_count() or 1)
        self._scratch = scratch
        self._scratch_lock = threading.Lock()
        self._children = [Child() for _ in range(count)]
        self._free: SimpleQueue[Child] = SimpleQueue()
        for child in self._children:
            self._free.put(child)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="typesetter")
        self._body: list[Future[Chunk]] = []
        self._end = weakref.finalize(self, _kill, self._children)

    @property
    def pids(self) -> list[int]:
        """The ids of the processes at work."""
        return [child.pid for child in self._children] if self._end.alive else []

    def add(self, source: str) -> None:
        """Have a chunk of the body set; returns at once unless a source already waits for a process.

        SourceRefused or TypesetterDied of this or an earlier chunk comes out here or in `finish`.
        """
        ahead = len(self._children) + 1
        if len(self._body) >= ahead:
            self._body[-ahead].result()
        self._body.append(self._threads.submit(self._set, source))

    def finish(self) -> list[Chunk]:
        """The chunks of the body, in the order in which they were added, once all are set."""
        return [each.result() for each in self._body]

    def set_now(self, source: str) -> Chunk:
        """A chunk that is no part of the body, such as front matter."""
        return self._threads.submit(self._set, source).result()

    @property
    def pages(self) -> int:
        """Pages of the body set so far."""
        return sum(each.result().pages for each in self._body if each.done() and each.exception() is None)

    def close(self) -> None:
        """End the processes at once, whatever they do, and leave none behind."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._end()
        self._threads.shutdown()
        # A thread may have replaced its process meanwhile.
        _kill(self._children)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _set(self, source: str) -> Chunk:
        child = self._free.get()
        try:
            pdf = child.compile(source.encode())
        finally:
            self._free.put(child)
        pages, headings = _contents(pdf)
        with self._scratch_lock:
            offset = self._scratch.seek(0, os.SEEK_END)
            self._scratch.write(pdf)
        return Chunk(self._scratch, offset, len(pdf), pages, headings)


def _kill(children: Sequence[Child]) -> None:
    for child in children:
        child.kill()


def _contents(data: bytes) -> tuple[int, tuple[Heading, ...]]:
    with pikepdf.open(io.BytesIO(data)) as pdf:
        numbers = {page.obj.objgen: number for number, page in enumerate(pdf.pages)}
        outline = pdf.Root.get("/Outlines")
        headings = () if outline is None else _headings(outline, numbers)
        return len(numbers), tuple(headings)


def _headings(parent: pikepdf.Object, numbers: dict[tuple[int, int], int]) -> Iterator[Heading]:
    item = parent.get("/First")
    while item is not None:
        destination = item.Dest
        yield Heading(numbers[destination[0].objgen], float(destination[3]))
        yield from _headings(item, numbers)
        item = item.get("/Next")
