"""Exports claims from one seeded SQLite database, us and each peer in turn, and prints medians and ratios.

Every command runs in a process of its own, so that its CPU time and its peak memory are its own. Peers that are not
installed are named and left out.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arkham_shard_export.standalone.tables import sqlite_paths

CSV_MODULE = """
import csv, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT * FROM arkham_claims")
with open(sys.argv[2], "w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow([each[0] for each in rows.description])
    writer.writerows(rows)
"""
JSON_MODULE = """
import json, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT * FROM arkham_claims")
names = [each[0] for each in rows.description]
with open(sys.argv[2], "w", encoding="utf-8") as file:
    file.write("[")
    for number, row in enumerate(rows):
        record = dict(zip(names, row))
        for name in ("entity_ids", "metadata"):
            record[name] = None if record[name] is None else json.loads(record[name])
        file.write((",\\n" if number else "") + json.dumps(record, ensure_ascii=False))
    file.write("]")
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of wall clock and of CPU, peak resident memory in MiB, and the file's size in bytes."""

    wall: float
    cpu: float
    memory: float
    size: int


def measure(command: Sequence[str], output: Path, to_stdout: bool) -> Measured:
    output.unlink(missing_ok=True)
    started = time.perf_counter()
    with open(output if to_stdout else os.devnull, "wb") as stdout:
        process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output.stat().st_size)


def seed(data: Path, records: int) -> None:
    """In a process of its own: a child's peak memory begins at that of the process that starts it."""
    command = "from arkham_shard_export.cli import main; main()"
    arguments = ["seed", "--records", str(records), "--data", str(data)]
    subprocess.run([sys.executable, "-c", command, *arguments], check=True, stdout=subprocess.DEVNULL)


def ours(format: str, data: Path, output: Path) -> list[str]:
    command = "from arkham_shard_export.cli import main; main()"
    options = ["--option", "include_relationships=false", "--data", str(data), "-o", str(output)]
    return [sys.executable, "-c", command, "export", "claims", "--format", format, *options]


def contestants(data: Path, output: Path) -> dict[str, dict[str, tuple[list[str], bool]]]:
    """Per work: commands by name, ours first, and whether each writes to standard output."""
    database = str(sqlite_paths(data)[0])
    works = {
        "claims → CSV": {
            "arkham-export": (ours("csv", data, output), False),
            "csv module": ([sys.executable, "-c", CSV_MODULE, database, str(output)], False),
        },
        "claims → JSON": {
            "arkham-export": (ours("json", data, output), False),
            "json module": ([sys.executable, "-c", JSON_MODULE, database, str(output)], False),
        },
    }
    shell = shutil.which("sqlite3")
    if shell is None:
        print("sqlite3, the shell, is not installed and is left out.", file=sys.stderr)
    else:
        query = [shell, "-readonly", "-header", "-csv", database, "SELECT * FROM arkham_claims"]
        works["claims → CSV"]["sqlite3 shell"] = (query, True)
    return works


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="20,000 records, 3 rounds")
    arguments = parser.parse_args()
    records, rounds = (20_000, 3) if arguments.quick else (arguments.records, arguments.rounds)
    with tempfile.TemporaryDirectory(prefix="arkham-bench-") as folder:
        data = Path(folder) / "data"
        started = time.perf_counter()
        seed(data, records)
        seconds = time.perf_counter() - started
        rate = 6 * records / seconds
        print(f"Seeded {records:,} records of six targets: {seconds:.1f} s, {rate:,.0f} records/s\n")
        print("| work | who | wall s | CPU s | peak MiB | file MB | wall ratio to us |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for work, commands in contestants(data, Path(folder) / "out").items():
            report(work, commands, Path(folder) / "out", rounds)
    cores, pages = os.cpu_count(), os.sysconf("SC_PHYS_PAGES") * resource.getpagesize()
    print(f"\nMedians of {rounds} alternating rounds; {cores} cores, {pages / 2**30:.0f} GiB.")


def report(work: str, commands: dict[str, tuple[list[str], bool]], output: Path, rounds: int) -> None:
    measured: dict[str, list[Measured]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, (command, to_stdout) in commands.items():
            measured[name].append(measure(command, output, to_stdout))
    base = statistics.median(each.wall for each in measured["arkham-export"])
    for name, runs in measured.items():
        wall, cpu, memory = (
            statistics.median(getattr(each, part) for each in runs) for part in ("wall", "cpu", "memory")
        )
        size = runs[-1].size / 1e6
        print(f"| {work} | {name} | {wall:.2f} | {cpu:.2f} | {memory:.0f} | {size:.0f} | {wall / base:.2f} |")


main()
