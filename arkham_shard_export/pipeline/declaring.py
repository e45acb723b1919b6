"""What a client may ask for, told by the very checks that would refuse it: formats, and filters and options of targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from arkham_shard_export.formats import available, specs
from arkham_shard_export.formats.base import FormatSpec
from arkham_shard_export.models import (
    ExportOptions,
    FilterInfo,
    FormatInfo,
    OptionInfo,
    OptionPart,
    TargetInfo,
)
from arkham_shard_export.peers import ENTITY_TYPES
from arkham_shard_export.pipeline.applying import misapplied
from arkham_shard_export.pipeline.catalogs import TargetCatalogs
from arkham_shard_export.pipeline.extents import extent_of
from arkham_shard_export.pipeline.request import COMPRESSION_CHOICES, GROUPINGS
from arkham_shard_export.presentation.delimiting import CHOICES, PRESETS
from arkham_shard_export.presentation.reports import PAPERS, SECTIONS
from arkham_shard_export.presentation.times import DATE, DIRECTIVES, ISO
from arkham_shard_export.relative_dates import NAMES
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
    parts: tuple[OptionPart, ...] = ()


_CSV_PARTS = (
    OptionPart(
        "preset", "choice", "Where the other parts start from; machine, unless another is named.", [*PRESETS]
    ),
    OptionPart("delimiter", "choice", "What stands between cells.", [*CHOICES["delimiter"]]),
    OptionPart("quote", "choice", "What stands around a cell that needs it.", [*CHOICES["quote"]]),
    OptionPart("encoding", "choice", "How characters become bytes.", [*CHOICES["encoding"]]),
    OptionPart("bom", "boolean", "The file begins with a byte order mark, by which Excel knows Unicode."),
    OptionPart("line_end", "choice", "What ends a line.", [*CHOICES["line_end"]]),
)
_REPORT_PARTS = (
    OptionPart("title", "text", "The title in front, on every page and in the file's properties."),
    OptionPart("subtitle", "text", "A line below the title."),
    OptionPart("logo", "image", "A PNG or JPEG picture above the title."),
    OptionPart("paper", "choice", "The paper.", [*PAPERS]),
    *(OptionPart(f"sections.{name}", "boolean", text) for name, text in SECTIONS.items()),
)
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
    _Declared(
        "date_range",
        "choice",
        "Records of days that are counted from the day of the export; last_N_days takes any number, and ends yesterday.",
        NAMES[0],
        NAMES,
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
    _Declared(
        "columns",
        "columns",
        "Only these columns, in this order; each a name, or a name and the label that stands in its heading.",
    ),
    _Declared("time_zone", "zone", "Times are written in this zone, by its IANA name.", "Europe/Berlin"),
    _Declared(
        "date_format",
        "date_format",
        f"How times are written: iso, date, or a pattern of {' '.join(DIRECTIVES)}.",
        "date",
        (ISO, DATE),
    ),
    _Declared(
        "csv", "object", "The dialect of CSV: a preset, or its parts.", "excel", tuple(PRESETS), _CSV_PARTS
    ),
    _Declared(
        "report", "object", "The front and the paper of a report.", {"title": "Title"}, parts=_REPORT_PARTS
    ),
    _Declared("layout", "layout", "A Word file that the report is laid out by, by its id.", "any"),
)

LIST_OPTIONS = tuple(each.name for each in _OPTIONS if each.type == "choices")
"""Options whose value is a list."""


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
    tables = {
        each.qualified: conditions.catalog(each) for each in TargetCatalogs.tables(target, related=True)
    }
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
        if declared.name == "columns":
            of_formats = _sections(target, database)
            sections = _all_sections(of_formats)
            section, names = next(iter(sections.items()))
            declared = replace(declared, sample={section: [*names][:1]})
        info = OptionInfo(
            declared.name,
            declared.type,
            _DEFAULTS[declared.name],
            declared.description,
            list(declared.choices),
            choices_by_section=sections if declared.name == "columns" else {},
            lacking_by_format=_lacking(sections, of_formats) if declared.name == "columns" else {},
            parts=[replace(each, refused=dict(each.refused)) for each in declared.parts],
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
        elif declared.name == "report":
            _tell_refused_parts(info, spec)
        return
    reasons = {each: _refusal("compression", each, target, spec, database) for each in declared.choices}
    left = [each for each, reason in reasons.items() if reason is None]
    if left == [NONE]:
        info.refused[spec.format] = next(filter(None, reasons.values()))
    elif len(left) < len(declared.choices):
        info.choices_by_format[spec.format] = left


def _tell_refused_parts(info: OptionInfo, spec: FormatSpec) -> None:
    for part in info.parts:
        if part.name.partition(".")[0] not in spec.front:
            part.refused[spec.format] = f"options.report.{part.name} does not apply to {spec.name}."


_Sections = Mapping[str, Sequence[str]]


def _sections(target: Target, database: TargetCatalogs) -> dict[str, _Sections]:
    """For each format the columns of each section and relation, with all that can be asked for besides."""
    options = replace(ExportOptions(), include_conflicts=True, include_gaps=True, group_by="entity")
    return {spec.format: database.columns(extent_of(target.name, options, spec)) for spec in specs()}


def _all_sections(of_formats: Mapping[str, _Sections]) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for sections in of_formats.values():
        for name, columns in sections.items():
            found.setdefault(name, {}).update(dict.fromkeys(columns))
    return {name: list(columns) for name, columns in found.items()}


def _lacking(every: _Sections, of_formats: Mapping[str, _Sections]) -> dict[str, dict[str, list[str]]]:
    """What each format does not have of all columns."""
    lacking: dict[str, dict[str, list[str]]] = {}
    for format, sections in of_formats.items():
        for name, columns in every.items():
            if missing := [each for each in columns if each not in sections.get(name, ())]:
                lacking.setdefault(format, {})[name] = missing
    return lacking


def _refusal(name: str, value: Any, target: Target, spec: FormatSpec, database: TargetCatalogs) -> str | None:
    options = replace(ExportOptions(), **{name: value})
    if name == "sort_order":
        options.sort_by = next(iter(database.sortable()), None)
    problems = misapplied(target, spec, options, database)
    field = f"options.{name}"
    return next((each.message for each in problems if each.field == field), None)


def merged(lists: Iterable[list[OptionInfo]]) -> list[OptionInfo]:
    """Options of several sources as those of one target: what one of them honours is offered, with all choices."""
    found: dict[str, OptionInfo] = {}
    for each in lists:
        for info in each:
            known = found.setdefault(info.name, replace(info))
            known.choices = list(dict.fromkeys((*known.choices, *info.choices)))
            for section, names in info.choices_by_section.items():
                columns = dict.fromkeys((*known.choices_by_section.get(section, ()), *names))
                known.choices_by_section = {**known.choices_by_section, section: list(columns)}
            known.refused = {name: why for name, why in known.refused.items() if name in info.refused}
    return [found[each.name] for each in _OPTIONS if each.name in found]
