"""Options that mean nothing for a target or a format, and why."""

from __future__ import annotations

from dataclasses import asdict

from arkham_shard_export.errors import FieldProblem
from arkham_shard_export.formats.base import FormatSpec
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.pipeline.catalogs import TargetCatalogs
from arkham_shard_export.pipeline.presenting import mispresented
from arkham_shard_export.presentation.words import shown
from arkham_shard_export.schema import Layout, Target
from arkham_shard_export.sinks.compressing import NONE

_DEFAULTS = asdict(ExportOptions())
_OF_SOME_FORMATS = ("spreadsheet_safe", "date_format", "csv", "report", "layout")
"""Options that a format must declare in its spec to honour them."""


def misapplied(
    target: Target, spec: FormatSpec | None, options: ExportOptions, database: TargetCatalogs
) -> list[FieldProblem]:
    """Options that mean nothing for this target or format; at their defaults they ask for nothing."""
    sortable = database.sortable()
    given = {name for name, default in _DEFAULTS.items() if getattr(options, name) != default}
    title = target.title.lower()
    problems = []
    for name in sorted(given & {"entity_types", "include_conflicts", "include_gaps", "group_by"}):
        lacking = None
        if name == "entity_types":
            lacking = database.lacking([each.entity_types_column for each in target.sets])
        if lacking is not None:
            message = f"Option {name} needs the column {lacking}, which this database lacks."
            problems.append(FieldProblem(f"options.{name}", getattr(options, name), message))
        elif name not in target.options:
            message = f"Option {name} does not apply to {title}."
            problems.append(FieldProblem(f"options.{name}", getattr(options, name), message))
    for name in sorted(given & {"date_range", "date_range_start", "date_range_end"}):
        lacking = database.lacking([each.main_date for each in target.sets])
        if lacking is not None or not any(each.main_date for each in target.sets):
            date = f"no {lacking} here" if lacking else "no date"
            message = f"Option {name} does not apply to {title}: it has {date} to choose by."
            problems.append(FieldProblem(f"options.{name}", getattr(options, name), message))
    for name in _OF_SOME_FORMATS:
        if spec is not None and name in given and name not in spec.options:
            message = f"Option {name} does not apply to {spec.name}."
            problems.append(FieldProblem(f"options.{name}", _short(getattr(options, name)), message))
    problems += mispresented(target, spec, options, database)
    if spec is not None and (reason := _incompressible(target, spec, options)) is not None:
        valid = (NONE, "zip") if spec.file_per_table else (NONE,)
        problems.append(FieldProblem("options.compression", options.compression, reason, valid))
    if (
        spec is not None
        and options.flatten
        and (not spec.supports_flatten or (spec.tabular and not spec.laid_out and _is_grid(target)))
    ):
        message = f"Option flatten does not apply to {title} as {spec.name}."
        problems.append(FieldProblem("options.flatten", True, message))
    if (
        spec is not None
        and spec.tabular
        and not spec.laid_out
        and _is_grid(target)
        and not options.include_relationships
    ):
        message = (
            f"Option include_relationships: false does not apply to {title} as {spec.name}: hypotheses, evidence and "
            "ratings are the grid."
        )
        problems.append(FieldProblem("options.include_relationships", False, message))
    if options.sort_by is not None and options.sort_by not in sortable:
        message = f"{title.capitalize()} cannot be sorted by {shown(options.sort_by)}."
        problems.append(FieldProblem("options.sort_by", options.sort_by, message, tuple(sortable)))
    if (
        options.sort_order == "desc"
        and options.sort_by is None
        and not any(each.order for each in target.sets)
    ):
        message = "Option sort_order needs sort_by: without it records come as they are stored."
        problems.append(FieldProblem("options.sort_order", "desc", message, tuple(sortable)))
    return problems


def _incompressible(target: Target, spec: FormatSpec, options: ExportOptions) -> str | None:
    """Why the file cannot be compressed as asked for, or None."""
    if options.compression == NONE:
        return None
    if spec.compressed:
        return f"Option compression does not apply to {spec.name}, which is compressed already."
    asked = (options.include_conflicts, options.include_gaps, options.group_by is not None)
    if spec.file_per_table and options.compression != "zip" and len(target.sets) + sum(asked) > 1:
        return (
            f"Option compression cannot be {shown(options.compression)} here: several tables as {spec.name} come as a "
            "ZIP, which is compressed already."
        )
    return None


def _is_grid(target: Target) -> bool:
    return any(each.layout is Layout.GRID for each in target.sets)


def _short(value: object) -> object:
    """What is asked for, unless it is long."""
    return value if isinstance(value, bool | str) else None
