"""Which columns a file has, in which order, and what their headings say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from arkham_shard_export.errors import FieldProblem
from arkham_shard_export.presentation.words import MAX_SHOWN, shown, text_problem

FIELD = "options.columns"
MAX_COLUMNS = 1_000
"""Of one section."""
MAX_LABEL_LENGTH = 120


@dataclass(frozen=True, slots=True)
class ChosenColumn:
    """A column by its name; with a label it is called so in headings."""

    name: str
    label: str = ""


Chosen = Mapping[str, tuple[ChosenColumn, ...]]
"""The columns of a section or of a relation, by its name; what has no entry keeps all of its own."""


def chosen_columns(given: Any, main: str) -> dict[str, tuple[ChosenColumn, ...]]:
    """What `options.columns` asks for, once it has been checked; a list is meant for the section `main`."""
    if given is None:
        return {}
    by_section = given if isinstance(given, Mapping) else {main: given}
    return {name: tuple(map(_chosen, columns)) for name, columns in by_section.items()}


def columns_problems(given: Any) -> list[FieldProblem]:
    """What is wrong with the form of `options.columns`, whatever the target."""
    if isinstance(given, list):
        return _list_problems(FIELD, given)
    if isinstance(given, Mapping) and given:
        return [
            problem
            for section, columns in given.items()
            for problem in _list_problems(f"{FIELD}.{str(section)[:MAX_SHOWN]}", columns)
        ]
    message = f"{FIELD} must be a list of columns, or an object with such a list for each section, not {shown(given)}."
    return [FieldProblem(FIELD, given, message)]


def _list_problems(field: str, given: Any) -> list[FieldProblem]:
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_COLUMNS:
        message = f"{field} must be a list of 1 to {MAX_COLUMNS} columns, not {shown(given)}."
        return [FieldProblem(field, None, message)]
    problems: list[FieldProblem] = []
    names: set[str] = set()
    headings: set[str] = set()
    for place, each in enumerate(given):
        problem = _column_problem(f"{field}[{place}]", each)
        if problem is not None:
            problems.append(problem)
            continue
        column = _chosen(each)
        if column.name in names:
            message = f"{field} names the column {shown(column.name)} twice."
            problems.append(FieldProblem(f"{field}[{place}]", column.name, message))
        elif (heading := column.label or column.name) in headings:
            message = f"{field} calls two columns {shown(heading)}; give one of them another label."
            problems.append(FieldProblem(f"{field}[{place}]", heading, message))
        names.add(column.name)
        headings.add(column.label or column.name)
    return problems


def _column_problem(field: str, given: Any) -> FieldProblem | None:
    if isinstance(given, str):
        return None
    if (
        not isinstance(given, Mapping)
        or not isinstance(given.get("name"), str)
        or given.keys() - {"name", "label"}
    ):
        message = f'{field} must be the name of a column, or {{"name": …, "label": …}}, not {shown(given)}.'
        return FieldProblem(field, given, message)
    if given.get("label") is None:
        return None
    return text_problem(f"{field}.label", given["label"], MAX_LABEL_LENGTH)


def _chosen(given: Any) -> ChosenColumn:
    return (
        ChosenColumn(given)
        if isinstance(given, str)
        else ChosenColumn(given["name"], given.get("label") or "")
    )
