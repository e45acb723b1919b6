"""How long an export will still take, by how fast it has been."""

from __future__ import annotations

import math

LEAST_SECONDS = 1.0
"""Nothing is said before an export has been watched for so long."""
SMOOTHING_SECONDS = 10.0


class Pace:
    """The records written in a second, of late: over the latter half of the time, and SMOOTHING_SECONDS at least.

    A crew's portions come in bursts, and one burst or one pause does not turn the estimate over.
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._seen = 0.0
        self._done = 0
        self._records_per_second = 0.0
        self._weight = 0.0

    def saw(self, seconds: float, done: int) -> None:
        """So many records were done at this time; the first that is told is where the watch begins."""
        if self._began is None:
            self._began, self._seen, self._done = seconds, seconds, done
            return
        passed = seconds - self._seen
        if passed <= 0:
            return
        smoothing = max(SMOOTHING_SECONDS, (seconds - self._began) / 2)
        share = -math.expm1(-passed / smoothing)
        rate = max(0, done - self._done) / passed
        self._records_per_second += (rate - self._records_per_second) * share
        self._weight += (1.0 - self._weight) * share
        self._seen, self._done = seconds, done

    def seconds_left(self, expected: int) -> float | None:
        """Until as many are done; None while there is nothing to tell it by."""
        if self._began is None or self._seen - self._began < LEAST_SECONDS or not self._records_per_second:
            return None
        left = max(0, expected - self._done)
        return round(left * self._weight / self._records_per_second, 1)
