"""An export from a location to a file of the store: whole, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from arkham_shard_export.errors import StoreFailed
from arkham_shard_export.pipeline.export import Check, Outcome, Progress, export
from arkham_shard_export.pipeline.request import ExportRequest
from arkham_shard_export.ports import Clock
from arkham_shard_export.records import Adjustments, Source
from arkham_shard_export.schema import Target
from arkham_shard_export.sinks.file import DISK_FULL, DISK_FULL_REASON, FileSink, StoredFile
from arkham_shard_export.sources.location import Location
from arkham_shard_export.sources.opening import open_snapshot
from arkham_shard_export.sources.snapshot import Snapshot
from arkham_shard_export.sources.tables import TableSource

OpenSource = Callable[[Adjustments, Check], Source]
"""Opens the records; a source that waits for others calls the check meanwhile, which raises to end the export."""


@dataclass(frozen=True, slots=True)
class StoredExport:
    outcome: Outcome
    file: StoredFile


def open_source(
    request: ExportRequest, target: Target, location: Location, adjustments: Adjustments, clock: Clock
) -> TableSource:
    """The request's records at `location`; closing it ends its snapshot."""
    return source_of(request, target, open_snapshot(location, clock), adjustments)


def source_of(
    request: ExportRequest, target: Target, snapshot: Snapshot, adjustments: Adjustments, annexes: bool = True
) -> TableSource:
    return TableSource(snapshot, target, request.selection(), request.extent(annexes), adjustments)


def export_to_store(
    request: ExportRequest,
    open_records: OpenSource,
    store: Path,
    folder: str,
    stem: str,
    *,
    clock: Clock,
    progress: Progress = lambda _phase, _done, _expected: None,
    check: Check = lambda: None,
) -> StoredExport:
    """Run the export into `<store>/<folder>/<stem><extension>`; after an error nothing of it is left behind."""
    adjustments = Adjustments()
    with _disk_full_told(), FileSink(store, folder, stem) as sink:
        with closing(open_records(adjustments, check)) as source:
            outcome = export(
                request,
                source,
                sink,
                exported_at=clock(),
                adjustments=adjustments,
                progress=progress,
                check=check,
            )
        check()
        return StoredExport(outcome, sink.commit(outcome.file_extension))


@contextmanager
def _disk_full_told() -> Iterator[None]:
    """A writer's scratch files lie on the same disk as the file, but are not written through its sink."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise StoreFailed(DISK_FULL_REASON) from error
        raise
