"""Child processes of our own: Python that finds this package wherever it was loaded from, how they end, what they hold."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO


def python_command(program: str) -> list[str]:
    """The interpreter of this process, with a program as text; the current folder is not searched for modules."""
    return [sys.executable, "-P", "-c", program]


def environment() -> dict[str, str]:
    """That of this process, with the folder of this package on the path."""
    package_root = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH", ""))))
    # No child answers requests.
    own = {name: value for name, value in os.environ.items() if name != "ARKHAM_EXPORT_TOKEN"}
    return {**own, "PYTHONPATH": path}


def started(program: str) -> subprocess.Popen[bytes]:
    """A child that is talked to over its stdin and stdout."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter and a program of ours, without a shell
        python_command(program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    )


def ending(process: subprocess.Popen[bytes]) -> str:
    """How a child ended, in words; waits for it."""
    code = process.wait()
    return f"exit code {code}" if code >= 0 else f"killed by signal {-code}"


def reap(process: subprocess.Popen[bytes]) -> None:
    """Wait for a child that was killed, and close the pipes to it; nobody may be reading them."""
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()


def own_stdout(buffering: int = -1) -> IO[bytes]:
    """In a child: its stdout for our answers alone. Whatever a library prints goes to stderr, not between them."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def memory_mib(field: str, pid: int | str = "self") -> int | None:
    """A field of a process's memory (Linux: `VmRSS` is held now, `VmHWM` was held at most), or None where it is not told."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) >> 10
    return None
