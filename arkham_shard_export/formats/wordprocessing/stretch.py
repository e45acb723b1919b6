"""A stretch of the document that waits in scratch files until what stands before it is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from arkham_shard_export.errors import FormatExceeded
from arkham_shard_export.formats.report.blocks import Block
from arkham_shard_export.formats.spool import Spool
from arkham_shard_export.formats.wordprocessing.contents import Entries
from arkham_shard_export.formats.wordprocessing.elements import FIGURE_NUMBER, TABLE_NUMBER, Elements
from arkham_shard_export.ports import Sink

MAX_BYTES = 1_900_000_000
"""Programs that know no ZIP64 read members of less than 2 GiB; the pages in front of the records need room too."""

_PIECE_CHARACTERS = 1 << 18


class Stretch:
    """`entries` are those of its headings in the contents; both are read once, when the document is written."""

    def __init__(self, sink: Sink, elements: Elements, depth: int, first_bookmark: int = 1) -> None:
        self._files = (sink.scratch(), sink.scratch())
        self.entries = Entries(self._files[0], depth, first_bookmark)
        self._spool = Spool(self._files[1])
        self._elements = elements
        self._bytes = 0

    def add(self, blocks: Iterable[Block]) -> None:
        pieces: list[str] = []
        waiting = 0
        for block in blocks:
            for piece in self._elements(block, self.entries):
                pieces.append(piece)
                waiting += len(piece)
                if waiting > _PIECE_CHARACTERS:
                    self._write("".join(pieces))
                    pieces.clear()
                    waiting = 0
        self._write("".join(pieces))

    def chunks(self) -> Iterator[bytes]:
        return self._spool.chunks()

    def close(self) -> None:
        for file in self._files:
            file.close()

    def _write(self, text: str) -> None:
        self._bytes += self._spool.write(text.encode())
        if self._bytes > MAX_BYTES:
            raise FormatExceeded(
                f"A Word document has room for {MAX_BYTES / 1e9} GB of text with its markup, and these records need "
                "more. Choose fewer records, or JSON, CSV or XLSX, which have no such limit."
            )


def no_numbers() -> dict[bytes, int]:
    return {TABLE_NUMBER.encode(): 0, FIGURE_NUMBER.encode(): 0}


def numbered(pieces: Iterable[bytes], numbers: dict[bytes, int] | None = None) -> Iterator[bytes]:
    """Tables and figures numbered in the order in which they stand in the document, after those of `numbers`."""
    numbers = no_numbers() if numbers is None else numbers
    for piece in pieces:
        for mark in numbers:
            if mark in piece:
                first, *others = piece.split(mark)
                parts = [first]
                for other in others:
                    numbers[mark] += 1
                    parts += (str(numbers[mark]).encode(), other)
                piece = b"".join(parts)
        yield piece
