"""How far a job is and how long it will take, by what its process tells."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkham_shard_export.jobs.running.messages import Progressed
from arkham_shard_export.jobs.running.pace import LEAST_SECONDS, Pace
from arkham_shard_export.jobs.running.progress import Noting, percent_of
from arkham_shard_export.jobs.showing import job_fields
from arkham_shard_export.jobs.table.rows import progress_of
from arkham_shard_export.models import ExportJob, ExportOptions, ExportStatus

EXPECTED = 1_000_000


def pace_of(*seen: tuple[float, int]) -> Pace:
    pace = Pace()
    for seconds, done in seen:
        pace.saw(seconds, done)
    return pace


def running(progress: Any) -> ExportJob:
    return ExportJob(
        "a", "csv", "claims", status=ExportStatus.PROCESSING, metadata={"progress": progress, "n": 1}
    )


# Estimates


def test_there_is_no_estimate_before_anything_was_seen_to_be_done() -> None:
    assert Pace().seconds_left(EXPECTED) is None
    assert pace_of((5.0, 400)).seconds_left(EXPECTED) is None
    assert pace_of((5.0, 400), (5.0 + LEAST_SECONDS / 2, 900)).seconds_left(EXPECTED) is None
    assert pace_of((5.0, 400), (9.0, 400)).seconds_left(EXPECTED) is None


def test_at_a_steady_pace_the_estimate_is_exact() -> None:
    pace = pace_of(*((100.0 + tick / 4, tick * 250) for tick in range(41)))
    assert pace.seconds_left(20_000) == pytest.approx(10.0, abs=0.1)


def test_what_was_done_before_the_watch_began_makes_no_pace() -> None:
    assert pace_of((10.0, 900_000), (12.0, 900_200)).seconds_left(EXPECTED) == pytest.approx(998.0)


def test_messages_of_one_moment_and_counts_that_go_back_do_no_harm() -> None:
    pace = pace_of((0.0, 10), (0.0, 20), (2.0, 30), (2.0, 40), (4.0, 5))
    left = pace.seconds_left(100)
    assert left is None or left > 0


def test_nothing_is_left_when_all_is_done_or_more_than_all() -> None:
    assert pace_of((0.0, 0), (2.0, 50)).seconds_left(50) == 0.0
    assert pace_of((0.0, 0), (2.0, 60)).seconds_left(50) == 0.0


@given(st.integers(10, 600), st.sampled_from([[8000], [0] * 8, [0, 0, 0, 4000]]))
def test_one_burst_or_one_pause_does_not_turn_the_estimate_over(calm: int, odd: list[int]) -> None:
    """A crew's portions come all at once, and 2 s may pass without any."""
    pace, done, estimates = Pace(), 0, []
    for tick, step in enumerate([1000] * calm * 4 + odd + [1000] * 40):
        done += step
        pace.saw(tick * 0.25, done)
        estimates.append(pace.seconds_left(10**9) or 10**9 / 4000)
    usual = 10**9 / 4000
    assert all(usual / 1.4 < each < usual * 1.4 for each in estimates)


def test_a_pace_that_changes_is_followed() -> None:
    ticks = [(each * 0.25, each * 1000) for each in range(80)]
    ticks += [(20.0 + each * 0.25, 80_000 + each * 100) for each in range(400)]
    left = pace_of(*ticks).seconds_left(EXPECTED)
    assert left is not None
    # At 400 records a second, 880,000 would take 2,200 s.
    assert 1100 < left < 2300


# Shares


@pytest.mark.parametrize(
    ("phase", "done", "expected", "flatten", "percent"),
    [
        ("counting", 0, 0, False, None),
        ("writing", 0, 3, False, 0.0),
        ("writing", 1, 3, False, 33.3),
        ("writing", 9_999_999, 10_000_000, False, 99.9),
        ("writing", 0, 0, False, 100.0),
        ("writing", 7, 5, False, 100.0),
        ("flattening", 5, 5, True, 50.0),
        ("writing", 0, 5, True, 50.0),
        ("finishing", 5, 5, True, 100.0),
        ("storing", 5, 5, False, 100.0),
    ],
)
def test_percent_is_the_share_of_the_records_and_never_rounded_up(
    phase: str, done: int, expected: int, flatten: bool, percent: float | None
) -> None:
    assert percent_of(Progressed(phase, done, expected), flatten) == percent


# As a job shows it


def test_only_a_running_job_has_progress() -> None:
    for status in ExportStatus:
        job = ExportJob("a", "csv", "claims", status=status, metadata={"progress": {"phase": "writing"}})
        assert (job_fields(job)["progress"] is not None) == (status is ExportStatus.PROCESSING)


def test_a_job_that_has_told_nothing_yet_is_starting() -> None:
    job = ExportJob("a", "csv", "claims", status=ExportStatus.PROCESSING)
    assert progress_of(job) == {
        "phase": "starting", "done": 0, "expected": None, "percent": None, "bytes": 0, "seconds_left": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "odd",
    [None, 7, "x", [], {"phase": None}, {"done": "many", "bytes": -1, "percent": True},
     {"done": float("nan"), "seconds_left": float("inf"), "expected": 1e300}],
)  # fmt: skip
def test_what_anybody_may_have_written_into_a_row_makes_no_nonsense(odd: Any) -> None:
    shown = progress_of(running(odd))
    assert shown is not None
    assert (shown["done"], shown["bytes"], shown["percent"], shown["seconds_left"]) == (0, 0, None, None)
    assert isinstance(shown["phase"], str)


class _Store:
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    async def note(self, job_id: str, owner: str, metadata: Any) -> None:
        self.notes.append(metadata)


def test_notes_are_numbered_and_carry_bytes_and_estimate() -> None:
    seconds = iter([0.0, 10.0])
    job = ExportJob("a", "csv", "claims", options=ExportOptions(flatten=False), metadata={"kept": 1})

    async def noted() -> list[dict[str, Any]]:
        noting = Noting(_Store(), job, "token", lambda: next(seconds))  # type: ignore[arg-type]
        first = noting.note_of(Progressed("counting", 0, 0))
        noting.progressed(Progressed("writing", 0, 300, 10))
        noting.progressed(Progressed("writing", 100, 300, 5000))
        last = noting.note_of(Progressed("writing", 100, 300, 5000))
        await noting.end()
        return [first, last]

    first, last = asyncio.run(noted())
    assert (first["note"], last["note"]) == (1, 2)
    assert progress_of(running(last)) == {
        "phase": "writing", "done": 100, "expected": 300, "percent": 33.3, "bytes": 5000, "seconds_left": 20.0,
    }  # fmt: skip
    assert progress_of(running(first)) == {
        "phase": "counting", "done": 0, "expected": None, "percent": None, "bytes": 0, "seconds_left": None,
    }  # fmt: skip
