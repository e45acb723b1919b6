"""A store in a bucket of an S3-compatible store, which all hosts reach alike."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import PurePosixPath
from uuid import uuid4

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store as Client

from arkham_shard_export.errors import ExportError, ServiceUnavailable
from arkham_shard_export.jobs.files import (
    MARKER,
    StoredEntry,
    StoredObject,
    file_missing,
    folder_of,
    is_store_id,
    job_file,
    marker_damaged,
    stem_of,
)
from arkham_shard_export.sinks.bucket import client, telling_of_bucket
from arkham_shard_export.sinks.file import part_name
from arkham_shard_export.store_location import S3Location

BLOCK_BYTES = 1 << 20
REQUEST_BYTES = 4 << 20
"""What one request of a download brings: a client that reads slowly holds no connection to the store meanwhile."""
RETRIES = 3
REQUEST_SECONDS = 30
REMOVE_SECONDS = 20.0
_LISTED_AT_ONCE = 1000

log = logging.getLogger(__name__)


class S3Store:
    """Objects below a prefix of a bucket."""

    def __init__(self, location: S3Location) -> None:
        self.location = location
        self._client = client(location, RETRIES, REQUEST_SECONDS)

    def describe(self) -> str:
        return str(self.location)

    def _telling(self) -> AbstractContextManager[None]:
        return telling_of_bucket(self.location, partial(ServiceUnavailable, "storage"))

    async def prepare(self) -> None:
        with self._telling():
            async for _ in obstore.list(self._client, chunk_size=1):
                break

    async def known_id(self) -> str | None:
        return await self._marker()

    async def identify(self) -> str:
        text = await self._marker()
        if text is None:
            with self._telling(), suppress(AlreadyExistsError):
                await obstore.put_async(self._client, MARKER, uuid4().hex.encode(), mode="create")
            text = await self._marker()
        if text is None or not is_store_id(text):
            raise marker_damaged(self.describe())
        return text

    async def _marker(self) -> str | None:
        with suppress(FileNotFoundError), self._telling():
            found = await obstore.get_async(self._client, MARKER)
            return bytes(await found.bytes_async()).decode("ascii", "replace")
        return None

    async def open(self, path: str) -> StoredObject:
        if job_file(path) is None:
            raise file_missing()
        try:
            with self._telling():
                told = await obstore.head_async(self._client, path)
        except FileNotFoundError as error:
            raise file_missing() from error
        return S3Object(self._client, path, told["size"], told["last_modified"], self._telling)

    async def remove(self, path: str) -> None:
        if job_file(path) is None:
            return
        with suppress(FileNotFoundError), self._telling():
            await obstore.delete_async(self._client, path)

    async def remove_attempts(self, job_id: str, created_at: datetime | None, attempts: int) -> None:
        folder = folder_of(created_at)
        if job_file(f"{folder}/{part_name(stem_of(job_id, 1))}") is None:
            return
        try:
            async with asyncio.timeout(REMOVE_SECONDS):
                async for entry in self._listed(folder, f"{folder}/{job_id}."):
                    made = job_file(entry.path)
                    if made is not None and made.job_id == job_id and made.attempt <= attempts:
                        await self.remove(entry.path)
        except (ExportError, TimeoutError) as error:
            log.warning(
                "What export job %s left in %s could not be removed: %s", job_id, self.location, error
            )

    def entries(self) -> AsyncGenerator[StoredEntry, None]:
        return self._listed()

    async def _listed(self, folder: str | None = None, start: str = "") -> AsyncGenerator[StoredEntry, None]:
        """The files of jobs whose paths begin with `start`."""
        with self._telling():
            pages = obstore.list(self._client, folder, offset=start or None, chunk_size=_LISTED_AT_ONCE)
            async for page in pages:
                for each in page:
                    # S3 lists in the order of the keys.
                    if not each["path"].startswith(start):
                        return
                    if job_file(each["path"]) is not None:
                        yield StoredEntry(each["path"], each["size"], each["last_modified"])

    async def used_bytes(self) -> int:
        return sum([entry.size async for entry in self.entries()])

    async def free_bytes(self) -> int | None:
        return None


@dataclass(frozen=True, slots=True)
class S3Object:
    client: Client
    path: str
    size: int
    modified_at: datetime
    telling: Callable[[], AbstractContextManager[None]]

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        while start < stop:
            end = min(start + REQUEST_BYTES, stop)
            try:
                with self.telling():
                    answer = await obstore.get_range_async(self.client, self.path, start=start, end=end)
            except FileNotFoundError as error:
                raise file_missing() from error
            if len(answer) != end - start:
                raise file_missing()
            view = memoryview(answer)
            for at in range(0, len(view), BLOCK_BYTES):
                yield bytes(view[at : at + BLOCK_BYTES])
            start = end
