"""How a file is to look: whether what is asked for is well formed, and means anything for the target and the format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from arkham_shard_export.errors import FieldProblem
from arkham_shard_export.formats.base import FormatSpec
from arkham_shard_export.formats.grid import GRID_PARTS
from arkham_shard_export.formats.wordlayout import missing_library
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.pipeline.catalogs import TargetCatalogs
from arkham_shard_export.pipeline.extents import extent_of
from arkham_shard_export.presentation.columns import FIELD, Chosen, chosen_columns, columns_problems
from arkham_shard_export.presentation.delimiting import dialect_problems
from arkham_shard_export.presentation.numberformats import number_format_problem
from arkham_shard_export.presentation.pictures import made_anew
from arkham_shard_export.presentation.reports import report_problems
from arkham_shard_export.presentation.times import Times, format_problem, zone_problem
from arkham_shard_export.presentation.words import MAX_SHOWN, shown, text_problem
from arkham_shard_export.schema import Layout, Target
from arkham_shard_export.sources.matrix import SCORES

MAX_LAYOUT_ID_LENGTH = 128


def presentation_problems(name: str, field: str, value: Any) -> list[FieldProblem]:
    """What is wrong with the value of one of these options, whatever the target and the format."""
    problems = _CHECKS[name](field, value)
    if isinstance(problems, list):
        return problems
    return [] if problems is None else [problems]


_CHECKS: dict[str, Callable[[str, Any], list[FieldProblem] | FieldProblem | None]] = {
    "columns": lambda _field, value: columns_problems(value),
    "time_zone": zone_problem,
    "date_format": format_problem,
    "csv": lambda _field, value: dialect_problems(value),
    "report": lambda _field, value: report_problems(value),
    "layout": lambda field, value: text_problem(field, value, MAX_LAYOUT_ID_LENGTH),
}


def with_logo_made_anew(report: Mapping[str, Any], problems: list[FieldProblem]) -> dict[str, Any]:
    """The option with its logo as it will stand in files; of one that cannot, a problem is added."""
    if report.get("logo") is None:
        return dict(report)
    made = made_anew(report["logo"])
    if isinstance(made, FieldProblem):
        problems.append(made)
        return {name: value for name, value in report.items() if name != "logo"}
    return {**report, "logo": made}


def mispresented(
    target: Target, spec: FormatSpec | None, options: ExportOptions, database: TargetCatalogs
) -> list[FieldProblem]:
    """Well-formed options that this target or this format cannot honour as they stand."""
    if spec is None:
        return []
    problems: list[FieldProblem] = []
    if spec.typed_dates and "date_format" in spec.options:
        problem = number_format_problem(Times(form=options.date_format))
        problems += [problem] if problem else []
    if options.report is not None and spec.front:
        if not spec.report and not options.include_metadata:
            message = f"Option report needs include_metadata in {spec.name}: it stands on the sheet About."
            problems.append(FieldProblem("options.report", None, message))
        for part, value in options.report.items():
            if value is not None and part not in spec.front:
                message = f"options.report.{part} does not apply to {spec.name}."
                problems.append(FieldProblem(f"options.report.{part}", None, message, spec.front))
        if options.layout is not None:
            for part in ("logo", "paper"):
                if options.report.get(part) is not None:
                    message = f"options.report.{part} does not apply with a layout, which has its own."
                    problems.append(FieldProblem(f"options.report.{part}", None, message))
    if options.layout is not None and "layout" in spec.options and (remedy := missing_library()) is not None:
        message = f"Option layout needs a library that is not installed here: {remedy}."
        problems.append(FieldProblem("options.layout", options.layout, message))
    if options.columns is not None:
        problems += _columns_problems(target, spec, options, database)
    return problems


def _columns_problems(
    target: Target, spec: FormatSpec, options: ExportOptions, database: TargetCatalogs
) -> list[FieldProblem]:
    title = target.title.lower()
    grid = any(each.layout is Layout.GRID for each in target.sets)
    if grid and spec.tabular and not spec.laid_out:
        message = f"Option columns does not apply to {title} as {spec.name}: the grid has columns of its own."
        return [FieldProblem(FIELD, None, message)]
    extent = extent_of(target.name, options, spec)
    known = database.columns(extent)
    if isinstance(options.columns, list):
        sections = tuple(each.name for each in target.sets)
        message = f"{FIELD} must be an object with a list for each section of {title}, which has several."
        return [FieldProblem(FIELD, None, message, sections)]
    chosen = chosen_columns(options.columns, "")
    problems = [*_unknown(chosen, known, title), *_labels(chosen, spec, target, known)]
    if spec.laid_out and not spec.report:
        problems += _empty_sheets(chosen, target)
    if grid and spec.laid_out and not problems:
        problems += _of_grid(chosen, database.main)
    return problems


def _unknown(chosen: Chosen, known: dict[str, tuple[str, ...]], title: str) -> Iterator[FieldProblem]:
    for section, columns in chosen.items():
        field = f"{FIELD}.{section[:MAX_SHOWN]}"
        if section not in known:
            message = f"{title.capitalize()} as they are asked for have no part {shown(section)}."
            yield FieldProblem(field, section[:MAX_SHOWN], message, tuple(known))
            continue
        for place, each in enumerate(columns):
            if each.name not in known[section]:
                message = f"{title.capitalize()} have no column {shown(each.name)} in {section}."
                yield FieldProblem(f"{field}[{place}]", each.name[:MAX_SHOWN], message, known[section])


def _labels(
    chosen: Chosen, spec: FormatSpec, target: Target, known: dict[str, tuple[str, ...]]
) -> Iterator[FieldProblem]:
    """Labels where nothing is called by them."""
    sections = {each.name for each in target.sets} or {"records"}
    relations = {name for section in sections for name in known.get(section, ())}
    for section, columns in chosen.items():
        labelled = next((place for place, each in enumerate(columns) if each.label), None)
        if labelled is None:
            continue
        field = f"{FIELD}.{section[:MAX_SHOWN]}[{labelled}].label"
        if not spec.headings:
            message = f"{field} does not apply to {spec.name}, whose keys are the names of the columns."
            yield FieldProblem(field, columns[labelled].label, message)
        elif section in relations and not spec.laid_out:
            message = f"{field} does not apply to {spec.name}: related rows are JSON in a cell, with their own names."
            yield FieldProblem(field, columns[labelled].label, message)


def _empty_sheets(chosen: Chosen, target: Target) -> Iterator[FieldProblem]:
    """Sections of which only related rows were chosen, which stand on sheets of their own."""
    for each in target.sets:
        several = {relation.name for relation in each.relations if not relation.single} | {SCORES.name}
        columns = chosen.get(each.name)
        if columns is not None and {column.name for column in columns} <= several:
            field = f"{FIELD}.{each.name}"
            message = f"{field} needs a column besides related rows, which have sheets of their own: id, for example."
            yield FieldProblem(field, None, message)


def _of_grid(chosen: Chosen, main: str) -> Iterator[FieldProblem]:
    """What a grid is made of and was left out, while the relations that make it are there."""
    records = chosen.get(main)
    names = None if records is None else {each.name for each in records}
    if names is not None and not {"hypotheses", "evidence", "ratings"} <= names:
        return
    for section, needed in {main: ("id", "title"), **GRID_PARTS}.items():
        columns = chosen.get(section)
        if columns is None or (section != main and names is not None and section not in names):
            continue
        lacking = [each for each in needed if each not in {column.name for column in columns}]
        if lacking:
            message = (
                f"{FIELD}.{section} needs {', '.join(lacking)} for the grid; a file without hypotheses, evidence or "
                "ratings has none."
            )
            yield FieldProblem(f"{FIELD}.{section}", None, message, needed)
