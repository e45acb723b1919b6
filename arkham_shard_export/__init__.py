"""Complete, verifiable exports of investigations from ArkhamFrame.

`ExportShard` is imported on first use, so that models and pipeline import without any host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arkham_shard_export.shard import ExportShard as ExportShard

__version__ = "0.1.0"
__all__ = ["ExportShard", "__version__"]


def __getattr__(name: str) -> object:
    if name == "ExportShard":
        from arkham_shard_export.shard import ExportShard

        return ExportShard
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
