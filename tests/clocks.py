"""Clocks that a test sets."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest


class Clock:
    """The present of a host, and the time that really passes there; both begin now and stand still."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = datetime.now(UTC)
        self.steady = time.monotonic()
        patch.setattr("arkham_shard_export.shard.system_clock", lambda: self.now)
        patch.setattr("arkham_shard_export.shard.steady_seconds", lambda: self.steady)

    def pass_(self, **time_passed: float) -> None:
        """Time passes."""
        seconds = timedelta(**time_passed).total_seconds()
        self.now += timedelta(seconds=seconds)
        self.steady += seconds

    def jump(self, **difference: float) -> None:
        """Somebody sets the clock."""
        self.now += timedelta(**difference)
