"""Whether exports can be made, judged by what `watching` tells."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from arkham_shard_export.errors import ExportError, ServiceUnavailable
from arkham_shard_export.jobs.operating.watching import ANSWER_SECONDS, Figures, Watch
from arkham_shard_export.jobs.table.scheduletables import ACTIVE, PAUSED
from arkham_shard_export.models import ExportStatus

OK, DEGRADED, FAILED, UNAVAILABLE = "ok", "degraded", "failed", "unavailable"

LONG_PENDING_SECONDS = 900.0
MANY_EVENTS = 1000
LONG_OVERDUE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Check:
    """`detail` is one sentence where something is wrong."""

    status: str
    detail: str | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)

    def fields(self, everything: bool) -> dict[str, Any]:
        if not everything:
            return {"status": self.status}
        detail = {} if self.detail is None else {"detail": self.detail}
        return {"status": self.status, **detail, **self.figures}


@dataclass(frozen=True, slots=True)
class Health:
    """`status` is unavailable where exports cannot be made, degraded where some check is not ok."""

    status: str
    checks: Mapping[str, Check]

    def body(self, everything: bool) -> dict[str, Any]:
        """As the route answers it; without `everything` no figures, which are over all tenants."""
        return {
            "status": self.status,
            "checks": {name: check.fields(everything) for name, check in self.checks.items()},
        }


async def health_of(watch: Watch) -> Health:
    """The health of a service that has started; it takes no longer than ANSWER_SECONDS."""
    figures, store = await asyncio.gather(_figures(watch), _store(watch))
    if isinstance(figures, Check):
        return Health(UNAVAILABLE, {"database": figures, "store": store})
    checks = {
        "database": Check(OK, None, {"ms": figures.answered_ms}),
        "store": store,
        "queue": _queue(figures, watch.engine),
        "outbox": _outbox(figures),
        "lease": _lease(figures),
        "schedules": _schedules(figures),
    }
    return Health(OK if all(each.status == OK for each in checks.values()) else DEGRADED, checks)


def health_without(error: ServiceUnavailable) -> Health:
    """The health of a service that has not started: all that is known is what it lacks."""
    return Health(UNAVAILABLE, {error.service: Check(FAILED, str(error))})


async def _figures(watch: Watch) -> Figures | Check:
    try:
        return await watch.figures()
    except TimeoutError:
        return Check(FAILED, f"The database did not answer within {ANSWER_SECONDS:g} s.")
    except ExportError as error:
        return Check(FAILED, str(error))


async def _store(watch: Watch) -> Check:
    told: dict[str, Any] = {"kind": watch.store_kind}
    try:
        store = await watch.store()
    except TimeoutError:
        return Check(FAILED, f"The store did not answer within {ANSWER_SECONDS:g} s.", told)
    if store.problem is not None:
        return Check(FAILED, f"The store cannot be used ({store.problem}).", told)
    return Check(OK, None, told if store.free_bytes is None else {**told, "free_bytes": store.free_bytes})


def _queue(figures: Figures, engine: str) -> Check:
    pending, oldest = figures.jobs(ExportStatus.PENDING), figures.oldest_pending_seconds
    told: dict[str, Any] = {
        "engine": engine,
        "workers": figures.workers,
        "pending": pending,
        "processing": figures.jobs(ExportStatus.PROCESSING),
        "oldest_pending_seconds": round(oldest, 3),
    }
    if figures.workers is None:
        return Check(FAILED, "The queue cannot be asked for its workers.", told)
    if pending and not figures.workers:
        return Check(DEGRADED, "Jobs wait and no worker is alive.", told)
    if oldest > LONG_PENDING_SECONDS:
        return Check(DEGRADED, f"The oldest job has waited for {oldest / 60:.0f} minutes.", told)
    return Check(OK, None, told)


def _outbox(figures: Figures) -> Check:
    waiting = figures.events_waiting
    if waiting is None:
        return Check(FAILED, "The outbox cannot be asked for its events.")
    told = {"waiting": waiting}
    if waiting > MANY_EVENTS:
        return Check(DEGRADED, "Events wait and are not delivered as fast as they come.", told)
    return Check(OK, None, told)


def _schedules(figures: Figures) -> Check:
    if figures.schedules is None:
        return Check(FAILED, "The schedules cannot be looked at.")
    told: dict[str, Any] = {state: figures.schedules.get(state, 0) for state in (ACTIVE, PAUSED)}
    told["overdue_seconds"] = round(figures.overdue_seconds, 3)
    if figures.overdue_seconds > LONG_OVERDUE_SECONDS:
        return Check(DEGRADED, "A schedule is due and nobody has made its job.", told)
    return Check(OK, None, told)


def _lease(figures: Figures) -> Check:
    if not figures.lease_told:
        return Check(FAILED, "The lease cannot be looked at.")
    if figures.leads is None:
        return Check(DEGRADED, "No host leads, so events are not delivered.", {"leads": None})
    return Check(OK, None, {"leads": "this host" if figures.leads else "another host"})
