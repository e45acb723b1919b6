"""A request for an export: checked against the target's and the format's declarations, or refused field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from arkham_shard_export.bounds import MAX_FILTER_VALUES, MAX_NAMES, MAX_RECORDS, MAX_TEXT_LENGTH
from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.formats import FORMATS, available, specs, writer_class
from arkham_shard_export.formats.base import FormatSpec
from arkham_shard_export.layouts import layout_of
from arkham_shard_export.models import PRESENTATION, ExportOptions
from arkham_shard_export.peers import ENTITY_TYPES
from arkham_shard_export.periods import PERIODS
from arkham_shard_export.pipeline.applying import misapplied
from arkham_shard_export.pipeline.catalogs import TargetCatalogs
from arkham_shard_export.pipeline.extents import extent_of
from arkham_shard_export.pipeline.presenting import presentation_problems, with_logo_made_anew
from arkham_shard_export.ports import system_clock
from arkham_shard_export.presentation.words import shown
from arkham_shard_export.records import Section
from arkham_shard_export.relative_dates import NAMES, DateRange, is_relative, resolve
from arkham_shard_export.schema import Target
from arkham_shard_export.sinks.compressing import COMPRESSIONS, NONE
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
    layout: bytes = field(default=b"", repr=False)
    """The Word file that the option `layout` means, once it has been found."""

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

    def _sorted_under_headings(self) -> str | None:
        return layout_of(self.target).grouped_by if self.spec.report else None

    def extent(self, annexes: bool = True) -> Extent:
        return extent_of(self.target, self.options, self.spec, annexes)


def parse_date(text: str) -> datetime:
    """An ISO 8601 date or time as an aware moment; without an offset it is UTC. ValueError if it is none."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _end_of(text: str) -> datetime:
    """The first moment after a range that ends with `text`: a date alone covers its whole day."""
    moment = parse_date(text)
    length = timedelta(days=1) if len(text) <= 10 else timedelta(microseconds=1)
    return moment + min(length, datetime.max.replace(tzinfo=UTC) - moment)


def check_format(name: object, target_title: str | None = None) -> FieldProblem | None:
    if isinstance(name, str) and name in FORMATS:
        spec = writer_class(name).spec
        if spec.missing_library is None:
            return None
        message = (
            f"Format {shown(name)} needs {spec.missing_library}, which is not installed here: {spec.remedy}."
        )
        return FieldProblem("format", name, message, tuple(available()))
    where = f" for {target_title}" if target_title else ""
    return FieldProblem("format", name, f"Format {shown(name)} is not available{where}.", tuple(available()))


def unknown_layout(layout_id: str) -> InvalidRequest:
    message = f"There is no layout {layout_id[:60]!r} here."
    return InvalidRequest([FieldProblem("options.layout", layout_id, message)])


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
    if isinstance(checked_options.columns, list) and database.main:
        checked_options.columns = {database.main: checked_options.columns}
    problems += misapplied(target, spec, checked_options, database)
    if problems:
        raise InvalidRequest(problems)
    dated, date_range = _dated(checked_options, now or system_clock())
    return ExportRequest(str(format), target.name, checked_filters, dated, tenant_id, date_range=date_range)


