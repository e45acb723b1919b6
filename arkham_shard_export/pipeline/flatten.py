"""Objects as dotted columns: `metadata` with `{"a": {"b": 1}}` becomes `metadata.a.b`.

The keys must be known before the first record is written, so the JSON columns are read once more, in the same
snapshot. A key that holds a dot or a backslash has it escaped by a backslash, so that every column has one meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import msgspec

from arkham_shard_export.records import Adjustments, Batch, Row, Section
from arkham_shard_export.schema import Column, Kind, Layout

MAX_COLUMNS = 1000
"""Dotted columns a section may have; what is beyond stays together as JSON in the column it came from."""

Path = tuple[str, ...]
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(slots=True)
class Plan:
    """How one JSON column is laid out: the paths that become columns, and whether anything stays in its own."""

    paths: set[Path] = field(default_factory=set)
    keeps_base: bool = False


def flattened(
    section: Section, adjustments: Adjustments, observe: Callable[[int], None] = lambda _rows: None
) -> Section:
    """The section with its JSON objects and single related records as dotted columns.

    `observe` is called with the rows of each batch of the first reading, and may raise to end it.
    """
    if section.layout is Layout.INDEX:
        return section
    plans = _discover(section, observe)
    declared = {column.name for column in section.columns}
    columns: list[Column] = []
    makers: list[Callable[[Any], Sequence[Any]]] = []
    for column in section.columns:
        if column.kind is Kind.RECORD and declared.isdisjoint(_spread_names(column)):
            columns += [_spread_column(column, each) for each in column.columns]
            makers.append(_spread(len(column.columns)))
        elif column.name in plans:
            plan = plans[column.name]
            paths = sorted(plan.paths)
            columns += [column] if plan.keeps_base else []
            columns += [_path_column(column, path) for path in paths]
            makers.append(_object(plan, paths, adjustments))
        else:
            columns.append(column)
            makers.append(lambda value: (value,))

    def flat(row: Row) -> Row:
        return [cell for make, value in zip(makers, row, strict=True) for cell in make(value)]

    def read(_names: Sequence[str] | None = None) -> Iterator[Batch]:
        for batch in section.read(None):
            yield [flat(row) for row in batch]

    return replace(section, columns=tuple(columns), read=read, portions=None)


def _spread_names(column: Column) -> set[str]:
    return {f"{column.name}.{each.name}" for each in column.columns} if column.kind is Kind.RECORD else set()


def _spread_column(column: Column, inner: Column) -> Column:
    """What was chosen keeps its place; the label of what it was spread from stands before its own."""
    label = f"{column.heading}.{inner.heading}" if column.label or inner.label else ""
    return replace(inner, name=f"{column.name}.{inner.name}", label=label, chosen=column.chosen)


def _path_column(column: Column, path: Path) -> Column:
    label = _dotted(column.label, path) if column.label else ""
    return Column(_dotted(column.name, path), Kind.VALUE, label=label, chosen=column.chosen)


def _dotted(name: str, path: Path) -> str:
    return ".".join((name, *(key.replace("\\", "\\\\").replace(".", "\\.") for key in path)))


def _discover(section: Section, observe: Callable[[int], None]) -> dict[str, Plan]:
    names = [column.name for column in section.columns if column.kind is Kind.JSON]
    taken = {column.name for column in section.columns}
    taken.update(*(_spread_names(column) for column in section.columns))
    plans = {name: Plan() for name in names}
    if not names:
        return plans
    left = MAX_COLUMNS
    for batch in section.read(names):
        for row in batch:
            for name, text in zip(names, row, strict=True):
                plan = plans[name]
                for path, _ in _leaves(text):
                    if path in plan.paths:
                        continue
                    if path == () or left <= 0 or _dotted(name, path) in taken:
                        plan.keeps_base = True
                    else:
                        plan.paths.add(path)
                        taken.add(_dotted(name, path))
                        left -= 1
        observe(len(batch))
    return plans


def _leaves(text: str | None) -> Iterator[tuple[Path, Any]]:
    """Paths and values of an object; the path () where the text holds no object."""
    if text is None:
        return
    try:
        value = _decode(text)
    except (ValueError, ArithmeticError, RecursionError):
        # Numbers of thousands of digits are JSON, but no number of ours: the column keeps its text.
        yield (), text
        return
    if not isinstance(value, dict):
        yield (), value
        return
    stack: list[tuple[Path, Any]] = [((key,), each) for key, each in reversed(value.items())]
    if not value:
        yield (), value
    while stack:
        path, each = stack.pop()
        if isinstance(each, dict) and each:
            stack += [((*path, key), inner) for key, inner in reversed(each.items())]
        else:
            yield path, each


def _spread(width: int) -> Callable[[Any], Sequence[Any]]:
    return lambda value: value if value is not None else [None] * width


def _object(plan: Plan, paths: list[Path], adjustments: Adjustments) -> Callable[[Any], Sequence[Any]]:
    def make(text: str | None) -> Sequence[Any]:
        cells: dict[Path, Any] = {}
        rest: dict[str, Any] = {}
        base: str | None = None
        for path, value in _leaves(text):
            if path in plan.paths:
                cells[path] = value
            elif path == ():
                base = text
            else:
                _put(rest, path, value)
        if rest:
            adjustments.add("flatten_overflow")
            base = _encode(rest).decode()
        values = [cells.get(path) for path in paths]
        return [base, *values] if plan.keeps_base else values

    return make


def _put(into: dict[str, Any], path: Path, value: Any) -> None:
    for key in path[:-1]:
        into = into.setdefault(key, {})
    into[path[-1]] = value
