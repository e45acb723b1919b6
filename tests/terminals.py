"""Commands in a terminal of their own, as a person has it: of some width, and with a Ctrl-C that reaches all of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Sequence
from typing import IO

CLI = [sys.executable, "-m", "arkham_shard_export.cli"]
CTRL_C = b"\x03"


class Terminal:
    """`text` is all that was written to it so far."""

    def __init__(self, controller: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._controller = controller
        self._written = bytearray()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    @property
    def text(self) -> str:
        return self._written.decode("utf-8", "replace")

    def type(self, keys: bytes) -> None:
        os.write(self._controller, keys)

    def ended(self) -> int:
        """Its exit code, once it has ended and all was read."""
        code = self.process.wait(60)
        self._thread.join()
        return code

    def _read(self) -> None:
        # Linux tells the end of a terminal as an error.
        with contextlib.suppress(OSError):
            while data := os.read(self._controller, 1 << 16):
                self._written += data


@contextlib.contextmanager
def terminal(
    command: Sequence[str],
    *,
    columns: int = 80,
    stdout: int | IO[bytes] | None = None,
    **environment: str,
) -> Iterator[Terminal]:
    """Run it with a terminal as standard input, error and, without another `stdout`, output."""
    controller, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        command,
        stdin=side,
        stdout=side if stdout is None else stdout,
        stderr=side,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "", **environment},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(side)
    shown = Terminal(controller, process)
    try:
        yield shown
    finally:
        process.kill()
        shown.ended()
        if process.stdout is not None:
            process.stdout.close()
        os.close(controller)
