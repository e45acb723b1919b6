"""What one can ask of a host about schedules, as steps."""

from __future__ import annotations

from typing import Any

from arkham_shard_export.client.answers import Job, RunPage, SchedulePage, decode
from arkham_shard_export.client.operations import PAGE, PREFIX, asked
from arkham_shard_export.client.steps import Ask, Operation
from arkham_shard_export.models import ExportSchedule

PLACE = f"{PREFIX}/schedules"


def _one(ask: Ask, patience_seconds: float) -> Operation[ExportSchedule]:
    answer = yield from asked(ask, patience_seconds)
    return decode(answer.body, ExportSchedule)


def create(fields: dict[str, Any]) -> Operation[ExportSchedule]:
    """Asked once: a host that did not answer may have made it."""
    return _one(Ask("POST", PLACE, json=fields), 0)


def get(schedule_id: str, patience_seconds: float) -> Operation[ExportSchedule]:
    return _one(Ask("GET", f"{PLACE}/{schedule_id}"), patience_seconds)


def change(schedule_id: str, fields: dict[str, Any], patience_seconds: float) -> Operation[ExportSchedule]:
    return _one(Ask("PATCH", f"{PLACE}/{schedule_id}", json=fields), patience_seconds)


def pause(schedule_id: str, patience_seconds: float) -> Operation[ExportSchedule]:
    return _one(Ask("POST", f"{PLACE}/{schedule_id}/pause"), patience_seconds)


def resume(schedule_id: str, patience_seconds: float) -> Operation[ExportSchedule]:
    return _one(Ask("POST", f"{PLACE}/{schedule_id}/resume"), patience_seconds)


def run(schedule_id: str) -> Operation[Job]:
    """Asked once: a host that did not answer may have made a job."""
    answer = yield from asked(Ask("POST", f"{PLACE}/{schedule_id}/run"), 0)
    return decode(answer.body, Job)


def page(state: str | None, offset: int, patience_seconds: float) -> Operation[SchedulePage]:
    params: dict[str, Any] = {"limit": PAGE, "offset": offset}
    if state is not None:
        params["state"] = state
    answer = yield from asked(Ask("GET", PLACE, params=params), patience_seconds)
    return decode(answer.body, SchedulePage)


def runs(schedule_id: str, offset: int, patience_seconds: float) -> Operation[RunPage]:
    params = {"limit": PAGE, "offset": offset}
    answer = yield from asked(Ask("GET", f"{PLACE}/{schedule_id}/runs", params=params), patience_seconds)
    return decode(answer.body, RunPage)
