"""Exports without jobs, for the command line and for scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.models import PartRequest
from arkham_shard_export.pipeline.batch import export_batch
from arkham_shard_export.pipeline.export import Outcome, export
from arkham_shard_export.pipeline.parts import BatchRequest, Part, problems_of_part, read_parts
from arkham_shard_export.pipeline.request import ExportRequest, TargetCatalogs, check_request
from arkham_shard_export.pipeline.run import SharedRecords, open_source
from arkham_shard_export.ports import Clock, Sink, system_clock
from arkham_shard_export.records import Adjustments
from arkham_shard_export.schema import Target
from arkham_shard_export.sources.location import Location
from arkham_shard_export.sources.opening import open_snapshot
from arkham_shard_export.sources.snapshot import Snapshot
from arkham_shard_export.targets import TARGETS


def export_directly(
    format: str,
    target: str,
    filters: dict[str, Any],
    options: dict[str, Any],
    location: Location,
    sink: Sink,
    clock: Clock = system_clock,
    processes: int = 1,
) -> Outcome:
    """Check the request and write the export to `sink`; after an error, what the sink has must not be used."""
    with closing(open_snapshot(location, clock, exact=False)) as snapshot:
        request, chosen = _checked(snapshot, format, target, filters, options)
    adjustments = Adjustments()
    with closing(open_source(request, chosen, location, adjustments, clock, processes)) as source:
        return export(request, source, sink, exported_at=clock(), adjustments=adjustments)


def export_batch_directly(
    parts: Sequence[Mapping[str, Any] | PartRequest],
    location: Location,
    sink: Sink,
    clock: Clock = system_clock,
    processes: int = 1,
    continue_on_error: bool = False,
) -> Outcome:
    """As `export_directly`, several exports over one state of the data: the parts of a batch as REST takes them."""
    asked, continue_on_error = read_parts(parts, continue_on_error)
    checked: list[Part] = []
    problems: list[FieldProblem] = []
    with closing(open_snapshot(location, clock, exact=False)) as snapshot:
        for place, each in enumerate(asked):
            try:
                found = _checked(snapshot, each.format, each.target, each.filters, each.options)
            except InvalidRequest as error:
                problems += problems_of_part(place, error.problems)
            else:
                checked.append(Part(*found, str(each.name or "")))
    if problems:
        raise InvalidRequest(problems)
    batch = BatchRequest(tuple(checked), continue_on_error)
    with closing(SharedRecords(batch, location, clock, processes)) as records:
        return export_batch(batch, records, sink, exported_at=clock())


def _checked(
    snapshot: Snapshot, format: object, target: object, filters: object, options: object
) -> tuple[ExportRequest, Target]:
    if not isinstance(target, str) or target not in TARGETS:
        shown = str(target)[:60]
        problem = FieldProblem("target", target, f"Target {shown!r} is not available.", tuple(TARGETS))
        raise InvalidRequest([problem])
    chosen = TARGETS[target]
    catalogs = {table.qualified: snapshot.catalog(table) for table in TargetCatalogs.tables(chosen)}
    database = TargetCatalogs(chosen, catalogs)
    return check_request(format, chosen, filters, options, database=database), chosen
