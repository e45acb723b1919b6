"""A request for an export: checked against the target's and the format's declarations, or refused field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from arkham_shard_export.bounds import MAX_FILTER_VALUES, MAX_NAMES, MAX_RECORDS, MAX_TEXT_LENGTH
from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.formats import FORMATS, available, specs, writer_class
from arkham_shard_export.formats.base import FormatSpec
from arkham_shard_export.layouts import layout_of
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.peers import ENTITY_TYPES
from arkham_shard_export.periods import PERIODS
from arkham_shard_export.ports import system_clock
from arkham_shard_export.records import Section
from arkham_shard_export.relative_dates import NAMES, DateRange, is_relative, resolve
from arkham_shard_export.schema import Filter, Layout, Table, Target
from arkham_shard_export.sinks.compressing import COMPRESSIONS, NONE
from arkham_shard_export.sources.dialects import Catalog
from arkham_shard_export.sources.selection import Extent, Selection

GROUPINGS = (*PERIODS, "entity")
COMPRESSION_CHOICES = (NONE, *COMPRESSIONS)
_DEFAULTS = asdict(ExportOptions())


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """A checked request. `filters` are as they were given; `source` names the registered source of a custom target.

    `date_range` is what the dates in `options` were asked for as, where that was a relative one.
    """

    format: str
    target: str
    filters: dict[str, Any]
    options: ExportOptions
    tenant_id: str | None = None
    source: str | None = None
    date_range: DateRange | None = None

    @property
    def spec(self) -> FormatSpec:
        return writer_class(self.format).spec

    @property
    def given_filters(self) -> dict[str, Any]:
        """The filters as they are kept with a job, the choice of a source among them."""
        return self.filters if self.source is None else {"source": self.source, **self.filters}

    def selection(self) -> Selection:
        options = self.options
        return Selection(
            filters={
                name: tuple(value if isinstance(value, list) else [value])
                for name, value in self.filters.items()
            },
            start=parse_date(options.date_range_start) if options.date_range_start else None,
            before=_end_of(options.date_range_end) if options.date_range_end else None,
            entity_types=tuple(options.entity_types or ()),
            tenant_id=self.tenant_id,
            sort_by=options.sort_by or self._sorted_under_headings(),
            descending=options.sort_order == "desc",
            max_records=options.max_records,
        )

    def _headed_by_period(self) -> bool:
        """A report whose events stand under their days, weeks or months needs no list of groups besides."""
        options = self.options
        return self.spec.report and options.group_by in PERIODS and options.sort_by is None

    def _sorted_under_headings(self) -> str | None:
        return layout_of(self.target).grouped_by if self.spec.report else None

    def extent(self, annexes: bool = True) -> Extent:
        options, spec = self.options, self.spec
        return Extent(
            relationships=options.include_relationships,
            tabular=spec.tabular,
            tables=spec.laid_out or not spec.tabular,
            members=spec.laid_out,
            conflicts=options.include_conflicts,
            gaps=options.include_gaps,
            group_by=None if self._headed_by_period() else options.group_by,
            indexes=options.include_metadata,
            annexes=annexes,
        )


def parse_date(text: str) -> datetime:
    """An ISO 8601 date or time as an aware moment; without an offset it is UTC. ValueError if it is none."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _end_of(text: str) -> datetime:
    """The first moment after a range that ends with `text`: a date alone covers its whole day."""
    moment = parse_date(text)
    length = timedelta(days=1) if len(text) <= 10 else timedelta(microseconds=1)
    return moment + min(length, datetime.max.replace(tzinfo=UTC) - moment)


@dataclass(frozen=True, slots=True)
class TargetCatalogs:
    """The columns that the tables of a target really have, by qualified name of the table; None: no such table."""

    target: Target
    catalogs: Mapping[str, Catalog | None]

    @staticmethod
    def tables(target: Target) -> list[Table]:
        """The tables whose columns decide what may be asked for."""
        tables = [each.table for each in target.sets]
        return tables + [each.parent.table for each in target.sets if each.parent is not None]

    def sortable(self) -> list[str]:
        names: dict[str, None] = {}
        for each in self.target.sets:
            catalog = self.catalogs.get(each.table.qualified)
            known = [
                column.name for column in each.table.columns if catalog is None or column.name in catalog
            ]
            names.update(dict.fromkeys((*known, *(name for name in catalog or () if name != "tenant_id"))))
        return list(names)

    def lacking(self, names: Sequence[str | None]) -> str | None:
        """Of one wanted column per record set, the first that its table lacks; None where all are there."""
        for each, name in zip(self.target.sets, names, strict=True):
            catalog = self.catalogs.get(each.table.qualified)
            if name is not None and catalog is not None and name not in catalog:
                return name
        return None

    def unfilterable(self, filter: Filter) -> str | None:
        """Why a filter cannot be used in this database, or None."""
        for each in self.target.sets:
            table = each.parent.table if filter.in_parent and each.parent else each.table
            catalog = self.catalogs.get(table.qualified)
            if catalog is not None and filter.column not in catalog:
                return f"Filter {filter.name} needs the column {filter.column}, which this database lacks."
        return None


