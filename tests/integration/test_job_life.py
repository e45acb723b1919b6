"""Whatever hosts, runners and people do to jobs, in whatever order: no forbidden transition, no lost or extra event."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from arkham_shard_export.jobs.lifecycle import TRANSITIONS
from arkham_shard_export.models import ExportStatus
from arkham_shard_export.ports import system_clock
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from benchmarks.fleet import until
from tests.conftest import new_database
from tests.hosts import RunningHost, arkhamframe, standalone

PENDING, PROCESSING = ExportStatus.PENDING, ExportStatus.PROCESSING
ENDINGS = (ExportStatus.COMPLETED, ExportStatus.FAILED)
RUNNERS = ("one", "two")
TOLD = {
    PENDING: ["export.job.created"],
    PROCESSING: ["export.job.started"],
    ExportStatus.COMPLETED: ["export.file.created", "export.job.completed"],
    ExportStatus.FAILED: ["export.job.failed"],
    ExportStatus.CANCELLED: ["export.job.cancelled"],
}


class Model:
    """What a job must be: its state, who holds it, and the states it has been in."""

    def __init__(self) -> None:
        self.status = PENDING
        self.owner: str | None = None
        self.attempts = 0
        self.course = [PENDING]

    def becomes(self, status: ExportStatus, owner: str | None) -> None:
        assert status in TRANSITIONS[self.status]
        self.status, self.owner = status, owner
        self.course.append(status)


class Life(RuleBasedStateMachine):
    """Jobs of a host that runs none itself; runners here claim them through the same table."""

    host: RunningHost
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.models: dict[str, Model] = {}
        self.heard_before = len(self.host.events)

    @property
    def store(self) -> Any:
        return self.host.run(self.host.shard.service()).jobs

    @rule(target=jobs)
    def create(self) -> str:
        job_id: str = self.host.post("claims", "json").json()["id"]
        self.models[job_id] = Model()
        return job_id

    @rule(job_id=jobs, runner=st.sampled_from(RUNNERS))
    def claim(self, job_id: str, runner: str) -> None:
        model = self.models[job_id]
        token = f"{runner} {model.attempts}"
        claimed = self.host.run(self.store.claim(job_id, token, system_clock()))
        assert (claimed is not None) == (model.status is PENDING)
        if claimed is not None:
            model.becomes(PROCESSING, token)
            model.attempts += 1
            assert claimed.attempts == model.attempts

    @rule(
        job_id=jobs, runner=st.sampled_from(RUNNERS), status=st.sampled_from(ENDINGS), back=st.integers(0, 2)
    )
    def finish(self, job_id: str, runner: str, status: ExportStatus, back: int) -> None:
        """`back`: the token of an earlier attempt, as of a runner that was given up and lives on."""
        model = self.models[job_id]
        token = f"{runner} {model.attempts - 1 - back}"
        changes = {"completed_at": "2026-11-23T09:30:00+00:00", "record_count": 1}
        ended = self.host.run(self.store.finish(job_id, token, uuid4().hex, status, changes))
        assert ended == (model.status is PROCESSING and model.owner == token)
        if ended:
            model.becomes(status, None)

    @rule(job_id=jobs, runner=st.sampled_from(RUNNERS), back=st.integers(0, 2))
    def hand_back(self, job_id: str, runner: str, back: int) -> None:
        model = self.models[job_id]
        token = f"{runner} {model.attempts - 1 - back}"
        stored = self.host.run(self.store.stored(job_id))
        handed = self.host.run(self.store.hand_back(stored.job, token, uuid4().hex))
        assert handed == (model.status is PROCESSING and model.owner == token)
        if handed:
            model.becomes(PENDING, None)

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        assert self.host.client.delete(f"/api/export/jobs/{job_id}").status_code == 204
        model = self.models[job_id]
        if model.status in (PENDING, PROCESSING):
            model.becomes(ExportStatus.CANCELLED, None)

    @rule(job_id=jobs)
    def look(self, job_id: str) -> None:
        shown = self.host.client.get(f"/api/export/jobs/{job_id}").json()
        model = self.models[job_id]
        assert shown["status"] == model.status
        unended = [each for each in model.course if each in (PENDING, PROCESSING)]
        assert (shown["started_at"] is None) == (unended[-1] is PENDING)
        assert (shown["progress"] is not None) <= (model.status is PROCESSING)

    @invariant()
    def every_job_is_counted_where_it_is(self) -> None:
        for status in (PENDING, PROCESSING):
            listed = self.host.client.get("/api/export/jobs", params={"status": status, "limit": 500}).json()
            mine = {each["id"] for each in listed["jobs"]} & self.models.keys()
            assert mine == {job_id for job_id, model in self.models.items() if model.status is status}

    def teardown(self) -> None:
        expected = {job_id: _events(model.course) for job_id, model in self.models.items()}
        until(lambda: self._heard().keys() >= {each for each in expected if expected[each]}, "events arrive")
        until(
            lambda: self._heard() == expected, f"the events are right: {expected} and not {self._heard()}", 20
        )
        for job_id in self.models:
            self.host.client.delete(f"/api/export/jobs/{job_id}")

    def _heard(self) -> dict[str, list[str]]:
        heard = defaultdict(list)
        for event in self.host.events[self.heard_before :]:
            if (job_id := event["payload"]["job_id"]) in self.models:
                heard[job_id].append(event["event_type"])
        return dict(heard)


def _events(course: list[ExportStatus]) -> list[str]:
    """Only the first start is told, and that a job is pending again is not."""
    told: list[str] = []
    for status in course:
        told += [each for each in TOLD[status] if each not in told]
    return told


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["standalone", "standalone-postgres", "arkhamframe"])
def test_no_transition_that_is_forbidden(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_CONCURRENCY", "0")
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        if kind == "standalone":
            seed_sqlite(folder, 5, targets=["claims"])
            host = closing.enter_context(standalone(folder))
            # It would hand back what no process of its own runs, which is all that is run here.
            host.run(host.run(host.shard.service()).queue.stop())
        else:
            url = new_database(request.getfixturevalue("postgres_server"))
            seed_postgres(url, 5, targets=["claims"])
            host = closing.enter_context(
                (standalone if kind == "standalone-postgres" else arkhamframe)(folder, url)
            )
        machine = type("LifeHere", (Life,), {"host": host})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[*HealthCheck]
            ),
        )
