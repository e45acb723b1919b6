"""What Prometheus is told: gauges of the jobs table, the same in every host, and counters of what this host has heard.

The host that leads hears of each end of a job once. So the sum of a counter over the hosts is right, and of a gauge any
one host tells the whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from arkham_shard_export.errors import ExportError
from arkham_shard_export.jobs.operating.watching import Figures, Watch
from arkham_shard_export.jobs.showing import JOB_FORMATS
from arkham_shard_export.jobs.table.outbox import Event
from arkham_shard_export.jobs.table.scheduletables import ACTIVE, ENDED, PAUSED
from arkham_shard_export.models import ExportStatus

DURATIONS_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600)
ENDS = {
    f"export.job.{each.value}": each.value
    for each in (ExportStatus.COMPLETED, ExportStatus.FAILED, ExportStatus.CANCELLED)
}
OTHER = "other"
"""The format of a job that names none that we know, so that no job adds to the series."""


class Ticking(Protocol):
    """What is asked of the firing of schedules here."""

    @property
    def ticked_at(self) -> datetime | None: ...


class Metrics:
    """One registry for each service; `running` is looked at in each scrape."""

    def __init__(self, watch: Watch, running: Collection[object], ticking: Ticking) -> None:
        self._watch = watch
        self._state = _State(running, ticking)
        self._registry = CollectorRegistry()
        self._registry.register(self._state)
        self._durations = Histogram(
            "arkham_export_job_duration_seconds",
            "How long completed jobs took, from claim to file.",
            ["format"],
            buckets=DURATIONS_SECONDS,
            registry=self._registry,
        )
        self._ended = Counter(
            "arkham_export_jobs_ended",
            "Jobs that have ended, by how.",
            ["status", "format"],
            registry=self._registry,
        )
        self._records = Counter(
            "arkham_export_records", "Records in completed exports.", ["format"], registry=self._registry
        )
        self._bytes = Counter(
            "arkham_export_bytes", "Bytes of completed exports.", ["format"], registry=self._registry
        )
        # What increases from nothing to one is no increase to Prometheus.
        for format in (*JOB_FORMATS, OTHER):
            for each in (self._durations, self._records, self._bytes):
                each.labels(format)
            for status in ENDS.values():
                self._ended.labels(status, format)

    def heard(self, event: Event) -> None:
        """Count an event that this host has delivered."""
        status = ENDS.get(event.name)
        if status is None:
            return
        named = str(event.payload.get("format"))
        format = named if named in JOB_FORMATS else OTHER
        self._ended.labels(status, format).inc()
        if status == ExportStatus.COMPLETED:
            self._durations.labels(format).observe(_amount(event.payload, "processing_time_ms") / 1000)
            self._records.labels(format).inc(_amount(event.payload, "record_count"))
            self._bytes.labels(format).inc(_amount(event.payload, "file_size"))

    async def scraped(self, accept: str, version: str) -> tuple[bytes, str]:
        """The text in the form the `Accept` header asks for, and its media type; without the database, what else is known."""
        try:
            figures = await self._watch.figures()
        except (TimeoutError, ExportError):
            figures = None
        encode, media_type = choose_encoder(accept)
        self._state.figures, self._state.version = figures, version
        return encode(self._registry), media_type


class _State(Collector):
    """The gauges, from the figures of this scrape."""

    def __init__(self, running: Collection[object], ticking: Ticking) -> None:
        self._running = running
        self._ticking = ticking
        self.figures: Figures | None = None
        self.version = ""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield _gauge("build_info", "The version that runs.", {(self.version,): 1}, "version")
        yield _gauge("running_jobs", "Exports that this process is running.", {(): len(self._running)})
        if self._ticking.ticked_at is not None:
            yield _gauge(
                "schedules_ticked_timestamp_seconds",
                "When this process last looked for schedules that are due, as seconds since 1970.",
                {(): self._ticking.ticked_at.timestamp()},
            )
        figures = self.figures
        yield _gauge(
            "database_up", "Whether the database answered this scrape.", {(): int(figures is not None)}
        )
        if figures is None:
            return
        by_status: dict[tuple[str, ...], float] = {(each.value,): figures.jobs(each) for each in ExportStatus}
        yield _gauge("jobs", "Jobs in the table.", by_status, "status")
        by_kind: dict[tuple[str, ...], float] = {
            (str(each["status"]), str(each["format"]), str(each["target"])): int(each["jobs"])
            for each in figures.groups
        }
        yield _gauge("jobs_by_kind", "Jobs in the table, by kind.", by_kind, "status", "format", "target")
        yield _gauge(
            "oldest_pending_seconds",
            "How long the oldest pending job has waited; 0 where none waits.",
            {(): figures.oldest_pending_seconds},
        )
        if figures.workers is not None:
            yield _gauge("workers", "Processes that take jobs, on all machines.", {(): figures.workers})
        if figures.events_waiting is not None:
            yield _gauge("outbox_events", "Events that are not delivered yet.", {(): figures.events_waiting})
        if figures.schedules is not None:
            by_state: dict[tuple[str, ...], float] = {
                (state,): figures.schedules.get(state, 0) for state in (ACTIVE, PAUSED, ENDED)
            }
            yield _gauge("schedules", "Schedules in the table.", by_state, "state")
            yield _gauge(
                "schedule_overdue_seconds",
                "How late the due time is that the tardiest active schedule waits for.",
                {(): figures.overdue_seconds},
            )
        if figures.lease_told:
            yield _gauge("leader", "Whether this host leads.", {(): int(bool(figures.leads))})


def _gauge(name: str, help: str, samples: Mapping[tuple[str, ...], float], *labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"arkham_export_{name}", help, labels=labels)
    for values, amount in samples.items():
        family.add_metric(values, amount)
    return family


def _amount(payload: Mapping[str, Any], name: str) -> float:
    """Of a row that anybody may have written: a counter takes no text, and nothing less than zero."""
    amount = payload.get(name)
    return max(0.0, float(amount)) if isinstance(amount, int | float) else 0.0