def check_format(name: object, target_title: str | None = None) -> FieldProblem | None:
    if isinstance(name, str) and name in FORMATS:
        spec = writer_class(name).spec
        if spec.missing_library is None:
            return None
        message = (
            f"Format {_shown(name)} needs {spec.missing_library}, which is not installed here: {spec.remedy}."
        )
        return FieldProblem("format", name, message, tuple(available()))
    where = f" for {target_title}" if target_title else ""
    return FieldProblem("format", name, f"Format {_shown(name)} is not available{where}.", tuple(available()))


def check_size(request: ExportRequest, sections: Sequence[Section]) -> None:
    """InvalidRequest where a format has a limit and the source holds more records."""
    limit = request.spec.max_records
    records = sum(each.expected or 0 for each in sections if each.counted)
    if limit is None or records <= limit:
        return
    unlimited = tuple(each.format for each in specs() if each.max_records is None)
    message = (
        f"{request.spec.name} holds at most {limit:,} records, and {records:,} match: narrow the filters, set max_records, or "
        "take a format without a limit."
    )
    raise InvalidRequest([FieldProblem("format", request.format, message, unlimited)])


def check_request(
    format: object,
    target: Target,
    filters: object,
    options: object,
    *,
    tenant_id: str | None = None,
    database: TargetCatalogs | None = None,
    now: datetime | None = None,
) -> ExportRequest:
    """The request, or InvalidRequest naming every wrong field at once.

    `database` says which columns the target's tables really have; without it the declared ones count. `now` is where
    a relative date stands.
    """
    database = database or TargetCatalogs(target, {})
    problems: list[FieldProblem] = []
    if (problem := check_format(format, target.title.lower())) is not None:
        problems.append(problem)
    checked_filters = _filters(target, filters, database, problems)
    checked_options = _options(options, problems)
    spec = None if problem is not None else writer_class(str(format)).spec
    problems += misapplied(target, spec, checked_options, database)
    if problems:
        raise InvalidRequest(problems)
    dated, date_range = _dated(checked_options, now or system_clock())
    return ExportRequest(str(format), target.name, checked_filters, dated, tenant_id, date_range=date_range)


def _dated(options: ExportOptions, now: datetime) -> tuple[ExportOptions, DateRange | None]:
    """A relative range as the dates that it stands for."""
    if options.date_range is None:
        return options, None
    found = resolve(options.date_range, now, getattr(options, "time_zone", None) or "UTC")
    dated = replace(options, date_range=None, date_range_start=found.start, date_range_end=found.end)
    return dated, found


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _text_problem(field: str, value: str) -> FieldProblem | None:
    if "\0" in value or (not value.isprintable() and any("\ud800" <= char <= "\udfff" for char in value)):
        return FieldProblem(field, value, f"{field} must be plain text without NUL or half characters.")
    if not value or len(value) > MAX_TEXT_LENGTH:
        return FieldProblem(
            field, value[:60], f"{field} must be a text of 1 to {MAX_TEXT_LENGTH} characters."
        )
    return None


def _names_problem(field: str, given: Mapping[str, Any]) -> FieldProblem | None:
    if len(given) <= MAX_NAMES:
        return None
    return FieldProblem(field, None, f"{field} has {len(given)} names; at most {MAX_NAMES} are accepted.")


def _filters(
    target: Target,
    filters: object,
    database: TargetCatalogs,
    problems: list[FieldProblem],
) -> dict[str, Any]:
    if filters is None:
        return {}
    if not isinstance(filters, Mapping):
        problems.append(
            FieldProblem("filters", filters, "filters must be an object of filter names and values.")
        )
        return {}
    if (problem := _names_problem("filters", filters)) is not None:
        problems.append(problem)
        return {}
    known = {each.name: each for each in target.filters}
    checked: dict[str, Any] = {}
    for name, value in filters.items():
        field = f"filters.{name}"
        if name not in known:
            message = f"Unknown filter {_shown(name)} for {target.title.lower()}."
            problems.append(FieldProblem(field, value, message, target.filter_names))
            continue
        if value is None:
            continue
        values = value if isinstance(value, list) else [value]
        if not values or len(values) > MAX_FILTER_VALUES or not all(isinstance(each, str) for each in values):
            message = (
                f"{field} must be a text or a list of 1 to {MAX_FILTER_VALUES} texts, not {_shown(value)}."
            )
            problems.append(FieldProblem(field, value, message, known[name].valid))
            continue
        bad = [problem for each in values if (problem := _text_problem(field, each)) is not None]
        wrong = [each for each in values if known[name].valid and each not in known[name].valid]
        if bad:
            problems.append(bad[0])
        elif wrong:
            message = f"{field} cannot be {_shown(wrong[0])}."
            problems.append(FieldProblem(field, wrong[0], message, known[name].valid))
        elif (reason := database.unfilterable(known[name])) is not None:
            problems.append(FieldProblem(field, value, reason))
        else:
            checked[name] = value
    return checked


