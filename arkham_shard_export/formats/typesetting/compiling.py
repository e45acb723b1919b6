"""The child process that turns Typst source into PDF, and the side of it that its parent holds.

python -P -c "from arkham_shard_export.formats.typesetting.compiling import main; main()"

Typst runs in a process of its own because its memory is not bounded by anything but the end of the process.
"""

from __future__ import annotations

import signal
import struct
import sys
from contextlib import suppress
from typing import IO, BinaryIO

from arkham_shard_export.children import ending, memory_mib, own_stdout, reap, started
from arkham_shard_export.errors import SourceRefused, TypesetterDied
from arkham_shard_export.formats.typesetting.fonts import font_folders

MEMORY_LIMIT_MIB = 400
_SET, _REFUSED = b"\0", b"\1"
_LENGTH = struct.Struct(">Q")
_CACHE_GENERATIONS = 10
_START = "from arkham_shard_export.formats.typesetting.compiling import main; main()"


class Child:
    """One compiling process, started at once and replaced when it has grown; for one caller at a time."""

    def __init__(self) -> None:
        self._process = started(_START)

    @property
    def pid(self) -> int:
        return self._process.pid

    def compile(self, source: bytes) -> bytes:
        """The PDF; SourceRefused if the source is wrong, TypesetterDied if the process ended on the way."""
        if (memory_mib("VmRSS", self.pid) or 0) > MEMORY_LIMIT_MIB:
            self.kill()
            self._process = started(_START)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            _put_frame(self._process.stdin, source)
            status = self._process.stdout.read(1)
            answer = _frame(self._process.stdout)
        except BrokenPipeError:
            status, answer = b"", None
        if answer is None:
            raise TypesetterDied(
                f"A process that sets the pages ended unexpectedly ({ending(self._process)}); "
                "it may have run out of memory."
            )
        if status == _REFUSED:
            raise SourceRefused(answer.decode())
        return answer

    def kill(self) -> None:
        """End the process at once and reap it; a `compile` that waits in another thread gets TypesetterDied."""
        self._process.kill()
        reap(self._process)


def _put_frame(pipe: IO[bytes], body: bytes) -> None:
    pipe.write(_LENGTH.pack(len(body)))
    pipe.write(body)
    pipe.flush()


def _frame(pipe: IO[bytes]) -> bytes | None:
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = pipe.read(length)
    return body if len(body) == length else None


def main() -> None:
    """Answer each source with its PDF until stdin ends, which it does with the parent, however that ends."""
    # An interrupt reaches the whole group of the terminal; what it means is the parent's to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(BrokenPipeError):
        _serve(sys.stdin.buffer, own_stdout())


def _serve(sources: BinaryIO, answers: IO[bytes]) -> None:
    import typst

    folders = [str(folder) for folder in font_folders()]
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)
    compiler = typst.Compiler(b"", font_paths=fonts, ignore_system_fonts=True)

    def pdf(source: bytes) -> bytes:
        compiled = compiler.compile(source, format="pdf", pdf_tags=False, timestamp=0)
        assert isinstance(compiled, bytes)
        return compiled

    while (source := _frame(sources)) is not None:
        try:
            status, answer = _SET, pdf(source)
        except typst.TypstError as error:
            status, answer = _REFUSED, error.diagnostic.encode()
        # Typst drops a cached result once it was not used for this many compilations: empty ones age the cache.
        for _ in range(_CACHE_GENERATIONS):
            pdf(b"")
        answers.write(status)
        _put_frame(answers, answer)
