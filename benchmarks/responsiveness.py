"""How fast a host answers while it exports: `python -m benchmarks.responsiveness`.

The standalone host serves synthetic claims; a process of its own asks it every 10 ms, first while nothing is done, then
while four exports of all claims are made.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.databases import CLI, seed
from benchmarks.measure import ROOT, BenchmarkError, environment

FORMATS = ("csv", "json", "xlsx", "csv")
BETWEEN_LOOKS_SECONDS = 0.5
IDLE_SECONDS = 10.0
P99_ABOVE_IDLE_MS = 10.0
NEVER_ABOVE_MS = 100.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds until the host answered."""

    p50: float
    p99: float
    most: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> Latency:
        """Of at least one."""
        ordered = sorted(milliseconds)
        return cls(ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1])

    def __str__(self) -> str:
        return f"{self.p50:.1f} / {self.p99:.1f} / {self.most:.1f}"


def is_met(idle: Latency, busy: Latency) -> bool:
    return busy.p99 <= idle.p99 + P99_ABOVE_IDLE_MS and busy.most <= NEVER_ABOVE_MS


def responsiveness(data: Path, records: int, idle_seconds: float) -> str:
    """A Markdown table of one line, for a folder that was seeded with so many claims."""
    with _served(data) as port:
        idle = _asked_while(port, lambda: time.sleep(idle_seconds))
        started = time.perf_counter()
        busy = _asked_while(port, lambda: _export_all(port, records))
        seconds = time.perf_counter() - started
    met = "yes" if is_met(idle, busy) else "**no**"
    return (
        "| while the host | p50 / p99 / max ms idle | p50 / p99 / max ms meanwhile | goal | met |\n"
        "| --- | --- | --- | --- | --- |\n"
        f"| exports {records:,} claims as {', '.join(FORMATS)} ({seconds:.0f} s) | {idle} | {busy} |"
        f" p99 at most {P99_ABOVE_IDLE_MS:.0f} ms above idle, never over {NEVER_ABOVE_MS:.0f} ms | {met} |"
    )


@contextlib.contextmanager
def _served(data: Path) -> Iterator[int]:
    """The port of a host in a process of its own."""
    words = [sys.executable, "-c", CLI, "serve", "--port", "0", "--data", str(data)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()) as process:
        assert process.stdout is not None
        try:
            told = process.stdout.readline()
            if "http://" not in told:
                raise BenchmarkError("the host did not start")
            yield int(told.split("/export")[0].rpartition(":")[2])
        finally:
            process.terminate()


def _asked_while(port: int, work: Callable[[], None]) -> Latency:
    words = [sys.executable, "-m", "benchmarks.poller", str(port)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as poller:
        try:
            work()
            told, _ = poller.communicate()
        except BaseException:
            poller.kill()
            raise
    if poller.returncode:
        raise BenchmarkError("the host failed to answer its count")
    return Latency.of(json.loads(told))


def _export_all(port: int, records: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    asked = [
        _call(connection, "POST", "/api/export/jobs", {"target": "claims", "format": format})
        for format in FORMATS
    ]
    for job in asked:
        while (now := _call(connection, "GET", f"/api/export/jobs/{job['id']}"))["status"] in (
            "pending",
            "processing",
        ):
            time.sleep(BETWEEN_LOOKS_SECONDS)
        if now["status"] != "completed" or now["record_count"] != records:
            raise BenchmarkError(f"{now['format']} ended {now['status']} with {now['record_count']} records")


def _call(connection: HTTPConnection, method: str, path: str, body: object = None) -> dict[str, Any]:
    sent = None if body is None else json.dumps(body)
    connection.request(method, path, sent, {"content-type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status >= 400:
        raise BenchmarkError(f"{method} {path}: {answer.status} {content[:500]!r}")
    return dict(json.loads(content))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.responsiveness", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="claims (default: %(default)s)")
    parser.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS, help="(default: %(default)s)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="replace the table in this page")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arkham-bench-") as folder:
        seed(folder, True, "claims", arguments.records)
        table = responsiveness(Path(folder), arguments.records, arguments.idle_seconds)
    print(table)
    if arguments.markdown:
        page.replace_section(arguments.markdown, "responsiveness", table)


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(f"benchmarks: {error}")
