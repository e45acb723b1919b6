"""Child processes of our own: Python that finds this package wherever it was loaded from, and what they hold."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path


def python_command(program: str) -> list[str]:
    """The interpreter of this process, with a program as text; the current folder is not searched for modules."""
    return [sys.executable, "-P", "-c", program]


def environment() -> dict[str, str]:
    """That of this process, with the folder of this package on the path."""
    package_root = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path}


def memory_mib(field: str, pid: int | str = "self") -> int | None:
    """A field of a process's memory (Linux: `VmRSS` is held now, `VmHWM` was held at most), or None where it is not told."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) >> 10
    return None
