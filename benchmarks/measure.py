"""Commands, each in a process of its own: their time, and the memory of all their processes together."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLE_SECONDS = 0.05


class BenchmarkError(Exception):
    """A command failed or wrote something else than it was asked for; nothing can be compared."""


@dataclass(frozen=True, slots=True)
class Command:
    """Runs in the folder that holds `benchmarks`; `to_stdout` says that its standard output is the file."""

    words: Sequence[str]
    to_stdout: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of wall clock and of CPU, peak memory of the process tree in MiB, and the file's size in bytes."""

    wall: float
    cpu: float
    memory: float
    size: int


def median(runs: Sequence[Measured]) -> Measured:
    wall, cpu, memory = (
        statistics.median(getattr(each, name) for each in runs) for name in ("wall", "cpu", "memory")
    )
    return Measured(wall, cpu, memory, runs[-1].size)


def environment() -> dict[str, str]:
    """Ours, without the settings of the product: none of whoever measures reaches what is measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ARKHAM_EXPORT_")}


def measure(command: Command, output: Path) -> Measured:
    output.unlink(missing_ok=True)
    with open(output if command.to_stdout else os.devnull, "wb") as stdout, tempfile.TemporaryFile() as told:
        started = time.perf_counter()
        process = subprocess.Popen(
            command.words, stdout=stdout, stderr=told, cwd=ROOT, env={**environment(), **command.environment}
        )
        peak = _Peak(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        memory = peak.end()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told.seek(0)
            words = " ".join(word for word in command.words if len(word) < 80)
            raise BenchmarkError(
                f"{words} ended with {process.returncode}: {told.read()[-2000:].decode(errors='replace')}"
            )
    return Measured(wall, usage.ru_utime + usage.ru_stime, memory, output.stat().st_size)


class _Peak:
    """Samples the proportional set sizes of a process and its descendants (Linux: /proc)."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> float:
        self._ended.set()
        self._thread.join()
        return self._peak / 1024

    def _watch(self) -> None:
        while True:
            self._peak = max(self._peak, sum(_kib(pid) for pid in _tree(self._pid)))
            if self._ended.wait(SAMPLE_SECONDS):
                return


def _tree(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _kib(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
