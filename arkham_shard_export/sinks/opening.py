"""The sink for a file of the store, wherever the store is."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self

from arkham_shard_export.errors import ServiceUnavailable
from arkham_shard_export.ports import Sink
from arkham_shard_export.sinks.file import FileSink
from arkham_shard_export.sinks.hashed import StoredFile
from arkham_shard_export.store_location import S3Location, StoreLocation


class StoreSink(Sink, Protocol):
    """As a context it leaves nothing of what was not committed. `size` is that of the file so far, in bytes."""

    size: int

    def commit(self, extension: str, between: Callable[[], None], /) -> StoredFile:
        """Make the file; `between` is called now and then where that takes long, and raises to end it."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_raised: object) -> None: ...


def open_sink(store: StoreLocation, folder: str, stem: str) -> StoreSink:
    if isinstance(store, S3Location):
        require_library(store)
        from arkham_shard_export.sinks.s3 import S3Sink

        return S3Sink(store, folder, stem)
    return FileSink(Path(store.path), folder, stem)


def require_library(store: S3Location) -> None:
    """ServiceUnavailable where the extra that reaches such a store is not installed."""
    if importlib.util.find_spec("obstore") is None:
        raise ServiceUnavailable(
            "storage",
            f"The export store {store} needs a library that is not installed: "
            "pip install 'arkham-shard-export[s3]'",
        )
