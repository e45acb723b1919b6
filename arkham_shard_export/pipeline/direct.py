"""One export without jobs, for the command line and for scripts."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.formats.wordlayout import check_layout
from arkham_shard_export.pipeline.catalogs import TargetCatalogs
from arkham_shard_export.pipeline.export import Outcome, export
from arkham_shard_export.pipeline.request import check_request
from arkham_shard_export.pipeline.run import open_source
from arkham_shard_export.ports import Clock, Sink, system_clock
from arkham_shard_export.records import Adjustments
from arkham_shard_export.sources.location import Location
from arkham_shard_export.sources.opening import open_snapshot
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
    layout: bytes = b"",
) -> Outcome:
    """Check the request and write the export to `sink`; after an error, what the sink has must not be used.

    `layout` is the Word file that the option of this name, whatever it says, means.
    """
    if target not in TARGETS:
        problem = FieldProblem("target", target, f"Target {target!r} is not available.", tuple(TARGETS))
        raise InvalidRequest([problem])
    chosen = TARGETS[target]
    with closing(open_snapshot(location, clock, exact=False)) as snapshot:
        catalogs = {
            table.qualified: snapshot.catalog(table) for table in TargetCatalogs.tables(chosen, related=True)
        }
        database = TargetCatalogs(chosen, catalogs)
        request = check_request(format, chosen, filters, options, database=database)
    if request.options.layout is not None and not layout:
        message = "Without a host there are no layouts to choose from."
        raise InvalidRequest([FieldProblem("options.layout", request.options.layout, message)])
    if request.options.layout is not None:
        check_layout(layout, "options.layout")
        request = replace(request, layout=layout)
    adjustments = Adjustments()
    with closing(open_source(request, chosen, location, adjustments, clock, processes)) as source:
        return export(request, source, sink, exported_at=clock(), adjustments=adjustments)
