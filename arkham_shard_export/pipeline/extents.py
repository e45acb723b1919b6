"""What of a target comes into a file of a format, by the options."""

from __future__ import annotations

from arkham_shard_export.formats.base import FormatSpec
from arkham_shard_export.layouts import layout_of
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.periods import PERIODS
from arkham_shard_export.presentation.columns import Chosen, chosen_columns
from arkham_shard_export.sources.selection import Extent


def extent_of(target: str, options: ExportOptions, spec: FormatSpec, annexes: bool = True) -> Extent:
    """The columns of `options` by section, as `check_request` leaves them."""
    chosen = chosen_columns(options.columns, "")
    headed = _headed_by_period(target, options, spec, chosen)
    return Extent(
        relationships=options.include_relationships,
        tabular=spec.tabular,
        tables=spec.laid_out or not spec.tabular,
        members=spec.laid_out,
        conflicts=options.include_conflicts,
        gaps=options.include_gaps,
        group_by=None if headed else options.group_by,
        indexes=options.include_metadata,
        annexes=annexes,
        columns=chosen,
        zone=options.time_zone,
    )


def _headed_by_period(target: str, options: ExportOptions, spec: FormatSpec, chosen: Chosen) -> bool:
    """A report whose events stand under their days, weeks or months needs no list of groups besides."""
    if not (spec.report and options.group_by in PERIODS and options.sort_by is None):
        return False
    for name, layout in layout_of(target).sections.items():
        if layout.dated and (asked := chosen.get(name)) is not None:
            return layout.dated in [each.name for each in asked]
    return True
