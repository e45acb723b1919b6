"""The host's configuration as shards read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class FrameConfig:
    """`database_url` as the operator wrote it (`postgresql://…`, no driver), and settings by dotted key."""

    def __init__(self, database_url: str, settings: Mapping[str, Any] | None = None) -> None:
        self.database_url = database_url
        self._settings = dict(settings or {})

    def get(self, key: str, default: Any = None) -> Any:
        """Walks nested mappings along the dots; any missing step gives the default."""
        value: Any = self._settings
        for part in key.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return default
            value = value[part]
        return value
