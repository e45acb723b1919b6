"""What a client may ask for, told by the very checks that would refuse it: formats, and filters and options of targets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from arkham_shard_export.formats import available, specs
from arkham_shard_export.formats.base import FormatSpec
from arkham_shard_export.models import ExportOptions, FilterInfo, FormatInfo, OptionInfo, TargetInfo
from arkham_shard_export.peers import ENTITY_TYPES
from arkham_shard_export.pipeline.applying import misapplied
from arkham_shard_export.pipeline.catalogs import TargetCatalogs
from arkham_shard_export.pipeline.request import COMPRESSION_CHOICES, GROUPINGS
from arkham_shard_export.schema import Target
from arkham_shard_export.sinks.compressing import NONE
from arkham_shard_export.sources.selection import Conditions, Selection, count
from arkham_shard_export.sources.snapshot import Snapshot

_DEFAULTS = asdict(ExportOptions())


@dataclass(frozen=True, slots=True)
class _Declared:
    """`sample` is a value that asks for something, as the default does not."""

    name: str
    type: str
    description: str
    sample: Any = None
    choices: tuple[str, ...] = ()


_OPTIONS = (
    _Declared("max_records", "integer", "At most so many records; the others are counted as left out.", 1),
    _Declared(
        "date_range_start",
        "date",
        "Records from this day on, by their main date; UTC, inclusive.",
        "2000-01-01",
    ),
    _Declared(
        "date_range_end", "date", "Records up to this day, by their main date; UTC, inclusive.", "2000-01-01"
    ),
    _Declared("entity_types", "choices", "Only entities of these types.", ENTITY_TYPES[:1], ENTITY_TYPES),
    _Declared(
        "include_relationships",
        "boolean",
        "What belongs to a record comes with it: evidence, pages, mentions.",
        False,
    ),
    _Declared(
        "include_metadata",
        "boolean",
        "The file says of itself what it holds, when and by which filters.",
        False,
    ),
    _Declared("include_conflicts", "boolean", "Also the conflicts between events.", True),
    _Declared("include_gaps", "boolean", "Also the gaps of 30 days or more between events.", True),
    _Declared(
        "group_by", "choice", "Also the events in groups: by time, or by who took part.", "day", GROUPINGS
    ),
    _Declared("sort_by", "choice", "The column to sort by; without it records come in their usual order."),
    _Declared("sort_order", "choice", "Upwards or downwards.", "desc", ("asc", "desc")),
    _Declared("flatten", "boolean", "What is nested in JSON columns becomes columns of its own.", True),
    _Declared(
        "spreadsheet_safe",
        "boolean",
        "A text that a spreadsheet would run as a formula gets a leading apostrophe.",
        False,
    ),
    _Declared("compression", "choice", "The file comes compressed.", None, COMPRESSION_CHOICES),
)


def format_infos() -> list[FormatInfo]:
    return [_format_info(each) for each in specs()]


def _format_info(spec: FormatSpec) -> FormatInfo:
    missing = spec.missing_library is not None
    lacking = f"Not available here until {spec.remedy!r} was run." if missing else ""
    return FormatInfo(
        format=spec.format,
        name=spec.name,
        description=" ".join(filter(None, (lacking, spec.description, spec.cannot_carry))),
        file_extension=spec.file_extension,
        mime_type=spec.mime_type,
        supports_flatten=spec.supports_flatten,
        supports_metadata=spec.supports_metadata,
        max_records=spec.max_records,
        available=not missing,
        purpose=spec.description,
        cannot_carry=spec.cannot_carry,
        remedy=spec.remedy if missing else None,
    )


def target_info(snapshot: Snapshot, target: Target, tenant_id: str | None) -> TargetInfo:
    """Counted in the snapshot, and with what its tables really have."""
    conditions = Conditions(snapshot, target, Selection(tenant_id=tenant_id))
    remarks = [target.description]
    total = 0
    for each in target.sets:
        if conditions.catalog(each.table) is None:
            remarks.append(
                f"Empty here: the table {each.table.qualified} does not exist, because the shard that keeps it "
                "is not installed."
            )
            continue
        table = snapshot.dialect.table(each.table)
        included = count(snapshot, table, conditions.included(each))
        total += included
        if each.exclusion is not None and conditions.excluded(each) is not None:
            left_out = count(snapshot, table, conditions.records(each)) - included
            if left_out:
                remarks.append(f"{left_out} more are left out: {each.exclusion.reason}.")
    tables = {each.qualified: conditions.catalog(each) for each in TargetCatalogs.tables(target)}
    return TargetInfo(
        target=target.name,
        name=target.title,
        description=" ".join(remarks),
        available_formats=available(),
        estimated_record_count=total,
        supports_filters=list(target.filter_names),
        filters=filter_infos(target),
        options=option_infos(target, TargetCatalogs(target, tables)),
    )


def filter_infos(target: Target) -> list[FilterInfo]:
    return [FilterInfo(each.name, each.description, list(each.valid)) for each in target.filters]


def option_infos(target: Target, database: TargetCatalogs | None = None) -> list[OptionInfo]:
    """The options that the target honours in at least one format, in the order to offer them."""
    database = database or TargetCatalogs(target, {})
    sortable = tuple(database.sortable())
    infos = []
    for declared in _OPTIONS:
        if declared.name == "sort_by":
            declared = replace(declared, sample=next(iter(sortable), "none"), choices=sortable)
        info = OptionInfo(
            declared.name,
            declared.type,
            _DEFAULTS[declared.name],
            declared.description,
            list(declared.choices),
        )
        for spec in specs():
            _tell_refusals(info, declared, target, spec, database)
        if len(info.refused) < len(specs()):
            infos.append(info)
    return infos


def _tell_refusals(
    info: OptionInfo, declared: _Declared, target: Target, spec: FormatSpec, database: TargetCatalogs
) -> None:
    if declared.name != "compression":
        reason = _refusal(declared.name, declared.sample, target, spec, database)
        if reason is not None:
            info.refused[spec.format] = reason
        return
    reasons = {each: _refusal("compression", each, target, spec, database) for each in declared.choices}
    left = [each for each, reason in reasons.items() if reason is None]
    if left == [NONE]:
        info.refused[spec.format] = next(filter(None, reasons.values()))
    elif len(left) < len(declared.choices):
        info.choices_by_format[spec.format] = left


def _refusal(name: str, value: Any, target: Target, spec: FormatSpec, database: TargetCatalogs) -> str | None:
    options = replace(ExportOptions(), **{name: value})
    if name == "sort_order":
        options.sort_by = next(iter(database.sortable()), None)
    problems = misapplied(target, spec, options, database)
    return next((each.message for each in problems if each.field == f"options.{name}"), None)


def merged(lists: Iterable[list[OptionInfo]]) -> list[OptionInfo]:
    """Options of several sources as those of one target: what one of them honours is offered, with all choices."""
    found: dict[str, OptionInfo] = {}
    for each in lists:
        for info in each:
            known = found.setdefault(info.name, replace(info))
            known.choices = list(dict.fromkeys((*known.choices, *info.choices)))
            known.refused = {name: why for name, why in known.refused.items() if name in info.refused}
    return [found[each.name] for each in _OPTIONS if each.name in found]
