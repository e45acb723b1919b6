"""The stores that files of jobs can be in."""

from __future__ import annotations

from pathlib import Path

from arkham_shard_export.jobs.files import FileStore
from arkham_shard_export.jobs.filestores.folder import FolderStore
from arkham_shard_export.sinks.opening import require_library
from arkham_shard_export.store_location import S3Location, StoreLocation


def open_store(location: StoreLocation) -> FileStore:
    """ServiceUnavailable where the library or the endpoint that it needs cannot be used."""
    if isinstance(location, S3Location):
        require_library(location)
        from arkham_shard_export.jobs.filestores.s3 import S3Store

        return S3Store(location)
    return FolderStore(Path(location.path))
