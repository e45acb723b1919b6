"""Exports claims from one seeded SQLite database, us and each peer in turn, and prints medians and ratios.

Every command runs in a process of its own, so that its CPU time and its peak memory are its own. Peers that are not
installed are named and left out. Relations are left out, because the peers leave them out.
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
from dataclasses import dataclass
from pathlib import Path

from arkham_shard_export.standalone.tables import sqlite_paths
from benchmarks.measure import Measured, measure

US = "arkham-export"


@dataclass(frozen=True, slots=True)
class Command:
    words: list[str]
    to_stdout: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What is measured: `records` of claims into a format, by us and by each peer."""

    title: str
    format: str
    records: int
    rounds: int
    peers: dict[str, str]
    """Names of peers, and their modules in `benchmarks.peers`."""


def works(arguments: argparse.Namespace) -> list[Work]:
    rows, pages = (20_000, 2_000) if arguments.quick else (arguments.records, arguments.report_records)
    rounds = 3 if arguments.quick else arguments.rounds
    return [
        Work("claims → CSV", "csv", rows, rounds, {"csv module": "csv_module", "sqlite3 shell": ""}),
        Work("claims → JSON", "json", rows, rounds, {"json module": "json_module"}),
        Work("claims → XLSX", "xlsx", rows, rounds, {"XlsxWriter, constant_memory": "xlsxwriter_book"}),
        Work("claims → PDF", "pdf", pages, min(rounds, 3), {"ReportLab platypus": "reportlab_report"}),
        Work("claims → DOCX", "docx", pages, min(rounds, 3), {"python-docx": "python_docx_report"}),
    ]


def seed(data: Path, records: int) -> None:
    """In a process of its own: a child's peak memory begins at that of the process that starts it."""
    command = "from arkham_shard_export.cli import main; main()"
    arguments = ["seed", "--records", str(records), "--data", str(data)]
    subprocess.run([sys.executable, "-c", command, *arguments], check=True, stdout=subprocess.DEVNULL)


def commands(work: Work, data: Path, output: Path) -> dict[str, Command]:
    """By name, ours first."""
    database = str(sqlite_paths(data)[0])
    options = ["include_relationships=false", f"max_records={work.records}"]
    ours = [sys.executable, "-c", "from arkham_shard_export.cli import main; main()", "export", "claims"]
    ours += ["--format", work.format, *(word for each in options for word in ("--option", each))]
    found = {US: Command([*ours, "--data", str(data), "-o", str(output)])}
    for name, module in work.peers.items():
        if module:
            words = [
                sys.executable,
                "-m",
                f"benchmarks.peers.{module}",
                database,
                str(output),
                str(work.records),
            ]
            found[name] = Command(words)
        elif shell := shutil.which("sqlite3"):
            query = f"SELECT * FROM arkham_claims LIMIT {work.records}"
            found[name] = Command([shell, "-readonly", "-header", "-csv", database, query], to_stdout=True)
        else:
            print("sqlite3, the shell, is not installed and is left out.", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="claims in tables")
    parser.add_argument("--report-records", type=int, default=10_000, help="claims in reports")
    parser.add_argument("--rounds", type=int, default=5, help="at most 3 for reports")
    parser.add_argument("--only", metavar="FORMAT", help="one format")
    parser.add_argument(
        "--quick", action="store_true", help="20,000 claims in tables, 2,000 in reports, 3 rounds"
    )
    arguments = parser.parse_args()
    chosen = [each for each in works(arguments) if arguments.only in (None, each.format)]
    with tempfile.TemporaryDirectory(prefix="arkham-bench-") as folder:
        data = Path(folder) / "data"
        started = time.perf_counter()
        records = max(each.records for each in chosen)
        seed(data, records)
        seconds = time.perf_counter() - started
        rate = 6 * records / seconds
        print(f"Seeded {records:,} records of six targets: {seconds:.1f} s, {rate:,.0f} records/s\n")
        print("| work | who | wall s | CPU s | peak MiB | file MB | wall ratio to us |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for work in chosen:
            report(work, commands(work, data, Path(folder) / "out"), Path(folder) / "out")
    cores, pages = os.cpu_count(), os.sysconf("SC_PHYS_PAGES") * resource.getpagesize()
    print(
        f"\nMedians of alternating rounds; {cores} cores, {pages / 2**30:.0f} GiB; memory of all processes together."
    )


def report(work: Work, contestants: dict[str, Command], output: Path) -> None:
    measured: dict[str, list[Measured]] = {name: [] for name in contestants}
    for _ in range(work.rounds):
        for name, command in contestants.items():
            measured[name].append(measure(command.words, output, command.to_stdout))
    base = statistics.median(each.wall for each in measured[US])
    for name, runs in measured.items():
        wall, cpu, memory = (
            statistics.median(getattr(each, part) for each in runs) for part in ("wall", "cpu", "memory")
        )
        title = f"{work.records:,} {work.title}"
        size = runs[-1].size / 1e6
        print(
            f"| {title} | {name} | {wall:.2f} | {cpu:.2f} | {memory:.0f} | {size:.0f} | {wall / base:.2f} |",
            flush=True,
        )


main()
