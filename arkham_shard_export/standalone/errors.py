"""Why the standalone host cannot start."""

from __future__ import annotations


class HostNotStarted(Exception):
    """The host cannot serve; the text says why and what to do."""
