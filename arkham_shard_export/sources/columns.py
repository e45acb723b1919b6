"""Canonical values a column at a time: a few calls find that most columns of a batch are canonical already.

The rule is that of `values.Canonical`, which is asked for every value of a column that is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import msgspec

from arkham_shard_export.presentation.times import UTC_NAME
from arkham_shard_export.schema import Column, Kind
from arkham_shard_export.sources.values import Canonical

ConvertColumn = Callable[[Sequence[Any]], Sequence[Any]]

_NOTHING = type(None)
_WHOLE = frozenset({int, bool})
_NUMBERS = frozenset({int, bool, float})
_TEXT = frozenset({str})
_CANONICAL_TIMES = re.compile(
    r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(?!000000)\d{6})?\+00:00(?:\n|\Z))*", re.ASCII
)


class ColumnConverters:
    """Converters of columns; they count into the adjustments of `canonical`.

    `valid_text` says whether every text that comes now is valid Unicode, because a driver has decoded it strictly.
    """

    def __init__(self, canonical: Canonical, valid_text: Callable[[], bool] = lambda: False) -> None:
        self._canonical = canonical
        self._valid_text = valid_text

    def converter(self, column: Column) -> ConvertColumn:
        convert = self._canonical.converter(column)
        if column.kind is Kind.JSON:
            if column.in_text:
                return lambda values: values if _compact(values) else list(map(convert, values))
            return lambda values: _compact(values) or list(map(convert, values))
        is_canonical = self._check(column.kind)
        if is_canonical is None:
            return lambda values: list(map(convert, values))
        return lambda values: values if is_canonical(values) else list(map(convert, values))

    def _check(self, kind: Kind) -> Callable[[Sequence[Any]], bool] | None:
        if kind in (Kind.TEXT, Kind.INTEGER, Kind.NUMBER):
            return self._are_scalars
        return _are_times if kind is Kind.TIMESTAMP and self._canonical.zone == UTC_NAME else None

    def _are_scalars(self, values: Sequence[Any]) -> bool:
        kinds = set(map(type, values))
        kinds.discard(_NOTHING)
        if kinds <= _WHOLE:
            return True
        if kinds == _TEXT:
            return self._valid_text() or _is_text("".join(filter(None, values)))
        return kinds <= _NUMBERS and all(isfinite(value) for value in values if type(value) is float)


def _are_times(values: Sequence[Any]) -> bool:
    kinds = set(map(type, values))
    kinds.discard(_NOTHING)
    return kinds <= _TEXT and _CANONICAL_TIMES.fullmatch("\n".join(filter(None, values))) is not None


def _compact(values: Sequence[Any]) -> Sequence[Any] | None:
    """The values as compact JSON, or None where one of them is not valid, or needs a closer look."""
    kinds = set(map(type, values))
    kinds.discard(_NOTHING)
    if not kinds <= _TEXT:
        return None
    joined = "".join(filter(None, values))
    if "\\u" in joined or "\n" in joined or "\r" in joined:
        return None
    try:
        return [None if value is None else msgspec.json.format(value, indent=-1) for value in values]
    except (ValueError, RecursionError):
        return None


def _is_text(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
