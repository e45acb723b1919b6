"""The course of a job is the same whoever tells it, and whenever they begin to."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkham_shard_export.jobs.course import Happening, Position, course, position_of
from arkham_shard_export.jobs.lifecycle import TRANSITIONS
from arkham_shard_export.jobs.table.states import JobState
from arkham_shard_export.models import ExportStatus

PENDING, PROCESSING = ExportStatus.PENDING, ExportStatus.PROCESSING
COMPLETED, FAILED, CANCELLED = ExportStatus.COMPLETED, ExportStatus.FAILED, ExportStatus.CANCELLED
NOW = datetime(2026, 11, 24, tzinfo=UTC)
NEW = JobState("a", PENDING, 0, None, "{}")


def noted(state: JobState, note: int) -> JobState:
    progress = {"phase": "writing", "done": note, "expected": 100, "note": note}
    return replace(state, metadata=json.dumps({"progress": progress}))


def claimed(state: JobState) -> JobState:
    return replace(state, status=PROCESSING, attempts=state.attempts + 1, started_at=NOW)


def handed_back(state: JobState) -> JobState:
    return replace(state, status=PENDING, started_at=None, metadata="{}")


def ended(state: JobState, status: ExportStatus) -> JobState:
    return replace(state, status=status, metadata='{"sha256": ""}')


def told(state: JobState, after: Position | None = None) -> list[tuple[str, str]]:
    return [(str(each.position), each.status.value) for each in course(state, after)]


RETRIED = claimed(handed_back(claimed(NEW)))


def test_each_state_a_job_has_passed_is_told_in_order_to_who_comes_late() -> None:
    assert told(ended(RETRIED, COMPLETED)) == [
        ("0.2.0", "pending"),
        ("1.1.0", "processing"),
        ("1.2.0", "pending"),
        ("2.1.0", "processing"),
        ("2.3.0", "completed"),
    ]


def test_who_was_cut_off_is_told_what_came_after() -> None:
    assert told(ended(RETRIED, FAILED), Position(1, 1, 7)) == [
        ("1.2.0", "pending"), ("2.1.0", "processing"), ("2.3.0", "failed"),
    ]  # fmt: skip
    assert told(noted(claimed(NEW), 8), Position(1, 1, 7)) == [("1.1.8", "processing")]
    assert told(noted(claimed(NEW), 8), Position(1, 1, 8)) == []


@pytest.mark.parametrize(
    ("state", "last"),
    [
        (ended(NEW, CANCELLED), [("0.2.0", "pending"), ("0.3.0", "cancelled")]),
        (ended(claimed(NEW), CANCELLED), [("1.1.0", "processing"), ("1.3.0", "cancelled")]),
        (ended(handed_back(claimed(NEW)), CANCELLED), [("1.2.0", "pending"), ("1.3.0", "cancelled")]),
    ],
)
def test_a_job_is_cancelled_where_it_was(state: JobState, last: list[tuple[str, str]]) -> None:
    assert told(state)[-2:] == last


def test_a_job_of_an_older_version_that_counted_no_attempts_has_run_once() -> None:
    old = replace(NEW, status=COMPLETED, started_at=NOW, metadata=None)
    assert told(old) == [("0.2.0", "pending"), ("1.1.0", "processing"), ("1.3.0", "completed")]


def test_a_position_that_the_job_never_had_hides_no_end() -> None:
    assert told(ended(claimed(NEW), FAILED), Position(9, 1, 9)) == [("1.3.0", "failed")]
    assert told(ended(claimed(NEW), FAILED), Position(1, 3)) == []


def test_only_the_position_of_an_event_is_a_position() -> None:
    for text in ("1.1.0", "0.2.0", "12.3.44"):
        assert str(position_of(text)) == text
    for text in ("", "1", "1.1", "1.4.0", "1.1.0 ", "-1.1.0", "1.1.x", "١.1.0", "1.1.0\n", "9" * 10 + ".1.0"):
        assert position_of(text) is None


@st.composite
def lives(draw: st.DrawFn) -> list[JobState]:
    """The rows of one job as they follow one another, by the one table of what may follow what."""
    rows = [NEW]
    for _ in range(draw(st.integers(0, 8))):
        now = rows[-1]
        if now.status is PROCESSING and draw(st.booleans()):
            rows.append(noted(now, now.notes + 1))
            continue
        following = sorted(TRANSITIONS[now.status])
        if not following:
            break
        status = draw(st.sampled_from(following))
        if status is PROCESSING:
            rows.append(claimed(now))
        elif status is PENDING:
            rows.append(handed_back(now))
        else:
            rows.append(ended(now, status))
    return rows


@given(lives(), st.data())
def test_however_often_a_listener_is_cut_off_it_hears_each_state_once_and_in_order(
    rows: list[JobState], data: st.DataObject
) -> None:
    seen = [row for row in rows if data.draw(st.booleans())] + [rows[-1]]
    heard: list[Happening] = []
    for row in seen:
        heard += course(row, heard[-1].position if heard else None)
    positions = [each.position for each in heard]
    assert positions == sorted(set(positions))
    states = [each.status for each in heard if not each.is_progress]
    passed = [
        row.status for number, row in enumerate(rows) if not number or row.status != rows[number - 1].status
    ]
    assert states == passed
