"""Every `ARKHAM_EXPORT_*` setting with its unit and default, read once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from arkham_shard_export.store_location import StoreLocation, store_location

T = TypeVar("T")

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_FORMATS = ("text", "json")


def default_concurrency() -> int:
    """One job fewer than there are cores, so that the host keeps one; at least one."""
    return max(1, (os.cpu_count() or 1) - 1)


def default_processes() -> int:
    """Four, where there are as many cores."""
    return min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Settings:
    """How the shard runs; `production.md` explains each setting to operators."""

    concurrency: int = default_concurrency()
    processes: int = default_processes()
    retention_hours: float = 24.0
    max_retention_hours: float = 720.0
    sweep_seconds: float = 60.0
    store_quota_mib: int = 0
    min_free_mib: int = 256
    max_active_per_user: int = 100
    max_active_per_tenant: int = 1000
    max_requests_per_user: int = 600
    max_requests_per_tenant: int = 6000
    max_streams_per_user: int = 20
    max_streams_per_tenant: int = 200
    store: StoreLocation | None = None
    max_attempts: int = 3
    worker_memory_mib: int = 1024
    job_timeout_seconds: float = 21_600.0
    grace_seconds: float = 5.0
    heartbeat_seconds: float = 10.0
    max_body_bytes: int = 1_048_576
    poll_seconds: float = 5.0
    max_listeners: int = 2000
    max_schedules_per_user: int = 100
    max_schedules_per_tenant: int = 1000
    min_schedule_seconds: int = 60
    log_level: str = "INFO"
    log_format: str = "text"
    token: str | None = field(default=None, repr=False)
    link_seconds: float = 300.0
    allowed_hosts: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings; a value that cannot be used raises ValueError naming the variable."""
        retention_hours = _read(environment, "ARKHAM_EXPORT_RETENTION_HOURS", float, 0, 24.0, most=876_000)
        return cls(
            concurrency=_read(environment, "ARKHAM_EXPORT_CONCURRENCY", int, 0, default_concurrency()),
            processes=_read(environment, "ARKHAM_EXPORT_PROCESSES", int, 1, default_processes(), most=64),
            retention_hours=retention_hours,
            max_retention_hours=_read(
                environment,
                "ARKHAM_EXPORT_MAX_RETENTION_HOURS",
                float,
                0,
                max(720.0, retention_hours) if retention_hours else 0.0,
                most=876_000,
            ),
            sweep_seconds=_read(environment, "ARKHAM_EXPORT_SWEEP_SECONDS", float, 0.05, 60.0, most=86_400),
            store_quota_mib=_read(environment, "ARKHAM_EXPORT_STORE_QUOTA_MIB", int, 0, 0),
            min_free_mib=_read(environment, "ARKHAM_EXPORT_MIN_FREE_MIB", int, 0, 256),
            max_active_per_user=_read(environment, "ARKHAM_EXPORT_MAX_ACTIVE_PER_USER", int, 0, 100),
            max_active_per_tenant=_read(environment, "ARKHAM_EXPORT_MAX_ACTIVE_PER_TENANT", int, 0, 1000),
            max_requests_per_user=_read(environment, "ARKHAM_EXPORT_MAX_REQUESTS_PER_USER", int, 0, 600),
            max_requests_per_tenant=_read(environment, "ARKHAM_EXPORT_MAX_REQUESTS_PER_TENANT", int, 0, 6000),
            max_streams_per_user=_read(environment, "ARKHAM_EXPORT_MAX_STREAMS_PER_USER", int, 0, 20),
            max_streams_per_tenant=_read(environment, "ARKHAM_EXPORT_MAX_STREAMS_PER_TENANT", int, 0, 200),
            store=store_location(named) if (named := environment.get("ARKHAM_EXPORT_STORE")) else None,
            max_attempts=_read(environment, "ARKHAM_EXPORT_MAX_ATTEMPTS", int, 1, 3),
            worker_memory_mib=_read(environment, "ARKHAM_EXPORT_WORKER_MEMORY_MIB", int, 256, 1024),
            job_timeout_seconds=_read(environment, "ARKHAM_EXPORT_JOB_TIMEOUT_SECONDS", float, 0, 21_600.0),
            grace_seconds=_read(environment, "ARKHAM_EXPORT_GRACE_SECONDS", float, 0, 5.0, most=3600),
            heartbeat_seconds=_read(
                environment, "ARKHAM_EXPORT_HEARTBEAT_SECONDS", float, 0.2, 10.0, most=300
            ),
            max_body_bytes=_read(environment, "ARKHAM_EXPORT_MAX_BODY_BYTES", int, 1024, 1_048_576),
            poll_seconds=_read(environment, "ARKHAM_EXPORT_POLL_SECONDS", float, 0.05, 5.0),
            max_listeners=_read(environment, "ARKHAM_EXPORT_MAX_LISTENERS", int, 0, 2000),
            max_schedules_per_user=_read(environment, "ARKHAM_EXPORT_MAX_SCHEDULES_PER_USER", int, 0, 100),
            max_schedules_per_tenant=_read(
                environment, "ARKHAM_EXPORT_MAX_SCHEDULES_PER_TENANT", int, 0, 1000
            ),
            min_schedule_seconds=_read(
                environment, "ARKHAM_EXPORT_MIN_SCHEDULE_SECONDS", int, 60, 60, most=31_622_400
            ),
            log_level=_choose(environment, "ARKHAM_EXPORT_LOG_LEVEL", LOG_LEVELS, "INFO"),
            log_format=_choose(environment, "ARKHAM_EXPORT_LOG_FORMAT", LOG_FORMATS, "text"),
            token=environment.get("ARKHAM_EXPORT_TOKEN") or None,
            link_seconds=_read(environment, "ARKHAM_EXPORT_LINK_SECONDS", float, 1, 300.0, most=86_400),
            allowed_hosts=tuple(environment.get("ARKHAM_EXPORT_ALLOWED_HOSTS", "").replace(",", " ").split()),
        )


def _read(
    environment: Mapping[str, str],
    name: str,
    convert: Callable[[str], T],
    least: float,
    default: T,
    most: float = 2**31,
) -> T:
    text = environment.get(name, "").strip()
    if not text:
        return default
    try:
        value = convert(text)
    except ValueError:
        raise ValueError(f"{name}={text!r} is not a number; unset it for the default {default}.") from None
    if not least <= value <= most:  # type: ignore[operator]
        raise ValueError(f"{name}={text!r} must be from {least:g} to {most:g}; the default is {default}.")
    return value


def _choose(environment: Mapping[str, str], name: str, valid: Sequence[str], default: str) -> str:
    """One of `valid`, whatever its case."""
    text = environment.get(name, "").strip()
    if not text:
        return default
    for each in valid:
        if each.lower() == text.lower():
            return each
    raise ValueError(f"{name}={text!r} must be one of {', '.join(valid)}; the default is {default}.")
