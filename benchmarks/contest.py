"""Runs works: contestants alternate by rounds, every file's records are counted, medians are compared."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import page
from benchmarks.contestants import Contestant
from benchmarks.counting import count
from benchmarks.databases import Databases
from benchmarks.goals import Flat, Verdict
from benchmarks.measure import BenchmarkError, Measured, measure, median
from benchmarks.works import Work


class Contest:
    """Collects lines for the page and verdicts on the goals, and prints the lines as they come."""

    def __init__(self, databases: Databases, output: Path, rounds: int) -> None:
        self._databases = databases
        self._output = output
        self._rounds = rounds
        self._left_out: set[str] = set()
        self.lines: list[str] = []
        self.verdicts: list[Verdict] = []
        self.failures: list[str] = []

    def attempt(self, title: str, run: Callable[..., None], *arguments: object) -> None:
        """A work that fails does not end the run of an hour; whoever asked looks at `failures`."""
        try:
            run(*arguments)
        except BenchmarkError as error:
            self.failures.append(f"{title}: {error}")
            print(self.failures[-1], file=sys.stderr)

    def run(self, work: Work) -> None:
        present = [each for each in work.contestants if not self._missing(each)]
        measured: dict[str, list[Measured]] = {each.name: [] for each in present}
        for turn in range(min(self._rounds, work.rounds)):
            for each in present:
                if turn < each.rounds:
                    measured[each.name].append(self._measure(work, each, check=turn == 0))
        self._conclude(work, measured)

    def run_flat(self, small: Work, large: Work, goal: Flat) -> None:
        """Two works of ours alone; the goal compares them."""
        runs: dict[Work, list[Measured]] = {small: [], large: []}
        for turn in range(self._rounds):
            for work, measured in runs.items():
                measured.append(self._measure(work, work.contestants[0], check=turn == 0))
        for work, measured in runs.items():
            self._conclude(work, {work.contestants[0].name: measured})
        few, many = (median(each) for each in runs.values())
        self.verdicts += goal.judge(large.title, few, small.records, many, large.records)

    def told(self, headline: str) -> str:
        parts = [headline, "\n".join([page.GOALS_HEAD, *map(page.goal_line, self.verdicts)])]
        parts.append("\n".join([page.MEASURED_HEAD, *self.lines]))
        if self._left_out:
            parts.append("Left out, as they are not installed: " + "; ".join(sorted(self._left_out)) + ".")
        return "\n\n".join(parts)

    def _missing(self, contestant: Contestant) -> bool:
        missing = contestant.missing()
        if missing and contestant.name not in self._left_out:
            self._left_out.add(contestant.name)
            print(f"{contestant.name} is left out, not installed: {', '.join(missing)}.", file=sys.stderr)
        return bool(missing)

    def _measure(self, work: Work, contestant: Contestant, check: bool) -> Measured:
        data = self._databases.seeded(work.database, work.target, work.records)
        measured = measure(contestant.command(data, self._output), self._output)
        for kind, table in work.kinds if check else ():
            found, expected = count(work.format, kind, self._output), data.rows[table]
            if found != expected:
                raise BenchmarkError(
                    f"the file of {contestant.name} holds {found} instead of {expected} records of {table}"
                )
        return measured

    def _conclude(self, work: Work, measured: dict[str, list[Measured]]) -> None:
        results = {name: median(runs) for name, runs in measured.items()}
        base = next(iter(results.values())).wall
        for name, result in results.items():
            line = page.measured_line(work.title, name, result, base, len(measured[name]))
            self.lines.append(line)
            print(line, flush=True)
        judged = (goal.judge(work.title, results) for goal in work.goals)
        self.verdicts += [verdict for verdict in judged if verdict is not None]