def _dated(options: ExportOptions, now: datetime) -> tuple[ExportOptions, DateRange | None]:
    """A relative range as the dates that it stands for."""
    if options.date_range is None:
        return options, None
    found = resolve(options.date_range, now, options.time_zone or "UTC")
    dated = replace(options, date_range=None, date_range_start=found.start, date_range_end=found.end)
    return dated, found


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
            message = f"Unknown filter {shown(name)} for {target.title.lower()}."
            problems.append(FieldProblem(field, value, message, target.filter_names))
            continue
        if value is None:
            continue
        values = value if isinstance(value, list) else [value]
        if not values or len(values) > MAX_FILTER_VALUES or not all(isinstance(each, str) for each in values):
            message = (
                f"{field} must be a text or a list of 1 to {MAX_FILTER_VALUES} texts, not {shown(value)}."
            )
            problems.append(FieldProblem(field, value, message, known[name].valid))
            continue
        bad = [problem for each in values if (problem := _text_problem(field, each)) is not None]
        wrong = [each for each in values if known[name].valid and each not in known[name].valid]
        if bad:
            problems.append(bad[0])
        elif wrong:
            message = f"{field} cannot be {shown(wrong[0])}."
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
        path = f"options.{name}"
        if name not in names:
            problems.append(FieldProblem(path, value, f"Unknown option {shown(name)}.", names))
        elif found := _option_problems(name, path, value):
            problems += found
        else:
            checked[name] = value
    if checked.get("report") is not None:
        checked["report"] = with_logo_made_anew(checked["report"], problems)
    result = replace(ExportOptions(), **checked)
    start, end = result.date_range_start, result.date_range_end
    if start and end and parse_date(start) >= _end_of(end):
        message = f"The date range is reversed: date_range_start {start!r} is after date_range_end {end!r}."
        problems.append(FieldProblem("options.date_range_start", start, message))
    if result.date_range is not None and (start or end):
        message = f"date_range {result.date_range!r} stands for both dates: give it, or date_range_start and date_range_end."
        problems.append(FieldProblem("options.date_range", result.date_range, message))
    return result


def _option_problems(name: str, field: str, value: Any) -> list[FieldProblem]:
    if value is None and _DEFAULTS[name] is None:
        return []
    if name in PRESENTATION:
        return presentation_problems(name, field, value)
    problem = _option_problem(name, field, value)
    return [] if problem is None else [problem]


def _option_problem(name: str, field: str, value: Any) -> FieldProblem | None:
    default = _DEFAULTS[name]
    if isinstance(default, bool):
        if not isinstance(value, bool):
            return FieldProblem(field, value, f"{field} must be true or false, not {shown(value)}.")
    elif name == "max_records":
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_RECORDS:
            message = (
                f"{field} must be a whole number of at least 1 and at most {MAX_RECORDS}, not {shown(value)}."
            )
            return FieldProblem(field, value, message)
    elif name in ("date_range_start", "date_range_end"):
        return _date_problem(field, value)
    elif name == "date_range":
        if not is_relative(value):
            message = f"{field} must be a range such as last_7_days (any number of days), not {shown(value)}."
            return FieldProblem(field, value, message, NAMES)
    elif name == "entity_types":
        listed = isinstance(value, list) and 0 < len(value) <= MAX_FILTER_VALUES
        if not listed or any(each not in ENTITY_TYPES for each in value):
            message = f"{field} must be a list of entity types, not {shown(value)}."
            return FieldProblem(field, value, message, ENTITY_TYPES)
    elif name == "sort_order" and value not in ("asc", "desc"):
        return FieldProblem(field, value, f"{field} cannot be {shown(value)}.", ("asc", "desc"))
    elif name == "group_by" and value not in GROUPINGS:
        return FieldProblem(field, value, f"{field} cannot be {shown(value)}.", GROUPINGS)
    elif name == "compression" and value not in COMPRESSION_CHOICES:
        return FieldProblem(field, value, f"{field} cannot be {shown(value)}.", COMPRESSION_CHOICES)
    elif name == "sort_by" and not isinstance(value, str):
        return FieldProblem(field, value, f"{field} must be the name of a column, not {shown(value)}.")
    return None


def _date_problem(field: str, value: Any) -> FieldProblem | None:
    try:
        (_end_of if field.endswith("end") else parse_date)(value)
    except (ValueError, TypeError, OverflowError):
        message = f"{field} must be an ISO 8601 date such as 2026-11-22 or 2026-11-22T13:00:00Z, not {shown(value)}."
        return FieldProblem(field, value, message)
    return None
