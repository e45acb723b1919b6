"""What is told: Markdown tables, the part of a page that a run replaces, and the lines that the README quotes."""

from __future__ import annotations

import os
import re
import resource
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from platform import python_version

from benchmarks.goals import Verdict
from benchmarks.measure import ROOT, BenchmarkError, Measured
from benchmarks.works import QUOTED

PAGE = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"

MEASURED_HEAD = (
    "| work | who | wall s | CPU s | peak MiB | file MB | ours ÷ theirs | runs |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |"
)
GOALS_HEAD = "| work | compared | measured | goal | met |\n| --- | --- | --- | --- | --- |"


def measured_line(title: str, who: str, median: Measured, base: float, runs: int) -> str:
    cells = (title, who, f"{median.wall:.2f}", f"{median.cpu:.2f}", f"{median.memory:.0f}")
    return _row(*cells, f"{median.size / 1e6:.1f}", f"{base / median.wall:.2f}", str(runs))


def goal_line(verdict: Verdict) -> str:
    return _row(
        verdict.work, verdict.compared, verdict.value, verdict.goal, "yes" if verdict.met else "**no**"
    )


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def machine() -> str:
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PHYS_PAGES") * resource.getpagesize() / 2**30
    return f"{cores} cores, {memory:.0f} GiB"


def headline(postgres: str | None) -> str:
    software = [f"Python {python_version()}", f"SQLite {sqlite3.sqlite_version}"]
    software += [f"PostgreSQL {postgres}"] if postgres else []
    return f"Measured on {datetime.now(UTC):%Y-%m-%d} with {machine()}; {', '.join(software)}."


def replace_section(page: Path, section: str, text: str) -> None:
    """Put the text between the page's two comments that name the section."""
    begin, end = (f"<!-- {section}: {word} -->" for word in ("begin", "end"))
    old = page.read_text("utf-8")
    if begin not in old or end not in old:
        raise BenchmarkError(f"{page} lacks {begin} or {end}")
    before, after = old[: old.index(begin) + len(begin)], old[old.index(end) :]
    page.write_text(f"{before}\n{text.strip()}\n{after}", "utf-8")


def quotation(page: str) -> str:
    """What the README says, of what the page's tables say."""
    told = re.search(r"Measured on (\S+) with ([^;]+);", page)
    date, size = told.groups() if told else ("?", "?")
    lines = [f"Measured on {date} with {size}, medians, compared with what one would use instead:", ""]
    return "\n".join([*lines, "| work | compared with | our time |", "| --- | --- | --- |", *_quoted(page)])


def _quoted(page: str) -> Iterable[str]:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line[:1] == "|"]
    goals = [row for row in rows if len(row) == 5]
    for name, peer in QUOTED:
        for work, compared, value, *_ in goals:
            if work.endswith(f" {name}") and peer.name in compared.split(" ÷ "):
                ours = next(each for each in compared.split(" ÷ ") if each != peer.name)
                yield _row(work, peer.name, f"{value}{_processes(ours)}")
                break


def _processes(ours: str) -> str:
    return f" ({ours.partition(', ')[2]})" if ", " in ours else ""
