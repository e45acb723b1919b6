"""An export from a location to a file of the store: whole, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from arkham_shard_export.errors import StoreFailed
from arkham_shard_export.formats import writer_class
from arkham_shard_export.formats.base import in_parts
from arkham_shard_export.pipeline.crew import Crew
from arkham_shard_export.pipeline.export import Check, Outcome, export
from arkham_shard_export.pipeline.request import ExportRequest
from arkham_shard_export.ports import Clock
from arkham_shard_export.records import PORTIONED_FROM, Adjustments, Helpers, Source
from arkham_shard_export.schema import Target
from arkham_shard_export.sinks.hashed import DISK_FULL, DISK_FULL_REASON, StoredFile
from arkham_shard_export.sinks.opening import open_sink
from arkham_shard_export.sources.location import Location
from arkham_shard_export.sources.opening import open_snapshot
from arkham_shard_export.sources.snapshot import Snapshot
from arkham_shard_export.sources.tables import TableSource
from arkham_shard_export.store_location import StoreLocation

Told = Callable[[str, int, int, int], None]
"""As `Progress`, and with the bytes of the file so far: compressed where that was asked for, without scratch files."""

OpenSource = Callable[[Adjustments, Check], Source]
"""Opens the records; a source that waits for others calls the check meanwhile, which raises to end the export."""


@dataclass(frozen=True, slots=True)
class StoredExport:
    outcome: Outcome
    file: StoredFile


def open_source(
    request: ExportRequest,
    target: Target,
    location: Location,
    adjustments: Adjustments,
    clock: Clock,
    processes: int = 1,
) -> TableSource:
    """The request's records at `location`, with a crew of `processes` where that is worth its start.

    Closing it ends the snapshot and the crew.
    """
    crew: Crew | None = None

    def hire(snapshot: Snapshot) -> Crew | None:
        nonlocal crew
        if processes > 1 and _is_large(request, target, snapshot):
            crew = Crew(request, target, location, processes)
        return crew

    try:
        snapshot = open_snapshot(location, clock, hire=hire)
    except BaseException:
        if crew is not None:
            crew.close()
        raise
    return source_of(request, target, snapshot, adjustments, helpers=crew)


def _is_large(request: ExportRequest, target: Target, snapshot: Snapshot) -> bool:
    """Whether the tables may hold so many records that they come in portions, and the format is encoded in parts."""
    options = request.options
    few = options.max_records is not None and options.max_records < PORTIONED_FROM
    if few or options.flatten or options.sort_by is not None:
        return False
    return any(
        not each.order
        and in_parts(writer_class(request.format)(), each.layout)
        and snapshot.roughly(each.table) >= PORTIONED_FROM
        for each in target.sets
    )


def source_of(
    request: ExportRequest,
    target: Target,
    snapshot: Snapshot,
    adjustments: Adjustments,
    annexes: bool = True,
    helpers: Helpers | None = None,
) -> TableSource:
    return TableSource(snapshot, target, request.selection(), request.extent(annexes), adjustments, helpers)


def export_to_store(
    request: ExportRequest,
    open_records: OpenSource,
    store: StoreLocation,
    folder: str,
    stem: str,
    *,
    clock: Clock,
    progress: Told = lambda _phase, _done, _expected, _size: None,
    check: Check = lambda: None,
) -> StoredExport:
    """Run the export into `<store>/<folder>/<stem><extension>`; after an error nothing of it is left behind."""
    adjustments = Adjustments()
    with _disk_full_told(), open_sink(store, folder, stem) as sink:

        def told(phase: str, done: int, expected: int) -> None:
            progress(phase, done, expected, sink.size)

        with closing(open_records(adjustments, check)) as source:
            outcome = export(
                request,
                source,
                sink,
                exported_at=clock(),
                adjustments=adjustments,
                progress=told,
                check=check,
            )

        def between() -> None:
            check()
            told("storing", outcome.record_count, outcome.record_count)

        between()
        return StoredExport(outcome, sink.commit(outcome.file_extension, between))


@contextmanager
def _disk_full_told() -> Iterator[None]:
    """A writer's scratch files lie on the same disk as the file, but are not written through its sink."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise StoreFailed(DISK_FULL_REASON) from error
        raise
