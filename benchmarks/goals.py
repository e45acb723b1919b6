"""What a measurement has to show, and whether it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from benchmarks.measure import Measured

US = "arkham-export"
ONE = "arkham-export, one process"
TWO = "arkham-export, two processes"

"""Our names, for what `ARKHAM_EXPORT_PROCESSES` says: nothing, 1, 2."""

Results = Mapping[str, Measured]
"""Medians by contestant."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the table of goals; `met` is judged before anything is rounded."""

    work: str
    compared: str
    value: str
    goal: str
    met: bool


class Goal(Protocol):
    def judge(self, work: str, results: Results) -> Verdict | None:
        """None where one of the two did not take part."""


@dataclass(frozen=True, slots=True)
class Wall:
    """Our wall clock ÷ the peer's is at most `most`. Of several of `ours`, the fastest counts."""

    peer: str
    most: float
    ours: tuple[str, ...] = (US, ONE, TWO)
    stretch: bool = False

    def judge(self, work: str, results: Results) -> Verdict | None:
        if (pair := _pair(self.ours, self.peer, results)) is None:
            return None
        name, ratio = pair
        goal = f"≤ {self.most} ×" + (", stretch" if self.stretch else "")
        return Verdict(work, f"{name} ÷ {self.peer}", f"{ratio:.2f} × the time", goal, ratio <= self.most)


@dataclass(frozen=True, slots=True)
class Faster:
    """The peer's wall clock ÷ ours is at least `least`."""

    peer: str
    least: float
    ours: tuple[str, ...] = (US, ONE, TWO)

    def judge(self, work: str, results: Results) -> Verdict | None:
        if (pair := _pair(self.ours, self.peer, results)) is None:
            return None
        name, ratio = pair[0], 1 / pair[1]
        return Verdict(
            work, f"{self.peer} ÷ {name}", f"{ratio:.1f} × faster", f"≥ {self.least} ×", ratio >= self.least
        )


@dataclass(frozen=True, slots=True)
class Memory:
    """The peak memory of all our processes together is below `below_mib`."""

    below_mib: float
    ours: str = US

    def judge(self, work: str, results: Results) -> Verdict | None:
        if self.ours not in results:
            return None
        memory = results[self.ours].memory
        return Verdict(
            work, f"peak memory, {self.ours}", f"{memory:.0f} MiB", f"< {self.below_mib:.0f} MiB",
            memory < self.below_mib,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Flat:
    """Peak memory and time per record hardly grow with the records."""

    memory_most: float = 1.15
    seconds_most: float = 1.2

    def judge(
        self, work: str, small: Measured, small_records: int, large: Measured, large_records: int
    ) -> list[Verdict]:
        compared = f"{large_records:,} ÷ {small_records:,} records"
        memory = large.memory / small.memory
        seconds = large.wall / large_records / (small.wall / small_records)
        return [
            Verdict(
                work, f"peak memory, {compared}", f"{memory:.2f} ×", f"≤ {self.memory_most} ×",
                memory <= self.memory_most,
            ),
            Verdict(
                work, f"time a record, {compared}", f"{seconds:.2f} ×", f"≤ {self.seconds_most} ×",
                seconds <= self.seconds_most,
            ),
        ]  # fmt: skip


def _pair(ours: tuple[str, ...], peer: str, results: Results) -> tuple[str, float] | None:
    """The fastest of ours, and its wall clock by the peer's."""
    took_part = [name for name in ours if name in results]
    if not took_part or peer not in results:
        return None
    fastest = min(took_part, key=lambda name: results[name].wall)
    return fastest, results[fastest].wall / results[peer].wall
