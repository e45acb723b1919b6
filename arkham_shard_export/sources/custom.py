"""Sources that other shards register at run time, exported under the target `custom`."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import wait
from itertools import islice
from typing import Any, Protocol, TypeVar

from arkham_shard_export.errors import SourceFailed
from arkham_shard_export.ports import Clock
from arkham_shard_export.records import BATCH_ROWS, Adjustments, Batch, Helpers, Section, Skip
from arkham_shard_export.schema import Column
from arkham_shard_export.sources.arranging import rearranged
from arkham_shard_export.sources.selection import Extent, Selection
from arkham_shard_export.sources.values import Canonical

T = TypeVar("T")
Filters = Mapping[str, tuple[str, ...]]
BATCH_SECONDS = 0.25
"""A slow source is written, and asked whether it was cancelled, this often."""


class RecordSource(Protocol):
    """What another shard registers with `ExportShard.register_source`.

    `columns` declares what a record holds and in which order; a record is a mapping of column names to values.
    `filters` names the filters that `count` and `records` understand; values come as tuples of texts. Both may be
    plain or asynchronous; they run for the tenant given and must return only its records. `count` must say
    exactly how many records `records` gives.
    """

    name: str
    description: str
    columns: Sequence[Column]
    filters: Sequence[str]

    def count(self, filters: Filters, tenant_id: str | None) -> int | Awaitable[int]: ...

    def records(
        self, filters: Filters, tenant_id: str | None
    ) -> Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]]: ...


class CustomSource:
    """A registered source as the pipeline reads it: in a thread, with its coroutines run on the host's loop."""

    consistent = False
    helpers: Helpers | None = None

    def __init__(
        self,
        registered: RecordSource,
        selection: Selection,
        adjustments: Adjustments,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        check: Callable[[], None] = lambda: None,
        extent: Extent | None = None,
    ) -> None:
        self._extent = extent or Extent()
        self.snapshot_at = clock()
        self._check = check
        self._registered = registered
        self._selection = selection
        self._adjustments = adjustments
        self._loop = loop

    def sections(self) -> list[Section]:
        matched = self._guarded(
            lambda: self._registered.count(self._selection.filters, self._selection.tenant_id)
        )
        if type(matched) is not int or matched < 0:
            raise SourceFailed(
                f"The source {self._registered.name!r} failed: it counted {matched!r} records."
            )
        limit = self._selection.max_records
        skips: tuple[Skip, ...] = ()
        if limit is not None and matched > limit:
            skips = (Skip("max_records", matched - limit, f"max_records is {limit}"),)
        section = Section("records", tuple(self._registered.columns), self._read, matched, skips)
        return [rearranged(section, self._extent.columns)]

    def _guarded(self, call: Callable[[], Any]) -> Any:
        """The result of a call into the other shard, whose failure is the source's; asks the check while it waits."""
        try:
            result = call()
            if not inspect.isawaitable(result):
                return result
            future = asyncio.run_coroutine_threadsafe(_awaited(result), self._loop)
        except Exception as error:
            raise SourceFailed(f"The source {self._registered.name!r} failed: {error}") from error
        while not wait([future], BATCH_SECONDS).done:
            try:
                self._check()
            except BaseException:
                future.cancel()
                raise
        try:
            return future.result()
        except Exception as error:
            raise SourceFailed(f"The source {self._registered.name!r} failed: {error}") from error

    def _read(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        canonical = Canonical(self._adjustments, self._extent.zone)
        columns = [each for each in self._registered.columns if names is None or each.name in names]
        converters = [(each.name, canonical.converter(each)) for each in columns]
        left = self._selection.max_records
        for records in self._batches():
            chosen = records if left is None else records[:left]
            yield [[convert(record.get(name)) for name, convert in converters] for record in chosen]
            if left is not None and (left := left - len(chosen)) == 0:
                return

    def _batches(self) -> Iterator[list[Mapping[str, Any]]]:
        records = self._guarded(
            lambda: self._registered.records(self._selection.filters, self._selection.tenant_id)
        )
        take: Callable[[], Any]
        if isinstance(records, AsyncIterable):
            iterator = aiter(records)
            take = lambda: _some(iterator)  # noqa: E731
        else:
            plain = iter(records)
            take = lambda: list(islice(plain, BATCH_ROWS))  # noqa: E731
        while batch := self._guarded(take):
            yield batch

    def close(self) -> None:
        """Nothing is held open."""


async def _awaited(result: Awaitable[T]) -> T:
    return await result


async def _some(iterator: AsyncIterator[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What comes within BATCH_SECONDS, at least one record unless there are no more."""
    deadline = time.monotonic() + BATCH_SECONDS
    some: list[Mapping[str, Any]] = []
    async for record in iterator:
        some.append(record)
        if len(some) == BATCH_ROWS or time.monotonic() >= deadline:
            break
    return some
