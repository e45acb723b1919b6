"""One export without jobs, for the command line and for scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.pipeline.export import Outcome, export
from arkham_shard_export.pipeline.request import TargetCatalogs, check_request
from arkham_shard_export.pipeline.run import source_of
from arkham_shard_export.ports import Clock, Sink, system_clock
from arkham_shard_export.records import Adjustments
from arkham_shard_export.sinks.file import FileSink
from arkham_shard_export.sinks.stream import StreamSink
from arkham_shard_export.sources.location import Location
from arkham_shard_export.sources.snapshot import open_snapshot
from arkham_shard_export.targets import TARGETS


def export_to_file(
    format: str,
    target: str,
    filters: dict[str, Any],
    options: dict[str, Any],
    location: Location,
    path: Path,
    clock: Clock = system_clock,
) -> Outcome:
    """Write the export to `path`, which exists afterwards only if the export is whole."""
    sink = FileSink(path.parent, "", path.name)
    try:
        outcome = _export(format, target, filters, options, location, sink, clock)
        sink.commit("")
    except BaseException:
        sink.discard()
        raise
    return outcome


def export_to_stream(
    format: str,
    target: str,
    filters: dict[str, Any],
    options: dict[str, Any],
    location: Location,
    stream: BinaryIO,
    clock: Clock = system_clock,
) -> Outcome:
    """Write the export to an open stream; after an error, what was written so far must not be used."""
    outcome = _export(format, target, filters, options, location, StreamSink(stream), clock)
    stream.flush()
    return outcome


def _export(
    format: str,
    target: str,
    filters: dict[str, Any],
    options: dict[str, Any],
    location: Location,
    sink: Sink,
    clock: Clock,
) -> Outcome:
    if target not in TARGETS:
        problem = FieldProblem("target", target, f"Target {target!r} is not available.", tuple(TARGETS))
        raise InvalidRequest([problem])
    chosen = TARGETS[target]
    snapshot = open_snapshot(location, clock)
    try:
        catalogs = {table.qualified: snapshot.catalog(table) for table in TargetCatalogs.tables(chosen)}
        request = check_request(format, chosen, filters, options, database=TargetCatalogs(chosen, catalogs))
        adjustments = Adjustments()
        source = source_of(request, chosen, snapshot, adjustments)
        return export(request, source, sink, exported_at=clock(), adjustments=adjustments)
    finally:
        snapshot.close()
