"""Why the standalone host cannot start."""

from __future__ import annotations


class HostNotStarted(Exception):
    """The host cannot serve; the text says why and what to do."""


class DatabaseNotReached(HostNotStarted):
    """Its database does not answer; another try may succeed."""
