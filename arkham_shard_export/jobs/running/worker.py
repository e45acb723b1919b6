"""The worker process: runs exports that its host hands it on stdin, and ends with its host.

python -P -c "from arkham_shard_export.jobs.running.worker import main; main(1024)"
"""

from __future__ import annotations

import os
import queue
import resource
import signal
import sys
import threading
from contextlib import suppress
from typing import IO

from arkham_shard_export.children import own_stdout
from arkham_shard_export.errors import Cancelled
from arkham_shard_export.jobs.running.execution import execute
from arkham_shard_export.jobs.running.messages import Answer, decode_run, encode
from arkham_shard_export.ports import system_clock
from arkham_shard_export.sources.postgres import SPARE

NICENESS = 10
GRACE_SECONDS = 5.0
SPARE_SECONDS = 30.0
"""Without an export, until the connection to PostgreSQL is given up."""


def main(memory_mib: int) -> None:
    """Serve until stdin ends. A host that dies closes it: the running export is then discarded.

    Neither this process nor one that it starts can have more than `memory_mib` of memory of its own.
    """
    # Ctrl-C goes to all processes of a terminal: the host decides what becomes of a running export.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(NICENESS)
    with suppress(OSError, ValueError):
        most = memory_mib << 20
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    answers = own_stdout(buffering=0)
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    orphaned = threading.Event()
    threading.Thread(target=_listen, args=(lines, orphaned), daemon=True).start()
    SPARE.kept = True
    while line := _next(lines):
        _serve(line, answers, orphaned)


def _next(lines: queue.SimpleQueue[bytes]) -> bytes:
    try:
        return lines.get(timeout=SPARE_SECONDS)
    except queue.Empty:
        SPARE.close()
        return lines.get()


def _listen(lines: queue.SimpleQueue[bytes], orphaned: threading.Event) -> None:
    for line in sys.stdin.buffer:
        lines.put(line)
    orphaned.set()
    lines.put(b"")
    # A statement that does not return would keep an orphan alive.
    threading.Event().wait(GRACE_SECONDS)
    os._exit(1)


def _serve(line: bytes, answers: IO[bytes], orphaned: threading.Event) -> None:
    def tell(answer: Answer) -> None:
        with suppress(BrokenPipeError):
            answers.write(encode(answer) + b"\n")

    def check() -> None:
        if orphaned.is_set():
            raise Cancelled("The host is gone.")

    with suppress(Cancelled):
        tell(execute(decode_run(line), system_clock, tell, check))