def _options(options: object, problems: list[FieldProblem]) -> ExportOptions:
    if options is None:
        return ExportOptions()
    if isinstance(options, ExportOptions):
        options = asdict(options)
    if not isinstance(options, Mapping):
        problems.append(
            FieldProblem("options", options, "options must be an object of option names and values.")
        )
        return ExportOptions()
    if (problem := _names_problem("options", options)) is not None:
        problems.append(problem)
        return ExportOptions()
    names = tuple(each.name for each in fields(ExportOptions))
    checked: dict[str, Any] = {}
    for name, value in options.items():
        field = f"options.{name}"
        if name not in names:
            problems.append(FieldProblem(field, value, f"Unknown option {_shown(name)}.", names))
        elif (problem := _option_problem(name, field, value)) is not None:
            problems.append(problem)
        else:
            checked[name] = value
    result = replace(ExportOptions(), **checked)
    start, end = result.date_range_start, result.date_range_end
    if start and end and parse_date(start) >= _end_of(end):
        message = f"The date range is reversed: date_range_start {start!r} is after date_range_end {end!r}."
        problems.append(FieldProblem("options.date_range_start", start, message))
    if result.date_range is not None and (start or end):
        message = f"date_range {result.date_range!r} stands for both dates: give it, or date_range_start and date_range_end."
        problems.append(FieldProblem("options.date_range", result.date_range, message))
    return result


def _option_problem(name: str, field: str, value: Any) -> FieldProblem | None:
    default = _DEFAULTS[name]
    if value is None and default is None:
        return None
    if isinstance(default, bool):
        if not isinstance(value, bool):
            return FieldProblem(field, value, f"{field} must be true or false, not {_shown(value)}.")
    elif name == "max_records":
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_RECORDS:
            message = f"{field} must be a whole number of at least 1 and at most {MAX_RECORDS}, not {_shown(value)}."
            return FieldProblem(field, value, message)
    elif name in ("date_range_start", "date_range_end"):
        return _date_problem(field, value)
    elif name == "date_range":
        if not is_relative(value):
            message = (
                f"{field} must be a range such as last_7_days (any number of days), not {_shown(value)}."
            )
            return FieldProblem(field, value, message, NAMES)
    elif name == "entity_types":
        listed = isinstance(value, list) and 0 < len(value) <= MAX_FILTER_VALUES
        if not listed or any(each not in ENTITY_TYPES for each in value):
            message = f"{field} must be a list of entity types, not {_shown(value)}."
            return FieldProblem(field, value, message, ENTITY_TYPES)
    elif name == "sort_order" and value not in ("asc", "desc"):
        return FieldProblem(field, value, f"{field} cannot be {_shown(value)}.", ("asc", "desc"))
    elif name == "group_by" and value not in GROUPINGS:
        return FieldProblem(field, value, f"{field} cannot be {_shown(value)}.", GROUPINGS)
    elif name == "compression" and value not in COMPRESSION_CHOICES:
        return FieldProblem(field, value, f"{field} cannot be {_shown(value)}.", COMPRESSION_CHOICES)
    elif name == "sort_by" and not isinstance(value, str):
        return FieldProblem(field, value, f"{field} must be the name of a column, not {_shown(value)}.")
    return None


def _date_problem(field: str, value: Any) -> FieldProblem | None:
    try:
        (_end_of if field.endswith("end") else parse_date)(value)
    except (ValueError, TypeError, OverflowError):
        message = f"{field} must be an ISO 8601 date such as 2026-11-22 or 2026-11-22T13:00:00Z, not {_shown(value)}."
        return FieldProblem(field, value, message)
    return None


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
    if spec is not None and "spreadsheet_safe" in given and "spreadsheet_safe" not in spec.options:
        message = f"Option spreadsheet_safe does not apply to {spec.name}."
        problems.append(FieldProblem("options.spreadsheet_safe", options.spreadsheet_safe, message))
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
        message = f"{title.capitalize()} cannot be sorted by {_shown(options.sort_by)}."
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
            f"Option compression cannot be {_shown(options.compression)} here: several tables as {spec.name} come as a "
            "ZIP, which is compressed already."
        )
    return None


def _is_grid(target: Target) -> bool:
    return any(each.layout is Layout.GRID for each in target.sets)
