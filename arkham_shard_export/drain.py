"""Blocks of bytes handed to a thread: hashing, deflating and writing leave the interpreter to others meanwhile."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

BLOCK_BYTES = 1 << 18
_WAITING_BLOCKS = 8


class Drain:
    """Cuts what is written into blocks of BLOCK_BYTES and gives each to `put`, in order.

    From the second block on `put` runs in a thread, a few blocks behind; what it raises, a later call raises. `end`
    must be called, or `abandon`.
    """

    def __init__(self, put: Callable[[bytes], object]) -> None:
        self._put = put
        self._block = bytearray()
        self._blocks: queue.Queue[bytes | None] = queue.Queue(_WAITING_BLOCKS)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def write(self, data: bytes) -> int:
        self._block += data
        if len(self._block) >= BLOCK_BYTES:
            whole = len(self._block) // BLOCK_BYTES * BLOCK_BYTES
            for start in range(0, whole, BLOCK_BYTES):
                self._hand_over(bytes(self._block[start : start + BLOCK_BYTES]))
            del self._block[:whole]
        return len(data)

    def end(self) -> None:
        """Give over what is left, and return when all is put."""
        self._stop()
        if self._error is not None:
            raise self._error
        if self._block:
            self._put(bytes(self._block))
            self._block.clear()

    def abandon(self) -> None:
        """Put nothing more, except what is being put already."""
        self._error = self._error or Abandoned()
        self._stop()

    def _hand_over(self, block: bytes) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="drain", daemon=True)
            self._thread.start()
        self._blocks.put(block)
        if self._error is not None:
            raise self._error

    def _stop(self) -> None:
        if self._thread is not None:
            self._blocks.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (block := self._blocks.get()) is not None:
            if self._error is None:
                try:
                    self._put(block)
                except BaseException as error:
                    self._error = error


class Abandoned(Exception):
    """Something was written to a drain that was abandoned."""
