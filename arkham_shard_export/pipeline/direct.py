"""Exports without jobs, for the command line and for scripts: straight from a location."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.formats.wordlayout import check_layout
from arkham_shard_export.models import PartRequest, TargetInfo
from arkham_shard_export.pipeline.batch import BatchProgress, export_batch
from arkham_shard_export.pipeline.catalogs import TargetCatalogs
from arkham_shard_export.pipeline.declaring import target_info
from arkham_shard_export.pipeline.export import Outcome, Progress, export
from arkham_shard_export.pipeline.parts import BatchRequest, Part, problems_of_part, read_parts
from arkham_shard_export.pipeline.preview import Preview, preview
from arkham_shard_export.pipeline.request import ExportRequest, check_request, check_size, unknown_layout
from arkham_shard_export.pipeline.run import SharedRecords, open_source, source_of
from arkham_shard_export.ports import Clock, Sink, system_clock
from arkham_shard_export.records import Adjustments
from arkham_shard_export.schema import Target
from arkham_shard_export.sources.location import Location
from arkham_shard_export.sources.opening import open_snapshot
from arkham_shard_export.sources.snapshot import Snapshot
from arkham_shard_export.sources.tables import TableSource
from arkham_shard_export.targets import TARGETS

NO_LAYOUTS: Mapping[str, bytes] = MappingProxyType({})


def export_directly(
    format: object,
    target: object,
    filters: object,
    options: object,
    location: Location,
    sink: Sink,
    clock: Clock = system_clock,
    processes: int = 1,
    progress: Progress = lambda _phase, _done, _expected: None,
    layouts: Mapping[str, bytes] = NO_LAYOUTS,
) -> Outcome:
    """Check the request and write the export to `sink`; after an error, what the sink has must not be used.

    `layouts` are the Word files that the option `layout` may name.
    """
    request, chosen = _checked(format, target, filters, options, location, clock, layouts)
    adjustments = Adjustments()
    with closing(open_source(request, chosen, location, adjustments, clock, processes)) as source:
        return export(request, source, sink, exported_at=clock(), adjustments=adjustments, progress=progress)


def preview_directly(
    format: object,
    target: object,
    filters: object,
    options: object,
    location: Location,
    records: int,
    clock: Clock = system_clock,
    layouts: Mapping[str, bytes] = NO_LAYOUTS,
) -> Preview:
    """The first records of what `export_directly` would write."""
    request, chosen = _checked(format, target, filters, options, location, clock, layouts)
    limit = min(records, request.options.max_records or records)
    sample = replace(request, options=replace(request.options, max_records=limit))

    def opened(request: ExportRequest) -> TableSource:
        snapshot = open_snapshot(location, clock, exact=False)
        return source_of(request, chosen, snapshot, Adjustments(), annexes=False)

    with closing(opened(request)) as whole, closing(opened(sample)) as part:
        if request.spec.max_records is not None:
            check_size(request, whole.sections())
        return preview(request, whole, part, clock())


def targets_directly(
    location: Location,
    names: tuple[str, ...] = tuple(TARGETS),
    clock: Clock = system_clock,
    counting: Callable[[str], None] = lambda _name: None,
) -> Iterator[TargetInfo]:
    """The targets with their records, all of one state; `counting` is told each before its records are counted."""
    with closing(open_snapshot(location, clock, exact=False)) as snapshot:
        for name in names:
            counting(name)
            yield target_info(snapshot, TARGETS[name], None)


def export_batch_directly(
    parts: Sequence[Mapping[str, Any] | PartRequest],
    location: Location,
    sink: Sink,
    clock: Clock = system_clock,
    processes: int = 1,
    continue_on_error: bool = False,
    progress: BatchProgress = lambda _phase, _parts: None,
    layouts: Mapping[str, bytes] = NO_LAYOUTS,
) -> Outcome:
    """As `export_directly`, several exports over one state of the data: the parts of a batch as REST takes them, without
    templates."""
    asked, continue_on_error = read_parts(parts, continue_on_error)
    checked: list[Part] = []
    problems: list[FieldProblem] = []
    with closing(open_snapshot(location, clock, exact=False)) as snapshot:
        for place, each in enumerate(asked):
            try:
                _check_no_template(each)
                found = _checked_in(
                    snapshot, each.format, each.target, each.filters, each.options, clock, layouts
                )
            except InvalidRequest as error:
                problems += problems_of_part(place, error.problems)
            else:
                checked.append(Part(*found, str(each.name or "")))
    if problems:
        raise InvalidRequest(problems)
    batch = BatchRequest(tuple(checked), continue_on_error)
    with closing(SharedRecords(batch, location, clock, processes)) as records:
        return export_batch(batch, records, sink, exported_at=clock(), progress=progress)


def _check_no_template(part: PartRequest) -> None:
    """Rather than leave out what the template says."""
    if part.template is not None:
        message = "Without a library of templates there are none to choose from."
        raise InvalidRequest([FieldProblem("template", part.template, message)])


def _checked(
    format: object,
    target: object,
    filters: object,
    options: object,
    location: Location,
    clock: Clock,
    layouts: Mapping[str, bytes],
) -> tuple[ExportRequest, Target]:
    with closing(open_snapshot(location, clock, exact=False)) as snapshot:
        return _checked_in(snapshot, format, target, filters, options, clock, layouts)


def _checked_in(
    snapshot: Snapshot,
    format: object,
    target: object,
    filters: object,
    options: object,
    clock: Clock,
    layouts: Mapping[str, bytes],
) -> tuple[ExportRequest, Target]:
    if not isinstance(target, str) or target not in TARGETS:
        message = f"Target {str(target)[:60]!r} is not available."
        raise InvalidRequest([FieldProblem("target", target, message, tuple(TARGETS))])
    chosen = TARGETS[target]
    tables = TargetCatalogs.tables(chosen, related=True)
    database = TargetCatalogs(chosen, {table.qualified: snapshot.catalog(table) for table in tables})
    request = check_request(format, chosen, filters, options, database=database, now=clock())
    if (layout_id := request.options.layout) is not None:
        if layout_id not in layouts:
            raise unknown_layout(layout_id)
        check_layout(layouts[layout_id], "options.layout")
        request = replace(request, layout=layouts[layout_id])
    return request, chosen
