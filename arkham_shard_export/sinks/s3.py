"""An object that exists only when it is whole: an unnamed file, hashed while it is written, then uploaded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import IO, Self

from arkham_shard_export.sinks.bucket import UPLOAD_RETRIES, client, upload
from arkham_shard_export.sinks.hashed import HashedSink, StoredFile, telling_of_disk
from arkham_shard_export.store_location import S3Location

PART_SECONDS = 300


class S3Sink(HashedSink):
    """Writes a file without a name, which a killed process cannot leave behind; `commit` uploads it."""

    def __init__(self, location: S3Location, folder: str, stem: str) -> None:
        self._location = location
        self._folder = folder
        self._stem = stem
        self._client = client(location, UPLOAD_RETRIES, PART_SECONDS)
        super().__init__()
        with telling_of_disk():
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115

    def scratch(self) -> IO[bytes]:
        with telling_of_disk():
            return tempfile.TemporaryFile()

    def commit(self, extension: str, between: Callable[[], None] = lambda: None) -> StoredFile:
        """`between` is called before each part of the upload, and raises to end it."""
        path = f"{self._folder}/{self._stem}{extension}"
        with telling_of_disk():
            self._drain.end()
            self._file.seek(0)
        upload(self._location, self._client, path, self._file, self.size, between)
        return StoredFile(path, self.size, self._hash.hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._close()
