"""What may follow what in the life of a job."""

from __future__ import annotations

import pytest

from arkham_shard_export.jobs.lifecycle import TRANSITIONS, before
from arkham_shard_export.models import ExportStatus

ENDED = (ExportStatus.COMPLETED, ExportStatus.FAILED, ExportStatus.CANCELLED)


def test_every_status_has_its_line_in_the_table() -> None:
    assert set(TRANSITIONS) == set(ExportStatus)


@pytest.mark.parametrize("status", ENDED)
def test_a_job_that_has_ended_stays_as_it_ended(status: ExportStatus) -> None:
    assert TRANSITIONS[status] == frozenset()


def test_a_pending_job_runs_or_is_cancelled() -> None:
    assert TRANSITIONS[ExportStatus.PENDING] == {ExportStatus.PROCESSING, ExportStatus.CANCELLED}


def test_a_running_job_ends_or_waits_to_run_again() -> None:
    assert TRANSITIONS[ExportStatus.PROCESSING] == {*ENDED, ExportStatus.PENDING}


@pytest.mark.parametrize(
    ("status", "from_which"),
    [
        (ExportStatus.PENDING, {ExportStatus.PROCESSING}),
        (ExportStatus.PROCESSING, {ExportStatus.PENDING}),
        (ExportStatus.COMPLETED, {ExportStatus.PROCESSING}),
        (ExportStatus.FAILED, {ExportStatus.PROCESSING}),
        (ExportStatus.CANCELLED, {ExportStatus.PENDING, ExportStatus.PROCESSING}),
    ],
)
def test_before_a_status_come_those_that_may_become_it(
    status: ExportStatus, from_which: set[ExportStatus]
) -> None:
    assert set(before(status)) == from_which


@pytest.mark.parametrize("status", ExportStatus)
def test_the_table_and_its_inverse_agree_and_no_status_follows_itself(status: ExportStatus) -> None:
    assert set(before(status)) == {each for each in ExportStatus if status in TRANSITIONS[each]}
    assert status not in TRANSITIONS[status]
