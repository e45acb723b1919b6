"""Exports seeded data, us and each peer in turn on the same data in one run, and judges the goals.

Every command runs in a process of its own, so that its CPU time and its peak memory are its own. Peers that are not
installed are named and left out. Every file's records are counted. Without --quick it takes about an hour.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import page
from benchmarks.contest import Contest
from benchmarks.databases import Databases
from benchmarks.goals import Flat
from benchmarks.measure import BenchmarkError
from benchmarks.responsiveness import IDLE_SECONDS, responsiveness
from benchmarks.works import Sizes, flat_works, works

QUICK = Sizes(50_000, 2_000, None)


def main() -> None:
    arguments = _arguments()
    sizes = QUICK if arguments.quick else _sizes(arguments)
    rounds = 3 if arguments.quick else arguments.rounds
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="arkham-bench-") as folder,
        Databases(Path(folder), arguments.database_url) as databases,
    ):
        contest = Contest(databases, Path(folder) / "out", rounds)
        print(page.MEASURED_HEAD, flush=True)
        for work in works(sizes):
            if arguments.only.lower() in work.title.lower():
                contest.attempt(work.title, contest.run, work)
        if arguments.scale or not arguments.quick:
            for small, large in flat_works(sizes):
                if arguments.only.lower() in large.title.lower():
                    contest.attempt(large.title, contest.run_flat, small, large, Flat())
        print("\n".join(["", page.GOALS_HEAD, *map(page.goal_line, contest.verdicts)]), flush=True)
        if contest.failures:
            raise BenchmarkError(f"no page is written, as these failed: {'; '.join(contest.failures)}")
        _write(arguments.markdown, "measured", contest.told(page.headline(databases.server_version())))
        if not arguments.quick and not arguments.only:
            # Last, as the host keeps its jobs in the same folder.
            data = databases.seeded("SQLite", "claims", sizes.table)
            seconds = min(IDLE_SECONDS, sizes.table / 1_000)
            table = responsiveness(Path(data.place), sizes.table, seconds)
            print("\n" + table)
            _write(arguments.markdown, "responsiveness", table)
    print(f"\nThe whole run took {(time.perf_counter() - started) / 60:.1f} minutes.")


def _write(file: Path | None, section: str, text: str) -> None:
    if file is None:
        return
    page.replace_section(file, section, text)
    if file.resolve() == page.PAGE:
        page.replace_section(page.README, "benchmarks", page.quotation(page.PAGE.read_text("utf-8")))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--records", type=int, default=1_000_000, help="claims in tables (default: %(default)s)"
    )
    parser.add_argument(
        "--report-records", type=int, default=10_000, help="in reports (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of all contestants (default: %(default)s)")
    parser.add_argument("--only", metavar="TEXT", default="", help="works whose title has it, like 'XLSX'")
    parser.add_argument(
        "--quick", action="store_true", help=f"less than five minutes: {QUICK.table:,} claims in tables"
    )
    parser.add_argument("--scale", action="store_true", help="measure flatness with --quick as well")
    parser.add_argument(
        "--database-url", help="a PostgreSQL server on which to create databases (default: our own)"
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE",
        help="replace the tables in this page; with docs/benchmarks.md, the quotation in README.md too",
    )  # fmt: skip
    arguments = parser.parse_args()
    if arguments.only and arguments.markdown:
        parser.error("--markdown replaces all tables of a page: it needs a run without --only")
    return arguments


def _sizes(arguments: argparse.Namespace) -> Sizes:
    return Sizes(arguments.records, arguments.report_records, 10 * arguments.report_records)


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(f"benchmarks: {error}")
