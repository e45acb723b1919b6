"""An export from a location to a file of the store: whole, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from arkham_shard_export.errors import StoreFailed
from arkham_shard_export.formats import writer_class
from arkham_shard_export.formats.base import in_parts
from arkham_shard_export.pipeline.batch import Records, export_batch
from arkham_shard_export.pipeline.crew import Crew, Share
from arkham_shard_export.pipeline.export import Check, Outcome, export
from arkham_shard_export.pipeline.parts import BatchRequest, PartProgress
from arkham_shard_export.pipeline.request import ExportRequest
from arkham_shard_export.ports import Clock
from arkham_shard_export.records import PORTIONED_FROM, Adjustments, Helpers, Source
from arkham_shard_export.schema import Target
from arkham_shard_export.sinks.hashed import DISK_FULL, DISK_FULL_REASON, StoredFile
from arkham_shard_export.sinks.opening import StoreSink, open_sink
from arkham_shard_export.sources.location import Location
from arkham_shard_export.sources.opening import open_snapshot
from arkham_shard_export.sources.snapshot import Snapshot
from arkham_shard_export.sources.tables import TableSource
from arkham_shard_export.store_location import StoreLocation

Told = Callable[[str, int, int, int], None]
"""As `Progress`, and with the bytes of the file so far: compressed where that was asked for, without scratch files."""

OpenSource = Callable[[Adjustments, Check], Source]
"""Opens the records; a source that waits for others calls the check meanwhile, which raises to end the export."""


ToldOfParts = Callable[[str, Sequence[PartProgress], int], None]
"""As `Told`, with how far each part of a batch has come."""

OpenRecords = Callable[[], Records]
"""Opens what the parts of a batch are read from."""


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
    snapshot, crew = open_shared([Share(request, target)], location, clock, processes)
    helpers = None if crew is None else crew.helpers()
    return source_of(request, target, snapshot, adjustments, helpers=helpers)


def open_shared(
    shares: Sequence[Share], location: Location, clock: Clock, processes: int
) -> tuple[Snapshot, Crew | None]:
    """A snapshot, and a crew of `processes` that reads it too where one of the shares is worth its start.

    Both are to be closed, the crew first.
    """
    crew: Crew | None = None

    def hire(snapshot: Snapshot) -> Crew | None:
        nonlocal crew
        if processes > 1 and any(_is_large(each, snapshot) for each in shares):
            crew = Crew(shares, location, processes)
        return crew

    try:
        return open_snapshot(location, clock, hire=hire), crew
    except BaseException:
        if crew is not None:
            crew.close()
        raise


def _is_large(share: Share, snapshot: Snapshot) -> bool:
    """Whether the tables may hold so many records that they come in portions, and the format is encoded in parts."""
    request, target = share.request, share.target
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

    def write(sink: StoreSink) -> Outcome:
        with closing(open_records(adjustments, check)) as source:
            return export(
                request,
                source,
                sink,
                exported_at=clock(),
                adjustments=adjustments,
                progress=lambda phase, done, expected: progress(phase, done, expected, sink.size),
                check=check,
            )

    def storing(outcome: Outcome, size: int) -> None:
        check()
        progress("storing", outcome.record_count, outcome.record_count, size)

    return _stored(write, storing, store, folder, stem)


def batch_to_store(
    batch: BatchRequest,
    open_records: OpenRecords,
    store: StoreLocation,
    folder: str,
    stem: str,
    *,
    clock: Clock,
    progress: ToldOfParts = lambda _phase, _parts, _size: None,
    check: Check = lambda: None,
    last_try: bool = True,
) -> StoredExport:
    """As `export_to_store`, for a batch."""
    latest: Sequence[PartProgress] = ()

    def write(sink: StoreSink) -> Outcome:
        def told(phase: str, parts: Sequence[PartProgress]) -> None:
            nonlocal latest
            latest = parts
            progress(phase, parts, sink.size)

        with closing(open_records()) as records:
            return export_batch(
                batch,
                records,
                sink,
                exported_at=clock(),
                progress=told,
                check=check,
                last_try=last_try,
            )

    def storing(_outcome: Outcome, size: int) -> None:
        check()
        progress("storing", latest, size)

    return _stored(write, storing, store, folder, stem)


def _stored(
    write: Callable[[StoreSink], Outcome],
    storing: Callable[[Outcome, int], None],
    store: StoreLocation,
    folder: str,
    stem: str,
) -> StoredExport:
    """`storing` is called now and then while the file is stored, with its size, and raises to end that."""
    with _disk_full_told(), open_sink(store, folder, stem) as sink:
        outcome = write(sink)

        def between() -> None:
            storing(outcome, sink.size)

        between()
        return StoredExport(outcome, sink.commit(outcome.file_extension, between))


class SharedRecords:
    """The records of all parts of a batch, from one snapshot, with a crew of `processes` where that is worth its start."""

    def __init__(self, batch: BatchRequest, location: Location, clock: Clock, processes: int = 1) -> None:
        self._parts = batch.parts
        shares = [Share(each.request, each.target) for each in batch.parts]
        self._snapshot, self._crew = open_shared(shares, location, clock, processes)
        if batch.continue_on_error:
            try:
                self._snapshot.mark()
            except BaseException:
                self.close()
                raise

    def source(self, place: int, adjustments: Adjustments, _check: Check) -> Source:
        part = self._parts[place]
        return source_of(part.request, part.target, self._snapshot, adjustments)

    def helpers(self, place: int) -> Helpers | None:
        return None if self._crew is None else self._crew.helpers(place)

    def recover(self) -> None:
        """The crew may be in the midst of the part, or dead: from here on there is none."""
        self._dismiss()
        self._snapshot.recover()

    def close(self) -> None:
        self._dismiss()
        self._snapshot.close()

    def _dismiss(self) -> None:
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.close()


@contextmanager
def _disk_full_told() -> Iterator[None]:
    """A writer's scratch files lie on the same disk as the file, but are not written through its sink."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise StoreFailed(DISK_FULL_REASON) from error
        raise
