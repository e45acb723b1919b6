"""Exports made large for a test: the thresholds are lowered here, and members are told their portions."""

from __future__ import annotations

import io
from typing import Any

import pytest

from arkham_shard_export.pipeline import Outcome, run
from arkham_shard_export.pipeline.direct import export_directly
from arkham_shard_export.sinks.stream import StreamSink
from arkham_shard_export.sources import tables
from arkham_shard_export.sources.location import Location
from tests.unit.memory import fixed_clock


def in_portions(patch: pytest.MonkeyPatch, rows: int) -> None:
    """From now on tables come in portions of about so many rows, and are large from one on."""
    patch.setattr(tables, "PORTIONED_FROM", 1)
    patch.setattr(tables, "PORTION_ROWS", rows)
    patch.setattr(run, "PORTIONED_FROM", 1)


def exported(
    location: Location,
    format: str,
    target: str,
    filters: dict[str, Any] | None = None,
    processes: int = 1,
    **options: Any,
) -> tuple[bytes, Outcome]:
    stream = io.BytesIO()
    outcome = export_directly(
        format, target, filters or {}, options, location, StreamSink(stream), fixed_clock, processes
    )
    return stream.getvalue(), outcome
