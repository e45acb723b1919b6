"""Word files that somebody uploaded as the layout of reports: checked once, filled by a sandboxed template library."""

from __future__ import annotations

from arkham_shard_export.formats.wordlayout.checking import LayoutInfo, check_layout, missing_library
from arkham_shard_export.formats.wordlayout.opening import MAX_LAYOUT_BYTES

__all__ = ["MAX_LAYOUT_BYTES", "LayoutInfo", "check_layout", "missing_library"]
